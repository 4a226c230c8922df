"""Questions of one's own for the task ``choice``: a file that says what each image is offered.

CSV: columns ``sample_id``, ``options`` (between ``|``) and ``answer``. JSON: an object whose
``questions`` are objects with the same keys, ``options`` a list. Parquet: the same columns,
``options`` a list. Options are compositions in the set's own words; the answer is one of them, and
what the image shows. Images that the file doesn't name are not asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError, did_you_mean
from aobench.files import read_json

if TYPE_CHECKING:
    from aobench.evaluation.data import Split

Pair = tuple[int, int]
COLUMNS = ("sample_id", "options", "answer")
#: Between the options of a CSV's cell.
BETWEEN = "|"
#: Numbers of options that can be asked for; letters go no further.
FEWEST, MOST = 2, 26


@dataclass(frozen=True)
class OwnQuestion:
    """What one image is offered; ``place`` names the row in messages."""

    options: tuple[str, ...]
    answer: str
    place: str


@dataclass(frozen=True)
class OwnQuestions:
    """Questions by sample id."""

    path: str
    by_sample: Mapping[str, OwnQuestion]

    def choices(self, split: Split) -> list[tuple[Pair, ...]]:
        """By image of ``split`` the (attribute id, object id) offered, ascending.

        Raises:
            UserError: where an option is no composition of the set's names, or the answer not what
                the image shows.
        """
        ids = _composition_ids(split)
        return [
            self._offered(sample, pair, ids)
            for sample, pair in zip(split.sample_ids, split.pairs, strict=True)
        ]

    def _offered(
        self, sample: str, pair: Pair, ids: Mapping[str, Pair]
    ) -> tuple[Pair, ...]:
        one = self.by_sample[sample]
        for option in one.options:
            if option not in ids:
                raise UserError(
                    f"{one.place}: {option!r} is no attribute and object of the set"
                    f"{did_you_mean(option, ids)}; write its own words, such as "
                    f"{next(iter(ids))!r}"
                )
        if ids[one.answer] != pair:
            shown = next(name for name, ours in ids.items() if ours == pair)
            raise UserError(
                f"{one.place}: the answer for {sample} is {one.answer!r}, and the image shows "
                f"{shown!r}; mend one of them"
            )
        return tuple(sorted(ids[option] for option in one.options))


def _composition_ids(split: Split) -> dict[str, Pair]:
    return {
        f"{attribute} {name}": (a, o)
        for a, attribute in enumerate(split.attribute_names)
        for o, name in enumerate(split.object_names)
    }


def read_own_questions(path: str | Path) -> OwnQuestions:
    """The questions of a CSV, JSON or Parquet file.

    Raises:
        UserError: for another ending, an unreadable file, a sample named twice, options of
            different number, an option given twice, an answer that is none of them; with the row.
    """
    path = Path(path)
    readers = {
        ".csv": _csv_rows,
        ".json": _json_rows,
        ".parquet": _parquet_rows,
    }
    if path.suffix.lower() not in readers:
        raise UserError(
            f"the questions {path} must end in {', '.join(readers)}; write them so"
        )
    asked: dict[str, OwnQuestion] = {}
    for place, row in readers[path.suffix.lower()](path):
        sample, question = _question(f"the questions {path}, {place}", row)
        if sample in asked:
            raise UserError(
                f"{question.place}: {sample} has a question before; keep one"
            )
        asked[sample] = question
    if not asked:
        raise UserError(
            f"the questions {path} are none; write a row for each image"
        )
    _check_one_number(asked.values())
    return OwnQuestions(str(path), asked)


def _question(place: str, row: Mapping[str, Any]) -> tuple[str, OwnQuestion]:
    sample, answer, options = (
        row.get(name) for name in ("sample_id", "answer", "options")
    )
    for name, value in (("sample_id", sample), ("answer", answer)):
        if not isinstance(value, str) or not value.strip():
            raise UserError(f"{place}: {name} is {value!r}; it takes a text")
    texts = list(options) if isinstance(options, list | tuple) else []
    if not texts or not all(
        isinstance(one, str) and one.strip() for one in texts
    ):
        raise UserError(
            f"{place}: options is {options!r}; it takes a list of texts"
        )
    names = tuple(one.strip() for one in texts)
    twice, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise UserError(
            f"{place}: the option {twice!r} stands there twice; name each once"
        )
    if not FEWEST <= len(names) <= MOST:
        raise UserError(
            f"{place}: {len(names)} options; a question takes {FEWEST} to {MOST}"
        )
    right = str(answer).strip()
    if right not in names:
        raise UserError(
            f"{place}: the answer {right!r} is not among its options; add it"
        )
    return str(sample).strip(), OwnQuestion(names, right, place)


def _check_one_number(questions: Any) -> None:
    first: OwnQuestion | None = None
    for one in questions:
        first = first or one
        if len(one.options) != len(first.options):
            raise UserError(
                f"{one.place}: {len(one.options)} options where {first.place} has "
                f"{len(first.options)}; chance must be one number: offer as many to every image"
            )


def _csv_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    from aobench.csv_tables import read_numbered_rows

    rows = read_numbered_rows(path, COLUMNS, "the questions")
    return [
        (f"line {line:,}", {**row, "options": row["options"].split(BETWEEN)})
        for line, row in rows
    ]


def _json_rows(path: Path) -> list[tuple[str, Any]]:
    content = read_json(path, "the questions").get("questions")
    if not isinstance(content, list) or not all(
        isinstance(x, dict) for x in content
    ):
        raise UserError(
            f'the questions {path} must hold "questions", a list of objects with '
            f"{', '.join(COLUMNS)}"
        )
    return [(f"question {n:,}", row) for n, row in enumerate(content, 1)]


def _parquet_rows(path: Path) -> list[tuple[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"the questions {path} can't be read: {reason}"
        ) from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise UserError(
            f"the questions {path} lack the column(s) {', '.join(missing)}"
        )
    return [(f"row {n:,}", row) for n, row in enumerate(table.to_pylist(), 1)]


def check_all_asked(own: OwnQuestions, splits: Sequence[Split]) -> None:
    """Raise UserError where a question is about no image of the data."""
    known = {sample for split in splits for sample in split.sample_ids}
    strange = [sample for sample in own.by_sample if sample not in known]
    if strange:
        place = own.by_sample[strange[0]].place
        raise UserError(
            f"{place}: no image of the data is {strange[0]!r}"
            f"{did_you_mean(strange[0], sorted(known))} ({len(strange):,} such); take it out, or "
            "name the data that has it"
        )
