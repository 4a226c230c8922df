"""Captions out of text files: one a line."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aobench.audit.chunks import CaptionChunk
from aobench.audit.readers.base import CaptionFormat
from aobench.audit.streams import UTF8_MARK, check_encoding, open_bytes

#: Bytes of a chunk.
CHUNK_BYTES = 1 << 23
#: A line that is longer (bytes) is no caption: the file lacks line ends, or is something else.
LONGEST_LINE = 1 << 20


def text_chunks(
    path: str, column: str | None, layout: str | None
) -> Iterator[CaptionChunk]:
    """The lines of a text file; each is a caption, so neither column nor layout means anything.

    ValueError for a line that is too long to be one.
    """
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


def _lines(block: bytes, row: int) -> CaptionChunk:
    data = np.frombuffer(block, np.uint8)
    stops = np.flatnonzero(data == 10).astype(np.int64)
    begins = np.concatenate([[0], stops[:-1] + 1]).astype(np.int64)
    sizes = stops - begins
    longest = int(sizes.argmax())
    _refuse_long(int(sizes[longest]), row + longest)
    return CaptionChunk(data, begins, stops, 0, row)


FORMAT = CaptionFormat("text", (".txt",), text_chunks)
