"""Causal text towers: prompts share beginnings, and what is shared is computed once.

In a causal tower a token's states depend on the tokens before it alone. So the prompts of a
zero-shot classifier form a tree (template beginning, attribute, object, template ending), and every
node of it needs computing once. Nodes are laid out in rows of fixed width; a node attends to its
ancestors and itself. A row starts anew at the root, so rows are independent and make ordinary
batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH = 256


@dataclass
class TreeRows:
    """A batch of R rows of width W.

    ``ids``, ``positions`` int64 R x W: token and its place in the prompt; ``visible`` bool R x W x
    W: whether the first node attends to the second; ``row``, ``node`` int64 n: where each prompt's
    last token is; ``prompts`` int64 n: the prompts' indices in the caller's order.
    """

    ids: np.ndarray
    positions: np.ndarray
    visible: np.ndarray
    row: np.ndarray
    node: np.ndarray
    prompts: np.ndarray


def nodes_of(sequences: Sequence[Sequence[int]]) -> int:
    """Number of nodes in the tree of ``sequences``: what is left to compute of all their tokens."""
    _, matrix, lengths = _sorted(sequences)
    return int((lengths - _shared(matrix, lengths)).sum())


def _sorted(
    sequences: Sequence[Sequence[int]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order of the sequences as in a dictionary, and in that order their tokens (padded by -1)
    and lengths.
    """
    lengths = np.fromiter(
        (len(s) for s in sequences), dtype=np.int64, count=len(sequences)
    )
    matrix = np.full(
        (len(sequences), lengths.max(initial=0)), -1, dtype=np.int64
    )
    flat = np.fromiter(
        (t for s in sequences for t in s),
        dtype=np.int64,
        count=int(lengths.sum()),
    )
    matrix[np.arange(matrix.shape[1])[None, :] < lengths[:, None]] = flat
    order = np.lexsort(matrix.T[::-1])
    return order, matrix[order], lengths[order]


def _shared(matrix: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """How many first tokens each sequence has in common with the one before it; 0 for the first."""
    shared = np.zeros(len(matrix), dtype=np.int64)
    equal = np.logical_and.accumulate(matrix[1:] == matrix[:-1], axis=1).sum(
        axis=1
    )
    shared[1:] = np.minimum(equal, np.minimum(lengths[1:], lengths[:-1]))
    return shared


def _starts(new: np.ndarray, lengths: np.ndarray, width: int) -> list[int]:
    """First sequence of each row: a row takes sequences for as long as their nodes fit."""
    total = np.concatenate([[0], np.cumsum(new)])
    starts, at = [], 0
    while at < len(new):
        starts.append(at)
        # The row's first sequence brings all of its tokens, not only the new ones.
        room = width - lengths[at] + total[at + 1]
        at = max(at + 1, int(np.searchsorted(total, room, side="right")) - 1)
    return starts


def rows_of(
    sequences: Sequence[Sequence[int]], rows: int, width: int = WIDTH
) -> Iterator[TreeRows]:
    """The tree of ``sequences`` (no two need differ, none longer than ``width``) in batches of
    ``rows`` rows.
    """
    order, matrix, lengths = _sorted(sequences)
    shared = _shared(matrix, lengths)
    starts = _starts(lengths - shared, lengths, width)
    shared[starts] = 0
    bounds = [*starts, len(order)]
    for first in range(0, len(starts), rows):
        part = bounds[first : first + rows + 1]
        yield _batch(order, matrix, lengths, shared, part, width)


def _batch(
    order: np.ndarray,
    matrix: np.ndarray,
    lengths: np.ndarray,
    shared: np.ndarray,
    bounds: list[int],
    width: int,
) -> TreeRows:
    count, low, high = len(bounds) - 1, bounds[0], bounds[-1]
    tokens, size, common = matrix[low:high], lengths[low:high], shared[low:high]
    place = np.arange(tokens.shape[1])[None, :]
    fresh = (place >= common[:, None]) & (place < size[:, None])
    row = np.repeat(np.arange(count), np.diff(bounds))
    per_row = np.add.reduceat(fresh.sum(axis=1), np.asarray(bounds[:-1]) - low)
    offset = np.concatenate([[0], np.cumsum(per_row)[:-1]])
    # Number of a fresh node within its row; a shared one has the number of the last fresh one above
    # it.
    number = np.where(
        fresh,
        (np.cumsum(fresh).reshape(fresh.shape) - 1)
        + row[:, None] * width
        - offset[row][:, None],
        -1,
    )
    path = np.maximum.accumulate(number, axis=0) - row[:, None] * width
    who, depth = np.nonzero(fresh)
    node = path[who, depth]
    ids = np.zeros((count, width), dtype=np.int64)
    positions = np.zeros((count, width), dtype=np.int64)
    ids[row[who], node], positions[row[who], node] = tokens[who, depth], depth
    visible = np.zeros((count, width, width), dtype=bool)
    visible[:, np.arange(width), np.arange(width)] = True
    above = place <= depth[:, None]
    which, where = np.nonzero(above)
    visible[row[who[which]], node[which], path[who[which], where]] = True
    return TreeRows(
        ids,
        positions,
        visible,
        row,
        path[np.arange(len(size)), size - 1],
        order[low:high],
    )
