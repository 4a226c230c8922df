"""The one reader of results.json, which checks its shape.

A file that someone edited, merged or wrote with another program is refused in one line: numbers
that are no numbers, percent in place of fractions, NaN, scores without their images. Whether the
scores are those of the table beside it is for `aobench.results.verified` to tell.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import read_json
from aobench.models.model_lists import check_facts
from aobench.results.schema import RESULT_FORMAT
from aobench.results.tasks import MODE_TASKS, find_task

#: Scores of a split that count something.
COUNTS = (
    "n",
    "n_classes",
    "n_candidates",
    "n_candidates_fewest",
    "n_unreadable",
    "n_seen_candidates",
    "n_novel_candidates",
)
#: Of scores, differences of a model's own scores: any number.
BIASES = ("best_bias",)


def read_results_json(path: str | Path) -> dict[str, Any]:
    """The content of a results.json, found to be of the right shape; one of format 1 as format 2.

    It has at least ``model`` (``id`` and ``kind``), ``dataset`` and ``scores`` by task and split,
    with accuracies that are fractions from 0 to 1. ``format`` stays that of the file. Raises
    UserError, which names the file and the place.
    """
    content = read_json(path, "the result")
    number = content.get("format", 1)
    if number not in (1, RESULT_FORMAT) or isinstance(number, bool):
        raise UserError(
            f"the result {path} is of format {_short(number)}, and this version reads 1 and "
            f"{RESULT_FORMAT}; take the version that wrote it, or evaluate the model anew"
        )
    earlier = number == 1
    _check_facts(content, path, earlier)
    if earlier:
        content = _from_format_1(content, path)
    scores = content["scores"]
    if not scores:
        raise UserError(
            f"the result {path} has no scores of any task; evaluate the model anew"
        )
    for task, its in scores.items():
        where = "figures" if earlier else f"scores.{task}"
        _check_task(
            _dict(its, path, where),
            path,
            where,
            "figures" if earlier else "scores",
        )
    return content


def _from_format_1(content: dict[str, Any], path: str | Path) -> dict[str, Any]:
    """The same content with the one task that its mode was."""
    figures = content["figures"]
    splits = _dict(figures.get("splits"), path, "figures.splits")
    lists = content.get("candidates", {})
    modes = {
        facts.get("mode")
        for facts in lists.values()
        if isinstance(facts.get("mode"), str)
    }
    mode = modes.pop() if len(modes) == 1 else "closed"
    if modes or mode not in MODE_TASKS:
        raise _refuse(path, "candidates", "has an unknown mode, or several")
    task = find_task(MODE_TASKS[mode])
    scores = {
        name: {k: v for k, v in mine.items() if k != "candidates"}
        if isinstance(mine, dict)
        else mine
        for name, mine in splits.items()
    }
    candidates = {
        name: {key: facts.get(key) for key in ("n", "hash")}
        for name, facts in lists.items()
    }
    rest = {
        k: v for k, v in content.items() if k not in ("figures", "candidates")
    }
    task_facts = {
        "kind": task.kind,
        "scope": task.scope,
        "candidates": candidates,
    }
    return {
        **rest,
        "format": 1,
        "tasks": {task.name: task_facts},
        "scores": {task.name: {**figures, "splits": scores}},
    }


def _check_task(
    scores: dict[str, Any], path: str | Path, where: str, word: str
) -> None:
    splits = _dict(scores.get("splits"), path, f"{where}.splits")
    if not splits:
        raise UserError(
            f"the result {path} has no {word} of any split; evaluate the model anew"
        )
    for name, mine in splits.items():
        place = f"{where}.splits.{name}"
        _check_scores(_dict(mine, path, place), path, place)
    main = scores.get("main")
    known = isinstance(main, str) and all(
        main in its for its in splits.values()
    )
    if main is not None and not known:
        raise _refuse(
            path, f"{where}.main", f"is {_short(main)}, not one of its scores"
        )
    pair = {
        k: v for k, v in scores.items() if k not in ("splits", "main", "curve")
    }
    _check_scores(pair, path, where, images=False)
    curve = _dict(scores.get("curve", {}), path, f"{where}.curve")
    _check_scores(curve, path, f"{where}.curve", images=False)


def _refuse(path: str | Path, where: str, fault: str) -> UserError:
    return UserError(
        f"the result {path}: {where} {fault}; evaluate the model anew, or mend the file"
    )


def _dict(value: Any, path: str | Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refuse(path, where, f"is {_short(value)}, not an object of JSON")
    return value


def _short(value: Any) -> str:
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _check_facts(
    content: dict[str, Any], path: str | Path, earlier: bool
) -> None:
    """The model and the dataset, and what else later steps read by name."""
    for key in ("model", "dataset", "figures" if earlier else "scores"):
        _dict(content.get(key), path, key)
    for key in ("id", "kind"):
        name = content["model"].get(key)
        if (
            not isinstance(name, str)
            or not name.strip()
            or not name.isprintable()
        ):
            raise _refuse(
                path, f"model.{key}", f"is {_short(name)}, not a name"
            )
    _dict(content["model"].get("notes", {}), path, "model.notes")
    counts = _dict(
        content["model"].get("parameters", {}), path, "model.parameters"
    )
    for part, count in counts.items():
        _count(count, path, f"model.parameters.{part}", 1)
    facts = _dict(content["model"].get("facts", {}), path, "model.facts")
    check_facts(facts, f"the result {path}")
    if not isinstance(content["dataset"].get("config"), str):
        raise _refuse(path, "dataset.config", "is no name")
    for name, facts in _dict(
        content["dataset"].get("splits", {}), path, "dataset.splits"
    ).items():
        where = f"dataset.splits.{name}"
        if not isinstance(_dict(facts, path, where).get("fingerprint"), str):
            raise _refuse(path, f"{where}.fingerprint", "is no text")
        if "n" in facts:
            _count(facts["n"], path, f"{where}.n")
    if content.get("templates") is not None:
        _dict(content["templates"], path, "templates")
    lists = content.get("candidates", {}) if earlier else {}
    for name, facts in _dict(lists, path, "candidates").items():
        _dict(facts, path, f"candidates.{name}")
    for name, facts in _dict(content.get("tasks", {}), path, "tasks").items():
        where = f"tasks.{name}"
        its = _dict(
            _dict(facts, path, where).get("candidates"),
            path,
            f"{where}.candidates",
        )
        for split, split_facts in its.items():
            _dict(split_facts, path, f"{where}.candidates.{split}")
    _dict(content.get("settings", {}), path, "settings")
    _check_run(content, path)


def _check_run(content: dict[str, Any], path: str | Path) -> None:
    """What is told of the run itself, where it is: pages and cards show it."""
    if "processes" in content:
        _count(content["processes"], path, "processes", 1)
    if "date" in content:
        _check_date(content["date"], path)
    for phase, spent in _dict(
        content.get("seconds", {}), path, "seconds"
    ).items():
        parts = spent if isinstance(spent, dict) else {"": spent}
        for part, value in parts.items():
            where = ".".join(filter(None, ("seconds", phase, part)))
            if not _finite(value) or value < 0:
                raise _refuse(
                    path, where, f"is {_short(value)}, not a time in seconds"
                )


def _check_date(date: Any, path: str | Path) -> None:
    try:
        moment = datetime.fromisoformat(date)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        shape = "a time of ISO 8601 with its zone, such as 2026-01-31T12:00:00+00:00"
        raise _refuse(path, "date", f"is {_short(date)}, not {shape}")


def _finite(value: Any) -> bool:
    """Whether it is a number, and neither NaN nor infinite."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max


def _count(value: Any, path: str | Path, where: str, least: int = 0) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise _refuse(
            path,
            where,
            f"is {_short(value)}, not a whole number of at least {least}",
        )


def _check_scores(
    scores: Mapping[str, Any], path: str | Path, where: str, images: bool = True
) -> None:
    if images:
        _count(scores.get("n"), path, f"{where}.n", 1)
    for key, value in scores.items():
        place = f"{where}.{key}"
        if (
            key in COUNTS
            or (key.endswith("_n") and not key.endswith("_effective_n"))
            or key.endswith("_id")
        ):
            _count(value, path, place)
        else:
            _fraction(key, value, path, place)


def _fraction(key: str, value: Any, path: str | Path, place: str) -> None:
    if not _finite(value):
        raise _refuse(path, place, f"is {_short(value)}, not a number")
    if key in BIASES:
        return
    if key.endswith("_effective_n"):
        if value <= 0:
            raise _refuse(path, place, f"is {value}, not a number of images")
        return
    low = -1 if key.startswith("gap") else 0
    if not low <= value <= 1:
        percent = (
            " (is it in percent? divide by 100)" if 1 < value <= 100 else ""
        )
        raise _refuse(
            path, place, f"is {value}, not a fraction from {low} to 1{percent}"
        )
