"""Chunks of captions: what the readers of all formats give and the counter takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aobench.audit.words import normal_form


@dataclass(frozen=True)
class CaptionChunk:
    """Captions in one buffer: ``data`` uint8, ``begins`` and ``stops`` int64 (n), nulls (empty),
    row of the first.

    The arrays can only be read: numba compiles a function anew, which takes many seconds, for each
    of its arrays that can be written, too.
    """

    data: np.ndarray
    begins: np.ndarray
    stops: np.ndarray
    nulls: int
    first_row: int

    def __post_init__(self) -> None:
        for name in ("data", "begins", "stops"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.begins)

    def text(self, index: int, most: int | None = None) -> str:
        """One caption, cut after ``most`` bytes; bytes that are no UTF-8 are replaced."""
        begin, stop = int(self.begins[index]), int(self.stops[index])
        if most is None or stop - begin <= most:
            return bytes(self.data[begin:stop]).decode("utf-8", "replace")
        return (
            bytes(self.data[begin : begin + most]).decode("utf-8", "ignore")
            + "..."
        )

    @classmethod
    def of(
        cls, captions: Iterable[str | bytes | None], first_row: int = 0
    ) -> CaptionChunk:
        """A chunk of Python strings, or of bytes that should be UTF-8."""
        coded = [
            c.encode("utf-8", "surrogatepass") if isinstance(c, str) else c
            for c in captions
        ]
        offsets = np.cumsum([0, *(len(c or b"") for c in coded)]).astype(
            np.int64
        )
        data = np.frombuffer(b"".join(c or b"" for c in coded), np.uint8)
        return cls(
            data,
            offsets[:-1],
            offsets[1:],
            sum(c is None for c in coded),
            first_row,
        )

    def settled(self, rows: np.ndarray) -> CaptionChunk:
        """The captions of these places as `normal_form` gives them; the others are empty."""
        texts = CaptionChunk.of(
            normal_form(self.text(row)) for row in rows.tolist()
        )
        begins, stops = np.zeros_like(self.begins), np.zeros_like(self.stops)
        begins[rows], stops[rows] = texts.begins, texts.stops
        return CaptionChunk(
            texts.data, begins, stops, self.nulls, self.first_row
        )


def series_chunk(column: Any, row: int) -> CaptionChunk:
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
    return CaptionChunk(content, offsets[:-1], offsets[1:], nulls, row)
