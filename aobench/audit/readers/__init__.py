"""Captions out of files, chunk by chunk, in a module for each format.

Everywhere newline, carriage return or both end a line, a byte-order mark is passed over, UTF-16 is
refused by name, and a list of captions counts as so many captions. No reader holds more than a few
chunks in memory. To add a format, write a module with a `CaptionFormat` and name it in FORMATS.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator

from aobench.audit.chunks import CaptionChunk
from aobench.audit.layouts import LAYOUTS
from aobench.audit.readers import (
    json_lines,
    parquet,
    separated,
    tars,
    text_lines,
)
from aobench.audit.readers.base import CaptionFormat
from aobench.audit.streams import PACKED, BadFileError, file_name, is_remote
from aobench.errors import UserError

#: By name; an ending belongs to the first format that has it.
FORMATS: dict[str, CaptionFormat] = {
    one.name: one
    for one in (
        parquet.FORMAT,
        separated.CSV_FORMAT,
        separated.TSV_FORMAT,
        json_lines.FORMAT,
        text_lines.FORMAT,
        tars.FORMAT,
    )
}


def known_format(path: str) -> CaptionFormat | None:
    """The format of a file by its ending; None for an ending that is not known."""
    name = file_name(path).lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    formats = FORMATS.values()
    return next((one for one in formats if name.endswith(one.endings)), None)


def caption_format(path: str) -> CaptionFormat:
    """As `known_format`. UserError for an ending that is not known."""
    known = known_format(path)
    if known is None:
        endings = ", ".join(
            end for one in FORMATS.values() for end in one.endings
        )
        raise UserError(
            f"{path} is of no known kind; the endings are: {endings}, all but .parquet also with "
            ".gz, .zst"
        )
    return known


def read_chunks(
    path: str, column: str | None = None, layout: str | None = None
) -> Iterator[CaptionChunk]:
    """The captions of one file in its order.

    BadFileError where it is broken, ColumnError without a caption column.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UserError(
            f"unknown layout {layout!r}; the layouts are: {', '.join(LAYOUTS)}"
        )
    import polars as pl

    broken = (
        pl.exceptions.PolarsError,
        OSError,
        EOFError,
        ValueError,
        tarfile.TarError,
        zlib.error,
    )
    reader = caption_format(path).read_chunks
    try:
        yield from reader(path, column, layout)
    except broken as error:
        raise BadFileError(
            " ".join(str(error).split())[:300] or type(error).__name__
        ) from error


def known_rows(path: str) -> int | None:
    """Rows of a local file whose format tells them cheaply; None for others, and where it can't be
    read.
    """
    count_rows = caption_format(path).count_rows
    if is_remote(path) or count_rows is None:
        return None
    try:
        return count_rows(path)
    except (OSError, ValueError):
        return None
