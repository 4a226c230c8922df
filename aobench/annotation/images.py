"""The table of images that annotators judge: read, checked, and known by a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from aobench.errors import UserError

COLUMNS = ("image_id", "attribute", "object", "file")
#: A column that a table may have, as images.parquet of a build does: of the picture's file,
#: hexadecimal.
DIGEST = "sha256"

#: What every browser shows. SVG is left out: it can carry scripts.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif")


@dataclass(frozen=True)
class Row:
    """One image: its unique id, the claimed attribute and object, and its file relative to the
    table's folder.
    """

    image_id: str
    attribute: str
    object: str
    file: str


@dataclass(frozen=True)
class Images:
    """A checked table: its rows in the order of the file, and the folder that ``file`` is relative
    to.

    ``pictures``: the SHA-256 of each picture by its image's id; empty where the table doesn't say.
    """

    path: Path
    rows: tuple[Row, ...]
    pictures: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.rows)


def fingerprint(rows: Iterable[Row]) -> str:
    """SHA-256 (hex) over the rows sorted by id: the same for any order of rows, another for any
    changed cell.
    """
    listed = sorted(astuple(row) for row in rows)
    return hashlib.sha256(
        json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode()
    ).hexdigest()


def read_images(path: Path) -> Images:
    """Read and check a table of images.

    Raises UserError for an unreadable file, missing columns, empty cells, doubled ids, files
    outside the table's folder, and files that are missing or not of a kind that browsers show.
    """
    columns = _columns(path)
    digests = columns.get(DIGEST, [])
    ids, attributes, objects, files = (columns[name] for name in COLUMNS)
    if not ids:
        raise UserError(f"{path} has no rows; give a table with one row an image")
    for name, values in columns.items():
        empty = next(
            (i for i, v in enumerate(values) if v is None or not v.strip()), None
        )
        if empty is not None:
            raise UserError(
                f"{path}: {name} is empty in row {empty + 1}; fill in {', '.join(columns)} for "
                "every image"
            )
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        double = next(i for i in ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
        raise UserError(
            f"{path}: image_id {double!r} stands in more than one row; make the ids unique"
        )
    rows = tuple(
        Row(*cells) for cells in zip(ids, attributes, objects, files, strict=True)
    )
    _check_files(path, rows)
    return Images(path, rows, dict(zip(ids, digests, strict=False)))


def _columns(path: Path) -> dict[str, list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise UserError(
            f"{path} is no file; give a Parquet table with the columns {', '.join(COLUMNS)}"
        )
    try:
        found = pq.read_schema(path).names
        missing = [name for name in COLUMNS if name not in found]
        if missing:
            raise UserError(
                f"{path} lacks the column(s) {', '.join(missing)}; it needs {', '.join(COLUMNS)}"
            )
        wanted = [*COLUMNS, DIGEST] if DIGEST in found else list(COLUMNS)
        table = pq.read_table(path, columns=wanted)
        table.validate(
            full=True
        )  # else a damaged text fails later, as a UnicodeDecodeError
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} is no readable Parquet file ({str(error).splitlines()[0][:120]})"
        ) from error
    out = {}
    for name in wanted:
        kind = table.schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (
            pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or pa.types.is_string_view(kind)
        ):
            raise UserError(f"{path}: the column {name} holds {kind}; store it as text")
        out[name] = table[name].to_pylist()
    return out


def _check_files(path: Path, rows: tuple[Row, ...]) -> None:
    for row in rows:
        pure = PurePosixPath(row.file)
        outside = (
            pure.is_absolute() or ".." in pure.parts or PureWindowsPath(row.file).drive
        )
        if outside or pure.suffix.lower() not in SUFFIXES:
            why = (
                "lies outside the table's folder"
                if outside
                else f"is none of {', '.join(SUFFIXES)}"
            )
            raise UserError(
                f"{path}: the file {row.file!r} of {row.image_id!r} {why}; give images below "
                f"{path.parent}"
            )
    missing = [row.file for row in rows if not (path.parent / row.file).is_file()]
    if missing:
        raise UserError(
            f"{path}: {len(missing)} of {len(rows)} image files are missing, the first is "
            f"{path.parent / missing[0]}; "
            "put the table into the folder that its column `file` is relative to"
        )
