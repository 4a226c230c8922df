"""What is counted: dense tallies that the kernels fill, and the sparse form that is kept, merged
and written.

All of it can be merged in any order with the same result: counts add up, sketches and examples keep
the smallest. So threads, files and machines may be shared out in any way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

#: Rows of a file are below 2^40; an example's key is its file's number, shifted, plus its row.
FILE_SHIFT = 40
#: Captions are dealt out to so many groups, in blocks of neighbouring rows, and counted by group:
#: the groups' spread says how much other captions of the same source would change a figure.
GROUPS = 16


@dataclass(frozen=True)
class SparseCounts:
    """A rule's counts in the cells that were hit: ``cells`` int64 (n), sorted, and ``counts`` int64
    (n).

    ``hash_starts`` int64 (n + 1) into ``hashes`` uint64: the smallest hashes of different captions
    of each cell. ``example_starts`` int64 (n + 1) into ``rows`` int64 and ``row_hashes`` uint64:
    its first different captions. ``groups`` int64 (n, `GROUPS`): the counts by group of captions.
    """

    cells: np.ndarray
    counts: np.ndarray
    hash_starts: np.ndarray
    hashes: np.ndarray
    example_starts: np.ndarray
    rows: np.ndarray
    row_hashes: np.ndarray
    groups: np.ndarray

    def distinct(self, room: int) -> tuple[np.ndarray, np.ndarray]:
        """Different captions of each cell, int64, and whether that is exact (fewer than ``room``
        were seen).

        Beyond, the estimate of Bar-Yossef et al. (2002) from the K-th smallest of n uniform hashes,
        (K - 1) / value, whose standard error is about n / sqrt(K - 2); never above the count.
        """
        held = np.diff(self.hash_starts)
        exact = held < room
        estimate = held.astype(np.float64)
        last = (
            self.hashes[np.maximum(self.hash_starts[1:] - 1, 0)]
            if len(self.hashes)
            else np.zeros(len(held))
        )
        full = ~exact
        estimate[full] = (room - 1) / (last[full].astype(np.float64) / 2.0**64)
        return np.minimum(
            np.rint(estimate).astype(np.int64), self.counts
        ), exact

    def with_cells(self, cells: np.ndarray) -> SparseCounts:
        """The same counts in other cells, in their order; ``cells`` int64 (n), each once."""
        order = np.argsort(cells)
        hash_starts, hashes = _reordered(self.hash_starts, self.hashes, order)
        example_starts, rows = _reordered(self.example_starts, self.rows, order)
        _, row_hashes = _reordered(self.example_starts, self.row_hashes, order)
        return SparseCounts(
            cells[order],
            self.counts[order],
            hash_starts,
            hashes,
            example_starts,
            rows,
            row_hashes,
            self.groups[order],
        )


def _reordered(
    starts: np.ndarray, values: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of different lengths in another order, and their starts."""
    held = np.diff(starts)[order]
    after = np.concatenate([[0], np.cumsum(held)]).astype(np.int64)
    moved = np.repeat(starts[:-1][order] - after[:-1], held)
    return after, values[np.arange(len(moved)) + moved]


def _ragged(
    values: np.ndarray, held: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The first ``held[i]`` entries of each row of ``values``, one after the other, and their
    starts.
    """
    mask = np.arange(values.shape[1]) < held[:, None]
    return np.concatenate([[0], np.cumsum(held)]).astype(np.int64), values[mask]


class DenseTally:
    """Dense counts of one or several rules with ``cells`` cells each; the kernels write into
    ``arrays``.

    ``sketch``: hashes of different captions kept in a cell; ``examples``: rows kept. 0 turns either
    off.
    """

    def __init__(
        self, rules: Sequence[str], cells: int, sketch: int, examples: int
    ) -> None:
        n = len(rules)
        self.rules, self.cells = tuple(rules), cells
        self.counts = np.zeros((n, cells), np.int64)
        self.touched = np.zeros((n, cells), np.int64)
        self.n_touched = np.zeros(n, np.int64)
        self.smallest = np.zeros((n, cells, sketch), np.uint64)
        self.n_smallest = np.zeros((n, cells), np.int32)
        self.rows = np.zeros((n, cells, examples), np.int64)
        self.row_hashes = np.zeros((n, cells, examples), np.uint64)
        self.n_rows = np.zeros((n, cells), np.int32)
        self.groups = np.zeros((n, cells, GROUPS), np.int64)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """As the kernels take them."""
        return (
            self.counts,
            self.touched,
            self.n_touched,
            self.smallest,
            self.n_smallest,
            self.rows,
            self.row_hashes,
            self.n_rows,
            self.groups,
        )

    def clear(self) -> None:
        """Back to nothing, in time that grows with the cells that were hit."""
        for slot in range(len(self.rules)):
            hit = self.touched[slot, : self.n_touched[slot]]
            self.counts[slot, hit] = 0
            self.n_smallest[slot, hit] = 0
            self.n_rows[slot, hit] = 0
            self.groups[slot, hit] = 0
        self.n_touched[:] = 0

    def sparse(self, rule: str) -> SparseCounts:
        """The cells of ``rule`` that were hit."""
        slot = self.rules.index(rule)
        cells = np.sort(self.touched[slot, : self.n_touched[slot]])
        hash_starts, hashes = _ragged(
            self.smallest[slot, cells], self.n_smallest[slot, cells]
        )
        example_starts, rows = _ragged(
            self.rows[slot, cells], self.n_rows[slot, cells]
        )
        _, row_hashes = _ragged(
            self.row_hashes[slot, cells], self.n_rows[slot, cells]
        )
        return SparseCounts(
            cells,
            self.counts[slot, cells],
            hash_starts,
            hashes,
            example_starts,
            rows,
            row_hashes,
            self.groups[slot, cells],
        )

    def add(
        self, rule: str, more: SparseCounts, row_base: int = 0
    ) -> np.ndarray:
        """Merge ``more`` into ``rule``, its example rows moved by ``row_base``; returns those of
        its rows that are kept for now.
        """
        from aobench.audit.compiled_counts import merge_counts

        values = tuple(getattr(more, one.name) for one in fields(more))
        is_kept = np.zeros(len(more.rows), np.bool_)
        slot = self.rules.index(rule)
        merge_counts(values, row_base, slot, self.arrays, is_kept)
        return more.rows[is_kept]


class MergedTally:
    """A rule's counts of many parts, in a `DenseTally` that has place for the cells that were hit
    alone: these lie side by side, so that merging seldom waits for memory.
    """

    def __init__(self, cells: int, sketch: int, examples: int) -> None:
        self._place = np.full(cells, -1, np.int64)
        self._cells = np.zeros(0, np.int64)
        self._sizes = sketch, examples
        self._dense = DenseTally(("",), 0, *self._sizes)

    def add(self, more: SparseCounts, row_base: int = 0) -> np.ndarray:
        """As `DenseTally.add`."""
        places = self._place[more.cells]
        is_new = places < 0
        if is_new.any():
            new = more.cells[is_new]
            places[is_new] = len(self._cells) + np.arange(len(new))
            self._place[new] = places[is_new]
            self._cells = np.concatenate([self._cells, new])
            self._make_room()
        return self._dense.add("", replace(more, cells=places), row_base)

    def _make_room(self) -> None:
        """Twice as many places as cells where there are too few."""
        old = self._dense
        if len(self._cells) <= old.cells:
            return
        self._dense = DenseTally(("",), 2 * len(self._cells), *self._sizes)
        self._dense.add("", old.sparse(""))

    def sparse(self) -> SparseCounts:
        """The cells that were hit."""
        compact = self._dense.sparse("")
        return compact.with_cells(self._cells[compact.cells])


@dataclass
class ScanTotals:
    """Plain sums of a scan: rows, rows in the sample, nulls, empty captions, bytes, words,
    captions not in UTF-8.
    """

    rows: int = 0
    counted: int = 0
    nulls: int = 0
    empty: int = 0
    bytes: int = 0
    words: int = 0
    text_hash: int = 0
    not_utf8: int = 0

    def add(self, other: ScanTotals) -> None:
        """Sum up; ``text_hash`` is a sum modulo 2^64, so it doesn't depend on the order."""
        for key, value in vars(other).items():
            setattr(self, key, getattr(self, key) + value)
        self.text_hash &= (1 << 64) - 1

    def as_dict(self) -> dict[str, Any]:
        """For the manifest; the hash in 16 hex digits."""
        return {**vars(self), "text_hash": f"{self.text_hash:016x}"}
