"""Rank correlations with bootstrap intervals."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def spearman_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's correlation of each row of ``x`` with that of ``y`` (draws x N, or N); NaN
    where one is constant.
    """
    x, y = np.atleast_2d(x), np.atleast_2d(y)
    u, v = (rankdata(m, axis=1) for m in (x, y))
    u, v = u - u.mean(1, keepdims=True), v - v.mean(1, keepdims=True)
    size = np.sqrt((u * u).sum(1) * (v * v).sum(1))
    return np.where(
        size > 0, (u * v).sum(1) / np.where(size > 0, size, 1), np.nan
    )


def percentile_interval(drawn: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of ``drawn`` without NaN; NaN if nothing is left."""
    finite = drawn[np.isfinite(drawn)]
    low, high = (
        np.quantile(finite, (0.025, 0.975)) if len(finite) else (np.nan, np.nan)
    )
    return float(low), float(high)


def rows_of_groups(
    group: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """draws x N row numbers: each draw takes whole groups, all of one size. Raises ValueError
    for unequal groups.
    """
    names, number = np.unique(group, return_inverse=True)
    sizes = np.bincount(number)
    if len(set(sizes.tolist())) != 1:
        raise ValueError("groups must be of one size")
    members = np.argsort(number, kind="stable").reshape(len(names), -1)
    return members[rng.integers(len(names), size=(draws, len(names)))].reshape(
        draws, -1
    )
