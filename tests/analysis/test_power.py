"""Power: variance components and the smallest difference against simulations, plans, the verb."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from aobench.analysis.paired import two_way_test
from aobench.analysis.power import (
    SetDesign,
    VarianceParts,
    design_of,
    parse_design,
    plan_line,
    planned_parts,
    smallest_difference,
    standard_error,
    variance_parts,
)
from aobench.cli import main
from aobench.errors import UserError

CARDS = Path(__file__).parents[2] / "model_cards"


def drawn_values(parts, design, rng, mean=0.0):
    """Values of images with these components, on random pairs."""
    sizes = [
        int(design.attributes),
        int(design.objects),
        int(design.compositions),
    ]
    pairs = rng.choice(sizes[0] * sizes[1], sizes[2], replace=False)
    a, o = np.divmod(pairs, sizes[1])
    spread = [np.sqrt(part) for part in vars(parts).values()]
    cells = (
        rng.normal(0, spread[0], sizes[0])[a]
        + rng.normal(0, spread[1], sizes[1])[o]
    )
    cells = mean + cells + rng.normal(0, spread[2], sizes[2])
    a, o, cells = (np.repeat(one, int(design.images)) for one in (a, o, cells))
    return cells + rng.normal(0, spread[3], len(cells)), a, o


TRUE = VarianceParts(0.02, 0.01, 0.03, 0.1)
DESIGN = SetDesign(60, 80, 1500, 4)


def test_components_are_those_that_were_put_in():
    rng = np.random.default_rng(0)
    parts = [
        variance_parts(*drawn_values(TRUE, DESIGN, rng)) for _ in range(12)
    ]
    mean = np.mean([list(vars(one).values()) for one in parts], axis=0)
    assert mean == pytest.approx([0.02, 0.01, 0.03, 0.1], rel=0.15)
    even = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    design = design_of(*even)
    assert (design.attributes, design.objects) == (4, 3)
    assert (design.compositions, design.images) == (12, 1)
    assert min(vars(variance_parts(np.ones(12), *even)).values()) == 0


def test_the_smallest_difference_is_found_in_80_of_100_cases():
    rng, design = np.random.default_rng(1), SetDesign(24, 30, 400, 2)
    difference, called = smallest_difference(TRUE, design), 0
    for _ in range(400):
        values, a, o = drawn_values(TRUE, design, rng, difference)
        called += two_way_test(values, np.ones(len(values)), a, o)[2] < 0.05
    assert 0.73 < called / 400 < 0.88, f"{called} of 400"


def test_planned_components_are_those_of_answers():
    spread, rate = (1.0, 0.5, 0.8), 0.8
    parts = planned_parts(rate, spread)
    assert sum(vars(parts).values()) == pytest.approx(0.16, abs=1e-6)
    rng, design = np.random.default_rng(2), SetDesign(200, 300, 12_000, 4)
    a, o = np.divmod(rng.choice(60_000, 12_000, replace=False), 300)
    logits = 2.0 + rng.normal(0, 1.0, 200)[a] + rng.normal(0, 0.5, 300)[o]
    chance = np.repeat(expit(logits + rng.normal(0, 0.8, 12_000)), 4)
    values = (rng.random(48_000) < chance).astype(float)
    again = variance_parts(values, np.repeat(a, 4), np.repeat(o, 4))
    near = planned_parts(float(values.mean()), spread)
    for name, value in vars(near).items():
        assert getattr(again, name) == pytest.approx(
            value, rel=0.3, abs=2e-3
        ), name
    assert standard_error(near, design) < standard_error(
        near, SetDesign(99, 300, 12_000, 4)
    )


def test_images_of_the_same_pairs_buy_almost_nothing():
    parts = planned_parts(0.5).between_models(0.5)
    five, one = (
        smallest_difference(parts, SetDesign(80, 600, 12_000, n))
        for n in (5, 1)
    )
    assert 1 < one / five < 1.1
    assert "two models that differ by" in plan_line(
        SetDesign(80, 600, 12_000, 5)
    )
    all_shared = parts.between_models(1.0)
    assert (all_shared.attributes, all_shared.objects) == (0, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--design", "80x600"], "write attributes x objects x compositions"),
        (["--design", "8x6x100x1"], "have 48 compositions"),
        (["--design", "1x60x10x1"], "two attributes and two objects"),
        ([], "name a result, or a plan by --design"),
        (["--design", "8x6x40x1", "--rate", "1"], "a fraction between 0 and 1"),
        ([str(CARDS / "mini"), "--rate", "0.5"], "a result has its own"),
        (
            ["--design", "8x6x40x1", "--agreement", "1"],
            "share from 0 to below 1",
        ),
        ([str(CARDS / "mini")] * 3, "power takes one result, or two"),
        ([str(CARDS / "mini"), "--split", "test"], "no split 'test'"),
    ],
)
def test_bad_arguments_are_one_line(words, message, capsys):
    assert main(["power", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_verb_prints_what_more_buys(capsys):
    assert (
        main(["power", str(CARDS / "mini"), "--design", "24x110x2000x1"]) == 0
    )
    text = capsys.readouterr().out
    assert "24 attributes, 110 objects, 550 compositions x 8 images" in text
    assert "83.0 % right" in text
    both = [str(CARDS / name) for name in ("mini", "efficientnet-lite0")]
    assert main(["power", *both, "--kind", "object"]) == 0
    assert "The two models differ by +29.4 points" in capsys.readouterr().out
    assert main(["power", "--design", "80x600x12000x5", "--rate", "0.9"]) == 0
    assert "at 90 % right" in capsys.readouterr().out
    with pytest.raises(UserError, match="--design is"):
        parse_design("80 x 600")
