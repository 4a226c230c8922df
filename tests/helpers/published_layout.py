"""A small archive in the published layout, with the traps that the published labels set."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

#: label folder -> (attribute, object), or None where the label is on no list
LABELS = {
    "red ambulance": ("red", "ambulance"),
    "wooden_red_fox": ("wooden", "red fox"),
    "moss_covered_bench_press": None,
    "moss covered_paper towel": ("moss covered", "paper towel"),
    "stainedblue plaid_sweatshirt": ("stained blue plaid", "sweatshirt"),
    "red_bullet_train": ("red", "bullet train"),
    "paper_paper_towel": ("paper", "paper towel"),
    "Black Black Swan": ("black", "black swan"),
    "test tube": None,
}
KNOWN = [label for label, pair in LABELS.items() if pair]
IMAGES = 3  # in each folder: 0.png, 1.jpg, 2.JPEG


def picture(seed: int, form: str) -> bytes:
    """Bytes of a small random picture."""
    pixels = np.random.default_rng(seed).integers(
        0, 255, (8, 8, 3), dtype=np.uint8
    )
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format=form)
    return stream.getvalue()


def write_zip(folder: Path, path: Path) -> Path:
    """A zip of ``folder``, its own name on top, with the litter that a Mac adds."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(
                    file, f"{folder.name}/{file.relative_to(folder).as_posix()}"
                )
        archive.writestr(
            f"__MACOSX/{folder.name}/red ambulance/._0.png", b"litter"
        )
    return path
