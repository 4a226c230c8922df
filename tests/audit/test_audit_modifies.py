"""The rule ``modifies``: its grammar by hand and against regular expressions, what it was measured
at, and what a parse says.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.audit_oracle import in_caption

from aobench.audit import precision
from aobench.audit.api import audit
from aobench.audit.inflections import attribute_forms, object_forms
from aobench.audit.lookup import text_pairs
from aobench.audit.parsing import load_parser, parsed_composition
from aobench.audit.shown import (
    estimate_shown,
    parsed_precision,
    shown_interval,
    shown_lines,
)
from aobench.audit.vocabulary import Vocabulary
from aobench.errors import UserError

NAMES = Vocabulary(
    ("red", "white", "orange", "wooden", "glass", "red brick", "dark", "made"),
    ("bus", "bus stop", "orange", "bench", "tank", "red fox", "baseball"),
)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a red bus", "red bus"),
        ("a big, red and white plastic bench", "red bench, white bench"),
        ("red, white, and old bus", "red bus, white bus"),
        ("red or white buses", "red bus, white bus"),
        ("a red wool baseball bench", "red bench"),
        ("a red and bench", ""),
        ("red, bench", ""),
        ("red. white bench", "white bench"),
        ("red wool, white bench", "white bench"),
        ("a red tank top", ""),
        ("a red baseball bat", ""),
        ("the red-lit bus", "red bus"),
        ("a bright orange shirt", ""),
        ("a white orange", "white orange"),
        ("a white orange and red bus", "white bus, orange bus, red bus"),
        ("a red bus stop", "red bus stop"),
        ("a white red fox", "white red fox"),
        ("the bus is red and white.", "red bus, white bus"),
        ("the buses are all very red", "red bus"),
        ("an old city bus was white", "white bus"),
        ("a man on a bus is white", ""),
        ("a man looks and the bus is white", "white bus"),
        ("a bus that is red", "red bus"),
        ("a man on a bus, which was red", "red bus"),
        ("the bus is red cars", ""),
        ("the bus is a red car", ""),
        ("the bus is red shirt", ""),
        ("a bench made of glass", "glass bench"),
        ("a bench made out of the old glass bottles", "glass bench"),
        ("a bench that is made of red glass", "red bench, glass bench"),
        ("a bench made glass", ""),
        ("a bus painted red and white", "red bus, white bus"),
        ("a dark white bus", "white bus"),
        ("a dark old bus", "dark bus"),
        ("a red brick bench", "red bench, red brick bench"),
        ("red bus red bus", "red bus"),
        ("", ""),
    ],
)
def test_what_modifies(caption, expected):
    [found] = text_pairs([caption], NAMES)
    names = ", ".join(
        f"{NAMES.attributes[a]} {NAMES.objects[o]}" for a, o in found
    )
    assert sorted(names.split(", ")) == sorted(expected.split(", "))


WORDS = """
red orange brick red-brick dark glass white bus stop oranges bench benches tank top fox
and or that which is are was made built of from out painted colored very bright the a old
plastic shirts shirt with while one n blue
"""

# rows of names and little else, some of which hold, begin or end in a word that joins
JOINED = Vocabulary(
    ("red", "dark", "blue", "blue striped", "black and white", "light blue"),
    ("bus", "brick", "bed and breakfast", "and bus", "salt and", "red fox"),
)
FEW_WORDS = """
red red blue blue and and bus bus brick fox plastic bed breakfast striped salt is dark black white
"""


@pytest.mark.parametrize(
    ("names", "words"), [(NAMES, WORDS), (JOINED, FEW_WORDS)]
)
def test_it_counts_as_regular_expressions_do(names, words):
    gaps = [" "] * 12 + [", ", ",", ". ", " - ", " , , ", "; ", "、", "，"]
    draw = random.Random(5)
    captions = [
        "".join(
            draw.choice(words.split()) + draw.choice(gaps)
            for _ in range(draw.randint(2, 14))
        )
        for _ in range(800)
    ]
    found = text_pairs(captions, names)
    assert sum(map(len, found)) > 100
    for caption, pairs in zip(captions, found, strict=True):
        expected = in_caption(
            caption, names.attribute_forms, names.object_forms
        )
        assert set(pairs) == expected["modifies"], caption


def test_what_the_labels_say():
    accuracy = precision.labelled_accuracy()
    order = sorted(accuracy, key=lambda rule: accuracy[rule].precision)
    assert order == ["words", "adjacent", "adjacent-forms", "modifies"]
    assert accuracy["words"].recall == 1
    for rule, one in accuracy.items():
        assert one.precision_low <= one.precision <= one.precision_high, rule
        assert one.recall_low <= one.recall <= one.recall_high, rule
    assert (
        accuracy["modifies"].precision_low
        > accuracy["adjacent-forms"].precision
    )
    strict = precision.labelled_accuracy(strict=True)
    assert all(
        strict[rule].precision < accuracy[rule].precision for rule in strict
    )


def test_precision_by_hand(monkeypatch):
    pairs = [("1", "1", "0", "0", "class")] * 3 + [("0", "0", "1", "0", "no")]
    pairs += [("0", "0", "0", "0", "no"), ("0", "0", "0", "0", "name")]
    names = ("adjacent", "adjacent_forms", "modifies", "parser", "verdict")
    rows = [dict(zip(names, one, strict=True)) for one in pairs]
    sizes = [
        ("1", "1", "0", "0", 10),
        ("0", "0", "1", "0", 20),
        ("0", "0", "0", "0", 70),
    ]
    strata = [
        dict(zip((*names[:4], "pairs"), one, strict=True)) for one in sizes
    ]
    monkeypatch.setattr(
        precision,
        "_rows",
        lambda name: rows if name == "labelled_pairs.csv" else strata,
    )
    precision.labelled_accuracy.cache_clear()
    found = precision.labelled_accuracy()
    precision.labelled_accuracy.cache_clear()
    assert found["words"].precision == pytest.approx((10 + 0 + 35) / 100)
    assert found["adjacent"].recall == pytest.approx(10 / 45)
    assert (found["modifies"].precision, found["modifies"].pairs) == (0, 20)


def test_the_labels_hold_no_caption():
    path = Path(precision.__file__).parent / "labelled_pairs.csv"
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 300
    assert {
        len(value.split()) <= 4 for row in rows for value in row.values()
    } == {True}
    differ = [row for row in rows if row["reading_1"] != row["reading_2"]]
    assert len(differ) == 3
    agree = [row for row in rows if row["reading_1"] == row["reading_2"]]
    assert all(row["verdict"] == row["reading_1"] for row in agree)


def parsed(*rows):
    """Tokens of (text, relation, place of the head, lemma)."""
    tokens = [
        SimpleNamespace(i=i, text=text, dep_=dep, lemma_=lemma)
        for i, (text, dep, _, lemma) in enumerate(rows)
    ]
    for token, (_, _, head, _) in zip(tokens, rows, strict=True):
        token.head = tokens[head]
    return tokens


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("red", "amod", 1, "red"), ("buses", "ROOT", 1, "bus")], True),
        (
            [
                ("red", "amod", 2, "red"),
                ("bus", "compound", 2, "bus"),
                ("stop", "ROOT", 2, "stop"),
            ],
            False,
        ),
        (
            [
                ("white", "amod", 3, "white"),
                ("and", "cc", 0, "and"),
                ("red", "conj", 0, "red"),
                ("bus", "ROOT", 3, "bus"),
            ],
            True,
        ),
        (
            [
                ("bus", "nsubj", 1, "bus"),
                ("is", "ROOT", 1, "be"),
                ("red", "acomp", 1, "red"),
            ],
            True,
        ),
        (
            [
                ("man", "nsubj", 3, "man"),
                ("on", "prep", 0, "on"),
                ("bus", "pobj", 1, "bus"),
                ("is", "ROOT", 3, "be"),
                ("red", "acomp", 3, "red"),
            ],
            False,
        ),
        (
            [
                ("red", "amod", 1, "red"),
                ("man", "ROOT", 1, "man"),
                ("bus", "dobj", 1, "bus"),
            ],
            False,
        ),
    ],
)
def test_what_a_parse_says(rows, expected):
    assert (
        parsed_composition(
            parsed(*rows), attribute_forms("red"), object_forms("bus")
        )
        is expected
    )


def test_material_by_a_parse():
    rows = [
        ("bus", "ROOT", 0, "bus"),
        ("made", "acl", 0, "make"),
        ("of", "prep", 1, "of"),
        ("glass", "pobj", 2, "glass"),
    ]
    glass, bus = attribute_forms("glass"), object_forms("bus")
    assert parsed_composition(parsed(*rows), glass, bus)
    rows[1] = ("full", "amod", 0, "full")
    assert not parsed_composition(parsed(*rows), glass, bus)


def test_a_parser_that_is_absent_is_named():
    with pytest.raises(UserError, match=r"spacy|spaCy"):
        load_parser("no_such_model")


def test_examples_are_parsed(tmp_path):
    captions = [
        "a red bus",
        "a red bus 2",
        "a red bus stop",
        "a bus is red",
        "red, a bus",
    ]
    (tmp_path / "c.txt").write_text("\n".join(captions) + "\n")
    names = Vocabulary(("red",), ("bus",))
    counted = audit(
        tmp_path / "c.txt", tmp_path / "out", vocabulary=names, examples=4
    )
    red_bus = [("red", "amod", 1, "red"), ("bus", "ROOT", 1, "bus")]
    apart = [("red", "ROOT", 0, "red"), ("bus", "ROOT", 1, "bus")]

    def parse(texts):
        return [
            parsed(*(red_bus if text.startswith("a red bus") else apart))
            for text in texts
        ]

    [row] = estimate_shown(counted, "words", parse)
    assert (row.count, row.parsed, row.shown) == (5, 4, 3)
    assert row.estimate == pytest.approx(5 * 3 / 4)
    assert (row.low, row.high) == (3.0, 4.0), "one caption is left"
    assert parsed_precision([row]) == (0.75, 0.75, 0.75)
    assert "75.0%" in shown_lines({"words": [row]})[0]
    none = audit(
        tmp_path / "c.txt", tmp_path / "none", vocabulary=names, examples=0
    )
    with pytest.raises(UserError, match="kept no captions"):
        estimate_shown(none, "words", parse)


def test_bounds_of_what_is_shown():
    low, high = shown_interval(1000, 3, 3)
    assert low == pytest.approx(438.5, abs=1), "Wilson 1927 for 3 of 3"
    assert high == 1000
    assert shown_interval(1000, 3, 0)[0] == 0
    assert shown_interval(2, 2, 1) == (1.0, 1.0)


def test_the_document_has_the_figures_of_the_labels():
    text = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(
        encoding="utf-8"
    )
    strict = precision.labelled_accuracy(strict=True)

    def shown(value, low, high):
        if value == 1:
            return "100 %"
        return f"{value:.1%} [{low:.1%}, {high:.1%}]".replace(
            "%,", ","
        ).replace("%]", "]")

    for rule, one in precision.labelled_accuracy().items():
        other = strict[rule]
        cells = [
            shown(one.precision, one.precision_low, one.precision_high),
            shown(one.recall, one.recall_low, one.recall_high),
            shown(other.precision, other.precision_low, other.precision_high),
        ]
        row = f"| {rule} | {' | '.join(cell.replace('% [', ' % [') for cell in cells)} |"
        assert row in text, row
