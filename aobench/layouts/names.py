"""Names of attributes and objects: how they are shown, and when two of them are the same.

Rules:
- Underscores, and dots between letters or digits (``Faux.Fur``), are shown as spaces; runs of
  spaces as one. Sample ids keep the original. The dots of ``St. Bernard`` stay.
- Names that differ only in that, in case or in Unicode form are one name to a model. Two of them in
  one set are refused, since nobody can say whether they are meant to be two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aobench.errors import UserError
from aobench.files import read_text


def display_name(name: str) -> str:
    """``name`` as prompts and tables show it.

    Example:
        >>> display_name("Faux.Fur"), display_name("light_blue"), display_name("St. Bernard")
        ('Faux Fur', 'light blue', 'St. Bernard')
    """
    text = re.sub(r"(?<=\w)\.(?=\w)|_", " ", unicodedata.normalize("NFC", name))
    return " ".join(text.split())


def has_control_characters(text: str) -> bool:
    """Whether a text holds a line end, another control character or half a character."""
    if text.isprintable():  # then it holds none; much quicker
        return False
    return any(
        unicodedata.category(character) in ("Cc", "Cs") for character in text
    )


def name_key(name: str) -> str:
    """What all spellings of one name share."""
    return unicodedata.normalize("NFC", display_name(name).casefold())


@dataclass(frozen=True)
class NameList:
    """Names by key, each once, in alphabetical order of what is shown."""

    by_key: Mapping[str, str]  #: key -> shown name

    def __len__(self) -> int:
        return len(self.by_key)

    def __contains__(self, name: str) -> bool:
        return name_key(name) in self.by_key

    def shown(self, name: str) -> str:
        """The name that is shown for a spelling of it."""
        return self.by_key[name_key(name)]


def name_list(names: Iterable[str], what: str) -> NameList:
    """The distinct ``names``; ``what`` says where they come from.

    Raises:
        UserError: where two spellings fall together, or a name has no letter or can't be shown.
    """
    spelling: dict[str, str] = {}
    for name in sorted(set(names)):
        if has_control_characters(name) or not display_name(name):
            raise UserError(
                f"{what}: {name!a} can't be shown as a name; rename it"
            )
        other = spelling.setdefault(name_key(name), name)
        if other != name:
            alike = unicodedata.normalize(
                "NFC", other
            ) == unicodedata.normalize("NFC", name)
            shown = (
                ascii if alike else repr
            )  # two Unicode forms of a name look the same
            raise UserError(
                f"{what}: {shown(other)} and {shown(name)} are shown as the same name; write them "
                "alike, or rename one"
            )
    by_key = {key: display_name(name) for key, name in spelling.items()}
    return NameList(dict(sorted(by_key.items(), key=lambda item: item[1])))


def read_names(path: str, what: str) -> NameList:
    """The names in a text file, one a line; empty lines are passed over.

    Args:
        path: a UTF-8 file.
        what: ``attributes`` or ``objects``.

    Raises:
        UserError: for an unreadable or empty file, and for a name that stands twice.
    """
    role = f"the file of {what}"
    lines = [
        line.strip() for line in re.split("\r\n|\n|\r", read_text(path, role))
    ]
    names = [line for line in lines if line]
    if not names:
        raise UserError(f"{role} {path} is empty; write one name a line")
    twice = (
        next((name for name in names if names.count(name) > 1), None)
        if len(set(names)) < len(names)
        else None
    )
    if twice is not None:
        raise UserError(
            f"{role} {path} names {twice!r} twice, at line {lines.index(twice) + 1:,} first; "
            "remove one"
        )
    return name_list(names, f"{role} {path}")
