"""Tables as lines of text."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], *, rule: bool = False) -> list[str]:
    """The rows as lines whose cells stand below each other; ``rule``: a line of dashes below the
    first row.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    if rule:
        lines.insert(1, _line(["-" * width for width in widths], widths))
    return lines


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
    ).rstrip()
