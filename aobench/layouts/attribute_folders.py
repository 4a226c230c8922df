"""Layout attribute-folders: ``ATTRIBUTE/OBJECT/picture``, below folders of splits or not."""

from __future__ import annotations

from aobench.layouts.base import LabelledSet, Layout, LayoutOptions
from aobench.layouts.folders import folder_shape, labelled_set, shape_of
from aobench.layouts.tree import FileTree


def recognise(tree: FileTree, options: LayoutOptions) -> str | None:
    """A picture that stands two folders deep."""
    shape = folder_shape(tree, options)
    return shape.by_depth[2][0] if shape and 2 in shape.by_depth else None


def read(tree: FileTree, options: LayoutOptions) -> LabelledSet:
    """The pictures that stand two folders deep."""
    shape = shape_of(tree, options)
    folders = {shape.folders_of(name)[1] for name in shape.by_depth.get(2, [])}
    return labelled_set(
        shape, 2, {pair: (pair[0], pair[1]) for pair in folders}
    )


LAYOUT = Layout(
    "attribute-folders", "ATTRIBUTE/OBJECT/picture", recognise, read
)
