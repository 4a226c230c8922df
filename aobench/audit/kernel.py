"""The compiled part: bytes of captions in, counts out. Each caption is walked once; memory does not
grow with them.

Numba compiles it at first use and keeps the result on disk. The functions release the interpreter's
lock, so several threads run side by side, each with a `DenseTally` of its own. Words are
known by 64-bit hashes: that two different words of a corpus with 10^8 different words and a
vocabulary of 10^4 share one has a chance of 10^-7.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aobench.audit.grammar import (
    ADJECTIVE,
    ADVERB,
    COLOUR,
    COPULA,
    DETERMINER,
    HEAD,
    JOIN,
    MADE,
    NOUN,
    OF,
    OPENER,
    PAINTED,
    RELATIVE,
    SHADE,
)
from aobench.audit.utf8 import decode_character
from aobench.audit.words import BEYOND, COMMA, HARD, IGNORED, WORD

_START = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_MIX1, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
#: Neighbouring rows, 2^5 of them, are of one group: they often speak of one image or page.
BLOCK_SHIFT = 5
_ZERO, _ONE = np.uint64(0), np.uint64(1)


@njit(nogil=True, cache=True, inline="always")
def _mix(value):  # the finaliser of splitmix64
    value = (value ^ (value >> _S30)) * _MIX1
    value = (value ^ (value >> _S27)) * _MIX2
    return value ^ (value >> _S31)


@njit(nogil=True, cache=True, inline="always")
def _look_up(keys, values, key):
    mask = np.uint64(len(keys) - 1)
    slot = ((key * _GOLDEN) >> _S32) & mask
    while keys[slot] != _ZERO:
        if keys[slot] == key:
            return values[slot]
        slot = (slot + _ONE) & mask
    return np.int32(0)


@njit(nogil=True, cache=True)
def _cut(data, start, end, characters, word_table, room):
    """Cut one caption into words: fills ``room`` (hashes, numbers, gaps) with each word's hash, its
    number in the vocabulary (0: none; above the vocabulary's: the grammar's), and the gap before
    it: 0 soft, 1 commas, 2 and more hard.

    ``characters``: uint8 (256), a word's character in lower case, HARD, SOFT, COMMA, or BEYOND for
    bytes that are not ASCII; and kind and folded form by code point. The loop over bytes has no
    branch that depends on where words end, which no processor could foretell: every byte writes the
    hash so far to the current word's place. Returns the number of words, how many are in the
    vocabulary, and a hash of all words in their order.
    """
    ascii_table, kinds, folded = characters
    word_keys, word_values, most = word_table
    hashes, numbers, gaps = room
    n = 0
    # gap: as it was before the current word; broken: what the gap holds so far
    inside, broken, gap = False, np.uint8(2), np.uint8(2)
    word = _START
    at = start
    while at < end:
        code = np.int64(ascii_table[data[np.uint64(at)]])
        is_word, size = code > BEYOND, 1
        is_hard, is_comma = code == HARD, code == COMMA
        if code == BEYOND:
            code, size = decode_character(data, at, end)
            kind = kinds[code] if code >= 0 else HARD
            if kind == IGNORED:
                at += size
                continue
            is_word = kind == WORD
            is_hard, is_comma = kind == HARD, kind == COMMA
            code = np.int64(folded[code]) if 0 <= code < 0x20000 else code
        at += size
        n += inside & (not is_word)
        gap = gap if inside else broken
        here = np.uint8(is_hard) << np.uint8(1) | np.uint8(is_comma)
        broken = np.uint8(0) if is_word else np.uint8(broken | here)
        word = ((word if inside else _START) ^ np.uint64(code)) * _PRIME
        inside = is_word
        hashes[n] = word
        gaps[n] = gap
    n += inside
    known, text = 0, _START
    for i in range(n):
        number = _look_up(word_keys, word_values, hashes[i])
        numbers[i] = number
        known += 0 < number <= most
        text = ((text ^ hashes[i]) * _GOLDEN) ^ (text >> _S31)
    return n, known, text


@njit(nogil=True, cache=True)
def _find(n, numbers, most, gaps, tree, spans, places):
    """All occurrences of forms among ``n`` words, by start, then end; returns how many."""
    edge_keys, edge_values, inner = tree
    starts, ends, nodes = places
    count = 0
    for start in range(n):
        node, at = 0, start
        while at < n and 0 < numbers[at] <= most and (at == start or not gaps[at]):
            edge = (np.uint64(node) << _S32) | np.uint64(numbers[at])
            node = _look_up(edge_keys, edge_values, edge)
            if node == 0:
                break
            if spans[node, 1] > spans[node, 0] or spans[node, 3] > spans[node, 2]:
                starts[count], ends[count], nodes[count] = start, at, node
                count += 1
            if not inner[node]:
                break
            at += 1
    return count


@njit(nogil=True, cache=True)
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
            attribute_lives[k] = not (object_end >= ends[k] or here_object > ends[k])
            object_lives[k] = not (any_end >= ends[k] or here_any > ends[k])
        any_end, object_end = max(any_end, here_any), max(object_end, here_object)
        i = j


@njit(nogil=True, cache=True)
def add_hash(smallest, held, cell, value):
    """Keep the K smallest different hashes of a cell, sorted."""
    room, n = smallest.shape[1], held[cell]
    if room == 0 or (n == room and value >= smallest[cell, room - 1]):
        return
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if smallest[cell, middle] < value:
            low = middle + 1
        else:
            high = middle
    if low < n and smallest[cell, low] == value:
        return
    if n < room:
        held[cell] = n + 1
        n += 1
    for i in range(n - 1, low, -1):
        smallest[cell, i] = smallest[cell, i - 1]
    smallest[cell, low] = value


@njit(nogil=True, cache=True)
def add_example(rows, hashes, held, cell, row, value):
    """Keep the rows of a cell's first E different captions, sorted; whether ``row`` is in."""
    room, n = rows.shape[1], held[cell]
    if room == 0 or (n == room and row >= rows[cell, room - 1]):
        return False
    place = n
    for i in range(n):
        if hashes[cell, i] == value:
            if rows[cell, i] <= row:
                return False
            place = i
            break
    if place == n:
        if n < room:
            held[cell] = n + 1
        else:
            place = room - 1
    while place > 0 and rows[cell, place - 1] > row:
        rows[cell, place] = rows[cell, place - 1]
        hashes[cell, place] = hashes[cell, place - 1]
        place -= 1
    rows[cell, place], hashes[cell, place] = row, value
    return True


@njit(nogil=True, cache=True)
def _group_of(row, seed, n_groups):
    """The group of a caption: one for each block of neighbouring rows, dealt out by a hash."""
    block = np.uint64(row >> BLOCK_SHIFT) + seed
    return np.int64(_mix(block * _GOLDEN) % np.uint64(n_groups))


@njit(nogil=True, cache=True)
def _hit(slot, cell, row, value, group, tally):
    """Count one caption for a cell of a rule; whether its text is wanted as an example."""
    counts, touched, n_touched, smallest, n_smallest, rows, hashes, n_rows, groups = (
        tally
    )
    if counts[slot, cell] == 0:
        touched[slot, n_touched[slot]] = cell
        n_touched[slot] += 1
    counts[slot, cell] += 1
    groups[slot, cell, group] += 1
    add_hash(smallest[slot], n_smallest[slot], cell, value)
    return add_example(rows[slot], hashes[slot], n_rows[slot], cell, row, value)


@njit(nogil=True, cache=True)
def _name_room(counts):
    """Of each name of a kind the caption that met it last, and its earliest end and latest start
    there; then the names met in a caption, and the counts.
    """
    n = len(counts)
    last_caption, met = np.full(n, -1, np.int64), np.zeros(n, np.int64)
    return last_caption, np.zeros(n, np.int64), np.zeros(n, np.int64), met, counts


@njit(nogil=True, cache=True)
def _place_room(n):
    """Room for ``n`` occurrences, and for which of them live."""
    starts, ends = np.zeros(n, np.int64), np.zeros(n, np.int64)
    places = starts, ends, np.zeros(n, np.int64)
    return places, (np.zeros(n, np.bool_), np.zeros(n, np.bool_))


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def _adjacent(count, places, lives, gaps, n, tables, slots, width, where, tally):
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
                    for j in range(spans[nodes[other], 2], spans[nodes[other], 3]):
                        cell = attribute_ids[i] * width + object_ids[j]
                        written = attribute_written[i] and object_written[j]
                        if slots[1] >= 0 and written and last[0, cell] != row:
                            last[0, cell] = row
                            wanted |= _hit(slots[1], cell, row, value, group, tally)
                        if slots[2] >= 0 and last[1, cell] != row:
                            last[1, cell] = row
                            wanted |= _hit(slots[2], cell, row, value, group, tally)
            other += 1
    return wanted


@njit(nogil=True, cache=True)
def _part_words(n, count, numbers, places, lives, spans, classes, parts):
    """Which parts each word of a caption may play: fills ``parts`` int32 (n) with the bits of
    `aobench.audit.grammar`, those of the attributes and objects that stand there included.
    """
    starts, ends, nodes = places
    for i in range(n):
        parts[i] = classes[numbers[i]]
    for k in range(count):
        node, part = nodes[k], 0
        if lives[0][k] and spans[node, 1] > spans[node, 0]:
            part |= ADJECTIVE
        if lives[1][k] and spans[node, 3] > spans[node, 2]:
            part |= NOUN | HEAD
        for i in range(starts[k], ends[k] + 1):
            parts[i] |= part


@njit(nogil=True, cache=True)
def _is_head(start, end, n, gaps, parts):
    """Whether an object at these words is what its phrase is about: no noun follows that takes it
    along ("tank top"), and it's no colour in a row of adjectives ("orange and white").
    """
    after = end + 1
    if after >= n or gaps[after] > 1:
        return True
    following = parts[after]
    if gaps[after] == 0 and following & HEAD:
        return False
    if not parts[start] & parts[end] & ADJECTIVE:
        return True
    joined = JOIN if gaps[after] == 0 else JOIN | ADJECTIVE
    return not following & joined


@njit(nogil=True, cache=True)
def _next_state(state, gap, part):
    """The state of a row of adjectives (1), after "and" (2), or of nouns (3) after one more word;
    0: the word isn't of the row.
    """
    if gap > 1 or (gap == 1 and (state != 1 or not part & (ADJECTIVE | JOIN))):
        return 0
    if state != 3 and part & ADJECTIVE:
        return 1
    if part & JOIN and state == 1:
        return 2
    if part & NOUN and state != 2:
        return 3
    return 0


@njit(nogil=True, cache=True)
def _begins_clause(start, gaps, parts):
    """Whether the phrase that ends in a name at ``start`` begins a caption or a clause."""
    at = start
    while at > 0 and gaps[at] == 0 and not parts[at - 1] & OPENER:
        if not parts[at - 1] & (ADJECTIVE | NOUN | DETERMINER):
            return False
        at -= 1
    return True


@njit(nogil=True, cache=True)
def _skip(at, n, gaps, parts, wanted):
    """The first place from ``at`` on whose word, after a soft gap, has no part of ``wanted``."""
    while at < n and gaps[at] == 0 and parts[at] & wanted:
        at += 1
    return at


@njit(nogil=True, cache=True)
def _is_soft(at, n, gaps, parts, wanted):
    """Whether a word with one of these parts stands at ``at``, after a soft gap."""
    return at < n and gaps[at] == 0 and parts[at] & wanted != 0


@njit(nogil=True, cache=True)
def _predicate(start, end, n, gaps, parts):
    """First and last word of the adjectives that are said of an object after it; none: (0, -1)."""
    at, relative, copula, made = end + 1, False, False, False
    if at < n and gaps[at] <= 1 and parts[at] & RELATIVE:
        relative = True
        at += 1
    if _is_soft(at, n, gaps, parts, COPULA):
        copula = relative or _begins_clause(start, gaps, parts)
        if not copula:
            return 0, -1
        at = _skip(at + 1, n, gaps, parts, ADVERB)
    elif relative:
        return 0, -1
    if _is_soft(at, n, gaps, parts, MADE) and _is_soft(at + 1, n, gaps, parts, OF):
        made = True
        at = _skip(at + 1, n, gaps, parts, OF | DETERMINER | ADVERB)
    elif _is_soft(at, n, gaps, parts, PAINTED):
        at = _skip(at + 1, n, gaps, parts, ADVERB)
    elif not copula:
        return 0, -1
    if not _is_soft(at, n, gaps, parts, ADJECTIVE):
        return 0, -1
    first, last, state = at, at, 1
    at += 1
    while at < n:
        state = _next_state(state, gaps[at], parts[at])
        if state == 1:
            last = at
        elif state != 2:
            break
        at += 1
    if not made and _is_soft(last + 1, n, gaps, parts, HEAD | NOUN):
        return 0, -1
    return first, last


@njit(nogil=True, cache=True)
def _modifies(count, places, lives, gaps, n, parts, tables, slot, width, where, tally):
    """Count the pairs whose attribute modifies the object, by the grammar of
    `aobench.audit.grammar`; whether the text is wanted. ``where`` as of `_adjacent`.
    """
    row, value, group, last = where
    starts, ends, nodes = places
    attribute_lives, object_lives = lives
    spans, attribute_ids, _, object_ids, _ = tables
    wanted = False
    for k in range(count):
        node = nodes[k]
        if not object_lives[k] or spans[node, 2] == spans[node, 3]:
            continue
        is_head = _is_head(starts[k], ends[k], n, gaps, parts)
        first, stop = _predicate(starts[k], ends[k], n, gaps, parts)
        if not is_head and stop < 0:
            continue
        for other in range(count):
            node_a = nodes[other]
            if not attribute_lives[other] or spans[node_a, 0] == spans[node_a, 1]:
                continue
            after = ends[other] + 1
            is_shade = parts[after - 1] & SHADE
            if is_shade and _is_soft(after, n, gaps, parts, COLOUR):
                continue
            shown = first <= starts[other] and ends[other] <= stop
            if not shown and is_head and after <= starts[k]:
                state = 1
                while state and after < starts[k]:
                    state = _next_state(state, gaps[after], parts[after])
                    after += 1
                shown = state % 2 == 1 and gaps[starts[k]] == 0
            if not shown:
                continue
            for i in range(spans[node_a, 0], spans[node_a, 1]):
                for j in range(spans[node, 2], spans[node, 3]):
                    cell = attribute_ids[i] * width + object_ids[j]
                    if last[2, cell] != row:
                        last[2, cell] = row
                        wanted |= _hit(slot, cell, row, value, group, tally)
    return wanted


@njit(nogil=True, cache=True)
def count_words(captions, vocabulary, shape, slots, tally, last, marginals, texts):
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
    data, begins, stops, keep, first_row, seed = captions
    characters, word_table, tree, names, classes = vocabulary
    most_known = word_table[2]
    spans, attribute_ids, _, object_ids, _ = names
    text_hashes, wanted = texts
    longest = 0
    for i in range(len(begins)):
        longest = max(longest, stops[i] - begins[i])
    n_words = longest // 2 + 2
    numbers, gaps = np.zeros(n_words, np.int32), np.zeros(n_words, np.uint8)
    room, parts = (
        (np.zeros(n_words, np.uint64), numbers, gaps),
        np.zeros(n_words, np.int32),
    )
    most = 256
    places, lives = _place_room(most)
    attributes, objects = _name_room(marginals[0]), _name_room(marginals[1])
    named = marginals[2]
    _, a_end, a_start, a_met, _ = attributes
    _, o_end, o_start, o_met, _ = objects
    total = 0
    for i in range(len(begins)):
        if len(keep) and not keep[i]:
            continue
        n, known, value = _cut(data, begins[i], stops[i], characters, word_table, room)
        value = _mix(value)
        text_hashes[i] = value
        total += n
        if known == 0:
            continue
        # an occurrence starts at a known word and has one of that many lengths
        if known * shape[2] > most:
            most = 2 * known * shape[2]
            places, lives = _place_room(most)
        count = _find(n, numbers, most_known, gaps, tree, spans, places)
        if count == 0:
            continue
        _shadow(count, places, spans, lives)
        row = first_row + i
        group = _group_of(row, seed, tally[-1].shape[2])
        n_a = _gather(count, places, lives[0], spans, 0, attribute_ids, i, attributes)
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
                        is_example |= _hit(slots[0], cell, row, value, group, tally)
        if slots[1] >= 0 or slots[2] >= 0:
            where = row, value, group, last
            is_example |= _adjacent(
                count, places, lives, gaps, n, names, slots, shape[1], where, tally
            )
        if slots[3] >= 0:
            where = row, value, group, last
            _part_words(n, count, numbers, places, lives, spans, classes, parts)
            is_example |= _modifies(
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
    return total


@njit(nogil=True, cache=True)
def count_authors(captions, folded, automaton, cell_of, tally, word_counts, texts):
    """Count a chunk under the authors' rule: cells are pairs of substrings of the caption in
    lower case. ``captions`` and ``texts`` as of `count_words`.
    """
    data, begins, stops, keep, first_row, seed = captions
    symbols, steps, word_starts, words = automaton
    text_hashes, wanted = texts
    last_caption = np.full(len(cell_of), -1, np.int64)
    here = np.zeros(len(cell_of), np.int64)
    firsts = np.array([np.any(cells >= 0) for cells in cell_of])
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
                dotted = code == 0x130  # its lower case is i and a combining dot
            column = symbols[folded[code]] if 0 <= code < 0x20000 else symbols[0]
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
        group = _group_of(row, seed, tally[-1].shape[2])
        for x in range(n):
            if firsts[here[x]]:
                for y in range(n):
                    cell = cell_of[here[x], here[y]]
                    if cell >= 0 and _hit(0, cell, row, value, group, tally):
                        wanted[i] = True


@njit(nogil=True, cache=True)
def merge_counts(sparse, row_base, slot, tally):
    """Add a rule's sparse counts to a tally, its rows moved by ``row_base``; ``sparse``: the fields
    of `aobench.audit.tally.SparseCounts`.
    """
    cells, counts, hash_starts, hash_values = sparse[:4]
    example_starts, example_rows, example_hashes, group_counts = sparse[4:]
    into, touched, n_touched, smallest, n_smallest, rows, hashes, n_rows, groups = tally
    for i in range(len(cells)):
        cell = cells[i]
        if into[slot, cell] == 0:
            touched[slot, n_touched[slot]] = cell
            n_touched[slot] += 1
        into[slot, cell] += counts[i]
        for k in range(group_counts.shape[1]):
            groups[slot, cell, k] += group_counts[i, k]
        for k in range(hash_starts[i], hash_starts[i + 1]):
            add_hash(smallest[slot], n_smallest[slot], cell, hash_values[k])
        for k in range(example_starts[i], example_starts[i + 1]):
            row, value = example_rows[k] + row_base, example_hashes[k]
            add_example(rows[slot], hashes[slot], n_rows[slot], cell, row, value)
