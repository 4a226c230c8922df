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
from scipy.stats import norm
from scipy.stats import t as student

from aobench.analysis.model_accuracies import Record
from aobench.analysis.transforms import inside, redraw, scale, transformed
from aobench.errors import UserError

DRAWS, CONFIDENCE = 4000, 0.95
FEW = 3  #: groups of fewer runs are marked: their interval says little of another run
TRIES = 50  #: times that degenerate bootstrap samples are drawn anew


@dataclass(frozen=True)
class Line:
    """A fitted baseline. ``coefficients``: intercept, then one slope an ID set, on the scale
    ``transform``.

    ``drawn``: bootstrap coefficients, draws x (1 + sets). ``sd``: residual standard deviation on
    the scale. ``low``, ``high``: range of the baseline's accuracies on each ID set. ``gram``:
    inverse of X'X.
    """

    transform: str
    id_sets: tuple[str, ...]
    models: tuple[str, ...]
    runs: int
    coefficients: np.ndarray
    drawn: np.ndarray
    r2: float
    sd: float
    low: np.ndarray
    high: np.ndarray
    gram: np.ndarray
    leverage: float

    @property
    def free(self) -> int:
        """Degrees of freedom: independent runs less coefficients."""
        return self.runs - len(self.coefficients)

    def interval(self, confidence: float = CONFIDENCE) -> np.ndarray:
        """2 x coefficients: bootstrap interval of each coefficient."""
        return np.quantile(
            widened(self.drawn, self.coefficients, self.free, self.runs, confidence),
            _tails(confidence),
            axis=0,
        )


def _tails(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2


def widened(
    drawn: np.ndarray, point: np.ndarray, free: int, runs: int, confidence: float
) -> np.ndarray:
    """Bootstrap draws moved away from ``point`` by what few baseline models call for.

    A bootstrap over n runs with p coefficients uses the variance of n, not of n - p, degrees of
    freedom and the normal tail: its spread is multiplied by sqrt(n / (n - p)) t / z, t of n - p
    degrees of freedom.
    """
    upper = (1 + confidence) / 2
    factor = np.sqrt(runs / free) * student.ppf(upper, free) / norm.ppf(upper)
    return point + factor * (drawn - point)


def _design(
    records: Sequence[Record], id_sets: Sequence[str], transform: str
) -> np.ndarray:
    """models x (1 + sets): a column of ones, then T of each ID accuracy."""
    columns = [np.ones(len(records))]
    for name in id_sets:
        rate, n = np.array([r.on(name) for r in records]).T
        columns.append(transformed(transform, rate, n))
    return np.column_stack(columns)


def _drawn_lines(
    x: np.ndarray,
    y: np.ndarray,
    runs: Sequence[str],
    draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Coefficients over bootstrap samples of whole runs, draws x p. Samples that fix no line are
    drawn again.
    """
    names, number = np.unique(runs, return_inverse=True)
    outer = x[:, :, None] * x[:, None, :]
    cross = x * y[:, None]
    out = np.empty((0, x.shape[1]))
    for _ in range(TRIES):
        weights = rng.multinomial(
            len(names), np.full(len(names), 1 / len(names)), size=draws
        )[:, number]
        distinct = (weights > 0) @ np.eye(len(number))
        gram = np.einsum("dm,mij->dij", weights, outer)
        ok = (np.linalg.cond(gram) < 1e10) & (distinct.sum(1) >= x.shape[1])
        found = np.linalg.solve(
            gram[ok], np.einsum("dm,mi->di", weights[ok], cross)[..., None]
        )[..., 0]
        out = np.concatenate([out, found])[:draws]
        if len(out) == draws:
            return out
    raise UserError(
        "the baseline's models are too alike in ID accuracy: the bootstrap finds no line"
    )


def fit(
    records: Sequence[Record],
    transform: str = "logit",
    id_sets: Sequence[str] = ("id",),
    draws: int = DRAWS,
    seed: int = 0,
) -> Line:
    """Fit T(ood) on T(id) over the baseline ``records``.

    The bootstrap draws whole runs; a baseline model's binomial noise is in its distance from the
    line and so in the draws. Raises UserError for fewer independent runs than coefficients + 1, or
    where all ID accuracies are equal.
    """
    scale(transform)
    runs = [r.run or r.model for r in records]
    need = len(id_sets) + 2
    if len(set(runs)) < need:
        raise UserError(
            f"the baseline has {len(set(runs))} independent model(s); a line over {len(id_sets)} "
            f"ID set(s) needs {need}"
        )
    x = _design(records, id_sets, transform)
    y = transformed(
        transform,
        np.array([r.ood for r in records]),
        np.array([r.n_ood for r in records]),
    )
    if np.linalg.matrix_rank(x - x.mean(0) + np.eye(1, x.shape[1])) < x.shape[1]:
        raise UserError(
            "the baseline's models do not differ enough in ID accuracy: no line can be fitted"
        )
    gram = np.linalg.inv(x.T @ x)
    coefficients = gram @ x.T @ y
    residual = y - x @ coefficients
    total = ((y - y.mean()) ** 2).sum()
    free = len(set(runs)) - x.shape[1]
    rates = np.array([[r.on(name)[0] for name in id_sets] for r in records])
    return Line(
        transform,
        tuple(id_sets),
        tuple(r.model for r in records),
        len(set(runs)),
        coefficients,
        _drawn_lines(x, y, runs, draws, np.random.default_rng(seed)),
        float(1 - (residual**2).sum() / total) if total > 0 else 1.0,
        float(np.sqrt((residual**2).sum() / len(y) * len(set(runs)) / free)),
        rates.min(0),
        rates.max(0),
        gram,
        float(np.einsum("mi,ij,mj->m", x, gram, x).max()),
    )


@dataclass(frozen=True)
class Effective:
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


def expected_draws(
    line: Line, records: Sequence[Record], rng: np.random.Generator, confidence: float
) -> np.ndarray:
    """draws x models: expected OoD accuracies, the line drawn anew and each ID accuracy too."""
    draws = len(line.drawn)
    x = _design(records, line.id_sets, line.transform)
    by_line = widened(
        line.drawn @ x.T, line.coefficients @ x.T, line.free, line.runs, confidence
    )
    moved = np.zeros_like(by_line)
    for place, name in enumerate(line.id_sets, start=1):
        rate, n = np.array([r.on(name) for r in records]).T
        again = transformed(line.transform, redraw(rate, n, rng, draws), n)
        moved += line.coefficients[place] * (again - x[:, place])
    return scale(line.transform).back(by_line + moved)


def _away(line: Line, records: Sequence[Record]) -> np.ndarray:
    """Whether a model lies outside the baseline: in range on some ID set, or by leverage where
    there are several.
    """
    rates = np.array([[r.on(name)[0] for name in line.id_sets] for r in records])
    outside = ((rates < line.low) | (rates > line.high)).any(1)
    if len(line.id_sets) > 1:
        x = _design(records, line.id_sets, line.transform)
        outside |= np.einsum("mi,ij,mj->m", x, line.gram, x) > line.leverage * (
            1 + 1e-9
        )
    return np.asarray(outside)


def effective(
    line: Line, records: Sequence[Record], confidence: float = CONFIDENCE, seed: int = 1
) -> list[Effective]:
    """rho of each record over ``line``, with percentile intervals.

    A draw takes one bootstrap line (widened, see :func:`widened`) and new ID and OoD accuracies
    from the model's counts (Jeffreys). Ratios use (s + 0.5) / (n + 1) at 0 % and 100 %.
    """
    rng = np.random.default_rng(seed)
    tails = _tails(confidence)
    x = _design(records, line.id_sets, line.transform)
    centre = line.coefficients @ x.T
    back = scale(line.transform).back
    e = back(centre)
    rate, n = (
        np.array(v, float)
        for v in zip(*((r.ood, r.n_ood) for r in records), strict=True)
    )
    safe_e, safe_q = inside(e, n), inside(rate, n)
    e_drawn = expected_draws(line, records, rng, confidence)
    q_drawn = redraw(rate, n, rng, len(line.drawn))
    safe_drawn = np.clip(e_drawn, 0.5 / (n + 1), 1 - 0.5 / (n + 1))
    rho = np.quantile(q_drawn - e_drawn, tails, axis=0)
    odds = np.quantile(_odds(q_drawn) / _odds(safe_drawn), tails, axis=0)
    share = np.quantile(q_drawn / safe_drawn, tails, axis=0)
    half = (
        student.ppf(tails[1], line.free)
        * line.sd
        * np.sqrt(1 + np.einsum("mi,ij,mj->m", x, line.gram, x))
    )
    scatter = np.stack([back(centre - half) - e, back(centre + half) - e])
    columns = {
        "expected": e,
        "rho": rate - e,
        "rho_low": rho[0],
        "rho_high": rho[1],
        "odds_ratio": _odds(safe_q) / _odds(safe_e),
        "odds_ratio_low": odds[0],
        "odds_ratio_high": odds[1],
        "accuracy_ratio": safe_q / safe_e,
        "accuracy_ratio_low": share[0],
        "accuracy_ratio_high": share[1],
        "scatter_low": scatter[0],
        "scatter_high": scatter[1],
    }
    away, inner = _away(line, records), set(line.models)
    return [
        Effective(
            r.model,
            r.family,
            r.training_set,
            r.id,
            r.ood,
            extrapolated=bool(away[i]),
            in_baseline=r.model in inner,
            **{k: float(v[i]) for k, v in columns.items()},
        )
        for i, r in enumerate(records)
    ]


@dataclass(frozen=True)
class Group:
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


def by_group(
    line: Line,
    records: Sequence[Record],
    column: str = "training_set",
    confidence: float = CONFIDENCE,
    seed: int = 2,
) -> list[Group]:
    """Mean rho by ``column``. The interval draws the line, the models' counts and, from two runs
    on, the group's runs.

    With one run it says nothing of how other models of that training set would do.
    """
    out = []
    for name in sorted({getattr(r, column) for r in records}):
        members = [r for r in records if getattr(r, column) == name]
        rng = np.random.default_rng(seed)
        points = effective(line, members, confidence)
        rate, n = np.array([(r.ood, r.n_ood) for r in members], float).T
        drawn = redraw(rate, n, rng, len(line.drawn)) - expected_draws(
            line, members, rng, confidence
        )
        names, number = np.unique(
            [r.run or r.model for r in members], return_inverse=True
        )
        k = len(names)
        weights = (
            rng.multinomial(k, np.full(k, 1 / k), size=len(drawn))[:, number]
            if k > 1
            else np.ones_like(drawn)
        )
        means = (weights * drawn).sum(1) / weights.sum(1)
        low, high = np.quantile(means, _tails(confidence))
        mean = float(np.mean([p.rho for p in points]))
        out.append(
            Group(
                name,
                len(members),
                k,
                mean,
                float(low),
                float(high),
                sum(p.extrapolated for p in points),
            )
        )
    return sorted(out, key=lambda g: g.rho)


def left_out(
    baseline: Sequence[Record],
    records: Sequence[Record],
    column: str = "training_set",
    **how: Any,
) -> list[Group]:
    """:func:`by_group`, each group against a line fitted without it; ``how`` goes to :func:`fit`.

    A group that helped to fit its own line pulls it towards itself. Raises UserError where too few
    models are left.
    """
    out = []
    for name in sorted({getattr(r, column) for r in records}):
        others = [r for r in baseline if getattr(r, column) != name]
        out += by_group(
            fit(others, **how),
            [r for r in records if getattr(r, column) == name],
            column,
        )
    return sorted(out, key=lambda g: g.rho)
