"""The tasks: what is asked of a model, as data. A new task is a line here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
    """

    name: str
    kind: str
    scope: str
    text: str
    source: str = "occurring"

    @property
    def accuracy(self) -> str:
        """The score that the task asks for, such as ``composition_top1``."""
        return f"{self.kind}_top1"


#: By name, the one that a result is known by first.
TASKS = {
    task.name: task
    for task in (
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
    )
}

#: What a run asks where nothing else is chosen; of these, what the model can answer.
DEFAULT_TASKS = ("composition", "composition-own", "object", "attribute", "choice")

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


def choose_tasks(names: Sequence[str]) -> tuple[str, ...]:
    """``names`` once each, in the order of TASKS. Raises UserError for an unknown one, or none."""
    if not names:
        raise UserError(f"name at least one task of {', '.join(TASKS)}")
    chosen = {find_task(name).name for name in names}
    return order_tasks(chosen)


def order_tasks(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` in the order of TASKS; those that this version does not know last."""
    places = {name: place for place, name in enumerate(TASKS)}
    return tuple(sorted(names, key=lambda name: (places.get(name, len(places)), name)))


def headline_task(names: Iterable[str]) -> str:
    """The task that a result is known by: of ``names`` the first in the order of TASKS."""
    return order_tasks(names)[0]
