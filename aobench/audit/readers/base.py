"""What a caption format is to the rest of the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aobench.audit.chunks import CaptionChunk


@dataclass(frozen=True)
class CaptionFormat:
    """A kind of file that holds captions.

    Attributes:
        name: as the manifest and messages say it.
        endings: of its files' names, in lower case; .gz and .zst may follow.
        read_chunks: (path, column, layout) -> the captions in the file's order. It raises
            `ColumnError` where it has no caption column, and for a broken file ValueError, OSError
            or what polars, tarfile and zlib raise, with a message that names the line.
        count_rows: the rows of a local file where that is cheap to know, for the progress bar.
    """

    name: str
    endings: tuple[str, ...]
    read_chunks: Callable[[str, str | None, str | None], Iterator[CaptionChunk]]
    count_rows: Callable[[str], int] | None = None
