"""The metadata of a table of predictions: is it of a format that is known, and whole?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from aobench.errors import UserError
from aobench.results.schema import TABLE_FORMAT
from aobench.results.tasks import MODE_TASKS, TASKS
from aobench.strict_json import parse_json

MEND = "evaluate the model anew"
LISTS = ("attributes", "objects", "names")


def refuse_table(path: Path, fault: str) -> NoReturn:
    """Raise UserError: ``fault``, and how to mend it."""
    raise UserError(
        f"{path}: {fault}; the table was damaged or not written by this runner: {MEND}"
    )


def table_facts(raw: bytes, path: Path, earlier: bool) -> dict[str, Any]:
    """The table's JSON metadata, of format 1 where ``earlier``. Raises UserError."""
    try:
        facts = parse_json(raw, "its metadata")
    except UserError as error:
        refuse_table(path, str(error))
    by_format = (
        ("candidates",)
        if earlier
        else ("tasks", "attribute_names", "object_names")
    )
    wanted = (*by_format, "names_attributes", "provenance")
    missing = [key for key in wanted if key not in facts]
    if missing:
        refuse_table(path, f"its metadata lacks {', '.join(missing)}")
    number = facts.get("format")
    if not earlier and number != TABLE_FORMAT:
        raise UserError(
            f"{path} is of format {number!r}, and this version reads 1 and {TABLE_FORMAT}: take "
            f"the version that wrote it, or {MEND}"
        )
    if earlier:
        _check_made(facts, facts["candidates"], path)
        if not facts["candidates"]:
            refuse_table(
                path, "its metadata has no candidate list of any split"
            )
        for split, candidates in facts["candidates"].items():
            _check_earlier_list(split, candidates, path)
        if (
            len(
                {
                    candidates["mode"]
                    for candidates in facts["candidates"].values()
                }
            )
            > 1
        ):
            refuse_table(path, "its splits have candidates of unlike modes")
    else:
        _check_tasks(facts, path)
    return facts


def _check_made(facts: dict[str, Any], splits: Any, path: Path) -> None:
    """The provenance tells the model, the dataset and the size of each of ``splits``."""
    provenance = facts["provenance"]
    try:
        sizes = [
            provenance["dataset"]["splits"][split]["n"] for split in splits
        ]
        complete = isinstance(provenance["model"]["id"], str) and isinstance(
            splits, dict
        )
        complete = complete and all(isinstance(n, int) for n in sizes)
        complete = complete and isinstance(provenance["dataset"]["config"], str)
    except (KeyError, TypeError):
        complete = False
    if not complete:
        refuse_table(
            path,
            "its metadata does not tell the model, the dataset and the images of each "
            "split",
        )


def _check_tasks(facts: dict[str, Any], path: Path) -> None:
    """Each task is known and has, by split, a list of ids that have names."""
    tasks = facts["tasks"]
    if not isinstance(tasks, dict) or not tasks:
        refuse_table(path, "its metadata tells of no tasks")
    sizes = []
    for key in ("attribute_names", "object_names"):
        names = facts[key]
        if not isinstance(names, list) or not all(
            isinstance(n, str) for n in names
        ):
            refuse_table(path, f"its metadata's {key} are no list of names")
        sizes.append(len(names))
    for name, task in tasks.items():
        if name not in TASKS:
            refuse_table(
                path, f"its metadata tells of an unknown task {name!r}"
            )
        if not isinstance(task, dict) or not isinstance(
            task.get("splits"), dict
        ):
            refuse_table(
                path, f"its metadata has no candidates of the task {name}"
            )
        if any(
            task.get(key) != getattr(TASKS[name], key)
            for key in ("kind", "scope")
        ):
            refuse_table(
                path,
                f"its metadata tells another kind or scope of the task {name}",
            )
        _check_made(facts, task["splits"], path)
        for split, candidates in task["splits"].items():
            _check_ids(f"{split} in the task {name}", candidates, sizes, path)
        if (
            TASKS[name].scope != "split"
            and len({repr(o) for o in task["splits"].values()}) > 1
        ):
            refuse_table(
                path,
                f"the splits' candidates differ in the task {name}, which shares them",
            )


def _check_ids(
    where: str, candidates: Any, sizes: Sequence[int], path: Path
) -> None:
    if not isinstance(candidates, dict):
        refuse_table(path, f"its metadata has no candidate list of {where}")
    both: list[Any] = [candidates.get(key) for key in ("attributes", "objects")]
    if not all(isinstance(ids, list) and ids for ids in both) or len(
        both[0]
    ) != len(both[1]):
        refuse_table(
            path,
            f"its candidate list of {where} is empty or has lists of unequal length",
        )
    for ids, size in zip(both, sizes, strict=True):
        if not all(type(n) is int and -1 <= n < size for n in ids):
            refuse_table(
                path,
                f"its candidate list of {where} holds something else than ids of names",
            )
    if len(set(zip(*both, strict=True))) < len(both[0]):
        refuse_table(
            path, f"its candidate list of {where} holds a candidate twice"
        )


def _check_earlier_list(split: str, candidates: Any, path: Path) -> None:
    if not isinstance(candidates, dict) or not all(
        isinstance(candidates.get(key), list) for key in LISTS
    ):
        refuse_table(path, f"its metadata has no candidate list of {split}")
    if (
        not isinstance(candidates.get("mode"), str)
        or candidates["mode"] not in MODE_TASKS
        or len({len(candidates[key]) for key in LISTS}) != 1
        or not candidates["names"]
    ):
        refuse_table(
            path,
            f"its candidate list of {split} is empty, has no mode or has lists of "
            "unequal length",
        )
    numbers = [*candidates["attributes"], *candidates["objects"]]
    names = [
        candidates["names"],
        *(
            candidates.get(key, [])
            for key in ("attribute_names", "object_names")
        ),
    ]
    worded = all(
        isinstance(some, list) and all(isinstance(name, str) for name in some)
        for some in names
    )
    if not worded or not all(type(n) is int and n >= -1 for n in numbers):
        refuse_table(
            path,
            f"its candidate list of {split} holds something else than ids and names",
        )
