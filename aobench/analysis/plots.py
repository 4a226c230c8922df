"""Static plots of effective generalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from compositional_ood.compositional_ood import (
    inside_bounds,
    tail_shares,
    transform_named,
    wilson,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aobench.analysis.effective import CONFIDENCE, EffectiveScore, FittedLine
from aobench.analysis.effective_groups import FEW, GroupScore
from aobench.analysis.model_accuracies import ModelAccuracies
from aobench.drawing import (
    COLOURS,
    group_style,
    new_plot,
    one_column,
    put_legend,
    put_title,
)
from aobench.errors import UserError

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


def axis_ticks(
    name: str, low: float, high: float
) -> tuple[list[float], list[str]]:
    """Places on the scale T and labels in percent, for accuracies between ``low`` and ``high``."""
    if name == "linear":
        values = [
            v for v in np.arange(0, 1.01, 0.1) if low - 0.05 <= v <= high + 0.05
        ]
    else:
        values = [v for v in TICKS if low * 0.6 <= v <= 1 - (1 - high) * 0.6]
    on_scale = transform_named(name).forward(np.array(values, float))
    return list(map(float, on_scale)), [f"{100 * v:.3g}" for v in values]


def axis_names(what: str | tuple[str, str]) -> tuple[str, str]:
    """The names of the two axes: of one accuracy on ID and OoD, or of two.

    Example:
        >>> axis_names("object accuracy")
        ('ID object accuracy', 'OoD object accuracy')
    """
    across, up = (what, what) if isinstance(what, str) else what
    return f"ID {across}", f"OoD {up}"


def fit_band(
    line: FittedLine, low: float, high: float, points: int = 80
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(T(id), fitted, lower, upper) on the scale T along the first ID set; 95 % band of the
    line, not of models.
    """
    x = np.linspace(low, high, points)
    design = np.column_stack([np.ones(points), x])
    fitted = design @ line.coefficients
    drawn = line.widened(line.drawn @ design.T, fitted, CONFIDENCE)
    lower, upper = np.quantile(drawn, tail_shares(CONFIDENCE), axis=0)
    return x, fitted, lower, upper


def with_interval(name: str, rate: float, n: int) -> tuple[float, float, float]:
    """T of an accuracy and of the ends of its Wilson interval."""
    low, high = wilson(round(rate * n), n)
    within = inside_bounds([rate, low, high], [n] * 3)
    middle, lower, upper = transform_named(name).forward(within).tolist()
    return middle, lower, upper


def _draw_fit(axes: Axes, line: FittedLine, low: float, high: float) -> None:
    """The fit with its band, dotted beyond the baseline's models, and the diagonal."""
    x, middle, lower, upper = fit_band(line, low, high)
    many = np.array(1e6)
    ends = (inside_bounds(end[0], many) for end in (line.low, line.high))
    first, last = (
        float(transform_named(line.transform).forward(e)) for e in ends
    )
    inner = (x >= first - 1e-9) & (x <= last + 1e-9)
    band = "95 % band of the fit"
    axes.fill_between(
        x, lower, upper, color="#999999", alpha=0.3, lw=0, label=band
    )
    dots: dict[str, Any] = {
        "color": "#444444",
        "linewidth": 1,
        "linestyle": (0, (2, 2)),
    }
    axes.plot(x, middle, **dots, label="Fit beyond the baseline")
    label = f"Fit, {len(line.models)} baseline models"
    axes.plot(
        x[inner], middle[inner], color="#222222", linewidth=1.6, label=label
    )
    axes.plot(x, x, color="#AAAAAA", linewidth=0.8, label="OoD = ID")


def _draw_models(
    axes: Axes, xs: np.ndarray, ys: np.ndarray, names: Sequence[str]
) -> None:
    """Models x 3 places with their intervals, a colour and marker for each of ``names``."""
    for number, name in enumerate(sorted(set(names))):
        rows = [row for row, other in enumerate(names) if other == name]
        x, y = xs[rows], ys[rows]
        axes.errorbar(
            x[:, 0],
            y[:, 0],
            xerr=np.abs(x[:, 1:] - x[:, :1]).T,
            yerr=np.abs(y[:, 1:] - y[:, :1]).T,
            linestyle="none",
            markersize=3.5 if one_column() else 5,
            markeredgecolor="white",
            markeredgewidth=0.4,
            elinewidth=0.8,
            label=name,
            **group_style(number),
        )


def scatter_plot(
    line: FittedLine,
    records: Sequence[ModelAccuracies],
    title: str,
    column: str = "training_set",
    what: str | tuple[str, str] = "accuracy",
) -> Figure:
    """ID against OoD accuracy on the scale of ``line``, with the fit, its band and each model's 95
    % intervals.

    ``what`` says which accuracy it is, such as object accuracy, or which two. Raises UserError for
    a line over several ID sets, which has no such picture.
    """
    if len(line.id_sets) != 1:
        raise UserError(
            "a scatter shows one ID set; fit over one for the figure"
        )
    figure, axes = new_plot(7.2, 5.6)
    scale = line.transform
    xs = np.array([with_interval(scale, r.id, r.n_id) for r in records])
    ys = np.array([with_interval(scale, r.ood, r.n_ood) for r in records])
    pad = 0.04 * (xs.max() - xs.min() + 0.1)
    _draw_fit(axes, line, xs.min() - pad, xs.max() + pad)
    _draw_models(axes, xs, ys, [r.fact(column) for r in records])
    across, up = axis_names(what)
    for set_ticks, set_label, label, rates in (
        (axes.set_xticks, axes.set_xlabel, across, [r.id for r in records]),
        (axes.set_yticks, axes.set_ylabel, up, [r.ood for r in records]),
    ):
        ticks, names = axis_ticks(scale, min(rates), max(rates))
        set_ticks(ticks, names)
        set_label(f"{label}, % ({scale} axis)")
    axes.set_ylim(ys.min() - 3 * pad, ys.max() + 3 * pad)
    put_title(figure, title)
    put_legend(figure, axes, "outside right upper", fontsize=7.5)
    return figure


def groups_plot(groups: Sequence[GroupScore], title: str) -> Figure:
    """Mean effective generalization by group, in points, with 95 % intervals; n models, r
    independent runs.

    Groups of fewer than FEW runs have dashed bars and a star.
    """
    figure, axes = new_plot(6.4, 1.4 + 0.28 * len(groups))
    for row, g in enumerate(groups):
        colour = COLOURS[0] if g.extrapolated == 0 else COLOURS[1]
        dash = (0, (2, 1.5)) if g.few else "solid"
        ends = [100 * g.low, 100 * g.high]
        axes.plot(ends, [row, row], color=colour, linewidth=1.8, linestyle=dash)
        face = colour if g.extrapolated == 0 else "white"
        axes.plot(100 * g.rho, row, "o", color=colour, mfc=face, markersize=6)
    axes.axvline(0, color="#444444", linewidth=1)
    labels = [
        f"{g.name} (n = {g.n}, r = {g.runs}){'*' * g.few}" for g in groups
    ]
    axes.set_yticks(range(len(groups)), labels)
    lines = [
        "distance from the line, points, mean over runs; bars: 95 % intervals"
    ]
    lines += ["n: models, r: independent runs"]
    if any(g.extrapolated for g in groups):
        lines += ["hollow: models beyond the baseline's range among them"]
    if any(g.few for g in groups):
        lines += [
            f"* and dashed: fewer than {FEW} runs, which say little of another run"
        ]
    axes.set_xlabel("\n".join(lines), fontsize=8)
    put_title(figure, title)
    return figure


def models_plot(scores: Sequence[EffectiveScore], title: str) -> Figure:
    """Effective generalization of each model, in points, with its 95 % interval and the baseline
    family's scatter.
    """
    ordered = sorted(scores, key=lambda score: score.rho)
    figure, axes = new_plot(7.2, 1.2 + 0.17 * len(ordered))
    grey: dict[str, Any] = {
        "color": "#CCCCCC",
        "linewidth": 4,
        "solid_capstyle": "butt",
    }
    for row, e in enumerate(ordered):
        axes.plot(
            [100 * e.scatter_low, 100 * e.scatter_high], [row, row], **grey
        )
        ends = [100 * e.rho_low, 100 * e.rho_high]
        axes.plot(ends, [row, row], color=COLOURS[0], linewidth=1.4)
        face = "white" if e.extrapolated else COLOURS[0]
        axes.plot(
            100 * e.rho, row, "o", color=COLOURS[0], markersize=3.5, mfc=face
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
    put_title(figure, title)
    return figure
