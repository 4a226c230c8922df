"""Captions out of files, chunk by chunk: Parquet, CSV, TSV, JSON lines, text and webdataset tars.

Tables are read by polars' streaming engine, which also reads ``hf://`` and ``s3://``; only the caption column is
decoded. Text and tars are read here. None holds more than a few chunks in memory.
"""

from __future__ import annotations

import io
import json
import tarfile
import urllib.parse
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.audit.counter import Chunk
from aobench.audit.files import BadFileError, is_remote, kind_of, open_bytes
from aobench.audit.layouts import LAYOUTS, ColumnError, find_column, table_layout
from aobench.errors import UserError

if TYPE_CHECKING:
    import polars as pl

#: Rows of a chunk, and bytes of one of a text file.
CHUNK_ROWS, CHUNK_BYTES = 65_536, 1 << 23
#: A line of a text file that is longer (bytes) is no caption: the file lacks line ends, or is something else.
LONGEST_LINE = 1 << 20
#: Lines of a JSONL file among which the caption field is looked for.
FIRST_LINES = 100

UTF8_MARK, UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


def read_chunks(path: str, column: str | None = None, layout: str | None = None) -> Iterator[Chunk]:
    """The captions of one file in its order; a list of captions counts as so many rows.

    BadFileError where it is broken, ColumnError (a UserError) where it has no caption column.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UserError(f"unknown layout {layout!r}; the layouts are: {', '.join(LAYOUTS)}")
    import polars as pl

    kind = kind_of(path)
    broken = (pl.exceptions.PolarsError, OSError, EOFError, ValueError, tarfile.TarError, zlib.error)
    try:
        if kind == "text":
            yield from _text_chunks(path)
        elif kind == "tar":
            yield from _tar_chunks(path, column, layout)
        else:
            frame = _scan(path, kind, column, layout)
            if frame is not None:
                yield from _frame_chunks(frame)
    except broken as error:
        raise BadFileError(" ".join(str(error).split())[:300] or type(error).__name__) from error


def known_rows(path: str) -> int | None:
    """Rows of a local Parquet file from its footer; None for other files and where it can't be read."""
    if is_remote(path) or kind_of(path) != "parquet":
        return None
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, ValueError):
        return None


# --- tables -----------------------------------------------------------------------------------------------------------


def _scan(path: str, kind: str, column: str | None, layout: str | None) -> pl.LazyFrame | None:
    """A lazy frame with the captions as its only column; None for an empty file."""
    import polars as pl

    if kind == "parquet":
        frame = pl.scan_parquet(path)
        schema = frame.collect_schema()
        names = schema.names()
        pair = [next((n for n in names if n.lower() == half), None) for half in ("title", "description")]
        if layout == "yfcc" and column is None and all(pair):
            return frame.select(_joined([pl.col(str(name)) for name in pair], coded=False))
        name = _named(names, path, column, layout)
        return frame.select(_text(name, schema[name], path))
    first = _first_lines(path, FIRST_LINES if kind == "jsonl" else 1)
    if not first:
        return None
    if kind == "jsonl":
        return _json_lines(path, first, column, layout)
    separator = "\t" if kind == "tsv" else ","
    found = table_layout(first[0], separator, path, column, layout)
    quote = None if kind == "tsv" else '"'
    frame = pl.scan_csv(path, separator=separator, has_header=found.header, infer_schema=False, quote_char=quote)
    names = frame.collect_schema().names()
    plain = {name.strip(): name for name in reversed(names)}
    columns = [pl.col(names[c] if isinstance(c, int) else plain.get(c, c)) for c in found.columns]
    return frame.select(_joined(columns, found.coded))


def _json_lines(path: str, first: list[str], column: str | None, layout: str | None) -> pl.LazyFrame:
    """A file of JSON objects. Its caption field is that of the first lines; lines without it are null."""
    import polars as pl

    if first[0].startswith("\ufeff"):
        raise ValueError("it begins with a byte-order mark, which JSON lines may not; write it without")
    objects = [json.loads(line) for line in first if line.strip()]
    fields = {key: value for one in reversed(objects) if isinstance(one, dict) for key, value in one.items()}
    name = _named(list(fields), path, column, layout)
    values = [one[name] for one in objects if isinstance(one, dict) and one.get(name) is not None]
    if any(isinstance(value, dict) for value in values):
        raise ColumnError(f"{path}: {name!r} holds JSON objects, not text; name another field with --column")
    kind: Any = pl.List(pl.String) if any(isinstance(value, list) for value in values) else pl.String()
    return pl.scan_ndjson(path, schema={name: kind}).select(_text(name, kind, path))


def _named(names: list[str], path: str, column: str | None, layout: str | None) -> str:
    """The caption column: the one asked for, the layout's where the file has it, or one of a known name."""
    known = LAYOUTS[layout] if layout else None
    if column is None and known is not None and known.header and known.columns[0] in names:
        return str(known.columns[0])
    return find_column(names, path, column)


def _text(name: str, kind: Any, path: str) -> pl.Expr:
    """The column as text, lists as so many rows. ColumnError for anything that is neither."""
    import polars as pl

    of = kind
    expression = pl.col(name)
    if isinstance(kind, pl.List | pl.Array):
        expression, of = expression.explode(empty_as_null=True), kind.inner
    if of not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        raise ColumnError(f"{path}: the column {name!r} holds {kind}, not text; name another with --column")
    return expression.cast(pl.String)


def _joined(columns: list[pl.Expr], coded: bool) -> pl.Expr:
    """One column of several, parted by ". "; null where all are."""
    import polars as pl

    joined = columns[0]
    if len(columns) > 1:
        some = pl.any_horizontal(c.is_not_null() for c in columns)
        joined = pl.when(some).then(pl.concat_str(columns, separator=". ", ignore_nulls=True))
    if coded:
        joined = joined.map_batches(_decoded, return_dtype=pl.String, is_elementwise=True)
    return joined.alias("caption")


def _decoded(series: pl.Series) -> pl.Series:
    """URL-encoded texts decoded."""
    import polars as pl

    values = [None if text is None else urllib.parse.unquote_plus(text) for text in series]
    return pl.Series(series.name, values, dtype=pl.String)


def _frame_chunks(frame: pl.LazyFrame) -> Iterator[Chunk]:
    import polars as pl

    row = 0
    for batch in frame.collect_batches(chunk_size=CHUNK_ROWS, maintain_order=True):
        series = batch.to_series()
        nulls = series.null_count()
        if nulls:  # the bytes below a null are whatever they were
            series = series.fill_null("")
        array = series.to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offset_bytes, data = array.buffers()
        n = len(array)
        offsets = np.frombuffer(offset_bytes, np.int64, n + 1, array.offset * 8) if n else np.zeros(1, np.int64)
        content = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
        yield Chunk(content, offsets[:-1], offsets[1:], nulls, row)
        row += n


def _first_lines(path: str, count: int) -> list[str]:
    """The first lines of a text file, without their ends; none for an empty file."""
    with open_bytes(path) as stream:
        lines = [line.decode("utf-8", "replace").rstrip("\r\n") for line in islice(stream, count)]
    if lines and kind_of(path) != "jsonl":
        lines[0] = lines[0].removeprefix("\ufeff")
    return lines


# --- text and tars ----------------------------------------------------------------------------------------------------


def _text_chunks(path: str) -> Iterator[Chunk]:
    """Lines, parted by newlines; a carriage return before one is left out."""
    with open_bytes(path) as stream:
        left, row = b"", 0
        while block := stream.read(CHUNK_BYTES):
            if not row and not left:
                if block.startswith(UTF16_MARKS):
                    raise ValueError("it is UTF-16; convert it to UTF-8: iconv -f UTF-16 -t UTF-8")
                block = block.removeprefix(UTF8_MARK)
            block = left + block
            cut = block.rfind(b"\n") + 1
            left = block[cut:]
            _refuse_long(len(left), row + block.count(b"\n"))
            if cut:
                chunk = _lines(block[:cut], row)
                row += len(chunk)
                yield chunk
        if left:
            yield _lines(left + b"\n", row)


def _refuse_long(size: int, row: int) -> None:
    if size > LONGEST_LINE:
        raise ValueError(f"line {row + 1:,} is over {LONGEST_LINE >> 20} MiB: this is no file of one caption a line")


def _lines(block: bytes, row: int) -> Chunk:
    data = np.frombuffer(block, np.uint8)
    stops = np.flatnonzero(data == 10).astype(np.int64)
    begins = np.concatenate([[0], stops[:-1] + 1]).astype(np.int64)
    sizes = stops - begins
    longest = int(sizes.argmax())
    _refuse_long(int(sizes[longest]), row + longest)
    returns = (stops > begins) & (data[np.maximum(stops - 1, 0)] == 13)
    return Chunk(data, begins, stops - returns, 0, row)


def _tar_chunks(path: str, column: str | None, layout: str | None) -> Iterator[Chunk]:
    """One caption a sample: its .txt, else the caption field of its .json; a sample without either is null."""
    captions: list[str | None] = []
    row = 0
    for caption in _tar_captions(path, column, layout):
        captions.append(caption)
        if len(captions) == CHUNK_ROWS:
            yield Chunk.of(captions, row)
            row += len(captions)
            captions = []
    if captions:
        yield Chunk.of(captions, row)


#: Raised by tarfile at a block of zeros, which ends an archive.
_EndOfArchive: type[Exception] = tarfile.EOFHeaderError  # type: ignore[attr-defined]


class _Header(tarfile.TarInfo):
    """Tells a proper end from a damaged header, which tarfile takes for one."""

    @classmethod
    def fromtarfile(cls, archive: Any) -> Any:
        """As tarfile's; marks the archive where it ends as it should."""
        try:
            return super().fromtarfile(archive)
        except _EndOfArchive:
            archive.proper_end = True
            raise


def _tar_captions(path: str, column: str | None, layout: str | None) -> Iterator[str | None]:
    sample: tuple[str, str] | None = None
    members: dict[str, bytes] = {}
    with open_bytes(path) as stream, tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as archive:
        for member in archive:
            vars(archive)["members"] = []  # tarfile keeps every header that it saw
            if not member.isfile():
                continue
            folder, _, name = member.name.rpartition("/")
            stem, _, ending = name.partition(".")
            if sample is not None and sample != (folder, stem):
                yield from _sample_captions(members, path, column, layout)
                members = {}
            sample = (folder, stem)
            if ending.lower() in ("txt", "caption", "json"):
                members[ending.lower()] = (archive.extractfile(member) or io.BytesIO()).read()
        if sample is not None:
            yield from _sample_captions(members, path, column, layout)
        _check_end(archive)


def _check_end(archive: tarfile.TarFile) -> None:
    """ValueError where the archive stops elsewhere than at its end mark, or goes on behind it."""
    if not getattr(archive, "proper_end", False):
        raise ValueError(f"the archive is damaged or cut off at byte {archive.offset:,}")
    rest: Any = archive.fileobj
    while block := rest.read(1 << 20):
        if block.count(0) != len(block):
            raise ValueError(f"the archive goes on behind its end mark at byte {archive.offset:,}: it is damaged")


def _sample_captions(
    members: dict[str, bytes], path: str, column: str | None, layout: str | None
) -> Iterator[str | None]:
    """The captions of one sample: one, or null, or several where its field is a list."""
    text = members.get("txt", members.get("caption"))
    if column is None and text is not None:
        yield text.decode("utf-8", "replace").rstrip("\r\n")
        return
    fields = json.loads(members["json"]) if "json" in members else None
    value = None
    if isinstance(fields, dict):
        try:
            value = fields.get(_named(list(fields), path, column, layout))
        except ColumnError:
            value = None
    if isinstance(value, dict):
        raise ValueError("the caption field of a .json member holds an object, not text; name another with --column")
    for one in value if isinstance(value, list) and value else [value]:
        yield None if one is None or isinstance(one, list | dict) else str(one)
