"""Practice, grids, adjudication and names: what is written, and what is not."""

import base64
import csv
import io
import json
import multiprocessing
import os
import signal
import sqlite3
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from compositional_ood.compositional_ood import wilson
from helpers.annotation_tools import answer_all, judge_all, make_set, right_for
from PIL import Image

import aobench.cli as cli
from aobench.annotation.decisions import decide_images, disputed_images
from aobench.annotation.images import read_images_to_judge
from aobench.annotation.naming import (
    NamingStore,
    holds_questions,
    naming_report,
    people_accuracy,
    read_questions,
)
from aobench.annotation.practice import (
    GUIDELINE,
    draw_example,
    drawn_examples,
    read_examples,
    read_guideline,
)
from aobench.annotation.service import AnnotationService, PageOptions
from aobench.annotation.verdict_file import existing_store, open_store
from aobench.annotation.verdict_store import StaleTrialError, adjudicator_name
from aobench.errors import UserError

NAMES = ["red fox", "red hog", "blue fox", "blue hog"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return make_set(tmp_path_factory.mktemp("set") / "drawn", 16)


@pytest.fixture
def store(tmp_path, table):
    with open_store(
        tmp_path / "v.sqlite", read_images_to_judge(table)
    ) as opened:
        yield opened


def service_of(store, table, **options):
    return AnnotationService(
        store, read_images_to_judge(table), PageOptions(**options)
    )


# Practice


def test_practice_comes_first_with_feedback_and_is_kept(store, table):
    examples = tuple(drawn_examples())
    service = service_of(store, table, examples=examples, practice=True)
    said = service.start({"annotator": "Ann"})[1]
    for number, example in enumerate(examples, start=1):
        shown = said["practice"]
        assert (shown["number"], shown["of"]) == (number, len(examples))
        assert "yes" not in json.dumps(shown), "the answers come afterwards"
        given = {"annotator": "ann", "example": shown["id"], "attribute": "yes"}
        said = service.practice({**given, "object": "yes"})[1]
        feedback = said["feedback"]
        assert feedback["right"] == [
            example.attribute_answer,
            example.object_answer,
        ]
        assert feedback["why"] == example.why
        # again, otherwise: the first answer stands
        again = service.practice({**given, "object": "no"})[1]
        assert again["feedback"]["yours"] == ["yes", "yes"]
        if number == 2:  # a page that was closed goes on here
            assert (
                service.start({"annotator": "ann"})[1]["practice"]["number"]
                == 3
            )
    assert said["practice"] is None
    kept = store.practice("ann")
    assert [one.right for one in kept] == [True, False, False, False]
    assert store.verdicts() == [], "practice is no verdict"
    with pytest.raises(UserError, match="no such example"):
        service.practice({**given, "example": "99", "object": "no"})


def test_the_examples_that_ship_tell_every_kind_of_answer_apart():
    examples = drawn_examples()
    kinds = {(one.attribute_answer, one.object_answer) for one in examples}
    assert len(kinds) == len(examples) == 4
    for number, one in enumerate(examples):
        stored = np.asarray(Image.open(io.BytesIO(one.picture)).convert("RGB"))
        assert (stored == draw_example(number)).all(), one


def test_practice_and_guideline_of_ones_own(table, tmp_path):
    rows = pq.read_table(table).to_pylist()[:2]
    answers = {
        "attribute_answer": "yes",
        "object_answer": "unsure",
        "why": "so",
    }
    path = table.parent / "examples.parquet"
    pq.write_table(pa.Table.from_pylist([row | answers for row in rows]), path)
    assert [one.object_answer for one in read_examples(path)] == ["unsure"] * 2
    bad = [row | answers | {"attribute_answer": "maybe"} for row in rows]
    pq.write_table(pa.Table.from_pylist(bad), path)
    with pytest.raises(UserError, match="'maybe'"):
        read_examples(path)
    pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(UserError, match="attribute_answer"):
        read_examples(path)
    text = tmp_path / "guide.txt"
    text.write_text("Look twice.")
    assert read_guideline(text) == "Look twice."
    assert read_guideline(None) == GUIDELINE
    for content in ("", "x" * 8001):
        text.write_text(content)
        with pytest.raises(UserError, match="1 to 8,000"):
            read_guideline(text)


# Grids


def test_a_grid_is_written_whole_or_not_at_all(store, table):
    service = service_of(store, table)
    now = service.start({"annotator": "ann"})[1]
    shown = service.grid({"annotator": "ann", "count": 5})[1]["grid"]
    assert len(shown) == 5
    assert shown[0]["id"] == now["trial"]["id"]
    answers = [
        {"trial": s["id"], "attribute": "yes", "object": "no"} for s in shown
    ]
    message = {"annotator": "ann", "turn": 0, "seconds": 10, "answers": answers}
    # one that is wrong: nothing is written
    bad = [*answers[:4], answers[4] | {"object": "perhaps"}]
    with pytest.raises(UserError):
        service.verdicts(message | {"answers": bad})
    moved = [answers[1], answers[0], *answers[2:]]
    assert service.verdicts(message | {"answers": moved})[0] == 409
    assert store.standing("ann").done == 0
    status, said = service.verdicts(message)
    assert (status, said["done"], said["turn"]) == (200, 5, 5)
    assert service.verdicts(message)[0] == 200, "the same message again"
    assert store.standing("ann").turn == 5
    other = [answers[0] | {"attribute": "no"}, *answers[1:]]
    assert service.verdicts(message | {"answers": other})[0] == 409
    given = store.verdicts() + store.verdicts(catch=True)
    assert [v.seconds for v in given] == [2.0] * 5
    for _ in range(2):  # its reply was lost: the same message again
        status, said = service.undo({"annotator": "ann", "turn": 5, "count": 5})
        assert (status, said["done"], said["turn"]) == (200, 0, 10)
    assert service.undo({"annotator": "ann", "turn": 5, "count": 4})[0] == 409
    undone = store.verdicts(withdrawn=True) + store.verdicts(
        catch=True, withdrawn=True
    )
    assert len(undone) == 5, "what is undone is kept"
    for count in (0, 25, True, "3"):
        with pytest.raises(UserError):
            service.grid({"annotator": "ann", "count": count})
    for some in ([], [3], "x", answers * 6):
        with pytest.raises(UserError):
            service.verdicts(message | {"answers": some})


def _grids_until_killed(path, table, told):
    """Answer in grids of three, and tell after each how many are on disk."""
    with open_store(path, read_images_to_judge(table)) as store:
        now = store.enrol("ann")
        while now.trial:
            due = store.awaiting("ann", 3)
            answers = [(one.trial, *right_for(one)) for one in due]
            now = store.record_all("ann", now.turn, answers, 3.0)
            told.put(now.done)
            time.sleep(0.02)


def test_a_grid_that_was_told_is_there_after_a_kill(tmp_path, table):
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    path = tmp_path / "v.sqlite"
    worker = context.Process(
        target=_grids_until_killed, args=(path, table, told)
    )
    worker.start()
    known = told.get()
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    while not told.empty():
        known = told.get()
    with open_store(path, read_images_to_judge(table)) as store:
        done = store.standing("ann").done
        assert done in (known, known + 3), "a whole grid or none"
        answer_all(store, "ann")
        assert store.standing("ann").trial is None


# Adjudication


@pytest.fixture
def disputed(tmp_path, table):
    """Two annotators who disagree on the object of two images; the path of their verdicts."""
    path = tmp_path / "d.sqlite"
    judge_all(path, table, "ann")
    odd = {"img-003", "img-008"}
    judge_all(
        path,
        table,
        "bob",
        answer=lambda trial: ("yes", "no" if trial.image_id in odd else "yes"),
    )
    return path


def test_an_adjudicator_settles_what_is_disputed_and_nothing_else(
    disputed, table, capsys, tmp_path
):
    with open_store(disputed, read_images_to_judge(table)) as store:
        rows, verdicts = store.images(), store.verdicts()
        ids = [one.image_id for one in disputed_images(rows, verdicts)]
        assert ids == ["img-003", "img-008"]
        service = service_of(store, table, adjudicate=True)
        said = service.start({"annotator": "Cleo"})[1]
        assert (said["annotator"], said["total"]) == ("cleo", 2)
        assert said["trial"]["votes"]["object"] == {
            "yes": 1,
            "no": 1,
            "unsure": 0,
        }
        assert said["trial"]["votes"]["attribute"]["yes"] == 2
        first = store.trial(
            adjudicator_name("cleo"), said["trial"]["id"]
        ).image_id
        message = {
            "annotator": "cleo",
            "trial": said["trial"]["id"],
            "seconds": 1,
        }
        given = {"turn": 0, "attribute": "yes", "object": "no"}
        assert service.verdict(message | given)[0] == 200
        assert store.annotators() == ["ann", "bob"], (
            "an adjudicator is no annotator"
        )
        assert len(store.verdicts()) == 32
        settled = store.verdicts(adjudicators=True)
        decided = decide_images(rows, store.verdicts(), settled=settled)
        by_id = {one.image_id: one for one in decided}
        assert (by_id[first].decision, by_id[first].adjudicated) == (
            "rejected",
            "yes",
        )
        (other,) = set(ids) - {first}
        assert (by_id[other].decision, by_id[other].adjudicated) == (
            "undecided",
            "",
        )
        assert sum(one.adjudicated == "yes" for one in decided) == 1
    out = tmp_path / "decisions.csv"
    command = ["agreement", str(disputed), "--decisions", str(out)]
    assert cli.main([*command, "--draws", "20"]) == 0
    said = capsys.readouterr().out
    assert "16 images, 2 annotators" in said
    assert "Settled by an adjudicator: 1." in said
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["image_id"] for row in rows if row["adjudicated"]] == [first]


def test_new_disputes_come_after_those_of_earlier_times(disputed, table):
    with open_store(disputed, read_images_to_judge(table)) as store:
        name = adjudicator_name("cleo")
        now = store.enrol_adjudicator(name, ["img-003"])
        assert now.total == 1
        now = store.enrol_adjudicator(name, ["img-003", "img-008"])
        assert [t.image_id for t in store.awaiting(name, 9)] == [
            "img-003",
            "img-008",
        ]
        assert store.enrol_adjudicator(name, ["img-008"]).total == 2


def test_where_nothing_is_disputed_it_is_said(store, table):
    service = service_of(store, table, adjudicate=True)
    with pytest.raises(UserError, match="nothing is disputed"):
        service.start({"annotator": "cleo"})
    with pytest.raises(UserError, match="does not begin with"):
        service_of(store, table).start({"annotator": "adjudicator/cleo"})
    guide = service.guide({})[1]
    assert guide["people"] == []


def test_the_guide_says_how_everyone_gets_on(store, table):
    store.enrol("bob")
    answer_all(store, "ann", limit=3)
    people = service_of(store, table, guideline="x").guide({})[1]["people"]
    assert [(p["annotator"], p["done"]) for p in people] == [
        ("ann", 3),
        ("bob", 0),
    ]


# Names


def _uri(number):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number, 0, 0)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _question(number):
    name = NAMES[number % 4]
    attribute, thing = name.split()
    return {
        "sample_id": f"s{number}",
        "image": _uri(number),
        "question": "Which?",
        "choices": NAMES,
        "answer": "ABCD"[number % 4],
        "attribute": attribute,
        "object": thing,
    }


@pytest.fixture
def asked(tmp_path):
    """A folder of 12 questions as `imagenet-ao questions` lays it out."""
    path = tmp_path / "q" / "choice" / "ood-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(
        pa.Table.from_pylist([_question(n) for n in range(12)]), path
    )
    return tmp_path / "q"


@pytest.fixture
def naming(asked, tmp_path):
    questions = read_questions(asked)
    path = tmp_path / "n.sqlite"
    with open_store(path, questions.table, 0, 0.0, NamingStore) as store:
        store.bind(questions)
        options = PageOptions(pictures=questions.pictures)
        yield store, AnnotationService(store, questions.table, options)


def _name_all(service, name, answer):
    """Answer every question by ``answer`` of its number."""
    said = service.start({"annotator": name})[1]
    while said["trial"]:
        trial = said["trial"]["id"]
        number = int(service.store.trial(name, trial).image_id[1:])
        message = {"annotator": name, "trial": trial, "turn": said["turn"]}
        given = {"answer": answer(number), "seconds": 2}
        status, said = service.name(message | given)
        assert status == 200


def test_people_name_images_among_what_is_offered(naming, capsys, tmp_path):
    store, service = naming
    said = service.start({"annotator": "ann"})[1]
    assert set(said["trial"]) == {"id", "choices"}, "the right name is not sent"
    assert said["trial"]["choices"] == NAMES
    kind, data = service.picture("ann", said["trial"]["id"])
    assert kind == "image/png"
    assert Image.open(io.BytesIO(data)).size == (8, 8)
    message = {"annotator": "ann", "trial": said["trial"]["id"], "turn": 0}
    with pytest.raises(UserError, match="was not offered"):
        service.name(message | {"answer": "green cat", "seconds": 1})
    _name_all(service, "ann", lambda n: NAMES[n % 4] if n < 9 else "unsure")
    _name_all(service, "bob", lambda n: NAMES[0])
    rows = {one.annotator: one for one in people_accuracy(store.named(), 0.25)}
    assert (rows["ann"].rate, rows["ann"].unsure, rows["ann"].n) == (
        0.75,
        3,
        12,
    )
    assert (rows["bob"].rate, rows["all"].n) == (0.25, 24)
    for one in rows.values():
        narrow = wilson(one.rate * one.n, one.n)
        assert one.low < one.rate < one.high
        assert one.high - one.low >= 0.9 * (narrow[1] - narrow[0])
    assert naming_report(store)["choices"] == 4
    out = tmp_path / "names.csv"
    assert cli.main(["agreement", str(store.path), "--export", str(out)]) == 0
    said = capsys.readouterr().out
    assert "12 images, 4 names each." in said
    assert "Chance 25.0 %" in said
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0])[:3] == ["sample_id", "annotator", "answer"]
    assert len(rows) == 24
    assert rows[0]["answer"] in (*NAMES, "unsure")
    path = str(tmp_path / "d.csv")
    assert cli.main(["agreement", str(store.path), "--decisions", path]) == 2
    assert "holds names" in capsys.readouterr().err


def test_a_name_is_undone_and_late_messages_change_nothing(naming):
    store, service = naming
    said = service.start({"annotator": "ann"})[1]
    message = {"annotator": "ann", "trial": said["trial"]["id"], "turn": 0}
    given = {"answer": NAMES[0], "seconds": 1}
    assert service.name(message | given)[0] == 200
    assert service.name(message | given)[0] == 200, "the same again"
    assert service.name(message | given | {"answer": NAMES[1]})[0] == 409
    assert service.undo({"annotator": "ann", "turn": 1})[1]["done"] == 0
    assert store.named() == []
    with pytest.raises(StaleTrialError):
        store.record_all("ann", 1, [(said["trial"]["id"], NAMES[0])], 1.0)


def test_a_file_of_names_stays_with_its_questions(naming, asked, table):
    store, _ = naming
    questions = read_questions(asked)
    other = {**questions.choices, "s0": tuple(reversed(NAMES))}
    changed = type(questions)(questions.table, other, questions.pictures)
    with pytest.raises(UserError, match="other questions"):
        store.bind(changed)
    with pytest.raises(UserError, match="another image table"):
        open_store(store.path, read_images_to_judge(table))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": "B"}, "not the letter"),
        ({"answer": "Z"}, "not the letter"),
        ({"choices": ["red fox", "red fox"]}, "2 to 9 different texts"),
        ({"choices": None}, "2 to 9 different texts"),
        ({"image": "https://example.org/a.png"}, "no data URI"),
        ({"image": "data:image/svg+xml;base64,PHN2Zz4="}, "no data URI"),
        ({"sample_id": "s1"}, "comes twice"),
    ],
)
def test_questions_that_are_none_are_one_line(
    asked, tmp_path, capsys, change, said
):
    path = asked / "choice" / "ood-00000-of-00001.parquet"
    rows = [_question(0) | change, _question(1)]
    if change == {"choices": None}:
        rows = [_question(1) | {"sample_id": "s2"}, rows[0]]
    pq.write_table(pa.Table.from_pylist(rows), path)
    command = ["annotate", str(asked), "--verdicts", str(tmp_path / "n.sqlite")]
    assert cli.main(command) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_options_that_do_not_fit_names_are_refused(
    asked, tmp_path, capsys, table
):
    command = ["annotate", str(asked), "--verdicts", str(tmp_path / "n.sqlite")]
    for more, said in (
        (["--adjudicate"], "--adjudicate is for claims"),
        (["--split", "id"], "holds no questions of id; it has ood"),
    ):
        assert cli.main([*command, *more]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "n.sqlite").exists()
    assert holds_questions(asked)
    assert not holds_questions(table)
    assert not holds_questions(tmp_path)
    command = [
        "annotate",
        str(table),
        "--verdicts",
        str(tmp_path / "none.sqlite"),
    ]
    assert cli.main([*command, "--adjudicate"]) == 2
    assert "nobody has judged yet" in capsys.readouterr().err


def test_files_of_earlier_versions_get_what_they_lack(tmp_path, table):
    path = tmp_path / "old.sqlite"
    judge_all(path, table, "ann")
    with sqlite3.connect(path) as connection:
        for name in ("practice", "names", "choices"):
            connection.execute(f"DROP TABLE {name}")
    connection.close()
    with existing_store(path) as store:
        assert store.practice() == []
    assert cli.main(["agreement", str(path)]) == 0
    with open_store(path, read_images_to_judge(table)) as store:
        store.record_practice("bob", "0", ("yes", "no"), True)
        assert [one.annotator for one in store.practice()] == ["bob"]
        assert store.annotators() == ["ann"]
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE names RENAME COLUMN answer TO other")
    connection.close()
    with pytest.raises(UserError, match="the table names lacks answer"):
        existing_store(path)
