"""results.json as a typed structure: each key explained once, in the words of its ``Annotated``.

What is marked * must agree for two results to stand side by side: see
`aobench.results.comparability`.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict, get_type_hints

#: Counted up when what a column of the table of predictions means changes. Tables of format 1 hold
#: one task and have no number.
TABLE_FORMAT = 2
#: Candidates that a row of the table names, the best first; fewer where there are fewer.
TOP = 5
#: Counted up when what a key of results.json means changes. Files of format 1 have no number.
RESULT_FORMAT = 2


class ModelFacts(TypedDict):
    """The model that was run."""

    id: Annotated[str, "as the user named it"]
    kind: Annotated[str, "the kind of model, such as clip"]
    revision: Annotated[str, "commit of the Hub, or a digest of the files"]
    processor: Annotated[
        str, "what is done to an image before the model sees it"
    ]
    dtype: Annotated[str, "* the numbers' type"]
    device: Annotated[str, "cpu or cuda"]
    names_attributes: Annotated[bool, "false for a supervised classifier"]
    notes: Annotated[dict[str, Any], "what else changes its numbers"]
    parameters: NotRequired[
        Annotated[
            dict[str, int],
            "how many numbers its weights have: total, and where the image tower can be told, "
            "vision, and all others as text; absent for a kind without a torch module, and in "
            "files of earlier versions",
        ]
    ]
    facts: NotRequired[
        Annotated[
            dict[str, Any],
            "what a list of models says of it: family, training_set, training_images, supervision",
        ]
    ]


class SplitFacts(TypedDict):
    """The images of a split."""

    fingerprint: Annotated[str, "* digest of the images and their labels"]
    n: Annotated[int, "number of images"]
    pixels: NotRequired[
        Annotated[
            str, "of a drawn set, digest of its pixels; need not be the same"
        ]
    ]


class DatasetFacts(TypedDict):
    """The dataset that it was run on."""

    name: Annotated[
        str, "name of the loader, of the folder, or of the Hub's repository"
    ]
    config: Annotated[str, "its config: v2, mini, or a set's own"]
    limit: NotRequired[Annotated[int, "--limit, where it left images out"]]
    left_out: NotRequired[
        Annotated[
            dict[str, Any],
            "where files of one's own data are in no split: by reason the count and examples",
        ]
    ]
    splits: Annotated[dict[str, SplitFacts], "by split its images"]


class CandidateFacts(TypedDict):
    """The candidates of a task in a split."""

    n: Annotated[int, "how many an image is ranked among"]
    hash: Annotated[str, "* SHA-256 of the texts (16 digits)"]


class TaskFacts(TypedDict):
    """A task as it was asked; see `aobench.results.tasks`."""

    kind: Annotated[str, "what is named: composition, object or attribute"]
    scope: Annotated[str, "whose list it is: shared, split or image"]
    candidates: Annotated[dict[str, CandidateFacts], "by split the candidates"]


class TaskScores(TypedDict, total=False):
    """The scores of a task; accuracies are fractions from 0 to 1."""

    splits: Annotated[
        dict[str, dict[str, Any]],
        "by split: accuracies with intervals for these attributes and objects (_low, _high, "
        "_effective_n) and for attributes and objects like these (_wide_low, _wide_high), "
        "chance, n, n_candidates (n_candidates_fewest where some images are offered fewer), "
        "n_unreadable, where errors fall (errors_), and the worst attribute and "
        "object; of a task that a generative model was asked again, "
        "blind_agreement, rotated_agreement and letter_bias (`aobench.results.asked_again`)",
    ]
    main: Annotated[str, "the accuracy that gap is of"]
    gap: Annotated[
        float,
        "seen (id) less novel (ood); gap_low, gap_high, gap_wide_low, gap_wide_high",
    ]
    curve: Annotated[
        dict[str, Any],
        "where one list holds seen and novel candidates: seen against novel accuracy over every "
        "bias for novel ones; its area (seen_novel_auc), the harmonic mean at the best bias "
        "(best_harmonic_mean) and at biases chosen on other compositions "
        "(held_out_harmonic_mean), with _low, _high and chance; field_auc, the area as papers of "
        "the field compute it",
    ]


class ResultFile(TypedDict):
    """results.json."""

    format: Annotated[int, "of this file"]
    model: Annotated[ModelFacts, "* the model that was run"]
    dataset: Annotated[DatasetFacts, "* the dataset that it was run on"]
    templates: Annotated[
        dict[str, Any] | None,
        "* SHA-256 (16 digits) and number of the prompt templates; null without prompts",
    ]
    settings: Annotated[
        dict[str, Any],
        "* options that change numbers: draft, attention, compile; of each what the user chose",
    ]
    tasks: Annotated[
        dict[str, TaskFacts], "* by task its kind, scope and candidates"
    ]
    scores: Annotated[dict[str, TaskScores], "by task the scores of each split"]
    unreadable: Annotated[
        list[dict[str, str]],
        "sample id, split and reason of each image that could not be read; they count as wrong",
    ]
    seconds: Annotated[
        dict[str, Any],
        "wall seconds: load (the model), texts, and by split images and scoring; what was found on "
        "disk costs none",
    ]
    processes: Annotated[int, "number of processes"]
    predictions: Annotated[
        str,
        "SHA-256 of predictions.parquet, from which every score can be computed again",
    ]
    code: Annotated[str, "version of imagenet-ao"]
    stack: Annotated[dict[str, str], "versions of the libraries and of Python"]
    date: Annotated[str, "UTC time at the end of the run"]


def explain_keys(structure: type = ResultFile) -> dict[str, str]:
    """Key -> what it says, of one of the structures of this module.

    Example:
        >>> explain_keys()["processes"]
        'number of processes'
    """
    hints = get_type_hints(structure, include_extras=True)
    return {key: _sentence(hint) for key, hint in hints.items()}


def _sentence(hint: Any) -> str:
    inner = getattr(hint, "__metadata__", None)
    return str(inner[0]) if inner else _sentence(hint.__args__[0])
