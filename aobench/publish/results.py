"""Reading a result back, and checking that it is what it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aobench.analysis.figures import all_figures
from aobench.errors import UserError
from aobench.evaluation.places import RESULTS, TABLE, only_results, result_file
from aobench.evaluation.report import RESULT_KEYS
from aobench.evaluation.table import Predictions, read

#: Fingerprints of datasets that are the same for everyone: config -> split -> fingerprint. The published archive's
#: are read from the dataset repository (fingerprints.json, which ``imagenet-ao prepare`` writes).
KNOWN: Mapping[str, Mapping[str, str]] = {"mini": {"id": "54a0eaa26739dbc1", "ood": "8acb7f0351d8b7e8"}}


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
        """Figures by split."""
        return self.content["figures"]["splits"]


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_result(folder: str | Path) -> Result:
    """The result in ``folder`` (or beside the file named), with the table and the figures found to be its own.

    Raises UserError where it is not whole, or where results.json and predictions.parquet are not of one run.
    """
    path = result_file(folder, RESULTS)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    missing = [key for key in RESULT_KEYS if key not in content] if isinstance(content, dict) else ["all keys"]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}; evaluate the model anew with this version")
    result = Result(path.parent, content, read(result_file(path, TABLE)))
    _one_run(result)
    return result


def read_results(folders: Sequence[Path]) -> list[Result]:
    """The results in ``folders``; of several, those without any result are skipped, and said to be."""
    kept, skipped = only_results(folders)
    for line in skipped:
        print(line)
    return [read_result(folder) for folder in kept]


def _one_run(result: Result) -> None:
    """Raise UserError unless the table is the one that results.json was made from, and gives every figure in it."""
    table = result.folder / TABLE
    if digest(table) != result.content["predictions"]:
        raise UserError(f"{table} is not the table that results.json was made from: its SHA-256 differs")
    for key in ("model", "dataset", "templates", "code", "stack"):
        if result.content[key] != result.predictions.provenance.get(key):
            raise UserError(f"{result.folder}: results.json and predictions.parquet tell different things of {key!r}")
    again, told = json.loads(json.dumps(all_figures(result.predictions))), result.content["figures"]
    if not _same(again, told):
        older = _names(again) - _names(told)
        if older:
            lacks = f"results.json lacks figures of this version, such as {min(older)}"
            raise UserError(f"{result.folder}: {lacks}; evaluate the model anew (its embeddings are used again)")
        raise UserError(f"the figures in {result.folder}/{RESULTS} are not those of its {TABLE}")


def _names(figures: Any) -> set[str]:
    """All keys at any depth."""
    if not isinstance(figures, dict):
        return set()
    return set(figures).union(*(_names(value) for value in figures.values()))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, float) or isinstance(b, float):
        return abs(a - b) <= 1e-9
    return a == b


def check(result: Result, fingerprints: Mapping[str, str]) -> None:
    """Raise UserError unless ``result`` was made on a dataset with the known ``fingerprints`` (by split)."""
    for split, facts in result.content["dataset"]["splits"].items():
        if split not in fingerprints:
            raise UserError(f"no fingerprint is known of split {split!r} of {result.config}; the dataset's repository "
                            "holds them in fingerprints.json")  # fmt: skip
        if facts["fingerprint"] != fingerprints[split]:
            raise UserError(
                f"split {split!r} was evaluated on other data: fingerprint {facts['fingerprint']}, known is "
                f"{fingerprints[split]}; evaluate on the whole, unchanged dataset (without --limit)"
            )
