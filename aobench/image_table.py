"""A table of images, ``images.parquet``: read and checked in one place, and known by a hash.

Rules: a table has the columns ``image_id``, ``attribute``, ``object`` and ``file``, each a text in
every row; ids are unique; ``file`` lies below the table's folder. A column ``sha256`` (of the
picture's file, hexadecimal) is read where there is one. Whether the files are there, and can be
read, is for whoever opens them to say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from aobench.errors import UserError
from aobench.files import parquet_errors, regular_file

COLUMNS = ("image_id", "attribute", "object", "file")
#: A column that a table may have: of the picture's file, hexadecimal.
DIGEST = "sha256"


@dataclass(frozen=True)
class ImageRow:
    """One image: its unique id, the claimed attribute and object, and its file relative to the
    table's folder.
    """

    image_id: str
    attribute: str
    object: str
    file: str


@dataclass(frozen=True)
class ImageTable:
    """A checked table: its rows in the order of the file, and the folder that ``file`` is relative
    to.

    ``pictures``: the SHA-256 of each picture by its image's id; empty where the table doesn't say.
    ``more``: the columns that the reader asked for besides, in the order of the rows.
    """

    path: Path
    rows: tuple[ImageRow, ...]
    pictures: dict[str, str] = field(default_factory=dict)
    more: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder that the files are named from."""
        return self.path.parent

    @property
    def fingerprint(self) -> str:
        """See `rows_fingerprint`."""
        return rows_fingerprint(self.rows)

    def records(self) -> list[dict[str, Any]]:
        """Each row as a dictionary, with its SHA-256 and what was read besides."""
        records = [dict(vars(row)) for row in self.rows]
        for record, digest in zip(
            records, self.pictures.values(), strict=False
        ):
            record[DIGEST] = digest
        for name, values in self.more.items():
            for record, value in zip(records, values, strict=True):
                record[name] = value
        return records


def rows_fingerprint(rows: Iterable[ImageRow]) -> str:
    """SHA-256 (hex) over the rows sorted by id: the same for any order of rows, another for any
    changed cell.

    Example:
        >>> a, b = ImageRow("a", "red", "fox", "a.png"), ImageRow("b", "red", "hog", "b.png")
        >>> rows_fingerprint([a, b]) == rows_fingerprint([b, a])
        True
    """
    cells = sorted(astuple(row) for row in rows)
    return hashlib.sha256(
        json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode()
    ).hexdigest()


def read_image_table(path: Path, also: Sequence[str] = ()) -> ImageTable:
    """Read and check a table of images.

    Args:
        path: a Parquet file; see the rules above.
        also: names of further columns that it must have, of any type.

    Raises:
        UserError: for an unreadable file, missing or doubled columns, empty cells, doubled ids and
            files outside the table's folder.
    """
    columns = _read_columns(path, also)
    texts = {
        name: columns[name] for name in (*COLUMNS, DIGEST) if name in columns
    }
    if not texts["image_id"]:
        raise UserError(
            f"{path} has no rows; give a table with one row an image"
        )
    for name, values in texts.items():
        empty = next(
            (i for i, v in enumerate(values) if v is None or not v.strip()),
            None,
        )
        if empty is not None:
            raise UserError(
                f"{path}: {name} is empty in row {empty + 1}; fill in {', '.join(texts)} for "
                "every image"
            )
    rows = tuple(
        ImageRow(*cells)
        for cells in zip(*(texts[name] for name in COLUMNS), strict=True)
    )
    _refuse_doubled_ids(path, rows)
    _refuse_files_outside(path, rows)
    pictures = dict(zip(texts["image_id"], texts.get(DIGEST, []), strict=False))
    return ImageTable(
        path, rows, pictures, {name: columns[name] for name in also}
    )


def _read_columns(path: Path, also: Sequence[str]) -> dict[str, list[Any]]:
    import pyarrow.parquet as pq

    needs = f"it needs {', '.join((*COLUMNS, *also))}"
    regular_file(path, "the table of images")
    try:
        stored = pq.ParquetFile(path)
        names = stored.schema_arrow.names
        missing = [name for name in (*COLUMNS, *also) if name not in names]
        if missing:
            raise UserError(
                f"{path} lacks the column(s) {', '.join(missing)}; {needs}"
            )
        wanted = [*COLUMNS, *([DIGEST] if DIGEST in names else []), *also]
        doubled = [name for name in wanted if names.count(name) > 1]
        if doubled:
            raise UserError(
                f"{path} has the column {doubled[0]} twice; keep one"
            )
        table = stored.read(columns=wanted)
    except parquet_errors() as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{path} is no readable Parquet file ({reason})"
        ) from error
    return {
        name: _cells(path, name, table, text=name not in also)
        for name in wanted
    }


def _cells(path: Path, name: str, table: Any, text: bool) -> list[Any]:
    """The values of a column; UserError where they should be texts and are not."""
    import pyarrow as pa

    kind = table.schema.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    texts = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
    )
    if text and not any(is_text(kind) for is_text in texts):
        raise UserError(
            f"{path}: the column {name} holds {kind}; store it as text"
        )
    try:
        values: list[Any] = table[name].to_pylist()
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: the column {name} is not UTF-8; write the table anew"
        ) from error
    return values


def _refuse_doubled_ids(path: Path, rows: Sequence[ImageRow]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.image_id in seen:
            raise UserError(
                f"{path}: image_id {row.image_id!r} stands in more than one row; make the ids "
                "unique"
            )
        seen.add(row.image_id)


def _refuse_files_outside(path: Path, rows: Sequence[ImageRow]) -> None:
    for row in rows:
        pure = PurePosixPath(row.file)
        drive = PureWindowsPath(row.file).drive
        if pure.is_absolute() or ".." in pure.parts or drive:
            raise UserError(
                f"{path}: the file {row.file!r} of {row.image_id!r} lies outside the table's "
                f"folder; give images below {path.parent}"
            )
        if "\0" in row.file:
            raise UserError(
                f"{path}: the file {row.file!r} of {row.image_id!r} holds NUL; name a file"
            )
