"""The one reader and writer of CSV and TSV tables of the project: RFC 4180 to the letter, or one
line that says where it is not.

A row with too many or too few fields, a quote that never ends, a column that is named twice: each
is refused with its line, since guessing moves values into other columns in silence. A byte-order
mark is passed over. The audit's captions, which come by the billion, have a reader of their own
in ``audit/readers/separated.py`` under the same rules.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import read_text, write_in_one_move


def read_csv_rows(
    path: str | Path,
    required: Iterable[str] = (),
    what: str = "the table",
    separator: str = ",",
) -> list[dict[str, str]]:
    """The rows of a CSV file with a header, as dictionaries of text by column.

    Args:
        path: a UTF-8 file; ``separator`` parts its fields.
        required: columns that must be there; others may be, too.
        what: the table's role in messages.

    Raises:
        UserError: for an unreadable file (see `read_text`), no header, a column named twice or
            missing, a row with another number of fields, a quote out of place; with the line.
    """
    return [
        row for _, row in read_numbered_rows(path, required, what, separator)
    ]


def read_numbered_rows(
    path: str | Path,
    required: Iterable[str] = (),
    what: str = "the table",
    separator: str = ",",
) -> list[tuple[int, dict[str, str]]]:
    """As `read_csv_rows`, each row with the number of its first line, for messages about it."""
    return _numbered_rows(
        read_text(path, what), f"{what} {path}", required, separator
    )


def parse_csv_rows(
    text: str, where: str, required: Iterable[str] = (), separator: str = ","
) -> list[dict[str, str]]:
    """As `read_csv_rows`, of a text; ``where`` names it in messages.

    Example:
        >>> parse_csv_rows('count,caption\\r\\n1,"a big, red fox"\\r\\n', "the table", ["count"])
        [{'count': '1', 'caption': 'a big, red fox'}]
    """
    return [row for _, row in _numbered_rows(text, where, required, separator)]


def _numbered_rows(
    text: str, where: str, required: Iterable[str], separator: str
) -> list[tuple[int, dict[str, str]]]:
    names: list[str] = []
    rows: list[tuple[int, dict[str, str]]] = []
    for line, fields in csv_records(text, where, separator):
        if not names:
            names = _header(fields, where, required)
        elif len(fields) != len(names):
            raise UserError(
                f"{where}, line {line:,}: {len(fields)} fields where the header has {len(names)}; "
                f"put fields that hold {separator!r} in double quotes"
            )
        else:
            rows.append((line, dict(zip(names, fields, strict=True))))
    if not names:
        raise UserError(
            f"{where} is empty; it should begin with a line of column names"
        )
    return rows


def csv_records(
    text: str, where: str, separator: str = ","
) -> Iterator[tuple[int, list[str]]]:
    """Each record's first line, from 1, and its fields; empty lines are passed over.

    UserError as `read_csv_rows`.
    """
    field = re.compile(rf'"((?:[^"]|"")*)"|([^{re.escape(separator)}"\r\n\0]*)')
    line_end = re.compile(r"\r\n|\n|\r")
    position, line = 0, 1
    fields: list[str] = []
    begin = 0
    while position < len(text) or fields:
        part = field.match(text, position)
        assert part is not None  # the second half matches nothing, too
        quoted, plain = part.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        position = part.end()
        end = line_end.match(text, position)
        if text.startswith(separator, position):
            position += len(separator)
            continue
        if end is None and position < len(text):
            raise UserError(f"{where}, line {line:,}: {_fault(text, position)}")
        if fields != [""]:
            yield line, fields
        position = end.end() if end else position
        line += len(line_end.findall(text, begin, position))
        begin, fields = position, []


def _fault(text: str, position: int) -> str:
    if text[position] == "\0":
        return "it holds a NUL: is it another kind of file?"
    return (
        "a double quote where none may stand: a field that holds one begins and ends with a quote, "
        'and writes it twice ("")'
    )


def _header(
    fields: Sequence[str], where: str, required: Iterable[str]
) -> list[str]:
    names = [name.strip() for name in fields]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise UserError(
            f"{where} names the column {double!r} twice; rename one"
        )
    missing = [name for name in required if name not in names]
    if missing:
        raise UserError(
            f"{where} lacks the column(s) {', '.join(missing)}; it has {', '.join(names) or 'none'}"
        )
    return names


def whole_number(text: str, where: str, least: int = 0) -> int:
    """A whole number written in digits, of at least ``least``. Raises UserError for anything else.

    Thousands commas, decimals, powers, nan and inf are no whole numbers: which one is meant would
    be a guess. ``3.0``, as pandas writes counts beside nulls, is 3.

    Example:
        >>> whole_number("12", "line 2: count"), whole_number("3.0", "line 3: count")
        (12, 3)
    """
    written = re.fullmatch(r"\s*([+-]?[0-9]{1,18})(?:\.0*)?\s*", text)
    if not written or int(written[1]) < least:
        raise UserError(
            f"{where} is {text!r}, not a whole number of at least {least:,} in plain digits"
        )
    return int(written[1])


def finite_number(text: str, where: str) -> float:
    """A finite decimal number. Raises UserError for anything else, such as ``nan`` or ``1,5``."""
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(
            f"{where} is {text!r}, not a number; write it with a point and no separators"
        )
    return value


def write_csv_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write ``rows``, all of the first one's columns, with floats of six digits; returns ``path``.

    Raises:
        UserError: where the file cannot be written.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow(
            {
                k: f"{v:.6g}" if isinstance(v, float) else v
                for k, v in row.items()
            }
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_in_one_move(path, text.getvalue().encode())
    except OSError as error:
        raise UserError(f"{path} could not be written: {error}") from error
    return path
