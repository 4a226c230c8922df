"""Tasks as data: their candidates, the choices made for each image, and that nothing in these tells
the right one to who does not see the picture.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from aobench.errors import UserError
from aobench.results.candidates import ask_task, can_name
from aobench.results.choices import choice_grids
from aobench.results.predictions import read
from aobench.results.tasks import (
    DEFAULT_TASKS,
    TASKS,
    choose_tasks,
    find_task,
    headline_task,
)

BUNDLED = Path(__file__).parents[2] / "model_cards" / "mini"
ATTRIBUTES = ["red", "blue", "wooden", "striped"]
OBJECTS = ["fox", "cup", "hat", "lion", "door"]
#: Seen pairs, and novel ones; (2, 3) is shown by images of both.
PAIRS = {
    "id": [(0, 0), (0, 1), (1, 0), (2, 3), (2, 3)],
    "ood": [(1, 1), (2, 2), (2, 3), (3, 3)],
}


def ask(task, pairs=PAIRS):
    return ask_task(find_task(task), pairs, ATTRIBUTES, OBJECTS)


def pairs_of(listed):
    return list(zip(listed.attributes, listed.objects, strict=True))


def test_the_compositions_of_either_split_are_one_list_for_both():
    asked = ask("composition")
    union = sorted({*PAIRS["id"], *PAIRS["ood"]})
    for split, question in asked.items():
        assert pairs_of(question.candidates) == union
        assert [union[i] for i in question.gold] == PAIRS[split]
        seen = [pair in PAIRS["id"] for pair in union]
        assert list(question.sides) == seen, (
            "a pair of both splits is a seen one"
        )


@pytest.mark.parametrize(
    ("task", "sizes"),
    [
        ("composition-own", (4, 4)),
        ("composition-open", (20, 20)),
        ("object", (4, 4)),
        ("attribute", (4, 4)),
    ],
)
def test_each_task_has_its_list(task, sizes):
    asked = ask(task)
    assert (
        tuple(len(asked[split].candidates) for split in ("id", "ood")) == sizes
    )
    for split, question in asked.items():
        for (a, o), gold in zip(PAIRS[split], question.gold, strict=True):
            named = pairs_of(question.candidates)[gold]
            assert named in {(a, o), (-1, o), (a, -1)}


def test_a_split_without_attributes_is_asked_what_it_shows():
    bare = {"id": [(-1, 0), (-1, 1)], "ood": PAIRS["ood"]}
    assert set(ask("object", bare)) == {"id", "ood"}
    assert can_name(ask("object", bare)["id"].candidates) == ("object",)
    for task in (
        "composition",
        "composition-own",
        "composition-open",
        "attribute",
    ):
        assert set(ask(task, bare)) == {"ood"}, (
            f"{task} was asked of images without"
        )
    assert ask("composition", bare)["ood"].sides == (), "no side is seen"
    for split in ("id", "ood"):
        asked = ask("object", bare)[split].candidates
        assert asked.objects == tuple(range(len(OBJECTS))), (
            "all, as of ImageNet's classes"
        )


def test_tasks_are_named_once_in_one_order_and_a_slip_is_told():
    assert choose_tasks(["object", "composition", "object"]) == (
        "composition",
        "object",
    )
    assert headline_task(["choice", "object"]) == "choice", (
        "a pair says more than a part"
    )
    assert set(DEFAULT_TASKS) <= set(TASKS)
    with pytest.raises(UserError, match="did you mean 'attribute'"):
        choose_tasks(["atribute"])
    with pytest.raises(UserError, match="unknown task 'closed'"):
        find_task("closed")
    with pytest.raises(UserError, match="at least one task"):
        choose_tasks([])


def bundled_pairs():
    table = read(BUNDLED)
    names = table.candidates["id"]
    rows = {split: table.split(split, "object") for split in ("id", "ood")}
    pairs = {
        split: list(zip(r["attribute"], r["object"], strict=True))
        for split, r in rows.items()
    }
    return pairs, names.attribute_names, names.object_names


def sparse_pairs():
    """2,000 compositions of 100 attributes and 300 objects, some parts far commoner than others."""
    rng = np.random.default_rng(0)
    weights = [1 / np.sqrt(np.arange(1, n + 1)) for n in (100, 300)]
    drawn = [rng.choice(len(w), size=4000, p=w / w.sum()) for w in weights]
    shown = sorted(set(zip(*(d.tolist() for d in drawn), strict=True)))[:2000]
    return [pair for pair in shown for _ in range(rng.integers(1, 9))]


def test_a_question_is_a_grid_of_three_attributes_and_three_objects():
    pairs, attributes, objects = bundled_pairs()
    for right, nine in choice_grids(pairs["ood"], attributes, objects).items():
        assert right in nine
        for part in (0, 1):
            counts = Counter(pair[part] for pair in nine)
            assert sorted(counts.values()) == [3, 3, 3], (
                "a name comes more often"
            )
        assert list(nine) == sorted(set(nine)), (
            "the order would tell the right one"
        )


def guess(questions, value):
    """Share right of who takes the choice of highest ``value``, of several the mean."""
    shares = []
    for right, nine in questions:
        values = [value(pair) for pair in nine]
        best = max(values)
        shares.append((value(right) == best) / values.count(best))
    return np.array(shares)


@pytest.mark.parametrize("data", ["id", "ood", "sparse"])
def test_who_sees_no_picture_is_right_as_often_as_chance(data):
    """The guesser counts names and pairs over all questions, and takes the commonest."""
    if data == "sparse":
        pairs = sparse_pairs()
        names = [[f"name {part} {i}" for i in range(300)] for part in "ao"]
    else:
        every, *names = bundled_pairs()
        pairs = every[data]
    grids = choice_grids(pairs, *names)
    offered = [pair for right in pairs for pair in grids[right]]
    parts = [Counter(pair[part] for pair in offered) for part in (0, 1)]
    whole = Counter(offered)
    guessers = {
        "attribute": lambda pair: parts[0][pair[0]],
        "object": lambda pair: parts[1][pair[1]],
        "both": lambda pair: parts[0][pair[0]] * parts[1][pair[1]],
        "pair": lambda pair: whole[pair],
    }
    questions = list(grids.items())
    error = np.sqrt(1 / 9 * 8 / 9 / len(questions))
    for name, value in guessers.items():
        rate = guess(questions, value).mean()
        assert rate < 1 / 9 + 3 * error, (
            f"{name} tells the right one: {100 * rate:.1f} %"
        )


def test_choices_hang_on_neither_order_nor_the_rest_of_the_run():
    pairs, attributes, objects = bundled_pairs()
    some = pairs["ood"]
    grids = choice_grids(some, attributes, objects)
    assert choice_grids(some[::-1], attributes, objects) == grids
    assert choice_grids(some, attributes, objects, seed=1) != grids
    table = read(BUNDLED)
    rows, listed = table.split("ood", "choice"), table.lists["choice"]["ood"]
    place = pairs_of(listed)
    for right, choices in zip(some, rows["choices"], strict=True):
        assert tuple(place[i] for i in choices) == grids[right], (
            "the shipped table's"
        )


@pytest.mark.parametrize(
    "pairs",
    [
        [(0, 0), (1, 1)],
        [(0, 0), (0, 1), (0, 2), (1, 3)],
        [(0, 0), (1, 0), (2, 0), (3, 1)],
    ],
)
def test_too_few_names_for_a_grid_leave_the_task_out(pairs):
    assert ask("choice", {"ood": pairs}) == {}


def test_three_by_three_is_enough_and_a_common_name_does_not_stall():
    nine = [(a, o) for a in range(3) for o in range(3)]
    question = ask("choice", {"ood": [(0, 0)] * 100_000 + nine})["ood"]
    assert len(question.candidates) == 9
    assert set(question.choices) == {tuple(range(9))}


def test_choices_of_one_text_are_never_offered_together():
    attributes, objects = (
        ["red", "red brick", "blue", "old"],
        ["brick bakery", "bakery", "hat", "cup"],
    )
    pairs = [(a, a) for a in range(4)]
    grids = choice_grids(pairs, attributes, objects)
    for right, nine in grids.items():
        texts = [f"{attributes[a]} {objects[o]}" for a, o in nine]
        assert len(set(texts)) == 9, (
            f"{right} is offered one text twice: {texts}"
        )
