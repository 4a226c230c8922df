"""Two models on the same images: McNemar's test, and the difference with a bootstrap that draws
whole compositions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from aobench.errors import UserError
from aobench.results.hits import right_answers
from aobench.results.predictions import Predictions


@dataclass(frozen=True)
class Paired:
    """``difference``: accuracy of the first less that of the second, a fraction, with its 95 %
    interval.

    ``only_first``, ``only_second``: images that one alone got right. ``p``: McNemar's exact
    two-sided test, which takes images as independent; the interval does not, it draws compositions.
    """

    n: int
    compositions: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    only_first: int
    only_second: int
    p: float


def compare(
    first: np.ndarray,
    second: np.ndarray,
    group: np.ndarray,
    draws: int = 4000,
    seed: int = 0,
) -> Paired:
    """``first``, ``second``: bool N, right or wrong on the same images; ``group``: int N, the
    composition of each.

    McNemar 1947, Psychometrika 12:153: of the images that one model alone has right, each has half
    under the null. Bootstrap: percentile, over compositions. Raises UserError for unequal lengths
    or fewer than two compositions.
    """
    first, second, group = (
        np.asarray(first, bool),
        np.asarray(second, bool),
        np.asarray(group),
    )
    if not len(first) == len(second) == len(group) or len(first) == 0:
        raise UserError(
            f"the models must be right or wrong on the same images; got {len(first)}, "
            f"{len(second)}, {len(group)}"
        )
    _, number = np.unique(group, return_inverse=True)
    sizes = np.bincount(number)
    if len(sizes) < 2:
        raise UserError(
            "the images show one composition only: no interval over compositions can be given"
        )
    gained = np.bincount(number, weights=first.astype(float) - second)
    weights = np.random.default_rng(seed).multinomial(
        len(sizes), np.full(len(sizes), 1 / len(sizes)), size=draws
    )
    low, high = np.quantile((weights @ gained) / (weights @ sizes), (0.025, 0.975))
    b, c = int((first & ~second).sum()), int((second & ~first).sum())
    p = float(binomtest(b, b + c).pvalue) if b + c else 1.0
    return Paired(
        len(first),
        len(sizes),
        float(first.mean()),
        float(second.mean()),
        float(gained.sum() / len(first)),
        float(low),
        float(high),
        b,
        c,
        p,
    )


def compare_tables(
    first: Predictions,
    second: Predictions,
    split: str = "ood",
    kind: str = "composition",
) -> Paired:
    """Compare two tables of the runner on one split. Raises UserError unless they hold the same
    images.

    The candidate lists must agree, too, unless only objects are compared.
    """
    ids, one, group = right_answers(first, split, kind)
    others, two, _ = right_answers(second, split, kind)
    if sorted(ids) != sorted(others):
        raise UserError(
            f"the tables do not hold the same images of {split}: {len(set(ids) ^ set(others))} are "
            "in one only"
        )
    lists = {p.candidates[split].hash for p in (first, second)}
    if len(lists) > 1 and kind != "object":
        raise UserError(
            "the models chose among different candidates; run both with the same --candidates, or "
            "compare by object"
        )
    order = {sample: place for place, sample in enumerate(others)}
    return compare(one, two[[order[sample] for sample in ids]], group)
