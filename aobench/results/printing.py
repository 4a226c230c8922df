"""The table that a run prints, and the sentences below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aobench.columns import columns
from aobench.layouts.report import REASONS
from aobench.results.asked_again import asked_again_lines
from aobench.results.comparability import chosen_settings, trial
from aobench.results.predictions import Predictions
from aobench.results.scores import (
    KINDS,
    POPULATION,
    candidates_text,
    chance,
    narrow_note,
    shown_accuracy,
    unlike_tasks,
)
from aobench.results.tasks import order_tasks

#: What a classifier's notes say of its classes where there is nothing to tell.
IN_ORDER = "named, in ImageNet's order"

#: A model's name, its predictions and its scores by task.
Row = tuple[str, Predictions, dict[str, Any]]

CURVE_HEAD = (
    "model",
    "task",
    "seen-novel AUC",
    "harmonic mean",
    "best (seen / novel)",
    "chance: AUC / mean",
)
CURVE_NOTES = [
    "In %, for these attributes and objects, over every bias that novel candidates may get: the "
    "area",
    "under seen against novel accuracy; the harmonic mean of both at a bias chosen on other",
    "compositions; and the best that any bias gives on these very images.",
]
ERROR_NOTES = [
    "In % of the wrong answers; in parentheses, what wrong answers picked at random would give."
]
ERROR_HEAD = (
    "model",
    "task",
    "split",
    "errors",
    "right attribute",
    "right object",
    "a seen composition",
)
HEAD = (
    "model",
    "task",
    "seen (id)",
    "novel (ood)",
    "gap",
    "chance",
    "candidates",
)


@dataclass(frozen=True)
class TextTable:
    """A table of a run: its title, head, rows of texts, and the sentences below it."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str]


def print_table(rows: Sequence[Row]) -> None:
    """Accuracies in percent with intervals, one line a model and task; curves, errors, notes."""
    for number, table in enumerate(result_tables(rows)):
        if number:
            print()
        print("\n".join(columns([table.head, *table.rows], rule=True)))
        for note in table.notes:
            print(note)
    for note in result_notes(rows):
        print(note)


def result_tables(rows: Sequence[Row]) -> list[TextTable]:
    """Accuracies; the seen-novel curves; and where the errors of each model's first task fall. A
    table without rows is left out.
    """
    tables = (_accuracy_table(rows), _curve_table(rows), _error_table(rows))
    return [table for table in tables if table.rows]


def _accuracy_table(rows: Sequence[Row]) -> TextTable:
    lines = [
        (name, task, *_cells(scores[task]))
        for name, _, scores in rows
        for task in order_tasks(scores)
    ]
    notes = [
        "In %: accuracies with their intervals; gap: seen less novel, in points; chance, for that "
        "number of candidates.",
        *POPULATION.splitlines(),
        *_image_counts(rows),
    ]
    return TextTable("Accuracies", HEAD, lines, notes)


def _curve_table(rows: Sequence[Row]) -> TextTable:
    lines = [
        (name, task, *_curve_cells(scores[task]["curve"]))
        for name, _, scores in rows
        for task in order_tasks(scores)
        if "curve" in scores[task]
    ]
    return TextTable("Seen against novel", CURVE_HEAD, lines, CURVE_NOTES)


def _error_table(rows: Sequence[Row]) -> TextTable:
    lines = [
        (name, task, split, *_error_cells(mine))
        for name, predictions, scores in rows
        for task in (predictions.headline,)
        for split, mine in scores[task]["splits"].items()
        if mine.get("errors_n")
    ]
    return TextTable("Where errors fall", ERROR_HEAD, lines, ERROR_NOTES)


def result_notes(rows: Sequence[Row]) -> list[str]:
    """What a reader must know of the results: trial runs, unreadable images, unlike tasks."""
    notes = [note for row in rows for note in _notes(*row)]
    if any(p.provenance["dataset"]["config"] == "mini" for _, p, _ in rows):
        notes.append(
            "This is mini, the bundled set of drawn pictures: not the published ImageNet-AO "
            "benchmark."
        )
    return notes


def _percent(scores: dict[str, Any], key: str) -> str:
    """The score ``key`` in percent, with its interval."""
    value, low, high = (
        f"{100 * one:.1f}" for one in shown_accuracy(scores, key)
    )
    return f"{value} [{low}, {high}]"


def _curve_cells(curve: dict[str, Any]) -> tuple[str, ...]:
    held = "-"
    if "held_out_harmonic_mean" in curve:
        held = _percent(curve, "held_out_harmonic_mean")
    best = f"{100 * curve['best_harmonic_mean']:.1f}"
    points = [
        f"{100 * curve[f'best_bias_{side}_top1']:.1f}"
        for side in ("seen", "novel")
    ]
    return (
        _percent(curve, "seen_novel_auc"),
        held,
        f"{best} ({' / '.join(points)})",
        f"{100 * curve['seen_novel_auc_chance']:.2g} / "
        f"{100 * curve['harmonic_mean_chance']:.2g}",
    )


def _error_cells(scores: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{scores['errors_n']:,}",
        *(
            f"{100 * scores[key]:.1f} ({100 * scores[f'{key}_chance']:.1f})"
            if (key := f"errors_{name}") in scores
            else "-"
            for name in ("same_attribute", "same_object", "seen")
        ),
    )


def _cells(scores: dict[str, Any]) -> tuple[str, ...]:
    """Seen, novel, gap, chance and candidates of a task."""
    splits = [scores["splits"].get(split) for split in ("id", "ood")]
    there = [mine for mine in splits if mine]
    kinds = [_asked(mine) for mine in there]
    by_chance = [
        f"{100 * (chance(mine, kind) or 0):.2f}"
        for mine, kind in zip(there, kinds, strict=True)
    ]
    return (
        *(
            "-" if mine is None else _interval(mine, _asked(mine))
            for mine in splits
        ),
        _gap(scores),
        _joined(by_chance),
        _joined([candidates_text(mine) for mine in there]),
    )


def _asked(scores: dict[str, Any]) -> str:
    """What the task asked for: the first of KINDS that a split's scores tell."""
    return next(kind for kind in KINDS if f"{kind}_top1" in scores)


def _interval(scores: dict[str, Any], kind: str) -> str:
    return _percent(scores, f"{kind}_top1")


def _gap(scores: dict[str, Any]) -> str:
    if "gap" not in scores:
        return "-"
    value, low, high = (
        f"{100 * one:+.1f}" for one in shown_accuracy(scores, "gap")
    )
    return f"{value} [{low}, {high}]"


def _joined(values: Sequence[str]) -> str:
    """One value, or those of id and ood where they differ."""
    return " / ".join(dict.fromkeys(values))


def _image_counts(rows: Sequence[Row]) -> list[str]:
    """How many images each split has: once where all models have as many."""
    models_by_counts: dict[str, list[str]] = {}
    for name, _, scores in rows:
        sizes: dict[str, int] = {}
        for its in scores.values():
            sizes |= {split: mine["n"] for split, mine in its["splits"].items()}
        said = " and ".join(
            f"{n:,} {split}" for split, n in sorted(sizes.items())
        )
        models_by_counts.setdefault(said, []).append(name)
    if len(models_by_counts) == 1:
        return [f"Images: {next(iter(models_by_counts))}."]
    return [
        f"Images ({', '.join(names)}): {said}."
        for said, names in models_by_counts.items()
    ]


def _notes(
    name: str, predictions: Predictions, scores: dict[str, Any]
) -> list[str]:
    provenance, notes = predictions.provenance, []
    if trial(provenance):
        notes.append(
            f"{name}: a {trial(provenance)}: not a result on the whole set."
        )
    if left_out := provenance["dataset"].get("left_out"):
        said = ", ".join(
            f"{one['count']:,} {REASONS[why]}" for why, one in left_out.items()
        )
        notes.append(
            f"{name}: left out of the dataset: {said} (results.json names some)."
        )
    if chosen := chosen_settings(provenance):
        notes.append(
            f"{name} ran with {chosen}: it compares with results of the same options "
            "only."
        )
    notes_of_model = provenance["model"].get("notes", {})
    for task, cut in notes_of_model.get("prompts_cut", {}).items():
        notes.append(
            f"{name}, {task}: {cut:,} prompts had more tokens than the text tower takes and were "
            "cut: their names may be incomplete (use shorter --templates)."
        )
    if "classes" in notes_of_model and notes_of_model["classes"] != IN_ORDER:
        notes.append(
            f"{name}: the classes of its output are {notes_of_model['classes']}."
        )
    notes += _image_notes(name, provenance, scores)
    if not predictions.names_attributes:
        notes.append(
            f"{name} is a supervised classifier: it cannot name attributes, so only "
            "objects are scored."
        )
    notes += asked_again_lines(name, scores)
    if narrow := narrow_note(scores):
        notes.append(f"{name}, {narrow}")
    for task, its in scores.items():
        if "gap" in its and (unlike := unlike_tasks(its)):
            notes.append(f"{name}, {task}: {unlike}")
    return notes


def _image_notes(
    name: str, provenance: dict[str, Any], scores: dict[str, Any]
) -> list[str]:
    """Splits that the table lacks, and images that could not be read."""
    notes = []
    for split in provenance["dataset"]["splits"]:
        there = [
            its["splits"][split]
            for its in scores.values()
            if split in its["splits"]
        ]
        if not there:
            notes.append(
                f"{name}: the table holds no images of {split}, though the run had some."
            )
        elif unread := there[0]["n_unreadable"]:
            notes.append(
                f"{name}, {split}: {unread} images could not be read and count as wrong "
                "(results.json names them)."
            )
    return notes
