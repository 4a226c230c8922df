"""Paint an attribute on an object's picture and set it on a ground."""

from __future__ import annotations

import numpy as np

from aobench.mini.fixed_point import (
    ONE, PIXEL, Lanes, between, choose, cosine_and_sine, flat, fraction, fractions, lanes, mix, pack, ramp, shine,
    weight,
)  # fmt: skip
from aobench.mini.more_textures import LOOKS, MORE_SURFACES, form
from aobench.mini.pictures import SIDE, STYLES, Picture, Seen, picture
from aobench.mini.textures import COLOURS, SHADES, SURFACES, noise, noise_on

PIXELS = 112  #: side of a rendered image

#: Attributes that mini renders, each on the published list; order is part of the set's definition.
ATTRIBUTES: tuple[str, ...] = (*COLOURS, "golden", *SURFACES, "snowy", "moss covered")

#: Attributes that only new sets have; mini's model never learned them.
MORE_ATTRIBUTES: tuple[str, ...] = (*MORE_SURFACES, *LOOKS)

#: Polished metal: bands of dark and bright gold that follow the shading.
GOLD = ramp(
    (0, (70, 42, 0)),
    (250, (150, 100, 10)),
    (450, (235, 185, 40)),
    (600, (175, 120, 15)),
    (750, (255, 215, 90)),
    (900, (255, 250, 215)),
    (1000, (255, 255, 240)),
)
MOSS = ramp((0, (38, 62, 14)), (1000, (150, 176, 58)))


def _snowy(rng: np.random.Generator, seen: Seen) -> Lanes:
    """The object's own colours, frosted, with snow lying on its upper edges and flakes over it."""
    frost = 72 + (noise_on(seen, rng, 5, 5) * 51 >> 8)
    field = mix(seen.colour, flat((205, 222, 245)), frost)
    lying = seen.snow * 255 + 141 * noise_on(seen, rng, 12, 12) - 17_978  # in 65,280ths; noise less a half
    cap = lying > 27_418  # 0.42
    rim = (lying > 22_195) & ~cap  # 0.34
    field = choose(cap, flat((250, 252, 255)), field)
    return mix(field, flat((150, 180, 220)), rim * np.int32(154))


def _moss(rng: np.random.Generator, seen: Seen) -> Lanes:
    """The object's own colours, greyed, under thick patches of mottled moss."""
    clump = 6 * noise_on(seen, rng, 34, 34) + 4 * noise_on(seen, rng, 60, 60)  # of 2,550
    moss = MOSS.take(weight((clump * 13 - 3825) * ONE // 25500))
    where = 20 * noise_on(seen, rng, 5, 5) + 7 * noise_on(seen, rng, 18, 18) + 9 * seen.snow  # of 5,100
    cover = weight((where - 2856) * ONE // 306)  # from 0.56 to 0.62
    return mix(_greyed(seen), moss, cover)


def _greyed(seen: Seen) -> Lanes:
    """The drawing's colours, duller: 0.55 of each, 0.27 of their mean and 18."""
    colours = lanes(seen.colour)[:, :3].astype(np.int32)
    return pack((55 * colours + 9 * colours.sum(1, keepdims=True) + 1850) // 100)


def paint(attribute: str, drawing: Picture, rng: np.random.Generator) -> Lanes:
    """Colours of ``drawing.seen`` under ``attribute``, as lanes that may be above 255.

    Raises KeyError for one that is in neither ATTRIBUTES nor MORE_ATTRIBUTES.
    """
    seen = drawing.seen
    if attribute in SHADES:
        return SHADES[attribute].take(seen.shade)
    if attribute == "golden":
        return GOLD.take(seen.shade)
    if attribute == "snowy":
        return _snowy(rng, seen)
    if attribute == "moss covered":
        return _moss(rng, seen)
    if attribute in LOOKS:
        return LOOKS[attribute](rng, drawing)
    surface = SURFACES.get(attribute) or MORE_SURFACES[attribute]
    return shine(surface(rng, seen), seen.light, 7)


# --- on a ground ------------------------------------------------------------------------------------------------------


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
    drawing = form(attribute, drawing)
    sprite = _sprite(paint(attribute, drawing, rng), drawing.seen)
    x, y = _places(rng)
    inside = np.flatnonzero(_between(x, *drawing.seen.columns) & _between(y, *drawing.seen.rows))
    over = _sampled(sprite, x.ravel().take(inside), y.ravel().take(inside))
    ground = _ground(rng)
    ground[inside] = _over(over, ground.take(inside))
    return lanes(ground)[:, :3].astype(np.uint8).reshape(PIXELS, PIXELS, 3)


WIDE = SIDE + 2  # a sprite has a border of a pixel, so that every pixel has neighbours


def _sprite(colours: Lanes, seen: Seen) -> Lanes:
    """The pixels that are seen in their places, colours multiplied by their opacity; flat, WIDE x WIDE."""
    colours = _at_most_255(colours)
    sprite = np.zeros((WIDE, WIDE), dtype=np.uint64)
    sprite.ravel()[seen.padded] = _share(colours, seen.alpha) | seen.opacity
    sprite[0], sprite[-1] = sprite[1], sprite[-2]
    sprite[:, 0], sprite[:, -1] = sprite[:, 1], sprite[:, -2]
    return sprite.ravel()


def _at_most_255(colours: Lanes) -> Lanes:
    """The lanes cut to 255, in their place."""
    each = colours.view(np.uint16)
    np.minimum(each, 255, out=each)
    return colours


def _share(colours: Lanes, of_255: np.ndarray) -> Lanes:
    """Lanes times ``of_255`` / 255, rounded; a new array."""
    part = colours * of_255
    each = part.view(np.uint16)
    each += 128
    each += each >> 8
    each >>= 8
    return part


def _places(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of the image lies in the drawing: x and y in 65,536ths of a pixel, int32."""
    size = PIXELS * between(rng, 720, 960)  # of the object, in 65,536ths
    cosine, sine = cosine_and_sine(between(rng, -15_000, 15_000))
    cosine, sine = ((part * SIDE << 2) // size for part in (cosine, sine))
    mirror = -1 if fraction(rng) < 32768 else 1
    cx, cy = (PIXELS * (PIXEL // 2) + PIXELS * (fraction(rng) - 32768) // 10 for _ in range(2))
    middle = SIDE * (PIXEL // 2)
    steps = np.arange(PIXELS, dtype=np.int64) * PIXEL + PIXEL // 2
    right, down = steps - cx, steps - cy
    x_right, x_down = mirror * (right * cosine >> 16) + middle, mirror * (down * sine >> 16)
    y_right, y_down = middle - (right * sine >> 16), down * cosine >> 16
    x, y = (a.astype(np.int32) + b.astype(np.int32)[:, None] for a, b in ((x_right, x_down), (y_right, y_down)))
    return x, y


def _between(values: np.ndarray, low: int, high: int) -> np.ndarray:
    return (values - np.int32(low)).view(np.uint32) < np.uint32(high - low)


def _sampled(sprite: Lanes, x: np.ndarray, y: np.ndarray) -> Lanes:
    """The sprite at places x and y, between its four nearest pixels."""
    x, y = x + PIXEL // 2, y + PIXEL // 2  # the border of the sprite adds one, a pixel's centre takes a half
    corner = (y >> 16) * WIDE + (x >> 16)
    right, down = ((part >> 8 & 255) for part in (x, y))
    above, below = (mix(sprite.take(at), sprite.take(at + 1), right) for at in (corner, corner + WIDE))
    return mix(above, below, down)


def _over(colours: Lanes, ground: Lanes) -> Lanes:
    """Colours multiplied by their opacity, over a ground."""
    whole = colours + _share(ground, np.uint64(255) - (colours >> np.uint64(48)))
    return _at_most_255(whole)


LIFT = 8192  # 128 in 64ths


def _ground(rng: np.random.Generator) -> Lanes:
    """A dull two-coloured ground with soft blotches, flat, PIXELS x PIXELS."""
    base = 70 * 65536 + 130 * fraction(rng)
    tints = 46 * (fractions(rng, 2, 3) - 32768)
    blend = noise(rng, 1, 1, PIXELS).ravel()
    blotch = noise(rng, 6, 6, PIXELS).ravel()
    depth = 30 * fraction(rng)
    change = tints[1] - tints[0] + 70 * (fraction(rng) - 32768)
    steps = np.arange(256)
    # In 64ths, and LIFT more, so that no lane falls below nothing on the way.
    tint = (base + tints[0][:, None] + change[:, None] * steps // 255 >> 10) + LIFT
    light = (depth * (2 * steps - 255) // 510 >> 10).astype(np.uint64) * np.uint64(0x0001_0001_0001)
    ground = pack(tint.T).take(blend) + light.take(blotch)
    each = ground.view(np.uint16)
    np.maximum(each, LIFT, out=each)
    each -= LIFT - 32
    each >>= 6
    return _at_most_255(ground)
