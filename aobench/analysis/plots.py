"""Static figures of effective generalization, as SVG and PNG. Colours of Okabe and Ito 2008, and
a marker each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from compositional_ood.compositional_ood import wilson
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aobench.analysis.effective import CONFIDENCE, FEW, Effective, Group, Line, widened
from aobench.analysis.model_accuracies import Record
from aobench.analysis.transforms import inside, scale
from aobench.errors import UserError

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#000000",
    "#8A8A00",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
TICKS = (
    0.001,
    0.003,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.9,
    0.95,
    0.98,
    0.99,
    0.997,
    0.999,
)


def look(number: int) -> dict[str, str]:
    """Colour and marker of the ``number``-th group; no two of the first 56 agree in both."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def new(
    width: float, height: float, rows: int = 1, columns: int = 1, **how: Any
) -> tuple[Figure, Any]:
    """A figure of ``width`` x ``height`` inches with its axes, apart from matplotlib's global
    state.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, **how)
    for one in np.ravel(axes):
        one.spines[["top", "right"]].set_visible(False)
        one.grid(True, color="#DDDDDD", linewidth=0.6)
        one.set_axisbelow(True)
    return figure, axes


def save(figure: Figure, path: Path) -> list[Path]:
    """Write ``path`` with the endings .svg and .png (160 dots an inch). The same figure gives
    the same bytes.
    """
    import matplotlib

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}):
            figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
        figure.savefig(path.with_suffix(".png"), dpi=160)
    except OSError as error:
        raise UserError(f"{path} could not be written: {error}") from error
    return [path.with_suffix(".svg"), path.with_suffix(".png")]


def axis_ticks(name: str, low: float, high: float) -> tuple[list[float], list[str]]:
    """Places on the scale T and labels in percent, for accuracies between ``low`` and ``high``."""
    if name == "linear":
        values = [v for v in np.arange(0, 1.01, 0.1) if low - 0.05 <= v <= high + 0.05]
    else:
        values = [v for v in TICKS if low * 0.6 <= v <= 1 - (1 - high) * 0.6]
    where = scale(name).there(np.array(values, float))
    return list(map(float, where)), [f"{100 * v:.3g}" for v in values]


def band(
    line: Line, low: float, high: float, points: int = 80
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(T(id), fitted, lower, upper) on the scale T along the first ID set; 95 % band of the
    line, not of models.
    """
    x = np.linspace(low, high, points)
    design = np.column_stack([np.ones(points), x])
    drawn = widened(
        line.drawn @ design.T,
        line.coefficients @ design.T,
        line.free,
        line.runs,
        CONFIDENCE,
    )
    lower, upper = np.quantile(drawn, (0.025, 0.975), axis=0)
    return x, design @ line.coefficients, lower, upper


def place(name: str, rate: float, n: int) -> tuple[float, float, float]:
    """T of an accuracy and of the ends of its Wilson interval."""
    low, high = wilson(round(rate * n), n)
    values = inside(np.array([rate, low, high]), np.array([n] * 3))
    found = scale(name).there(values)
    return float(found[0]), float(found[1]), float(found[2])


def _fitted(axes: Axes, line: Line, low: float, high: float) -> None:
    x, middle, lower, upper = band(line, low, high)
    there = scale(line.transform).there
    inner = (x >= there(inside(line.low[0], np.array(1e6))) - 1e-9) & (
        x <= there(inside(line.high[0], np.array(1e6))) + 1e-9
    )
    axes.fill_between(
        x,
        lower,
        upper,
        color="#999999",
        alpha=0.3,
        linewidth=0,
        label="95 % band of the fit",
    )
    axes.plot(
        x,
        middle,
        color="#444444",
        linewidth=1,
        linestyle=(0, (2, 2)),
        label="the fit beyond the baseline",
    )
    axes.plot(
        x[inner],
        middle[inner],
        color="#222222",
        linewidth=1.6,
        label=f"fit, {len(line.models)} baseline models",
    )
    axes.plot(x, x, color="#AAAAAA", linewidth=0.8, label="OoD = ID")


def scatter(
    line: Line,
    records: Sequence[Record],
    title: str,
    column: str = "training_set",
    what: str = "accuracy",
) -> Figure:
    """ID against OoD accuracy on the scale of ``line``, with the fit, its band and each model's 95
    % intervals.

    ``what`` says which accuracy it is, such as object accuracy. Raises UserError for a line over
    several ID sets, which has no such picture.
    """
    if len(line.id_sets) != 1:
        raise UserError("a scatter shows one ID set; fit over one for the figure")
    figure, axes = new(7.2, 5.6)
    places = [
        (place(line.transform, r.id, r.n_id), place(line.transform, r.ood, r.n_ood))
        for r in records
    ]
    xs, ys = np.array([p[0] for p in places]), np.array([p[1] for p in places])
    pad = 0.04 * (xs.max() - xs.min() + 0.1)
    _fitted(axes, line, xs.min() - pad, xs.max() + pad)
    for number, name in enumerate(sorted({getattr(r, column) for r in records})):
        rows = [i for i, r in enumerate(records) if getattr(r, column) == name]
        x, y = xs[rows], ys[rows]
        how = look(number)
        axes.errorbar(
            x[:, 0],
            y[:, 0],
            xerr=np.abs(x[:, 1:] - x[:, :1]).T,
            yerr=np.abs(y[:, 1:] - y[:, :1]).T,
            linestyle="none",
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.4,
            elinewidth=0.8,
            label=name,
            **how,
        )
    for set_ticks, set_label, split, rates in (
        (axes.set_xticks, axes.set_xlabel, "ID", [r.id for r in records]),
        (axes.set_yticks, axes.set_ylabel, "OoD", [r.ood for r in records]),
    ):
        ticks, names = axis_ticks(line.transform, min(rates), max(rates))
        set_ticks(ticks, names)
        set_label(f"{split} {what}, % ({line.transform} axis)")
    axes.set_ylim(ys.min() - 3 * pad, ys.max() + 3 * pad)
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside right upper",
        fontsize=7.5,
        frameon=False,
    )
    return figure


def groups(found: Sequence[Group], title: str) -> Figure:
    """Mean effective generalization by group, in points, with 95 % intervals; n models, r
    independent runs.

    Groups of fewer than FEW runs have dashed bars and a star.
    """
    figure, axes = new(6.4, 1.4 + 0.28 * len(found))
    for row, g in enumerate(found):
        colour = COLOURS[0] if g.extrapolated == 0 else COLOURS[1]
        axes.plot(
            [100 * g.low, 100 * g.high],
            [row, row],
            color=colour,
            linewidth=1.8,
            linestyle=(0, (2, 1.5)) if g.few else "solid",
        )
        face = colour if g.extrapolated == 0 else "white"
        axes.plot(
            100 * g.rho, row, "o", color=colour, markerfacecolor=face, markersize=6
        )
    axes.axvline(0, color="#444444", linewidth=1)
    axes.set_yticks(
        range(len(found)),
        [f"{g.name} (n = {g.n}, r = {g.runs}){'*' * g.few}" for g in found],
    )
    hollow = (
        "\nhollow: models beyond the baseline's range among them"
        if any(g.extrapolated for g in found)
        else ""
    )
    few = (
        f"\n* and dashed: fewer than {FEW} runs, which say little of another run"
        if any(g.few for g in found)
        else ""
    )
    counted = "\nn: models, r: independent runs"
    axes.set_xlabel(
        f"effective generalization, points; bars: 95 % intervals{counted}{hollow}{few}",
        fontsize=8,
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    return figure


def models(found: Sequence[Effective], title: str) -> Figure:
    """Effective generalization of each model, in points, with its 95 % interval and the baseline
    family's scatter.
    """
    ordered = sorted(found, key=lambda e: e.rho)
    figure, axes = new(7.2, 1.2 + 0.17 * len(ordered))
    for row, e in enumerate(ordered):
        axes.plot(
            [100 * e.scatter_low, 100 * e.scatter_high],
            [row, row],
            color="#CCCCCC",
            linewidth=4,
            solid_capstyle="butt",
        )
        axes.plot(
            [100 * e.rho_low, 100 * e.rho_high],
            [row, row],
            color=COLOURS[0],
            linewidth=1.4,
        )
        axes.plot(
            100 * e.rho,
            row,
            "o",
            color=COLOURS[0],
            markersize=3.5,
            markerfacecolor="white" if e.extrapolated else COLOURS[0],
        )
    axes.axvline(0, color="#444444", linewidth=1)
    axes.set_ylim(-1, len(ordered))
    axes.set_yticks(range(len(ordered)), [e.model for e in ordered], fontsize=6)
    axes.set_xlabel(
        "effective generalization, points; bars: 95 % intervals\n"
        "grey: where 95 % of further baseline models would lie\nhollow: beyond the baseline's "
        "range",
        fontsize=8,
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    return figure
