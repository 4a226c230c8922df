"""Which tasks a run asks of which split: what the model and the data allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.results.candidates import (
    Question,
    ask_objects,
    ask_task,
    count_lone_objects,
)
from aobench.results.tasks import (
    CONDITIONS,
    FEW_CANDIDATES,
    choose_tasks,
    find_task,
    order_tasks,
    with_parts,
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

    Who is asked the questions of a task is asked for their objects, too (``part_of`` of
    `aobench.results.tasks.Task`). A model that cannot name attributes is asked for objects alone;
    one that chooses among options (`aobench.models.base.ChoosingModel`) the tasks of few
    candidates, each under every condition. Raises UserError where nothing is left to ask, or where
    the splits number their names differently.
    """
    chosen, left_out = _tasks_of(model, with_parts(choose_tasks(tasks)))
    questions = _Questions(splits)
    asked: dict[str, dict[str, Question]] = {}
    for name in chosen:
        question = questions.of(name)
        if question and (why := _too_many(model, question)):
            left_out.append(f"The task {name} is left out: {why}.")
            continue
        if question:
            asked[name] = question
        if find_task(name).part_of in {*chosen} - {*asked}:
            continue  # for the same reason, which is said
        left_out += questions.left_out(name, find_task(name).part_of in asked)
    if not asked:
        why = left_out[0].partition(": ")[2].rstrip(".")
        raise UserError(
            f"no task is left to ask: {why}; choose other --tasks, such as object"
        )
    return asked, left_out


class _Questions:
    """The questions that the splits allow, each made once."""

    def __init__(self, splits: Sequence[Split]) -> None:
        self.names = _common_names(splits)
        self.pairs = {split.name: split.pairs for split in splits}
        self.own = {
            split.name: split.choices for split in splits if split.choices
        }
        self._made: dict[str, dict[str, Question]] = {}

    def of(self, name: str) -> dict[str, Question]:
        """The task of that name by split; {} where none can be asked."""
        if name not in self._made:
            task = find_task(name)
            if task.part_of:
                questions = ask_objects(task, self.of(task.part_of), self.pairs)
            else:
                questions = ask_task(task, self.pairs, *self.names, self.own)
            self._made[name] = questions
        return self._made[name]

    def left_out(self, name: str, known: bool) -> list[str]:
        """A line on the task, or on each split that it leaves out.

        ``known``: the task that it is a part of is asked, so what that lacks is said.
        """
        asked, whole = self.of(name), find_task(name).part_of
        wholes = self.of(whole) if whole else {}
        reasons = {}
        for split in self.pairs:
            if split in wholes and split not in asked:
                reasons[split] = _lone_objects(wholes[split])
            elif split not in asked and not known:
                reasons[split] = _why_not(name)
        if asked or len(set(reasons.values())) > 1:
            return [
                f"The task {name} leaves the split {split} out: {why}."
                for split, why in reasons.items()
            ]
        return [
            f"The task {name} is left out: {why}."
            for why in {*reasons.values()}
        ]


def _lone_objects(question: Question) -> str:
    """Why there is nothing to ask of the objects of these questions."""
    alone, count = count_lone_objects(question), len(question.gold)
    return f"{alone:,} of its {count:,} questions offer a single object; offer two or more in each"


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
        able = model.info.names_attributes
        return (plain if able else _about_objects(plain)), lines
    wanted = {_plain_name(name) for name in chosen}
    few = [name for name in FEW_CANDIDATES if name in wanted]
    few_parts = {name for name in with_parts(few) if find_task(name).part_of}
    lines = [
        f"The task {name} is left out: {FEW}."
        for name in plain
        if name not in few_parts.union(few)
    ]
    conditions = [
        c for c in CONDITIONS if c != "rotated" or method.answer == "letters"
    ]
    asked = [*few, *(f"{name}-{one}" for name in few for one in conditions)]
    return list(order_tasks([*asked, *few_parts])), lines


def _plain_name(name: str) -> str:
    """The task that a generative model answers where ``name`` is asked: the plain question, and
    of a part the whole.
    """
    task = find_task(name)
    if task.condition:
        return name.rsplit("-", 1)[0]
    return task.part_of or name


def _about_objects(plain: Sequence[str]) -> list[str]:
    """What a model that names objects alone is asked of the tasks ``plain``: ``object`` whatever is
    named, and the parts of others that are about objects.
    """
    parts = [name for name in plain if find_task(name).part_of]
    return list(order_tasks(["object", *parts]))


def _too_many(model: Any, questions: Mapping[str, Question]) -> str:
    """Why a choosing model can't be asked among these candidates; '' where it can."""
    most = getattr(getattr(model, "method", None), "most_options", None)
    sizes = [_options(question) for question in questions.values()]
    if most is None or max(sizes) <= most:
        return ""
    return f"its {max(sizes)} candidates are more than {most} letters (likelihood:NAME asks them)"


def _options(question: Question) -> int:
    whole = question.whole or question
    return len(whole.choices[0] if whole.choices else whole.candidates)


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
