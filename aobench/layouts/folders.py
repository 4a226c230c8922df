"""Pictures in folders that name their attribute and object, whole in one folder or one below the
other.

Rules: the folders of splits (`aobench.layouts.splits`), where there are any, stand above all
others. One folder above everything (as many zips have) is passed over where it can be nothing else.
Where a pair list of the compositional zero-shot field or a list lies there, that says what is what,
and not the folders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from aobench.errors import UserError
from aobench.layouts.base import LabelledPicture, LabelledSet, LayoutOptions
from aobench.layouts.labels import ways_to_part
from aobench.layouts.list_file import list_files
from aobench.layouts.pair_lists import pair_list_roots
from aobench.layouts.report import LeftOut
from aobench.layouts.splits import split_role
from aobench.layouts.tree import FileTree


@dataclass
class FolderShape:
    """Pictures by how many folders stand above them, those of splits not counted."""

    tree: FileTree
    by_depth: dict[int, list[str]] = field(default_factory=dict)
    split_level: bool = False
    other_files: list[str] = field(default_factory=list)

    def folders_of(self, name: str) -> tuple[str, tuple[str, ...]]:
        """(split or "", folders below it) of a picture's name."""
        folders = tuple(name.split("/")[:-1])
        return (
            (folders[0], folders[1:])
            if self.split_level and folders
            else ("", folders)
        )


def folder_shape(tree: FileTree, options: LayoutOptions) -> FolderShape | None:
    """How the pictures of a tree lie in folders; None where other layouts say what is what."""
    if not tree.whole or pair_list_roots(tree) or list_files(tree):
        return None
    if "shape" not in tree.tables:
        tree.tables["shape"] = _shape(tree, options)
    shape: FolderShape = tree.tables["shape"]
    return shape


def _is_picture(name: str) -> bool:
    from imagenet_ao import ENDINGS

    return name.lower().endswith(tuple(ENDINGS))


def _shape(tree: FileTree, options: LayoutOptions) -> FolderShape:
    below = tree.below(_wrapper(tree, options))
    shape = FolderShape(below)
    names = sorted({*below.members, *below.faults})
    pictures = [name for name in names if _is_picture(name)]
    shape.other_files = [
        name for name in below.members if not _is_picture(name)
    ]
    shape.split_level = _has_split_level(
        {name.split("/")[0] for name in pictures if "/" in name}, below, options
    )
    for name in pictures:
        shape.by_depth.setdefault(len(shape.folders_of(name)[1]), []).append(
            name
        )
    return shape


def _has_split_level(
    first: set[str], tree: FileTree, options: LayoutOptions
) -> bool:
    splits = {name for name in first if split_role(name)}
    if options.attributes is not None and all(
        name in options.attributes for name in first
    ):
        return False
    if splits and splits != first:
        raise UserError(
            f"{tree.where}: the folder {min(splits)!r} has the name of a split, and "
            f"{min(first - splits)!r} beside it "
            "has not: put all label folders into folders of splits, or none"
        )
    return bool(splits)


def _wrapper(tree: FileTree, options: LayoutOptions) -> str:
    """The folder above everything that is passed over, with ``/`` at its end; "" where there is
    none."""
    pictures = [name for name in tree.members if _is_picture(name)]
    tops = {name.split("/")[0] for name in pictures}
    if len(tops) != 1 or not all("/" in name for name in pictures):
        return ""
    top = tops.pop()
    inner = {tuple(name.split("/")[1:-1]) for name in pictures}
    if split_role(top) or not all(inner):
        return ""
    first = {folders[0] for folders in inner}
    if min(len(folders) for folders in inner) > 1 or all(
        split_role(name) for name in first
    ):
        rest = _wrapper(tree.below(f"{top}/"), options)
        return f"{top}/{rest}"
    if options.layout in ("label-folders", "attribute-folders"):
        return f"{top}/" if options.layout == "label-folders" else ""
    return f"{top}/" if _is_above_labels(tree, top, first, options) else ""


def _is_above_labels(
    tree: FileTree, top: str, labels: set[str], options: LayoutOptions
) -> bool:
    """Whether ``top`` is a mere folder above label folders, and not an attribute above objects."""
    if options.attributes is not None:
        return top not in options.attributes
    if not all(ways_to_part(label) for label in labels):
        return False
    if tree.zipped and top == Path(tree.place).stem:
        return True
    raise UserError(
        f"{tree.where} holds the one folder {top!r}, which may be an attribute (layout "
        "attribute-folders) or a folder "
        f"above labels such as {min(labels)!r} (label-folders): name one with layout=, or give the "
        "folder in it"
    )


def shape_of(tree: FileTree, options: LayoutOptions) -> FolderShape:
    """As `folder_shape`; UserError where a list or pair lists say what is what, or there is no
    picture."""
    shape = folder_shape(tree, options)
    if shape is None:
        raise UserError(
            f"{tree.where} holds lists, which say what is what: take another layout, or move them "
            "away"
        )
    return shape


def labelled_set(
    shape: FolderShape,
    depth: int,
    pair_of: dict[tuple[str, ...], tuple[str, str]],
) -> LabelledSet:
    """The pictures ``depth`` folders deep, by the pair of their folders; what else is there is
    counted."""
    tree, left_out = shape.tree, LeftOut()
    pictures = []
    for name in shape.by_depth.get(depth, []):
        split, folders = shape.folders_of(name)
        pair = pair_of.get(folders)
        if pair is None:
            left_out.add("unknown_label", "/".join(folders))
        else:
            pictures.append(LabelledPicture(name, name, -1, *pair, split, name))
    for other in sorted(shape.by_depth.keys() - {depth}):
        for name in shape.by_depth[other]:
            left_out.add("other_depth" if other else "no_label_folder", name)
    for name in sorted(shape.other_files):
        left_out.add("not_a_picture", name)
    for name in empty_folders(tree):
        left_out.add("empty_folder", name)
    return LabelledSet(tree, pictures, left_out)


def empty_folders(tree: FileTree) -> list[str]:
    """Folders with nothing in them, not even a folder."""
    full = {
        name.rpartition("/")[0]
        for name in (*tree.members, *tree.faults, *tree.folders)
    }
    return sorted(tree.folders - full - {""})
