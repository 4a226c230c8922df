"""The option ``pictures`` of a generator or judge that draws: a folder, whose content has a part
in deciding a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.newset.config import located_path

OPTION = "pictures"


def with_pictures(
    find: Callable[[], Any], options: Mapping[str, Any], config_path: Path
) -> dict[str, Any]:
    """The options with the folder, which the configuration names relative to its own, as an
    absolute path.

    ``find`` gives the class whose options they are; where it has no true ``own_pictures`` they are
    as they were.
    """
    where = _folder(find, options, config_path)
    return dict(options) if where is None else {**options, OPTION: str(where)}


def pictures_mark(
    find: Callable[[], Any], options: Mapping[str, Any], config_path: Path
) -> str | None:
    """SHA-256 of the folder's pictures and their names; None where there is none. UserError for
    a bad folder.
    """
    from aobench.mini.own_pictures import read_folder

    where = _folder(find, options, config_path)
    return None if where is None else read_folder(where).mark


def _folder(
    find: Callable[[], Any], options: Mapping[str, Any], config_path: Path
) -> Path | None:
    if OPTION not in options or not getattr(find(), "own_pictures", False):
        return None
    if not isinstance(options[OPTION], str) or not options[OPTION]:
        raise UserError(
            f"options: {OPTION} is the name of a folder, not {options[OPTION]!r}"
        )
    return located_path(config_path, options[OPTION])
