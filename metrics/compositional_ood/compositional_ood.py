"""Compositional out-of-distribution accuracy: compositions, attributes and objects, with
intervals and chance.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr, ndtri, stdtrit

NO_PREDICTION = -1

#: Most draws of the bootstrap: more would take hours and tell no more.
MOST_DRAWS = 1_000_000
#: Compositions drawn at a time.
BLOCK = 4_000_000
#: Draws of effective generalization, and how often those that fix no line are drawn again.
DRAWS, TRIES = 4000, 50
#: How often compositions are halved for a held-out bias, and the fewest of a side that can be.
HALVINGS, FEWEST_TO_HALVE = 10, 4
#: What a baseline may hold: accuracies, and the independent images that they are of.
BASELINE_KEYS = ({"id", "ood"}, {"id", "ood", "id_images", "ood_images"})

_CITATION = """\
@misc{abbasi2024language,
  title={Language Plays a Pivotal Role in the Object-Attribute Compositional Generalization of
  CLIP},
  author={Reza Abbasi and Mohammad Samiei and Mohammad Hossein Rohban and Mahdieh Soleymani
  Baghshah},
  year={2024}, eprint={2403.18525}, archivePrefix={arXiv}
}
"""

_DESCRIPTION = """\
How often a model names the right attribute-object composition, the right attribute and the right
object, among a
stated list of candidate compositions. With results on seen compositions (ID) too, the gap between
seen and novel.
All accuracies are fractions from 0 to 1 and come with an interval and their chance level.
"""

_KWARGS = """
Args:
    predictions: for each image a list of candidate ids, best first (all equally long), or one id.
        -1 means that the model gave no answer (an unreadable image): it counts as wrong.
    ranks: instead of predictions, for each image the rank of its right candidate, 0 = first, -1 =
        no answer. Attribute and object accuracy need predictions and are then left out. In one call
        of compute only.
    references: for each image the id of the right candidate.
    attributes: for each candidate its attribute id. Required.
    objects: for each candidate its object id. Required.
    id_predictions, id_references, id_attributes, id_objects: the same for seen compositions; all
        four, the first two (the last two are then attributes and objects), or none.
    choices: for each image the ids of the candidates that it chooses from, its right one among
        them, where these are not all candidates; chance is then the mean over images of 1 / their
        number. id_choices: the same of seen compositions.
    groups: for each image a number of the composition that it shows; default: references. Give it
        where the candidates are no compositions, such as object names alone. Intervals take these
        as independent, and images not.
    group_parts: for each image the ids of the attribute and of the object that it shows, as a pair;
        default: those of its right candidate. The two-way intervals take both as drawn.
    confidence: coverage of the intervals, 0 < confidence < 1; default 0.95.
    bootstrap: 0 for intervals by formula; else the number of draws of a bootstrap over
        compositions, and over attributes and objects.
    seed: of the bootstrap.
    seen_candidates: for each candidate whether its composition is a seen one (bool). With it the
        share of errors that fall on seen candidates; needed for the seen-novel curve.
    margins, side_ranks, id_margins, id_side_ranks: for the seen-novel curve, all four, with
        id_predictions over the same candidates. Of each image the score of its best seen candidate
        less that of its best novel one, and the rank of the right candidate among those of its own
        side, 0 = first, -1 = no answer (its margin is then any number).
    baseline: for effective generalization, the accuracies of baseline models on the same two sets,
        as fractions: {"id": [..], "ood": [..]} with at least 3 models, two of them with unlike ID
        accuracy; "id_images" and "ood_images" are needed where one is 0 or 1. Needs ID results.
    transform: "logit" (default), "probit" or "linear", with a baseline: the scale on which its line
        is fitted.
Returns:
    composition_top1, composition_top5 (rankings of at least 5), attribute_top1, object_top1, each
        with _low, _high, and _effective_n, the number of independent images that would tell as
        much: for these attributes and objects, whose compositions are taken as drawn;
        and with _wide_low, _wide_high: for attributes and objects like these, which are taken as
        drawn themselves; absent where there are fewer than two attributes or two objects, or all
        answers are alike, so that nothing tells how much they differ;
    balanced_composition_top1: mean over compositions of their accuracy;
    worst_attribute_id, worst_attribute_top1, worst_attribute_n, and the same for objects;
    n: images; n_classes: candidates; chance, attribute_chance, object_chance: expected accuracy of
        a random choice;
    with predictions: errors_n, the wrong answers; errors_same_attribute and errors_same_object, the
        share of them that name the right attribute or object, and with seen_candidates errors_seen,
        the share that falls on seen candidates; each with _low, _high, and _chance, what a wrong
        answer picked at random would give;
    with ID results: id_composition_top1 (_low, _high, _effective_n) and gap (ID less OoD; _low,
        _high), both also with _wide_low, _wide_high;
    with the seen-novel curve: seen_novel_auc (_low, _high), the area under seen against novel
        accuracy over every bias for novel candidates; best_harmonic_mean with best_bias,
        best_bias_seen_top1 and best_bias_novel_top1, of the bias that is best for these very
        images; held_out_harmonic_mean (_low, _high), held_out_seen_top1 and held_out_novel_top1, of
        biases chosen on the other half of the compositions (of at least 4 a side);
        highest_seen_top1, highest_novel_top1; seen_novel_auc_chance and harmonic_mean_chance;
    with a baseline: expected_composition_top1, what the baseline's line expects at this ID
        accuracy;
    effective_composition_top1 (_low, _high), the OoD accuracy less that; baseline_slope,
        baseline_r2, baseline_n;
    baseline_extrapolated, whether the ID accuracy lies outside the baseline's.
Examples:
    >>> import evaluate
    >>> metric = evaluate.load("compositional_ood")
    >>> result = metric.compute(predictions=[0, 1, 3], references=[0, 1, 2],
    ...                         attributes=[0, 0, 1, 1], objects=[0, 1, 0, 1])
    >>> round(result["composition_top1"], 3), result["attribute_top1"], result["chance"]
    (0.667, 1.0, 0.25)
    >>> result = metric.compute(ranks=[0, 2, 7], references=[0, 1, 2],
    ...                         attributes=list(range(9)), objects=[0] * 9)
    >>> round(result["composition_top1"], 3), round(result["composition_top5"], 3)
    (0.333, 0.667)
    >>> "object_top1" in result
    False
    >>> result = metric.compute(predictions=[2, 0], references=[2, 3], margins=[-0.5, 0.25],
    ...     side_ranks=[0, 0], id_predictions=[0, 1], id_references=[0, 1], id_margins=[1.0, 0.5],
    ...     id_side_ranks=[0, 0], seen_candidates=[True, True, False, False],
    ...     attributes=[0, 1, 0, 1], objects=[0, 1, 1, 0])
    >>> result["composition_top1"], result["seen_novel_auc"], result["best_harmonic_mean"]
    (0.5, 1.0, 1.0)
    >>> result = metric.compute(predictions=[0, 3], references=[0, 2], choices=[[0, 1], [2, 3]],
    ...                         attributes=[0, 0, 1, 1], objects=[0, 1, 0, 1])
    >>> result["composition_top1"], result["attribute_top1"], result["chance"]
    (0.5, 1.0, 0.5)
"""


def wilson(
    successes: float, n: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Wilson's score interval of a proportion (E. B. Wilson 1927, JASA 22:209-212, equation 4).

    ``n`` independent trials; an effective number need not be whole. Raises ValueError unless 0 <=
    successes <= n, n > 0 and 0 < confidence < 1.
    """
    _check_confidence(confidence)
    if not n > 0 or not 0 <= successes <= n:
        raise ValueError(
            f"successes must lie in 0..n with n above 0; got {successes} of {n}"
        )
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate, shrink = successes / n, 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / shrink
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def _highest_shares(
    gain: np.ndarray, share: np.ndarray, unseen: float, room: float
) -> tuple[np.ndarray, float]:
    """The distribution p of highest mean ``gain`` that Pearson's test does not reject: what it
    gives to each gain, and to ``unseen``.

    Those with sum(share^2 / p) <= 1 + room; ``share`` is what was seen of each gain, and ``unseen``
    is a gain that any p may hold though nothing of it was seen. By Lagrange p is proportional to
    share / sqrt(top - gain); ``unseen`` has the rest where top comes down to it.
    """
    best = max(float(gain.max()), unseen)

    def excess(above: float) -> float:
        root = np.sqrt(best + above - gain)
        return float((share / root).sum() * (share * root).sum()) - 1 - room

    if unseen > gain.max() and excess(0.0) <= 0:
        root = np.sqrt(unseen - gain)
        p = share / root * (share * root).sum() / (1 + room)
        return p, float(1 - p.sum())
    width = best - float(gain.min())
    near, far = width, width
    while far and excess(far) > 0:
        far *= 4
    while near > 1e-15 * width and excess(near) < 0:
        near /= 4
    if not near or near <= 1e-15 * width:
        alone = (gain == best).astype(float)
        return alone / max(1.0, alone.sum()), float(not alone.any())
    above = math.exp(
        brentq(
            lambda x: excess(math.exp(x)),
            math.log(near),
            math.log(far),
            xtol=1e-13,
        )
    )
    p = share / np.sqrt(best + above - gain)
    return p / p.sum(), 0.0


@dataclass(frozen=True)
class UniquePairs:
    """The different pairs of two lists in ascending order: ``first`` and ``second`` (k), the
    ``places`` (k) where each stands first, and how often, ``counts`` (k). ``numbers`` (n): by
    entry of the lists which pair it is.
    """

    first: np.ndarray
    second: np.ndarray
    places: np.ndarray
    counts: np.ndarray
    numbers: np.ndarray


def unique_pairs(first: np.ndarray, second: np.ndarray) -> UniquePairs:
    """The different pairs of two lists of equal length; `numpy.unique` of rows takes ten times
    as long.

    Example:
        >>> unique_pairs(np.array([4, 4, 2, 4]), np.array([0, 1, 5, 0])).numbers.tolist()
        [1, 2, 0, 1]
    """
    row = np.unique(first, return_inverse=True)[1]
    names, column = np.unique(second, return_inverse=True)
    places, numbers, counts = np.unique(
        row * len(names) + column,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )[1:]
    return UniquePairs(first[places], second[places], places, counts, numbers)


def _lower_bound(right: np.ndarray, n: np.ndarray, chi_square: float) -> float:
    """The lowest rate of a distribution of compositions that ``chi_square`` does not reject.

    Of a rate the distribution against it is found, and then the rate of that one, until it is the
    same (Dinkelbach 1967, Management Science 13:492-498): from above, by a few steps.
    """
    low, size = float(right.sum() / n.sum()), float((n**2).sum() / n.sum())
    kinds = unique_pairs(right, n)
    share, room = kinds.counts / len(n), chi_square / len(n)
    while low > 0:
        gain = low * kinds.second - kinds.first
        p, rest = _highest_shares(gain, share, low * size, room)
        rate = (p @ kinds.first) / (p @ kinds.second + rest * size)
        if rate > low - 1e-13:
            break
        low = float(rate)
    return low


def cluster_interval(
    right: Any, n: Any, confidence: float = 0.95
) -> tuple[float, float, float]:
    """(low, high, effective number of images) of sum(right) / sum(n), images coming in
    compositions.

    ``right``, ``n``: of each composition its right answers and its images. Compositions are taken
    as independent, not images. The bounds are the lowest and the highest rate of all distributions
    of compositions that Pearson's chi-square does not reject given these (empirical likelihood of
    the Cressie-Read family, Baggerly 1998, Biometrika 85:535-547), where a distribution may also
    hold compositions that were not seen, all wrong or all right: near 0 and 100 % that is what one
    does not know. With an image a composition this is Wilson's interval; with all images right, in
    compositions of one size, Wilson's with a composition counted as one image. For few compositions
    chi-square is the square of t in place of that of z (Korn and Graubard 1998, Survey Methodology
    24:193-201). The bounds are never inside Wilson's for independent images.

    As the set of distributions does not depend on the answers, one more right answer lowers neither
    bound, however the images are spread. The effective number is that of independent images whose
    Wilson interval is as wide. Compositions without images are left out.
    Raises ValueError as :func:`wilson`.
    """
    _check_confidence(confidence)
    right, n = np.asarray(right, float), np.asarray(n, float)
    if right.shape != n.shape or not ((right >= 0) & (right <= n)).all():
        raise ValueError(
            "of each composition's images 0 or more are right, and at most all of them"
        )
    right, n = right[n > 0], n[n > 0]
    total, count, tail = n.sum(), len(n), (1 + confidence) / 2
    z = NormalDist().inv_cdf(tail)
    few = (
        float(stdtrit(count - 1, tail) / stdtrit(total - 1, tail)) ** 2
        if 1 < count < total
        else 1.0
    )
    low, high = wilson(float(right.sum()), float(total), confidence)
    low = min(low, _lower_bound(right, n, z * z * few))
    high = max(high, 1 - _lower_bound(n - right, n, z * z * few))
    return (
        low,
        high,
        min(float(total), _as_wide(float(right.sum() / total), high - low, z)),
    )


def _as_wide(rate: float, width: float, z: float) -> float:
    """The number of images of which Wilson's interval at ``rate`` has this ``width``, below 1."""
    spread, square = 4 * rate * (1 - rate), width * width
    linear = spread - 2 * square
    root = (math.sqrt(linear * linear + 4 * (1 - square) * square) - linear) / (
        2 * (1 - square)
    )
    return z * z / root


def effective_images(right: Any, n: Any, confidence: float = 0.95) -> float:
    """How many independent images would tell the rate as well; see :func:`cluster_interval`."""
    return cluster_interval(right, n, confidence)[2]


def part_rates(
    right: Any, parts: Any, compositions: Any, confidence: float = 0.95
) -> list[dict[str, Any]]:
    """The rate of right answers of each attribute (or object), by its id.

    Args:
        right: bool N, whether each image is right.
        parts: int N, the attribute (or object) that each image shows; images without one, -1,
            are in no row.
        compositions: int N, a number 0.. for the composition that each image shows.
        confidence: of the intervals.

    Returns:
        Rows of ``id``, ``n`` images, ``rate`` 0..1 and the bounds ``low``, ``high`` of Wilson's
        interval, with the effective images of the whole set: a part has too few compositions to
        tell its own. They speak of these compositions.

    Example:
        >>> rows = part_rates([1, 0, 1, 1], [0, 0, 1, 1], [0, 1, 2, 3])
        >>> [(row["id"], row["n"], row["rate"]) for row in rows]
        [(0, 2, 0.5), (1, 2, 1.0)]
    """
    right, parts = np.asarray(right, bool), np.asarray(parts, np.int64)
    hits = np.bincount(compositions, weights=right)
    share = effective_images(hits, np.bincount(compositions), confidence) / len(
        right
    )
    rows = []
    for number in np.unique(parts[parts >= 0]):
        mine = right[parts == number]
        low, high = wilson(share * mine.sum(), share * len(mine), confidence)
        row = {"id": int(number), "n": len(mine), "rate": float(mine.mean())}
        rows.append(row | {"low": low, "high": high})
    return rows


def two_way_variance(
    right: Any, n: Any, attributes: Any, objects: Any
) -> tuple[float, int]:
    """(variance of sum(right) / sum(n), the smaller of the numbers of attributes and objects), both
    taken as drawn.

    ``right``, ``n``, ``attributes``, ``objects``: of each composition its right answers, its images
    and its parts; a composition may stand in several rows. Cluster-robust in two ways (Cameron,
    Gelbach and Miller 2011, Journal of Business and Economic Statistics 29:238-249, equation 2.11):
    V_attribute + V_object - V_composition, each with G / (G - 1) of its G clusters. Where that sum
    is below one of the three, which chance can do, it is the largest of them. Raises ValueError
    for fewer than two attributes or objects.
    """
    right, n = np.asarray(right, float), np.asarray(n, float)
    excess = right - n * right.sum() / n.sum()
    parts = [np.asarray(attributes), np.asarray(objects)]
    variances, sizes = [], []
    for cluster in (*parts, unique_pairs(*parts).numbers):
        number = np.unique(cluster, return_inverse=True)[1].reshape(-1)
        sums = np.bincount(number, weights=excess)
        sizes.append(len(sums))
        if sizes[-1] < 2:
            raise ValueError(
                "an interval for attributes and objects like these needs two of each at least"
            )
        share = sizes[-1] / (sizes[-1] - 1)
        variances.append(share * float((sums**2).sum()) / float(n.sum()) ** 2)
    both = variances[0] + variances[1] - variances[2]
    return max(both, *variances), min(sizes)


def two_way_interval(
    right: Any, n: Any, attributes: Any, objects: Any, confidence: float = 0.95
) -> tuple[float, float] | None:
    """(low, high) of sum(right) / sum(n) for attributes and objects like these.

    Arguments as :func:`two_way_variance`, whose variance makes an effective number of images for
    Wilson's interval; t of the smaller number of attributes or objects less 1 is in the place of z.
    The bounds are never inside those of :func:`cluster_interval`, which are for these attributes
    and objects. None where nothing tells how attributes and objects differ: fewer than two of
    either, or all answers alike. Simulated coverage: benchmarks/two_way_coverage.py.

    Example:
        >>> right, images = [8, 8, 2, 4], [8, 8, 8, 8]
        >>> low, high = two_way_interval(right, images, [0, 0, 1, 1], [0, 1, 0, 1])
        >>> low < cluster_interval(right, images)[0]
        True
    """
    wide = _two_way_bounds(right, n, attributes, objects, confidence)
    if wide is None:
        return None
    low, high, _ = cluster_interval(right, n, confidence)
    return min(low, wide[0]), max(high, wide[1])


def _two_way_bounds(
    right: Any, n: Any, attributes: Any, objects: Any, confidence: float
) -> tuple[float, float] | None:
    """:func:`two_way_interval` before it is compared with that of compositions."""
    rate = float(np.sum(right) / np.sum(n))
    try:
        variance, least = two_way_variance(right, n, attributes, objects)
    except ValueError:
        return None
    if variance <= 0:
        return None
    tail = (1 + float(confidence)) / 2
    quantiles = NormalDist().inv_cdf(tail), float(stdtrit(least - 1, tail))
    size = rate * (1 - rate) / variance * (quantiles[0] / quantiles[1]) ** 2
    return wilson(rate * size, size, confidence)


def pigeonhole_draws(
    right: Any, n: Any, attributes: Any, objects: Any, draws: int, seed: int = 0
) -> np.ndarray:
    """Rates of the pigeonhole bootstrap: attributes and objects are drawn again, each on its own.

    A composition counts as often as its attribute times as often as its object (Owen 2007, Annals
    of Applied Statistics 1:386-411). Arguments as :func:`two_way_variance`. Draws that hold no
    composition are left out.
    """
    rng, right, n = (
        np.random.default_rng(seed),
        np.asarray(right),
        np.asarray(n),
    )
    numbers = [
        np.unique(part, return_inverse=True)[1].reshape(-1)
        for part in (attributes, objects)
    ]
    step, rates = max(1, BLOCK // len(n)), []
    for start in range(0, draws, step):
        times = np.ones((min(step, draws - start), len(n)))
        for number in numbers:
            count = int(number.max()) + 1
            drawn = rng.multinomial(
                count, np.full(count, 1 / count), size=len(times)
            )
            times *= drawn[:, number]
        images = times @ n
        rates.append((times @ right)[images > 0] / images[images > 0])
    return np.concatenate(rates)


def joint_interval(
    function: Callable[[float, float], float],
    a: Sequence[float],
    b: Sequence[float],
) -> tuple[float, float]:
    """Interval of ``function`` of two independent rates, each (value, low, high), in which it is
    monotonic.

    What each end of either interval changes is added in squares (Newcombe 1998, Statistics in
    Medicine 17:873-890, method 10, for a difference; Zou and Donner 2008, Statistics in Medicine
    27:1693-1702, for others).
    """
    value = function(a[0], b[0])
    moves = [
        [function(end, b[0]) - value for end in a[1:]],
        [function(a[0], end) - value for end in b[1:]],
    ]
    down, up = (
        math.hypot(*(pick(0.0, *move) for move in moves)) for pick in (min, max)
    )
    return value - down, value + up


def harmonic_mean(a: float, b: float) -> float:
    """2 a b / (a + b), 0 if both are 0.

    For accuracies that one bias and one list give; no classifier has that of others.
    """
    return 2 * a * b / (a + b) if a + b else 0.0


def seen_and_novel(
    known: Sequence[float], novel: Sequence[float]
) -> dict[str, float]:
    """``gap`` (ID less OoD) with its interval, from (value, low, high) of ID and of OoD."""
    low, high = joint_interval(lambda a, b: a - b, known, novel)
    return {
        "gap": known[0] - novel[0],
        "gap_low": max(-1.0, low),
        "gap_high": min(1.0, high),
    }


def wide_gap(
    known: Sequence[float | None], novel: Sequence[float | None]
) -> dict[str, float]:
    """``gap_wide_low`` and ``gap_wide_high``, for attributes and objects like these.

    From (value, wide low, wide high) of ID and of OoD; {} where one has none. The two splits are
    taken as independent, which is cautious where they share attributes and objects, as what is
    hard is then hard in both.
    """
    if None in (*known, *novel):
        return {}
    both = seen_and_novel(
        *([float(v or 0) for v in some] for some in (known, novel))
    )
    return {
        key.replace(end, f"_wide{end}"): value
        for key, value in both.items()
        for end in ("_low", "_high")
        if key.endswith(end)
    }


def _check_confidence(confidence: Any) -> None:
    if (
        isinstance(confidence, bool)
        or not isinstance(confidence, (int, float, np.floating))
        # beyond, the normal distribution's quantiles are 0 or infinite in floating point
        or not 1e-9 <= confidence <= 1 - 1e-9
    ):
        raise ValueError(
            f"confidence must be a number between 0 and 1; got {confidence!r}; no nearer to them "
            "than 1e-9"
        )


def _whole(value: Any, name: str, what: str) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, np.integer))
        or value < 0
    ):
        raise ValueError(
            f"{name} is {what}, a whole number of 0 or more; got {value!r}"
        )


def _ids(values: Any, name: str, low: int, high: int | None) -> np.ndarray:
    """``values`` as int64, refusing what a silent cast would change; ``high`` is exclusive."""
    # no order in a dictionary's or set's entries, no entries in what iterates over column names
    sequence = isinstance(values, Sequence) or hasattr(values, "tolist")
    sequence = sequence or (
        hasattr(values, "__array__") and not hasattr(values, "columns")
    )
    if not sequence or isinstance(values, str):
        raise ValueError(
            f"{name} must be a list or an array with an entry an image or candidate; got "
            f"{' '.join(repr(values).split())[:100]}"
        )
    # a masked array is another type: its list tells what is missing
    plain = type(values) is np.ndarray and values.dtype.kind in "iubf"
    try:
        array = np.asarray(
            values.tolist()
            if hasattr(values, "tolist") and not plain
            else values
        )
    except ValueError as error:
        raise ValueError(
            f"{name}: every ranked list must have the same length"
        ) from error
    if array.size == 0:
        raise ValueError(f"{name} is empty; give at least one image")
    flat = array.ravel()
    if array.dtype.kind in "iu" and _holds_truth(values):
        # numpy makes numbers of truth values that stand among numbers
        for row, value in enumerate(values):
            inner = value if isinstance(value, (list, tuple)) else [value]
            if any(isinstance(v, (bool, np.bool_)) for v in inner):
                raise ValueError(
                    f"{name}[{row}] is {value!r}; ids are whole numbers (int)"
                )
    if (
        array.dtype.kind in "uf"
        and flat.max() >= 2.0**63
        and np.isfinite(flat).all()
    ):
        raise ValueError(f"{name} holds {int(flat.max())}; ids lie below 2^63")
    if array.dtype == object:
        for row, value in enumerate(array):
            inner = value if isinstance(value, (list, tuple)) else [value]
            if any(v is None for v in inner):
                raise ValueError(
                    f"{name}[{row}] is None; give an id, or {NO_PREDICTION} for no prediction"
                )
        raise ValueError(
            f"{name} must hold whole numbers, in lists of the same length"
        )
    if array.dtype.kind == "f":
        bad = (
            int(np.flatnonzero(~(flat == np.floor(flat)))[0])
            if (~(flat == np.floor(flat))).any()
            else 0
        )
        what = "NaN" if np.isnan(flat[bad]) else f"the float {flat[bad]}"
        row = bad // (array.shape[1] if array.ndim > 1 else 1)
        raise ValueError(
            f"{name}[{row}] is {what}; ids are whole numbers (int)"
        )
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold whole numbers; got {array.dtype}")
    outside = (flat < low) if high is None else ((flat < low) | (flat >= high))
    if outside.any():
        bad = int(np.flatnonzero(outside)[0])
        row = bad // (array.shape[1] if array.ndim > 1 else 1)
        what = (
            f"id; ids run from {low} on"
            if high is None
            else f"candidate id; ids run {low}..{high - 1}"
        )
        raise ValueError(f"{name}[{row}] is {flat[bad]}, which is no {what}")
    return array.astype(np.int64)


def _holds_truth(values: Any) -> bool:
    """Whether true or false stands in a list, or in one of its lists."""
    if not isinstance(values, (list, tuple)):
        return False
    kinds = set(map(type, values))
    if kinds & {list, tuple}:
        inner = (v for v in values if isinstance(v, (list, tuple)))
        kinds |= set(map(type, itertools.chain.from_iterable(inner)))
    return bool(kinds & {bool, np.bool_})


def _check_parts(
    attributes: Any, objects: Any, prefix: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    if attributes is None or objects is None:
        raise ValueError(
            f"{prefix}attributes and {prefix}objects are required: the ids of each candidate's "
            "parts"
        )
    attribute = _ids(attributes, f"{prefix}attributes", 0, None)
    thing = _ids(objects, f"{prefix}objects", 0, None)
    if attribute.shape != thing.shape or attribute.ndim != 1:
        raise ValueError(
            f"{prefix}attributes and {prefix}objects must be lists of the same length, one entry a "
            "candidate; "
            f"got {attribute.shape} and {thing.shape}"
        )
    pairs = unique_pairs(attribute, thing)
    if (pairs.counts > 1).any():
        place = int(pairs.places[pairs.counts > 1].min())
        raise ValueError(
            f"{prefix}attributes and {prefix}objects list the pair ({attribute[place]}, "
            f"{thing[place]}) of candidate "
            f"{place} more than once; a composition is one candidate"
        )
    return attribute, thing


def _check_ranks(
    ranks: Any, references: Any, candidates: int
) -> tuple[np.ndarray, np.ndarray]:
    rank = _ids(ranks, "ranks", NO_PREDICTION, candidates)
    right = _ids(references, "references", 0, candidates)
    if rank.ndim != 1 or rank.shape != right.shape:
        raise ValueError(
            f"ranks and references must be lists of equal length; got {rank.shape} and "
            f"{right.shape}"
        )
    return rank, right


@dataclass(frozen=True)
class Offered:
    """What each image was offered: of each choice its image, ``rows`` int64 (m), ascending, and its
    candidate, ``ids`` int64 (m).
    """

    rows: np.ndarray
    ids: np.ndarray

    @classmethod
    def of(cls, lists: Sequence[Any]) -> Offered:
        """Of a list of ids for each image."""
        rows = np.repeat(np.arange(len(lists)), [len(ids) for ids in lists])
        flat = list(itertools.chain.from_iterable(lists))
        return cls(rows, np.array(flat, np.int64))

    @property
    def counts(self) -> np.ndarray:
        """How many choices each image has."""
        return np.bincount(self.rows)

    def only(self, wanted: np.ndarray) -> Offered:
        """The choices that are marked, bool (m)."""
        return Offered(self.rows[wanted], self.ids[wanted])

    def mean_share(self, marks: np.ndarray) -> float:
        """The share of true ``marks`` (m) among the choices of an image, mean over images that have
        some.
        """
        n = self.counts
        right = np.bincount(self.rows, weights=marks)
        return float((right[n > 0] / n[n > 0]).mean())


def _check_choices(
    choices: Any, right: np.ndarray, candidates: int, prefix: str = ""
) -> Offered | None:
    """The ids offered to each image: whole numbers, each once, the right one among them."""
    if choices is None:
        return None
    name = f"{prefix}choices"
    if not hasattr(choices, "__len__") or isinstance(choices, str):
        raise ValueError(
            f"{name} must be a list of ids for each image; got {choices!r}"
        )
    if len(choices) != len(right):
        raise ValueError(
            f"{name} has {len(choices)} entries and {prefix}references {len(right)}"
        )
    if _are_sound(choices, right, candidates):
        return Offered.of(choices)
    return Offered.of(_choices_one_by_one(choices, right, candidates, name))


def _are_sound(choices: Any, right: np.ndarray, candidates: int) -> bool:
    """Whether choices are plain lists of whole numbers, and right, which is told at once; false
    for other forms, too.
    """
    if not all(type(mine) is list and mine for mine in choices):
        return False
    if set(map(type, itertools.chain.from_iterable(choices))) != {int}:
        return False
    try:
        offered = Offered.of(choices)
    except OverflowError:
        return False
    if offered.ids.min() < 0 or offered.ids.max() >= candidates:
        return False
    keys = offered.rows * candidates + offered.ids
    wanted = np.arange(len(right)) * candidates + right
    return bool(
        len(np.unique(keys)) == len(keys) and np.isin(wanted, keys).all()
    )


def _choices_one_by_one(
    choices: Any, right: np.ndarray, candidates: int, name: str
) -> list[np.ndarray]:
    """Choices of any form; ValueError names the first that is wrong."""
    offered = []
    for row, (mine, one) in enumerate(zip(choices, right, strict=True)):
        ids = _ids(mine, f"{name}[{row}]", 0, candidates)
        if ids.ndim != 1:
            raise ValueError(f"{name}[{row}] must be a list of ids")
        if len(np.unique(ids)) < len(ids):
            raise ValueError(f"{name}[{row}] offers a candidate more than once")
        if one not in ids:
            raise ValueError(
                f"{name}[{row}] lacks the right candidate {one}: no answer could be right"
            )
        offered.append(ids)
    return offered


def _check_chosen(
    offered: Offered, predicted: np.ndarray | None, prefix: str = ""
) -> None:
    """Predictions are among what the image was offered, or none."""
    if predicted is None:
        return
    most = max(int(offered.ids.max()), int(predicted.max())) + 1
    keys = np.arange(len(predicted))[:, None] * most + predicted
    there = np.isin(keys, offered.rows * most + offered.ids)
    strange = (predicted != NO_PREDICTION) & ~there
    if strange.any():
        row, place = np.argwhere(strange)[0]
        raise ValueError(
            f"{prefix}predictions[{row}] names {predicted[row, place]}, which is not among the "
            f"image's {prefix}choices"
        )


def _check_ranks_of_choices(offered: Offered, rank: np.ndarray) -> None:
    """A rank is below the number of the image's choices."""
    strange = np.flatnonzero(rank >= offered.counts)
    if len(strange):
        row = int(strange[0])
        raise ValueError(
            f"ranks[{row}] is {rank[row]}, and the image has {offered.counts[row]} choices"
        )


def _check(
    predictions: Any, references: Any, attribute: np.ndarray, prefix: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    predicted = _ids(
        predictions, f"{prefix}predictions", NO_PREDICTION, len(attribute)
    )
    right = _ids(references, f"{prefix}references", 0, len(attribute))
    if right.ndim != 1:
        raise ValueError(f"{prefix}references must be one id an image")
    if len(predicted) != len(right):
        raise ValueError(
            f"{prefix}predictions has {len(predicted)} entries and {prefix}references {len(right)}"
        )
    if predicted.ndim == 1:
        predicted = predicted[:, None]
    if predicted.ndim != 2:
        raise ValueError(f"{prefix}predictions must be ids or lists of ids")
    ordered = np.sort(predicted, axis=1)
    twice = (
        (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NO_PREDICTION)
    ).any(axis=1)
    if twice.any():
        raise ValueError(
            f"{prefix}predictions[{int(np.flatnonzero(twice)[0])}] names a candidate twice"
        )
    return predicted, right


def _interval(
    hits: np.ndarray,
    groups: np.ndarray,
    confidence: float,
    bootstrap: int,
    seed: int,
) -> tuple[float, float, float]:
    """(low, high, effective number of images), by formula or by the percentile bootstrap.

    The bootstrap draws compositions, and can't draw what none of them shows: its bounds are never
    inside those of the formula.
    """
    _, group = np.unique(groups, return_inverse=True)
    n, good = np.bincount(group), np.bincount(group, weights=hits)
    low, high, size = cluster_interval(good, n, confidence)
    if bootstrap:
        rng, step = np.random.default_rng(seed), max(1, BLOCK // len(n))
        rates = []
        for start in range(
            0, bootstrap, step
        ):  # a block at a time: memory does not grow with them
            drawn = rng.integers(
                len(n), size=(min(step, bootstrap - start), len(n))
            )
            rates.append(good[drawn].sum(1) / n[drawn].sum(1))
        tail = (1 - confidence) / 2
        ends = np.quantile(np.concatenate(rates), (tail, 1 - tail))
        low, high = min(low, ends[0]), max(high, ends[1])
    return float(low), float(high), size


def _wide_interval(
    hits: np.ndarray, parts: np.ndarray, how: tuple[float, int, int]
) -> tuple[float, float] | None:
    """:func:`_two_way_bounds` of images; a bootstrap can only widen them."""
    confidence, bootstrap, seed = how
    pairs = unique_pairs(*parts.T)
    right = np.bincount(pairs.numbers, weights=hits)
    shown = right, pairs.counts, pairs.first, pairs.second
    ends = _two_way_bounds(*shown, confidence)
    if ends is None or not bootstrap:
        return ends
    drawn = pigeonhole_draws(*shown, bootstrap, seed)
    low, high = np.quantile(drawn, tail_shares(confidence))
    return min(ends[0], float(low)), max(ends[1], float(high))


def _check_group_parts(group_parts: Any, default: np.ndarray) -> np.ndarray:
    """int N x 2: attribute and object of each image."""
    if group_parts is None:
        return default
    parts = _ids(group_parts, "group_parts", 0, None)
    if parts.shape != default.shape:
        raise ValueError(
            f"group_parts must be a pair (attribute id, object id) for each of {len(default)} "
            f"images; got {parts.shape}"
        )
    return parts


def _worst(hits: np.ndarray, ids: np.ndarray, name: str) -> dict[str, Any]:
    named, group, n = np.unique(ids, return_inverse=True, return_counts=True)
    rate = np.bincount(group, weights=hits) / n
    worst = int(rate.argmin())
    return {
        f"worst_{name}_id": int(named[worst]),
        f"worst_{name}_top1": float(rate[worst]),
        f"worst_{name}_n": int(n[worst]),
    }


def _chance(
    part: np.ndarray, right: np.ndarray, offered: Offered | None = None
) -> float:
    """Expected share of right parts of a random choice among the candidates, or those offered."""
    if offered is not None:
        alike = part[offered.ids] == part[right][offered.rows]
        return offered.mean_share(alike)
    _, number, count = np.unique(part, return_inverse=True, return_counts=True)
    return float((count[number][right] / len(part)).mean())


def first_is_right(ranks: Any) -> np.ndarray:
    """bool N: whether the right candidate comes first; ``ranks`` from 0, and -1 of an image
    without an answer, which is wrong.

    Example:
        >>> first_is_right([0, 3, -1]).tolist()
        [True, False, False]
    """
    return np.asarray(ranks, dtype=np.int64) == 0


def right_by_kind(
    predicted: np.ndarray,
    right: np.ndarray,
    attribute: np.ndarray,
    thing: np.ndarray,
) -> dict[str, np.ndarray]:
    """bool N each of ``composition``, ``attribute`` and ``object``: what each image got right.

    Args:
        predicted: N, the candidate that comes first; `NO_PREDICTION` of an image without an
            answer, which is wrong.
        right: N, the right candidate.
        attribute: By candidate its attribute's id.
        thing: By candidate its object's id.

    Example:
        >>> ids = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
        >>> hits = right_by_kind(np.array([0, 3]), np.array([0, 1]), *ids)
        >>> {kind: hit.tolist() for kind, hit in hits.items()}
        {'composition': [True, False], 'attribute': [True, False], 'object': [True, True]}
    """
    answered = predicted != NO_PREDICTION
    return {
        "composition": predicted == right,
        "attribute": answered & (attribute[predicted] == attribute[right]),
        "object": answered & (thing[predicted] == thing[right]),
    }


def _hits(
    predicted: np.ndarray,
    right: np.ndarray,
    attribute: np.ndarray,
    thing: np.ndarray,
) -> dict[str, np.ndarray]:
    """What each image got right, from ranked candidates N x K."""
    by_kind = right_by_kind(predicted[:, 0], right, attribute, thing)
    hits = {f"{kind}_top1": hit for kind, hit in by_kind.items()}
    if predicted.shape[1] >= 5:
        hits["composition_top5"] = (predicted[:, :5] == right[:, None]).any(
            axis=1
        )
    return hits


def score(
    predictions: Any = None,
    references: Any = None,
    attributes: Sequence[int] | None = None,
    objects: Sequence[int] | None = None,
    id_predictions: Any = None,
    id_references: Any = None,
    id_attributes: Sequence[int] | None = None,
    id_objects: Sequence[int] | None = None,
    confidence: float = 0.95,
    bootstrap: int = 0,
    seed: int = 0,
    ranks: Any = None,
    baseline: Mapping[str, Sequence[float]] | None = None,
    transform: str | None = None,
    groups: Any = None,
    choices: Any = None,
    id_choices: Any = None,
    group_parts: Any = None,
    seen_candidates: Any = None,
    margins: Any = None,
    side_ranks: Any = None,
    id_margins: Any = None,
    id_side_ranks: Any = None,
) -> dict[str, Any]:
    """The metric as a plain function; arguments and figures as the metric's own documentation says.

    Raises ValueError, in one line, for input that is empty, ragged, out of range or not whole
    numbers.
    """
    _check_options(
        confidence, bootstrap, seed, (predictions, ranks), (baseline, transform)
    )
    _check_seen(
        id_predictions, id_references, id_attributes, id_objects, baseline
    )
    if id_choices is not None and id_predictions is None:
        raise ValueError("id_choices are of id_predictions: give these too")
    attribute, thing = _check_parts(attributes, objects)
    if ranks is not None:
        rank, right = _check_ranks(ranks, references, len(attribute))
        predicted = None
        hits = {
            "composition_top1": first_is_right(rank),
            "composition_top5": (rank >= 0) & (rank < 5),
        }
    else:
        predicted, right = _check(predictions, references, attribute)
        hits = _hits(predicted, right, attribute, thing)
    offered = _check_choices(choices, right, len(attribute))
    if offered is not None:
        _check_chosen(offered, predicted if ranks is None else None)
        if ranks is not None:
            _check_ranks_of_choices(offered, rank)
    alike = right if groups is None else _ids(groups, "groups", 0, None)
    if alike.shape != right.shape:
        raise ValueError(
            f"groups has {len(alike)} entries and references {len(right)}"
        )
    shown = np.column_stack([attribute[right], thing[right]])
    shown = _check_group_parts(group_parts, shown)
    how = (confidence, bootstrap, seed)
    result: dict[str, Any] = {
        "n": len(right),
        "n_classes": len(attribute),
        "chance": 1 / len(attribute)
        if offered is None
        else float((1 / offered.counts).mean()),
    }
    for name, hit in hits.items():
        result |= _rate(name, hit, alike, shown, how)
    for name, part in (("attribute", attribute), ("object", thing)):
        result[f"{name}_chance"] = _chance(part, right, offered)
        result |= _worst(hits["composition_top1"], part[right], name)
    n = np.bincount(right)
    good = np.bincount(right, weights=hits["composition_top1"])
    result["balanced_composition_top1"] = float((good[n > 0] / n[n > 0]).mean())
    known = _seen_marks(seen_candidates, len(attribute))
    if predicted is not None:
        marks = {"same_attribute": attribute, "same_object": thing}
        if known is not None:
            marks["seen"] = known
        result |= error_shares(
            predicted[:, 0], right, alike, marks, offered, confidence
        )
    if id_predictions is not None:
        parts = (
            (attributes, objects)
            if id_attributes is None
            else (id_attributes, id_objects)
        )
        seen_attribute, seen_thing = _check_parts(*parts, "id_")
        seen, seen_right = _check(
            id_predictions, id_references, seen_attribute, "id_"
        )
        seen_offered = _check_choices(
            id_choices, seen_right, len(seen_attribute), "id_"
        )
        if seen_offered is not None:
            _check_chosen(seen_offered, seen, "id_")
        result |= _rate(
            "id_composition_top1",
            seen[:, 0] == seen_right,
            seen_right,
            np.column_stack(
                [seen_attribute[seen_right], seen_thing[seen_right]]
            ),
            how,
        )
        rates_seen, rates_novel = (
            [
                result[f"{key}composition_top1{end}"]
                for end in ("", "_low", "_high")
            ]
            for key in ("id_", "")
        )
        result |= seen_and_novel(rates_seen, rates_novel)
        result |= wide_gap(
            *(
                wide_ends(result, f"{key}composition_top1")
                for key in ("id_", "")
            )
        )
        if baseline is not None:
            result |= _beyond(
                result, baseline, transform or "logit", confidence, seed
            )
    curve = (margins, side_ranks, id_margins, id_side_ranks)
    if any(one is not None for one in curve):
        if (
            known is None
            or any(one is None for one in curve)
            or id_predictions is None
        ):
            raise ValueError(
                "the curve needs seen_candidates, margins, side_ranks, id_margins, id_side_ranks "
                "and id_predictions: give all of them"
            )
        if id_attributes is not None:
            raise ValueError(
                "the curve is of one list of candidates: leave id_attributes and id_objects out"
            )
        sides = (
            _side("id_", id_margins, id_side_ranks, seen_right, known, True),
            _side("", margins, side_ranks, right, known, False),
        )
        _check_side("id_", sides[0], seen[:, 0] == seen_right, 1)
        _check_side("", sides[1], hits["composition_top1"], -1)
        count = int(known.sum())
        counts = (count, len(known) - count)
        result |= curve_scores(
            (*sides[0], seen_right),
            (*sides[1], alike),
            candidates=counts,
            confidence=confidence,
            seed=seed,
        )
    return result


def _seen_marks(seen_candidates: Any, count: int) -> np.ndarray | None:
    """bool C, by candidate; None where it was not given."""
    if seen_candidates is None:
        return None
    marks = np.asarray(seen_candidates)
    if marks.dtype != bool or marks.shape != (count,):
        raise ValueError(
            "seen_candidates holds true or false for each candidate: "
            f"{count} of them; got {marks.dtype} {marks.shape}"
        )
    if marks.all() or not marks.any():
        raise ValueError(
            "seen_candidates must hold both seen and novel candidates"
        )
    return marks


def _side(
    prefix: str,
    margins: Any,
    ranks: Any,
    right: np.ndarray,
    known: np.ndarray,
    seen: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Margins and whether the right candidate is its side's best, checked. An image without an
    answer has the rank -1, and any finite margin.
    """
    rank = _ids(ranks, f"{prefix}side_ranks", NO_PREDICTION, len(known))
    try:
        margin = np.asarray(margins, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{prefix}margins must hold numbers") from error
    if rank.shape != right.shape or margin.shape != right.shape:
        raise ValueError(
            f"{prefix}margins and {prefix}side_ranks have an entry an image: {len(right)}; got "
            f"{margin.shape} and {rank.shape}"
        )
    if not np.isfinite(margin).all():
        row = int(np.flatnonzero(~np.isfinite(margin))[0])
        raise ValueError(
            f"{prefix}margins[{row}] is {margin[row]}; margins are finite"
        )
    strange = np.flatnonzero(known[right] != seen)
    if len(strange):
        row, side = int(strange[0]), "novel" if seen else "seen"
        raise ValueError(
            f"{prefix}references[{row}] is {right[row]}, a {side} candidate by seen_candidates"
        )
    return margin, first_is_right(rank)


def _check_side(
    prefix: str,
    side: tuple[np.ndarray, np.ndarray],
    hits: np.ndarray,
    sign: int,
) -> None:
    """ValueError where an image is right, and not by its rank and margin, or the reverse."""
    margin, best = side
    strange = (hits & ~(best & (sign * margin >= 0))) | (
        ~hits & best & (sign * margin > 0)
    )
    if strange.any():
        row = int(np.flatnonzero(strange)[0])
        said = "right" if hits[row] else "wrong"
        raise ValueError(
            f"{prefix}predictions[{row}] is {said}, which {prefix}margins[{row}] and "
            f"{prefix}side_ranks[{row}] belie"
        )


def _rate(
    name: str,
    hits: np.ndarray,
    groups: np.ndarray,
    parts: np.ndarray,
    how: tuple[float, int, int],
) -> dict[str, float]:
    low, high, size = _interval(hits, groups, *how)
    rate = {
        name: float(hits.mean()),
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_effective_n": size,
    }
    wide = _wide_interval(hits, parts, how)
    if wide is not None:
        ends = min(low, wide[0]), max(high, wide[1])
        rate |= {f"{name}_wide_low": ends[0], f"{name}_wide_high": ends[1]}
    return rate


def shown_interval(
    scores: Mapping[str, float], name: str
) -> tuple[float, float]:
    """(low, high) of an accuracy, gap or mean in ``scores``: for attributes and objects like these
    where that is there, else for these.
    """
    widest = [scores.get(f"{name}_wide{end}") for end in ("_low", "_high")]
    if None in widest:
        return scores[f"{name}_low"], scores[f"{name}_high"]
    return float(widest[0] or 0), float(widest[1] or 0)


def wide_ends(scores: Mapping[str, float], name: str) -> list[float | None]:
    """(value, two-way low, two-way high) of an accuracy in ``scores``; None for what is absent."""
    return [
        scores.get(f"{name}{end}") for end in ("", "_wide_low", "_wide_high")
    ]


def _beyond(
    result: dict[str, Any],
    baseline: Any,
    transform: str,
    confidence: float,
    seed: int,
) -> dict[str, Any]:
    """Effective generalization of the figures in ``result``, over as many images as they have
    independent ones.
    """
    keys = ("id_composition_top1", "composition_top1")
    sizes = [max(1, round(result[f"{key}_effective_n"])) for key in keys]
    rates = [result[key] for key in keys]
    return effective(
        (rates[0] * sizes[0], rates[1] * sizes[1]),
        (sizes[0], sizes[1]),
        baseline,
        transform,
        confidence,
        seed=seed,
    )


def _check_options(
    confidence: Any,
    bootstrap: Any,
    seed: Any,
    bounds: tuple[Any, Any],
    line: tuple[Any, Any],
) -> None:
    _check_confidence(confidence)
    _whole(bootstrap, "bootstrap", "a number of draws")
    if bootstrap > MOST_DRAWS:
        raise ValueError(
            f"bootstrap takes at most {MOST_DRAWS:,} draws; got {bootstrap:,}"
        )
    _whole(seed, "seed", "the bootstrap's start")
    if (bounds[0] is None) == (bounds[1] is None):
        raise ValueError("give predictions or ranks, one of the two")
    if line[0] is None and line[1] is not None:
        raise ValueError(
            "transform is the scale of a baseline's line: give baseline too"
        )


def _check_seen(
    predictions: Any,
    references: Any,
    attributes: Any,
    objects: Any,
    baseline: Any,
) -> None:
    """Refuse ID arguments that would be ignored."""
    if (predictions is None) != (references is None):
        raise ValueError(
            "id_predictions and id_references go together; give both or neither"
        )
    if (attributes is None) != (objects is None):
        raise ValueError(
            "id_attributes and id_objects go together; give both or neither"
        )
    if predictions is None and attributes is not None:
        raise ValueError(
            "id_attributes and id_objects describe id_predictions: give these too"
        )
    if predictions is None and baseline is not None:
        raise ValueError(
            "a baseline needs ID results: give id_predictions and id_references"
        )


class BaselineError(ValueError):
    """A baseline over which no effective generalization can be had; one line says why."""


@dataclass(frozen=True)
class Transform:
    """T and its inverse, on accuracies 0..1; ``bounded`` where T sends 0 and 1 to infinity."""

    forward: Callable[[np.ndarray], np.ndarray]
    inverse: Callable[[np.ndarray], np.ndarray]
    bounded: bool = True


TRANSFORMS = {
    "logit": Transform(logit, expit),
    "probit": Transform(ndtri, ndtr),
    "linear": Transform(
        lambda p: p, lambda z: np.clip(z, 0.0, 1.0), bounded=False
    ),
}


def transform_named(name: str) -> Transform:
    """The transform called ``name``; raises BaselineError for another name."""
    if not isinstance(name, str) or name not in TRANSFORMS:
        raise BaselineError(
            f"unknown transform {name!r}; choose one of {', '.join(TRANSFORMS)}"
        )
    return TRANSFORMS[name]


def inside_bounds(rate: Any, n: Any) -> np.ndarray:
    """Accuracies that every T can take: 0 and 1 become (n rate + 0.5) / (n + 1), others stay.

    The half success is the mean of Jeffreys' prior; ``n`` is the number of images.
    """
    rate, n = np.asarray(rate, float), np.asarray(n, float)
    return np.where((rate <= 0) | (rate >= 1), (rate * n + 0.5) / (n + 1), rate)


def transformed(name: str, rate: Any, n: Any) -> np.ndarray:
    """T(rate) on the scale ``name``, by :func:`inside_bounds` where T needs it."""
    transform = transform_named(name)
    within = (
        inside_bounds(rate, n) if transform.bounded else np.asarray(rate, float)
    )
    return transform.forward(within)


def jeffreys_draws(
    rate: Any, n: Any, rng: np.random.Generator, draws: int
) -> np.ndarray:
    """``draws`` x models accuracies that the counts allow: Beta(s + 1/2, n - s + 1/2), s = n rate.

    They have a width at 0 and at n successes too (Brown, Cai and DasGupta 2001, Statistical Science
    16:101).
    """
    n = np.asarray(n, float)
    successes = np.asarray(rate, float) * n
    size = (draws, np.size(rate))
    return rng.beta(successes + 0.5, n - successes + 0.5, size=size)


@dataclass(frozen=True)
class Accuracies:
    """What M models reach on S ID sets and on the OoD set, and on how many independent images.

    ``id``, ``n_id``: M x S; ``ood``, ``n_ood``: M. Accuracies are fractions.
    """

    id: np.ndarray
    n_id: np.ndarray
    ood: np.ndarray
    n_ood: np.ndarray

    def design(self, transform: str) -> np.ndarray:
        """M x (1 + S): a column of ones, then T of each ID accuracy."""
        ones = np.ones((len(self.id), 1))
        return np.hstack([ones, transformed(transform, self.id, self.n_id)])


@dataclass(frozen=True)
class BaselineLine:
    """A baseline's line. ``coefficients``: intercept, then one slope an ID set, on the scale
    ``transform``.

    ``runs``: independent baseline models. ``drawn``: bootstrap coefficients, draws x (1 + S).
    ``sd``: residual standard deviation on the scale. ``low``, ``high``: range of the baseline's
    accuracies on each ID set. ``gram``: inverse of X'X; ``leverage``: the largest x' gram x of the
    baseline.
    """

    transform: str
    runs: int
    coefficients: np.ndarray
    drawn: np.ndarray
    r2: float
    sd: float
    low: np.ndarray
    high: np.ndarray
    gram: np.ndarray
    leverage: float

    @property
    def free(self) -> int:
        """Degrees of freedom: independent models less coefficients."""
        return self.runs - len(self.coefficients)

    def widened(
        self, drawn: np.ndarray, point: np.ndarray, confidence: float
    ) -> np.ndarray:
        """Bootstrap draws moved away from ``point`` by what few baseline models call for.

        A bootstrap over n models with p coefficients uses the variance of n, not of n - p, degrees
        of freedom and the normal tail: its spread is multiplied by sqrt(n / (n - p)) t / z, t of
        n - p degrees of freedom.
        """
        upper = (1 + confidence) / 2
        tail = float(stdtrit(self.free, upper)) / NormalDist().inv_cdf(upper)
        return point + math.sqrt(self.runs / self.free) * tail * (drawn - point)

    def interval(self, confidence: float = 0.95) -> np.ndarray:
        """2 x coefficients: bootstrap interval of each coefficient."""
        drawn = self.widened(self.drawn, self.coefficients, confidence)
        return np.quantile(drawn, tail_shares(confidence), axis=0)

    def expected(self, models: Accuracies) -> np.ndarray:
        """The OoD accuracy that the line expects of each model."""
        on_scale = self.coefficients @ models.design(self.transform).T
        return transform_named(self.transform).inverse(on_scale)

    def expected_draws(
        self, models: Accuracies, rng: np.random.Generator, confidence: float
    ) -> np.ndarray:
        """draws x models: expected OoD accuracies, the line and each ID accuracy drawn anew."""
        x = models.design(self.transform)
        by_line = self.widened(
            self.drawn @ x.T, self.coefficients @ x.T, confidence
        )
        moved = np.zeros_like(by_line)
        for column, slope in enumerate(self.coefficients[1:]):
            n = models.n_id[:, column]
            drawn = jeffreys_draws(
                models.id[:, column], n, rng, len(self.drawn)
            )
            again = transformed(self.transform, drawn, n)
            moved += slope * (again - x[:, column + 1])
        return transform_named(self.transform).inverse(by_line + moved)

    def extrapolates(self, models: Accuracies) -> np.ndarray:
        """Whether a model lies beyond the baseline: in range on some ID set, or by leverage where
        there are several.
        """
        outside = ((models.id < self.low) | (models.id > self.high)).any(1)
        if models.id.shape[1] > 1:
            x = models.design(self.transform)
            leverage = np.einsum("mi,ij,mj->m", x, self.gram, x)
            outside |= leverage > self.leverage * (1 + 1e-9)
        return np.asarray(outside)


def tail_shares(confidence: float) -> tuple[float, float]:
    """The two quantiles that hold ``confidence`` between them."""
    return (1 - confidence) / 2, (1 + confidence) / 2


def _drawn_lines(
    x: np.ndarray,
    y: np.ndarray,
    run: np.ndarray,
    draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Coefficients over bootstrap samples of whole runs, draws x p; ``run`` numbers each model's.

    Samples that fix no line are drawn again.
    """
    count = int(run.max()) + 1
    outer, cross = x[:, :, None] * x[:, None, :], x * y[:, None]
    lines = np.empty((0, x.shape[1]))
    for _ in range(TRIES):
        times = rng.multinomial(count, np.full(count, 1 / count), size=draws)[
            :, run
        ]
        gram = np.einsum("dm,mij->dij", times, outer)
        enough = (times > 0).sum(1) >= x.shape[1]
        able = (np.linalg.cond(gram) < 1e10) & enough
        right = np.einsum("dm,mi->di", times[able], cross)[..., None]
        lines = np.concatenate(
            [lines, np.linalg.solve(gram[able], right)[..., 0]]
        )
        if len(lines) >= draws:
            return lines[:draws]
    raise BaselineError(
        "the baseline's models are too alike in ID accuracy: the bootstrap finds no line"
    )


def fit_line(
    baseline: Accuracies,
    transform: str = "logit",
    runs: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> BaselineLine:
    """Fit T(ood) = b0 + sum_s b_s T(id_s) by least squares over the ``baseline`` models.

    ``runs`` names what each model came from; the bootstrap draws whole runs (default: each its
    own). A baseline model's binomial noise is in its distance from the line, and so in the draws.
    Raises BaselineError for fewer independent models than coefficients + 1, or where their ID
    accuracies do not differ.
    """
    x = baseline.design(transform)
    y = transformed(transform, baseline.ood, baseline.n_ood)
    names = [str(i) for i in range(len(y))] if runs is None else list(runs)
    run = np.unique(names, return_inverse=True)[1].reshape(-1)
    count, width = len(set(names)), x.shape[1]
    if count < width + 1:
        raise BaselineError(
            f"the baseline has {count} independent model(s); a line over {width - 1} ID set(s) "
            f"needs {width + 1}"
        )
    if np.linalg.matrix_rank(x - x.mean(0) + np.eye(1, width)) < width:
        raise BaselineError(
            "the baseline's models do not differ enough in ID accuracy: no line can be fitted"
        )
    gram = np.linalg.inv(x.T @ x)
    coefficients = gram @ x.T @ y
    squares = float(((y - x @ coefficients) ** 2).sum())
    total = float(((y - y.mean()) ** 2).sum())
    return BaselineLine(
        transform=transform,
        runs=count,
        coefficients=coefficients,
        drawn=_drawn_lines(x, y, run, draws, np.random.default_rng(seed)),
        # models that are all alike in OoD accuracy differ by rounding alone
        r2=1 - squares / total if total > 1e-24 else 1.0,
        sd=math.sqrt(squares / len(y) * count / (count - width)),
        low=baseline.id.min(0),
        high=baseline.id.max(0),
        gram=gram,
        leverage=float(np.einsum("mi,ij,mj->m", x, gram, x).max()),
    )


def effective_draws(
    line: BaselineLine,
    models: Accuracies,
    confidence: float = 0.95,
    seed: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """(expected, reached) OoD accuracies, each draws x models; their difference is rho.

    A draw takes one bootstrap line, widened for few baseline models
    (:meth:`BaselineLine.widened`), and new ID and OoD accuracies from the model's counts
    (:func:`jeffreys_draws`).
    """
    rng = np.random.default_rng(seed)
    expected = line.expected_draws(models, rng, confidence)
    return expected, jeffreys_draws(
        models.ood, models.n_ood, rng, len(line.drawn)
    )


def _baseline(baseline: Any, transform: str) -> Accuracies:
    """The dictionary of two lists, or of four, checked."""
    if not isinstance(baseline, dict) or set(baseline) not in BASELINE_KEYS:
        raise BaselineError(
            "baseline is a dictionary of two lists: id and ood, the accuracies of the baseline "
            "models; and, if you like, of two more: id_images and ood_images"
        )
    try:
        lists = {
            key: np.asarray(some, dtype=float) for key, some in baseline.items()
        }
    except (TypeError, ValueError) as error:
        raise BaselineError(
            "baseline: id and ood hold accuracies, as numbers from 0 to 1"
        ) from error
    shapes = {some.shape for some in lists.values()}
    if len(shapes) > 1 or lists["id"].ndim != 1 or len(lists["id"]) < 3:
        raise BaselineError(
            "baseline needs id and ood of the same length, at least 3 models"
        )
    counted = "id_images" in lists
    for key, values in lists.items():
        _check_baseline(key, values, transform, counted)
    # without 0 and 1 among the accuracies the numbers of images play no part
    unknown = np.ones_like(lists["id"])
    known, novel = (
        lists.get(f"{key}_images", unknown) for key in ("id", "ood")
    )
    return Accuracies(lists["id"][:, None], known[:, None], lists["ood"], novel)


def _check_baseline(
    key: str, values: np.ndarray, transform: str, counted: bool
) -> None:
    """Raise BaselineError for what no accuracy, or no number of images, can be."""
    if key.endswith("_images"):
        within, what = (
            (values >= 1) & np.isfinite(values),
            "numbers of images are 1 or more",
        )
    elif counted or not transform_named(transform).bounded:
        within, what = (
            (values >= 0) & (values <= 1),
            "accuracies are fractions from 0 to 1",
        )
    else:
        within = (values > 0) & (values < 1)
        what = (
            f"accuracies are fractions, and {transform} takes none of 0 or 1: give (successes + "
            "0.5) / (images + 1) instead, or the numbers of images as id_images and ood_images"
        )
    if not within.all():
        row = int(np.flatnonzero(~within)[0])
        raise BaselineError(f"baseline {key}[{row}] is {values[row]}; {what}")


def effective(
    successes: tuple[float, float],
    images: tuple[int, int],
    baseline: Mapping[str, Sequence[float]],
    transform: str = "logit",
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """OoD accuracy beyond what the baseline's line expects at this ID accuracy (Taori et al. 2020,
    arXiv 2007.00644).

    ``successes`` and ``images`` are (ID, OoD), of independent images: where they come in
    compositions, of as many as :func:`effective_images` tells. rho = ood - T^-1(slope T(id) +
    intercept), the line fitted by least squares over the baseline models (:func:`fit_line`). 0 %
    and 100 % go into T as (successes + 0.5) / (images + 1), those of a baseline model if
    ``baseline`` has the lists ``id_images`` and ``ood_images``. The interval is of the percentiles
    of :func:`effective_draws`. Raises BaselineError, a ValueError, for a baseline that gives no
    line.
    """
    transform_named(transform)
    line = fit_line(
        _baseline(baseline, transform), transform, draws=draws, seed=seed
    )
    known, novel = (s / n for s, n in zip(successes, images, strict=True))
    model = Accuracies(
        np.array([[known]]),
        np.array([[images[0]]]),
        np.array([novel]),
        np.array([images[1]]),
    )
    expected = float(line.expected(model)[0])
    drawn, reached = effective_draws(line, model, confidence, seed + 1)
    low, high = np.quantile(reached - drawn, tail_shares(confidence))
    return {
        "expected_composition_top1": expected,
        "effective_composition_top1": novel - expected,
        "effective_composition_top1_low": float(low),
        "effective_composition_top1_high": float(high),
        "baseline_slope": float(line.coefficients[1]),
        "baseline_r2": line.r2,
        "baseline_n": line.runs,
        "baseline_extrapolated": bool(line.extrapolates(model)[0]),
    }


@dataclass(frozen=True)
class SeenNovelCurve:
    """Seen accuracy against novel accuracy as the bias of novel candidates rises.

    Point k holds for every bias above all lesser and up to the k-th of the margins at which an
    answer changes; ``bias`` is one within. ``seen`` falls from its highest to 0, ``novel`` rises
    from 0. All float64, of one length.
    """

    bias: np.ndarray
    seen: np.ndarray
    novel: np.ndarray

    @property
    def harmonic_means(self) -> np.ndarray:
        """2 a b / (a + b) of each point, 0 where both are 0."""
        total = self.seen + self.novel
        return 2 * self.seen * self.novel / np.where(total > 0, total, 1)

    @property
    def best(self) -> int:
        """The point of the highest harmonic mean; the first of several."""
        return int(self.harmonic_means.argmax())


def seen_novel_curve(
    seen_margins: Any, seen_right: Any, novel_margins: Any, novel_right: Any
) -> SeenNovelCurve:
    """The exact curve, every bias included (calibrated stacking, Chao et al. 2016, arXiv
    1605.04253).

    A bias is added to the score of each novel candidate. An image's margin is the score of its best
    seen candidate less that of its best novel one: with a bias up to its margin the answer is the
    seen one, above it the novel one. So no bias but the margins matters.

    Args:
        seen_margins: the margin of each image of a seen composition, finite.
        seen_right: whether its right candidate is the best of the seen ones.
        novel_margins, novel_right: the same of images of novel compositions, among the novel ones.

    Raises:
        ValueError: for margins that are not finite, lists of unlike length or no images.

    Example:
        >>> curve = seen_novel_curve([2.0, -1.0], [True, True], [1.0, -3.0], [True, True])
        >>> curve.seen.tolist(), curve.novel.tolist()
        ([1.0, 1.0, 0.5, 0.5, 0.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    seen, novel = (
        _margins_of_right(*pair)
        for pair in ((seen_margins, seen_right), (novel_margins, novel_right))
    )
    steps = np.unique(np.concatenate([seen, novel]))
    above = len(seen) - np.searchsorted(seen, steps)
    below = np.searchsorted(novel, steps)
    return SeenNovelCurve(
        _biases_between(steps),
        np.append(above, 0) / len(seen_margins),
        np.append(below, len(novel)) / len(novel_margins),
    )


def _margins_of_right(margins: Any, right: Any) -> np.ndarray:
    """The margins of the images whose right candidate is the best of its side, ascending."""
    margins, right = np.asarray(margins, float), np.asarray(right, bool)
    if margins.ndim != 1 or margins.shape != right.shape or not len(margins):
        raise ValueError(
            "margins and right are lists of one length, an entry an image"
        )
    if not np.isfinite(margins).all():
        row = int(np.flatnonzero(~np.isfinite(margins))[0])
        raise ValueError(
            f"margins[{row}] is {margins[row]}; margins are finite"
        )
    return np.sort(margins[right])


def _biases_between(steps: np.ndarray) -> np.ndarray:
    """A bias for each point: up to the first step, between each two, above the last."""
    if not len(steps):
        return np.zeros(1)
    middle = (steps[1:] + steps[:-1]) / 2
    middle = np.where(middle > steps[:-1], middle, steps[1:])
    # by more than what the sum of a score and a bias is rounded by
    above = steps[-1] + 1e-6 * max(1.0, abs(steps[-1]))
    return np.concatenate([steps[:1], middle, [above]])


def _overlaps(
    seen: np.ndarray,
    seen_right: np.ndarray,
    novel: np.ndarray,
    novel_right: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Of each image the share of the other side's images that some bias gets right beside it.

    Two images whose margins are equal count half, as the curve goes straight between its points.
    """
    some, others = np.sort(novel[novel_right]), np.sort(seen[seen_right])
    lower = [np.searchsorted(some, seen, side) for side in ("left", "right")]
    lower_share = (lower[0] + lower[1]) / 2 / len(novel)
    higher = [
        np.searchsorted(others, novel, side) for side in ("left", "right")
    ]
    higher_share = 1 - (higher[0] + higher[1]) / 2 / max(1, len(others))
    higher_share *= len(others) / len(seen)
    return lower_share * seen_right, higher_share * novel_right


def _cluster_variance(influence: np.ndarray, groups: np.ndarray) -> float:
    """Variance of a sum of ``influence`` (mean 0) over images that come in ``groups``."""
    total = np.bincount(
        np.unique(groups, return_inverse=True)[1], weights=influence
    )
    count = len(total)
    return float((total**2).sum()) * count / max(1, count - 1)


def curve_area(
    seen_margins: Any,
    seen_right: Any,
    seen_groups: Any,
    novel_margins: Any,
    novel_right: Any,
    novel_groups: Any,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """(area, low, high) under the curve of seen against novel accuracy, from 0 to 1.

    The area is the share of pairs of a seen and a novel image that some bias gets both right: a
    count of Mann and Whitney's, exact and without a curve. Its variance is that of DeLong et al.
    (1988, Biometrics 44:837-845), with compositions in place of images as independent (Obuchowski
    1997, Biometrics 53:567-578); the interval is Wilson's for as many independent images as have
    that variance, t for z where compositions are few. Where all is right or wrong these are the
    compositions of the side that has fewer.

    Args:
        seen_margins, seen_right, novel_margins, novel_right: as in :func:`seen_novel_curve`.
        seen_groups, novel_groups: of each image a number of its composition.
        confidence: coverage of the interval.

    Raises:
        ValueError: as :func:`seen_novel_curve`.
    """
    sides = [
        (np.asarray(m, float), np.asarray(r, bool), np.asarray(g))
        for m, r, g in (
            (seen_margins, seen_right, seen_groups),
            (novel_margins, novel_right, novel_groups),
        )
    ]
    for margins, right, _ in sides:
        _margins_of_right(margins, right)
    (seen, good, _), (novel, fine, _) = sides
    shares = _overlaps(seen, good, novel, fine)
    area = float(shares[0].mean())
    variance, counts = 0.0, []
    for share, (_, _, groups) in zip(shares, sides, strict=True):
        variance += _cluster_variance((share - area) / len(share), groups)
        counts.append(len(np.unique(groups)))
    size = float(min(counts))
    if variance > 0 and 0 < area < 1:
        tail = (1 + confidence) / 2
        few = stdtrit(max(1, size - 1), tail) / NormalDist().inv_cdf(tail)
        size = area * (1 - area) / (variance * float(few) ** 2)
    return (area, *wilson(area * size, size, confidence))


def held_out_rates(
    seen_margins: Any,
    seen_right: Any,
    seen_groups: Any,
    novel_margins: Any,
    novel_right: Any,
    novel_groups: Any,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """How often each seen and each novel image is right at a bias that was chosen without it.

    The compositions of both sides are halved at random; the bias of the best harmonic mean on one
    half judges the other, and the reverse. Means over ``HALVINGS`` halvings, each float64 from 0 to
    1. Arguments as in :func:`curve_area`, ``seed`` of the halvings.

    Raises:
        ValueError: where a side has fewer than ``FEWEST_TO_HALVE`` compositions.
    """
    sides = []
    for margins, right, groups in (
        (seen_margins, seen_right, seen_groups),
        (novel_margins, novel_right, novel_groups),
    ):
        names, number = np.unique(np.asarray(groups), return_inverse=True)
        if len(names) < FEWEST_TO_HALVE:
            raise ValueError(
                f"{len(names)} compositions of a side can't be halved: {FEWEST_TO_HALVE} are needed"
            )
        sides.append(
            (np.asarray(margins, float), np.asarray(right, bool), number)
        )
    rng = np.random.default_rng(seed)
    totals = [np.zeros(len(margins)) for margins, _, _ in sides]
    for _ in range(HALVINGS):
        halves = [
            (rng.permutation(number.max() + 1) % 2)[number]
            for _, _, number in sides
        ]
        for half in (0, 1):
            parts = [
                array[mine == half]
                for (margins, right, _), mine in zip(sides, halves, strict=True)
                for array in (margins, right)
            ]
            curve = seen_novel_curve(*parts)
            bias = curve.bias[curve.best]
            for side, (margins, right, _) in enumerate(sides):
                answered = margins >= bias if side == 0 else margins < bias
                totals[side] += (right & answered) * (halves[side] != half)
    return totals[0] / HALVINGS, totals[1] / HALVINGS


def field_evaluator(
    seen_margins: Any,
    seen_right: Any,
    novel_margins: Any,
    novel_right: Any,
    steps: int = 20,
) -> dict[str, float]:
    """Area and best harmonic mean as papers on compositional zero-shot learning compute them.

    Not all biases, but about ``steps`` of those at which a novel image's answer changes, each less
    1e-4, and one above all (Purushwalkam et al. 2019, arXiv 1905.05908); between them straight
    lines. For comparison with published figures only: the exact ones are no slower.

    Returns:
        ``auc``, ``best_harmonic_mean``, ``best_seen``, ``best_novel``: the highest of those biases.
        NaN where no novel image can be right.
    """
    seen = _margins_of_right(seen_margins, seen_right)
    novel = _margins_of_right(novel_margins, novel_right)
    if not len(novel):
        names = ("auc", "best_harmonic_mean", "best_seen", "best_novel")
        return dict.fromkeys(names, math.nan)
    biases = (novel - 1e-4)[:: max(len(novel) // steps, 1)]
    above = len(seen) - np.searchsorted(seen, biases)
    below = np.searchsorted(novel, biases)
    curve = SeenNovelCurve(
        np.append(biases, np.inf),
        np.append(above, 0) / len(seen_margins),
        np.append(below, len(novel)) / len(novel_margins),
    )
    return {
        "auc": float(np.trapezoid(curve.seen, curve.novel)),
        "best_harmonic_mean": float(curve.harmonic_means.max()),
        "best_seen": float(curve.seen.max()),
        "best_novel": float(curve.novel.max()),
    }


def curve_scores(
    seen: tuple[Any, Any, Any],
    novel: tuple[Any, Any, Any],
    candidates: tuple[int, int] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """All figures of the seen-novel curve.

    Args:
        seen, novel: of each image of that side (margins, right, groups): see :func:`curve_area`.
        candidates: how many seen and how many novel candidates there are, for chance.
        confidence: coverage of the intervals; they take compositions as independent.
        seed: of the halvings.

    Returns:
        ``seen_novel_auc`` (_low, _high); ``best_harmonic_mean`` with ``best_bias`` and the
        accuracies there, ``best_bias_seen_top1`` and ``best_bias_novel_top1``: the bias is chosen
        on the images that it judges, so these flatter; ``held_out_harmonic_mean`` (_low, _high),
        ``held_out_seen_top1`` and ``held_out_novel_top1``, from :func:`held_out_rates`, whose
        interval takes the biases as they are; left out below ``FEWEST_TO_HALVE`` compositions;
        ``highest_seen_top1`` and ``highest_novel_top1``: the ends of the curve. With
        ``candidates``: ``seen_novel_auc_chance`` and ``harmonic_mean_chance``, of a model whose
        scores are random, at its best bias.
    """
    curve = seen_novel_curve(*seen[:2], *novel[:2])
    best = curve.best
    area, low, high = curve_area(*seen, *novel, confidence=confidence)
    result = {
        "seen_novel_auc": area,
        "seen_novel_auc_low": low,
        "seen_novel_auc_high": high,
        "best_harmonic_mean": float(curve.harmonic_means[best]),
        "best_bias": float(curve.bias[best]),
        "best_bias_seen_top1": float(curve.seen[best]),
        "best_bias_novel_top1": float(curve.novel[best]),
        "highest_seen_top1": float(curve.seen.max()),
        "highest_novel_top1": float(curve.novel.max()),
    }
    if candidates is not None:
        roots = [math.sqrt(n) for n in candidates]
        result["seen_novel_auc_chance"] = 0.5 / (candidates[0] * candidates[1])
        result["harmonic_mean_chance"] = 2 / (roots[0] + roots[1]) ** 2
    few = min(len(np.unique(side[2])) for side in (seen, novel))
    if few >= FEWEST_TO_HALVE:
        result |= _held_out(seen, novel, confidence, seed)
    return result


def _held_out(
    seen: tuple[Any, Any, Any],
    novel: tuple[Any, Any, Any],
    confidence: float,
    seed: int,
) -> dict[str, float]:
    rates = held_out_rates(*seen, *novel, seed=seed)
    both = []
    for hits, (_, _, groups) in zip(rates, (seen, novel), strict=True):
        low, high, _ = _interval(hits, np.asarray(groups), confidence, 0, 0)
        both.append((float(hits.mean()), low, high))
    low, high = joint_interval(harmonic_mean, *both)
    return {
        "held_out_harmonic_mean": harmonic_mean(both[0][0], both[1][0]),
        "held_out_harmonic_mean_low": max(0.0, low),
        "held_out_harmonic_mean_high": min(1.0, high),
        "held_out_seen_top1": both[0][0],
        "held_out_novel_top1": both[1][0],
    }


def error_shares(
    first: np.ndarray,
    right: np.ndarray,
    groups: np.ndarray,
    marks: Mapping[str, np.ndarray],
    offered: Offered | None = None,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """Where wrong answers fall: how many share a mark with the right candidate, beside chance.

    Args:
        first: int N: of each image the candidate that was named; -1 for no answer, left out.
        right: int N: the right candidate.
        groups: int N: the composition of each image; these are taken as independent.
        marks: by name of each candidate a number; an answer shares it where it is the same, or,
            given as bool, where it is true.
        offered: of each image the candidates that it chose from, where not all.
        confidence: coverage of the intervals.

    Returns:
        ``errors_n`` and, unless it is 0, for each name ``errors_NAME`` (_low, _high), of the wrong
        answers, and ``errors_NAME_chance``: what a wrong answer picked at random would give.
    """
    wrong = np.flatnonzero((first != NO_PREDICTION) & (first != right))
    result: dict[str, Any] = {"errors_n": len(wrong)}
    if not len(wrong):
        return result
    others = None
    if offered is not None:
        other = offered.ids != right[offered.rows]
        others = offered.only(other & np.isin(offered.rows, wrong))
    for name, mark in marks.items():
        same = mark[first[wrong]] == (mark.dtype == bool or mark[right[wrong]])
        low, high, _ = _interval(same, groups[wrong], confidence, 0, 0)
        result |= {
            f"errors_{name}": float(same.mean()),
            f"errors_{name}_low": low,
            f"errors_{name}_high": high,
            f"errors_{name}_chance": _chance_of_errors(
                mark, right, wrong, others
            ),
        }
    return result


def _chance_of_errors(
    mark: np.ndarray,
    right: np.ndarray,
    wrong: np.ndarray,
    others: Offered | None,
) -> float:
    """The share that has the mark among all wrong candidates, mean over the images ``wrong``.

    ``others``: the wrong candidates that these images were offered, where not all were.
    """
    if others is not None:
        wanted = mark.dtype == bool or mark[right][others.rows]
        return others.mean_share(mark[others.ids] == wanted)
    right = right[wrong]
    if mark.dtype == bool:
        alike = mark.sum() - mark[right]
    else:
        _, number, count = np.unique(
            mark, return_inverse=True, return_counts=True
        )
        alike = count[number][right] - 1
    return float(alike.mean() / (len(mark) - 1))


class _Face:
    """``evaluate``'s face of :func:`score`; the class that it loads is this and its Metric."""

    def _info(self) -> Any:
        import datasets
        import evaluate

        one = datasets.Features(
            {
                "predictions": datasets.Value("int64"),
                "references": datasets.Value("int64"),
            }
        )
        many = datasets.Features(
            {
                "predictions": datasets.Sequence(datasets.Value("int64")),
                "references": datasets.Value("int64"),
            }
        )
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS,
            features=[one, many],
            reference_urls=[
                "https://arxiv.org/abs/2403.18525",
                "https://arxiv.org/abs/2407.05897",
            ],
        )

    #: Whether the batches that are stored hold ranked lists; None where none is.
    _ranked: bool | None = None
    #: How many images the batches that are stored hold.
    _stored: int = 0

    def _raw(self, predictions: Any, references: Any) -> bool | None:
        """Refuse before storage what its columns would cut off, let through or tell in many lines.

        Returns whether predictions are ranked lists; None where there are none.
        """
        ranked = None
        if predictions is not None:
            shape = _ids(predictions, "predictions", NO_PREDICTION, None).shape
            if len(shape) not in (1, 2):
                raise ValueError(
                    f"predictions must be ids or lists of ids; got {shape}"
                )
            ranked = len(shape) == 2
            if self._ranked not in (None, ranked):
                raise ValueError(
                    "predictions are ids in one batch and ranked lists in another; give all alike"
                )
        if references is not None:
            shape = _ids(references, "references", 0, None).shape
            if len(shape) != 1:
                raise ValueError(
                    f"references must be one id an image; got {shape}"
                )
        if (
            predictions is not None
            and references is not None
            and len(predictions) != len(references)
        ):
            raise ValueError(
                f"predictions has {len(predictions)} entries and references {len(references)}"
            )
        return ranked

    def compute(
        self, *, predictions: Any = None, references: Any = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """See the class documentation."""
        if kwargs.get("ranks") is not None:
            if self.writer is not None:  # type: ignore[attr-defined]
                raise ValueError(
                    "ranks go into one call of compute, and images were added before it: call "
                    "compute without ranks for those, or load the metric anew"
                )
            return score(predictions, references, **kwargs)
        if (predictions is None) != (references is None):
            raise ValueError(
                "predictions and references go together; give both"
            )
        self._raw(predictions, references)
        if predictions is not None:
            kwargs["predictions"] = predictions
        if references is not None:
            kwargs["references"] = references
        earlier = self._stored
        try:
            answer = super().compute(**kwargs)  # type: ignore[misc]
        except BaseException:
            self._take_back(earlier)
            raise
        self._ranked, self._stored = None, 0
        return answer  # type: ignore[no-any-return]

    def _take_back(self, earlier: int) -> None:
        """After a ``compute`` that failed: the images of the ``earlier`` calls are stored again.

        Its file is removed and its lock freed, for which the next call would wait a second.
        """
        stored: Any = self
        if stored.data is None:
            return
        kept = {
            name: stored.data[name][:earlier]
            for name in ("predictions", "references")
        }
        stored.data = stored.buf_writer = None
        for path in stored.file_paths or ():
            Path(path).unlink()
        for lock in reversed(stored.filelocks or ()):
            lock.release()
        stored.file_paths = stored.filelocks = None
        self._ranked, self._stored = None, 0
        # what other processes stored is counted by a run of all of them
        if earlier and stored.num_process == 1:
            self.add_batch(**kept)

    def add_batch(
        self, *, predictions: Any = None, references: Any = None, **kwargs: Any
    ) -> None:
        """Store a batch; checked as in ``compute``."""
        ranked = self._raw(predictions, references)
        stored = {"predictions": predictions, "references": references}
        super().add_batch(**stored, **kwargs)  # type: ignore[misc]
        self._ranked = ranked
        self._stored += len(predictions)

    def add(
        self, *, prediction: Any = None, reference: Any = None, **kwargs: Any
    ) -> None:
        """Store one image."""
        ranked = self._raw([prediction], [reference])
        stored = {"prediction": prediction, "reference": reference}
        super().add(**stored, **kwargs)  # type: ignore[misc]
        self._ranked = ranked
        self._stored += 1

    def _compute(
        self, predictions: Any, references: Any, **kwargs: Any
    ) -> dict[str, Any]:
        return score(predictions, references, **kwargs)


def _metric_class() -> type:
    """``CompositionalOOD``, the metric as `evaluate` has them; to import that takes seconds, which
    whoever wants a function of this file alone is spared.
    """
    import evaluate

    documented = evaluate.utils.file_utils.add_start_docstrings(
        _DESCRIPTION, _KWARGS
    )
    facts = {"__module__": __name__, "__doc__": _Face.__doc__}
    return documented(type("CompositionalOOD", (_Face, evaluate.Metric), facts))  # type: ignore[no-any-return]


def __getattr__(name: str) -> Any:
    if name != "CompositionalOOD":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, _metric_class())


if hasattr(sys.modules.get("evaluate"), "Metric"):
    # `evaluate`, which loads this file, looks for a class in it
    CompositionalOOD = _metric_class()
