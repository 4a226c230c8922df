"""The tasks: what is asked of a model, as data. A new task is a line here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aobench.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Task:
    """One question.

    ``kind`` is what a candidate names: ``composition``, ``object`` or ``attribute``.
    ``scope`` is whose list it stands in: ``shared`` (one list for all splits, so that they
    compare), ``split`` (each split its own) or ``image`` (made for each image).
    ``source`` is where its candidates come from: ``occurring`` (what the images of those splits
    show), ``open`` (all that the dataset's vocabulary allows) or ``grid`` (the nine of
    `aobench.results.choices`, for the scope ``image``).
    ``condition`` is how a generative model is asked beside the plain question: ``blind`` (a grey
    picture in the image's place) or ``rotated`` (the options behind other letters); '' for all
    models.
    ``part_of`` is the task of compositions whose questions it puts again, for their objects alone;
    '' for a task of its own.
    """

    name: str
    kind: str
    scope: str
    text: str
    source: str = "occurring"
    condition: str = ""
    part_of: str = ""

    @property
    def accuracy(self) -> str:
        """The score that the task asks for, such as ``composition_top1``."""
        return f"{self.kind}_top1"


#: The tasks that all kinds of models are asked, the one that a result is known by first.
PLAIN_TASKS = (
    Task(
        "composition",
        "composition",
        "shared",
        "among all compositions that occur in either split",
    ),
    Task(
        "composition-own",
        "composition",
        "split",
        "each split among the compositions that occur in it, as in the paper",
    ),
    Task(
        "composition-open",
        "composition",
        "shared",
        "among every attribute of the dataset's vocabulary with every object",
        "open",
    ),
    Task(
        "object",
        "object",
        "shared",
        "among all objects that occur in either split; all of the vocabulary where a split "
        "shows objects alone (ImageNet)",
    ),
    Task(
        "attribute",
        "attribute",
        "shared",
        "among all attributes that occur in either split",
    ),
    Task(
        "choice",
        "composition",
        "image",
        "1 of 9: three attributes with three objects, the right pair among them",
        "grid",
    ),
    Task(
        "choice-object",
        "object",
        "image",
        "the object part of choice: among the objects that its options name, three where the nine "
        "are the task's own",
        "grid",
        part_of="choice",
    ),
)

#: How a generative model is asked again, and the words that say so.
CONDITIONS = {
    "blind": "with a grey picture in the image's place: what language alone makes right",
    "rotated": "with the options behind other letters",
}
#: Tasks of so few candidates that a generative model is asked them.
FEW_CANDIDATES = ("choice", "object", "attribute")


def _asked_again(task: Task, condition: str) -> Task:
    text = f"as {task.name}, {CONDITIONS[condition]}"
    name = f"{task.name}-{condition}"
    return replace(task, name=name, text=text, condition=condition)


def _with_conditions(task: Task) -> tuple[Task, ...]:
    if task.name not in FEW_CANDIDATES:
        return (task,)
    return (task, *(_asked_again(task, condition) for condition in CONDITIONS))


#: By name, in the order of every table.
TASKS = {
    task.name: task for plain in PLAIN_TASKS for task in _with_conditions(plain)
}

#: What a run asks where nothing else is chosen; of these, what the model can answer.
DEFAULT_TASKS = (
    "composition",
    "composition-own",
    "object",
    "attribute",
    "choice",
    "choice-object",
)

#: The task that each mode of a table of format 1 is.
MODE_TASKS = {
    "closed": "composition-own",
    "open": "composition-open",
    "objects": "object",
    "attributes": "attribute",
}


def find_task(name: str) -> Task:
    """The task of that name. Raises UserError for another, with the nearest one."""
    if name not in TASKS:
        raise UserError(
            f"unknown task {name!r}{did_you_mean(name, TASKS)}; there are "
            f"{', '.join(TASKS)}"
        )
    return TASKS[name]


def with_parts(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` and the tasks that put the same questions for their objects, in the order of TASKS.

    Example:
        >>> with_parts(["choice"])
        ('choice', 'choice-object')
    """
    chosen = set(names)
    parts = {name for name, task in TASKS.items() if task.part_of in chosen}
    return order_tasks(chosen | parts)


def choose_tasks(names: Sequence[str]) -> tuple[str, ...]:
    """``names`` once each, in the order of TASKS. Raises UserError for an unknown one, or none."""
    if not names:
        raise UserError(f"name at least one task of {', '.join(TASKS)}")
    chosen = {find_task(name).name for name in names}
    return order_tasks(chosen)


def order_tasks(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` in the order of TASKS; those that this version does not know last."""
    places = {name: place for place, name in enumerate(TASKS)}
    return tuple(
        sorted(names, key=lambda name: (places.get(name, len(places)), name))
    )


def headline_task(names: Iterable[str]) -> str:
    """The task that a result is known by: the first in the order of TASKS that asks for
    compositions, or else the first.
    """
    ordered = order_tasks(names)
    pairs = (name for name in ordered if name in TASKS)
    named = (name for name in pairs if TASKS[name].kind == "composition")
    return next(named, ordered[0])
