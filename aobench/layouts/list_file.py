"""Layout list: one CSV, JSONL or Parquet file that names pictures with their attribute, object and
split.

Columns: ``file``, ``file_name`` or ``image`` (a path relative to the list's folder; in Parquet also
the picture itself, as bytes or as the struct of ``datasets``), ``attribute``, ``object``, and
``split`` where there are splits (`aobench.layouts.splits`; without them all pairs are taken as
novel). Where a list calls them otherwise, ``columns`` says how. Parquet may come in parts, as
`datasets` writes it; then the names of the files tell the splits. In Parquet a ``sample_id`` is
kept. Pictures in the list's folder or below that the list
doesn't name are counted; where the list itself is given, and not its folder, nobody looks for them.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable

from aobench.errors import UserError
from aobench.layouts.base import (
    LabelledPicture,
    LabelledSet,
    Layout,
    LayoutOptions,
)
from aobench.layouts.lists import (
    PICTURE_COLUMNS,
    PictureList,
    list_columns,
    read_list,
)
from aobench.layouts.names import has_control_characters
from aobench.layouts.report import LeftOut
from aobench.layouts.splits import refuse_unknown_splits, table_split
from aobench.layouts.tree import LIST_ENDINGS, FileTree

#: The end of a name of which there are several: ``train-00000-of-00014.parquet``.
PART = re.compile(r"-\d{5}-of-\d{5}\.parquet$")


def list_files(tree: FileTree) -> list[str]:
    """Names of the lists at the root of a tree, or in the one folder that it holds."""
    if "lists" not in tree.tables:
        tree.tables["lists"] = [
            name
            for name in _candidates(tree)
            if not tree.whole or _is_list(tree, name)
        ]
    names: list[str] = tree.tables["lists"]
    return names


def _candidates(tree: FileTree) -> list[str]:
    names = sorted(
        name for name in tree.members if name.lower().endswith(LIST_ENDINGS)
    )
    if len(names) > 1 and are_parts(names):
        return names
    tops = {name.split("/")[0] for name in tree.members}
    depth = (
        1 if len(tops) == 1 and all("/" in name for name in tree.members) else 0
    )
    return [name for name in names if name.count("/") == depth]


def are_parts(names: Iterable[str]) -> bool:
    """Whether tables are one set in parts: Parquet by split or numbered, as `datasets` writes it.

    Example:
        >>> are_parts(["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"])
        True
    """
    return all(
        name.lower().endswith(".parquet")
        and (table_split(name) or PART.search(name))
        for name in names
    )


def _is_list(tree: FileTree, name: str) -> bool:
    """Whether two of the three columns that matter are there; the third is missed when it is
    read."""
    columns = {column.casefold() for column in list_columns(tree, name)}
    return (
        bool(columns & set(PICTURE_COLUMNS))
        + ("attribute" in columns)
        + ("object" in columns)
    ) > 1


def recognise(tree: FileTree, options: LayoutOptions) -> str | None:
    """The name of a list."""
    return next(iter(list_files(tree)), None)


def read(tree: FileTree, options: LayoutOptions) -> LabelledSet:
    """The pictures that the list names."""
    names = list_files(tree) or _candidates(tree)
    if not names:
        raise UserError(
            f"{tree.where} holds no list: a file that ends in {', '.join(LIST_ENDINGS)}"
        )
    if are_parts(names) and len(names) > 1:
        return _joined(tree, names)
    if len(names) > 1:
        raise UserError(
            f"{tree.where} holds {len(names)} lists, {names[0]} and {names[1]}: give one of them "
            "instead of the folder"
        )
    folder, _, name = names[0].rpartition("/")
    below = tree.below(f"{folder}/" if folder else "")
    return _labelled_set(below, read_list(below, name))


def _joined(tree: FileTree, names: list[str]) -> LabelledSet:
    """The pictures of Parquet files that are parts of one set; a file's name tells their split."""
    pictures: list[LabelledPicture] = []
    for name in names:
        table = read_list(tree, name)
        if not any(table.splits):
            table.splits = [table_split(name)] * len(table)
        if table.sample_ids is None:
            stem = name.rpartition(".")[0]
            table.sample_ids = [
                f"{stem}/{row:08d}" for row in range(len(table))
            ]
        pictures += _labelled_set(tree, table).pictures
    left_out = LeftOut()
    count_unnamed_pictures(
        tree, [picture.member for picture in pictures], left_out
    )
    return LabelledSet(tree, pictures, left_out)


def _labelled_set(tree: FileTree, table: PictureList) -> LabelledSet:
    where = f"{tree.where}/{table.name}"
    if not len(table):
        raise UserError(f"{where} names no picture")
    for column in ("attribute", "object"):
        for number, value in enumerate(getattr(table, f"{column}s"), start=1):
            if not value.strip() or has_control_characters(value):
                raise UserError(
                    f"{where}, row {number:,}: the {column} is {value!a}; write its name, or "
                    "remove it"
                )
    left_out = LeftOut()
    splits = _splits(table.splits, where)
    attributes = [
        unicodedata.normalize("NFC", value).strip()
        for value in table.attributes
    ]
    objects = [
        unicodedata.normalize("NFC", value).strip() for value in table.objects
    ]
    if table.files is None:
        members, rows = [table.name] * len(table), list(range(len(table)))
        ids = table.sample_ids or [f"row-{row:08d}" for row in rows]
    else:
        members = [
            _below(tree, file, f"{where}, row {n:,}")
            for n, file in enumerate(table.files, start=1)
        ]
        rows, ids = [-1] * len(table), members
    wheres = [
        f"{table.name}, row {number:,}" for number in range(1, len(table) + 1)
    ]
    pictures = [
        LabelledPicture(*values)
        for values in zip(
            ids, members, rows, attributes, objects, splits, wheres, strict=True
        )
    ]
    if tree.whole:
        count_unnamed_pictures(tree, members, left_out)
    return LabelledSet(tree, pictures, left_out)


def count_unnamed_pictures(
    tree: FileTree, members: Iterable[str], left_out: LeftOut, folder: str = ""
) -> None:
    """Count the pictures of a tree (below ``folder``) that are not among the ``members``."""
    from imagenet_ao import ENDINGS

    named = set(members)
    for name in sorted({*tree.members, *tree.faults} - named):
        if name.startswith(folder) and name.lower().endswith(tuple(ENDINGS)):
            left_out.add("not_on_the_list", name)


def _splits(values: list[str], where: str) -> list[str]:
    values = [value.strip() for value in values]
    if any(values) and not all(values):
        raise UserError(
            f"{where}, row {values.index('') + 1:,} has no split, but others have one; fill it in"
        )
    for number, value in enumerate(values, start=1):
        if value:
            refuse_unknown_splits([value], f"{where}, row {number:,}")
    return values


def _below(tree: FileTree, file: str, where: str) -> str:
    """The name in the tree of a path as a list writes it. UserError where that is empty or leads
    out of the folder."""
    if not file.strip() or has_control_characters(file):
        raise UserError(
            f"{where} names the picture {file!a}; write its path, relative to the list's folder"
        )
    if "://" in file:
        raise UserError(
            f"{where}: {file!r} is an address; fetch the picture and name its file"
        )
    path = unicodedata.normalize("NFC", file)
    if posixpath.isabs(path):
        path = os.path.relpath(path, tree.where).replace(os.sep, "/")
    path = posixpath.normpath(path)
    if path.split("/")[0] == ".." or path == ".":
        raise UserError(
            f"{where}: {file!r} leads out of the list's folder, {tree.where}: put the list into a "
            "folder above its "
            "pictures, and name them relative to it"
        )
    return path


LAYOUT = Layout(
    "list",
    "a CSV, JSONL or Parquet of file or image, attribute, object, split",
    recognise,
    read,
)
