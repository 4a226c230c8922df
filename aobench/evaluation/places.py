"""The files of a result, however the user names it: its folder, or a file in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aobench.errors import UserError

RESULTS, TABLE = "results.json", "predictions.parquet"


def result_file(path: str | Path, name: str) -> Path:
    """The file ``name`` (RESULTS or TABLE) that ``path`` means: in that folder, beside the other of the two, or itself.

    Raises UserError, naming the file that is missing.
    """
    path = Path(path)
    other = {RESULTS, TABLE} - {name}
    meant = path / name if path.is_dir() else path.with_name(name) if path.name in other else path
    if not meant.is_file():
        raise UserError(f"there is no {meant}; name a model's folder that `imagenet-ao evaluate` wrote, or its {name}")
    return meant


def only_results(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """``paths`` without folders that hold no results.json, which a glob of several finds too, and a line on each.

    One path alone stays, and so do all where none holds a result: reading them tells what is missing.
    """
    empty = [path for path in paths if path.is_dir() and not (path / RESULTS).is_file()]
    if len(empty) == len(paths):
        return list(paths), []
    return [path for path in paths if path not in empty], [f"Skipped: {path} holds no {RESULTS}" for path in empty]


def result_names(models: Sequence[str]) -> list[str]:
    """For each model the name of its folder of results: a folder's own name, else the name with -- for / and :.

    Of several that would share a folder the second gets the ending -2, and so on.
    """
    names: list[str] = []
    for model in models:
        own = Path(model).resolve().name if Path(model).is_dir() else ""
        base = name = own or model.strip("/").replace("/", "--").replace(":", "--")
        number = 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.append(name)
    return names
