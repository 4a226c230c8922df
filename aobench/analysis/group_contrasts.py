"""The contrast of two groups of models over one line, with an interval over their runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from compositional_ood.compositional_ood import (
    DRAWS,
    Accuracies,
    tail_shares,
    transform_named,
)

from aobench.analysis.effective import CONFIDENCE, FittedLine, accuracies_of
from aobench.analysis.effective_groups import FEW, line_spread, run_name
from aobench.analysis.model_accuracies import ModelAccuracies
from aobench.analysis.run_groups import line_draws, run_mean, slope_of_inverse

#: A scale on which groups are compared, of accuracies and their numbers of images.
Scale = Callable[[np.ndarray, np.ndarray], np.ndarray]


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
        single = {
            k: v for k, v in asdict(self).items() if not isinstance(v, tuple)
        }
        return single | pairs


def plain_rate(rate: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Accuracies as they are."""
    return np.asarray(rate)


def log_odds(rate: np.ndarray, n: np.ndarray) -> np.ndarray:
    """log(q / (1 - q)) of accuracies on ``n`` images, those beyond half an image from 0 and 1 moved
    there.
    """
    edge = 0.5 / (np.asarray(n) + 1)
    inner = np.clip(rate, edge, 1 - edge)
    return np.asarray(np.log(inner / (1 - inner)))


@dataclass(frozen=True)
class _Side:
    """A group's accuracies and the run of each row."""

    models: Accuracies
    names: list[str]
    beyond: int

    @property
    def runs(self) -> int:
        return len(set(self.names))


def _side(line: FittedLine, members: Sequence[ModelAccuracies]) -> _Side:
    models = accuracies_of(members, line.id_sets)
    names = [run_name(record) for record in members]
    return _Side(models, names, int(line.extrapolates(models).sum()))


def _ends(
    line: FittedLine,
    sides: Sequence[_Side],
    drawn: np.ndarray,
    scale: Scale,
    confidence: float,
) -> tuple[float, float, float]:
    """(difference, low, high) of two groups' mean distances from ``line`` on ``scale``; ``drawn``:
    draws x coefficients.
    """
    tails = tail_shares(confidence)
    inverse = transform_named(line.transform).inverse
    means, moved = [], np.zeros(len(drawn))
    for sign, side in zip((1, -1), sides, strict=True):
        models, n = side.models, side.models.n_ood
        expected = line.expected(models)
        there = scale(expected, n)
        step = 1e-4
        steepness = slope_of_inverse(line.transform, expected) * (
            (scale(expected + step, n) - scale(expected - step, n)) / (2 * step)
        )
        mean = run_mean(
            scale(models.ood, n) - there,
            side.names,
            line.sd * float(steepness.mean()),
            line.free,
            tails[1],
        )
        again = scale(inverse(drawn @ models.design(line.transform).T), n)
        moved -= sign * ((again - there) @ mean.weights)
        means.append(mean)
    value = means[0].mean - means[1].mean
    of_runs = np.hypot(means[0].half, means[1].half)
    down, up = np.quantile(moved, tails)
    low = value - np.hypot(of_runs, max(-down, 0.0))
    high = value + np.hypot(of_runs, max(up, 0.0))
    return float(value), float(low), float(high)


def group_contrast(
    line: FittedLine,
    first: tuple[str, Sequence[ModelAccuracies]],
    second: tuple[str, Sequence[ModelAccuracies]],
    records: Sequence[ModelAccuracies],
    confidence: float = CONFIDENCE,
    seed: int = 3,
) -> GroupContrast:
    """The contrast of two named groups over one line; ``records`` hold the baseline's models.

    Three errors add in squares, each by its own t (Zou and Donner 2008, Statistics in Medicine
    27:1693-1702): of either group's runs, and of the line, drawn DRAWS times. The line's is whole,
    also where a group helped to fit it: in a difference of groups it is the slope's error, which is
    independent of a group's mean residual. Of one run nothing tells how runs differ: the spread of
    the baseline's models is taken.
    """
    sides = [_side(line, some) for _, some in (first, second)]
    drawn = line_draws(line, line_spread(line, records, ()), DRAWS, seed)
    points, odds = (
        _ends(line, sides, drawn, scale, confidence)
        for scale in (plain_rate, log_odds)
    )
    ratio = np.exp(odds)
    return GroupContrast(
        first=first[0],
        second=second[0],
        n=(len(first[1]), len(second[1])),
        runs=(sides[0].runs, sides[1].runs),
        extrapolated=(sides[0].beyond, sides[1].beyond),
        difference=points[0],
        low=points[1],
        high=points[2],
        odds_ratio=float(ratio[0]),
        odds_ratio_low=float(ratio[1]),
        odds_ratio_high=float(ratio[2]),
    )
