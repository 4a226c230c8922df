"""Paint an attribute on an object's picture and set it on a ground."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from aobench.mini.more_textures import LOOKS, MORE_SURFACES, outline
from aobench.mini.pictures import STYLES, Picture, picture
from aobench.mini.textures import COLOURS, SIZE, SURFACES, colour_ramp, noise

PIXELS = 112  #: side of a rendered image

#: Attributes that mini renders, each on the published list; order is part of the set's definition.
ATTRIBUTES: tuple[str, ...] = (*COLOURS, "golden", *SURFACES, "snowy", "moss covered")

#: Attributes that only new sets have; mini's model never learned them.
MORE_ATTRIBUTES: tuple[str, ...] = (*MORE_SURFACES, *LOOKS)


def _golden(shade: np.ndarray) -> np.ndarray:
    """Polished metal: bands of dark and bright gold that follow the shading."""
    stops = np.array([0, 0.25, 0.45, 0.6, 0.75, 0.9, 1.0])
    colours = [
        (70, 42, 0),
        (150, 100, 10),
        (235, 185, 40),
        (175, 120, 15),
        (255, 215, 90),
        (255, 250, 215),
        (255, 255, 240),
    ]
    table = np.array(colours, dtype=np.float32)
    return np.stack([np.interp(shade, stops, table[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def _snowy(drawing: Picture, rng: np.random.Generator) -> np.ndarray:
    """The object's own colours, frosted, with snow lying on its upper edges and flakes over it."""
    frost = 0.28 + 0.2 * noise(rng, 5, 5)
    field = drawing.rgb * (1 - frost[..., None]) + np.array((205, 222, 245), dtype=np.float32) * frost[..., None]
    lying = drawing.snow + 0.55 * (noise(rng, 12, 12) - 0.5)
    cap = (lying > 0.42).astype(np.float32)
    rim = ((lying > 0.34) & (lying <= 0.42)).astype(np.float32)
    field = field * (1 - cap[..., None]) + np.array((250, 252, 255), dtype=np.float32) * cap[..., None]
    return field * (1 - 0.6 * rim[..., None]) + np.array((150, 180, 220), dtype=np.float32) * 0.6 * rim[..., None]


def _moss(drawing: Picture, rng: np.random.Generator) -> np.ndarray:
    """The object's own colours, greyed, under thick patches of mottled moss."""
    grey = drawing.rgb.mean(-1, keepdims=True)
    ground = 0.55 * drawing.rgb + 0.45 * (0.6 * grey + 40)
    clump = noise(rng, 34, 34) * 0.6 + noise(rng, 60, 60) * 0.4
    dark, light = (np.array(c, dtype=np.float32) for c in ((38, 62, 14), (150, 176, 58)))
    moss = dark + (light - dark) * np.clip(clump * 1.3 - 0.15, 0, 1)[..., None]
    where = noise(rng, 5, 5) + 0.35 * noise(rng, 18, 18) + 0.45 * drawing.snow
    cover = np.clip((where - 0.56) / 0.06, 0, 1)[..., None]
    return ground + (moss - ground) * cover


def paint(attribute: str, drawing: Picture, rng: np.random.Generator) -> np.ndarray:
    """Colours of ``drawing`` under ``attribute``: float32, 128 x 128 x 3, 0..255.

    Raises KeyError for one that is in neither ATTRIBUTES nor MORE_ATTRIBUTES.
    """
    if attribute in COLOURS:
        return colour_ramp(attribute, drawing.shade)
    if attribute == "golden":
        return _golden(drawing.shade)
    if attribute == "snowy":
        return _snowy(drawing, rng)
    if attribute == "moss covered":
        return _moss(drawing, rng)
    if attribute in LOOKS:
        return LOOKS[attribute](drawing, rng)
    surface = SURFACES.get(attribute) or MORE_SURFACES[attribute]
    light = (0.36 + 0.78 * drawing.shade) * (1 - 0.6 * drawing.lines)
    return surface(rng) * light[..., None]


def _ground(rng: np.random.Generator) -> np.ndarray:
    """A dull two-coloured ground with soft blotches, PIXELS x PIXELS x 3."""
    base = 70 + 130 * rng.random()
    tints = (rng.random((2, 3)) - 0.5) * 46
    blend = noise(rng, 1, 1, PIXELS)[..., None]
    blotch = (noise(rng, 6, 6, PIXELS) - 0.5)[..., None] * (30 * rng.random())
    return base + tints[0] + (tints[1] - tints[0] + 70 * (rng.random() - 0.5)) * blend + blotch


def render(attribute: str, name: str, rng: np.random.Generator, style: str | None = None) -> np.ndarray:
    """One image of the composition ``attribute name``: uint8, PIXELS x PIXELS x 3.

    The drawing style is drawn from ``rng``, and then all that `draw` draws from it.
    """
    style = style or STYLES[int(rng.integers(len(STYLES)))]
    return draw(attribute, picture(name, style), rng)


def draw(attribute: str, drawing: Picture, rng: np.random.Generator) -> np.ndarray:
    """``drawing`` under ``attribute``, set on a ground: uint8, PIXELS x PIXELS x 3.

    The place, size, tilt, mirroring and ground are drawn from ``rng``. Raises KeyError as `paint` does.
    """
    colour = np.clip(paint(attribute, drawing, rng), 0, 255)
    layer = np.dstack([colour, outline(attribute, drawing) * 255]).round().astype(np.uint8)
    sprite = Image.fromarray(layer).convert("RGBa")  # premultiplied, so that edges stay clean
    scale = SIZE / (PIXELS * (0.72 + 0.24 * rng.random()))
    angle = math.radians(30 * rng.random() - 15)
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    mirror = -1 if rng.random() < 0.5 else 1
    slack = PIXELS * 0.1
    cx, cy = (PIXELS / 2 + slack * (rng.random() - 0.5) for _ in range(2))
    a, b, d, e = mirror * cos, mirror * sin, -sin, cos
    matrix = (a, b, SIZE / 2 - a * cx - b * cy, d, e, SIZE / 2 - d * cx - e * cy)
    placed = sprite.transform((PIXELS, PIXELS), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    over = np.asarray(placed, dtype=np.float32)
    image = over[..., :3] + _ground(rng) * (1 - over[..., 3:] / 255)
    return np.clip(image, 0, 255).round().astype(np.uint8)
