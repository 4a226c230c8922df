"""Accuracies of models, one record each: from a CSV, from results.json of the runner, or the
published table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aobench.analysis.split_scores import SplitScore
from aobench.csv_tables import finite_number, read_numbered_rows, whole_number
from aobench.errors import UserError
from aobench.results.comparability import model_family, unlike_settings
from aobench.results.paths import (
    RESULTS,
    TABLE,
    check_given_once,
    find_results,
    result_file,
)
from aobench.results.results_json import read_results_json
from aobench.results.scores import common_task
from aobench.results.tasks import order_tasks
from aobench.results.verified import read_result

PUBLISHED = Path(__file__).with_name("published")
COLUMNS = ("model", "family", "training_set", "id", "n_id", "ood", "n_ood")
#: Columns that each record has; others are among its facts.
NAMED = ("model", "family", "training_set")
#: What `ModelAccuracies.fact` says where nothing is known.
NOT_STATED = "not stated"
#: Accuracies by which results are compared, where none is named: the first that all of them have.
FIGURES = ("composition_top1", "object_top1", "attribute_top1")


@dataclass(frozen=True)
class ModelAccuracies:
    """One model: accuracies 0..1 and their numbers of images, of the independent ones where those
    are known.

    ``facts`` holds what a list of models or a further column says, by column. ``images`` are the
    images themselves, ID and OoD, where those numbers are others. ``run`` joins
    records that are not independent (the same weights, two epochs of one training); the bootstrap
    draws whole runs. ``more`` holds further ID sets: name -> (accuracy, images). ``left_out``: why
    the row is in no line and no group, such as an earlier epoch of another row's run.
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
    facts: Mapping[str, Any] = field(default_factory=dict)
    left_out: str = ""

    def fact(self, column: str) -> str:
        """What is known of the model under ``column``: ``model``, ``family``, ``training_set``, or
        one of its facts; NOT_STATED where nothing is.
        """
        if column in NAMED:
            return str(getattr(self, column))
        return str(self.facts.get(column, NOT_STATED))

    def on(self, id_set: str) -> tuple[float, int]:
        """Accuracy and number of images on an ID set; ``id`` is the first one. Raises UserError
        if there is none.
        """
        if id_set == "id":
            return self.id, self.n_id
        if id_set not in self.more:
            raise UserError(
                f"{self.model} has no ID set {id_set!r}; it has: {', '.join(['id', *self.more])}"
            )
        return self.more[id_set]


def _accuracy(text: str, where: str) -> float:
    value = finite_number(text.strip(), where)
    if not 0 <= value <= 1:
        hint = "; are these percent? divide by 100" if 1 < value <= 100 else ""
        raise UserError(
            f"{where} is {text.strip()}; accuracies are fractions from 0 to 1{hint}"
        )
    return value


def _record(
    row: dict[str, str], where: str, extra: Sequence[str]
) -> ModelAccuracies:
    def accuracy(column: str) -> float:
        return _accuracy(row[column], f"{where}: column {column}")

    def images(column: str) -> int:
        return whole_number(row[column], f"{where}: column {column}", 1)

    model = row["model"].strip()
    if not model:
        raise UserError(f"{where}: column model is empty; name the model")
    more = {
        column: (accuracy(column), images(f"n_{column}")) for column in extra
    }
    known = {
        *COLUMNS,
        "run",
        "left_out",
        *extra,
        *(f"n_{column}" for column in extra),
    }
    return ModelAccuracies(
        model,
        row["family"].strip(),
        row["training_set"].strip(),
        accuracy("id"),
        images("n_id"),
        accuracy("ood"),
        images("n_ood"),
        row.get("run", "").strip() or model,
        more,
        left_out=row.get("left_out", "").strip(),
        facts={
            k: v.strip() for k, v in row.items() if k not in known and v.strip()
        },
    )


def read_csv(path: Path) -> list[ModelAccuracies]:
    """Records of a CSV with at least COLUMNS; further ID sets are pairs of columns ``id_NAME`` and
    ``n_id_NAME``.

    Raises UserError, naming file and line, for missing columns, values out of range and models
    listed twice.
    """
    rows = read_numbered_rows(path, COLUMNS, "the table of accuracies")
    if not rows:
        raise UserError(f"{path} lists no models")
    header = list(rows[0][1])
    extra = [column for column in header if column.startswith("id_")]
    missing = [f"n_{column}" for column in extra if f"n_{column}" not in header]
    if missing:
        raise UserError(
            f"{path} lacks the column(s) {', '.join(missing)}, the numbers of images of its ID sets"
        )
    return _no_twins(
        [_record(row, f"{path}, line {line:,}", extra) for line, row in rows],
        str(path),
    )


def check_names(records: Sequence[ModelAccuracies]) -> None:
    """Raise UserError where a model stands in two of the files that were named together."""
    _no_twins(list(records), "the list of files")


def _no_twins(
    records: list[ModelAccuracies], where: str
) -> list[ModelAccuracies]:
    names = [r.model for r in records]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise UserError(
            f"{where} lists the model {twice!r} more than once; give each row its own name"
        )
    return records


def published_models() -> list[ModelAccuracies]:
    """The published table of 68 models; see published/SOURCES.md."""
    return read_csv(PUBLISHED / "v1_object_accuracy.csv")


def _independent(figures: dict[str, Any], figure: str) -> int:
    """How many independent images the accuracy is worth; the images themselves in results that
    don't tell.
    """
    return max(1, round(figures.get(f"{figure}_effective_n", figures["n"])))


def _from_result(
    content: dict[str, Any], path: Path, figure: str, task: str
) -> ModelAccuracies:
    """A record of a result that has ``figure`` on both splits."""
    splits = content["scores"][task]["splits"]
    missing = [split for split in ("id", "ood") if split not in splits]
    if missing:
        raise UserError(
            f"{path} has no figures of {missing[0]}; a result with the splits id and ood is "
            "needed (or name scores that it has, by --id-score and --ood-score)"
        )
    known, novel = splits["id"], splits["ood"]
    if figure not in known or figure not in novel:
        raise UserError(
            f"{path} has no {figure} on both splits; name another with --figure, such as "
            "object_top1"
        )
    return _of_scores(content, path, (known, figure), (novel, figure))


def _of_scores(
    content: dict[str, Any],
    path: Path,
    known: tuple[dict[str, Any], str],
    novel: tuple[dict[str, Any], str],
) -> ModelAccuracies:
    """A record of two scores, each a split's scores and the accuracy's name."""
    for split, (scores, name) in zip(
        ("id", "ood"), (known, novel), strict=True
    ):
        _accuracy(str(scores[name]), f"{path}: {name} of {split}")
    model = content["model"]
    facts = model.get("facts", {})
    training = model.get("notes", {}).get("training_set", "unknown")
    return ModelAccuracies(
        model["id"],
        str(facts.get("family", model_family(content))),
        str(facts.get("training_set", training)),
        known[0][known[1]],
        _independent(*known),
        novel[0][novel[1]],
        _independent(*novel),
        str(facts.get("run", model["id"])),
        images=(known[0]["n"], novel[0]["n"]),
        facts=facts,
    )


def images_shown(records: Sequence[ModelAccuracies]) -> str:
    """How many images the records' accuracies are of: ``50,000 ID and 46,092 OoD images``, or
    ranges.
    """
    sizes = [r.images or (r.n_id, r.n_ood) for r in records]
    words = [
        f"{min(n):,}" + (f" to {max(n):,}" if max(n) > min(n) else "")
        for n in zip(*sizes, strict=True)
    ]
    return f"{words[0]} ID and {words[1]} OoD images"


@dataclass(frozen=True)
class ReadScores:
    """What results hold of one question: ``records``, ``notes`` on why some are missing or may not
    compare, and of ID and OoD the ``accuracies`` in words and what ``chances`` a guess has, from 0
    to 1, by the first result.
    """

    records: list[ModelAccuracies]
    notes: list[str]
    accuracies: tuple[str, str]
    chances: tuple[float, float]


def read_results(
    paths: Sequence[Path], figure: str | None = None
) -> tuple[list[ModelAccuracies], list[str], str]:
    """Records of results (their folders or results.json), warnings, and the accuracy that they are
    of.

    ``figure``: that accuracy; None for the first of FIGURES that all results have on both splits. A
    warning for each folder that holds none and for each thing that makes the results incomparable.
    Where its table lies beside a result, its figures are found to be the table's. ``family`` and
    training set are those of its list of models; without one the model's kind, or ``supervised``,
    and ``unknown``.
    """
    contents, warnings = _read_contents(paths)
    scores = [content["scores"] for _, content in contents]
    if figure is None:
        figure = next(
            (one for one in FIGURES if common_task(scores, one)), FIGURES[0]
        )
        if figure != FIGURES[0]:
            warnings.append(
                f"not every model names compositions: this is of {figure}, which all have"
            )
    task = common_task(scores, figure)
    records = [
        _from_result(c, p, figure, task or _task_with(c["scores"], figure))
        for p, c in contents
    ]
    warnings += _unlike([content for _, content in contents], [task])
    return _no_twins(records, "the list of results"), warnings, figure


def read_split_scores(
    paths: Sequence[Path], id_score: SplitScore, ood_score: SplitScore
) -> ReadScores:
    """Records whose ID accuracy is ``id_score`` and whose OoD accuracy is ``ood_score``.

    A result that lacks one of them is left out, with a note that names it. Raises UserError where
    no result has both.
    """
    contents, notes = _read_contents(paths)
    pair = (id_score, ood_score)
    records, usable, without = [], [], []
    for path, content in contents:
        known, novel = (one.scores_in(content) for one in pair)
        if known is None or novel is None:
            without.append(content["model"]["id"])
            continue
        usable.append(content)
        named = ((known, id_score.accuracy), (novel, ood_score.accuracy))
        records.append(_of_scores(content, path, *named))
    asked = " and ".join(
        dict.fromkeys(f"{one.split}:{one.task}" for one in pair)
    )
    if not records:
        raise UserError(
            f"no result has {asked}; evaluate with --tasks "
            f"{' '.join(dict.fromkeys(one.task for one in pair))}, or name other scores"
        )
    if without:
        notes.append(
            f"without {asked}, and left out: {some_names(sorted(without))}"
        )
    notes += _unlike(usable, list(dict.fromkeys(one.task for one in pair)))
    records = _no_twins(records, "the list of results")
    labels = (id_score.label, ood_score.label)
    chances = (id_score.chance_in(usable[0]), ood_score.chance_in(usable[0]))
    return ReadScores(records, notes, labels, chances)


def some_names(names: Sequence[str], most: int = 6) -> str:
    """The first names, and how many more there are.

    Example:
        >>> some_names(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _read_contents(
    paths: Sequence[Path],
) -> tuple[list[tuple[Path, dict[str, Any]]], list[str]]:
    """Each result's path and content, and a warning on each folder that holds none."""
    places, warnings = find_results(paths)
    check_given_once(places)
    files = [result_file(path, RESULTS) for path in places]
    return [(path, _content(path)) for path in files], warnings


def _unlike(
    contents: Sequence[dict[str, Any]], tasks: Sequence[str | None]
) -> list[str]:
    """A warning for each setting in which the results differ, by what the tasks are asked."""
    names = [name for task in tasks for name in unlike_settings(contents, task)]
    return [
        f"the results differ in {name}: they are not comparable as they stand"
        for name in dict.fromkeys(names)
    ]


def _content(path: Path) -> dict[str, Any]:
    if path.name == RESULTS and path.with_name(TABLE).is_file():
        return read_result(path, earlier=True).content
    return read_results_json(path)


def _task_with(scores: dict[str, Any], figure: str) -> str:
    """The first task that has ``figure`` in a split; the headline where none has."""
    tasks = order_tasks(scores)
    return next(
        (
            t
            for t in tasks
            if any(figure in s for s in scores[t]["splits"].values())
        ),
        tasks[0],
    )
