"""The commands that read results, tables of accuracies and embeddings."""

from __future__ import annotations

from pathlib import Path

from .command import Command, Holds, Input

CONTENT, OWN = Holds.CONTENT, Holds.OWN

RESULTS_OF_ALL = {"results": "results"}
TABLE = Input(
    "results/m0/predictions.parquet",
    "results",
    OWN,
    "results/m1/predictions.parquet",
)
RESULT = Input(
    "results/m0/results.json",
    "results",
    OWN,
    "results/m1/results.json",
    text=True,
)
ALL = [f"results/m{number}" for number in range(4)]
PEOPLE = (
    "decisions.csv",
    "decisions-other.csv",
    "answers.csv",
    "answers-other.csv",
)


def study_table() -> object:
    """The rows of the study's table, from a file of its results."""
    from aobench.study.collecting import read_table
    from aobench.study.summary import Study

    study = Study(read_table(Path("study.json")))
    runs = list(study.rows)
    return [
        [study.mean_accuracy(runs, split) for split in ("id", "ood")],
        len(runs),
    ]


def images_to_judge() -> object:
    """What annotators would be shown, and what they said so far."""
    from aobench.annotation.images import read_images_to_judge
    from aobench.annotation.verdict_file import open_store

    images = read_images_to_judge(Path("judged/images.parquet"))
    with open_store(Path("judged/verdicts.sqlite"), images) as store:
        verdicts = [
            [v.annotator, v.trial.image_id, v.attribute_answer, v.object_answer]
            for v in store.verdicts()
        ]
    return [[str(row) for row in images.rows], sorted(verdicts)]


RESULTS = (
    Command(
        "score",
        "score",
        ("score", "results/m0", "--json"),
        RESULTS_OF_ALL,
        [TABLE],
    ),
    Command(
        "compare",
        "compare",
        ("compare", "results/m0", "results/m2"),
        RESULTS_OF_ALL,
        [TABLE],
    ),
    Command(
        "breakdown",
        "breakdown",
        ("breakdown", "results/m0"),
        RESULTS_OF_ALL,
        [TABLE],
    ),
    Command(
        "effective-results",
        "effective",
        (
            "effective",
            *ALL,
            "--baseline",
            "all",
            "--transform",
            "linear",
            "--figure",
            "object_top1",
            "--out",
            "out",
        ),
        RESULTS_OF_ALL,
        [RESULT, TABLE],
        ("out/*.csv",),
    ),
    Command(
        "effective-csv",
        "effective",
        ("effective", "accuracies.csv", "--baseline", "all", "--out", "out"),
        {
            "accuracies.csv": "accuracies.csv",
            "accuracies-other.csv": "accuracies-other.csv",
        },
        [
            Input(
                "accuracies.csv",
                "tables",
                CONTENT,
                "accuracies-other.csv",
                text=True,
                numbers=True,
            )
        ],
        ("out/*.csv",),
    ),
    Command(
        "card",
        "card",
        ("card", "results/m0", "--dataset", "org/set", "--out", "card"),
        {**RESULTS_OF_ALL, "card": "card", "card-other.md": "card-other.md"},
        [
            RESULT,
            TABLE,
            Input(
                "card/README.md",
                "publish",
                CONTENT,
                "card-other.md",
                text=True,
                # A card without any text of the user's is a card, too.
                without=[
                    "missing",
                    "dangling",
                    "empty",
                    "zeros",
                    "zeros-within",
                ],
            ),
        ],
        ("card/README.md", "card/.eval_results/*", "card/*.parquet"),
    ),
    Command(
        "submit",
        "submit",
        (
            "submit",
            "mini",
            "--to",
            "org/model",
            "--dataset",
            "org/set",
            "--benchmark",
            "mini",
        ),
        {"mini": "mini", "mini-other": "mini-other"},
        [
            Input(
                "mini/results.json",
                "publish",
                OWN,
                "mini-other/results.json",
                text=True,
            ),
            Input(
                "mini/predictions.parquet",
                "publish",
                OWN,
                "mini-other/predictions.parquet",
            ),
        ],
    ),
    Command(
        "leaderboard",
        "leaderboard",
        ("leaderboard", *ALL, "--models", "models.csv", "--out", "out"),
        {
            **RESULTS_OF_ALL,
            "models.csv": "models.csv",
            "models-other.csv": "models-other.csv",
        },
        [
            RESULT,
            TABLE,
            Input(
                "models.csv", "tables", CONTENT, "models-other.csv", text=True
            ),
        ],
        ("out/index.html", "out/models/*.html"),
    ),
    Command(
        "paper",
        "paper",
        ("paper", *ALL, "--out", "out"),
        RESULTS_OF_ALL,
        [RESULT, TABLE],
        ("out/verdicts.json", "out/*.csv"),
    ),
    Command(
        "difficulty",
        "difficulty",
        ("difficulty", *ALL, "--kind", "object"),
        RESULTS_OF_ALL,
        [TABLE],
    ),
    Command(
        "power",
        "power",
        ("power", "results/m0", "results/m1", "--kind", "object"),
        RESULTS_OF_ALL,
        [TABLE],
    ),
    Command(
        "export",
        "export",
        ("export", "results/m0", "--to", "csv", "--out", "out.csv"),
        RESULTS_OF_ALL,
        [RESULT, TABLE],
        ("out.csv",),
    ),
    Command(
        "croissant",
        "croissant",
        ("croissant", "hub", "--repository", "org/set"),
        {"hub": "hub", "hub-other": "hub-other"},
        [
            Input(
                "hub/fingerprints.json",
                "publish",
                OWN,
                "hub-other/fingerprints.json",
                text=True,
            ),
            Input(
                "hub/README.md",
                "publish",
                CONTENT,
                "hub-other/README.md",
                text=True,
            ),
        ],
        ("hub/croissant.json",),
    ),
    Command(
        "questions",
        "questions",
        ("questions", "out", "--data", "hub", "--count", "4"),
        {"hub": "hub", "hub-other": "hub-other"},
        [
            Input(
                "hub/fingerprints.json",
                "dataset loader",
                OWN,
                "hub-other/fingerprints.json",
                text=True,
            ),
            Input(
                "hub/v2/*.parquet",
                "dataset loader",
                OWN,
                "hub-other/v2/*.parquet",
            ),
        ],
        ("out/**/*.parquet",),
    ),
    Command(
        "report",
        "report",
        ("report", *ALL, "--pictures", "0", "--out", "out.html"),
        RESULTS_OF_ALL,
        [RESULT, TABLE],
        ("out.html",),
    ),
    Command(
        "disentangle-npz",
        "disentangle",
        ("disentangle", "factors.npz"),
        {
            "factors.npz": "factors.npz",
            "factors-other.npz": "factors-other.npz",
        },
        [Input("factors.npz", "analysis", CONTENT, "factors-other.npz")],
    ),
    Command(
        "disentangle-run",
        "disentangle",
        ("disentangle", "out/embeddings", "--data", "grid"),
        {"tiny": "tiny", "grid": "grid", "templates.txt": "templates.txt"},
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
            Input(
                "out/embeddings/*/key.json#1",
                "shards",
                OWN,
                "out/embeddings/*/key.json#0",
                text=True,
            ),
        ],
        first=[
            (
                "evaluate",
                "tiny",
                "--data",
                "grid",
                "--templates",
                "templates.txt",
                "--out",
                "out",
                "--cpu",
            )
        ],
    ),
    Command(
        "people",
        "people",
        (
            "people",
            "results/m0",
            "--decisions",
            "decisions.csv",
            "--answers",
            "answers.csv",
            "--out",
            "out",
        ),
        {
            **RESULTS_OF_ALL,
            **{name: name for name in PEOPLE},
        },
        [
            TABLE,
            Input(PEOPLE[0], "annotation", CONTENT, PEOPLE[1], text=True),
            Input(PEOPLE[2], "annotation", CONTENT, PEOPLE[3], text=True),
        ],
        ("out/*.csv",),
    ),
    Command(
        "study",
        "study",
        study_table,
        {"study.json": "study.json", "study-other.json": "study-other.json"},
        [Input("study.json", "study", CONTENT, "study-other.json", text=True)],
    ),
    Command(
        "agreement",
        "agreement",
        ("agreement", "judged/verdicts.sqlite", "--draws", "20"),
        {"judged": "judged"},
        [
            Input(
                "judged/verdicts.sqlite",
                "annotation",
                CONTENT,
                "judged/verdicts-other.sqlite",
            )
        ],
    ),
    Command(
        "annotate",
        "annotate",
        images_to_judge,
        {"judged": "judged"},
        [
            Input("judged/images.parquet", "annotation", CONTENT),
            Input(
                "judged/pictures/img-000.png",
                "annotation",
                CONTENT,
                "judged/pictures/img-001.png",
            ),
            Input(
                "judged/verdicts.sqlite",
                "annotation",
                CONTENT,
                "judged/verdicts-other.sqlite",
                without=["missing", "dangling"],  # a new file is begun then
            ),
        ],
    ),
    Command(
        "duplicates",
        "duplicates",
        ("duplicates", "judged/images.parquet", "--out", "near"),
        {"judged": "judged"},
        [
            Input("judged/images.parquet", "duplicates", CONTENT),
            Input(
                "judged/pictures/img-000.png",
                "duplicates",
                CONTENT,
                "judged/pictures/img-001.png",
                member=True,
            ),
        ],
        ("near/decisions.parquet", "near/summary.json"),
    ),
)
