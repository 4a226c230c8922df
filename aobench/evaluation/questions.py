"""Which tasks a run asks of which split: what the model and the data allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aobench.errors import UserError
from aobench.results.candidates import Question, ask_task
from aobench.results.tasks import choose_tasks, find_task

if TYPE_CHECKING:
    from aobench.evaluation.data import Split
    from aobench.models.base import Model


def ask_splits(
    model: Model, splits: Sequence[Split], tasks: Sequence[str]
) -> tuple[dict[str, dict[str, Question]], list[str]]:
    """By task and split what is asked, of ``tasks`` those that the model and the data allow, and a
    line on each that is left out.

    A model that cannot name attributes is asked for objects alone. Raises UserError where nothing
    is left to ask, or where the splits number their names differently.
    """
    chosen: Sequence[str] = choose_tasks(tasks)
    if not model.info.names_attributes:
        chosen = ("object",)
    attributes, objects = _common_names(splits)
    pairs = {split.name: split.pairs for split in splits}
    asked, left_out = {}, []
    for name in chosen:
        if found := ask_task(find_task(name), pairs, attributes, objects):
            asked[name] = found
            left_out += [
                f"The task {name} leaves the split {split} out: {_why_not(name)}."
                for split in pairs
                if split not in found
            ]
        else:
            left_out.append(f"The task {name} is left out: {_why_not(name)}.")
    if not asked:
        raise UserError(
            f"no task is left to ask: {_why_not(chosen[0])}; choose other --tasks, such as object"
        )
    return asked, left_out


def _why_not(task: str) -> str:
    if find_task(task).scope == "image":
        return "it takes three attributes and three objects in a split, each image with both"
    return "the images have no attributes"


def _common_names(splits: Sequence[Split]) -> tuple[list[str], list[str]]:
    """Names of attributes and objects, which all splits number alike. Raises UserError."""
    first = splits[0]
    for split in splits[1:]:
        for part in ("attribute_names", "object_names"):
            if getattr(split, part) != getattr(first, part):
                raise UserError(
                    f"the splits {first.name} and {split.name} have different {part}: one id would "
                    "mean two names; give both the same ClassLabel, and prepare the dataset anew"
                )
    return list(first.attribute_names), list(first.object_names)
