"""Captions that nobody writes, against the slow oracle: all rules, marginals and totals, however
the captions lie in memory and in files.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.audit_oracle import by_authors, by_names, by_words, plain
from helpers.odd_captions import (
    FAR_LETTERS,
    LONGEST,
    OddCaptions,
    long_names,
    made_word,
    misspelled,
    sliced_captions,
)

from aobench.audit.api import audit
from aobench.audit.chunks import CaptionChunk
from aobench.audit.counter import (
    CaptionCounter,
    CountingPlan,
    PartialCounts,
    merge_parts,
    sampled_rows,
)
from aobench.audit.rules import VERSIONS
from aobench.audit.vocabulary import Vocabulary, published_vocabulary

ALL = tuple(VERSIONS)


@cache
def plan_of(kind: str) -> CountingPlan:
    """A plan for names in ASCII, beyond it, or the published ones; compiled once."""
    if kind == "published":
        return CountingPlan(published_vocabulary(), ALL)
    return CountingPlan(long_names(3, far=kind == "far"), ALL)


def counted(plan: CountingPlan, *chunks: CaptionChunk) -> PartialCounts:
    """What one counter counts in some chunks."""
    counter = CaptionCounter(plan)
    for chunk in chunks:
        counter.count(chunk)
    return counter.take()


def by_pair(plan: CountingPlan, part: PartialCounts, rule: str) -> Counter:
    """A rule's counts by (attribute, object)."""
    flat = np.zeros(plan.cells(rule), np.int64)
    flat[part.rules[rule].cells] = part.rules[rule].counts
    matrix = flat[plan.cell_table(rule)]
    return Counter(
        {(int(a), int(o)): int(matrix[a, o]) for a, o in np.argwhere(matrix)}
    )


def oracle(captions: Sequence[str], names: Vocabulary) -> dict[str, Counter]:
    """The counts by rule, the slow way."""
    return {**by_words(captions, names), "authors": by_authors(captions, names)}


def assert_same(
    plan: CountingPlan,
    part: PartialCounts,
    expected: Mapping[str, Counter],
    captions: Sequence[str],
) -> None:
    """Each rule's counts are the expected ones; else the first caption that differs is shown."""
    for rule in ALL:
        found = by_pair(plan, part, rule)
        if found == expected[rule]:
            continue
        for caption in captions:
            here = counted(plan, CaptionChunk.of([caption]))
            assert (
                by_pair(plan, here, rule)
                == oracle([caption], plan.vocabulary)[rule]
            ), f"{rule}: {caption!a}"
        pytest.fail(
            f"{rule}: each caption by itself counts as expected, all together don't"
        )


CASES = {"ascii": 1300, "far": 1300, "published": 500}


@cache
def case_of(kind: str) -> tuple[list[str], dict[str, Counter]]:
    """Captions for the names of a kind, and the oracle's counts."""
    names = plan_of(kind).vocabulary
    captions = OddCaptions(names, 11).captions(CASES[kind])
    return captions, oracle(captions, names)


@pytest.mark.parametrize("kind", CASES)
def test_odd_captions_count_as_the_oracle_counts(kind: str) -> None:
    captions, expected = case_of(kind)
    for rule in ALL:
        assert len(expected[rule]) > 100, f"the captions don't try {rule}"
    plan = plan_of(kind)
    assert_same(
        plan, counted(plan, CaptionChunk.of(captions)), expected, captions
    )


@pytest.mark.parametrize("kind", ["ascii", "far"])
def test_names_and_words_of_odd_captions_are_those_of_the_oracle(
    kind: str,
) -> None:
    (captions, _), plan = case_of(kind), plan_of(kind)
    part = counted(plan, CaptionChunk.of(captions))
    attributes, objects, many, more = by_names(captions, plan.vocabulary)
    for found, expected in (
        (part.attribute_counts, attributes),
        (part.object_counts, objects),
    ):
        assert found.tolist() == [expected[name] for name in range(len(found))]
        assert expected.keys() == set(range(len(found))), (
            "a name stands in no caption"
        )
    most = part.named.shape[1] - 1
    for found, expected in zip(part.named, (many, more), strict=True):
        capped = Counter()
        for number, times in expected.items():
            capped[min(number, most)] += times
        assert found.tolist() == [capped[number] for number in range(most + 1)]
    words = [
        [word for word in plain(c).split() if word not in ",|"]
        for c in captions
    ]
    assert part.totals.words == sum(map(len, words))
    assert part.totals.empty == captions.count("")
    broken = [
        c
        for c in captions
        if "\0" in c or any("\ud800" <= x <= "\udfff" for x in c)
    ]
    assert part.totals.not_utf8 == len(broken) > 20


def test_different_captions_are_told_by_their_words() -> None:
    (captions, _), plan = case_of("ascii"), plan_of("ascii")
    captions = captions[:300] + [
        c.upper() for c in captions[:300] if c.isascii()
    ]
    part = counted(plan, CaptionChunk.of(captions))
    different: dict[tuple[int, int], set[str]] = {}
    for caption in captions:
        for pair in by_words([caption], plan.vocabulary)["words"]:
            words = plain(caption).replace("|", " ").replace(",", " ").split()
            different.setdefault(pair, set()).add(" ".join(words))
    sparse = part.rules["words"]
    found, exact = sparse.distinct(plan.sketch)
    width = plan.vocabulary.shape[1]
    assert exact.all()
    assert {
        divmod(int(c), width): int(n)
        for c, n in zip(sparse.cells, found, strict=True)
    } == {pair: len(texts) for pair, texts in different.items()}
    assert (found < sparse.counts).any(), "no caption stands twice"


def test_chunks_of_any_size_count_the_same() -> None:
    (captions, expected), plan = case_of("far"), plan_of("far")
    draw, chunks, at = random.Random(2), [], 0
    while at < len(captions):
        size = draw.choice((0, 1, 1, 2, 7, 64, 300))
        chunks.append(CaptionChunk.of(captions[at : at + size], at))
        at += size
    assert_same(plan, counted(plan, *chunks), expected, captions)
    half = len(chunks) // 2
    parts = [
        (0, counted(plan, *chunks[:half])),
        (0, counted(plan, *chunks[half:])),
    ]
    assert_same(plan, merge_parts(plan, parts), expected, captions)


@pytest.mark.parametrize("kind", ["ascii", "far"])
def test_captions_cut_anywhere_in_a_buffer(kind: str) -> None:
    """A caption ends where it ends, though its buffer goes on with the rest of the name."""
    (captions, _), plan = case_of(kind), plan_of(kind)
    data, slices, texts = sliced_captions(captions[:700], 4)
    begins, stops = np.array(slices, np.int64).T
    chunk = CaptionChunk(
        np.frombuffer(data, np.uint8), begins.copy(), stops.copy(), 0, 0
    )
    expected = oracle(texts, plan.vocabulary)
    assert min(len(pairs) for pairs in expected.values()) > 50
    assert_same(plan, counted(plan, chunk), expected, texts)


def test_a_name_cut_at_each_byte() -> None:
    """The last byte of the data is the caption's last, or the rest of the name follows."""
    names = long_names(3, far=True)
    plan = plan_of("far")
    for word in (
        names.objects[16],
        "crème brûlée",
        "日本 刀",
        "\U00010400\U00010428",
        "red fox",
    ):
        line = f"red {word}".encode()
        stops = np.arange(len(line) + 1, dtype=np.int64)
        texts = [line[:stop].decode("utf-8", "replace") for stop in stops]
        expected = oracle(texts, names)
        room = np.frombuffer(line + word.encode(), np.uint8)
        begins = np.zeros_like(stops)
        chunk = CaptionChunk(room[: len(line)], begins, stops, 0, 0)
        assert_same(plan, counted(plan, chunk), expected, texts)
        assert_same(
            plan,
            counted(plan, *map(CaptionChunk.of, [[t] for t in texts])),
            expected,
            texts,
        )


@pytest.mark.parametrize("far", [False, True])
def test_words_of_every_length_at_every_place(far: bool) -> None:
    """Each word by itself after 0 to 8 bytes of others, and misspelled in each way."""
    names, plan = long_names(3, far), plan_of("far" if far else "ascii")
    draw, captions = random.Random(9), []
    for length, word in enumerate(names.objects[:LONGEST], start=1):
        assert len(word) == length
        other = names.attributes[draw.randrange(LONGEST)]
        for before in range(9):
            gap = draw.choice((" ", "-", "  ", "\u00a0"))
            captions.append(
                made_word(draw, before, "xyz") + gap + other + gap + word
            )
        captions += [f"{other} {misspelled(draw, word)}" for _ in range(6)]
        captions.append(f"{other} {word}{made_word(draw, 1, FAR_LETTERS)}")
    expected = oracle(captions, names)
    assert len({o for _, o in expected["adjacent"]}) >= LONGEST
    assert_same(
        plan, counted(plan, CaptionChunk.of(captions)), expected, captions
    )


MILLION = 1_000_000
WORD = {"words", "authors"}


@pytest.mark.parametrize(
    ("start", "middle", "end", "rules"),
    [
        ("red ", "x", " bus", WORD),
        ("red ", "é", " bus", WORD),
        ("red ", "-,.", " bus", WORD),
        ("red ", "&amp;", " bus", WORD),
        ("red ", "a ", "bus", WORD),
        ("red ", "old, and ", "bus", WORD),
        ("red ", "old, and ", "old bus", {*WORD, "modifies"}),
        ("red ", "old ", "bus", {*WORD, "modifies"}),
        ("bus is ", "old and ", "red", {*WORD, "modifies"}),
        ("red", " ", "bus", ALL),
        ("red", "\r\n", "bus", ALL),
        ("re", "\u00ad", "d bus", set(ALL) - {"authors"}),
        ("red", "\u0301", " bus", {"authors"}),
        ("", "red bus. ", "", ALL),
        ("", "bus ", "red bus", ALL),
    ],
)
def test_a_caption_of_a_megabyte(
    start: str, middle: str, end: str, rules: set[str]
) -> None:
    # many names in one caption take a time that grows with their square
    size = MILLION // 100 if "red" in middle else MILLION
    plan = CountingPlan(Vocabulary(("red",), ("bus",)), ALL)
    long = start + middle * (size // len(middle.encode())) + end
    part = counted(plan, CaptionChunk.of(["red bus", long, "a red", "bus"]))
    assert {
        rule for rule in ALL if by_pair(plan, part, rule)[0, 0] == 2
    } == set(rules)
    assert part.object_counts.tolist() == [3]
    assert part.rules["words"].counts.tolist() == [1 + ("words" in rules)]


def test_a_sample_of_odd_captions() -> None:
    captions, _ = case_of("ascii")
    plan = CountingPlan(long_names(3), ALL, sample=0.4)
    part = counted(plan, CaptionChunk.of(captions))
    kept = sampled_rows(0, len(captions), 0, plan.sample)
    texts = [
        caption for caption, keep in zip(captions, kept, strict=True) if keep
    ]
    assert 0.3 < len(texts) / len(captions) < 0.5
    expected = oracle(texts, plan.vocabulary)
    assert all(by_pair(plan, part, rule) == expected[rule] for rule in ALL)


def _write_json_lines(path: Path, captions: list[str]) -> None:
    path.write_text(
        "".join(json.dumps({"caption": c}) + "\n" for c in captions)
    )


def _write_csv(path: Path, captions: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerows(
            [["caption"], *([c] for c in captions)]
        )


def _write_parquet(path: Path, captions: list[str]) -> None:
    pl.DataFrame({"caption": captions}).write_parquet(path, row_group_size=97)


WRITERS = {
    "a.jsonl": _write_json_lines,
    "a.csv": _write_csv,
    "a.parquet": _write_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_files_of_odd_captions(name: str, tmp_path: Path) -> None:
    captions, _ = case_of("ascii")
    captions = captions[:250]
    if name != "a.jsonl":  # only JSON can write half of a surrogate pair
        captions = [c.encode("utf-8", "replace").decode() for c in captions]
    WRITERS[name](tmp_path / name, captions)
    names = long_names(3)
    found = audit(
        tmp_path / name,
        tmp_path / "out",
        vocabulary=names,
        rules=ALL,
        workers=2,
    )
    assert found.manifest["totals"]["rows"] == len(captions)
    for rule, expected in oracle(captions, names).items():
        matrix = found.matrix(rule)
        assert (
            Counter(
                {
                    (int(a), int(o)): int(matrix[a, o])
                    for a, o in np.argwhere(matrix)
                }
            )
            == expected
        ), rule
