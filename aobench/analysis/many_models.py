"""Several models on the same images: which of them can be told apart, all pairs looked at at once.

Each pair is tested for attributes and objects like these (`aobench.analysis.paired.two_way_test`;
sign flips over compositions where there are no two attributes or objects), and p is corrected for
the number of pairs by Holm 1979 (Scandinavian Journal of Statistics 6:65-70): the chance that any
two equal models are called unlike is at most 5 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from aobench.analysis.paired import (
    aligned_answers,
    sign_flip_test,
    two_way_test,
)
from aobench.results.predictions import Predictions

LEVEL = 0.05  #: chance that any two equal models are called unlike


@dataclass(frozen=True)
class ModelComparisons:
    """Models in the order of ``rates``, best first.

    ``order``: their places in what was compared. ``p``: models x models, corrected. ``classes``:
    the largest sets of models that can't be told apart, each a tuple of places in this order; a
    model may be in several. ``ranks``: of each the best and the worst place, 1 = first, that the
    tests leave it, right for all models at once with 95 % confidence. ``wide``: whether the tests
    are for attributes and objects like these.
    """

    order: tuple[int, ...]
    rates: tuple[float, ...]
    p: np.ndarray
    classes: tuple[tuple[int, ...], ...]
    ranks: tuple[tuple[int, int], ...]
    wide: bool


def holm_correction(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """p values corrected for their number (Holm 1979), in their own order.

    Example:
        >>> holm_correction([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, float)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1, np.maximum.accumulate(steps))
    return corrected


def alike_classes(unlike: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """The largest sets of numbers no two of which are ``unlike`` (bool M x M, symmetric), in the
    order of their first members (insert and absorb, Piepho 2004, Journal of Computational and
    Graphical Statistics 13:456-466).

    Example:
        >>> alike_classes(np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool))
        ((0, 1), (1, 2))
    """
    sets = {frozenset(range(len(unlike)))}
    for one, other in zip(*np.nonzero(np.triu(unlike)), strict=True):
        for both in [some for some in sets if {int(one), int(other)} <= some]:
            sets.remove(both)
            sets |= {both - {int(one)}, both - {int(other)}}
        sets = {
            some for some in sets if not any(some < larger for larger in sets)
        }
    return tuple(sorted(tuple(sorted(some)) for some in sets))


def compare_answers(
    hits: np.ndarray, group: np.ndarray, parts: np.ndarray | None = None
) -> ModelComparisons:
    """``hits``: bool models x images, on the same images; ``group``, ``parts`` as in
    `aobench.analysis.paired.compare_hits`.
    """
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    number = number.reshape(-1)
    sizes = np.bincount(number)
    right = np.array([np.bincount(number, weights=one) for one in hits])
    order = np.argsort(-hits.mean(1), kind="stable")
    pairs = list(combinations(range(len(order)), 2))
    shown = None if parts is None else np.asarray(parts)[first]
    p, wide = [], shown is not None
    for better, worse in pairs:
        gained = right[order[better]] - right[order[worse]]
        accuracies = (
            two_way_test(gained, sizes, *shown.T)[2]
            if shown is not None
            else None
        )
        wide = wide and accuracies is not None
        p.append(sign_flip_test(gained) if accuracies is None else accuracies)
    table = np.ones((len(order),) * 2)
    for (one, other), value in zip(pairs, holm_correction(p), strict=True):
        table[one, other] = table[other, one] = value
    unlike = table < LEVEL
    best = 1 + np.tril(unlike).sum(1)
    worst = len(order) - np.triu(unlike).sum(1)
    return ModelComparisons(
        tuple(order.tolist()),
        tuple(hits.mean(1)[order].tolist()),
        table,
        alike_classes(unlike),
        tuple(zip(best.tolist(), worst.tolist(), strict=True)),
        wide,
    )


def compare_models(
    tables: Sequence[Predictions], split: str = "ood", kind: str = "composition"
) -> ModelComparisons:
    """Compare tables of the runner on one split, among the candidates that all were asked
    (`alike_tasks`).

    Raises UserError unless all hold the same images and, but for objects, ranked the same
    candidates.
    """
    return compare_answers(*aligned_answers(tables, split, kind))
