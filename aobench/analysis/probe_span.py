"""What of an embedding linear probes read, and whether that part is a sum of attribute and object.

Informativeness first: how well a linear probe names attribute and object of held-out compositions
is what can be in the embedding at all. DCI reads forests' importances, and where the forests name a
factor less than half as often as the probe, they speak of forests and not of the embedding: it is
refused then (`refused_dci`).

The whitened probe-span R^2 and the cosine follow arXiv 2602.24264 in idea: factors that compose are
sums of orthogonal parts in the span of the probes. Its formulas are not known to us. Ours: ridge
probes on +-1 (penalty 1 after standardising), the span of their centred weights, images in it
whitened by the covariance of the images fitted on (plus a thousandth of its mean variance), R^2 as
 `aobench.analysis.factor_fit.factor_r2`: of held-out compositions' means, so that noise is
below 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aobench.analysis.disentanglement import (
    HeldOut,
    hold_out,
    standard_dimensions,
)
from aobench.analysis.factor_fit import (
    MOST,
    checked_factors,
    factor_fit,
    factor_r2,
)

#: Each measure of `probe_measures`, and what it says.
PROBED = {
    "probe_attribute": "held-out accuracy of a linear probe that names the attribute; best 1",
    "probe_object": "the same for the object",
    "probe_r2": "held-out R^2 of mean + attribute vector + object vector in the probes' span, "
    "whitened; best 1, noise below 0",
    "factor_cosine": "mean |cosine| of an attribute's and an object's vector in the embedding; "
    "orthogonal 0",
}
#: Share of a probe's accuracy below which forests' importances are refused.
ENOUGH = 0.5
RIDGE, SHRINK = 1.0, 1e-3


def ridge_weights(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(D + 1) x classes: ridge regressions of ``x`` N x D on +-1; the constant last."""
    wide = np.column_stack([x, np.ones(len(x))])
    y = np.where(values[:, None] == np.unique(values), 1.0, -1.0)
    return np.asarray(
        np.linalg.solve(
            wide.T @ wide + RIDGE * np.eye(wide.shape[1]), wide.T @ y
        )
    )


def probe_accuracy(
    normal: np.ndarray, values: np.ndarray, parts: HeldOut, weights: np.ndarray
) -> float:
    """Held-out share of images whose class has the highest score."""
    wide = np.column_stack([normal[parts.score], np.ones(len(parts.score))])
    named = np.unique(values[parts.fit])[(wide @ weights).argmax(1)]
    return float((named == values[parts.score]).mean())


def whitened_span(
    x: np.ndarray, weights: np.ndarray, fit: np.ndarray
) -> np.ndarray:
    """N x R: ``x`` N x D in the span of ``weights`` D x C, white over the rows ``fit``."""
    axes, size, _ = np.linalg.svd(
        weights - weights.mean(1, keepdims=True), full_matrices=False
    )
    inner = x @ axes[:, size > 1e-8 * max(size.max(initial=0.0), 1e-30)]
    middle = inner[fit].mean(0)
    covariance = np.atleast_2d(np.cov(inner[fit], rowvar=False))
    floor = SHRINK * np.trace(covariance) / len(covariance)
    variance, turned = np.linalg.eigh(
        covariance + floor * np.eye(len(covariance))
    )
    return np.asarray(
        (inner - middle) @ turned / np.sqrt(np.maximum(variance, 1e-30))
    )


def factor_cosine(z: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    """(mean |cosine| of an attribute's and an object's vector, the same of random directions).

    The second is sqrt(2 / (pi D)), for large D and directions without preference. Not whitened:
    whitening turns the vectors against each other where not all compositions are there.
    """
    vectors = factor_fit(z, factors).vectors
    units = [
        v / np.maximum(np.linalg.norm(v, axis=1), 1e-12)[:, None]
        for v in vectors
    ]
    chance = min(1.0, float(np.sqrt(2 / (np.pi * z.shape[1]))))
    return float(np.abs(units[0] @ units[1].T).mean()), chance


def probe_measures(
    z: np.ndarray, factors: np.ndarray, seed: int = 0, most: int = MOST
) -> dict[str, float]:
    """The measures of PROBED, and ``factor_cosine_chance``, on the images and held-out
    compositions that `aobench.analysis.factor_fit.all_measures` takes.
    """
    z, factors = checked_factors(z, factors, seed, most)
    parts = hold_out(factors, seed)
    normal = standard_dimensions(z, parts.fit)
    weights, results = [], {}
    for k, name in enumerate(("attribute", "object")):
        mine = ridge_weights(normal[parts.fit], factors[parts.fit, k])
        results[f"probe_{name}"] = probe_accuracy(
            normal, factors[:, k], parts, mine
        )
        weights.append(mine[:-1] - mine[:-1].mean(1, keepdims=True))
    inner = whitened_span(normal, np.hstack(weights), parts.fit)
    cosine, chance = factor_cosine(z, factors)
    return {
        **results,
        "probe_r2": factor_r2(inner, factors, parts),
        "factor_cosine": cosine,
        "factor_cosine_chance": chance,
    }


def refused_dci(measures: Mapping[str, float]) -> str:
    """Why DCI says nothing of an embedding, by its ``measures`` and its probes'; else empty.

    Example:
        >>> refused_dci({"informativeness_attribute": 0.1, "probe_attribute": 0.5,
        ...     "informativeness_object": 0.4, "probe_object": 0.5})
        'the forests name the attribute in 10 % of images, a linear probe in 50 %'
    """
    said = []
    for name in ("attribute", "object"):
        forest, probe = (
            measures[f"{kind}_{name}"] for kind in ("informativeness", "probe")
        )
        if forest < ENOUGH * probe:
            said.append(
                f"the forests name the {name} in {100 * forest:.0f} % of images, a linear probe in "
                f"{100 * probe:.0f} %"
            )
    return "; ".join(said)
