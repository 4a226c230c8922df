"""The vocabulary as flat arrays that the kernels walk: words, a tree of phrases, an automaton of
substrings.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from aobench.audit.grammar import word_classes
from aobench.audit.vocabulary import Vocabulary
from aobench.audit.words import word_hash


def hash_table(entries: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Open addressing with steps of one; keys uint64 (0: free), values int32; at most a quarter
    full.

    The slot of a key are the upper 32 bits of its product with 2^64 / golden ratio, modulo the
    size, a power of two.
    """
    size = 64
    while size < 4 * len(entries):
        size *= 2
    keys, values = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    for key, value in entries.items():
        slot = ((key * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 32) & (size - 1)
        while keys[slot]:
            slot = (slot + 1) & (size - 1)
        keys[slot], values[slot] = key, value
    return keys, values


#: What a node of the tree of phrases is, in bits: where forms of attributes and of objects end, and
#: where longer ones go on.
ATTRIBUTE_ENDS, OBJECT_ENDS, FORM_GOES_ON = 1, 2, 4
#: A bucket of words may be moved so often before the table is made larger.
MOST_SHIFTS = 1 << 12


def perfect_table(
    entries: dict[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A hash table in which each key stands in the one slot where it is looked for, so that a
    look-up has no branch: shifts of the buckets int64, keys uint64 (0: free) and values int32 of
    the slots.

    By hash and displace (Pagh, 1999): the lower bits of a key are its bucket. Its slot is the bits
    from 20 on, moved by the bucket's shift times the bits from 40 on, which are made odd, modulo
    the number of slots, a power of two. Slot 0 stays free.
    """
    size = 64
    while size < 2 * len(entries):
        size *= 2
    while True:
        table = _displaced(entries, size)
        if table is not None:
            return table
        size *= 2


def _displaced(
    entries: dict[int, int], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """`perfect_table` of that size; None where a bucket finds no place."""
    buckets: dict[int, list[int]] = {}
    for key in entries:
        buckets.setdefault(key & (size // 4 - 1), []).append(key)
    shifts = np.zeros(size // 4, np.int64)
    there = {0: 0}
    for bucket, keys in sorted(buckets.items(), key=lambda one: -len(one[1])):
        for shift in range(MOST_SHIFTS):
            slots = {
                ((key >> 20) + shift * (key >> 40 | 1)) & (size - 1): key
                for key in keys
            }
            if len(slots) == len(keys) and there.keys().isdisjoint(slots):
                break
        else:
            return None
        shifts[bucket] = shift
        there.update(slots)
    slot_keys, values = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    del there[0]
    for slot, key in there.items():
        slot_keys[slot], values[slot] = key, entries[key]
    return shifts, slot_keys, values


@dataclass(frozen=True)
class WordTables:
    """``word_shifts``, ``word_keys``, ``word_values``: hash of a word -> its number, from 1, as
    `perfect_table` lays them out. ``n_words``: the numbers of the vocabulary's own words end there;
    above are the grammar's. Those of words that begin a form come first, and ``firsts`` int32 says
    at which node (0: of no word). ``classes`` int32: of each number the parts that the word may
    play. ``edge_*``: (node * 2^32 + word) -> node. ``flags`` uint8: of each node `ATTRIBUTE_ENDS`,
    `OBJECT_ENDS` and `FORM_GOES_ON`.

    A node that ends a form has a range of names: ``spans[node]`` = start and end in
    ``attribute_ids``, then in ``object_ids``; ``*_written`` tells which are as written.
    ``longest``: words of the longest form.
    """

    word_shifts: np.ndarray
    word_keys: np.ndarray
    word_values: np.ndarray
    n_words: int
    firsts: np.ndarray
    classes: np.ndarray
    edge_keys: np.ndarray
    edge_values: np.ndarray
    flags: np.ndarray
    spans: np.ndarray
    attribute_ids: np.ndarray
    attribute_written: np.ndarray
    object_ids: np.ndarray
    object_written: np.ndarray
    longest: int


def word_tables(vocabulary: Vocabulary, grammar: bool = False) -> WordTables:
    """Compile the forms of all names, and the words of the ``grammar`` where it's asked for. Two
    words never share a hash: that is checked here.
    """
    every_form = [
        sequence
        for kind in (vocabulary.attribute_forms, vocabulary.object_forms)
        for forms in kind
        for sequence in forms
    ]
    numbers: dict[str, int] = {}
    for sequence in every_form:
        numbers.setdefault(sequence[0], len(numbers) + 1)
    firsts = np.zeros(len(numbers) + 1, np.int32)
    edges: dict[tuple[int, int], int] = {}
    ends: dict[int, tuple[list[tuple[int, bool]], list[tuple[int, bool]]]] = {}
    for kind, every in enumerate(
        (vocabulary.attribute_forms, vocabulary.object_forms)
    ):
        for name, forms in enumerate(every):
            for sequence, written in forms.items():
                node = 0
                for word in sequence:
                    number = numbers.setdefault(word, len(numbers) + 1)
                    node = edges.setdefault((node, number), len(edges) + 1)
                ends.setdefault(node, ([], []))[kind].append((name, written))
    n_words = len(numbers)
    parts = word_classes() if grammar else {}
    for word in parts:
        numbers.setdefault(word, len(numbers) + 1)
    classes = np.zeros(len(numbers) + 1, np.int32)
    classes[[numbers[word] for word in parts]] = list(parts.values())
    hashes = {word_hash(word): number for word, number in numbers.items()}
    assert len(hashes) == len(numbers), (
        "two words of the vocabulary share a 64-bit hash"
    )
    flags = np.zeros(len(edges) + 1, np.uint8)
    flags[[node for node, _ in edges]] = FORM_GOES_ON
    for (node, number), to in edges.items():
        if node == 0:
            firsts[number] = to
    spans = np.zeros((len(edges) + 1, 4), np.int32)
    flat: tuple[list[tuple[int, bool]], list[tuple[int, bool]]] = ([], [])
    for node, named in ends.items():
        for kind in (0, 1):
            if named[kind]:
                flags[node] |= (ATTRIBUTE_ENDS, OBJECT_ENDS)[kind]
            spans[node, 2 * kind] = len(flat[kind])
            flat[kind].extend(named[kind])
            spans[node, 2 * kind + 1] = len(flat[kind])
    ids = [np.array([i for i, _ in f], np.int32) for f in flat]
    written_flags = [np.array([w for _, w in f], np.bool_) for f in flat]
    tree = hash_table(
        {(node << 32) | number: to for (node, number), to in edges.items()}
    )
    return WordTables(
        *perfect_table(hashes),
        n_words,
        firsts,
        classes,
        *tree,
        flags,
        spans,
        ids[0],
        written_flags[0],
        ids[1],
        written_flags[1],
        max(map(len, every_form)),
    )


@dataclass(frozen=True)
class AuthorTables:
    """The authors' rule: which substrings make which cell, and the automaton that finds them.

    ``cell_of``: (first word, second word) -> cell or -1, int32. ``cells``: (attribute, object) ->
    cell, int32. ``symbols``: code point below 0x20000 -> column of ``steps`` (0: none of the words'
    characters). ``steps``: state and column -> state. ``word_starts``: where a state's words begin
    in ``state_words``; its end is the next one's start.
    """

    words: tuple[str, ...]
    cell_of: np.ndarray
    cells: np.ndarray
    symbols: np.ndarray
    steps: np.ndarray
    word_starts: np.ndarray
    state_words: np.ndarray


def author_tables(vocabulary: Vocabulary) -> AuthorTables:
    """Compile the first two words of each string "attribute object"."""
    numbers: dict[str, int] = {}
    cells: dict[tuple[int, int], int] = {}
    cell = np.zeros(vocabulary.shape, np.int32)
    for row, attribute in enumerate(vocabulary.attributes):
        for column, name in enumerate(vocabulary.objects):
            first, second = f"{attribute} {name}".split()[:2]
            pair = (
                numbers.setdefault(first, len(numbers)),
                numbers.setdefault(second, len(numbers)),
            )
            cell[row, column] = cells.setdefault(pair, len(cells))
    cell_of = np.full((len(numbers), len(numbers)), -1, np.int32)
    for pair, number in cells.items():
        cell_of[pair] = number
    letters = sorted(set("".join(numbers)))
    symbols = np.zeros(0x20000, np.uint8 if len(letters) < 255 else np.uint16)
    for column, letter in enumerate(letters, start=1):
        symbols[ord(letter)] = column
    steps, starts, words = _automaton(list(numbers), letters)
    return AuthorTables(
        tuple(numbers), cell_of, cell, symbols, steps, starts, words
    )


def _automaton(
    patterns: list[str], letters: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Aho and Corasick's automaton (1975) with every step written out: int32 (states, letters +
    1).
    """
    column = {letter: number for number, letter in enumerate(letters, start=1)}
    children: list[dict[int, int]] = [{}]
    ends: list[list[int]] = [[]]
    for number, pattern in enumerate(patterns):
        state = 0
        for letter in pattern:
            if column[letter] not in children[state]:
                children[state][column[letter]] = len(children)
                children.append({})
                ends.append([])
            state = children[state][column[letter]]
        ends[state].append(number)
    steps = np.zeros((len(children), len(letters) + 1), np.int32)
    fail = [0] * len(children)
    queue = deque([0])
    while queue:
        state = queue.popleft()
        steps[state] = steps[fail[state]] if state else 0
        for letter_column, child in children[state].items():
            fail[child] = int(steps[fail[state], letter_column]) if state else 0
            ends[child] = ends[child] + ends[fail[child]]
            steps[state, letter_column] = child
            queue.append(child)
    # A state's own row must be complete before its children copy from it: breadth first sees to
    # that.
    start = np.cumsum([0, *map(len, ends)]).astype(np.int32)
    return steps, start, np.array([w for e in ends for w in e], np.int32)


def lowers_letter_by_letter(vocabulary: Vocabulary) -> bool:
    """Whether `str.lower` of a caption can be done letter by letter without touching what the
    authors' rule finds.

    So it is where the names are in ASCII: the letters whose lower case depends on their neighbours
    (capital sigma) or has several characters (U+0130, told apart in the kernel) then don't matter.
    """
    return all(
        name.isascii() for name in (*vocabulary.attributes, *vocabulary.objects)
    )
