"""The compiled part: bytes of captions in, counts out. Each caption is walked once; memory does not
grow with them.

Numba compiles it at first use and keeps the result on disk. The functions release the interpreter's
lock, so several threads run side by side, each with a `Tally` of its own. A caption's words are
known by 64-bit hashes: that two different words of a corpus with 10^8 different words and a
vocabulary of 10^4 share one has a chance of 10^-7.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aobench.audit.words import BEYOND, HARD, IGNORED, WORD

_START = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_MIX1, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_HARD, _WORD, _IGNORED = HARD, WORD, IGNORED
_BEYOND = BEYOND
_INVALID = -1


@njit(nogil=True, cache=True, inline="always")
def _mix(value):  # the finaliser of splitmix64
    value = (value ^ (value >> _S30)) * _MIX1
    value = (value ^ (value >> _S27)) * _MIX2
    return value ^ (value >> _S31)


@njit(nogil=True, cache=True)
def decode_character(data, at, end):
    """(code point, bytes) of the UTF-8 character at ``at``; (_INVALID, 1) where there is none."""
    first = np.int64(data[at])
    if first < 0xC2 or first > 0xF4:
        return _INVALID, 1
    size = 2 if first < 0xE0 else (3 if first < 0xF0 else 4)
    if at + size > end:
        return _INVALID, 1
    code = first & (0x7F >> size)
    for i in range(1, size):
        more = np.int64(data[at + i])
        if more & 0xC0 != 0x80:
            return _INVALID, 1
        code = (code << 6) | (more & 0x3F)
    if size == 3 and (code < 0x800 or 0xD800 <= code < 0xE000):
        return _INVALID, 1
    if code > 0x10FFFF or (size == 4 and code < 0x10000):
        return _INVALID, 1
    return code, size


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
def _cut(
    data,
    start,
    end,
    ascii_table,
    kinds,
    folded,
    word_keys,
    word_values,
    hashes,
    numbers,
    hard,
):
    """Cut one caption into words: fills ``numbers`` (0: not in the vocabulary) and ``hard`` (the
    gap before it).

    ``ascii_table`` uint8 (256): a word's character in lower case, _HARD, _SOFT, or _BEYOND for
    bytes that are not ASCII. The loop over bytes has no branch that depends on where words end,
    which no processor could foretell: every byte writes the hash so far to the current word's
    place. Returns the number of words, how many are in the vocabulary, and a hash of all words in
    their order.
    """
    n = 0
    inside, broken, gap = False, True, True  # gap: as it was before the current word
    word = _START
    at = start
    while at < end:
        code = np.int64(ascii_table[data[np.uint64(at)]])
        is_word, size = code > _BEYOND, 1
        is_hard = code == _HARD
        if code == _BEYOND:
            code, size = decode_character(data, at, end)
            kind = kinds[code] if code >= 0 else _HARD
            if kind == _IGNORED:
                at += size
                continue
            is_word, is_hard = kind == _WORD, kind == _HARD
            code = np.int64(folded[code]) if 0 <= code < 0x20000 else code
        at += size
        n += inside & (not is_word)
        gap = gap if inside else broken
        broken = (broken | is_hard) & (not is_word)
        word = ((word if inside else _START) ^ np.uint64(code)) * _PRIME
        inside = is_word
        hashes[n] = word
        hard[n] = gap
    n += inside
    known, text = 0, _START
    for i in range(n):
        number = _look_up(word_keys, word_values, hashes[i])
        numbers[i] = number
        known += number != 0
        text = ((text ^ hashes[i]) * _GOLDEN) ^ (text >> _S31)
    return n, known, text


@njit(nogil=True, cache=True)
def _find(n, numbers, hard, edge_keys, edge_values, inner, spans, starts, ends, nodes):
    """All occurrences of forms among the ``n`` words, by start, then end; returns how many."""
    found = 0
    for start in range(n):
        node, at = 0, start
        while at < n and numbers[at] and (at == start or not hard[at]):
            node = _look_up(
                edge_keys,
                edge_values,
                (np.uint64(node) << _S32) | np.uint64(numbers[at]),
            )
            if node == 0:
                break
            if spans[node, 1] > spans[node, 0] or spans[node, 3] > spans[node, 2]:
                starts[found], ends[found], nodes[found] = start, at, node
                found += 1
            if not inner[node]:
                break
            at += 1
    return found


@njit(nogil=True, cache=True)
def _shadow(found, starts, ends, nodes, spans, attribute_lives, object_lives):
    """Which occurrences stand in no longer name: an object in none at all, an attribute in no
    object.
    """
    any_end, object_end = (
        -1,
        -1,
    )  # furthest ends among the occurrences that start further left
    i = 0
    while i < found:
        j, here_object = i, -1
        while j < found and starts[j] == starts[i]:
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
    """Keep the K smallest different hashes of a cell, sorted: exact up to K captions, an
    estimate beyond.
    """
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
    """Keep the rows of the first E different captions of a cell, sorted; whether ``row`` came
    in.
    """
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
        rows[cell, place], hashes[cell, place] = (
            rows[cell, place - 1],
            hashes[cell, place - 1],
        )
        place -= 1
    rows[cell, place], hashes[cell, place] = row, value
    return True


@njit(nogil=True, cache=True)
def _hit(slot, cell, row, value, tally):
    """Count one caption for a cell of a rule; whether its text is wanted as an example."""
    counts, touched, n_touched, smallest, n_smallest, rows, hashes, n_rows = tally
    if counts[slot, cell] == 0:
        touched[slot, n_touched[slot]] = cell
        n_touched[slot] += 1
    counts[slot, cell] += 1
    add_hash(smallest[slot], n_smallest[slot], cell, value)
    return add_example(rows[slot], hashes[slot], n_rows[slot], cell, row, value)


@njit(nogil=True, cache=True)
def _gather(
    found,
    starts,
    ends,
    nodes,
    lives,
    spans,
    side,
    ids,
    stamp,
    stamps,
    first_end,
    last_start,
    unique,
    counts,
):
    """The different names of one kind in a caption: earliest end and latest start of each;
    counts each once.
    """
    n = 0
    for k in range(found):
        if lives[k]:
            for i in range(spans[nodes[k], side], spans[nodes[k], side + 1]):
                name = ids[i]
                if stamps[name] != stamp:
                    stamps[name] = stamp
                    first_end[name] = ends[k]
                    unique[n] = name
                    counts[name] += 1
                    n += 1
                elif ends[k] < first_end[name]:
                    first_end[name] = ends[k]
                last_start[name] = starts[k]  # starts only grow
    return n


@njit(nogil=True, cache=True)
def _adjacent(
    found,
    starts,
    ends,
    nodes,
    attribute_lives,
    object_lives,
    hard,
    n,
    tables,
    slots,
    width,
    row,
    value,
    tally,
    last,
):
    """Count the pairs whose object starts right after the attribute's end, no hard gap between
    them.
    """
    spans, attribute_ids, attribute_written, object_ids, object_written = tables
    wanted = False
    for k in range(found):
        after = ends[k] + 1
        if (
            not attribute_lives[k]
            or after >= n
            or hard[after]
            or spans[nodes[k], 1] == spans[nodes[k], 0]
        ):
            continue
        other = k + 1
        while other < found and starts[other] < after:
            other += 1
        while other < found and starts[other] == after:
            if object_lives[other]:
                for i in range(spans[nodes[k], 0], spans[nodes[k], 1]):
                    for j in range(spans[nodes[other], 2], spans[nodes[other], 3]):
                        cell = attribute_ids[i] * width + object_ids[j]
                        written = attribute_written[i] and object_written[j]
                        if slots[1] >= 0 and written and last[0, cell] != row:
                            last[0, cell] = row
                            wanted |= _hit(slots[1], cell, row, value, tally)
                        if slots[2] >= 0 and last[1, cell] != row:
                            last[1, cell] = row
                            wanted |= _hit(slots[2], cell, row, value, tally)
            other += 1
    return wanted


@njit(nogil=True, cache=True)
def count_words(
    data,
    begins,
    stops,
    keep,
    first_row,
    characters,
    word_table,
    tree,
    names,
    shape,
    slots,
    tally,
    last,
    attribute_counts,
    object_counts,
    text_hashes,
    wanted,
):
    """Count a chunk of captions under the rules ``words``, ``adjacent`` and ``adjacent-forms``.

    ``data`` uint8, ``begins`` and ``stops`` int64 (n), ``keep`` bool (n, or empty: all). ``shape``:
    attributes, objects, words of the longest form. ``slots``: each rule's place in the tally, or
    -1. ``last`` int64 (2, cells): the last row that counted, -1 at first. Fills ``text_hashes``
    uint64 (n) and ``wanted`` bool (n): the text is to be kept as an example. Returns the number of
    words.
    """
    ascii_table, kinds, folded = characters
    word_keys, word_values = word_table
    edge_keys, edge_values, inner = tree
    spans, attribute_ids, _, object_ids, _ = names
    longest = 0
    for i in range(len(begins)):
        longest = max(longest, stops[i] - begins[i])
    room = longest // 2 + 2
    hashes, numbers, hard = (
        np.zeros(room, np.uint64),
        np.zeros(room, np.int32),
        np.zeros(room, np.bool_),
    )
    most = 256
    starts, ends, nodes = (
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
    )
    attribute_lives, object_lives = np.zeros(most, np.bool_), np.zeros(most, np.bool_)
    a_stamp, a_end = np.full(shape[0], -1, np.int64), np.zeros(shape[0], np.int64)
    o_stamp, o_end = np.full(shape[1], -1, np.int64), np.zeros(shape[1], np.int64)
    a_start, a_unique = np.zeros(shape[0], np.int64), np.zeros(shape[0], np.int64)
    o_start, o_unique = np.zeros(shape[1], np.int64), np.zeros(shape[1], np.int64)
    total = 0
    for i in range(len(begins)):
        if len(keep) and not keep[i]:
            continue
        n, known, value = _cut(
            data,
            begins[i],
            stops[i],
            ascii_table,
            kinds,
            folded,
            word_keys,
            word_values,
            hashes,
            numbers,
            hard,
        )
        value = _mix(value)
        text_hashes[i] = value
        total += n
        if known == 0:
            continue
        # an occurrence starts at a known word and has one of that many lengths
        if known * shape[2] > most:
            most = 2 * known * shape[2]
            starts, ends, nodes = (
                np.zeros(most, np.int64),
                np.zeros(most, np.int64),
                np.zeros(most, np.int64),
            )
            attribute_lives, object_lives = (
                np.zeros(most, np.bool_),
                np.zeros(most, np.bool_),
            )
        found = _find(
            n, numbers, hard, edge_keys, edge_values, inner, spans, starts, ends, nodes
        )
        if found == 0:
            continue
        _shadow(found, starts, ends, nodes, spans, attribute_lives, object_lives)
        row = first_row + i
        n_a = _gather(
            found,
            starts,
            ends,
            nodes,
            attribute_lives,
            spans,
            0,
            attribute_ids,
            i,
            a_stamp,
            a_end,
            a_start,
            a_unique,
            attribute_counts,
        )
        n_o = _gather(
            found,
            starts,
            ends,
            nodes,
            object_lives,
            spans,
            2,
            object_ids,
            i,
            o_stamp,
            o_end,
            o_start,
            o_unique,
            object_counts,
        )
        if n_a == 0 or n_o == 0:
            continue
        asked = False
        if slots[0] >= 0:
            for x in range(n_a):
                a = a_unique[x]
                for y in range(n_o):
                    o = o_unique[y]
                    if (
                        a_end[a] < o_start[o] or o_end[o] < a_start[a]
                    ):  # on different words
                        asked |= _hit(slots[0], a * shape[1] + o, row, value, tally)
        if slots[1] >= 0 or slots[2] >= 0:
            asked |= _adjacent(
                found,
                starts,
                ends,
                nodes,
                attribute_lives,
                object_lives,
                hard,
                n,
                names,
                slots,
                shape[1],
                row,
                value,
                tally,
                last,
            )
        wanted[i] |= asked
    return total


@njit(nogil=True, cache=True)
def count_authors(
    data,
    begins,
    stops,
    keep,
    first_row,
    folded,
    symbols,
    steps,
    found_start,
    found,
    cell_of,
    slot,
    tally,
    word_counts,
    text_hashes,
    wanted,
):
    """Count a chunk under the authors' rule: cells are pairs of substrings of the caption in
    lower case.
    """
    n_words = len(cell_of)
    stamps = np.full(n_words, -1, np.int64)
    here = np.zeros(n_words, np.int64)
    firsts = np.zeros(n_words, np.bool_)
    for w in range(n_words):
        firsts[w] = np.any(cell_of[w] >= 0)
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
            for k in range(found_start[state], found_start[state + 1]):
                word = found[k]
                if stamps[word] != i:
                    stamps[word] = i
                    here[n] = word
                    word_counts[word] += 1
                    n += 1
            if dotted:
                state = steps[state, symbols[0x307]]
        for x in range(n):
            if firsts[here[x]]:
                for y in range(n):
                    cell = cell_of[here[x], here[y]]
                    if cell >= 0 and _hit(
                        slot, cell, first_row + i, text_hashes[i], tally
                    ):
                        wanted[i] = True


@njit(nogil=True, cache=True)
def merge(
    cells,
    counts,
    hash_starts,
    hash_values,
    example_starts,
    example_rows,
    example_hashes,
    row_base,
    slot,
    tally,
):
    """Add a rule's sparse counts (see `aobench.audit.tally.Sparse`) to a tally, its rows moved
    by ``row_base``.
    """
    into, touched, n_touched, smallest, n_smallest, rows, hashes, n_rows = tally
    for i in range(len(cells)):
        cell = cells[i]
        if into[slot, cell] == 0:
            touched[slot, n_touched[slot]] = cell
            n_touched[slot] += 1
        into[slot, cell] += counts[i]
        for k in range(hash_starts[i], hash_starts[i + 1]):
            add_hash(smallest[slot], n_smallest[slot], cell, hash_values[k])
        for k in range(example_starts[i], example_starts[i + 1]):
            add_example(
                rows[slot],
                hashes[slot],
                n_rows[slot],
                cell,
                example_rows[k] + row_base,
                example_hashes[k],
            )
