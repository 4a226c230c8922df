"""Difficulty apart from novelty: a logistic model with crossed random effects, and its fit.

logit P(right) = ability of the model + coefficients of the composition's covariates (such as
novel: 0 or 1) + attribute + object + composition, the last three normal with mean 0: an item
response model in one dimension (De Boeck 2008, Psychometrika 73:533-559, random items). What the
candidates of ImageNet-AO make hard in an attribute or object is so taken off what novelty makes
hard.

Compositions are integrated out by adaptive Gauss-Hermite quadrature (Pinheiro and Bates 1995,
Journal of Computational and Graphical Statistics 4:12-35); attributes, objects, abilities and
covariates, which have many images each, by Laplace's approximation, the latter with flat priors.
The three standard deviations maximise what is left. No maintained library in pure Python fits it
at 12,000 compositions of 50 models; tests/analysis/test_difficulty.py checks it against one that
does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.linalg import LinAlgError
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit

from aobench.errors import UserError

#: Nodes of the quadrature over a composition's difficulty.
NODES = 9
#: Standard deviations lie between these; at the lowest an effect is as good as none.
LEAST, MOST = 0.01, 10.0
STEPS, CLOSE = 60, 1e-6
#: The log-likelihood of standard deviations under which the answers settle no effect.
UNSETTLED = -1e12
#: What one log-likelihood, begun from two places, may differ by.
NOISE = 5e-3


@dataclass(frozen=True)
class AnswerCounts:
    """``right``: models x compositions, right answers of ``n`` images each (compositions).

    ``attribute``, ``object``: int, numbers 0.. of each composition's parts, whose names are
    ``attributes`` and ``objects``. ``covariates``: name -> a number for each composition.
    """

    right: np.ndarray
    n: np.ndarray
    attribute: np.ndarray
    object: np.ndarray
    models: Sequence[str]
    attributes: Sequence[str]
    objects: Sequence[str]
    covariates: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Models, covariates, attributes, objects: the blocks of the effects."""
        return (
            len(self.models),
            len(self.covariates),
            len(self.attributes),
            len(self.objects),
        )

    def blocks(self, effects: np.ndarray) -> list[np.ndarray]:
        """``effects`` cut into abilities, coefficients, attributes and objects."""
        return np.split(effects, np.cumsum(self.sizes)[:-1])

    def shared_design(self) -> csr_array:
        """compositions x (covariates + attributes + objects): what all models share. Of a row are
        stored, in this order, its covariates, and 1 for its attribute and for its object.
        """
        given, size = list(self.covariates.values()), len(self.n)
        first = len(given) + len(self.attributes)
        places = [np.full(size, k) for k in range(len(given))]
        places += [len(given) + self.attribute, first + self.object]
        values = np.column_stack([*given, np.ones(size), np.ones(size)])
        return csr_array(
            (
                values.ravel().astype(float),
                np.column_stack(places).ravel(),
                np.arange(0, values.size + 1, values.shape[1]),
            ),
            shape=(size, sum(self.sizes[1:])),
        )


@dataclass(frozen=True)
class DifficultyFit:
    """``effects`` with their covariance ``covariance``: abilities, coefficients, attributes,
    objects. ``spread``: standard deviations of attributes, objects and compositions. All on the
    logit scale. ``loglik``: the approximate log-likelihood.
    """

    counts: AnswerCounts
    effects: np.ndarray
    covariance: np.ndarray
    spread: tuple[float, float, float]
    loglik: float

    def block(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(values, standard errors) of abilities (0), coefficients (1), attributes (2) or objects
        (3).
        """
        errors = np.sqrt(np.diag(self.covariance))
        return (
            self.counts.blocks(self.effects)[number],
            self.counts.blocks(errors)[number],
        )

    def coefficient(self, name: str) -> tuple[float, float]:
        """(value, standard error) of a covariate, in log-odds."""
        place = list(self.counts.covariates).index(name)
        values, errors = self.block(1)
        return float(values[place]), float(errors[place])


class _WeightedProducts:
    """The transpose of `AnswerCounts.shared_design` times itself, with one weight of the
    compositions after another: which cells a composition's few numbers add to stays the same.
    """

    def __init__(self, design: csr_array) -> None:
        self.width = design.shape[1]
        columns = design.indices.astype(np.int64).reshape(design.shape[0], -1)
        values = design.data.reshape(design.shape[0], -1)
        self.cells = (
            columns[:, :, None] * self.width + columns[:, None]
        ).ravel()
        self.products = values[:, :, None] * values[:, None]

    def __call__(self, weight: np.ndarray) -> np.ndarray:
        """The product, each composition taken ``weight`` times."""
        values = (self.products * weight[:, None, None]).ravel()
        sums = np.bincount(self.cells, values, self.width**2)
        return sums.reshape(self.width, self.width)


class _Marginal:
    """The log-likelihood of the effects, compositions integrated out."""

    def __init__(self, counts: AnswerCounts, nodes: int) -> None:
        self.counts, self.design = counts, counts.shared_design()
        self.weighted_products = _WeightedProducts(self.design)
        points, weights = np.polynomial.hermite_e.hermegauss(nodes)
        self.points = points[:, None]
        self.log_weights = np.log(weights)[:, None] + self.points**2 / 2
        self.modes = np.zeros(len(counts.n))

    def _centre(self, logits: np.ndarray, spread: float) -> np.ndarray:
        """The most likely difficulty of each composition, kept for the next call, and its width."""
        right, n, mode = self.counts.right.sum(0), self.counts.n, self.modes
        for _ in range(STEPS):
            rate = expit(logits + mode)
            slope = right - n * rate.sum(0) - mode / spread**2
            bend = n * (rate * (1 - rate)).sum(0) + 1 / spread**2
            step = np.clip(slope / bend, -2, 2)
            mode = mode + step
            if np.abs(step).max() < 1e-9:
                break
        self.modes = mode
        rate = expit(logits + mode)
        return 1 / np.sqrt(n * (rate * (1 - rate)).sum(0) + 1 / spread**2)

    def parts(
        self, effects: np.ndarray, spread: float
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """(log-likelihood, its gradient, minus its Hessian) in the effects."""
        right, n, models = (
            self.counts.right,
            self.counts.n,
            len(self.counts.models),
        )
        logits = effects[:models, None] + self.design @ effects[models:]
        width = self._centre(logits, spread)
        difficulty = self.modes + width * self.points  # nodes x compositions
        at = logits + difficulty[:, None]  # nodes x models x compositions
        away = np.exp(-np.abs(at))
        rate = np.where(at >= 0, 1, away) / (1 + away)
        log = right * at - n * (np.maximum(at, 0) + np.log1p(away))
        log_joint = (
            log.sum(1) - difficulty**2 / (2 * spread**2) + self.log_weights
        )
        top = log_joint.max(0)
        share = np.exp(log_joint - top)
        whole = share.sum(0)
        share /= whole
        scale = np.log(width / spread) - np.log(2 * np.pi) / 2
        score = right - n * rate
        mean = (score * share[:, None]).sum(0)
        bend = n * (rate * (1 - rate) * share[:, None]).sum(0)
        off = (score - mean) * np.sqrt(share)[:, None]
        gradient = np.concatenate([mean.sum(1), self.design.T @ mean.sum(0)])
        return (
            float((top + np.log(whole) + scale).sum()),
            gradient,
            self._information(bend, off),
        )

    def _information(self, bend: np.ndarray, off: np.ndarray) -> np.ndarray:
        """Minus the Hessian, by Louis' identity: mean curvature less the scores' covariance.

        ``bend``: models x compositions; ``off``: nodes x models x compositions, scores off their
        means, times the roots of the nodes' weights.
        """
        together = off.sum(1)
        flat = off.swapaxes(0, 1).reshape(off.shape[1], -1)
        own = np.diag(bend.sum(1)) - flat @ flat.T
        mixed = (bend - (off * together[:, None]).sum(0)) @ self.design
        weight = bend.sum(0) - (together**2).sum(0)
        shared = self.weighted_products(weight)
        return np.block([[own, mixed], [mixed.T, shared]])


def _newton_step(information: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Newton's step; far from the mode, where the curvature has no inverse of use, a shorter one
    up the gradient (Levenberg 1944). By numpy alone: scipy's threads wait for those of numpy.
    """
    held = 0.0
    while True:
        try:
            curvature = information + held * np.eye(len(gradient))
            np.linalg.cholesky(curvature)
            return np.linalg.solve(curvature, gradient)
        except LinAlgError:
            held = max(10 * held, 1e-3 * float(np.abs(information).max()))


def _most_likely(
    marginal: _Marginal, start: np.ndarray, penalty: np.ndarray, spread: float
) -> tuple[np.ndarray, float, np.ndarray]:
    """(effects, penalised log-likelihood, minus its Hessian) at the mode, by Newton's method."""

    def value(effects: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        log, gradient, information = marginal.parts(effects, spread)
        held = penalty * effects
        return (
            log - float(effects @ held) / 2,
            gradient - held,
            information + np.diag(penalty),
        )

    effects = start
    log, gradient, information = value(effects)
    for _ in range(STEPS):
        step = _newton_step(information, gradient)
        if float(gradient @ step) < CLOSE:
            break
        for share in (1.0, 0.5, 0.25, 0.1):
            tried = value(effects + share * step)
            if tried[0] > log:
                break
        else:  # as high as the quadrature can tell
            break
        effects = effects + share * step
        log, gradient, information = tried
    return effects, log, information


def fit_difficulty(
    counts: AnswerCounts,
    nodes: int = NODES,
    near: DifficultyFit | None = None,
) -> DifficultyFit:
    """Fit the model of this module to ``counts``, with ``nodes`` of the quadrature.

    ``near``: a fit whose standard deviations are near, such as one with fewer covariates: less to
    search. A model that has all, or no,
    images right has no finite ability: `aobench.analysis.difficulty.answer_counts` refuses it.

    Raises:
        UserError: where so few images show a composition that its difficulty has no bound.

    Example:
        >>> right = np.array([[4, 3, 2, 1, 4, 2]])
        >>> parts = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2])
        >>> fit = fit_difficulty(AnswerCounts(right, np.full(6, 5), *parts, ["m"], "ab", "xyz"))
        >>> round(float(fit.block(0)[0][0]), 1)
        0.1
    """
    marginal, sizes = _Marginal(counts, nodes), counts.sizes
    rate = (counts.right.sum(1) + 0.5) / (counts.n.sum() + 1)
    best = np.concatenate([np.log(rate / (1 - rate)), np.zeros(sum(sizes[1:]))])

    def solved(log_spread: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        nonlocal best
        spread = np.exp(np.clip(log_spread, np.log(LEAST), np.log(MOST)))
        flat = np.zeros(sizes[0] + sizes[1])
        drawn = [
            np.full(size, s**-2)
            for size, s in zip(sizes[2:], spread, strict=False)
        ]
        penalty = np.concatenate([flat, *drawn])
        best, log, information = _most_likely(
            marginal, best, penalty, spread[2]
        )
        sign, log_size = np.linalg.slogdet(information)
        if sign <= 0:  # flat: nothing settles the effects
            return UNSETTLED, best, information
        prior = sizes[2] * np.log(spread[0]) + sizes[3] * np.log(spread[1])
        return float(log - prior - log_size / 2), best, information

    start = np.log(np.full(3, 0.7) if near is None else np.array(near.spread))
    width = 0.5 if near is None else 0.1
    simplex = np.vstack([start, start + width * np.eye(3)])
    options = {"xatol": 5e-3, "fatol": NOISE, "initial_simplex": simplex}

    def stop_without_bound(best: np.ndarray) -> None:
        """Nothing bounds the difficulty of a composition: on the bound, the search has no end."""
        if best[2] > np.log(MOST):
            raise StopIteration

    minimum = minimize(
        lambda x: -solved(x)[0],
        start,
        method="Nelder-Mead",
        options=options,
        callback=stop_without_bound,
    )
    loglik, effects, information = solved(minimum.x)
    spread = np.exp(np.clip(minimum.x, np.log(LEAST), np.log(MOST)))
    covariance = inverse_or_none(information)
    if spread[2] > MOST / 2 or covariance is None:
        raise UserError(
            f"{counts.n.sum():,} images of {len(counts.n):,} compositions are too few of each to "
            "tell hard compositions from bad luck, so nothing is said of attributes and objects; "
            "take results with more images of a composition, or more models"
        )
    return DifficultyFit(
        counts,
        effects,
        covariance,
        (float(spread[0]), float(spread[1]), float(spread[2])),
        loglik,
    )


def inverse_or_none(information: np.ndarray) -> np.ndarray | None:
    """The covariance; None where the answers don't settle every effect."""
    try:
        covariance = np.linalg.inv(information)
    except LinAlgError:
        return None
    return covariance if (np.diag(covariance) > 0).all() else None


def mean_over_compositions(logits: np.ndarray, spread: float) -> np.ndarray:
    """Mean chance of a right answer where a composition's difficulty is drawn, elementwise."""
    points, weights = np.polynomial.hermite_e.hermegauss(20)
    rates = expit(np.asarray(logits)[..., None] + spread * points)
    return np.asarray(rates @ weights / weights.sum())
