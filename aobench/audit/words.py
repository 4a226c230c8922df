"""How captions and names are cut into words: one normalisation for both, and the tables that the
kernel walks.

1. HTML entities that end in a semicolon are decoded: ``&amp;``, ``&#39;``, ``&nbsp;``, also where
   they were encoded twice (``&amp;quot;``). Without a semicolon they stay: "text&region" holds no
   registered sign.
2. What Unicode calls default-ignorable is left out, as if it were not there: soft hyphen,
   joiners, bidirectional marks, variation selectors, fillers, tags. Only the zero width space,
   which exists to part words, parts them.
3. Full-width and half-width forms become the usual ones.
4. Letters and their marks are composed (NFC), and case is folded: a capital or final sigma is a
   sigma, ``ß`` is ss.
5. The text is cut at everything that is neither a letter, a digit nor a combining mark. Between
   two words stands a *soft* gap (spaces, hyphens, underscores, apostrophes, plus signs), which a
   name of several words may span, or a *hard* one (every other character, such as a full stop),
   which it may not. A gap whose only hard characters are commas is a *comma*: hard too, but for
   the rule ``modifies``.

The kernel does the steps 2 to 5 letter by letter, with tables; the few captions for which that
isn't enough, such as those with an entity or a mark of its own, are found by `unsettled_characters`
and go through `normal_form` first.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache, lru_cache

import numpy as np

HARD, SOFT, WORD, IGNORED, COMMA = 0, 1, 2, 3, 4

#: Beside white space: hyphens, underscore, apostrophes, plus (spaces in URL-encoded titles), zero
#: width space.
SOFT_CHARACTERS = "-_'+\u2010\u2011\u2019\u02bc\u200b"

#: First and last of the ranges of Unicode's Default_Ignorable_Code_Point
#: (DerivedCoreProperties.txt), but U+200B.
IGNORED_RANGES = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200C, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)

#: From here on no character has a case, a width or a composition.
CASELESS = 0x20000
#: From here on no character is a letter.
LETTERS_END = 0x33480

_ENTITY = re.compile(
    r"&(?:amp;)*(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
)
_DROPPED = {
    code: None
    for first, last in IGNORED_RANGES
    for code in range(first, last + 1)
}
#: Start and factor of `word_hash`; who changes them or how a word is hashed raises `HASH_VERSION`.
HASH_START, HASH_PRIME = 0xCBF29CE484222325, 0x9E3779B97F4A7C15
HASH_VERSION = 2
_MASK = (1 << 64) - 1


@cache
def _usual_widths() -> dict[int, int]:
    """Full-width and half-width characters -> the usual ones."""
    usual = {}
    for code in range(0x3000, 0xFFF0):
        tag, _, target = unicodedata.decomposition(chr(code)).partition(" ")
        if tag in ("<wide>", "<narrow>") and code not in _DROPPED:
            usual[code] = int(target, 16)
    return usual


def normal_form(text: str) -> str:
    """A caption or a name as it is compared: entities, invisible characters, widths, marks and case
    settled.

    Example:
        >>> normal_form("Cafe\\u0301 &amp;quot;RE\\u00adD&quot;")
        'café "red"'
    """
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(f"&{match[1]};"), text)
    text = text.translate(_DROPPED).translate(_usual_widths())
    # The lower case of a dotted capital I is i and a dot of its own: the dot is what Turkish has,
    # not the name.
    folded = (
        unicodedata.normalize("NFC", text).replace("\u0130", "i").casefold()
    )
    return unicodedata.normalize("NFC", folded)


@lru_cache(maxsize=4096)
def character_kind(character: str) -> int:
    """HARD, SOFT, WORD, IGNORED or COMMA."""
    if ord(character) in _DROPPED:
        return IGNORED
    character = chr(_usual_widths().get(ord(character), ord(character)))
    if character == ",":
        return COMMA
    if character in SOFT_CHARACTERS or character.isspace():
        return SOFT
    return (
        WORD
        if character.isalnum()
        or unicodedata.category(character).startswith("M")
        else HARD
    )


def fold_character(character: str) -> str:
    """The character with its case folded, in its usual width; as it is where that takes several
    characters.
    """
    folded = chr(_usual_widths().get(ord(character), ord(character))).casefold()
    return folded if len(folded) == 1 else character


@cache
def _characters() -> str:
    """All characters up to the last that may be a letter; beyond: unassigned, private use, tags."""
    return "".join(map(chr, range(LETTERS_END)))


@cache
def _folding_codes() -> tuple[int, ...]:
    """The code points whose letter has another case or width."""
    cased = [c for c in _characters()[:CASELESS] if c.casefold() != c]
    return tuple(sorted({*map(ord, cased), *_usual_widths()}))


def _code_kinds() -> np.ndarray:
    """uint8, of every code point: what `character_kind` says, in a tenth of the time."""
    kinds = np.zeros(0x110000, dtype=np.uint8)
    text = _characters()
    for run in re.finditer(r"[^\W_]+", text):
        kinds[run.start() : run.end()] = WORD
    for code in np.flatnonzero(kinds[:LETTERS_END] == 0).tolist():
        if unicodedata.category(text[code]) not in ("Cn", "Cs", "Co"):
            kinds[code] = character_kind(text[code])
    # a soft character may be a letter to Unicode, such as the modifier letter apostrophe
    for code in (*map(ord, SOFT_CHARACTERS), *_usual_widths(), *_DROPPED):
        if code < LETTERS_END:
            kinds[code] = character_kind(chr(code))
    kinds[0xE0000:0xE1000] = IGNORED
    return kinds


@cache
def character_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(gaps, kinds, folded)``: of bytes, of every code point, and of those below 0x20000, which
    may have a case.

    ``gaps`` uint8 (256): what a byte of ASCII between two words makes of their gap: 0 soft, 1 a
    comma, 2 hard. ``kinds`` uint8, ``folded`` uint32.
    """
    kinds = _code_kinds()
    folded = np.arange(CASELESS, dtype=np.uint32)
    for code in _folding_codes():
        folded[code] = ord(fold_character(chr(code)))
    gaps = np.full(256, 2, np.uint8)
    gaps[:128][kinds[:128] == SOFT] = 0
    gaps[:128][kinds[:128] == COMMA] = 1
    return gaps, kinds, folded


@cache
def lower_table() -> np.ndarray:
    """uint32: of each code point below 0x20000 the lower case, of several characters the first;
    for `authors`.
    """
    return np.array(
        [ord(chr(code).lower()[0]) for code in range(CASELESS)], np.uint32
    )


@cache
def unsettled_characters() -> np.ndarray:
    """bool, of each code point: a caption that holds it must go through `normal_form` before
    its letters are looked up.

    So it is for what composes with its neighbours or has an order among them, and for what NFC or
    case folding turns into something else than one letter.
    """
    unsettled = np.zeros(0x110000, np.bool_)
    folding = set(_folding_codes())
    for code, character in enumerate(_characters()):
        decomposition = unicodedata.decomposition(character)
        # what has none of these is one letter, alone and composed
        if not (
            decomposition or code in folding or unicodedata.combining(character)
        ):
            continue
        settled = chr(_usual_widths().get(code, code)).casefold()
        if code not in _DROPPED and (
            len(settled) != 1
            or unicodedata.combining(settled)
            or not unicodedata.is_normalized("NFC", character)
            or not unicodedata.is_normalized("NFC", settled)
        ):
            unsettled[code] = True
        parts = decomposition.split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            unsettled[int(parts[1], 16)] = (
                True  # it may compose with what stands before it
            )
    unsettled[0x1161:0x1176] = unsettled[0x11A8:0x11C3] = (
        True  # parts of Hangul syllables
    )
    return unsettled


def split_words(text: str) -> list[str]:
    """The words of a name. The gaps between them are not told apart."""
    return "".join(
        c if character_kind(c) == WORD else " " for c in normal_form(text)
    ).split()


def ends_within(name: str) -> str:
    """The characters between the words of a name that end a phrase in captions: where captions
    write the name with them, it is not found.

    Example:
        >>> ends_within("salt & pepper"), ends_within("St. Bernard"), ends_within("T-shirt!")
        ('&', '.', '')
    """
    text = normal_form(name)
    kinds = [character_kind(character) for character in text]
    words = [place for place, kind in enumerate(kinds) if kind == WORD]
    within = range(words[0], words[-1]) if words else range(0)
    return "".join(dict.fromkeys(text[i] for i in within if kinds[i] == HARD))


def word_hash(word: str) -> int:
    """64-bit hash of the UTF-8 of a word that `split_words` gave, eight bytes at a time, as
    `aobench.audit.cutting.hash_word` computes it; never 0.
    """
    content, value = word.encode("utf-8", "surrogatepass"), HASH_START
    for start in range(0, len(content), 8):
        eight = int.from_bytes(content[start : start + 8], "little")
        value = ((value ^ eight) * HASH_PRIME) & _MASK
        value ^= value >> 32
    return value or 1
