"""The commands that read captions and audits."""

from __future__ import annotations

from .command import Command, Holds, Input

OWNER = "audit"
NAMES = ("--attributes", "attributes.txt", "--objects", "objects.txt")
LISTS = {"attributes.txt": "attributes.txt", "objects.txt": "objects.txt"}
COUNTED = ("out/counts-*.parquet", "out/marginals.parquet", "out/manifest.json")
ENDINGS = (
    "txt",
    "csv",
    "tsv",
    "jsonl",
    "parquet",
    "tar",
    "txt.gz",
    "csv.gz",
    "tar.gz",
    "jsonl.zst",
)
TEXTS = ("txt", "csv", "tsv", "jsonl")


def _format(ending: str) -> Command:
    """An audit of one file with this ending."""
    mine, other = f"captions/c.{ending}", f"captions/other.{ending}"
    return Command(
        f"audit-{ending}",
        "audit",
        ("audit", mine, "--out", "out", *NAMES),
        {**LISTS, mine: mine, other: other},
        [Input(mine, OWNER, Holds.MARKED, other, text=ending in TEXTS)],
        COUNTED,
    )


RIGHT = ("--right", "caption")
RULES = ("--rules", "words", "authors")


def _tables_of(mine: str, other: str, *names: str) -> list[Input]:
    """Files of one audit, that another has, too."""
    inputs = []
    for name in names:
        file = f"{name}.json" if name == "manifest" else f"{name}.parquet"
        mine_path, other_path = (
            f"audits/{mine}/{file}",
            f"audits/{other}/{file}",
        )
        text = name == "manifest"
        inputs.append(Input(mine_path, OWNER, Holds.OWN, other_path, text=text))
    return inputs


TWO = ("audit", "captions/c.txt", "captions/c.csv", "--out", "out", *NAMES)

AUDITS = (
    *(_format(ending) for ending in ENDINGS),
    Command(
        "audit-names",
        "audit",
        ("audit", "captions/c.txt", "--out", "out", *NAMES),
        {
            **LISTS,
            "captions": "captions",
            "attributes-other.txt": "attributes-other.txt",
            "objects-other.txt": "objects-other.txt",
        },
        [
            Input(
                f"{name}.txt",
                "vocabulary",
                Holds.MARKED,
                f"{name}-other.txt",
                text=True,
            )
            for name in ("attributes", "objects")
        ],
        COUNTED,
    ),
    Command(
        "audit-folder",
        "audit",
        ("audit", "captions", "--out", "out", "--on-bad-file", "skip", *NAMES),
        {
            **LISTS,
            "captions/c.txt": "captions/c.txt",
            "captions/d.parquet": "captions/c.parquet",
            "captions/e.tar": "captions/c.tar",
            "other.parquet": "captions/other.parquet",
        },
        [
            Input(
                "captions/d.parquet",
                OWNER,
                Holds.MARKED,
                "other.parquet",
                member=True,
            )
        ],
        COUNTED,
    ),
    Command(
        "audit-again",
        "audit",
        TWO,
        {**LISTS, "captions": "captions"},
        [
            Input(
                "out/parts/*.safetensors#0",
                OWNER,
                Holds.OWN,
                "out/parts/*.safetensors#1",
            ),
            Input("out/manifest.json", OWNER, Holds.OWN, text=True),
            Input("out/counts-words.parquet", OWNER, Holds.OWN),
        ],
        COUNTED,
        first=[TWO],
    ),
    Command(
        "diversity",
        "diversity",
        (
            "diversity",
            "audits/c",
            "audits/other",
            "--draws",
            "5",
            "--out",
            "out",
        ),
        {"audits": "audits"},
        [
            Input(
                "audits/c/manifest.json",
                OWNER,
                Holds.OWN,
                "audits/other/manifest.json",
                text=True,
            ),
            Input(
                "audits/c/counts-words.parquet",
                OWNER,
                Holds.OWN,
                "audits/other/counts-words.parquet",
            ),
            Input(
                "audits/c/marginals.parquet",
                OWNER,
                Holds.OWN,
                "audits/other/marginals.parquet",
            ),
        ],
        ("out/diversity.csv",),
    ),
    Command(
        "lookup",
        "lookup",
        (
            "lookup",
            "--file",
            "texts.txt",
            "--audit",
            "audits/c",
            "--json",
            "out.json",
        ),
        {
            "audits": "audits",
            "texts.txt": "captions/c.txt",
            "b.txt": "captions/other.txt",
        },
        [
            Input("texts.txt", OWNER, Holds.CONTENT, "b.txt", text=True),
            *_tables_of("c", "other", "marginals", "counts-words"),
        ],
        ("out.json",),
    ),
    Command(
        "bindings",
        "bindings",
        ("bindings", "b.jsonl", *RIGHT, "--audit", "audits/c", "--out", "out"),
        {
            "audits": "audits",
            "b.jsonl": "captions/c.jsonl",
            "o.jsonl": "captions/other.jsonl",
        },
        [
            Input("b.jsonl", OWNER, Holds.CONTENT, "o.jsonl", text=True),
            *_tables_of("c", "other", "counts-authors"),
        ],
        ("out/texts.csv", "out/bindings.csv"),
    ),
    Command(
        "audits-merge",
        "audits",
        ("audits", "merge", "audits/other", "audits/third", "--out", "out"),
        {"audits": "audits", **LISTS, "third.txt": "captions/c.txt"},
        _tables_of("other", "c", "manifest", "groups-words", "sketches-words"),
        COUNTED,
        first=[("audit", "third.txt", "--out", "audits/third", *NAMES, *RULES)],
    ),
)
