"""Tables that people's work leaves: decisions on images, and their own answers to the task
``choice``.

Decisions (`imagenet-ao agreement --decisions FILE`): ``image_id`` or ``sample_id``, and
``decision``: accepted, rejected or undecided. Answers: ``image_id`` or ``sample_id``,
``annotator`` and ``answer``: the name or the number of a candidate that was offered, or unsure.
Parquet or CSV; other columns are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aobench.csv_tables import read_csv_rows
from aobench.errors import UserError
from aobench.files import parquet_errors, regular_file

DECISIONS = ("accepted", "rejected", "undecided")
IDS = ("sample_id", "image_id")
#: Answers that name no candidate; they are wrong.
UNSURE = ("", "unsure")


@dataclass(frozen=True)
class NamedAnswer:
    """What one annotator answered to one image; ``answer`` as it stands in the table."""

    sample_id: str
    annotator: str
    answer: str


def read_decisions(path: Path) -> dict[str, str]:
    """Image id -> decision. Raises UserError for another table, an odd decision, an id twice."""
    decisions: dict[str, str] = {}
    rows, key = _rows(path, ("decision",), "the decisions")
    for number, row in enumerate(rows, 1):
        one = row["decision"]
        if one not in DECISIONS:
            raise UserError(
                f"{path}, row {number:,}: the decision is {one[:40]!r}; it is one of "
                f"{', '.join(DECISIONS)}"
            )
        if row[key] in decisions:
            raise UserError(
                f"{path}, row {number:,}: a second decision on {row[key]!r}; keep one"
            )
        decisions[row[key]] = one
    return decisions


def read_answers(path: Path) -> list[NamedAnswer]:
    """People's answers. Raises UserError for another table, and two answers of one annotator to one
    image.
    """
    rows, key = _rows(path, ("annotator", "answer"), "the answers")
    answers: dict[tuple[str, str], NamedAnswer] = {}
    for number, row in enumerate(rows, 1):
        one = NamedAnswer(
            row[key], row["annotator"].strip(), row["answer"].strip()
        )
        if not one.annotator:
            raise UserError(
                f"{path}, row {number:,}: annotator is empty; name one"
            )
        if (one.sample_id, one.annotator) in answers:
            raise UserError(
                f"{path}, row {number:,}: a second answer of {one.annotator!r} to "
                f"{one.sample_id!r}; keep one"
            )
        answers[one.sample_id, one.annotator] = one
    return list(answers.values())


def _rows(
    path: Path, columns: Sequence[str], what: str
) -> tuple[list[dict[str, str]], str]:
    """The rows as texts, and the column of the images' ids."""
    if path.suffix.lower() in (".sqlite", ".db"):
        raise UserError(
            f"{path} is a file of verdicts; write its decisions by `imagenet-ao agreement {path} "
            "--decisions decisions.parquet`, and name that"
        )
    csv = path.suffix.lower() == ".csv"
    rows = (
        read_csv_rows(path, columns, what) if csv else _parquet_rows(path, what)
    )
    if not rows:
        raise UserError(f"{path} has no rows: nobody has judged an image yet")
    key = next((name for name in IDS if name in rows[0]), None)
    missing = [name for name in columns if name not in rows[0]]
    if key is None or missing:
        lacking = missing or [" or ".join(IDS)]
        raise UserError(
            f"{path} lacks the column {lacking[0]}; it needs {_needed(columns)}"
        )
    return rows, key


def _needed(columns: Sequence[str]) -> str:
    return f"{' or '.join(IDS)}, {', '.join(columns)}"


def _parquet_rows(path: Path, what: str) -> list[dict[str, str]]:
    import pyarrow.parquet as pq

    regular_file(path, what)
    damages: tuple[type[Exception], ...] = (
        *parquet_errors(),
        UnicodeDecodeError,
    )
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except damages as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{path} is no readable Parquet file ({reason}); give Parquet, or a name that ends in "
            ".csv"
        ) from error
    return [
        {k: "" if v is None else str(v) for k, v in row.items()} for row in rows
    ]
