"""What a plot shows, read back from its pixels."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image


def _longest_run(column: np.ndarray) -> int:
    """The longest run of true values."""
    ends = np.flatnonzero(np.diff(np.r_[0, column.astype(int), 0]))
    return int((ends[1::2] - ends[::2]).max(initial=0))


def bar_heights(path: Path, colour: str, least: int = 20) -> list[int]:
    """Heights in pixels of the bars of a ``colour`` (#RRGGBB), from left to right.

    Lower ones than ``least`` are those of a legend, and are left out.
    """
    pixels = np.asarray(Image.open(path).convert("RGB"))
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    mask = (pixels == wanted).all(-1)
    tall = np.array([_longest_run(column) for column in mask.T])
    edges = np.flatnonzero(np.diff(np.r_[False, tall >= least, False]))
    starts = list(pairwise(edges))[::2]
    return [int(np.median(tall[a:b])) for a, b in starts]


def coloured_share(path: Path) -> float:
    """The share of pixels that are neither white, grey nor black."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return float((np.ptp(pixels, axis=-1) > 20).mean())
