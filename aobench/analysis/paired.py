"""Two models on the same images: McNemar's test, and the difference with a bootstrap that draws
whole compositions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from aobench.errors import UserError
from aobench.results.hits import right_answers, tasks_of_kind
from aobench.results.predictions import Predictions


@dataclass(frozen=True)
class PairedComparison:
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


def compare_hits(
    first: np.ndarray,
    second: np.ndarray,
    group: np.ndarray,
    draws: int = 4000,
    seed: int = 0,
) -> PairedComparison:
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
    return PairedComparison(
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
    task: str | None = None,
) -> PairedComparison:
    """Compare two tables of the runner on one split. Raises UserError unless they hold the same
    images.

    The candidate lists must agree, too, unless only objects are compared. ``task``: among whose
    candidates; None for the first that asks both the same.
    """
    tasks = (task, task) if task else shared_tasks(first, second, split, kind)
    ids, one, group = right_answers(first, split, kind, tasks[0])
    others, two, _ = right_answers(second, split, kind, tasks[1])
    if sorted(ids) != sorted(others):
        raise UserError(
            f"the tables do not hold the same images of {split}: {len(set(ids) ^ set(others))} are "
            "in one only"
        )
    lists = {
        p.lists[t][split].hash for p, t in zip((first, second), tasks, strict=True)
    }
    if len(lists) > 1 and kind != "object":
        raise UserError(
            "the models chose among different candidates; run both with the same --tasks, or "
            "compare by object"
        )
    order = {sample: place for place, sample in enumerate(others)}
    return compare_hits(one, two[[order[sample] for sample in ids]], group)


def shared_tasks(
    first: Predictions, second: Predictions, split: str, kind: str
) -> tuple[str, str]:
    """The task of each table in which ``kind`` is compared: the first that asks both the same, or
    else the first of each.
    """
    tasks = tasks_of_kind(first, split, kind), tasks_of_kind(second, split, kind)
    for task in tasks[0]:
        if task in tasks[1] and (
            first.lists[task][split].hash == second.lists[task][split].hash
        ):
            return task, task
    return tasks[0][0], tasks[1][0]
