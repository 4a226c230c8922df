"""How far an accuracy hangs on the prompt: each template of a set alone, their mean classifier, and
that without the templates that name an attribute themselves ("a black and white photo of a {}").

All are answers to the same images, so differences are between prompts and not between samples.
Intervals of differences are two-way: for attributes and objects like these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aobench.analysis.effective_report import in_points
from aobench.analysis.paired import compare_tables
from aobench.csv_tables import write_csv_rows
from aobench.results.predictions import Predictions
from aobench.results.tasks import find_task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Names of the sets that are not one template.
ALL, WITHOUT = "all templates", "without those that name an attribute"


@dataclass(frozen=True)
class PromptScore:
    """A set of templates on a split: ``rate`` right, and less the rate under all of them
    (``difference``), fractions; ``low`` and ``high`` for attributes and objects like these, None
    with one of either. ``names``: the attribute that the template names.
    """

    split: str
    prompt: str
    n: int
    rate: float
    difference: float
    low: float | None
    high: float | None
    names: str = ""


@dataclass(frozen=True)
class PromptReport:
    """``scores`` of ``model`` in ``task``; the sets ALL and WITHOUT come first on each split."""

    model: str
    task: str
    scores: Sequence[PromptScore]

    def single(self, split: str) -> list[PromptScore]:
        """Of the templates alone, the best first."""
        some = (
            one
            for one in self.scores
            if one.split == split and one.prompt not in (ALL, WITHOUT)
        )
        return sorted(some, key=lambda one: -one.rate)

    @property
    def splits(self) -> list[str]:
        """The splits, in order."""
        return list(dict.fromkeys(one.split for one in self.scores))

    def text(self) -> str:
        """As it is printed: spread, best and worst, and what the templates with attributes do."""
        lines = [f"{self.model}, {self.task}:"]
        for split in self.splits:
            lines += self._split_text(split)
        return "\n".join(
            [*lines, "Intervals: 95 %, for attributes and objects like these."]
        )

    def _split_text(self, split: str) -> list[str]:
        single = self.single(split)
        rates = 100 * np.array([one.rate for one in single])
        together = {s.prompt: s for s in self.scores if s.split == split}
        naming = [one for one in single if one.names]
        lines = [
            f"  {split}, n = {single[0].n:,}: all {len(single)} templates together "
            f"{100 * together[ALL].rate:.1f} %; alone {rates.mean():.1f} % on average, standard "
            f"deviation {rates.std(ddof=1):.1f}, {rates.min():.1f} to {rates.max():.1f}"
        ]
        if WITHOUT in together:
            said = ", ".join(sorted({one.names for one in naming}))
            lines.append(
                f"    without the {len(naming)} that name an attribute of the set ({said}) "
                f"{_shown(together[WITHOUT])}"
            )
        lines += [
            f"    best  {_shown(one)} {one.prompt!r}" for one in single[:2]
        ]
        lines += [
            f"    worst {_shown(one)} {one.prompt!r}" for one in single[2:][-2:]
        ]
        return lines

    def write(self, folder: Path) -> list[Path]:
        """prompts.csv and a plot into ``folder``; returns their paths."""
        from aobench.drawing import save_plot

        rows = [asdict(one) for one in self.scores]
        return [
            write_csv_rows(folder / "prompts.csv", rows),
            *save_plot(prompts_plot(self), folder / "prompts"),
        ]


def _shown(one: PromptScore) -> str:
    rate = f"{100 * one.rate:.1f} %"
    if one.low is None or one.high is None:
        return f"{rate} ({100 * one.difference:+.1f} to all)"
    shown = in_points(one.low, one.difference, one.high).strip()
    return f"{rate} ({shown} to all)"


def template_spread(
    answers: Mapping[str, Predictions], naming: Mapping[str, str]
) -> PromptReport:
    """The report of ``answers`` by name: ALL, WITHOUT where there is one, and each template.

    ``naming``: template -> the attribute that it names.
    """
    whole = answers[ALL]
    task = whole.headline
    kind = find_task(task).kind
    scores = []
    for split in whole.lists[task]:
        for prompt, mine in answers.items():
            r = compare_tables(mine, whole, split, kind, task)
            scores.append(
                PromptScore(
                    split,
                    prompt,
                    r.n,
                    r.first,
                    r.difference,
                    r.wide_low,
                    r.wide_high,
                    naming.get(prompt, ""),
                )
            )
    return PromptReport(whole.provenance["model"]["id"], task, scores)


def prompts_plot(report: PromptReport) -> Figure:
    """A panel a split: each template's accuracy, best first, and the line of all together."""
    from aobench.drawing import group_style, new_plot, put_legend, put_title

    splits = report.splits
    figure, axes = new_plot(4.4 * len(splits) + 0.6, 3.6, 1, len(splits))
    panels = np.atleast_1d(axes).flat
    for ax, split in zip(panels, splits, strict=True):
        single = report.single(split)
        rates = 100 * np.array([one.rate for one in single])
        named = np.array([bool(one.names) for one in single])
        place = np.arange(1, len(single) + 1)
        sides = (
            (~named, "one template"),
            (named, "one that names an attribute"),
        )
        for number, (some, label) in enumerate(sides):
            style = group_style(number)
            ax.plot(place[some], rates[some], ls="", ms=4, label=label, **style)
        whole = next(
            s for s in report.scores if s.split == split and s.prompt == ALL
        )
        ax.axhline(100 * whole.rate, color="black", lw=1, label="all together")
        ax.set_xlabel(
            f"Templates on {split}, best first (n = {whole.n:,} images)"
        )
        ax.set_ylabel("Accuracy, %")
    put_title(
        figure, f"{report.model}, {report.task}: accuracy by prompt template"
    )
    put_legend(figure, np.atleast_1d(axes).flat[0], ncol=3)
    return figure
