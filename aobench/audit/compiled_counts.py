"""Compiled counters: what a caption adds to a cell of a rule, and how tallies are merged."""

from __future__ import annotations

import numpy as np
from numba import njit

from aobench.audit.compiling import compiled_walk, inlined_walk

_MIX1, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
#: Spreads 64 bits: 2^64 over the golden ratio.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)
#: Neighbouring rows, 2^5 of them, are of one group: they often speak of one image or page.
BLOCK_SHIFT = 5


@inlined_walk
def mix_bits(value):
    """The finaliser of splitmix64: 64 well mixed bits of 64."""
    value = (value ^ (value >> _S30)) * _MIX1
    value = (value ^ (value >> _S27)) * _MIX2
    return value ^ (value >> _S31)


@compiled_walk
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


@compiled_walk
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


@compiled_walk
def group_of_row(row, seed, n_groups):
    """The group of a caption: one for each block of neighbouring rows, dealt out by a hash."""
    block = np.uint64(row >> BLOCK_SHIFT) + seed
    return np.int64(mix_bits(block * GOLDEN) % np.uint64(n_groups))


@compiled_walk
def count_caption(slot, cell, row, value, group, tally):
    """Count one caption for a cell of a rule; whether its text is wanted as an example."""
    (
        counts,
        touched,
        n_touched,
        smallest,
        n_smallest,
        rows,
        hashes,
        n_rows,
        groups,
    ) = tally
    if counts[slot, cell] == 0:
        touched[slot, n_touched[slot]] = cell
        n_touched[slot] += 1
    counts[slot, cell] += 1
    groups[slot, cell, group] += 1
    add_hash(smallest[slot], n_smallest[slot], cell, value)
    return add_example(rows[slot], hashes[slot], n_rows[slot], cell, row, value)


#: Pairs that are noted before they are counted: each waits for memory, and many side by side wait
#: no longer than one.
MOST_NOTED = 1024


@njit(nogil=True, cache=True)
def pair_room():
    """Room for pairs that are noted: the rule of each, its cell and its caption; and how many."""
    return (
        np.zeros(MOST_NOTED, np.int64),
        np.zeros(MOST_NOTED, np.int64),
        np.zeros(MOST_NOTED, np.int64),
        np.zeros(1, np.int64),
    )


@compiled_walk
def count_noted(sink):
    """Count the pairs that were noted, each once a caption and rule.

    ``sink``: `pair_room`; each rule's slot in the tally; the last row that counted by rule (but the
    first, which notes no pair twice) and cell; the tally; row of the first caption and the file's
    seed; and by caption the hash of its text, whether it is wanted as an example, and its marks.
    """
    noted, slots, last, tally, rows, texts = sink
    rules, cells, places, used = noted
    first_row, seed = rows
    text_hashes, wanted, _ = texts
    n_groups = tally[-1].shape[2]
    for k in range(used[0]):
        rule, cell, place = rules[k], cells[k], places[k]
        slot, row = slots[rule], first_row + place
        if slot < 0:
            continue
        if rule > 0:
            if last[rule - 1, cell] == row:
                continue
            last[rule - 1, cell] = row
        group = group_of_row(row, seed, n_groups)
        if count_caption(slot, cell, row, text_hashes[place], group, tally):
            wanted[place] = True
    used[0] = 0


@inlined_walk
def note_pair(sink, rule, cell, place):
    """Note that a caption shows a pair by a rule."""
    rules, cells, places, used = sink[0]
    if used[0] == len(cells):
        count_noted(sink)
    n = used[0]
    rules[n], cells[n], places[n] = rule, cell, place
    used[0] = n + 1


@compiled_walk
def merge_counts(sparse, row_base, slot, tally, is_kept):
    """Add a rule's sparse counts to a tally, its rows moved by ``row_base``; ``sparse``: the fields
    of `aobench.audit.tally.SparseCounts`. Sets ``is_kept`` bool of the example rows that the tally
    keeps for now.
    """
    cells, counts, hash_starts, hash_values = sparse[:4]
    example_starts, example_rows, example_hashes, group_counts = sparse[4:]
    (
        into,
        touched,
        n_touched,
        smallest,
        n_smallest,
        rows,
        hashes,
        n_rows,
        groups,
    ) = tally
    n_hashes, n_examples = smallest.shape[2], rows.shape[2]
    for i in range(len(cells)):
        cell = cells[i]
        if into[slot, cell] == 0:
            touched[slot, n_touched[slot]] = cell
            n_touched[slot] += 1
        into[slot, cell] += counts[i]
        for k in range(group_counts.shape[1]):
            groups[slot, cell, k] += group_counts[i, k]
        for k in range(hash_starts[i], hash_starts[i + 1]):
            n = n_smallest[slot, cell]
            value = hash_values[k]
            # a cell's hashes ascend: where one is too large, so are the rest
            if n == n_hashes and (n == 0 or value >= smallest[slot, cell, -1]):
                break
            add_hash(smallest[slot], n_smallest[slot], cell, value)
        for k in range(example_starts[i], example_starts[i + 1]):
            row, value = example_rows[k] + row_base, example_hashes[k]
            n = n_rows[slot, cell]
            if n == n_examples and (n == 0 or row >= rows[slot, cell, -1]):
                break  # as above
            is_kept[k] |= add_example(
                rows[slot], hashes[slot], n_rows[slot], cell, row, value
            )
