"""Where the captions stand in a file: layouts of known corpora by name, and how a column is
found without one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aobench.errors import UserError


class ColumnError(UserError):
    """A file has no caption column that is known. It can be left out like a broken one."""


#: Names of caption columns, in lower case; the first that a file has is taken.
CAPTION_COLUMNS = (
    "caption",
    "text",
    "alt_text",
    "alttext",
    "alt",
    "txt",
    "captions",
    "description",
    "title",
)

#: A field that is a link tells a table without a header.
_LINK = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True)
class TableLayout:
    """``columns``: names, or positions from 0 where the file has no header; several are joined by
    ". ".

    ``coded``: the text is URL-encoded, as in YFCC100M's own files.
    """

    columns: tuple[str | int, ...]
    header: bool = True
    coded: bool = False


#: The corpora's own releases. CC3M and CC12M are tables without a header: caption, link and link,
#: caption. YFCC100M's dump has 23 columns, or 25 with a line number and a hash: title and
#: description count together.
LAYOUTS: dict[str, TableLayout] = {
    "laion": TableLayout(("TEXT",)),
    "datacomp": TableLayout(("text",)),
    "cc3m": TableLayout((0,), header=False),
    "cc12m": TableLayout((1,), header=False),
    "yfcc": TableLayout((6, 7), header=False, coded=True),
    "yfcc25": TableLayout((8, 9), header=False, coded=True),
}


def find_column(
    names: Sequence[str], where: str, column: str | None = None
) -> str:
    """The caption column among ``names``: ``column``, or the first known name.

    ColumnError where there is none, or where two columns are as good: one of them would be counted
    in silence.
    """
    wanted = column
    if column is None:
        lowered = [name.lower() for name in names]
        wanted = next(
            (known for known in CAPTION_COLUMNS if known in lowered), None
        )
        same = [
            name
            for name, low in zip(names, lowered, strict=True)
            if low == wanted
        ]
    else:
        same = [name for name in names if name == column]
    if len(same) > 1:
        mend = (
            "rename one"
            if len(set(same)) < len(same)
            else "name one with --column"
        )
        twins = " and ".join(map(repr, same))
        raise ColumnError(
            f"{where} has the columns {twins}, {len(same)} times the same; {mend}"
        )
    if same:
        return same[0]
    columns = ", ".join(names) or "none"
    if column is not None:
        raise ColumnError(
            f"{where} has no column {column!r}; its columns are: {columns}"
        )
    raise ColumnError(
        f"{where} has no caption column that is known; name one with --column, or a corpus without "
        "a header with "
        f"--layout. It has: {columns}"
    )


def named_column(
    names: Sequence[str], where: str, column: str | None, layout: str | None
) -> str:
    """The caption column: the one asked for, the layout's where the file has it, or one of a
    known name.
    """
    known = LAYOUTS[layout] if layout else None
    if (
        column is None
        and known is not None
        and known.header
        and known.columns[0] in names
    ):
        column = str(known.columns[0])
    return find_column(names, where, column)


def table_layout(
    fields: Sequence[str],
    separator: str,
    where: str,
    column: str | None,
    layout: str | None,
) -> TableLayout:
    """The layout of a CSV or TSV from its first row, unless ``layout`` or ``column`` names it."""
    fields = [field.strip() for field in fields]
    if layout is not None:
        known = LAYOUTS[layout]
        known = (
            LAYOUTS["yfcc25"]
            if layout == "yfcc" and len(fields) == 25
            else known
        )
        if not known.header:
            return known
        column = column or find_column(fields, where, str(known.columns[0]))
    if column is None and not any(
        field.lower() in CAPTION_COLUMNS for field in fields
    ):
        links = [bool(_LINK.match(field)) for field in fields]
        if links == [True, False]:
            return LAYOUTS["cc12m"]
        if links == [False, True]:
            return LAYOUTS["cc3m"]
        if separator == "\t" and len(fields) in (23, 25):
            return LAYOUTS["yfcc25" if len(fields) == 25 else "yfcc"]
    return TableLayout((find_column(fields, where, column),))
