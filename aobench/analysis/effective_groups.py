"""Effective generalization of groups of models, with intervals over their runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aobench.analysis.effective import (
    CONFIDENCE,
    FittedLine,
    accuracies_of,
    effective_generalization,
    fit_baseline,
)
from aobench.analysis.model_accuracies import ModelAccuracies
from aobench.analysis.run_groups import group_interval, outside_influence

FEW = 3  #: groups of fewer runs are marked: their interval says little of another run


@dataclass(frozen=True)
class GroupScore:
    """Mean rho of the models of one training set or family; ``n`` models in ``runs`` independent
    runs.
    """

    name: str
    n: int
    runs: int
    rho: float
    low: float
    high: float
    extrapolated: int

    @property
    def few(self) -> bool:
        """Whether its runs are fewer than FEW."""
        return self.runs < FEW


def _group(
    line: FittedLine,
    name: str,
    members: Sequence[ModelAccuracies],
    records: Sequence[ModelAccuracies],
    confidence: float,
) -> GroupScore:
    """Mean rho over the runs of ``members``; ``records`` hold the baseline's, too."""
    scores = effective_generalization(line, members, confidence)
    models = accuracies_of(members, line.id_sets)
    names = [run_name(r) for r in members]
    mean, low, high = group_interval(
        line,
        models.ood - line.expected(models),
        models,
        names,
        line_spread(line, records, names),
        confidence,
    )
    return GroupScore(
        name,
        len(members),
        len(set(names)),
        mean,
        low,
        high,
        sum(score.extrapolated for score in scores),
    )


def run_name(record: ModelAccuracies) -> str:
    """The run that a record is of."""
    return record.run or record.model


def line_spread(
    line: FittedLine, records: Sequence[ModelAccuracies], inside: Sequence[str]
) -> np.ndarray:
    """Covariance of the line's coefficients by the baseline's runs that are not ``inside``."""
    fitted = [r for r in records if r.model in set(line.models)]
    if len(fitted) < len(line.models):
        return np.cov(line.drawn, rowvar=False)
    baseline = accuracies_of(fitted, line.id_sets)
    return outside_influence(
        line, baseline, [run_name(r) for r in fitted], inside
    )


def by_group(
    line: FittedLine,
    records: Sequence[ModelAccuracies],
    column: str = "training_set",
    confidence: float = CONFIDENCE,
) -> list[GroupScore]:
    """Mean rho over the runs of each value of ``column``, with an interval over them
    (`aobench.analysis.run_groups`). ``records`` hold the baseline's models, too; where they do not,
    the line's error is that of its bootstrap.
    """
    names = sorted({r.fact(column) for r in records})
    members = [[r for r in records if r.fact(column) == name] for name in names]
    pairs = zip(names, members, strict=True)
    out = [_group(line, name, one, records, confidence) for name, one in pairs]
    return sorted(out, key=lambda group: group.rho)


def by_group_left_out(
    baseline: Sequence[ModelAccuracies],
    records: Sequence[ModelAccuracies],
    column: str = "training_set",
    **options: Any,
) -> list[GroupScore]:
    """:func:`by_group`, each group against a line fitted without it; ``options`` go to
    :func:`fit_baseline`.

    A group that helped to fit its own line pulls it towards itself. Raises UserError where too few
    models are left.
    """
    out = []
    for name in sorted({r.fact(column) for r in records}):
        others = [r for r in baseline if r.fact(column) != name]
        members = [r for r in records if r.fact(column) == name]
        line = fit_baseline(others, **options)
        scored = by_group(line, [*members, *others], column)
        out += [group for group in scored if group.name == name]
    return sorted(out, key=lambda group: group.rho)
