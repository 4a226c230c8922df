"""The compiled look for captions that the word kernel can't take as they are; see
`aobench.audit.words`.
"""

from __future__ import annotations

import numpy as np

from aobench.audit.compiling import compiled_walk
from aobench.audit.utf8 import decode_character


@compiled_walk
def mark_unsettled(data, begins, stops, keep, unsettled, marks):
    """Set bits of ``marks`` uint8 (n): 1 where a caption must go through `normal_form`, 2 where it
    isn't UTF-8, or holds NUL, which no text does.

    ``unsettled`` bool by code point. Captions in ASCII without an ampersand, which most are, are
    left after one pass without a branch.
    """
    for i in range(len(begins)):
        if len(keep) and not keep[i]:
            continue
        some = False
        for at in range(begins[i], stops[i]):
            some |= (data[at] >= 0x80) | (data[at] == 38) | (data[at] == 0)
        if not some:
            continue
        at, end = begins[i], stops[i]
        while at < end:
            code = np.int64(data[at])
            if code < 0x80:
                at += 1
                if code == 0:
                    marks[i] |= 2
                if code == 38 and at < end:
                    letter = np.int64(data[at]) | 0x20
                    if data[at] == 35 or (97 <= letter <= 122):
                        marks[i] |= 1
                continue
            code, size = decode_character(data, at, end)
            at += size
            if code < 0:
                marks[i] |= 2
            elif unsettled[code]:
                marks[i] |= 1
