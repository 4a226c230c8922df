"""A contact sheet of mini: pictures with their names, to be judged by eye.

python -m aobench.mini.contact_sheet OUT.png [--split ood] [--count 96] [--seed 0]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from aobench.mini.render import PIXELS
from aobench.mini.splits import SPLITS, Sample, samples

COLUMNS, LINE = 12, 26  # pictures a row; pixels for the name


def contact_sheet(shown: list[Sample]) -> Image.Image:
    """The samples in rows of twelve, each over its attribute and object."""
    rows = -(-len(shown) // COLUMNS)
    sheet = Image.new(
        "RGB", (COLUMNS * PIXELS, rows * (PIXELS + LINE)), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for number, sample in enumerate(shown):
        x, y = number % COLUMNS * PIXELS, number // COLUMNS * (PIXELS + LINE)
        sheet.paste(Image.fromarray(sample.image()), (x, y))
        draw.text(
            (x + 2, y + PIXELS),
            f"{sample.attribute}\n{sample.name}",
            fill="black",
            spacing=1,
        )
    return sheet


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Write a contact sheet of randomly drawn pictures of mini."
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", default="ood", choices=SPLITS)
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    everything = list(samples(args.split))
    drawn = np.random.default_rng(args.seed).choice(
        len(everything), min(args.count, len(everything)), replace=False
    )
    contact_sheet([everything[i] for i in drawn]).save(args.out)


if __name__ == "__main__":
    main()
