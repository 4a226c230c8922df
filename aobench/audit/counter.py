"""Counts chunks of captions in one thread under all the rules asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from aobench.audit.chunks import CaptionChunk
from aobench.audit.compiled import (
    AuthorTables,
    WordTables,
    author_tables,
    lowers_letter_by_letter,
    word_tables,
)
from aobench.audit.rules import WORD_RULES
from aobench.audit.tally import (
    DenseTally,
    MergedTally,
    ScanTotals,
    SparseCounts,
)
from aobench.audit.vocabulary import Vocabulary
from aobench.audit.words import (
    character_tables,
    lower_table,
    unsettled_characters,
)
from aobench.errors import UserError

#: An example caption is cut after so many bytes: it may stand for thousands of compositions.
EXAMPLE_BYTES = 1000
MOST_NAMED = 9
#: No code point: captions that went through `normal_form` hold nothing that must.
NO_CODES = np.zeros(0, np.bool_)


@dataclass(frozen=True)
class CountingPlan:
    """What is counted, and how much is kept of it: the same for every thread, file and machine."""

    vocabulary: Vocabulary
    rules: tuple[str, ...] = ("words",)
    sketch: int = 32
    examples: int = 3
    sample: float = 1.0

    @cached_property
    def words(self) -> WordTables:
        """The compiled vocabulary."""
        return word_tables(self.vocabulary, "modifies" in self.rules)

    @cached_property
    def authors(self) -> AuthorTables:
        """The compiled first two words of each composition."""
        return author_tables(self.vocabulary)

    def cells(self, rule: str) -> int:
        """Number of cells of a rule: its compositions, or the authors' pairs of words."""
        return (
            int(self.authors.cells.max()) + 1
            if rule == "authors"
            else int(np.prod(self.vocabulary.shape))
        )

    def cell_table(self, rule: str) -> np.ndarray:
        """int (attributes, objects): the cell of each composition."""
        if rule == "authors":
            return self.authors.cells
        return np.arange(self.cells(rule)).reshape(self.vocabulary.shape)


def sampled_rows(
    first_row: int, n: int, file_seed: int, sample: float
) -> np.ndarray:
    """Which rows are in the sample, bool (n); empty where all are. Depends only on the file's
    name and the row.
    """
    if sample >= 1:
        return np.zeros(0, np.bool_)
    with np.errstate(over="ignore"):
        z = np.arange(first_row, first_row + n, dtype=np.uint64) + np.uint64(
            file_seed
        )
        z = z * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) < np.uint64(int(sample * 2.0**64))


@dataclass
class PartialCounts:
    """All counts of one file, or of a merger of files.

    ``named`` int64 (2, `MOST_NAMED` + 1): captions that name so many attributes, and objects;
    the last place is for so many and more, and those without a name of either kind are left out.
    ``texts``: row -> caption, of the examples.
    """

    rules: dict[str, SparseCounts]
    attribute_counts: np.ndarray
    object_counts: np.ndarray
    named: np.ndarray
    totals: ScanTotals
    texts: Mapping[int, str] = field(default_factory=dict)


class CaptionCounter:
    """Counts chunks of one file after another. Not to be shared between threads."""

    def __init__(self, plan: CountingPlan) -> None:
        if sys.byteorder != "little":
            raise UserError(
                "captions are counted on processors that store the lowest byte first alone, such "
                "as x86-64 and ARM"
            )
        self.plan = plan
        rules = tuple(rule for rule in WORD_RULES if rule in plan.rules)
        shape = plan.vocabulary.shape
        self.slots = tuple(
            rules.index(rule) if rule in rules else -1 for rule in WORD_RULES
        )
        # A rule takes a slot even where none is asked for: the kernels' types stay the same.
        self.tally = DenseTally(
            rules or ("none",),
            plan.cells("words") if rules else 1,
            plan.sketch,
            plan.examples,
        )
        self.authors = (
            DenseTally(
                ("authors",), plan.cells("authors"), plan.sketch, plan.examples
            )
            if self._authors
            else None
        )
        near = any(slot >= 0 for slot in self.slots[1:])
        self.last = np.full(
            (3, plan.cells("words") if near else 1), -1, np.int64
        )
        self.attribute_counts, self.object_counts = (
            np.zeros(n, np.int64) for n in shape
        )
        self.named = np.zeros((2, MOST_NAMED + 1), np.int64)
        self.author_words = np.zeros(
            len(plan.authors.words) if self._authors else 1, np.int64
        )
        self.totals = ScanTotals()
        self.texts: dict[int, str] = {}
        w = plan.words
        attributes = w.attribute_ids, w.attribute_written
        objects = w.object_ids, w.object_written
        self._vocabulary = (
            character_tables(),
            (w.word_shifts, w.word_keys, w.word_values, len(w.firsts) - 1),
            (w.edge_keys, w.edge_values, w.firsts, w.flags, w.n_words),
            (w.spans, *attributes, *objects),
            w.classes,
        )
        self._shape = *shape, w.longest

    @property
    def _authors(self) -> bool:
        return "authors" in self.plan.rules

    def count(self, chunk: CaptionChunk, file_seed: int = 0) -> int:
        """Add a chunk; returns its rows."""
        n, seed = len(chunk), np.uint64(file_seed)
        keep = sampled_rows(chunk.first_row, n, file_seed, self.plan.sample)
        texts = (
            np.zeros(n, np.uint64),
            np.zeros(n, np.bool_),
            np.zeros(n, np.uint8),
        )
        hashes, wanted, marks = texts
        words = self._count_words(
            chunk, keep, seed, unsettled_characters(), texts
        )
        odd = marks & 1 > 0
        if odd.any():
            settled = chunk.settled(np.flatnonzero(odd))
            words += self._count_words(settled, odd, seed, NO_CODES, texts)
        if self.authors is not None:
            self._count_authors(chunk, keep, seed, hashes, wanted)
        for index in np.flatnonzero(wanted).tolist():
            self.texts[chunk.first_row + index] = chunk.text(
                index, EXAMPLE_BYTES
            )
        sizes = chunk.stops - chunk.begins
        self.totals.add(
            ScanTotals(
                n,
                int(keep.sum()) if len(keep) else n,
                chunk.nulls,
                int((sizes == 0).sum()) - chunk.nulls,
                int(sizes.sum()),
                words,
                int(hashes.sum(dtype=np.uint64)),
                int((marks >> 1).sum()),
            )
        )
        return n

    def _count_words(
        self,
        chunk: CaptionChunk,
        keep: np.ndarray,
        seed: np.uint64,
        unsettled: np.ndarray,
        texts: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> int:
        from aobench.audit.kernel import count_words

        return int(
            count_words(
                (chunk.data, chunk.begins, chunk.stops, keep, unsettled),
                (chunk.first_row, seed),
                self._vocabulary,
                self._shape,
                self.slots,
                self.tally.arrays,
                self.last,
                (self.attribute_counts, self.object_counts, self.named),
                texts,
            )
        )

    def _count_authors(
        self,
        chunk: CaptionChunk,
        keep: np.ndarray,
        seed: np.uint64,
        hashes: np.ndarray,
        wanted: np.ndarray,
    ) -> None:
        from aobench.audit.substrings import count_authors

        a, tally = self.plan.authors, self.authors
        assert tally is not None
        if not lowers_letter_by_letter(self.plan.vocabulary):
            chunk = CaptionChunk.of(
                (chunk.text(i).lower() for i in range(len(chunk))),
                chunk.first_row,
            )
        count_authors(
            (
                chunk.data,
                chunk.begins,
                chunk.stops,
                keep,
                chunk.first_row,
                seed,
            ),
            lower_table(),
            (a.symbols, a.steps, a.word_starts, a.state_words),
            a.cell_of,
            tally.arrays,
            self.author_words,
            (hashes, wanted),
        )

    def take(self) -> PartialCounts:
        """What was counted since the last call; the counter starts anew."""
        rules = {
            rule: self.tally.sparse(rule)
            for rule in self.tally.rules
            if rule != "none"
        }
        if self.authors is not None:
            rules["authors"] = self.authors.sparse("authors")
            self.authors.clear()
        self.tally.clear()
        self.last[:] = -1
        texts = {
            int(row): self.texts[int(row)]
            for s in rules.values()
            for row in s.rows
        }
        part = PartialCounts(
            rules,
            self.attribute_counts.copy(),
            self.object_counts.copy(),
            self.named.copy(),
            self.totals,
            texts,
        )
        self.attribute_counts[:] = self.object_counts[:] = 0
        self.named[:] = 0
        self.author_words[:] = 0
        self.totals, self.texts = ScanTotals(), {}
        return part


class PartMerger:
    """Adds parts up, one after the other; memory doesn't grow with their number."""

    def __init__(self, plan: CountingPlan) -> None:
        self.tallies = {
            rule: MergedTally(plan.cells(rule), plan.sketch, plan.examples)
            for rule in plan.rules
        }
        self.attributes, self.objects = (
            np.zeros(n, np.int64) for n in plan.vocabulary.shape
        )
        self.named = np.zeros((2, MOST_NAMED + 1), np.int64)
        self.totals = ScanTotals()

    def add(self, base: int, part: PartialCounts) -> set[int]:
        """Add a part, its rows moved by ``base``; returns those of its rows that are examples for
        now.
        """
        examples = [
            tally.add(part.rules[rule], base)
            for rule, tally in self.tallies.items()
        ]
        self.totals.add(part.totals)
        self.attributes += part.attribute_counts
        self.objects += part.object_counts
        self.named += part.named
        return set(np.concatenate(examples).tolist())

    def whole(self) -> PartialCounts:
        """The sum. Texts are not moved, and left out."""
        rules = {rule: tally.sparse() for rule, tally in self.tallies.items()}
        return PartialCounts(
            rules, self.attributes, self.objects, self.named, self.totals
        )

    def example_rows(self) -> set[int]:
        """The rows of the examples that are kept so far."""
        return {
            int(row)
            for tally in self.tallies.values()
            for row in tally.sparse().rows
        }


def merge_parts(
    plan: CountingPlan, parts: Sequence[tuple[int, PartialCounts]]
) -> PartialCounts:
    """One part of several; each comes with what its rows are moved by. Texts are not moved, and
    left out.
    """
    merger = PartMerger(plan)
    for base, part in parts:
        merger.add(base, part)
    return merger.whole()
