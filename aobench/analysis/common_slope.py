"""Every pair of groups of models, compared by a line for each group and one slope for all.

T(ood) = intercept of the group + sum_s b_s T(id_s), least squares over runs (rows of one run are
averaged): analysis of covariance. Two groups differ by their intercepts, whatever ID accuracies
they have, so that no baseline is needed. The spread of runs about the lines is pooled over groups,
which gives groups of few runs an interval; that it is alike in all groups is taken for granted.
Intervals hold for all pairs together (single step, the largest of all pairs' |t|: Hothorn, Bretz
and Westfall 2008, Biometrical Journal 50:346-363). Simulated coverage:
benchmarks/contrast_coverage.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from compositional_ood.compositional_ood import transform_named, transformed
from scipy.special import fdtrc

from aobench.analysis.effective import CONFIDENCE, accuracies_of
from aobench.analysis.effective_groups import run_name
from aobench.analysis.model_accuracies import ModelAccuracies
from aobench.analysis.run_groups import run_numbers
from aobench.errors import UserError

DRAWS = 20_000  #: of the largest |t|


@dataclass(frozen=True)
class SlopeContrast:
    """Group ``first`` less ``second``, ``runs`` of each.

    ``difference``: of the OoD accuracies that the two lines expect at the ID accuracy between the
    groups, a fraction; ``odds_ratio`` of the same two accuracies; ``low`` and ``high`` hold for all
    pairs together, and so does ``p``. ``apart``: the first ID set on which the groups' accuracies
    do not overlap, with both ranges; empty where they do.
    """

    first: str
    second: str
    runs: tuple[int, int]
    difference: float
    low: float
    high: float
    odds_ratio: float
    odds_ratio_low: float
    odds_ratio_high: float
    p: float
    apart: str = ""

    def row(self) -> dict[str, Any]:
        """As a flat dictionary."""
        pair = {"runs_first": self.runs[0], "runs_second": self.runs[1]}
        return {k: v for k, v in asdict(self).items() if k != "runs"} | pair


@dataclass(frozen=True)
class CommonSlope:
    """``contrasts`` of all pairs; ``slopes`` by ID set; ``runs`` less coefficients are ``free``.

    ``unlike_slopes``: p of the F test that the groups' slopes are equal, None where no two groups
    have runs enough to tell.
    """

    contrasts: list[SlopeContrast]
    transform: str
    slopes: dict[str, float]
    groups: int
    runs: int
    free: int
    unlike_slopes: float | None


@dataclass(frozen=True)
class _Runs:
    """One row a run: ``group`` numbers, ``x`` and ``y`` on the scale, ``known`` ID accuracies."""

    group: np.ndarray
    x: np.ndarray
    y: np.ndarray
    known: np.ndarray


def common_slope_contrasts(
    records: Sequence[ModelAccuracies],
    column: str = "training_set",
    names: Sequence[str] | None = None,
    transform: str = "logit",
    id_sets: Sequence[str] = ("id",),
    confidence: float = CONFIDENCE,
    seed: int = 5,
) -> CommonSlope:
    """Contrasts of all pairs of the groups ``names`` (None: all) of ``column``.

    Raises UserError for a name that no record has, fewer than two groups, or too few runs for the
    lines.
    """
    there = sorted({record.fact(column) for record in records})
    chosen = there if names is None else list(dict.fromkeys(names))
    if unknown := [name for name in chosen if name not in there]:
        raise UserError(
            f"no model has {column}={unknown[0]}; there are: {', '.join(there[:20])}"
        )
    if len(chosen) < 2:
        raise UserError(
            "a contrast needs two groups of models; name two or more"
        )
    members = [record for record in records if record.fact(column) in chosen]
    runs = _by_run(
        members,
        [chosen.index(r.fact(column)) for r in members],
        transform,
        id_sets,
    )
    return _all_pairs(runs, chosen, transform, id_sets, confidence, seed)


def contrasts_or_note(
    records: Sequence[ModelAccuracies],
    column: str,
    names: Sequence[str] | None,
    **options: Any,
) -> tuple[CommonSlope | None, list[str]]:
    """`common_slope_contrasts`; of all groups, where no ``names`` are asked for, a note in place of
    an error, and nothing where there is one group.
    """
    if names is not None:
        return common_slope_contrasts(records, column, names, **options), []
    if len({record.fact(column) for record in records}) < 2:
        return None, []
    try:
        return common_slope_contrasts(records, column, None, **options), []
    except UserError as error:
        return None, [f"groups are not compared in pairs: {error}"]


def _by_run(
    members: Sequence[ModelAccuracies],
    groups: Sequence[int],
    transform: str,
    id_sets: Sequence[str],
) -> _Runs:
    models = accuracies_of(members, id_sets)
    names = [
        f"{group} {run_name(r)}"
        for group, r in zip(groups, members, strict=True)
    ]
    number, count = run_numbers(names)
    share = (np.arange(count)[:, None] == number) / np.bincount(number)[:, None]
    x = models.design(transform)[:, 1:]
    y = transformed(transform, models.ood, models.n_ood)
    group = np.rint(share @ np.asarray(groups)).astype(int)
    return _Runs(group, share @ x, share @ y, share @ models.id)


def _all_pairs(
    runs: _Runs,
    names: Sequence[str],
    transform: str,
    id_sets: Sequence[str],
    confidence: float,
    seed: int,
) -> CommonSlope:
    own = (runs.group[:, None] == np.arange(len(names))).astype(float)
    design = np.hstack([own, runs.x])
    free = len(design) - design.shape[1]
    if free < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        raise UserError(
            f"{len(design)} independent runs are too few for a line for each of {len(names)} "
            f"groups with a common slope: name fewer groups, or add runs"
        )
    gram = np.linalg.inv(design.T @ design)
    b = gram @ design.T @ runs.y
    left = float(((runs.y - design @ b) ** 2).sum())
    pairs = list(combinations(range(len(names)), 2))
    step = np.zeros((len(pairs), design.shape[1]))
    for row, (i, j) in enumerate(pairs):
        step[row, [i, j]] = 1, -1
    spread = step @ gram @ step.T
    error = np.sqrt(left / free * np.diag(spread))
    largest = _largest_t(spread, free, seed)
    shift = step @ b
    half = np.quantile(largest, confidence) * error
    inverse = transform_named(transform).inverse
    contrasts = []
    for (i, j), d, h, e in zip(pairs, shift, half, error, strict=True):
        both = [runs.x[runs.group == one].mean(0) for one in (i, j)]
        middle = (b[i] + b[j]) / 2 + np.mean(both, axis=0) @ b[len(names) :]
        ends = np.array([[d, d - h, d + h]]) / 2
        first, second = inverse(middle + ends)[0], inverse(middle - ends)[0]
        odds = first / (1 - first) / (second / (1 - second))
        p = (
            (np.sum(largest >= abs(d) / e) + 1) / (len(largest) + 1)
            if e
            else 0.0
        )
        points, ratios = (first - second).tolist(), odds.tolist()
        contrasts.append(
            SlopeContrast(
                first=names[i],
                second=names[j],
                runs=(int(own[:, i].sum()), int(own[:, j].sum())),
                difference=points[0],
                low=points[1],
                high=points[2],
                odds_ratio=ratios[0],
                odds_ratio_low=ratios[1],
                odds_ratio_high=ratios[2],
                p=float(p),
                apart=_no_overlap(runs, i, j, id_sets),
            )
        )
    slopes = dict(zip(id_sets, b[len(names) :].tolist(), strict=True))
    unlike = _unlike_slopes(runs, own, left, free)
    return CommonSlope(
        contrasts, transform, slopes, len(names), len(design), free, unlike
    )


def _largest_t(spread: np.ndarray, free: int, seed: int) -> np.ndarray:
    """DRAWS of the largest |t| of contrasts with covariance ``spread``, where all are nought."""
    rng = np.random.default_rng(seed)
    share, axes = np.linalg.eigh(spread)
    large = share > share.max() * 1e-10
    root = (
        axes[:, large]
        * np.sqrt(share[large])
        / np.sqrt(np.diag(spread))[:, None]
    )
    out = []
    for _ in range(10):  # a tenth at a time: pairs may be many
        drawn = np.abs(
            rng.standard_normal((DRAWS // 10, large.sum())) @ root.T
        ).max(1)
        out.append(drawn / np.sqrt(rng.chisquare(free, len(drawn)) / free))
    return np.concatenate(out)


def _no_overlap(runs: _Runs, i: int, j: int, id_sets: Sequence[str]) -> str:
    for column, name in enumerate(id_sets):
        both = [runs.known[runs.group == one, column] for one in (i, j)]
        if max(one.min() for one in both) > min(one.max() for one in both):
            shown = " and ".join(_range_shown(one) for one in both)
            return f"{name} {shown} %"
    return ""


def _range_shown(rates: np.ndarray) -> str:
    low, high = (f"{100 * end:.1f}" for end in (rates.min(), rates.max()))
    return low if low == high else f"{low} to {high}"


def _unlike_slopes(
    runs: _Runs, own: np.ndarray, left: float, free: int
) -> float | None:
    """p of the F test of a slope for each group against one for all."""
    full = np.hstack([own, *(own * one[:, None] for one in runs.x.T)])
    b, _, rank, _ = np.linalg.lstsq(full, runs.y, rcond=None)
    more, rest = (
        int(rank) - own.shape[1] - runs.x.shape[1],
        len(full) - int(rank),
    )
    if more < 1 or rest < 1:
        return None
    better = float(((runs.y - full @ b) ** 2).sum())
    if better <= 0:
        return None
    return float(fdtrc(more, rest, (left - better) / more / (better / rest)))
