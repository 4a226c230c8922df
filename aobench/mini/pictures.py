"""The object pictures that mini is drawn from, and what is known of their shading."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
STYLES = ("fluent", "noto")
SIDE = 128  #: pixels of a drawing, which fills them in its longer direction
FAINTEST = 16  #: alpha (0-255) up to which a border of a drawing is cut off


@dataclass(frozen=True)
class Picture:
    """One drawing of an object, 128 x 128: its colours, its mask and its shading.

    ``rgb`` float32 0..255; ``alpha`` float32 0..1; ``shade`` float32 0..1, the drawing's own light
    and dark, spread so that every drawing uses the whole range; ``snow`` float32 0..1, how much a
    pixel lies near an upper edge of the object; ``lines`` float32 0..1, the drawing's inner contours.
    """

    rgb: np.ndarray
    alpha: np.ndarray
    shade: np.ndarray
    snow: np.ndarray
    lines: np.ndarray


@cache
def objects() -> tuple[str, ...]:
    """Names of mini's objects, sorted; each is an ImageNet class name of the published list."""
    with open(HERE / "objects.csv", encoding="utf-8") as stream:
        return tuple(sorted(row["object"] for row in csv.DictReader(stream)))


@cache
def picture(name: str, style: str) -> Picture:
    """The drawing of object ``name`` in ``style``."""
    path = HERE / "pictures" / style / f"{name.replace(' ', '_')}.webp"
    with Image.open(path) as image:
        return of_drawing(image.convert("RGBA"))


def fit(drawing: Image.Image) -> Image.Image:
    """An RGBA drawing cropped to what is visible, scaled to SIDE in the longer direction, centred.

    Raises ValueError where nothing is visible.
    """
    box = drawing.getchannel("A").point(lambda alpha: 255 * (alpha > FAINTEST)).getbbox()
    if box is None:
        raise ValueError("nothing in the drawing is visible")
    drawing = drawing.crop(box)
    scale = SIDE / max(drawing.size)
    size = (max(1, round(drawing.width * scale)), max(1, round(drawing.height * scale)))
    drawing = drawing.resize(size, Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(drawing, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return square


def of_drawing(drawing: Image.Image) -> Picture:
    """The picture of an RGBA drawing of SIDE x SIDE pixels, of which some are more opaque than not."""
    rgba = np.asarray(drawing, dtype=np.float32)
    rgb, alpha = rgba[..., :3], rgba[..., 3] / 255
    shade = _shade(rgb, alpha)
    return Picture(rgb, alpha, shade, _upper_edge(alpha), _contours(shade, alpha))


def _shade(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Half the rank, half the value of each pixel's luminance among the object's pixels."""
    luminance = rgb @ np.array((0.299, 0.587, 0.114), dtype=np.float32)
    inside = alpha > 0.5
    values = np.sort(luminance[inside])
    rank = np.searchsorted(values, luminance, side="right") / max(1, values.size)
    low, high = values[int(0.02 * values.size)], values[int(0.98 * (values.size - 1))]
    spread = np.clip((luminance - low) / max(30.0, float(high - low)), 0, 1)
    return (0.5 * rank + 0.5 * spread).astype(np.float32)


def _contours(shade: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Where the shading jumps, and the outline: central differences over two pixels, clipped."""
    total = np.zeros(shade.shape, dtype=np.float32)
    for values, weight in ((shade, 1.6), (alpha, 0.8)):
        dy = np.abs(np.roll(values, 1, 0) - np.roll(values, -1, 0))
        dx = np.abs(np.roll(values, 1, 1) - np.roll(values, -1, 1))
        total += weight * np.maximum(dx, dy)
    return np.clip(total - 0.12, 0, 1).astype(np.float32)


def _upper_edge(alpha: np.ndarray) -> np.ndarray:
    """1 where the object begins when one looks down a column, fading over 22 pixels."""
    depth = 22
    inside = alpha > 0.4
    distance = np.full(alpha.shape, depth, dtype=np.float32)
    run = np.full(alpha.shape[1], depth, dtype=np.float32)
    for y in range(alpha.shape[0]):
        run = np.where(inside[y], run + 1, 0)
        distance[y] = np.minimum(run, depth)
    return np.where(inside, 1 - (distance - 1) / depth, 0).clip(0, 1).astype(np.float32)
