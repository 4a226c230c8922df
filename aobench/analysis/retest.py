"""Test and retest: two results on new images of the same compositions.

How far would the order of compositions be the same with other images of each? Their accuracies are
counts of few images, so that the plain correlation is too low: here it is corrected for that
(Spearman 1904, American Journal of Psychology 15:72-101, attenuation), by each result's
unbiased variance within compositions, p (1 - p) / (n - 1). The difference between the two sets of
images says whether the second was harder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from aobench.analysis.paired import two_way_test
from aobench.errors import UserError
from aobench.results.hits import right_answers, task_of_kind
from aobench.results.predictions import Predictions

DRAWS = 2000
#: Compositions below which the correlation says nothing.
FEWEST = 10


@dataclass(frozen=True)
class RetestReport:
    """Two results on other images of ``compositions`` compositions that both have.

    ``first``, ``second``: means over compositions, fractions; ``difference``: second less first,
    with intervals for these attributes and objects (``low``, ``high``) and like these (``wide_``;
    None with one of either). ``correlation`` as counted, ``corrected`` for the number of images
    with a bootstrap over compositions; None where compositions do not differ by more than chance.
    ``left_out``: compositions that one alone has, or has one image of.
    """

    kind: str
    split: str
    compositions: int
    left_out: int
    images: tuple[int, int]
    first: float
    second: float
    difference: float
    low: float
    high: float
    wide_low: float | None
    wide_high: float | None
    correlation: float
    corrected: float | None
    corrected_low: float | None
    corrected_high: float | None
    notes: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """As a dictionary."""
        return asdict(self)

    def text(self) -> str:
        """As it is printed."""
        from aobench.analysis.effective_report import in_points

        first, second = self.images
        narrow = in_points(self.low, self.difference, self.high).strip()
        lines = [f"Note: {note}." for note in self.notes]
        lines += [
            f"{self.kind} accuracy on {self.split}, {self.compositions:,} compositions with "
            f"{first:,} images and {second:,} others"
            + (
                f" ({self.left_out:,} compositions left out)"
                if self.left_out
                else ""
            )
            + ":",
            f"  first {100 * self.first:.1f} %, second {100 * self.second:.1f} %, means over "
            "compositions",
            f"  second less first {narrow} points for these attributes and objects",
        ]
        if self.wide_low is not None and self.wide_high is not None:
            wide = in_points(
                self.wide_low, self.difference, self.wide_high
            ).strip()
            lines.append(
                f"  second less first {wide} points for others like these"
            )
        lines.append(
            f"  correlation over compositions {self.correlation:.2f}, as counted"
        )
        if self.corrected is None:
            lines.append(
                "  corrected for the number of images: nothing, as compositions differ by no more "
                "than chance"
            )
        else:
            lines.append(
                f"  corrected for the number of images {self.corrected:.2f} "
                f"[{self.corrected_low:.2f}, {self.corrected_high:.2f}]: 1 where other images of a "
                "composition are as hard"
            )
        return "\n".join([*lines, "  Intervals 95 %."])


@dataclass(frozen=True)
class _Counts:
    """By composition, named by its words: right answers and images."""

    right: dict[tuple[str, str], int]
    n: dict[tuple[str, str], int]
    samples: frozenset[str]


def _counts(predictions: Predictions, split: str, kind: str) -> _Counts:
    task = task_of_kind(predictions, split, kind)
    ids, hits, _ = right_answers(predictions, split, kind, task)
    rows, candidates = (
        predictions.split(split, task),
        predictions.lists[task][split],
    )
    right: dict[tuple[str, str], int] = {}
    n: dict[tuple[str, str], int] = {}
    names, objects = candidates.attribute_names, candidates.object_names
    for a, o, hit in zip(rows["attribute"], rows["object"], hits, strict=True):
        key = (
            names[a] if names and a >= 0 else str(a),
            objects[o] if objects else str(o),
        )
        right[key] = right.get(key, 0) + int(hit)
        n[key] = n.get(key, 0) + 1
    return _Counts(right, n, frozenset(ids))


def retest_results(
    first: Predictions,
    second: Predictions,
    split: str = "ood",
    kind: str = "composition",
    seed: int = 0,
) -> RetestReport:
    """Compare one model's results on two sets of images of the same compositions.

    Raises UserError where they share images, and for fewer than FEWEST compositions with two
    images in each.
    """
    both = [_counts(one, split, kind) for one in (first, second)]
    if same := both[0].samples & both[1].samples:
        raise UserError(
            f"{len(same):,} images stand in both results, such as {sorted(same)[0]!r}; a retest is "
            "on other images: compare results on the same ones by `imagenet-ao compare`"
        )
    every = set(both[0].n) | set(both[1].n)
    common = sorted(
        key for key in every if all(one.n.get(key, 0) > 1 for one in both)
    )
    if len(common) < FEWEST:
        raise UserError(
            f"the results share {len(common)} compositions with two images or more in each; a "
            f"retest needs {FEWEST}"
        )
    n = np.array([[one.n[key] for key in common] for one in both], float)
    rates = np.array([[one.right[key] for key in common] for one in both]) / n
    parts = [
        np.unique([key[i] for key in common], return_inverse=True)[1]
        for i in (0, 1)
    ]
    gained = rates[1] - rates[0]
    low_wide, high_wide, _ = two_way_test(gained, np.ones(len(common)), *parts)
    drawn = np.random.default_rng(seed).integers(
        len(common), size=(DRAWS, len(common))
    )
    low, high = np.quantile(gained[drawn].mean(1), (0.025, 0.975))
    corrected, ends = _corrected(rates, n, drawn)
    return RetestReport(
        kind,
        split,
        len(common),
        len(every) - len(common),
        (int(n[0].sum()), int(n[1].sum())),
        float(rates[0].mean()),
        float(rates[1].mean()),
        float(gained.mean()),
        float(low),
        float(high),
        low_wide,
        high_wide,
        _plain_correlation(rates),
        corrected,
        *ends,
        _notes(first, second, split, kind),
    )


def _plain_correlation(rates: np.ndarray) -> float:
    if (np.ptp(rates, axis=1) == 0).any():
        return 0.0
    return float(np.corrcoef(rates)[0, 1])


def true_parts(
    rates: np.ndarray, n: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(covariance, variances) over compositions without counting noise; ``rates`` and ``n``: ... x
    2 x compositions. Unbiased: images of a composition are independent given it.
    """
    middle = rates - rates.mean(-1, keepdims=True)
    free = rates.shape[-1] - 1
    covariance = (middle[..., 0, :] * middle[..., 1, :]).sum(-1) / free
    noise = (rates * (1 - rates) / (n - 1)).mean(-1)
    return covariance, (middle**2).sum(-1) / free - noise


def _ratio(covariance: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """The correlation; NaN where a variance is not above 0."""
    product = np.where(
        (variances > 0).all(-1), np.abs(variances.prod(-1)), np.nan
    )
    return np.asarray(covariance / np.sqrt(product))


def _corrected(
    rates: np.ndarray, n: np.ndarray, drawn: np.ndarray
) -> tuple[float | None, tuple[float | None, float | None]]:
    value = float(_ratio(*true_parts(rates, n)))
    if not np.isfinite(value):
        return None, (None, None)
    again, sizes = (one[:, drawn].swapaxes(0, 1) for one in (rates, n))
    values = _ratio(*true_parts(again, sizes))
    low, high = np.nanquantile(values, (0.025, 0.975))
    return min(value, 1.0), (float(low), float(min(high, 1.0)))


def _notes(
    first: Predictions, second: Predictions, split: str, kind: str
) -> tuple[str, ...]:
    notes = []
    models = [one.provenance["model"]["id"] for one in (first, second)]
    if models[0] != models[1]:
        notes.append(
            f"the models differ ({models[0]} and {models[1]}), which is part of the difference"
        )
    lists: Sequence[str] = [
        one.lists[task_of_kind(one, split, kind)][split].hash
        for one in (first, second)
    ]
    if lists[0] != lists[1]:
        notes.append(
            "the candidates differ, which is part of the difference, too"
        )
    return tuple(notes)
