"""Step 3: each image is judged; every rejection has its reason. People overrule the judges."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from aobench.build.compose import TABLE as COMPOSITIONS
from aobench.build.config import Judge as JudgeOptions
from aobench.build.config import Validate, located
from aobench.build.generate import TABLE as IMAGES
from aobench.build.loading import placed_model
from aobench.build.pictures import pictures_mark, with_pictures
from aobench.build.steps import digest, folder, read_manifest, read_rows, write_manifest, write_table
from aobench.build.validate.calibration import choose, halves, measure
from aobench.build.validate.judges import Asked, Judge, find_judge, make_judge
from aobench.errors import UserError

TABLE = "verdicts.parquet"
CHUNK = 64  # images judged between two writes

Labels = dict[str, dict[str, bool]]
"""By question ("attribute", "object", "composition"): what is known of an image, by its id."""


def made_from(options: Validate, out: Path, config_path: Path) -> dict[str, Any]:
    """What decides the step: options, the images, labels and what people said."""
    people = _people(options, config_path)
    made = read_manifest(out, "generate") or {}
    if made and made["made_from"]["compositions"] != digest(folder(out, "compose") / COMPOSITIONS):
        raise UserError(f"{folder(out, 'generate')} is of earlier compositions; run it again: --steps generate")
    marks = {
        str(judge.labels): digest(_there(located(config_path, judge.labels)))
        for judge in options.judges
        if judge.labels
    }
    drawn = _pictures(options, made, out, config_path)
    text = json.dumps(sorted(people.items()))
    return {"options": dataclasses.asdict(options), "images": digest(_there(folder(out, "generate") / IMAGES)),
            "labels": marks, **drawn, "people": hashlib.sha256(text.encode()).hexdigest()}  # fmt: skip


def _pictures(options: Validate, made: Mapping[str, Any], out: Path, config_path: Path) -> dict[str, Any]:
    """The marks of the folders that judges draw from. UserError where the images were drawn from other pictures."""
    drawn = made["made_from"].get("pictures") if made else None
    marks = {}
    for judge in options.judges:
        find = partial(find_judge, judge.kind)
        mark = pictures_mark(find, judge.options, config_path)
        if drawn and mark != drawn and getattr(find(), "own_pictures", False):
            raise UserError(
                f"the judge {judge.name or judge.kind!r} draws from other pictures than those that "
                f"{folder(out, 'generate')} was drawn from; give both the same folder, as it was then"
            )
        if mark is not None:
            marks[judge.name or judge.kind] = mark
    return {"pictures": marks} if marks else {}


def _there(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"{path} is missing, which the step validate needs")
    return path


def run(options: Validate, out: Path, config_path: Path, accelerator: Any, made: Mapping[str, Any]) -> dict[str, Any]:
    """Write verdicts.parquet: one row an image, accepted or why not, and every judge's numbers.

    ``made``: what `made_from` gave before the work.
    """
    where = folder(out, "validate")
    images = read_rows(folder(out, "generate") / IMAGES)
    compositions = read_rows(folder(out, "compose") / COMPOSITIONS)
    pairs = [(row["attribute"], row["object"]) for row in compositions if row["kept"]]
    people = _people(options, config_path)
    strange = sorted(set(people) - {row["image_id"] for row in images})
    if strange:
        raise UserError(f"{options.human} judges the image {strange[0]!r} ({len(strange)} such), which this set lacks")
    reason = {row["image_id"]: "flagged: the safety checker objected" if row["flagged"] else "" for row in images}
    columns: dict[str, dict[str, float]] = {}
    judges: dict[str, Any] = {}
    for given in options.judges:
        name = given.name or given.kind
        labels = _labels(given, people, config_path, reason)
        known = {image for answers in labels.values() for image in answers}
        asked = [row for row in images if not reason[row["image_id"]] or row["image_id"] in known]
        placed = with_pictures(partial(find_judge, given.kind), given.options, config_path)
        judge = make_judge(given.kind, placed_model(config_path, given.model), placed, pairs)
        scores = _scores(judge, given, asked, out, accelerator)
        thresholds, told = _thresholds(judge, given, name, scores, labels)
        before = sum(not why for why in reason.values())
        for row in asked:
            image = row["image_id"]
            for question in judge.questions:
                columns.setdefault(f"{name}_{question}", {})[image] = scores[question][image]
                if not reason[image] and not scores[question][image] >= thresholds[question]:
                    reason[image] = f"{name}: {question} below {thresholds[question]:.4g}"
        passed = sum(not why for why in reason.values())
        judges[name] = {"facts": judge.facts, "judged": before, "passed": passed, "questions": told}
    by_judges = dict(reason)
    if not options.judges:
        reason = {image: why or "undecided: too few people judged it" for image, why in reason.items()}
    decided = {image: said for image, said in people.items() if image in reason and said["decision"] != "undecided"}
    for image, said in decided.items():
        if not by_judges[image].startswith("flagged"):
            reason[image] = "" if said["decision"] == "accepted" else said["why"]
    if accelerator.is_main_process:
        _write(where, images, reason, by_judges, decided, columns)
        facts = _facts(images, reason, by_judges, decided, judges, bool(options.judges))
        write_manifest(out, "validate", made, [where / TABLE], facts)
    return judges


def _write(
    where: Path, images: Sequence[Mapping[str, Any]], reason: Mapping[str, str], by_judges: Mapping[str, str],
    people: Mapping[str, Any], columns: Mapping[str, Mapping[str, float]],
) -> None:  # fmt: skip
    rows = []
    for row in images:
        image = row["image_id"]
        rows.append({
            "image_id": image, "attribute": row["attribute"], "object": row["object"], "accepted": not reason[image],
            "reason": reason[image], "decided_by": "people" if image in people else "judges",
            "reason_of_judges": by_judges[image], **{name: found.get(image) for name, found in columns.items()},
        })  # fmt: skip
    schema = [(name, "string") for name in ("image_id", "attribute", "object")] + [("accepted", "bool")]
    schema += [(name, "string") for name in ("reason", "decided_by", "reason_of_judges")]
    write_table(where / TABLE, rows, [*schema, *((name, "double") for name in columns)])


def _facts(
    images: Sequence[Mapping[str, Any]], reason: Mapping[str, str], by_judges: Mapping[str, str],
    people: Mapping[str, Any], judges: dict[str, Any], judged: bool,
) -> dict[str, Any]:  # fmt: skip
    accepted = [row for row in images if not reason[row["image_id"]]]
    seen = [image for image in reason if image in people]
    overruled = sum(bool(by_judges[image]) != bool(reason[image]) for image in seen) if judged else None
    return {
        "images": len(images), "accepted": len(accepted), "judges": judges,
        "compositions": len({(row["attribute"], row["object"]) for row in accepted}),
        "fell": dict(sorted(Counter(why for why in reason.values() if why).items())),
        "people": {"decided": len(seen), "overruled": overruled} if people else None,
    }  # fmt: skip


def _people(options: Validate, config_path: Path) -> dict[str, dict[str, str]]:
    """What the majority said of each image that somebody judged, and of each part of it."""
    if options.human is None:
        return {}
    from aobench.build.annotation.decisions import decisions
    from aobench.build.annotation.store import existing_store

    with existing_store(located(config_path, options.human)) as store:
        decided = decisions(store.images(), store.verdicts(), options.minimum)
    found = {}
    for one in decided:
        parts = [q for q in ("attribute", "object") if getattr(one, f"{q}_decision") == "rejected"]
        if one.attribute_decision != "undecided" or one.object_decision != "undecided":
            found[one.image_id] = {
                "decision": one.decision, "why": f"people: not the {' nor the '.join(parts)}",
                "attribute": one.attribute_decision, "object": one.object_decision,
            }  # fmt: skip
    return found


def _labels(
    given: JudgeOptions, people: Mapping[str, Mapping[str, str]], config_path: Path, known: Mapping[str, Any]
) -> Labels:
    """Known answers: of the file that the judge names, or else what people said."""
    found: Labels = {"attribute": {}, "object": {}, "composition": {}}
    if given.labels:
        path = _there(located(config_path, given.labels))
        for row in read_rows(path):
            if not {"image_id", "attribute_right", "object_right"} <= row.keys():
                raise UserError(f"{path} needs the columns image_id, attribute_right, object_right")
            image, parts = row["image_id"], (row["attribute_right"], row["object_right"])
            if image not in known:
                raise UserError(f"{path} labels the image {image!r}, which this set doesn't have")
            for question, value in zip(("attribute", "object"), parts, strict=True):
                if value is not None:
                    found[question][image] = bool(value)
            if None not in parts:
                found["composition"][image] = all(parts)
    else:
        for image, said in people.items():
            for question in ("attribute", "object"):
                if said[question] != "undecided":
                    found[question][image] = said[question] == "accepted"
            if said["decision"] != "undecided":
                found["composition"][image] = said["decision"] == "accepted"
    return {question: {i: v for i, v in answers.items() if i in known} for question, answers in found.items()}


def _scores(
    judge: Judge, given: JudgeOptions, asked: Sequence[Mapping[str, Any]], out: Path, accelerator: Any
) -> dict[str, dict[str, float]]:
    """Every judged image's numbers; chunks that are there are read, the others dealt to the processes."""
    where = folder(out, "validate")
    who = {"kind": given.kind, "model": given.model, "options": given.options, "facts": judge.facts, "chunk": CHUNK,
           "images": [(row["image_id"], row["sha256"]) for row in asked]}  # fmt: skip
    mark = hashlib.sha256(json.dumps(who, sort_keys=True, default=str).encode()).hexdigest()[:16]
    parts = where / "parts" / f"{(given.name or given.kind).replace('/', '_').replace(':', '_')}-{mark}"
    chunks = [(parts / f"{i // CHUNK:06d}.parquet", asked[i : i + CHUNK]) for i in range(0, len(asked), CHUNK)]
    mine = [c for c in chunks if not c[0].exists()][accelerator.process_index :: accelerator.num_processes]
    accelerator.wait_for_everyone()  # all have looked before one writes
    schema = [("image_id", "string"), *((question, "double") for question in judge.questions)]
    for path, rows in tqdm(mine, desc=f"validate: {given.name or given.kind}", unit="chunk", disable=None):
        told = judge([_asked(row, out) for row in rows])
        if any(len(told[question]) != len(rows) for question in judge.questions):
            raise UserError(
                f"the judge {given.kind!r} gave another number of answers than the {len(rows)} images asked"
            )
        made = [
            {"image_id": row["image_id"], **{question: float(told[question][i]) for question in judge.questions}}
            for i, row in enumerate(rows)
        ]
        write_table(path, made, schema)
    accelerator.wait_for_everyone()
    found: dict[str, dict[str, float]] = {question: {} for question in judge.questions}
    for path, _ in chunks:
        for row in read_rows(path):
            for question in judge.questions:
                found[question][row["image_id"]] = row[question]
    return found


def _asked(row: Mapping[str, Any], out: Path) -> Asked:
    from aobench.evaluation.images import BadImageError, read_image

    path = folder(out, "generate") / row["file"]
    if not path.exists() or digest(path) != row["sha256"]:
        raise UserError(f"{path} is not the image that was generated; run the step generate again")
    try:
        image = read_image({"path": str(path)})
    except BadImageError as error:
        raise UserError(f"{path} {error}; delete it and run the step generate again") from error
    return Asked(image, row["attribute"], row["object"], row["seed"])


def _thresholds(
    judge: Judge, given: JudgeOptions, name: str, scores: Mapping[str, Mapping[str, float]], labels: Labels
) -> tuple[dict[str, float], dict[str, Any]]:
    """Each question's threshold, and what is known of it: given, the judge's own, or chosen on half of the labels.

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
            half = halves(ids) if ids else np.zeros(0, dtype=bool)
            if not half.any():
                raise UserError(f"{what}: precision is asked for, but no answers are known; name labels or human")
            value, how = choose(values[half], right[half], given.precision, what), f"chosen for {given.precision:g}"
            kept = ~half
        elif question in judge.thresholds:
            value, how = float(judge.thresholds[question]), "the judge's own"
        else:
            raise UserError(f"{what} has no threshold: give one ({question}: NUMBER), or precision with labels")
        thresholds[question] = value
        known = measure(values[kept], right[kept], value) if kept.any() else None
        told[question] = {"threshold": value, "how": how, "measured": known}
    return thresholds, told
