"""Captions out of Parquet, by polars' streaming engine, which also reads ``hf://`` and ``s3://``;
only the caption column is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aobench.audit.chunks import CaptionChunk, series_chunk
from aobench.audit.layouts import ColumnError, named_column
from aobench.audit.readers.base import CaptionFormat
from aobench.audit.streams import is_web, open_bytes

if TYPE_CHECKING:
    import polars as pl

#: Rows of a chunk.
CHUNK_ROWS = 65_536


def _caption_column(
    path: str, column: str | None, layout: str | None
) -> pl.LazyFrame:
    """A lazy frame with the captions as its only column."""
    import polars as pl

    # polars would drop the query of a web address
    source: Any = open_bytes(path) if is_web(path) else path
    frame = pl.scan_parquet(source, glob=False)
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
    return pl.col(name).cast(
        pl.List(pl.String) if of is not kind else pl.String
    )


def parquet_chunks(
    path: str, column: str | None, layout: str | None
) -> Iterator[CaptionChunk]:
    """The captions of a Parquet file. ColumnError where it has no column of text to take."""
    row = 0
    frame = _caption_column(path, column, layout)
    for batch in frame.collect_batches(
        chunk_size=CHUNK_ROWS, maintain_order=True
    ):
        chunk = series_chunk(batch.to_series(), row)
        row += len(chunk)
        yield chunk


def count_parquet_rows(path: str) -> int:
    """Rows of a local file, from its footer. ValueError where a column holds lists of text: a row
    may have several captions then.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    footer = pq.read_metadata(path)
    for field in footer.schema.to_arrow_schema():
        if not pa.types.is_nested(field.type) or not hasattr(
            field.type, "value_type"
        ):
            continue
        inner = field.type.value_type
        if not pa.types.is_primitive(inner):
            raise ValueError(f"{field.name} holds lists of {inner}")
    return int(footer.num_rows)


FORMAT = CaptionFormat(
    "parquet", (".parquet", ".pq"), parquet_chunks, count_parquet_rows
)
