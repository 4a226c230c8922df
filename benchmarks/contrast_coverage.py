"""Do intervals of the difference of two groups of runs hold the difference of their kinds?

Two contrasts are simulated: over a baseline's line (`paper`'s), beside a bootstrap over runs, which
was the interval before; and all pairs of groups with a common slope (`effective`'s), where all
intervals must hold at once. Groups have shifts of their own and runs scatter about them, alike in
all groups or, in the last rows, two to one.

    python benchmarks/contrast_coverage.py --draws 1000
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit

from aobench.analysis.common_slope import common_slope_contrasts
from aobench.analysis.effective import fit_baseline
from aobench.analysis.group_contrasts import group_contrast
from aobench.analysis.model_accuracies import ModelAccuracies

INTERCEPT, SLOPE, IMAGES = -0.22, 1.04, 50_000
#: Standard deviations on the logit scale: groups' shifts, runs within a group.
SHIFT, SCATTER = 0.12, 0.1
FURTHER = 4000  #: runs of a kind by which its true mean is known


def drawn_group(
    name: str,
    runs: int,
    shift: float,
    rng: np.random.Generator,
    scatter: float = SCATTER,
    middle: float = 0.2,
) -> list[ModelAccuracies]:
    """Runs about the true line, ``shift`` from it, measured on IMAGES images each."""
    x = rng.normal(middle, 0.5, runs)
    y = INTERCEPT + SLOPE * x + shift + rng.normal(0, scatter, runs)
    p, q = (rng.binomial(IMAGES, expit(one)) / IMAGES for one in (x, y))
    return [
        ModelAccuracies(f"{name}{i}", "f", name, p[i], IMAGES, q[i], IMAGES)
        for i in range(runs)
    ]


def true_mean(
    shift: float, rng: np.random.Generator, scatter: float, middle: float
) -> float:
    """Mean distance from the true line of further runs of a group."""
    line = INTERCEPT + SLOPE * rng.normal(middle, 0.5, FURTHER)
    reached = expit(line + shift + rng.normal(0, scatter, FURTHER))
    return float((reached - expit(line)).mean())


def over_a_line(
    runs: tuple[int, int], draws: int, scatters: tuple[float, float]
) -> dict[str, float]:
    """Shares of draws whose interval holds the true difference of two groups outside the
    baseline, one of them at higher ID accuracies.
    """
    rng = np.random.default_rng([1, *runs, round(100 * scatters[0])])
    held = {"t over runs": 0, "bootstrap of runs": 0}
    middles = (0.2, 0.8)
    for _ in range(draws):
        shifts = rng.normal(0, SHIFT, 2)
        base = drawn_group("base", 16, 0.0, rng, 0.15)
        sides = [
            drawn_group(name, k, shift, rng, scatter, middle)
            for name, k, shift, scatter, middle in zip(
                "ab", runs, shifts, scatters, middles, strict=True
            )
        ]
        target = np.subtract(
            *(
                true_mean(shift, rng, scatter, middle)
                for shift, scatter, middle in zip(
                    shifts, scatters, middles, strict=True
                )
            )
        )
        line = fit_baseline(base, draws=400)
        named = list(zip("ab", sides, strict=True))
        found = group_contrast(line, *named, records=base)
        held["t over runs"] += found.low <= target <= found.high
        drawn = [_bootstrap(line, some, rng) for some in sides]
        low, high = np.quantile(drawn[0] - drawn[1], (0.025, 0.975))
        held["bootstrap of runs"] += low <= target <= high
    return {name: count / draws for name, count in held.items()}


def _bootstrap(line, members, rng) -> np.ndarray:
    """Means of runs drawn again over the line's bootstrap, a draw each."""
    x = np.array([[1.0, logit(one.id)] for one in members])
    rho = np.array([one.ood for one in members]) - expit(line.drawn @ x.T)
    again = rng.integers(len(members), size=rho.shape)
    return np.take_along_axis(rho, again, 1).mean(1)


def common_slope(
    runs: Sequence[int], draws: int, scatters: Sequence[float]
) -> dict[str, float]:
    """Share of draws in which the intervals of all pairs hold the true odds ratios, and of single
    pairs.
    """
    rng = np.random.default_rng([2, *runs])
    every, single, pairs = 0, 0, 0
    for _ in range(draws):
        shifts = dict(
            zip("abcdefgh", rng.normal(0, SHIFT, len(runs)), strict=False)
        )
        records = [
            one
            for name, k, scatter in zip(shifts, runs, scatters, strict=True)
            for one in drawn_group(name, k, shifts[name], rng, scatter)
        ]
        found = common_slope_contrasts(records).contrasts
        inside = [
            one.odds_ratio_low
            <= np.exp(shifts[one.first] - shifts[one.second])
            <= one.odds_ratio_high
            for one in found
        ]
        every += all(inside)
        single += sum(inside)
        pairs += len(inside)
    return {"all pairs at once": every / draws, "one pair": single / pairs}


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line a setting."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--draws", type=int, default=1000)
    args = parser.parse_args(argv)
    for runs in ((2, 2), (2, 4), (3, 3), (4, 4), (8, 8)):
        for scatters in ((SCATTER, SCATTER), (2 * SCATTER, SCATTER)):
            _print(
                f"over a line, {runs} runs, scatter {scatters}",
                over_a_line(runs, args.draws, scatters),
            )
    for runs in ((2, 2, 2), (1, 2, 4, 8, 11), (4, 4, 4, 4)):
        alike = [SCATTER] * len(runs)
        unlike = [2 * SCATTER, *alike[1:]]
        for scatters in (alike, unlike, unlike[::-1]):
            _print(
                f"common slope, {runs} runs, scatter {scatters}",
                common_slope(runs, args.draws, scatters),
            )


def _print(setting: str, found: dict[str, float]) -> None:
    said = ", ".join(
        f"{name} {100 * share:.1f} %" for name, share in found.items()
    )
    print(f"{setting}: {said}", flush=True)


if __name__ == "__main__":
    main()
