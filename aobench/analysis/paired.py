"""Two models on the same images: their difference, with an interval and a test for each of two
populations.

*These attributes and objects*: compositions are drawn. *Attributes and objects like these*: both
are drawn. Images of a composition are alike, and so are compositions that share an attribute or an
object: McNemar's test, which takes images as independent, calls equal models unlike in 10 to 40 %
of cases at 5 % (benchmarks/paired_tests.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from aobench.errors import UserError
from aobench.results.hits import right_answers, tasks_of_kind
from aobench.results.predictions import Predictions

#: Sign flips of a test; with so few compositions that differ, all of them are looked at.
FLIPS, FEW_FLIPS = 9999, 13


@dataclass(frozen=True)
class PairedComparison:
    """``difference``: accuracy of the first less that of the second, a fraction.

    ``low``, ``high``, ``p``: 95 % interval and two-sided test for these attributes and objects: a
    bootstrap and sign flips, both over compositions. ``wide_low``, ``wide_high``, ``wide_p``: for
    attributes and objects like these, by t with a two-way cluster-robust variance; None with fewer
    than two of either. ``only_first``, ``only_second``: images that one alone got right.
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
    wide_low: float | None = None
    wide_high: float | None = None
    wide_p: float | None = None


def compare_hits(
    first: np.ndarray,
    second: np.ndarray,
    group: np.ndarray,
    draws: int = 4000,
    seed: int = 0,
    parts: np.ndarray | None = None,
) -> PairedComparison:
    """``first``, ``second``: bool N, right or wrong on the same images; ``group``: int N, the
    composition of each; ``parts``: int N x 2, its attribute and object, where they are known.

    Bootstrap: percentile, over compositions. Raises UserError for unequal lengths or fewer than two
    compositions.
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
    low, high = np.quantile(
        (weights @ gained) / (weights @ sizes), (0.025, 0.975)
    )
    b, c = int((first & ~second).sum()), int((second & ~first).sum())
    p = sign_flip_test(gained, seed=seed)
    shown = (
        None if parts is None else np.asarray(parts)[np.unique(number, True)[1]]
    )
    wide = (
        (None,) * 3 if shown is None else two_way_test(gained, sizes, *shown.T)
    )
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
        *wide,
    )


def sign_flip_test(
    gained: np.ndarray, flips: int = FLIPS, seed: int = 0
) -> float:
    """Two-sided p of no difference: under it, a composition's gain is as likely with either sign.

    ``gained``: by composition the right answers of one model less those of the other. The share of
    sign patterns with a sum at least as far from 0 as the one seen (Fisher 1935, The Design of
    Experiments, section 21): of all patterns where few compositions differ, else of ``flips`` drawn
    ones and the one seen.

    Example:
        >>> sign_flip_test(np.array([1, 1, 1, 1]))
        0.125
    """
    moved = np.asarray(gained, float)
    moved = moved[moved != 0]
    seen = abs(moved.sum()) - 1e-9
    if len(moved) <= FEW_FLIPS:
        patterns = (
            np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1
        )
        return float((np.abs((2 * patterns - 1) @ moved) >= seen).mean())
    rng, reached = np.random.default_rng(seed), 0
    for size in [1000] * (flips // 1000) + [flips % 1000]:
        signs = 2 * rng.integers(2, size=(size, len(moved)), dtype=np.int8) - 1
        reached += int((np.abs(signs @ moved) >= seen).sum())
    return (1 + reached) / (1 + flips)


def two_way_test(
    gained: np.ndarray,
    sizes: np.ndarray,
    attributes: np.ndarray,
    objects: np.ndarray,
) -> tuple[float, float, float] | tuple[None, None, None]:
    """(low, high, two-sided p) of sum(gained) / sum(sizes), attributes and objects taken as drawn.

    All by composition. The metric's two-way variance; t of the smaller number of attributes or
    objects less 1. Nones with fewer than two of either.
    """
    from compositional_ood.compositional_ood import two_way_variance

    if min(len(np.unique(attributes)), len(np.unique(objects))) < 2:
        return None, None, None
    difference = float(np.sum(gained) / np.sum(sizes))
    variance, least = two_way_variance(gained, sizes, attributes, objects)
    if variance <= 0:
        return difference, difference, float(difference == 0)
    error = float(np.sqrt(variance))
    half = float(stdtrit(least - 1, 0.975)) * error
    p = 2 * float(stdtr(least - 1, -abs(difference) / error))
    return difference - half, difference + half, p


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
    hits, group, parts = aligned_answers((first, second), split, kind, task)
    return compare_hits(hits[0], hits[1], group, parts=parts)


def aligned_answers(
    tables: Sequence[Predictions],
    split: str,
    kind: str,
    task: str | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(bool models x images: right or wrong; int images: composition; int images x 2: attribute and
    object, None where one has none), images in the order of their ids.

    ``task``: among whose candidates; None for the first that asks all the same. Raises UserError
    unless all tables hold the same images and, but for objects, ranked the same candidates.
    """
    tasks = (task,) * len(tables) if task else alike_tasks(tables, split, kind)
    answers = [
        right_answers(table, split, kind, one)
        for table, one in zip(tables, tasks, strict=True)
    ]
    orders = [np.argsort(ids) for ids, _, _ in answers]
    samples = set(answers[0][0])
    for ids, _, _ in answers:
        if sorted(ids) != sorted(answers[0][0]):
            raise UserError(
                f"the tables do not hold the same images of {split}: {len(samples ^ set(ids))} are "
                "in one only"
            )
    lists = {p.lists[t][split].hash for p, t in zip(tables, tasks, strict=True)}
    if len(lists) > 1 and kind != "object":
        raise UserError(
            "the models chose among different candidates; run all with the same --tasks, or "
            "compare by object"
        )
    hits = [
        right[order]
        for (_, right, _), order in zip(answers, orders, strict=True)
    ]
    parts = parts_shown(tables[0], split, tasks[0])
    shown = None if parts is None else parts[orders[0]]
    return np.array(hits), answers[0][2][orders[0]], shown


def parts_shown(
    predictions: Predictions, split: str, task: str
) -> np.ndarray | None:
    """int N x 2: attribute and object of each image, in the table's order; None where one has
    none.
    """
    rows = predictions.split(split, task)
    parts = np.column_stack([rows["attribute"], rows["object"]])
    return parts if (parts >= 0).all() else None


def alike_tasks(
    tables: Sequence[Predictions], split: str, kind: str
) -> tuple[str, ...]:
    """The task of each table in which ``kind`` is compared: the first that asks all the same, or
    else the first of each.
    """
    able = [tasks_of_kind(table, split, kind) for table in tables]
    for task in able[0]:
        if all(task in some for some in able) and (
            len({table.lists[task][split].hash for table in tables}) == 1
        ):
            return (task,) * len(tables)
    return tuple(some[0] for some in able)
