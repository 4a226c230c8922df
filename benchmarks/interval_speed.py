"""The interval of an accuracy by Dinkelbach's steps against root finding over the rate, on drawn
compositions: seconds, their ratio, and how far the bounds are apart.

    python benchmarks/interval_speed.py
"""

from __future__ import annotations

import time
from statistics import NormalDist

import numpy as np
from compositional_ood import compositional_ood as metric
from scipy.optimize import brentq

DRAWS = 600


def bound_by_root_finding(
    right: np.ndarray, n: np.ndarray, chi_square: float
) -> float:
    """As the metric's own bound: the rate at which the distribution against it gains nothing."""
    rate, size = float(right.sum() / n.sum()), float((n**2).sum() / n.sum())
    kinds = metric.unique_pairs(right, n)
    share, room = kinds.counts / len(n), chi_square / len(n)

    def excess(low: float) -> float:
        gain = low * kinds.second - kinds.first
        p, rest = metric._highest_shares(gain, share, low * size, room)
        return float(p @ gain) + rest * low * size

    if rate == 0 or excess(rate) <= 0:
        return rate
    return float(brentq(excess, 0.0, rate, xtol=1e-13))


def drawn_compositions(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Right answers and images of 1 to 2,000 compositions: few or many images, easy or hard."""
    rng = np.random.default_rng(number)
    count = int(rng.integers(1, 60 if number % 3 else 2000))
    n = rng.integers(1, (2, 5, 40, 400)[number % 4], count)
    hard = rng.beta(*((1, 1), (30, 1), (1, 30), (0.2, 0.2))[number % 4], count)
    return rng.binomial(n, hard).astype(float), n.astype(float)


def main() -> None:
    """Print the comparison."""
    square = NormalDist().inv_cdf(0.975) ** 2
    cases = [drawn_compositions(number) for number in range(DRAWS)]
    seconds, bounds = [], []
    for bound in (bound_by_root_finding, metric._lower_bound):
        began = time.process_time()
        bounds.append(np.array([bound(*case, square) for case in cases]))
        seconds.append(time.process_time() - began)
    apart = float(np.abs(bounds[0] - bounds[1]).max())
    print(
        f"{DRAWS} bounds: root finding {seconds[0]:.2f} s, ours {seconds[1]:.2f} s: "
        f"{seconds[0] / seconds[1]:.1f} times faster; {apart:.0e} apart at most"
    )


if __name__ == "__main__":
    main()
