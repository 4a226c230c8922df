"""Effective generalization of groups of models, and the contrast of two groups, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from compositional_ood.compositional_ood import jeffreys_draws, tail_shares

from aobench.analysis.effective import (
    CONFIDENCE,
    EffectiveScore,
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


@dataclass(frozen=True)
class _Group:
    """A group's models with the draws of each: ``rho`` and the log of its odds ratio, draws x
    models; ``weights`` say how often a draw has each model, as whole runs are drawn. ``shares``:
    each model's share of its run, so that means are over runs.
    """

    members: Sequence[ModelAccuracies]
    scores: Sequence[EffectiveScore]
    rho: np.ndarray
    log_odds: np.ndarray
    weights: np.ndarray
    shares: np.ndarray
    runs: int

    def means(self, drawn: np.ndarray) -> np.ndarray:
        """The group's mean in each draw."""
        weights = self.weights * self.shares
        return (weights * drawn).sum(1) / weights.sum(1)

    def mean(self, values: Sequence[float]) -> float:
        """The mean over runs of a value of each model."""
        return float(np.average(values, weights=self.shares))


def _drawn_group(
    line: FittedLine,
    members: Sequence[ModelAccuracies],
    confidence: float,
    rng: np.random.Generator,
) -> _Group:
    """Draws of the line, of the members' counts and of their runs; two groups of one line have its
    draws in the same order.
    """
    models = accuracies_of(members, line.id_sets)
    reached = jeffreys_draws(models.ood, models.n_ood, rng, len(line.drawn))
    expected = line.expected_draws(models, rng, confidence)
    names = [record.run or record.model for record in members]
    runs, number = np.unique(names, return_inverse=True)
    weights = np.ones_like(expected)
    if (k := len(runs)) > 1:
        weights = rng.multinomial(k, np.full(k, 1 / k), size=len(expected))[:, number]
    return _Group(
        members,
        effective_generalization(line, members, confidence),
        reached - expected,
        log_odds(reached, models.n_ood) - log_odds(expected, models.n_ood),
        weights,
        1 / np.bincount(number.reshape(-1))[number.reshape(-1)],
        k,
    )


def log_odds(rate: np.ndarray, n: np.ndarray) -> np.ndarray:
    """log(q / (1 - q)) of accuracies on ``n`` images, those beyond half an image from 0 and 1 moved
    there.
    """
    edge = 0.5 / (np.asarray(n) + 1)
    inner = np.clip(rate, edge, 1 - edge)
    return np.log(inner / (1 - inner))


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
        _line_spread(line, records, names),
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


@dataclass(frozen=True)
class GroupContrast:
    """Mean effective generalization of the runs of ``first`` less that of ``second``.

    ``difference``: of the mean rho, as a fraction of images, with its interval. ``odds_ratio``: the
    geometric mean of the first group's odds ratios over that of the second's; 10 is one order of
    magnitude. ``n`` models in ``runs`` independent runs, and how many lie beyond the baseline's
    range, of each group.
    """

    first: str
    second: str
    n: tuple[int, int]
    runs: tuple[int, int]
    extrapolated: tuple[int, int]
    difference: float
    low: float
    high: float
    odds_ratio: float
    odds_ratio_low: float
    odds_ratio_high: float

    @property
    def few(self) -> bool:
        """Whether one of the groups has fewer runs than FEW."""
        return min(self.runs) < FEW

    def row(self) -> dict[str, Any]:
        """As a flat dictionary."""
        pairs = {
            f"{name}_{side}": value
            for name in ("n", "runs", "extrapolated")
            for side, value in zip(
                ("first", "second"), getattr(self, name), strict=True
            )
        }
        single = {k: v for k, v in asdict(self).items() if not isinstance(v, tuple)}
        return single | pairs


def group_contrast(
    line: FittedLine,
    first: tuple[str, Sequence[ModelAccuracies]],
    second: tuple[str, Sequence[ModelAccuracies]],
    confidence: float = CONFIDENCE,
    seed: int = 3,
) -> GroupContrast:
    """The contrast of two named groups over one line.

    Both groups take the same drawn line in a draw; counts are drawn for each model, and whole runs
    in each group of two or more. Percentile intervals. With one run an interval says nothing of
    another run of that training.
    """
    rng = np.random.default_rng(seed)
    groups = [_drawn_group(line, some, confidence, rng) for _, some in (first, second)]
    tails = tail_shares(confidence)
    rho, odds = (
        [group.means(getattr(group, drawn)) for group in groups]
        for drawn in ("rho", "log_odds")
    )
    ends = np.quantile(rho[0] - rho[1], tails)
    odds_ends = np.exp(np.quantile(odds[0] - odds[1], tails))
    means = [group.mean([score.rho for score in group.scores]) for group in groups]
    logs = [
        group.mean([np.log(score.odds_ratio) for score in group.scores])
        for group in groups
    ]
    sizes = [len(some) for _, some in (first, second)]
    return GroupContrast(
        first=first[0],
        second=second[0],
        n=(sizes[0], sizes[1]),
        runs=(groups[0].runs, groups[1].runs),
        extrapolated=(_beyond(groups[0]), _beyond(groups[1])),
        difference=float(means[0] - means[1]),
        low=float(ends[0]),
        high=float(ends[1]),
        odds_ratio=float(np.exp(logs[0] - logs[1])),
        odds_ratio_low=float(odds_ends[0]),
        odds_ratio_high=float(odds_ends[1]),
    )


def _beyond(group: _Group) -> int:
    return sum(score.extrapolated for score in group.scores)


def run_name(record: ModelAccuracies) -> str:
    """The run that a record is of."""
    return record.run or record.model


def _line_spread(
    line: FittedLine, records: Sequence[ModelAccuracies], inside: Sequence[str]
) -> np.ndarray:
    """Covariance of the line's coefficients by the baseline's runs that are not ``inside``."""
    fitted = [r for r in records if r.model in set(line.models)]
    if len(fitted) < len(line.models):
        return np.cov(line.drawn, rowvar=False)
    baseline = accuracies_of(fitted, line.id_sets)
    return outside_influence(line, baseline, [run_name(r) for r in fitted], inside)


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
