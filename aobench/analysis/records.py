"""Accuracies of models, one record each: from a CSV, from results.json of the runner, or the published table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aobench.csv_tables import finite_number, read_numbered_rows, whole_number
from aobench.errors import UserError
from aobench.evaluation.places import RESULTS, only_results, result_file

PUBLISHED = Path(__file__).with_name("published")
COLUMNS = ("model", "family", "training_set", "id", "n_id", "ood", "n_ood")
#: What must agree for results.json files to be comparable (`aobench.evaluation.report.RESULT_KEYS`, marked *).
COMPARED = ("dataset", "templates", "candidates")


@dataclass(frozen=True)
class Record:
    """One model: accuracies 0..1 and their numbers of images, of the independent ones where those are known.

    ``images`` are the images themselves, ID and OoD, where those numbers are others. ``run`` joins records that are not
    independent (the same weights, two epochs of one training); the bootstrap draws whole runs. ``more`` holds further
    ID sets: name -> (accuracy, images).
    """

    model: str
    family: str
    training_set: str
    id: float
    n_id: int
    ood: float
    n_ood: int
    run: str = ""
    more: dict[str, tuple[float, int]] = field(default_factory=dict)
    images: tuple[int, int] | None = None

    def on(self, id_set: str) -> tuple[float, int]:
        """Accuracy and number of images on an ID set; ``id`` is the first one. Raises UserError if there is none."""
        if id_set == "id":
            return self.id, self.n_id
        if id_set not in self.more:
            raise UserError(f"{self.model} has no ID set {id_set!r}; it has: {', '.join(['id', *self.more])}")
        return self.more[id_set]


def _number(row: dict[str, str], column: str, where: str, whole: bool = False) -> float:
    text = row[column].strip()
    if whole:
        return whole_number(text, f"{where}: column {column}", least=1)
    value = finite_number(text, f"{where}: column {column}")
    if not 0 <= value <= 1:
        hint = "; are these percent? divide by 100" if 1 < value <= 100 else ""
        raise UserError(f"{where}: column {column} is {text}; accuracies are fractions from 0 to 1{hint}")
    return value


def _record(row: dict[str, str], where: str, extra: Sequence[str]) -> Record:
    row = {column: text.strip() for column, text in row.items()}
    if not row["model"]:
        raise UserError(f"{where}: column model is empty; name the model")
    more = {c: (_number(row, c, where), int(_number(row, f"n_{c}", where, whole=True))) for c in extra}
    return Record(
        row["model"], row["family"], row["training_set"],
        _number(row, "id", where), int(_number(row, "n_id", where, whole=True)),
        _number(row, "ood", where), int(_number(row, "n_ood", where, whole=True)),
        row.get("run") or row["model"], more,
    )  # fmt: skip


def read_csv(path: Path) -> list[Record]:
    """Records of a CSV with at least COLUMNS; further ID sets are pairs of columns ``id_NAME`` and ``n_id_NAME``.

    Raises UserError, naming file and line, for missing columns, values out of range and models listed twice.
    """
    rows = read_numbered_rows(path, COLUMNS, "the table of accuracies")
    if not rows:
        raise UserError(f"{path} lists no models")
    header = list(rows[0][1])
    extra = [column for column in header if column.startswith("id_")]
    missing = [f"n_{column}" for column in extra if f"n_{column}" not in header]
    if missing:
        raise UserError(f"{path} lacks the column(s) {', '.join(missing)}, the numbers of images of its ID sets")
    return _no_twins([_record(row, f"{path}, line {line:,}", extra) for line, row in rows], str(path))


def _no_twins(records: list[Record], where: str) -> list[Record]:
    names = [r.model for r in records]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise UserError(f"{where} lists the model {twice!r} more than once; give each row its own name")
    return records


def published() -> list[Record]:
    """The published table of 68 models; see published/SOURCES.md."""
    return read_csv(PUBLISHED / "v1_object_accuracy.csv")


def _load_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} could not be read as JSON ({error}); name results.json files or CSVs") from error


def _independent(figures: dict[str, Any], figure: str) -> int:
    """How many independent images the accuracy is worth; the images themselves in results that don't tell."""
    return max(1, round(figures.get(f"{figure}_effective_n", figures["n"])))


def _from_result(content: dict[str, Any], path: Path, figure: str) -> Record:
    try:
        model, splits = content["model"], content["figures"]["splits"]
        known, novel = splits["id"], splits["ood"]
        if figure not in known or figure not in novel:
            raise UserError(f"{path} has no {figure} on both splits; name another with --figure, such as object_top1")
        training = str(model.get("notes", {}).get("training_set", "unknown"))
        sizes = [_independent(one, figure) for one in (known, novel)]
        return Record(
            model["id"], model["kind"], training, known[figure], sizes[0], novel[figure], sizes[1], model["id"],
            images=(known["n"], novel["n"]),
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no result of the runner with the splits id and ood (no {error})") from error


def images_shown(records: Sequence[Record]) -> str:
    """How many images the records' accuracies are of: ``50,000 ID and 46,092 OoD images``, or ranges."""
    sizes = [r.images or (r.n_id, r.n_ood) for r in records]
    words = [f"{min(n):,}" + (f" to {max(n):,}" if max(n) > min(n) else "") for n in zip(*sizes, strict=True)]
    return f"{words[0]} ID and {words[1]} OoD images"


def _text(value: Any) -> str:
    """``value`` as text; of a dataset's splits without the digest of pixels, which is only noted."""
    if isinstance(value, dict) and isinstance(value.get("splits"), dict):
        splits = {name: {k: v for k, v in facts.items() if k != "pixels"} for name, facts in value["splits"].items()}
        value = {**value, "splits": splits}
    return json.dumps(value, sort_keys=True)


def read_results(paths: Sequence[Path], figure: str = "composition_top1") -> tuple[list[Record], list[str]]:
    """Records of results (their folders or results.json) by one ``figure``, and a warning for each folder that holds
    none and for each thing that makes the results incomparable.

    ``family`` is the model's kind; the training set is ``unknown`` unless the runner noted it.
    """
    kept, warnings = only_results(paths)
    paths = [result_file(path, RESULTS) for path in kept]
    contents = [_load_json(path) for path in paths]
    records = [_from_result(c, p, figure) for c, p in zip(contents, paths, strict=True)]
    for key in COMPARED:
        # A supervised model has no templates: that alone makes no difference to what was asked.
        values = {_text(c.get(key)) for c in contents if c.get(key) is not None}
        if len(values) > 1:
            warnings.append(f"the results differ in {key}: they are not comparable as they stand")
    return _no_twins(records, "the list of results"), warnings


def select(records: Sequence[Record], rule: str) -> list[Record]:
    """The records that ``rule`` names: ``all``, or ``COLUMN=VALUE[,VALUE]`` of model, family or training_set.

    Raises UserError for an unknown column or a value that no record has.
    """
    if rule == "all":
        return list(records)
    column, equals, values = rule.partition("=")
    if not equals or column not in ("model", "family", "training_set"):
        raise UserError(f"{rule!r} names no models; write all, family=NAME, training_set=NAME[,NAME] or model=NAME")
    wanted = [v.strip() for v in values.split(",")]
    there = sorted({getattr(r, column) for r in records})
    unknown = [v for v in wanted if v not in there]
    if unknown:
        raise UserError(f"no model has {column}={unknown[0]}; there are: {', '.join(there[:20])}")
    return [r for r in records if getattr(r, column) in wanted]
