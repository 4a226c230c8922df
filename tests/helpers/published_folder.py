"""A small folder in the published layout."""

import numpy as np
from PIL import Image

from aobench.mini.render import render

PAIRS = (
    ("wooden", "banana"),
    ("red", "teapot"),
    ("golden", "lion"),
    ("striped", "zebra"),
)


def published_folder(place, pairs=PAIRS, images=2):
    """Drawn pictures of ``pairs`` under ``place``; returns the folder that holds the archive's."""
    root = place / "ImageNet-AO-filtered"
    for attribute, name in pairs:
        folder = root / f"{attribute} {name}"
        folder.mkdir(parents=True)
        for index in range(images):
            picture = render(attribute, name, np.random.default_rng((7, index)))
            Image.fromarray(picture).save(folder / f"{index}.png")
    return place
