"""Arithmetic for drawing that gives the same pixels on every machine: whole numbers alone.

- A **weight** is counted in 256ths (ONE), a phase of a pattern in 1,048,576ths of a period
  (TURN), a length in 65,536ths of a pixel (PIXEL). Sums, products and shifts of whole numbers
  have no last bit that a processor, a library of linear algebra or a compiler could round in
  another way.
- A random fraction is cut to its first bits as soon as it is drawn (`random_fraction`): NumPy makes
  it of the generator's bits by a shift and a multiplication by a power of two, so those bits are
  the generator's own.
- **Lanes**: a colour is one 64-bit number of four 16-bit lanes (red, green, blue, opacity). One
  multiplication by a weight then works on all four, as long as no lane outgrows 65,535;
  `colour_lanes` shows them one by one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

ONE = 256
TURN = 1 << 20
TURN_BITS = 20
PIXEL = 1 << 16

Colour = tuple[int, int, int]
Lanes = np.ndarray  # uint64, a colour each
Weights = np.ndarray  # whole numbers, 0 to ONE

_HALF = np.uint64(0x0080_0080_0080_0080)  # a half of ONE in every lane
_EIGHT = np.uint64(8)


# --- random fractions and functions of an angle ---------------------------------------------------


def random_fraction(rng: np.random.Generator) -> int:
    """A random fraction in 65,536ths: the first 16 bits of ``rng.random()``."""
    return int(rng.random() * 65536)


def random_fractions(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random fractions in 65,536ths, int64 of ``shape``: the first 16 bits of
    ``rng.random(shape)``.
    """
    return (rng.random(shape) * 65536).astype(np.int64)


def random_integer(rng: np.random.Generator, low: int, high: int) -> int:
    """A random number from ``low`` up to ``high``, which are in thousandths; in 65,536ths."""
    return (low * 65536 + (high - low) * random_fraction(rng)) // 1000


def slope_direction(slope: int) -> tuple[int, int]:
    """Cosine and sine, in 65,536ths, of the angle whose tangent is ``slope`` 65,536ths."""
    norm = math.isqrt((1 << 32) + slope * slope)
    return (1 << 32) // norm, (slope << 16) // norm


_PI = 3373259426  # of 2 ** 30


def cosine_and_sine(angle: int) -> tuple[int, int]:
    """Of ``angle`` 65,536ths of a degree, at most 45 degrees; in 2 ** 30ths, by their series in
    whole numbers.
    """
    turn = angle * _PI // (180 * 65536)
    square = turn * turn >> 30
    cosine = sine = 1 << 30
    for n in (8, 6, 4, 2):
        cosine = (1 << 30) - (square * cosine >> 30) // (n * (n - 1))
        sine = (1 << 30) - (square * sine >> 30) // (n * (n + 1))
    return cosine, turn * sine >> 30


def square_roots(upto: int) -> np.ndarray:
    """The whole parts of the square roots of 0, 1, ..., at least to ``upto``."""
    roots = np.arange(math.isqrt(upto) + 1)
    return np.repeat(
        roots, 2 * roots + 1
    )  # as many squares as odd numbers lie between n and n + 1


# --- phases of a pattern --------------------------------------------------------------------------


def part_of_turn(phase: np.ndarray) -> np.ndarray:
    """What a phase is beyond its last whole period, 0 to TURN."""
    return phase & (TURN - 1)


def to_and_fro(phase: np.ndarray) -> np.ndarray:
    """ONE where a period begins, 0 in its middle, ONE again at its end; straight between, in
    256ths.
    """
    return np.abs(part_of_turn(phase) - TURN // 2) >> (TURN_BITS - 9)


def turn_units(share: float) -> int:
    """``share`` of a period as a phase; for constants."""
    return round(share * TURN)


def clipped_weights(values: np.ndarray) -> Weights:
    """``values`` cut to 0 to ONE."""
    return np.clip(values, 0, ONE)


# --- colours as lanes -----------------------------------------------------------------------------


def pack_colours(
    colours: Sequence[Colour] | np.ndarray, opacity: int | np.ndarray = 0
) -> Lanes:
    """Colours N x 3 of whole numbers as N lanes."""
    parts = np.asarray(colours, dtype=np.uint64)
    red, green, blue = (
        parts[..., channel] << np.uint64(16 * channel) for channel in range(3)
    )
    return (
        red
        | green
        | blue
        | (np.asarray(opacity, dtype=np.uint64) << np.uint64(48))
    )


def flat_colour(colour: Colour) -> Lanes:
    """One colour, as an array of one that goes with any number of pixels."""
    return pack_colours([colour])


def colour_lanes(colours: Lanes) -> np.ndarray:
    """The lanes of ``colours``, uint16 N x 4: red, green, blue, opacity. What is written to them
    is written there.
    """
    each = colours.view(np.uint16).reshape(*colours.shape, 4)
    return each if sys.byteorder == "little" else each[..., ::-1]


def mix_colours(one: Lanes, other: Lanes, share: Weights) -> Lanes:
    """``one`` where ``share`` is 0, ``other`` where it is ONE, and between; of lanes up to 255."""
    # Lanes may borrow from each other in the difference: the sum that follows is whole again.
    mixed = (other - one) * share.astype(np.uint64)
    mixed += (one << _EIGHT) + _HALF
    each = mixed.view(np.uint16)
    each >>= 8
    return mixed


def choose_colours(where: np.ndarray, one: Lanes, other: Lanes) -> Lanes:
    """``one`` where ``where`` is true, else ``other``."""
    return np.where(where, one, other)


def shine_colours(colours: Lanes, light: np.ndarray, bits: int) -> Lanes:
    """``colours`` times ``light`` (in parts of 2 ** bits); no product may be above 65,000."""
    lit = colours * light.astype(np.uint64)
    each = lit.view(np.uint16)
    each += 1 << (bits - 1)
    each >>= bits
    return lit


def colour_ramp(*stops: tuple[int, Colour]) -> Lanes:
    """A table of ONE + 1 colours: straight lines between ``stops``, which are (thousandths,
    colour) from 0 to 1,000.
    """
    table = np.zeros((ONE + 1, 3), dtype=np.int64)
    for (start, first), (end, last) in pairwise(stops):
        for place in range(-(-start * ONE // 1000), end * ONE // 1000 + 1):
            done, whole = place * 1000 - start * ONE, (end - start) * ONE
            for channel, (a, b) in enumerate(zip(first, last, strict=True)):
                table[place, channel] = (
                    2 * (a * whole + (b - a) * done) + whole
                ) // (2 * whole)
    return pack_colours(table)
