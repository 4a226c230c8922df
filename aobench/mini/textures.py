"""Procedural surfaces: the look of an attribute, as colours of the pixels of a drawing.

Everything here is a pure function of a ``numpy.random.Generator`` and of the drawing, in whole
numbers (see `fixed_point`), so that one seed gives the same pixels everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from aobench.mini import kernel
from aobench.mini.fixed_point import (
    ONE,
    PIXEL,
    TURN,
    TURN_BITS,
    Lanes,
    choose_colours,
    clipped_weights,
    colour_ramp,
    flat_colour,
    mix_colours,
    pack_colours,
    part_of_turn,
    random_fraction,
    random_fractions,
    random_integer,
    slope_direction,
    square_roots,
    to_and_fro,
    turn_units,
)
from aobench.mini.pictures import SIDE, VisiblePixels
from aobench.mini.resampling import resized_channel

Surface = Callable[[np.random.Generator, VisiblePixels], Lanes]

#: Flat colours: (dark, middle, light) RGB, met at shade 0, 0.6 and 1.
COLOURS: dict[
    str, tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]
] = {
    "red": ((85, 5, 8), (215, 25, 30), (255, 140, 130)),
    "orange": ((140, 60, 0), (250, 130, 15), (255, 200, 130)),
    "yellow": ((150, 120, 0), (250, 220, 25), (255, 248, 170)),
    "green": ((8, 65, 15), (40, 160, 50), (150, 230, 140)),
    "blue": ((8, 20, 100), (30, 75, 215), (140, 180, 255)),
    "purple": ((50, 10, 85), (125, 45, 180), (205, 150, 240)),
    "pink": ((165, 55, 105), (250, 140, 185), (255, 215, 230)),
    "brown": ((45, 22, 8), (115, 68, 34), (190, 145, 105)),
    "black": ((0, 0, 0), (28, 28, 32), (120, 120, 128)),
    "white": ((150, 152, 158), (236, 236, 238), (255, 255, 255)),
    "gray": ((50, 50, 52), (128, 128, 130), (200, 200, 202)),
    "turquoise": ((0, 85, 85), (40, 200, 190), (170, 245, 235)),
}

#: The colours of each flat colour by shade, as a table.
SHADES: dict[str, Lanes] = {
    name: colour_ramp((0, dark), (600, middle), (1000, light))
    for name, (dark, middle, light) in COLOURS.items()
}

#: Strong hues that patterns are drawn in.
HUES = pack_colours(
    [
        (200, 30, 35),
        (225, 120, 10),
        (30, 130, 50),
        (30, 70, 190),
        (115, 40, 165),
        (215, 70, 140),
        (20, 20, 25),
        (20, 140, 140),
        (100, 60, 30),
    ],
)


PALE = flat_colour((245, 245, 240))


# --- what surfaces are made of --------------------------------------------------------------------


def smooth_noise(
    rng: np.random.Generator, cells_y: int, cells_x: int, size: int = SIDE
) -> np.ndarray:
    """Smooth value noise, 0..255, ``size`` x ``size``, with the given number of cells each way."""
    grid = (rng.random((cells_y + 1, cells_x + 1)) * (1 << 32)).astype(
        np.int64
    ) * 255 >> 32
    return resized_channel(grid, size, size)


def noise_on(
    seen: VisiblePixels, rng: np.random.Generator, cells_y: int, cells_x: int
) -> np.ndarray:
    """`smooth_noise` at the pixels that are seen."""
    return smooth_noise(rng, cells_y, cells_x).ravel().take(seen.where)


def stripe_phases(
    seen: VisiblePixels, across: int, down: int, period: int, start: int
) -> np.ndarray:
    """A pattern's phase, in TURN: of ``x * across + y * down`` (65,536ths) over ``period``, and
    ``start`` (both, too).
    """
    step_x, step_y = ((part << TURN_BITS) // period for part in (across, down))
    phase = seen.x * np.int32(step_x)
    phase += seen.y * np.int32(step_y)
    phase += np.int32(start << (TURN_BITS - 16))
    return phase


def _below(phase: np.ndarray, share: float) -> np.ndarray:
    return part_of_turn(phase) < turn_units(share)


def _hue(rng: np.random.Generator) -> Lanes:
    number = int(rng.integers(len(HUES)))
    return HUES[number : number + 1]


# --- the surfaces ---------------------------------------------------------------------------------


def paint_striped(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Two-coloured straight stripes, a hue and near-white."""
    cosine, sine = slope_direction(random_integer(rng, -1200, 1200))
    period = random_integer(rng, 20_000, 30_000)
    phase = stripe_phases(seen, cosine, sine, period, random_fraction(rng))
    return choose_colours(_below(phase, 0.5), _hue(rng), PALE)


def paint_checkered(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """A chessboard of a hue and near-white."""
    cosine, sine = slope_direction(random_integer(rng, -150, 150))
    cell = random_integer(rng, 15_000, 21_000)
    u = stripe_phases(seen, cosine, sine, cell, random_fraction(rng))
    v = stripe_phases(seen, -sine, cosine, cell, random_fraction(rng))
    return choose_colours(((u ^ v) & TURN) != 0, _hue(rng), PALE)


def paint_dotted(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """White dots on a hue, or the other way round, on a staggered lattice."""
    cosine, sine = slope_direction(random_integer(rng, -300, 300))
    period = random_integer(rng, 22_000, 30_000)
    u = stripe_phases(seen, cosine, sine, period, random_fraction(rng))
    v = stripe_phases(seen, -sine, cosine, period, random_fraction(rng))
    u += (v & TURN) >> 1  # every other row half a period on
    du, dv = (
        (part_of_turn(part) - TURN // 2) >> (TURN_BITS - 12) for part in (u, v)
    )
    on = du * du + dv * dv < int(0.09 * (1 << 24))
    hue, white = _hue(rng), flat_colour((250, 250, 245))
    return (
        choose_colours(on, white, hue)
        if random_fraction(rng) < int(0.7 * 65536)
        else choose_colours(on, hue, white)
    )


#: The fifths of a turn, from straight up: (across, down) in thousandths.
FIFTHS = ((0, -1000), (951, -309), (588, 809), (-588, 809), (-951, -309))


def on_sheet(sheet: np.ndarray, seen: VisiblePixels) -> np.ndarray:
    """What stands on a sheet, SIDE x SIDE, at the pixels that are seen."""
    return sheet.ravel().take(seen.where)


def eighths(length: int) -> tuple[int, int]:
    """A length in 65,536ths of a pixel as whole pixels and eighths."""
    return divmod(((length >> 12) + 1) >> 1, 8)


@cache
def _flower(part_x: int, part_y: int, radius: int) -> np.ndarray:
    """1 on petals and 2 on the heart, uint8 29 x 29, the centre at pixel 14 and ``part`` eighths;
    ``radius`` in 16ths.
    """
    y, x = np.mgrid[0:29, 0:29] * 8000 - 14 * 8000  # in 8,000ths of a pixel
    y, x, size = y - 1000 * part_y, x - 1000 * part_x, radius * 500
    flower = np.zeros(x.shape, dtype=np.uint8)
    for px, py in FIFTHS:
        dx, dy = x - px * size // 1000, y - py * size // 1000
        flower[100 * (dx * dx + dy * dy) < 72 * size * size] = 1
    flower[10 * (x * x + y * y) < 3 * size * size] = 2
    return flower


#: By kind of flower: the number of its petals' colour and of its heart's, behind the ground's.
_FLOWERS = [np.array((0, number, 5), dtype=np.uint8) for number in range(1, 5)]


def paint_floral(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Five-petalled flowers with yellow hearts on a pale or a dark green ground."""
    ground = (232, 240, 214) if random_fraction(rng) < 32768 else (46, 84, 60)
    palette = pack_colours(
        [
            ground,
            (225, 45, 85),
            (240, 130, 180),
            (150, 70, 190),
            (235, 90, 40),
            (250, 205, 40),
        ]
    )
    sheet = np.zeros((SIDE, SIDE), dtype=np.uint8)
    step = 31
    off_x, off_y = step * random_fraction(rng), step * random_fraction(rng)
    for row in range(-1, 6):
        for col in range(-1, 6):
            x = (
                (2 * col + row % 2) * step * (PIXEL // 2)
                + off_x
                + 6 * random_fraction(rng)
            )
            y = (
                row * step * 87 * PIXEL // 100
                + off_y
                + 6 * random_fraction(rng)
            )
            radius = (
                11 * PIXEL + 3 * random_fraction(rng)
            ) >> 13  # 5.5 to 7 pixels
            kind = _FLOWERS[int(rng.integers(4))]
            (whole_x, part_x), (whole_y, part_y) = eighths(x), eighths(y)
            kernel.stamp_sheet(
                sheet,
                _flower(part_x, part_y, radius),
                whole_x - 14,
                whole_y - 14,
                kind,
            )
    return palette.take(on_sheet(sheet, seen))


@cache
def _rainbow() -> Lanes:
    """Colours around the circle of hues, 1,536 steps."""
    place = np.arange(1536)
    channels = [
        np.clip(np.abs((place + shift * ONE) % 1536 - 768) - ONE, 0, ONE)
        for shift in (0, 4, 2)
    ]
    return pack_colours(
        (np.stack(channels, axis=-1) * 450 + 25 * 2 * ONE + ONE) // (2 * ONE)
    )


def paint_colorful(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Soft bands that run through the whole rainbow."""
    cosine, sine = slope_direction(random_integer(rng, -1200, 1200))
    period = random_integer(rng, 70_000, 95_000)
    blotches = noise_on(seen, rng, 3, 3) * np.int32(TURN // (4 * 255))
    phase = (
        stripe_phases(seen, cosine, sine, period, random_fraction(rng))
        + blotches
    )
    return _rainbow().take((part_of_turn(phase) >> 4) * 1536 >> (TURN_BITS - 4))


WOOD = colour_ramp((0, (120, 70, 30)), (1000, (222, 170, 105)))


def paint_wooden(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Long grain with a few darker lines, in a light brown."""
    cosine, sine = slope_direction(random_integer(rng, -150, 150))
    wave = noise_on(seen, rng, 5, 2) * np.int32(turn_units(22 / 9 / 255))
    ring = (
        stripe_phases(seen, -sine, cosine, 9 * PIXEL, random_fraction(rng))
        + wave
    )
    # 1.25 * (0.55 * ring + 0.45 * noise) - 0.12
    grain = (
        to_and_fro(ring) * 45056 + noise_on(seen, rng, 60, 4) * 37009 - 2013266
    )
    wood = WOOD.take(clipped_weights(grain >> 16))
    plank = _below(
        stripe_phases(seen, -sine, cosine, 40 * PIXEL, PIXEL // 5), 1.8 / 40
    )
    return mix_colours(wood, flat_colour((70, 38, 14)), plank * np.int32(230))


STONE = colour_ramp((0, (246, 245, 242)), (1000, (205, 206, 210)))


def paint_marble(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """White stone with branching dark grey veins."""
    cosine, sine = slope_direction(random_integer(rng, -1000, 1000))
    turbulence = (
        noise_on(seen, rng, 4, 4) * 42
        + noise_on(seen, rng, 9, 9) * 18
        + noise_on(seen, rng, 20, 20) * 6
    )
    u = stripe_phases(seen, cosine, sine, 46 * PIXEL, random_fraction(rng)) + (
        turbulence * np.int32(turn_units(256 / 255 / 46)) >> 8
    )
    v = stripe_phases(seen, -sine, cosine, 38 * PIXEL, random_fraction(rng)) + (
        turbulence * np.int32(turn_units(1.4 * 256 / 255 / 38)) >> 8
    )
    main = clipped_weights(
        ONE - (to_and_fro(u) * 100 >> 4)
    )  # falls to nothing over 0.16 of a half period
    fine = clipped_weights(ONE - to_and_fro(v) * 10) * 154 >> 8
    cloud = STONE.take(noise_on(seen, rng, 6, 6))
    return mix_colours(cloud, flat_colour((66, 68, 78)), np.maximum(main, fine))


CLAY = colour_ramp((0, (138, 52, 36)), (1000, (196, 88, 62)))


def paint_brick(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Courses of red brick with light mortar."""
    height, width = (
        random_integer(rng, 13_000, 16_000),
        random_integer(rng, 30_000, 36_000),
    )
    down = stripe_phases(seen, 0, PIXEL, height, random_fraction(rng))
    row = down >> TURN_BITS
    across = stripe_phases(seen, PIXEL, 0, width, random_fraction(rng)) + (
        (row & 1) << (TURN_BITS - 1)
    )
    tones = (random_fractions(rng, 64, 16) >> 8).astype(np.int32)
    tone = tones.ravel().take((row & 63) * 16 + (across >> TURN_BITS & 15))
    clay = CLAY.take((tone * 205 + noise_on(seen, rng, 30, 30) * 51) >> 8)
    thick = (12 * PIXEL << TURN_BITS) // 5  # 2.4 pixels of mortar
    mortar = (part_of_turn(down) < thick // height) | (
        part_of_turn(across) < thick // width
    )
    return choose_colours(mortar, flat_colour((222, 214, 202)), clay)


_ROOTS = square_roots(1 << 20)


def two_nearest(
    x: np.ndarray, y: np.ndarray, jitter: np.ndarray, cell: int, shift: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances to the nearest and the next point of a jittered lattice, and the number of the
    nearest.

    Positions and distances are in 16ths of a pixel, int64; ``jitter`` 2 x count x count is in
    65,536ths of ``cell``. The points of row r lie at ``(r - 1 + jitter) * cell``, those of column
    c at ``(c + (r % 2) / 2 + jitter) * cell`` less ``shift`` 16ths.
    """
    rows, cols = np.indices(jitter.shape[1:])
    point_y = (rows - 1) * cell + (jitter[0] * cell >> 16)
    point_x = (
        cols * cell
        + (rows % 2) * (cell // 2)
        + (jitter[1] * cell >> 16)
        - shift
    )
    row, even, odd = (
        (y + cell) // cell,
        (x + shift) // cell,
        (x + shift - cell // 2) // cell,
    )
    near, far, nearest = kernel.two_nearest(
        x, y, row, even, odd, point_x, point_y
    )
    last = len(_ROOTS) - 1
    return (
        _ROOTS.take(np.minimum(near, last)),
        _ROOTS.take(np.minimum(far, last)),
        nearest,
    )


@cache
def _half_grid() -> tuple[np.ndarray, np.ndarray]:
    """Every other pixel of a drawing: x and y in 16ths, flat."""
    y, x = np.mgrid[0:SIDE:2, 0:SIDE:2] * 16
    return x.ravel(), y.ravel()


STONES = pack_colours(
    [(grey, grey * 985 // 1000, grey * 95 // 100) for grey in range(ONE)]
)


def paint_cobblestone(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Rounded grey stones with dark gaps (the two nearest of jittered lattice points)."""
    cell = 19 * 16
    jitter = random_fractions(rng, 2, 9, 9) * 62 // 100
    near, far, nearest = two_nearest(*_half_grid(), jitter, cell, cell * 6 // 5)
    edge = clipped_weights((far - near) * 2)  # a gap of 8 pixels is whole
    tone = (random_fractions(rng, 81) * 70 + 150 * 65536) >> 8  # in 256ths
    grey = (tone[nearest] * (64 + (edge * 3 >> 2)) >> 16).take(
        (seen.y >> 1) * (SIDE // 2) + (seen.x >> 1)
    )
    return STONES.take(grey)


#: Attributes painted as a surface over the whole object; the object's shading is kept on top.
SURFACES: dict[str, Surface] = {
    "striped": paint_striped,
    "checkered": paint_checkered,
    "dotted": paint_dotted,
    "floral": paint_floral,
    "colorful": paint_colorful,
    "wooden": paint_wooden,
    "marble": paint_marble,
    "brick": paint_brick,
    "cobblestone": paint_cobblestone,
}
