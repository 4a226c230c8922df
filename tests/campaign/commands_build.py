"""The verb build: its own inputs, and the results of its steps that a second run finds."""

from __future__ import annotations

from .command import Command, Holds, Input

CONTENT, MARKED, OWN = Holds.CONTENT, Holds.MARKED, Holds.OWN
OWNER = "build"

SET = {
    place: f"build/{place}"
    for place in (
        "tiny",
        "set.yaml",
        "set-other.yaml",
        "captions.txt",
        "captions-other.txt",
        "attributes.txt",
        "attributes-other.txt",
        "objects.txt",
        "objects-other.txt",
        "exclude.csv",
        "exclude-other.csv",
        "drawings",
        "reference",
        "audit",
        "labels.parquet",
        "labels-other.parquet",
        "verdicts.sqlite",
        "verdicts-other.sqlite",
    )
}
RUN = ("build", "set.yaml", "--cpu")
TABLES = (
    "out/1-compose/compositions.parquet",
    "out/2-generate/images.parquet",
    "out/3-validate/verdicts.parquet",
    "out/4-distinct/decisions.parquet",
    "out/4-distinct/neighbours.parquet",
    "out/*/manifest.json",
    "out/5-package/drawn/*/*.parquet",
    "out/5-package/drawn/fingerprints.json",
)
#: Left out here, where each run takes a second: they are much like others, which are tried.
ALIKE = ("cut-one", "flip-3", "zeros", "dangling", "device", "twice")


def _step(path: str, other: str | None = None, text: bool = False) -> Input:
    """A file that an earlier run of the build left; ``other`` is of a build with another seed."""
    return Input(
        f"out/{path}",
        OWNER,
        OWN,
        other or f"other/{path}",
        text=text,
        without=ALIKE,
    )


BUILDS = (
    Command(
        "build",
        "build",
        RUN,
        SET,
        [
            Input("set.yaml", OWNER, MARKED, "set-other.yaml", text=True),
            Input(
                "captions.txt",
                OWNER,
                MARKED,
                "captions-other.txt",
                text=True,
                without=ALIKE,
            ),
            Input(
                "attributes.txt",
                OWNER,
                MARKED,
                "attributes-other.txt",
                text=True,
                without=ALIKE,
            ),
            Input(
                "exclude.csv", "tables", MARKED, "exclude-other.csv", text=True
            ),
            Input(
                "labels.parquet",
                OWNER,
                MARKED,
                "labels-other.parquet",
                without=ALIKE,
            ),
            Input(
                "verdicts.sqlite",
                "annotation",
                MARKED,
                "verdicts-other.sqlite",
                without=ALIKE,
            ),
            Input(
                "drawings/disc.png",
                OWNER,
                MARKED,
                "drawings/tall_box.png",
                member=True,
                without=ALIKE,
            ),
            Input("audit/manifest.json", OWNER, OWN, text=True, without=ALIKE),
            Input("audit/counts-words.parquet", OWNER, OWN, without=ALIKE),
            Input(
                "reference/img_emb_0.npy",
                OWNER,
                CONTENT,
                "reference/img_emb_1.npy",
                member=True,
                without=ALIKE,
            ),
            Input("tiny/model.safetensors", "models", MARKED, without=ALIKE),
        ],
        TABLES,
    ),
    Command(
        "build-again",
        "build",
        RUN,
        {**SET, "other": "build-other/out"},
        [
            _step("1-compose/compositions.parquet"),
            _step("2-generate/images.parquet"),
            _step("2-generate/recipe.json", text=True),
            _step("2-generate/manifest.json", text=True),
            _step("2-generate/images/striped__wedge/0.png"),
            _step("3-validate/verdicts.parquet"),
            _step("3-validate/parts/*/000000.json", text=True),
            _step("4-distinct/decisions.parquet"),
            _step("4-distinct/manifest.json", text=True),
            _step("4-distinct/parts/*/000000.safetensors#0"),
            _step("4-distinct/parts/reference.safetensors"),
            _step("5-package/manifest.json", text=True),
            _step("5-package/drawn/drawn/*.parquet"),
            _step("5-package/drawn/fingerprints.json", text=True),
        ],
        TABLES,
        first=[RUN],
    ),
    Command(
        "build-on",
        "build",
        RUN,
        {**SET, "other": "build-other/out"},
        [
            _step("1-compose/compositions.parquet"),
            _step("1-compose/audits/mine/counts-words.parquet"),
            _step("2-generate/images.parquet"),
            _step("2-generate/images/striped__wedge/1.png"),
            _step("2-generate/manifest.json", text=True),
        ],
        TABLES,
        first=[(*RUN, "--steps", "compose", "generate")],
    ),
)
