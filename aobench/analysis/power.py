"""Power: what a set can tell. Components of variance of an accuracy or of a difference, the
smallest difference between two models that would be found, and what more of anything buys.

The error of an accuracy over a set with A attributes, O objects, C compositions of n images is
sqrt(v_A / A + v_O / O + v_C / C + v_images / (C n)): the first two stay as they are with more
images of the same pairs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, stdtrit

from aobench.errors import UserError

LEVEL, POWER = 0.05, 0.8
#: Standard deviations of difficulty in log-odds (attributes, objects, compositions) for a set of
#: which there is no result yet: those of mini by `imagenet-ao difficulty`.
USUAL_SPREAD = (1.18, 0.71, 1.0)
#: How much of attributes', objects' and compositions' difficulty two models share, where no second
#: result tells it.
AGREEMENT = 0.5
NODES = 24


@dataclass(frozen=True)
class VarianceParts:
    """Components of the variance of one answer (0 or 1), or of a difference of two (-1, 0, 1)."""

    attributes: float
    objects: float
    compositions: float
    images: float

    def between_models(self, agreement: float) -> VarianceParts:
        """Those of the difference of two such models: 2 (1 - agreement) of difficulty, twice the
        images' own.
        """
        share = 2 * (1 - agreement)
        return VarianceParts(
            share * self.attributes,
            share * self.objects,
            share * self.compositions,
            2 * self.images,
        )


@dataclass(frozen=True)
class SetDesign:
    """Numbers of attributes, objects and compositions, and of images of each composition; of an
    uneven set those of an even one that tells as much.
    """

    attributes: float
    objects: float
    compositions: float
    images: float

    def __str__(self) -> str:
        return (
            f"{self.attributes:,.0f} attributes, {self.objects:,.0f} objects, "
            f"{self.compositions:,.0f} compositions x {self.images:,.3g} images"
        )


def parse_design(text: str) -> SetDesign:
    """``80x600x12000x5``: attributes, objects, compositions, images of each. Raises UserError.

    Example:
        >>> parse_design("80x600x12000x5").compositions
        12000.0
    """
    if not re.fullmatch(r"[1-9]\d{0,11}(x[1-9]\d{0,11}){3}", text):
        raise UserError(
            f"--design is {text!r}; write attributes x objects x compositions x images of each, "
            "such as 80x600x12000x5"
        )
    design = SetDesign(*map(float, text.split("x")))
    if min(design.attributes, design.objects) < 2:
        raise UserError(
            f"--design {text}: two attributes and two objects are needed"
        )
    if design.compositions > design.attributes * design.objects:
        raise UserError(
            f"--design {text}: {design.attributes:.0f} attributes and {design.objects:.0f} objects "
            f"have {design.attributes * design.objects:,.0f} compositions"
        )
    return design


def variance_parts(
    values: np.ndarray, attributes: np.ndarray, objects: np.ndarray
) -> VarianceParts:
    """Components of the variance of ``values`` (N: right or wrong, or a difference of two
    models), by moments: the mean product of two images that share an attribute alone, an object
    alone, both, and one image with itself (Owen 2007, Annals of Applied Statistics 1:386-411,
    section 3). Below 0 by chance is 0.
    """
    excess = np.asarray(values, float) - np.mean(values)
    pairs = np.unique(
        np.column_stack([attributes, objects]), axis=0, return_inverse=True
    )
    by_attribute, by_object, by_pair = (
        _products(excess, cluster)
        for cluster in (attributes, objects, pairs[1])
    )
    alone = float((excess**2).sum()), len(excess)
    attribute = _mean_product(by_attribute, by_pair)
    thing = _mean_product(by_object, by_pair)
    both = _mean_product(by_pair, alone)
    rest = both - attribute - thing
    own = float(excess.var()) - both
    return VarianceParts(
        *(max(0.0, part) for part in (attribute, thing, rest, own))
    )


def _products(excess: np.ndarray, cluster: np.ndarray) -> tuple[float, int]:
    """(sum of the products of all ordered pairs of images in a cluster, their number)."""
    number = np.unique(cluster, return_inverse=True)[1].reshape(-1)
    sums = np.bincount(number, weights=excess)
    return float((sums**2).sum()), int((np.bincount(number) ** 2).sum())


def _mean_product(of: tuple[float, int], less: tuple[float, int]) -> float:
    """Mean product over the pairs of ``of`` that are not in ``less``; 0 where there are none."""
    count = of[1] - less[1]
    return (of[0] - less[0]) / count if count else 0.0


def design_of(attributes: np.ndarray, objects: np.ndarray) -> SetDesign:
    """The even design that tells as much: 1 / (sum of squared shares of images) of each."""
    pairs = np.unique(
        np.column_stack([attributes, objects]), axis=0, return_inverse=True
    )
    sizes = [
        len(attributes) ** 2 / _products(np.ones(len(attributes)), cluster)[0]
        for cluster in (attributes, objects, pairs[1])
    ]
    many, things, compositions = sizes
    return SetDesign(many, things, compositions, len(attributes) / compositions)


def planned_parts(
    rate: float, spread: Sequence[float] = USUAL_SPREAD
) -> VarianceParts:
    """Components at an accuracy ``rate``, with difficulties of ``spread`` in log-odds."""
    from scipy.optimize import brentq

    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()

    def mean(logit: np.ndarray, deviation: float) -> np.ndarray:
        return np.asarray(
            expit(logit[..., None] + deviation * points) @ weights
        )

    whole = float(np.hypot.reduce(spread))
    centre = brentq(lambda x: float(mean(np.array(x), whole)) - rate, -40, 40)

    def between(own: float) -> float:
        rest = float(np.sqrt(max(0.0, whole**2 - own**2)))
        rates = mean(centre + own * points, rest)
        return float(weights @ rates**2 - rate**2)

    chances = expit(centre + whole * points)
    all_of_it = float(weights @ chances**2) - rate**2
    attribute, thing = between(spread[0]), between(spread[1])
    rest = all_of_it - attribute - thing
    return VarianceParts(attribute, thing, rest, rate * (1 - rate) - all_of_it)


def standard_error(parts: VarianceParts, design: SetDesign) -> float:
    """Standard error of the mean over attributes and objects like these, a fraction."""
    return float(np.sqrt(sum(error_parts(parts, design).values())))


def error_parts(parts: VarianceParts, design: SetDesign) -> dict[str, float]:
    """The squared error that each source brings."""
    return {
        "attributes": parts.attributes / design.attributes,
        "objects": parts.objects / design.objects,
        "compositions": parts.compositions / design.compositions,
        "images": parts.images / (design.compositions * design.images),
    }


def smallest_difference(parts: VarianceParts, design: SetDesign) -> float:
    """The difference of two models that a two-way t test at 5 % finds in 80 of 100 cases, a
    fraction; ``parts`` are of the difference.
    """
    free = max(1.0, min(design.attributes, design.objects) - 1)
    tails = stdtrit(free, 1 - LEVEL / 2) + stdtrit(free, POWER)
    return float(tails * standard_error(parts, design))


def larger_designs(design: SetDesign) -> dict[str, SetDesign]:
    """What one might buy."""
    return {
        "as it is": design,
        "twice the attributes, and compositions": replace(
            design,
            attributes=2 * design.attributes,
            compositions=2 * design.compositions,
        ),
        "twice the objects, and compositions": replace(
            design,
            objects=2 * design.objects,
            compositions=2 * design.compositions,
        ),
        "twice the compositions": replace(
            design, compositions=2 * design.compositions
        ),
        "twice the images of each": replace(design, images=2 * design.images),
        "one image of each": replace(design, images=1),
    }


def plan_line(design: SetDesign, rate: float = 0.5) -> str:
    """One line on a set of which there is no result: what two models must differ by."""
    parts = planned_parts(rate).between_models(AGREEMENT)
    points = [
        100 * smallest_difference(parts, one)
        for one in (design, replace(design, images=1))
    ]
    return (
        f"power: at {100 * rate:.0f} % right, two models that differ by {points[0]:.1f} points are "
        f"told apart in 80 of 100 cases ({points[1]:.1f} with one image of each; difficulty spread "
        f"as in mini, half of it shared by the models: imagenet-ao power)"
    )


def power_lines(
    parts: VarianceParts,
    design: SetDesign,
    others: Sequence[SetDesign] = (),
    rate: float | None = None,
) -> list[str]:
    """What is printed of a difference with ``parts`` on a set of ``design``."""
    from aobench.columns import columns

    squares = error_parts(parts, design)
    whole = sum(squares.values())
    spread = ", ".join(
        f"{name} {100 * np.sqrt(value):.1f}"
        for name, value in vars(parts).items()
    )
    shares = ", ".join(
        f"{name} {100 * value / whole:.0f} %" for name, value in squares.items()
    )
    head = "" if rate is None else f" at {100 * rate:.0f} % right"
    rows = [("set", "smallest difference, points", "error, points")]
    designs = larger_designs(design) | {str(one): one for one in others}
    for name, one in designs.items():
        points = 100 * smallest_difference(parts, one)
        error = 100 * standard_error(parts, one)
        rows.append((name, f"{points:.1f}", f"{error:.2f}"))
    return [
        f"The set, as an even one that tells as much: {design}.",
        f"Standard deviations of a difference between two models{head}, points: {spread}.",
        f"Of the squared error of its mean: {shares}.",
        *columns(rows, rule=True),
        "Smallest difference: found in 80 of 100 cases by a two-way t test at 5 %, for attributes "
        "and objects like these.",
    ]
