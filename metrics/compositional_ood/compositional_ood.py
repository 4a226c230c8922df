"""Compositional out-of-distribution accuracy: compositions, attributes and objects, with intervals and chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import datasets
import evaluate
import numpy as np

NO_PREDICTION = -1

_CITATION = """\
@misc{abbasi2024language,
  title={Language Plays a Pivotal Role in the Object-Attribute Compositional Generalization of CLIP},
  author={Reza Abbasi and Mohammad Samiei and Mohammad Hossein Rohban and Mahdieh Soleymani Baghshah},
  year={2024}, eprint={2403.18525}, archivePrefix={arXiv}
}
"""

_DESCRIPTION = """\
How often a model names the right attribute-object composition, the right attribute and the right object, among a
stated list of candidate compositions. With results on seen compositions (ID) too, the gap between seen and novel.
All accuracies are fractions from 0 to 1 and come with an interval and their chance level.
"""

_KWARGS = """
Args:
    predictions: for each image a list of candidate ids, best first (all equally long), or one id. -1 means that the
        model gave no answer (an unreadable image): it counts as wrong.
    ranks: instead of predictions, for each image the rank of its right candidate, 0 = first, -1 = no answer.
        Attribute and object accuracy need predictions and are then left out. In one call of compute only.
    references: for each image the id of the right candidate.
    attributes: for each candidate its attribute id. Required.
    objects: for each candidate its object id. Required.
    id_predictions, id_references, id_attributes, id_objects: the same for seen compositions; all four or none
        (the last two default to attributes and objects).
    confidence: coverage of the intervals, 0 < confidence < 1; default 0.95.
    bootstrap: 0 for Wilson intervals (images independent); else the number of bootstrap draws over compositions.
    seed: of the bootstrap.
    baseline: for effective generalization, the accuracies of baseline models on the same two sets, as fractions:
        {"id": [..], "ood": [..]} with at least 3 models, two of them with unlike ID accuracy. Needs ID results.
    transform: "logit" (default), "probit" or "linear": the scale on which the baseline's line is fitted.
Returns:
    composition_top1, composition_top5 (rankings of at least 5), attribute_top1, object_top1, each with _low, _high;
    balanced_composition_top1: mean over compositions of their accuracy;
    worst_attribute_id, worst_attribute_top1, worst_attribute_n, and the same for objects;
    n: images; n_classes: candidates; chance, attribute_chance, object_chance: expected accuracy of a random choice;
    with ID results: id_composition_top1 (_low, _high), gap (ID less OoD), harmonic_mean;
    with a baseline: expected_composition_top1, what the baseline's line expects at this ID accuracy;
    effective_composition_top1 (_low, _high), the OoD accuracy less that; baseline_slope, baseline_r2, baseline_n;
    baseline_extrapolated, whether the ID accuracy lies outside the baseline's.
Examples:
    >>> import evaluate
    >>> metric = evaluate.load("compositional_ood")
    >>> result = metric.compute(predictions=[0, 1, 3], references=[0, 1, 2],
    ...                         attributes=[0, 0, 1, 1], objects=[0, 1, 0, 1])
    >>> round(result["composition_top1"], 3), result["attribute_top1"], result["chance"]
    (0.667, 1.0, 0.25)
    >>> result = metric.compute(ranks=[0, 2, 7], references=[0, 1, 2], attributes=list(range(9)), objects=[0] * 9)
    >>> round(result["composition_top1"], 3), round(result["composition_top5"], 3), "object_top1" in result
    (0.333, 0.667, False)
"""


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (E. B. Wilson 1927, JASA 22:209-212, equation 4).

    Raises ValueError unless 0 <= successes <= n, n >= 1 and 0 < confidence < 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}")
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0..n with n at least 1; got {successes} of {n}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate, shrink = successes / n, 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / shrink
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def _ids(values: Any, name: str, low: int, high: int | None) -> np.ndarray:
    """``values`` as int64, refusing what a silent cast would change; ``high`` is exclusive."""
    try:
        array = np.asarray(values.tolist() if hasattr(values, "tolist") else values)
    except ValueError as error:
        raise ValueError(f"{name}: every ranked list must have the same length") from error
    if array.size == 0:
        raise ValueError(f"{name} is empty; give at least one image")
    flat = array.ravel()
    if array.dtype == object:
        for row, value in enumerate(array):
            inner = value if isinstance(value, (list, tuple)) else [value]
            if any(v is None for v in inner):
                raise ValueError(f"{name}[{row}] is None; give an id, or {NO_PREDICTION} for no prediction")
        raise ValueError(f"{name} must hold whole numbers, in lists of the same length")
    if array.dtype.kind == "f":
        bad = int(np.flatnonzero(~(flat == np.floor(flat)))[0]) if (~(flat == np.floor(flat))).any() else 0
        what = "NaN" if np.isnan(flat[bad]) else f"the float {flat[bad]}"
        row = bad // (array.shape[1] if array.ndim > 1 else 1)
        raise ValueError(f"{name}[{row}] is {what}; ids are whole numbers (int)")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold whole numbers; got {array.dtype}")
    outside = (flat < low) if high is None else ((flat < low) | (flat >= high))
    if outside.any():
        bad = int(np.flatnonzero(outside)[0])
        row = bad // (array.shape[1] if array.ndim > 1 else 1)
        upper = "" if high is None else f"..{high - 1}"
        raise ValueError(f"{name}[{row}] is {flat[bad]}, which is no candidate id; ids run {low}{upper}")
    return array.astype(np.int64)


def _check_parts(attributes: Any, objects: Any, prefix: str = "") -> tuple[np.ndarray, np.ndarray]:
    if attributes is None or objects is None:
        raise ValueError(f"{prefix}attributes and {prefix}objects are required: the ids of each candidate's parts")
    attribute = _ids(attributes, f"{prefix}attributes", 0, None)
    thing = _ids(objects, f"{prefix}objects", 0, None)
    if attribute.shape != thing.shape or attribute.ndim != 1:
        raise ValueError(
            f"{prefix}attributes and {prefix}objects must be lists of the same length, one entry a candidate; "
            f"got {attribute.shape} and {thing.shape}"
        )
    return attribute, thing


def _check_ranks(ranks: Any, references: Any, candidates: int) -> tuple[np.ndarray, np.ndarray]:
    rank = _ids(ranks, "ranks", NO_PREDICTION, candidates)
    right = _ids(references, "references", 0, candidates)
    if rank.ndim != 1 or rank.shape != right.shape:
        raise ValueError(f"ranks and references must be lists of equal length; got {rank.shape} and {right.shape}")
    return rank, right


def _check(predictions: Any, references: Any, attribute: np.ndarray, prefix: str = "") -> tuple[np.ndarray, np.ndarray]:
    predicted = _ids(predictions, f"{prefix}predictions", NO_PREDICTION, len(attribute))
    right = _ids(references, f"{prefix}references", 0, len(attribute))
    if right.ndim != 1:
        raise ValueError(f"{prefix}references must be one id an image")
    if len(predicted) != len(right):
        raise ValueError(f"{prefix}predictions has {len(predicted)} entries and {prefix}references {len(right)}")
    if predicted.ndim == 1:
        predicted = predicted[:, None]
    if predicted.ndim != 2:
        raise ValueError(f"{prefix}predictions must be ids or lists of ids")
    ordered = np.sort(predicted, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NO_PREDICTION)).any(axis=1)
    if twice.any():
        raise ValueError(f"{prefix}predictions[{int(np.flatnonzero(twice)[0])}] names a candidate twice")
    return predicted, right


def _interval(
    hits: np.ndarray, groups: np.ndarray, confidence: float, bootstrap: int, seed: int
) -> tuple[float, float]:
    """Wilson, or the percentile bootstrap that draws whole compositions."""
    if not bootstrap:
        return wilson(int(hits.sum()), len(hits), confidence)
    _, group = np.unique(groups, return_inverse=True)
    n, good = np.bincount(group), np.bincount(group, weights=hits)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(n), size=(bootstrap, len(n)))
    rates = good[drawn].sum(1) / n[drawn].sum(1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(rates, (tail, 1 - tail))
    return float(low), float(high)


def _worst(hits: np.ndarray, group: np.ndarray, name: str) -> dict[str, Any]:
    n = np.bincount(group)
    rate = np.where(n > 0, np.bincount(group, weights=hits, minlength=len(n)) / np.maximum(n, 1), np.inf)
    worst = int(rate.argmin())
    return {f"worst_{name}_id": worst, f"worst_{name}_top1": float(rate[worst]), f"worst_{name}_n": int(n[worst])}


def _hits(predicted: np.ndarray, right: np.ndarray, attribute: np.ndarray, thing: np.ndarray) -> dict[str, np.ndarray]:
    """What each image got right, from ranked candidates N x K."""
    first, answered = predicted[:, 0], predicted[:, 0] != NO_PREDICTION
    hits = {
        "composition_top1": first == right,
        "attribute_top1": answered & (attribute[first] == attribute[right]),
        "object_top1": answered & (thing[first] == thing[right]),
    }
    if predicted.shape[1] >= 5:
        hits["composition_top5"] = (predicted[:, :5] == right[:, None]).any(axis=1)
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
    baseline: dict[str, Sequence[float]] | None = None,
    transform: str = "logit",
) -> dict[str, Any]:
    """The metric as a plain function; arguments and figures as the metric's own documentation says.

    Raises ValueError, in one line, for input that is empty, ragged, out of range or not whole numbers.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}")
    if not isinstance(bootstrap, int) or bootstrap < 0:
        raise ValueError(f"bootstrap is a number of draws, 0 or more; got {bootstrap!r}")
    if (predictions is None) == (ranks is None):
        raise ValueError("give predictions or ranks, one of the two")
    attribute, thing = _check_parts(attributes, objects)
    if ranks is not None:
        rank, right = _check_ranks(ranks, references, len(attribute))
        hits = {"composition_top1": rank == 0, "composition_top5": (rank >= 0) & (rank < 5)}
    else:
        predicted, right = _check(predictions, references, attribute)
        hits = _hits(predicted, right, attribute, thing)
    result: dict[str, Any] = {"n": len(right), "n_classes": len(attribute), "chance": 1 / len(attribute)}
    for name, hit in hits.items():
        result[name] = float(hit.mean())
        result[f"{name}_low"], result[f"{name}_high"] = _interval(hit, right, confidence, bootstrap, seed)
    for name, part in (("attribute", attribute), ("object", thing)):
        result[f"{name}_chance"] = float((np.bincount(part)[part[right]] / len(part)).mean())
        result |= _worst(hits["composition_top1"], part[right], name)
    n = np.bincount(right)
    good = np.bincount(right, weights=hits["composition_top1"])
    result["balanced_composition_top1"] = float((good[n > 0] / n[n > 0]).mean())
    if (id_predictions is None) != (id_references is None):
        raise ValueError("id_predictions and id_references go together; give both or neither")
    if baseline is not None and id_predictions is None:
        raise ValueError("a baseline needs ID results: give id_predictions and id_references")
    if id_predictions is not None:
        seen_attribute, _ = _check_parts(
            attributes if id_attributes is None else id_attributes,
            objects if id_objects is None else id_objects,
            "id_",
        )
        seen, seen_right = _check(id_predictions, id_references, seen_attribute, "id_")
        hit = seen[:, 0] == seen_right
        a, b = float(hit.mean()), result["composition_top1"]
        result["id_composition_top1"] = a
        interval = _interval(hit, seen_right, confidence, bootstrap, seed)
        result["id_composition_top1_low"], result["id_composition_top1_high"] = interval
        result["gap"] = a - b
        result["harmonic_mean"] = 2 * a * b / (a + b) if a + b else 0.0
        if baseline is not None:
            right_ones = (int(hit.sum()), int(hits["composition_top1"].sum()))
            sizes = (len(seen_right), len(right))
            result |= effective(right_ones, sizes, baseline, transform, confidence, seed=seed)
    return result


#: T and its inverse, by the name of the scale.
TRANSFORMS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "logit": (lambda p: np.log(p / (1 - p)), lambda z: 1 / (1 + np.exp(-z))),
    "probit": (
        np.vectorize(NormalDist().inv_cdf, otypes=[float]),
        np.vectorize(NormalDist().cdf, otypes=[float]),
    ),
    "linear": (lambda p: p, lambda z: np.clip(z, 0, 1)),
}


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return slope, float(y.mean() - slope * x.mean())


def _baseline(given: Any, transform: str) -> tuple[np.ndarray, np.ndarray]:
    if transform not in TRANSFORMS:
        raise ValueError(f"unknown transform {transform!r}; choose one of {', '.join(TRANSFORMS)}")
    if not isinstance(given, dict) or set(given) != {"id", "ood"}:
        raise ValueError("baseline is a dictionary of two lists: id and ood, the accuracies of the baseline models")
    known, novel = (np.asarray(given[key], dtype=float) for key in ("id", "ood"))
    if known.shape != novel.shape or known.ndim != 1 or len(known) < 3:
        raise ValueError("baseline needs id and ood of the same length, at least 3 models")
    for key, values in (("id", known), ("ood", novel)):
        bad = ~((values > 0) & (values < 1)) if transform != "linear" else ~((values >= 0) & (values <= 1))
        if bad.any():
            place = int(np.flatnonzero(bad)[0])
            raise ValueError(
                f"baseline {key}[{place}] is {values[place]}; accuracies are fractions, and {transform} takes none "
                "of 0 or 1: give (successes + 0.5) / (images + 1) instead"
            )
    if np.ptp(known) == 0:
        raise ValueError("the baseline models all have one ID accuracy: no line can be fitted")
    return known, novel


def effective(
    successes: tuple[int, int],
    images: tuple[int, int],
    baseline: dict[str, Sequence[float]],
    transform: str = "logit",
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """OoD accuracy beyond what the baseline's line expects at this ID accuracy (Taori et al. 2020, arXiv 2007.00644).

    ``successes`` and ``images`` are (ID, OoD). rho = ood - T^-1(slope T(id) + intercept), the line fitted by least
    squares over the baseline models. 0 % and 100 % of the model go into T as (successes + 0.5) / (images + 1). The
    interval is a percentile bootstrap that draws the baseline models anew and the model's successes from their
    binomials. Raises ValueError for a baseline that gives no line.
    """
    known, novel = _baseline(baseline, transform)
    there, back = TRANSFORMS[transform]

    def rho(a: np.ndarray, b: np.ndarray, line: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
        smooth = np.where((a == 0) | (a == 1), (a * images[0] + 0.5) / (images[0] + 1), a)
        expected = back(np.asarray(line[0] * there(smooth) + line[1]))
        return expected, b - expected

    x, y = there(known), there(novel)
    slope, intercept = _line(x, y)
    rates = np.array([s / n for s, n in zip(successes, images, strict=True)])
    expected, beyond = rho(rates[:1], rates[1:], (slope, intercept))
    rng = np.random.default_rng(seed)
    lines, tries = [], 0
    while len(lines) < draws and tries < 20 * draws:
        chosen = rng.integers(len(x), size=len(x))
        tries += 1
        if np.ptp(x[chosen]) > 0:
            lines.append(_line(x[chosen], y[chosen]))
    drawn = np.array(lines)
    a, b = (rng.binomial(n, r, size=len(drawn)) / n for n, r in zip(images, rates, strict=True))
    _, spread = rho(a, b, (drawn[:, 0], drawn[:, 1]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(spread, (tail, 1 - tail))
    return {
        "expected_composition_top1": float(expected[0]),
        "effective_composition_top1": float(beyond[0]),
        "effective_composition_top1_low": float(low),
        "effective_composition_top1_high": float(high),
        "baseline_slope": slope,
        "baseline_r2": float(np.corrcoef(x, y)[0, 1] ** 2) if np.ptp(y) > 0 else 1.0,
        "baseline_n": len(known),
        "baseline_extrapolated": bool(not known.min() <= rates[0] <= known.max()),
    }


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS)
class CompositionalOOD(evaluate.Metric):
    """``evaluate``'s face of :func:`score`."""

    def _info(self) -> evaluate.MetricInfo:
        one = datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")})
        many = datasets.Features(
            {"predictions": datasets.Sequence(datasets.Value("int64")), "references": datasets.Value("int64")}
        )
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS,
            features=[one, many],
            reference_urls=["https://arxiv.org/abs/2403.18525"],
        )

    @staticmethod
    def _raw(predictions: Any, references: Any) -> None:
        """Refuse before storage what its integer columns would cut off or let through."""
        if predictions is not None:
            _ids(predictions, "predictions", NO_PREDICTION, None)
        if references is not None:
            _ids(references, "references", 0, None)
        if predictions is not None and references is not None and len(predictions) != len(references):
            raise ValueError(f"predictions has {len(predictions)} entries and references {len(references)}")

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """See the class documentation."""
        if kwargs.get("ranks") is not None:
            return score(predictions, references, **kwargs)
        self._raw(predictions, references)
        if predictions is not None:
            kwargs["predictions"] = predictions
        if references is not None:
            kwargs["references"] = references
        return super().compute(**kwargs)

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Store a batch; checked as in ``compute``."""
        self._raw(predictions, references)
        super().add_batch(predictions=predictions, references=references, **kwargs)

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Store one image."""
        self._raw([prediction], [reference])
        super().add(prediction=prediction, reference=reference, **kwargs)

    def _compute(self, predictions: Any, references: Any, **kwargs: Any) -> dict[str, Any]:
        return score(predictions, references, **kwargs)
