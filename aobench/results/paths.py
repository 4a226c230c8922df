"""The files of a result, however the user names it: its folder, a file in it, or a folder above
several.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aobench.errors import UserError, did_you_mean
from aobench.files import absolute_path, read_json, sha256_of
from aobench.results.comparability import unlike_settings
from aobench.results.results_json import read_results_json

RESULTS, TABLE = "results.json", "predictions.parquet"
#: How the files of a result, renamed or not, end.
ENDINGS = (".json", ".parquet")
#: How many levels below a folder results are looked for, and how many are named in a line.
DEEPEST, SHOWN = 3, 6
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.zst", ".7z")


def result_file(path: str | Path, name: str) -> Path:
    """The file ``name`` (RESULTS or TABLE) that ``path`` means: in that folder, beside the other of
    the two, or itself; of a folder above one result alone, that result's.

    Raises UserError, naming the file that is missing, or the results among which to choose.
    """
    path = Path(path)
    other = {RESULTS, TABLE} - {name}
    beside = path.with_name(name) if path.name in other else path
    meant = path / name if path.is_dir() else beside
    if meant.is_file():
        refuse_archive(meant)
        return meant
    below = results_below(path, name)
    if len(below) == 1:
        return below[0] / name
    if below:
        raise UserError(
            f"{path} holds {len(below)} results: {_some(below, path)}; name one of them"
        )
    raise UserError(
        f"there is no {meant}{_near(path)}; name a model's folder that `imagenet-ao evaluate` "
        f"wrote, or its {name}"
    )


def results_below(folder: Path, name: str = RESULTS) -> list[Path]:
    """The folders in ``folder``, and in these, that hold a file ``name``; by their paths.

    Looks at DEEPEST levels, not within a result, and at nothing hidden.
    """
    results: list[Path] = []
    level = [folder]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in _folders_in(one)]
        results += [one for one in level if (one / name).is_file()]
        level = [one for one in level if not (one / name).is_file()]
    return sorted(results)


def _folders_in(folder: Path) -> list[Path]:
    """The folders of a folder, but for hidden ones and those that can't be read."""
    try:
        inside = list(os.scandir(folder))
    except OSError:
        return []
    named = [one for one in inside if not one.name.startswith(".")]
    return [Path(one.path) for one in named if one.is_dir(follow_symlinks=True)]


def find_results(
    paths: Sequence[str | Path], name: str = RESULTS
) -> tuple[list[Path], list[str]]:
    """What ``paths`` mean, where several results are taken: the one place that decides it.

    A result's folder or a file is itself. A folder above results is all of them. A pattern that
    the shell left as it is (``'results/*'``) is what it matches. Of several, a folder without any
    result is left out, and so is a file that is neither JSON nor Parquet by its name, as
    `imagenet-ao ... results/*` finds the embeddings, too, and what lies beside them; one alone
    stays, and so do all where none holds a result: reading them tells what is missing.

    Args:
        paths: as the user names them.
        name: the file that a result must hold: RESULTS or TABLE.

    Returns:
        The places, and a line on each path that was taken for others than itself.

    Raises:
        UserError: for a pattern that matches nothing, and an archive.

    Example:
        >>> find_results(["model_cards/mini"])
        ([PosixPath('model_cards/mini')], [])
    """
    places: list[Path] = []
    notes: list[str] = []
    empty: list[Path] = []
    for path in (one for named in paths for one in _matches(Path(named))):
        if path.is_dir() and not (path / name).is_file():
            below = results_below(path, name)
            if below:
                notes.append(f"{path}: {_count(below)} ({_some(below, path)})")
            else:
                empty.append(path)
            places += below
        else:
            refuse_archive(path)
            is_other = path.is_file() and path.suffix.lower() not in ENDINGS
            (empty if is_other else places).append(path)
    if not places:
        return [Path(path) for path in paths], []
    return places, notes + [
        f"Skipped: {path} {f'holds no {name}' if path.is_dir() else 'is no result'}"
        for path in empty
    ]


def result_places(
    paths: Sequence[str | Path],
    name: str = RESULTS,
    once: bool = True,
    several: bool = False,
) -> list[Path]:
    """`find_results` for a verb: its notes are told on stderr, as stdout may be data, and a result
    that is named twice is refused, unless ``once`` is false. ``several``: it takes two or more.

    Raises:
        UserError: as `find_results` and `check_given_once`, and for one alone of ``several``.
    """
    places, notes = find_results(paths, name)
    if several and len(places) < 2:
        why = "; ".join(note[0].lower() + note[1:] for note in notes)
        raise UserError(
            f"two results or more are needed, and {places[0]} is one"
            + (f" ({why})" if why else "")
            + "; name another, or a folder that holds several"
        )
    for note in notes:
        print(note, file=sys.stderr)
    if once:
        check_given_once(places)
    return places


def _matches(path: Path) -> list[Path]:
    """A pattern's matches; anything else is itself. UserError for a pattern without any."""
    if not glob.has_magic(str(path)) or os.path.lexists(path):
        return [path]
    matches = sorted(Path(one) for one in glob.iglob(str(path)))  # noqa: PTH207 (a path's own pattern)
    if not matches:
        raise UserError(
            f"nothing matches {path}; name folders that `imagenet-ao evaluate` wrote"
        )
    return matches


def refuse_archive(path: Path) -> None:
    """Raise UserError for a zip or a tar, in which results are not looked for."""
    if path.name.lower().endswith(ARCHIVES) and path.is_file():
        raise UserError(f"{path} is an archive; unpack it and name the folder")


def _count(places: Sequence[Path]) -> str:
    return f"{len(places)} result{'s' * (len(places) > 1)}"


def _some(places: Sequence[Path], above: Path) -> str:
    """The first few by their names below a folder."""
    names = [str(one.relative_to(above)) for one in places[:SHOWN]]
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return ", ".join(names) + more


def _near(path: Path) -> str:
    """A name like that of a path that isn't there, among those beside it."""
    if os.path.lexists(path):
        return ""
    try:
        beside = [one.name for one in path.parent.iterdir()]
    except (OSError, ValueError):
        return ""
    return did_you_mean(path.name, beside)


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


def check_given_once(paths: Sequence[str | Path]) -> None:
    """Raise UserError where two of ``paths`` mean one result: it would count twice."""
    seen: dict[str, str | Path] = {}
    for path in paths:
        place = Path(path)
        folder = place.parent if place.name in (RESULTS, TABLE) else place
        key = os.path.realpath(folder)
        if key in seen:
            raise UserError(
                f"{seen[key]} and {path} are the same result; name it once"
            )
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
        base = name = own or model.strip("/").replace("/", "--").replace(
            ":", "--"
        )
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
