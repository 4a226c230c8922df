"""A list of models is a file: a CSV with a row a model, what it was trained on, and what a user
adds.

The facts travel with a model's result (``model.facts`` in results.json), so that later steps can
group by them. ``paper`` is the list that ships (lists/SOURCES.md).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aobench.csv_tables import finite_number, read_numbered_rows, whole_number
from aobench.errors import UserError, did_you_mean

LISTS = Path(__file__).with_name("lists")

#: Columns that a list must have.
REQUIRED = ("model", "family", "training_set")
#: Columns that hold whole numbers, where a list has them.
COUNTS = ("training_images", "parameters")
#: Columns that hold numbers: billions of floating-point operations for one image, and one text.
WORK = ("image_gflops", "text_gflops")

Fact = str | int | float


@dataclass(frozen=True)
class ListedModel:
    """One row: the model's name as `evaluate` takes it, and its facts by column.

    A cell that is empty is no fact.
    """

    name: str
    facts: Mapping[str, Fact]


@dataclass(frozen=True)
class ModelList:
    """The models of one file, in its order; ``source`` names the file in messages."""

    source: str
    models: tuple[ListedModel, ...]

    def __iter__(self) -> Iterator[ListedModel]:
        """The models, in their order."""
        return iter(self.models)

    def __len__(self) -> int:
        """How many models there are."""
        return len(self.models)

    @property
    def names(self) -> list[str]:
        """The models' names."""
        return [one.name for one in self.models]

    @property
    def facts(self) -> dict[str, dict[str, Fact]]:
        """By model its facts."""
        return {one.name: dict(one.facts) for one in self.models}


def list_names() -> list[str]:
    """The lists that ship."""
    return sorted(path.stem for path in LISTS.glob("*.csv"))


def names_model_list(text: str) -> bool:
    """Whether ``text`` names a list: one that ships, or a CSV file."""
    return text in list_names() or text.lower().endswith(".csv")


def read_model_list(name: str | os.PathLike[str]) -> ModelList:
    """The list of models at a path, or the one that ships under that name.

    Args:
        name: a CSV file with the columns ``model``, ``family`` and ``training_set``; known too are
            ``training_images`` (how many), ``supervision`` (``language``, ``labels``), ``run``
            (joins models that are not independent), ``parameters``, ``image_gflops`` and
            ``text_gflops``. Others are kept as they are. Or ``paper``.

    Returns:
        The models in the file's order.

    Raises:
        UserError: for a file that is no such list, a model without a name or listed twice, and a
            number that is none; with the line.

    Example:
        >>> models = read_model_list("paper")
        >>> models.facts["open_clip:RN50-quickgelu/cc12m"]["training_images"]
        12000000
    """
    text = os.fspath(name)
    path = LISTS / f"{text}.csv" if text in list_names() else Path(text)
    if not path.exists() and path.suffix.lower() != ".csv":
        raise UserError(
            f"there is no list of models {text!r}{did_you_mean(text, list_names())}; name a CSV "
            f"file with the columns {', '.join(REQUIRED)}, or {', '.join(list_names())}"
        )
    rows = read_numbered_rows(path, REQUIRED, "the list of models")
    if not rows:
        raise UserError(
            f"the list of models {path} lists none; add a line for each"
        )
    where = f"the list of models {path}"
    models = [_listed(row, f"{where}, line {line:,}") for line, row in rows]
    _refuse_twins(models, [line for line, _ in rows], where)
    return ModelList(text, tuple(models))


def _listed(row: Mapping[str, str], where: str) -> ListedModel:
    name = row["model"].strip()
    if not name:
        raise UserError(
            f"{where} names no model; name one, or take the line out"
        )
    facts = {
        column: _fact(column, text.strip(), where)
        for column, text in row.items()
        if column != "model" and text.strip()
    }
    return ListedModel(name, facts)


def _fact(column: str, text: str, where: str) -> Fact:
    """A cell as a number where its column holds numbers. Raises UserError."""
    place = f"{where}: column {column}"
    if column in COUNTS:
        return whole_number(text, place, 1)
    if column in WORK:
        value = finite_number(text, place)
        if value <= 0:
            raise UserError(
                f"{place} is {text}; give a number above 0, or leave it out"
            )
        return value
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise UserError(f"{place} holds a control character; take it out")
    return text


def _refuse_twins(
    models: Sequence[ListedModel], lines: Sequence[int], where: str
) -> None:
    seen: dict[str, int] = {}
    for one, line in zip(models, lines, strict=True):
        if one.name in seen:
            raise UserError(
                f"{where}, line {line:,} lists the model {one.name!r} again, after line "
                f"{seen[one.name]:,}; take one of the lines out"
            )
        seen[one.name] = line


def check_facts(facts: Mapping[str, object], where: str) -> None:
    """Raise UserError unless ``facts`` are texts and numbers by column, as a list gives them."""
    for column, value in facts.items():
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise UserError(
                f"{where}: model.facts.{column} is {str(value)[:40]}, neither a text nor a number; "
                "mend it, or evaluate the model anew"
            )
