"""The compiled part: bytes of captions in, counts out. Each caption is walked once; memory does not
grow with them.

Numba compiles it at first use and keeps the result on disk. The functions release the interpreter's
lock, so several threads run side by side, each with a `DenseTally` of its own. Words are
known by 64-bit hashes: that two different words of a corpus with 10^8 different words and a
vocabulary of 10^4 share one has a chance of 10^-7.

The code on disk is known by this file's time and size alone: who changes a compiled function or a
constant of another file (`compiling`, `compiled_counts`, `modifiers`, `grammar`, `utf8`, `words`)
touches this one, too, or deletes its ``__pycache__``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aobench.audit.compiled_counts import (
    GOLDEN,
    count_caption,
    group_of_row,
    mix_bits,
)
from aobench.audit.compiling import compiled_walk
from aobench.audit.modifiers import count_modified, parts_of_speech
from aobench.audit.utf8 import decode_character
from aobench.audit.words import BEYOND, COMMA, HARD, IGNORED, WORD

_START = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_S31, _S32 = np.uint64(31), np.uint64(32)
_ZERO, _ONE = np.uint64(0), np.uint64(1)


@compiled_walk
def _look_up(keys, values, key):
    """The value of a key, 0 where there is none, since the values of free slots are 0.

    One way out of one loop: with more, numba counts references to the arrays at each call, by
    atomic operations that cost more than the look-up and for which threads wait.
    """
    mask = np.uint64(len(keys) - 1)
    slot = ((key * GOLDEN) >> _S32) & mask
    while keys[slot] != _ZERO and keys[slot] != key:
        slot = (slot + _ONE) & mask
    return values[slot]


@compiled_walk
def _cut(data, start, end, characters, word_table, room):
    """Cut one caption into words: fills ``room`` (hashes, numbers, gaps) with each word's hash, its
    number in the vocabulary (0: none; above the vocabulary's: the grammar's), and the gap before
    it: 0 soft, 1 commas, 2 and more hard.

    ``characters``: uint8 (256), a word's character in lower case, HARD, SOFT, COMMA, or BEYOND for
    bytes that are not ASCII; and kind and folded form by code point. The innermost loop walks the
    letters of one word and does nothing but hash them; the words are looked up afterwards, so that
    the look-ups don't wait for one another. Returns the number of words, how many are in the
    vocabulary, and a hash of all words in their order.
    """
    ascii_table, kinds, folded = characters
    word_keys, word_values, most = word_table
    hashes, numbers, gaps = room
    n, inside, word = 0, False, _START
    broken = np.uint8(2)  # what the gap holds so far
    at = start
    while at < end:
        code = np.int64(ascii_table[data[np.uint64(at)]])
        kind, size = code, 1
        if code > BEYOND:
            kind = WORD
        elif code == BEYOND:
            code, size = decode_character(data, at, end)
            kind = np.int64(kinds[code]) if code >= 0 else HARD
            code = np.int64(folded[code]) if 0 <= code < 0x20000 else code
        at += size
        if kind == IGNORED:
            continue
        if kind != WORD:
            if inside:
                hashes[n] = word
                n += 1
                inside = False
            here = np.uint8(kind == HARD) << np.uint8(1)
            broken = np.uint8(broken | here | np.uint8(kind == COMMA))
            continue
        if not inside:
            gaps[n] = broken
            inside, broken, word = True, np.uint8(0), _START
        word = (word ^ np.uint64(code)) * _PRIME
        while at < end:
            letter = ascii_table[data[np.uint64(at)]]
            if letter <= BEYOND:
                break
            word = (word ^ np.uint64(letter)) * _PRIME
            at += 1
    if inside:
        hashes[n] = word
        n += 1
    known, text = 0, _START
    for i in range(n):
        number = _look_up(word_keys, word_values, hashes[i])
        numbers[i] = number
        known += 0 < number <= most
        text = ((text ^ hashes[i]) * GOLDEN) ^ (text >> _S31)
    return n, known, text


@njit(nogil=True, cache=True)
def _first_nodes(tree, most):
    """Of each word of the vocabulary the node of the forms that begin with it; 0: none does."""
    nodes = np.zeros(most + 1, np.int32)
    for number in range(1, most + 1):
        nodes[number] = _look_up(tree[0], tree[1], np.uint64(number))
    return nodes


@compiled_walk
def _find(n, numbers, firsts, gaps, tree, spans, places):
    """All occurrences of forms among ``n`` words, by start, then end; returns how many.
    ``firsts``: `_first_nodes`.
    """
    edge_keys, edge_values, inner = tree
    starts, ends, nodes = places
    count, most = 0, len(firsts) - 1
    for start in range(n):
        if numbers[start] > most:
            continue
        node, at = firsts[numbers[start]], start
        while node:
            if (
                spans[node, 1] > spans[node, 0]
                or spans[node, 3] > spans[node, 2]
            ):
                starts[count], ends[count], nodes[count] = start, at, node
                count += 1
            at += 1
            if not inner[node] or at >= n or gaps[at]:
                break
            number = numbers[at]
            if number == 0 or number > most:
                break
            edge = (np.uint64(node) << _S32) | np.uint64(number)
            node = _look_up(edge_keys, edge_values, edge)
    return count


@compiled_walk
def _shadow(count, places, spans, lives):
    """Which occurrences stand in no longer name: objects in none, attributes in no object."""
    starts, ends, nodes = places
    attribute_lives, object_lives = lives
    # furthest ends among the occurrences that start further left
    any_end, object_end = -1, -1
    i = 0
    while i < count:
        j, here_object = i, -1
        while j < count and starts[j] == starts[i]:
            if spans[nodes[j], 3] > spans[nodes[j], 2]:
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


@njit(nogil=True, cache=True)
def _name_room(counts):
    """Of each name of a kind the caption that met it last, and its earliest end and latest start
    there; then the names met in a caption, and the counts.
    """
    n = len(counts)
    last_caption, met = np.full(n, -1, np.int64), np.zeros(n, np.int64)
    return (
        last_caption,
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        met,
        counts,
    )


@njit(nogil=True, cache=True)
def _place_room(n):
    """Room for ``n`` occurrences, and for which of them live."""
    starts, ends = np.zeros(n, np.int64), np.zeros(n, np.int64)
    places = starts, ends, np.zeros(n, np.int64)
    return places, (np.zeros(n, np.bool_), np.zeros(n, np.bool_))


@compiled_walk
def _gather(count, places, lives, spans, side, ids, caption, names):
    """The different names of a kind in a caption, whose ``spans`` begin at ``side``; how many."""
    starts, ends, nodes = places
    last_caption, first_end, last_start, met, counts = names
    n = 0
    for k in range(count):
        if lives[k]:
            for i in range(spans[nodes[k], side], spans[nodes[k], side + 1]):
                name = ids[i]
                if last_caption[name] != caption:
                    last_caption[name] = caption
                    first_end[name] = ends[k]
                    met[n] = name
                    counts[name] += 1
                    n += 1
                elif ends[k] < first_end[name]:
                    first_end[name] = ends[k]
                last_start[name] = starts[k]  # starts only grow
    return n


@compiled_walk
def _adjacent(
    count, places, lives, gaps, n, tables, slots, width, where, tally
):
    """Count the pairs whose object starts right after the attribute's end, no hard gap between;
    whether the text is wanted. ``where``: row, hash of the text, its group, last row that counted
    by cell.
    """
    row, value, group, last = where
    starts, ends, nodes = places
    attribute_lives, object_lives = lives
    spans, attribute_ids, attribute_written, object_ids, object_written = tables
    wanted = False
    for k in range(count):
        after = ends[k] + 1
        first, stop = spans[nodes[k], 0], spans[nodes[k], 1]
        if first == stop or not attribute_lives[k] or after >= n or gaps[after]:
            continue
        other = k + 1
        while other < count and starts[other] < after:
            other += 1
        while other < count and starts[other] == after:
            if object_lives[other]:
                for i in range(first, stop):
                    for j in range(
                        spans[nodes[other], 2], spans[nodes[other], 3]
                    ):
                        cell = attribute_ids[i] * width + object_ids[j]
                        written = attribute_written[i] and object_written[j]
                        if slots[1] >= 0 and written and last[0, cell] != row:
                            last[0, cell] = row
                            wanted |= count_caption(
                                slots[1], cell, row, value, group, tally
                            )
                        if slots[2] >= 0 and last[1, cell] != row:
                            last[1, cell] = row
                            wanted |= count_caption(
                                slots[2], cell, row, value, group, tally
                            )
            other += 1
    return wanted


@compiled_walk
def _count_from(
    start,
    captions,
    vocabulary,
    shape,
    slots,
    tally,
    last,
    marginals,
    texts,
    rooms,
):
    """Count the captions from ``start`` on, as `count_words` does. Returns the first one that
    wasn't counted since it needs more room for occurrences, the words of those that were, and the
    occurrences to make room for.
    """
    data, begins, stops, keep, first_row, seed = captions
    characters, word_table, tree, names, classes = vocabulary
    spans, attribute_ids, _, object_ids, _ = names
    text_hashes, wanted = texts
    room, parts, firsts, places, lives = rooms
    _, numbers, gaps = room
    attributes, objects, named = marginals
    _, a_end, a_start, a_met, _ = attributes
    _, o_end, o_start, o_met, _ = objects
    total = 0
    for i in range(start, len(begins)):
        if len(keep) and not keep[i]:
            continue
        n, known, value = _cut(
            data, begins[i], stops[i], characters, word_table, room
        )
        value = mix_bits(value)
        text_hashes[i] = value
        if known == 0:
            total += n
            continue
        # an occurrence starts at a known word and has one of that many lengths
        if known * shape[2] > len(lives[0]):
            return i, total, known * shape[2]
        total += n
        count = _find(n, numbers, firsts, gaps, tree, spans, places)
        if count == 0:
            continue
        _shadow(count, places, spans, lives)
        row = first_row + i
        group = group_of_row(row, seed, tally[-1].shape[2])
        n_a = _gather(
            count, places, lives[0], spans, 0, attribute_ids, i, attributes
        )
        n_o = _gather(count, places, lives[1], spans, 2, object_ids, i, objects)
        named[0, min(n_a, named.shape[1] - 1)] += 1
        named[1, min(n_o, named.shape[1] - 1)] += 1
        if n_a == 0 or n_o == 0:
            continue
        is_example = False
        if slots[0] >= 0:
            for x in range(n_a):
                a = a_met[x]
                for y in range(n_o):
                    o = o_met[y]
                    # on different words
                    if a_end[a] < o_start[o] or o_end[o] < a_start[a]:
                        cell = a * shape[1] + o
                        is_example |= count_caption(
                            slots[0], cell, row, value, group, tally
                        )
        if slots[1] >= 0 or slots[2] >= 0:
            where = row, value, group, last
            is_example |= _adjacent(
                count,
                places,
                lives,
                gaps,
                n,
                names,
                slots,
                shape[1],
                where,
                tally,
            )
        if slots[3] >= 0:
            where = row, value, group, last
            parts_of_speech(
                n, count, numbers, places, lives, spans, classes, parts
            )
            is_example |= count_modified(
                count,
                places,
                lives,
                gaps,
                n,
                parts,
                names,
                slots[3],
                shape[1],
                where,
                tally,
            )
        wanted[i] |= is_example
    return len(begins), total, 0


@njit(nogil=True, cache=True)
def count_words(
    captions, vocabulary, shape, slots, tally, last, marginals, texts
):
    """Count a chunk of captions under the rules ``words``, ``adjacent``, ``adjacent-forms`` and
    ``modifies``.

    ``captions``: data uint8, begins and stops int64 (n), keep bool (n, or empty: all), row of the
    first, the file's seed. ``vocabulary``: the compiled characters, words, tree and names.
    ``shape``: attributes, objects, words of the longest form. ``slots``: each rule's place in the
    tally, or -1. ``last`` int64 (3, cells): the last row that counted, -1 at first. ``marginals``:
    counts of attributes
    and of objects, and how many captions name so many of them, int64 (2, most + 1), those that name
    neither left out. Fills ``texts``: hashes uint64 (n), and bool (n), whether the text is an
    example. Returns the number of words.
    """
    begins, stops = captions[1:3]
    most_words = 0
    for i in range(len(begins)):
        most_words = max(most_words, (stops[i] - begins[i]) // 2 + 2)
    numbers, gaps = (
        np.zeros(most_words, np.int32),
        np.zeros(most_words, np.uint8),
    )
    words = np.zeros(most_words, np.uint64), numbers, gaps
    parts = np.zeros(most_words, np.int32)
    firsts = _first_nodes(vocabulary[2], vocabulary[1][2])
    names = _name_room(marginals[0]), _name_room(marginals[1]), marginals[2]
    # not the literal 0, for which the loop would be compiled once more
    at = np.int64(0)
    total, needed = 0, 256
    while at < len(begins):
        places, lives = _place_room(needed)
        at, more, needed = _count_from(
            at,
            captions,
            vocabulary,
            shape,
            slots,
            tally,
            last,
            names,
            texts,
            (words, parts, firsts, places, lives),
        )
        total += more
        needed *= 2
    return total


@compiled_walk
def _count_substrings(
    captions, folded, automaton, cell_of, tally, word_counts, texts, rooms
):
    """The loop of `count_authors`."""
    data, begins, stops, keep, first_row, seed = captions
    symbols, steps, word_starts, words = automaton
    text_hashes, wanted = texts
    last_caption, here, firsts = rooms
    for i in range(len(begins)):
        if len(keep) and not keep[i]:
            continue
        n, state, at, end = 0, 0, begins[i], stops[i]
        while at < end:
            code = np.int64(data[at])
            at += 1
            dotted = False
            if code >= 0x80:
                code, size = decode_character(data, at - 1, end)
                at += size - 1
                dotted = (
                    code == 0x130
                )  # its lower case is i and a combining dot
            column = (
                symbols[folded[code]] if 0 <= code < 0x20000 else symbols[0]
            )
            state = steps[state, column]
            for k in range(word_starts[state], word_starts[state + 1]):
                word = words[k]
                if last_caption[word] != i:
                    last_caption[word] = i
                    here[n] = word
                    word_counts[word] += 1
                    n += 1
            if dotted:
                state = steps[state, symbols[0x307]]
        row, value = first_row + i, text_hashes[i]
        group = group_of_row(row, seed, tally[-1].shape[2])
        for x in range(n):
            if firsts[here[x]]:
                for y in range(n):
                    cell = cell_of[here[x], here[y]]
                    if cell >= 0 and count_caption(
                        0, cell, row, value, group, tally
                    ):
                        wanted[i] = True


@njit(nogil=True, cache=True)
def count_authors(
    captions, folded, automaton, cell_of, tally, word_counts, texts
):
    """Count a chunk under the authors' rule: cells are pairs of substrings of the caption in
    lower case. ``captions`` and ``texts`` as of `count_words`.
    """
    last_caption = np.full(len(cell_of), -1, np.int64)
    here = np.zeros(len(cell_of), np.int64)
    firsts = np.array([np.any(cells >= 0) for cells in cell_of])
    rooms = last_caption, here, firsts
    _count_substrings(
        captions, folded, automaton, cell_of, tally, word_counts, texts, rooms
    )
