"""The one form that all pictures of ImageNet's classes are read into, and their rows.

Rules: a picture's class is a wnid of ImageNet-1k; one of another wnid is left out and counted. A
sample id is ``WNID/FILE NAME``, so that the same pictures have the same ids in each form. Classes
without a picture are counted and named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aobench.errors import UserError
from aobench.layouts.base import LabelledSet, Layout
from aobench.layouts.form import Picture, faulty_pictures, read_pictures
from aobench.layouts.report import left_out_texts
from aobench.vocabulary.published import published_lists


@dataclass(frozen=True)
class ClassReport:
    """What pictures of ImageNet were taken for, and what was left out."""

    layout: str  #: a name in ``aobench.layouts.imagenet.table``
    looks: str
    place: str  #: name of the folder or file, without the folders above it
    images: int
    classes: int  #: classes with a picture
    left_out: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The report as lines of text."""
        total = len(published_lists().objects)
        head = (
            f"id data     {self.layout}: {self.looks}; {self.images:,} images of "
            f"{self.classes:,} of ImageNet's {total:,} classes"
        )
        return [
            head,
            *(f"note        {note}" for note in self.notes),
            *(f"left out    {text}" for text in left_out_texts(self.left_out)),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON; what was left out stands elsewhere."""
        facts: Mapping[str, Any] = self.__dict__
        content = {k: v for k, v in facts.items() if k != "left_out"}
        return {**content, "notes": list(self.notes)}


@dataclass(frozen=True)
class ClassData:
    """Pictures of ImageNet's classes.

    Attributes:
        place: the folder, zip or tar, an absolute path.
        pictures: with a wnid as their object, and no attribute.
        report: what was recognised and what was left out.
        mark: 16 hex digits that change with anything above, and with size or time of a file.
    """

    place: str
    pictures: list[Picture]
    report: ClassReport
    mark: str

    def unreadable_images(self) -> list[str]:
        """``path (what is wrong)`` of each picture that can't be read. Reads all of them."""
        return faulty_pictures(self.place, self.pictures)


def class_names() -> dict[str, str]:
    """The published name of each wnid.

    Example:
        >>> class_names()["n07753592"]
        'banana'
    """
    return {wnid: name for name, (wnid, _) in published_lists().objects.items()}


def one_class_form(layout: Layout, labelled: LabelledSet) -> ClassData:
    """The pictures of a form of ImageNet. UserError where none is of a known class, or two have
    one name."""
    tree, left_out, names = labelled.tree, labelled.left_out, class_names()
    for name in sorted(tree.hidden):
        left_out.add("hidden", name)
    pictures: list[Picture] = []
    places: dict[str, str] = {}
    marks: list[str] = []
    for picture in labelled.pictures:
        if picture.object not in names:
            left_out.add(
                "unknown_class", f"{picture.sample_id}: {picture.object}"
            )
            continue
        member = tree.member(picture.member)
        if member is None:
            left_out.add(
                "row_without_picture", f"{picture.where}: {picture.member}"
            )
            continue
        other = places.setdefault(picture.sample_id, picture.where)
        if other != picture.where:
            raise UserError(
                f"{tree.where} holds {picture.sample_id!r} twice, {other} and {picture.where}: "
                "rename or remove one"
            )
        pictures.append(
            Picture(picture.sample_id, member, picture.row, "", picture.object)
        )
        marks.append(tree.marks[picture.member])
    if not pictures:
        reasons = "; ".join(left_out_texts(left_out.as_dict()))
        raise UserError(
            f"{tree.where} has no picture of a class of ImageNet-1k ({layout.name}); {reasons}"
        )
    shown = {picture.object for picture in pictures}
    for wnid in sorted(names.keys() - shown):
        left_out.add("class_without_picture", f"{wnid} {names[wnid]}")
    digest = hashlib.sha256()
    for mark, one in zip(marks, pictures, strict=True):
        digest.update(f"{tuple(one)}\0{mark}\n".encode())
    report = ClassReport(
        layout.name,
        layout.looks,
        tree.where.rpartition("/")[2],
        len(pictures),
        len(shown),
        left_out.as_dict(),
        tuple(labelled.notes),
    )
    ordered = sorted(
        pictures,
        key=lambda one: (one.member * (one.row >= 0), one.row, one.sample_id),
    )
    return ClassData(tree.place, ordered, report, digest.hexdigest()[:16])


def class_rows(
    place: str,
    pictures: Iterable[Picture],
    spelling: Mapping[int, str],
    warn: Any = None,
) -> Iterator[dict[str, Any]]:
    """Rows of `imagenet_ao` for pictures of ImageNet's classes.

    Args:
        place: `ClassData.place`.
        pictures: of it.
        spelling: by ImageNet's index the object's name in the set, where it is not the published
            one.
        warn: called with a message for each picture that can't be read; its row is kept.
    """
    names = class_names()
    index_of = dict(published_lists().objects.values())
    for picture, row in read_pictures(place, pictures, warn):
        index = index_of[picture.object]
        yield {
            **row,
            "attribute": None,
            "object": spelling.get(index, names[picture.object]),
            "wnid": picture.object,
            "imagenet_label": index,
        }
