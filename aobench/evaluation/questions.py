"""Which tasks a run asks of which split: what the model and the data allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.results.candidates import Question, ask_task
from aobench.results.tasks import (
    CONDITIONS,
    FEW_CANDIDATES,
    choose_tasks,
    find_task,
    order_tasks,
)

if TYPE_CHECKING:
    from aobench.evaluation.data import Split
    from aobench.models.base import ChoosingModel, Model

#: Why a task is not asked of a kind of model.
ONLY_CHOOSING = (
    "it is put to generative models alone, beside the plain question"
)
FEW = "a generative model is asked among few candidates, one image at a time"


def ask_splits(
    model: Model | ChoosingModel, splits: Sequence[Split], tasks: Sequence[str]
) -> tuple[dict[str, dict[str, Question]], list[str]]:
    """By task and split what is asked, of ``tasks`` those that the model and the data allow, and a
    line on each that is left out.

    A model that cannot name attributes is asked for objects alone; one that chooses among options
    (`aobench.models.base.ChoosingModel`) the tasks of few candidates, each under every condition.
    Raises UserError where nothing is left to ask, or where the splits number their names
    differently.
    """
    chosen, left_out = _tasks_of(model, choose_tasks(tasks))
    attributes, objects = _common_names(splits)
    pairs = {split.name: split.pairs for split in splits}
    own = {split.name: split.choices for split in splits if split.choices}
    asked: dict[str, dict[str, Question]] = {}
    for name in chosen:
        if found := ask_task(find_task(name), pairs, attributes, objects, own):
            if why := _too_many(model, found):
                left_out.append(f"The task {name} is left out: {why}.")
                continue
            asked[name] = found
            left_out += [
                f"The task {name} leaves the split {split} out: {_why_not(name)}."
                for split in pairs
                if split not in found
            ]
        else:
            left_out.append(f"The task {name} is left out: {_why_not(name)}.")
    if not asked:
        why = left_out[0].partition(": ")[2].rstrip(".")
        raise UserError(
            f"no task is left to ask: {why}; choose other --tasks, such as object"
        )
    return asked, left_out


def _tasks_of(model: Any, chosen: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of ``chosen`` that such a model is asked, and a line on each other that was meant for
    it.
    """
    plain = [name for name in chosen if not find_task(name).condition]
    method = getattr(model, "method", None)
    if method is None:
        again = [name for name in chosen if name not in plain]
        lines = [
            f"The task {name} is left out: {ONLY_CHOOSING}." for name in again
        ]
        return (["object"] if not model.info.names_attributes else plain), lines
    wanted = {
        name.rsplit("-", 1)[0] if name not in plain else name for name in chosen
    }
    few = [name for name in FEW_CANDIDATES if name in wanted]
    lines = [
        f"The task {name} is left out: {FEW}."
        for name in plain
        if name not in few
    ]
    conditions = [
        c for c in CONDITIONS if c != "rotated" or method.answer == "letters"
    ]
    asked = [*few, *(f"{name}-{one}" for name in few for one in conditions)]
    return list(order_tasks(asked)), lines


def _too_many(model: Any, questions: Mapping[str, Question]) -> str:
    """Why a choosing model can't be asked among these candidates; '' where it can."""
    most = getattr(getattr(model, "method", None), "most_options", None)
    sizes = [_options(question) for question in questions.values()]
    if most is None or max(sizes) <= most:
        return ""
    return f"its {max(sizes)} candidates are more than {most} letters (likelihood:NAME asks them)"


def _options(question: Question) -> int:
    return len(question.choices[0] if question.choices else question.listed)


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
