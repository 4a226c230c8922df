"""Pictures for the examples, drawn by the package itself, so that nothing is downloaded.

With pictures of your own you need none of this: lay them out as ``draw_folder`` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

#: Attribute and object. The bundled model was trained on those of SEEN, and not on those of NOVEL.
SEEN = (
    ("wooden", "banana"),
    ("striped", "ambulance"),
    ("golden", "castle"),
    ("snowy", "teapot"),
    ("floral", "umbrella"),
    ("red", "violin"),
    ("blue", "banana"),
    ("pink", "ambulance"),
)
NOVEL = (
    ("orange", "banana"),
    ("wooden", "ambulance"),
    ("golden", "violin"),
    ("snowy", "violin"),
    ("floral", "strawberry"),
    ("pink", "airliner"),
    ("blue", "ambulance"),
    ("dotted", "strawberry"),
)


def draw_pair(folder: Path, attribute: str, thing: str, images: int) -> None:
    """``folder/attribute_thing/0.png`` and so on: PNG, 112 x 112 pixels."""
    import numpy as np
    from PIL import Image

    from aobench.mini.render import render

    place = folder / f"{attribute}_{thing}"
    place.mkdir(parents=True, exist_ok=True)
    for number in range(images):
        pixels = render(attribute, thing, np.random.default_rng(number))
        Image.fromarray(pixels).save(place / f"{number}.png")


def draw_folder(
    folder: Path,
    images: int = 4,
    seen: Iterable[tuple[str, str]] = SEEN,
    novel: Iterable[tuple[str, str]] = NOVEL,
) -> Path:
    """A set of one's own: folders ``seen`` and ``novel``, in them a folder for each pair."""
    for split, pairs in (("seen", seen), ("novel", novel)):
        for attribute, thing in pairs:
            draw_pair(folder / split, attribute, thing, images)
    return folder
