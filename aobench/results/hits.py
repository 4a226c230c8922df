"""Which image got what right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    task = task or able[0]
    rows, candidates = predictions.split(split, task), predictions.lists[task][split]
    attribute, thing = np.array(candidates.attributes), np.array(candidates.objects)
    answered = np.array([bool(top) for top in rows["top"]])
    best = np.array([top[0] if top else 0 for top in rows["top"]], dtype=int)
    label = np.array(rows["label"], dtype=int)
    same = {
        "composition": best == label,
        "attribute": attribute[best] == attribute[label],
        "object": thing[best] == thing[label],
    }
    return rows["sample_id"], answered & same[kind], composition_numbers(rows)


def first_is_right(rows: Mapping[str, Sequence[Any]]) -> np.ndarray:
    """bool N: whether the candidate of each row that the model puts first is the right one.

    An unreadable image, whose rank is -1, is wrong.

    Example:
        >>> first_is_right({"rank": [0, 3, -1]}).tolist()
        [True, False, False]
    """
    return np.asarray(rows["rank"], dtype=np.int64) == 0


def task_of_kind(predictions: Predictions, split: str, kind: str) -> str:
    """The first task that has ``split`` and tells which ``kind`` was answered. Raises UserError."""
    return tasks_of_kind(predictions, split, kind)[0]


def tasks_of_kind(predictions: Predictions, split: str, kind: str) -> tuple[str, ...]:
    """All tasks that have ``split`` and tell which ``kind`` was answered. Raises UserError where
    there are none.
    """
    if kind not in KINDS:
        raise UserError(f"unknown kind {kind!r}; choose one of {', '.join(KINDS)}")
    lists = predictions.lists
    there = [task for task in predictions.tasks if split in lists[task]]
    if not there:
        has = sorted({name for by_split in lists.values() for name in by_split})
        raise UserError(f"the table has no split {split!r}; it has {', '.join(has)}")
    able = tuple(task for task in there if kind in can_name(lists[task][split]))
    if not able:
        raise UserError(
            f"the candidates ({', '.join(there)}) cannot tell which {kind} was answered; compare "
            "by object or attribute"
        )
    return able
