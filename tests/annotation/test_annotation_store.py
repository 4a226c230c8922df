"""Verdicts in SQLite: written once, kept through kills, blind, bound to their images."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.annotation_tools import (
    answer_all,
    check_complete,
    make_set,
    right_for,
    row,
    table,
)

import aobench.cli as cli
from aobench.annotation.images import read_images_to_judge
from aobench.annotation.service import AnnotationService
from aobench.annotation.trials import QUESTIONS, normal_name, plan_trials
from aobench.annotation.verdict_file import existing_store, open_store
from aobench.annotation.verdict_store import StaleTrialError
from aobench.errors import UserError
from aobench.image_table import rows_fingerprint

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent), *sys.path]),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return table(tmp_path_factory.mktemp("set") / "drawn")


@pytest.fixture
def store(images, tmp_path):
    with open_store(tmp_path / "v.sqlite", images) as opened:
        yield opened


DRAWN = [
    ("1ab7dcf686dd4e00", "img-032", ""),
    ("c2efd73f32de1f96", "img-004", "object"),
]


# Blind order and catch trials


def test_the_order_follows_from_seed_and_name(images):
    ann = plan_trials(images.rows, "ann", 0, 0.05)
    assert ann == plan_trials(tuple(reversed(images.rows)), "ann", 0, 0.05), (
        "the order of the table must not matter"
    )
    for other in (
        plan_trials(images.rows, "bob", 0, 0.05),
        plan_trials(images.rows, "ann", 1, 0.05),
    ):
        assert [t.image_id for t in other] != [t.image_id for t in ann]
        assert not {t.trial for t in other} & {t.trial for t in ann}
    # Written down once: what a seed draws must stay so on every machine and in every later version.
    assert [(t.trial, t.image_id, t.wrong) for t in (ann[0], ann[12])] == DRAWN


@pytest.mark.parametrize("rate", [0, 0.05, 0.3, 0.5])
def test_catch_trials_are_wrong_in_one_question(images, rate):
    trials = plan_trials(images.rows, "ann", 0, rate)
    own = {r.image_id: r for r in images.rows}
    catches = [t for t in trials if t.wrong]
    assert len(catches) == {0: 0, 0.05: 3, 0.3: 15, 0.5: 25}[rate]
    assert Counter(t.image_id for t in trials if not t.wrong) == Counter(
        own.keys()
    )
    assert len({t.image_id for t in catches}) == len(catches), (
        "an image is at most once a catch trial"
    )
    assert [t.position for t in trials] == list(range(len(trials)))
    for t in catches:
        kept = next(q for q in QUESTIONS if q != t.wrong)
        assert getattr(t, t.wrong) != getattr(own[t.image_id], t.wrong)
        assert getattr(t, t.wrong) in {getattr(r, t.wrong) for r in images.rows}
        assert getattr(t, kept) == getattr(own[t.image_id], kept)
        ordinary = next(
            o for o in trials if o.image_id == t.image_id and not o.wrong
        )
        assert abs(ordinary.position - t.position) > 8, "seen a moment ago"
    assert not rate or {t.wrong for t in catches} == set(QUESTIONS)
    for t in trials:
        assert len(t.trial) == 16, "ids of catch trials look like all others"


def test_catch_trials_of_one_kind_and_none(images):
    same_object = [replace(r, object="lion") for r in images.rows]
    assert {t.wrong for t in plan_trials(same_object, "ann", 0, 0.2)} == {
        "",
        "attribute",
    }
    spelt = [
        replace(r, object="Lion" if i % 2 else "lion ", attribute="red")
        for i, r in enumerate(images.rows)
    ]
    with pytest.raises(UserError, match="--catch-rate 0"):
        plan_trials(spelt, "ann", 0, 0.2)
    assert len(plan_trials(spelt, "ann", 0, 0)) == 50
    with pytest.raises(UserError, match=r"--catch-rate 0\.6"):
        plan_trials(images.rows, "ann", 0, 0.6)


def test_one_image_has_a_way_too(tmp_path):
    with open_store(
        tmp_path / "v.sqlite", table(tmp_path / "one", 1), catch_rate=0
    ) as store:
        answer_all(store, "ann")
        check_complete(store, ["ann"], 1)


def test_what_the_page_hears_says_nothing_of_catch_trials_or_others(
    images, store
):
    service = AnnotationService(store, images)
    answer_all(store, "bob")
    status, said = service.start({"annotator": "ann"})
    assert status == 200
    assert set(said) == {
        "annotator",
        "trial",
        "following",
        "done",
        "total",
        "turn",
        "message",
        "practice",
    }
    assert set(said["trial"]) == {"id", "attribute", "object"}
    assert (said["done"], said["turn"]) == (0, 0), (
        "another annotator's answers must not show"
    )


# Recording, undo, refusals


def test_record_and_undo(store):
    first = store.enrol(" Ann ")
    assert (first.annotator, first.done, first.total, first.turn) == (
        "ann",
        0,
        53,
        0,
    )
    second = store.record("ann", first.trial.trial, 0, "yes", "no", 2.5)
    assert (second.trial, second.done, second.turn) == (first.following, 1, 1)
    back = store.undo("ann", 1)
    assert (back.trial, back.done, back.turn) == (first.trial, 0, 2)
    with pytest.raises(UserError, match="nothing to undo"):
        store.undo("ann", 2)
    again = store.record("ann", first.trial.trial, 2, "unsure", "yes", 0.5)
    assert (again.trial, again.turn) == (second.trial, 3)
    (kept,), (withdrawn,) = store.verdicts(), store.verdicts(withdrawn=True)
    assert (
        kept.attribute_answer,
        kept.object_answer,
        kept.seconds,
        kept.withdrawn_at,
    ) == ("unsure", "yes", 0.5, "")
    assert (withdrawn.attribute_answer, withdrawn.object_answer) == (
        "yes",
        "no",
    ), "undo keeps history"
    assert withdrawn.answered_at <= withdrawn.withdrawn_at <= kept.answered_at
    assert kept.answered_at.endswith("+00:00")


def test_a_message_that_comes_twice_or_late_changes_nothing(store):
    first = store.enrol("ann")
    second = store.record("ann", first.trial.trial, 0, "yes", "yes", 1)
    assert (
        store.record("ann", first.trial.trial, 0, "yes", "yes", 1) == second
    ), "its reply was lost: sent again"
    with pytest.raises(StaleTrialError):
        store.record("ann", first.trial.trial, 0, "no", "yes", 1)
    with pytest.raises(StaleTrialError):
        store.record("ann", second.following.trial, 1, "no", "yes", 1)
    with pytest.raises(StaleTrialError):
        store.undo("ann", 0)
    store.undo("ann", 1)
    # A copy of the first message, late: the trial awaits an answer again, but not this one.
    with pytest.raises(StaleTrialError):
        store.record("ann", first.trial.trial, 0, "yes", "yes", 1)
    assert store.verdicts() == []


def test_bad_answers_are_refused(store):
    trial = store.enrol("ann").trial.trial
    for answers in (
        ("yes", "maybe", 1),
        ("", "yes", 1),
        ("yes", "yes", -1),
        ("yes", "yes", float("nan")),
    ):
        with pytest.raises(UserError):
            store.record("ann", trial, 0, *answers)
    with pytest.raises(UserError, match="has not started"):
        store.record("bob", trial, 0, "yes", "yes", 1)
    with pytest.raises(UserError, match="no trial"):
        store.trial("ann", "0000")
    for name in ("", " \n", "x" * 65, "a\x00b"):
        with pytest.raises(UserError, match="1 to 64"):
            store.enrol(name)
    assert normal_name("  Ann\t Lee ") == "ann lee"


def test_the_service_answers_bad_messages_in_one_line(images, store):
    service = AnnotationService(store, images)
    bad = [b"", b"\xff", b"[]", b"{}", b'{"annotator": 1}']
    full = (
        '{"annotator": "ann", "turn": 0, "seconds": NaN, "trial": "x", "attribute": "yes", '
        '"object": "no"}'
    )
    worse = [
        b'{"annotator": "ann", "turn": true, "seconds": 1}',
        b'{"annotator": "ann", "turn": "0"}',
        full.encode(),
    ]
    for raw in bad + worse:
        for verb in (service.verdict, service.undo, service.start)[
            : 3 if raw in bad else 2
        ]:
            status, said = service.safely(verb, raw)
            assert status == 400, raw
            assert "\n" not in said["message"]
    store.enrol("ann")
    stale = {
        "annotator": "ann",
        "turn": 0,
        "seconds": 1,
        "trial": "x",
        "attribute": "yes",
        "object": "no",
    }
    status, said = service.safely(service.verdict, json.dumps(stale).encode())
    assert status == 409
    assert said["trial"]["id"] == store.standing("ann").trial.trial, (
        "it goes on with the trial that is due"
    )
    store._connection.execute("DROP TABLE verdicts")
    status, said = service.safely(service.verdict, json.dumps(stale).encode())
    assert (status, said["message"].partition("(")[0]) == (
        503,
        "Nothing was saved ",
    )


# Several at once, and kills


def test_threads_that_answer_the_same_trial_write_one_verdict(store):
    first = store.enrol("ann")

    def attempt(number):
        try:
            return store.record(
                "ann",
                first.trial.trial,
                0,
                ("yes", "no", "unsure")[number % 3],
                "yes",
                number,
            )
        except StaleTrialError:
            return None

    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(attempt, range(48)))
    assert any(done)
    assert len(store.verdicts()) == 1


def test_a_second_current_verdict_cannot_even_be_inserted(store):
    answer_all(store, "ann", limit=1)
    values = store.query_rows(
        "SELECT annotator, trial, 'no', 'no', 1.0, 'now' FROM verdicts"
    )[0]
    columns = "annotator, trial, attribute_answer, object_answer, seconds, answered_at"
    with pytest.raises(sqlite3.IntegrityError):
        store._connection.execute(
            f"INSERT INTO verdicts ({columns}) VALUES (?, ?, ?, ?, ?, ?)",
            values,
        )


WORKER = """
import sys
from pathlib import Path
from aobench.annotation.images import read_images_to_judge
from aobench.annotation.verdict_file import open_store
from helpers.annotation_tools import answer_all
table, verdicts, *names = sys.argv[1:]
with open_store(Path(verdicts), read_images_to_judge(Path(table))) as store:
    for name in names:
        answer_all(store, name, note=lambda now: print(now.done, flush=True))
"""


def _worker(images, path, *names):
    command = [
        sys.executable,
        "-c",
        WORKER,
        str(images.path),
        str(path),
        *names,
    ]
    return subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )


def test_processes_at_once_from_an_absent_file(images, tmp_path):
    """Two annotators in processes of their own, and a third whom two processes answer for."""
    path = tmp_path / "v.sqlite"
    workers = [
        _worker(images, path, *names)
        for names in (("ann", "eve"), ("bob", "eve"), ("eve",))
    ]
    for worker in workers:
        worker.communicate(timeout=120)
        assert worker.returncode == 0
    with existing_store(path) as store:
        check_complete(store, ["ann", "bob", "eve"], 50)
        assert store.annotators() == ["ann", "bob", "eve"]


@pytest.mark.parametrize("after", [1, 7, 30])
def test_a_process_killed_in_the_middle_loses_nothing_that_it_reported(
    images, tmp_path, after
):
    path = tmp_path / "v.sqlite"
    worker = _worker(images, path, "ann")
    for _ in range(after):
        worker.stdout.readline()
    os.kill(worker.pid, signal.SIGKILL)
    told = after + len(worker.communicate()[0].splitlines())
    with open_store(path, images) as store:
        ((check,),) = store.query_rows("PRAGMA integrity_check")
        count = store.standing("ann").done
        # One more may be on disk than was told: the kill fell between the commit and the word of
        # it.
        assert told <= count <= told + 1, (
            f"told of {told} verdicts, {count} are there"
        )
        assert check == "ok"
        answer_all(store, "ann")
        check_complete(store, ["ann"], 50)


def test_every_commit_is_synchronous_and_ahead_of_the_file(store):
    assert store.query_rows("PRAGMA journal_mode") == [("wal",)]
    assert store.query_rows("PRAGMA synchronous") == [(2,)]
    assert store.query_rows("PRAGMA foreign_keys") == [(1,)]


def test_reading_sees_one_moment(images, store):
    answer_all(store, "ann", limit=3)
    with existing_store(store.path) as other, other.snapshot():
        before = len(other.verdicts())
        answer_all(store, "ann", limit=3)
        assert len(other.verdicts()) == before


# Bound to its images


def test_another_table_is_refused(images, store, tmp_path):
    changed = replace(
        images,
        rows=(replace(images.rows[0], attribute="plain"), *images.rows[1:]),
    )
    assert (
        rows_fingerprint(images.rows)
        == rows_fingerprint(reversed(images.rows))
        != rows_fingerprint(changed.rows)
    )
    with pytest.raises(UserError, match="another image table") as refused:
        open_store(store.path, changed)
    assert "\n" not in str(refused.value)
    with open_store(
        store.path, replace(images, rows=tuple(reversed(images.rows)))
    ) as again:
        assert again.settings() == store.settings()


def test_seed_and_rate_stay(images, tmp_path):
    path = tmp_path / "v.sqlite"
    with open_store(path, images, seed=3, catch_rate=0.1) as store:
        assert store.settings()["seed"] == "3"
    for changed in ({"seed": 4}, {"catch_rate": 0.2}):
        with pytest.raises(UserError, match="began with"):
            open_store(path, images, **changed)
    open_store(path, images, seed=3, catch_rate=0.1).close()


def test_files_that_are_no_verdicts_are_refused_untouched(images, tmp_path):
    text, foreign, newer = (
        tmp_path / "t.sqlite",
        tmp_path / "f.sqlite",
        tmp_path / "n.sqlite",
    )
    text.write_text("no database at all, though long enough to be one" * 50)
    with sqlite3.connect(foreign) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    open_store(newer, images).close()
    with sqlite3.connect(newer) as later:
        later.execute("PRAGMA user_version = 2")
    later.close()
    for path, words in (
        (text, "cannot be opened"),
        (foreign, "another program"),
        (newer, "update imagenet-ao"),
    ):
        before = path.read_bytes()
        with pytest.raises(UserError, match=words):
            open_store(path, images)
        assert path.read_bytes() == before
    with pytest.raises(UserError, match="cannot be opened"):
        open_store(tmp_path / "absent" / "v.sqlite", images)
    with pytest.raises(UserError, match="is no file"):
        existing_store(tmp_path / "absent.sqlite")
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(UserError, match="is empty"):
        existing_store(tmp_path / "empty.sqlite")


def _write(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_bad_image_tables_are_refused(tmp_path):
    path = make_set(tmp_path / "set", 3)
    rows = [asdict(row(i)) for i in range(3)]
    cases = [
        ([{**rows[0], "file": "../secret.png"}], "outside"),
        ([{**rows[0], "file": "/etc/secret.png"}], "outside"),
        ([{**rows[0], "file": "pictures/notes.txt"}], "is none of"),
        (
            [{**rows[0], "file": "pictures/absent.png"}, rows[1]],
            "1 of 2 image files are missing",
        ),
        ([rows[0], rows[0]], "more than one row"),
        ([{**rows[0], "attribute": " "}], "attribute is empty in row 1"),
        ([{**rows[0], "object": None}, rows[1]], "object is empty in row 1"),
        ([{**rows[0], "image_id": 4}], "store it as text"),
        ([{"image_id": "a"}], "lacks the column"),
    ]
    for content, words in cases:
        with pytest.raises(UserError, match=words):
            read_images_to_judge(_write(path, content))
    pq.write_table(
        pa.table({name: pa.array([], pa.string()) for name in rows[0]}), path
    )
    with pytest.raises(UserError, match="no rows"):
        read_images_to_judge(path)
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match="no readable Parquet"):
        read_images_to_judge(path)
    with pytest.raises(UserError, match="does not exist"):
        read_images_to_judge(tmp_path / "absent.parquet")


# The command line


def test_annotate_refuses_before_it_serves(images, tmp_path, capsys):
    for flags, words in (
        (["--catch-rate", "0.9"], "--catch-rate 0.9"),
        (["--port", "70000"], "--port"),
    ):
        command = [
            "annotate",
            str(images.path),
            "--verdicts",
            str(tmp_path / "v.sqlite"),
            *flags,
        ]
        assert cli.main(command) == 2
        assert words in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == [], (
            "nothing is made for a bad command"
        )


def test_without_gradio_the_mend_is_named(
    images, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert (
        cli.main(
            [
                "annotate",
                str(images.path),
                "--verdicts",
                str(tmp_path / "v.sqlite"),
            ]
        )
        == 2
    )
    assert "pip install 'imagenet-ao[annotate]'" in capsys.readouterr().err


def test_right_answers_pass_every_catch_trial(store):
    answer_all(store, "ann")
    for verdict in store.verdicts(catch=True):
        asked = (
            verdict.attribute_answer
            if verdict.trial.wrong == "attribute"
            else verdict.object_answer
        )
        assert asked in ("no", "unsure"), verdict
        assert right_for(verdict.trial) == (
            verdict.attribute_answer,
            verdict.object_answer,
        )
