"""The compiled rule ``modifies``: which attribute of a caption says something of which object, by
the small grammar of `aobench.audit.grammar`.
"""

from __future__ import annotations

from aobench.audit.compiled_counts import note_pair
from aobench.audit.compiling import compiled_walk
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


@compiled_walk
def parts_of_speech(n, numbers, sizes, sides, places, classes, parts):
    """Which parts each word of a caption may play: fills ``parts`` int32 (n) with the bits of
    `aobench.audit.grammar`, those of the attributes and objects that stand there included.
    """
    starts, ends, _ = places
    for i in range(n):
        parts[i] = classes[numbers[i]]
    for kind in range(2):
        part = ADJECTIVE if kind == 0 else NOUN | HEAD
        for at in range(sizes[kind]):
            k = sides[kind][at]
            for i in range(starts[k], ends[k] + 1):
                parts[i] |= part


@compiled_walk
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


@compiled_walk
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


@compiled_walk
def _begins_clause(start, gaps, parts):
    """Whether the phrase that ends in a name at ``start`` begins a caption or a clause."""
    at = start
    while at > 0 and gaps[at] == 0 and not parts[at - 1] & OPENER:
        if not parts[at - 1] & (ADJECTIVE | NOUN | DETERMINER):
            return False
        at -= 1
    return True


@compiled_walk
def _skip(at, n, gaps, parts, wanted):
    """The first place from ``at`` on whose word, after a soft gap, has no part of ``wanted``."""
    while at < n and gaps[at] == 0 and parts[at] & wanted:
        at += 1
    return at


@compiled_walk
def _is_soft(at, n, gaps, parts, wanted):
    """Whether a word with one of these parts stands at ``at``, after a soft gap."""
    return at < n and gaps[at] == 0 and parts[at] & wanted != 0


@compiled_walk
def _predicate(start, end, n, gaps, parts):
    """First and last word of the adjectives that are said of an object after it; none: (0, -1)."""
    at, relative, copula, of_material = end + 1, False, False, False
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
    if _is_soft(at, n, gaps, parts, MADE) and _is_soft(
        at + 1, n, gaps, parts, OF
    ):
        of_material = True
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
    if not of_material and _is_soft(last + 1, n, gaps, parts, HEAD | NOUN):
        return 0, -1
    return first, last


@compiled_walk
def note_modified(
    caption, n, sizes, sides, places, gaps, parts, tables, width, sink
):
    """Note the pairs whose attribute modifies the object, by the grammar of
    `aobench.audit.grammar`. ``sizes``: how many occurrences of attributes and objects the ``sides``
    hold.
    """
    starts, ends, nodes = places
    spans, attribute_ids, _, object_ids, _ = tables
    for at in range(sizes[1]):
        k = sides[1][at]
        is_head = _is_head(starts[k], ends[k], n, gaps, parts)
        first, stop = _predicate(starts[k], ends[k], n, gaps, parts)
        if not is_head and stop < 0:
            continue
        for at_other in range(sizes[0]):
            other = sides[0][at_other]
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
            for i in range(spans[nodes[other], 0], spans[nodes[other], 1]):
                for j in range(spans[nodes[k], 2], spans[nodes[k], 3]):
                    cell = attribute_ids[i] * width + object_ids[j]
                    note_pair(sink, 3, cell, caption)
