"""Captions out of CSV and TSV: after RFC 4180 to the letter, or refused with the line.

A CSV field that holds a comma, a quote or a line end stands in double quotes, and a quote in it
is doubled. In a TSV no quote means anything, as in the corpora's own releases: a line is a row, a
tab ends a field. In both every row has as many fields as the first one; newline, carriage return
or both end a line; empty lines are passed over; a field without a character is null.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator

import numpy as np

from aobench.audit.chunks import CaptionChunk
from aobench.audit.layouts import ColumnError, TableLayout, table_layout
from aobench.audit.readers.base import CaptionFormat
from aobench.audit.streams import UTF8_MARK, check_encoding, open_bytes
from aobench.csv_tables import csv_records
from aobench.errors import UserError

#: Bytes read at a time, and of the longest record: a quote that opens and never closes is told
#: there.
BLOCK_BYTES, LONGEST_RECORD = 1 << 21, 1 << 24


def separated_chunks(
    path: str, separator: str, column: str | None, layout: str | None
) -> Iterator[CaptionChunk]:
    """The captions of a CSV (``,``) or a TSV (a tab).

    ValueError with the line where a row isn't as it should be.
    """
    with open_bytes(path) as stream:
        block = stream.read(BLOCK_BYTES)
        check_encoding(block)
        block = block.removeprefix(UTF8_MARK)
        fields = _first_record(block, separator)
        if not fields:
            return
        reading = table_layout(fields, separator, path, column, layout)
        places = _places(reading, fields, path)
        cut = _Cutter(
            separator, len(fields), sorted(places), skip=int(reading.header)
        )
        row = 0
        while block:
            more = stream.read(BLOCK_BYTES)
            for data, begins, stops, nulls in cut.records(
                block, is_last=not more
            ):
                chunk = _chunk(data, begins, stops, nulls, row, reading.coded)
                row += len(chunk)
                yield chunk
            block = more


def csv_chunks(
    path: str, column: str | None, layout: str | None
) -> Iterator[CaptionChunk]:
    """`separated_chunks` of a CSV."""
    return separated_chunks(path, ",", column, layout)


def tsv_chunks(
    path: str, column: str | None, layout: str | None
) -> Iterator[CaptionChunk]:
    """`separated_chunks` of a TSV."""
    return separated_chunks(path, "\t", column, layout)


def _first_record(block: bytes, separator: str) -> list[str]:
    """The fields of the first row; none where there is none."""
    text = block[: 1 << 20].decode("utf-8", "replace")
    if separator == "\t":
        first = next((line for line in re.split(r"[\r\n]", text) if line), "")
        return first.split(separator) if first else []
    try:
        return next(
            (fields for _, fields in csv_records(text, "the file", separator)),
            [],
        )
    except UserError as error:
        raise ValueError(str(error).removeprefix("the file, ")) from error


def _places(layout: TableLayout, fields: list[str], path: str) -> list[int]:
    """The places of a layout's columns among the fields of the first row."""
    names = [field.strip() for field in fields]
    captions = []
    for column in layout.columns:
        if isinstance(column, int):
            if column >= len(fields):
                raise ColumnError(
                    f"{path} has {len(fields)} fields a row, too few for its layout; name another "
                    "with --layout"
                )
            captions.append(column)
            continue
        if names.count(column) > 1:
            raise ColumnError(
                f"{path}, line 1, names the column {column!r} twice; rename one"
            )
        captions.append(names.index(column))
    return captions


class _Cutter:
    """Cuts block after block; keeps what is left of each, and the number of the line."""

    def __init__(
        self, separator: str, width: int, places: list[int], skip: int
    ) -> None:
        self.separator, self.width, self.skip = separator, width, skip
        self.places = np.array(places, np.int64)
        self.special = np.zeros(256, np.bool_)
        self.special[[ord(separator), 10, 13]] = True
        self.special[34] = separator != "\t"
        self.left, self.line = b"", 1

    def records(
        self, block: bytes, is_last: bool
    ) -> Iterator[tuple[np.ndarray, ...]]:
        """(data, begins, stops, nulls) of the records that end in the block."""
        from aobench.audit.readers.record_cutter import cut_records

        whole = self.left + block
        data = np.frombuffer(bytearray(whole), np.uint8)
        most = whole.count(b"\n") + whole.count(b"\r") + 1
        begins, stops = (
            np.empty((most, len(self.places)), np.int64) for _ in range(2)
        )
        nulls = np.empty((most, len(self.places)), np.bool_)
        n, end, fault = cut_records(
            data,
            is_last,
            self.special,
            self.width,
            self.places,
            begins,
            stops,
            nulls,
        )
        returns = whole.count(b"\r", 0, end) - whole.count(b"\r\n", 0, end)
        self.line += whole.count(b"\n", 0, end) + returns
        self.left = whole[end:]
        skip = min(self.skip, n)
        self.skip -= skip
        if n > skip:
            yield data, begins[skip:n], stops[skip:n], nulls[skip:n]
        if fault or len(self.left) > LONGEST_RECORD:
            raise ValueError(f"line {self.line:,}: {self._why(fault)}")

    def _why(self, fault: int) -> str:
        from aobench.audit.readers.record_cutter import FIELDS, QUOTE

        if fault == FIELDS:
            fields = self._fields()
            mend = "put captions that hold commas in double quotes"
            if self.separator == "\t":
                mend = "write tabs in captions as spaces"
            return (
                f"{fields} fields where the first row has {self.width}; {mend}"
            )
        if fault == QUOTE:
            return (
                "a double quote where none may stand: a field that holds one begins and ends with "
                "a quote, and "
                'writes it twice ("")'
            )
        if self.separator == "\t" or b'"' not in self.left:
            return f"it is over {LONGEST_RECORD >> 20} MiB: this is no table of captions"
        return 'a double quote opens here and never closes; within a field write it twice ("")'

    def _fields(self) -> int:
        """Fields of the record that is left, which has another number of them than the first."""
        if self.separator == "\t":
            return len(
                re.split(rb"[\r\n]", self.left, maxsplit=1)[0].split(b"\t")
            )
        # the reader of small tables refuses NUL, and here the line is to be named
        record = self.left[:LONGEST_RECORD].replace(b"\0", b" ")
        text = record.decode("utf-8", "replace")
        return len(next(csv_records(text, "the file", self.separator))[1])


def _chunk(
    data: np.ndarray,
    begins: np.ndarray,
    stops: np.ndarray,
    nulls: np.ndarray,
    row: int,
    coded: bool,
) -> CaptionChunk:
    """A chunk of records: their one field as it lies there; of several, or of URL-encoded ones,
    a text made of them.
    """
    if begins.shape[1] == 1 and not coded:
        return CaptionChunk(
            data, begins[:, 0].copy(), stops[:, 0].copy(), int(nulls.sum()), row
        )
    captions: list[bytes | None] = []
    for fields, ends, empty in zip(
        begins.tolist(), stops.tolist(), nulls.tolist(), strict=True
    ):
        parts = [
            data[b:e].tobytes()
            for b, e, null in zip(fields, ends, empty, strict=True)
            if not null
        ]
        joined = b". ".join(parts)
        if coded:
            joined = urllib.parse.unquote_to_bytes(joined.replace(b"+", b" "))
        captions.append(joined if parts else None)
    return CaptionChunk.of(captions, row)


CSV_FORMAT = CaptionFormat("csv", (".csv",), csv_chunks)
TSV_FORMAT = CaptionFormat("tsv", (".tsv",), tsv_chunks)
