"""How far labels and pictures themselves limit an accuracy: scores on the images that people
accept, and the accuracy of people who are asked the task ``choice`` themselves.

Label noise is no model's error: an image that shows something else than its label counts as wrong
whatever is answered. A model that people's accuracy is not above has reached what the pictures
allow. Intervals are for attributes and objects like these (two-way), where there are two of each;
annotators are taken as they are: two people are no sample of people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from compositional_ood.compositional_ood import (
    cluster_interval,
    first_is_right,
    two_way_interval,
)

from aobench.analysis.paired import two_way_test
from aobench.analysis.people_tables import (
    DECISIONS,
    UNSURE,
    NamedAnswer,
)
from aobench.columns import columns
from aobench.csv_tables import write_csv_rows
from aobench.errors import UserError
from aobench.results.candidates import Candidates
from aobench.results.hits import right_answers
from aobench.results.predictions import Predictions
from aobench.results.scores import composition_numbers
from aobench.results.tasks import find_task

#: What an image is where no decision on it is in the table.
NOT_JUDGED = "not judged"
ALL = "all"
TASK = "choice"

Rows = dict[str, list[Any]]


@dataclass(frozen=True)
class PartScore:
    """A task's accuracy on the images of ``part``: all, accepted, rejected, undecided or not
    judged. Fractions; ``low`` and ``high`` at 95 %, for attributes and objects like these.
    """

    model: str
    task: str
    split: str
    part: str
    n: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class PeopleScore:
    """People's accuracy on a split's ``choice``, beside the model's on the same ``images``.

    ``rate`` over ``answers`` of ``annotators``, of whose ``unsure`` none is right; ``model_rate``
    counts an image as often as people answered it. ``difference``: the model's less people's.
    ``chance``: of a guess. ``by_annotator``: name, answers, rate.
    """

    model: str
    split: str
    images: int
    answers: int
    unsure: int
    annotators: int
    chance: float
    rate: float
    low: float
    high: float
    model_rate: float
    model_low: float
    model_high: float
    difference: float
    difference_low: float | None
    difference_high: float | None
    by_annotator: tuple[tuple[str, int, float], ...]

    def row(self) -> dict[str, Any]:
        """As a flat dictionary, without the single annotators."""
        return {k: v for k, v in asdict(self).items() if k != "by_annotator"}


def accepted_scores(
    predictions: Predictions, decisions: Mapping[str, str]
) -> list[PartScore]:
    """Each task's accuracy on each part of the images by ``decisions``: image id -> decision.

    Raises UserError where the decisions are on none of the table's images.
    """
    ids = set(predictions.table["sample_id"].to_pylist())
    if not ids & set(decisions):
        raise UserError(
            f"no decision is on an image of the result: it has {sorted(ids)[0]!r}, and the "
            f"decisions are on {sorted(decisions)[0]!r}; name the decisions of these images"
        )
    model = predictions.provenance["model"]["id"]
    scores = []
    for task in predictions.tasks:
        kind = find_task(task).kind
        for split in predictions.lists[task]:
            samples, hits, _ = right_answers(predictions, split, kind, task)
            rows = predictions.split(split, task)
            said = np.array([decisions.get(one, NOT_JUDGED) for one in samples])
            for part in (ALL, *DECISIONS, NOT_JUDGED):
                mine = np.flatnonzero((said == part) | (part == ALL))
                if mine.size:
                    shown = _by_composition(rows, mine)
                    rate = _interval(
                        shown.sums(hits[mine]), shown.sizes, shown.parts
                    )
                    scores.append(
                        PartScore(model, task, split, part, len(mine), *rate)
                    )
    return scores


@dataclass(frozen=True)
class _Compositions:
    """Some answers by composition: ``number`` of each, ``sizes``, and ``parts``: the attributes and
    objects.
    """

    number: np.ndarray
    sizes: np.ndarray
    parts: list[np.ndarray]

    def sums(self, hits: np.ndarray) -> np.ndarray:
        """By composition how many are right."""
        return np.bincount(self.number, weights=hits)


def _by_composition(rows: Rows, at: np.ndarray) -> _Compositions:
    """Of the answers to the images ``at``, an image once or several times."""
    number = composition_numbers(rows)[at]
    _, first, number = np.unique(number, return_index=True, return_inverse=True)
    parts = [
        np.array(rows[name])[at][first] for name in ("attribute", "object")
    ]
    return _Compositions(number, np.bincount(number), parts)


def people_scores(
    predictions: Predictions, answers: Sequence[NamedAnswer]
) -> list[PeopleScore]:
    """People's accuracy on each split that has answers.

    Raises UserError where the result was not asked ``choice``, where no answer is on one of its
    images, and for an answer that the image was not offered.
    """
    if TASK not in predictions.lists:
        raise UserError(
            f"the result has no task {TASK}, which people are asked; evaluate with --tasks {TASK}"
        )
    scores = []
    for split, candidates in predictions.lists[TASK].items():
        rows = predictions.split(split, TASK)
        place = {sample: i for i, sample in enumerate(rows["sample_id"])}
        mine = [one for one in answers if one.sample_id in place]
        if mine:
            at = np.array([place[one.sample_id] for one in mine])
            right = np.array(
                [
                    _is_right(one, rows, i, candidates)
                    for one, i in zip(mine, at, strict=True)
                ]
            )
            scores.append(_score(predictions, split, rows, mine, at, right))
    if not scores:
        raise UserError(
            f"no answer is on an image of the result; the first is on {answers[0].sample_id!r}"
        )
    return scores


def _is_right(
    one: NamedAnswer, rows: Rows, row: int, candidates: Candidates
) -> bool:
    if one.answer.lower() in UNSURE:
        return False
    offered = rows["choices"][row]
    names = {candidates.names[i]: i for i in offered}
    answer = names.get(one.answer)
    if answer is None and one.answer.isdigit() and int(one.answer) in offered:
        answer = int(one.answer)
    if answer is None:
        raise UserError(
            f"{one.annotator!r} answered {one.answer[:60]!r} to {one.sample_id!r}, which was not "
            f"offered; it was offered: {', '.join(names)}"
        )
    return bool(answer == rows["label"][row])


def _score(
    predictions: Predictions,
    split: str,
    rows: Rows,
    answers: Sequence[NamedAnswer],
    at: np.ndarray,
    right: np.ndarray,
) -> PeopleScore:
    by_model = first_is_right(rows["rank"])[at]
    shown = _by_composition(rows, at)
    sums = [shown.sums(hits) for hits in (right, by_model)]
    people, model = (_interval(one, shown.sizes, shown.parts) for one in sums)
    low, high, _ = two_way_test(sums[1] - sums[0], shown.sizes, *shown.parts)
    tally: dict[str, list[bool]] = {}
    for one, hit in zip(answers, right, strict=True):
        tally.setdefault(one.annotator, []).append(bool(hit))
    return PeopleScore(
        model=predictions.provenance["model"]["id"],
        split=split,
        images=len(set(at.tolist())),
        answers=len(answers),
        unsure=sum(one.answer.lower() in UNSURE for one in answers),
        annotators=len(tally),
        chance=1 / len(rows["choices"][0]),
        rate=people[0],
        low=people[1],
        high=people[2],
        model_rate=model[0],
        model_low=model[1],
        model_high=model[2],
        difference=model[0] - people[0],
        difference_low=low,
        difference_high=high,
        by_annotator=tuple(
            (name, len(hits), sum(hits) / len(hits))
            for name, hits in sorted(tally.items())
        ),
    )


def _interval(
    right: np.ndarray, n: np.ndarray, parts: Sequence[np.ndarray]
) -> tuple[float, float, float]:
    """(rate, low, high): two-way, and over compositions where there is nothing to tell how
    attributes and objects differ.
    """
    wide = two_way_interval(right, n, parts[0], parts[1])
    low, high = wide if wide is not None else cluster_interval(right, n)[:2]
    return float(right.sum() / n.sum()), float(low), float(high)


@dataclass(frozen=True)
class PeopleReport:
    """``parts`` of images by people's decisions, and ``people``'s own scores; either may be
    empty.
    """

    parts: Sequence[PartScore]
    people: Sequence[PeopleScore]

    def text(self) -> str:
        """All of it, as it is printed."""
        return "\n".join([*self._parts_text(), *self._people_text()])

    def _parts_text(self) -> list[str]:
        if not self.parts:
            return []
        rows = [("model", "task", "split", "images", "n", "accuracy, %")]
        for one in self.parts:
            shown = _percent(one.rate, one.low, one.high)
            named = (one.model, one.task, one.split, one.part, f"{one.n:,}")
            rows.append((*named, shown))
        counts = Counter({one.part: one.n for one in self.parts})
        left = ", ".join(
            f"{counts[part]:,} {part}"
            for part in (*DECISIONS[1:], NOT_JUDGED)
            if counts[part]
        )
        return [
            *columns(rows, rule=True),
            "Intervals: 95 %, for attributes and objects like these. People's decisions are taken "
            "as they are"
            + (f"; left out of accepted: {left}." if left else "."),
        ]

    def _people_text(self) -> list[str]:
        lines = []
        for one in self.people:
            people = _percent(one.rate, one.low, one.high)
            model = _percent(one.model_rate, one.model_low, one.model_high)
            lines += [
                f"choice on {one.split}, {one.answers:,} answers of {one.annotators} people to "
                f"{one.images:,} images ({one.unsure:,} unsure, taken as wrong; chance "
                f"{100 * one.chance:.1f} %):",
                f"  people {people} %",
                f"  {one.model} {model} % on the same images{_difference(one)}",
                *(
                    f"  {name}: {100 * rate:.1f} % of {n:,}"
                    for name, n, rate in one.by_annotator
                ),
            ]
        if lines:
            lines.append(
                "Intervals: 95 %, for attributes and objects like these, and for these people."
            )
        return lines

    def write(self, folder: Path) -> list[Path]:
        """Tables into ``folder``; returns their paths."""
        tables = (
            ("accepted.csv", [asdict(one) for one in self.parts]),
            ("people.csv", [one.row() for one in self.people]),
        )
        return [
            write_csv_rows(folder / name, rows) for name, rows in tables if rows
        ]


def _percent(rate: float, low: float, high: float) -> str:
    return f"{100 * rate:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _difference(one: PeopleScore) -> str:
    from aobench.analysis.effective_report import in_points

    if one.difference_low is None or one.difference_high is None:
        return ""
    shown = in_points(one.difference_low, one.difference, one.difference_high)
    return f", {shown.strip()} points to people"
