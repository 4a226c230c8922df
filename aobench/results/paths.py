"""The files of a result, however the user names it: its folder, or a file in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import absolute_path, read_json, sha256_of
from aobench.results.comparability import unlike_settings
from aobench.results.results_json import read_results_json

RESULTS, TABLE = "results.json", "predictions.parquet"


def result_file(path: str | Path, name: str) -> Path:
    """The file ``name`` (RESULTS or TABLE) that ``path`` means: in that folder, beside the other of
    the two, or itself.

    Raises UserError, naming the file that is missing.
    """
    path = Path(path)
    other = {RESULTS, TABLE} - {name}
    meant = (
        path / name
        if path.is_dir()
        else path.with_name(name)
        if path.name in other
        else path
    )
    if not meant.is_file():
        raise UserError(
            f"there is no {meant}; name a model's folder that `imagenet-ao evaluate` "
            f"wrote, or its {name}"
        )
    return meant


def check_own_table(table: Path) -> None:
    """Raise UserError where a results.json beside a table says that it was made from another."""
    path = table.with_name(RESULTS)
    if not path.is_file():
        return  # a table that somebody brings
    mark = read_json(path, "the result").get("predictions")
    if isinstance(mark, str) and mark != sha256_of(table):
        raise UserError(
            f"{table} is not the table that {RESULTS} beside it was made from: its SHA-256 "
            "differs; evaluate the model anew, or move the table elsewhere to score it alone"
        )


def only_results(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """``paths`` without folders that hold no results.json, which a glob of several finds too, and a
    line on each.

    One path alone stays, and so do all where none holds a result: reading them tells what is
    missing.
    """
    empty = [path for path in paths if path.is_dir() and not (path / RESULTS).is_file()]
    if len(empty) == len(paths):
        return list(paths), []
    return [path for path in paths if path not in empty], [
        f"Skipped: {path} holds no {RESULTS}" for path in empty
    ]


def check_given_once(paths: Sequence[str | Path]) -> None:
    """Raise UserError where two of ``paths`` mean one result: it would count twice."""
    seen: dict[str, str | Path] = {}
    for path in paths:
        place = Path(path)
        folder = place.parent if place.name in (RESULTS, TABLE) else place
        key = os.path.realpath(folder)
        if key in seen:
            raise UserError(f"{seen[key]} and {path} are the same result; name it once")
        seen[key] = path


def check_no_copies(tables: Mapping[str | Path, str]) -> None:
    """Raise UserError where two results have one table of predictions: one run, copied or repeated,
    would count twice.

    Args:
        tables: by the result's path the SHA-256 of its table, which tells the model and the data.
    """
    first: dict[str, str | Path] = {}
    for path, digest in tables.items():
        other = first.setdefault(digest, path)
        if other != path:
            raise UserError(
                f"{other} and {path} hold the same table of predictions, so one is a copy of the "
                "other: name one of them"
            )


def result_names(models: Sequence[str]) -> list[str]:
    """For each model the name of its folder of results: a folder's own name, else the name with --
    for / and :.

    Of several that would share a folder the second gets the ending -2, and so on.
    """
    names: list[str] = []
    for model in models:
        own = absolute_path(model).name if Path(model).is_dir() else ""
        base = name = own or model.strip("/").replace("/", "--").replace(":", "--")
        number = 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.append(name)
    return names


def check_folders(models: Sequence[str], folders: Sequence[Path]) -> None:
    """Raise UserError where a model's result would replace that of another model; loads no model.

    Checkpoints of two runs are often named alike: runs/a/checkpoint-1 and runs/b/checkpoint-1.
    """
    from aobench.models.bundled import model_folder
    from aobench.models.revision import revision_of

    for model, folder in zip(models, folders, strict=True):
        held = _model_of(folder)
        if held is None:
            continue
        source = model_folder(model)
        if source.is_dir():
            if revision_of(str(source), None) != held["revision"]:
                raise _another(folder, held)
        elif held["id"] != model:
            raise _another(folder, held)


def check_same_model(folder: Path, model: str, revision: str) -> None:
    """The same of a model that was loaded, whose revision is known. Raises UserError."""
    held = _model_of(folder)
    if held is not None and held["revision"] != revision:
        raise _another(folder, held, f", not {model} ({revision})")


def _model_of(folder: Path) -> dict[str, str] | None:
    """``id`` and ``revision`` of the model whose result ``folder`` holds; None where it holds
    none.
    """
    path = folder / RESULTS
    if not os.path.lexists(path):
        return None
    model = read_results_json(path)["model"]
    return {key: str(model.get(key)) for key in ("id", "revision")}


def _another(folder: Path, held: dict[str, str], new: str = "") -> UserError:
    return UserError(
        f"{folder} holds the result of another model, {held['id']} ({held['revision']}){new}: "
        "name another --out, or move that folder away"
    )


def say_what_is_replaced(folder: Path, content: Mapping[str, Any]) -> None:
    """Print a line where ``content`` replaces a result that was made under other settings."""
    path = folder / RESULTS
    if path.exists() and (
        unlike := unlike_settings([read_results_json(path), content])
    ):
        print(
            f"Note: the result in {folder} had other settings ({', '.join(unlike)}); it is "
            "replaced."
        )
