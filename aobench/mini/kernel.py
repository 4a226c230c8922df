"""The compiled part of drawing: loops over pixels, in whole numbers. Numba compiles them at first
use and keeps that.

A colour is one 64-bit number of four 16-bit lanes, see `fixed_point`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_HALF = np.uint64(0x0080_0080_0080_0080)
_LANES = np.uint64(0x00FF_00FF_00FF_00FF)
_LANE = np.uint64(0xFFFF)
_MOST = np.uint64(255)
_B8, _B16, _B32, _B48 = (
    np.uint64(8),
    np.uint64(16),
    np.uint64(32),
    np.uint64(48),
)


@njit(cache=True, nogil=True)
def resample_channels(
    pixels: np.ndarray,
    across: np.ndarray,
    across_weights: np.ndarray,
    down: np.ndarray,
    down_weights: np.ndarray,
    bits: int,
) -> np.ndarray:
    """``pixels`` (int32, height x width) in another size: rows first, then columns, rounded and
    cut to 0..255 each time.

    ``across``, ``down``: taps x size, which columns and rows make each; their weights in 2 **
    ``bits``.
    """
    height, width, size = pixels.shape[0], across.shape[1], down.shape[1]
    half = np.int32(1) << (bits - 1)
    rows = np.full((height, width), half, dtype=np.int32)
    for y in range(height):
        for tap in range(across.shape[0]):
            for x in range(width):
                rows[y, x] += pixels[y, across[tap, x]] * across_weights[tap, x]
        for x in range(width):
            rows[y, x] = min(max(rows[y, x] >> bits, 0), 255)
    total = np.full((size, width), half, dtype=np.int32)
    for y in range(size):
        for tap in range(down.shape[0]):
            row, weight = down[tap, y], down_weights[tap, y]
            for x in range(width):
                total[y, x] += rows[row, x] * weight
        for x in range(width):
            total[y, x] = min(max(total[y, x] >> bits, 0), 255)
    return total


@njit(cache=True, nogil=True)
def make_sprite(
    colours: np.ndarray, alpha: np.ndarray, where: np.ndarray, wide: int
) -> np.ndarray:
    """Colours cut to 255 and multiplied by their opacity, in their places of a square that is
    ``wide``, flat.

    The square has a border of a pixel, in which the pixels at its edge stand again.
    """
    sprite = np.zeros(wide * wide, dtype=np.uint64)
    for i in range(len(colours)):
        colour, opacity, place = colours[i], alpha[i], where[i]
        red = min(colour & _LANE, _MOST)
        green = min(colour >> _B16 & _LANE, _MOST)
        blue = min(colour >> _B32 & _LANE, _MOST)
        sprite[place] = (
            _share(red | green << _B16 | blue << _B32, opacity)
            | opacity << _B48
        )
    for i in range(wide):
        sprite[i] = sprite[wide + i]
        sprite[wide * (wide - 1) + i] = sprite[wide * (wide - 2) + i]
    for i in range(wide):
        sprite[wide * i] = sprite[wide * i + 1]
        sprite[wide * i + wide - 1] = sprite[wide * i + wide - 2]
    return sprite


@njit(cache=True, nogil=True, inline="always")
def _share(colour: np.uint64, of_255: np.uint64) -> np.uint64:
    """Lanes up to 255 times ``of_255`` / 255, rounded."""
    part = colour * of_255 + _HALF
    return (part + (part >> _B8 & _LANES)) >> _B8 & _LANES


@njit(cache=True, nogil=True, inline="always")
def _between(one: np.uint64, other: np.uint64, share: np.uint64) -> np.uint64:
    """Lanes up to 255 between two colours, ``share`` in 256ths."""
    return ((other - one) * share + (one << _B8) + _HALF) >> _B8 & _LANES


@njit(cache=True, nogil=True, inline="always")
def _ground_lane(value: Any, lift: int) -> Any:
    lane: Any = np.int64(value & _LANE)
    lane = max(lane - lift + 32, 0) >> 6
    return min(lane, 255)


@njit(cache=True, nogil=True)
def compose_image(
    sprite: np.ndarray,
    wide: int,
    x_right: np.ndarray,
    x_down: np.ndarray,
    y_right: np.ndarray,
    y_down: np.ndarray,
    frame: tuple[int, int, int, int],
    tint: np.ndarray,
    blend: np.ndarray,
    light: np.ndarray,
    blotch: np.ndarray,
    lift: int,
) -> np.ndarray:
    """The image: a ground of ``tint[blend] + light[blotch]`` (64ths, and ``lift``) and the sprite.

    The pixel at (column, row) shows the drawing's place (x_right[column] + x_down[row],
    y_right[column] + y_down[row]), in 65,536ths of a pixel, between its four nearest pixels;
    nothing outside of ``frame`` (the least x and y, and those that are beyond).
    """
    side = len(x_right)
    image = np.empty((side, side, 3), dtype=np.uint8)
    left, top, right, bottom = frame
    for row in range(side):
        for column in range(side):
            ground = tint[blend[row, column]] + light[blotch[row, column]]
            red = _ground_lane(ground, lift)
            green = _ground_lane(ground >> _B16, lift)
            blue = _ground_lane(ground >> _B32, lift)
            x = x_right[column] + x_down[row]
            y = y_right[column] + y_down[row]
            if left <= x < right and top <= y < bottom:
                x += 32768  # the border adds a pixel, a pixel's centre takes a half
                y += 32768
                corner = (y >> 16) * wide + (x >> 16)
                share = np.uint64(x >> 8 & 255)
                above = _between(sprite[corner], sprite[corner + 1], share)
                below = _between(
                    sprite[corner + wide], sprite[corner + wide + 1], share
                )
                over = _between(above, below, np.uint64(y >> 8 & 255))
                under = (
                    np.uint64(red)
                    | np.uint64(green) << _B16
                    | np.uint64(blue) << _B32
                )
                over += _share(under, _MOST - (over >> _B48))
                red = np.int64(min(over & _LANE, _MOST))
                green = np.int64(min(over >> _B16 & _LANE, _MOST))
                blue = np.int64(min(over >> _B32 & _LANE, _MOST))
            image[row, column, 0] = red
            image[row, column, 1] = green
            image[row, column, 2] = blue
    return image


@njit(cache=True, nogil=True)
def stamp_sheet(
    sheet: np.ndarray, mark: np.ndarray, left: int, top: int, values: np.ndarray
) -> None:
    """Put ``values[mark]`` on the sheet where ``mark`` is not 0, its upper left corner at (left,
    top); cut at the edge.
    """
    for y in range(max(0, -top), min(mark.shape[0], sheet.shape[0] - top)):
        for x in range(
            max(0, -left), min(mark.shape[1], sheet.shape[1] - left)
        ):
            if mark[y, x]:
                sheet[top + y, left + x] = values[mark[y, x]]


@njit(cache=True, nogil=True)
def two_nearest(
    x: np.ndarray,
    y: np.ndarray,
    row: np.ndarray,
    even: np.ndarray,
    odd: np.ndarray,
    point_x: np.ndarray,
    point_y: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Squares of the distances to the nearest and the next point of a lattice, and the nearest
    one's number.

    int64 all. ``point_x`` and ``point_y``: where the points are, count x count. Looked at are
    those of the rows from ``row`` - 1 to ``row`` + 2 and of four columns about ``even`` or, in
    every other row, ``odd``.
    """
    near, far, which = (
        np.empty(len(x), np.int64),
        np.empty(len(x), np.int64),
        np.empty(len(x), np.int64),
    )
    count = point_x.shape[0]
    for i in range(len(x)):
        nearest = following = np.int64(1) << 40
        number = np.int64(0)
        for r in range(max(row[i] - 1, 0), min(row[i] + 3, count)):
            column = odd[i] if r & 1 else even[i]
            for c in range(max(column - 1, 0), min(column + 3, count)):
                dx, dy = x[i] - point_x[r, c], y[i] - point_y[r, c]
                square = dx * dx + dy * dy
                if square < nearest:
                    nearest, following, number = square, nearest, r * count + c
                elif square < following:
                    following = square
        near[i], far[i], which[i] = nearest, following, number
    return near, far, which
