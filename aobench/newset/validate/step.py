"""Step 3: each image is judged; every rejection has its reason. People overrule the judges."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.models.weights import placed_model, weights_mark
from aobench.newset.compose import TABLE as COMPOSITIONS
from aobench.newset.config import JudgeOptions, located_path
from aobench.newset.generate import TABLE as IMAGES
from aobench.newset.generate import read_generated
from aobench.newset.manifests import (
    read_manifest,
    read_rows,
    step_folder,
    table_digest,
    write_table,
)
from aobench.newset.pictures_option import pictures_mark, with_pictures
from aobench.newset.reasons import Reason, reason_columns, reason_of
from aobench.newset.step import Build, Step, StepResult, removed_lines
from aobench.newset.validate.judges import (
    DUAL_ENCODERS,
    Pair,
    find_judge,
    make_judge,
)
from aobench.newset.validate.labels import (
    PeopleVerdicts,
    labels_of,
    read_people,
    refuse_others,
)
from aobench.newset.validate.scoring import Scores, judge_name, judge_scores
from aobench.newset.validate.thresholds import judge_thresholds

TABLE = "verdicts.parquet"

#: By image, why it is rejected; None for one that isn't.
Reasons = dict[str, Reason | None]
Rows = Sequence[Mapping[str, Any]]


class ValidateStep(Step):
    """Writes verdicts.parquet: one row an image, accepted or why not, and every judge's numbers."""

    name = "validate"
    shared = True

    def __init__(self, build: Build) -> None:
        self.build = build
        self._options = build.config.validate

    def options(self) -> dict[str, Any]:
        """The part ``validate`` of the configuration."""
        return {"options": dataclasses.asdict(self._options)}

    def earlier_tables(self) -> dict[str, str]:
        """The images."""
        images = step_folder(self.build.out, "generate") / IMAGES
        return {"images": table_digest(_existing_file(images))}

    def outside_inputs(self) -> dict[str, Any]:
        """Labels, models' weights, pictures that judges draw from, and what people said."""
        options, config_path = self._options, self.build.config_path
        people = read_people(options, config_path)
        labels = {
            judge.labels: table_digest(
                _existing_file(located_path(config_path, judge.labels))
            )
            for judge in options.judges
            if judge.labels
        }
        pictures = self._picture_marks()
        weights = {
            judge_name(judge): weights_mark(
                placed_model(config_path, judge.model), _revision(judge)
            )
            for judge in options.judges
            if judge.model
        }
        return {
            "labels": labels,
            **({"pictures": pictures} if pictures else {}),
            "people": people.digest if people else None,
            "weights": weights,
        }

    def _picture_marks(self) -> dict[str, str]:
        """The marks of the folders that judges draw from. UserError where the images were drawn
        from other pictures.
        """
        generated = read_manifest(self.build.out, "generate") or {}
        drawn = generated.get("made_from", {}).get("pictures")
        marks = {}
        for judge in self._options.judges:
            find = partial(find_judge, judge.kind)
            mark = pictures_mark(find, judge.options, self.build.config_path)
            if (
                drawn
                and mark != drawn
                and getattr(find(), "own_pictures", False)
            ):
                raise UserError(
                    f"the judge {judge_name(judge)!r} draws from other pictures than those that "
                    f"{step_folder(self.build.out, 'generate')} was drawn from; give both the "
                    "same folder, as it was then"
                )
            if mark is not None:
                marks[judge_name(judge)] = mark
        return marks

    def run(self, made_from: Mapping[str, Any]) -> StepResult:
        """Ask the judges in order, and let people overrule them."""
        out, options = self.build.out, self._options
        images = read_generated(out)
        pairs = _kept_pairs(out)
        # the same for all, if people go on
        people = self.build.processes.from_main(
            partial(read_people, options, self.build.config_path)
        )
        refuse_others(people, images, options.human)
        flagged = _flagged(images, out)
        reasons: Reasons = {
            row["image_id"]: flagged.get(row["image_id"]) for row in images
        }
        columns: dict[str, dict[str, float]] = {}
        judges = {
            judge_name(judge): self._ask(
                judge, images, pairs, people, reasons, columns
            )
            for judge in options.judges
        }
        if not self.build.processes.is_main_process:
            return StepResult([])
        verdicts = [
            _verdict(
                row, reasons[row["image_id"]], people, flagged, bool(judges)
            )
            for row in images
        ]
        table = _write_verdicts(step_folder(out, self.name), verdicts, columns)
        return StepResult([table], _facts(verdicts, people, judges))

    def _ask(
        self,
        options: JudgeOptions,
        images: Rows,
        pairs: Sequence[Pair],
        people: PeopleVerdicts | None,
        reasons: Reasons,
        columns: dict[str, dict[str, float]],
    ) -> dict[str, Any]:
        """Ask one judge; its facts. Fills in ``reasons`` and ``columns``."""
        config_path, name = self.build.config_path, judge_name(options)
        labels = labels_of(options, people, config_path, reasons)
        labelled = {image for answers in labels.values() for image in answers}
        asked = [
            row
            for row in images
            if reasons[row["image_id"]] is None or row["image_id"] in labelled
        ]
        kind = partial(find_judge, options.kind)
        judge = make_judge(
            options.kind,
            placed_model(config_path, options.model),
            with_pictures(kind, options.options, config_path),
            pairs,
        )
        scores = judge_scores(
            judge, options, asked, self.build.out, self.build.processes
        )
        thresholds, questions = judge_thresholds(judge, options, scores, labels)
        judged = _accepted_count(reasons)
        _reject(asked, name, scores, thresholds, reasons)
        for question in judge.questions:
            columns[f"{name}_{question}"] = scores[question]
        return {
            "kind": options.kind,
            "model": options.model,
            "facts": judge.facts,
            "judged": judged,
            "passed": _accepted_count(reasons),
            "questions": questions,
        }

    def summary_lines(self, facts: Mapping[str, Any]) -> list[str]:
        """How many images are accepted, and why the others are not."""
        head = f"validate: {facts['accepted']:,} of {facts['images']:,} images accepted"
        return [
            f"{head}, {facts['compositions']:,} compositions",
            *removed_lines(facts["removed"]),
        ]


def _revision(judge: JudgeOptions) -> str | None:
    revision = judge.options.get("revision")
    return revision if isinstance(revision, str) else None


def _existing_file(path: Path) -> Path:
    if not path.is_file():
        raise UserError(
            f"{path} is {'no file' if path.exists() else 'missing'}, which the step validate needs"
        )
    return path


def _kept_pairs(out: Path) -> list[Pair]:
    rows = read_rows(step_folder(out, "compose") / COMPOSITIONS)
    return [(row["attribute"], row["object"]) for row in rows if row["kept"]]


def _accepted_count(reasons: Reasons) -> int:
    return sum(reason is None for reason in reasons.values())


def _reject(
    asked: Rows,
    name: str,
    scores: Scores,
    thresholds: Mapping[str, float],
    reasons: Reasons,
) -> None:
    """Give a reason to each accepted image of which an answer is below its threshold."""
    for question, threshold in thresholds.items():
        reason = reason_of(
            "below-threshold",
            judge=name,
            question=question,
            threshold=threshold,
        )
        for row in asked:
            image = row["image_id"]
            if (
                reasons[image] is None
                and not scores[question][image] >= threshold
            ):
                reasons[image] = reason


def _flagged(images: Rows, out: Path) -> dict[str, Reason]:
    """The reason of each image that was flagged in the step before, which no judge and no person
    overrules.
    """
    facts = (read_manifest(out, "generate") or {}).get("facts", {})
    who = (
        "the safety checker objected"
        if facts.get("safety_checker")
        else "the generator marked it as not to be shown"
    )
    return {
        row["image_id"]: reason_of("flagged", why=row.get("fault") or who)
        for row in images
        if row["flagged"]
    }


def _verdict(
    row: Mapping[str, Any],
    by_judges: Reason | None,
    people: PeopleVerdicts | None,
    flagged: Mapping[str, Reason],
    judged: bool,
) -> dict[str, Any]:
    """An image's row: accepted or why not, who decided it, and what the judges had said."""
    image = row["image_id"]
    majority = (people.majorities if people else {}).get(image)
    reason, who = by_judges, "judges" if judged else "nobody"
    if image in flagged:
        who = "checker"
    elif majority is not None and majority.decision != "undecided":
        reason, who = majority.reason, "people"
    elif not judged:
        reason = reason_of("undecided")
    return {
        "image_id": image,
        "attribute": row["attribute"],
        "object": row["object"],
        "accepted": reason is None,
        **reason_columns(reason),
        "decided_by": who,
        "reason_of_judges": by_judges.text if by_judges else "",
    }


def _write_verdicts(
    where: Path,
    verdicts: Sequence[dict[str, Any]],
    columns: Mapping[str, Mapping[str, float]],
) -> Path:
    rows = [
        {
            **row,
            **{
                name: scores.get(row["image_id"])
                for name, scores in columns.items()
            },
        }
        for row in verdicts
    ]
    schema = [
        *((name, "string") for name in ("image_id", "attribute", "object")),
        ("accepted", "bool"),
        ("reason_code", "string"),
        ("reason", "string"),
        ("decided_by", "string"),
        ("reason_of_judges", "string"),
        *((name, "double") for name in columns),
    ]
    return write_table(where / TABLE, rows, schema)


def _facts(
    verdicts: Rows, people: PeopleVerdicts | None, judges: dict[str, Any]
) -> dict[str, Any]:
    accepted = [row for row in verdicts if row["accepted"]]
    by_people = [row for row in verdicts if row["decided_by"] == "people"]
    overruled = (
        sum(
            bool(row["reason_of_judges"]) == row["accepted"]
            for row in by_people
        )
        if judges
        else None
    )
    removed = Counter(row["reason"] for row in verdicts if not row["accepted"])
    people_facts = {"decided": len(by_people), "overruled": overruled}
    return {
        "images": len(verdicts),
        "accepted": len(accepted),
        "judges": judges,
        "compositions": len(
            {(row["attribute"], row["object"]) for row in accepted}
        ),
        "removed": dict(sorted(removed.items())),
        "accepted_by_dual_encoders_alone": _by_dual_encoders_alone(
            accepted, judges
        ),
        "people": {**people.facts, **people_facts} if people else None,
    }


def _by_dual_encoders_alone(accepted: Rows, judges: dict[str, Any]) -> int:
    """How many images nobody else accepted than models of the family under test."""
    only = all(
        judge["kind"] in DUAL_ENCODERS
        or judge["facts"].get("judge") in DUAL_ENCODERS
        for judge in judges.values()
    )
    return sum(row["decided_by"] == "judges" for row in accepted) if only else 0
