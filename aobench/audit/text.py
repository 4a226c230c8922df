"""How captions are cut into words: one table of characters, shared by the kernel and by the vocabulary.

A caption is lower-cased character by character and cut at everything that is neither a letter, a digit nor a
combining mark. Between two words stands a *soft* gap (spaces, hyphens, underscores, apostrophes, plus signs), which
a name of several words may span, or a *hard* one (every other character, such as a comma), which it may not.
Invisible characters (soft hyphen, joiners, variation selectors) are left out, as if they were not there.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import chain

import numpy as np

HARD, SOFT, WORD, IGNORED = 0, 1, 2, 3
#: In the table of bytes: the first byte of a character that is not ASCII. Above it stand the letters and digits.
BEYOND = 2

#: Beside white space: hyphens, underscore, apostrophes, plus (spaces in URL-encoded titles).
SOFT_CHARACTERS = "-_'+\u2010\u2011\u2019\u02bc"
IGNORED_CHARACTERS = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff" + "".join(map(chr, range(0xFE00, 0xFE10)))

_FNV_START, _FNV_PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


def kind(character: str) -> int:
    """HARD, SOFT, WORD or IGNORED."""
    if character in IGNORED_CHARACTERS:
        return IGNORED
    if character in SOFT_CHARACTERS or character.isspace():
        return SOFT
    return WORD if character.isalnum() or unicodedata.category(character).startswith("M") else HARD


def fold(character: str) -> str:
    """The character in lower case; of a lower case of several characters (U+0130) the first."""
    return character.lower()[0]


@cache
def character_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(bytes, kinds, folded)``: of bytes, of every code point, and of those below 0x20000, which may have a case.

    ``bytes`` uint8 (256): HARD, SOFT, BEYOND, or a word's character in lower case. ``kinds`` uint8, ``folded`` uint32.
    """
    kinds = np.zeros(0x110000, dtype=np.uint8)
    for code in chain(range(0x33480), range(0xE0100, 0xE01F0)):  # beyond: unassigned, private use, tags
        kinds[code] = kind(chr(code))
    folded = np.arange(0x20000, dtype=np.uint32)
    for code in range(0x20000):
        folded[code] = ord(fold(chr(code)))
    single = np.full(256, BEYOND, dtype=np.uint8)
    single[:128] = np.where(kinds[:128] == WORD, folded[:128], kinds[:128])
    return single, kinds, folded


def words(text: str) -> list[str]:
    """The words of a name, lower-cased. The gaps between them are not told apart."""
    kept = (c for c in text if kind(c) != IGNORED)
    return "".join(fold(c) if kind(c) == WORD else " " for c in kept).split()


def word_hash(word: str) -> int:
    """64-bit FNV-1a over the code points of a lower-cased word, as the kernel computes it; never 0."""
    value = _FNV_START
    for character in word:
        value = ((value ^ ord(character)) * _FNV_PRIME) & _MASK
    return value or 1
