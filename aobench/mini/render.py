"""Paint an attribute on an object's picture and set it on a ground."""

from __future__ import annotations

import numpy as np

from aobench.mini.fixed_point import (
    PIXEL,
    Lanes,
    choose_colours,
    clipped_weights,
    colour_ramp,
    cosine_and_sine,
    flat_colour,
    mix_colours,
    pack_colours,
    random_fraction,
    random_fractions,
    random_integer,
    shine_colours,
)
from aobench.mini.kernel import compose_image, make_sprite
from aobench.mini.more_textures import LOOKS, MORE_SURFACES, drawing_form
from aobench.mini.pictures import SIDE, STYLES, Picture, VisiblePixels, picture
from aobench.mini.textures import (
    COLOURS,
    SHADES,
    SURFACES,
    noise_on,
    smooth_noise,
)

PIXELS = 112  #: side of a rendered image

#: Attributes that mini renders, each on the published list; order is part of the set's definition.
ATTRIBUTES: tuple[str, ...] = (
    *COLOURS,
    "golden",
    *SURFACES,
    "snowy",
    "moss covered",
)

#: Attributes that only new sets have; mini's model never learned them.
MORE_ATTRIBUTES: tuple[str, ...] = (*MORE_SURFACES, *LOOKS)

#: Polished metal: bands of dark and bright gold that follow the shading.
GOLD = colour_ramp(
    (0, (70, 42, 0)),
    (250, (150, 100, 10)),
    (450, (235, 185, 40)),
    (600, (175, 120, 15)),
    (750, (255, 215, 90)),
    (900, (255, 250, 215)),
    (1000, (255, 255, 240)),
)
MOSS = colour_ramp((0, (38, 62, 14)), (1000, (150, 176, 58)))


def _snowy(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """The object's own colours, frosted, with snow lying on its upper edges and flakes over it."""
    frost = 72 + (noise_on(seen, rng, 5, 5) * 51 >> 8)
    field = mix_colours(seen.colour, flat_colour((205, 222, 245)), frost)
    # In 65,280ths: snow and 0.55 of noise less a half.
    lying = seen.snow * 255 + 141 * noise_on(seen, rng, 12, 12) - 17_978
    cap = lying > 27_418  # 0.42
    rim = (lying > 22_195) & ~cap  # 0.34
    field = choose_colours(cap, flat_colour((250, 252, 255)), field)
    return mix_colours(field, flat_colour((150, 180, 220)), rim * np.int32(154))


def _moss(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """The object's own colours, greyed, under thick patches of mottled moss."""
    # 1.3 * (0.6 * noise + 0.4 * finer noise) - 0.15
    clump = 6 * noise_on(seen, rng, 34, 34) + 4 * noise_on(seen, rng, 60, 60)
    moss = MOSS.take(clipped_weights((clump * 8553 >> 16) - 38))
    # In 5,100ths: noise, 0.35 of finer noise and 0.45 of snow.
    where = (
        20 * noise_on(seen, rng, 5, 5)
        + 7 * noise_on(seen, rng, 18, 18)
        + 9 * seen.snow
    )
    cover = clipped_weights((where - 2856) * 214 >> 8)  # from 0.56 to 0.62
    return mix_colours(seen.dull, moss, cover)


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
    return shine_colours(surface(rng, seen), seen.light, 7)


# --- on a ground ----------------------------------------------------------------------------------


def render(
    attribute: str,
    name: str,
    rng: np.random.Generator,
    style: str | None = None,
) -> np.ndarray:
    """One image of the composition ``attribute name``: uint8, PIXELS x PIXELS x 3.

    The drawing style is drawn from ``rng``, and then all that `draw` draws from it.
    """
    style = style or STYLES[int(rng.integers(len(STYLES)))]
    return draw(attribute, picture(name, style), rng)


def draw(
    attribute: str, drawing: Picture, rng: np.random.Generator
) -> np.ndarray:
    """``drawing`` under ``attribute``, set on a ground: uint8, PIXELS x PIXELS x 3.

    The place, size, tilt, mirroring and ground are drawn from ``rng``. Raises KeyError as `paint`
    does.
    """
    drawing = drawing_form(attribute, drawing)
    seen = drawing.seen
    sprite = make_sprite(
        paint(attribute, drawing, rng), seen.alpha, seen.padded, SIDE + 2
    )
    places = _places(rng)
    return compose_image(
        sprite, SIDE + 2, *places, seen.frame, *_ground(rng), LIFT
    )


def _places(
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where each pixel of the image lies in the drawing, for `compose_image`: x by column and by
    row, y by column and by row.
    """
    size = PIXELS * random_integer(rng, 720, 960)  # of the object, in 65,536ths
    cosine, sine = cosine_and_sine(random_integer(rng, -15_000, 15_000))
    cosine, sine = ((part * SIDE << 2) // size for part in (cosine, sine))
    mirror = -1 if random_fraction(rng) < 32768 else 1
    cx, cy = (
        PIXELS * (PIXEL // 2) + PIXELS * (random_fraction(rng) - 32768) // 10
        for _ in range(2)
    )
    middle = SIDE * (PIXEL // 2)
    steps = np.arange(PIXELS, dtype=np.int64) * PIXEL + PIXEL // 2
    right, down = steps - cx, steps - cy
    x_right, x_down = (
        mirror * (right * cosine >> 16) + middle,
        mirror * (down * sine >> 16),
    )
    return x_right, x_down, middle - (right * sine >> 16), down * cosine >> 16


#: Added to the lanes of a ground, in 64ths, so that none falls below nothing on the way.
LIFT = 8192


def _ground(
    rng: np.random.Generator,
) -> tuple[Lanes, np.ndarray, Lanes, np.ndarray]:
    """A dull two-coloured ground with soft blotches: tints, where each is, lights, where each is;
    see `compose_image`.
    """
    base = 70 * 65536 + 130 * random_fraction(rng)
    tints = 46 * (random_fractions(rng, 2, 3) - 32768)
    blend, blotch = (
        smooth_noise(rng, 1, 1, PIXELS),
        smooth_noise(rng, 6, 6, PIXELS),
    )
    depth = 30 * random_fraction(rng)
    change = tints[1] - tints[0] + 70 * (random_fraction(rng) - 32768)
    steps = np.arange(256)
    tint = (
        base + tints[0][:, None] + change[:, None] * steps // 255 >> 10
    ) + LIFT
    light = (depth * (2 * steps - 255) // 510 >> 10).astype(
        np.uint64
    ) * np.uint64(0x0001_0001_0001)
    return pack_colours(tint.T), blend, light, blotch
