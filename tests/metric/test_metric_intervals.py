"""Intervals take compositions as independent: known values, and coverage on simulated answers that come in clusters."""

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
    assert cluster_interval(right, np.ones(263)) == pytest.approx((*wilson(81, 263), 263))


def test_images_that_are_all_alike_in_a_composition_count_as_one():
    """40 compositions of 8 images, each all right or all wrong: as 40 images, of which 30 are right."""
    right, n = np.where(np.arange(40) < 30, 8, 0), np.full(40, 8)
    size = effective_images(right, n)
    assert 36 < size < 40, f"320 images in 40 blocks are worth about 40 independent ones, less for few; got {size}"
    low, high, _ = cluster_interval(right, n)
    assert (low, high) == pytest.approx(wilson(30, 40), abs=0.01)


def test_images_spread_more_evenly_than_chance_are_not_worth_more_than_themselves():
    assert 380 < effective_images(np.full(50, 4), np.full(50, 8)) <= 400


@pytest.mark.parametrize("rate", [0, 1])
def test_at_0_and_100_percent_there_is_an_interval_and_images_of_a_composition_count_as_one(rate):
    low, high, size = cluster_interval(np.full(20, 8 * rate), np.full(20, 8))
    assert size == 20
    assert (low, high) == pytest.approx(wilson(20 * rate, 20))
    assert high - low > 0.1


def test_of_one_composition_almost_nothing_is_known():
    low, high, size = cluster_interval([5], [8])
    assert size == 1
    assert high - low > 0.7


def _clusters(rng, count, rate, alike):
    """(right, n): 4 to 12 images a composition, whose own rates vary; ``alike``: their intraclass correlation."""
    n = rng.integers(4, 13, count)
    total = 1 / alike - 1
    return rng.binomial(n, rng.beta(rate * total, (1 - rate) * total, count)), n


@pytest.mark.parametrize(("count", "rate", "alike"), [(550, 0.9, 0.25), (100, 0.5, 0.4), (30, 0.7, 0.25)])
def test_intervals_cover_the_rate_where_images_come_in_compositions_and_wilsons_do_not(count, rate, alike):
    rng, draws = np.random.default_rng(1), 1000
    ours = plain = 0
    for _ in range(draws):
        right, n = _clusters(rng, count, rate, alike)
        low, high, _ = cluster_interval(right, n)
        ours += low <= rate <= high
        low, high = wilson(int(right.sum()), int(n.sum()))
        plain += low <= rate <= high
    assert 0.93 <= ours / draws <= 0.97, f"95 % intervals over compositions cover in {ours / draws:.1%} of draws"
    assert plain / draws < 0.8, f"this simulation is too tame: Wilson over images covers in {plain / draws:.1%}"


def test_the_gap_combines_the_two_intervals_as_published():
    # 56 of 70 less 48 of 80: 0.2000 (0.0524, 0.3339), Newcombe 1998, Statistics in Medicine 17:873-890, method 10
    known, novel = ((s / n, *wilson(s, n)) for s, n in ((56, 70), (48, 80)))
    found = seen_and_novel(known, novel)
    assert (found["gap"], found["gap_low"], found["gap_high"]) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_the_harmonic_mean_of_equal_rates_has_a_narrower_interval_than_either():
    rate = (0.5, 0.4, 0.6)
    low, high = joint_interval(harmonic_mean, rate, rate)
    assert 0.4 < low < 0.5 < high < 0.6
    assert math.isclose(high - low, 0.2 / math.sqrt(2), rel_tol=0.1)


def test_the_gap_covers_the_true_one():
    rng, held, draws = np.random.default_rng(2), 0, 600
    for _ in range(draws):
        rates = [(r.sum() / n.sum(), *cluster_interval(r, n)[:2])
                 for r, n in (_clusters(rng, 200, 0.8, 0.3), _clusters(rng, 80, 0.6, 0.3))]  # fmt: skip
        found = seen_and_novel(*rates)
        held += found["gap_low"] <= 0.2 <= found["gap_high"]
    assert 0.93 <= held / draws <= 0.975, f"95 % intervals of the gap cover it in {held / draws:.1%} of draws"


def test_groups_say_which_images_show_one_composition():
    """With object names as candidates, images of one object may show many compositions."""
    predictions, references = [0] * 40 + [1] * 40, [0] * 80
    parts = {"attributes": [0, 0], "objects": [0, 1]}
    alone = score(predictions, references, **parts)
    told = score(predictions, references, **parts, groups=np.arange(80) // 2)
    assert alone["object_top1_effective_n"] == 1
    assert told["object_top1_effective_n"] == pytest.approx(40, abs=2)
    with pytest.raises(ValueError, match="groups has 3 entries and references 80"):
        score(predictions, references, **parts, groups=[0, 1, 2])
