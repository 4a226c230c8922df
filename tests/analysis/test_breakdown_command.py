"""``imagenet-ao breakdown`` from a table to figures: with the set's own names, whichever set it
is.
"""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import aobench.cli as cli
from aobench.drawing import FILES_VARIABLE
from aobench.results.candidates import ask_task
from aobench.results.predictions import KEY, SCHEMA, Predictions, write
from aobench.results.tasks import find_task

CARDS = Path(__file__).parents[2] / "model_cards"
ATTRIBUTES = ["glossy", "matte"]
# a set of one's own: no ImageNet class has these names
OBJECTS = ["sofa", "armchair", "carpet", "tea table", "urn"]


def own_table(
    path, task="composition-own", names=True, made=None, settings=None
):
    """Four images of each of ten compositions of a set of one's own, all named right."""
    pairs = [(a, o) for a in range(2) for o in range(5)] * 4
    question = ask_task(find_task(task), {"ood": pairs}, ATTRIBUTES, OBJECTS)[
        "ood"
    ]
    listed, label = question.candidates, question.gold
    width = min(5, len(listed))
    top = [
        [right, *(c for c in range(len(listed)) if c != right)][:width]
        for right in label
    ]
    columns = [
        [task] * 40,
        [f"i{n}" for n in range(40)],
        ["ood"] * 40,
        [a for a, _ in pairs],
        [o for _, o in pairs],
        label,
        [0] * 40,
        top,
        [1.0] * 40,
        *[[None] * 40] * 7,
    ]
    table = pa.table(
        dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA
    )
    dataset = {
        "config": "furniture",
        "name": "x",
        "splits": {"ood": {"n": 40}},
    } | (made or {})
    made = {
        "model": {"id": "m"},
        "dataset": dataset,
        "settings": settings or {},
    }
    named = task != "object"
    if names:
        write(Predictions(table, {task: {"ood": listed}}, named, made), path)
    else:
        _write_format_1(table, listed, named, made, path)
    return path


def _write_format_1(table, listed, named, made, path):
    """As the first version wrote it: one task, and no names of the parts."""
    told = {
        "mode": "closed" if named else "objects",
        "attributes": listed.attributes,
        "objects": listed.objects,
        "names": listed.names,
    }
    facts = {
        "candidates": {"ood": told},
        "names_attributes": named,
        "provenance": made,
    }
    columns = SCHEMA.names[1 : SCHEMA.names.index("choices")]
    table = table.select(columns)
    pq.write_table(
        table.replace_schema_metadata({KEY: json.dumps(facts).encode()}), path
    )


def words_of(folder):
    return set(
        re.findall(r">([^<>]+)</text>", (folder / "heat_map.svg").read_text())
    )


@pytest.mark.parametrize("task", ["composition-own", "object"])
def test_a_set_of_ones_own_keeps_its_names(task, tmp_path, capsys):
    table = own_table(tmp_path / "predictions.parquet", task)
    assert (
        cli.main(["breakdown", str(table), "--out", str(tmp_path / "out")]) == 0
    )
    printed = capsys.readouterr().out
    assert "Drawn: accuracy of each attribute with each object: " in printed
    assert "No figure of caption counts: only 0 classes" in printed
    shown = words_of(tmp_path / "out")
    for name in ATTRIBUTES:
        assert name in shown, f"the heat map lost the attribute {name}"
    for name in OBJECTS:
        assert any(text.startswith(f"{name} ") for text in shown), (
            f"the heat map lost the object {name}"
        )
    assert not any(
        "attribute 0" in text or "object 0" in text for text in shown
    )


def test_a_table_of_an_earlier_version_shows_numbers_where_no_set_fits(
    tmp_path,
):
    table = own_table(tmp_path / "predictions.parquet", names=False)
    assert (
        cli.main(["breakdown", str(table), "--out", str(tmp_path / "out")]) == 0
    )
    assert "attribute 0" in words_of(tmp_path / "out")


@pytest.mark.parametrize("model", ["mini", "efficientnet-lite0"])
def test_the_shipped_results_break_down_by_name_and_against_caption_counts(
    model, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv(FILES_VARIABLE, raising=False)
    assert (
        cli.main(["breakdown", str(CARDS / model), "--out", str(tmp_path)]) == 0
    )
    assert re.search(
        r"laion400m +rank correlation [+-]0\.\d\d", capsys.readouterr().out
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{ending}"
        for name in ("heat_map", "caption_counts")
        for ending in ("svg", "pdf", "png")
    }
    shown = words_of(tmp_path)
    assert "striped" in shown
    assert not any(re.match(r"(attribute|object) \d", text) for text in shown)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--split", "test"], "no split 'test'"),
        (["--kind", "attribute"], "cannot tell which attribute"),
    ],
)
def test_what_a_table_cannot_tell_is_one_line(more, said, capsys, tmp_path):
    assert (
        cli.main(
            [
                "breakdown",
                str(CARDS / "efficientnet-lite0"),
                *more,
                "--out",
                str(tmp_path),
            ]
        )
        == 2
    )
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_table_compared_with_itself_is_said_to_be(capsys):
    assert cli.main(["compare", str(CARDS / "mini"), str(CARDS / "mini")]) == 0
    assert "both tables hold the same answers" in capsys.readouterr().out


def test_tables_of_runs_with_other_settings_are_said_to_differ(
    tmp_path, capsys
):
    """The same ids, and other pictures: a set is known by its fingerprint."""
    for name, made in (
        ("plain", {"splits": {"ood": {"n": 40, "fingerprint": "a"}}}),
        ("other", {"splits": {"ood": {"n": 40, "fingerprint": "b"}}}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        own_table(
            folder / "predictions.parquet",
            made=made,
            settings={"draft": 64} if name == "other" else {},
        )
    assert (
        cli.main(["compare", str(tmp_path / "plain"), str(tmp_path / "other")])
        == 0
    )
    assert (
        "The runs differ in dataset, draft, which is part of the difference"
        in capsys.readouterr().out
    )
