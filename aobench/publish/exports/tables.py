"""Tables for papers and pages: LaTeX with booktabs, and Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aobench.publish.exports.base import (
    CONFIDENCE,
    ExportFormat,
    ExportOptions,
    ScoreRow,
    score_rows,
)
from aobench.publish.hub_entries import data_name
from aobench.results.comparability import unlike_settings
from aobench.results.verified import Result

HEAD = (
    "model",
    "task",
    "named",
    "seen (id)",
    "novel (ood)",
    "chance",
    "candidates",
)
NOTE = (
    f"Top-1 accuracy in %, with {CONFIDENCE:.0%} intervals that take compositions, not images, as "
    "independent."
)
#: What TeX reads as something else than the character.
TEX = {
    "\\": r"\textbackslash{}",
    **{one: f"\\{one}" for one in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def _lines(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """A line a model, task and kind, with both splits."""
    cells: dict[tuple[str, str, str], dict[str, ScoreRow]] = {}
    for result in results:
        for row in score_rows(result):
            cells.setdefault((row.model, row.task, row.kind), {})[row.split] = (
                row
            )
    return [(*key, *_cells(by_split)) for key, by_split in cells.items()]


def _cells(by_split: dict[str, ScoreRow]) -> tuple[str, ...]:
    both = [by_split.get(split) for split in ("id", "ood")]
    there = [row for row in both if row]
    return (
        *(_interval(row) for row in both),
        _joined([f"{100 * row.by_chance:.2f}" for row in there]),
        _joined([f"{row.candidates:,}" for row in there]),
    )


def _interval(row: ScoreRow | None) -> str:
    if row is None:
        return "-"
    return f"{100 * row.value:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]"


def _joined(values: Sequence[str]) -> str:
    return " / ".join(dict.fromkeys(values))


def _notes(results: Sequence[Result]) -> list[str]:
    names = dict.fromkeys(data_name(result.config) for result in results)
    notes = [f"{', '.join(names)}. {NOTE}"]
    unlike = unlike_settings([result.content for result in results])
    if unlike:
        notes.append(
            f"The results differ in {', '.join(unlike)}: they don't compare as they stand."
        )
    return notes


def markdown(results: Sequence[Result], options: ExportOptions) -> str:
    """A table of Markdown, and what it says below it."""
    rows = [
        tuple(cell.replace("|", "\\|") for cell in line)
        for line in _lines(results)
    ]
    rule = ("---",) * 3 + ("---:",) * 4
    lines = [f"| {' | '.join(row)} |" for row in (HEAD, rule, *rows)]
    return "\n".join([*lines, "", *_notes(results)]) + "\n"


def latex(results: Sequence[Result], options: ExportOptions) -> str:
    """A tabular of LaTeX for the package booktabs, and what it says as comments."""
    rows = [" & ".join(map(_tex, line)) + r" \\" for line in _lines(results)]
    head = " & ".join(map(_tex, HEAD)) + r" \\"
    lines = [
        *(f"% {note}" for note in _notes(results)),
        r"\begin{tabular}{lllrrrr}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _tex(text: str) -> str:
    return re.sub(r"[\\&%$#_{}~^]", lambda one: TEX[one[0]], text)


LATEX = ExportFormat(
    "latex", "a table of LaTeX (booktabs)", latex, several=True
)
MARKDOWN = ExportFormat(
    "markdown", "a table of Markdown", markdown, several=True
)
