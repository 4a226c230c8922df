"""Where words begin and end, their hashes and their numbers, against regular expressions and a
dictionary.
"""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from aobench.audit.compiled import perfect_table
from aobench.audit.cutting import (
    PADDING,
    find_edges,
    hash_word,
    widest_gap,
    write_settled,
)
from aobench.audit.kernel import _word_number
from aobench.audit.words import (
    character_kind,
    character_tables,
    fold_character,
    word_hash,
)

WORD = re.compile(rb"[a-zA-Z0-9\x80-\xff]+")


def padded(content):
    """Bytes with what the kernel may read after them: letters, which must not count."""
    return np.frombuffer(content + b"x" * PADDING, np.uint8)


def edges_of(content, begin=0):
    edges = np.zeros(len(content) + 3, np.int64)
    n, odd = find_edges(padded(content), begin, len(content), edges)
    return edges[: 2 * n].reshape(-1, 2).tolist(), odd


@pytest.mark.parametrize("size", [0, 1, 2, 63, 64, 65, 127, 128, 129, 200])
def test_edges_are_where_a_regular_expression_has_them(size):
    draw = random.Random(size)
    every = bytes(range(256))
    for letters in (b"ab Z9", b"a", b" ", every, b"a\xc3\xa9 &\x00-"):
        for _ in range(20):
            content = bytes(draw.choices(letters, k=size))
            expected = [list(m.span()) for m in WORD.finditer(content)]
            odd = any(byte >= 0x80 or byte in b"&\0" for byte in content)
            assert edges_of(content) == (expected, odd)


def test_edges_begin_where_the_caption_does():
    content = b"red bus stop"
    assert edges_of(content, 4)[0] == [[4, 7], [8, 12]]
    assert edges_of(content, 5)[0] == [[5, 7], [8, 12]]


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 15, 16, 17, 24, 25, 40, 100])
def test_a_word_has_the_hash_of_its_small_letters(size):
    draw = random.Random(size)
    letters = "abcxyzABCXYZ0189éßж漢𐍈"
    for _ in range(30):
        word = "".join(draw.choices(letters, k=size))
        content = word.encode()
        small = "".join(c.lower() if c.isascii() else c for c in word)
        found = hash_word(padded(content), 0, len(content))
        assert found == word_hash(small)


def test_words_that_differ_in_a_letter_have_other_hashes():
    words = {
        f"{a}{'x' * n}{b}" for a in "ab7" for b in "ab7" for n in range(40)
    }
    assert len({word_hash(word) for word in words}) == len(words)
    # letters beyond ASCII that differ in the bit that parts capitals from small letters
    assert word_hash("一") != word_hash("丠")


@pytest.mark.parametrize(
    ("gap", "kind"),
    [
        (" ", 0),
        ("-", 0),
        ("_'+ ", 0),
        ("\t\n\x0b\x0c\r\x1c", 0),
        (",", 1),
        (", ", 1),
        (" ,,-", 1),
        (".", 2),
        (" . ", 2),
        ("&", 2),
        ("\x00", 2),
        ("/", 2),
    ],
)
def test_a_gap_is_as_hard_as_its_hardest_character(gap, kind):
    gaps = character_tables()[0]
    content = f"a{gap}b".encode()
    found = widest_gap(padded(content), 1, len(content) - 1, gaps)
    assert min(found, 2) == kind


def test_commas_and_harder_characters_are_hard():
    gaps = character_tables()[0]
    for gap in (",.", ".,", " , . "):
        content = f"a{gap}b".encode()
        assert widest_gap(padded(content), 1, len(content) - 1, gaps) >= 2


def test_a_caption_written_anew_has_the_letters_that_tables_say():
    draw = random.Random(3)
    _, kinds, folded = character_tables()
    pool = "aZ9 ,.-&éÉßΣжЖⱥȺK\u200b\u00ad漢\U0001f600\U00010400\u2028"
    for _ in range(300):
        text = "".join(draw.choices(pool, k=draw.randrange(60)))
        content = text.encode()
        into = np.zeros(2 * len(content) + PADDING, np.uint8)
        n = write_settled(
            padded(content), 0, len(content), (kinds, folded), into
        )
        marks = {0: ".", 1: " ", 2: None, 3: "", 4: ","}
        expected = "".join(
            fold_character(c)
            if marks[character_kind(c)] is None
            else marks[character_kind(c)]
            for c in text
        )
        assert bytes(into[:n]).decode() == expected


def test_bytes_that_are_no_utf8_are_hard():
    _, kinds, folded = character_tables()
    for bad in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88", b"\xc0\xaf"):
        content = b"a" + bad + b"b"
        into = np.zeros(2 * len(content) + PADDING, np.uint8)
        n = write_settled(
            padded(content), 0, len(content), (kinds, folded), into
        )
        assert bytes(into[:n]) == b"a" + b"." * len(bad) + b"b"


@pytest.mark.parametrize("count", [0, 1, 2, 100, 5000])
def test_each_key_is_in_the_slot_where_it_is_looked_for(count):
    draw = random.Random(count)
    entries = {draw.getrandbits(64) or 1: n + 1 for n in range(count)}
    shifts, keys, values = perfect_table(entries)
    for key, number in entries.items():
        assert _word_number(shifts, keys, values, np.uint64(key)) == number
    for _ in range(2000):
        key = draw.getrandbits(64)
        if key not in entries:
            assert _word_number(shifts, keys, values, np.uint64(key)) == 0
    assert _word_number(shifts, keys, values, np.uint64(0)) == 0
    assert keys[0] == 0


def test_keys_of_one_bucket_find_places():
    """Keys with the same lower bits, which a table of one size may not part."""
    entries = {(n << 20) | 5: n for n in range(1, 40)}
    shifts, keys, values = perfect_table(entries)
    for key, number in entries.items():
        assert _word_number(shifts, keys, values, np.uint64(key)) == number
