"""How often does a test at 5 % call two equal models unlike? Simulated answers of two models.

An answer is right with the logit of a mean, an attribute's, an object's and a composition's
difficulty, shared by both models, and of a model's own (``own`` as large). In the first null the
attributes and objects are these: only compositions differ between the models. In the second, the
models' own difficulties of attributes and objects are drawn, too, and are equal on average.

    python benchmarks/paired_tests.py --draws 1000
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from scipy.special import expit
from scipy.stats import binomtest
from two_way_coverage import DESIGNS, CrossedDesign, logit_of_rate

from aobench.analysis.paired import sign_flip_test, two_way_test

LEVEL = 0.05
#: Standard deviations on the logit scale that `imagenet-ao difficulty` finds on mini.
SPREAD = (1.18, 0.71, 1.0)


def equal_models(
    design: CrossedDesign,
    rate: float,
    own: tuple[float, float, float],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(chance of a right answer 2 x pairs, attribute, object of each pair)."""
    a, o = design.drawn_pairs(rng)
    logit = logit_of_rate(rate, float(np.hypot.reduce((*SPREAD, *own))))
    sizes = (design.attributes, design.objects, design.pairs)
    numbers = (a, o, np.arange(design.pairs))
    both = np.full((2, design.pairs), logit)
    for size, number, shared, mine in zip(
        sizes, numbers, SPREAD, own, strict=True
    ):
        both += rng.normal(0, shared, size)[number]
        both += rng.normal(0, mine, (2, size))[:, number]
    return expit(both), a, o


def false_positives(
    design: CrossedDesign, rate: float, share: float, draws: int, seed: int = 0
) -> dict[str, float]:
    """Shares of draws with p below LEVEL, by null and test."""
    rng, called = np.random.default_rng(seed), {}
    nulls = {
        "these": tuple(share * s for s in (0, 0, SPREAD[2])),
        "like these": tuple(share * s for s in SPREAD),
    }
    for null, own in nulls.items():
        for _ in range(draws):
            chance, a, o = equal_models(design, rate, own, rng)
            hits = rng.random((design.images, *chance.shape)) < chance
            gained = (hits[:, 0].astype(int) - hits[:, 1]).sum(0)
            only = [int((hits[:, i] & ~hits[:, 1 - i]).sum()) for i in (0, 1)]
            sizes = np.full(design.pairs, design.images)
            p = {
                "McNemar": binomtest(only[0], sum(only)).pvalue
                if sum(only)
                else 1.0,
                "sign flips": sign_flip_test(gained, 499),
                "two-way t": two_way_test(gained, sizes, a, o)[2],
            }
            for test, value in p.items():
                called.setdefault(f"{null}: {test}", []).append(value < LEVEL)
    return {name: float(np.mean(values)) for name, values in called.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Print the shares of false positives."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.5, 0.94])
    parser.add_argument("--own", type=float, nargs="+", default=[0.25, 0.5])
    args = parser.parse_args(argv)
    for design in DESIGNS:
        for rate in args.rates:
            for share in args.own:
                print(f"{design}, rate {rate}, own {share}", flush=True)
                for name, value in false_positives(
                    design, rate, share, args.draws
                ).items():
                    print(f"  {name:24s} {100 * value:5.1f} %")


if __name__ == "__main__":
    main()
