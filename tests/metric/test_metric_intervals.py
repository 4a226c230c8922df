"""Intervals take compositions as independent: known values, and coverage on simulated answers
that come in clusters.
"""

import math

import numpy as np
import pytest
from compositional_ood.compositional_ood import (
    cluster_interval,
    effective_images,
    harmonic_mean,
    joint_interval,
    score,
    seen_and_novel,
    wilson,
)


def test_one_image_a_composition_gives_wilsons_own_interval():
    right = np.arange(263) < 81
    assert cluster_interval(right, np.ones(263)) == pytest.approx(
        (*wilson(81, 263), 263)
    )


def test_images_that_are_all_alike_in_a_composition_count_as_one():
    """40 compositions of 8 images, each all right or all wrong: as 40 images, of which 30 are
    right.
    """
    right, n = np.where(np.arange(40) < 30, 8, 0), np.full(40, 8)
    size = effective_images(right, n)
    assert 36 < size < 40, (
        f"320 images in 40 blocks are worth about 40 independent ones, less for few; got {size}"
    )
    low, high, _ = cluster_interval(right, n)
    assert (low, high) == pytest.approx(wilson(30, 40), abs=0.01)


def test_images_spread_more_evenly_than_chance_are_not_worth_more_than_themselves():
    assert 380 < effective_images(np.full(50, 4), np.full(50, 8)) <= 400


@pytest.mark.parametrize("rate", [0, 1])
def test_at_0_and_100_percent_images_of_a_composition_count_as_one(rate):
    low, high, size = cluster_interval(np.full(550, 8 * rate), np.full(550, 8))
    assert size == pytest.approx(550, rel=0.005), (
        "550 compositions all alike are worth 550 images"
    )
    assert (low, high) == pytest.approx(wilson(550 * rate, 550), abs=1e-4)
    low, high, size = cluster_interval(np.full(20, 8 * rate), np.full(20, 8))
    assert 17 < size < 20, (
        "few compositions count for a little less, as chi-square is t squared"
    )
    assert high - low > 0.1


def test_one_wrong_of_4400_leaves_the_interval_where_it_was():
    n = np.full(550, 8)
    ends = [
        cluster_interval(n - (np.arange(550) < wrong), n)[:2]
        for wrong in (0, 1, 10)
    ]
    assert ends[0] == pytest.approx((0.9930, 1), abs=1e-4)
    assert ends[1] == pytest.approx((0.9928, 0.99996), abs=1e-4)
    assert ends[2] == pytest.approx((0.9907, 0.9988), abs=1e-4)


SHAPES = {
    "one size": lambda rng: np.full(rng.integers(2, 40), 8),
    "many sizes": lambda rng: rng.integers(1, 30, rng.integers(2, 25)),
    "one is most of it": lambda rng: np.append(rng.integers(1, 4, 12), 200),
    "one image each": lambda rng: np.ones(rng.integers(2, 40), int),
    "one composition": lambda rng: rng.integers(1, 50, 1),
    "two": lambda rng: rng.integers(1, 6, 2),
}
WAYS = {
    "all right": lambda rng, n: n.copy(),
    "all wrong": lambda rng, n: np.zeros_like(n),
    "as coins fall": lambda rng, n: rng.binomial(n, rng.random()),
    "whole compositions": lambda rng, n: n * (rng.random(len(n)) < 0.5),
    "nearly all": lambda rng, n: n - rng.binomial(n, 0.03),
    "a few and one whole": lambda rng, n: np.where(
        n == n.max(), n, np.minimum(n, rng.random(len(n)) < 0.1)
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
def test_one_more_right_answer_lowers_neither_bound(shape, way):
    rng = np.random.default_rng([len(shape), len(way)])
    for _ in range(6):
        n = SHAPES[shape](rng)
        right = WAYS[way](rng, n)
        before = cluster_interval(right, n)
        for place in rng.permutation(len(n))[:6]:
            if right[place] < n[place]:
                more = right + (np.arange(len(n)) == place)
                after = cluster_interval(more, n)
                for end in (0, 1):
                    assert after[end] >= before[end] - 1e-10, (
                        right,
                        n,
                        place,
                        before,
                        after,
                    )
        assert 0 <= before[0] <= right.sum() / n.sum() <= before[1] <= 1
        assert 0 < before[2] <= n.sum()


def test_from_none_right_to_all_right_the_bounds_rise_in_step():
    n = np.array([3, 8, 8, 40, 1])
    right, ends = np.zeros(5, int), []
    for place in np.random.default_rng(5).permutation(
        np.repeat(np.arange(5), n)
    ):
        right[place] += 1
        ends.append(cluster_interval(right, n)[:2])
    steps = np.diff(np.array(ends), axis=0)
    assert (steps >= -1e-10).all()
    assert steps.max() < 0.15, "a bound jumps from one right answer to the next"


def test_right_and_wrong_are_mirror_images():
    right, n = np.array([0, 3, 8, 5]), np.array([4, 5, 8, 9])
    low, high, size = cluster_interval(right, n)
    assert cluster_interval(n - right, n) == pytest.approx(
        (1 - high, 1 - low, size)
    )


IMPOSSIBLE = [
    ([1, 1], [1, 0]),
    ([3], [2]),
    ([-1], [2]),
    ([1], [2, 2]),
    ([], []),
    ([0], [0]),
]


@pytest.mark.parametrize(("right", "n"), IMPOSSIBLE)
def test_compositions_that_cannot_be_are_refused(right, n):
    with pytest.raises(ValueError, match=r"images|n above 0"):
        cluster_interval(right, n)


def test_compositions_without_images_tell_nothing():
    assert cluster_interval([3, 0, 5], [4, 0, 9]) == cluster_interval(
        [3, 5], [4, 9]
    )


def test_of_one_composition_almost_nothing_is_known():
    low, high, size = cluster_interval([5], [8])
    assert size < 2.5
    assert high - low > 0.7


def _clusters(rng, count, rate, alike):
    """(right, n): 4 to 12 images a composition, whose own rates vary; ``alike``: their
    intraclass correlation.
    """
    n = rng.integers(4, 13, count)
    total = 1 / alike - 1
    return rng.binomial(n, rng.beta(rate * total, (1 - rate) * total, count)), n


@pytest.mark.parametrize(
    ("count", "rate", "alike"),
    [
        (550, 0.9, 0.25),
        (100, 0.5, 0.4),
        (30, 0.7, 0.25),
        (100, 0.02, 0.3),
        (100, 0.94, 0.3),
        (100, 0.99, 0.3),
    ],
)
def test_intervals_cover_the_rate_where_images_come_in_compositions_and_wilsons_do_not(
    count, rate, alike
):
    rng, draws = np.random.default_rng(1), 500
    ours = plain = 0
    for _ in range(draws):
        right, n = _clusters(rng, count, rate, alike)
        low, high, _ = cluster_interval(right, n)
        ours += low <= rate <= high
        low, high = wilson(int(right.sum()), int(n.sum()))
        plain += low <= rate <= high
    assert 0.93 <= ours / draws <= 0.985, (
        f"95 % intervals over compositions cover in {ours / draws:.1%} of draws"
    )
    assert plain / draws < 0.8, (
        f"this simulation is too tame: Wilson over images covers in {plain / draws:.1%}"
    )


def test_the_gap_combines_the_two_intervals_as_published():
    # 56 of 70 less 48 of 80: 0.2000 (0.0524, 0.3339), Newcombe 1998, Statistics in Medicine
    # 17:873-890, method 10
    known, novel = ((s / n, *wilson(s, n)) for s, n in ((56, 70), (48, 80)))
    found = seen_and_novel(known, novel)
    assert (found["gap"], found["gap_low"], found["gap_high"]) == pytest.approx(
        (0.2, 0.0524, 0.3339), abs=5e-5
    )


def test_the_harmonic_mean_of_equal_rates_has_a_narrower_interval_than_either():
    rate = (0.5, 0.4, 0.6)
    low, high = joint_interval(harmonic_mean, rate, rate)
    assert 0.4 < low < 0.5 < high < 0.6
    assert math.isclose(high - low, 0.2 / math.sqrt(2), rel_tol=0.1)


def test_the_gap_covers_the_true_one():
    rng, held, draws = np.random.default_rng(2), 0, 600
    for _ in range(draws):
        rates = [
            (r.sum() / n.sum(), *cluster_interval(r, n)[:2])
            for r, n in (
                _clusters(rng, 200, 0.8, 0.3),
                _clusters(rng, 80, 0.6, 0.3),
            )
        ]
        found = seen_and_novel(*rates)
        held += found["gap_low"] <= 0.2 <= found["gap_high"]
    assert 0.93 <= held / draws <= 0.975, (
        f"95 % intervals of the gap cover it in {held / draws:.1%} of draws"
    )


def test_groups_say_which_images_show_one_composition():
    """With object names as candidates, images of one object may show many compositions."""
    predictions, references = [0] * 40 + [1] * 40, [0] * 80
    parts = {"attributes": [0, 0], "objects": [0, 1]}
    alone = score(predictions, references, **parts)
    told = score(predictions, references, **parts, groups=np.arange(80) // 2)
    assert alone["object_top1_effective_n"] < 2.5
    assert told["object_top1_effective_n"] == pytest.approx(40, abs=2)
    with pytest.raises(
        ValueError, match="groups has 3 entries and references 80"
    ):
        score(predictions, references, **parts, groups=[0, 1, 2])
