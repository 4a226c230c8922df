"""One form for captions and names: entities, invisible characters, widths, accents, case; on all of
Unicode.
"""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.audit_oracle import one_form

from aobench.audit import words
from aobench.audit.api import audit
from aobench.audit.chunks import CaptionChunk
from aobench.audit.counter import CaptionCounter, CountingPlan
from aobench.audit.vocabulary import Vocabulary, make_vocabulary, read_names
from aobench.audit.words import (
    IGNORED,
    character_tables,
    normal_form,
    split_words,
    unsettled_characters,
)
from aobench.errors import UserError


def shows(
    caption: str | bytes,
    attribute: str = "red",
    name: str = "fox",
    rule: str = "adjacent",
) -> int:
    counter = CaptionCounter(
        CountingPlan(Vocabulary((attribute,), (name,)), (rule,))
    )
    counter.count(CaptionChunk.of([caption]))
    return int(counter.take().rules[rule].counts.sum())


@pytest.mark.parametrize(
    ("caption", "attribute", "name"),
    [
        ("a red caf\u00e9", "red", "cafe\u0301"),
        ("a red cafe\u0301", "red", "caf\u00e9"),
        (
            "a red \u1112\u1161\u11ab",
            "red",
            "\ud55c",
        ),  # a Hangul syllable in parts
        (
            "a re\u0323\u0301d fox",
            "re\u0301\u0323d",
            "fox",
        ),  # two marks in another order
        ("a \u212aha\u212ai fox", "khaki", "fox"),  # Kelvin signs
        ("a r\u034fed f\u200dox", "red", "fox"),
        ("a red \u202bfox\u202c", "red", "fox"),
        ("a re\U000e0061d fox", "red", "fox"),  # a tag
        ("a red\u200bfox", "red", "fox"),
        ("a red fox", "r\u00aded", "fo\ufeffx"),
        ("a red&nbsp;fox", "red", "fox"),
        ("a &#114;ed fox", "red", "fox"),
        ("a r&#xe9;d fox", "r\u00e9d", "fox"),
        ("a red carpenter&#39;s kit", "red", "carpenter's kit"),
        (
            "a red carpenter&amp;#39;s kit",
            "red",
            "carpenter's kit",
        ),  # encoded twice
        ("a \uff32\uff25\uff24 fox", "red", "fox"),
        (
            "a red \uff76\uff9e",
            "red",
            "\u30ac",
        ),  # half-width katakana with its mark
        (
            "\u039a\u039f\u039a\u039a\u0399\u039d\u039f\u03a3 fox",
            "\u03ba\u03bf\u03ba\u03ba\u03b9\u03bd\u03bf\u03c2",
            "fox",
        ),
        ("a red STRASSE", "red", "stra\u00dfe"),
        ("a red \ufb01sh", "red", "fish"),  # the ligature fi
        ("a red \u0130stanbul", "red", "istanbul"),
    ],
)
def test_a_caption_shows_a_name_in_another_form(caption, attribute, name):
    assert shows(caption, attribute, name) == 1, (
        f"{caption!a} lacks {attribute!a} {name!a}"
    )


@pytest.mark.parametrize(
    ("caption", "attribute", "name"),
    [
        ("a red &amp; fox", "amp", "fox"),  # the entity is no word
        ("a red &quot;fox&quot;", "quot", "fox"),
        (
            "text&region fox",
            "text",
            "fox",
        ),  # no semicolon: no registered sign, and a hard gap
        ("a red & fox", "red", "fox"),
        ("a re\u0301d fox", "red", "fox"),  # an accent is a letter's own
    ],
)
def test_a_caption_shows_no_name_that_it_does_not_hold(
    caption, attribute, name
):
    assert shows(caption, attribute, name) == 0


def test_letters_are_settled_alike_by_the_tables_and_by_the_slow_way():
    _, kinds, folded = character_tables()
    slow = unsettled_characters()
    for code in range(0x110000):
        if (
            0xD800 <= code < 0xE000
            or 0x33480 <= code < 0xE0000
            or code >= 0xE1000
        ):
            continue
        settled = normal_form(chr(code))
        assert normal_form(settled) == settled, (
            f"U+{code:04X} has two normal forms"
        )
        if kinds[code] == IGNORED:
            assert settled == "", (
                f"U+{code:04X} is left out by the kernel alone"
            )
        elif not slow[code]:
            fast = int(folded[code]) if code < 0x20000 else code
            assert settled == chr(fast), (
                f"U+{code:04X} is {settled!r}, and {chr(fast)!r} for the kernel"
            )


def test_random_texts_are_normal_as_the_oracle_has_it():
    draw = np.random.default_rng(0)
    codes = [
        c
        for c in range(0x33480)
        if unicodedata.category(chr(c)) not in ("Cs", "Cn")
    ]
    for _ in range(2000):
        text = "".join(chr(codes[i]) for i in draw.integers(len(codes), size=8))
        text = text + draw.choice(
            ["\u0301", "\u0323", "&eacute;", "\u0345", ""]
        )
        assert normal_form(text) == one_form(text), ascii(text)


def test_what_is_not_utf8_is_counted_as_such():
    for text in (b"a red caf\xe9", b"red \xed\xa0\x80", b"\xff\xfered"):
        counter = CaptionCounter(CountingPlan(Vocabulary(("red",), ("fox",))))
        counter.count(CaptionChunk.of([text, b"a red caf\xc3\xa9", None]))
        assert counter.take().totals.not_utf8 == 1, text


@pytest.mark.parametrize(
    ("first", "second"),
    [("caf\u00e9", "cafe\u0301"), ("Red", "red"), ("re\u200dd", "red")],
)
def test_a_name_in_two_forms_is_listed_twice(first, second):
    with pytest.raises(UserError, match="stands twice in the vocabulary"):
        Vocabulary((first, second), ("fox",))


def test_lists_of_names_are_read_with_any_mark_and_line_end(tmp_path):
    path = tmp_path / "names"
    for data in (
        b"\xef\xbb\xbfred\nmoss covered\n",
        b"red\r# no\r\rmoss covered",
        b"red\r\nmoss covered\r\n",
    ):
        path.write_bytes(data)
        assert read_names(path) == ("red", "moss covered"), data
    for data, why in (
        ("red\n".encode("utf-16"), "UTF-16"),
        (b"red\ncaf\xe9\n", "not UTF-8 at line 2"),
    ):
        path.write_bytes(data)
        with pytest.raises(UserError, match=why):
            read_names(path)
    with pytest.raises(UserError, match="is a folder"):
        read_names(tmp_path)


def test_words_of_an_entity_are_none():
    assert split_words("R&amp;B &#39;n&#39; caf&eacute;") == [
        "r",
        "b",
        "n",
        "café",
    ]


def test_the_quick_tables_are_those_of_each_character():
    _, kinds, folded = words.character_tables()
    draw = random.Random(0)
    codes = [*range(0x600), *map(ord, words.SOFT_CHARACTERS)]
    codes += [draw.randrange(words.LETTERS_END) for _ in range(6_000)]
    codes += list(words._DROPPED) + list(words._usual_widths())
    for code in codes:
        if not 0xD800 <= code < 0xE000:
            assert kinds[code] == words.character_kind(chr(code)), hex(code)
        if code < words.CASELESS:
            assert chr(folded[code]) == words.fold_character(chr(code)), hex(
                code
            )


def test_letters_alone_and_composed_are_settled():
    unsettled = words.unsettled_characters()
    draw = random.Random(1)
    for code in [
        *range(0x20, 0x3400),
        *(draw.randrange(0x33480) for _ in range(4_000)),
    ]:
        character = chr(code)
        if 0xD800 <= code < 0xE000 or code in words._DROPPED:
            continue
        if words.normal_form(character) != words.fold_character(character):
            assert unsettled[code], hex(code)


@pytest.mark.parametrize(
    "name", ["salt & pepper", "St. Bernard", "black/white"]
)
def test_a_name_that_captions_can_write_unseen_is_told(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text(f"a red {name}\n")
    names = make_vocabulary(("red",), (name, "fox"))
    counts = audit(str(tmp_path / "a.txt"), tmp_path / "out", vocabulary=names)
    said = capsys.readouterr().err.splitlines()
    assert counts.matrix().sum() == 0
    assert len(said) == 1
    assert repr(name) in said[0]
    quiet = make_vocabulary(("red",), ("T-shirt", "bull's eye!"))
    audit(str(tmp_path / "a.txt"), tmp_path / "out", vocabulary=quiet)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", [None, 3, b"fox", ["fox"]])
def test_a_name_that_is_no_text_is_refused(name: Any) -> None:
    with pytest.raises(UserError, match="is no text; write its name"):
        make_vocabulary(("red",), (name,))
