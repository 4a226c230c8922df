"""Reading the three kinds of lists into columns of text. Strict: what is not clear is refused with
its row."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import Any

from aobench.csv_tables import parse_csv_rows
from aobench.errors import UserError
from aobench.files import parquet_errors
from aobench.layouts.columns import by_role
from aobench.layouts.tree import FileTree
from aobench.strict_json import parse_json

#: Columns that name a picture.
PICTURE_COLUMNS = ("file", "file_name", "image")
WHAT = "the list"


@dataclass
class PictureList:
    """A list's columns, as text."""

    name: str
    files: (
        list[str] | None
    )  #: paths; None where the list holds the pictures themselves
    attributes: list[str]
    objects: list[str]
    splits: list[str]  #: "" where there is none
    sample_ids: list[str] | None = None

    def __len__(self) -> int:
        return len(self.attributes)


def list_columns(tree: FileTree, name: str) -> list[str]:
    """Names of the columns of what may be a list, as the layout calls them; none where it is not
    readable as one."""
    return list(by_role(_written_columns(tree, name), tree.columns))


def _written_columns(tree: FileTree, name: str) -> list[str]:
    if name.lower().endswith(".parquet"):
        from pyarrow.parquet import read_schema

        try:
            return list(read_schema(tree.file_like(name, WHAT)).names)
        except parquet_errors():
            return []
    first = (
        tree.read_bytes(name, WHAT)
        .lstrip(b"\xef\xbb\xbf\r\n")
        .split(b"\n", 1)[0]
        .decode("utf-8", "replace")
    )
    if name.lower().endswith(".csv"):
        return [field.strip().strip('"') for field in first.split(",")]
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        return []
    return list(row) if isinstance(row, dict) else []


def read_list(tree: FileTree, name: str) -> PictureList:
    """The list ``name`` of a tree. Raises UserError with the row that is wrong."""
    if name.lower().endswith(".parquet"):
        return _read_parquet(tree, name)
    where = f"{WHAT} {tree.where}/{name}"
    if name.lower().endswith(".csv"):
        needed = [
            tree.columns.get(role, role) for role in ("attribute", "object")
        ]
        rows: list[dict[str, Any]] = list(
            parse_csv_rows(tree.read_text(name, WHAT), where, needed)
        )
    else:
        rows = _json_rows(tree.read_text(name, WHAT), where)
    rows = [
        {
            role: row[column]
            for role, column in by_role(list(row), tree.columns).items()
        }
        for row in rows
    ]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    picture = _picture_column(columns, where) if rows else ""
    values = {
        column: [
            _text(row, column, f"{where}, row {number:,}")
            for number, row in enumerate(rows, start=1)
        ]
        for column in (picture, "attribute", "object")
    }
    splits = [
        ""
        if row.get("split") is None
        else _text(row, "split", f"{where}, row {number:,}")
        for number, row in enumerate(rows, start=1)
    ]
    return PictureList(
        name, values[picture], values["attribute"], values["object"], splits
    )


def _json_rows(text: str, where: str) -> list[dict[str, Any]]:
    lines = enumerate(text.split("\n"), start=1)
    return [
        parse_json(line, f"{where}, line {number:,}")
        for number, line in lines
        if line.strip()
    ]


def _text(row: dict[str, Any], column: str, where: str) -> str:
    if column not in row:
        raise UserError(
            f"{where} lacks {column!r}; it has {', '.join(row) or 'nothing'}"
        )
    if not isinstance(row[column], str):
        raise UserError(f"{where}: {column!r} is {row[column]!r}, not a text")
    return str(row[column])


def _picture_column(columns: list[str], where: str) -> str:
    names = [column for column in PICTURE_COLUMNS if column in columns]
    if not names:
        raise UserError(
            f"{where} has no column file or image; it has {', '.join(columns)}"
        )
    if len(names) > 1:
        raise UserError(
            f"{where} names its pictures in two columns, {names[0]} and {names[1]}; remove one"
        )
    return names[0]


def _read_parquet(tree: FileTree, name: str) -> PictureList:
    from pyarrow.parquet import ParquetFile

    where = f"{WHAT} {tree.where}/{name}"
    try:
        file = ParquetFile(tree.file_like(name, WHAT))
    except parquet_errors() as error:
        raise UserError(
            f"{where} is not a readable Parquet file ({' '.join(str(error).split())})"
        ) from error
    schema = file.schema_arrow
    named = by_role(schema.names, tree.columns)
    for column in ("attribute", "object"):
        if column not in named:
            raise UserError(
                f"{where} lacks the column {tree.columns.get(column, column)}; it has "
                f"{', '.join(schema.names)}"
            )
    cells = "image" in named and _holds_pictures(
        schema.field(named["image"]).type
    )
    picture = named["image" if cells else _picture_column(list(named), where)]
    wanted = {
        role: named[role]
        for role in ("attribute", "object", "split", "sample_id")
        if role in named
    }
    paths = _path_column(schema.field(picture).type, picture)
    if cells and picture != picture_cells(schema):
        raise UserError(
            f"{where} holds pictures in {picture_cells(schema)}, too, beside {picture}: leave one "
            "of the columns out"
        )
    try:
        table = file.read(
            columns=[*wanted.values(), *([paths] if paths else [])]
        )
        table.validate(
            full=True
        )  # else a damaged text fails later, as a UnicodeDecodeError
    except parquet_errors() as error:
        raise UserError(
            f"{where} can't be read ({' '.join(str(error).split())}); make it anew"
        ) from error
    values = {
        role: _texts(table, schema, role, column, where)
        for role, column in wanted.items()
    }
    files = _picture_paths(table, picture, paths)
    nulls = _null_pictures(file, picture) if cells else table.num_rows
    if cells and nulls and (nulls < table.num_rows or paths is None):
        raise UserError(
            f"{where}: {nulls:,} of {table.num_rows:,} rows hold no picture; fill them in, or "
            "remove them"
        )
    ids: list[str] | None = values.get("sample_id")
    if ids is None and files and all(files) and len(set(files)) == len(files):
        ids = [unicodedata.normalize("NFC", str(file)) for file in files]
    if ids is not None and len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise UserError(
            f"{where} holds the sample_id {twice!r} more than once; each picture needs its own"
        )
    if nulls and (files is None or not all(files)):
        row = 1 + (files or [None]).index(None)
        raise UserError(
            f"{where}, row {row:,} names no picture; write its path, or remove the row"
        )
    as_files = [str(file) for file in files or []] if nulls else None
    splits = values.get("split", [""] * table.num_rows)
    return PictureList(
        name, as_files, values["attribute"], values["object"], splits, ids
    )


def picture_cells(schema: Any) -> str:
    """The column of a Parquet file that holds the pictures: ``image``, or the first that can."""
    names = [
        name
        for name in schema.names
        if _holds_pictures(schema.field(name).type)
    ]
    return "image" if "image" in names else names[0]


def _holds_pictures(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _path_column(kind: Any, picture: str) -> str | None:
    from pyarrow import types

    if types.is_struct(kind):
        return (
            f"{picture}.path"
            if any(field.name == "path" for field in kind)
            else None
        )
    return None if _holds_pictures(kind) else picture


def _picture_paths(
    table: Any, picture: str, paths: str | None
) -> list[str | None] | None:
    if paths is None:
        return None
    values = table.column(picture).to_pylist()
    return (
        [(value or {}).get("path") for value in values]
        if "." in paths
        else values
    )


def _null_pictures(file: Any, picture: str) -> int:
    """How many cells of the column of pictures have no bytes; the file's own statistics tell it."""
    metadata, nulls = file.metadata, 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = map(group.column, range(group.num_columns))
        facts = [
            c.statistics
            for c in columns
            if c.path_in_schema in (picture, f"{picture}.bytes")
        ]
        if not facts or facts[0] is None or not facts[0].has_null_count:
            return _nulls_by_reading(file, picture)
        nulls += facts[0].null_count
    return nulls


def _nulls_by_reading(file: Any, picture: str) -> int:
    nulls = 0
    for batch in file.iter_batches(64, columns=[picture]):
        for cell in batch.column(0).to_pylist():
            nulls += (
                cell.get("bytes") if isinstance(cell, dict) else cell
            ) is None
    return nulls


def _texts(
    table: Any, schema: Any, role: str, column: str, where: str
) -> list[str]:
    """A column as text; integers of a ClassLabel by the names that ``datasets`` wrote into the
    file."""
    values = table.column(column).to_pylist()
    about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    names = (
        about.get("info", {}).get("features", {}).get(column, {}).get("names")
    )
    if names:
        values = [
            names[v] if isinstance(v, int) and 0 <= v < len(names) else v
            for v in values
        ]
    if role == "split":
        values = ["" if value is None else value for value in values]
    for number, value in enumerate(values, start=1):
        if not isinstance(value, str):
            raise UserError(
                f"{where}, row {number:,}: {column!r} is {value!r}, not a text"
            )
    return values
