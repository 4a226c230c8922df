"""The object part of ``choice``: every kind of model names the object of the same questions."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from helpers.own_models import TinyClassifier, TinyEncoder
from huggingface_hub import ModelCard

import aobench
from aobench.cli import main
from aobench.errors import UserError
from aobench.evaluation.data import Source, open_splits
from aobench.evaluation.questions import ask_splits
from aobench.evaluation.ranking import offered_ids
from aobench.evaluation.scoring import ObjectParts, rank_offered
from aobench.results.candidates import ask_task, offered_objects
from aobench.results.tasks import find_task

ATTRIBUTES = ["red", "blue", "wooden", "striped"]
OBJECTS = ["fox", "cup", "hat", "lion", "door"]
PART = "choice-object"
DATA = {"data": "mini", "cpu": True, "templates": ["a {}"]}


# Ranks against loops


def drawn(seed, count=60):
    """Options of six objects with scores of few values, so that many are equal."""
    draw = np.random.default_rng(seed)
    things = draw.integers(0, 6, (count, 5))
    things[:, 1] = (things[:, 0] + 1) % 6  # two objects at least
    scores = draw.integers(-2, 3, (count, 5)).astype(np.float32)
    gold = things[np.arange(count), draw.integers(5, size=count)]
    return things, scores, gold


def parts_of(things):
    rows = [sorted(set(row)) for row in things.tolist()]
    width = max(map(len, rows))
    offered = np.array([row + [-1] * (width - len(row)) for row in rows])
    places = (offered[:, None, :] == things[:, :, None]).argmax(2)
    return ObjectParts(torch.from_numpy(offered), torch.from_numpy(places))


@pytest.mark.parametrize("seed", range(3))
def test_objects_are_ranked_in_the_order_of_their_best_options(seed):
    things, scores, gold = drawn(seed)
    found = parts_of(things).rank(torch.from_numpy(scores), torch.tensor(gold))
    for row, (mine, values) in enumerate(zip(things, scores, strict=True)):
        options = sorted(range(5), key=lambda i: (-values[i], i))
        wanted = list(dict.fromkeys(int(mine[i]) for i in options))
        named = [one for one in found.top[row] if one >= 0]
        assert named == wanted[:5]
        assert found.rank[row] == wanted.index(gold[row])
        right, wrong = (
            max(values[(mine == gold[row]) == same]) for same in (True, False)
        )
        assert found.margin[row] == right - wrong


@pytest.mark.parametrize("seed", range(3))
def test_a_classifiers_scores_are_ranked_among_what_each_image_is_offered(seed):
    things, _, gold = drawn(seed)
    draw = np.random.default_rng(seed + 9)
    classes = draw.integers(-2, 3, (len(things), 6)).astype(np.float32)
    offered = parts_of(things).offered
    scores = torch.from_numpy(classes).gather(1, offered.clamp(min=0))
    found = rank_offered(scores, torch.tensor(gold), offered)
    for row, mine in enumerate(things):
        best = lambda one, row=row: (-classes[row, one], one)  # noqa: E731
        wanted = sorted(set(mine.tolist()), key=best)
        assert [one for one in found.top[row] if one >= 0] == wanted[:5]
        assert found.rank[row] == wanted.index(gold[row])
        others = [classes[row, one] for one in wanted if one != gold[row]]
        assert found.margin[row] == classes[row, gold[row]] - max(others)


# Questions


def grid_pairs():
    draw = np.random.default_rng(1)
    return {
        split: [
            (int(draw.integers(4)), int(draw.integers(5))) for _ in range(n)
        ]
        for split, n in (("id", 40), ("ood", 30))
    }


def test_the_questions_are_those_of_choice_with_their_distinct_objects():
    pairs = grid_pairs()
    names = (ATTRIBUTES, OBJECTS)
    whole = ask_task(find_task("choice"), pairs, *names)
    part = ask_task(find_task(PART), pairs, *names)
    assert set(part) == set(whole) == {"id", "ood"}
    for split, question in part.items():
        listed = question.candidates
        assert set(listed.attributes) == {-1}
        for row, (_, right) in enumerate(pairs[split]):
            things = {listed.objects[i] for i in question.choices[row]}
            options = whole[split].choices[row]
            wanted = {whole[split].candidates.objects[i] for i in options}
            assert things == wanted
            assert len(things) == 3
            assert listed.objects[question.gold[row]] == right
        assert (offered_ids(question) >= 0).all()


def test_a_split_where_one_object_alone_is_offered_is_left_out_with_its_count():
    splits = open_splits(Source("mini"), limit=8)
    for split in splits:
        others = [(a, split.objects[0]) for a in range(3)]
        split.choices = [
            tuple(sorted({pair, (pair[0], (pair[1] + 1) % 9), others[0]}))
            for pair in split.pairs
        ]
    first = splits[0]
    a, o = first.pairs[2]
    first.choices[2] = tuple(sorted({(a, o), ((a + 1) % 9, o)}))
    asked, lines = ask_splits(TinyEncoder(), splits, ["choice"])
    assert set(asked["choice"]) == {"id", "ood"}
    assert set(asked[PART]) == {"ood"}
    (line,) = lines
    assert "leaves the split id out: 1 of its 8 questions offer a" in line
    sizes = {len(row) for row in offered_objects(asked["choice"]["ood"])}
    assert len(sizes) > 1, "questions of unlike numbers of objects are asked"


@pytest.mark.parametrize(
    ("tasks", "wanted"),
    [
        (["choice"], ["object", PART]),
        ([PART], ["object", PART]),
        (["composition", "choice"], ["object", PART]),
        (["attribute"], ["object"]),
        (["object", PART], ["object", PART]),
    ],
)
def test_a_classifier_is_asked_the_object_part_of_what_is_named(tasks, wanted):
    splits = open_splits(Source("mini"), limit=8)
    asked, _ = ask_splits(TinyClassifier(), splits, tasks)
    assert list(asked) == wanted


def test_a_set_too_small_for_a_grid_is_said_once():
    splits = open_splits(Source("mini"), limit=2)
    _, lines = ask_splits(TinyEncoder(), splits, ["object", "choice"])
    said = "The task choice is left out: it takes three"
    assert len(lines) == 1
    assert lines[0].startswith(said)
    asked, lines = ask_splits(TinyClassifier(), splits, ["choice"])
    assert list(asked) == ["object"]
    assert lines[0].startswith(said.replace("choice", PART))
    with pytest.raises(UserError, match="no task is left to ask: it takes"):
        ask_splits(TinyEncoder(), splits, [PART])


# Runs


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A dual encoder, a generative model and a classifier; and where they are written."""
    out = tmp_path_factory.mktemp("object-part")
    more = {"tasks": ["choice"], "limit": 8, **DATA, "out": out}
    encoder = TinyEncoder()
    encoder.info = replace(encoder.info, id="encoder")
    models = [encoder, "mini-generative", TinyClassifier()]
    return out, aobench.evaluate(models, **more)


def answers(result, task, split="ood"):
    """By sample id the object that came first."""
    rows, listed = result.answers.split(split, task), result.answers.lists
    objects = listed[task][split].objects
    firsts = [objects[top[0]] for top in rows["top"]]
    return dict(zip(rows["sample_id"], firsts, strict=True))


def test_all_kinds_answer_the_same_questions_in_one_table(results, capsys):
    out, found = results
    facts = [one.content["tasks"][PART] for one in found]
    assert facts[0] == facts[1] == facts[2]
    assert facts[0]["candidates"]["ood"]["n"] == 3
    for one in found[:2]:
        for split in ("id", "ood"):
            mine = answers(one, PART, split)
            assert mine == answers(one, "choice", split)
            whole, part = (
                one.scores[task]["splits"][split] for task in ("choice", PART)
            )
            for key in ("object_top1", "object_top1_low", "object_chance"):
                assert whole[key] == pytest.approx(part[key])
            assert "composition_top1" not in part
    supervised = found[2].scores
    assert set(supervised) == {"object", PART}
    scores = supervised[PART]["splits"]["ood"]
    assert scores["object_chance"] == pytest.approx(1 / 3)
    assert scores["n_candidates"] == 3
    folders = sorted(str(path.parent) for path in out.glob("*/results.json"))
    assert main(["score", *folders]) == 0
    said = capsys.readouterr().out
    assert said.count(f"{PART} ") >= 3
    assert main(["compare", folders[0], folders[2], "--kind", "object"]) == 0
    said = capsys.readouterr().out
    assert f"33.33 % of 3 candidates ({PART})" in said
    assert "lists differ" not in said


def test_a_classifiers_rows_are_its_scores_among_the_offered_classes(results):
    _, found = results
    model = TinyClassifier()
    rows = found[2].answers.split("ood", PART)
    names = found[2].answers.lists[PART]["ood"].names
    from aobench.images import read_image
    from aobench.layouts.form import imagenet_class

    split = open_splits(Source("mini"), limit=8)[1]
    images = dict(zip(split.sample_ids, split.rows, strict=True))
    for sample, offered, top in zip(
        rows["sample_id"], rows["choices"], rows["top"], strict=True
    ):
        pixels = model.transform(read_image(images[sample]["image"]))["pixels"]
        scores = torch.from_numpy(pixels) @ model.weights
        value = {i: scores[imagenet_class(names[i])[1]] for i in offered}
        assert top == sorted(offered, key=lambda i: -value[i])


def test_exports_card_and_leaderboard_show_it(results, tmp_path, capsys):
    out, _ = results
    folders = [path.parent for path in sorted(out.glob("*/results.json"))]
    words = ["export", *map(str, folders), "--to"]
    for form in ("markdown", "csv"):
        assert main([*words, form, "--out", str(tmp_path / form)]) == 0
        assert PART in (tmp_path / form).read_text(), form
    page = tmp_path / "page"
    boards = ["leaderboard", *map(str, folders), "--out", str(page)]
    assert main(boards) == 0
    capsys.readouterr()
    text = (page / "index.html").read_text()
    assert f"-{PART}" in text, "a table of the task"


def test_a_card_of_this_part_alone_has_a_table_and_no_entries(tmp_path, capsys):
    more = {"tasks": [PART], "limit": 8, **DATA, "out": tmp_path / "run"}
    aobench.evaluate(TinyEncoder(), **more)
    (folder,) = (path.parent for path in (tmp_path / "run").glob("*/*.json"))
    old = tmp_path / "card" / ".eval_results" / "imagenet_ao.yaml"
    old.parent.mkdir(parents=True)
    old.write_text("[]")
    words = ["card", str(folder), "--dataset", "a/b"]
    assert main([*words, "--out", str(tmp_path / "card")]) == 0
    assert "No entries: the result has none" in capsys.readouterr().out
    card = ModelCard.load(tmp_path / "card" / "README.md")
    assert PART in card.text
    assert card.data.to_dict().keys() == {"pipeline_tag", "tags"}
    assert not old.exists()
    assert main([*words, "--out", str(tmp_path / "card")]) == 0
    again = ModelCard.load(tmp_path / "card" / "README.md")
    assert again.data.to_dict() == card.data.to_dict()


def own_questions(path, single=False):
    """Four options about some of mini's images, of two to four objects."""
    draw = np.random.default_rng(5)
    rows = []
    for split in open_splits(Source("mini"), limit=40):
        words = (split.attribute_names, split.object_names)
        for place, (a, o) in enumerate(split.pairs[::4]):
            things = draw.permutation(np.delete(np.arange(9), o % 9))[:3]
            things[: place % 3] = o  # of the right object others, too
            if single and place == 0:
                things[:] = o
            options = [(a, o)] + [
                ((a + n) % 20, int(thing)) for n, thing in enumerate(things, 1)
            ]
            texts = [f"{words[0][i]} {words[1][j]}" for i, j in options]
            sample = split.sample_ids[::4][place]
            row = {"sample_id": sample, "options": texts[::-1]}
            rows.append({**row, "answer": texts[0]})
    path.write_text(json.dumps({"questions": rows}))
    return path


def test_questions_of_unlike_numbers_of_objects_are_scored_against_their_chance(
    tmp_path, capsys
):
    path = own_questions(tmp_path / "mine.json")
    models = [TinyEncoder(), TinyClassifier()]
    more = {"tasks": ["choice"], "questions": path, **DATA}
    found = aobench.evaluate(models, **more, out=tmp_path / "out")
    for one in found:
        rows = one.answers.split("ood", PART)
        sizes = [len(row) for row in rows["choices"]]
        assert set(sizes) == {2, 3, 4}
        scores = one.scores[PART]["splits"]["ood"]
        chance = sum(1 / size for size in sizes) / len(sizes)
        assert scores["object_chance"] == pytest.approx(chance)
        right = np.array(rows["rank"]) == 0
        assert scores["object_top1"] == pytest.approx(np.mean(right))
        assert (scores["n_candidates_fewest"], scores["n_candidates"]) == (2, 4)
        assert aobench.load_result(one.folder).scores == one.scores
    assert answers(found[0], PART) == answers(found[0], "choice")
    capsys.readouterr()
    assert main(["score", str(found[1].folder)]) == 0
    assert "2 to 4" in capsys.readouterr().out


def test_one_object_alone_is_said_and_choice_stays(tmp_path, capsys):
    path = own_questions(tmp_path / "mine.json", single=True)
    more = {"tasks": ["choice"], "questions": path, **DATA}
    (result,) = aobench.evaluate(TinyEncoder(), **more)
    said = capsys.readouterr().out
    assert f"The task {PART} is left out: 1 of its 10 questions offer a" in said
    assert set(result.scores) == {"choice"}


def test_an_object_that_is_no_class_of_the_classifier_is_one_line(monkeypatch):
    splits = open_splits(Source("mini"), limit=12)
    from aobench.evaluation.ranking import ImageNetClasses, TaskRanker

    asked, _ = ask_splits(TinyClassifier(), splits, ["choice"])
    question = asked[PART]["ood"]
    classes = dict.fromkeys(range(len(OBJECTS) + 200), 0) | {
        question.candidates.objects[0]: -1
    }
    with pytest.raises(UserError) as told:
        TaskRanker(question, ImageNetClasses(classes))
    assert "1 objects without an ImageNet class" in str(told.value)
    assert "\n" not in str(told.value)


# Tables that no run writes


def damaged(table, change):
    rows = table.to_pylist()
    place = next(i for i, row in enumerate(rows) if row["task"] == PART)
    change(rows[place])
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=table.schema)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row.update(choices=row["choices"][:1]), "has 1 choices"),
        (lambda row: row.update(choices=None), "has no choices"),
        (lambda row: row.update(rank=3, top=row["top"]), "of 3 choices"),
        (lambda row: row.update(top=row["top"][:2]), "names 2 candidates, not"),
        (
            lambda row: row["choices"].__setitem__(
                row["choices"].index(_wrong(row)), _strange(row)
            ),
            "not among its choices",
        ),
    ],
)
def test_a_damaged_row_is_refused(results, tmp_path, change, words):
    from aobench.results.predictions import read

    out, _ = results
    table = pq.read_table(next(out.glob("encoder/predictions.parquet")))
    pq.write_table(damaged(table, change), tmp_path / "predictions.parquet")
    with pytest.raises(UserError, match=words):
        read(tmp_path)


def _wrong(row):
    return next(one for one in row["choices"] if one != row["label"])


def _strange(row):
    return next(one for one in range(9) if one not in row["choices"])


def test_other_objects_than_those_of_choice_are_refused(results, tmp_path):
    from aobench.results.predictions import read

    def change(row):
        old, new = _wrong(row), _strange(row)
        for name in ("choices", "top"):
            row[name] = [new if one == old else one for one in row[name]]

    out, _ = results
    table = pq.read_table(next(out.glob("encoder/predictions.parquet")))
    assert pc.sum(pc.equal(table["task"], PART)).as_py() == 16
    pq.write_table(damaged(table, change), tmp_path / "predictions.parquet")
    with pytest.raises(UserError, match="offered other objects in the task"):
        read(tmp_path)
