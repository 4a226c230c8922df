"""Captions out of webdataset tars.

A sample is a run of members that share their name up to its last dot. Its captions are the lines
of its .txt, else of its .caption, each line a caption of its own; else the caption field of its
.json, text or a list of texts. With ``--column`` the .json alone is asked. A sample that has a
member of another kind alone, such as a picture, is null.

Refused, since captions would be lost or counted twice in silence: one name twice in an archive,
endings that differ in case included; a caption that is a link to another member, which a stream
can't go back to; a dotted name such as ``0.meta.json`` that has captions of its own beside those
of ``0.txt``.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from typing import Any

from aobench.audit.chunks import CaptionChunk
from aobench.audit.layouts import ColumnError, named_column
from aobench.audit.readers.base import CaptionFormat
from aobench.audit.readers.json_lines import captions_in
from aobench.audit.streams import UTF8_MARK, check_encoding, open_bytes

CHUNK_ROWS = 65_536
#: Bytes of a caption member; more is no caption.
LONGEST_MEMBER = 1 << 24

_ENDINGS = ("txt", "caption", "json")
Caption = str | bytes | None

#: Raised by tarfile at a block of zeros, which ends an archive.
_EndOfArchive: type[Exception] = tarfile.EOFHeaderError  # type: ignore[attr-defined]


class _Header(tarfile.TarInfo):
    """Tells a proper end from a damaged header, which tarfile takes for one."""

    @classmethod
    def fromtarfile(cls, archive: Any) -> Any:
        """As tarfile's; marks the archive where it ends as it should."""
        try:
            return super().fromtarfile(archive)
        except _EndOfArchive:
            archive.proper_end = True
            raise


def tar_chunks(
    path: str, column: str | None, layout: str | None
) -> Iterator[CaptionChunk]:
    """The captions of a tar's samples.

    ValueError, tarfile.TarError or ColumnError where it isn't as it should be.
    """
    captions: list[Caption] = []
    row = 0
    for sample in _samples(path, column, layout):
        captions += sample
        if len(captions) >= CHUNK_ROWS:
            yield CaptionChunk.of(captions, row)
            row += len(captions)
            captions = []
    if captions:
        yield CaptionChunk.of(captions, row)


def _samples(
    path: str, column: str | None, layout: str | None
) -> Iterator[list[Caption]]:
    """The captions of each group of members that share their name up to its first dot."""
    group: tuple[str, str] | None = None
    members: dict[str, dict[str, bytes]] = {}
    seen: set[int] = set()
    with (
        open_bytes(path) as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as archive,
    ):
        for member in archive:
            vars(archive)[
                "members"
            ] = []  # tarfile keeps every header that it saw
            folder, _, name = member.name.removeprefix("./").rpartition("/")
            stem, dot, ending = name.rpartition(".")
            stem, ending = (stem, ending.lower()) if dot else (name, "")
            if ending in _ENDINGS and (member.islnk() or member.issym()):
                raise ValueError(
                    f"{member.name} is a link to {member.linkname}, which is not followed; write "
                    "the archive without "
                    "links: tar --hard-dereference --dereference"
                )
            if not member.isfile():
                continue
            if group != (folder, name.split(".", 1)[0]):
                yield from _group_captions(members, path, column, layout)
                group, members = (folder, name.split(".", 1)[0]), {}
            sample = members.setdefault(stem, {})
            if ending not in _ENDINGS:
                continue
            mark = hash((folder, stem, ending))
            if mark in seen:
                raise ValueError(
                    f"the archive holds {member.name} twice; write it anew, each member once"
                )
            seen.add(mark)
            if member.size > LONGEST_MEMBER:
                raise ValueError(
                    f"{member.name} has {member.size:,} bytes: this is no caption"
                )
            sample[ending] = (
                archive.extractfile(member) or io.BytesIO()
            ).read()
        yield from _group_captions(members, path, column, layout)
        _check_end(archive)


def _check_end(archive: tarfile.TarFile) -> None:
    """ValueError where the archive stops elsewhere than at its end mark, or goes on behind it."""
    if not getattr(archive, "proper_end", False):
        raise ValueError(
            f"the archive is damaged or cut off at byte {archive.offset:,}"
        )
    rest: Any = archive.fileobj
    while block := rest.read(1 << 20):
        if block.count(0) != len(block):
            raise ValueError(
                f"the archive goes on behind its end mark at byte {archive.offset:,}: it is damaged"
            )


def _group_captions(
    members: dict[str, dict[str, bytes]],
    path: str,
    column: str | None,
    layout: str | None,
) -> Iterator[list[Caption]]:
    """The captions of the samples of a group; one null where none of them has any."""
    texts = [
        s
        for s, files in members.items()
        if column is None and files.keys() & {"txt", "caption"}
    ]
    some = False
    for stem, files in members.items():
        if stem in texts:
            ending = "txt" if "txt" in files else "caption"
            yield _text_captions(files[ending], f"{stem}.{ending}")
            some = True
        elif "json" in files:
            captions = _json_captions(
                files["json"], f"{path}: {stem}.json", column, layout
            )
            if texts and any(captions):
                raise ValueError(
                    f"{stem}.json and {texts[0]}.txt both hold captions: to count those of the "
                    ".json alone, name "
                    "their field with --column"
                )
            if not texts:
                yield captions
                some = True
    if members and not some:
        yield [None]


def _text_captions(text: bytes, where: str) -> list[Caption]:
    """The lines of a member as captions of their own, empty ones left out; one empty caption
    where none has any.
    """
    try:
        check_encoding(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    lines = [
        line
        for line in re.split(rb"\r\n|\n|\r", text.removeprefix(UTF8_MARK))
        if line
    ]
    return list(lines) or [b""]


def _json_captions(
    content: bytes, where: str, column: str | None, layout: str | None
) -> list[Caption]:
    try:
        fields = json.loads(content.decode("utf-8-sig", "surrogateescape"))
    except RecursionError:
        raise ValueError(
            f"{where.rsplit(': ', 1)[-1]} is nested too deep"
        ) from None
    if not isinstance(fields, dict):
        return [None]
    try:
        name = named_column(list(fields), where, column, layout)
    except ColumnError:
        if sum(str(key).lower() == str(column).lower() for key in fields) > 1:
            raise
        return [None]
    return captions_in(fields.get(name), f"{where}: {name!r}")


FORMAT = CaptionFormat("tar", (".tar", ".tgz"), tar_chunks)
