"""Layout label-folders: ``ATTRIBUTE OBJECT/picture`` or ``ATTRIBUTE_OBJECT/picture``, below folders
of splits or not.

How labels are parted: `aobench.layouts.labels`.
"""

from __future__ import annotations

from aobench.layouts.base import LabelledSet, Layout, LayoutOptions
from aobench.layouts.folders import folder_shape, labelled_set, shape_of
from aobench.layouts.labels import parse_labels
from aobench.layouts.tree import FileTree


def recognise(tree: FileTree, options: LayoutOptions) -> str | None:
    """A picture that stands one folder deep."""
    shape = folder_shape(tree, options)
    return shape.by_depth[1][0] if shape and 1 in shape.by_depth else None


def read(tree: FileTree, options: LayoutOptions) -> LabelledSet:
    """The pictures that stand one folder deep."""
    shape = shape_of(tree, options)
    labels = {
        shape.folders_of(name)[1][0] for name in shape.by_depth.get(1, [])
    }
    pairs = parse_labels(labels, options, shape.tree.where)
    return labelled_set(
        shape, 1, {(label,): pair for label, pair in pairs.items()}
    )


LAYOUT = Layout(
    "label-folders",
    "ATTRIBUTE OBJECT/picture or ATTRIBUTE_OBJECT/picture",
    recognise,
    read,
)
