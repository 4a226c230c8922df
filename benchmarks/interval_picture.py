"""The picture of docs/statistics.md: what each of the two intervals of an accuracy speaks of.

    python benchmarks/interval_picture.py docs/intervals

One simulated set of 24 attributes x 110 objects, 550 compositions of 8 images, as in
`two_way_coverage`, and its two intervals. Below each, sixty further sets of the kind that the
interval speaks of.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from compositional_ood.compositional_ood import (
    cluster_interval,
    two_way_interval,
)
from scipy.special import expit
from two_way_coverage import DESIGNS, SPREAD, logit_of_rate

from aobench.drawing import COLOURS, new_plot, save_plot

DESIGN, RATE, SETS = DESIGNS[0], 0.7, 60
ROWS = (
    "other compositions and images\nof these attributes and objects",
    "other attributes and objects\nlike these",
)


class SimulatedWorld:
    """Difficulties of attributes and objects, and sets drawn from them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.logit = logit_of_rate(RATE, float(np.hypot.reduce(SPREAD)))

    def names(self) -> tuple[np.ndarray, np.ndarray]:
        """The difficulties of a vocabulary: of its attributes, of its objects."""
        sizes = (DESIGN.attributes, DESIGN.objects)
        a, o = (
            self.rng.normal(0, SPREAD[k], size) for k, size in enumerate(sizes)
        )
        return a, o

    def answers(
        self, names: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, ...]:
        """Right answers of each composition, and its attribute and object."""
        a, o = DESIGN.drawn_pairs(self.rng)
        own = self.rng.normal(0, SPREAD[2], DESIGN.pairs)
        chance = expit(self.logit + names[0][a] + names[1][o] + own)
        return self.rng.binomial(DESIGN.images, chance), a, o

    def accuracy(self, names: tuple[np.ndarray, np.ndarray]) -> float:
        """Percent right in another set of these names."""
        return 100 * float(self.answers(names)[0].mean()) / DESIGN.images


def main() -> None:
    """Draw and write it."""
    world = SimulatedWorld(4)
    names = world.names()
    right, a, o = world.answers(names)
    n = np.full(DESIGN.pairs, DESIGN.images)
    rate = 100 * right.sum() / n.sum()
    intervals = (
        cluster_interval(right, n)[:2],
        two_way_interval(right, n, a, o),
    )
    others = (
        [world.accuracy(names) for _ in range(SETS)],
        [world.accuracy(world.names()) for _ in range(SETS)],
    )
    figure, axes = new_plot(6.6, 2.4)
    axes.axvline(rate, color="#555555", lw=1)
    for place, (interval, dots) in enumerate(
        zip(intervals, others, strict=True)
    ):
        low, high = (100 * end for end in interval)
        colour = COLOURS[place]
        axes.plot([low, high], [place - 0.2] * 2, color=colour, lw=4)
        axes.text(
            high + 0.4, place - 0.2, f"[{low:.1f}, {high:.1f}]", va="center"
        )
        heights = place + 0.2 + world.rng.uniform(-0.13, 0.13, SETS)
        axes.plot(
            dots, heights, "o", ms=3.5, color=colour, alpha=0.6, mec="none"
        )
    axes.set_yticks(range(2), ROWS)
    axes.set_ylim(1.55, -0.55)
    axes.grid(False, axis="y")
    axes.set_xlabel(
        f"accuracy, %; line: the set at hand, {rate:.1f}; bars: its 95 % intervals;\n"
        f"dots: {SETS} other such sets"
    )
    for path in save_plot(figure, Path(sys.argv[1])):
        print(f"Written: {path}")


if __name__ == "__main__":
    main()
