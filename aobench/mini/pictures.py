"""The object pictures that mini is drawn from, and what is known of their shading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from aobench.csv_tables import read_csv_rows
from aobench.files import sha256_of
from aobench.images import read_upright
from aobench.mini.fixed_point import (
    ONE,
    PIXEL,
    Lanes,
    Weights,
    colour_lanes,
    pack_colours,
)
from aobench.mini.resampling import resized_channels

HERE = Path(__file__).parent
STYLES = ("fluent", "noto")
SIDE = 128  #: pixels of a drawing, which fills them in its longer direction
FAINTEST = 16  #: alpha (0-255) up to which a border of a drawing is cut off


@dataclass(frozen=True, eq=False)
class Picture:
    """One drawing of an object, 128 x 128: its colours, its mask and its shading, all in whole
    numbers.

    ``rgb`` and ``alpha`` 0..255. In 256ths: ``shade``, the drawing's own light and dark, spread
    so that every drawing uses the whole range; ``snow``, how much a pixel lies near an upper edge
    of the object; ``lines``, the drawing's inner contours.
    """

    rgb: np.ndarray
    alpha: np.ndarray
    shade: np.ndarray
    snow: np.ndarray
    lines: np.ndarray

    @cached_property
    def seen(self) -> VisiblePixels:
        """The pixels that are not wholly transparent: all that is ever painted."""
        where = np.flatnonzero(self.alpha)
        y, x = np.divmod(where, SIDE)
        alpha = self.alpha.ravel()[where].astype(np.uint64)
        parts = (self.shade, self.snow, self.lines)
        shade, snow, lines = (
            part.ravel()[where].astype(np.int32) for part in parts
        )
        return VisiblePixels(
            where=where,
            x=x.astype(np.int32),
            y=y.astype(np.int32),
            colour=pack_colours(self.rgb.reshape(-1, 3)[where]),
            alpha=alpha,
            shade=shade,
            snow=snow,
            lines=lines,
            light=light_factors(shade, lines, 36, 78).astype(np.uint64),
            padded=(y + 1) * (SIDE + 2) + x + 1,
            frame=_frame(x, y),
        )


@dataclass(frozen=True, eq=False)
class VisiblePixels:
    """A picture's pixels in a row: ``where`` they are, flat, and their ``x`` and ``y``; each
    array is as long.

    ``colour`` as lanes; ``light`` in 128ths, how bright the shading makes a surface; ``padded``:
    where they are in a square with a border of a pixel; ``frame``: left, top, right and bottom
    end, in 65,536ths of a pixel, of the places where something of them shows.
    """

    where: np.ndarray
    x: np.ndarray
    y: np.ndarray
    colour: Lanes
    alpha: np.ndarray
    shade: Weights
    snow: Weights
    lines: Weights
    light: np.ndarray
    padded: np.ndarray
    frame: tuple[int, int, int, int]

    def __len__(self) -> int:
        return len(self.where)

    @cached_property
    def dull(self) -> Lanes:
        """The colours, greyed: 0.55 of each, 0.27 of their mean and 18."""
        colours = colour_lanes(self.colour)[:, :3].astype(np.int64)
        return pack_colours(
            (55 * colours + 9 * colours.sum(1, keepdims=True) + 1850) // 100
        )


def _frame(x: np.ndarray, y: np.ndarray) -> tuple[int, int, int, int]:
    left, top = (
        max(0, int(places.min()) * PIXEL - PIXEL // 2) for places in (x, y)
    )
    right, bottom = (
        min(SIDE * PIXEL, int(places.max()) * PIXEL + 3 * PIXEL // 2)
        for places in (x, y)
    )
    return left, top, right, bottom


def light_factors(
    shade: Weights, lines: Weights, least: int, more: int
) -> np.ndarray:
    """How bright shading makes a surface, in 128ths: ``least + more * shade`` hundredths, darker
    on the contours.
    """
    return (
        (least * ONE + more * shade) * (10 * ONE - 6 * lines) + 256_000
    ) // 512_000


@cache
def objects() -> tuple[str, ...]:
    """Names of mini's objects, sorted; each is an ImageNet class name of the published list."""
    rows = read_csv_rows(
        HERE / "objects.csv", ["object"], "the list of objects"
    )
    return tuple(sorted(row["object"] for row in rows))


def _drawing_path(name: str, style: str) -> Path:
    return HERE / "pictures" / style / f"{name.replace(' ', '_')}.webp"


@cache
def drawing_digests(name: str) -> tuple[str, ...]:
    """SHA-256 of the file of each drawing of an object, in the order of STYLES."""
    return tuple(sha256_of(_drawing_path(name, style)) for style in STYLES)


@cache
def picture(name: str, style: str) -> Picture:
    """The drawing of object ``name`` in ``style``."""
    return of_drawing(read_upright(_drawing_path(name, style)).convert("RGBA"))


def fit_drawing(drawing: Image.Image) -> Image.Image:
    """An RGBA drawing cropped to what is visible, scaled to SIDE in the longer direction, centred.

    Raises ValueError where nothing is visible.
    """
    box = (
        drawing.getchannel("A")
        .point(lambda alpha: 255 * (alpha > FAINTEST))
        .getbbox()
    )
    if box is None:
        raise ValueError("nothing in the drawing is visible")
    drawing = drawing.crop(box)
    scale = SIDE / max(drawing.size)
    size = (
        max(1, round(drawing.width * scale)),
        max(1, round(drawing.height * scale)),
    )
    drawing = _in_size(drawing, *size)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(drawing, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return square


def _in_size(drawing: Image.Image, width: int, height: int) -> Image.Image:
    """``drawing`` in another size, the same on every machine; a large one is averaged in blocks
    first.
    """
    factor = max(1, max(drawing.size) // (4 * SIDE))
    weighted = drawing.reduce(factor).convert(
        "RGBa"
    )  # what can't be seen has no colour to give
    pixels = resized_channels(np.asarray(weighted), height, width)
    pixels[..., :3] = np.minimum(pixels[..., :3], pixels[..., 3:])
    return Image.frombytes("RGBa", (width, height), pixels.tobytes()).convert(
        "RGBA"
    )


def of_drawing(drawing: Image.Image) -> Picture:
    """The picture of an RGBA drawing of SIDE x SIDE pixels, of which some are more opaque than
    not.
    """
    rgba = np.asarray(drawing)
    rgb, alpha = rgba[..., :3], rgba[..., 3]
    shade = _shade(rgb.astype(np.int64), alpha)
    return Picture(
        rgb, alpha, shade, _upper_edge(alpha), _contours(shade, alpha)
    )


def _shade(rgb: np.ndarray, alpha: np.ndarray) -> Weights:
    """Half the rank, half the value of each pixel's luminance among the object's pixels."""
    luminance = (
        299 * rgb[..., 0] + 587 * rgb[..., 1] + 114 * rgb[..., 2]
    )  # in thousandths
    values = np.sort(luminance[alpha > 127])
    count = len(values)
    rank = (
        2 * ONE * np.searchsorted(values, luminance, side="right") + count
    ) // (2 * count)
    low, high = values[2 * count // 100], values[98 * (count - 1) // 100]
    span = max(30_000, int(high - low))
    spread = np.clip((2 * ONE * (luminance - low) + span) // (2 * span), 0, ONE)
    return ((rank + spread + 1) >> 1).astype(np.int32)


def _contours(shade: Weights, alpha: np.ndarray) -> Weights:
    """Where the shading jumps, and the outline: central differences over two pixels, clipped."""
    opacity = (alpha.astype(np.int32) * 2 * ONE + 255) // 510
    total = np.full(shade.shape, -307, dtype=np.int32)  # in 2,560ths: less 0.12
    for values, weight in ((shade, 16), (opacity, 8)):
        dy = np.abs(np.roll(values, 1, 0) - np.roll(values, -1, 0))
        dx = np.abs(np.roll(values, 1, 1) - np.roll(values, -1, 1))
        total += weight * np.maximum(dx, dy)
    return np.clip((total + 5) // 10, 0, ONE)


def _upper_edge(alpha: np.ndarray) -> Weights:
    """ONE where the object begins when one looks down a column, fading over 22 pixels."""
    depth = 22
    inside = alpha > 102  # 0.4
    # What the frame cuts off has no edge there.
    run = np.full(alpha.shape[1], depth, dtype=np.int32)
    snow = np.zeros(alpha.shape, dtype=np.int32)
    for y in range(alpha.shape[0]):
        run = np.where(inside[y], run + 1, 0)
        beyond = (
            depth + 1 - np.minimum(run, depth)
        )  # depth where the object begins, 1 at the end
        snow[y] = np.where(
            inside[y], (2 * ONE * beyond + depth) // (2 * depth), 0
        )
    return snow
