"""Which output of a classifier is which ImageNet class: by the names in its configuration.

Rules: a name is a wnid, or words that WordNet or this project has for a class ("tench, Tinca
tinca"); each
of the 1,000 classes is named once; a class called background is left out. A name of two classes
(crane)
goes to the one that no other name takes, or to the one whose place in ImageNet's order it has.
Classes
without names (LABEL_0, LABEL_1, ...) are taken in ImageNet's order, and that is said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from aobench.errors import UserError

if TYPE_CHECKING:
    import torch

N_CLASSES = 1000
BACKGROUND = (
    "background",
    "__background__",
    "_background_",
    "background class",
    "none",
)
WNID = re.compile(r"\bn\d{8}\b")
SHOWN = 3


@dataclass(frozen=True)
class ClassOrder:
    """``columns``: for each ImageNet class, by wnid, its place in the classifier's output.

    ``note`` says, for results.json, how they were recognised.
    """

    columns: tuple[int, ...]
    note: str

    def sorted_scores(self, scores: torch.Tensor) -> torch.Tensor:
        """N x 1000 in ImageNet's order, of the classifier's N x 1000 or 1001."""
        if self.columns == tuple(range(scores.shape[1])):
            return scores
        return scores[:, list(self.columns)]


def class_order(
    labels: Sequence[str] | None, count: int, model: str
) -> ClassOrder:
    """The order of a classifier's ``count`` outputs.

    Args:
        labels: the name of each output; None where nothing names them.
        count: how many outputs there are.
        model: what to call it in a message.

    Raises:
        UserError: where they are not ImageNet-1k's classes, or it can't be known which is which.

    Example:
        >>> class_order([f"LABEL_{i}" for i in range(1000)], 1000, "mine").note
        "unnamed: taken in ImageNet's order"
    """
    if count not in (N_CLASSES, N_CLASSES + 1):
        raise UserError(
            f"{model} tells {count} classes apart, not the 1000 of ImageNet-1k; "
            "name a classifier that was trained on ImageNet-1k"
        )
    if labels is None or all(
        _unnamed(label, place) for place, label in enumerate(labels)
    ):
        if count != N_CLASSES:
            raise UserError(
                f"{model} has 1,001 classes without names: which one is the background can't be "
                f"known; "
                "name them in id2label of config.json, with 'background'"
            )
        return ClassOrder(
            tuple(range(N_CLASSES)), "unnamed: taken in ImageNet's order"
        )
    places = [
        place
        for place, label in enumerate(labels)
        if str(label).strip().lower() not in BACKGROUND
    ]
    if len(labels) != count or len(places) != N_CLASSES:
        raise UserError(
            f"{model} names {len(places):,} classes besides the background for {count:,} outputs; "
            f"it "
            "takes the 1,000 of ImageNet-1k, named once each in id2label of config.json"
        )
    fitting = _assigned([str(labels[place]) for place in places], model)
    columns = [0] * N_CLASSES
    for place, index in zip(places, fitting, strict=True):
        columns[index] = place
    without = "" if count == N_CLASSES else "; the background is left out"
    moved = (
        "in ImageNet's order"
        if fitting == list(range(N_CLASSES))
        else "put into ImageNet's order"
    )
    return ClassOrder(tuple(columns), f"named, {moved}{without}")


def named_classes(
    labels: Sequence[str], where: str
) -> tuple[dict[int, int], str]:
    """ImageNet's index of each label of a table, by its number, and how they were recognised.

    All 1,000 classes in any order, with a background or without, or some of them; each by its name.

    Args:
        labels: the name of each number.
        where: what to call them in a message.

    Raises:
        UserError: where a name is no class of ImageNet-1k or may be two, or numbers have no names.

    Example:
        >>> named_classes(["banana", "n01440764"], "the labels")[0]
        {0: 954, 1: 0}
    """
    mend = "write wnids as the names of its ClassLabel, or add a column wnid"
    if all(_unnamed(label, place) for place, label in enumerate(labels)):
        raise UserError(
            f"{where}: its labels are numbers without names, so which class each is can't be "
            f"known: {mend}"
        )
    if len(labels) in (N_CLASSES, N_CLASSES + 1):
        try:
            order = class_order(labels, len(labels), where)
        except UserError as error:
            why = str(error).partition(";")[0].removeprefix(f"{where}: ")
            raise UserError(f"{where}: {why}; {mend}") from None
        return {place: i for i, place in enumerate(order.columns)}, order.note
    fitting = [_classes_of(label) for label in labels]
    for label, classes in zip(labels, fitting, strict=True):
        if len(classes) != 1:
            what = "may be two classes" if classes else "is no class"
            raise UserError(f"{where}: {label!r} {what} of ImageNet-1k; {mend}")
    indices = {place: min(classes) for place, classes in enumerate(fitting)}
    if len(set(indices.values())) < len(indices):
        raise UserError(
            f"{where}: two of its labels are one class of ImageNet-1k; {mend}"
        )
    return indices, f"{len(labels)} named classes"


def _unnamed(label: object, place: int) -> bool:
    return str(label).strip().upper() in (f"LABEL_{place}", str(place))


def _assigned(names: list[str], model: str) -> list[int]:
    """The ImageNet index of each of 1,000 names."""
    options = [_classes_of(name) for name in names]
    strange = [
        name
        for name, classes in zip(names, options, strict=True)
        if not classes
    ]
    if strange:
        raise UserError(
            f"{model}: {len(strange):,} of its 1,000 classes are not ImageNet-1k's: "
            f"{', '.join(map(repr, strange[:SHOWN]))}{', ...' if len(strange) > SHOWN else ''}; "
            f"name a classifier of "
            "ImageNet-1k, or write wnids (or LABEL_0, LABEL_1, ... for ImageNet's order) into "
            "id2label of config.json"
        )
    _narrow(options)
    unsure = [i for i, classes in enumerate(options) if len(classes) > 1]
    if all(i in options[i] for i in unsure):
        for i in unsure:
            options[i] = {i}
        unsure = []
    taken: dict[int, int] = {}
    for i, classes in enumerate(options):
        index = min(classes, default=-1)
        if i in unsure or index < 0 or index in taken:
            other = (
                names[taken[index]]
                if index in taken
                else names[unsure[-1] if unsure else i]
            )
            raise UserError(
                f"{model}: its classes {other!r} and {names[i]!r} may be one and the same class "
                f"of ImageNet-1k, so "
                "the others' places can't be known; write wnids into id2label of config.json"
            )
        taken[index] = i
    return [min(classes) for classes in options]


def _narrow(options: list[set[int]]) -> None:
    """Take what one name alone can be from the options of the others, as often as that helps."""
    settled: set[int] = set()
    while new := {min(c) for c in options if len(c) == 1} - settled:
        settled |= new
        for classes in options:
            if len(classes) > 1:
                classes -= settled


def _classes_of(name: str) -> set[int]:
    """Every class that a name may mean: by its wnid, else what its known synonyms agree on."""
    by_wnid, by_word = _tables()
    wnid = WNID.search(name)
    if wnid:
        return {by_wnid[wnid[0]]} if wnid[0] in by_wnid else set()
    whole = by_word.get(_plain(name))
    words = [_plain(part) for part in re.split(r"[,;|]", name)]
    known = (
        [whole]
        if whole
        else [by_word[word] for word in words if word in by_word]
    )
    return set(frozenset.intersection(*known)) if known else set()


def _plain(word: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", word).lower().split())


@cache
def _tables() -> tuple[dict[str, int], dict[str, frozenset[int]]]:
    """ImageNet's index by wnid, and indices by name: our own, and WordNet's lemmas."""
    from aobench.vocabulary.published import published_lists, wordnet_lemmas

    objects = published_lists().objects
    by_wnid = dict(objects.values())
    words: dict[str, set[int]] = {}
    for name, (_, index) in objects.items():
        words.setdefault(_plain(name), set()).add(index)
    for wnid, synonyms in wordnet_lemmas().items():
        for synonym in synonyms:
            words.setdefault(_plain(synonym), set()).add(by_wnid[wnid])
    return by_wnid, {
        word: frozenset(indices) for word, indices in words.items()
    }
