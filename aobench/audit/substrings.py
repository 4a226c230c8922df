"""The compiled count of the authors' rule: substrings of captions, by Aho and Corasick's automaton.

As in `aobench.audit.kernel`, who changes a compiled function of another file touches this one, too.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aobench.audit.compiled_counts import count_caption, group_of_row
from aobench.audit.compiling import compiled_walk
from aobench.audit.utf8 import decode_character


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
