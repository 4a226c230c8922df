"""Reading a result back, and checking that it is what it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import sha256_of
from aobench.results.paths import (
    RESULTS,
    TABLE,
    check_no_copies,
    result_file,
    result_places,
)
from aobench.results.predictions import Predictions, read
from aobench.results.results_json import read_results_json
from aobench.results.schema import RESULT_FORMAT, explain_keys
from aobench.results.scores import all_scores
from aobench.results.writing import task_facts, unreadable_images


@dataclass(frozen=True)
class Result:
    """A folder that the runner wrote: ``content`` of results.json, and the table of predictions."""

    folder: Path
    content: dict[str, Any]
    predictions: Predictions

    @property
    def config(self) -> str:
        """The dataset's config: v2 or mini."""
        return self.content["dataset"]["config"]

    @property
    def splits(self) -> dict[str, dict[str, Any]]:
        """Scores of the headline task by split."""
        return self.headline["splits"]

    @property
    def task(self) -> str:
        """The headline task, by which the result is known."""
        return self.predictions.headline

    @property
    def headline(self) -> dict[str, Any]:
        """Scores of the headline task."""
        return self.content["scores"][self.task]


def read_result(folder: str | Path, earlier: bool = False) -> Result:
    """The result in ``folder`` (or beside the file named), with the table and the scores found to
    be its own.

    ``earlier``: take one of format 1, too, which holds one task. Raises UserError where it is not
    whole, or where results.json and predictions.parquet are not of
    one run.
    """
    path = result_file(folder, RESULTS)
    content = read_results_json(path)
    if content["format"] != RESULT_FORMAT and not earlier:
        raise UserError(
            f"{path} is of format {content['format']}, which holds one task; evaluate the model "
            "anew (its embeddings are used again)"
        )
    missing = [key for key in explain_keys() if key not in content]
    if earlier and "settings" in missing:  # nothing was chosen there
        missing.remove("settings")
    if missing:
        raise UserError(
            f"{path} lacks {', '.join(missing)}; evaluate the model anew with this "
            "version"
        )
    result = Result(path.parent, content, read(result_file(path, TABLE)))
    _one_run(result)
    return result


def read_results(folders: Sequence[Path]) -> list[Result]:
    """The results in ``folders``, or in what these hold; see `find_results`."""
    results = [read_result(folder) for folder in result_places(folders)]
    check_no_copies({one.folder: one.content["predictions"] for one in results})
    return results


def _one_run(result: Result) -> None:
    """Raise UserError unless the table is the one that results.json was made from, and gives
    every score in it.
    """
    table = result.folder / TABLE
    if sha256_of(table) != result.content["predictions"]:
        raise UserError(
            f"{table} is not the table that results.json was made from: its SHA-256 "
            "differs"
        )
    for key in ("model", "dataset", "templates", "code", "stack", "settings"):
        if result.content.get(key) != result.predictions.provenance.get(key):
            raise UserError(
                f"{result.folder}: results.json and predictions.parquet tell different "
                f"things of {key!r}"
            )
    if unreadable_images(result.predictions) != result.content["unreadable"]:
        raise UserError(
            f"{result.folder}: results.json and predictions.parquet tell different images "
            "that could not be read"
        )
    if task_facts(result.predictions) != result.content["tasks"]:
        raise UserError(
            f"{result.folder}: results.json and predictions.parquet tell different tasks or "
            "candidates"
        )
    again, recorded = (
        json.loads(json.dumps(all_scores(result.predictions))),
        result.content["scores"],
    )
    if not _same(again, recorded):
        older = _paths(again) - _paths(recorded)
        if older:
            lacks = f"results.json lacks scores of this version, such as {'.'.join(min(older))}"
            raise UserError(
                f"{result.folder}: {lacks}; evaluate the model anew (its embeddings "
                "are used again)"
            )
        raise UserError(
            f"the scores in {result.folder}/{RESULTS} are not those of its {TABLE}"
        )


def _paths(scores: Any, above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """All keys at any depth, each with those above it."""
    if not isinstance(scores, dict):
        return {above}
    return set().union(
        *(_paths(value, (*above, key)) for key, value in scores.items())
    )


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-9
    return a == b
