"""Paired comparison: McNemar against scipy's own count, the bootstrap over compositions,
refusals.
"""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binomtest

from aobench.analysis.paired import compare_hits, compare_tables
from aobench.errors import UserError
from aobench.results.candidates import Candidates
from aobench.results.predictions import SCHEMA, Predictions

PAIRS = [(0, 0), (0, 1), (1, 0), (1, 1)]


def table(first, ids=None, names=("red cup", "red hat", "blue cup", "blue hat")):
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
        "composition", tuple(a for a, _ in PAIRS), tuple(o for _, o in PAIRS), names
    )
    return Predictions(
        pa.Table.from_pylist(rows, schema=SCHEMA),
        {"composition": {"ood": listed}},
        True,
        {"model": {"id": "m"}},
    )


RIGHT = [0, 0, 1, 1, 2, 2, 3, 3]


def test_discordant_images_are_counted_and_tested():
    rng = np.random.default_rng(0)
    first, second = rng.random(400) < 0.7, rng.random(400) < 0.5
    found = compare_hits(first, second, np.arange(400) // 4)
    assert found.difference == pytest.approx(first.mean() - second.mean())
    b, c = (first & ~second).sum(), (second & ~first).sum()
    assert (found.only_first, found.only_second) == (b, c)
    assert found.p == pytest.approx(binomtest(int(b), int(b + c)).pvalue)
    assert found.low < found.difference < found.high


def test_equal_models_differ_by_nothing():
    right = np.arange(40) % 3 == 0
    found = compare_hits(right, right, np.arange(40) // 4)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_images_that_rise_and_fall_together_widen_the_interval():
    """The same hits, spread over compositions or all in a few of them."""
    first, second = np.arange(400) % 4 == 0, np.zeros(400, bool)
    spread = compare_hits(first, second, np.arange(400) // 4)
    clustered = compare_hits(np.sort(first), second, np.arange(400) // 4)
    assert clustered.high - clustered.low > 5 * max(spread.high - spread.low, 0.01)


@pytest.mark.parametrize(
    ("kind", "expected"), [("composition", 0.5), ("attribute", 0.75), ("object", 0.625)]
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
    with pytest.raises(UserError, match="do not hold the same images of ood: 2"):
        compare_tables(
            table(RIGHT), table(RIGHT, ids=[*(f"image{i}" for i in range(7)), "other"])
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
