"""What judges said, kept while the step runs: a sealed file for each chunk of images.

The folder's name is a digest of who was asked what, so answers of another judge or to other images
are never found; the seal tells a file that was damaged, or swapped with its neighbour.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aobench.sealed import (
    DamagedError,
    read_sealed_json,
    say_again,
    write_sealed_json,
)


def _part_name(path: Path) -> str:
    """What a part is sealed under: the digest of what was asked, and its number."""
    return f"{path.parent.name} {path.stem}"


def write_part(path: Path, answers: Sequence[dict[str, Any]]) -> None:
    """Keep the answers on a chunk: a row an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sealed_json(path, _part_name(path), {"answers": list(answers)})


def read_part(path: Path, say: bool = True) -> list[dict[str, Any]] | None:
    """A chunk's answers as `write_part` kept them; None where they are to be asked for.

    That is where there is no file, and where it is not what was written, which is told where
    ``say``. Raises UserError where it can't be opened.
    """
    if not os.path.lexists(path):
        return None
    try:
        return list(read_sealed_json(path, _part_name(path))["answers"])
    except DamagedError as error:
        if say:
            say_again(path, error)
        return None
