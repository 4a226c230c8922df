"""The exact seen-novel curve beside the field's evaluator, which tries about 20 biases on all scores.

    python benchmarks/seen_novel_curve.py [--images 4000] [--candidates 2640] [--large 100000]

Prints seconds of each, their ratio and the areas, and what the exact curve takes of ``--large``
images from their margins alone, as the table of predictions keeps them.
"""

import argparse
import time

import numpy as np
from compositional_ood.compositional_ood import (
    curve_scores,
    field_evaluator,
    seen_novel_curve,
)


def field_loop(scores, label, seen, steps=20):
    """Area, each bias a search through all candidates of all images."""
    known = label < seen
    novel = scores[~known]
    own = novel[np.arange(len(novel)), label[~known]]
    best = seen + novel[:, seen:].argmax(1) == label[~known]
    gaps = np.sort((novel[:, :seen].max(1) - own)[best]) - 1e-4
    points = []
    for bias in [*gaps[:: max(len(gaps) // steps, 1)], 1e3]:
        moved = scores.copy()
        moved[:, seen:] += bias
        hit = moved.argmax(1) == label
        points.append((hit[known].mean(), hit[~known].mean()))
    points = np.array(points)
    return np.trapezoid(points[:, 0], points[:, 1])


def sides_of(scores, label, seen):
    """(margins, right) of the seen images and of the novel ones, as one list."""
    margins = scores[:, :seen].max(1) - scores[:, seen:].max(1)
    best = scores[:, :seen].argmax(1), seen + scores[:, seen:].argmax(1)
    known = label < seen
    right = np.where(known, best[0], best[1]) == label
    return [margins[known], right[known], margins[~known], right[~known]]


def timed(function, *arguments):
    """(seconds, value)."""
    start = time.perf_counter()
    value = function(*arguments)
    return time.perf_counter() - start, value


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--candidates", type=int, default=2640)
    parser.add_argument("--large", type=int, default=100_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    seen = options.candidates * 4 // 5
    label = rng.integers(0, options.candidates, options.images)
    scores = rng.standard_normal(
        (options.images, options.candidates), np.float32
    )
    scores[np.arange(options.images), label] += 4
    scores[:, :seen] += 0.3
    loop, area = timed(field_loop, scores, label, seen)
    sides = sides_of(scores, label, seen)
    steps, same = timed(lambda: field_evaluator(*sides)["auc"])
    exact, curve = timed(seen_novel_curve, *sides)
    print(f"{options.images:,} images, {options.candidates:,} candidates")
    print(f"field's loop      {loop:9.4f} s  area {area:.4f}")
    print(f"the same, margins {steps:9.4f} s  area {same:.4f}")
    print(
        f"exact curve       {exact:9.4f} s  area {np.trapezoid(curve.seen, curve.novel):.4f}"
        f"  {loop / exact:,.0f} times faster than the loop"
    )
    half = options.large // 2
    groups = rng.integers(0, 12_000, half)
    both = [
        (rng.normal(sign, 1, half), rng.random(half) < 0.8, groups)
        for sign in (1, -1)
    ]
    whole, _ = timed(lambda: curve_scores(*both, candidates=(12_000, 12_000)))
    alone, _ = timed(seen_novel_curve, *both[0][:2], *both[1][:2])
    print(
        f"{options.large:,} images: curve {alone:.3f} s; with area, held-out biases and "
        f"intervals {whole:.3f} s"
    )


if __name__ == "__main__":
    main()
