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
from aobench.results.scores import all_scores

BUNDLED = Path(__file__).parents[2] / "model_cards" / "mini"
FIRST = "mini/id/black_accordion/0"


@pytest.fixture(scope="module")
def sound():
    """The bundled table's one task of which each split has a list of its own."""
    return _of_task(
        pq.read_table(BUNDLED / "predictions.parquet"), "composition-own"
    )


def _of_task(table, task):
    told = json.loads(table.schema.metadata[KEY])
    rows = table.filter(pc.equal(table["task"], task))
    return _renamed(rows, tasks={task: told["tasks"][task]})


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


OBJECT = {"kind": "object", "scope": "shared"}
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
        lambda t: t.set_column(5, "label", t["label"].cast(pa.float64())),
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
    "tasks a list": (lambda t: _renamed(t, tasks=[]), "tells of no tasks"),
    "an unknown task": (
        lambda t: _renamed(t, tasks={"guess": {}}),
        "tells of an unknown task 'guess'",
    ),
    "candidates a list": (
        lambda t: _renamed(t, tasks={"object": OBJECT | {"splits": []}}),
        "has no candidates of the task object",
    ),
    "another scope": (
        lambda t: _renamed(
            t, tasks={"object": OBJECT | {"scope": "split", "splits": {}}}
        ),
        "another kind or scope of the task object",
    ),
    "an id without a name": (
        lambda t: _renamed(t, attribute_names=["red"]),
        "holds something else than ids of names",
    ),
    "rows of another task": (
        lambda t: _with(t, "task", _first("object")),
        "rows of the task 'object', of which it tells nothing",
    ),
    "choices in a task of one list": (
        lambda t: _with(t, "choices", _first([0, 1])),
        "has choices of its own",
    ),
    "sides in a task without": (
        lambda t: _with(t, "side_rank", _first(0)),
        "has some of best_seen",
    ),
    "format 3": (
        lambda t: _renamed(t, format=3),
        "is of format 3, and this version reads",
    ),
    "metadata empty": (
        lambda t: t.replace_schema_metadata({KEY: b"{}"}),
        "lacks tasks, attribute_names, object_names, names_attributes, prove",
    ),
    "no model": (
        lambda t: _renamed(t, provenance={"dataset": {}}),
        "does not tell the model",
    ),
    "a list without names": (
        lambda t: _renamed(
            t, tasks={"object": OBJECT | {"splits": {"id": {"objects": [0]}}}}
        ),
        "candidate list of id in the task object is empty",
    ),
}


CHOICE_DAMAGES = {
    "no choices": (
        lambda t: _with(t, "choices", _first(None)),
        "has no choices",
    ),
    "eight choices": (
        lambda t: _with(t, "choices", lambda v: [v[0][:8], *v[1:]]),
        "has 9 choices, and others 8",
    ),
    "a choice twice": (
        lambda t: _with(t, "choices", lambda v: [v[0][:8] + v[0][:1], *v[1:]]),
        "has a choice twice",
    ),
    "choices of another image": (
        lambda t: _with(t, "choices", lambda v: v[-1:] + v[1:]),
        "has its right candidate not among its choices",
    ),
    "a choice out of the list": (
        lambda t: _with(t, "choices", lambda v: [[*v[0][:8], 9999], *v[1:]]),
        "has a choice that is not in the list",
    ),
    "a rank beyond the choices": (
        lambda t: _with(t, "rank", _first(9)),
        "has the rank 9 of 9 choices",
    ),
}
SIDE_DAMAGES = {
    "no novel side": (
        lambda t: _with(t, "best_novel", _first(None)),
        "has some of",
    ),
    "a side's rank too large": (
        lambda t: _with(t, "side_rank", _first(2000)),
        "has the rank 2000 on its side",
    ),
    "a best that is not in the list": (
        lambda t: _with(t, "best_seen", _first(99_999)),
        "has a best candidate that is not in the list",
    ),
}


@pytest.mark.parametrize("damage", [*CHOICE_DAMAGES, *SIDE_DAMAGES])
def test_damaged_choices_and_sides_are_refused(damage, tmp_path):
    task = "choice" if damage in CHOICE_DAMAGES else "composition"
    change, words = (CHOICE_DAMAGES | SIDE_DAMAGES)[damage]
    table = _of_task(pq.read_table(BUNDLED / "predictions.parquet"), task)
    path = tmp_path / "damaged.parquet"
    pq.write_table(change(table), path)
    with pytest.raises(UserError, match=words):
        read(path)


def test_tasks_that_tell_different_things_of_an_image_are_refused(tmp_path):
    table = pq.read_table(BUNDLED / "predictions.parquet")
    path = tmp_path / "damaged.parquet"
    pq.write_table(
        _with(table, "attribute", lambda v: [*v[:-1], (v[-1] + 1) % 24]), path
    )
    with pytest.raises(
        UserError, match="its tasks tell different things of the images"
    ):
        read(path)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_refused_in_one_line(
    damage, sound, tmp_path, capsys
):
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
    figures = all_scores(read(path))["composition-own"]
    assert set(figures["splits"]) == {"ood"}
    assert (
        figures["splits"]["ood"]
        == all_scores(read(BUNDLED))["composition-own"]["splits"]["ood"]
    )
    assert cli.main(["score", str(path)]) == 0
    assert "mini: the table holds no images of id" in capsys.readouterr().out


def test_a_folder_or_its_other_file_means_its_table():
    for name in ("", "results.json", "predictions.parquet"):
        assert len(read(BUNDLED / name).table) == 6 * 8580, (
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
        "composition",
        tuple((pairs // objects).tolist()),
        tuple((pairs % objects).tolist()),
        tuple(map(str, pairs)),
        tuple(map(str, range(attributes))),
        tuple(map(str, range(objects))),
    )
    label = rng.integers(5000, size=n)
    top = (label[:, None] + np.arange(5)) % 5000
    columns = [
        ["composition"] * n,
        [f"image{i}" for i in range(n)],
        ["ood"] * n,
        pairs[label] // objects,
        pairs[label] % objects,
        label,
        np.zeros(n),
        top.tolist(),
        np.ones(n),
        *[[None] * n] * 7,
    ]
    table = pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)],
        schema=SCHEMA,
    )
    made = {
        "model": {"id": "m"},
        "dataset": {"config": "v2", "splits": {"ood": {"n": n}}},
    }
    lists = {"composition": {"ood": listed}}
    write(Predictions(table, lists, True, made), tmp_path / "large.parquet")
    began = time.process_time()
    assert len(read(tmp_path / "large.parquet").table) == n
    spent = time.process_time() - began
    assert spent < 3, (
        f"reading and checking 60,000 rows took {spent:.1f} s of processor time"
    )
