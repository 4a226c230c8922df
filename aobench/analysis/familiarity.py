"""Accuracy against how often captions show an attribute, an object and their pair.

The counts of an audit are covariates of the model of `aobench.analysis.difficulty_fit`, so that a
hard attribute that happens to be rare does not pass for an effect of rarity: attributes, objects
and compositions keep their random difficulty. Errors are looked at, too: how often a wrong answer
is a pair that captions show more often than the right one (collapse to the common answer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.analysis.difficulty import Z, answer_counts
from aobench.analysis.difficulty_fit import AnswerCounts, fit_difficulty
from aobench.errors import UserError
from aobench.results.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aobench.audit.result import Audit

#: Added to counts before the logarithm, as some are 0.
HALF = 0.5
#: Covariates, and what each is. All are decimal logarithms: an effect is of ten times as many.
EXPLAINED = {
    "attribute": "captions that name the attribute",
    "object": "captions that name the object",
    "pair": "captions that show the pair",
    "pmi": "pair beyond what attribute and object alone make likely (pointwise mutual information)",
}


@dataclass(frozen=True)
class CaptionCounts:
    """Captions that name each attribute, each object, and show each pair; ``total`` captions."""

    attributes: dict[str, int]
    objects: dict[str, int]
    pairs: np.ndarray
    total: int

    def knows(self, attribute: str, thing: str) -> bool:
        """Whether both were counted."""
        return attribute in self.attributes and thing in self.objects

    def pair(self, attribute: str, thing: str) -> int:
        """Captions that show the pair."""
        rows, columns = list(self.attributes), list(self.objects)
        return int(self.pairs[rows.index(attribute), columns.index(thing)])


def caption_counts_of(audit: Audit, rule: str | None = None) -> CaptionCounts:
    """The counts of an audit, pairs by ``rule`` (default: its first)."""
    marginals = [part.tolist() for part in audit.marginals]
    return CaptionCounts(
        dict(zip(audit.attributes, marginals[0], strict=True)),
        dict(zip(audit.objects, marginals[1], strict=True)),
        audit.matrix(rule),
        int(audit.manifest["totals"]["counted"]),
    )


def with_caption_counts(
    counts: AnswerCounts, captions: CaptionCounts
) -> tuple[AnswerCounts, dict[str, np.ndarray], list[str]]:
    """(compositions whose names were counted, their covariates, notes on those left out)."""
    names = [
        (counts.attributes[a], counts.objects[o])
        for a, o in zip(counts.attribute, counts.object, strict=True)
    ]
    known = np.array([captions.knows(*pair) for pair in names])
    if known.sum() < 10:
        raise UserError(
            f"only {known.sum()} of {len(known)} compositions have an attribute and an object that "
            "the audit counted: audit the captions with this set's names (--attributes, --objects)"
        )
    usable = [pair for pair, one in zip(names, known, strict=True) if one]
    rows = {name: i for i, name in enumerate(captions.attributes)}
    columns = {name: i for i, name in enumerate(captions.objects)}
    pair = np.array([captions.pairs[rows[a], columns[o]] for a, o in usable])
    single = np.array(
        [(captions.attributes[a], captions.objects[o]) for a, o in usable]
    )
    logs = np.log10(np.column_stack([single, pair]) + HALF)
    pmi = logs[:, 2] + np.log10(captions.total) - logs[:, 0] - logs[:, 1]
    covariates = dict(zip(EXPLAINED, [*logs.T, pmi], strict=True))
    notes = []
    if not known.all():
        lost = [pair for pair, one in zip(names, known, strict=True) if not one]
        notes.append(
            f"{len(lost)} of {len(known)} compositions left out, such as {' '.join(lost[0])}: the "
            "audit did not count their names"
        )
    return _some_compositions(counts, known), covariates, notes


def _some_compositions(
    counts: AnswerCounts, chosen: np.ndarray
) -> AnswerCounts:
    parts, names = [], []
    for number, all_names in (
        (counts.attribute, counts.attributes),
        (counts.object, counts.objects),
    ):
        values, again = np.unique(number[chosen], return_inverse=True)
        parts.append(again.reshape(-1))
        names.append([all_names[i] for i in values])
    covariates = {
        name: values[chosen] for name, values in counts.covariates.items()
    }
    return AnswerCounts(
        counts.right[:, chosen],
        counts.n[chosen],
        parts[0],
        parts[1],
        counts.models,
        names[0],
        names[1],
        {name: v for name, v in covariates.items() if len(np.unique(v)) > 1},
    )


@dataclass(frozen=True)
class FamiliarityEffect:
    """Log-odds of a right answer for ten times as many captions, with its 95 % interval; ``alone``:
    without the other counts beside it.
    """

    name: str
    alone: bool
    effect: float
    low: float
    high: float


def familiarity_effects(
    counts: AnswerCounts, covariates: dict[str, np.ndarray]
) -> list[FamiliarityEffect]:
    """Each covariate alone, and attribute, object and PMI together; one that does not vary is left
    out. Covariates of ``counts``, such as novel, stay in.
    """
    varied = {k: v - v.mean() for k, v in covariates.items() if np.ptp(v) > 0}
    sets: list[tuple[str, ...]] = [(name,) for name in varied]
    sets.append(
        tuple(name for name in ("attribute", "object", "pmi") if name in varied)
    )
    out, plain = [], fit_difficulty(counts)
    for names in sets:
        added = {name: varied[name] for name in names}
        fit = fit_difficulty(
            replace(counts, covariates={**counts.covariates, **added}),
            near=plain,
        )
        for name in names:
            value, error = fit.coefficient(name)
            ends = value - Z * error, value + Z * error
            out.append(FamiliarityEffect(name, len(names) == 1, value, *ends))
    return out


@dataclass(frozen=True)
class CollapseRate:
    """Of ``errors`` wrong answers, the share that are a pair more frequent in captions than the
    right one, with its interval for these attributes and objects, and the ``chance`` of it: the
    share of the other candidates that are.
    """

    model: str
    errors: int
    rate: float
    low: float
    high: float
    chance: float


def collapse_rate(
    table: Predictions, captions: CaptionCounts, task: str, split: str = "ood"
) -> CollapseRate | None:
    """Over the images whose right pair and answer were counted; None where there is no such error,
    or where ``task`` has no compositions among its candidates.
    """
    from compositional_ood.compositional_ood import cluster_interval

    from aobench.results.by_part import part_names
    from aobench.results.scores import composition_numbers

    candidates, rows = table.lists[task][split], table.split(split, task)
    names = [part_names(candidates, part) for part in ("attribute", "object")]
    frequency = np.full(len(candidates), -1)
    places = [
        {name: i for i, name in enumerate(some)}
        for some in (captions.attributes, captions.objects)
    ]
    pairs = zip(candidates.attributes, candidates.objects, strict=True)
    for number, (a, o) in enumerate(pairs):
        at = (
            places[0].get(names[0].get(a, "")),
            places[1].get(names[1].get(o, "")),
        )
        if None not in at:
            frequency[number] = captions.pairs[at]
    label = np.array(rows["label"])
    best = np.array(
        [
            top[0] if top else one
            for top, one in zip(rows["top"], label, strict=True)
        ]
    )
    wrong = (best != label) & (frequency[best] >= 0) & (frequency[label] >= 0)
    if not wrong.any():
        return None
    more = frequency[best[wrong]] > frequency[label[wrong]]
    known = np.sort(frequency[frequency >= 0])
    above = len(known) - np.searchsorted(
        known, frequency[label[wrong]], side="right"
    )
    group = np.unique(composition_numbers(rows)[wrong], return_inverse=True)[
        1
    ].reshape(-1)
    ends = cluster_interval(
        np.bincount(group, weights=more), np.bincount(group)
    )
    return CollapseRate(
        str(table.provenance["model"]["id"]),
        int(wrong.sum()),
        float(more.mean()),
        *ends[:2],
        float((above / max(1, len(known) - 1)).mean()),
    )


@dataclass(frozen=True)
class FamiliarityReport:
    """``effects`` on ``kind`` accuracy, ``collapse`` by model, and what the plot needs."""

    counts: AnswerCounts
    covariates: dict[str, np.ndarray]
    effects: Sequence[FamiliarityEffect]
    collapse: Sequence[CollapseRate]
    kind: str
    captions: int
    notes: Sequence[str]

    def text(self) -> str:
        """All of it, as it is printed."""
        counts = self.counts
        lines = [
            f"{self.kind.capitalize()} accuracy of {len(counts.models)} model(s), "
            f"{counts.n.sum():,} images of {len(counts.n):,} compositions, against "
            f"{self.captions:,} captions; {'; '.join(self.notes)}.",
            "Log-odds of a right answer for ten times as many captions, 95 % intervals; "
            "attributes, objects and compositions keep their own difficulty:",
        ]
        for one in self.effects:
            how = "alone" if one.alone else "with the others"
            lines.append(
                f"  {one.name:10s} {how:16s} {one.effect:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"
                f"  {EXPLAINED[one.name]}"
            )
        zero = float((10 ** self.covariates["pair"] < 2 * HALF).mean())
        lines.append(
            f"  {100 * zero:.0f} % of the compositions are in no caption."
        )
        lines += [
            f"Collapse, {one.model}: {100 * one.rate:.1f} % [{100 * one.low:.1f}, "
            f"{100 * one.high:.1f}] of {one.errors:,} wrong answers on novel compositions are a "
            f"pair more frequent than the right one; {100 * one.chance:.1f} % by chance."
            for one in self.collapse
        ]
        return "\n".join(lines)

    def write(self, folder: Path) -> list[Path]:
        """effects.csv, collapse.csv and the plot into ``folder``; returns their paths."""
        from aobench.csv_tables import write_csv_rows
        from aobench.drawing import save_plot

        effects: list[dict[str, Any]] = [vars(one) for one in self.effects]
        collapse: list[dict[str, Any]] = [vars(one) for one in self.collapse]
        tables = [("effects.csv", effects), ("collapse.csv", collapse)]
        return [
            *(
                write_csv_rows(folder / name, rows)
                for name, rows in tables
                if rows
            ),
            *save_plot(familiarity_plot(self), folder / "familiarity"),
        ]


def familiarity_plot(report: FamiliarityReport) -> Figure:
    """Accuracy against each count: compositions in fifths, with 95 % intervals that take
    compositions as drawn.
    """
    from compositional_ood.compositional_ood import cluster_interval

    from aobench.drawing import COLOURS, new_plot, put_title

    counts = report.counts
    right, n = counts.right.sum(0), counts.n * len(counts.models)
    figure, axes = new_plot(10.5, 3.4, 1, len(EXPLAINED), sharey=True)
    alone = {one.name: one for one in report.effects if one.alone}
    for panel, (name, values) in zip(
        axes.flat, report.covariates.items(), strict=True
    ):
        for some in _fifths(values):
            low, high, _ = cluster_interval(right[some], n[some])
            at = float(values[some].mean())
            panel.plot(
                [at, at], [100 * low, 100 * high], color=COLOURS[4], linewidth=4
            )
            middle = 100 * right[some].sum() / n[some].sum()
            panel.plot(at, middle, "o", color=COLOURS[0], markersize=5)
        label = "PMI" if name == "pmi" else name
        panel.set_xlabel(f"{label}, decimal logarithm", fontsize=8)
        if name in alone:
            one = alone[name]
            panel.set_title(
                f"{one.effect:+.2f} [{one.low:+.2f}, {one.high:+.2f}]\nlog-odds for ten times",
                fontsize=8,
            )
    axes[0, 0].set_ylabel("Accuracy, %")
    put_title(
        figure,
        f"{report.kind.capitalize()} accuracy against {report.captions:,} captions, "
        f"{counts.n.sum():,} images of {len(counts.n):,} compositions, "
        f"{len(counts.models)} model(s): fifths of the compositions, 95 % intervals",
    )
    return figure


def _fifths(values: np.ndarray) -> list[np.ndarray]:
    """Numbers of the compositions of each fifth by value; equal values stay together."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, 6)))
    bins = (
        np.searchsorted(edges[1:-1], values, side="left")
        if len(edges) > 2
        else 0 * values
    )
    return [np.flatnonzero(bins == one) for one in np.unique(bins)]


def familiarity_report(
    tables: Sequence[Predictions],
    captions: CaptionCounts,
    kind: str = "composition",
) -> FamiliarityReport:
    """Fit the answers of ``tables`` against the counts of captions. Raises UserError as
    `aobench.analysis.difficulty.answer_counts`, and where hardly a name was counted.
    """
    counts, task, notes = answer_counts(tables, kind)
    counted, covariates, lost = with_caption_counts(counts, captions)
    rates = [collapse_rate(table, captions, task) for table in tables]
    return FamiliarityReport(
        counted,
        covariates,
        familiarity_effects(counted, covariates),
        [one for one in rates if one is not None],
        kind,
        captions.total,
        [*notes, *lost],
    )
