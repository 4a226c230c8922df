"""The files of a folder, a zip or a tar, or beside a list, by name.

Rules: names below the root are NFC and parted by ``/``; two that differ only in Unicode form are
refused, since a Mac can't hold both. Hidden files (``.x``, ``__MACOSX``) are passed over, and
hidden pictures are counted. Links are followed; one that leads back into a folder above it is
refused. What is no regular file (a pipe, a device, a dead link) is refused where it is used. A zip
that could write outside its folder is refused (`imagenet_ao`). A tar is read where it lies, so a
compressed one is refused. Beside a list that is named itself
only the files that it names are looked at.
"""

from __future__ import annotations

import io
import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError, did_you_mean
from aobench.files import decode_text, read_file
from aobench.layouts.archives import (
    MOST_BYTES_OF_A_LIST,
    tar_bytes,
    tar_members,
    zip_bytes,
)

if TYPE_CHECKING:
    pass

LIST_ENDINGS = (".csv", ".jsonl", ".parquet")
TAR_ENDING = ".tar"
PACKED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


@dataclass
class FileTree:
    """Files by their name below the root.

    Attributes:
        place: the folder, zip or tar, as an absolute path.
        prefix: what stands before each name, for messages and ids of the whole: ``""`` or
            ``folder/``.
        members: name -> path inside ``place``, as it is written there.
        marks: name -> text that changes with the file's content.
        faults: name -> why it can't be read.
        folders: names of all folders, the empty ones too.
        hidden: names of pictures that are hidden, or stand in a hidden folder.
        whole: False beside a list, where only what it names is looked at.
    """

    place: str
    prefix: str = ""
    members: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    hidden: list[str] = field(default_factory=list)
    whole: bool = True
    tables: dict[str, Any] = field(
        default_factory=dict
    )  #: lists that were read, by name
    #: what a list calls the columns of `aobench.layouts.columns`
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The place of this tree, for messages."""
        return f"{self.place}/{self.prefix}".rstrip("/")

    @property
    def zipped(self) -> bool:
        """Whether the place is one file: a zip or a tar."""
        return not Path(self.place).is_dir()

    def member(self, name: str) -> str | None:
        """The path inside ``place`` of the file ``name``, None where there is none. UserError if it
        can't be read."""
        name = unicodedata.normalize("NFC", name)
        if not self.whole and name not in self.members:
            self._look(name)
        if name in self.faults:
            raise UserError(
                f"{self.where}/{name} {self.faults[name]}; replace or remove it"
            )
        return self.members.get(name)

    def below(self, prefix: str) -> FileTree:
        """The tree in the folder ``prefix``, which ends in ``/`` (or is empty)."""
        if not prefix:
            return self

        def cut(names: dict[str, str]) -> dict[str, str]:
            return {
                k[len(prefix) :]: v
                for k, v in names.items()
                if k.startswith(prefix)
            }

        return FileTree(
            self.place,
            self.prefix + prefix,
            cut(self.members),
            cut(self.marks),
            cut(self.faults),
            {
                name[len(prefix) :]
                for name in self.folders
                if name.startswith(prefix)
            },
            self.hidden,
            self.whole,
            columns=self.columns,
        )

    def read_bytes(self, name: str, what: str) -> bytes:
        """The bytes of the file ``name``. Raises UserError."""
        member = self.member(name)
        if member is None:
            raise UserError(
                f"{what} {self.where}/{name} is missing{did_you_mean(name, self.members)}"
            )
        if not self.zipped:
            return read_file(
                f"{self.place}/{member}", what, MOST_BYTES_OF_A_LIST
            )
        if self.place.lower().endswith(TAR_ENDING):
            return tar_bytes(self.place, member, what)
        return zip_bytes(self.place, member, what)

    def read_text(self, name: str, what: str) -> str:
        """The text of the UTF-8 file ``name``. Raises UserError."""
        return decode_text(
            self.read_bytes(name, what), f"{what} {self.where}/{name}"
        )

    def file_like(self, name: str, what: str) -> str | io.BytesIO:
        """The file ``name`` for a library that reads files: its path, or its bytes where it is in a
        zip."""
        if not self.zipped:
            return f"{self.place}/{self.member(name)}"
        return io.BytesIO(self.read_bytes(name, what))

    def _look(self, name: str) -> None:
        """Take up the one file ``name`` of a folder that is not walked."""
        for form in ("NFC", "NFD"):
            member = unicodedata.normalize(form, name)
            try:
                state = os.stat(f"{self.place}/{member}")  # noqa: PTH116
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                self.faults[name] = (
                    f"can't be read ({getattr(error, 'strerror', None) or error})"
                )
                return
            _take_up(self, name, member, state)
            return


def open_tree(path: str) -> FileTree:
    """The files at ``path``: a folder, a zip, a tar, a folder that holds nothing but a zip, or a
    list.

    Raises:
        UserError: where there is nothing, or what can't be walked: see the module's rules.
    """
    from imagenet_ao import DatasetError, _resolve

    path = os.path.abspath(os.path.expanduser(str(path)))  # noqa: PTH100, PTH111
    if not os.path.lexists(path):
        raise UserError(f"no such file or folder: {path}")
    if Path(path).is_dir():
        try:
            path = _resolve(path)
        except DatasetError as error:
            raise UserError(str(error)) from None
    if Path(path).is_dir():
        return _folder_tree(path)
    if path.lower().endswith(LIST_ENDINGS):
        return _tree_beside(path)
    if path.lower().endswith(PACKED_TARS):
        raise UserError(
            f"{path} is a compressed tar, whose pictures can't be read one by one; unpack it, and "
            "give the folder"
        )
    return (
        _tar_tree(path)
        if path.lower().endswith(TAR_ENDING)
        else _zip_tree(path)
    )


def _tree_beside(path: str) -> FileTree:
    folder, name = os.path.split(path)
    tree = FileTree(folder, whole=False)
    if tree.member(name) is None:
        raise UserError(f"no such file or folder: {path}")
    return tree


def _folder_tree(path: str) -> FileTree:
    tree = FileTree(path)
    for member, state, fault in _walk(path):
        name = unicodedata.normalize("NFC", member)
        if any(is_hidden(part) for part in name.split("/")):
            if hidden_picture(name):
                tree.hidden.append(name)
        elif state is not None and stat.S_ISDIR(state.st_mode):
            _refuse_twins(tree, name, member, tree.folders)
            tree.folders.add(name)
        elif state is None:
            tree.faults[name] = str(fault)
        else:
            _refuse_twins(tree, name, member, tree.members)
            _take_up(tree, name, member, state)
    return tree


def _refuse_twins(tree: FileTree, name: str, member: str, known: Any) -> None:
    if name in known:
        raise UserError(
            f"{tree.place} holds {member!a} and another name that differs from it only in Unicode "
            "form (NFC, "
            "NFD): rename one"
        )


def _take_up(
    tree: FileTree, name: str, member: str, state: os.stat_result
) -> None:
    if stat.S_ISREG(state.st_mode):
        tree.members[name] = member
        tree.marks[name] = f"{state.st_size} {state.st_mtime_ns}"
    else:
        kind = (
            "a folder"
            if stat.S_ISDIR(state.st_mode)
            else "a pipe, a socket or a device"
        )
        tree.faults[name] = f"is {kind}, not a regular file"


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is passed over."""
    return name.startswith(".") or name == "__MACOSX"


def hidden_picture(name: str) -> bool:
    """Whether a hidden file is a picture that may be missed: not what a Mac writes beside it."""
    from imagenet_ao import ENDINGS

    parts = name.split("/")
    return (
        parts[-1].lower().endswith(tuple(ENDINGS))
        and "__MACOSX" not in parts
        and not parts[-1].startswith("._")
    )


def _walk(root: str) -> Iterator[tuple[str, os.stat_result | None, str | None]]:
    """(path below ``root``, its state or None, why there is none) of each folder and file; no
    order."""
    waiting = [("", frozenset({os.path.realpath(root)}))]
    while waiting:
        inside, above = waiting.pop()
        try:
            entries = list(os.scandir(f"{root}/{inside}"))
        except OSError as error:
            raise UserError(
                f"{root}/{inside} can't be listed ({error.strerror})"
            ) from None
        for entry in entries:
            path = inside + entry.name
            out_of_sight = any(is_hidden(part) for part in path.split("/"))
            if entry.name == "__MACOSX":
                continue
            if not out_of_sight:
                _refuse_undecodable(root, path)
            try:
                state = entry.stat()
            except OSError as error:
                yield (
                    path,
                    None,
                    f"is a link that leads nowhere, or can't be read ({error.strerror})",
                )
                continue
            yield path, state, None
            if stat.S_ISDIR(state.st_mode):
                real = os.path.realpath(entry.path)
                if out_of_sight and (
                    entry.is_symlink() or not os.access(real, os.R_OK)
                ):
                    continue
                if real in above:
                    raise UserError(
                        f"{root}/{path} is a link that leads back to {real}: remove it"
                    )
                waiting.append((f"{path}/", above | {real}))


def _refuse_undecodable(root: str, path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{root} holds a name that is not UTF-8: {path!a}; rename it"
        ) from None


def _zip_tree(path: str) -> FileTree:
    import zipfile

    from imagenet_ao import DatasetError, _open_zip

    _refuse_irregular(path)
    if not path.lower().endswith(".zip") and not zipfile.is_zipfile(path):
        raise UserError(
            f"{path} is neither a folder nor a zip, a tar or a list "
            f"({', '.join(LIST_ENDINGS)}); give one"
        )
    tree = FileTree(path)
    try:
        with _open_zip(path) as archive:
            members = archive.infolist()
    except DatasetError as error:
        raise UserError(str(error)) from None
    for info in members:
        name = unicodedata.normalize(
            "NFC", info.filename.replace("\\", "/").rstrip("/")
        )
        if not _new_member(tree, name, info.is_dir()):
            continue
        tree.members[name] = info.filename
        tree.marks[name] = f"{info.file_size} {info.CRC:08x}"
        if stat.S_ISLNK(info.external_attr >> 16):
            tree.faults[name] = "is a link inside a zip, which is not followed"
    return tree


def _refuse_irregular(path: str) -> None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            raise UserError(
                f"{path} is not a regular file; give a folder, a zip or a list"
            )
    except OSError as error:
        raise UserError(
            f"{path} can't be read ({error.strerror}); give a folder, a zip or a list"
        ) from None


def _new_member(tree: FileTree, name: str, is_folder: bool) -> bool:
    """Whether an archive's member is a file to take up; its folders are. UserError for a second
    one of its name."""
    parts = name.split("/")
    if any(is_hidden(part) for part in parts):
        if not is_folder and hidden_picture(name):
            tree.hidden.append(name)
        return False
    tree.folders |= {
        "/".join(parts[:size]) for size in range(1, len(parts) + is_folder)
    }
    if name in tree.members:
        kind = Path(tree.place).suffix.lstrip(".") or "archive"
        raise UserError(
            f"{tree.place} holds {name!r} twice; make the {kind} anew with one of them"
        )
    return not is_folder


def _tar_tree(path: str) -> FileTree:
    _refuse_irregular(path)
    tree = FileTree(path)
    for name, info in tar_members(path).items():
        key = unicodedata.normalize("NFC", name)
        if not _new_member(tree, key, info.isdir()):
            continue
        tree.members[key] = name
        tree.marks[key] = f"{info.size} {info.mtime} {info.offset_data}"
        if not info.isreg():
            tree.faults[key] = "is no regular file inside the tar"
    return tree
