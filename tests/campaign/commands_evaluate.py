"""The commands that read pictures and models: evaluate, prepare, load_dataset."""

from __future__ import annotations

from .command import Command, Holds, Input

MARKED, CONTENT, OWN = Holds.MARKED, Holds.CONTENT, Holds.OWN

FIGURES = ("out/*/results.json", "out/*/predictions.parquet")
PREPARED = ("hub/*.json", "hub/*/*.parquet")
#: The same shape in another order of the archive's members is no damage.
ZIP = Input("data.zip", "images", MARKED, "seen.zip")


def _model(folder: str, other: str, *names: str) -> list[Input]:
    """The files of a saved model."""
    text = {name: name.endswith(".json") for name in names}
    return [
        Input(
            f"{folder}/{name}",
            "models",
            MARKED,
            f"{other}/{name}",
            text=text[name],
        )
        for name in names
    ]


def _pictures() -> list[Input]:
    return [
        Input(f"data/{place}", "images", MARKED, other, member=True)
        for place, other in (
            ("wooden_banana/0.png", "data/red_teapot/0.png"),
            ("red_teapot/1.jpg", "data/wooden_banana/1.jpg"),
            ("golden_lion/2.webp", "data/wooden_banana/2.webp"),
        )
    ]


TEMPLATES = Input(
    "templates.txt", "vocabulary", MARKED, "templates-other.txt", text=True
)
TINY = (
    "evaluate",
    "tiny",
    "--templates",
    "templates.txt",
    "--out",
    "out",
    "--cpu",
)
FILES = {"tiny": "tiny", "m1": "m1", "templates.txt": "templates.txt"}


def load_with_counts(path: str) -> object:
    """What `load_dataset` gives with counts of captions from ``path``, without the pictures."""
    import datasets

    import imagenet_ao  # noqa: F401 (makes the name known)

    rows = datasets.load_dataset(
        "imagenet_ao", data_dir="data", counts=path, split="ood"
    )
    return rows.remove_columns("image").to_list()


EVALUATIONS = (
    Command(
        "evaluate-folder",
        "evaluate",
        (*TINY, "--data", "data"),
        {**FILES, "data": "data", "templates-other.txt": "templates-other.txt"},
        [*_pictures(), TEMPLATES],
        FIGURES,
    ),
    Command(
        "evaluate-model",
        "evaluate",
        (*TINY, "--data", "data"),
        {**FILES, "data": "data"},
        _model(
            "tiny",
            "m1",
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "preprocessor_config.json",
        ),
        FIGURES,
    ),
    Command(
        "evaluate-list",
        "evaluate",
        (*TINY[:1], "--models", "list.csv", *TINY[2:], "--data", "data"),
        {
            **FILES,
            "data": "data",
            "list.csv": "list.csv",
            "list-other.csv": "list-other.csv",
        },
        [Input("list.csv", "models", CONTENT, "list-other.csv", text=True)],
        FIGURES,
    ),
    Command(
        "evaluate-classifier",
        "evaluate",
        ("evaluate", "classifier0", "--data", "data", "--out", "out", "--cpu"),
        {
            "classifier0": "classifier0",
            "classifier1": "classifier1",
            "data": "data",
        },
        _model(
            "classifier0",
            "classifier1",
            "config.json",
            "model.safetensors",
            "preprocessor_config.json",
        ),
        FIGURES,
    ),
    Command(
        "evaluate-zip",
        "evaluate",
        (*TINY, "--data", "data.zip"),
        {**FILES, "data.zip": "data.zip", "seen.zip": "seen.zip"},
        [ZIP],
        FIGURES,
    ),
    Command(
        "evaluate-again",
        "evaluate",
        (*TINY, "--data", "data"),
        {**FILES, "data": "data"},
        [
            Input(
                "out/embeddings/*/000000.safetensors#0",
                "shards",
                OWN,
                "out/embeddings/*/000000.safetensors#1",
            ),
            Input(
                "out/embeddings/*/000000.safetensors#1",
                "shards",
                OWN,
                "out/embeddings/*/000000.safetensors#0",
            ),
            Input(
                "out/embeddings/*/key.json#0",
                "shards",
                OWN,
                "out/embeddings/*/key.json#1",
                text=True,
            ),
            Input("out/tiny/results.json", "results", OWN, text=True),
            Input("out/tiny/predictions.parquet", "results", OWN),
        ],
        FIGURES,
        first=[(*TINY, "--data", "data")],
    ),
    Command(
        "evaluate-prepared",
        "evaluate",
        (*TINY, "--data", "hub"),
        {**FILES, "hub": "hub", "hub-other": "hub-other"},
        [
            Input(
                "hub/v2/*.parquet",
                "dataset loader",
                OWN,
                "hub-other/v2/*.parquet",
            ),
            Input(
                "hub/fingerprints.json",
                "dataset loader",
                OWN,
                "hub-other/fingerprints.json",
                text=True,
            ),
            Input(
                "hub/README.md",
                "dataset loader",
                OWN,
                "hub-other/README.md",
                text=True,
            ),
        ],
        FIGURES,
    ),
    Command(
        "evaluate-cached",
        "evaluate",
        (*TINY, "--data", "hub"),
        {**FILES, "hub": "hub"},
        [Input("cache/**/*.arrow", "dataset loader", OWN)],
        FIGURES,
        first=[(*TINY, "--data", "hub", "--out", "before")],
    ),
    Command(
        "prompts",
        "prompts",
        ("prompts", *TINY[1:], "--data", "hub", "--embeddings", "kept"),
        {
            **FILES,
            "hub": "hub",
            "templates-other.txt": "templates-other.txt",
        },
        [
            TEMPLATES,
            Input(
                "kept/*/*.safetensors#0",
                "shards",
                OWN,
                "kept/*/*.safetensors#1",
            ),
            Input(
                "kept/*/key.json#0",
                "shards",
                OWN,
                "kept/*/key.json#1",
                text=True,
            ),
        ],
        ("out/prompts.csv",),
        first=[("prompts", *TINY[1:], "--data", "hub", "--embeddings", "kept")],
    ),
    Command(
        "prepare-folder",
        "prepare",
        ("prepare", "hub", "--data", "data"),
        {"data": "data"},
        _pictures(),
        PREPARED,
    ),
    Command(
        "prepare-zip",
        "prepare",
        ("prepare", "hub", "--data", "data.zip"),
        {"data.zip": "data.zip", "seen.zip": "seen.zip"},
        [ZIP],
        PREPARED,
    ),
    Command(
        "prepare-again",
        "prepare",
        ("prepare", "hub", "--data", "data"),
        {"data": "data", "hub": "hub", "hub-other": "hub-other"},
        [
            Input(
                "hub/fingerprints.json",
                "dataset loader",
                OWN,
                "hub-other/fingerprints.json",
                text=True,
            ),
            Input(
                "hub/README.md",
                "dataset loader",
                OWN,
                "hub-other/README.md",
                text=True,
            ),
            Input(
                "hub/v2/*.parquet",
                "dataset loader",
                OWN,
                "hub-other/v2/*.parquet",
            ),
        ],
        PREPARED,
    ),
    Command(
        "load-counts-csv",
        "load_dataset",
        lambda: load_with_counts("counts.csv"),
        {
            "data": "data",
            "counts.csv": "counts.csv",
            "counts-other.csv": "counts-other.csv",
        },
        [
            Input(
                "counts.csv",
                "tables",
                CONTENT,
                "counts-other.csv",
                text=True,
                numbers=True,
            )
        ],
    ),
    Command(
        "load-counts-parquet",
        "load_dataset",
        lambda: load_with_counts("counts.parquet"),
        {
            "data": "data",
            "counts.parquet": "counts.parquet",
            "counts-other.parquet": "counts-other.parquet",
        },
        [Input("counts.parquet", "tables", CONTENT, "counts-other.parquet")],
    ),
)
