"""Plots of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.audit.diversity import CorpusDiversity
from aobench.audit.statistics import Nmi
from aobench.drawing import (
    COLOURS,
    new_figure,
    new_plot,
    one_column,
    paper_style,
    put_legend,
    put_title,
    save_plot,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Least width in inches: titles and legends fit in.
WIDTH = 6.2
#: Bars: the figure, the same of all captions, and after shuffling.
BLUE, LIGHT_BLUE, GREY = COLOURS[0], COLOURS[4], "#BBBBBB"


def _bar_plot(bars: int, width: float) -> tuple[Figure, Axes]:
    """Axes for ``bars`` groups of bars, each ``width`` inches."""
    figure, axes = new_plot(max(2 + width * bars, WIDTH), 4)
    axes.grid(False, axis="x")
    return figure, axes


def _above(axes: Axes, x: float, top: float, value: float) -> None:
    """The ``value`` in print above a bar that ends at ``top``."""
    size = 6 if one_column() else 7.5
    look: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": size}
    axes.annotate(
        f"{value:.3f}", (x, top), (0, 2), textcoords="offset points", **look
    )


def heat_map(
    matrix: np.ndarray,
    attributes: Sequence[str],
    objects: Sequence[str],
    title: str,
    path: str | Path,
    top: int = 40,
) -> None:
    """The counts of the ``top`` attributes and objects seen most, on a logarithmic scale; white
    was never seen.
    """
    from matplotlib.colors import LogNorm

    rows = np.argsort(-matrix.sum(1), kind="stable")[:top]
    # as many names as stand side by side in one column of a paper
    across = min(top, 16) if one_column() else top
    columns = np.argsort(-matrix.sum(0), kind="stable")[:across]
    part = np.ma.masked_equal(matrix[np.ix_(rows, columns)], 0)
    figure = new_figure(
        max(2.6 + 0.2 * len(columns), WIDTH), max(2.2 + 0.18 * len(rows), 3.4)
    )
    axes = figure.add_subplot()
    # a decade, so that the bar has ticks to read
    highest = max(int(part.max()) if part.count() else 1, 10)
    image = axes.imshow(
        part,
        cmap="viridis_r",
        norm=LogNorm(1, highest),
        aspect="auto",
        interpolation="none",
    )
    axes.set_xticks(
        range(len(columns)),
        [objects[c] for c in columns],
        rotation=90,
        fontsize=7,
    )
    axes.set_yticks(range(len(rows)), [attributes[r] for r in rows], fontsize=7)
    axes.set_xlabel("object")
    axes.set_ylabel("attribute")
    seen = int((matrix > 0).sum())
    put_title(
        figure,
        f"{title}: {seen:,} of {matrix.size:,} compositions seen\n"
        f"shown: the {len(rows)} attributes and {len(columns)} objects with the most counts",
    )
    with paper_style():
        figure.colorbar(
            image, label="Captions (logarithmic scale; white: none)"
        )
    save_plot(figure, Path(path), ("",))


def nmi_bars(corpora: Mapping[str, Nmi], path: str | Path) -> None:
    """NMI of several corpora side by side, each with its shuffled baseline and its number of
    co-occurrences.
    """
    figure, axes = _bar_plot(len(corpora), 1.5)
    places = np.arange(len(corpora))
    values = list(corpora.values())
    axes.bar(
        places - 0.2,
        [v.nmi for v in values],
        0.38,
        label="Captions",
        color=BLUE,
    )
    axes.bar(
        places + 0.2,
        [v.shuffled for v in values],
        0.38,
        yerr=[v.shuffled_sd for v in values],
        label="Shuffled",
        color=GREY,
    )
    for place, value in zip(places, values, strict=True):
        _above(axes, place - 0.2, value.nmi, value.nmi)
        _above(
            axes,
            place + 0.2,
            value.shuffled + value.shuffled_sd,
            value.shuffled,
        )
    labels = [f"{name}\nN = {value.n:,}" for name, value in corpora.items()]
    axes.set_xticks(places, labels, fontsize=8)
    axes.set_ylabel(
        f"NMI of attribute and object\n({values[0].normaliser} mean)"
    )
    axes.set_ylim(0, max(max(v.nmi, v.shuffled) for v in values) * 1.15 or 1)
    margin = max(0.7, (3 - len(corpora)) / 2 + 0.7)  # a lone bar is no wall
    axes.set_xlim(-margin, len(corpora) - 1 + margin)
    put_title(figure, "Lower: attributes and objects are combined more freely")
    put_legend(figure, axes, ncols=2)
    save_plot(figure, Path(path), ("",))


def diversity_bars(
    corpora: Sequence[CorpusDiversity], rule: str, path: str | Path
) -> None:
    """NMI of corpora adjusted for chance with its interval; beside it each as it is, with its
    baseline.
    """
    figure, axes = _bar_plot(len(corpora), 1.7)
    places = np.arange(len(corpora))
    adjusted = [row.adjusted for row in corpora]
    values = [one.value for one in adjusted]
    reach = np.nan_to_num([one.high - one.value for one in adjusted])
    whole, shuffled = "As it is", "As it is, shuffled"
    series = (
        ("Adjusted for chance, 95 %", values, np.array([reach, reach]), BLUE),
        (whole, [row.whole.nmi for row in corpora], None, LIGHT_BLUE),
        (shuffled, [row.whole.shuffled for row in corpora], None, GREY),
    )
    for number, (label, values, error, colour) in enumerate(series):
        at = places + (number - 1) * 0.27
        axes.bar(
            at, values, 0.26, yerr=error, label=label, color=colour, capsize=2
        )
        tops = values if error is None else np.add(values, error[1])
        for x, value, top in zip(at, values, tops, strict=True):
            _above(axes, x, max(top, 0), value)
    labels = [f"{row.name}\nN = {row.whole.n:,}" for row in corpora]
    axes.set_xticks(places, labels, fontsize=8)
    axes.set_ylabel("NMI of attribute and object")
    put_title(
        figure,
        f"Rule {rule}. Lower: attributes and objects are combined more freely",
    )
    put_legend(figure, axes, ncols=3)
    save_plot(figure, Path(path), ("",))
