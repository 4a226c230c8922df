"""From known answers to a threshold, and how well a threshold does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from aobench.errors import UserError


def calibration_half(ids: Sequence[str]) -> np.ndarray:
    """bool: whether an image is in the half that a threshold is chosen on; by a hash of its id."""
    return np.array(
        [hashlib.sha256(name.encode()).digest()[0] % 2 == 0 for name in ids],
        dtype=bool,
    )


def choose_threshold(
    scores: np.ndarray, right: np.ndarray, precision: float, what: str
) -> float:
    """The lowest threshold at which at least ``precision`` of the accepted are right (accepted:
    score >= threshold).

    UserError where nothing is known to be wrong or right, or no threshold gets there.
    """
    if right.all() or not right.any():
        kind = "wrong" if right.all() else "right"
        raise UserError(
            f"{what}: none of the {len(right)} known answers that its threshold is chosen on is "
            f"{kind}; label more "
            "images, or give the threshold itself"
        )
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    last_of_ties = np.append(ranked[1:] != ranked[:-1], True)
    good = np.flatnonzero(last_of_ties & (share >= precision))
    if not len(good):
        best = share[last_of_ties].max()
        raise UserError(
            f"{what}: no threshold has the precision {precision:g}; the best is {best:.3f}; ask "
            "for less"
        )
    return float(ranked[good[-1]])


def measure_threshold(
    scores: np.ndarray, right: np.ndarray, threshold: float
) -> dict[str, Any]:
    """Precision and recall of "right", and recall of "wrong" (the share of wrong images found),
    each with its 95 % Wilson interval; None where nothing is counted."""
    accepted = scores >= threshold
    return {
        "n": len(scores),
        "wrong": int((~right).sum()),
        "precision": _share(right[accepted]),
        "recall": _share(accepted[right]),
        "wrong_found": _share(~accepted[~right]),
        "rejected_rightly": _share(~right[~accepted]),
    }


def _share(values: np.ndarray) -> dict[str, Any] | None:
    from compositional_ood.compositional_ood import wilson

    if not len(values):
        return None
    low, high = wilson(int(values.sum()), len(values))
    return {
        "value": float(values.mean()),
        "n": len(values),
        "low": low,
        "high": high,
    }
