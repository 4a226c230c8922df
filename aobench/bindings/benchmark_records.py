"""The records of other people's benchmarks: JSON, JSON lines, CSV, TSV and Parquet, plain or
packed, a file or all files of a folder.

JSON is told by its content, whatever its ending says: a list of records; an object of records,
whose keys are the items (SugarCrepe); or a record a line.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aobench.errors import UserError

WHAT = "the benchmark"
_TABLES = {".csv": ",", ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson")
ENDINGS = (".json", *_LINES, *_TABLES, ".parquet")
#: A benchmark is read whole; no text of one comes near so many bytes.
MOST_BYTES = 1 << 30
#: Columns that may name an item: the first that names each, and no two alike; else its number
#: from 0 does.
ITEM_COLUMNS = ("id", "item", "index", "image_id")


@dataclass(frozen=True)
class BenchmarkRecord:
    """A record with the name of its file, and its item there."""

    file: str
    item: str
    fields: Mapping[str, Any]


def read_records(path: str | Path) -> list[BenchmarkRecord]:
    """The records of a benchmark: of a file, or of each file below a folder.

    Args:
        path: a file of any of the kinds, or a folder. A file's name in the records is its own, or
            its place below the folder.

    Raises:
        UserError: for a file that can't be read or is no list of records; for a folder or a file
            without any.

    Example:
        >>> read_records("no.json")
        Traceback (most recent call last):
        aobench.errors.UserError: the benchmark no.json does not exist; check its name
    """
    path = Path(path)
    records: list[BenchmarkRecord] = []
    for file in benchmark_files(path):
        name = file.relative_to(path).as_posix() if file != path else file.name
        records += _named_records(file, name)
    if not records:
        raise UserError(
            f"{WHAT} {path} holds no item; give the file with its captions"
        )
    return records


def benchmark_files(path: Path) -> list[Path]:
    """The file itself, or the files of known kinds below a folder, without hidden ones, in the
    order of their names. UserError for a folder without any.
    """
    if not path.is_dir():
        return [path]
    files = [
        file
        for file in sorted(path.rglob("*"))
        if _kind(file) in ENDINGS and not _is_hidden(file.relative_to(path))
    ]
    if not files:
        raise UserError(
            f"{WHAT} {path} is a folder without a file in {', '.join(ENDINGS)}, and without "
            "compositional-split-natural/; give the file with its captions"
        )
    return files


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _kind(path: Path) -> str:
    """The ending that tells a file's kind: packed, the one below."""
    from aobench.audit.streams import PACKED

    ending = path.suffix.lower()
    return Path(path.stem).suffix.lower() if ending in PACKED else ending


def _named_records(path: Path, name: str) -> Iterator[BenchmarkRecord]:
    """The records of one file with their items."""
    checked = []
    for number, (key, row) in enumerate(_rows(path)):
        if not isinstance(row, Mapping):
            raise UserError(
                f"{WHAT} {path}: item {key or number} is no record of columns; write a list of "
                "records, or an object of records by item"
            )
        checked.append((key, row))
    column = _item_column([row for _, row in checked])
    for number, (key, row) in enumerate(checked):
        named = number if column is None else row[column]
        yield BenchmarkRecord(name, str(named) if key is None else key, row)


def _item_column(records: Sequence[Mapping[str, Any]]) -> str | None:
    """The first of `ITEM_COLUMNS` that names each record, and no two alike; None without one."""
    for column in ITEM_COLUMNS:
        values = [str(record.get(column)) for record in records]
        if "None" not in values and len(set(values)) == len(values):
            return column
    return None


def _rows(path: Path) -> Iterable[tuple[str | None, Any]]:
    """The item's key, where the file has one, and the row."""
    kind = _kind(path)
    if kind == ".parquet":
        return ((None, row) for row in _parquet_rows(path))
    text = _text(path)
    if kind in _TABLES:
        from aobench.csv_tables import parse_csv_rows

        rows = parse_csv_rows(text, f"{WHAT} {path}", separator=_TABLES[kind])
        return ((None, row) for row in rows)
    return _json_rows(text, f"{WHAT} {path}", kind in _LINES)


def _text(path: Path) -> str:
    """The text of a file, unpacked by its ending."""
    from aobench.audit.streams import PACKED, open_bytes
    from aobench.files import decode_text, read_text, regular_file

    if path.suffix.lower() not in PACKED:
        return read_text(path, WHAT, MOST_BYTES)
    regular_file(path, WHAT)
    try:
        with open_bytes(str(path)) as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        why = " ".join(str(error).split())
        raise UserError(
            f"{WHAT} {path} can't be unpacked ({why}); fetch it again"
        ) from error
    if len(data) > MOST_BYTES:
        raise UserError(
            f"{WHAT} {path} has more than {MOST_BYTES:,} bytes: is it another file?"
        )
    return decode_text(data, f"{WHAT} {path}")


def _json_rows(
    text: str, where: str, by_lines: bool
) -> list[tuple[str | None, Any]]:
    """The rows of JSON, whole or by lines; ``by_lines``: what the ending says of a lone record."""
    from aobench.strict_json import parse_json

    lines = [
        (n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()
    ]
    if not lines:
        return []
    start = lines[0][1].strip()[0]
    if start == "{" and (
        by_lines or (len(lines) > 1 and _is_json(lines[0][1]))
    ):
        return [
            (None, parse_json(line, f"{where}, line {n:,}", None))
            for n, line in lines
        ]
    content = parse_json(text, where, None)
    if isinstance(content, list):
        return [(None, row) for row in content]
    if isinstance(content, dict):
        return list(content.items())
    raise UserError(
        f"{where} is neither a list of records nor an object of them"
    )


def _is_json(line: str) -> bool:
    """Whether a line is a whole value, so that the file is one of JSON lines."""
    from aobench.strict_json import parse_json

    try:
        parse_json(line, WHAT, None)
    except UserError:
        return False
    return True


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows, without columns of pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from aobench.files import parquet_errors, regular_file

    def is_picture(kind: pa.DataType) -> bool:
        return (
            pa.types.is_struct(kind)
            or pa.types.is_binary(kind)
            or pa.types.is_large_binary(kind)
        )

    regular_file(path, WHAT)
    try:
        with pq.ParquetFile(path) as file:
            plain = [
                field.name
                for field in file.schema_arrow
                if not is_picture(field.type)
            ]
            for batch in file.iter_batches(columns=plain):
                yield from batch.to_pylist()
    except parquet_errors() as error:
        raise UserError(
            f"{WHAT} {path} is no readable Parquet file: {error}"
        ) from error
