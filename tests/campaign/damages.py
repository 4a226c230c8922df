"""What can happen to a file: a damage takes a valid file and leaves something else there."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

JUNK = 1000  #: bytes of junk
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Damage:
    """``apply(path, seed, other)`` does it; ``other`` is another valid file of the kind.

    ``another``: what is left may be a valid file with other content, which no reader can tell from
    the one that was meant. ``texts``: only for files of text, such as another encoding.
    ``tables``: only for CSVs of numbers. ``about``: what a refusal must name in place of the file.
    """

    name: str
    apply: Callable[[Path, int, Path | None], None]
    another: bool = False
    texts: bool = False
    tables: bool = False
    about: str = ""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _replaced(
    content: Callable[[bytes, random.Random], bytes],
) -> Callable[[Path, int, Path | None], None]:
    """A damage that writes other bytes, into a new file: nothing else sees the old one change."""

    def apply(path: Path, seed: int, other: Path | None) -> None:
        data = content(path.read_bytes(), random.Random(seed))
        path.unlink()
        path.write_bytes(data)

    return apply


def _flipped(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _zeros_within(data: bytes, draw: random.Random) -> bytes:
    """A sixteenth of the file, at most a sector's 512 bytes, from the middle on."""
    width = max(1, min(512, len(data) // 16))
    middle = len(data) // 2
    return (
        data[:middle]
        + bytes(min(width, len(data) - middle))
        + data[middle + width :]
    )


def _folder(path: Path, seed: int, other: Path | None) -> None:
    _remove(path)
    path.mkdir()


def _linked(
    target: Callable[[Path], str],
) -> Callable[[Path, int, Path | None], None]:
    def apply(path: Path, seed: int, other: Path | None) -> None:
        _remove(path)
        path.symlink_to(target(path))

    return apply


def _pipe(path: Path, seed: int, other: Path | None) -> None:
    _remove(path)
    os.mkfifo(path)


def _swapped(path: Path, seed: int, other: Path | None) -> None:
    assert other is not None
    data = other.read_bytes()
    path.unlink()
    path.write_bytes(data)


def _utf_16(data: bytes, draw: random.Random) -> bytes:
    return data.decode("utf-8").encode("utf-16")


def _last_cell(
    value: Callable[[str], str],
) -> Callable[[Path, int, Path | None], None]:
    """A damage of the last cell of a CSV's last row."""

    def change(data: bytes, draw: random.Random) -> bytes:
        before, comma, cell = data.decode().rstrip("\n").rpartition(",")
        return f"{before}{comma}{value(cell)}\n".encode()

    return _replaced(change)


def _row_twice(data: bytes, draw: random.Random) -> bytes:
    return data + data.splitlines(keepends=True)[-1]


def _column_twice(data: bytes, draw: random.Random) -> bytes:
    """The last column, and once more with other values."""
    first, *rows = data.decode().splitlines()
    lines = [
        f"{first},{first.rpartition(',')[2]}",
        *(f"{row},1" for row in rows),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


DAMAGES = (
    Damage("missing", lambda path, seed, other: _remove(path)),
    Damage("empty", _replaced(lambda data, draw: b"")),
    Damage("folder", _folder),
    Damage("junk", _replaced(lambda data, draw: draw.randbytes(JUNK))),
    Damage(
        "cut-half",
        _replaced(lambda data, draw: data[: len(data) // 2]),
        another=True,
    ),
    Damage("cut-one", _replaced(lambda data, draw: data[:-1]), another=True),
    Damage("flip-1", _replaced(_flipped), another=True),
    Damage("flip-2", _replaced(_flipped), another=True),
    Damage("flip-3", _replaced(_flipped), another=True),
    Damage("zeros-within", _replaced(_zeros_within), another=True),
    Damage("zeros", _replaced(lambda data, draw: bytes(len(data)))),
    Damage("tail", _replaced(lambda data, draw: data + draw.randbytes(5000))),
    Damage("twice", _replaced(lambda data, draw: data + data), another=True),
    Damage("loop", _linked(lambda path: path.name)),
    Damage("dangling", _linked(lambda path: "nothing-of-this-name")),
    Damage("device", _linked(lambda path: "/dev/zero")),
    Damage("pipe", _pipe),
    Damage("denied", lambda path, seed, other: path.chmod(0)),
    Damage("swapped", _swapped, another=True),
    Damage("bom", _replaced(lambda data, draw: BOM + data), texts=True),
    Damage("utf-16", _replaced(_utf_16), texts=True),
    Damage(
        "crlf",
        _replaced(lambda data, draw: data.replace(b"\n", b"\r\n")),
        texts=True,
    ),
    Damage("cell-nan", _last_cell(lambda cell: "nan"), tables=True),
    Damage("cell-infinite", _last_cell(lambda cell: "inf"), tables=True),
    Damage("cell-negative", _last_cell(lambda cell: f"-{cell}"), tables=True),
    Damage("cell-empty", _last_cell(lambda cell: ""), tables=True),
    Damage("cell-words", _last_cell(lambda cell: "many"), tables=True),
    Damage("cell-thousands", _last_cell(lambda cell: "1,000"), tables=True),
    Damage("cell-quote", _last_cell(lambda cell: f'"{cell}'), tables=True),
    Damage("row-twice", _replaced(_row_twice), tables=True),
    Damage("column-twice", _replaced(_column_twice), tables=True),
)
BY_NAME = {damage.name: damage for damage in DAMAGES}
