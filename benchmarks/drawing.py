"""How many pictures of mini are drawn in a second, on one core.

    python benchmarks/drawing.py [--pictures 600] [--rounds 5]

Three figures: drawn only; drawn and written as PNG; the same with Pillow as the writer. Each is
the best of some rounds over the same pictures, of every attribute in turn, after one round that
fills what is kept in memory. Seconds are the processor's, so that other work on the machine
counts little.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable

from PIL import Image

from aobench.mini.png import png_bytes
from aobench.mini.splits import Sample, samples


def drawn(sample: Sample) -> object:
    """Pixels alone."""
    return sample.image()


def drawn_and_written(sample: Sample) -> object:
    """A PNG file as the data set holds it."""
    return png_bytes(sample.image())


def written_by_pillow(sample: Sample) -> object:
    """A PNG file by Pillow, at its quickest level."""
    stream = io.BytesIO()
    Image.fromarray(sample.image()).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def pictures_per_second(
    draw: Callable[[Sample], object], chosen: list[Sample], rounds: int
) -> float:
    """The best of ``rounds`` rounds over the samples."""
    best = float("inf")
    for _ in range(rounds + 1):
        began = time.process_time()
        for sample in chosen:
            draw(sample)
        best = min(best, time.process_time() - began)
    return len(chosen) / best


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Print how many pictures of mini are drawn in a second."
    )
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    every = list(samples("ood"))
    chosen = every[:: max(1, len(every) // args.pictures)][: args.pictures]
    for draw in (drawn, drawn_and_written, written_by_pillow):
        speed = pictures_per_second(draw, chosen, args.rounds)
        print(f"{draw.__name__.replace('_', ' '):20} {speed:7,.0f} pictures a second")


if __name__ == "__main__":
    main()
