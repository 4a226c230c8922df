"""Do the intervals of the study's second edition hold what they are for?

    python benchmarks/study_coverage.py --draws 200

Studies of five seeds are simulated: each supervision's log odds differ by seed and by composition,
as they do in the results that ship. Two kinds of composition effects: each composition its own
("pairs"), or an attribute's plus an object's ("attributes and objects"). Printed for each kind and
figure: how many of the 95 % intervals by source hold the value that endless seeds and compositions
have. About half a second a simulated study.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from scipy.special import expit

from aobench.mini.render import ATTRIBUTES
from aobench.study import factorial
from aobench.study.factorial_figures import Factorial
from aobench.study.world import (
    CORE,
    ID_IMAGES,
    N_OBJECTS,
    OOD_IMAGES,
    novel_pairs,
    training_pairs,
)

SEEDS = 5
IMAGES = {"id": ID_IMAGES, "ood": OOD_IMAGES}
PAIRS = {
    "id": np.array(training_pairs(CORE, 0)),
    "ood": np.array(novel_pairs()),
}
EVERY = factorial.SUPERVISIONS
BY_SEED, BY_PAIR, OWN = 0.15, 1.2, 0.5  #: standard deviations of the log odds
NAMES = (
    "mean ood object contrastive",
    "mean lead contrastive",
    "contrastive less seen_pairs_cosine",
    "diversity lead contrastive",
)
SOURCES = ("over_seeds", "over_pairs", "over_both", "over_parts")


def middle_odds(supervision: str, split: str) -> np.ndarray:
    """Log odds of a supervision at each point."""
    place = np.log2(np.array(factorial.points()) / np.array([1000, 1]))
    if split == "id":
        return 1.0 + 0.2 * place[:, 0] - 0.1 * place[:, 1]
    lead = (supervision in factorial.PAIR_LOSSES) * (2 - 0.4 * place[:, 1])
    return -2.5 + 0.16 * place[:, 0] + 0.5 * place[:, 1] + lead


def effects(
    pairs: np.ndarray, kind: str, rng: np.random.Generator
) -> np.ndarray:
    """Each composition's difficulty, of one standard deviation."""
    if kind == "pairs":
        return rng.normal(size=len(pairs))
    attributes = rng.normal(size=len(ATTRIBUTES))
    objects = rng.normal(size=N_OBJECTS)
    return (attributes[pairs[:, 0]] + objects[pairs[:, 1]]) / np.sqrt(2)


class SimulatedTable:
    """Answers in place of those of `aobench.study.factorial_table.FactorialTable`."""

    def __init__(
        self, kind: str, rng: np.random.Generator, seeds: int = SEEDS
    ) -> None:
        self.seeds = tuple(range(seeds))
        self._rates = {}
        for split, pairs in PAIRS.items():
            shared = BY_PAIR * effects(pairs, kind, rng)
            for s in EVERY:
                own = shared + OWN * effects(pairs, kind, rng)
                self._rates[s, split] = self._drawn(s, split, own, rng)

    def _drawn(
        self, s: str, split: str, own: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        middle = middle_odds(s, split)
        seeds = BY_SEED * rng.normal(size=(len(self.seeds), len(middle), 1))
        chances = expit(middle[None, :, None] + seeds + own)
        return rng.binomial(IMAGES[split], chances) / IMAGES[split]

    def rates(
        self, supervision: str, split: str, kind: str = "object"
    ) -> np.ndarray:
        """As the table's; every reading is the object's."""
        return self._rates[supervision, split]

    def images(self, split: str) -> int:
        """As the table's."""
        return len(PAIRS[split]) * IMAGES[split]


def true_figures(kind: str, rng: np.random.Generator) -> dict[str, float]:
    """What endless seeds and compositions have: chances averaged over 200,000 compositions."""
    size = np.sqrt(BY_PAIR**2 + OWN**2) * rng.normal(size=200_000)
    rates = {}
    for s in EVERY:
        for split in PAIRS:
            seeds = np.linspace(-2.6, 2.6, 27) * BY_SEED
            weights = np.exp(-0.5 * (seeds / BY_SEED) ** 2)
            by_seed = [
                [expit(m + seed + size).mean() for seed in seeds]
                for m in middle_odds(s, split)
            ]
            rates[s, split] = (np.array(by_seed).T, weights / weights.sum())
    return _averaged_figures(Factorial(SimulatedTable(kind, rng)), rates)


def _averaged_figures(study: Factorial, rates: dict) -> dict[str, float]:
    """The figures of chances by seed effect, averaged with the effects' weights."""
    weights = rates[EVERY[0], "id"][1]
    again = np.repeat(
        np.arange(len(weights)), np.round(weights * 400).astype(int)
    )
    whole = {
        (s, split, kind): rates[s, split][0][None, again]
        for s in EVERY
        for split in PAIRS
        for kind in ("object", *factorial.FURTHER.get(s, ()))
    }
    return {
        name: float(value[0]) for name, value in study.figures(whole).items()
    }


def main() -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--draws", type=int, default=200, help="studies (default: 200)"
    )
    draws = parser.parse_args().draws
    print(
        f"{draws} simulated studies; share of 95 % intervals that hold the truth, %"
    )
    for kind in ("pairs", "attributes and objects"):
        rng = np.random.default_rng(1)
        truth = true_figures(kind, rng)
        held = np.zeros((len(NAMES), len(SOURCES)))
        for _ in range(draws):
            found = Factorial(SimulatedTable(kind, rng), 400).sourced
            for i, name in enumerate(NAMES):
                ends = [getattr(found[name], source) for source in SOURCES]
                held[i] += [e.low <= truth[name] <= e.high for e in ends]
        print(
            f"\neffects of {kind}: {', '.join(s.removeprefix('over_') for s in SOURCES)}"
        )
        for name, row in zip(NAMES, 100 * held / draws, strict=True):
            print(f"  {name:36s} " + "  ".join(f"{v:5.1f}" for v in row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
