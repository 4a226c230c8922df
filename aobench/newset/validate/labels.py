"""What is known of the images without the judges: what people said of them, and a file of
labels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aobench.errors import UserError
from aobench.files import parquet_errors
from aobench.newset.config import JudgeOptions, ValidateOptions, located_path
from aobench.newset.reasons import Reason, reason_of

Labels = dict[str, dict[str, bool]]
"""By question ("attribute", "object", "composition"): what is known of an image, by its id."""

COLUMNS = ("image_id", "attribute_right", "object_right")


@dataclass(frozen=True)
class Majority:
    """What the majority said of an image and of its parts: accepted, rejected or undecided; and
    the reason where it is rejected.
    """

    decision: str
    attribute: str
    object: str
    reason: Reason | None


@dataclass(frozen=True)
class PeopleVerdicts:
    """What the majority said of each image that somebody judged, and of each part of it; and who
    the people were.

    ``facts``: the counted and the left out, without their names, for these may be published.
    ``digest``: of every verdict that counts or says who counts. ``pictures``: SHA-256 by image of
    what was judged, where the file knows.
    """

    majorities: dict[str, Majority]
    pictures: dict[str, str]
    facts: dict[str, Any]
    digest: str


def read_people(
    options: ValidateOptions, config_path: Path
) -> PeopleVerdicts | None:
    """What the file ``human`` holds now, without the annotators below ``min_catch``; None where
    none is named.
    """
    if options.human is None:
        return None
    from aobench.annotation.decisions import (
        annotators_below,
        catch_results,
        decide_images,
    )
    from aobench.annotation.verdict_file import existing_store
    from aobench.annotation.verdict_store import VerdictStore

    with (
        existing_store(
            located_path(config_path, options.human), VerdictStore
        ) as store,
        store.snapshot(),
    ):
        people, rows, pictures = (
            store.annotators(),
            store.images(),
            store.pictures(),
        )
        verdicts, on_catch = store.verdicts(), store.verdicts(catch=True)
        settled = store.verdicts(adjudicators=True)
    catches = catch_results(people, on_catch)
    left_out = annotators_below(catches, options.min_catch)
    counted = [v for v in verdicts if v.annotator not in left_out]
    facts = {
        "minimum": options.minimum,
        "min_catch": options.min_catch,
        "annotators": len(people) - len(left_out),
        "left_out": len(left_out),
        "pictures_known": bool(pictures),
        "catch": [
            {"passed": c.passed, "failed": c.failed, "unsure": c.unsure}
            for c in catches
            if c.annotator not in left_out
        ],
        "agreement": _agreement(counted),
    }
    every = [
        (v.annotator, asdict(v.trial), v.attribute_answer, v.object_answer)
        for v in (*verdicts, *on_catch, *settled)
    ]
    text = json.dumps(
        [sorted(every, key=str), sorted(pictures.items())], sort_keys=True
    )
    decided = decide_images(rows, verdicts, options.minimum, left_out, settled)
    majorities = _majorities(decided)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return PeopleVerdicts(majorities, pictures, facts, digest)


def _majorities(decided: Sequence[Any]) -> dict[str, Majority]:
    majorities = {}
    for one in decided:
        parts = [
            question
            for question in ("attribute", "object")
            if getattr(one, f"{question}_decision") == "rejected"
        ]
        if (
            one.attribute_decision != "undecided"
            or one.object_decision != "undecided"
        ):
            reason = reason_of("people", parts=" nor the ".join(parts))
            majorities[one.image_id] = Majority(
                one.decision,
                one.attribute_decision,
                one.object_decision,
                reason if one.decision == "rejected" else None,
            )
    return majorities


def _agreement(counted: Sequence[Any]) -> list[dict[str, Any]]:
    """Every measure that can be computed here, for both questions, without intervals: `imagenet-ao
    agreement` has them.

    Krippendorff's alpha needs a library that only annotators' machines must have.
    """
    from aobench.annotation.agreement import agreement_measures, answer_codes
    from aobench.annotation.trials import QUESTIONS

    agreements = []
    for question in QUESTIONS:
        codes = answer_codes(counted, question)
        for name, measure in (
            agreement_measures(len(codes)) if len(codes) > 1 else {}
        ).items():
            try:
                value, n = measure(
                    codes, np.ones(codes.shape[1], dtype=np.int64)
                )
            except UserError:
                continue
            agreements.append(
                {"question": question, "measure": name, "value": value, "n": n}
            )
    return agreements


def refuse_others(
    people: PeopleVerdicts | None,
    images: Sequence[Mapping[str, Any]],
    human: str | None,
) -> None:
    """UserError where people judged an image that the set lacks, or another picture under an id
    of the set.
    """
    if people is None:
        return
    from aobench.annotation.verdict_store import other_pictures

    now = {row["image_id"]: row["sha256"] for row in images}
    strange = sorted(set(people.majorities) - set(now))
    if strange:
        raise UserError(
            f"{human} judges the image {strange[0]!r} ({len(strange)} such), which this set lacks"
        )
    others = other_pictures(
        {
            image: people.pictures[image]
            for image in people.majorities
            if image in people.pictures
        },
        now,
    )
    if others:
        raise UserError(
            f"{human} holds verdicts on other pictures under the same ids ({len(others)} such, the "
            "first: "
            f"{others[0]}); have this set's pictures judged into a new file, imagenet-ao annotate "
            "... --verdicts, and "
            "name that as human"
        )


def labels_of(
    judge: JudgeOptions,
    people: PeopleVerdicts | None,
    config_path: Path,
    known: Mapping[str, Any],
) -> Labels:
    """Known answers: of the file that the judge names, or else what people said."""
    labels: Labels = {"attribute": {}, "object": {}, "composition": {}}
    if judge.labels:
        _read_labels(located_path(config_path, judge.labels), known, labels)
        return labels
    for image, majority in (people.majorities if people else {}).items():
        for question, decision in (
            ("attribute", majority.attribute),
            ("object", majority.object),
            ("composition", majority.decision),
        ):
            if decision != "undecided" and image in known:
                labels[question][image] = decision == "accepted"
    return labels


def _read_labels(path: Path, known: Mapping[str, Any], labels: Labels) -> None:
    seen: set[str] = set()
    for number, row in enumerate(_label_rows(path), 1):
        image, parts = (
            row["image_id"],
            (row["attribute_right"], row["object_right"]),
        )
        where = f"{path}, row {number}"
        if image not in known:
            raise UserError(
                f"{where} labels the image {image!r}, which this set doesn't have"
            )
        if image in seen:
            raise UserError(
                f"{where} labels the image {image!r}, which an earlier row labels; keep one of them"
            )
        seen.add(image)
        for question, value in zip(("attribute", "object"), parts, strict=True):
            if value is None:
                continue
            if not isinstance(value, bool | int | float) or value not in (0, 1):
                raise UserError(
                    f"{where}: {question}_right is {value!r}; it takes true, false, 1 or 0, or "
                    "nothing where it is not "
                    "known"
                )
            labels[question][image] = bool(value)
        if None not in parts:
            labels["composition"][image] = all(parts)


def _label_rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    need = (
        f"give a Parquet file with the columns {', '.join(COLUMNS)} as labels"
    )
    try:
        table = pq.ParquetFile(path).read()
        table.validate(
            full=True
        )  # else a damaged text fails later, as a UnicodeDecodeError
    except parquet_errors() as error:
        raise UserError(
            f"the labels {path} can't be read as Parquet: {str(error).splitlines()[0]}; {need}"
        ) from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise UserError(
            f"the labels {path} lack the column(s) {', '.join(missing)}; {need}"
        )
    return table.select(list(COLUMNS)).to_pylist()
