"""Each measure on embeddings whose answer is known: held apart, entangled, random."""

import re
from pathlib import Path

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
from aobench.analysis.factor_fit import (
    all_measures,
    factor_fit,
    retrieval,
    sample_compositions,
)
from aobench.analysis.probe_span import (
    PROBED,
    factor_cosine,
    probe_measures,
    refused_dci,
    whitened_span,
)
from aobench.errors import UserError

DOCUMENT = Path(__file__).parents[2] / "docs" / "effective.md"


@pytest.fixture(scope="module")
def found():
    return {
        case: all_measures(*made_embeddings(case))
        | probe_measures(*made_embeddings(case))
        for case in ("factored", "one_number", "entangled", "random")
    }


def test_every_measure_is_given_and_explained(found):
    more = {"retrieval_chance", "factor_cosine_chance", "n", "dimensions"}
    assert {*EXPLAINED, *PROBED} | more == set(found["factored"])


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


@pytest.mark.parametrize("measure", [*EXPLAINED, *PROBED])
def test_the_document_quotes_these_figures(found, measure):
    """The tables of constructed embeddings in docs/effective.md; forests may differ in the last
    digit from one processor to another.
    """
    row = rf"^\| {measure} \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|"
    (said,) = re.findall(row, DOCUMENT.read_text(), re.MULTILINE)
    mine = [case[measure] for case in found.values()]
    assert [float(one) for one in said] == pytest.approx(mine, abs=0.0051)


def test_completeness_knows_one_dimension_from_a_block(found):
    """A factor spread evenly over 8 of 16 dimensions has 1 - log 8 / log 16 = 0.25; on one
    dimension 1.
    """
    assert found["factored"]["dci_completeness"] == pytest.approx(
        0.25, abs=0.06
    )
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


def test_of_many_images_whole_objects_are_sampled():
    z, factors = made_embeddings("factored")
    found = all_measures(z, factors, most=400)
    assert found["n"] == 3 * 8 * 16
    assert found["factor_r2"] > 0.95
    rows = sample_compositions(factors, 400)
    for thing in np.unique(factors[rows, 1]):
        assert len(np.unique(factors[rows][factors[rows, 1] == thing, 0])) == 8
    assert len(np.unique(factors[sample_compositions(factors, 10), 1])) == 2


def test_probes_read_what_is_held_apart_and_nothing_of_noise(found):
    apart, entangled, noise = (
        found[case] for case in ("factored", "entangled", "random")
    )
    assert apart["probe_attribute"] == apart["probe_object"] == 1
    assert apart["probe_r2"] > 0.95
    assert apart["factor_cosine"] < 0.05 < entangled["factor_cosine"]
    for case in (entangled, noise):
        assert case["probe_r2"] < 0.1
        assert case["probe_object"] < 0.35
        assert case["factor_cosine"] > 0.1


def test_the_cosine_is_chance_where_the_factors_share_their_directions():
    """Attributes and objects as random vectors of one space of 40 dimensions, or of halves."""
    rng = np.random.default_rng(0)
    _, factors = made_embeddings("random", attributes=12, objects=12, images=2)
    a, o = rng.standard_normal((2, 12, 40))
    shared, chance = factor_cosine(a[factors[:, 0]] + o[factors[:, 1]], factors)
    assert shared == pytest.approx(chance, rel=0.2)
    halves = np.hstack([a[factors[:, 0]], o[factors[:, 1]]])
    assert factor_cosine(halves, factors)[0] == pytest.approx(0, abs=1e-9)


def test_the_span_is_white_and_knows_no_scale():
    z, factors = made_embeddings("factored")
    weights = np.random.default_rng(1).standard_normal((16, 5))
    white = whitened_span(z, weights, np.arange(len(z)))
    assert white.shape[1] == 4, "five weights that are centred"
    assert np.cov(white, rowvar=False) == pytest.approx(np.eye(4), abs=0.02)
    plain, scaled = (probe_measures(one, factors) for one in (z, 7 * z + 3))
    assert scaled["probe_r2"] == pytest.approx(plain["probe_r2"], abs=1e-6)


def test_dci_is_refused_where_forests_know_less_than_half_of_what_a_probe_knows():
    rng = np.random.default_rng(2)
    _, factors = made_embeddings("random", attributes=4, objects=80, images=2)
    codes = rng.standard_normal((80, 80))
    z = codes[factors[:, 1]] + 1.2 * rng.standard_normal((len(factors), 80))
    found = all_measures(z, factors) | probe_measures(z, factors)
    assert found["probe_object"] > 0.7
    assert "the forests name the object in" in refused_dci(found)
    z, factors = made_embeddings("factored")
    assert (
        refused_dci(all_measures(z, factors) | probe_measures(z, factors)) == ""
    )


def test_weights_drawn_anew_are_others_and_the_same_each_time():
    import torch

    from aobench.analysis.random_weights import redraw_weights

    class Held:
        def __init__(self):
            layers = torch.nn.Linear(4, 3), torch.nn.LayerNorm(3)
            self.model = torch.nn.Sequential(*layers)
            self.model.token = torch.nn.Parameter(torch.full((2,), 9.0))

    one, other = Held(), Held()
    state = torch.random.get_rng_state()
    assert redraw_weights(one) == redraw_weights(other) == 4 * 3 + 3 + 6 + 2
    assert torch.equal(state, torch.random.get_rng_state())
    for a, b in zip(
        one.model.parameters(), other.model.parameters(), strict=True
    ):
        assert torch.equal(a, b)
    assert abs(float(one.model.token.detach().sum())) < 1
    with pytest.raises(UserError, match="no torch module"):
        redraw_weights(object())


def test_a_dead_dimension_harms_nothing():
    z, factors = made_embeddings("factored")
    wide = np.column_stack([z, np.full(len(z), 3.0)])
    assert all_measures(wide, factors)["explicitness_object"] > 0.99


@pytest.mark.parametrize(
    ("z", "factors", "message"),
    [
        (np.zeros((4, 2)), np.zeros((3, 2), int), "N x D"),
        (
            np.full((4, 2), np.nan),
            np.array([[0, 0], [0, 1], [1, 0], [1, 1]]),
            "NaN",
        ),
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
