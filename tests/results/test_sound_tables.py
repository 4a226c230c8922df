"""Tables of predictions that were damaged are refused where they are read, with one line that
names the row.
"""

import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import aobench.cli as cli
from aobench.errors import UserError
from aobench.results.candidates import Candidates
from aobench.results.predictions import KEY, SCHEMA, Predictions, read, write
from aobench.results.scores import all_figures

BUNDLED = Path(__file__).parents[2] / "model_cards" / "mini"
FIRST = "mini/id/black_accordion/0"


@pytest.fixture(scope="module")
def sound():
    return pq.read_table(BUNDLED / "predictions.parquet")


def _with(table, column, change):
    """``table`` with ``change`` made to the list of a column's values."""
    values = table[column].to_pylist()
    changed = change(values) or values
    place = table.schema.get_field_index(column)
    return table.set_column(
        place,
        table.schema.field(place),
        pa.array(changed, table.schema.field(place).type),
    )


def _first(value):
    def change(values):
        values[0] = value

    return change


def _renamed(table, **facts):
    raw = json.loads(table.schema.metadata[KEY])
    for key, value in facts.items():
        raw.pop(key) if value is None else raw.update({key: value})
    return table.replace_schema_metadata({KEY: json.dumps(raw).encode()})


DAMAGES = {
    "repeated image": (
        lambda t: pa.concat_tables([t, t.slice(0, 5)]),
        f"id image {FIRST} is in it more than once",
    ),
    "rank too large": (
        lambda t: _with(t, "rank", _first(99_999)),
        f"{FIRST} has the rank 99999; there are 2,090",
    ),
    "every rank 0": (
        lambda t: _with(t, "rank", lambda r: [0] * len(r)),
        "has the rank 0, which the candidates it nam",
    ),
    "rank 1 of a first": (
        lambda t: _with(t, "rank", _first(1)),
        f"{FIRST} has the rank 1, which",
    ),
    "label too large": (
        lambda t: _with(t, "label", _first(99_999)),
        f"{FIRST} has the label 99999; there are 2,0",
    ),
    "labels moved by one": (
        lambda t: _with(t, "label", lambda x: x[1:] + x[:1]),
        "its label is a candidate of attr",
    ),
    "another object": (
        lambda t: _with(t, "object", _first(7)),
        f"{FIRST} has the object 7, and its label is a candid",
    ),
    "stranger among the top": (
        lambda t: _with(t, "top", _first([-5] * 5)),
        f"{FIRST} names a candidate that is not",
    ),
    "a candidate twice": (
        lambda t: _with(t, "top", _first([0, 0, 1, 2, 3])),
        f"{FIRST} names a candidate twice",
    ),
    "too few named": (
        lambda t: _with(t, "top", _first([0, 1])),
        f"{FIRST} names 2 candidates, not 5",
    ),
    "unreadable and ranked": (
        lambda t: _with(t, "error", _first("cut short")),
        f"{FIRST} is unreadable by one of",
    ),
    "no attribute": (
        lambda t: _with(t, "attribute", _first(None)),
        "row 0 has no attribute",
    ),
    "attribute below -1": (
        lambda t: _with(t, "attribute", _first(-7)),
        f"{FIRST} has the attribute -7",
    ),
    "margin NaN": (
        lambda t: _with(t, "margin", _first(float("nan"))),
        f"{FIRST} has the margin nan",
    ),
    "labels as floats": (
        lambda t: t.set_column(4, "label", t["label"].cast(pa.float64())),
        "column label holds double, not int32",
    ),
    "an image short": (
        lambda t: t.slice(1),
        "has 4,179 images of id, and its metadata says 4,180",
    ),
    "no rows": (lambda t: t.slice(0, 0), "it has no rows"),
    "an unknown split": (
        lambda t: _with(t, "split", _first("test")),
        "rows of the split 'test', of which it lists no",
    ),
    "metadata cut short": (
        lambda t: t.replace_schema_metadata({KEY: b"{"}),
        "its metadata is not readable JSON",
    ),
    "metadata nested": (
        lambda t: t.replace_schema_metadata({KEY: b"[" * 10_000}),
        "its metadata is nested too deep",
    ),
    "metadata a list": (
        lambda t: t.replace_schema_metadata({KEY: b"[]"}),
        "its metadata should hold an object",
    ),
    "metadata of other bytes": (
        lambda t: t.replace_schema_metadata({KEY: bytes([255])}),
        "is not readable JSON",
    ),
    "splits a list": (
        lambda t: _renamed(
            t,
            provenance={
                "model": {"id": "m"},
                "dataset": {"config": "mini", "splits": [1]},
            },
        ),
        "does not tell the model",
    ),
    "candidates a list": (
        lambda t: _renamed(t, candidates=[]),
        "does not tell the model",
    ),
    "metadata empty": (
        lambda t: t.replace_schema_metadata({KEY: b"{}"}),
        "lacks candidates, names_attributes, prove",
    ),
    "no model": (
        lambda t: _renamed(t, provenance={"dataset": {}}),
        "does not tell the model",
    ),
    "a list without names": (
        lambda t: _renamed(t, candidates={"id": {"mode": "closed"}}),
        "no candidate list of id",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_refused_in_one_line(damage, sound, tmp_path, capsys):
    change, words = DAMAGES[damage]
    path = tmp_path / "damaged.parquet"
    pq.write_table(change(sound), path)
    with pytest.raises(UserError) as caught:
        read(path)
    assert words in str(caught.value), (
        f"{damage}: the message does not say what is wrong"
    )
    for verb in (
        ["score", str(path)],
        ["compare", str(path), str(BUNDLED)],
        ["breakdown", str(path)],
    ):
        assert cli.main(verb) == 2, f"{verb[0]} took a table with {damage}"
        assert capsys.readouterr().err.count("\n") == 1


def test_a_table_without_id_rows_is_scored_and_says_so(sound, tmp_path, capsys):
    path = tmp_path / "ood.parquet"
    pq.write_table(sound.filter(pc.equal(sound["split"], "ood")), path)
    figures = all_figures(read(path))
    assert set(figures["splits"]) == {"ood"}
    assert figures["splits"]["ood"] == all_figures(read(BUNDLED))["splits"]["ood"]
    assert cli.main(["score", str(path)]) == 0
    assert "mini: the table holds no images of id" in capsys.readouterr().out


def test_a_folder_or_its_other_file_means_its_table():
    for name in ("", "results.json", "predictions.parquet"):
        assert len(read(BUNDLED / name).table) == 8580, (
            f"mini/{name} was not taken for its table"
        )


def test_what_is_not_there_is_named(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "none", tmp_path / "none.json"):
        assert cli.main(["score", str(path)]) == 2
        error = capsys.readouterr().err
        assert f"there is no {path}" in error
        assert "JSON" not in error


def test_sixty_thousand_rows_are_checked_in_little_time(tmp_path):
    rng = np.random.default_rng(0)
    n, attributes, objects = 60_000, 129, 1000
    pairs = rng.choice(attributes * objects, size=5000, replace=False)
    listed = Candidates(
        "closed",
        tuple((pairs // objects).tolist()),
        tuple((pairs % objects).tolist()),
        tuple(map(str, pairs)),
    )
    label = rng.integers(5000, size=n)
    top = (label[:, None] + np.arange(5)) % 5000
    columns = [
        [f"image{i}" for i in range(n)],
        ["ood"] * n,
        pairs[label] // objects,
        pairs[label] % objects,
        label,
        np.zeros(n),
        top.tolist(),
        np.ones(n),
        [None] * n,
    ]
    table = pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)],
        schema=SCHEMA,
    )
    made = {
        "model": {"id": "m"},
        "dataset": {"config": "v2", "splits": {"ood": {"n": n}}},
    }
    write(Predictions(table, {"ood": listed}, True, made), tmp_path / "large.parquet")
    began = time.process_time()
    assert len(read(tmp_path / "large.parquet").table) == n
    spent = time.process_time() - began
    assert spent < 3, (
        f"reading and checking 60,000 rows took {spent:.1f} s of processor time"
    )
