"""What a tar or a zip holds, and one member's bytes; damage is one line."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

from aobench.errors import UserError

if TYPE_CHECKING:
    import tarfile

MOST_BYTES_OF_A_LIST = 1 << 30


def tar_members(path: str) -> dict[str, tarfile.TarInfo]:
    """The members of an uncompressed tar, by name without ``./``. Raises UserError where it is
    damaged, or a member's name leads out of it."""
    import tarfile

    members: dict[str, tarfile.TarInfo] = {}
    try:
        with tarfile.open(path, "r:", errors="surrogateescape") as archive:
            infos = archive.getmembers()
            size = Path(path).stat().st_size
    except (
        tarfile.TarError,
        OSError,
        EOFError,
        ValueError,
        OverflowError,
    ) as error:
        raise UserError(
            f"{path} is not a whole tar ({' '.join(str(error).split())}); bring it again"
        ) from error
    for info in infos:
        name = posixpath.normpath(info.name)
        if name == ".":
            continue
        if name.startswith(("/", "..")) or not name.isprintable():
            raise UserError(
                f"{path} holds a member that leads out of its folder, or has no name that can be "
                f"shown: {info.name!a}"
            )
        if info.isreg() and info.offset_data + info.size > size:
            raise UserError(
                f"{path} is cut short inside {name}; bring it again"
            )
        if name in members and not (info.isdir() and members[name].isdir()):
            raise UserError(
                f"{path} holds {name!r} twice; make the tar anew with one of them"
            )
        members[name] = info
    return members


def tar_bytes(place: str, member: str, what: str) -> bytes:
    """The bytes of a member of the tar at ``place``. Raises UserError for one beyond 1 GiB."""
    info = tar_members(place)[member]
    if info.size > MOST_BYTES_OF_A_LIST:
        raise UserError(
            f"{what} {member} in {place} has {info.size:,} bytes; unpack the tar and give the "
            "folder"
        )
    with Path(place).open("rb") as stream:
        stream.seek(info.offset_data)
        return stream.read(info.size)


def zip_bytes(place: str, member: str, what: str) -> bytes:
    """The bytes of a member of the zip at ``place``. Raises UserError for one beyond 1 GiB, or
    that can't be read.
    """
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(place) as archive:
            size = archive.getinfo(member).file_size
            if size > MOST_BYTES_OF_A_LIST:
                raise UserError(
                    f"{what} {member} in {place} has {size:,} bytes; unpack the zip and give the "
                    "folder"
                )
            return archive.read(member)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
    ) as error:
        raise UserError(
            f"{what} {member} in {place} can't be read ({error}); make the zip anew"
        ) from error
