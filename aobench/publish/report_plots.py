"""The plots of a report, as SVG text that stands in the page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.drawing import fit_labels, group_style, new_plot
from aobench.results.scores import (
    KINDS,
    common_task,
    image_margins,
    shown_accuracy,
)
from aobench.results.verified import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Most points of a curve that are drawn; the scores are of all of them.
MOST_POINTS = 400
#: Inches: so small that a phone's letters are large enough to read.
WIDTH, HEIGHT = 3.4, 3.1


def svg_text(figure: Figure, name: str) -> str:
    """The figure as an SVG element that scales to the page; ``name`` keeps its ids apart."""
    import matplotlib

    fit_labels(figure)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def curve_plot(results: Sequence[Result]) -> Figure | None:
    """Seen against novel accuracy over every bias, a line a model, with the point without a bias
    and that of the best harmonic mean; None where no result has a curve.
    """
    from compositional_ood.compositional_ood import seen_novel_curve

    shown = [result for result in results if "curve" in result.headline]
    if not shown:
        return None
    figure, axes = new_plot(WIDTH, HEIGHT)
    for number, result in enumerate(shown):
        sides = [
            image_margins(result.predictions.split(s)) for s in ("id", "ood")
        ]
        curve = seen_novel_curve(*sides[0], *sides[1])
        step = max(1, len(curve.seen) // MOST_POINTS)
        places = np.unique(
            [*range(0, len(curve.seen), step), len(curve.seen) - 1]
        )
        style = group_style(number)
        label = result.content["model"]["id"]
        axes.plot(
            100 * curve.seen[places],
            100 * curve.novel[places],
            color=style["color"],
            label=label,
        )
        points = (_unbiased(result), _best(result.headline["curve"]))
        for point, face in zip(points, ("white", style["color"]), strict=True):
            look = {"mec": style["color"], "mfc": face, "clip_on": False}
            axes.plot(*point, style["marker"], **look)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("Accuracy on seen compositions, %")
    axes.set_ylabel("Accuracy on novel compositions, %")
    axes.set_aspect("equal")
    if len(shown) > 1:
        axes.legend(fontsize=7, frameon=False, loc="lower left")
    return figure


def _unbiased(result: Result) -> tuple[float, float]:
    seen, novel = (result.splits[s]["composition_top1"] for s in ("id", "ood"))
    return 100 * seen, 100 * novel


def _best(curve: dict[str, Any]) -> tuple[float, float]:
    return 100 * curve["best_bias_seen_top1"], 100 * curve[
        "best_bias_novel_top1"
    ]


def scatter_plot(results: Sequence[Result]) -> Figure | None:
    """ID against OoD accuracy with intervals, a mark a model, in the first task that all answered
    on both splits; None where there is none, and for fewer than two models.
    """
    shared = shared_task(results)
    if shared is None:
        return None
    task, key = shared
    figure, axes = new_plot(WIDTH, HEIGHT)
    for number, result in enumerate(results):
        splits = result.content["scores"][task]["splits"]
        x, across = _with_bars(splits["id"], key)
        y, along = _with_bars(splits["ood"], key)
        label = result.content["model"]["id"]
        style = group_style(number)
        axes.errorbar(x, y, along, across, ls="", lw=1, label=label, **style)
    axes.plot([0, 100], [0, 100], ":", color="#666666", lw=1)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_aspect("equal")
    axes.set_xlabel(f"Accuracy on seen images (id), task {task}, %")
    axes.set_ylabel(f"Accuracy on novel images (ood), task {task}, %")
    axes.legend(fontsize=7, frameon=False, loc="upper left")
    return figure


def shared_task(results: Sequence[Result]) -> tuple[str, str] | None:
    """The first task, and its accuracy, that each of several models has on both splits."""
    if len(results) < 2:
        return None
    scores = [result.content["scores"] for result in results]
    for kind in KINDS:
        task = common_task(scores, f"{kind}_top1")
        if task is not None:
            return task, f"{kind}_top1"
    return None


def _with_bars(
    scores: dict[str, Any], key: str
) -> tuple[float, list[list[float]]]:
    value, low, high = (100 * one for one in shown_accuracy(scores, key))
    return value, [[value - low], [high - value]]
