"""The mean of a group of models with an interval over its runs: what another run would do.

Rows are not runs: rows of one run are averaged first. The interval holds two errors apart and adds
them in squares: of the group's runs, by t over them; and of the line, by what the baseline's runs
outside the group do to it. So a group that helped to fit its line is not counted twice.
Simulated coverage: benchmarks/group_coverage.py, and of contrasts benchmarks/contrast_coverage.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from compositional_ood.compositional_ood import (
    Accuracies,
    BaselineLine,
    transformed,
)
from scipy.special import stdtrit


def run_numbers(names: Sequence[str]) -> tuple[np.ndarray, int]:
    """int: the run 0.. of each row, and how many runs there are."""
    runs, number = np.unique(list(names), return_inverse=True)
    return number.reshape(-1), len(runs)


def means_by_run(values: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Mean of each run's rows."""
    return np.bincount(number, weights=values) / np.bincount(number)


def slope_of_inverse(transform: str, rates: np.ndarray) -> np.ndarray:
    """Accuracy gained for a step on the scale ``transform``, at accuracies ``rates``."""
    step = 1e-4
    inner = np.clip(rates, 2 * step, 1 - 2 * step)
    many = np.full_like(inner, 1e9)
    ends = [
        transformed(transform, inner + sign * step, many) for sign in (1, -1)
    ]
    return np.asarray(2 * step / (ends[0] - ends[1]))


def outside_influence(
    line: BaselineLine,
    baseline: Accuracies,
    names: Sequence[str],
    inside: Sequence[str],
) -> np.ndarray:
    """coefficients x coefficients: covariance of the line by its runs that are not ``inside``.

    ``line`` is a `compositional_ood.BaselineLine` over ``baseline``, whose rows are of the runs
    ``names``. Whole runs' residuals, times n / (n - p) (MacKinnon and White 1985, Journal of
    Econometrics 29:305-325, HC1, in clusters).
    """
    x = baseline.design(line.transform)
    y = transformed(line.transform, baseline.ood, baseline.n_ood)
    residual = y - x @ line.coefficients
    moves = (x * residual[:, None]) @ line.gram
    number, count = run_numbers(names)
    by_run = np.zeros((count, x.shape[1]))
    np.add.at(by_run, number, moves)
    out = np.array([name not in set(inside) for name in sorted(set(names))])
    share = count / line.free
    return np.asarray(share * by_run[out].T @ by_run[out])


@dataclass(frozen=True)
class RunMean:
    """A mean over runs and what is not known of it.

    ``half``: half-width by t over the runs alone. ``weights``: each row's share of the mean.
    """

    mean: float
    half: float
    weights: np.ndarray


def run_mean(
    values: np.ndarray,
    names: Sequence[str],
    spread: float,
    free: int,
    tail: float,
) -> RunMean:
    """The mean of ``values`` over the runs ``names``, one a row.

    Of one run nothing tells how runs differ: ``spread``, of the baseline's models about their line
    on ``free`` degrees of freedom, is taken for it. ``tail``: the upper quantile, such as 0.975.
    """
    number, count = run_numbers(names)
    runs = means_by_run(values, number)
    weights = 1 / np.bincount(number)[number] / count
    error = spread if count == 1 else float(runs.std(ddof=1)) / np.sqrt(count)
    half = float(stdtrit(free if count == 1 else count - 1, tail)) * error
    return RunMean(float(runs.mean()), half, weights)


def group_interval(
    line: BaselineLine,
    rho: np.ndarray,
    models: Accuracies,
    names: Sequence[str],
    spread_of_line: np.ndarray,
    confidence: float,
) -> tuple[float, float, float]:
    """(mean, low, high) over the runs ``names`` of a group of ``models`` with residuals ``rho``.

    ``spread_of_line``: covariance of the line's coefficients. The half-widths, t of the group's
    runs and t of the line's degrees of freedom, add in squares (Zou and Donner 2008, Statistics in
    Medicine 27:1693-1702).
    """
    tail = (1 + confidence) / 2
    steepness = slope_of_inverse(line.transform, line.expected(models))
    mean = run_mean(
        rho, names, line.sd * float(steepness.mean()), line.free, tail
    )
    direction = (mean.weights * steepness) @ models.design(line.transform)
    error = float(np.sqrt(direction @ spread_of_line @ direction))
    half = float(np.hypot(mean.half, float(stdtrit(line.free, tail)) * error))
    return mean.mean, mean.mean - half, mean.mean + half


def line_draws(
    line: BaselineLine, spread_of_line: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """draws x coefficients: about ``line``, by t of its degrees of freedom; not linearised, as
    accuracies end at 0 and 1.
    """
    rng = np.random.default_rng(seed)
    share, axes = np.linalg.eigh(spread_of_line)
    root = axes * np.sqrt(np.maximum(share, 0))
    steps = rng.standard_normal((draws, len(share))) @ root.T
    size = np.sqrt(line.free / rng.chisquare(line.free, (draws, 1)))
    return np.asarray(line.coefficients + size * steps)
