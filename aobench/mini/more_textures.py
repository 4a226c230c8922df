"""Looks beyond mini's: attributes for new sets, none of them on mini's list, painted in the same
way.

As in `textures`, everything is a pure function of a ``numpy.random.Generator`` and of the
drawing, in whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from aobench.mini import kernel
from aobench.mini.fixed_point import (
    ONE,
    PIXEL,
    TURN,
    TURN_BITS,
    Colour,
    Lanes,
    choose_colours,
    clipped_weights,
    colour_lanes,
    colour_ramp,
    flat_colour,
    mix_colours,
    pack_colours,
    part_of_turn,
    random_fraction,
    random_fractions,
    random_integer,
    shine_colours,
    slope_direction,
    to_and_fro,
    turn_units,
)
from aobench.mini.pictures import SIDE, Picture, VisiblePixels, light_factors
from aobench.mini.resampling import resized_channel
from aobench.mini.textures import (
    FIFTHS,
    Surface,
    _below,
    _hue,
    eighths,
    noise_on,
    on_sheet,
    stripe_phases,
    two_nearest,
)

BLOCK = 8  #: side in pixels of a block of the attribute pixelated


def _pick(rng: np.random.Generator, colours: Sequence[Colour]) -> Lanes:
    return flat_colour(colours[int(rng.integers(len(colours)))])


def _palette(ground: Lanes, *layers: tuple[Lanes, int]) -> Lanes:
    """The colours of all choices of layers, each (colour, weight): number 0 is the ground, bit n
    adds layer n.
    """
    colours = [ground]
    for layer, share in layers:
        colours += [
            mix_colours(colour, layer, np.array([share])) for colour in colours
        ]
    return np.concatenate(colours)


def paint_plaid(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Tartan: broad dark bands both ways, darkest where they cross, with thin bright lines
    between.
    """
    ground = _pick(
        rng, ((190, 28, 34), (28, 110, 58), (36, 72, 170), (205, 150, 40))
    )
    line = _pick(rng, ((250, 235, 150), (250, 250, 245)))
    period = random_integer(rng, 38_000, 46_000)
    cosine, sine = slope_direction(random_integer(rng, -150, 150))
    shade, thread = (flat_colour((0, 0, 0)), ONE // 2), (line, ONE * 3 // 4)
    choice = np.zeros(len(seen), dtype=np.int32)
    for bit, (across, down) in enumerate(((cosine, sine), (-sine, cosine))):
        phase = stripe_phases(seen, across, down, period, random_fraction(rng))
        broad, middle = (
            _within(phase, centre, half)
            for centre, half in ((0.71, 0.045), (0.21, 0.03))
        )
        choice |= (
            _below(phase, 0.42) | ((broad | middle).astype(np.int32) << 1)
        ) << (2 * bit)
    return _palette(ground, shade, thread, shade, thread).take(choice)


def _within(phase: np.ndarray, centre: float, half: float) -> np.ndarray:
    """Whether a phase is nearer than ``half`` to ``centre``, both shares of a period."""
    return part_of_turn(
        phase - np.int32(turn_units(centre - half))
    ) < turn_units(2 * half)


def paint_camouflage(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Blots of dark green, brown and black on a dull khaki, one over the other."""
    choice = np.zeros(len(seen), dtype=np.int32)
    for number, least in ((1, 500), (2, 600), (3, 650)):
        blot = 3 * noise_on(seen, rng, 6, 5) + noise_on(
            seen, rng, 16, 14
        )  # of 4 * 255
        choice[blot > least * 1020 // 1000] = number
    return pack_colours(
        [(150, 142, 92), (74, 92, 42), (92, 62, 34), (26, 28, 22)]
    ).take(choice)


def paint_zigzag(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Chevrons: stripes of a hue and near-white that turn sharply to and fro."""
    cosine, sine = slope_direction(random_integer(rng, -200, 200))
    wave = random_integer(rng, 26_000, 34_000)
    turn = to_and_fro(
        stripe_phases(seen, cosine, sine, wave, random_fraction(rng))
    )
    period = random_integer(rng, 20_000, 26_000)
    phase = stripe_phases(seen, -sine, cosine, period, random_fraction(rng))
    phase += turn * np.int32((wave * 62 // 100 << TURN_BITS - 8) // period)
    return choose_colours(
        _below(phase, 0.5), _hue(rng), flat_colour((245, 245, 240))
    )


@cache
def _star(part_x: int, part_y: int, inner: int) -> np.ndarray:
    """1 on a five-pointed star, uint8 33 x 33, the centre at pixel 16 and ``part`` eighths.

    ``inner``: from the centre to each of its five lines, in 16ths. A point of it lies beyond at
    most one of them.
    """
    y, x = np.mgrid[0:33, 0:33] * 16 - 16 * 16  # in 16ths of a pixel
    y, x = y - 2 * part_y, x - 2 * part_x
    beyond = sum(
        (-x * nx - y * ny > 1000 * inner).astype(np.int64) for nx, ny in FIFTHS
    )
    near = 100 * (x * x + y * y) < 33 * 33 * inner * inner
    return ((beyond <= 1) & near).astype(np.uint8)


_ONE = np.array((0, 1), dtype=np.uint8)


def paint_starry(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Five-pointed yellow stars, and specks, on the blue of the night."""
    night = NIGHT.take(noise_on(seen, rng, 4, 4))
    specks = random_fractions(rng, SIDE // 2, SIDE // 2) > 985 * 65536 // 1000
    sheet = np.zeros((SIDE, SIDE), dtype=np.uint8)
    step = 27
    off_x, off_y = step * random_fraction(rng), step * random_fraction(rng)
    for number, (right, down, size) in enumerate(
        random_fractions(rng, 64, 3).tolist()
    ):
        row, col = number // 8 - 1, number % 8 - 1
        x = (2 * col + row % 2) * step * (PIXEL // 2) + off_x + 5 * right
        y = row * step * 87 * PIXEL // 100 + off_y + 5 * down
        (whole_x, part_x), (whole_y, part_y) = eighths(x), eighths(y)
        star = _star(
            part_x, part_y, (36 * PIXEL + 12 * size) * 16 // (10 * PIXEL)
        )
        kernel.stamp_sheet(sheet, star, whole_x - 16, whole_y - 16, _ONE)
    speck = specks.ravel().take((seen.y >> 1) * (SIDE // 2) + (seen.x >> 1))
    field = choose_colours(speck, flat_colour((235, 238, 255)), night)
    return choose_colours(
        on_sheet(sheet, seen) == 1, flat_colour((255, 220, 60)), field
    )


NIGHT = colour_ramp((0, (16, 22, 78)), (1000, (40, 50, 140)))


def paint_tiled(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Square glazed tiles of several blues or greens, each with a lit and a dark edge, in white
    grout.
    """
    palettes = (
        ((28, 96, 150), (70, 160, 205), (150, 205, 225), (20, 62, 110)),
        ((22, 110, 100), (90, 180, 160), (180, 220, 200), (14, 76, 80)),
        ((180, 90, 50), (226, 150, 90), (240, 200, 150), (140, 56, 40)),
    )
    colours = pack_colours(palettes[int(rng.integers(len(palettes)))])
    cell = random_integer(rng, 17_000, 21_000)
    cosine, sine = slope_direction(random_integer(rng, -80, 80))
    u = stripe_phases(seen, cosine, sine, cell, random_fraction(rng))
    v = stripe_phases(seen, -sine, cosine, cell, random_fraction(rng))
    kind = rng.integers(len(colours), size=(32, 32)).astype(np.int32)
    choice = kind.ravel().take(
        (v >> TURN_BITS & 31) * 32 + (u >> TURN_BITS & 31)
    )
    left, top = part_of_turn(u), part_of_turn(v)
    first, last = np.minimum(left, top), np.maximum(left, top)
    for bit, edge in (
        (2, first < turn_units(0.24)),
        (3, last > turn_units(0.88)),
        (4, first < turn_units(0.12)),
    ):
        choice |= edge.astype(np.int32) << bit
    glaze = (
        (flat_colour((255, 255, 255)), 90),
        (flat_colour((0, 0, 0)), 90),
        (flat_colour((238, 236, 228)), ONE),
    )
    return _palette(colours, *glaze).take(choice)


def paint_knitted(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Wool: columns of V-shaped stitches with dark gaps, in a hue with bands of a lighter wool."""
    across = stripe_phases(seen, PIXEL, 0, 12 * PIXEL, random_fraction(rng))
    half = to_and_fro(
        across
    )  # 0 in the middle of a stitch's V, ONE between two columns
    down = (
        stripe_phases(seen, 0, PIXEL, 9 * PIXEL, random_fraction(rng))
        - half * np.int32(turn_units(7 / 9 / ONE))
        + 64 * TURN
    )
    thread = to_and_fro(
        down
    )  # 0 in the middle of the yarn, ONE in the gap below it
    colour = _pick(
        rng,
        (
            (176, 44, 52),
            (44, 84, 150),
            (60, 120, 74),
            (150, 84, 140),
            (196, 130, 50),
        ),
    )
    pale = choose_colours(
        (down >> TURN_BITS) % 6 >= 4, flat_colour((246, 240, 226)), colour
    )
    twist = noise_on(seen, rng, 60, 60) * 31 >> 8
    bright = np.clip(320 - (192 * thread * thread >> 16) + twist, 0, 333)
    seam = clipped_weights((np.abs(half - 128) * 2 - 184) * 64 // 18)
    return shine_colours(pale, bright * (ONE - (seam * 141 >> 8)) >> 9, 7)


def paint_wicker(rng: np.random.Generator, seen: VisiblePixels) -> Lanes:
    """Basketry: flat rods of straw that pass over and under each other, dark in the gaps."""
    cell = random_integer(rng, 15_000, 18_000)
    cosine, sine = slope_direction(random_integer(rng, -100, 100))
    u = stripe_phases(seen, cosine, sine, cell, random_fraction(rng))
    v = stripe_phases(seen, -sine, cosine, cell, random_fraction(rng))
    over = ((u ^ v) & TURN) == 0  # whether the rod that lies across is on top
    du, dv = (
        to_and_fro(u),
        to_and_fro(v),
    )  # 0 in the middle of a cell, ONE at its edge
    along, aside = np.where(over, du, dv), np.where(over, dv, du)
    strands = to_and_fro(np.where(over, v, u) * 3)  # three strands make a rod
    bright = (287 - (141 * along * along >> 16)) * (
        ONE - (90 * strands * strands >> 16)
    ) >> 9
    bright = np.where(aside > 225, bright * 90 >> 8, bright)
    return shine_colours(STRAW.take(noise_on(seen, rng, 12, 12)), bright, 7)


STRAW = colour_ramp((0, (196, 148, 86)), (1000, (232, 196, 130)))

SILVER = colour_ramp(
    (0, (18, 20, 28)),
    (200, (96, 102, 114)),
    (360, (226, 232, 240)),
    (500, (120, 128, 142)),
    (620, (60, 66, 80)),
    (760, (236, 241, 248)),
    (880, (168, 176, 190)),
    (1000, (255, 255, 255)),
)


def paint_silver(rng: np.random.Generator, drawing: Picture) -> Lanes:
    """Polished metal: bands of dark and bright grey, faintly blue, that follow the shading."""
    return SILVER.take(drawing.seen.shade)


def block_means(values: np.ndarray) -> np.ndarray:
    """The sum of each block of BLOCK x BLOCK pixels, in its place; whole numbers, SIZE x SIZE."""
    count = SIDE // BLOCK
    total = values.reshape(count, BLOCK, count, BLOCK).sum((1, 3))
    return np.repeat(np.repeat(total, BLOCK, axis=0), BLOCK, axis=1)


def paint_pixelated(rng: np.random.Generator, drawing: Picture) -> Lanes:
    """The drawing's own colours; `drawing_form` has made blocks of them."""
    return drawing.seen.colour


def _in_blocks(drawing: Picture) -> Picture:
    """The drawing in coarse square blocks, its colours to few steps, its edge of whole blocks."""
    opacity = drawing.alpha.astype(np.int64)
    total = block_means(opacity)
    sums = np.dstack(
        [
            block_means(drawing.rgb[..., channel] * opacity)
            for channel in range(3)
        ]
    )
    average = sums // np.maximum(total, 1)[..., None]
    colours = np.minimum((average + 12) // 24 * 24, 255).astype(np.uint8)
    # Half a block, but of a thin drawing something stays.
    least = min(255 * BLOCK * BLOCK // 2, int(total.max()) // 2)
    return replace(
        drawing,
        rgb=colours,
        alpha=np.where(total > least, 255, 0).astype(np.uint8),
    )


def drawing_form(attribute: str, drawing: Picture) -> Picture:
    """What ``attribute`` is painted on: the drawing, but for pixelated, where it is made of
    blocks.
    """
    return _in_blocks(drawing) if attribute == "pixelated" else drawing


def _glow(values: np.ndarray, cells: int) -> np.ndarray:
    """``values`` (256ths) spread out softly: the mean of each of ``cells`` x ``cells`` parts,
    drawn large again.
    """
    side = SIDE // cells
    total = (
        np.minimum(values, 255).reshape(cells, side, cells, side).sum((1, 3))
    )
    return resized_channel(
        (total + side * side // 2) // (side * side), SIDE, SIDE
    )


def paint_neon(rng: np.random.Generator, drawing: Picture) -> Lanes:
    """An almost black body whose contours are bright tubes of light with a halo."""
    tubes = ((255, 40, 190), (30, 235, 255), (120, 255, 60), (255, 130, 30))
    first = int(rng.integers(len(tubes)))
    other = (first + 1 + int(rng.integers(len(tubes) - 1))) % len(tubes)
    seen = drawing.seen
    colour = mix_colours(
        flat_colour(tubes[first]),
        flat_colour(tubes[other]),
        clipped_weights(noise_on(seen, rng, 2, 2) * 2 - 128),
    )
    line = clipped_weights(drawing.lines * 12 // 5)
    halo = (
        clipped_weights((_glow(line, 32) * 9 + _glow(line, 16) * 5) // 10)
        .ravel()
        .take(seen.where)
    )
    glowing = shine_colours(colour, halo * 3 >> 3, 7) + flat_colour(
        (12, 10, 26)
    )
    each = colour_lanes(glowing)
    np.minimum(each, 255, out=each)
    return mix_colours(
        glowing,
        mix_colours(colour, flat_colour((255, 255, 255)), np.array([115])),
        line.ravel().take(seen.where),
    )


CRUST = colour_ramp((0, (22, 14, 14)), (1000, (92, 60, 54)))


def paint_molten(rng: np.random.Generator, drawing: Picture) -> Lanes:
    """A dark crust, broken into plates, between which it glows from red to yellow."""
    seen = drawing.seen
    cell = 24 * 16
    jitter = random_fractions(rng, 2, 8, 8) * 8 // 10
    y = seen.y.astype(np.int64) * 16 + noise_on(seen, rng, 12, 12) * 144 // 255
    x = seen.x.astype(np.int64) * 16 + noise_on(seen, rng, 12, 12) * 144 // 255
    near, far, _ = two_nearest(x, y, jitter, cell, cell * 6 // 5)
    gap = (far - near) * (
        192 + (noise_on(seen, rng, 4, 4) >> 1)
    )  # in 4,096ths of a pixel
    field = CRUST.take(
        seen.shade * (128 + (noise_on(seen, rng, 40, 40) >> 1)) >> 8
    )
    for colour, most, reach in (
        ((190, 24, 4), 320, 90),
        ((255, 110, 8), 384, 36),
        ((255, 240, 120), 358, 18),
    ):
        weights = clipped_weights(most - gap * 10 // (16 * reach))
        field = mix_colours(field, flat_colour(colour), weights)
    return field


RUST = colour_ramp((0, (88, 40, 20)), (1000, (214, 104, 36)))
STEEL = colour_ramp((0, (120, 128, 134)), (1000, (168, 174, 178)))


def paint_rusty(rng: np.random.Generator, drawing: Picture) -> Lanes:
    """Flaked orange and brown rust over steel that shows through here and there."""
    seen = drawing.seen
    coarse = 6 * noise_on(seen, rng, 9, 9) + 4 * noise_on(
        seen, rng, 26, 26
    )  # of 2,550
    grain = noise_on(seen, rng, 60, 60) + noise_on(
        seen, rng, 110, 110
    )  # of 510
    # 1.6 * coarse - 0.35 + 0.7 * (grain - 0.5)
    rust = RUST.take(
        clipped_weights((coarse * 16 + grain * 35 - 17850) * ONE // 25500)
    )
    pits = noise_on(seen, rng, 30, 30) * 2 + grain > 673
    rust = mix_colours(rust, flat_colour((48, 24, 16)), pits * np.int32(205))
    steel = STEEL.take(grain >> 1)
    bare = (
        10 * noise_on(seen, rng, 6, 6) + 4 * noise_on(seen, rng, 30, 30) > 2295
    )
    factors = light_factors(seen.shade, seen.lines, 42, 72)
    return shine_colours(choose_colours(bare, steel, rust), factors, 7)


#: Painted as a surface over the whole object, as `textures.SURFACES` are; the shading is kept on
#: top.
MORE_SURFACES: dict[str, Surface] = {
    "plaid": paint_plaid,
    "camouflage": paint_camouflage,
    "zigzag": paint_zigzag,
    "starry": paint_starry,
    "tiled": paint_tiled,
    "knitted": paint_knitted,
    "wicker": paint_wicker,
}

#: Made of the drawing: its shading, its contours or its colours.
LOOKS: dict[str, Callable[[np.random.Generator, Picture], Lanes]] = {
    "silver": paint_silver,
    "rusty": paint_rusty,
    "pixelated": paint_pixelated,
    "neon": paint_neon,
    "molten": paint_molten,
}
