"""The attributes and objects that an audit looks for, with their forms."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from aobench.audit.inflections import (
    SPOKEN,
    Forms,
    attribute_forms,
    object_forms,
)
from aobench.audit.words import ends_within, normal_form, split_words
from aobench.errors import UserError
from aobench.files import read_lines
from aobench.vocabulary.published import published_lists, wordnet_lemmas


@dataclass(frozen=True)
class Vocabulary:
    """Attributes and objects in the order of the matrix, and each object's synonyms where they
    are to count.
    """

    attributes: tuple[str, ...]
    objects: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        for what, names in (
            ("attribute", self.attributes),
            ("object", self.objects),
        ):
            if not names:
                raise UserError(
                    f"the vocabulary holds no {what}; give at least one"
                )
            seen: dict[str, str] = {}
            for name in names:
                if not isinstance(name, str):
                    raise UserError(
                        f"the {what} {name!r} is no text; write its name"
                    )
                same = " ".join(normal_form(name).split())
                if same in seen:
                    other = (
                        f" ({seen[same]!r} is the same in another form)"
                        if seen[same] != name
                        else ""
                    )
                    raise UserError(
                        f"the {what} {name!r} stands twice in the vocabulary{other}; list each once"
                    )
                seen[same] = name
                if not split_words(name):
                    raise UserError(
                        f"the {what} {name!r} holds no letter or digit; take it out of the "
                        "vocabulary"
                    )

    @property
    def note(self) -> str:
        """What a user must know of names that captions can write so that they are not found; ''
        for nothing.
        """
        strange = [
            n for n in (*self.attributes, *self.objects) if ends_within(n)
        ]
        if not strange:
            return ""
        shown = ", ".join(map(repr, strange[:3])) + (
            ", ..." if len(strange) > 3 else ""
        )
        signs = " ".join(
            dict.fromkeys(c for n in strange for c in ends_within(n))
        )
        plain = " ".join(split_words(strange[0]))
        return (
            f"Note: a sign such as {signs} ends a phrase in captions: {len(strange):,} names are "
            f"found only where captions write them without it, as {plain!r} (of {shown})"
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(number of attributes, number of objects)."""
        return len(self.attributes), len(self.objects)

    @cached_property
    def attribute_forms(self) -> list[Forms]:
        """The forms of each attribute."""
        return [attribute_forms(name) for name in self.attributes]

    @cached_property
    def object_forms(self) -> list[Forms]:
        """The forms of each object."""
        synonyms = self.synonyms or ((),) * len(self.objects)
        return [
            object_forms(name, more)
            for name, more in zip(self.objects, synonyms, strict=True)
        ]

    @property
    def hash(self) -> str:
        """16 hex digits of the names and of all their forms."""
        forms = [
            [
                name,
                [
                    [*sequence, forms_of_name[sequence]]
                    for sequence in sorted(forms_of_name)
                ],
            ]
            for names, every in (
                (self.attributes, self.attribute_forms),
                (self.objects, self.object_forms),
            )
            for name, forms_of_name in zip(names, every, strict=True)
        ]
        content = [len(self.attributes), forms]
        return hashlib.sha256(
            json.dumps(content, ensure_ascii=False).encode()
        ).hexdigest()[:16]


def published_vocabulary(synonyms: bool = False) -> Vocabulary:
    """The 129 published attributes and 1,000 ImageNet objects; ``synonyms`` adds the objects'
    WordNet lemmas.
    """
    lists = published_lists()
    return make_vocabulary(lists.attributes, tuple(lists.objects), synonyms)


def make_vocabulary(
    attributes: tuple[str, ...],
    objects: tuple[str, ...],
    synonyms: bool = False,
) -> Vocabulary:
    """A vocabulary of one's own; the lemmas are known for objects that bear a published ImageNet
    name.
    """
    if not synonyms:
        return Vocabulary(attributes, objects)
    known, more = wordnet_lemmas(), []
    for name in objects:
        wnid = published_lists().objects.get(name, ("", 0))[0]
        spoken = SPOKEN.get(name, name)
        more.append(
            tuple(
                lemma
                for lemma in known.get(wnid, ())
                if lemma.lower() != spoken
            )
        )
    return Vocabulary(attributes, objects, tuple(more))


def read_names(path: str | Path) -> tuple[str, ...]:
    """Names from a text file, one a line; empty and ``#`` lines are skipped. UserError where it
    cannot be read.
    """
    names = tuple(name for _, name in read_lines(path, "the list of names"))
    if not names:
        raise UserError(
            f"the list of names {path} holds no name; write one a line"
        )
    return names
