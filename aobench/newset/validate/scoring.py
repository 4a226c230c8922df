"""Asking a judge about every image: in chunks, dealt to the processes, each written once."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from aobench.errors import UserError
from aobench.images import BadImageError, read_image
from aobench.newset.config import JudgeOptions
from aobench.newset.manifests import step_folder, table_digest
from aobench.newset.own_classes import naming_class
from aobench.newset.validate.judges import ClaimedImage, Judge
from aobench.newset.validate.parts import read_part, write_part

CHUNK = 64  # images judged between two writes

Rows = Sequence[Mapping[str, Any]]
#: By question, each image's number.
Scores = dict[str, dict[str, float]]


def judge_name(options: JudgeOptions) -> str:
    """A judge's name in tables, or else its kind."""
    return options.name or options.kind


def judge_scores(
    judge: Judge, options: JudgeOptions, images: Rows, out: Path, processes: Any
) -> Scores:
    """Every image's numbers; chunks that are there are read, the others dealt to the processes."""
    parts = _parts_folder(judge, options, images, out)
    chunks = [
        (parts / f"{i // CHUNK:06d}.json", images[i : i + CHUNK])
        for i in range(0, len(images), CHUNK)
    ]
    there = {
        path: read_part(path, processes.is_main_process) for path, _ in chunks
    }
    waiting = [chunk for chunk in chunks if there[chunk[0]] is None]
    mine = waiting[processes.process_index :: processes.num_processes]
    processes.wait_for_everyone()  # all have looked before one writes
    name = judge_name(options)
    for path, rows in tqdm(
        mine, desc=f"validate: {name}", unit="chunk", disable=None
    ):
        claimed = [_claimed_image(row, out) for row in rows]
        with naming_class(f"the judge {options.kind!r}"):
            answers = judge(claimed)
        write_part(path, _answers(answers, rows, judge.questions, name))
    processes.wait_for_everyone()
    scores: Scores = {question: {} for question in judge.questions}
    for path, _ in chunks:
        part = there[path] if there[path] is not None else read_part(path)
        if part is None:
            raise UserError(
                f"{path} is gone or damaged already; run the step again"
            )
        for row in part:
            for question in judge.questions:
                scores[question][row["image_id"]] = row[question]
    return scores


def _parts_folder(
    judge: Judge, options: JudgeOptions, images: Rows, out: Path
) -> Path:
    """Where the chunks of this judge, of these options, about these images are."""
    who = {
        "kind": options.kind,
        "model": options.model,
        "options": options.options,
        "facts": judge.facts,
        "chunk": CHUNK,
        "images": [(row["image_id"], row["sha256"]) for row in images],
    }
    text = json.dumps(who, sort_keys=True, default=str)
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    name = judge_name(options).replace("/", "_").replace(":", "_")
    return step_folder(out, "validate") / "parts" / f"{name}-{mark}"


def _answers(
    answers: Mapping[str, Sequence[float]],
    rows: Sequence[Mapping[str, Any]],
    questions: Sequence[str],
    name: str,
) -> list[dict[str, Any]]:
    """Rows of a part: each image's number for each question. UserError for too few, too many, or
    no numbers.
    """
    table: list[dict[str, Any]] = [
        {"image_id": row["image_id"]} for row in rows
    ]
    if not isinstance(answers, Mapping) or not set(questions) <= set(answers):
        raise UserError(
            f"the judge {name!r} gave no answers to {', '.join(questions)}; it is to give a "
            "dictionary"
        )
    for question in questions:
        if len(answers[question]) != len(rows):
            raise UserError(
                f"the judge {name!r} gave another number of answers than the {len(rows)} images "
                "asked"
            )
        for row, value in zip(table, answers[question], strict=True):
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
    return table


def _claimed_image(row: Mapping[str, Any], out: Path) -> ClaimedImage:
    path = step_folder(out, "generate") / row["file"]
    if not path.exists() or table_digest(path) != row["sha256"]:
        raise UserError(
            f"{path} is not the image that was generated; run the step generate again"
        )
    try:
        image = read_image({"path": str(path)})
    except BadImageError as error:
        raise UserError(
            f"{path} {error}; delete it and run the step generate again"
        ) from error
    return ClaimedImage(image, row["attribute"], row["object"], row["seed"])
