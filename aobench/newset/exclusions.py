"""Compositions that can't be in any set: names that clash or contain one another, and what the
user lists.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from aobench.audit.inflections import Forms
from aobench.audit.vocabulary import Vocabulary
from aobench.audit.words import split_words
from aobench.csv_tables import read_numbered_rows
from aobench.errors import UserError, did_you_mean

COLUMNS = ("attribute", "object")
#: Bytes of a folder's name; file systems take 255.
LONGEST = 200


def composition_label(attribute: str, name: str) -> str:
    """The folder of a composition's images, and the first part of their ids."""
    return f"{attribute}__{name}".replace(" ", "_")


def refuse_unfit(vocabulary: Vocabulary) -> None:
    """UserError for a composition whose name can't be a folder's, or is another's where file
    systems fold case.
    """
    seen: dict[str, tuple[str, str]] = {}
    for attribute in vocabulary.attributes:
        for name in vocabulary.objects:
            text = composition_label(attribute, name)
            if (
                not text.isprintable()
                or set(text) & {"/", "\\"}
                or text[0] == "."
                or len(text.encode()) > LONGEST
            ):
                raise UserError(
                    f"the composition {attribute[:80]!r} {name[:80]!r} can't be a file name; take "
                    "it out of the lists"
                )
            key = unicodedata.normalize("NFC", text).casefold()
            if key in seen:
                raise UserError(
                    f"the compositions {' '.join(seen[key])!r} and {f'{attribute} {name}'!r} would "
                    "have the same file "
                    f"names, {text}/...; take one out of the lists"
                )
            seen[key] = attribute, name


def same_words(vocabulary: Vocabulary) -> np.ndarray:
    """Compositions whose object's name holds a word of the attribute: a red red fox can't be
    asked for.
    """
    first = [set(split_words(name)) for name in vocabulary.attributes]
    second = [set(split_words(name)) for name in vocabulary.objects]
    return np.array([[bool(a & o) for o in second] for a in first])


def shadowed_pairs(
    vocabulary: Vocabulary, searched: Iterable[Vocabulary]
) -> np.ndarray:
    """Compositions whose words, attribute and then object, in any of their forms, stand together in
    another name.

    ``searched``: what audits looked for. An audit gives "a red fox" to the object red fox, where it
    looks for it, and neither to red nor to fox: that (red, fox) has no captions then says nothing.
    """
    first, second = (
        _by_form(vocabulary.attribute_forms),
        _by_form(vocabulary.object_forms),
    )
    shadowed = np.zeros(vocabulary.shape, bool)
    names = {one.hash: one for one in searched}.values()
    sequences = {
        s
        for one in names
        for forms in (*one.attribute_forms, *one.object_forms)
        for s in forms
    }
    for sequence in sequences:
        for start in range(len(sequence) - 1):
            for middle in range(start + 1, len(sequence)):
                for a in first.get(sequence[start:middle], ()):
                    for end in range(middle + 1, len(sequence) + 1):
                        shadowed[
                            a, list(second.get(sequence[middle:end], ()))
                        ] = True
    return shadowed


def longer_names(
    names: Sequence[str],
    forms: Sequence[Forms],
    searched: Sequence[str],
    theirs: Sequence[Forms],
) -> list[list[int]]:
    """For each name the places of those ``searched`` names, none of ``names``, that hold one of its
    forms as words.

    An audit that looked for them gave them captions that, searched for ``names`` alone, would be
    the shorter name's.
    """
    own, short = set(names), _by_form(forms)
    longer: list[list[int]] = [[] for _ in names]
    for place, (name, their) in enumerate(zip(searched, theirs, strict=True)):
        if name in own:
            continue
        parts = {
            s[i:j]
            for s in their
            for i in range(len(s))
            for j in range(i + 1, len(s) + 1)
        }
        for number in {
            number for part in parts for number in short.get(part, ())
        }:
            longer[number].append(place)
    return longer


def _by_form(every: Iterable[Forms]) -> dict[tuple[str, ...], list[int]]:
    numbers: dict[tuple[str, ...], list[int]] = {}
    for number, forms in enumerate(every):
        for sequence in forms:
            numbers.setdefault(sequence, []).append(number)
    return numbers


def excluded_pairs(
    path: Path, vocabulary: Vocabulary
) -> dict[tuple[int, int], str]:
    """The explicit exclusions: a CSV with the columns attribute, object, reason; an empty field
    means every one.
    """
    reasons: dict[tuple[int, int], str] = {}
    for line, row in read_numbered_rows(path, COLUMNS, "the exclusions"):
        where = f"{path}, line {line:,}"
        a, o = row["attribute"].strip(), row["object"].strip()
        if not (a or o):
            raise UserError(f"{where} names neither attribute nor object")
        why = " ".join((row.get("reason") or "").split()) or "no reason given"
        for i in _places(a, "attribute", vocabulary.attributes, where):
            for j in _places(o, "object", vocabulary.objects, where):
                reasons[i, j] = why
    return reasons


def _places(
    name: str, what: str, names: tuple[str, ...], where: str
) -> Iterable[int]:
    if not name:
        return range(len(names))
    if name not in names:
        raise UserError(
            f"{where}: {name!r} is not in the list of {what}s{did_you_mean(name, names)}"
        )
    return (names.index(name),)
