"""Captions that nobody writes, drawn by a seed: names of every length, cut, misspelled and glued
together, among whatever characters a corpus may hold.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from aobench.audit.vocabulary import Vocabulary

LONGEST = 40

LETTERS = "abcdefghijklmnopqrstuvwxyz"
#: Letters of two, three and four bytes, with and without a case; case changes that lengthen.
FAR_LETTERS = (
    "éüñçøœþďŵßẞİıŉǰΐΰſΣςσйЖѐґԱևაႠẹễﬁﬃŒ日本語한글ガаคا ب𐐀𐐨𞤀𝐫𝔻𠀋".replace(
        " ", ""
    )
)
DIGITS = "0123456789٣４²½"
#: Combining marks, joiners, directions, selectors, tags and fillers.
MARKS = (
    "\u0301\u0300\u0323\u0327\u0345\u0307\u0338\u034f\u1161\u11ab\u3099\u309a\uff9e\u0e31"
    "\u00ad\u200c\u200d\u200e\u200f\u202a\u202b\u202e\u2066\u2069\u061c\ufeff\ufe0f\u180e\u3164"
    "\U000e0061\U000e0100\u20e3\U0001d165"
)
SOFT_GAPS = (
    " ",
    " ",
    " ",
    "  ",
    "-",
    "_",
    "'",
    "\u2019",
    "+",
    "\t",
    "\r\n",
    "\n",
    "\x85",
)
SOFT_GAPS += (
    "\u00a0",
    "\u3000",
    "\u2028",
    "\u200b",
    "\x1c",
    "\x1f",
    "\u02bc",
    "\u2010",
)
HARD_GAPS = (
    ", ",
    ",",
    " , ",
    ",,",
    "\uff0c",
    ". ",
    ".",
    "/",
    "&",
    " & ",
    "|",
    "(",
    '"',
    "\u3001",
)
HARD_GAPS += (
    "\x00",
    "\x7f",
    "\x1b",
    "\u2014",
    "\u2026",
    "\U0001f98a",
    "\u2764\ufe0f",
    "\ue000",
)
HARD_GAPS += (
    "\ud800",
    "\udfff",
    "\ud83d",
    "\ufffd",
    "\uffff",
    "\U0010ffff",
    "\u0378",
    "$",
    "#",
)
ENTITIES = (
    "&amp;",
    "&#39;",
    "&nbsp;",
    "&amp;quot;",
    "&#x72;",
    "&eacute;",
    "&shy;",
    "&bogus;",
)
ENTITIES += (
    "&#0;",
    "&AMP;",
    "&#xD800;",
    "&#1114112;",
    "&",
    "&#",
    "&;",
    "&amp",
    "&amp;amp;lt;",
    "&comma;",
)
GRAMMAR = """
and or that which is are was were made built of from out painted dyed very bright dark the a with
shirt tops wool plastic old light baseball bat while
"""


def made_word(draw: random.Random, length: int, letters: str = LETTERS) -> str:
    """A word of so many letters."""
    return "".join(draw.choice(letters) for _ in range(length))


def long_names(seed: int, far: bool = False) -> Vocabulary:
    """An attribute and an object of each length from 1 to 40, and names of several words: one
    inside another, hyphens, apostrophes, digits; ``far``: beyond ASCII as well.
    """
    draw = random.Random(seed)
    attributes, objects = (
        [made_word(draw, n, LETTERS + "09") for n in range(1, LONGEST + 1)]
        for _ in range(2)
    )
    attributes += [
        "red",
        "red brick",
        "dark",
        "heart-shaped",
        "4 by 4",
        "wooden",
        "orange",
    ]
    objects += [
        "bus",
        "bus stop",
        "red fox",
        "bull's eye",
        "mp3",
        "orange",
        "tank",
        "brick",
    ]
    words = attributes[10:13] + objects[20:22]
    attributes += [
        " ".join(words[:2]),
        " ".join(words[:3]),
        f"{objects[4]} {words[0]}",
    ]
    objects += [
        " ".join(words[3:]),
        " ".join(words[2:]),
        f"{objects[8]}-{objects[15]}",
    ]
    if far:
        attributes += [
            "rosé",
            "größer",
            "ΣΟΦΌΣ",
            "İnce",
            "crème brûlée",
            "красный",
            "\ua640x",
        ]
        objects += [
            "café",
            "Straße",
            "ΟΔΟΣ",
            "\u0130zmir",
            "日本 刀",
            "\U00010400\U00010428",
            "ガ",
        ]
    return Vocabulary(
        tuple(dict.fromkeys(attributes)), tuple(dict.fromkeys(objects))
    )


def misspelled(draw: random.Random, word: str) -> str:
    """The word with one letter more, less or other, at any place."""
    at = draw.randrange(len(word))
    letter = draw.choice(LETTERS + FAR_LETTERS + DIGITS)
    changed = (word[:at] + word[at + 1 :], word[:at] + letter + word[at:])
    changed += (
        word[:at] + letter + word[at + 1 :],
        word[:at],
        word + letter,
        letter + word,
    )
    return draw.choice(changed)


CASES: tuple[Callable[[str], str], ...] = (
    str.lower,
    str.upper,
    str.title,
    str.swapcase,
)


class OddCaptions:
    """A source of captions for a vocabulary; the same seed, the same captions."""

    def __init__(self, names: Vocabulary, seed: int) -> None:
        self.draw = random.Random(seed)
        self.forms = [
            [words for forms in every for words in forms]
            for every in (names.attribute_forms, names.object_forms)
        ]

    def gap(self, hard: float = 0.12) -> str:
        """What stands between two words; seldom a hard gap."""
        return self.draw.choice(
            HARD_GAPS if self.draw.random() < hard else SOFT_GAPS
        )

    def name(self, kind: int | None = None) -> str:
        """A form of an attribute (0), of an object (1) or of either, its words parted by gaps of
        any kind.
        """
        kind = self.draw.randrange(2) if kind is None else kind
        words = self.draw.choice(self.forms[kind])
        return "".join(word + self.gap(0.05) for word in words[:-1]) + words[-1]

    def piece(self) -> str:
        """A name or something like it, a word of any length, or what is none."""
        draw = self.draw
        length, kind = draw.randint(1, LONGEST), draw.random()
        if kind < 0.2:
            return self.name(0) + self.gap() + self.name(1)
        if kind < 0.5:
            return self.name()
        if kind < 0.6:
            return misspelled(draw, self.name())
        if kind < 0.8:
            return draw.choice(GRAMMAR.split())
        if kind < 0.9:
            letters = draw.choice(
                (LETTERS, FAR_LETTERS, DIGITS, LETTERS + FAR_LETTERS)
            )
            return made_word(draw, length, letters)
        return draw.choice((draw.choice(ENTITIES), draw.choice(MARKS), ""))

    def decorated(self, text: str) -> str:
        """The text with another case, but for entities, and, seldom, a mark within."""
        if "&" not in text and self.draw.random() < 0.3:
            text = self.draw.choice(CASES)(text)
        if self.draw.random() < 0.06:
            at = self.draw.randint(0, len(text))
            text = text[:at] + self.draw.choice(MARKS) + text[at:]
        return text

    def caption(self) -> str:
        """A caption: often short, seldom empty or of gaps alone, sometimes cut anywhere."""
        draw = self.draw
        parts = range(draw.choice((0, 1, 2, 3, 4, 5, 6, 8, 12, 16)))
        text = "".join(self.decorated(self.piece()) + self.gap() for _ in parts)
        text = draw.choice(("", "", self.gap())) + text
        kind = draw.random()
        if kind < 0.15:
            return text[: draw.randint(0, len(text))]
        return text if kind < 0.5 else text.rstrip(" ,")

    def captions(self, number: int) -> list[str]:
        """So many captions."""
        return [self.caption() for _ in range(number)]


def sliced_captions(
    captions: Sequence[str], seed: int
) -> tuple[bytes, list[tuple[int, int]], list[str]]:
    """Captions as slices of one buffer that begin and stop at any byte, also within a letter,
    overlap and stand in any order; and each as it reads.
    """
    draw = random.Random(seed)
    data = "".join(captions).encode("utf-8", "surrogatepass")
    slices = []
    for _ in captions:
        begin = draw.randint(0, len(data))
        stop = min(begin + draw.choice((0, 1, 5, 20, 60, 200)), len(data))
        slices.append((begin, stop))
    texts = [
        data[begin:stop].decode("utf-8", "replace") for begin, stop in slices
    ]
    return data, slices, texts
