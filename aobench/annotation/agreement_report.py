"""Everything that `imagenet-ao agreement` says, as one dictionary and as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from aobench.annotation.agreement import (
    UNSURE,
    AgreementScore,
    agreement_scores,
)
from aobench.annotation.decisions import (
    CatchResult,
    ImageDecision,
    annotators_below,
    catch_results,
    decide_images,
)
from aobench.annotation.trials import catch_count
from aobench.annotation.verdict_store import (
    PracticeAnswer,
    Verdict,
    VerdictStore,
)
from aobench.columns import columns
from aobench.errors import UserError

#: More draws tell no more of an interval, and take hours.
MOST_DRAWS = 100_000


@dataclass(frozen=True)
class AgreementOptions:
    """How verdicts are counted: see the verb's help. ``min_catch`` None excludes nobody."""

    unsure: str = "missing"
    min_annotators: int = 2
    min_catch: float | None = None
    draws: int = 1000
    seed: int = 0

    def check(self) -> None:
        """Raises UserError for a value out of range."""
        if self.unsure not in UNSURE:
            raise UserError(f"--unsure takes {' or '.join(UNSURE)}")
        if (
            not 1 <= self.min_annotators <= 10_000
            or not 1 <= self.draws <= MOST_DRAWS
        ):
            raise UserError(
                "--min-annotators and --draws take whole numbers of at least 1, up to 10,000 and "
                f"{MOST_DRAWS:,}"
            )
        if not 0 <= self.seed < 1 << 63:
            raise UserError(
                f"--seed takes a whole number from 0, below 2^63, not {str(self.seed)[:40]}"
            )
        if self.min_catch is not None and not 0 <= self.min_catch <= 1:
            raise UserError("--min-catch takes a share between 0 and 1")


@dataclass(frozen=True)
class AgreementReport:
    """Settings of the file, counts and catch results by annotator, who is excluded, figures,
    decisions.
    """

    settings: dict[str, str]
    images: int
    options: AgreementOptions
    people: list[dict[str, Any]]
    catches: list[CatchResult]
    excluded: list[str]
    figures: list[AgreementScore]
    decided: list[ImageDecision]

    def as_dict(self) -> dict[str, Any]:
        """For --json: plain values only; what is undefined is null, with the reason beside it."""
        questions = ("attribute_decision", "object_decision", "decision")
        return {
            "settings": self.settings,
            "images": self.images,
            "options": asdict(self.options),
            "annotators": [
                {**person, "catch": {**asdict(catch), "share": catch.share}}
                for person, catch in zip(self.people, self.catches, strict=True)
            ],
            "excluded": self.excluded,
            "agreement": [asdict(figure) for figure in self.figures],
            "decisions": {
                q: dict(Counter(getattr(d, q) for d in self.decided))
                for q in questions
            },
        }


def make_report(
    store: VerdictStore, options: AgreementOptions
) -> AgreementReport:
    """Everything at one moment, also while annotators are at work. Raises UserError for options
    out of range.
    """
    options.check()
    with store.snapshot():
        people = store.annotators()
        images, on_catch, undone = (
            store.verdicts(),
            store.verdicts(catch=True),
            store.verdicts(withdrawn=True),
        )
        undone += store.verdicts(catch=True, withdrawn=True)
        rows, settings = store.images(), store.settings()
        settled, practice = store.verdicts(adjudicators=True), store.practice()
    catches = catch_results(people, on_catch)
    excluded = annotators_below(catches, options.min_catch)
    counted = [v for v in images if v.annotator not in excluded]
    return AgreementReport(
        settings,
        len(rows),
        options,
        [_person(name, images, undone, practice) for name in people],
        catches,
        excluded,
        agreement_scores(counted, options.unsure, options.draws, options.seed),
        decide_images(rows, images, options.min_annotators, excluded, settled),
    )


def _person(
    name: str,
    images: Sequence[Verdict],
    undone: Sequence[Verdict],
    practice: Sequence[PracticeAnswer],
) -> dict[str, Any]:
    tried = [one.right for one in practice if one.annotator == name]
    mine = [v for v in images if v.annotator == name]
    answers = {
        f"{question}_{answer}": sum(
            getattr(v, f"{question}_answer") == answer for v in mine
        )
        for question in ("attribute", "object")
        for answer in ("yes", "no", "unsure")
    }
    seconds = round(median(v.seconds for v in mine), 3) if mine else None
    withdrawn = sum(v.annotator == name for v in undone)
    return {
        "annotator": name,
        "images": len(mine),
        **answers,
        "withdrawn": withdrawn,
        "median_seconds": seconds,
        "practice_right": sum(tried),
        "practice": len(tried),
    }


def report_lines(report: AgreementReport) -> Iterable[str]:
    """The report as text."""
    s = report.settings
    catches = catch_count(report.images, float(s["catch_rate"]))
    yield (
        f"{report.images} images, {len(report.people)} annotators; seed {s['seed']}, "
        f"{catches} catch trials an annotator; images hash {s['images_sha256'][:12]}"
    )
    if not report.people:
        yield "No verdicts yet."
        return
    yield ""
    yield from _people(report)
    yield ""
    unsure = (
        "missing"
        if report.options.unsure == "missing"
        else "a category of its own"
    )
    draws = report.options.draws
    yield (
        f'Agreement on images; "unsure" counts as {unsure}; 95 % intervals from {draws} '
        "bootstrap draws:"
    )
    yield from _figures(report.figures)
    yield ""
    yield from _decisions(report)


def _people(report: AgreementReport) -> Iterable[str]:
    words = ("attribute yes/no/unsure", "object yes/no/unsure")
    practised = any(person["practice"] for person in report.people)
    more = ["practice"] if practised else []
    table = [
        [
            "annotator",
            "images",
            *words,
            "undone",
            "seconds",
            "catch trials",
            *more,
        ]
    ]
    for person, catch in zip(report.people, report.catches, strict=True):
        votes = [
            "/".join(str(person[f"{q}_{a}"]) for a in ("yes", "no", "unsure"))
            for q in ("attribute", "object")
        ]
        seconds = (
            "-"
            if person["median_seconds"] is None
            else f"{person['median_seconds']:.1f}"
        )
        table.append(
            [
                person["annotator"],
                f"{person['images']} of {report.images}",
                *votes,
                str(person["withdrawn"]),
                seconds,
                _catch(catch),
                *([_practice(person)] if practised else []),
            ]
        )
    yield from _aligned(table)
    if report.options.min_catch is not None:
        names = ", ".join(report.excluded) or "nobody"
        yield (
            f"Left out of agreement and decisions, under {report.options.min_catch:.0%} of "
            f"catch trials: {names}."
        )


def _practice(person: dict[str, Any]) -> str:
    if not person["practice"]:
        return "-"
    return f"{person['practice_right']} of {person['practice']} right"


def _catch(catch: CatchResult) -> str:
    if catch.share is None:
        return (
            f"none answered yes or no ({catch.unsure} unsure)"
            if catch.unsure
            else "none answered"
        )
    unsure = f", {catch.unsure} unsure" if catch.unsure else ""
    return f"{catch.passed} of {catch.passed + catch.failed} passed{unsure}"


def _figures(figures: Iterable[AgreementScore]) -> Iterable[str]:
    table, notes = (
        [["question", "measure", "value", "95 % interval", "images"]],
        [],
    )
    for f in figures:
        if f.value is None:
            table.append([f.question, f.measure, "undefined", f.why, str(f.n)])
            continue
        interval = (
            "undefined"
            if f.low is None or f.high is None
            else f"{_number(f.low)} to {_number(f.high)}"
        )
        if f.undefined_draws:
            interval += " *"
            notes.append(
                f"* {f.question}, {f.measure}: undefined in {f.undefined_draws} draws, which are "
                "left out."
            )
        table.append(
            [f.question, f.measure, _number(f.value), interval, str(f.n)]
        )
    yield from _aligned(table)
    yield from notes


def _number(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # no -0.000


def _decisions(report: AgreementReport) -> Iterable[str]:
    yield (
        f"Decisions by majority, at least {report.options.min_annotators} answers of yes or no "
        "(--min-annotators):"
    )
    table = [["", "accepted", "rejected", "undecided"]]
    for name, key in (
        ("attribute", "attribute_decision"),
        ("object", "object_decision"),
        ("image", "decision"),
    ):
        count = Counter(getattr(d, key) for d in report.decided)
        table.append([name, *(str(count[word]) for word in table[0][1:])])
    yield from _aligned(table)
    settled = sum(one.adjudicated == "yes" for one in report.decided)
    if settled:
        yield f"Settled by an adjudicator: {settled}."


def _aligned(table: list[list[str]]) -> Iterable[str]:
    return (f"  {line}" for line in columns(table))
