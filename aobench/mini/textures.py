"""Procedural surfaces: the look of an attribute, as colour fields to be painted on an object.

Everything here is a pure function of a ``numpy.random.Generator`` and uses only operations whose
result does not depend on the processor (sums, products, comparisons, integer resampling), so that
one seed gives the same pixels everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

Field = np.ndarray  # float32, height x width x 3, 0..255

SIZE = 128  # side of a colour field in pixels

#: Flat colours: (dark, middle, light) RGB, met at shade 0, 0.6 and 1.
COLOURS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]] = {
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

#: Strong hues that patterns are drawn in.
HUES = np.array(
    [
        (200, 30, 35), (225, 120, 10), (30, 130, 50), (30, 70, 190), (115, 40, 165),
        (215, 70, 140), (20, 20, 25), (20, 140, 140), (100, 60, 30),
    ],
    dtype=np.float32,
)  # fmt: skip


def colour_ramp(name: str, shade: np.ndarray) -> Field:
    """Colour of each pixel for a flat colour; ``shade`` is 0 (dark) to 1 (light), height x width."""
    dark, middle, light = (np.array(c, dtype=np.float32) for c in COLOURS[name])
    low = np.clip(shade / 0.6, 0, 1)[..., None]
    high = np.clip((shade - 0.6) / 0.4, 0, 1)[..., None]
    return dark + (middle - dark) * low + (light - middle) * high


def noise(rng: np.random.Generator, cells_y: int, cells_x: int, size: int = SIZE) -> np.ndarray:
    """Smooth value noise, 0..1, ``size`` x ``size``, with the given number of cells each way."""
    grid = (rng.random((cells_y + 1, cells_x + 1)) * 255).astype(np.uint8)
    image = Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32) / 255


def _mix(a: Field, b: Field, weight: np.ndarray) -> Field:
    return a + (b - a) * weight[..., None]


def _flat(colour: tuple[int, int, int] | np.ndarray) -> Field:
    return np.broadcast_to(np.asarray(colour, dtype=np.float32), (SIZE, SIZE, 3))


def _axes(angle_slope: float) -> tuple[np.ndarray, np.ndarray]:
    """Two perpendicular coordinates in pixels, turned by the angle whose tangent is given."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    norm = float(np.sqrt(1 + angle_slope * angle_slope))
    return (x + angle_slope * y) / norm, (y - angle_slope * x) / norm


def _hue(rng: np.random.Generator) -> np.ndarray:
    return HUES[int(rng.integers(len(HUES)))]


def striped(rng: np.random.Generator) -> Field:
    """Two-coloured straight stripes, a hue and near-white."""
    u, _ = _axes(float(rng.random() * 2.4 - 1.2))
    period = 20 + 10 * rng.random()
    on = ((u / period + rng.random()) % 1 < 0.5).astype(np.float32)
    return _mix(_flat((245, 245, 240)), _flat(_hue(rng)), on)


def checkered(rng: np.random.Generator) -> Field:
    """A chessboard of a hue and near-white."""
    u, v = _axes(float(rng.random() * 0.3 - 0.15))
    cell = 15 + 6 * rng.random()
    on = (np.floor(u / cell + rng.random()) + np.floor(v / cell + rng.random())) % 2
    return _mix(_flat((245, 245, 240)), _flat(_hue(rng)), on.astype(np.float32))


def dotted(rng: np.random.Generator) -> Field:
    """White dots on a hue, or the other way round, on a staggered lattice."""
    u, v = _axes(float(rng.random() * 0.6 - 0.3))
    period = 22 + 8 * rng.random()
    u, v = u / period + rng.random(), v / period + rng.random()
    row = np.floor(v)
    du, dv = (u + 0.5 * (row % 2)) % 1 - 0.5, v % 1 - 0.5
    on = (du * du + dv * dv < 0.30 * 0.30).astype(np.float32)
    pair = (_flat(_hue(rng)), _flat((250, 250, 245)))
    return _mix(*(pair if rng.random() < 0.7 else pair[::-1]), on)


def floral(rng: np.random.Generator) -> Field:
    """Five-petalled flowers with yellow hearts on a pale or a dark green ground."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    field = np.array(_flat((232, 240, 214) if rng.random() < 0.5 else (46, 84, 60)))
    petals = ((0.0, -1.0), (0.95, -0.31), (0.59, 0.81), (-0.59, 0.81), (-0.95, -0.31))
    colours = np.array([(225, 45, 85), (240, 130, 180), (150, 70, 190), (235, 90, 40)], dtype=np.float32)
    step = 31
    off_x, off_y = rng.random() * step, rng.random() * step
    for row in range(-1, 6):
        for col in range(-1, 6):
            cx = (col + 0.5 * (row % 2)) * step + off_x + 6 * rng.random()
            cy = row * step * 0.87 + off_y + 6 * rng.random()
            radius = 5.5 + 1.5 * rng.random()
            colour = colours[int(rng.integers(len(colours)))]
            for px, py in petals:
                dx, dy = x - cx - px * radius, y - cy - py * radius
                field[dx * dx + dy * dy < radius * radius * 0.72] = colour
            field[(x - cx) ** 2 + (y - cy) ** 2 < radius * radius * 0.3] = (250, 205, 40)
    return field


def colorful(rng: np.random.Generator) -> Field:
    """Soft bands that run through the whole rainbow."""
    u, _ = _axes(float(rng.random() * 2.4 - 1.2))
    position = u / (70 + 25 * rng.random()) + 0.25 * noise(rng, 3, 3) + rng.random()
    hue = (position % 1) * 6
    channels = [np.clip(np.abs((hue + shift) % 6 - 3) - 1, 0, 1) for shift in (0, 4, 2)]
    return (np.stack(channels, axis=-1) * 225 + 25).astype(np.float32)


def wooden(rng: np.random.Generator) -> Field:
    """Long grain with a few darker lines, in a light brown."""
    _, v = _axes(float(rng.random() * 0.3 - 0.15))
    wave = noise(rng, 5, 2) * 22
    ring = ((v + wave) / 9 + rng.random()) % 1
    grain = 0.55 * np.abs(ring * 2 - 1) + 0.45 * noise(rng, 60, 4)
    field = _mix(_flat((120, 70, 30)), _flat((222, 170, 105)), np.clip(grain * 1.25 - 0.12, 0, 1))
    plank = ((v + SIZE) % 40 < 1.8).astype(np.float32)
    return _mix(field, _flat((70, 38, 14)), plank * 0.9)


def marble(rng: np.random.Generator) -> Field:
    """White stone with branching dark grey veins."""
    u, v = _axes(float(rng.random() * 2 - 1))
    turbulence = noise(rng, 4, 4) * 42 + noise(rng, 9, 9) * 18 + noise(rng, 20, 20) * 6
    main = np.abs(((u + turbulence) / 46 + rng.random()) % 1 * 2 - 1)
    fine = np.abs(((v + 1.4 * turbulence) / 38 + rng.random()) % 1 * 2 - 1)
    vein = np.maximum(np.clip(1 - main / 0.16, 0, 1), 0.6 * np.clip(1 - fine / 0.1, 0, 1))
    cloud = _mix(_flat((246, 245, 242)), _flat((205, 206, 210)), noise(rng, 6, 6))
    return _mix(cloud, _flat((66, 68, 78)), vein)


def brick(rng: np.random.Generator) -> Field:
    """Courses of red brick with light mortar."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    height, width = 13 + 3 * rng.random(), 30 + 6 * rng.random()
    down = y / height + rng.random()
    row = np.floor(down)
    across = x / width + 0.5 * (row % 2) + rng.random()
    tones = rng.random((64, 16)).astype(np.float32)
    tone = tones[row.astype(int) % 64, np.floor(across).astype(int) % 16]
    field = _mix(_flat((138, 52, 36)), _flat((196, 88, 62)), tone * 0.8 + 0.2 * noise(rng, 30, 30))
    mortar = (down % 1 < 2.4 / height) | (across % 1 < 2.4 / width)
    return _mix(field, _flat((222, 214, 202)), mortar.astype(np.float32))


def cobblestone(rng: np.random.Generator) -> Field:
    """Rounded grey stones with dark gaps (the two nearest of jittered lattice points)."""
    cell = 19.0
    count = int(SIZE / cell) + 3
    rows, cols = np.mgrid[0:count, 0:count]
    jitter = rng.random((2, count, count)) * 0.62
    cy = ((rows + jitter[0] - 1) * cell).ravel().astype(np.float32)
    cx = ((cols + 0.5 * (rows % 2) + jitter[1] - 1.2) * cell).ravel().astype(np.float32)
    y, x = np.mgrid[0:SIZE:2, 0:SIZE:2].astype(np.float32)
    distance = np.sqrt((y[..., None] - cy) ** 2 + (x[..., None] - cx) ** 2)
    nearest = distance.argmin(-1)
    two = np.partition(distance, 1, axis=-1)
    edge = np.clip((two[..., 1] - two[..., 0]) / 8, 0, 1)
    tone = (rng.random(cy.size).astype(np.float32) * 70 + 150)[nearest]
    grey = tone * (0.25 + 0.75 * edge)
    grey = np.repeat(np.repeat(grey, 2, axis=0), 2, axis=1)
    return grey[..., None] * np.array((1.0, 0.985, 0.95), dtype=np.float32)


#: Attributes painted as a surface over the whole object; the object's shading is kept on top.
SURFACES: dict[str, Callable[[np.random.Generator], Field]] = {
    "striped": striped,
    "checkered": checkered,
    "dotted": dotted,
    "floral": floral,
    "colorful": colorful,
    "wooden": wooden,
    "marble": marble,
    "brick": brick,
    "cobblestone": cobblestone,
}
