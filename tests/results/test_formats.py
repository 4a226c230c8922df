"""Tables and results.json of format 1 are read as the one task that they hold; format 2 keeps what
it is given.
"""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import aobench.cli as cli
from aobench.errors import UserError
from aobench.results.predictions import KEY, LATER, SCHEMA, read, write
from aobench.results.results_json import read_results_json
from aobench.results.schema import explain_keys
from aobench.results.scores import all_scores, common_task
from aobench.results.tasks import MODE_TASKS
from aobench.results.verified import read_result

BUNDLED = Path(__file__).parents[2] / "model_cards" / "mini"


def as_format_1(task, folder):
    """The bundled result of one task as the first version wrote it."""
    mode = {name: mode for mode, name in MODE_TASKS.items()}[task]
    whole = read(BUNDLED)
    rows = whole.table.filter(pc.equal(whole.table["task"], task))
    lists = {
        split: {
            "mode": mode,
            "attributes": listed.attributes,
            "objects": listed.objects,
            "names": listed.names,
        }
        for split, listed in whole.lists[task].items()
    }
    facts = {
        "candidates": lists,
        "names_attributes": whole.names_attributes,
        "provenance": whole.provenance,
    }
    columns = [name for name in SCHEMA.names if name not in LATER]
    rows = rows.select(columns).replace_schema_metadata(
        {KEY: json.dumps(facts).encode()}
    )
    folder.mkdir()
    pq.write_table(rows, folder / "predictions.parquet")
    content = json.loads((BUNDLED / "results.json").read_text())
    figures, told = content.pop("scores")[task], content.pop("tasks")[task]
    for mine in figures["splits"].values():
        mine["candidates"] = mode
    digest = hashlib.sha256(
        (folder / "predictions.parquet").read_bytes()
    ).hexdigest()
    content |= {
        "figures": figures,
        "candidates": {
            s: f | {"mode": mode} for s, f in told["candidates"].items()
        },
        "predictions": digest,
    }
    del content["format"]
    (folder / "results.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("task", ["composition-own", "object"])
def test_a_result_of_format_1_gives_the_scores_of_its_task(
    task, tmp_path, capsys
):
    folder = as_format_1(task, tmp_path / "old")
    table = read(folder)
    assert table.tasks == (task,)
    assert all_scores(table)[task] == all_scores(read(BUNDLED))[task]
    content = read_results_json(folder / "results.json")
    assert content["format"] == 1
    assert (
        content["scores"][task]
        == json.loads((BUNDLED / "results.json").read_text())["scores"][task]
    )
    assert read_result(folder, earlier=True).task == task
    assert cli.main(["score", str(folder)]) == 0
    assert task in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["card", "leaderboard", "submit"])
def test_what_is_published_takes_format_2_alone(verb, tmp_path, capsys):
    folder = as_format_1("composition-own", tmp_path / "old")
    more = {
        "card": ["--out", str(tmp_path / "card"), "--dataset", "a/b"],
        "leaderboard": ["--out", str(tmp_path / "site")],
        "submit": ["--to", "a/c", "--dataset", "a/b"],
    }[verb]
    assert cli.main([verb, str(folder), *more]) == 2
    error = capsys.readouterr().err
    assert (
        "is of format 1, which holds one task; evaluate the model anew" in error
    )
    assert error.count("\n") == 1


def test_an_altered_result_of_format_1_is_refused(tmp_path):
    folder = as_format_1("object", tmp_path / "old")
    content = json.loads((folder / "results.json").read_text())
    content["figures"]["splits"]["ood"]["object_top1"] += 0.1
    (folder / "results.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="are not those of its"):
        read_result(folder, earlier=True)


def test_a_table_is_written_as_it_was_read(tmp_path):
    whole = read(BUNDLED)
    digest = write(whole, tmp_path / "predictions.parquet")
    assert (
        digest
        == hashlib.sha256(
            (tmp_path / "predictions.parquet").read_bytes()
        ).hexdigest()
    )
    again = read(tmp_path)
    assert again.table.equals(whole.table)
    assert again.lists == whole.lists


@pytest.mark.parametrize(
    ("split", "digest"),
    [("id", "28f356f7b9bbfee7"), ("ood", "0cc9628aa3811599")],
)
def test_the_ranks_among_a_splits_own_are_those_of_one_task_alone(
    split, digest
):
    """The digests are of the table that was made when a run asked one task."""
    rank = np.array(
        read(BUNDLED).split(split, "composition-own")["rank"], "<i4"
    )
    assert hashlib.sha256(rank.tobytes()).hexdigest()[:16] == digest


def test_results_json_holds_what_the_schema_explains_and_no_more():
    content = json.loads((BUNDLED / "results.json").read_text())
    assert set(content) == set(explain_keys())
    assert all(explain_keys().values())


def test_candidates_that_are_not_the_tables_are_refused(tmp_path):
    copy = shutil.copytree(BUNDLED, tmp_path / "mini")
    content = json.loads((copy / "results.json").read_text())
    content["tasks"]["choice"]["candidates"]["ood"]["hash"] = "another"
    (copy / "results.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="tell different tasks or candidates"):
        read_result(copy)


def test_the_task_that_results_share_is_the_first_with_both_splits():
    both = {"splits": {"id": {"object_top1": 0.5}, "ood": {"object_top1": 0.5}}}
    one = {"splits": {"ood": {"object_top1": 0.5}}}
    assert (
        common_task([{"object": both, "composition": one}] * 2, "object_top1")
        == "object"
    )
    assert (
        common_task([{"object": both}, {"composition": both}], "object_top1")
        is None
    )
    assert common_task([], "object_top1") is None
