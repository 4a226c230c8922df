"""results.json as a typed structure: each key explained once."""

#: Keys of results.json, each explained. Rows that differ in what is marked * are not comparable.
RESULT_KEYS = {
    "model": "* id, kind, revision, processor, dtype, device of the model",
    "dataset": "* name, config, limit (where --limit left images out) and, by split, fingerprint "
    "and number of images; "
    "of a drawn set a digest of its pixels, too, which is noted and need not be the same",
    "templates": "* SHA-256 (16 digits) and number of the prompt templates",
    "candidates": "* by split: mode, SHA-256 (16 digits) and number of the candidates",
    "settings": "* options that change numbers: draft, attention, compile; of each what the user "
    "chose",
    "figures": "by split: accuracies 0..1 with intervals over compositions, chance and n; gap and "
    "harmonic mean",
    "unreadable": "sample id and reason of each image that could not be read; they count as wrong",
    "seconds": "wall seconds: load (the model), and by split texts, images, scoring; what was "
    "found on disk costs none",
    "processes": "number of processes",
    "predictions": "SHA-256 of predictions.parquet, from which every figure can be computed again",
    "code": "version of imagenet-ao",
    "stack": "versions of the libraries and of Python",
    "date": "UTC time at the end of the run",
}

#: Keys that results of earlier versions lack: nothing was chosen there.
OPTIONAL_KEYS = ("settings",)
