"""The seen-novel curve: against slow computations, the field's evaluator, simulated truth."""

import numpy as np
import pytest
from compositional_ood.compositional_ood import (
    Offered,
    curve_area,
    curve_scores,
    error_shares,
    field_evaluator,
    held_out_rates,
    score,
    seen_novel_curve,
)


def _random_table(rng):
    """Scores of images among seen and novel candidates, on a coarse grid so that ties occur."""
    seen, novel, images = (int(n) for n in rng.integers([1, 1, 2], [6, 6, 30]))
    scores = rng.integers(0, rng.integers(2, 30), (images, seen + novel)) / 4
    label = rng.integers(0, seen + novel, images)
    label[:2] = 0, seen  # an image of each side
    scores[np.arange(images), label] += rng.integers(0, 3)
    return scores, label, seen


def _sides(scores, label, seen):
    """(margins, right) of the seen images, and of the novel ones."""
    margins = scores[:, :seen].max(1) - scores[:, seen:].max(1)
    best = [scores[:, :seen].argmax(1), seen + scores[:, seen:].argmax(1)]
    known = label < seen
    right = np.where(known, best[0] == label, best[1] == label)
    return (margins[known], right[known]), (margins[~known], right[~known])


def _accuracies(scores, label, seen, bias):
    """Seen and novel accuracy with a bias, by a search through all candidates; ties go to seen."""
    moved = scores.copy()
    moved[:, seen:] += bias
    hit = moved.argmax(1) == label
    return hit[label < seen].mean(), hit[label >= seen].mean()


def _slow_curve(scores, label, seen):
    """Every bias between two differences of any scores, and beyond them."""
    differences = np.unique(scores[:, :seen, None] - scores[:, None, seen:])
    middle = (differences[1:] + differences[:-1]) / 2
    ends = differences[0] - 1, differences[-1] + 1
    biases = np.sort(np.concatenate([ends[:1], middle, ends[1:]]))
    return np.array([_accuracies(scores, label, seen, bias) for bias in biases])


def test_the_curve_is_that_of_every_bias():
    rng = np.random.default_rng(0)
    for _ in range(150):
        table = _random_table(rng)
        seen, novel = _sides(*table)
        curve = seen_novel_curve(*seen, *novel)
        slow = _slow_curve(*table)
        fast = set(zip(curve.seen.tolist(), curve.novel.tolist(), strict=True))
        assert {tuple(point) for point in slow.tolist()} == fast
        for bias, *point in zip(
            curve.bias, curve.seen, curve.novel, strict=True
        ):
            assert _accuracies(*table, bias) == tuple(point), (
                f"at the bias {bias}"
            )
        groups = [np.arange(len(side[0])) for side in (seen, novel)]
        area = curve_area(*seen, groups[0], *novel, groups[1])[0]
        assert area == pytest.approx(np.trapezoid(slow[:, 0], slow[:, 1]))
        means = 2 * slow.prod(1) / np.maximum(slow.sum(1), 1e-300)
        assert curve.harmonic_means.max() == pytest.approx(means.max())


def test_the_compatibility_mode_is_the_fields_evaluator():
    """The evaluator with its loop over biases, each a search through all candidates."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        scores, label, seen = _random_table(rng)
        scores += rng.normal(0, 1, scores.shape)
        known = label < seen
        novel_scores = scores[~known]
        best = seen + novel_scores[:, seen:].argmax(1)
        own = novel_scores[np.arange(len(best)), label[~known]]
        gaps = np.sort(
            (novel_scores[:, :seen].max(1) - own)[best == label[~known]]
        )
        values = field_evaluator(*sum(_sides(scores, label, seen), ()))
        if not len(gaps):
            assert np.isnan(values["auc"])
            continue
        biases = [*(gaps - 1e-4)[:: max(len(gaps) // 20, 1)], 1e3]
        points = np.array([_accuracies(scores, label, seen, b) for b in biases])
        assert values["auc"] == pytest.approx(
            np.trapezoid(points[:, 0], points[:, 1])
        )
        means = 2 * points.prod(1) / np.maximum(points.sum(1), 1e-300)
        assert values["best_harmonic_mean"] == pytest.approx(means.max())
        assert values["best_seen"] == points[:, 0].max()


def test_ends_of_the_scale():
    groups = np.repeat(np.arange(5), 2)
    ones, zeros = np.ones(10, bool), np.zeros(10, bool)
    for right, area in ((ones, 1), (zeros, 0)):
        side = (np.full(10, 3.0), right, groups)
        other = (np.full(10, -3.0), right, groups)
        scores = curve_scores(side, other, candidates=(4, 9))
        assert scores["seen_novel_auc"] == area == scores["best_harmonic_mean"]
        width = scores["seen_novel_auc_high"] - scores["seen_novel_auc_low"]
        assert 0.3 < width < 0.6, "five compositions a side tell less than that"
        assert scores["held_out_harmonic_mean"] == area
    assert scores["harmonic_mean_chance"] == pytest.approx(2 / (2 + 3) ** 2)


def test_chance_is_that_of_random_scores():
    rng = np.random.default_rng(2)
    n, seen, novel = 20_000, 4, 9
    label = np.concatenate([np.zeros(n, int), np.full(n, seen)])
    scores = rng.normal(size=(2 * n, seen + novel))
    sides = _sides(scores, label, seen)
    groups = [np.arange(n)] * 2
    both = [(*side, group) for side, group in zip(sides, groups, strict=True)]
    result = curve_scores(*both, candidates=(seen, novel))
    # of random scores the best of more candidates is higher, which moves the bias and not the area
    assert result["seen_novel_auc"] == pytest.approx(
        result["seen_novel_auc_chance"], rel=0.05
    )
    assert result["best_harmonic_mean"] == pytest.approx(
        result["harmonic_mean_chance"], rel=0.05
    )


def _drawn(rng, compositions, images):
    """Images of compositions that are more or less easy: margins, right, groups of each side."""
    sides = []
    for sign in (1, -1):
        ease = rng.normal(0, 1, compositions)[:, None]
        margins = sign * 0.7 + 0.6 * rng.normal(size=(compositions, images))
        right = rng.normal(size=(compositions, images)) + ease > -1
        margins = margins + sign * 0.5 * ease
        groups = np.repeat(np.arange(compositions), images)
        sides.append((margins.ravel(), right.ravel(), groups))
    return sides


def test_the_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(3)
    large = curve_scores(*_drawn(rng, 30_000, 4))
    hits, draws = {"seen_novel_auc": 0, "held_out_harmonic_mean": 0}, 120
    for _ in range(draws):
        scores = curve_scores(*_drawn(rng, 40, 5))
        for key in hits:
            truth = large[key]
            hits[key] += scores[f"{key}_low"] <= truth <= scores[f"{key}_high"]
    for key, count in hits.items():
        assert 0.9 <= count / draws <= 1, f"{key}: {count} of {draws}"


def test_a_held_out_bias_is_chosen_on_other_compositions():
    """Where a composition's own images alone tell the bias, a bias of others does not help."""
    groups = np.repeat(np.arange(40), 5)
    right = np.ones(200, bool)
    rng = np.random.default_rng(4)
    both = [(rng.normal(size=200), right, groups) for _ in range(2)]
    seen, novel = held_out_rates(*both[0], *both[1])
    best = curve_scores(*both)["best_harmonic_mean"]
    pooled = 2 * seen.mean() * novel.mean() / (seen.mean() + novel.mean())
    assert pooled < best, "the best bias of these very images flatters"
    with pytest.raises(ValueError, match=r"3 compositions .* can't be halved"):
        held_out_rates(*(one[:15] for one in both[0]), *both[1])
    few = curve_scores(tuple(one[:15] for one in both[0]), both[1])
    assert "held_out_harmonic_mean" not in few


def test_where_errors_fall_beside_chance():
    attribute = np.array([0, 0, 1, 1, 2, 2])
    thing = np.array([0, 1, 0, 1, 0, 2])
    known = np.array([True, True, True, False, False, False])
    marks = {"same_attribute": attribute, "same_object": thing, "seen": known}
    first = np.array([0, 1, 3, -1, 2, 5])
    right = np.array([0, 0, 0, 0, 4, 3])
    shares = error_shares(first, right, right, marks)
    assert shares["errors_n"] == 4, "one is right and one has no answer"
    assert shares["errors_same_attribute"] == 1 / 4
    assert shares["errors_same_object"] == 1 / 4
    assert shares["errors_seen"] == 2 / 4
    for name, mark in marks.items():
        truth = mark.dtype == bool
        chances = []
        for row in (1, 2, 4, 5):
            others = [mark[c] for c in range(6) if c != right[row]]
            chances.append(
                np.mean(
                    [m == (True if truth else mark[right[row]]) for m in others]
                )
            )
        assert shares[f"errors_{name}_chance"] == pytest.approx(
            np.mean(chances)
        )
        low, high = (shares[f"errors_{name}_{end}"] for end in ("low", "high"))
        assert low <= shares[f"errors_{name}"] <= high
    offered = [np.array([0, 1, 2, 3, 4, 5])] * 6
    assert error_shares(
        first, right, right, marks, Offered.of(offered)
    ) == pytest.approx(shares)
    assert error_shares(right, right, right, marks) == {"errors_n": 0}


CURVE = {
    "predictions": [2, 0],
    "references": [2, 3],
    "margins": [-0.5, 0.25],
    "side_ranks": [0, 0],
    "id_predictions": [0, 1],
    "id_references": [0, 1],
    "id_margins": [1.0, 0.5],
    "id_side_ranks": [0, 0],
    "seen_candidates": [True, True, False, False],
    "attributes": [0, 1, 0, 1],
    "objects": [0, 1, 1, 0],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"margins": None}, "give all of them"),
        ({"seen_candidates": None}, "give all of them"),
        ({"margins": [-0.5, float("nan")]}, r"margins\[1\] is nan"),
        (
            {"id_margins": [1.0]},
            "id_margins and id_side_ranks have an entry an image",
        ),
        ({"margins": ["a", "b"]}, "margins must hold numbers"),
        (
            {"margins": [0.5, 0.25]},
            r"predictions\[0\] is right, which margins\[0\]",
        ),
        ({"margins": [-0.5, -0.25]}, r"predictions\[1\] is wrong"),
        ({"id_side_ranks": [0, 1]}, r"id_predictions\[1\] is right"),
        ({"side_ranks": [0, 9]}, r"side_ranks\[1\] is 9"),
        ({"seen_candidates": [1, 1, 0, 0]}, "true or false"),
        ({"seen_candidates": [True] * 4}, "both seen and novel"),
        (
            {"seen_candidates": [True, True, True, False]},
            r"references\[0\] is 2, a seen",
        ),
        (
            {"id_attributes": [0, 1], "id_objects": [0, 1]},
            "one list of candidates",
        ),
    ],
)
def test_what_makes_no_curve_is_refused(change, said):
    assert score(**CURVE)["seen_novel_auc"] == 1
    with pytest.raises(ValueError, match=said):
        score(**{**CURVE, **change})


def test_an_image_without_an_answer_is_wrong_at_every_bias():
    lost = {
        "predictions": [2, -1],
        "side_ranks": [0, -1],
        "margins": [-0.5, 0.0],
    }
    result = score(**{**CURVE, **lost})
    assert result["highest_novel_top1"] == 0.5 == result["seen_novel_auc"]
