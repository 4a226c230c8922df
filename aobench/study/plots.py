"""The study's plots, from its table of runs; each is written as SVG and PNG, the scatter as
HTML too.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aobench.analysis.breakdown import CellCounts, heat_map
from aobench.analysis.disentanglement import EXPLAINED
from aobench.analysis.effective import effective_generalization
from aobench.analysis.interactive import scatter_page, write_page
from aobench.analysis.plots import scatter_plot
from aobench.drawing import (
    COLOURS,
    MARKERS,
    draw_series,
    group_style,
    new_plot,
    one_column,
    put_legend,
    put_title,
    save_plot,
)
from aobench.mini.render import ATTRIBUTES
from aobench.study.design import (
    CENTRE,
    DIVERSITIES,
    SCALES,
    SUPERVISIONS,
    Run,
    design_points,
)
from aobench.study.statements import measure_correlation, nmi_correlation
from aobench.study.summary import Estimate, Study
from aobench.study.world import N_OBJECTS, novel_pairs, object_names

LOOKS = {
    name: group_style(number)
    for number, name in enumerate(sorted(SUPERVISIONS))
}  #: as the scatter has them
NAMES = {
    "object": "object classifier",
    "two_head": "attribute + object classifier",
    "contrastive": "contrastive, captions",
}
PANELS = (
    ("ood_object", "OoD object accuracy, %", 100 / N_OBJECTS),
    ("rho_object", "effective generalization, points", 0.0),
    (
        "ood_composition",
        "OoD composition accuracy, %",
        100 / (N_OBJECTS * len(ATTRIBUTES)),
    ),
)


def _draw_levels(
    panel: Axes, rows: list[dict[str, Any]], axis: str, key: str, chance: float
) -> None:
    """The figure ``key`` of the ``rows`` of a table along ``axis``, by supervision."""
    panel.axhline(chance, color="#777777", linewidth=0.8, linestyle="--")
    for number, supervision in enumerate(SUPERVISIONS):
        mine = [r for r in rows if r["supervision"] == supervision]
        if mine[0][key] is None:
            continue
        middle, low, high = (
            100 * np.array([r[key + end] for r in mine])
            for end in ("", "_low", "_high")
        )
        # side by side, so that intervals do not hide each other
        x = np.array([r[axis] for r in mine]) * 1.03 ** (number - 1)
        look, name = LOOKS[supervision], NAMES[supervision]
        draw_series(panel, x, (middle, low, high), look, name)


def factors_plot(study: Study) -> Figure:
    """Accuracies and effective generalization along scale and along diversity, by supervision,
    means over seeds.
    """
    table = study.table()
    figure, axes = new_plot(8.4, 8.6, len(PANELS), 2, sharey="row")
    along = (
        ("scale", SCALES, "diversity", CENTRE[1], "training images"),
        (
            "diversity",
            DIVERSITIES,
            "scale",
            CENTRE[0],
            "attributes an object in training",
        ),
    )
    for column, (axis, levels, fixed, value, label) in enumerate(along):
        rows = sorted(
            (r for r in table if r[fixed] == value), key=itemgetter(axis)
        )
        for place, (key, title, chance) in enumerate(PANELS):
            panel = axes[place, column]
            _draw_levels(panel, rows, axis, key, chance)
            panel.set_xscale("log")
            panel.set_xticks(levels, [f"{v:,}" for v in levels])
            if one_column():
                panel.tick_params("x", labelrotation=45)
            panel.minorticks_off()
            if column == 0:
                panel.set_ylabel(title, fontsize=8)
            if place == len(PANELS) - 1:
                panel.set_xlabel(label, fontsize=8)
    put_legend(figure, axes[0, 0], ncols=3)
    put_title(
        figure,
        "Means of 3 seeds, 95 % intervals (rules: docs/study_design.md). Dashed: chance, or "
        "the baseline's line",
    )
    return figure


def correlations_plot(study: Study) -> Figure:
    """Rank correlation of each disentanglement measure with OoD object accuracy: all runs, and
    by supervision.
    """
    names, absent = list(EXPLAINED), []
    figure, axes = new_plot(7.2, 5.8)
    sets: list[tuple[str, tuple[str, ...]]] = [
        ("all 72 runs", SUPERVISIONS),
        *((NAMES[s], (s,)) for s in SUPERVISIONS),
    ]
    for number, (label, supervisions) in enumerate(sets):
        for row, name in enumerate(reversed(names)):
            e = measure_correlation(study, name, supervisions)
            y = row + 0.27 - 0.18 * number
            if not np.isfinite(e.value):
                absent.append(f"{name} of {label}")
            how = (
                {"color": "#000000", "marker": "D"}
                if len(supervisions) > 1
                else LOOKS[supervisions[0]]
            )
            axes.plot(
                [e.low, e.high], [y, y], linewidth=1.3, color=how["color"]
            )
            axes.plot(
                e.value,
                y,
                markersize=4,
                label=label if row == 0 else None,
                linestyle="none",
                **how,
            )
    axes.axvline(0, color="#444444", linewidth=1)
    axes.set_xlim(-1.02, 1.02)
    axes.set_yticks(range(len(names)), list(reversed(names)), fontsize=8)
    why = (
        f"\nabsent, for it is the same in all runs: {'; '.join(absent)}"
        if absent
        else ""
    )
    axes.set_xlabel(
        "Spearman's correlation with OoD object accuracy; bars: 95 %, bootstrap of "
        f"conditions{why}",
        fontsize=8,
    )
    put_title(figure, "Disentanglement of the image features and OoD accuracy")
    put_legend(figure, axes, ncols=4)
    return figure


def nmi_plot(study: Study) -> Figure:
    """NMI of the training captions against OoD composition accuracy of the contrastive models."""
    figure, axes = new_plot(5.6, 4.2)
    rows = [r for r in study.table() if r["supervision"] == "contrastive"]
    for r in rows:
        number = 0 if r["diversity"] == CENTRE[1] else 1
        y, low, high = (
            100 * r["ood_composition" + end] for end in ("", "_low", "_high")
        )
        axes.plot(
            [r["nmi"]] * 2, [low, high], color=COLOURS[number], linewidth=1.2
        )
        axes.plot(
            r["nmi"], y, MARKERS[number], color=COLOURS[number], markersize=5
        )
        axes.annotate(
            f"{r['scale']:,}, {r['diversity']}",
            (r["nmi"], y),
            xytext=(5, 3),
            textcoords="offset points",
            fontsize=7,
        )
    e = nmi_correlation(study)
    axes.set_xlabel(
        "NMI of attribute and object over the training captions", fontsize=8
    )
    axes.set_ylabel("OoD composition accuracy, %", fontsize=8)
    axes.set_ylim(bottom=0)
    text = f"Spearman {e.value:+.2f} [{e.low:+.2f}, {e.high:+.2f}] over {len(rows)} points"
    title = (
        f"Contrastive models; by a point: images, attributes an object\n{text}"
    )
    put_title(figure, title)
    return figure


def object_cells(study: Study, supervision: str, kind: str) -> CellCounts:
    """OoD answers at the centre by attribute and object, all seeds together."""
    shape = (len(ATTRIBUTES), N_OBJECTS)
    right, n = np.zeros(shape, int), np.zeros(shape, int)
    for run in study.condition(*CENTRE, supervision):
        counts = study.right(run, "ood", kind)
        if counts is None:
            raise KeyError(kind)
        for (a, o), c in zip(novel_pairs(), counts, strict=True):
            right[a, o] += c
            n[a, o] += study.images["ood"]
    return CellCounts(right, n, ATTRIBUTES, object_names())


def draw_all(study: Study, out: Path) -> list[Path]:
    """Every figure of the study into ``out``."""
    runs = [
        Run(s, n, d, v)
        for v in SUPERVISIONS
        for n, d in design_points()
        for s in sorted({r.seed for r in study.rows})
    ]
    records = [study.record(r, "object") for r in runs]
    line = study.lines["object"]
    what = "object accuracy"
    title = "The miniature: object accuracy of all runs, 1,920 ID and 1,920 OoD images\n"
    title += "baseline: object classifiers along scale"
    pictures: dict[str, Callable[[], Figure]] = {
        "scatter": lambda: scatter_plot(line, records, title, "family", what),
        "factors": lambda: factors_plot(study),
        "disentanglement": lambda: correlations_plot(study),
        "nmi": lambda: nmi_plot(study),
        **{
            f"heat_map_{s}": lambda s=s: heat_map(  # type: ignore[misc]
                object_cells(study, s, "object"),
                f"{NAMES[s]}, centre, OoD object accuracy, n = 5,760 answers of 3 seeds",
            )
            for s in SUPERVISIONS
        },
    }
    written = [
        path
        for name, draw in pictures.items()
        for path in save_plot(draw(), out / name)
    ]
    note = (
        "Baseline: 15 object classifiers along the scale axis. Hover or tab for figures; "
        "click a supervision to hide it."
    )
    head = f"The miniature: ID and OoD {what}"
    html = scatter_page(
        line,
        records,
        effective_generalization(line, records),
        head,
        note,
        "family",
        what,
    )
    return [*written, write_page(html, out / "scatter.html")]


def percent_text(e: Estimate) -> str:
    """Percent with the interval."""
    return f"{100 * e.value:.1f} [{100 * e.low:.1f}, {100 * e.high:.1f}]"
