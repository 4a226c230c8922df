"""Do the intervals of effective generalization cover the truth? Simulated models with a known rho.

A baseline family scatters with standard deviation ``sigma`` around a true line on the scale T; each
accuracy is then measured on a finite number of images. A further model has a known true ID and OoD
accuracy, so its true rho over the true line is known. Reported: the share of draws whose interval
holds it, with its own Wilson interval.

    python benchmarks/effective_coverage.py --draws 1000
    python benchmarks/effective_coverage.py --draws 1000 --models 3 5

The estimator is the metric's own (`compositional_ood.fit_line`, `effective_draws`), which cards and
screens share.
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np
from compositional_ood.compositional_ood import TRANSFORMS, wilson
from tqdm.auto import tqdm

from aobench.analysis.effective import effective_generalization, fit_baseline
from aobench.analysis.model_accuracies import ModelAccuracies

INTERCEPT, SLOPE = -0.3, 1.05
TARGETS = {
    "middle": (0.0, 0.5),
    "beyond": (2.5, -0.5),
}  #: T(id) and distance from the line, both on the scale T
IN_LINEAR = 0.12  #: a unit of T, on the linear scale


def family(
    models: int,
    sigma: float,
    images: int,
    transform: str,
    rng: np.random.Generator,
    heavy: bool = False,
) -> list[ModelAccuracies]:
    """A measured baseline; ``heavy``: the scatter has the tails of Student's t with 3 degrees of
    freedom.
    """
    unit = IN_LINEAR if transform == "linear" else 1.0
    shift = 0.5 if transform == "linear" else 0.0
    x = rng.uniform(-1.5, 1.5, models)
    noise = (
        rng.standard_t(3, models) / np.sqrt(3)
        if heavy
        else rng.standard_normal(models)
    )
    y = INTERCEPT + SLOPE * x + sigma * noise
    p, q = (TRANSFORMS[transform].inverse(shift + unit * v) for v in (x, y))
    s, t = rng.binomial(images, p) / images, rng.binomial(images, q) / images
    return [
        ModelAccuracies(
            f"m{i}", "base", "base", s[i], images, t[i], images, f"m{i}"
        )
        for i in range(models)
    ]


def target(
    name: str, images: int, transform: str, rng: np.random.Generator
) -> tuple[ModelAccuracies, float]:
    """A measured model, and its true rho."""
    unit = IN_LINEAR if transform == "linear" else 1.0
    shift = 0.5 if transform == "linear" else 0.0
    x, beyond = TARGETS[name]
    on_line = INTERCEPT + SLOPE * x
    p, expected, q = (
        float(TRANSFORMS[transform].inverse(np.array(shift + unit * v)))
        for v in (x, on_line, on_line + beyond)
    )
    measured = [float(rng.binomial(images, v) / images) for v in (p, q)]
    return ModelAccuracies(
        name, "other", "other", measured[0], images, measured[1], images, name
    ), q - expected


def coverage(
    models: int,
    sigma: float,
    images: int,
    transform: str,
    draws: int,
    heavy: bool = False,
    seed: int = 0,
) -> dict[str, tuple[int, float]]:
    """By target: how many of ``draws`` intervals held the truth, and their mean width in points."""
    rng = np.random.default_rng(seed)
    held, width = dict.fromkeys(TARGETS, 0), dict.fromkeys(TARGETS, 0.0)
    for draw in range(draws):
        line = fit_baseline(
            family(models, sigma, images, transform, rng, heavy),
            transform,
            draws=1000,
            seed=draw,
        )
        for name in TARGETS:
            record, truth = target(name, images, transform, rng)
            found = effective_generalization(line, [record], seed=draw)[0]
            held[name] += found.rho_low <= truth <= found.rho_high
            width[name] += 100 * (found.rho_high - found.rho_low) / draws
    return {name: (held[name], width[name]) for name in TARGETS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument(
        "--models", type=int, nargs="+", default=[8, 15, 30, 66]
    )
    args = parser.parse_args()
    draws = args.draws
    print(
        "scale   models sigma  tails  images  target  coverage of 95 % intervals [Wilson]  mean "
        "width, points"
    )
    cases = [
        ("logit", m, s, n, False)
        for m, s, n in product(args.models, (0.05, 0.2), (2000, 50000))
    ]
    if args.models == parser.get_default("models"):
        cases += [(t, 30, 0.2, 2000, False) for t in ("probit", "linear")]
        cases += [("logit", 30, 0.2, 2000, True)]
    for transform, models, sigma, images, heavy in tqdm(cases, disable=None):
        found = coverage(models, sigma, images, transform, draws, heavy)
        for name, (held, width) in found.items():
            low, high = wilson(held, draws)
            tails = "t(3)" if heavy else "normal"
            print(
                f"{transform:7s} {models:5d}  {sigma:.2f}   {tails:6s} {images:6d}  {name:7s} "
                f"{100 * held / draws:.1f} [{100 * low:.1f}, {100 * high:.1f}]  {width:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
