"""The images that annotators judge: a table whose files are there and which every browser shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from aobench.errors import UserError
from aobench.image_table import ImageTable, read_image_table

#: What every browser shows. SVG is left out: it can carry scripts.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif")


def read_images_to_judge(path: Path, also: Sequence[str] = ()) -> ImageTable:
    """Read and check a table of images for the page of annotation.

    Args:
        path: a Parquet file.
        also: names of further columns that it must have.

    Raises:
        UserError: as `read_image_table`; and for files that are missing or not of a kind that
            browsers show.
    """
    table = read_image_table(path, also)
    for row in table.rows:
        if PurePosixPath(row.file).suffix.lower() not in SUFFIXES:
            raise UserError(
                f"{path}: the file {row.file!r} of {row.image_id!r} is none of "
                f"{', '.join(SUFFIXES)}; give images below {path.parent}"
            )
    missing = [
        row.file
        for row in table.rows
        if not (table.folder / row.file).is_file()
    ]
    if missing:
        raise UserError(
            f"{path}: {len(missing)} of {len(table.rows)} image files are missing, the first is "
            f"{path.parent / missing[0]}; put the table into the folder that its column `file` is "
            "relative to"
        )
    return table
