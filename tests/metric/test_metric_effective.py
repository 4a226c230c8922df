"""Effective generalization: accuracy beyond what a baseline's line expects."""

import numpy as np
import pytest
from compositional_ood.compositional_ood import TRANSFORMS, effective, score

PARTS = {"attributes": [0, 0, 1, 1], "objects": [0, 1, 0, 1]}


def _line(count=12, slope=0.9, intercept=-0.5, transform="logit"):
    scale = TRANSFORMS[transform]
    known = np.linspace(0.2, 0.8, count)
    return {
        "id": known.tolist(),
        "ood": np.asarray(
            scale.inverse(slope * scale.forward(known) + intercept)
        ).tolist(),
    }


@pytest.mark.parametrize("transform", list(TRANSFORMS))
def test_a_model_on_the_line_has_none_and_one_above_it_has_its_lead(transform):
    baseline = _line(slope=0.9, intercept=-0.05, transform=transform)
    scale = TRANSFORMS[transform]
    expected = float(
        scale.inverse(np.asarray(0.9 * scale.forward(np.asarray(0.5)) - 0.05))
    )
    result = effective(
        (5000, round(10_000 * expected)), (10_000, 10_000), baseline, transform
    )
    assert result["effective_composition_top1"] == pytest.approx(0, abs=1e-4)
    assert (
        result["effective_composition_top1_low"]
        < 0
        < result["effective_composition_top1_high"]
    )
    assert result["baseline_slope"] == pytest.approx(0.9)
    assert result["baseline_r2"] == pytest.approx(1)
    ahead = effective(
        (5000, round(10_000 * (expected + 0.1))),
        (10_000, 10_000),
        baseline,
        transform,
    )
    assert ahead["effective_composition_top1"] == pytest.approx(0.1, abs=1e-4)
    assert ahead["effective_composition_top1_low"] > 0


def test_the_interval_widens_with_a_scattered_baseline_and_fewer_images():
    exact = _line()
    noise = np.random.default_rng(0).normal(0, 0.08, 12)
    rough = {
        "id": exact["id"],
        "ood": np.clip(np.array(exact["ood"]) + noise, 0.01, 0.99).tolist(),
    }

    def width(baseline, n):
        result = effective((n // 2, n // 2), (n, n), baseline)
        return (
            result["effective_composition_top1_high"]
            - result["effective_composition_top1_low"]
        )

    assert width(rough, 10_000) > 1.5 * width(exact, 10_000)
    assert width(exact, 100) > 5 * width(exact, 10_000)


def test_outside_the_baseline_is_said():
    assert effective((95, 50), (100, 100), _line())["baseline_extrapolated"]
    assert not effective((50, 50), (100, 100), _line())["baseline_extrapolated"]


def test_a_model_that_is_always_right_has_a_finite_expectation():
    result = effective((100, 0), (100, 100), _line())
    assert 0 < result["expected_composition_top1"] < 1
    assert result["effective_composition_top1"] == pytest.approx(
        -result["expected_composition_top1"]
    )


def test_the_metric_takes_a_baseline():
    seen = {
        "id_predictions": [0, 1, 2, 3, 3, 0],
        "id_references": [0, 1, 2, 3, 0, 1],
    }
    result = score(
        [0, 1, 3, 3], [0, 1, 2, 3], **PARTS, **seen, baseline=_line()
    )
    assert result["effective_composition_top1"] == pytest.approx(
        0.75 - result["expected_composition_top1"]
    )
    assert result["baseline_n"] == 12


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        ([0.1, 0.2], "dictionary"),
        ({"id": [0.1, 0.2], "ood": [0.1, 0.2]}, "at least 3"),
        ({"id": [0.1, 0.2, 1.0], "ood": [0.1, 0.2, 0.3]}, r"id\[2\] is 1.0"),
        ({"id": [10, 20, 30], "ood": [0.1, 0.2, 0.3]}, "fractions"),
        ({"id": [0.5, 0.5, 0.5], "ood": [0.1, 0.2, 0.3]}, "no line"),
    ],
)
def test_a_baseline_that_gives_no_line_is_refused(baseline, words):
    seen = {"id_predictions": [0], "id_references": [0]}
    with pytest.raises(ValueError, match=words):
        score([0], [0], **PARTS, **seen, baseline=baseline)


def test_a_baseline_without_id_results_is_refused():
    with pytest.raises(ValueError, match="needs ID results"):
        score([0], [0], **PARTS, baseline=_line())


def _width(baseline, n=10**6):
    result = effective((n // 2, n // 2), (n, n), baseline)
    return (
        result["effective_composition_top1_high"]
        - result["effective_composition_top1_low"]
    )


@pytest.mark.parametrize(("count", "least"), [(3, 8), (4, 3), (5, 2)])
def test_few_baseline_models_widen_the_interval_as_student_does(count, least):
    """The line of few models is uncertain beyond what drawing them anew shows: t over z."""
    x = np.linspace(-1, 1, count)
    bend = 0.05 * (-1.0) ** np.arange(count)
    back = TRANSFORMS["logit"].inverse
    baseline = {"id": back(x).tolist(), "ood": back(x + bend).tolist()}
    many = {key: values * 20 for key, values in baseline.items()}
    # twenty of each have the same scatter and a 20th of the variance
    assert _width(baseline) / _width(many) > least * np.sqrt(20) / 2


def test_a_baseline_at_its_ends_needs_its_numbers_of_images():
    baseline = _line()
    ends = {key: [0.0, *values[1:-1], 1.0] for key, values in baseline.items()}
    with pytest.raises(
        ValueError, match=r"id\[0\] is 0.0.*id_images and ood_images"
    ):
        effective((50, 50), (100, 100), ends)
    counted = ends | {"id_images": [49] * 12, "ood_images": [49] * 12}
    smooth = {
        key: [0.01, *values[1:-1], 0.99] for key, values in baseline.items()
    }
    for seed in (0, 1):
        assert effective(
            (50, 50), (100, 100), counted, seed=seed
        ) == pytest.approx(
            effective((50, 50), (100, 100), smooth, seed=seed)
            | {"baseline_extrapolated": False}
        )


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"id_images": [9] * 12}, "two lists"),
        ({"id_images": [9] * 12, "ood_images": [9] * 11}, "same length"),
        (
            {"id_images": [0] * 12, "ood_images": [9] * 12},
            r"id_images\[0\] is 0.0",
        ),
        (
            {"id_images": [9] * 12, "ood_images": [float("nan")] * 12},
            "1 or more",
        ),
    ],
)
def test_numbers_of_images_that_cannot_be_are_refused(extra, words):
    with pytest.raises(ValueError, match=words):
        effective((50, 50), (100, 100), _line() | extra)
