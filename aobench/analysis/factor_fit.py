"""An embedding as mean + attribute vector + object vector: the fit, its held-out R^2, and
retrieval by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aobench.analysis.disentanglement import (
    HeldOut,
    dci,
    dcimig,
    explicitness,
    hold_out,
    number_compositions,
    soft_rank,
    z_diff,
)
from aobench.errors import UserError

MOST = 2500  #: images that are measured: the forests' time grows with images x dimensions


@dataclass(frozen=True)
class FactorFit:
    """``mean`` D, ``vectors`` attributes x D and objects x D (each sums to 0), ``values``: the
    number of each row.
    """

    mean: np.ndarray
    vectors: tuple[np.ndarray, np.ndarray]
    values: tuple[np.ndarray, np.ndarray]

    def predict(self, factors: np.ndarray) -> np.ndarray:
        """N x D for the compositions ``factors`` (N x 2). Raises UserError for an attribute or
        object not fitted.
        """
        out = np.repeat(self.mean[None], len(factors), axis=0)
        for k in range(2):
            place = np.searchsorted(self.values[k], factors[:, k]).clip(
                0, len(self.values[k]) - 1
            )
            if (self.values[k][place] != factors[:, k]).any():
                raise UserError(
                    "an attribute or object to predict was not among those fitted on"
                )
            out = out + self.vectors[k][place]
        return out


def composition_means(
    z: np.ndarray, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean embedding of each composition, C x D, and its factors, C x 2."""
    number = number_compositions(factors)
    first = np.unique(number, return_index=True)[1]
    sums = np.zeros((len(first), z.shape[1]))
    np.add.at(sums, number, z)
    return sums / np.bincount(number)[:, None], factors[first]


def factor_fit(z: np.ndarray, factors: np.ndarray) -> FactorFit:
    """Least squares (of least norm) over the compositions' means, every composition counting
    alike.
    """
    y, pairs = composition_means(np.asarray(z, float), factors)
    values = (np.unique(pairs[:, 0]), np.unique(pairs[:, 1]))
    dummies = [
        (pairs[:, k : k + 1] == values[k]).astype(float) for k in range(2)
    ]
    solved = np.linalg.lstsq(
        np.column_stack([np.ones(len(y)), *dummies]), y, rcond=None
    )[0]
    first, second = solved[1 : 1 + len(values[0])], solved[1 + len(values[0]) :]
    mean = solved[0] + first.mean(0) + second.mean(0)
    return FactorFit(
        mean, (first - first.mean(0), second - second.mean(0)), values
    )


def factor_r2(z: np.ndarray, factors: np.ndarray, parts: HeldOut) -> float:
    """1 - squared error of the held-out compositions' means / their squared distance from the
    fitted mean.
    """
    fitted = factor_fit(z[parts.fit], factors[parts.fit])
    y, pairs = composition_means(
        np.asarray(z[parts.score], float), factors[parts.score]
    )
    error = ((y - fitted.predict(pairs)) ** 2).sum()
    total = ((y - fitted.mean) ** 2).sum()
    return float(1 - error / total) if total > 0 else 0.0


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def retrieval(
    z: np.ndarray,
    factors: np.ndarray,
    parts: HeldOut,
    directions: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """(rate, chance) of retrieving a target composition by image - attribute + attribute.

    Each held-out image of (a, o) is moved by direction(a') - direction(a), for one other held-out
    composition (a', o) drawn at random; right if the nearest other held-out image by cosine is one
    of (a', o). The images of (a, o) itself are not candidates: staying put would otherwise be the
    commonest error and say little. ``directions``: a vector for each attribute number (attributes x
    D), such as text embeddings; else the vectors of :func:`factor_fit` on the fitted-on
    compositions. Embeddings are centred on the fitted-on mean first. Images without a target are
    left out.
    """
    fitted = factor_fit(z[parts.fit], factors[parts.fit])
    if directions is None:
        directions = np.zeros((int(factors[:, 0].max()) + 1, z.shape[1]))
        directions[fitted.values[0]] = fitted.vectors[0]
    rng = np.random.default_rng(seed)
    held, x = factors[parts.score], z[parts.score] - fitted.mean
    candidates = _unit(x)
    right, chance = [], []
    for row in range(len(held)):
        a, o = held[row]
        others = np.unique(held[(held[:, 1] == o) & (held[:, 0] != a), 0])
        if len(others) == 0:
            continue
        wanted = rng.choice(others)
        query = _unit(x[row] + directions[wanted] - directions[a])
        allowed = ~((held[:, 0] == a) & (held[:, 1] == o))
        target = (held[:, 0] == wanted) & (held[:, 1] == o)
        best = int(np.where(allowed, candidates @ query, -np.inf).argmax())
        right.append(bool(target[best]))
        chance.append(target.sum() / allowed.sum())
    if not right:
        raise UserError(
            "no held-out object occurs with two attributes: retrieval has no targets"
        )
    return float(np.mean(right)), float(np.mean(chance))


def sample_compositions(
    factors: np.ndarray, most: int, seed: int = 0
) -> np.ndarray:
    """Row numbers of at most about ``most`` images: all, or those of whole objects drawn at random.

    Whole objects keep all their attributes: single compositions would leave few that share an
    object, and none to hold out. At least two objects are taken, whatever ``most`` is.
    """
    if len(factors) <= most:
        return np.arange(len(factors))
    number = np.unique(factors[:, 1], return_inverse=True)[1].reshape(-1)
    order = np.random.default_rng((seed, 1)).permutation(number.max() + 1)
    count = int((np.cumsum(np.bincount(number)[order]) <= most).sum())
    return np.flatnonzero(np.isin(number, order[: max(2, count)]))


def checked_factors(
    z: np.ndarray, factors: np.ndarray, seed: int, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """``z`` and ``factors`` of the images that are measured: of more than ``most`` whole objects.

    Raises UserError for input that cannot be scored.
    """
    z, factors = np.asarray(z, float), np.asarray(factors)
    if z.ndim != 2 or factors.shape != (len(z), 2):
        raise UserError(
            f"embeddings must be N x D and factors N x 2; got {z.shape} and {factors.shape}"
        )
    rows = sample_compositions(factors, most, seed)
    z, factors = z[rows], factors[rows]
    if not np.isfinite(z).all():
        raise UserError("the embeddings hold NaN or infinite numbers")
    if any(len(np.unique(factors[:, k])) < 2 for k in range(2)):
        raise UserError("at least two attributes and two objects are needed")
    return z, factors


def all_measures(
    z: np.ndarray, factors: np.ndarray, seed: int = 0, most: int = MOST
) -> dict[str, float]:
    """All measures of `aobench.analysis.disentanglement.EXPLAINED`, and ``retrieval_chance``, n and
    dimensions.

    ``z`` float N x D, ``factors`` int N x 2 (attribute, object). Of more than ``most`` images a
    sample of whole objects is measured; ``n`` says how many. Raises UserError for input that
    cannot be scored.
    """
    z, factors = checked_factors(z, factors, seed, most)
    parts = hold_out(factors, seed)
    rate, chance = retrieval(z, factors, parts, seed=seed)
    return {
        "z_diff": z_diff(z, factors, parts, seed),
        **dci(z, factors, parts, seed),
        "explicitness_attribute": explicitness(z, factors[:, 0], parts),
        "explicitness_object": explicitness(z, factors[:, 1], parts),
        "dcimig": dcimig(z, factors),
        "soft_rank": soft_rank(z),
        "factor_r2": factor_r2(z, factors, parts),
        "retrieval": rate,
        "retrieval_chance": chance,
        "n": float(len(z)),
        "dimensions": float(z.shape[1]),
    }
