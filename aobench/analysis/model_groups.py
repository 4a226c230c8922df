"""Groups of models: by a rule such as ``training_set=cc12m,yfcc15m``, or by a list's facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aobench.analysis.model_accuracies import (
    NAMED,
    NOT_STATED,
    ModelAccuracies,
    some_names,
)
from aobench.errors import UserError, did_you_mean
from aobench.models.model_lists import ModelList


def fact_columns(records: Sequence[ModelAccuracies]) -> list[str]:
    """The columns by which ``records`` can be grouped: NAMED, and all that a record has facts
    of.
    """
    more = {column for record in records for column in record.facts}
    return [*NAMED, *sorted(more - set(NAMED))]


def check_column(
    records: Sequence[ModelAccuracies], column: str, option: str
) -> None:
    """Raise UserError unless some record says something under ``column``."""
    known = fact_columns(records)
    if column not in known:
        raise UserError(
            f"{option} is {column!r}{did_you_mean(column, known)}; there are: {', '.join(known)} "
            "(a list of models adds some: --models FILE)"
        )


def select_models(
    records: Sequence[ModelAccuracies], rule: str | Sequence[str]
) -> list[ModelAccuracies]:
    """The records that ``rule`` names, or any of several rules: ``all``, or
    ``COLUMN=VALUE[,VALUE]`` of a column of `fact_columns`.

    Raises UserError for an unknown column or a value that no record has.
    """
    rules = [rule] if isinstance(rule, str) else list(rule)
    chosen = [_by_rule(records, one) for one in rules]
    names = {record.model for some in chosen for record in some}
    return [record for record in records if record.model in names]


def _by_rule(
    records: Sequence[ModelAccuracies], rule: str
) -> list[ModelAccuracies]:
    if rule == "all":
        return list(records)
    column, equals, values = rule.partition("=")
    known = fact_columns(records)
    if not equals or column not in known:
        raise UserError(
            f"{rule!r} names no models; write all, family=NAME, training_set=NAME[,NAME] or "
            f"COLUMN=NAME of: {', '.join(known)}"
        )
    wanted = [value.strip() for value in values.split(",")]
    there = sorted({record.fact(column) for record in records})
    unknown = [value for value in wanted if value not in there]
    if unknown:
        raise UserError(
            f"no model has {column}={unknown[0]}; there are: {', '.join(there[:20])}"
        )
    return [record for record in records if record.fact(column) in wanted]


def with_list_facts(
    records: Sequence[ModelAccuracies], models: ModelList
) -> tuple[list[ModelAccuracies], list[str]]:
    """``records`` with the facts of a list in place of their own, and notes on those that it does
    not name, and on those that it names alone.
    """
    facts = models.facts
    out = []
    for record in records:
        if (said := facts.get(record.model)) is None:
            out.append(record)
            continue
        out.append(
            replace(
                record,
                family=str(said["family"]) if "family" in said else NOT_STATED,
                training_set=str(said.get("training_set", NOT_STATED)),
                run=str(said.get("run", record.model)),
                facts=said,
            )
        )
    names = {record.model for record in records}
    notes = []
    if outside := sorted(names - set(facts)):
        notes.append(
            f"not in the list {models.source}, so by what their results say: "
            f"{some_names(outside)}"
        )
    if unseen := [name for name in models.names if name not in names]:
        notes.append(
            f"in the list {models.source}, without a result: {some_names(unseen)}"
        )
    return out, notes
