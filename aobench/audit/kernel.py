"""The compiled part: bytes of captions in, counts out. Each caption is walked once; memory does not
grow with them.

Numba compiles it at first use and keeps the result on disk. The functions release the interpreter's
lock, so several threads run side by side, each with a `DenseTally` of its own. Words are
known by 64-bit hashes: that two different words of a corpus with 10^8 different words and a
vocabulary of 10^4 share one has a chance of 10^-7.

The code on disk is known by this file's time and size alone: who changes a compiled function or a
constant of another file (`compiling`, `compiled`, `compiled_counts`, `cutting`, `modifiers`,
`grammar`, `utf8`, `words`) touches this one, too, or deletes its ``__pycache__``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aobench.audit.compiled import (
    ATTRIBUTE_ENDS,
    FORM_GOES_ON,
    OBJECT_ENDS,
)
from aobench.audit.compiled_counts import (
    GOLDEN,
    MOST_NOTED,
    count_noted,
    mix_bits,
    note_pair,
)
from aobench.audit.compiling import compiled_walk, inlined_walk
from aobench.audit.cutting import (
    PADDING,
    find_edges,
    hash_word,
    widest_gap,
    write_settled,
)
from aobench.audit.modifiers import note_modified, parts_of_speech
from aobench.audit.utf8 import decode_character
from aobench.audit.words import HASH_START

#: Rules by their place in `WORD_RULES`. For each plain number that a function is called with, numba
#: would compile it anew.
_WORDS, _ADJACENT, _FORMS = np.int64(0), np.int64(1), np.int64(2)
Arrays = tuple[np.ndarray, ...]
_START = np.uint64(HASH_START)
_S20, _S40 = np.uint64(20), np.uint64(40)
_S32 = np.uint64(32)
_ZERO, _ONE = np.uint64(0), np.uint64(1)


@inlined_walk
def _look_up(keys, values, key):
    """The value of a key, 0 where there is none, since the values of free slots are 0."""
    mask = np.uint64(len(keys) - 1)
    slot = ((key * GOLDEN) >> _S32) & mask
    while keys[slot] != _ZERO and keys[slot] != key:
        slot = (slot + _ONE) & mask
    return values[slot]


@inlined_walk
def _word_number(shifts, keys, values, key):
    """The number of the word with this hash, 0 where there is none; see `perfect_table`."""
    shift = np.uint64(shifts[key & np.uint64(len(shifts) - 1)])
    slot = (key >> _S20) + shift * ((key >> _S40) | _ONE)
    slot &= np.uint64(len(keys) - 1)
    # slot 0 is free; a product, as a choice would be a branch that is guessed wrong
    return values[slot * np.uint64(keys[slot] == key)]


@inlined_walk
def _number_words(data, n, word_table, room):
    """Look ``n`` words up by their edges: fills of ``room`` their numbers, and the places of those
    that begin a form. Returns how many these are, and a hash of all words in their order.
    """
    shifts, keys, values, n_firsts = word_table
    edges, _, numbers, _, known_places = room
    known, text, power = _ZERO, _START, _ONE
    for i in range(np.uint64(n)):
        value = hash_word(data, edges[i + i], edges[i + i + _ONE])
        number = _word_number(shifts, keys, values, value)
        numbers[i] = number
        # written in any case, and counted where it begins a form: a branch would be guessed wrong
        known_places[known] = i
        known += np.uint64(np.uint32(number - 1) < np.uint32(n_firsts))
        power *= GOLDEN
        text += value * power
    return np.int64(known), text


@compiled_walk
def _cut(data, start, end, characters, word_table, unsettled, room):
    """Cut one caption into words. Fills of ``room`` the number of each word in the vocabulary (0:
    none; above the vocabulary's: the grammar's), the gap before it (0 soft, 1 commas, 2 and more
    hard), and the places of the words that begin a form.

    ``characters``: what bytes of ASCII make of a gap; and kind and folded form by code point.
    Returns the number of words, how many begin a form, a hash of all in their order, and what
    `_mark` says. The gaps are told only where a word begins a form.
    """
    gap_kinds, kinds, folded = characters
    edges, anew, _, gaps, _ = room
    n, odd, mark = 0, True, 0
    if end + PADDING <= len(data):
        n, odd = find_edges(data, start, end, edges)
    if odd:
        if len(unsettled):
            mark = _mark(data, start, end, unsettled)
            if mark & 1:
                return 0, 0, _ZERO, mark
        end = write_settled(data, start, end, (kinds, folded), anew)
        data = anew
        n, odd = find_edges(data, 0, end, edges)
    known, text = _number_words(data, n, word_table, room)
    if known:
        gaps[0] = 2
        for i in range(_ONE, np.uint64(n)):
            stop = edges[i + i]
            gaps[i] = widest_gap(data, edges[i + i - _ONE], stop, gap_kinds)
    return n, known, text, mark


@compiled_walk
def _find(n, known, room, tree, places):
    """All occurrences of forms among ``n`` words, by start, then end. ``known``: how many of them
    begin a form. Returns how many, and whether one has several words.
    """
    _, _, numbers, gaps, known_places = room
    edge_keys, edge_values, firsts, flags, n_words = tree
    starts, ends, nodes = places
    count, is_long = 0, False
    for i in range(known):
        start = known_places[i]
        node, at = firsts[numbers[start]], start
        while True:
            # as above, counted where a form ends
            starts[count], ends[count], nodes[count] = start, at, node
            ends_here = flags[node] & (ATTRIBUTE_ENDS | OBJECT_ENDS) != 0
            count += ends_here
            is_long |= ends_here & (at > start)
            at += 1
            if not flags[node] & FORM_GOES_ON or at >= n or gaps[at]:
                break
            number = numbers[at]
            if number == 0 or number > n_words:
                break
            edge = (np.uint64(node) << _S32) | np.uint64(number)
            node = _look_up(edge_keys, edge_values, edge)
            if not node:
                break
    return count, is_long


@compiled_walk
def _shadow(count, places, flags, lives):
    """Which occurrences stand in no longer name: objects in none, attributes in no object."""
    starts, ends, nodes = places
    attribute_lives, object_lives = lives
    # furthest ends among the occurrences that start further left
    any_end, object_end = -1, -1
    i = 0
    while i < count:
        j, here_object = i, -1
        while j < count and starts[j] == starts[i]:
            if flags[nodes[j]] & OBJECT_ENDS:
                here_object = ends[j]
            j += 1
        here_any = ends[j - 1]
        for k in range(i, j):
            attribute_lives[k] = not (
                object_end >= ends[k] or here_object > ends[k]
            )
            object_lives[k] = not (any_end >= ends[k] or here_any > ends[k])
        any_end, object_end = (
            max(any_end, here_any),
            max(object_end, here_object),
        )
        i = j


@compiled_walk
def _part_sides(count, is_long, places, flags, lives, sides):
    """The occurrences of attributes and those of objects that stand in no longer name: fills
    ``sides``, two of int64, and returns how many of each.
    """
    nodes = places[2]
    of_attributes, of_objects = sides
    if is_long:
        _shadow(count, places, flags, lives)
    n_a, n_o = 0, 0
    for k in range(count):
        flag = flags[nodes[k]]
        of_attributes[n_a], of_objects[n_o] = k, k
        attribute, its_object = (
            flag & ATTRIBUTE_ENDS != 0,
            flag & OBJECT_ENDS != 0,
        )
        if is_long:
            attribute &= lives[0][k]
            its_object &= lives[1][k]
        n_a += attribute
        n_o += its_object
    return n_a, n_o


def _name_room(counts: np.ndarray) -> Arrays:
    """Of each name of a kind the caption that met it last, and its earliest end and latest start
    there; then the names met in a caption, and the counts.
    """
    n = len(counts)
    last_caption = np.full(n, -1, np.int64)
    return (last_caption, *_integers(n, 3), counts)


def _word_room(longest: int) -> tuple[Arrays, np.ndarray]:
    """Room for the words of a caption of so many bytes, as `_cut` takes it, and their parts of
    speech.
    """
    most = (
        longest + 2
    )  # a caption that is written anew has at most as many words
    words = most // 2 + 1
    room = (
        np.zeros(most + 1, np.int64),
        np.zeros(2 * most + PADDING, np.uint8),
        np.zeros(words, np.int32),
        np.zeros(words, np.uint8),
        np.zeros(words + 1, np.int64),
    )
    return room, np.zeros(words, np.int32)


def _place_room(n: int) -> tuple[Arrays, Arrays, Arrays]:
    """Room for ``n`` occurrences, for which of them live, and for those of each kind."""
    lives = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    return _integers(n + 1, 3), lives, _integers(n + 1, 2)


def _integers(n: int, arrays: int) -> Arrays:
    return tuple(np.zeros(n, np.int64) for _ in range(arrays))


@compiled_walk
def _gather(n, side, places, spans, kind, ids, caption, names):
    """The different names of a kind in a caption, from its ``n`` occurrences; how many. ``kind``:
    where their ``spans`` begin.
    """
    starts, ends, nodes = places
    last_caption, first_end, last_start, met, counts = names
    n_met = 0
    for at in range(n):
        k = side[at]
        for i in range(spans[nodes[k], kind], spans[nodes[k], kind + 1]):
            name = ids[i]
            if last_caption[name] != caption:
                last_caption[name] = caption
                first_end[name] = ends[k]
                met[n_met] = name
                counts[name] += 1
                n_met += 1
            elif ends[k] < first_end[name]:
                first_end[name] = ends[k]
            last_start[name] = starts[k]  # starts only grow
    return n_met


@compiled_walk
def _note_together(caption, met, shape, sink):
    """Note the pairs that a caption names on different words. ``met``: how many attributes and
    objects, and what `_name_room` holds of both.
    """
    n_a, n_o, attributes, objects = met
    _, a_end, a_start, a_met, _ = attributes
    _, o_end, o_start, o_met, _ = objects
    for x in range(n_a):
        a = a_met[x]
        for y in range(n_o):
            o = o_met[y]
            if a_end[a] < o_start[o] or o_end[o] < a_start[a]:
                note_pair(sink, _WORDS, a * shape[1] + o, caption)


@compiled_walk
def _note_adjacent(caption, n, sizes, sides, places, gaps, tables, width, sink):
    """Note the pairs whose object starts right after the attribute's end, no hard gap between.
    ``sizes``: how many occurrences the ``sides`` hold.
    """
    starts, ends, nodes = places
    spans, attribute_ids, attribute_written, object_ids, object_written = tables
    first = 0
    for at in range(sizes[0]):
        k = sides[0][at]
        after = ends[k] + 1
        if after >= n or gaps[after]:
            continue
        while first < sizes[1] and starts[sides[1][first]] <= starts[k]:
            first += 1
        to = first
        while to < sizes[1] and starts[sides[1][to]] < after:
            to += 1
        while to < sizes[1] and starts[sides[1][to]] == after:
            other = nodes[sides[1][to]]
            for i in range(spans[nodes[k], 0], spans[nodes[k], 1]):
                for j in range(spans[other, 2], spans[other, 3]):
                    cell = attribute_ids[i] * width + object_ids[j]
                    if attribute_written[i] and object_written[j]:
                        note_pair(sink, _ADJACENT, cell, caption)
                    note_pair(sink, _FORMS, cell, caption)
            to += 1


@compiled_walk
def _mark(data, begin, end, unsettled):
    """What is odd about a caption: 1 where it must go through `normal_form`, 2 where it isn't
    UTF-8, or holds NUL, which no text does. ``unsettled`` bool by code point.
    """
    mark, at = 0, begin
    while at < end:
        code = np.int64(data[at])
        if code >= 0x80:
            code, size = decode_character(data, at, end)
            at += size
            if code < 0:
                mark |= 2
            elif unsettled[code]:
                mark |= 1
            continue
        at += 1
        if code == 0:
            mark |= 2
        elif code == 38 and at < end:
            letter = np.int64(data[at]) | 0x20
            if data[at] == 35 or (97 <= letter <= 122):
                mark |= 1
    return mark


@compiled_walk
def _count_from(
    start, captions, vocabulary, shape, marginals, texts, rooms, sink
):
    """Count the captions from ``start`` on, as `count_words` does. Returns the first one that
    wasn't counted since it needs more room for occurrences, the words of those that were, and the
    occurrences to make room for.
    """
    data, begins, stops, keep, unsettled = captions
    characters, word_table, tree, names, classes = vocabulary
    spans, attribute_ids, _, object_ids, _ = names
    text_hashes, _, marks = texts
    room, parts, places, lives, sides = rooms
    _, _, numbers, gaps, _ = room
    attributes, objects, named = marginals
    slots = sink[1]
    flags = tree[3]
    total = 0
    for i in range(start, len(begins)):
        if len(keep) and not keep[i]:
            continue
        n, known, value, mark = _cut(
            data, begins[i], stops[i], characters, word_table, unsettled, room
        )
        marks[i] |= mark
        if mark & 1:
            continue
        # an occurrence starts at a known word and has one of that many lengths
        if known * shape[2] > len(lives[0]):
            count_noted(sink)
            return i, total, known * shape[2]
        total += n
        text_hashes[i] = mix_bits(value)
        if known == 0:
            continue
        count, is_long = _find(n, known, room, tree, places)
        sizes = _part_sides(count, is_long, places, flags, lives, sides)
        n_a = _gather(
            sizes[0], sides[0], places, spans, 0, attribute_ids, i, attributes
        )
        n_o = _gather(
            sizes[1], sides[1], places, spans, 2, object_ids, i, objects
        )
        if count:
            named[0, min(n_a, named.shape[1] - 1)] += 1
            named[1, min(n_o, named.shape[1] - 1)] += 1
        if n_a == 0 or n_o == 0:
            continue
        if slots[0] >= 0:
            _note_together(i, (n_a, n_o, attributes, objects), shape, sink)
        if slots[1] >= 0 or slots[2] >= 0:
            _note_adjacent(
                i, n, sizes, sides, places, gaps, names, shape[1], sink
            )
        if slots[3] >= 0:
            joins = parts_of_speech(
                n, numbers, sizes, sides, places, classes, parts
            )
            note_modified(
                i,
                n,
                sizes,
                sides,
                places,
                gaps,
                parts,
                joins,
                names,
                shape[1],
                sink,
            )
    count_noted(sink)
    return len(begins), total, 0


def count_words(
    captions: tuple[np.ndarray, ...],
    rows: tuple[int, np.uint64],
    vocabulary: tuple[Any, ...],
    shape: tuple[int, int, int],
    slots: tuple[int, ...],
    tally: Arrays,
    last: np.ndarray,
    marginals: Arrays,
    texts: Arrays,
) -> int:
    """Count a chunk of captions under the rules ``words``, ``adjacent``, ``adjacent-forms`` and
    ``modifies``. What it needs room for is made here: numba would compile that for seconds.

    ``captions``: data uint8, begins and stops int64 (n), keep bool (n, or empty: all), and bool by
    code point, whether a caption that holds it must go through `normal_form`; empty where all have.
    ``rows``: row of the first, the file's seed. ``vocabulary``: the compiled characters, words,
    tree and names. ``shape``: attributes, objects, words of the longest form. ``slots``: each
    rule's place in the tally, or -1. ``last`` int64 (3, cells): the last row that counted, -1 at
    first. ``marginals``: counts of attributes and of objects, and how many captions name so many of
    them, int64 (2, most + 1), those that name neither left out. Fills ``texts``: hashes uint64 (n);
    bool (n), whether the text is an example; and uint8 (n), of which 1 says that the caption wasn't
    counted since it must go through `normal_form` first, and 2 that it isn't UTF-8. Returns the
    number of words.
    """
    begins, stops = captions[1:3]
    if not len(begins):
        return 0
    words, parts = _word_room(int((stops - begins).max()))
    names = _name_room(marginals[0]), _name_room(marginals[1]), marginals[2]
    noted = (*_integers(MOST_NOTED, 3), np.zeros(1, np.int64))
    sink = noted, slots, last, tally, rows, texts
    total, at, needed = 0, 0, 256
    while at < len(begins):
        places, lives, sides = _place_room(needed)
        room = words, parts, places, lives, sides
        at, more, needed = _count_from(
            at, captions, vocabulary, shape, names, texts, room, sink
        )
        total += more
        needed *= 2
    return total
