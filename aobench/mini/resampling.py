"""Pictures made larger or smaller with whole numbers: Pillow's bicubic filter, whose weights Pillow makes of floats."""

from __future__ import annotations

from functools import cache

import numpy as np

BITS = 22  #: of a weight's fraction, as in Pillow


@cache
def cubic_weights(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``length`` pixels make each of ``size``, and how much: two arrays, int32 of size x taps.

    The filter is Keys' with a = -0.5, widened where the picture becomes smaller. Weights are in 2 ** BITS.
    """
    scale = max(length, size)  # a distance of one pixel of the filter, in 1 / (2 * size) source pixels, is 2 * scale
    unit = 2 * scale
    taps = 2 * -(-2 * scale // size) + 1
    centre = (2 * np.arange(size, dtype=np.int64) + 1) * length  # in 1 / (2 * size) source pixels
    first = (centre - 2 * unit + size) // (2 * size)
    index = first[:, None] + np.arange(taps)
    apart = np.abs((2 * index + 1) * size - centre[:, None])
    weights = np.array([[_keys(int(t), unit) for t in row] for row in apart], dtype=object)
    weights[(index < 0) | (index >= length)] = 0
    whole = weights.sum(1)[:, None]
    rounded = (2 * abs(weights) * 2**BITS + whole) // (2 * whole) * np.where(weights < 0, -1, 1)
    used = [k for k in range(taps) if rounded[:, k].any()]
    return np.clip(index[:, used], 0, length - 1).astype(np.int32), rounded[:, used].astype(np.int32)


def _keys(apart: int, unit: int) -> int:
    """Keys' cubic at ``apart`` / ``unit``, times 2 * unit ** 3."""
    if apart >= 2 * unit:
        return 0
    cube, square = apart**3, apart * apart * unit
    if apart < unit:
        return 3 * cube - 5 * square + 2 * unit**3
    return -cube + 5 * square - 8 * apart * unit * unit + 4 * unit**3


def _rows(pixels: np.ndarray, size: int) -> np.ndarray:
    """Rows made ``size`` in number; int32 of 0..255."""
    index, weights = cubic_weights(len(pixels), size)
    columns = weights.T.reshape(-1, size, *(1,) * (pixels.ndim - 1))
    total = pixels.take(index[:, 0], axis=0)
    total *= columns[0]
    part = np.empty_like(total)
    for tap in range(1, index.shape[1]):
        pixels.take(index[:, tap], axis=0, out=part, mode="clip")
        part *= columns[tap]
        total += part
    total += 1 << (BITS - 1)
    total >>= BITS
    np.maximum(total, 0, out=total)
    return np.minimum(total, 255, out=total)


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """``pixels`` (0..255, height x width, or with channels behind) in another size: int32 of 0..255."""
    turned = np.ascontiguousarray(pixels.swapaxes(0, 1), dtype=np.int32)
    return _rows(np.ascontiguousarray(_rows(turned, width).swapaxes(0, 1)), height)
