"""Looks beyond mini's: attributes for new sets, none of them on mini's list, painted in the same way.

As in `textures`, everything is a pure function of a ``numpy.random.Generator`` (and of the drawing) and uses only
operations whose result does not depend on the processor.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from aobench.mini.pictures import Picture
from aobench.mini.textures import SIZE, Field, _axes, _flat, _hue, _mix, noise

BLOCK = 8  #: side in pixels of a block of the attribute pixelated


def _pick(rng: np.random.Generator, colours: tuple[tuple[int, int, int], ...]) -> tuple[int, int, int]:
    return colours[int(rng.integers(len(colours)))]


def plaid(rng: np.random.Generator) -> Field:
    """Tartan: broad dark bands both ways, darkest where they cross, with thin bright lines between."""
    grounds = ((190, 28, 34), (28, 110, 58), (36, 72, 170), (205, 150, 40))
    field = np.array(_flat(_pick(rng, grounds)))
    line = _pick(rng, ((250, 235, 150), (250, 250, 245)))
    period = 38 + 8 * rng.random()
    for across in _axes(float(rng.random() * 0.3 - 0.15)):
        place = (across / period + rng.random()) % 1
        field = field * (1 - 0.5 * (place < 0.42).astype(np.float32))[..., None]
        bright = (np.abs(place - 0.71) < 0.045) | (np.abs(place - 0.21) < 0.03)
        field = _mix(field, _flat(line), 0.75 * bright.astype(np.float32))
    return field.astype(np.float32)


def camouflage(rng: np.random.Generator) -> Field:
    """Blots of dark green, brown and black on a dull khaki, one over the other."""
    field = np.array(_flat((150, 142, 92)))
    for colour, least in (((74, 92, 42), 0.5), ((92, 62, 34), 0.6), ((26, 28, 22), 0.65)):
        blot = 0.75 * noise(rng, 6, 5) + 0.25 * noise(rng, 16, 14)
        field[blot > least] = colour
    return field


def zigzag(rng: np.random.Generator) -> Field:
    """Chevrons: stripes of a hue and near-white that turn sharply to and fro."""
    u, v = _axes(float(rng.random() * 0.4 - 0.2))
    wave = 26 + 8 * rng.random()
    turn = np.abs((u / wave + rng.random()) % 1 * 2 - 1)
    period = 20 + 6 * rng.random()
    on = ((v + turn * wave * 0.62) / period + rng.random()) % 1 < 0.5
    return _mix(_flat((245, 245, 240)), _flat(_hue(rng)), on.astype(np.float32))


#: Outward normals of a five-pointed star's lines.
STAR = ((0.0, -1.0), (0.951, -0.309), (0.588, 0.809), (-0.588, 0.809), (-0.951, -0.309))


def starry(rng: np.random.Generator) -> Field:
    """Five-pointed yellow stars, and specks, on the blue of the night."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    field = np.array(_mix(_flat((16, 22, 78)), _flat((40, 50, 140)), noise(rng, 4, 4)))
    specks = rng.random((SIZE // 2, SIZE // 2)) > 0.985
    field[np.repeat(np.repeat(specks, 2, axis=0), 2, axis=1)] = (235, 238, 255)
    step = 27.0
    off_x, off_y = rng.random() * step, rng.random() * step
    for row in range(-1, 7):
        for col in range(-1, 7):
            cx = (col + 0.5 * (row % 2)) * step + off_x + 5 * rng.random()
            cy = row * step * 0.87 + off_y + 5 * rng.random()
            inner = 3.6 + 1.2 * rng.random()  # from the centre to each of the five lines
            # A point of the star lies outside of at most one line of the pentagram.
            beyond = sum(((x - cx) * -nx + (y - cy) * -ny > inner).astype(np.int8) for nx, ny in STAR)
            near = (x - cx) ** 2 + (y - cy) ** 2 < (3.3 * inner) ** 2
            field[(beyond <= 1) & near] = (255, 220, 60)
    return field


def tiled(rng: np.random.Generator) -> Field:
    """Square glazed tiles of several blues or greens, each with a lit and a dark edge, in white grout."""
    palettes = (
        ((28, 96, 150), (70, 160, 205), (150, 205, 225), (20, 62, 110)),
        ((22, 110, 100), (90, 180, 160), (180, 220, 200), (14, 76, 80)),
        ((180, 90, 50), (226, 150, 90), (240, 200, 150), (140, 56, 40)),
    )
    palette = np.array(palettes[int(rng.integers(len(palettes)))], dtype=np.float32)
    cell = 17 + 4 * rng.random()
    u, v = (part / cell + rng.random() for part in _axes(float(rng.random() * 0.16 - 0.08)))
    kind = rng.integers(len(palette), size=(32, 32))
    field = palette[kind[np.floor(v).astype(int) % 32, np.floor(u).astype(int) % 32]]
    left, top = u % 1, v % 1
    lit = ((left < 0.24) | (top < 0.24)).astype(np.float32)
    dark = ((left > 0.88) | (top > 0.88)).astype(np.float32)
    field = _mix(_mix(field, _flat((255, 255, 255)), 0.35 * lit), _flat((0, 0, 0)), 0.35 * dark)
    grout = (left < 0.12) | (top < 0.12)
    return _mix(field, _flat((238, 236, 228)), grout.astype(np.float32))


def knitted(rng: np.random.Generator) -> Field:
    """Wool: columns of V-shaped stitches with dark gaps, in a hue with bands of a lighter wool."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    wide, high = 12.0, 9.0
    across = (x / wide + rng.random()) % 1
    half = np.abs(across - 0.5) * 2  # 0 in the middle of a stitch's V, 1 between two columns
    down = (y - half * 7.0) / high + rng.random() + 64
    thread = np.abs(down % 1 * 2 - 1)  # 0 in the middle of the yarn, 1 in the gap below it
    wools = ((176, 44, 52), (44, 84, 150), (60, 120, 74), (150, 84, 140), (196, 130, 50))
    colour = _flat(_pick(rng, wools))
    pale = _mix(colour, _flat((246, 240, 226)), (np.floor(down) % 6 >= 4).astype(np.float32))
    twist = 0.12 * noise(rng, 60, 60)
    light = np.clip(1.25 - 0.75 * thread * thread + twist, 0, 1.3)
    seam = np.clip((np.abs(half - 0.5) * 2 - 0.72) / 0.28, 0, 1)
    return pale * (light * (1 - 0.55 * seam))[..., None]


def wicker(rng: np.random.Generator) -> Field:
    """Basketry: flat rods of straw that pass over and under each other, dark in the gaps."""
    cell = 15 + 3 * rng.random()
    u, v = (part / cell + rng.random() + 32 for part in _axes(float(rng.random() * 0.2 - 0.1)))
    over = (np.floor(u) + np.floor(v)) % 2 == 0  # whether the rod that lies across is on top
    du, dv = np.abs(u % 1 * 2 - 1), np.abs(v % 1 * 2 - 1)  # 0 in the middle of a cell, 1 at its edge
    along, aside = np.where(over, du, dv), np.where(over, dv, du)
    strands = np.abs(np.where(over, v, u) * 3 % 1 * 2 - 1)  # three strands make a rod
    light = (1.12 - 0.55 * along * along) * (1 - 0.35 * strands * strands) * np.where(aside > 0.88, 0.35, 1.0)
    straw = _mix(_flat((196, 148, 86)), _flat((232, 196, 130)), noise(rng, 12, 12))
    return (straw * light[..., None]).astype(np.float32)


def silver(drawing: Picture, rng: np.random.Generator) -> Field:
    """Polished metal: bands of dark and bright grey, faintly blue, that follow the shading."""
    stops = np.array([0, 0.2, 0.36, 0.5, 0.62, 0.76, 0.88, 1.0])
    colours = [
        (18, 20, 28), (96, 102, 114), (226, 232, 240), (120, 128, 142), (60, 66, 80), (236, 241, 248), (168, 176, 190),
        (255, 255, 255),
    ]  # fmt: skip
    table = np.array(colours, dtype=np.float32)
    return np.stack([np.interp(drawing.shade, stops, table[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def blocks(values: np.ndarray) -> np.ndarray:
    """The sum of each block of BLOCK x BLOCK pixels, in its place; whole numbers, SIZE x SIZE, so it is exact."""
    count = SIZE // BLOCK
    total = values.reshape(count, BLOCK, count, BLOCK).sum((1, 3))
    return np.repeat(np.repeat(total, BLOCK, axis=0), BLOCK, axis=1)


def _opacity(drawing: Picture) -> np.ndarray:
    return np.round(drawing.alpha * 255).astype(np.int64)


def pixelated(drawing: Picture, rng: np.random.Generator) -> Field:
    """The drawing's own colours in coarse square blocks, to few steps; `outline` makes its edge of blocks, too."""
    opacity = _opacity(drawing)
    weight = np.maximum(blocks(opacity), 1)
    mean = np.dstack([blocks(drawing.rgb[..., c].astype(np.int64) * opacity) // weight for c in range(3)])
    return ((mean + 12) // 24 * 24).astype(np.float32)


def _glow(values: np.ndarray, cells: int) -> np.ndarray:
    """``values`` (0..1) spread out softly: the mean of each of ``cells`` x ``cells`` parts, drawn large again."""
    image = Image.fromarray((values * 255).astype(np.uint8))
    small = image.resize((cells, cells), Image.Resampling.BOX)
    return np.asarray(small.resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=np.float32) / 255


def neon(drawing: Picture, rng: np.random.Generator) -> Field:
    """An almost black body whose contours are bright tubes of light with a halo."""
    tubes = ((255, 40, 190), (30, 235, 255), (120, 255, 60), (255, 130, 30))
    first = int(rng.integers(len(tubes)))
    other = (first + 1 + int(rng.integers(len(tubes) - 1))) % len(tubes)
    colour = _mix(_flat(tubes[first]), _flat(tubes[other]), np.clip(noise(rng, 2, 2) * 2 - 0.5, 0, 1))
    line = np.clip(drawing.lines * 2.4, 0, 1)
    halo = np.clip(_glow(line, 32) * 0.9 + _glow(line, 16) * 0.5, 0, 1)
    field = np.array(_flat((12, 10, 26))) + colour * (0.75 * halo)[..., None]
    return _mix(field, 0.55 * colour + 0.45 * 255, line)


def molten(drawing: Picture, rng: np.random.Generator) -> Field:
    """A dark crust, broken into plates, between which it glows from red to yellow."""
    cell = 24.0
    count = int(SIZE / cell) + 3
    rows, cols = np.mgrid[0:count, 0:count]
    jitter = rng.random((2, count, count)) * 0.8
    cy = ((rows + jitter[0] - 1) * cell).ravel().astype(np.float32)
    cx = ((cols + 0.5 * (rows % 2) + jitter[1] - 1.2) * cell).ravel().astype(np.float32)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    y, x = y + 9 * noise(rng, 12, 12), x + 9 * noise(rng, 12, 12)
    two = np.partition(np.sqrt((y[..., None] - cy) ** 2 + (x[..., None] - cx) ** 2), 1, axis=-1)
    gap = (two[..., 1] - two[..., 0]) * (0.75 + 0.5 * noise(rng, 4, 4))
    crust = _mix(_flat((22, 14, 14)), _flat((92, 60, 54)), drawing.shade * (0.5 + 0.5 * noise(rng, 40, 40)))
    field = _mix(crust, _flat((190, 24, 4)), np.clip(1.25 - gap / 9, 0, 1))
    field = _mix(field, _flat((255, 110, 8)), np.clip(1.5 - gap / 3.6, 0, 1))
    return _mix(field, _flat((255, 240, 120)), np.clip(1.4 - gap / 1.8, 0, 1))


def rusty(drawing: Picture, rng: np.random.Generator) -> Field:
    """Flaked orange and brown rust over steel that shows through here and there."""
    light = (0.42 + 0.72 * drawing.shade) * (1 - 0.6 * drawing.lines)
    coarse = 0.6 * noise(rng, 9, 9) + 0.4 * noise(rng, 26, 26)
    grain = 0.5 * noise(rng, 60, 60) + 0.5 * noise(rng, 110, 110)
    rust = _mix(_flat((88, 40, 20)), _flat((214, 104, 36)), np.clip(1.6 * coarse - 0.35 + 0.7 * (grain - 0.5), 0, 1))
    pits = (0.5 * noise(rng, 30, 30) + 0.5 * grain > 0.66).astype(np.float32)
    rust = _mix(rust, _flat((48, 24, 16)), 0.8 * pits)
    steel = _mix(_flat((120, 128, 134)), _flat((168, 174, 178)), grain)
    bare = noise(rng, 6, 6) + 0.4 * (noise(rng, 30, 30) - 0.5)
    return _mix(rust, steel, (bare > 0.7).astype(np.float32)) * light[..., None]


#: Painted as a surface over the whole object, as `textures.SURFACES` are; the shading is kept on top.
MORE_SURFACES: dict[str, Callable[[np.random.Generator], Field]] = {
    "plaid": plaid,
    "camouflage": camouflage,
    "zigzag": zigzag,
    "starry": starry,
    "tiled": tiled,
    "knitted": knitted,
    "wicker": wicker,
}

#: Made of the drawing: its shading, its contours or its colours.
LOOKS: dict[str, Callable[[Picture, np.random.Generator], Field]] = {
    "silver": silver,
    "rusty": rusty,
    "pixelated": pixelated,
    "neon": neon,
    "molten": molten,
}


def outline(attribute: str, drawing: Picture) -> np.ndarray:
    """The mask of ``drawing`` under ``attribute``, 0..1: its own, but for pixelated, where it is made of blocks."""
    if attribute != "pixelated":
        return drawing.alpha
    total = blocks(_opacity(drawing))
    least = min(255 * BLOCK * BLOCK // 2, int(total.max()) // 2)  # of a thin drawing something stays
    return (total > least).astype(np.float32)
