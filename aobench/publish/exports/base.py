"""What an export is, and the numbers that all of them show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from aobench.results.provenance import counted_parameters
from aobench.results.scores import KINDS, chance
from aobench.results.tasks import find_task
from aobench.results.verified import Result

#: The level of the intervals in results.json.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class ExportOptions:
    """What an export may need beside the results: the benchmark's repository on the Hub, and its
    commit.
    """

    dataset: str | None = None
    revision: str | None = None


@dataclass(frozen=True)
class ExportFormat:
    """A format: its name, what it is, and ``render``, which turns results into the text of a file.

    Attributes:
        name: as `imagenet-ao export --to` takes it.
        text: what reads it.
        render: takes results and `ExportOptions`.
        several: whether one file takes several results.
        needs_dataset: whether ``--dataset`` must be given.
    """

    name: str
    text: str
    render: Callable[[Sequence[Result], ExportOptions], str]
    several: bool = False
    needs_dataset: bool = False


@dataclass(frozen=True)
class ScoreRow:
    """An accuracy of a result, as results.json has it; rates are fractions from 0 to 1.

    Attributes:
        model: its name.
        task: of `aobench.results.tasks`.
        split: id (seen) or ood (novel).
        kind: what is named right: composition, attribute or object.
        value: the accuracy, with ``low`` and ``high``, its 95 % interval.
        top5: right among the first five, where the task tells it.
        images: how many there are.
        effective_images: how many independent images the interval is worth.
        candidates: how many an image is ranked among.
        by_chance: accuracy of a random choice.
        parameters: how many numbers the model's weights have; None where the run did not count.
    """

    model: str
    task: str
    split: str
    kind: str
    value: float
    low: float
    high: float
    top5: float | None
    images: int
    effective_images: float
    candidates: int
    by_chance: float
    parameters: int | None = None

    @property
    def standard_error(self) -> float:
        """Of the interval's width: a normal interval of this error is as wide."""
        return (self.high - self.low) / (
            2 * NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
        )

    @property
    def title(self) -> str:
        """Such as ``choice, novel (ood): attribute``."""
        words = {"id": "seen (id)", "ood": "novel (ood)"}
        return f"{self.task}, {words.get(self.split, self.split)}: {self.kind}"


def score_rows(result: Result) -> Iterator[ScoreRow]:
    """The accuracies of a result: of each task and split what it asks for, and of the headline
    task all that its candidates tell.
    """
    for task in result.predictions.tasks:
        kinds = KINDS if task == result.task else (find_task(task).kind,)
        for split, scores in result.content["scores"][task]["splits"].items():
            for kind in kinds:
                if f"{kind}_top1" in scores:
                    yield _row(result, task, split, kind, scores)


def _row(
    result: Result, task: str, split: str, kind: str, scores: dict[str, Any]
) -> ScoreRow:
    key = f"{kind}_top1"
    return ScoreRow(
        model=result.content["model"]["id"],
        task=task,
        split=split,
        kind=kind,
        value=scores[key],
        low=scores[f"{key}_low"],
        high=scores[f"{key}_high"],
        top5=scores.get(f"{kind}_top5"),
        images=scores["n"],
        effective_images=scores[f"{key}_effective_n"],
        candidates=scores["n_candidates"],
        by_chance=chance(scores, kind) or 0.0,
        parameters=counted_parameters(result.content),
    )
