"""The published lists of attributes and objects, and the objects' synonyms; data files beside this
module hold them.

`imagenet_ao` defines the lists and must stand alone; a test holds the files equal to it. They are
read from files because importing it brings ``datasets`` along, which takes half a second.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from aobench.csv_tables import read_csv_rows, whole_number
from aobench.files import read_text

HERE = Path(__file__).parent

#: The project's own sets, by the names of their configs; any other set is somebody's own.
OUR_SETS = ("v2", "mini")


class PublishedLists(NamedTuple):
    """``attributes``, and ``objects``: name -> (wnid, ImageNet index), in the order of
    `imagenet_ao`.
    """

    attributes: tuple[str, ...]
    objects: dict[str, tuple[str, int]]


@cache
def published_lists() -> PublishedLists:
    """The 129 attributes and 1,000 objects.

    Example:
        >>> published_lists().attributes[0], published_lists().objects["banana"]
        ('cracked', ('n07753592', 954))
    """
    attributes = read_text(HERE / "attributes.txt", "the list of attributes")
    objects = {}
    columns = ("object", "wnid", "index")
    for row in read_csv_rows(
        HERE / "objects.csv", columns, "the list of objects"
    ):
        index = whole_number(row["index"], f"the index of {row['object']}")
        objects[row["object"]] = row["wnid"], index
    return PublishedLists(tuple(attributes.splitlines()), objects)


@cache
def wordnet_lemmas() -> dict[str, tuple[str, ...]]:
    """WordNet 3.0 lemmas of the 1,000 ImageNet classes by wnid (Miller 1995; WordNet licence,
    see NOTICE.md).

    Example:
        >>> wordnet_lemmas()["n01440764"]
        ('tench', 'Tinca tinca')
    """
    rows = read_csv_rows(
        HERE / "lemmas.csv", ("wnid", "lemmas"), "the list of lemmas"
    )
    return {row["wnid"]: tuple(row["lemmas"].split("|")) for row in rows}


@cache
def devkit_order() -> tuple[int, ...]:
    """ImageNet's index of each class by its number in ILSVRC2012's development kit, less 1.

    The kit's ``ILSVRC2012_validation_ground_truth.txt`` numbers the classes from 1 in an order of
    its own (its ``meta.mat``), which is not that of the wnids.

    Example:
        >>> devkit_order()[0], devkit_order()[489]  # kit fox; sea snake, of the first picture
        (278, 65)
    """
    text = read_text(
        HERE / "devkit_order.txt", "the order of the development kit"
    )
    return tuple(map(int, text.split()))
