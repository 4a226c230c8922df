"""The attributes beyond mini's: each paints something of its own, the same from the same seed."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from aobench.mini.fixed_point import colour_lanes
from aobench.mini.more_textures import BLOCK, drawing_form
from aobench.mini.pictures import picture
from aobench.mini.render import (
    ATTRIBUTES,
    MORE_ATTRIBUTES,
    PIXELS,
    draw,
    paint,
    render,
)

DRAWINGS = [
    ("teapot", "noto"),
    ("african elephant", "fluent"),
    ("violin", "noto"),
    ("castle", "fluent"),
]


def full(attribute, drawing, rng):
    """Colours under an attribute, 128 x 128 x 3, and the outline of what is painted."""
    shown = drawing_form(attribute, drawing)
    colours = np.zeros((128 * 128, 3), np.int64)
    colours[shown.seen.where] = np.minimum(
        colour_lanes(paint(attribute, shown, rng))[:, :3], 255
    )
    return colours.reshape(128, 128, 3), shown.alpha


def painted(name, style, seed=1):
    """What each attribute makes of a drawing, inside its outline; the drawing itself is `plain`."""
    drawing = picture(name, style)
    inside = drawing.alpha > 127
    found = {
        attribute: full(attribute, drawing, np.random.default_rng(seed))[0][
            inside
        ]
        for attribute in (*ATTRIBUTES, *MORE_ATTRIBUTES)
    }
    return {**found, "plain": drawing.rgb[inside].astype(np.int64)}


def test_none_of_them_is_one_of_minis():
    assert len(ATTRIBUTES) == 24, "mini's list is part of its definition"
    assert len(set(MORE_ATTRIBUTES)) == len(MORE_ATTRIBUTES) >= 12
    assert not set(MORE_ATTRIBUTES) & set(ATTRIBUTES)


@pytest.mark.parametrize(("name", "style"), DRAWINGS)
def test_each_looks_like_no_other(name, style):
    looks = painted(name, style)
    for one, other in combinations(looks, 2):
        if one not in MORE_ATTRIBUTES and other not in MORE_ATTRIBUTES:
            continue
        least = (
            5 if {one, other} == {"pixelated", "plain"} else 20
        )  # the blocks have the drawing's own colours
        apart = np.abs(looks[one] - looks[other]).mean()
        assert apart > least, (
            f"{one} and {other} differ by {apart:.1f} of 255 on the {name}"
        )


@pytest.mark.parametrize("attribute", MORE_ATTRIBUTES)
def test_a_seed_gives_the_same_picture_and_another_seed_another(attribute):
    image = render(attribute, "teapot", np.random.default_rng(3))
    assert image.shape == (PIXELS, PIXELS, 3)
    assert image.dtype == np.uint8
    again = render(attribute, "teapot", np.random.default_rng(3))
    assert np.array_equal(image, again), f"{attribute} is not repeatable"
    other = render(attribute, "teapot", np.random.default_rng(4))
    assert np.abs(image.astype(int) - other).mean() > 3, (
        f"{attribute} does not depend on the seed"
    )


def test_pixelated_is_made_of_blocks():
    drawing = picture("teapot", "fluent")
    colour, mask = full("pixelated", drawing, np.random.default_rng(0))
    for what, values in (
        ("colour", colour * (mask[..., None] > 0)),
        ("outline", mask),
    ):
        blocks = values.reshape(128 // BLOCK, BLOCK, 128 // BLOCK, -1)
        corner = values[::BLOCK, ::BLOCK].reshape(
            128 // BLOCK, 1, 128 // BLOCK, -1
        )
        corner = np.repeat(corner, BLOCK, axis=2).reshape(
            128 // BLOCK, 1, 128 // BLOCK, -1
        )
        assert np.array_equal(blocks, np.broadcast_to(corner, blocks.shape)), (
            f"a block has more than one {what}"
        )
    assert set(np.unique(mask)) == {0, 255}
    assert 0.8 < mask.sum(dtype=int) / drawing.alpha.sum(dtype=int) < 1.25, (
        "the outline is not the drawing's"
    )


def test_a_thin_drawing_keeps_an_outline():
    alpha = np.zeros((128, 128), np.uint8)
    alpha[:, 60] = 255
    thin = replace(picture("teapot", "noto"), alpha=alpha)
    assert drawing_form("pixelated", thin).alpha.any(), (
        "a line of one pixel vanishes when pixelated"
    )


def test_mini_draws_through_the_same_function():
    rng = np.random.default_rng(5)
    style = ("fluent", "noto")[int(rng.integers(2))]
    drawn = draw("wooden", picture("pizza", style), rng)
    assert np.array_equal(
        drawn, render("wooden", "pizza", np.random.default_rng(5))
    )
