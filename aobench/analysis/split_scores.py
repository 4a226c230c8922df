"""Which score of a result: the accuracy of a task on a split, as ``id:object``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aobench.errors import UserError
from aobench.results.tasks import find_task


@dataclass(frozen=True)
class SplitScore:
    """The accuracy that ``task`` asks for, on ``split``."""

    split: str
    task: str

    @property
    def accuracy(self) -> str:
        """The score's name, such as ``composition_top1``."""
        return find_task(self.task).accuracy

    @property
    def label(self) -> str:
        """In words for axes: ``object accuracy (id:object)``."""
        return (
            f"{find_task(self.task).kind} accuracy ({self.split}:{self.task})"
        )

    def scores_in(self, content: Mapping[str, Any]) -> dict[str, Any] | None:
        """The split's scores in a result's content; None where it has no such accuracy."""
        task = content["scores"].get(self.task, {"splits": {}})
        scores = task["splits"].get(self.split, {})
        return scores if self.accuracy in scores else None

    def chance_in(self, content: Mapping[str, Any]) -> float:
        """What a guess reaches, from 0 to 1; 0 where the result doesn't tell."""
        kind = find_task(self.task).kind
        name = "chance" if kind == "composition" else f"{kind}_chance"
        return (self.scores_in(content) or {}).get(name, 0.0)


def parse_split_score(text: str, option: str) -> SplitScore:
    """``SPLIT:TASK`` as a `SplitScore`. Raises UserError, which names ``option``.

    Example:
        >>> parse_split_score("ood:composition-own", "--ood-score").accuracy
        'composition_top1'
    """
    split, colon, task = (part.strip() for part in text.partition(":"))
    if not (split and colon and task):
        raise UserError(
            f"{option} is {text!r}; write SPLIT:TASK, such as id:object or ood:composition-own"
        )
    return SplitScore(split, find_task(task).name)
