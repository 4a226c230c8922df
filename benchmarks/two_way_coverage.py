"""Do the intervals hold what they speak of? Simulated coverage of both, for both targets.

An answer is right with the logit of a mean, an attribute's, an object's and a composition's
difficulty (normal, with the deviations SPREAD). Target 1 keeps
the attributes and objects and draws other compositions and images of them; target 2 draws other
attributes and objects, too.

    python benchmarks/two_way_coverage.py --draws 1000
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from compositional_ood.compositional_ood import (
    cluster_interval,
    pigeonhole_draws,
    two_way_interval,
    wilson,
)
from scipy.optimize import brentq
from scipy.special import expit

#: Standard deviations on the logit scale: attributes, objects, compositions.
SPREAD = (0.75, 0.75, 0.75)
NODES = np.polynomial.hermite_e.hermegauss(40)


@dataclass(frozen=True)
class CrossedDesign:
    """``pairs`` of ``attributes`` x ``objects``, of ``images`` each."""

    attributes: int
    objects: int
    pairs: int
    images: int

    def drawn_pairs(self, rng: np.random.Generator) -> np.ndarray:
        """int 2 x pairs: the attribute and the object of each, no pair twice."""
        cells = self.attributes * self.objects
        chosen = rng.choice(cells, self.pairs, replace=False)
        return np.array(np.divmod(chosen, self.objects))


DESIGNS = (CrossedDesign(24, 110, 550, 8), CrossedDesign(80, 600, 12_000, 5))


def mean_rate(logit: float | np.ndarray, deviation: float) -> np.ndarray:
    """Mean of expit over a normal difficulty, by Gauss-Hermite."""
    points = expit(np.asarray(logit)[..., None] + deviation * NODES[0])
    return np.asarray(points @ NODES[1] / NODES[1].sum())


def logit_of_rate(rate: float, deviation: float) -> float:
    """The logit whose mean rate is ``rate``."""
    return float(
        brentq(lambda x: float(mean_rate(x, deviation)) - rate, -30, 30)
    )


def simulated_coverage(
    design: CrossedDesign,
    rate: float,
    draws: int,
    bootstrap: int,
    seed: int = 0,
) -> dict[str, float]:
    """Shares of draws whose interval holds its target, and mean widths in points."""
    rng = np.random.default_rng(seed)
    logit = logit_of_rate(rate, float(np.hypot.reduce(SPREAD)))
    held: dict[str, list[float]] = {}
    for number in range(draws):
        a, o = design.drawn_pairs(rng)
        parts = rng.normal(0, SPREAD[0], design.attributes)[a]
        parts = logit + parts + rng.normal(0, SPREAD[1], design.objects)[o]
        these = float(mean_rate(parts, SPREAD[2]).mean())
        chance = expit(parts + rng.normal(0, SPREAD[2], design.pairs))
        right = rng.binomial(design.images, chance)
        n = np.full(design.pairs, design.images)
        narrow = cluster_interval(right, n)[:2]
        wide = two_way_interval(right, n, a, o) or narrow
        images = wilson(int(right.sum()), int(n.sum()))
        checked = {
            "images, these": (images, these),
            "compositions, these": (narrow, these),
            "compositions, like these": (narrow, rate),
            "two-way, like these": (wide, rate),
        }
        if number < bootstrap:
            drawn = pigeonhole_draws(right, n, a, o, 400, number)
            checked["pigeonhole, like these"] = (
                tuple(np.quantile(drawn, (0.025, 0.975))),
                rate,
            )
        for name, ((low, high), target) in checked.items():
            held.setdefault(name, []).append(low <= target <= high)
            held.setdefault(f"{name}: points", []).append(100 * (high - low))
    return {name: float(np.mean(values)) for name, values in held.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line a design, rate and interval."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument(
        "--bootstrap", type=int, default=200, help="of these draws"
    )
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[0.02, 0.5, 0.94]
    )
    args = parser.parse_args(argv)
    for design in DESIGNS:
        for rate in args.rates:
            said = simulated_coverage(design, rate, args.draws, args.bootstrap)
            print(f"{design}, rate {rate}", flush=True)
            for name, value in said.items():
                if not name.endswith("points"):
                    width = said[f"{name}: points"]
                    print(
                        f"  {name:26s} {100 * value:5.1f} %, {width:5.1f} points"
                    )


if __name__ == "__main__":
    main()
