"""The compiled part of reading CSV and TSV: where each record's captions lie, after RFC 4180 to the
letter.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: What `cut_records` stops at, beside the end of the block (0).
FIELDS, QUOTE, OPEN = 1, 2, 3

_QUOTE, _NEWLINE, _RETURN = 34, 10, 13


@njit(nogil=True, cache=True)
def _quoted_end(data, at, is_last):
    """(place of the closing quote, whether quotes stand doubled before it); -1 where the block
    ends first.
    """
    doubled = False
    size = len(data)
    while True:
        while at < size and data[np.uint64(at)] != _QUOTE:
            at += 1
        if at >= size or (at + 1 == size and not is_last):
            return -1, doubled
        if at + 1 == size or data[at + 1] != _QUOTE:
            return at, doubled
        doubled = True
        at += 2


@njit(nogil=True, cache=True)
def _undouble(data, begin, stop):
    """Write each doubled quote once, in place; the new end."""
    to = at = begin
    while at < stop:
        data[to] = data[at]
        at += 2 if data[at] == _QUOTE else 1
        to += 1
    return to


@njit(nogil=True, cache=True)
def cut_records(data, is_last, special, width, columns, begins, stops, nulls):
    """Cut a block that begins with a record into records of ``width`` fields, and find the wanted
    fields in them.

    ``data`` uint8, whose doubled quotes are written once in place; ``special`` bool (256):
    separator, line ends and, where fields may be quoted, the quote. ``columns`` int64 (wanted), in
    rising order. Fills ``begins``, ``stops`` int64 and ``nulls`` bool (records, wanted): a null is
    a field without a character, not even quotes. Empty lines are passed over. Returns (records,
    where the first record begins that isn't whole, what is wrong there or 0).
    """
    size, at, n = len(data), 0, 0
    highest = 0  # most characters lie above all special ones, and are passed by one comparison
    for byte in range(256):
        if special[byte]:
            highest = byte
    doubled = np.zeros(len(columns), np.bool_)
    while at < size and n < len(begins):
        first, field, wanted, empty, quoted = at, 0, 0, False, False
        while True:
            begin, twice, quoted = at, False, False
            if at < size and data[at] == _QUOTE and special[_QUOTE]:
                quoted = True
                begin += 1
                stop, twice = _quoted_end(data, begin, is_last)
                if stop < 0:
                    return n, first, OPEN if is_last else 0
                at = stop + 1
                if at < size and (data[at] == _QUOTE or not special[data[at]]):
                    return n, first, QUOTE
            else:
                while at < size and (
                    data[np.uint64(at)] > highest
                    or not special[data[np.uint64(at)]]
                ):
                    at += 1
                stop = at
                if at < size and data[at] == _QUOTE:
                    return n, first, QUOTE
            empty = stop == begin and not quoted
            if wanted < len(columns) and columns[wanted] == field:
                begins[n, wanted], stops[n, wanted], nulls[n, wanted] = (
                    begin,
                    stop,
                    empty,
                )
                doubled[wanted] = twice
                wanted += 1
            field += 1
            if at >= size:
                if not is_last:
                    return n, first, 0
                break
            if data[at] == _NEWLINE:
                at += 1
                break
            if data[at] == _RETURN:
                if at + 1 == size and not is_last:  # a newline may follow it
                    return n, first, 0
                at += 2 if at + 1 < size and data[at + 1] == _NEWLINE else 1
                break
            at += 1
        if field == 1 and empty:
            continue
        if field != width:
            return n, first, FIELDS
        for w in range(len(columns)):
            if doubled[w]:
                stops[n, w] = _undouble(data, begins[n, w], stops[n, w])
        n += 1
    return n, at, 0
