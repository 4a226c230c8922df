"""Parts on disk: what is written is read, and a second run reads each once."""

from __future__ import annotations

import random

import numpy as np
import pytest
from helpers.audit_oracle import by_words

from aobench.audit import checkpoints
from aobench.audit.api import audit
from aobench.audit.checkpoints import HeldParts, PackedTexts, write_part
from aobench.audit.chunks import CaptionChunk
from aobench.audit.counter import CaptionCounter, CountingPlan, PartMerger
from aobench.audit.rules import VERSIONS
from aobench.audit.tally import DenseTally, MergedTally, SparseCounts
from aobench.audit.vocabulary import Vocabulary

NAMES = Vocabulary(("red", "wooden", "old"), ("bus", "bench", "café"))
#: Neither in the order of the alphabet nor in that of `WORD_RULES`.
RULES = ("modifies", "words", "authors", "adjacent")


def drawn_captions(n: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    names = (*NAMES.attributes, *NAMES.objects, "and", "the")
    return [" ".join(draw.choices(names, k=4)) for _ in range(n)]


def counted(plan: CountingPlan, captions: list[str], first_row: int = 0):
    counter = CaptionCounter(plan)
    counter.count(CaptionChunk.of(captions, first_row))
    return counter.take()


def same(one: SparseCounts, other: SparseCounts) -> bool:
    return all(
        np.array_equal(value, getattr(other, name))
        and value.dtype == getattr(other, name).dtype
        for name, value in vars(one).items()
    )


@pytest.mark.parametrize(
    ("sketch", "examples", "first_row"),
    [(32, 3, 0), (0, 3, 1 << 36), (4, 0, 70_000), (0, 0, 0)],
)
def test_a_part_is_read_as_it_was_written(
    tmp_path, sketch, examples, first_row
):
    plan = CountingPlan(NAMES, RULES, sketch, examples)
    part = counted(plan, drawn_captions(300, 1), first_row)
    record = {"kind": "text", "rows": 300}
    write_part(tmp_path, "key", part, record)
    held = HeldParts()
    assert held.read_record(tmp_path, "key") == record
    for again in (held.take_part(tmp_path, "key") for _ in range(2)):
        assert list(again.rules) == list(part.rules)
        for rule in RULES:
            assert same(part.rules[rule], again.rules[rule]), rule
        assert dict(again.texts) == part.texts
        assert again.totals == part.totals
        for name in ("attribute_counts", "object_counts", "named"):
            assert np.array_equal(getattr(again, name), getattr(part, name))


def test_a_part_without_a_pair_is_read_as_it_was_written(tmp_path):
    part = counted(CountingPlan(NAMES, RULES), ["nothing of the sort"])
    write_part(tmp_path, "key", part, {})
    again = HeldParts().take_part(tmp_path, "key")
    assert all(len(sparse.cells) == 0 for sparse in again.rules.values())
    assert again.totals.words == 4
    assert not again.texts


def test_packed_texts_are_those_of_their_rows():
    texts = {7: "a café", 1 << 40: "", 2: "𝓇ed"}
    packed = PackedTexts.of(texts)
    assert dict(packed) == texts
    assert (len(packed), 3 in packed) == (3, False)
    assert list(packed) == [2, 7, 1 << 40]


def test_merged_counts_are_those_of_one_dense_tally():
    plan = CountingPlan(NAMES, ("words",), sketch=4, examples=2)
    parts = [
        counted(plan, drawn_captions(n, seed)).rules["words"]
        for seed, n in enumerate((1, 0, 40, 3, 200, 7))
    ]
    for order in range(5):
        bases = list(enumerate(parts))
        random.Random(order).shuffle(bases)
        dense = DenseTally(("words",), plan.cells("words"), 4, 2)
        merged = MergedTally(plan.cells("words"), 4, 2)
        for number, part in bases:
            kept = dense.add("words", part, number << 40)
            assert np.array_equal(merged.add(part, number << 40), kept)
        assert same(dense.sparse("words"), merged.sparse())


def test_rows_that_a_merge_keeps_are_those_of_its_examples():
    plan = CountingPlan(NAMES, ("words", "modifies"), sketch=4, examples=2)
    merger, kept = PartMerger(plan), set()
    for number in range(6):
        part, base = counted(plan, drawn_captions(60, number)), number << 40
        kept |= {base + row for row in merger.add(base, part)}
    assert kept == merger.example_rows()
    assert len(kept) < 6 * 20


def test_a_second_run_reads_each_part_once(tmp_path, monkeypatch):
    captions = [drawn_captions(50, seed) for seed in range(5)]
    for number, lines in enumerate(captions):
        text = "".join(f"{line}\n" for line in lines)
        (tmp_path / f"{number}.txt").write_text(text)
    paths = sorted(tmp_path.glob("*.txt"))
    first = audit(paths, tmp_path / "out", vocabulary=NAMES, rules=RULES)
    reads, read = [], checkpoints.read_sealed_tensors
    monkeypatch.setattr(
        checkpoints,
        "read_sealed_tensors",
        lambda path, name: reads.append(name) or read(path, name),
    )
    second = audit(paths, tmp_path / "out", vocabulary=NAMES, rules=RULES)
    assert sorted(reads) == sorted(set(reads))
    assert len(reads) == 5
    expected = by_words([one for lines in captions for one in lines], NAMES)[
        "words"
    ]
    for again in (first, second):
        matrix = again.matrix("words")
        assert {(a, o): matrix[a, o] for a, o in np.argwhere(matrix)} == dict(
            expected
        )
    assert first.examples("words") == second.examples("words")
    # nothing is held where there is no room: each part is then read again
    monkeypatch.setattr(checkpoints, "MOST_HELD", 0)
    third = audit(paths, tmp_path / "out", vocabulary=NAMES, rules=RULES)
    assert len(reads) == 5 + 10
    for rule in VERSIONS.keys() & set(RULES):
        assert np.array_equal(third.matrix(rule), first.matrix(rule))
