"""Pictures made larger or smaller with whole numbers: Pillow's filters, whose weights Pillow
makes of floats.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from aobench.mini.kernel import resample_channels

BITS = 22  #: of a weight's fraction, as in Pillow


@cache
def cubic_weights(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``length`` pixels make each of ``size``, and how much: two arrays, int32 of size x
    taps.

    The filter is Keys' with a = -0.5, widened where the picture becomes smaller. Weights are in 2
    ** BITS.
    """
    scale = max(length, size)
    unit = 2 * scale  # a pixel of the filter, in 1 / (2 * size) source pixels
    taps = 2 * -(-2 * scale // size) + 1
    centre = (
        2 * np.arange(size, dtype=np.int64) + 1
    ) * length  # in 1 / (2 * size) source pixels
    first = (centre - 2 * unit + size) // (2 * size)
    index = first[:, None] + np.arange(taps)
    apart = np.abs((2 * index + 1) * size - centre[:, None])
    weights = np.array(
        [[_keys(int(t), unit) for t in row] for row in apart], dtype=object
    )
    weights[(index < 0) | (index >= length)] = 0
    whole = weights.sum(1)[:, None]
    rounded = (
        (2 * abs(weights) * 2**BITS + whole)
        // (2 * whole)
        * np.where(weights < 0, -1, 1)
    )
    used = [k for k in range(taps) if rounded[:, k].any()]
    return np.clip(index[:, used], 0, length - 1).astype(np.int32), rounded[
        :, used
    ].astype(np.int32)


def _keys(apart: int, unit: int) -> int:
    """Keys' cubic at ``apart`` / ``unit``, times 2 * unit ** 3."""
    if apart >= 2 * unit:
        return 0
    cube, square = apart**3, apart * apart * unit
    if apart < unit:
        return 3 * cube - 5 * square + 2 * unit**3
    return -cube + 5 * square - 8 * apart * unit * unit + 4 * unit**3


@cache
def box_weights(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """As `cubic_weights`, of Pillow's box filter: the mean of the pixels whose middle lies in
    each pixel of ``size``.
    """
    index = np.arange(size)[:, None] * length // size + np.arange(
        -1, length // size + 2
    )
    apart = (2 * index + 1) * size - (2 * np.arange(size)[:, None] + 1) * length
    inside = (
        (-length < apart) & (apart <= length) & (index >= 0) & (index < length)
    )
    count = inside.sum(1)[:, None]
    weights = np.where(inside, (2 * 2**BITS + count) // (2 * count), 0)
    return np.clip(index, 0, length - 1).astype(np.int32), weights.astype(
        np.int32
    )


#: Filters of `resized_channel`: the weights of each.
FILTERS = {"cubic": cubic_weights, "box": box_weights}


@cache
def _taps(
    filter_name: str, length: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """The filter's pixels and weights, taps first."""
    index, weights = (
        np.ascontiguousarray(part.T)
        for part in FILTERS[filter_name](length, size)
    )
    return index, weights


def resized_channel(
    pixels: np.ndarray, height: int, width: int, filter_name: str = "cubic"
) -> np.ndarray:
    """``pixels`` (whole numbers 0..255, height x width) in another size.

    Args: pixels: one channel. height: of the new picture. width: of the new picture. filter_name:
    "cubic" (Keys' with a = -0.5, widened where the picture becomes smaller) or "box" (means).

    Returns:
        int32, height x width, 0..255; the same as Pillow's, whose weights are made of floats.
    """
    across = _taps(filter_name, pixels.shape[1], width)
    down = _taps(filter_name, pixels.shape[0], height)
    return resample_channels(
        np.ascontiguousarray(pixels, dtype=np.int32), *across, *down, BITS
    )


def resized_channels(
    pixels: np.ndarray, height: int, width: int, filter_name: str = "cubic"
) -> np.ndarray:
    """`resized_channel` for each channel of ``pixels``, uint8 height x width x channels."""
    channels = [
        resized_channel(channel, height, width, filter_name)
        for channel in np.moveaxis(pixels, 2, 0)
    ]
    return np.stack(channels, axis=-1).astype(np.uint8)
