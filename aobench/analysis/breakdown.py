"""Where a model fails: accuracy by attribute and object as a heat map, and against how often
captions name a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from compositional_ood.compositional_ood import (
    cluster_interval,
    effective_images,
    wilson,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aobench.analysis.model_accuracies import PUBLISHED
from aobench.analysis.rank_correlation import (
    percentile_interval,
    spearman_correlation,
)
from aobench.csv_tables import read_csv_rows, whole_number
from aobench.drawing import (
    COLOURS,
    GRID,
    new_figure,
    new_plot,
    one_column,
    paper_style,
    put_title,
)
from aobench.errors import UserError
from aobench.results.by_part import part_names

if TYPE_CHECKING:
    from aobench.results.predictions import Predictions

#: Objects that a heat map shows; of more, as many evenly from the worst to the best.
MOST_COLUMNS = 60


@dataclass(frozen=True)
class CellCounts:
    """``right`` and ``n``: counts, attributes x objects; n = 0 where a composition was not
    tested.
    """

    right: np.ndarray
    n: np.ndarray
    attributes: Sequence[str]
    objects: Sequence[str]

    def rate(self, axis: int | None = None) -> np.ndarray:
        """Accuracy of each cell, or over ``axis``; NaN where nothing was tested."""
        right, n = (
            (self.right, self.n)
            if axis is None
            else (self.right.sum(axis), self.n.sum(axis))
        )
        return np.where(n > 0, right / np.maximum(n, 1), np.nan)


def _shown(cells: CellCounts) -> tuple[np.ndarray, np.ndarray, int]:
    """Attributes and objects from worst to best, and how many objects are left out of many."""
    rows, columns = np.argsort(cells.rate(1)), np.argsort(cells.rate(0))
    rows = rows[cells.n.sum(1)[rows] > 0]
    columns = columns[cells.n.sum(0)[columns] > 0]
    # as many names as stand side by side in one column of a paper
    most = 16 if one_column() else MOST_COLUMNS
    count = min(len(columns), most)
    evenly = np.linspace(0, len(columns) - 1, count).round().astype(int)
    return rows, columns[evenly], len(columns) - count


def _draw_cells(
    axes: Axes, cells: CellCounts, rows: np.ndarray, columns: np.ndarray
) -> None:
    """The heat map itself, each object's name with its accuracy, and the colours' scale."""
    rates, per_object = 100 * cells.rate(), 100 * cells.rate(0)
    image = axes.imshow(
        rates[np.ix_(rows, columns)],
        cmap="cividis",
        vmin=0,
        vmax=100,
        aspect="auto",
    )
    axes.set_facecolor("#EEEEEE")
    names = [f"{cells.objects[o]} {per_object[o]:.0f}" for o in columns]
    axes.set_xticks(range(len(columns)), names, rotation=90, fontsize=6)
    axes.set_yticks(
        range(len(rows)), [cells.attributes[a] for a in rows], fontsize=7
    )
    look: dict[str, Any] = {"location": "top", "shrink": 0.8, "aspect": 40}
    axes.figure.colorbar(image, ax=axes, label="accuracy, %", **look)


def _draw_attributes(axes: Axes, cells: CellCounts, rows: np.ndarray) -> None:
    """Accuracy by attribute, with 95 % intervals."""
    # One design effect for all: an attribute has too few compositions to tell its own.
    share = effective_images(cells.right, cells.n) / cells.n.sum()
    for place, a in enumerate(rows):
        right, n = int(cells.right[a].sum()), int(cells.n[a].sum())
        ends = [100 * end for end in wilson(share * right, share * n)]
        look: dict[str, Any] = {"color": COLOURS[0], "clip_on": False}
        axes.plot(ends, [place, place], linewidth=1.4, **look)
        axes.plot(100 * right / n, place, "o", markersize=3.5, **look)
    axes.set_yticks(range(len(rows)), [])
    axes.set_xlim(0, 100)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_xlabel("attribute, %", fontsize=8)


def heat_map(cells: CellCounts, title: str) -> Figure:
    """Attributes down and objects across, both from worst to best; at the side attributes, with
    95 % intervals.
    """
    rows, columns, left_out = _shown(cells)
    width = 0.17 * len(columns)
    with paper_style():
        figure = new_figure(2.6 + width, 2.4 + 0.17 * len(rows))
        grid = figure.add_gridspec(1, 2, width_ratios=(max(3.0, width), 1.3))
        main, side = (
            figure.add_subplot(grid[0, 0]),
            figure.add_subplot(grid[0, 1]),
        )
        _draw_cells(main, cells, rows, columns)
        _draw_attributes(side, cells, rows)
    side.set_ylim(main.get_ylim())
    more = (
        f"; {left_out} objects left out, evenly from worst to best"
        if left_out
        else ""
    )
    put_title(
        figure, f"{title}\ngrey: not tested; by an object its accuracy{more}"
    )
    return figure


def caption_counts() -> dict[str, dict[str, int]]:
    """Training set -> ImageNet class name -> captions that name it; see published/SOURCES.md."""
    rows = read_csv_rows(
        PUBLISHED / "caption_counts_per_imagenet_class.csv", ("class_name",)
    )
    sets = [c for c in rows[0] if c != "class_name"]
    return {
        s: {row["class_name"]: whole_number(row[s], s) for row in rows}
        for s in sets
    }


@dataclass(frozen=True)
class CountsFit:
    """Rank correlation of caption counts with accuracies over classes, with a bootstrap interval
    over classes.
    """

    spearman: float
    low: float
    high: float
    n: int


def against_counts(
    counts: np.ndarray, rates: np.ndarray, draws: int = 2000, seed: int = 0
) -> CountsFit:
    """Spearman's correlation over classes. Raises UserError for fewer than 5 classes."""
    if len(counts) < 5:
        raise UserError(
            f"only {len(counts)} classes have both a caption count and an accuracy; at least 5 are "
            "needed"
        )
    rows = np.random.default_rng(seed).integers(
        len(counts), size=(draws, len(counts))
    )
    low, high = percentile_interval(
        spearman_correlation(counts[rows], rates[rows])
    )
    return CountsFit(
        float(spearman_correlation(counts, rates)[0]), low, high, len(counts)
    )


def _draw_counts(
    panel: Axes, counts: np.ndarray, right: np.ndarray, n: np.ndarray
) -> None:
    """Classes as dots; fifths of them by count as squares with their intervals."""
    dots: dict[str, Any] = {"markersize": 3, "alpha": 0.7, "markeredgewidth": 0}
    panel.plot(counts + 1, 100 * right / n, "o", color=COLOURS[4], **dots)
    for fifth in np.array_split(np.argsort(counts, kind="stable"), 5):
        low, high, _ = cluster_interval(right[fifth], n[fifth])
        at = np.exp(np.log(counts[fifth] + 1).mean())
        middle = 100 * right[fifth].sum() / n[fifth].sum()
        panel.plot(
            [at, at], [100 * low, 100 * high], color="#000000", linewidth=1.6
        )
        panel.plot(at, middle, "s", color="#000000", markersize=4)
    panel.set_xscale("log")
    panel.set_xlabel("captions naming the class, + 1", fontsize=8)


def counts_plot(
    right: dict[str, tuple[int, int]], title: str
) -> tuple[Figure, dict[str, CountsFit]]:
    """``right``: class name -> (right answers, images). A panel a training set: captions naming a
    class, and accuracy.

    Dots are classes; squares the pooled accuracy of fifths of the classes by count, with 95 % bars
    that take classes as independent. The title says how many classes the published counts lack.
    """
    by_set = caption_counts()
    fits: dict[str, CountsFit] = {}
    figure, axes = new_plot(9.6, 3.2, 1, len(by_set), sharey=True)
    for panel, (name, by_class) in zip(axes.flat, by_set.items(), strict=True):
        known = [c for c in right if c in by_class]
        counts = np.array([by_class[c] for c in known])
        good, n = np.array([right[c] for c in known]).reshape(-1, 2).T
        fit = against_counts(counts, good / np.maximum(n, 1))
        fits[name] = fit
        _draw_counts(panel, counts, good, n)
        panel.set_title(
            f"{name}, {fit.n} classes\nrank corr. {fit.spearman:+.2f}\n"
            f"[{fit.low:+.2f}, {fit.high:+.2f}]",
            fontsize=8,
        )
    axes[0, 0].set_ylabel("accuracy on the class, %")
    absent = [
        c
        for c in right
        if not any(c in by_class for by_class in by_set.values())
    ]
    if absent:
        title += (
            f"\n{len(absent)} of {len(right)} objects left out: no class of the published "
            f"caption counts has their name, such as {absent[0]}"
        )
    put_title(figure, title)
    return figure, fits


def cell_counts(predictions: Predictions, split: str, kind: str) -> CellCounts:
    """Right answers and images by attribute and object. Raises UserError where images have no
    attribute.
    """
    from aobench.results.hits import right_answers, task_of_kind

    _, right, _ = right_answers(predictions, split, kind)
    rows = predictions.split(split)
    a, o = np.array(rows["attribute"]), np.array(rows["object"])
    if (a < 0).any() or (o < 0).any():
        raise UserError(
            f"images of {split} have no attribute or object; there is nothing to break down"
        )
    candidates = predictions.lists[task_of_kind(predictions, split, kind)][
        split
    ]
    named = [part_names(candidates, part) for part in ("attribute", "object")]
    ids = (np.unique(a), np.unique(o))
    shape = (len(ids[0]), len(ids[1]))
    where = (np.searchsorted(ids[0], a), np.searchsorted(ids[1], o))
    n, good = np.zeros(shape, int), np.zeros(shape, int)
    np.add.at(n, where, 1)
    np.add.at(good, where, right.astype(int))
    attributes = [named[0].get(int(i), f"attribute {i}") for i in ids[0]]
    return CellCounts(
        good,
        n,
        attributes,
        [named[1].get(int(i), f"object {i}") for i in ids[1]],
    )


def by_class_name(cells: CellCounts) -> dict[str, tuple[int, int]]:
    """Object name -> (right answers, images)."""
    sums = zip(
        cells.right.sum(0).tolist(), cells.n.sum(0).tolist(), strict=True
    )
    return dict(zip(cells.objects, sums, strict=True))
