"""Captions out of JSON lines. pyarrow's parser reads them, with the caption's type fixed: text, or
a list of texts.

Where it stops, because a line is another type, holds NaN or isn't JSON, the file is read on line
by line under the same rules, which tells the line; so the answer doesn't depend on which of the
two reads. A list counts as so many captions, a line without the field is null, NaN is null, a
number counts as its digits, an object is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from aobench.audit.chunks import CaptionChunk, series_chunk
from aobench.audit.layouts import ColumnError, named_column
from aobench.audit.readers.base import CaptionFormat
from aobench.audit.streams import (
    UTF8_MARK,
    check_encoding,
    lines_of,
    open_bytes,
)

#: Lines among which the caption field is looked for.
FIRST_LINES = 100
#: Bytes parsed at a time, rows of a chunk that is read line by line.
BLOCK_BYTES, CHUNK_ROWS = 1 << 22, 65_536
_KINDS: dict[type, str] = {
    dict: "a JSON object",
    list: "a list in a list",
    bool: "true or false",
}


def json_line_chunks(
    path: str, column: str | None, layout: str | None
) -> Iterator[CaptionChunk]:
    """The captions of a file of JSON objects. ValueError with the line where one is none."""
    with open_bytes(path) as stream:
        start = stream.read(4096)
    check_encoding(start)
    mark = len(UTF8_MARK) if start.startswith(UTF8_MARK) else 0
    first = list(islice(_objects(path, mark), FIRST_LINES))
    if not first:
        return
    fields = {
        key: value for _, one in reversed(first) for key, value in one.items()
    }
    name = named_column(list(fields), path, column, layout)
    lists = any(isinstance(one.get(name), list) for _, one in first)
    objects = row = 0
    for batch in _parsed(path, mark, name, lists):
        if batch is None:
            break
        objects += len(batch)
        chunk = series_chunk(batch, row)
        row += len(chunk)
        yield chunk
    else:
        return
    captions: list[str | bytes | None] = []
    for line, one in _objects(path, mark, name, skip=objects):
        captions += captions_in(
            one.get(name), f"{path}, line {line:,}: {name!r}"
        )
        if len(captions) >= CHUNK_ROWS:
            yield CaptionChunk.of(captions, row)
            row += len(captions)
            captions = []
    if captions:
        yield CaptionChunk.of(captions, row)


def _parsed(path: str, mark: int, name: str, lists: bool) -> Iterator[Any]:
    """pyarrow's arrays of the field; None where its parser stops before the end."""
    import pyarrow as pa
    import pyarrow.json as pj

    kind = pa.list_(pa.string()) if lists else pa.string()
    parse = pj.ParseOptions(
        explicit_schema=pa.schema([(name, kind)]),
        unexpected_field_behavior="ignore",
    )
    with open_bytes(path) as stream:
        stream.read(mark)
        try:
            reader = pj.open_json(
                stream, pj.ReadOptions(block_size=BLOCK_BYTES), parse
            )
            for batch in reader:
                yield batch.column(0)
        except pa.ArrowInvalid:
            yield None


def _objects(
    path: str, mark: int, once: str | None = None, skip: int = 0
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line from 1, object) of each line that isn't empty, but for the first ``skip``.

    ValueError for what is no JSON object, and where the field ``once`` is twice in one.
    """

    def hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if sum(key == once for key, _ in pairs) > 1:
            raise ValueError(f"the field {once!r} stands twice")
        return dict(pairs)

    with open_bytes(path) as stream:
        stream.read(mark)
        for line, text in enumerate(lines_of(stream), start=1):
            if not text.strip():
                continue
            if skip:
                skip -= 1
                continue
            try:
                # What isn't UTF-8 is counted as such, not refused: the parser takes it as it is,
                # too.
                value = json.loads(
                    text.decode("utf-8", "surrogateescape"),
                    object_pairs_hook=hook,
                )
            except RecursionError:
                raise ValueError(f"line {line:,} is nested too deep") from None
            except ValueError as error:
                raise ValueError(
                    f"line {line:,} is no JSON object: {error}"
                ) from None
            if not isinstance(value, dict):
                raise ValueError(f"line {line:,} is no JSON object")
            yield line, value


def captions_in(value: Any, where: str) -> list[str | bytes | None]:
    """The captions of a JSON value: one, several of a list, or one that is null.

    ColumnError for anything but text.
    """
    values = value if isinstance(value, list) and value else [value]
    captions: list[str | bytes | None] = []
    for one in values:
        if (
            one is None
            or one == []
            or (isinstance(one, float) and not math.isfinite(one))
        ):
            captions.append(None)
        elif isinstance(one, dict | list | bool):
            raise ColumnError(
                f"{where} holds {_KINDS[type(one)]}, not text; name another with --column"
            )
        else:
            captions.append(str(one))
    return captions


FORMAT = CaptionFormat("jsonl", (".jsonl", ".ndjson"), json_line_chunks)
