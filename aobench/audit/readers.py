"""Captions out of files, chunk by chunk: Parquet, CSV, TSV, JSON lines, text and webdataset tars.

Parquet is read by polars' streaming engine, which also reads ``hf://`` and ``s3://``; only the
caption column is decoded. CSV and TSV, JSON lines and tars have a module each, text is read here.
None holds more than a few chunks in memory. Everywhere newline, carriage return or both end a
line, a byte-order mark is passed over, UTF-16 is refused by name, and a list of captions counts
as so many captions.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.audit.counter import Chunk
from aobench.audit.files import (
    UTF8_MARK,
    BadFileError,
    check_encoding,
    is_remote,
    kind_of,
    open_bytes,
    parquet_source,
)
from aobench.audit.frames import series_chunk
from aobench.audit.json_lines import json_line_chunks
from aobench.audit.layouts import LAYOUTS, ColumnError, named_column
from aobench.audit.separated import separated_chunks
from aobench.audit.tars import tar_chunks
from aobench.errors import UserError

if TYPE_CHECKING:
    import polars as pl

#: Rows of a chunk, and bytes of one of a text file.
CHUNK_ROWS, CHUNK_BYTES = 65_536, 1 << 23
#: A line of a text file that is longer (bytes) is no caption: the file lacks line ends, or is
#: something else.
LONGEST_LINE = 1 << 20


def read_chunks(
    path: str, column: str | None = None, layout: str | None = None
) -> Iterator[Chunk]:
    """The captions of one file in its order.

    BadFileError where it is broken, ColumnError without a caption column.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UserError(
            f"unknown layout {layout!r}; the layouts are: {', '.join(LAYOUTS)}"
        )
    import polars as pl

    kind = kind_of(path)
    broken = (
        pl.exceptions.PolarsError,
        OSError,
        EOFError,
        ValueError,
        tarfile.TarError,
        zlib.error,
    )
    try:
        if kind == "text":
            yield from _text_chunks(path)
        elif kind == "tar":
            yield from tar_chunks(path, column, layout)
        elif kind == "jsonl":
            yield from json_line_chunks(path, column, layout)
        elif kind == "parquet":
            yield from _frame_chunks(_scan(path, column, layout))
        else:
            yield from separated_chunks(
                path, "\t" if kind == "tsv" else ",", column, layout
            )
    except broken as error:
        raise BadFileError(
            " ".join(str(error).split())[:300] or type(error).__name__
        ) from error


def known_rows(path: str) -> int | None:
    """Rows of a local Parquet file from its footer; None for other files and where it can't be
    read.
    """
    if is_remote(path) or kind_of(path) != "parquet":
        return None
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, ValueError):
        return None


# --- Parquet --------------------------------------------------------------------------------------
# --------------------


def _scan(path: str, column: str | None, layout: str | None) -> pl.LazyFrame:
    """A lazy frame with the captions as its only column."""
    import polars as pl

    frame = pl.scan_parquet(parquet_source(path), glob=False)
    schema = frame.collect_schema()
    names = schema.names()
    pair = [
        next((n for n in names if n.lower() == half), None)
        for half in ("title", "description")
    ]
    if layout == "yfcc" and column is None and all(pair):
        columns = [pl.col(str(name)) for name in pair]
        some = pl.any_horizontal(c.is_not_null() for c in columns)
        joined = pl.when(some).then(
            pl.concat_str(columns, separator=". ", ignore_nulls=True)
        )
        return frame.select(joined.alias("caption"))
    name = named_column(names, path, column, layout)
    return frame.select(_text(name, schema[name], path))


def _text(name: str, kind: Any, path: str) -> pl.Expr:
    """The column as text or its bytes. ColumnError for anything else."""
    import polars as pl

    of = kind.inner if isinstance(kind, pl.List | pl.Array) else kind
    # text without its logical type, as some systems write it; what isn't UTF-8 is counted
    if of == pl.Binary:
        return pl.col(name)
    if of not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        raise ColumnError(
            f"{path}: the column {name!r} holds {kind}, not text; name another with --column"
        )
    return pl.col(name).cast(pl.List(pl.String) if of is not kind else pl.String)


def _frame_chunks(frame: pl.LazyFrame) -> Iterator[Chunk]:
    row = 0
    for batch in frame.collect_batches(chunk_size=CHUNK_ROWS, maintain_order=True):
        chunk = series_chunk(batch.to_series(), row)
        row += len(chunk)
        yield chunk


# --- text -----------------------------------------------------------------------------------------
# --------------------


def _text_chunks(path: str) -> Iterator[Chunk]:
    """Lines; each is a caption."""
    with open_bytes(path) as stream:
        left, row = b"", 0
        while block := stream.read(CHUNK_BYTES):
            if not row and not left:
                check_encoding(block)
                block = block.removeprefix(UTF8_MARK)
            block = left + block
            if b"\r" in block:
                # A return at the very end may have its newline in the next block: it waits for it.
                end = b"\r" if block.endswith(b"\r") else b""
                block = (
                    block[: len(block) - len(end)]
                    .replace(b"\r\n", b"\n")
                    .replace(b"\r", b"\n")
                    + end
                )
            cut = block.rfind(b"\n") + 1
            left = block[cut:]
            _refuse_long(len(left), row + block.count(b"\n"))
            if cut:
                chunk = _lines(block[:cut], row)
                row += len(chunk)
                yield chunk
        if left:
            yield _lines(left.removesuffix(b"\r") + b"\n", row)


def _refuse_long(size: int, row: int) -> None:
    if size > LONGEST_LINE:
        raise ValueError(
            f"line {row + 1:,} is over {LONGEST_LINE >> 20} MiB: this is no file of one caption a "
            "line"
        )


def _lines(block: bytes, row: int) -> Chunk:
    data = np.frombuffer(block, np.uint8)
    stops = np.flatnonzero(data == 10).astype(np.int64)
    begins = np.concatenate([[0], stops[:-1] + 1]).astype(np.int64)
    sizes = stops - begins
    longest = int(sizes.argmax())
    _refuse_long(int(sizes[longest]), row + longest)
    return Chunk(data, begins, stops, 0, row)
