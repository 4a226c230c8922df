"""Wnids in the names of folders and files."""

from __future__ import annotations

import re

WNID = re.compile(r"n\d{8}")
NAMED = re.compile(r"(n\d{8})_.+|.+_(n\d{8})\.\w+")


def is_picture(name: str) -> bool:
    """Whether a file is a picture by its ending."""
    from imagenet_ao import ENDINGS

    return name.lower().endswith(tuple(ENDINGS))


def folder_of(name: str) -> str:
    """The name of the folder right above a file; "" at the root."""
    parts = name.split("/")
    return parts[-2] if len(parts) > 1 else ""


def in_wnid_folder(name: str) -> bool:
    """Whether a file stands in a folder that is named by a wnid.

    Example:
        >>> in_wnid_folder("val/n07753592/1.png"), in_wnid_folder("n07753592.png")
        (True, False)
    """
    return WNID.fullmatch(folder_of(name)) is not None


def wnid_in_name(name: str) -> str | None:
    """The wnid that a picture's own name begins or ends with, if any.

    Example:
        >>> wnid_in_name("n07753592_1.png"), wnid_in_name("1_n07753592.png")
        ('n07753592', 'n07753592')
    """
    named = NAMED.fullmatch(name.rpartition("/")[2])
    return named[1] or named[2] if named else None
