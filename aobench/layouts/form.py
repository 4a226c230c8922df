"""The one form that every layout is read into, and its rows.

Here is done, once for all layouts: names as they are shown, splits, repeated rows, missing
pictures, the mark that changes with the content.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from aobench.errors import UserError, did_you_mean
from aobench.layouts.base import (
    LabelledPicture,
    LabelledSet,
    Layout,
    LayoutOptions,
)
from aobench.layouts.names import (
    NameList,
    has_control_characters,
    name_key,
    name_list,
)
from aobench.layouts.pictures import PictureReader
from aobench.layouts.report import EXAMPLES, LayoutReport, left_out_texts
from aobench.layouts.splits import place_in_splits

SPLITS = ("train", "id", "ood")


class Picture(NamedTuple):
    """One picture of the one form."""

    sample_id: str  #: relative path, unique in the set
    member: str  #: path inside the place, or the Parquet file that holds it
    row: int  #: row of that Parquet file, or -1
    attribute: str  #: as it is shown
    object: str


@dataclass(frozen=True)
class LayoutData:
    """One's own data in one form.

    Attributes:
        place: the folder or the zip, an absolute path.
        attributes: names of all attributes, as they are shown, in alphabetical order.
        objects: names of all objects, likewise.
        splits: pictures of each split: ``id`` (pairs that were seen), ``ood`` (novel pairs),
            ``train``.
        report: what was recognised and what was left out.
        mark: 16 hex digits that change with anything above, and with size or time of a picture's
            file.
    """

    place: str
    attributes: list[str]
    objects: list[str]
    splits: dict[str, list[Picture]]
    report: LayoutReport
    mark: str

    def unreadable_images(self) -> list[str]:
        """``path (what is wrong)`` of each picture that can't be read. Reads all of them."""
        pictures = [
            picture for split in self.splits.values() for picture in split
        ]
        return faulty_pictures(self.place, pictures)


def faulty_pictures(place: str, pictures: Iterable[Picture]) -> list[str]:
    """``sample id (what is wrong)`` of each picture of one place that can't be read. Reads all."""
    read = PictureReader(place)
    faults = (
        (picture, read(picture.member, picture.row)[1]) for picture in pictures
    )
    return [
        f"{picture.sample_id} ({fault})" for picture, fault in faults if fault
    ]


def one_form(
    layout: Layout, labelled: LabelledSet, options: LayoutOptions
) -> LayoutData:
    """The pictures of a layout in the one form.

    Raises:
        UserError: for names that fall together, splits that contradict each other, one picture with
            two labels, a picture that is named and missing, and where nothing is left.
    """
    tree, left_out = labelled.tree, labelled.left_out
    for name in sorted(tree.hidden):
        left_out.add("hidden", name)
    pictures = _without_twins(labelled)
    pictures, attributes = _known_names(
        pictures, labelled, options.attributes, "attribute"
    )
    pictures, objects = _known_names(
        pictures, labelled, options.objects, "object"
    )
    objects = _published_names(objects, tree.where)
    if not pictures:
        reasons = "; ".join(left_out_texts(left_out.as_dict()))
        raise UserError(
            f"{tree.where} has no picture of a known attribute and object ({layout.name}); "
            f"{reasons}"
        )

    def pair_of(picture: LabelledPicture) -> tuple[str, str]:
        return attributes.shown(picture.attribute), objects.shown(
            picture.object
        )

    placed, meanings = place_in_splits(
        pictures, pair_of, options.with_train, left_out, tree.where
    )
    members = _members(labelled, [picture for _, picture in placed])
    splits: dict[str, list[Picture]] = {}
    for split in SPLITS:
        chosen = [picture for name, picture in placed if name == split]
        rows = [
            Picture(p.sample_id, members[p.member], p.row, *pair_of(p))
            for p in chosen
        ]
        if rows:
            splits[split] = sorted(
                rows, key=lambda picture: (picture.row, picture.sample_id)
            )
    notes = [*labelled.notes, *_alike_notes(splits)]
    report = LayoutReport(
        layout=layout.name,
        looks=layout.looks,
        place=Path(tree.where).name,
        images={split: len(rows) for split, rows in splits.items()},
        attributes=len(attributes),
        objects=len(objects),
        names={
            "attributes": list(attributes.by_key.values())[:EXAMPLES],
            "objects": list(objects.by_key.values())[:EXAMPLES],
        },
        seen_pairs=len(_pairs(splits, "train", "id")),
        novel_pairs=len(_pairs(splits, "ood")),
        imagenet_objects=sum(
            imagenet_class(name)[0] is not None
            for name in objects.by_key.values()
        ),
        splits=labelled.splits if labelled.splits is not None else meanings,
        left_out=left_out.as_dict(),
        notes=tuple(notes),
    )
    names = list(attributes.by_key.values()), list(objects.by_key.values())
    return LayoutData(
        tree.place, *names, splits, report, _mark(labelled, names, splits)
    )


def _without_twins(labelled: LabelledSet) -> list[LabelledPicture]:
    """Each picture once. UserError where one is named twice with another label or split."""
    first: dict[str, LabelledPicture] = {}
    for picture in labelled.pictures:
        other = first.setdefault(picture.sample_id, picture)
        if other is picture:
            if has_control_characters(picture.sample_id):
                raise UserError(
                    f"{labelled.tree.where}: the name {picture.sample_id!a} holds a line end or "
                    "another control character; rename it"
                )
            continue
        for what in ("attribute", "object", "split"):
            values = getattr(other, what), getattr(picture, what)
            if values[0] != values[1]:
                raise UserError(
                    f"{labelled.tree.where}: the picture {picture.sample_id} has the {what} "
                    f"{values[0]!r} at "
                    f"{other.where} and {values[1]!r} at {picture.where}: keep one of them"
                )
        labelled.left_out.add("row_twice", picture.sample_id)
    return list(first.values())


def _known_names(
    pictures: list[LabelledPicture],
    labelled: LabelledSet,
    names: NameList | None,
    what: str,
) -> tuple[list[LabelledPicture], NameList]:
    """The pictures whose attribute (or object) is known, and the list of names."""
    if names is None:
        own = labelled.attributes if what == "attribute" else labelled.objects
        distinct_names = (
            own
            if own is not None
            else {getattr(picture, what) for picture in pictures}
        )
        return pictures, name_list(
            distinct_names, f"the {what}s of {labelled.tree.where}"
        )
    known = []
    for picture in pictures:
        if getattr(picture, what) in names:
            known.append(picture)
        else:
            labelled.left_out.add(
                f"unknown_{what}",
                f"{picture.sample_id}: {getattr(picture, what)}",
            )
    return known, names


def imagenet_class(name: str) -> tuple[str | None, int | None]:
    """(wnid, index) of the ImageNet class that has this published name or wnid; (None, None) where
    none has.

    Example:
        >>> imagenet_class("Ambulance"), imagenet_class("n02701002"), imagenet_class("sofa")
        (('n02701002', 407), ('n02701002', 407), (None, None))
    """
    from imagenet_ao import _BY_WNID, OBJECTS

    key = name_key(name)
    return (
        OBJECTS.get(key) or OBJECTS.get(_BY_WNID.get(key, "")) or (None, None)
    )


def _published_names(objects: NameList, where: str) -> NameList:
    """The list with a wnid shown by its class's published name, since a prompt can't say a wnid."""
    from imagenet_ao import _BY_WNID

    by_key = {
        key: _BY_WNID.get(key, shown) for key, shown in objects.by_key.items()
    }
    if by_key == objects.by_key:
        return objects
    twice = [
        name
        for name, count in Counter(map(name_key, by_key.values())).items()
        if count > 1
    ]
    if twice:
        raise UserError(
            f"the objects of {where}: {twice[0]!r} stands by its name and by its wnid; use one of "
            "them"
        )
    return NameList(dict(sorted(by_key.items(), key=lambda item: item[1])))


def _members(
    labelled: LabelledSet, pictures: list[LabelledPicture]
) -> dict[str, str]:
    """Path inside the place of each file that holds a picture. UserError that names those that are
    missing."""
    tree, members = labelled.tree, {}
    missing: dict[str, str] = {}
    for picture in pictures:
        if picture.member in members or picture.member in missing:
            continue
        member = tree.member(picture.member)
        if member is None:
            missing[picture.member] = picture.where
        else:
            members[picture.member] = member
    if missing:
        names = ", ".join(
            f"{name} ({where})" for name, where in list(missing.items())[:5]
        )
        more = f" and {len(missing) - 5:,} more" if len(missing) > 5 else ""
        hint = (
            did_you_mean(next(iter(missing)), tree.members)
            if len(tree.members) < 100_000
            else ""
        )
        raise UserError(
            f"{tree.where}: {len(missing):,} of {len(pictures):,} pictures that are named are "
            f"missing: {names}{more}"
            f"{hint}; put them there, or remove their rows"
        )
    return members


def _pairs(
    splits: dict[str, list[Picture]], *names: str
) -> set[tuple[str, str]]:
    return {
        (picture.attribute, picture.object)
        for name in names
        for picture in splits.get(name, [])
    }


def _alike_notes(splits: dict[str, list[Picture]]) -> list[str]:
    """A note where two pairs make the same text, such as red + brick wall and red brick + wall."""
    texts = Counter(" ".join(pair) for pair in _pairs(splits, *SPLITS))
    alike = sorted(text for text, count in texts.items() if count > 1)
    if not alike:
        return []
    return [
        f"{len(alike):,} text(s) are made by two pairs, which no model can tell apart: "
        f"{', '.join(alike[:5])}"
    ]


def _mark(
    labelled: LabelledSet,
    names: tuple[list[str], list[str]],
    splits: dict[str, list[Picture]],
) -> str:
    marks = {
        labelled.tree.members[name]: mark
        for name, mark in labelled.tree.marks.items()
    }
    digest = hashlib.sha256(repr((labelled.tree.prefix, names)).encode())
    for split, pictures in splits.items():
        for picture in pictures:
            digest.update(
                f"{split}\0{tuple(picture)}\0{marks[picture.member]}\n".encode()
            )
    return digest.hexdigest()[:16]


def picture_rows(
    place: str, pictures: Iterable[Picture], warn: Any = None
) -> Iterator[dict[str, Any]]:
    """Rows of `imagenet_ao` for pictures of one place.

    Args:
        place: `LayoutData.place`.
        pictures: of one split.
        warn: called with a message for each picture that can't be read; its row is kept.
    """
    for picture, row in read_pictures(place, pictures, warn):
        wnid, index = imagenet_class(picture.object)
        yield {
            **row,
            "attribute": picture.attribute,
            "object": picture.object,
            "wnid": wnid,
            "imagenet_label": index,
        }


def read_pictures(
    place: str, pictures: Iterable[Picture], warn: Any = None
) -> Iterator[tuple[Picture, dict[str, Any]]]:
    """Each picture with the part of its row that is the file's: image, ids, digest."""
    read = PictureReader(place)
    for picture in pictures:
        data, fault = read(picture.member, picture.row)
        if fault and warn:
            warn(
                "%s in %s cannot be read: %s. Its row is kept.",
                picture.sample_id,
                place,
                fault,
            )
        yield (
            picture,
            {
                "image": {"bytes": data, "path": None},
                "sample_id": picture.sample_id,
                "source": picture.member,
                "sha256": hashlib.sha256(data).hexdigest(),
            },
        )
