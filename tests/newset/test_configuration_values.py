"""Every key of a configuration with values of no use: one line that names the key, at once; and
YAML that is a trap.
"""

import copy
import json

import pytest

from aobench.cli import main
from aobench.errors import UserError
from aobench.newset.configuration import read_config
from aobench.strict_yaml import parse_yaml

WHOLE = {
    "out": "out",
    "seed": 1,
    "compose": {
        "corpora": [
            {
                "name": "mine",
                "captions": ["captions.txt"],
                "rule": "words",
                "threshold": 0,
            }
        ],
        "attributes": ["striped"],
        "objects": ["banana"],
        "count": 3,
        "per_attribute": 2,
        "per_object": 2,
        "exclude": "out.csv",
        "plausibility": {"model": "gpt2", "least": -6.0},
    },
    "generate": {
        "generator": "renderer",
        "model": "m",
        "images": 1,
        "prompts": ["{attribute} {object}"],
        "batch_size": 2,
        "options": {"pictures": "drawings"},
    },
    "validate": {
        "judges": [
            {
                "kind": "redraw",
                "model": "m",
                "name": "r",
                "attribute": 1,
                "object": 1,
                "composition": 0.5,
                "labels": "known.parquet",
                "precision": 0.5,
                "options": {"pictures": "drawings"},
            }
        ],
        "human": "v.sqlite",
        "minimum": 1,
        "min_catch": 0.5,
        "only_dual_encoders": False,
    },
    "distinct": {
        "model": "mini",
        "hash_distance": 2,
        "colour": 5,
        "cosine_in_set": 0.9,
        "reference": ["a.npy"],
        "reference_cosine": 0.9,
        "k": 3,
        "hash_width": 1,
        "colour_width": 3,
        "cosine_width": 0.1,
        "reference_width": 0.1,
        "batch_size": 4,
        "index": "Flat",
        "report_pairs": 3,
    },
    "package": {"name": "novel", "licence": "other", "sheet_images": 4},
}

#: As they stand in YAML.
VALUES = {
    "-1": "-1",
    "0": "0",
    "half": "0.5",
    "1e9": "1000000000",
    "1e18": "1" + "0" * 18,
    "1e30": "1" + "0" * 30,
    "1e400": "1" + "0" * 400,
    "nan": ".nan",
    "inf": ".inf",
    "-inf": "-.inf",
    "empty": '""',
    "blank": '" "',
    "null": "null",
    "list": "[]",
    "nested list": "[[1]]",
    "mapping": "{}",
    "odd mapping": "{1: 2}",
    "true": "true",
    "NUL": '"a\\0b"',
    "half a letter": '"\\ud800"',
    "long": '"' + "x" * 50_000 + '"',
    "octal": "010",
    "time": "1:30",
}

NUMBERS = {"-1", "0", "half", "1e9", "1e18"}
#: The values that a key takes, beside those that stand in no table: texts are names of anything.
TAKES = {
    "seed": {"0", "1e9", "1e18"},
    "threshold": {"0", "1e9", "1e18"},
    "count": {"1e9", "1e18", "null"},
    "per_attribute": {"1e9", "1e18", "null"},
    "per_object": {"1e9", "1e18", "null"},
    "least": NUMBERS,
    "attribute": {*NUMBERS, "null"},
    "object": {*NUMBERS, "null"},
    "composition": {*NUMBERS, "null"},
    "precision": {"half", "null"},
    "min_catch": {"0", "half", "null"},
    "only_dual_encoders": {"true"},
    "hash_distance": {"0"},
    "colour": {"0"},
    "cosine_in_set": {"-1", "0", "half", "null"},
    "reference_cosine": {"-1", "0", "half", "null"},
    "hash_width": {"0"},
    "colour_width": {"0"},
    "cosine_width": {"0", "half"},
    "reference_width": {"0", "half"},
    "report_pairs": {"0"},
    "sheet_images": {"0"},
    "exclude": {"null"},
    "human": {"null"},
    "labels": {"null"},
    "plausibility": {"null"},
    "index": {"null"},
    "options": {"mapping"},
    "distinct": {"mapping"},
    "corpora": set(),
    "judges": {"list"},
    "generate": {"mapping"},
}


def places(value, path=()):
    """The path of every key and element below."""
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, below in pairs:
        yield (*path, key)
        yield from places(below, (*path, key))


def with_value(path, text):
    """The configuration as YAML, with ``text`` at ``path``."""
    content = copy.deepcopy(WHOLE)
    at = content
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = "HERE"
    return json.dumps(content).replace('"HERE"', text)


@pytest.mark.parametrize(
    "path", list(places(WHOLE)), ids=lambda path: ".".join(map(str, path))
)
def test_a_value_of_no_use_is_one_line_that_names_its_key(tmp_path, path):
    key = next(part for part in reversed(path) if isinstance(part, str))
    believed = []
    for name, text in VALUES.items():
        (tmp_path / "set.yaml").write_text(with_value(path, text))
        try:
            read_config(tmp_path / "set.yaml")
        except UserError as error:
            told = str(error)
            assert "\n" not in told
            assert len(told) < 1000, f"{name}: {len(told)} characters"
            at_line = name in ("NUL", "half a letter", "octal", "time", "1e400")
            named = (
                key in told
                or (at_line and "line 1" in told)
                or "options" in path
            )
            assert named or (path[-1] == 0 and path[-2] in told), (
                f"{name}: {told}"
            )
        else:
            believed.append(name)
    texts = (
        {"empty", "blank"}
        if key in ("model", "index", "pictures", "reference", "name")
        else set()
    )
    anything = set(VALUES) if "options" in path[:-1] else set()
    strange = set(believed) - TAKES.get(key, set()) - texts - anything
    assert not strange, f"{key} takes {strange}"


OURS = ["v2", "mini", "V2", "MINI", "Mini", "v\uff12", "\uff4dini"]
PATHS = [
    "v2 ",
    " mini",
    "a/v2",
    "../mini",
    "./v2",
    "v2\n",
    "",
    ".",
    "..",
    "-x",
    "x" * 97,
]


@pytest.mark.parametrize("name", [*OURS, *PATHS])
def test_a_package_takes_no_name_of_ours_and_no_path(tmp_path, name, capsys):
    (tmp_path / "set.yaml").write_text(
        with_value(("package", "name"), json.dumps(name))
    )
    assert main(["build", str(tmp_path / "set.yaml")]) == 2
    err = capsys.readouterr().err
    assert "package: " in err
    assert len(err.strip().splitlines()) == 1
    if name in OURS and name.isascii():
        assert (
            "is that of a published set, whose results yours would be taken for"
            in err
        )


@pytest.mark.parametrize(
    "name", ["v2-mine", "mini2", "v20", "v", "minimal", "2024"]
)
def test_other_names_are_taken(tmp_path, name):
    (tmp_path / "set.yaml").write_text(
        with_value(("package", "name"), json.dumps(name))
    )
    assert read_config(tmp_path / "set.yaml").package.name == name


# YAML that is a trap

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "its references make more than 1,000,000 values"),
        ("out: a\nout: b", "the key 'out' stands twice"),
        ("compose: {count: 1, count: 2}", "the key 'count' stands twice"),
        ("out: &o {x: *o}", "it refers to itself"),
        ("&o [*o]", "it refers to itself"),
        ("[" * 10_000, "nested too deep"),
        ("{a: " * 10_000, "nested too deep"),
        ("- " * 10_000, "nested too deep"),
        ("seed: 010", "another number"),
        ("seed: 1_000", "another number"),
        ("seed: 0x1F", "another number"),
        ("seed: 1:30:00", "another number"),
        ("? [out]\n: a", "a key is a word"),
        ("out: a\n---\nout: b", "another document"),
        ("out: !!set {a}", "is not for configurations"),
        ("out: !!binary aGk=", "is not for configurations"),
        ("seed: !!int many", "is no number"),
        ("seed: !!bool 7", "neither true nor false"),
        ("out: *nowhere", "undefined alias"),
        ("out: [a", "expected"),
        ("\x01", "not allowed"),
        ("", "must be a mapping"),
        ("7", "must be a mapping"),
        ("- a", "must be a mapping"),
    ],
)
def test_yaml_that_is_a_trap_is_one_line(tmp_path, capsys, text, reason):
    (tmp_path / "set.yaml").write_text(text)
    assert main(["build", str(tmp_path / "set.yaml")]) == 2
    err = capsys.readouterr().err
    assert reason in err
    assert len(err.strip().splitlines()) == 1
    assert len(err) < 800


@pytest.mark.parametrize(
    "content", [b"\xff\xfeo\0u\0t\0", b"out: \xff", b"\0" * 100]
)
def test_bytes_that_are_no_text_are_one_line(tmp_path, capsys, content):
    (tmp_path / "set.yaml").write_bytes(content)
    assert main(["build", str(tmp_path / "set.yaml")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_what_reads_as_it_looks_is_read():
    text = "a: &o {b: 1, c: 1.5}\nd: {<<: *o, b: 2}\ne: 2024-01-01\nf: [yes, null, ~, -3]\ng: a:b\n"
    assert parse_yaml(text) == {
        "a": {"b": 1, "c": 1.5},
        "d": {"b": 2, "c": 1.5},
        "e": "2024-01-01",
        "f": [True, None, None, -3],
        "g": "a:b",
    }
