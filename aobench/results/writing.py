"""The content of results.json, and writing it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aobench.files import write_in_one_move
from aobench.results.candidates import offered_hash
from aobench.results.predictions import Predictions
from aobench.results.schema import RESULT_FORMAT
from aobench.results.tasks import find_task


def result_content(
    predictions: Predictions,
    scores: dict[str, Any],
    seconds: dict[str, Any],
    processes: int,
    table: str,
) -> dict[str, Any]:
    """The content of results.json; see `aobench.results.schema`."""
    return {
        "format": RESULT_FORMAT,
        **predictions.provenance,
        "tasks": task_facts(predictions),
        "scores": scores,
        "unreadable": unreadable_images(predictions),
        "seconds": seconds,
        "processes": processes,
        "predictions": table,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def unreadable_images(predictions: Predictions) -> list[dict[str, str]]:
    """Each unreadable image once, though every task has a row of it."""
    table = predictions.table.select(["sample_id", "split", "error"])
    bad = table.filter(table["error"].is_valid()).to_pylist()
    return list({(row["split"], row["sample_id"]): row for row in bad}.values())


def task_facts(predictions: Predictions) -> dict[str, Any]:
    """By task its kind, its scope and by split how many candidates an image has, and their hash."""
    return {
        task: {
            "kind": find_task(task).kind,
            "scope": find_task(task).scope,
            "candidates": {
                split: _candidate_facts(predictions, task, split)
                for split in by_split
            },
        }
        for task, by_split in predictions.lists.items()
    }


def _candidate_facts(
    predictions: Predictions, task: str, split: str
) -> dict[str, Any]:
    candidates = predictions.lists[task][split]
    if find_task(task).scope != "image":
        return {"n": len(candidates), "hash": candidates.hash}
    rows = predictions.split(split, task)
    offered = offered_hash(rows["sample_id"], candidates.names, rows["choices"])
    return {"n": max(map(len, rows["choices"])), "hash": offered}


def write_results(content: dict[str, Any], path: Path) -> None:
    """Write results.json in one move."""
    write_in_one_move(
        path,
        (
            json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
            + "\n"
        ).encode(),
    )
