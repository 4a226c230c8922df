"""The table of forms that ImageNet comes in, and the one entrance. A form more is one file and one
line here."""

from __future__ import annotations

import re
from pathlib import Path

from aobench.errors import UserError
from aobench.layouts.base import Layout, LayoutOptions
from aobench.layouts.imagenet.files import FILE_NAMES, FOLDERS
from aobench.layouts.imagenet.form import ClassData, one_class_form
from aobench.layouts.imagenet.lists import VALIDATION
from aobench.layouts.imagenet.tables import TABLES, fetch_tables
from aobench.layouts.imagenet.wnids import is_picture
from aobench.layouts.tree import TAR_ENDING, FileTree, open_tree

FORMS: tuple[Layout, ...] = (FOLDERS, FILE_NAMES, VALIDATION, TABLES)

#: What a dataset's id on the Hub looks like.
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def read_imagenet(path: str) -> ClassData:
    """Pictures of ImageNet's classes, whatever form they come in.

    Args:
        path: a folder, a zip or a tar of pictures, Parquet with labels, or a dataset's id on the
            Hub, of which the Parquet files of its validation split are fetched.

    Returns:
        The pictures with their wnids, and a report. No picture is read.

    Raises:
        UserError: one line that says what is wrong, where, and how to mend it.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp(), "n07753592"); folder.mkdir()
        >>> _ = (folder / "1.png").write_bytes(b"")
        >>> data = read_imagenet(str(folder.parent))
        >>> data.report.layout, data.report.images, data.pictures[0].sample_id
        ('wnid-folders', 1, 'n07753592/1.png')
    """
    if not Path(path).expanduser().exists() and HUB_ID.fullmatch(path):
        path = fetch_tables(path)
    tree = _opened(path)
    options = LayoutOptions()
    evidence = [
        (form, proof)
        for form in FORMS
        if (proof := form.recognise(tree, options)) is not None
    ]
    if not evidence:
        raise UserError(f"{tree.where} {_lack(tree)}")
    if len(evidence) > 1:
        both = " and ".join(
            f"{form.name} ({proof})" for form, proof in evidence
        )
        raise UserError(
            f"{tree.where} holds ImageNet in two forms at once, {both}: give the folder of one"
        )
    form = evidence[0][0]
    return one_class_form(form, form.read(tree, options))


def _opened(path: str) -> FileTree:
    """The tree of ``path``; of a folder that holds a tar and no picture, the tar's."""
    tree = open_tree(path)
    if tree.zipped or any(map(is_picture, tree.members)):
        return tree
    tars = [name for name in tree.members if name.lower().endswith(TAR_ENDING)]
    if len(tars) > 1:
        raise UserError(
            f"{tree.where} holds {len(tars)} tars, {tars[0]} and {tars[1]}: give one of them"
        )
    return open_tree(f"{tree.place}/{tree.member(tars[0])}") if tars else tree


def _lack(tree: FileTree) -> str:
    """Why no form fits, and what would."""
    pictures = [name for name in tree.members if is_picture(name)]
    forms = "; ".join(f"{form.name}: {form.looks}" for form in FORMS)
    if not pictures:
        return f"holds no pictures of ImageNet ({forms})"
    return (
        f"holds {len(pictures):,} pictures, such as {min(pictures)!r}, and nothing says their "
        "ImageNet classes: put ILSVRC2012_validation_ground_truth.txt or LOC_val_solution.csv "
        f"beside them, or give one of these forms: {forms}"
    )
