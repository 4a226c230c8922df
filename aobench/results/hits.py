"""Which image got what right."""

from __future__ import annotations

import numpy as np

from aobench.errors import UserError
from aobench.results.candidates import can_name
from aobench.results.predictions import Predictions
from aobench.results.scores import KINDS, composition_numbers


def right_answers(
    predictions: Predictions,
    split: str,
    kind: str = "composition",
    task: str | None = None,
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(sample ids, bool right, int composition of each image) of a split, in the table's order.

    ``task``: among whose candidates; None for the first task that tells ``kind``, the headline
    before others. An unreadable image is wrong. Raises UserError for an absent split or task, and
    for what the candidates cannot name.
    """
    able = tasks_of_kind(predictions, split, kind)
    if task is not None and task not in able:
        raise UserError(
            f"the task {task} does not tell which {kind} was answered on {split}; take "
            f"{', '.join(able)}"
        )
    from compositional_ood.compositional_ood import NO_PREDICTION, right_by_kind

    task = task or able[0]
    rows, candidates = (
        predictions.split(split, task),
        predictions.lists[task][split],
    )
    best = np.array(
        [top[0] if top else NO_PREDICTION for top in rows["top"]], dtype=int
    )
    same = right_by_kind(
        best,
        np.array(rows["label"], dtype=int),
        np.array(candidates.attributes),
        np.array(candidates.objects),
    )
    return rows["sample_id"], same[kind], composition_numbers(rows)


def task_of_kind(predictions: Predictions, split: str, kind: str) -> str:
    """The first task that has ``split`` and tells which ``kind`` was answered. Raises UserError."""
    return tasks_of_kind(predictions, split, kind)[0]


def tasks_of_kind(
    predictions: Predictions, split: str, kind: str
) -> tuple[str, ...]:
    """All tasks that have ``split`` and tell which ``kind`` was answered. Raises UserError where
    there are none.
    """
    if kind not in KINDS:
        raise UserError(
            f"unknown kind {kind!r}; choose one of {', '.join(KINDS)}"
        )
    lists = predictions.lists
    there = [task for task in predictions.tasks if split in lists[task]]
    if not there:
        has = sorted({name for by_split in lists.values() for name in by_split})
        raise UserError(
            f"the table has no split {split!r}; it has {', '.join(has)}"
        )
    able = tuple(task for task in there if kind in can_name(lists[task][split]))
    if not able:
        raise UserError(
            f"the candidates ({', '.join(there)}) cannot tell which {kind} was answered; compare "
            "by object or attribute"
        )
    return able
