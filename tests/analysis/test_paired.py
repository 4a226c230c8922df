"""Paired comparison: sign flips and the two-way test against known values, the bootstrap over
compositions, several models at once, refusals.
"""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import permutation_test

from aobench.analysis.many_models import (
    alike_classes,
    compare_answers,
    compare_models,
    holm_correction,
)
from aobench.analysis.paired import (
    compare_hits,
    compare_tables,
    sign_flip_test,
    two_way_test,
)
from aobench.cli import main
from aobench.errors import UserError
from aobench.results.candidates import Candidates
from aobench.results.predictions import SCHEMA, Predictions

#: By statsmodels 0.15.0 on `crossed_gains`: standard error and p, as in tests/metric/test_metric_two_way.py.
STATSMODELS = (0.09796595957161648, 0.40745265548508736)

CARDS = Path(__file__).parents[2] / "model_cards"
PAIRS = [(0, 0), (0, 1), (1, 0), (1, 1)]


def table(
    first, ids=None, names=("red cup", "red hat", "blue cup", "blue hat")
):
    """Predictions of 8 images, two a composition; ``first``: the candidate answered, None for an
    unreadable image.
    """
    ids = ids or [f"image{i}" for i in range(len(first))]
    rows = [
        {
            "task": "composition",
            "sample_id": sample,
            "split": "ood",
            "attribute": PAIRS[i // 2][0],
            "object": PAIRS[i // 2][1],
            "label": i // 2,
            "rank": 0,
            "top": [] if answer is None else [answer],
            "margin": 0.0,
            "error": None,
        }
        for i, (sample, answer) in enumerate(zip(ids, first, strict=True))
    ]
    listed = Candidates(
        "composition",
        tuple(a for a, _ in PAIRS),
        tuple(o for _, o in PAIRS),
        names,
    )
    return Predictions(
        pa.Table.from_pylist(rows, schema=SCHEMA),
        {"composition": {"ood": listed}},
        True,
        {"model": {"id": "m"}},
    )


RIGHT = [0, 0, 1, 1, 2, 2, 3, 3]


def test_images_right_in_one_alone_are_counted():
    rng = np.random.default_rng(0)
    first, second = rng.random(400) < 0.7, rng.random(400) < 0.5
    found = compare_hits(first, second, np.arange(400) // 4)
    assert found.difference == pytest.approx(first.mean() - second.mean())
    b, c = (first & ~second).sum(), (second & ~first).sum()
    assert (found.only_first, found.only_second) == (b, c)
    assert found.low < found.difference < found.high
    assert found.wide_p is None, "no attribute is known"


def test_sign_flips_agree_with_scipy():
    gained = np.array([3, -1, 2, 2, 0, 1, -2, 4, 1])
    exact = permutation_test((gained,), np.sum, permutation_type="samples")
    assert sign_flip_test(gained) == pytest.approx(exact.pvalue)
    many = np.random.default_rng(1).normal(0.15, 1, 200)
    drawn = permutation_test(
        (many,), np.sum, permutation_type="samples", n_resamples=9999, rng=2
    )
    assert sign_flip_test(many) == pytest.approx(drawn.pvalue, abs=0.012)
    assert sign_flip_test(many) == sign_flip_test(many)
    assert sign_flip_test(np.zeros(5)) == 1


def crossed_gains(seed=0, attributes=12, objects=9, spread=1.0):
    rng = np.random.default_rng(seed)
    a, o = np.divmod(np.arange(attributes * objects), objects)
    own = (
        rng.normal(0, spread, attributes)[a] + rng.normal(0, spread, objects)[o]
    )
    return np.rint(own + rng.normal(0, 1, len(a))), np.full(len(a), 4), a, o


def test_the_two_way_test_is_that_of_statsmodels():
    low, high, p = two_way_test(*crossed_gains())
    assert (high - low) / 2 == pytest.approx(STATSMODELS[0] * 2.306004135)
    assert p == pytest.approx(STATSMODELS[1], rel=1e-6)


def test_the_two_way_test_needs_two_attributes_and_two_objects():
    gained, sizes, a, o = crossed_gains()
    assert two_way_test(gained, sizes, 0 * a, o) == (None, None, None)
    assert two_way_test(0 * gained, sizes, a, o) == (0, 0, 1)


def test_models_that_differ_by_attribute_are_alike_for_attributes_like_these():
    """The first is right on one attribute of three more, and on nothing else."""
    a, o = np.divmod(np.arange(3 * 40), 40)
    group, parts = np.repeat(np.arange(120), 2), np.column_stack([a, o])
    parts = np.repeat(parts, 2, axis=0)
    second = np.arange(240) % 2 == 0
    first = second | (parts[:, 0] == 0)
    found = compare_hits(first, second, group, parts=parts)
    assert found.p < 0.001, "of these compositions it is right on more"
    assert found.wide_p > 0.2, "of three attributes one alone differs"
    assert found.wide_low < 0 < found.low


def test_equal_models_differ_by_nothing():
    right = np.arange(40) % 3 == 0
    found = compare_hits(right, right, np.arange(40) // 4)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_images_that_rise_and_fall_together_widen_the_interval():
    """The same hits, spread over compositions or all in a few of them."""
    first, second = np.arange(400) % 4 == 0, np.zeros(400, bool)
    spread = compare_hits(first, second, np.arange(400) // 4)
    clustered = compare_hits(np.sort(first), second, np.arange(400) // 4)
    assert clustered.high - clustered.low > 5 * max(
        spread.high - spread.low, 0.01
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("composition", 0.5), ("attribute", 0.75), ("object", 0.625)],
)
def test_tables_are_compared_by_sample_id(kind, expected):
    # Of 8 images: 4 right, 1 wrong in the attribute, 2 in the object, 1 unreadable.
    answers = [0, 2, 1, 0, 2, 3, 3, None]
    ids = [f"image{i}" for i in range(8)]
    shuffled = table(RIGHT, ids)
    shuffled.table = shuffled.table.take(pa.array([7, 0, 6, 1, 5, 2, 4, 3]))
    found = compare_tables(table(answers, ids), shuffled, kind=kind)
    assert found.first == expected
    assert found.second == 1
    assert found.compositions == 4


def test_unlike_images_and_candidates_are_refused():
    with pytest.raises(
        UserError, match="do not hold the same images of ood: 2"
    ):
        compare_tables(
            table(RIGHT),
            table(RIGHT, ids=[*(f"image{i}" for i in range(7)), "other"]),
        )
    with pytest.raises(UserError, match="different candidates"):
        compare_tables(
            table(RIGHT),
            table(RIGHT, names=("red cup", "red hat", "blue cup", "blue cap")),
        )
    with pytest.raises(UserError, match="no split 'id'"):
        compare_tables(table(RIGHT), table(RIGHT), split="id")
    with pytest.raises(UserError, match="unknown kind"):
        compare_tables(table(RIGHT), table(RIGHT), kind="colour")
    with pytest.raises(UserError, match="one composition only"):
        compare_hits(np.ones(4), np.zeros(4), np.zeros(4))


def test_holms_correction_and_classes():
    assert holm_correction([0.5, 0.01]).tolist() == [0.5, 0.02]
    unlike = np.zeros((4, 4), bool)
    for one, other in ((0, 2), (0, 3), (1, 3)):
        unlike[one, other] = unlike[other, one] = True
    assert alike_classes(unlike) == ((0, 1), (1, 2), (2, 3))
    assert alike_classes(np.zeros((3, 3), bool)) == ((0, 1, 2),)
    assert alike_classes(~np.eye(3, dtype=bool)) == ((0,), (1,), (2,))


def answers_of_models(rates, seed=0):
    rng = np.random.default_rng(seed)
    a, o = np.divmod(np.arange(20 * 30), 30)
    group = np.repeat(np.arange(600), 3)
    hits = rng.random((len(rates), 1800)) < np.array(rates)[:, None]
    return hits, group, np.repeat(np.column_stack([a, o]), 3, axis=0)


@pytest.mark.parametrize("known", [True, False])
def test_models_are_told_apart_where_they_differ_enough(known):
    hits, group, parts = answers_of_models([0.5, 0.9, 0.51, 0.1])
    found = compare_answers(hits, group, parts if known else None)
    assert found.wide is known
    assert found.order[0] == 1
    assert found.order[3] == 3
    assert found.classes == ((0,), (1, 2), (3,))
    assert found.ranks == ((1, 1), (2, 3), (2, 3), (4, 4))
    assert found.p[0, 3] < 0.001 < found.p[1, 2]
    assert (found.p == found.p.T).all()


def test_tables_of_many_models_are_matched_by_sample():
    ids = [f"image{i}" for i in range(8)]
    mixed = table(RIGHT, ids)
    mixed.table = mixed.table.take(pa.array([7, 0, 6, 1, 5, 2, 4, 3]))
    found = compare_models([table([3] * 8, ids), mixed, table(RIGHT, ids)])
    assert found.order == (1, 2, 0)
    assert found.rates == (1, 1, 0.25)
    with pytest.raises(UserError, match="not hold the same images"):
        compare_models([table(RIGHT), table(RIGHT, ids=[*ids[:7], "other"])])
    other = table(RIGHT, names=("red cup", "red hat", "blue cup", "blue cap"))
    with pytest.raises(UserError, match="different candidates"):
        compare_models([table(RIGHT), table(RIGHT), other])


def test_the_verb_compares_three(tmp_path, capsys):
    folders = [str(CARDS / name) for name in ("mini", "efficientnet-lite0")]
    copy = tmp_path / "copy"
    shutil.copytree(CARDS / "efficientnet-lite0", copy)
    assert main(["compare", *folders, str(copy), "--kind", "object"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in lines if "efficient" in line] == [
        ["3", "b"],
        ["3", "b"],
    ], "two copies are two models that can't be told apart"
    assert next(line for line in lines if "mini" in line).split()[-2:] == [
        "1",
        "a",
    ]
    assert main(["compare", *folders, folders[0]]) == 2
    assert "are the same result; name it once" in capsys.readouterr().err
