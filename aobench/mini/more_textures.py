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
    between,
    choose,
    direction,
    flat,
    fraction,
    fractions,
    lanes,
    mix,
    pack,
    part_of_turn,
    ramp,
    shine,
    to_and_fro,
    turns,
    weight,
)
from aobench.mini.pictures import SIDE, Picture, Seen, light
from aobench.mini.resampling import resized
from aobench.mini.textures import (
    FIFTHS,
    Surface,
    _below,
    _hue,
    eighths,
    noise_on,
    on_sheet,
    phases,
    two_nearest,
)

BLOCK = 8  #: side in pixels of a block of the attribute pixelated


def _pick(rng: np.random.Generator, colours: Sequence[Colour]) -> Lanes:
    return flat(colours[int(rng.integers(len(colours)))])


def _palette(ground: Lanes, *layers: tuple[Lanes, int]) -> Lanes:
    """The colours of all choices of layers, each (colour, weight): number 0 is the ground, bit n
    adds layer n.
    """
    colours = [ground]
    for layer, share in layers:
        colours += [mix(colour, layer, np.array([share])) for colour in colours]
    return np.concatenate(colours)


def plaid(rng: np.random.Generator, seen: Seen) -> Lanes:
    """Tartan: broad dark bands both ways, darkest where they cross, with thin bright lines
    between.
    """
    ground = _pick(rng, ((190, 28, 34), (28, 110, 58), (36, 72, 170), (205, 150, 40)))
    line = _pick(rng, ((250, 235, 150), (250, 250, 245)))
    period = between(rng, 38_000, 46_000)
    cosine, sine = direction(between(rng, -150, 150))
    shade, thread = (flat((0, 0, 0)), ONE // 2), (line, ONE * 3 // 4)
    choice = np.zeros(len(seen), dtype=np.int32)
    for bit, (across, down) in enumerate(((cosine, sine), (-sine, cosine))):
        phase = phases(seen, across, down, period, fraction(rng))
        broad, middle = (
            _within(phase, centre, half)
            for centre, half in ((0.71, 0.045), (0.21, 0.03))
        )
        choice |= (_below(phase, 0.42) | ((broad | middle).astype(np.int32) << 1)) << (
            2 * bit
        )
    return _palette(ground, shade, thread, shade, thread).take(choice)


def _within(phase: np.ndarray, centre: float, half: float) -> np.ndarray:
    """Whether a phase is nearer than ``half`` to ``centre``, both shares of a period."""
    return part_of_turn(phase - np.int32(turns(centre - half))) < turns(2 * half)


def camouflage(rng: np.random.Generator, seen: Seen) -> Lanes:
    """Blots of dark green, brown and black on a dull khaki, one over the other."""
    choice = np.zeros(len(seen), dtype=np.int32)
    for number, least in ((1, 500), (2, 600), (3, 650)):
        blot = 3 * noise_on(seen, rng, 6, 5) + noise_on(seen, rng, 16, 14)  # of 4 * 255
        choice[blot > least * 1020 // 1000] = number
    return pack([(150, 142, 92), (74, 92, 42), (92, 62, 34), (26, 28, 22)]).take(choice)


def zigzag(rng: np.random.Generator, seen: Seen) -> Lanes:
    """Chevrons: stripes of a hue and near-white that turn sharply to and fro."""
    cosine, sine = direction(between(rng, -200, 200))
    wave = between(rng, 26_000, 34_000)
    turn = to_and_fro(phases(seen, cosine, sine, wave, fraction(rng)))
    period = between(rng, 20_000, 26_000)
    phase = phases(seen, -sine, cosine, period, fraction(rng))
    phase += turn * np.int32((wave * 62 // 100 << TURN_BITS - 8) // period)
    return choose(_below(phase, 0.5), _hue(rng), flat((245, 245, 240)))


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


def starry(rng: np.random.Generator, seen: Seen) -> Lanes:
    """Five-pointed yellow stars, and specks, on the blue of the night."""
    night = NIGHT.take(noise_on(seen, rng, 4, 4))
    specks = fractions(rng, SIDE // 2, SIDE // 2) > 985 * 65536 // 1000
    sheet = np.zeros((SIDE, SIDE), dtype=np.uint8)
    step = 27
    off_x, off_y = step * fraction(rng), step * fraction(rng)
    for number, (right, down, size) in enumerate(fractions(rng, 64, 3).tolist()):
        row, col = number // 8 - 1, number % 8 - 1
        x = (2 * col + row % 2) * step * (PIXEL // 2) + off_x + 5 * right
        y = row * step * 87 * PIXEL // 100 + off_y + 5 * down
        (whole_x, part_x), (whole_y, part_y) = eighths(x), eighths(y)
        star = _star(part_x, part_y, (36 * PIXEL + 12 * size) * 16 // (10 * PIXEL))
        kernel.stamp(sheet, star, whole_x - 16, whole_y - 16, _ONE)
    speck = specks.ravel().take((seen.y >> 1) * (SIDE // 2) + (seen.x >> 1))
    field = choose(speck, flat((235, 238, 255)), night)
    return choose(on_sheet(sheet, seen) == 1, flat((255, 220, 60)), field)


NIGHT = ramp((0, (16, 22, 78)), (1000, (40, 50, 140)))


def tiled(rng: np.random.Generator, seen: Seen) -> Lanes:
    """Square glazed tiles of several blues or greens, each with a lit and a dark edge, in white
    grout.
    """
    palettes = (
        ((28, 96, 150), (70, 160, 205), (150, 205, 225), (20, 62, 110)),
        ((22, 110, 100), (90, 180, 160), (180, 220, 200), (14, 76, 80)),
        ((180, 90, 50), (226, 150, 90), (240, 200, 150), (140, 56, 40)),
    )
    colours = pack(palettes[int(rng.integers(len(palettes)))])
    cell = between(rng, 17_000, 21_000)
    cosine, sine = direction(between(rng, -80, 80))
    u = phases(seen, cosine, sine, cell, fraction(rng))
    v = phases(seen, -sine, cosine, cell, fraction(rng))
    kind = rng.integers(len(colours), size=(32, 32)).astype(np.int32)
    choice = kind.ravel().take((v >> TURN_BITS & 31) * 32 + (u >> TURN_BITS & 31))
    left, top = part_of_turn(u), part_of_turn(v)
    first, last = np.minimum(left, top), np.maximum(left, top)
    for bit, edge in (
        (2, first < turns(0.24)),
        (3, last > turns(0.88)),
        (4, first < turns(0.12)),
    ):
        choice |= edge.astype(np.int32) << bit
    glaze = (
        (flat((255, 255, 255)), 90),
        (flat((0, 0, 0)), 90),
        (flat((238, 236, 228)), ONE),
    )
    return _palette(colours, *glaze).take(choice)


def knitted(rng: np.random.Generator, seen: Seen) -> Lanes:
    """Wool: columns of V-shaped stitches with dark gaps, in a hue with bands of a lighter wool."""
    across = phases(seen, PIXEL, 0, 12 * PIXEL, fraction(rng))
    half = to_and_fro(
        across
    )  # 0 in the middle of a stitch's V, ONE between two columns
    down = (
        phases(seen, 0, PIXEL, 9 * PIXEL, fraction(rng))
        - half * np.int32(turns(7 / 9 / ONE))
        + 64 * TURN
    )
    thread = to_and_fro(down)  # 0 in the middle of the yarn, ONE in the gap below it
    colour = _pick(
        rng,
        ((176, 44, 52), (44, 84, 150), (60, 120, 74), (150, 84, 140), (196, 130, 50)),
    )
    pale = choose((down >> TURN_BITS) % 6 >= 4, flat((246, 240, 226)), colour)
    twist = noise_on(seen, rng, 60, 60) * 31 >> 8
    bright = np.clip(320 - (192 * thread * thread >> 16) + twist, 0, 333)
    seam = weight((np.abs(half - 128) * 2 - 184) * 64 // 18)
    return shine(pale, bright * (ONE - (seam * 141 >> 8)) >> 9, 7)


def wicker(rng: np.random.Generator, seen: Seen) -> Lanes:
    """Basketry: flat rods of straw that pass over and under each other, dark in the gaps."""
    cell = between(rng, 15_000, 18_000)
    cosine, sine = direction(between(rng, -100, 100))
    u = phases(seen, cosine, sine, cell, fraction(rng))
    v = phases(seen, -sine, cosine, cell, fraction(rng))
    over = ((u ^ v) & TURN) == 0  # whether the rod that lies across is on top
    du, dv = to_and_fro(u), to_and_fro(v)  # 0 in the middle of a cell, ONE at its edge
    along, aside = np.where(over, du, dv), np.where(over, dv, du)
    strands = to_and_fro(np.where(over, v, u) * 3)  # three strands make a rod
    bright = (287 - (141 * along * along >> 16)) * (
        ONE - (90 * strands * strands >> 16)
    ) >> 9
    bright = np.where(aside > 225, bright * 90 >> 8, bright)
    return shine(STRAW.take(noise_on(seen, rng, 12, 12)), bright, 7)


STRAW = ramp((0, (196, 148, 86)), (1000, (232, 196, 130)))

SILVER = ramp(
    (0, (18, 20, 28)),
    (200, (96, 102, 114)),
    (360, (226, 232, 240)),
    (500, (120, 128, 142)),
    (620, (60, 66, 80)),
    (760, (236, 241, 248)),
    (880, (168, 176, 190)),
    (1000, (255, 255, 255)),
)


def silver(rng: np.random.Generator, drawing: Picture) -> Lanes:
    """Polished metal: bands of dark and bright grey, faintly blue, that follow the shading."""
    return SILVER.take(drawing.seen.shade)


def blocks(values: np.ndarray) -> np.ndarray:
    """The sum of each block of BLOCK x BLOCK pixels, in its place; whole numbers, SIZE x SIZE."""
    count = SIDE // BLOCK
    total = values.reshape(count, BLOCK, count, BLOCK).sum((1, 3))
    return np.repeat(np.repeat(total, BLOCK, axis=0), BLOCK, axis=1)


def pixelated(rng: np.random.Generator, drawing: Picture) -> Lanes:
    """The drawing's own colours; `form` has made blocks of them."""
    return drawing.seen.colour


def _in_blocks(drawing: Picture) -> Picture:
    """The drawing in coarse square blocks, its colours to few steps, its edge of whole blocks."""
    opacity = drawing.alpha.astype(np.int64)
    total = blocks(opacity)
    sums = np.dstack(
        [blocks(drawing.rgb[..., channel] * opacity) for channel in range(3)]
    )
    average = sums // np.maximum(total, 1)[..., None]
    colours = np.minimum((average + 12) // 24 * 24, 255).astype(np.uint8)
    # Half a block, but of a thin drawing something stays.
    least = min(255 * BLOCK * BLOCK // 2, int(total.max()) // 2)
    return replace(
        drawing, rgb=colours, alpha=np.where(total > least, 255, 0).astype(np.uint8)
    )


def form(attribute: str, drawing: Picture) -> Picture:
    """What ``attribute`` is painted on: the drawing, but for pixelated, where it is made of
    blocks.
    """
    return _in_blocks(drawing) if attribute == "pixelated" else drawing


def _glow(values: np.ndarray, cells: int) -> np.ndarray:
    """``values`` (256ths) spread out softly: the mean of each of ``cells`` x ``cells`` parts,
    drawn large again.
    """
    side = SIDE // cells
    total = np.minimum(values, 255).reshape(cells, side, cells, side).sum((1, 3))
    return resized((total + side * side // 2) // (side * side), SIDE, SIDE)


def neon(rng: np.random.Generator, drawing: Picture) -> Lanes:
    """An almost black body whose contours are bright tubes of light with a halo."""
    tubes = ((255, 40, 190), (30, 235, 255), (120, 255, 60), (255, 130, 30))
    first = int(rng.integers(len(tubes)))
    other = (first + 1 + int(rng.integers(len(tubes) - 1))) % len(tubes)
    seen = drawing.seen
    colour = mix(
        flat(tubes[first]),
        flat(tubes[other]),
        weight(noise_on(seen, rng, 2, 2) * 2 - 128),
    )
    line = weight(drawing.lines * 12 // 5)
    halo = (
        weight((_glow(line, 32) * 9 + _glow(line, 16) * 5) // 10)
        .ravel()
        .take(seen.where)
    )
    glowing = shine(colour, halo * 3 >> 3, 7) + flat((12, 10, 26))
    each = lanes(glowing)
    np.minimum(each, 255, out=each)
    return mix(
        glowing,
        mix(colour, flat((255, 255, 255)), np.array([115])),
        line.ravel().take(seen.where),
    )


CRUST = ramp((0, (22, 14, 14)), (1000, (92, 60, 54)))


def molten(rng: np.random.Generator, drawing: Picture) -> Lanes:
    """A dark crust, broken into plates, between which it glows from red to yellow."""
    seen = drawing.seen
    cell = 24 * 16
    jitter = fractions(rng, 2, 8, 8) * 8 // 10
    y = seen.y.astype(np.int64) * 16 + noise_on(seen, rng, 12, 12) * 144 // 255
    x = seen.x.astype(np.int64) * 16 + noise_on(seen, rng, 12, 12) * 144 // 255
    near, far, _ = two_nearest(x, y, jitter, cell, cell * 6 // 5)
    gap = (far - near) * (
        192 + (noise_on(seen, rng, 4, 4) >> 1)
    )  # in 4,096ths of a pixel
    field = CRUST.take(seen.shade * (128 + (noise_on(seen, rng, 40, 40) >> 1)) >> 8)
    for colour, most, reach in (
        ((190, 24, 4), 320, 90),
        ((255, 110, 8), 384, 36),
        ((255, 240, 120), 358, 18),
    ):
        field = mix(field, flat(colour), weight(most - gap * 10 // (16 * reach)))
    return field


RUST = ramp((0, (88, 40, 20)), (1000, (214, 104, 36)))
STEEL = ramp((0, (120, 128, 134)), (1000, (168, 174, 178)))


def rusty(rng: np.random.Generator, drawing: Picture) -> Lanes:
    """Flaked orange and brown rust over steel that shows through here and there."""
    seen = drawing.seen
    coarse = 6 * noise_on(seen, rng, 9, 9) + 4 * noise_on(seen, rng, 26, 26)  # of 2,550
    grain = noise_on(seen, rng, 60, 60) + noise_on(seen, rng, 110, 110)  # of 510
    # 1.6 * coarse - 0.35 + 0.7 * (grain - 0.5)
    rust = RUST.take(weight((coarse * 16 + grain * 35 - 17850) * ONE // 25500))
    pits = noise_on(seen, rng, 30, 30) * 2 + grain > 673
    rust = mix(rust, flat((48, 24, 16)), pits * np.int32(205))
    steel = STEEL.take(grain >> 1)
    bare = 10 * noise_on(seen, rng, 6, 6) + 4 * noise_on(seen, rng, 30, 30) > 2295
    return shine(choose(bare, steel, rust), light(seen.shade, seen.lines, 42, 72), 7)


#: Painted as a surface over the whole object, as `textures.SURFACES` are; the shading is kept on
#: top.
MORE_SURFACES: dict[str, Surface] = {
    "plaid": plaid,
    "camouflage": camouflage,
    "zigzag": zigzag,
    "starry": starry,
    "tiled": tiled,
    "knitted": knitted,
    "wicker": wicker,
}

#: Made of the drawing: its shading, its contours or its colours.
LOOKS: dict[str, Callable[[np.random.Generator, Picture], Lanes]] = {
    "silver": silver,
    "rusty": rusty,
    "pixelated": pixelated,
    "neon": neon,
    "molten": molten,
}
