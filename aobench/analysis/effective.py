"""Effective generalization: OoD accuracy beyond what a baseline family's ID accuracy predicts, with
intervals.

rho(model) = ood - T^-1(b0 + sum_s b_s T(id_s)), the line fitted by least squares over the
baseline's models alone. One ID set: Taori et al. 2020 (arXiv 2007.00644), section 2. Several ID
sets: Shi et al. 2023 (arXiv 2302.01381).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from compositional_ood.compositional_ood import (
    DRAWS,
    Accuracies,
    BaselineError,
    BaselineLine,
    effective_draws,
    fit_line,
    inside_bounds,
    jeffreys_draws,
    tail_shares,
    transform_named,
)
from scipy.special import stdtrit

from aobench.analysis.model_accuracies import ModelAccuracies
from aobench.errors import UserError

CONFIDENCE = 0.95
FEW = 3  #: groups of fewer runs are marked: their interval says little of another run


@dataclass(frozen=True, kw_only=True)
class FittedLine(BaselineLine):
    """The metric's line, with the names of its ``id_sets`` and of the ``models`` that it was fitted
    on.
    """

    id_sets: tuple[str, ...]
    models: tuple[str, ...]


def accuracies_of(
    records: Sequence[ModelAccuracies], id_sets: Sequence[str]
) -> Accuracies:
    """``records`` as the arrays that the metric takes. Raises UserError for an ID set that one
    lacks.
    """
    known = np.array([[r.on(name) for name in id_sets] for r in records], float)
    novel = np.array([(r.ood, r.n_ood) for r in records], float)
    return Accuracies(known[..., 0], known[..., 1], novel[:, 0], novel[:, 1])


def fit_baseline(
    records: Sequence[ModelAccuracies],
    transform: str = "logit",
    id_sets: Sequence[str] = ("id",),
    draws: int = DRAWS,
    seed: int = 0,
) -> FittedLine:
    """Fit T(ood) on T(id) over the baseline ``records``, as the metric's
    :func:`compositional_ood.fit_line` does; the bootstrap draws whole runs.

    Raises UserError for fewer independent runs than coefficients + 1, or where all ID accuracies
    are equal.
    """
    runs = [r.run or r.model for r in records]
    try:
        transform_named(transform)
        baseline = accuracies_of(records, id_sets)
        line = fit_line(baseline, transform, runs, draws, seed)
    except BaselineError as error:
        raise UserError(str(error)) from error
    models = tuple(r.model for r in records)
    return FittedLine(**vars(line), id_sets=tuple(id_sets), models=models)


@dataclass(frozen=True)
class EffectiveScore:
    """One model against a line. Accuracies and ``rho`` as fractions; each figure with its interval.

    ``odds_ratio``: odds of a right OoD answer over the odds that the line expects.
    ``accuracy_ratio``: OoD accuracy over the expected one (ratio of error-free rates).
    ``scatter_low``, ``scatter_high``: where rho of a further model *of the baseline family* with
    this ID accuracy would lie. ``extrapolated``: outside the baseline's range. ``in_baseline``:
    helped to fit the line.
    """

    model: str
    family: str
    training_set: str
    id: float
    ood: float
    expected: float
    rho: float
    rho_low: float
    rho_high: float
    odds_ratio: float
    odds_ratio_low: float
    odds_ratio_high: float
    accuracy_ratio: float
    accuracy_ratio_low: float
    accuracy_ratio_high: float
    scatter_low: float
    scatter_high: float
    extrapolated: bool
    in_baseline: bool

    def row(self) -> dict[str, Any]:
        """As a flat dictionary."""
        return asdict(self)


def _odds(p: np.ndarray) -> np.ndarray:
    return p / (1 - p)


def _intervals(
    expected: np.ndarray, reached: np.ndarray, n: np.ndarray, confidence: float
) -> dict[str, np.ndarray]:
    """2 x models: intervals of rho and of the two ratios, from draws x models accuracies."""
    safe = np.clip(expected, 0.5 / (n + 1), 1 - 0.5 / (n + 1))
    drawn = {
        "rho": reached - expected,
        "odds_ratio": _odds(reached) / _odds(safe),
        "accuracy_ratio": reached / safe,
    }
    tails = tail_shares(confidence)
    return {name: np.quantile(v, tails, axis=0) for name, v in drawn.items()}


def _scatter(line: FittedLine, models: Accuracies, confidence: float) -> np.ndarray:
    """2 x models: where rho of a further model of the baseline's family would lie."""
    x = models.design(line.transform)
    inverse = transform_named(line.transform).inverse
    spread = line.sd * np.sqrt(1 + np.einsum("mi,ij,mj->m", x, line.gram, x))
    half = float(stdtrit(line.free, tail_shares(confidence)[1])) * spread
    middle = line.coefficients @ x.T
    expected = line.expected(models)
    return np.stack([inverse(middle + sign * half) - expected for sign in (-1, 1)])


def effective_generalization(
    line: FittedLine,
    records: Sequence[ModelAccuracies],
    confidence: float = CONFIDENCE,
    seed: int = 1,
) -> list[EffectiveScore]:
    """rho of each record over ``line``, with the percentile intervals of the metric's draws
    (:func:`compositional_ood.effective_draws`).

    Ratios use (s + 0.5) / (n + 1) at 0 % and 100 %.
    """
    models = accuracies_of(records, line.id_sets)
    expected, reached = line.expected(models), models.ood
    safe_e = inside_bounds(expected, models.n_ood)
    safe_q = inside_bounds(reached, models.n_ood)
    columns = {
        "expected": expected,
        "rho": reached - expected,
        "odds_ratio": _odds(safe_q) / _odds(safe_e),
        "accuracy_ratio": safe_q / safe_e,
    }
    drawn, again = effective_draws(line, models, confidence, seed)
    ends = _intervals(drawn, again, models.n_ood, confidence)
    ends["scatter"] = _scatter(line, models, confidence)
    for name, (low, high) in ends.items():
        columns |= {f"{name}_low": low, f"{name}_high": high}
    beyond, inner = line.extrapolates(models), set(line.models)
    return [
        EffectiveScore(
            r.model,
            r.family,
            r.training_set,
            r.id,
            r.ood,
            extrapolated=bool(beyond[i]),
            in_baseline=r.model in inner,
            **{name: float(values[i]) for name, values in columns.items()},
        )
        for i, r in enumerate(records)
    ]


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
    confidence: float,
    seed: int,
) -> GroupScore:
    """Mean rho of ``members``, with draws of the line, of their counts and of their runs."""
    rng = np.random.default_rng(seed)
    scores = effective_generalization(line, members, confidence)
    models = accuracies_of(members, line.id_sets)
    reached = jeffreys_draws(models.ood, models.n_ood, rng, len(line.drawn))
    rho = reached - line.expected_draws(models, rng, confidence)
    runs, number = np.unique([r.run or r.model for r in members], return_inverse=True)
    times = np.ones_like(rho)
    if (k := len(runs)) > 1:
        times = rng.multinomial(k, np.full(k, 1 / k), size=len(rho))[:, number]
    means = (times * rho).sum(1) / times.sum(1)
    low, high = np.quantile(means, tail_shares(confidence))
    return GroupScore(
        name,
        len(members),
        k,
        float(np.mean([score.rho for score in scores])),
        float(low),
        float(high),
        sum(score.extrapolated for score in scores),
    )


def by_group(
    line: FittedLine,
    records: Sequence[ModelAccuracies],
    column: str = "training_set",
    confidence: float = CONFIDENCE,
    seed: int = 2,
) -> list[GroupScore]:
    """Mean rho by ``column``. The interval draws the line, the models' counts and, from two runs
    on, the group's runs.

    With one run it says nothing of how other models of that training set would do.
    """
    names = sorted({getattr(r, column) for r in records})
    members = [[r for r in records if getattr(r, column) == name] for name in names]
    pairs = zip(names, members, strict=True)
    out = [_group(line, name, one, confidence, seed) for name, one in pairs]
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
    for name in sorted({getattr(r, column) for r in records}):
        others = [r for r in baseline if getattr(r, column) != name]
        members = [r for r in records if getattr(r, column) == name]
        out += by_group(fit_baseline(others, **options), members, column)
    return sorted(out, key=lambda group: group.rho)
