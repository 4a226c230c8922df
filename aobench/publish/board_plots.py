"""The leaderboard's plots as SVG that takes its colours from the page: it fits the dark, too.

Each mark is a model, with its name and figures in a title that shows under the pointer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from aobench.drawing import COLOURS
from aobench.publish.board import BoardTable, Cell, short_count

WIDTH, HEIGHT = 520, 360
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 44
#: Outlines of marks about (0, 0), one a family.
OUTLINES = (
    "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z",
    "M-4.6,-4.6h9.2v9.2h-9.2z",
    "M0,-6L5.6,4.4H-5.6z",
    "M0,-6.4L6.4,0L0,6.4L-6.4,0z",
    "M0,6L5.6,-4.4H-5.6z",
    "M-2,-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
)
#: Letters of a label are at most about so many pixels wide, and a line so many high: on a phone,
#: where they are larger beside the plot.
LETTER, LINE = 7.2, 15


@dataclass(frozen=True)
class Mark:
    """A model in a plot: where it stands, its interval across and along, its family's number."""

    name: str
    page: str
    said: str
    x: float
    y: float
    across: tuple[float, float] | None
    along: tuple[float, float]
    family: int


@dataclass(frozen=True)
class Axis:
    """An axis from ``low`` to ``high`` over pixels ``start`` to ``end``; ``log``: by factors."""

    label: str
    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """The pixel of a value; those outside stand at the nearer end."""
        inside = min(max(value, self.low), self.high)
        low, high, at = (
            (math.log10(one) if self.log else one)
            for one in (self.low, self.high, inside)
        )
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        """Values that are round, with their texts."""
        if self.log:
            values = [
                step * 10.0**power
                for power in range(
                    math.floor(math.log10(self.low)),
                    math.ceil(math.log10(self.high)) + 1,
                )
                for step in _steps(self.low, self.high)
            ]
            fit = [one for one in values if self.low <= one <= self.high]
            return [(one, short_count(one)) for one in fit]
        width = self.high - self.low
        step = next(one for one in (1, 2, 5, 10, 20, 25) if width / one <= 6)
        first = math.ceil(self.low / step)
        last = math.floor(self.high / step)
        return [(step * n, f"{step * n}") for n in range(first, last + 1)]


def _steps(low: float, high: float) -> tuple[int, ...]:
    """What a decade is parted by: the more decades, the less."""
    decades = math.log10(high / low)
    if decades < 1:
        return 1, 2, 3, 5, 7
    return (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)


def seen_plot(table: BoardTable) -> str:
    """Novel against seen accuracy with intervals, as SVG; '' for fewer than two models."""
    marks = _marks(table, "seen")
    if len(marks) < 2:
        return ""
    ends = [
        end
        for one in marks
        for pair in (one.across, one.along)
        for end in pair or ()
    ]
    x = _percent_axis(ends, "Seen accuracy, %", LEFT, WIDTH - RIGHT)
    y = _percent_axis(ends, "Novel accuracy, %", HEIGHT - BOTTOM, TOP)
    line = [(x.low, y.low), (x.high, y.high)]
    under = _path(line, x, y, "even")
    return _svg("Novel against seen accuracy", x, y, marks, under)


def size_plot(table: BoardTable) -> str:
    """Novel accuracy against parameters with the front of the best at each size, as SVG; '' for
    fewer than two models whose size is known.
    """
    marks = _marks(table, "parameters")
    if len(marks) < 2:
        return ""
    sizes = [one.x for one in marks]
    x = Axis(
        "Parameters",
        min(sizes) / 1.5,
        max(sizes) * 1.5,
        LEFT,
        WIDTH - RIGHT,
        log=True,
    )
    y = _percent_axis(
        [end for one in marks for end in one.along],
        "Novel accuracy, %",
        HEIGHT - BOTTOM,
        TOP,
    )
    front = pareto_front([(one.x, one.y) for one in marks])
    best = [marks[number] for number in front]
    under = _path(_stairs(best, x.high), x, y, "front")
    return _svg("Novel accuracy against parameters", x, y, marks, under, best)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Numbers of the points (cost, gain) that no other of at most their cost matches or beats, by
    cost.

    Example:
        >>> pareto_front([(1, 10), (2, 8), (3, 20), (3, 15)])
        [0, 2]
    """
    order = sorted(
        range(len(points)), key=lambda i: (points[i][0], -points[i][1])
    )
    front: list[int] = []
    for number in order:
        if not front or points[number][1] > points[front[-1]][1]:
            front.append(number)
    return front


def families_of(table: BoardTable) -> list[str]:
    """The families of a table, in the order of their marks."""
    return sorted({row.family for row in table.rows})


def family_mark(number: int) -> str:
    """The mark of the ``number``-th family, as SVG for a legend."""
    return f'<svg class="key" viewBox="-8 -8 16 16" aria-hidden="true">{_outline(number)}</svg>'


def _outline(number: int) -> str:
    colour = COLOURS[number % len(COLOURS)]
    # black would not be seen in the dark
    fill = "currentColor" if colour == "#000000" else colour
    return f'<path d="{OUTLINES[number % len(OUTLINES)]}" fill="{fill}"/>'


def _marks(table: BoardTable, across: str) -> list[Mark]:
    families = families_of(table)
    marks = []
    for row in table.rows:
        x, y = (row.cells.get(key, Cell()) for key in (across, "novel"))
        if not isinstance(x.value, float) or not isinstance(y.value, float):
            continue
        low, high = y.low, y.high
        along = (
            y.value if low is None else low,
            y.value if high is None else high,
        )
        label = "seen" if across == "seen" else "parameters"
        marks.append(
            Mark(
                row.name,
                row.page,
                f"{row.name}: novel {y.text} % {y.interval}, {label} {x.text}",
                x.value,
                y.value,
                None if x.low is None or x.high is None else (x.low, x.high),
                along,
                families.index(row.family),
            )
        )
    return marks


def _percent_axis(
    values: Sequence[float], label: str, start: float, end: float
) -> Axis:
    low = max(0.0, 5 * math.floor(min(values) / 5))
    high = min(100.0, 5 * math.ceil(max(values) / 5))
    if high == low:
        low, high = max(0.0, low - 5), min(100.0, high + 5)
    return Axis(label, low, high, start, end)


def _stairs(best: Sequence[Mark], end: float) -> list[tuple[float, float]]:
    """The front as stairs: each model's accuracy until a larger one is better."""
    points: list[tuple[float, float]] = []
    for one in best:
        if points:
            points.append((one.x, points[-1][1]))
        points.append((one.x, one.y))
    return [*points, (end, points[-1][1])]


def _path(
    points: Sequence[tuple[float, float]], x: Axis, y: Axis, name: str
) -> str:
    places = " ".join(f"{x.place(a):.1f},{y.place(b):.1f}" for a, b in points)
    return f'<polyline class="{name}" points="{places}"/>'


def _svg(
    title: str,
    x: Axis,
    y: Axis,
    marks: Sequence[Mark],
    under: str,
    named: Sequence[Mark] = (),
) -> str:
    parts = [
        f'<svg class="board-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}; the table holds the same figures">',
        *_grid(x, y),
        under,
        *(_mark(one, x, y) for one in marks),
        *_labels(named, marks, x, y),
        "</svg>",
    ]
    return "\n".join(parts)


def _grid(x: Axis, y: Axis) -> list[str]:
    parts = []
    for value, text in x.ticks():
        at = f"{x.place(value):.1f}"
        parts.append(
            f'<line class="grid" x1="{at}" x2="{at}" y1="{y.start}" y2="{y.end}"/>'
        )
        parts.append(
            f'<text x="{at}" y="{y.start + 16}" text-anchor="middle">{text}</text>'
        )
    for value, text in y.ticks():
        at = f"{y.place(value):.1f}"
        parts.append(
            f'<line class="grid" x1="{x.start}" x2="{x.end}" y1="{at}" y2="{at}"/>'
        )
        parts.append(
            f'<text x="{x.start - 6}" y="{at}" dy="4" text-anchor="end">{text}</text>'
        )
    middle = (y.start + y.end) / 2
    across = (x.start + x.end) / 2
    parts.append(
        f'<text x="{across}" y="{HEIGHT - 6}" text-anchor="middle">{x.label}</text>'
    )
    parts.append(
        f'<text x="13" y="{middle}" text-anchor="middle" '
        f'transform="rotate(-90 13 {middle})">{y.label}</text>'
    )
    return parts


def _mark(one: Mark, x: Axis, y: Axis) -> str:
    across, along = x.place(one.x), y.place(one.y)
    low, high = (y.place(end) for end in one.along)
    bars = f'<path class="bars" d="M{across:.1f},{low:.1f}V{high:.1f}'
    if one.across:
        left, right = (x.place(end) for end in one.across)
        bars += f"M{left:.1f},{along:.1f}H{right:.1f}"
    return (
        f'<g data-page="{escape(one.page)}"><title>{escape(one.said)}</title>{bars}"/>'
        f'<g transform="translate({across:.1f} {along:.1f})">{_outline(one.family)}</g></g>'
    )


def _labels(
    named: Sequence[Mark], marks: Sequence[Mark], x: Axis, y: Axis
) -> list[str]:
    """Names of the front, those left out that would lie on a name or a mark: above its stairs to
    the left, where no model stands, else to the right.
    """
    boxes = [(x.place(m.x) - 6, x.place(m.x) + 6, y.place(m.y)) for m in marks]
    parts = []
    for one in reversed(named):  # the best first
        width = LETTER * len(one.name)
        at, low = x.place(one.x), max(y.place(one.y) - 7, LINE)
        left = at - 9 - width >= LEFT
        start = at - 9 - width if left else at + 9
        clash = any(
            start < end and begin < start + width and abs(low - level) < LINE
            for begin, end, level in boxes
        )
        if clash or start + width > WIDTH:
            continue
        boxes.append((start, start + width, low))
        anchor, place = ("end", at - 9) if left else ("start", start)
        parts.append(
            f'<text class="name" data-page="{escape(one.page)}" x="{place:.1f}" y="{low:.1f}" '
            f'text-anchor="{anchor}">{escape(one.name)}</text>'
        )
    return parts
