"""The table that a run prints, and results.json."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aobench.columns import columns
from aobench.files import (
    absolute_path,
    package_version,
    package_versions,
    write_in_one_move,
)
from aobench.layouts.report import REASONS
from aobench.results.predictions import Predictions
from aobench.results.results_json import chosen_settings
from aobench.vocabulary.templates import texts_hash

STACK = (
    "torch",
    "transformers",
    "datasets",
    "evaluate",
    "accelerate",
    "huggingface_hub",
    "pillow",
    "numpy",
)

#: Accuracies, in the order of every table.
KINDS = ("composition", "attribute", "object")

#: What a classifier's notes say of its classes where there is nothing to tell.
IN_ORDER = "named, in ImageNet's order"

#: Keys of results.json, each explained. Rows that differ in what is marked * are not comparable.
RESULT_KEYS = {
    "model": "* id, kind, revision, processor, dtype, device of the model",
    "dataset": "* name, config, limit (where --limit left images out) and, by split, fingerprint "
    "and number of images; "
    "of a drawn set a digest of its pixels, too, which is noted and need not be the same; "
    "left_out, "
    "where files of one's own data are in no split: by reason the count and examples",
    "templates": "* SHA-256 (16 digits) and number of the prompt templates",
    "candidates": "* by split: mode, SHA-256 (16 digits) and number of the candidates",
    "settings": "* options that change numbers: draft, attention, compile; of each what the user "
    "chose",
    "figures": "by split: accuracies 0..1 with intervals over compositions, chance and n; gap and "
    "harmonic mean",
    "unreadable": "sample id and reason of each image that could not be read; they count as wrong",
    "seconds": "wall seconds: load (the model), and by split texts, images, scoring; what was "
    "found on disk costs none",
    "processes": "number of processes",
    "predictions": "SHA-256 of predictions.parquet, from which every figure can be computed again",
    "code": "version of imagenet-ao",
    "stack": "versions of the libraries and of Python",
    "date": "UTC time at the end of the run",
}

#: Keys that results of earlier versions lack: nothing was chosen there.
OPTIONAL_KEYS = ("settings",)


def provenance(
    model: Any,
    splits: Any,
    dataset: str,
    config: str,
    templates: tuple[str, ...],
    limit: int | None = None,
    settings: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What made a result; stored in results.json and in the predictions table.

    ``limit``: that of open_splits. ``settings``: the options that change numbers, by their names in
    `aobench.results.results_json.SETTINGS`.
    """
    from dataclasses import asdict

    short = {"limit": limit} if any(s.left_out for s in splits) else {}

    return {
        "model": asdict(model.info),
        "dataset": {
            # the place is nobody else's
            "name": absolute_path(dataset).name if Path(dataset).is_dir() else dataset,
            "config": config,
            **short,
            **(
                {"left_out": splits[0].not_read}
                if splits and splits[0].not_read
                else {}
            ),
            "splits": {s.name: _split_facts(s) for s in splits},
        },
        "templates": {"hash": texts_hash(templates), "n": len(templates)}
        if model.info.names_attributes
        else None,
        "settings": {name: value for name, value in (settings or {}).items() if value},
        "code": version(),
        "stack": package_versions(STACK) | {"python": platform.python_version()},
    }


def _split_facts(split: Any) -> dict[str, Any]:
    pixels = {} if split.pixels is None else {"pixels": split.pixels}
    return {"fingerprint": split.fingerprint, "n": len(split), **pixels}


def version() -> str:
    """Version of imagenet-ao, or ``unknown`` where it is not installed."""
    return package_version("imagenet-ao") or "unknown"


def results(
    predictions: Predictions,
    figures: dict[str, Any],
    seconds: dict[str, Any],
    processes: int,
    table: str,
) -> dict[str, Any]:
    """The content of results.json; see RESULT_KEYS."""
    rows = predictions.table.select(["sample_id", "error"]).to_pylist()
    return {
        **predictions.provenance,
        "candidates": {
            n: {"mode": c.mode, "hash": c.hash, "n": len(c)}
            for n, c in predictions.candidates.items()
        },
        "figures": figures,
        "unreadable": [row for row in rows if row["error"] is not None],
        "seconds": seconds,
        "processes": processes,
        "predictions": table,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_results(content: dict[str, Any], path: Path) -> None:
    """Write results.json in one move."""
    write_in_one_move(
        path,
        (
            json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
        ).encode(),
    )


def chance(figures: dict[str, Any], kind: str) -> float | None:
    """Accuracy of a random choice, 0..1, of ``kind`` (composition, attribute, object) in a split's
    ``figures``.

    None where the candidates cannot give that accuracy.
    """
    if f"{kind}_top1" not in figures:
        return None
    return figures["chance"] if kind == "composition" else figures[f"{kind}_chance"]


def _cell(figures: dict[str, Any], key: str) -> str:
    if key not in figures:
        return "-"
    text = f"{100 * figures[key]:.1f}"
    if f"{key}_low" in figures:
        text += (
            f" [{100 * figures[f'{key}_low']:.1f}, {100 * figures[f'{key}_high']:.1f}]"
        )
    return text


def trial(made: dict[str, Any]) -> str:
    """``trial run, --limit N`` for a result (or provenance) of part of the images, else ''."""
    limit = made["dataset"].get("limit")
    return f"trial run, --limit {limit}" if limit else ""


def unlike_tasks(figures: dict[str, Any]) -> str:
    """A sentence for results whose ID and OoD images are named among unlike numbers of
    candidates, else ''.
    """
    a, b = (figures["splits"][split]["n_candidates"] for split in ("id", "ood"))
    return (
        ("")
        if a == b
        else (
            f"ID has {a:,} candidates and OoD {b:,}: the gap is between tasks "
            "of unlike difficulty."
        )
    )


def _gap(name: str, figures: dict[str, Any]) -> list[str]:
    kind = figures["main"].split("_")[0]
    low, high = (f"{100 * figures[f'gap_{end}']:+.1f}" for end in ("low", "high"))
    gap = f"{name}: {kind} top-1, ID less OoD: {100 * figures['gap']:+.1f} points [{low}, {high}]"
    unlike = unlike_tasks(figures)
    return [
        f"{gap}; harmonic mean {_cell(figures, 'harmonic_mean')} %.",
        *([f"{name}: {unlike}"] if unlike else []),
    ]


def _notes(name: str, predictions: Predictions, figures: dict[str, Any]) -> list[str]:
    made, notes = predictions.provenance, []
    if trial(made):
        notes.append(f"{name}: a {trial(made)}: not a result on the whole set.")
    if left_out := made["dataset"].get("left_out"):
        said = ", ".join(
            f"{one['count']:,} {REASONS[why]}" for why, one in left_out.items()
        )
        notes.append(
            f"{name}: left out of the dataset: {said} (results.json names some)."
        )
    if chosen := chosen_settings(made):
        notes.append(
            f"{name} ran with {chosen}: it compares with results of the same options "
            "only."
        )
    told = made["model"].get("notes", {})
    for split, cut in told.get("prompts_cut", {}).items():
        notes.append(
            f"{name}, {split}: {cut:,} prompts had more tokens than the text tower takes and were "
            "cut: "
            "their names may be incomplete (use shorter --templates)."
        )
    if "classes" in told and told["classes"] != IN_ORDER:
        notes.append(f"{name}: the classes of its output are {told['classes']}.")
    for split in made["dataset"]["splits"]:
        if split not in figures["splits"]:
            notes.append(
                f"{name}: the table holds no images of {split}, though the run had some."
            )
        elif unread := figures["splits"][split]["n_unreadable"]:
            notes.append(
                f"{name}, {split}: {unread} images could not be read and count as wrong "
                "(results.json names them)."
            )
    if not predictions.names_attributes:
        notes.append(
            f"{name} is a supervised classifier: it cannot name attributes, so only "
            "objects are scored."
        )
    return notes + (_gap(name, figures) if "gap" in figures else [])


def print_table(rows: list[tuple[str, Predictions, dict[str, Any]]]) -> None:
    """Accuracies in percent with 95 % intervals, one line a model and split."""
    head = (
        "model",
        "split",
        *(f"{kind} top-1" for kind in KINDS),
        "chance",
        "candidates",
        "images",
    )
    lines: list[tuple[str, ...]] = [head]
    for name, _, figures in rows:
        for split, f in figures["splits"].items():
            cells = [_cell(f, f"{kind}_top1") for kind in KINDS]
            by_chance = " / ".join(
                "-" if (c := chance(f, kind)) is None else f"{100 * c:.2f}"
                for kind in KINDS
            )
            listed = f"{f['n_candidates']} {f['candidates']}"
            lines.append((name, split, *cells, by_chance, listed, f"{f['n']:,}"))
    print("\n".join(columns(lines, rule=True)))
    print(
        "In %: accuracies with 95 % intervals, which take compositions as independent and not "
        "images; chance, of"
    )
    print("composition / attribute / object, for the listed number of candidates.")
    for row in rows:
        for note in _notes(*row):
            print(note)
    if any(p.provenance["dataset"]["config"] == "mini" for _, p, _ in rows):
        print(
            "This is mini, the bundled set of drawn pictures: not the published ImageNet-AO "
            "benchmark."
        )
