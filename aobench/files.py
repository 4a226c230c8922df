"""Files, read and written so that nothing is lost or believed in silence. The whole library uses
these.

Rules: what is read is a regular file (a pipe would hang, a device never ends); what is written is
there whole or not at all; what can't be read is one UserError that names the file and the mend.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
import time
import unicodedata
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.strict_json import parse_json

#: Errors of the place that is read or written, not of the program.
PLACE_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)
#: Errors that mean a full disk, or a file larger than the system lets one write.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

#: How the name of a file ends that is being written.
SCRATCH_ENDING = ".part"


@contextlib.contextmanager
def disk_full_is_one_line(path: Path) -> Iterator[None]:
    """Turn a full disk into a UserError that names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise UserError(
            f"no room left to write {path}: free some space or name another folder; what was "
            "finished is kept, and a rerun goes on from there"
        ) from error


@contextlib.contextmanager
def scratch_file(path: str | Path) -> Iterator[Path]:
    """A file beside ``path`` to write to; it takes the place of ``path`` when the block ends.

    Whoever reads ``path`` meanwhile sees the file of before, or the whole new one, also when two
    processes write it at once. Where the block raises, nothing is left.

    Args:
        path: where the file belongs; its folder exists.

    Raises:
        UserError: where the disk is full.

    Example:
        >>> from tempfile import mkdtemp
        >>> table = Path(mkdtemp()) / "table.txt"
        >>> with scratch_file(table) as scratch:
        ...     _ = scratch.write_text("all of it")
        >>> table.read_text(), [one.name for one in table.parent.iterdir()]
        ('all of it', ['table.txt'])
    """
    target = Path(path)
    scratch = target.with_name(
        f".{target.name}.{uuid.uuid4().hex}{SCRATCH_ENDING}"
    )
    with disk_full_is_one_line(target):
        try:
            yield scratch
            with scratch.open("rb+") as stream:
                os.fsync(stream.fileno())
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)


def write_in_one_move(path: Path, content: bytes) -> None:
    """``content`` at ``path``, whole or not at all, as by `scratch_file`."""
    with scratch_file(path) as scratch:
        scratch.write_bytes(content)


@contextlib.contextmanager
def scratch_folder(path: str | Path) -> Iterator[Path]:
    """A name beside ``path`` to write a folder to; it takes the place of ``path`` when the block
    ends, and of what was there before. One process at a time.

    Where the block raises, ``path`` is as it was; what a killed process left is removed first.

    Example:
        >>> from tempfile import mkdtemp
        >>> with scratch_folder(Path(mkdtemp()) / "set") as scratch:
        ...     scratch.mkdir()
        >>> scratch.name, scratch.exists(), scratch.with_name("set").exists()
        ('.set.part', False, True)
    """
    target = Path(path)
    scratch = target.with_name(f".{target.name}{SCRATCH_ENDING}")
    shutil.rmtree(scratch, ignore_errors=True)
    with disk_full_is_one_line(target):
        try:
            yield scratch
            if target.exists():
                shutil.rmtree(target)
            scratch.replace(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def alone_in(folder: str | Path, what: str = "run") -> Iterator[Path]:
    """No other process that asks for the same writes to ``folder`` meanwhile.

    The folder itself is locked, so no file is left; where the file system has no locks (or on
    Windows) it goes on without one. A folder that was made for it and stays empty is removed.

    Args:
        folder: made if need be.
        what: what the other is called, such as ``audit``.

    Yields:
        The folder.

    Raises:
        UserError: where another one is at work, or where it can't be a folder.

    Example:
        >>> from tempfile import mkdtemp
        >>> place = mkdtemp()
        >>> with alone_in(place), alone_in(place):
        ...     pass
        Traceback (most recent call last):
        aobench.errors.UserError: another run is writing to ...
    """
    folder = Path(folder)
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder} can't be written to ({error.strerror}); name another folder with --out"
        ) from error
    lock = _lock_folder(folder, what)
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):  # it holds files, as it should
            if is_new:
                folder.rmdir()
        if lock is not None:
            os.close(lock)


def _lock_folder(folder: Path, what: str) -> int | None:
    """The locked folder's descriptor; None where there are no locks. Raises UserError."""
    try:
        import fcntl

        lock = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            return None  # a file system without locks
        raise UserError(
            f"another {what} is writing to {folder}; wait for it, or name another --out"
        ) from error
    return lock


def remove_scratch_files(
    folder: Path, older_than: float = 0.0, below: bool = False
) -> None:
    """Remove what processes were writing to ``folder`` when they were killed.

    Args:
        folder: where `scratch_file` was used.
        older_than: seconds; younger ones stay, since a process may be at work on them.
        below: in its folders, too.
    """
    pattern = f".*{SCRATCH_ENDING}"
    for path in folder.rglob(pattern) if below else folder.glob(pattern):
        # another process may remove it, too; a folder, or what is not ours to remove, stays
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime >= older_than:
                path.unlink()


def regular_file(path: str | Path, what: str = "the file") -> Path:
    """``path``, if it is a regular file that can be opened.

    Args:
        path: where the file is.
        what: its role in the message, such as ``the list of models``.

    Raises:
        UserError: where it is missing, a folder, a pipe, a device, a link that leads nowhere or
            back to itself, denied, or where its name holds NUL or half a character.

    Example:
        >>> regular_file("/dev/null", "the list of models")
        Traceback (most recent call last):
        aobench.errors.UserError: the list of models /dev/null is not a regular file: write ...
    """
    shown = ascii(str(path))[1:-1] if not str(path).isprintable() else str(path)
    try:
        os.fsencode(path)
        state = os.stat(path)  # noqa: PTH116 (Path.stat would hide a NUL in the name on some systems)
    except FileNotFoundError:
        raise UserError(
            f"{what} {shown} does not exist; check its name"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{what} {shown} can't be read ({reason}); name another file"
        ) from error
    if stat.S_ISDIR(state.st_mode):
        raise UserError(f"{what} {shown} is a folder; name a file")
    if not stat.S_ISREG(state.st_mode):
        raise UserError(
            f"{what} {shown} is not a regular file: write its content to one first"
        )
    if not os.access(path, os.R_OK):
        raise UserError(
            f"{what} {shown} can't be read (Permission denied); name another file"
        )
    return Path(path)


def read_file(
    path: str | Path, what: str = "the file", most: int = 1 << 30
) -> bytes:
    """The bytes of a regular file of at most ``most`` bytes. Raises UserError, see
    `regular_file`.
    """
    path = regular_file(path, what)
    size = path.stat().st_size
    if size > most:
        raise UserError(
            f"{what} {path} has {size:,} bytes, more than {most:,}: is it another file?"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{what} {path} can't be read ({error.strerror}); mend it or name another"
        ) from error


def read_text(
    path: str | Path, what: str = "the file", most: int = 1 << 30
) -> str:
    """The text of a UTF-8 file, with or without a byte-order mark; line ends as they are.

    Raises: UserError: as `read_file`; and where it is not UTF-8, with the line; UTF-16 is named
        as such.
    """
    return decode_text(read_file(path, what, most), f"{what} {path}")


#: Unicode's categories of characters that no line of text holds: controls, and separators of
#: lines.
NO_TEXT = ("Cc", "Zl", "Zp")


def read_lines(
    path: str | Path, what: str = "the file"
) -> list[tuple[int, str]]:
    """Number, from 1, and text of each line of a list that people write; empty lines and those that
    begin with ``#`` are passed over, and so are spaces around.

    Raises:
        UserError: as `read_text`; for a control character, with the line: the file is damaged, or
            of another kind.
    """
    lines = []
    # not splitlines, which takes control characters for ends of lines, too
    for number, line in enumerate(
        re.split("\r\n|\n|\r", read_text(path, what)), 1
    ):
        text = line.strip(" \t")
        if not text or text.startswith("#"):
            continue
        wrong = next(
            (c for c in text if unicodedata.category(c) in NO_TEXT), "\t"
        )
        if wrong != "\t":
            raise UserError(
                f"{what} {path}, line {number:,} holds the control character "
                f"U+{ord(wrong):04X}; is the file damaged? write text alone"
            )
        lines.append((number, text.strip()))
    return lines


def decode_text(data: bytes, where: str) -> str:
    """The text of UTF-8 bytes, as `read_text`; ``where`` names them in messages."""
    if data.startswith(UTF16_MARKS):
        raise UserError(
            f"{where} is UTF-16; convert it: iconv -f UTF-16 -t UTF-8"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{where} is not UTF-8 at line {line:,}; save it as UTF-8"
        ) from error


def read_json(
    path: str | Path, what: str = "the file", shape: type | None = dict
) -> Any:
    """The JSON value of a file; see `parse_json` and `read_text` for what is refused."""
    return parse_json(read_text(path, what), f"{what} {path}", shape)


def sha256_of(content: bytes | Path | str | Sequence[bytes]) -> str:
    """SHA-256, 64 hexadecimal digits, of bytes, or of the regular file that a path names.

    Example:
        >>> sha256_of(b"")[:8]
        'e3b0c442'
    """
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    if isinstance(content, str | Path):
        with regular_file(content).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    whole = hashlib.sha256()
    for part in content:
        whole.update(part)
    return whole.hexdigest()


def parquet_errors() -> tuple[type[Exception], ...]:
    """What pyarrow raises for a file that is not, or no longer, whole Parquet.

    UnicodeDecodeError comes from a damaged name of a column, in whatever reads the footer; of a
    table's texts, from ``Table.validate(full=True)`` as an ArrowException.
    """
    import pyarrow

    return (pyarrow.ArrowException, OSError, UnicodeDecodeError)


def absolute_path(path: str | Path) -> Path:
    """``path`` from the root, with links followed as far as they lead.

    Not ``Path.resolve``, which raises RuntimeError for a link that leads back to itself: whoever
    opens the file says that in one line.

    Raises:
        UserError: for NUL in the name.
    """
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        shown = ascii(str(path))[1:-1]
        raise UserError(f"{shown} holds NUL and is no path; mend it") from None
