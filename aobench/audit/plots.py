"""Figures of an audit. matplotlib draws them without a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from aobench.audit.diversity import CorpusDiversity
from aobench.audit.statistics import Nmi

#: Least width in inches: titles and legends fit in.
WIDTH = 6.2


def _figure(width: float, height: float):  # type: ignore[no-untyped-def]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


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
    columns = np.argsort(-matrix.sum(0), kind="stable")[:top]
    part = np.ma.masked_equal(matrix[np.ix_(rows, columns)], 0)
    figure, axes = _figure(
        max(2.6 + 0.2 * len(columns), WIDTH), max(2.2 + 0.18 * len(rows), 3.4)
    )
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
        range(len(columns)), [objects[c] for c in columns], rotation=90, fontsize=7
    )
    axes.set_yticks(range(len(rows)), [attributes[r] for r in rows], fontsize=7)
    axes.set_xlabel("object")
    axes.set_ylabel("attribute")
    seen = int((matrix > 0).sum())
    axes.set_title(
        f"{title}: {seen:,} of {matrix.size:,} compositions seen\n"
        f"shown: the {len(rows)} attributes and {len(columns)} objects with the most counts",
        fontsize=9,
    )
    figure.colorbar(image, label="captions (log scale; white: none)")
    figure.savefig(path, dpi=130)


def nmi_bars(corpora: Mapping[str, Nmi], path: str | Path) -> None:
    """NMI of several corpora side by side, each with its shuffled baseline and its number of
    co-occurrences.
    """
    figure, axes = _figure(max(1.6 + 1.5 * len(corpora), WIDTH), 4)
    places = np.arange(len(corpora))
    values = list(corpora.values())
    axes.bar(
        places - 0.2, [v.nmi for v in values], 0.38, label="captions", color="#33638d"
    )
    axes.bar(
        places + 0.2,
        [v.shuffled for v in values],
        0.38,
        yerr=[v.shuffled_sd for v in values],
        label="shuffled",
        color="#bbbbbb",
    )
    for place, value in zip(places, values, strict=True):
        axes.annotate(
            f"{value.nmi:.3f}",
            (place - 0.2, value.nmi),
            ha="center",
            va="bottom",
            fontsize=8,
        )
        top = value.shuffled + value.shuffled_sd
        axes.annotate(
            f"{value.shuffled:.3f}",
            (place + 0.2, top),
            ha="center",
            va="bottom",
            fontsize=8,
        )
    axes.set_xticks(
        places,
        [f"{name}\nN = {value.n:,}" for name, value in corpora.items()],
        fontsize=8,
    )
    axes.set_ylabel(f"NMI of attribute and object\n({values[0].normaliser} mean)")
    axes.set_ylim(0, max(max(v.nmi, v.shuffled) for v in values) * 1.15 or 1)
    axes.set_title("Lower: attributes and objects are combined more freely", fontsize=9)
    margin = max(0.7, (3 - len(corpora)) / 2 + 0.7)  # a lone bar is no wall
    axes.set_xlim(-margin, len(corpora) - 1 + margin)
    axes.legend(
        frameon=False,
        fontsize=8,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.14),
        ncols=2,
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def diversity_bars(
    corpora: Sequence[CorpusDiversity], rule: str, path: str | Path
) -> None:
    """NMI of corpora at equal size with the interval of the draws; beside it each as it is, with
    its baseline.
    """
    figure, axes = _figure(max(2.2 + 1.7 * len(corpora), WIDTH), 4)
    places = np.arange(len(corpora))
    thinned = [row.thinned for row in corpora]
    spread = [
        [t.nmi - t.nmi_low for t in thinned],
        [t.nmi_high - t.nmi for t in thinned],
    ]
    series = (
        (
            f"thinned to {thinned[0].n:,} co-occurrences",
            [t.nmi for t in thinned],
            np.maximum(spread, 0),
            "#33638d",
        ),
        ("all captions", [row.whole.nmi for row in corpora], None, "#7fb3d5"),
        (
            "all captions, shuffled",
            [row.whole.shuffled for row in corpora],
            None,
            "#bbbbbb",
        ),
    )
    for number, (label, values, error, colour) in enumerate(series):
        at = places + (number - 1) * 0.27
        axes.bar(at, values, 0.26, yerr=error, label=label, color=colour, capsize=2)
        tops = values if error is None else np.add(values, error[1])
        for x, value, top in zip(at, values, tops, strict=True):
            axes.annotate(
                f"{value:.3f}",
                (x, top),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )
    axes.set_xticks(
        places, [f"{row.name}\nN = {row.whole.n:,}" for row in corpora], fontsize=8
    )
    axes.set_ylabel("NMI of attribute and object")
    axes.set_title(
        f"Rule {rule}. Lower: attributes and objects are combined more freely",
        fontsize=9,
    )
    axes.legend(
        frameon=False,
        fontsize=8,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.14),
        ncols=3,
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
