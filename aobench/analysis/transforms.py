"""The scales T on which accuracies are compared, and the rule for 0 % and 100 %."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from aobench.errors import UserError

Array = np.ndarray


@dataclass(frozen=True)
class Scale:
    """T and its inverse on accuracies 0..1; ``bounded`` where T sends 0 and 1 to infinity."""

    name: str
    there: Callable[[Array], Array]
    back: Callable[[Array], Array]
    bounded: bool


SCALES = {
    "logit": Scale("logit", logit, expit, True),
    "probit": Scale("probit", ndtri, ndtr, True),
    "linear": Scale("linear", lambda p: p, lambda z: np.clip(z, 0.0, 1.0), False),
}


def scale(name: str) -> Scale:
    """The scale called ``name``; raises UserError for another name."""
    if name not in SCALES:
        raise UserError(
            f"unknown transform {name!r}; choose one of {', '.join(SCALES)}"
        )
    return SCALES[name]


def inside(rate: Array, n: Array) -> Array:
    """Accuracies that T can take: 0 and 1 become (n rate + 0.5) / (n + 1), all others stay as they
    are.

    The half success is Jeffreys' prior mean; ``n`` is the number of images.
    """
    rate, n = np.asarray(rate, float), np.asarray(n, float)
    return np.where((rate <= 0) | (rate >= 1), (rate * n + 0.5) / (n + 1), rate)


def transformed(name: str, rate: Array, n: Array) -> Array:
    """T(rate), with the rule of :func:`inside` on the scales that need it."""
    chosen = scale(name)
    return chosen.there(inside(rate, n) if chosen.bounded else np.asarray(rate, float))


def redraw(rate: Array, n: Array, rng: np.random.Generator, draws: int) -> Array:
    """``draws`` x models accuracies that the counts allow: Beta(s + 1/2, n - s + 1/2), s = n rate
    (Jeffreys).

    It has a width at 0 and at n successes too. Source: Brown, Cai and DasGupta 2001, Statistical
    Science 16:101.
    """
    successes = np.asarray(rate, float) * n
    return rng.beta(
        successes + 0.5, np.asarray(n) - successes + 0.5, size=(draws, np.size(rate))
    )
