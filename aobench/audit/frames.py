"""Columns of Arrow and polars as chunks of captions, without a copy of their bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from aobench.audit.counter import Chunk


def series_chunk(column: Any, row: int) -> Chunk:
    """A column of text or bytes, or of lists of them, which count as so many rows; an empty list
    is one null.
    """
    import polars as pl

    series = column if isinstance(column, pl.Series) else pl.Series("", column)
    if isinstance(series.dtype, pl.List | pl.Array):
        series = series.explode(empty_as_null=True)
    nulls = series.null_count()
    if nulls:  # the bytes below a null are whatever they were
        series = series.fill_null(b"" if series.dtype == pl.Binary else "")
    array = series.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offset_bytes, data = array.buffers()
    n = len(array)
    offsets = (
        np.frombuffer(offset_bytes, np.int64, n + 1, array.offset * 8)
        if n
        else np.zeros(1, np.int64)
    )
    content = (
        np.frombuffer(data, np.uint8)
        if data is not None and data.size
        else np.zeros(0, np.uint8)
    )
    return Chunk(content, offsets[:-1], offsets[1:], nulls, row)
