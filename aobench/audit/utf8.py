"""Compiled decoding and encoding of UTF-8.

Numba keeps what it compiled by the file of the caller and not by this one: whoever changes this
file deletes the folders __pycache__ beside it.
"""

from __future__ import annotations

import numpy as np

from aobench.audit.compiling import compiled_walk

_INVALID = -1


@compiled_walk
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


@compiled_walk
def encode_character(code, into, at):
    """Write the UTF-8 of a code point at ``at``; returns its bytes."""
    if code < 0x80:
        into[at] = code
        return 1
    if code < 0x800:
        into[at] = 0xC0 | (code >> 6)
        into[at + 1] = 0x80 | (code & 0x3F)
        return 2
    if code < 0x10000:
        into[at] = 0xE0 | (code >> 12)
        into[at + 1] = 0x80 | ((code >> 6) & 0x3F)
        into[at + 2] = 0x80 | (code & 0x3F)
        return 3
    into[at] = 0xF0 | (code >> 18)
    into[at + 1] = 0x80 | ((code >> 12) & 0x3F)
    into[at + 2] = 0x80 | ((code >> 6) & 0x3F)
    into[at + 3] = 0x80 | (code & 0x3F)
    return 4
