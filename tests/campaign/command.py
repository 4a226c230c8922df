"""What the campaign knows of a command and of each file that the command reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from .damages import Damage


class Holds(Enum):
    """What a file is to the command, which decides what may come of another valid content.

    ``OWN``: the product wrote it and can tell that it was changed; another result is never right.
    ``MARKED``: the user's, and results carry its digest or revision: another result is right where
    that differs.
    ``CONTENT``: the user's, and nothing marks it: another number in a table is another table.
    """

    OWN = "own"
    MARKED = "marked"
    CONTENT = "content"


@dataclass(frozen=True)
class Input:
    """A file that a command reads.

    Attributes:
        path: relative to the case's folder; a pattern names the first of its files in order of
            their names, ``PATTERN#1`` the second.
        owner: the part of the product that reads it.
        holds: see `Holds`.
        other: another valid file of its kind, for ``swapped``; a path as above.
        text: whether it is a text, in which encodings and line ends can differ.
        member: whether it is one of a folder's files: a set without it is another set.
        numbers: whether it is a CSV with numbers in its last column.
        without: names of damages that are no damage here.
    """

    path: str
    owner: str
    holds: Holds
    other: str | None = None
    text: bool = False
    member: bool = False
    numbers: bool = False
    without: Sequence[str] = ()


def located(folder: Path, pattern: str) -> Path:
    """The file below ``folder`` that the path of an `Input` names."""
    pattern, _, number = pattern.partition("#")
    if "*" not in pattern:
        return folder / pattern
    files = sorted(folder.glob(pattern))
    if len(files) <= int(number or 0):
        raise FileNotFoundError(
            f"{folder} holds {len(files)} files of the pattern {pattern}"
        )
    return files[int(number or 0)]


@dataclass(frozen=True)
class Command:
    """A command on a small valid set-up.

    Attributes:
        name: begins the ids of its cases.
        verb: of the command line, or the name of a function of the product.
        act: arguments of the command line, or a function; the working folder is the case's.
        takes: what the set-up is copied from: place in the case's folder -> place in the stock.
        inputs: the files that are damaged, one a case.
        outputs: patterns of the files that hold the result; without any, what is printed is it.
        first: what is run before anything is damaged, so that there is something to find.
        damages: its own damages in place of those of files.
    """

    name: str
    verb: str
    act: Sequence[str] | Callable[[], object]
    takes: Mapping[str, str]
    inputs: Sequence[Input]
    outputs: Sequence[str] = field(default=())
    first: Sequence[Sequence[str]] = field(default=())
    damages: Sequence[Damage] = field(default=())
