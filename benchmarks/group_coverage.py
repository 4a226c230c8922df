"""Does the interval of a group of runs hold the mean of all runs of its kind? Simulated groups.

A baseline of groups scatters about a true line on the logit scale; each group has a shift of its
own and its runs scatter about it. The target is the mean distance from the true line of further runs
of the group's kind. Reported by the number of the group's runs, beside a bootstrap over runs, which
was the interval before.

    python benchmarks/group_coverage.py --draws 1000
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from aobench.analysis.effective import fit_baseline
from aobench.analysis.effective_groups import by_group
from aobench.analysis.model_accuracies import ModelAccuracies

INTERCEPT, SLOPE, IMAGES = -0.22, 1.04, 50_000
#: Standard deviations on the logit scale: groups' shifts, runs within a group.
SHIFT, SCATTER = 0.12, 0.1


def drawn_group(
    name: str, runs: int, shift: float, rng: np.random.Generator
) -> list[ModelAccuracies]:
    """Runs about the true line, ``shift`` from it, measured on IMAGES images each."""
    x = rng.normal(0.2, 0.5, runs)
    y = INTERCEPT + SLOPE * x + shift + rng.normal(0, SCATTER, runs)
    p, q = (rng.binomial(IMAGES, expit(one)) / IMAGES for one in (x, y))
    return [
        ModelAccuracies(f"{name}{i}", "f", name, p[i], IMAGES, q[i], IMAGES)
        for i in range(runs)
    ]


def true_mean(
    shift: float, rng: np.random.Generator, draws: int = 4000
) -> float:
    """Mean distance from the true line of further runs of a group."""
    line = INTERCEPT + SLOPE * rng.normal(0.2, 0.5, draws)
    reached = expit(line + shift + rng.normal(0, SCATTER, draws))
    return float((reached - expit(line)).mean())


def bootstrap_interval(rho: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Percentiles of means of runs drawn again."""
    drawn = rho[rng.integers(len(rho), size=(1000, len(rho)))].mean(1)
    return np.quantile(drawn, (0.025, 0.975))


def covered(
    runs: int, draws: int, inside: bool, seed: int = 0
) -> dict[str, float]:
    """Shares of draws whose interval holds the target; ``inside``: the group helped to fit the
    line.
    """
    rng = np.random.default_rng([seed, runs, inside])
    held = {"over runs": 0, "bootstrap": 0}
    for _ in range(draws):
        shifts = rng.normal(0, SHIFT, 12)
        others = [
            record
            for i, shift in enumerate(shifts[1:])
            for record in drawn_group(f"g{i}", 4, shift, rng)
        ]
        group = drawn_group("target", runs, shifts[0], rng)
        line = fit_baseline([*others, *group] if inside else others, draws=50)
        scored = by_group(line, [*others, *group])
        mine = next(one for one in scored if one.name == "target")
        target = true_mean(shifts[0], rng)
        held["over runs"] += mine.low <= target <= mine.high
        known = np.array([[r.id] for r in group])
        expected = expit(
            line.coefficients[0]
            + line.coefficients[1] * np.log(known / (1 - known))
        )
        rho = np.array([r.ood for r in group]) - expected[:, 0]
        low, high = bootstrap_interval(rho, rng)
        held["bootstrap"] += low <= target <= high
    return {name: count / draws for name, count in held.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line a number of runs."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 2, 3, 4, 8])
    args = parser.parse_args(argv)
    for runs in args.runs:
        for inside in (True, False):
            found = covered(runs, args.draws, inside)
            said = ", ".join(f"{k} {100 * v:.1f} %" for k, v in found.items())
            where = "in the baseline" if inside else "outside it"
            print(f"{runs} runs, {where}: {said}", flush=True)


if __name__ == "__main__":
    main()
