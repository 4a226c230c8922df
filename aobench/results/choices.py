"""Nine compositions to choose from, made for each composition that an image shows.

They are a grid: three attributes with three objects, the right pair one of its cells. Two others
share the right object, two the right attribute, and each attribute and each object stands in three
of the nine, so that nothing in the question tells which is right. What could tell it over many
questions is balanced, too:

* the other attributes and objects are drawn as often as they are right in the split;
* all images of a composition have the same nine: drawn anew for each image, the right pair would be
  the only one that comes again;
* of ``PROPOSALS`` grids the one is taken of which most cells occur in the split, counted beyond
  what the frequencies of their parts let expect (or frequent names would be wrong too often).

In a sparse set some cells occur nowhere: who knows the set's compositions can rule these out.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

#: Attributes, and objects, in a question; its candidates are this squared.
SIDE = 3
PROPOSALS = 8
SEED = 0
#: Grids that are tried: after these the names are too alike, two cells of each being one text.
MOST_DRAWS = 1000

Pair = tuple[int, int]


def choice_grids(
    pairs: Sequence[Pair],
    attributes: Sequence[str],
    objects: Sequence[str],
    seed: int = SEED,
) -> dict[Pair, tuple[Pair, ...]]:
    """For each composition of ``pairs`` its nine, sorted by id.

    A grid hangs on the seed, the right pair's names, and how often each composition is among
    ``pairs``; not on the order of the images, nor on who asks.

    Args:
        pairs: (attribute id, object id) of each image of a split.
        attributes: the names by id.
        objects: likewise.
        seed: another one gives other grids.

    Returns:
        The nine pairs by right pair; {} where the split has fewer than three attributes or objects.
    """
    occur = Counter(pairs)
    parts = [_Part([pair[side] for pair in pairs]) for side in (0, 1)]
    if min(len(part.ids) for part in parts) < SIDE:
        return {}
    degrees = [Counter(pair[side] for pair in occur) for side in (0, 1)]

    def excess(cells: Iterable[Pair]) -> float:
        """How many of the cells occur, beyond what chance would put there."""
        return sum(
            (cell in occur)
            - min(1.0, degrees[0][cell[0]] * degrees[1][cell[1]] / len(occur))
            for cell in cells
        )

    grids = {}
    for right in sorted(occur):
        name = f"{seed}|{attributes[right[0]]}|{objects[right[1]]}"
        numbers = _numbers(name)
        proposals: list[list[Pair]] = []
        for _ in range(MOST_DRAWS):
            rows, columns = (
                (right[side], *parts[side].others(right[side], numbers))
                for side in (0, 1)
            )
            cells = [(a, o) for a in rows for o in columns]
            texts = {f"{attributes[a]} {objects[o]}" for a, o in cells}
            if len(texts) == len(cells):
                proposals.append(cells)
            if len(proposals) == PROPOSALS:
                break
        if not proposals:
            return {}
        grids[right] = tuple(sorted(max(proposals, key=excess)))
    return grids


class _Part:
    """The attributes, or the objects, of a split, each as likely as it is right."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.counts = Counter(ids)
        self.ids = sorted(self.counts)
        self.ends = list(accumulate(self.counts[one] for one in self.ids))
        self.end_of = dict(zip(self.ids, self.ends, strict=True))

    def others(self, right: int, numbers: Iterator[int]) -> list[int]:
        """Two that are not ``right``, each as likely as it is right among those left."""
        drawn = [right]
        while len(drawn) < SIDE:
            left = self.ends[-1] - sum(self.counts[one] for one in drawn)
            number = next(numbers) % left
            for one in sorted(drawn):  # step over what is drawn
                if number >= self.end_of[one] - self.counts[one]:
                    number += self.counts[one]
            drawn.append(self.ids[bisect_right(self.ends, number)])
        return drawn[1:]


def _numbers(name: str) -> Iterator[int]:
    """Whole numbers below 2^64 that hang on ``name`` alone: the same on every machine."""
    block = 0
    while True:
        digest = hashlib.sha256(f"{name}|{block}".encode()).digest()
        block += 1
        for start in range(0, len(digest), 8):
            yield int.from_bytes(digest[start : start + 8], "big")
