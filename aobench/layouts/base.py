"""What a layout is, and what it gives: pictures with the names of their attribute and object.

A layout is one file with a `Layout`. ``recognise`` looks at the tree and answers with what speaks
for this layout, or None; ``read`` gives a `LabelledSet`. Everything that all layouts share (names,
splits, duplicates, missing pictures) is done once, in ``form.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from aobench.layouts.names import NameList
from aobench.layouts.report import LeftOut
from aobench.layouts.tree import FileTree


class LabelledPicture(NamedTuple):
    """One picture as a layout names it."""

    sample_id: str  #: relative path, NFC
    member: str  #: path in the tree, or the Parquet file that holds it
    row: int  #: row of that Parquet file, or -1
    attribute: str  #: as it is written in the data
    object: str  #: as it is written in the data
    split: str  #: name of its split in the data, or "" where there are none
    where: str  #: where it is named, for messages


@dataclass
class LabelledSet:
    """All pictures of a layout, before names and splits are settled."""

    tree: FileTree  #: its root is the set's own folder
    pictures: list[LabelledPicture]
    left_out: LeftOut
    attributes: list[str] | None = (
        None  #: the whole list, where the layout has one
    )
    objects: list[str] | None = None
    splits: dict[str, str] | None = (
        None  #: what its splits mean, where the layout settles it itself
    )
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LayoutOptions:
    """What the user says about the data."""

    layout: str | None = None  #: the only layout to try
    attributes: NameList | None = None
    objects: NameList | None = None
    with_train: bool = False


@dataclass(frozen=True)
class Layout:
    """One way to lay out pictures of attribute-object pairs.

    Attributes:
        name: what ``layout=`` takes.
        looks: what such data looks like, in a few words.
        recognise: what speaks for this layout in a tree, such as a path; None where nothing does.
        read: the pictures of a tree. Raises UserError.
    """

    name: str
    looks: str
    recognise: Callable[[FileTree, LayoutOptions], str | None]
    read: Callable[[FileTree, LayoutOptions], LabelledSet]
