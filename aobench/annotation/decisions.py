"""What the verdicts on an image amount to, and how each annotator did on the catch trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from aobench.annotation.trials import QUESTIONS
from aobench.annotation.verdict_store import ANSWERS, Verdict
from aobench.image_table import ImageRow


@dataclass(frozen=True)
class CatchResult:
    """An annotator's catch trials: passed (answered "no" to the exchanged question), failed
    ("yes"), unsure.

    ``share`` is passed / (passed + failed), None before the first of these.
    """

    annotator: str
    passed: int
    failed: int
    unsure: int

    @property
    def share(self) -> float | None:
        """Passed among those that were decided; None where none was."""
        return (
            self.passed / (self.passed + self.failed)
            if self.passed + self.failed
            else None
        )


@dataclass(frozen=True)
class ImageDecision:
    """Votes on one image and what follows: "accepted", "rejected" or "undecided", for both parts
    and the image; ``adjudicated`` is "yes" where an adjudicator settled a part.
    """

    image_id: str
    attribute: str
    object: str
    file: str
    attribute_yes: int
    attribute_no: int
    attribute_unsure: int
    object_yes: int
    object_no: int
    object_unsure: int
    attribute_decision: str
    object_decision: str
    decision: str
    adjudicated: str = ""


def catch_results(
    annotators: Sequence[str], verdicts: Sequence[Verdict]
) -> list[CatchResult]:
    """Results on catch trials, one an annotator; ``verdicts``: those on catch trials (others are
    passed over).
    """
    tally: dict[str, Counter[str]] = {name: Counter() for name in annotators}
    for verdict in verdicts:
        if verdict.trial.wrong and verdict.annotator in tally:
            asked_attribute = verdict.trial.wrong == "attribute"
            tally[verdict.annotator][
                verdict.attribute_answer
                if asked_attribute
                else verdict.object_answer
            ] += 1
    return [
        CatchResult(name, count["no"], count["yes"], count["unsure"])
        for name, count in tally.items()
    ]


def annotators_below(
    results: Iterable[CatchResult], threshold: float | None
) -> list[str]:
    """Annotators whose share of passed catch trials is under the threshold; one without a share
    is not.
    """
    if threshold is None:
        return []
    return [
        result.annotator
        for result in results
        if result.share is not None and result.share < threshold
    ]


def majority_of(yes: int, no: int, minimum: int) -> str:
    """Majority of yes and no; undecided for a tie, or with fewer than ``minimum`` of them."""
    if yes + no < minimum or yes == no:
        return "undecided"
    return "accepted" if yes > no else "rejected"


def decide_images(
    rows: Iterable[ImageRow],
    verdicts: Iterable[Verdict],
    minimum: int = 2,
    excluded: Collection[str] = (),
    settled: Iterable[Verdict] = (),
) -> list[ImageDecision]:
    """A decision on every image of the table, by majority; "unsure" is no vote, and ``excluded``
    annotators have none. ``settled``: adjudicators' verdicts, which count where the votes leave
    an attribute or an object undecided.

    An image is accepted if its attribute and its object are, rejected if one of them is, else
    undecided. Verdicts on catch trials are no verdicts on the image and are passed over.
    """
    votes, last = _votes(verdicts, excluded), _votes(settled)
    none: Counter[tuple[str, str]] = Counter()
    return [
        _decision(
            row,
            votes.get(row.image_id, none),
            minimum,
            last.get(row.image_id, none),
        )
        for row in rows
    ]


def disputed_images(
    rows: Iterable[ImageRow], verdicts: Sequence[Verdict], minimum: int = 2
) -> list[ImageDecision]:
    """Images that at least ``minimum`` people judged, and that are undecided all the same."""
    people: Counter[str] = Counter(
        verdict.trial.image_id
        for verdict in verdicts
        if not verdict.trial.wrong
    )
    return [
        one
        for one in decide_images(rows, verdicts, minimum)
        if one.decision == "undecided" and people[one.image_id] >= minimum
    ]


def _votes(
    verdicts: Iterable[Verdict], excluded: Collection[str] = ()
) -> dict[str, Counter[tuple[str, str]]]:
    """By image how often each (question, answer) came."""
    votes: dict[str, Counter[tuple[str, str]]] = {}
    for verdict in verdicts:
        if not verdict.trial.wrong and verdict.annotator not in excluded:
            cast = votes.setdefault(verdict.trial.image_id, Counter())
            cast["attribute", verdict.attribute_answer] += 1
            cast["object", verdict.object_answer] += 1
    return votes


def _decision(
    row: ImageRow,
    cast: Counter[tuple[str, str]],
    minimum: int,
    last: Counter[tuple[str, str]],
) -> ImageDecision:
    a, o = (
        {answer: cast[question, answer] for answer in ANSWERS}
        for question in QUESTIONS
    )
    attribute, thing = (
        majority_of(a["yes"], a["no"], minimum),
        majority_of(o["yes"], o["no"], minimum),
    )
    by_votes = (attribute, thing)
    if attribute == "undecided":
        attribute = majority_of(
            last["attribute", "yes"], last["attribute", "no"], 1
        )
    if thing == "undecided":
        thing = majority_of(last["object", "yes"], last["object", "no"], 1)
    if "rejected" in (attribute, thing):
        both = "rejected"
    else:
        both = "accepted" if attribute == thing == "accepted" else "undecided"
    return ImageDecision(
        row.image_id,
        row.attribute,
        row.object,
        row.file,
        a["yes"],
        a["no"],
        a["unsure"],
        o["yes"],
        o["no"],
        o["unsure"],
        attribute,
        thing,
        both,
        "yes" if (attribute, thing) != by_votes else "",
    )
