"""The image set that comes in: its table, its files and what their bytes are."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import compress
from pathlib import Path, PurePosixPath
from typing import Any

from aobench.errors import UserError
from aobench.files import regular_file, sha256_of

COLUMNS = ("image_id", "attribute", "object", "file")
#: What stands for the bytes of a file that cannot be opened.
ABSENT = "absent"


@dataclass(frozen=True)
class ImageSet:
    """The rows of the table, in its order, and the SHA-256 of each file's bytes (``absent``
    where there is none).
    """

    ids: tuple[str, ...]
    attributes: tuple[str, ...]
    objects: tuple[str, ...]
    files: tuple[str, ...]
    folder: Path
    digests: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, row: int) -> Path:
        """Where the image of a row is."""
        return self.folder / self.files[row]

    def cell(self, row: int) -> dict[str, Any]:
        """What ``aobench.images.read_image`` takes."""
        return {"bytes": None, "path": str(self.path(row))}

    @property
    def fingerprint(self) -> str:
        """SHA-256 over ids and contents in order: another set, another order or other pixels
        give another.
        """
        whole = hashlib.sha256()
        for name, digest in zip(self.ids, self.digests, strict=True):
            whole.update(f"{name}\0{digest}\n".encode())
        return whole.hexdigest()


def open_set(table: Path, only: Collection[str] | None = None) -> ImageSet:
    """Read the table and every file's digest; ``only``: the ids of those wanted, None for all.

    Raises UserError for a table that cannot be read or lacks a column, an empty one, an empty cell,
    an id that comes twice, and a file outside the table's folder.
    """
    columns = _columns(table)
    if only is not None:
        wanted = [name in only for name in columns["image_id"]]
        columns = {
            name: list(compress(values, wanted)) for name, values in columns.items()
        }
    ids, files = columns["image_id"], columns["file"]
    if not ids:
        raise UserError(f"{table} has no rows: there are no images to compare")
    _check(table, ids, files)
    folder = table.parent
    return ImageSet(
        tuple(ids),
        tuple(columns["attribute"]),
        tuple(columns["object"]),
        tuple(files),
        folder,
        tuple(_digests([folder / file for file in files])),
    )


def _columns(table: Path) -> dict[str, list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    regular_file(table, "the table of images")
    try:
        content = pq.ParquetFile(table).read()
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"the table of images {table} could not be read as Parquet: {reason}"
        ) from error
    missing = [name for name in COLUMNS if name not in content.column_names]
    if missing:
        raise UserError(
            f"{table} lacks the column(s) {', '.join(missing)}; it needs {', '.join(COLUMNS)}"
        )
    found = {name: content[name].to_pylist() for name in COLUMNS}
    for name, values in found.items():
        bad = next(
            (
                row
                for row, value in enumerate(values)
                if not isinstance(value, str) or not value
            ),
            None,
        )
        if bad is not None:
            raise UserError(
                f"{table}: column {name}, row {bad}, is {values[bad]!r}; it takes a text that "
                "isn't empty"
            )
    return found


def _check(table: Path, ids: Sequence[str], files: Sequence[str]) -> None:
    seen: set[str] = set()
    for name, file in zip(ids, files, strict=True):
        if name in seen:
            raise UserError(
                f"{table} holds the image_id {name!r} more than once; give each image its own"
            )
        seen.add(name)
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts:
            raise UserError(
                f"{table}: the file {file!r} of {name!r} must be named from the table's folder, "
                "below it"
            )


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except (OSError, UserError):  # not there, or no regular file
        return ABSENT


def _digests(paths: Iterable[Path]) -> list[str]:
    from tqdm.auto import tqdm

    paths = list(paths)
    with ThreadPoolExecutor(4) as pool:
        return list(
            tqdm(
                pool.map(_digest, paths),
                "digests",
                len(paths),
                unit="file",
                disable=None,
                leave=False,
            )
        )
