"""Captions out of files, chunk by chunk: Parquet, CSV, TSV, JSON lines, text and webdataset tars.

Tables are read by polars' streaming engine, which also reads ``hf://`` and ``s3://``; only the caption column is
decoded. Text and tars are read here. None holds more than a few chunks in memory.
"""

from __future__ import annotations

import glob
import gzip
import io
import json
import tarfile
import urllib.parse
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from aobench.audit.counter import Chunk
from aobench.audit.layouts import LAYOUTS, find_column, table_layout
from aobench.errors import UserError

if TYPE_CHECKING:
    import polars as pl

#: Rows of a chunk, and bytes of one of a text file.
CHUNK_ROWS, CHUNK_BYTES = 65_536, 1 << 23

#: Ending, with or without .gz -> kind of file.
KINDS = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".txt": "text", ".tar": "tar",
}  # fmt: skip


class BadFileError(Exception):
    """A file cannot be read to its end. The message is one line."""


def kind_of(path: str) -> str:
    """The kind of a file by its ending. UserError for an ending that is not known."""
    name = path.rsplit("/", 1)[-1].lower().removesuffix(".gz").removesuffix(".zst")
    for ending, kind in KINDS.items():
        if name.endswith(ending):
            return kind
    raise UserError(f"{path} is of no known kind; the endings are: {', '.join(KINDS)}, all but .parquet also with .gz")


def is_remote(path: str) -> bool:
    """Whether the path is a URL such as hf://datasets/org/name/file.parquet or s3://bucket/file.parquet."""
    return "://" in path


def expand(patterns: Sequence[str], out: Path | None = None) -> list[str]:
    """The files that paths, folders and globs name, each once, sorted within its pattern. UserError for none.

    What lies in ``out``, the folder of an audit's own results, is left out.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        if is_remote(pattern):
            files = _remote_files(pattern)
        elif Path(pattern).is_dir():
            files = sorted(str(p) for p in Path(pattern).rglob("*") if p.is_file() and _known(p.name))
        elif Path(pattern).exists():
            files = [pattern]
        else:
            files = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (absolute patterns)
        if out is not None:
            files = [f for f in files if is_remote(f) or out.absolute() not in Path(f).absolute().parents]
        if not files:
            raise UserError(f"{pattern} names no caption file; give files, folders or globs such as 'part-*.parquet'")
        found.update(dict.fromkeys(files))
    for path in found:
        kind_of(path)
    return list(found)


def _known(name: str) -> bool:
    return any(name.lower().removesuffix(".gz").endswith(ending) for ending in KINDS)


def _remote_files(pattern: str) -> list[str]:
    """A remote glob's files, where its file system can list them; else the glob, which polars then reads as one."""
    if "*" not in pattern:
        return [pattern]
    import fsspec

    scheme = pattern.split("://", 1)[0]
    try:
        system, _ = fsspec.core.url_to_fs(pattern)
        return sorted(f"{scheme}://{path}" for path in system.glob(pattern))
    except (ImportError, OSError, ValueError):
        return [pattern]


def read_chunks(path: str, column: str | None = None, layout: str | None = None) -> Iterator[Chunk]:
    """The captions of one file in its order. BadFileError where it is broken, UserError where no column is found."""
    if layout is not None and layout not in LAYOUTS:
        raise UserError(f"unknown layout {layout!r}; the layouts are: {', '.join(LAYOUTS)}")
    import polars as pl

    kind = kind_of(path)
    try:
        if kind == "text":
            yield from _text_chunks(path)
        elif kind == "tar":
            yield from _tar_chunks(path, column)
        else:
            yield from _frame_chunks(_scan(path, kind, column, layout))
    except (pl.exceptions.PolarsError, OSError, EOFError, ValueError, tarfile.TarError, zlib.error) as error:
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


def _scan(path: str, kind: str, column: str | None, layout: str | None) -> pl.LazyFrame:
    """A lazy frame with the captions as its only column."""
    import polars as pl

    if kind == "parquet":
        frame = pl.scan_parquet(path)
        names = frame.collect_schema().names()
        wanted = column or (str(LAYOUTS[layout].columns[0]) if layout and LAYOUTS[layout].header else None)
        if column is None and wanted not in names:
            wanted = None
        pair = [next((n for n in names if n.lower() == half), None) for half in ("title", "description")]
        if layout == "yfcc" and column is None and all(pair):
            return frame.select(_joined([pl.col(str(name)) for name in pair], coded=False))
        return frame.select(pl.col(find_column(names, path, wanted)).cast(pl.String))
    if kind == "jsonl":
        first = json.loads(_first_line(path) or "{}")
        names = list(first) if isinstance(first, dict) else []
        name = column or find_column(names, path)
        return pl.scan_ndjson(path, schema={name: pl.String}).select(name)
    separator = "\t" if kind == "tsv" else ","
    found = table_layout(_first_line(path), separator, path, column, layout)
    quote = None if kind == "tsv" else '"'
    frame = pl.scan_csv(path, separator=separator, has_header=found.header, infer_schema=False, quote_char=quote)
    names = frame.collect_schema().names()
    return frame.select(_joined([pl.col(names[c] if isinstance(c, int) else c) for c in found.columns], found.coded))


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
        array = batch.to_series().to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offset_bytes, data = array.buffers()
        n = len(array)
        offsets = np.frombuffer(offset_bytes, np.int64, n + 1, array.offset * 8) if n else np.zeros(1, np.int64)
        content = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
        yield Chunk(content, offsets[:-1], offsets[1:], array.null_count, row)
        row += n


def _first_line(path: str) -> str:
    """The first line of a text file, without its end."""
    with _open(path) as stream:
        return stream.readline().decode("utf-8-sig", "replace").rstrip("\r\n")


# --- text and tars ----------------------------------------------------------------------------------------------------


def _open(path: str) -> IO[bytes]:
    """A file's bytes, unpacked; remote ones through fsspec."""
    if is_remote(path):
        import fsspec

        return fsspec.open(path, "rb", compression="infer").open()
    if path.lower().endswith(".gz"):
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return Path(path).open("rb")


def _text_chunks(path: str) -> Iterator[Chunk]:
    """Lines, parted by newlines; a carriage return before one is left out."""
    with _open(path) as stream:
        left, row = b"", 0
        while block := stream.read(CHUNK_BYTES):
            block = left + block
            cut = block.rfind(b"\n") + 1
            left = block[cut:]
            if cut:
                chunk = _lines(block[:cut], row)
                row += len(chunk)
                yield chunk
        if left:
            yield _lines(left + b"\n", row)


def _lines(block: bytes, row: int) -> Chunk:
    data = np.frombuffer(block, np.uint8)
    stops = np.flatnonzero(data == 10).astype(np.int64)
    begins = np.concatenate([[0], stops[:-1] + 1]).astype(np.int64)
    returns = (stops > begins) & (data[np.maximum(stops - 1, 0)] == 13)
    return Chunk(data, begins, stops - returns, 0, row)


def _tar_chunks(path: str, column: str | None) -> Iterator[Chunk]:
    """One caption a sample: its .txt, else the caption field of its .json; a sample without either is null."""
    captions: list[str | None] = []
    row = 0
    for caption in _tar_captions(path, column):
        captions.append(caption)
        if len(captions) == CHUNK_ROWS:
            yield Chunk.of(captions, row)
            row += len(captions)
            captions = []
    if captions:
        yield Chunk.of(captions, row)


def _tar_captions(path: str, column: str | None) -> Iterator[str | None]:
    sample, text, fields = None, None, None
    with _open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if not member.isfile():
                continue
            folder, _, name = member.name.rpartition("/")
            stem, _, ending = name.partition(".")
            if sample is not None and sample != (folder, stem):
                yield text if text is not None else _field(fields, path, column)
                text = fields = None
            sample = (folder, stem)
            if ending in ("txt", "caption", "json"):
                content = (archive.extractfile(member) or io.BytesIO()).read()
                if ending == "json":
                    fields = json.loads(content)
                elif column is None:
                    text = content.decode("utf-8", "replace").rstrip("\r\n")
    if sample is not None:
        yield text if text is not None else _field(fields, path, column)


def _field(fields: Any, path: str, column: str | None) -> str | None:
    """The caption of a .json member; null where it has none."""
    if not isinstance(fields, dict):
        return None
    value = fields.get(find_column(list(fields), f"a .json member of {path}", column))
    return None if value is None else str(value)
