"""How many pictures of mini are drawn in a second, on one core.

    python benchmarks/drawing.py [--pictures 240] [--rounds 15]

Three figures: drawn only; drawn and written as PNG; the same with Pillow as the writer. Pictures of
every attribute in turn; of each the quickest of some rounds counts, so that other work on the
machine hides little.
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
    """Of each sample's quickest round."""
    best = [float("inf")] * len(chosen)
    for _ in range(rounds):
        for place, sample in enumerate(chosen):
            began = time.perf_counter()
            draw(sample)
            best[place] = min(best[place], time.perf_counter() - began)
    return len(chosen) / sum(best)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Print how many pictures of mini are drawn in a second."
    )
    parser.add_argument("--pictures", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    every = list(samples("ood"))
    chosen = every[:: max(1, len(every) // args.pictures)][: args.pictures]
    for draw in (drawn, drawn_and_written, written_by_pillow):
        speed = pictures_per_second(draw, chosen, args.rounds)
        print(
            f"{draw.__name__.replace('_', ' '):20} {speed:7,.0f} pictures a second"
        )


if __name__ == "__main__":
    main()
