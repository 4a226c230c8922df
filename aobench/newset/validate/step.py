"""Step 3: each image is judged; every rejection has its reason. People overrule the judges."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from aobench.errors import UserError
from aobench.models.weights import placed_model, weights_mark
from aobench.newset.compose import TABLE as COMPOSITIONS
from aobench.newset.config import Judge as JudgeOptions
from aobench.newset.config import Validate, located
from aobench.newset.generate import TABLE as IMAGES
from aobench.newset.manifests import (
    digest,
    folder,
    read_manifest,
    read_rows,
    write_manifest,
    write_table,
)
from aobench.newset.own_classes import naming
from aobench.newset.pictures_option import pictures_mark, with_pictures
from aobench.newset.validate.calibration import choose, halves, measure
from aobench.newset.validate.judges import (
    DUAL_ENCODERS,
    Asked,
    Judge,
    find_judge,
    make_judge,
)
from aobench.newset.validate.labels import (
    Labels,
    People,
    labels_of,
    read_people,
    refuse_others,
)

TABLE = "verdicts.parquet"
CHUNK = 64  # images judged between two writes


def made_from(options: Validate, out: Path, config_path: Path) -> dict[str, Any]:
    """What decides the step: options, the images, labels, models' weights and what people said."""
    people = read_people(options, config_path)
    made = read_manifest(out, "generate") or {}
    if made and made["made_from"]["compositions"] != digest(
        folder(out, "compose") / COMPOSITIONS
    ):
        raise UserError(
            f"{folder(out, 'generate')} is of earlier compositions; run it again: --steps generate"
        )
    marks = {
        str(judge.labels): digest(_there(located(config_path, judge.labels)))
        for judge in options.judges
        if judge.labels
    }
    drawn = _pictures(options, made, out, config_path)
    weights = {
        judge.name or judge.kind: weights_mark(
            placed_model(config_path, judge.model), _revision(judge)
        )
        for judge in options.judges
        if judge.model
    }
    return {
        "options": dataclasses.asdict(options),
        "images": digest(_there(folder(out, "generate") / IMAGES)),
        "labels": marks,
        **drawn,
        "people": people.digest if people else None,
        "weights": weights,
    }


def _revision(judge: JudgeOptions) -> str | None:
    revision = judge.options.get("revision")
    return revision if isinstance(revision, str) else None


def _pictures(
    options: Validate, made: Mapping[str, Any], out: Path, config_path: Path
) -> dict[str, Any]:
    """The marks of the folders that judges draw from. UserError where the images were drawn from
    other pictures.
    """
    drawn = made["made_from"].get("pictures") if made else None
    marks = {}
    for judge in options.judges:
        find = partial(find_judge, judge.kind)
        mark = pictures_mark(find, judge.options, config_path)
        if drawn and mark != drawn and getattr(find(), "own_pictures", False):
            raise UserError(
                f"the judge {judge.name or judge.kind!r} draws from other pictures than those that "
                f"{folder(out, 'generate')} was drawn from; give both the same folder, as it was "
                "then"
            )
        if mark is not None:
            marks[judge.name or judge.kind] = mark
    return {"pictures": marks} if marks else {}


def _there(path: Path) -> Path:
    if not path.is_file():
        raise UserError(
            f"{path} is {'no file' if path.exists() else 'missing'}, which the step validate needs"
        )
    return path


def run(
    options: Validate,
    out: Path,
    config_path: Path,
    accelerator: Any,
    made: Mapping[str, Any],
) -> dict[str, Any]:
    """Write verdicts.parquet: one row an image, accepted or why not, and every judge's numbers.

    ``made``: what `made_from` gave before the work.
    """
    where = folder(out, "validate")
    images = read_rows(folder(out, "generate") / IMAGES)
    compositions = read_rows(folder(out, "compose") / COMPOSITIONS)
    pairs = [(row["attribute"], row["object"]) for row in compositions if row["kept"]]
    # the same for all, if people go on
    people = accelerator.from_main(partial(read_people, options, config_path))
    refuse_others(people, images, options.human)
    flagged = _flagged(images, out)
    reason = {row["image_id"]: flagged.get(row["image_id"], "") for row in images}
    columns: dict[str, dict[str, float]] = {}
    judges: dict[str, Any] = {}
    for given in options.judges:
        name = given.name or given.kind
        labels = labels_of(given, people, config_path, reason)
        known = {image for answers in labels.values() for image in answers}
        asked = [
            row
            for row in images
            if not reason[row["image_id"]] or row["image_id"] in known
        ]
        placed = with_pictures(
            partial(find_judge, given.kind), given.options, config_path
        )
        judge = make_judge(
            given.kind, placed_model(config_path, given.model), placed, pairs
        )
        scores = _scores(judge, given, asked, out, accelerator)
        thresholds, told = _thresholds(judge, given, name, scores, labels)
        before = sum(not why for why in reason.values())
        for row in asked:
            image = row["image_id"]
            for question in judge.questions:
                columns.setdefault(f"{name}_{question}", {})[image] = scores[question][
                    image
                ]
                if (
                    not reason[image]
                    and not scores[question][image] >= thresholds[question]
                ):
                    reason[image] = (
                        f"{name}: {question} below {thresholds[question]:.4g}"
                    )
        passed = sum(not why for why in reason.values())
        judges[name] = {
            "kind": given.kind,
            "model": given.model,
            "facts": judge.facts,
            "judged": before,
            "passed": passed,
            "questions": told,
        }
    if accelerator.is_main_process:
        verdicts = _verdicts(images, reason, people, flagged, bool(judges))
        _write(where, verdicts, columns)
        facts = _facts(verdicts, people, judges)
        write_manifest(out, "validate", made, [where / TABLE], facts)
    return judges


def _flagged(images: Sequence[Mapping[str, Any]], out: Path) -> dict[str, str]:
    """The reason of each image that was flagged in the step before, which no judge and no person
    overrules.
    """
    made = (read_manifest(out, "generate") or {}).get("facts", {})
    who = (
        "the safety checker objected"
        if made.get("safety_checker")
        else "the generator marked it as not to be shown"
    )
    return {
        row["image_id"]: f"flagged: {row.get('fault') or who}"
        for row in images
        if row["flagged"]
    }


def _verdicts(
    images: Sequence[Mapping[str, Any]],
    by_judges: Mapping[str, str],
    people: People | None,
    flagged: Mapping[str, str],
    judged: bool,
) -> list[dict[str, Any]]:
    """One row an image: accepted or why not, who decided it, and what the judges had said."""
    rows = []
    for row in images:
        image = row["image_id"]
        said = (people.said if people else {}).get(image, {"decision": "undecided"})
        reason, who = by_judges[image], "judges" if judged else "nobody"
        if image in flagged:
            who = "checker"
        elif said["decision"] != "undecided":
            reason, who = (
                "" if said["decision"] == "accepted" else said["why"],
                "people",
            )
        elif not judged:
            reason = "undecided: too few people judged it"
        rows.append(
            {
                "image_id": image,
                "attribute": row["attribute"],
                "object": row["object"],
                "accepted": not reason,
                "reason": reason,
                "decided_by": who,
                "reason_of_judges": by_judges[image],
            }
        )
    return rows


def _write(
    where: Path,
    verdicts: Sequence[dict[str, Any]],
    columns: Mapping[str, Mapping[str, float]],
) -> None:
    rows = [
        {**row, **{name: found.get(row["image_id"]) for name, found in columns.items()}}
        for row in verdicts
    ]
    schema = [(name, "string") for name in ("image_id", "attribute", "object")] + [
        ("accepted", "bool")
    ]
    schema += [
        (name, "string") for name in ("reason", "decided_by", "reason_of_judges")
    ]
    write_table(where / TABLE, rows, [*schema, *((name, "double") for name in columns)])


def _facts(
    verdicts: Sequence[Mapping[str, Any]], people: People | None, judges: dict[str, Any]
) -> dict[str, Any]:
    accepted = [row for row in verdicts if row["accepted"]]
    seen = [row for row in verdicts if row["decided_by"] == "people"]
    overruled = (
        sum(bool(row["reason_of_judges"]) != bool(row["reason"]) for row in seen)
        if judges
        else None
    )
    only = all(
        j["kind"] in DUAL_ENCODERS or j["facts"].get("judge") in DUAL_ENCODERS
        for j in judges.values()
    )
    alone = sum(row["decided_by"] == "judges" for row in accepted) if only else 0
    return {
        "images": len(verdicts),
        "accepted": len(accepted),
        "judges": judges,
        "compositions": len({(row["attribute"], row["object"]) for row in accepted}),
        "fell": dict(
            sorted(Counter(row["reason"] for row in verdicts if row["reason"]).items())
        ),
        "accepted_by_dual_encoders_alone": alone,
        "people": {**people.facts, "decided": len(seen), "overruled": overruled}
        if people
        else None,
    }


def _scores(
    judge: Judge,
    given: JudgeOptions,
    asked: Sequence[Mapping[str, Any]],
    out: Path,
    accelerator: Any,
) -> dict[str, dict[str, float]]:
    """Every judged image's numbers; chunks that are there are read, the others dealt to the
    processes.
    """
    where = folder(out, "validate")
    who = {
        "kind": given.kind,
        "model": given.model,
        "options": given.options,
        "facts": judge.facts,
        "chunk": CHUNK,
        "images": [(row["image_id"], row["sha256"]) for row in asked],
    }
    mark = hashlib.sha256(
        json.dumps(who, sort_keys=True, default=str).encode()
    ).hexdigest()[:16]
    parts = (
        where
        / "parts"
        / f"{(given.name or given.kind).replace('/', '_').replace(':', '_')}-{mark}"
    )
    chunks = [
        (parts / f"{i // CHUNK:06d}.parquet", asked[i : i + CHUNK])
        for i in range(0, len(asked), CHUNK)
    ]
    mine = [c for c in chunks if not c[0].exists()][
        accelerator.process_index :: accelerator.num_processes
    ]
    accelerator.wait_for_everyone()  # all have looked before one writes
    schema = [
        ("image_id", "string"),
        *((question, "double") for question in judge.questions),
    ]
    for path, rows in tqdm(
        mine, desc=f"validate: {given.name or given.kind}", unit="chunk", disable=None
    ):
        asked_now = [_asked(row, out) for row in rows]
        with naming(f"the judge {given.kind!r}"):
            told = judge(asked_now)
        write_table(
            path,
            _answers(told, rows, judge.questions, given.name or given.kind),
            schema,
        )
    accelerator.wait_for_everyone()
    found: dict[str, dict[str, float]] = {question: {} for question in judge.questions}
    for path, _ in chunks:
        for row in read_rows(path):
            for question in judge.questions:
                found[question][row["image_id"]] = row[question]
    return found


def _answers(
    told: Mapping[str, Sequence[float]],
    rows: Sequence[Mapping[str, Any]],
    questions: Sequence[str],
    name: str,
) -> list[dict[str, Any]]:
    """Rows of a part: each image's number for each question. UserError for too few, too many, or
    no numbers.
    """
    made: list[dict[str, Any]] = [{"image_id": row["image_id"]} for row in rows]
    if not isinstance(told, Mapping) or not set(questions) <= set(told):
        raise UserError(
            f"the judge {name!r} gave no answers to {', '.join(questions)}; it is to give a "
            "dictionary"
        )
    for question in questions:
        if len(told[question]) != len(rows):
            raise UserError(
                f"the judge {name!r} gave another number of answers than the {len(rows)} images "
                "asked"
            )
        for row, value in zip(made, told[question], strict=True):
            if not hasattr(value, "__float__"):
                raise UserError(
                    f"the judge {name!r} says {value!r:.60} for {question}, which is no number"
                )
            row[question] = float(value)
            if not math.isfinite(row[question]):
                raise UserError(
                    f"the judge {name!r} says {row[question]} for {question} of "
                    f"{row['image_id']!r}, which is no "
                    "verdict; look at that picture, or give the judge another dtype or model"
                )
    return made


def _asked(row: Mapping[str, Any], out: Path) -> Asked:
    from aobench.images import BadImageError, read_image

    path = folder(out, "generate") / row["file"]
    if not path.exists() or digest(path) != row["sha256"]:
        raise UserError(
            f"{path} is not the image that was generated; run the step generate again"
        )
    try:
        image = read_image({"path": str(path)})
    except BadImageError as error:
        raise UserError(
            f"{path} {error}; delete it and run the step generate again"
        ) from error
    return Asked(image, row["attribute"], row["object"], row["seed"])


def _thresholds(
    judge: Judge,
    given: JudgeOptions,
    name: str,
    scores: Mapping[str, Mapping[str, float]],
    labels: Labels,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Each question's threshold, and what is known of it: given, the judge's own, or chosen on half
    of the labels.

    A chosen one is measured on the other half, others on all labels.
    """
    thresholds, told = {}, {}
    for question in judge.questions:
        what = f"the judge {name!r}, {question}"
        answers = labels[question]
        ids = sorted(answers)
        values = np.array([scores[question][i] for i in ids], dtype=float)
        right = np.array([answers[i] for i in ids], dtype=bool)
        given_one = getattr(given, question)
        kept = np.ones(len(ids), dtype=bool)
        if given_one is not None:
            value, how = float(given_one), "given"
        elif given.precision is not None:
            if not ids:
                raise UserError(
                    f"{what}: precision is asked for, but no answers are known; name labels or "
                    "human"
                )
            half = halves(ids)
            if not half.any():
                raise UserError(
                    f"{what}: all {len(ids)} known answers fall into the half that measures the "
                    "threshold, and none "
                    "into the half that it is chosen on (a hash of the id decides); label more "
                    "images"
                )
            value, how = (
                choose(values[half], right[half], given.precision, what),
                f"chosen for {given.precision:g}",
            )
            kept = ~half
        elif question in judge.thresholds:
            value, how = float(judge.thresholds[question]), "the judge's own"
        else:
            raise UserError(
                f"{what} has no threshold: give one ({question}: NUMBER), or precision with labels"
            )
        thresholds[question] = value
        known = measure(values[kept], right[kept], value) if kept.any() else None
        told[question] = {"threshold": value, "how": how, "measured": known}
    return thresholds, told
