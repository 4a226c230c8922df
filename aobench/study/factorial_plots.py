"""The second edition's plots, each as SVG and PNG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import expit

from aobench.drawing import (
    draw_series,
    group_style,
    new_plot,
    one_column,
    put_legend,
    put_title,
    save_plot,
)
from aobench.study.factorial import (
    CENTRE,
    DIVERSITIES,
    SCALES,
    SUPERVISIONS,
    points,
)
from aobench.study.factorial_figures import SPLITS, Factorial, Sourced, logits
from aobench.study.factorial_statements import all_findings
from aobench.study.summary import Estimate
from aobench.study.world import N_OBJECTS

NAMES = {
    "object": "object classifier",
    "two_head": "attribute + object classifier",
    "seen_pairs": "a class for each seen pair, linear",
    "seen_pairs_cosine": "a class for each seen pair, cosine",
    "composed_pairs": "seen pairs composed, linear",
    "composed_pairs_cosine": "seen pairs composed, cosine",
    "contrastive_labels": "contrastive, labels",
    "contrastive": "contrastive, captions",
}
LOOKS = {name: group_style(number) for number, name in enumerate(NAMES)}
CHANCE = {"color": "#777777", "linewidth": 0.8, "linestyle": "--"}
SOURCES: tuple[tuple[str, str, Callable[[Sourced], Estimate]], ...] = (
    ("seeds", "#56B4E9", lambda f: f.over_seeds),
    ("pairs", "#E69F00", lambda f: f.over_pairs),
    ("both (verdict)", "#000000", lambda f: f.over_both),
    ("seeds, attributes and objects", "#CC79A7", lambda f: f.over_parts),
)


def _draw_line(
    panel: Axes, study: Factorial, name: str, s: str, scale: int, factor: float
) -> None:
    """A supervision's figure ``name`` along diversity, a little aside from the others."""
    points = [
        study.sourced[f"{name} {s} {scale} {d}"].over_both for d in DIVERSITIES
    ]
    middle, low, high = (
        factor * np.array([getattr(e, end) for e in points])
        for end in ("value", "low", "high")
    )
    if name != "lead":
        low, high = np.maximum(low, 0), np.minimum(high, factor)
    aside = 1.03 ** (list(NAMES).index(s) - 3.5)
    x = np.array(DIVERSITIES) * aside
    draw_series(panel, x, (middle, low, high), LOOKS[s], NAMES[s])


def _put_title(panel: Axes, text: str) -> None:
    """A panel's title, in lines that go above half a column."""
    lines = wrap(text, 14) if one_column() else [text]
    panel.set_title("\n".join(lines), fontsize=8)


def diversity_plot(study: Factorial) -> Figure:
    """OoD accuracy and lead along diversity, a column a scale."""
    figure, axes = new_plot(8.4, 6.6, 2, len(SCALES), sharey="row", sharex=True)
    rows = (
        ("ood object", "OoD object accuracy, %", 100.0, SUPERVISIONS),
        (
            "lead",
            "lead over object classifiers, log odds",
            1.0,
            SUPERVISIONS[1:],
        ),
    )
    for column, scale in enumerate(SCALES):
        for row, (name, label, factor, supervisions) in enumerate(rows):
            panel = axes[row, column]
            panel.axhline(0 if row else 100 / N_OBJECTS, **CHANCE)
            for s in supervisions:
                _draw_line(panel, study, name, s, scale, factor)
            panel.set_xscale("log", base=2)
            panel.set_xticks(DIVERSITIES, [str(d) for d in DIVERSITIES])
            if column == 0:
                panel.set_ylabel(label, fontsize=8)
        _put_title(axes[0, column], f"{scale:,} training images")
        axes[1, column].set_xlabel(
            "attributes an object in training", fontsize=8
        )
    put_legend(figure, axes[0, list(SCALES).index(CENTRE[0])], ncols=3)
    put_title(
        figure,
        f"Means of {len(study.seeds)} seeds; bars: 95 %, seeds and pairs both. Dashed: chance, or "
        "the object classifiers",
    )
    return figure


def statements_plot(study: Factorial) -> Figure:
    """Every statement's figure with its interval by source of error."""
    findings = all_findings(study)
    figure, axes = new_plot(8.4, 7.2 if one_column() else 5.8)
    for row, finding in enumerate(reversed(findings)):
        for number, (label, colour, of) in enumerate(SOURCES):
            e, y = of(finding.figure), row + 0.27 - 0.18 * number
            name = label if row == 0 else None
            axes.plot(
                [e.low, e.high], [y, y], color=colour, linewidth=2, label=name
            )
        axes.plot(finding.figure.value, row, "D", color="#000000", markersize=4)
    names = [f"{f.claim}  {f.number}" for f in reversed(findings)]
    size = 7.5
    if one_column():
        names, size = ["\n".join(wrap(name, 34)) for name in names], 6
    axes.set_yticks(range(len(findings)), names, fontsize=size)
    axes.axvline(0, color="#444444", linewidth=1)
    axes.set_xlabel("log odds (per doubling where it is a slope)", fontsize=8)
    put_legend(figure, axes, ncols=4)
    put_title(figure, "The statements, 95 % by source of error")
    return figure


def scatter_plot(study: Factorial) -> Figure:
    """ID and OoD object accuracy of every run on logit axes, a panel a diversity, with the object
    classifiers' line.
    """
    figure, axes = new_plot(8.4, 7.4, 2, 2, sharex=True, sharey=True)
    for number, diversity in enumerate(DIVERSITIES):
        panel = axes.flat[number]
        _draw_scatter(panel, study, diversity)
        _put_title(panel, f"{diversity} attributes an object")
    for panel in axes[1]:
        panel.set_xlabel("ID object accuracy, % (logit axis)", fontsize=8)
    for panel in axes[:, 0]:
        panel.set_ylabel("OoD object accuracy, % (logit axis)", fontsize=8)
    centre = axes.flat[DIVERSITIES.index(CENTRE[1])]
    put_legend(figure, centre, ncols=3)
    put_title(
        figure,
        "Every run; small: 1,000 images, large: 4,000. Line: object classifiers of this "
        "diversity, one slope for all",
    )
    return figure


def _run_logits(study: Factorial, s: str, split: str) -> np.ndarray:
    """Log odds of object accuracy, seeds x points."""
    rates = study.table.rates(s, split).mean(2)
    return logits(rates, study.table.images(split))


def _draw_scatter(panel: Axes, study: Factorial, diversity: int) -> None:
    base = [_run_logits(study, "object", split) for split in SPLITS]
    places = [i for i, (_, d) in enumerate(points()) if d == diversity]
    middle = [v[:, places].mean() for v in base]
    x = np.linspace(-3, 5, 50)
    y = middle[1] + study.sourced["b"].value * (x - middle[0])
    panel.plot(x, y, color="#777777", linewidth=1)
    for s in SUPERVISIONS:
        _draw_runs(panel, study, s, diversity)
    ticks = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97])
    at = np.log(ticks / (1 - ticks))
    labels = [f"{100 * v:.0f}" for v in expit(at)]
    panel.set_xticks(at, labels, fontsize=8)
    panel.set_yticks(at, labels, fontsize=8)
    panel.set_xlim(-1.8, 4.2)
    panel.set_ylim(-3.6, 2.4)


def _draw_runs(panel: Axes, study: Factorial, s: str, diversity: int) -> None:
    known, novel = (_run_logits(study, s, split) for split in SPLITS)
    for i, (scale, d) in enumerate(points()):
        if d == diversity:
            large = scale == max(SCALES)
            panel.plot(
                known[:, i],
                novel[:, i],
                linestyle="none",
                markersize=6 if large else 3.5,
                alpha=0.85,
                label=NAMES[s] if large else None,
                **LOOKS[s],
            )


def draw_all(study: Factorial, out: Path) -> list[Path]:
    """Every figure into ``out``."""
    pictures = {
        "diversity": diversity_plot,
        "statements": statements_plot,
        "runs": scatter_plot,
    }
    return [
        path
        for name, draw in pictures.items()
        for path in save_plot(draw(study), out / name)
    ]
