"""Compiled cutting of captions into words: 64 bytes at a time.

Which bytes of 64 belong to words is one comparison of vectors; where words begin and end are the
places where that changes. A word is hashed by eight bytes at a time, its capitals made small on the
way. So no byte is looked at by itself, and the processor seldom guesses wrong where a word ends.

A caption with letters beyond ASCII is first written anew, letter by letter, with its case folded
and its gaps as one of three characters; then it is cut the same way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from aobench.audit.compiling import compiled_walk, inlined_walk
from aobench.audit.utf8 import decode_character, encode_character
from aobench.audit.words import (
    COMMA,
    HARD,
    HASH_PRIME,
    HASH_START,
    IGNORED,
    WORD,
)

#: Bytes that may be read after the last of a caption.
PADDING = 64
_START, _PRIME = np.uint64(HASH_START), np.uint64(HASH_PRIME)
_ALL, _ONE, _ZERO = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(1), np.uint64(0)
_HIGH_BITS = np.uint64(0x8080808080808080)
_TWO, _S32, _S63 = np.uint64(2), np.uint64(32), np.uint64(63)

_BYTE, _WORD64 = ir.IntType(8), ir.IntType(64)
_VECTOR = ir.VectorType(_BYTE, 64)


def _address(context: Any, builder: Any, kind: Any, data: Any, at: Any) -> Any:
    """Pointer to the byte at a place of an array."""
    array = context.make_array(kind)(context, builder, data)
    return builder.gep(array.data, [at])


@intrinsic
def _classes_of_64(typing_context, data, at):  # type: ignore[no-untyped-def]
    """Bits, uint64, of the 64 bytes from ``at`` on: those of words (letters and digits of ASCII,
    and all beyond it), and odd ones: beyond ASCII, ampersands and NUL. The bytes must be there.
    """
    result = types.UniTuple(types.uint64, 2)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        place = _address(context, builder, signature.args[0], *arguments)
        place = builder.bitcast(place, _VECTOR.as_pointer())
        load = builder.load(place)
        load.align = 1

        def every(value: int) -> Any:
            return ir.Constant(_VECTOR, [value] * 64)

        def within(vector: Any, first: str, count: int) -> Any:
            moved = builder.sub(vector, every(ord(first)))
            return builder.icmp_unsigned("<", moved, every(count))

        beyond = builder.icmp_unsigned(">=", load, every(0x80))
        letters = within(builder.or_(load, every(0x20)), "a", 26)
        words = builder.or_(letters, within(load, "0", 10))
        words = builder.or_(words, beyond)
        odd = beyond
        for character in (ord("&"), 0):
            same = builder.icmp_unsigned("==", load, every(character))
            odd = builder.or_(odd, same)
        bits = [builder.bitcast(one, _WORD64) for one in (words, odd)]
        return cgutils.pack_array(builder, bits)

    return result(data, at), generate


@intrinsic
def _eight_bytes(typing_context, data, at):  # type: ignore[no-untyped-def]
    """The eight bytes from ``at`` on as uint64, the first one the lowest. They must be there."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        place = _address(context, builder, signature.args[0], *arguments)
        load = builder.load(builder.bitcast(place, _WORD64.as_pointer()))
        load.align = 1
        return load

    return types.uint64(data, at), generate


@intrinsic
def _first_bit(typing_context, bits):  # type: ignore[no-untyped-def]
    """The place of the lowest bit that is set, of one that isn't 0."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        no_zero = ir.Constant(ir.IntType(1), 1)
        return builder.cttz(arguments[0], no_zero)

    return types.int64(bits), generate


@inlined_walk
def find_edges(data, begin, end, edges):
    """Where words begin and end, in turn: fills ``edges`` int64, and returns how many words there
    are and whether there is a byte beyond ASCII, an ampersand or a NUL.

    `PADDING` bytes are read after ``end``. All bytes beyond ASCII are taken for words'.
    """
    n, at, carry, odd = 0, begin, _ZERO, _ZERO
    while at < end:
        words, here = _classes_of_64(data, at)
        left = end - at
        if left < 64:
            inside = (_ONE << np.uint64(left)) - _ONE
            words, here = words & inside, here & inside
        odd |= here
        changes = words ^ ((words << _ONE) | carry)
        carry = words >> _S63
        while changes:
            edges[n] = at + _first_bit(changes)
            n += 1
            changes &= changes - _ONE
        at += 64
    if carry:
        edges[n] = end
        n += 1
    return n >> 1, odd != _ZERO


@inlined_walk
def _small(eight):
    """Eight bytes with the capitals of ASCII made small; its digits and all beyond it stay."""
    return eight | ((~eight & _HIGH_BITS) >> _TWO)


@inlined_walk
def hash_word(data, start, stop):
    """The hash of the bytes of a word, as `aobench.audit.words.word_hash` computes it."""
    size = stop - start
    least = 8 if size > 8 else size
    mask = _ALL >> np.uint64(64 - 8 * least)
    value = (_START ^ (_small(_eight_bytes(data, start)) & mask)) * _PRIME
    value ^= value >> _S32
    at = start + 8
    while at < stop:
        left = stop - at
        least = 8 if left > 8 else left
        mask = _ALL >> np.uint64(64 - 8 * least)
        value = (value ^ (_small(_eight_bytes(data, at)) & mask)) * _PRIME
        value ^= value >> _S32
        at += 8
    return value


@inlined_walk
def widest_gap(data, start, stop, gap_kinds):
    """What parts two words: 0 a soft gap, 1 commas, 2 and more a hard one. ``gap_kinds`` uint8
    (256).
    """
    kind = gap_kinds[data[np.uint64(start)]]
    for at in range(start + 1, stop):
        kind |= gap_kinds[data[np.uint64(at)]]
    return kind


@compiled_walk
def write_settled(data, begin, end, characters, into):
    """Write a caption anew, as `find_edges` takes it: its words' letters in folded case and UTF-8,
    its gaps as spaces, commas and full stops. Returns the bytes written.

    ``characters``: kinds and folded forms by code point. ``into``: twice the caption's bytes, and
    `PADDING`.
    """
    kinds, folded = characters
    at, n = begin, 0
    while at < end:
        code, size = np.int64(data[at]), 1
        if code >= 0x80:
            code, size = decode_character(data, at, end)
        at += size
        kind = np.int64(kinds[code]) if code >= 0 else HARD
        if kind == IGNORED:
            continue
        if kind == WORD:
            code = np.int64(folded[code]) if code < 0x20000 else code
            n += encode_character(code, into, n)
        else:
            into[n] = 46 if kind == HARD else (44 if kind == COMMA else 32)
            n += 1
    return n
