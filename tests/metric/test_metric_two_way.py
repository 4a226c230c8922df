"""The interval for attributes and objects like these: known variances, order of the bounds, what
is refused.
"""

import numpy as np
import pytest
from compositional_ood.compositional_ood import (
    cluster_interval,
    pigeonhole_draws,
    score,
    shown_interval,
    two_way_interval,
    two_way_variance,
    wide_gap,
)

#: By statsmodels 0.15.0 on the answers of `crossed_answers`: OLS on a constant, cov_type "cluster",
#: groups attribute and object; small-sample factors G / (G - 1) of each term put in its place.
STATSMODELS_VARIANCE = 0.005417908332925426


def crossed_answers(seed=3, attributes=12, objects=9, images=4, spread=1.0):
    """Answers of images of every pair of attributes and objects that differ in difficulty."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, spread, attributes)[:, None] + rng.normal(
        0, spread, objects
    )
    rate = 1 / (1 + np.exp(-(1 + hard).ravel()))
    a, o = np.divmod(np.arange(attributes * objects), objects)
    return rng.binomial(images, rate), np.full(len(rate), images), a, o


def test_the_variance_is_that_of_statsmodels():
    variance, least = two_way_variance(*crossed_answers())
    assert variance == pytest.approx(STATSMODELS_VARIANCE, rel=1e-9)
    assert least == 9


def test_rows_of_one_composition_may_be_split():
    right, n, a, o = crossed_answers()
    halves = [np.concatenate([part, part]) for part in (a, o)]
    some = right // 2
    split = np.concatenate([some, right - some]), np.full(2 * len(n), 2)
    assert two_way_variance(*split, *halves) == pytest.approx(
        two_way_variance(right, n, a, o)
    )


@pytest.mark.parametrize("seed", range(6))
def test_it_is_never_inside_the_interval_of_compositions(seed):
    spread = [0.0, 0.5, 2.0][seed % 3]
    right, n, a, o = crossed_answers(seed, spread=spread)
    low, high, _ = cluster_interval(right, n)
    wide = two_way_interval(right, n, a, o)
    assert 0 <= wide[0] <= low <= right.sum() / n.sum() <= high <= wide[1] <= 1


def test_attributes_and_objects_that_differ_widen_it_and_their_order_does_not_matter():
    right, n, a, o = crossed_answers(spread=1.5)
    low, high, _ = cluster_interval(right, n)
    wide = two_way_interval(right, n, a, o)
    assert wide[1] - wide[0] > 2 * (high - low)
    assert two_way_interval(right, n, o, a) == pytest.approx(wide)
    order = np.random.default_rng(0).permutation(len(n))
    mixed = two_way_interval(right[order], n[order], a[order] + 70, o[order])
    assert mixed == pytest.approx(wide)


def test_the_pigeonhole_bootstrap_spreads_about_as_much():
    counts = crossed_answers(attributes=30, objects=40)
    drawn = pigeonhole_draws(*counts, draws=1500)
    variance, _ = two_way_variance(*counts)
    assert 0.85 < drawn.var() / variance < 1.35, (drawn.var(), variance)


@pytest.mark.parametrize("way", ["attribute", "object", "right", "wrong"])
def test_where_nothing_tells_how_they_differ_it_is_not_computed(way):
    right, n, a, o = crossed_answers()
    if way in ("right", "wrong"):
        right = n if way == "right" else 0 * n
    else:
        a, o = (0 * a, o) if way == "attribute" else (a, 0 * o)
    assert two_way_interval(right, n, a, o) is None
    references = np.repeat(np.arange(len(n)), n)
    wrong = (references + 1) % len(n)
    k = np.arange(n.max()) < right[:, None]
    predictions = np.where(k.ravel(), references, wrong)
    parts = np.column_stack([a, o])[references]
    both = crossed_answers()[2:]
    scores = score(predictions, references, *both, group_parts=parts)
    assert "composition_top1_wide_low" not in scores
    assert shown_interval(scores, "composition_top1") == (
        scores["composition_top1_low"],
        scores["composition_top1_high"],
    )


def images_of(right, n, a, o):
    references = np.repeat(np.arange(len(n)), n)
    hit = (np.arange(n.max()) < right[:, None]).ravel()
    return (
        np.where(hit, references, (references + 1) % len(n)),
        references,
        a,
        o,
    )


def test_the_metric_takes_parts_from_its_right_candidates_or_as_they_are_passed():
    counts = crossed_answers()
    predictions, references, a, o = images_of(*counts)
    scores = score(predictions, references, a, o)
    assert shown_interval(scores, "composition_top1") == pytest.approx(
        two_way_interval(*counts)
    )
    # the same images among the objects alone, with what they show
    parts = np.column_stack([a, o])[references]
    objects = np.arange(9)
    alone = score(o[predictions], o[references], 0 * objects, objects)
    assert "composition_top1_wide_low" not in alone
    named = score(
        o[predictions],
        o[references],
        0 * objects,
        objects,
        groups=references,
        group_parts=parts,
    )
    assert named["composition_top1_wide_low"] < named["composition_top1_low"]
    by_draws = score(predictions, references, a, o, bootstrap=200)
    assert (
        by_draws["composition_top1_wide_low"]
        <= scores["composition_top1_wide_low"]
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            [[0, 0]],
            "group_parts must be a pair .* each of 3 images; got \\(1, 2\\)",
        ),
        ([0, 1, 2], "group_parts must be a pair"),
        ([[0, 0], [0, -1], [1, 0]], "group_parts\\[1\\] is -1"),
        ([[0, 0], [0, 0.5], [1, 0]], "group_parts\\[1\\] is the float 0.5"),
    ],
)
def test_parts_that_are_no_pairs_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        score([0, 1, 2], [0, 1, 2], [0, 0, 1], [0, 1, 0], group_parts=parts)


def test_the_gap_has_both_intervals():
    novel, seen = crossed_answers(3), crossed_answers(4)
    predictions, references, a, o = images_of(*novel)
    named, right, _, _ = images_of(*seen)
    scores = score(predictions, references, a, o, named, right)
    low, high = shown_interval(scores, "gap")
    assert low < scores["gap_low"] < scores["gap"] < scores["gap_high"] < high
    assert wide_gap([0.5, None, None], [0.5, 0.4, 0.6]) == {}
