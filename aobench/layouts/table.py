"""The table of layouts, and the one entrance. A layout more is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from aobench.errors import UserError, did_you_mean
from aobench.layouts.attribute_folders import LAYOUT as ATTRIBUTE_FOLDERS
from aobench.layouts.base import Layout, LayoutOptions
from aobench.layouts.c_gqa import LAYOUT as C_GQA
from aobench.layouts.columns import read_columns
from aobench.layouts.form import LayoutData, one_form
from aobench.layouts.label_folders import LAYOUT as LABEL_FOLDERS
from aobench.layouts.list_file import LAYOUT as LIST_FILE
from aobench.layouts.lists import list_columns
from aobench.layouts.mit_states import LAYOUT as MIT_STATES
from aobench.layouts.names import read_names
from aobench.layouts.tree import LIST_ENDINGS, FileTree, open_tree
from aobench.layouts.ut_zappos import LAYOUT as UT_ZAPPOS
from aobench.layouts.vaw_czsl import LAYOUT as VAW_CZSL

LAYOUTS: tuple[Layout, ...] = (
    LABEL_FOLDERS,
    ATTRIBUTE_FOLDERS,
    LIST_FILE,
    MIT_STATES,
    UT_ZAPPOS,
    C_GQA,
    VAW_CZSL,
)


def read_layout(
    path: str,
    layout: str | None = None,
    attributes: str | None = None,
    objects: str | None = None,
    with_train: bool = False,
    columns: str | Mapping[str, str] | None = None,
) -> LayoutData:
    """One's own pictures in one form, whatever they are laid out as.

    Args:
        path: a folder, a zip, or a list (``.csv``, ``.jsonl``, ``.parquet``).
        layout: the name of the only layout to try; by default the one that is recognised.
        attributes: a text file of the attributes, one a line; by default they come from the data.
        objects: a text file of the objects, likewise.
        with_train: take training pictures, too, as split ``train``.
        columns: what a list calls its columns, where not as the layout does: ``file=path,
            attribute=state``, or a mapping.

    Returns:
        The pictures by split (``id``: pairs that were seen, ``ood``: novel pairs), and a report of
        what was recognised and left out. No picture is read.

    Raises:
        UserError: one line that says what is wrong, where, and how to mend it.

    Example:
        >>> from pathlib import Path; from tempfile import mkdtemp
        >>> folder = Path(mkdtemp(), "red_ambulance"); folder.mkdir()
        >>> _ = (folder / "1.png").write_bytes(b"")
        >>> data = read_layout(str(folder.parent))
        >>> data.report.layout, data.report.images, data.splits["ood"][0].object
        ('label-folders', {'ood': 1}, 'ambulance')
    """
    options = LayoutOptions(
        layout,
        read_names(attributes, "attributes") if attributes else None,
        read_names(objects, "objects") if objects else None,
        with_train,
    )
    known = {one.name: one for one in LAYOUTS}
    if layout is not None and layout not in known:
        raise UserError(
            f"{layout!r} is not a layout{did_you_mean(layout, known)}; known are {', '.join(known)}"
        )
    tree = open_tree(path)
    tree.columns = read_columns(columns)
    chosen = (
        known[layout] if layout is not None else recognise_layout(tree, options)
    )
    return one_form(chosen, chosen.read(tree, options), options)


def recognise_layout(tree: FileTree, options: LayoutOptions) -> Layout:
    """The layout of a tree. Raises UserError where it has none, or two at once."""
    evidence = [
        (one, proof)
        for one in LAYOUTS
        if (proof := one.recognise(tree, options)) is not None
    ]
    if len(evidence) == 1:
        return evidence[0][0]
    if not evidence:
        kinds = "; ".join(f"{one.name}: {one.looks}" for one in LAYOUTS)
        held = (
            "is empty"
            if not tree.members
            else f"holds {min(tree.members)!r} and is in none of the known layouts"
        )
        raise UserError(f"{tree.where} {held}{_columns_hint(tree)} ({kinds})")
    both = " and ".join(f"{one.name} ({proof})" for one, proof in evidence)
    raise UserError(
        f"{tree.where} is in two layouts at once, {both}: keep one of them, or name one with "
        "layout="
    )


def _columns_hint(tree: FileTree) -> str:
    """What the columns of a table are, where there is one that may be a list by other names."""
    names = sorted(
        name for name in tree.members if name.lower().endswith(LIST_ENDINGS)
    )
    columns = list_columns(tree, names[0]) if names else []
    if len(columns) < 2:
        return ""
    return (
        f"; {names[0]} has the columns {', '.join(columns)}: say which is which, by "
        "columns= (--columns image=COLUMN,attribute=COLUMN,object=COLUMN)"
    )
