"""ImageNet by the names of folders or files: ``WNID/picture``; ``WNID_picture`` or
``picture_WNID``.

Rules: the folder right above a picture decides. Where folders of wnids stand in several folders,
that of the validation split is taken, and the training split is counted; two others are refused. A
picture whose own name holds another wnid than its folder's is refused.
"""

from __future__ import annotations

from aobench.errors import UserError
from aobench.layouts.base import (
    LabelledPicture,
    LabelledSet,
    Layout,
    LayoutOptions,
)
from aobench.layouts.folders import empty_folders
from aobench.layouts.imagenet.lists import truth_files
from aobench.layouts.imagenet.wnids import (
    folder_of,
    in_wnid_folder,
    is_picture,
    wnid_in_name,
)
from aobench.layouts.report import LeftOut
from aobench.layouts.splits import split_role
from aobench.layouts.tree import FileTree


def _pictures(tree: FileTree) -> list[str]:
    if "pictures" not in tree.tables:
        names = {*tree.members, *tree.faults}
        tree.tables["pictures"] = sorted(
            name for name in names if is_picture(name)
        )
    names_of: list[str] = tree.tables["pictures"]
    return names_of


def _recognise_folders(tree: FileTree, options: LayoutOptions) -> str | None:
    """A picture in a folder of a wnid, where no list tells the classes of others."""
    names = _pictures(tree)
    if not all(map(in_wnid_folder, names)) and truth_files(tree):
        return None
    return next(filter(in_wnid_folder, names), None)


def _recognise_names(tree: FileTree, options: LayoutOptions) -> str | None:
    """A picture whose name holds a wnid, where no folder and no list tells the class."""
    names = _pictures(tree)
    if any(map(in_wnid_folder, names)):
        return None
    if not all(map(wnid_in_name, names)) and truth_files(tree):
        return None
    return next(filter(wnid_in_name, names), None)


def _read_folders(tree: FileTree, options: LayoutOptions) -> LabelledSet:
    left_out = LeftOut()
    inside = [name for name in _pictures(tree) if in_wnid_folder(name)]
    chosen = _chosen_parent(tree, {_parent(name) for name in inside})
    pictures = []
    for name in _pictures(tree):
        if not in_wnid_folder(name):
            left_out.add("no_label_folder", name)
        elif _parent(name) != chosen:
            role = split_role(_parent(name).rpartition("/")[2])
            left_out.add(
                "split_train" if role == "train" else "other_depth", name
            )
        else:
            pictures.append(_labelled(tree, name, folder_of(name)))
    _count_other_files(tree, left_out)
    for name in empty_folders(tree):
        left_out.add("empty_folder", name)
    return LabelledSet(tree, pictures, left_out)


def _parent(name: str) -> str:
    """The folder that holds a picture's folder."""
    return "/".join(name.split("/")[:-2])


def _chosen_parent(tree: FileTree, parents: set[str]) -> str:
    if len(parents) == 1:
        return next(iter(parents))
    validation = [
        parent
        for parent in sorted(parents)
        if split_role(parent.rpartition("/")[2]) == "val"
    ]
    if len(validation) == 1:
        return validation[0]
    first, second = sorted(parents)[:2]
    raise UserError(
        f"{tree.where} holds folders of wnids in {len(parents)} places, {first or '.'} and "
        f"{second}: give one of them"
    )


def _labelled(tree: FileTree, name: str, wnid: str) -> LabelledPicture:
    own = wnid_in_name(name)
    if own is not None and own != wnid:
        raise UserError(
            f"{tree.where}/{name} stands in the folder of {wnid} and is named by {own}: move it, "
            "or rename it"
        )
    sample_id = f"{wnid}/{name.rpartition('/')[2]}"
    return LabelledPicture(sample_id, name, -1, "", wnid, "", name)


def _read_names(tree: FileTree, options: LayoutOptions) -> LabelledSet:
    left_out, pictures = LeftOut(), []
    for name in _pictures(tree):
        wnid = wnid_in_name(name)
        if wnid is None:
            left_out.add("unknown_label", name)
        else:
            pictures.append(_labelled(tree, name, wnid))
    _count_other_files(tree, left_out)
    return LabelledSet(tree, pictures, left_out)


def _count_other_files(tree: FileTree, left_out: LeftOut) -> None:
    from imagenet_ao import DOCUMENTS, LITTER

    passed = (*DOCUMENTS, *LITTER)
    for name in sorted(tree.members):
        if not is_picture(name) and not name.lower().endswith(passed):
            left_out.add("not_a_picture", name)


FOLDERS = Layout(
    "wnid-folders", "WNID/picture", _recognise_folders, _read_folders
)
FILE_NAMES = Layout(
    "wnid-names", "WNID_picture or picture_WNID", _recognise_names, _read_names
)
