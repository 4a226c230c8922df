"""Each measure on embeddings whose answer is known: held apart, entangled, random."""

import numpy as np
import pytest
from helpers.made_embeddings import made_embeddings

from aobench.analysis.disentanglement import (
    EXPLAINED,
    dcimig,
    explicitness,
    hold_out,
    soft_rank,
    z_diff,
)
from aobench.analysis.factor_fit import all_measures, factor_fit, retrieval
from aobench.errors import UserError


@pytest.fixture(scope="module")
def found():
    return {
        case: all_measures(*made_embeddings(case))
        for case in ("factored", "one_number", "entangled", "random")
    }


def test_every_measure_is_given_and_explained(found):
    assert set(EXPLAINED) | {"retrieval_chance", "n", "dimensions"} == set(
        found["factored"]
    )


@pytest.mark.parametrize(
    ("measure", "factored", "entangled", "random"),
    [
        ("z_diff", (0.99, 1.0), (0.35, 0.65), (0.35, 0.65)),
        ("dci_disentanglement", (0.95, 1.0), (0.0, 0.15), (0.0, 0.02)),
        ("informativeness_attribute", (0.99, 1.0), (0.0, 0.3), (0.05, 0.2)),
        ("informativeness_object", (0.99, 1.0), (0.0, 0.3), (0.05, 0.2)),
        ("explicitness_attribute", (0.99, 1.0), (-0.4, 0.4), (-0.15, 0.15)),
        ("explicitness_object", (0.99, 1.0), (-0.4, 0.4), (-0.15, 0.15)),
        ("factor_r2", (0.98, 1.0), (-3.0, 0.1), (-3.0, 0.1)),
        ("retrieval", (0.99, 1.0), (0.0, 0.12), (0.0, 0.12)),
    ],
)
def test_known_answers(found, measure, factored, entangled, random):
    for case, (low, high) in (
        ("factored", factored),
        ("entangled", entangled),
        ("random", random),
    ):
        assert low <= found[case][measure] <= high, (
            f"{measure} of the {case} case is {found[case][measure]:.3f}"
        )


def test_completeness_knows_one_dimension_from_a_block(found):
    """A factor spread evenly over 8 of 16 dimensions has 1 - log 8 / log 16 = 0.25; on one
    dimension 1.
    """
    assert found["factored"]["dci_completeness"] == pytest.approx(0.25, abs=0.06)
    assert found["one_number"]["dci_completeness"] > 0.85
    assert found["random"]["dci_completeness"] < 0.02


def test_dcimig_is_one_where_one_dimension_holds_a_factor(found):
    assert found["one_number"]["dcimig"] == pytest.approx(1, abs=1e-9)
    assert found["random"]["dcimig"] < 0.03
    # A one-hot dimension holds H(1/8) of log 8: the best of each factor, over both entropies.
    z, factors = made_embeddings("factored", noise=0)
    bit = -(1 / 8 * np.log(1 / 8) + 7 / 8 * np.log(7 / 8))
    assert dcimig(z, factors) == pytest.approx(bit / np.log(8), abs=0.01)


def test_soft_rank_counts_dimensions(found):
    """One-hot blocks have 7 + 7 directions of equal variance; noise has 16; a line has 1."""
    assert found["factored"]["soft_rank"] == pytest.approx(14, abs=0.3)
    assert found["random"]["soft_rank"] == pytest.approx(16, abs=0.3)
    assert soft_rank(np.outer(np.arange(10.0), np.ones(4))) == pytest.approx(
        1, abs=1e-6
    )


def test_no_composition_is_on_both_sides_and_every_value_is_fitted_on():
    _, factors = made_embeddings("random")
    parts = hold_out(factors)
    sides = [
        {tuple(row) for row in factors[rows].tolist()}
        for rows in (parts.fit, parts.score)
    ]
    assert not sides[0] & sides[1]
    for k in range(2):
        assert {row[k] for row in sides[0]} == set(range(8))


def test_the_factor_fit_recovers_the_vectors():
    z, factors = made_embeddings("factored", noise=0)
    fitted = factor_fit(z, factors)
    assert fitted.predict(factors) == pytest.approx(z)
    assert fitted.vectors[0].sum(0) == pytest.approx(np.zeros(16), abs=1e-9)
    with pytest.raises(UserError, match="not among those fitted on"):
        fitted.predict(np.array([[99, 0]]))


def test_retrieval_takes_directions_that_are_given():
    z, factors = made_embeddings("factored")
    parts = hold_out(factors)
    right = np.pad(np.eye(8), ((0, 0), (0, 8)))
    assert retrieval(z, factors, parts, right)[0] == 1
    assert retrieval(z, factors, parts, np.roll(right, 1, axis=0))[0] < 0.2


def test_labels_at_random_score_at_chance():
    """Held-out scoring: shuffled labels of a perfect embedding are told at chance."""
    z, factors = made_embeddings("factored")
    mixed = np.random.default_rng(0).permutation(factors)
    parts = hold_out(mixed)
    assert abs(explicitness(z, mixed[:, 0], parts)) < 0.2
    assert 0.3 < z_diff(z, mixed, parts) < 0.7


def test_of_many_images_whole_compositions_are_sampled():
    z, factors = made_embeddings("factored")
    found = all_measures(z, factors, most=400)
    assert 380 <= found["n"] <= 400
    assert found["n"] % 16 == 0
    assert found["factor_r2"] > 0.95


def test_a_dead_dimension_harms_nothing():
    z, factors = made_embeddings("factored")
    wide = np.column_stack([z, np.full(len(z), 3.0)])
    assert all_measures(wide, factors)["explicitness_object"] > 0.99


@pytest.mark.parametrize(
    ("z", "factors", "message"),
    [
        (np.zeros((4, 2)), np.zeros((3, 2), int), "N x D"),
        (np.full((4, 2), np.nan), np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), "NaN"),
        (
            np.zeros((4, 2)),
            np.array([[0, 0], [0, 1], [0, 2], [0, 3]]),
            "two attributes",
        ),
        (np.zeros((2, 2)), np.array([[0, 0], [1, 1]]), "none can be held out"),
    ],
)
def test_what_cannot_be_scored_is_refused(z, factors, message):
    with pytest.raises(UserError, match=message):
        all_measures(z, factors)
