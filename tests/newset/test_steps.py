"""The steps of a build: one protocol, one manifest, and reasons whose codes decide."""

import inspect
import json

import pytest

pytest.importorskip("imagehash", reason="the extra 'distinct' is not installed")

from importlib import import_module

from helpers.builds import compose_configuration

from aobench.cli import main
from aobench.duplicates import reasons as removal
from aobench.newset import reasons
from aobench.newset.manifests import read_manifest, read_rows, step_folder
from aobench.newset.package.funnel import funnel_stages
from aobench.newset.step import STEPS, Step
from aobench.sealed import MANIFEST, manifest_bytes


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A finished build of two drawings of each of four compositions, one of which is seen."""
    path = compose_configuration(
        tmp_path_factory.mktemp("steps"),
        ["a red banana"],
        attributes=["red", "striped"],
        objects=["banana", "airliner"],
    )
    assert main(["build", str(path)]) == 0
    return path


def rows_of(path, step, table):
    return read_rows(step_folder(path.parent / "out", step) / table)


@pytest.mark.parametrize("name", STEPS)
def test_every_step_answers_the_same_questions(name):
    module, _, kind = STEPS[name].partition(":")
    step = getattr(import_module(module), kind)
    assert step.name == name
    questions = [
        q
        for q, _ in inspect.getmembers(Step, inspect.isfunction)
        if q[0] != "_"
    ]
    for question in questions:
        asked = inspect.signature(getattr(Step, question)).parameters
        answered = inspect.signature(getattr(step, question)).parameters
        assert list(answered) == list(asked), f"{name}: {question}"


def test_every_step_has_the_same_manifest(built):
    manifests = [read_manifest(built.parent / "out", step) for step in STEPS]
    keys = {"format", "step", "made_from", "files", "facts", "versions"}
    assert [set(manifest) for manifest in manifests] == [keys] * len(STEPS)
    assert all("options" in manifest["made_from"] for manifest in manifests)


@pytest.mark.parametrize("step", STEPS)
def test_a_manifest_of_another_format_is_one_line(
    built, tmp_path, capsys, step
):
    path = step_folder(built.parent / "out", step) / MANIFEST
    whole = path.read_bytes()
    content = read_manifest(built.parent / "out", step)
    for change in ({"format": 1}, {"format": None}):
        path.write_bytes(manifest_bytes({**content, **change}))
        capsys.readouterr()
        try:
            assert main(["build", str(built), "--steps", step]) == 2
        finally:
            path.write_bytes(whole)
        err = capsys.readouterr().err
        assert "was written by an earlier version; delete it" in err
        assert len(err.strip().splitlines()) == 1, err


def test_every_code_of_a_table_has_a_text(built):
    for step, table, known in (
        ("compose", "compositions.parquet", reasons.TEXTS),
        ("validate", "verdicts.parquet", reasons.TEXTS),
        ("distinct", "decisions.parquet", removal.SUMMARIES),
    ):
        for row in rows_of(built, step, table):
            assert row["reason_code"] in {"", *known}, step
            assert bool(row["reason_code"]) == bool(row["reason"]), step
            stays = row.get("kept", row.get("accepted"))
            assert stays == (row["reason_code"] == ""), step


@pytest.mark.parametrize(
    "sentence", ["a copy: {}", "unreadable to the eye: {}", "{}"]
)
def test_other_words_change_no_count(built, monkeypatch, sentence):
    """A sentence that begins as another code's text, too, is counted by its own code."""
    monkeypatch.setitem(removal._SENTENCES, removal.NEAR_DUPLICATE, sentence)
    reason = removal.RemovalReason(removal.NEAR_DUPLICATE, "unreadable/0")
    tables = [
        rows_of(built, step, table)
        for step, table in (
            ("compose", "compositions.parquet"),
            ("generate", "images.parquet"),
            ("validate", "verdicts.parquet"),
            ("distinct", "decisions.parquet"),
        )
    ]
    last = {"kept": False, "reason_code": reason.code, "reason": reason.text}
    decisions = [*tables[3][:-1], {**tables[3][-1], **last}]
    stages = funnel_stages(*tables[:3], decisions)
    assert stages[-1].removed["near-duplicate"] >= 1
    assert "unreadable" not in stages[-1].removed


def test_distinct_is_not_done_again_and_another_verdict_makes_it_run(
    built, capsys
):
    report = step_folder(built.parent / "out", "distinct") / "report.html"
    before = report.stat().st_mtime_ns
    assert main(["build", str(built)]) == 0
    assert report.stat().st_mtime_ns == before, (
        "a finished comparison was made again"
    )
    content = json.loads(built.read_text())
    content["validate"] = {"judges": [{"kind": "redraw", "name": "again"}]}
    content["distinct"] = {"hash_distance": 3}
    built.write_text(json.dumps(content))
    capsys.readouterr()
    assert main(["build", str(built)]) == 0
    assert report.stat().st_mtime_ns > before
