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
    tail_shares,
    transform_named,
)
from scipy.special import stdtrit

from aobench.analysis.model_accuracies import ModelAccuracies
from aobench.errors import UserError

CONFIDENCE = 0.95


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
    known = known.reshape(len(records), len(id_sets), 2)
    novel = np.array([(r.ood, r.n_ood) for r in records], float).reshape(-1, 2)
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


def _scatter(
    line: FittedLine, models: Accuracies, confidence: float
) -> np.ndarray:
    """2 x models: where rho of a further model of the baseline's family would lie."""
    x = models.design(line.transform)
    inverse = transform_named(line.transform).inverse
    spread = line.sd * np.sqrt(1 + np.einsum("mi,ij,mj->m", x, line.gram, x))
    half = float(stdtrit(line.free, tail_shares(confidence)[1])) * spread
    middle = line.coefficients @ x.T
    expected = line.expected(models)
    return np.stack(
        [inverse(middle + sign * half) - expected for sign in (-1, 1)]
    )


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
