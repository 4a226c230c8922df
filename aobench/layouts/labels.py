"""A label such as ``red_fire truck`` parted into attribute and object, or listed as one that can't
be.

Rules, of which the first that applies decides; nothing is guessed:
1. With a file of attributes or of objects (or both): a label is parted where both sides are known.
   One way is taken; no way means an unknown label; two ways (``red brick bakery`` with ``red``,
   ``red brick``, ``bakery`` and ``brick bakery``) are refused.
2. Each label of the set has exactly one underscore (or each exactly one space): that is where it is
   parted. Where both hold and disagree, that is refused.
3. Labels of two words are parted between them. Longer ones are refused: ``red brick bakery`` beside
   ``red car`` may be ``red`` + ``brick bakery`` or not, and other labels can make one likelier, but
   never certain.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from aobench.errors import UserError
from aobench.layouts.base import LayoutOptions

Pair = tuple[str, str]


def label_words(label: str) -> list[str]:
    """The words of a label, parted by spaces and underscores."""
    return re.split(
        r"[\s_]+", unicodedata.normalize("NFC", label).strip(" _\t")
    )


def ways_to_part(label: str) -> list[Pair]:
    """Every way to part a label into an attribute and an object.

    Example:
        >>> ways_to_part("red_brick bakery")
        [('red', 'brick bakery'), ('red brick', 'bakery')]
    """
    words = label_words(label)
    return [
        (" ".join(words[:size]), " ".join(words[size:]))
        for size in range(1, len(words))
    ]


def parse_labels(
    labels: Iterable[str], options: LayoutOptions, where: str
) -> dict[str, Pair]:
    """Attribute and object of each label; labels that name none are left out.

    Raises:
        UserError: where labels can be parted in more than one way; it names up to five of them.
    """
    wanted = sorted(set(labels))
    if options.attributes is not None or options.objects is not None:
        return _by_lists(wanted, options, where)
    long_enough = [label for label in wanted if ways_to_part(label)]
    if not long_enough:
        return {}
    readings = [
        x
        for x in (_by_separator(long_enough, c) for c in "_ ")
        if x is not None
    ]
    if len(readings) == 1 or (readings and readings[0] == readings[1]):
        return readings[0]
    if len(readings) == 2:
        _refuse(
            [x for x in long_enough if readings[0][x] != readings[1][x]], where
        )
    longer = [label for label in long_enough if len(ways_to_part(label)) > 1]
    if longer:
        _refuse(longer, where)
    return {label: ways_to_part(label)[0] for label in long_enough}


def _by_lists(
    labels: list[str], options: LayoutOptions, where: str
) -> dict[str, Pair]:
    pairs: dict[str, Pair] = {}
    ambiguous = []
    for label in labels:
        ways = [
            (attribute, name)
            for attribute, name in ways_to_part(label)
            if options.attributes is None or attribute in options.attributes
            if options.objects is None or name in options.objects
        ]
        if len(ways) > 1:
            ambiguous.append(label)
        elif ways:
            pairs[label] = ways[0]
    if ambiguous:
        _refuse(ambiguous, where)
    return pairs


def _by_separator(labels: list[str], separator: str) -> dict[str, Pair] | None:
    """Each label parted at its only ``separator``; None where one has none, or more."""
    pairs = {}
    for label in labels:
        attribute, _, name = unicodedata.normalize("NFC", label).partition(
            separator
        )
        if (
            separator in name
            or not attribute.strip(" _")
            or not name.strip(" _")
        ):
            return None
        pairs[label] = (
            " ".join(label_words(attribute)),
            " ".join(label_words(name)),
        )
    return pairs


def _refuse(labels: list[str], where: str) -> None:
    names = []
    for label in labels[:5]:
        ways = " or ".join(
            f"{attribute} + {name}"
            for attribute, name in ways_to_part(label)[:3]
        )
        names.append(f"{label!r} ({ways})")
    more = f" and {len(labels) - 5:,} more" if len(labels) > 5 else ""
    raise UserError(
        f"{where}: {len(labels):,} label(s) can be parted in more than one way: "
        f"{', '.join(names)}{more}; "
        "give text files of the attributes and the objects (attributes=, objects=), or use "
        "ATTRIBUTE/OBJECT folders"
    )
