"""The compiled rule ``modifies``: which attribute of a caption says something of which object, by
the small grammar of `aobench.audit.grammar`.
"""

from __future__ import annotations

import numpy as np

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

#: The rule's place in `aobench.audit.rules.WORD_RULES`.
_MODIFIES = np.int64(3)


@compiled_walk
def parts_of_speech(n, numbers, sizes, sides, places, classes, parts):
    """Which parts each word of a caption may play: fills ``parts`` int32 (n) with the bits of
    `aobench.audit.grammar`, those of the attributes and objects that stand there included. Returns
    whether an object's name has a word that joins ("bed and breakfast").
    """
    starts, ends, _ = places
    for i in range(n):
        parts[i] = classes[numbers[i]]
    joins = 0
    for kind in range(2):
        part = ADJECTIVE if kind == 0 else NOUN | HEAD
        for at in range(sizes[kind]):
            k = sides[kind][at]
            for i in range(starts[k], ends[k] + 1):
                joins |= parts[i] & JOIN if kind else 0
                parts[i] |= part
    return joins != 0


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
def _first_from(place, n, side, starts):
    """Which of the ``n`` occurrences of a side, in their order, is the first from a word on."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if starts[side[middle]] < place:
            low = middle + 1
        else:
            high = middle
    return low


@compiled_walk
def _is_shade(end, n, gaps, parts):
    """Whether an attribute that ends here belongs to the colour that follows ("dark blue")."""
    return parts[end] & SHADE and _is_soft(end + 1, n, gaps, parts, COLOUR)


@compiled_walk
def _leads_to(stop, after, known, gaps, parts):
    """Whether a row that goes on at ``after`` leads up to the word ``stop``; one of adjectives that
    goes on at ``known`` does.
    """
    state = 1
    while state and after < stop:
        if state == 1 and after == known:
            return True
        state = _next_state(state, gaps[after], parts[after])
        after += 1
    return state % 2 == 1


@compiled_walk
def _note_names(attribute, its_object, caption, tables, width, sink):
    """Note the pairs of the names that two nodes stand for."""
    spans, attribute_ids, _, object_ids, _ = tables
    for i in range(spans[attribute, 0], spans[attribute, 1]):
        for j in range(spans[its_object, 2], spans[its_object, 3]):
            cell = attribute_ids[i] * width + object_ids[j]
            note_pair(sink, _MODIFIES, cell, caption)


@compiled_walk
def note_modified(
    caption, n, sizes, sides, places, gaps, parts, joins, tables, width, sink
):
    """Note the pairs whose attribute modifies the object, by the grammar of
    `aobench.audit.grammar`. ``sizes``: how many occurrences of attributes and objects the ``sides``
    hold. ``joins``: what `parts_of_speech` returns.

    An attribute ends in an adjective, from which any word goes on that goes on from a noun, unless
    it joins. So where the row from one attribute doesn't lead to the object, none from an earlier
    one does: a caption of nothing but names is not looked through for each of its objects.
    """
    starts, ends, nodes = places
    for at in range(sizes[1]):
        k = sides[1][at]
        start, node = starts[k], nodes[k]
        is_head = _is_head(start, ends[k], n, gaps, parts)
        first, stop = _predicate(start, ends[k], n, gaps, parts)
        if stop >= 0:
            for i in range(
                _first_from(first, sizes[0], sides[0], starts), sizes[0]
            ):
                other = sides[0][i]
                if starts[other] > stop:
                    break
                end = ends[other]
                if end <= stop and not _is_shade(end, n, gaps, parts):
                    _note_names(
                        nodes[other], node, caption, tables, width, sink
                    )
        if not is_head or gaps[start]:
            continue
        known = start
        for i in range(
            _first_from(start, sizes[0], sides[0], starts) - 1, -1, -1
        ):
            other = sides[0][i]
            end = ends[other]
            if end >= start or _is_shade(end, n, gaps, parts):
                continue
            if _leads_to(start, end + 1, known, gaps, parts):
                known = end + 1
                _note_names(nodes[other], node, caption, tables, width, sink)
            elif not joins:
                break
