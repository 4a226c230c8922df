"""What counts: examples by hand, the slow oracle, and letters from all over Unicode."""

from __future__ import annotations

import random

import numpy as np
import pytest
from helpers.audit_oracle import by_authors, by_words

from aobench.audit.chunks import CaptionChunk
from aobench.audit.counter import CaptionCounter, CountingPlan, merge_parts
from aobench.audit.inflections import attribute_forms, object_forms
from aobench.audit.rules import VERSIONS, check_rules
from aobench.audit.vocabulary import (
    Vocabulary,
    make_vocabulary,
    published_vocabulary,
)
from aobench.errors import UserError

ALL = tuple(VERSIONS)


def matrices(captions, names, rules=ALL, **plan):
    """Rule -> int64 (attributes, objects)."""
    plan = CountingPlan(names, rules, **plan)
    counter = CaptionCounter(plan)
    counter.count(CaptionChunk.of(captions))
    part = counter.take()
    result = {}
    for rule, sparse in part.rules.items():
        flat = np.zeros(plan.cells(rule), np.int64)
        flat[sparse.cells] = sparse.counts
        result[rule] = flat[plan.cell_table(rule)]
    return result


def oracle_matrices(captions, names):
    found = {
        **by_words(captions, names),
        "authors": by_authors(captions, names),
    }
    result = {rule: np.zeros(names.shape, np.int64) for rule in found}
    for rule, counts in found.items():
        for pair, n in counts.items():
            result[rule][pair] = n
    return result


def shows(
    caption, attribute, name, rule="words", more_attributes=(), more_objects=()
):
    names = Vocabulary((attribute, *more_attributes), (name, *more_objects))
    return int(matrices([caption], names)[rule][0, 0])


@pytest.mark.parametrize(
    ("caption", "attribute", "name", "expected"),
    [
        (
            "Two benches, one of them WOODEN",
            "wooden",
            "bench",
            {"words", "authors"},
        ),
        (
            "A Wooden bench.",
            "wooden",
            "bench",
            {"words", "adjacent", "adjacent-forms", "authors"},
        ),
        (
            "wooden benches",
            "wooden",
            "bench",
            {"words", "adjacent-forms", "authors"},
        ),
        ("wooden, bench", "wooden", "bench", {"words", "authors"}),
        ("a covered wagon", "red", "wagon", {"authors"}),
        ("an orange", "orange", "orange", {"authors"}),
        (
            "an orange orange",
            "orange",
            "orange",
            {"words", "adjacent", "adjacent-forms", "authors"},
        ),
        (
            "an orange, then another orange",
            "orange",
            "orange",
            {"words", "authors"},
        ),
        ("a red fox in the snow", "red", "red fox", {"authors"}),
        (
            "a red red-fox",
            "red",
            "red fox",
            {"words", "adjacent", "adjacent-forms", "authors"},
        ),
        (
            "a red fire-engine",
            "red",
            "fire engine",
            {"words", "adjacent", "adjacent-forms", "authors"},
        ),
        (
            "a red fireengine",
            "red",
            "fire engine",
            {"words", "adjacent", "adjacent-forms", "authors"},
        ),
        (
            "a red hot dog",
            "red",
            "hotdog",
            {"words", "adjacent", "adjacent-forms"},
        ),
        (
            "heart-shaped boxes",
            "heart shaped",
            "box",
            {"words", "adjacent-forms", "authors"},
        ),
        ("heart, shaped box", "heart shaped", "box", {"authors"}),
        ("grey mice", "gray", "mouse", {"words", "adjacent-forms"}),
        (
            "the dirtiest bus's wheel",
            "dirty",
            "bus",
            {"words", "adjacent-forms"},
        ),
        (
            "a golden carpenter\u2019s kit",
            "golden",
            "carpenter's kit",
            {"words", "adjacent", "adjacent-forms"},
        ),
        (
            "stained blue plaid kilt",
            "stained blue plaid",
            "kilt",
            {"words", "adjacent", "adjacent-forms", "authors"},
        ),
        ("a stained blueish cup", "stained blue plaid", "kilt", {"authors"}),
        ("", "red", "bus", set()),
        ("red\u2764\ufe0fbus", "red", "bus", {"words", "authors"}),
        (
            "r\u00aded_bus",
            "red",
            "bus",
            {"words", "adjacent", "adjacent-forms"},
        ),
        (
            "\u212aha\u212ai bus",
            "khaki",
            "bus",
            {"words", "adjacent", "adjacent-forms", "authors"},
        ),
        ("r\u00e9d bus redbus", "red", "bus", {"authors"}),
    ],
)
def test_examples(caption, attribute, name, expected):
    found = {
        rule
        for rule, m in matrices(
            [caption], Vocabulary((attribute,), (name,))
        ).items()
        if m[0, 0]
    }
    # in these captions nothing stands between that only the rule modifies would pass over
    if "adjacent-forms" in expected:
        expected = expected | {"modifies"}
    assert found == expected


def test_a_name_within_a_longer_name_does_not_count():
    assert (
        shows(
            "a wooden tiger shark",
            "wooden",
            "tiger",
            more_objects=("tiger shark",),
        )
        == 0
    )
    assert (
        shows(
            "a wooden tiger shark",
            "wooden",
            "tiger shark",
            more_objects=("tiger",),
        )
        == 1
    )
    assert (
        shows("a red fox by a bus", "red", "bus", more_objects=("red fox",))
        == 0
    )
    assert (
        shows("a red red fox by a bus", "red", "bus", more_objects=("red fox",))
        == 1
    )
    assert (
        shows("wet king crab", "wet", "crab", more_objects=("king crab",)) == 0
    )
    assert (
        shows(
            "wet king crab and a crab",
            "wet",
            "crab",
            more_objects=("king crab",),
        )
        == 1
    )
    assert (
        shows(
            "a wet tiger striped cat",
            "wet",
            "tiger",
            more_attributes=("tiger striped",),
        )
        == 0
    )


def test_an_attribute_within_a_longer_attribute_counts():
    assert (
        shows(
            "a red brick church",
            "brick",
            "church",
            "adjacent",
            more_attributes=("red brick",),
        )
        == 1
    )
    assert (
        shows(
            "a red brick church",
            "red",
            "church",
            "words",
            more_attributes=("red brick",),
        )
        == 1
    )


def test_a_shared_name_counts_for_each():
    found = matrices(["a yellow crane"], published_vocabulary(), ("adjacent",))[
        "adjacent"
    ]
    names = published_vocabulary()
    hit = {names.objects[o] for _, o in np.argwhere(found)}
    assert hit == {"crane", "n03126707"}


def test_synonyms_are_an_option():
    names = published_vocabulary()
    row, column = names.attributes.index("yellow"), names.objects.index("cab")
    assert (
        matrices(["a yellow taxi"], names, ("words",))["words"][row, column]
        == 0
    )
    assert (
        matrices(
            ["a yellow taxi"], published_vocabulary(synonyms=True), ("words",)
        )["words"][row, column]
        == 1
    )
    assert make_vocabulary(
        ("red",), ("no such class",), synonyms=True
    ).synonyms == ((),)


def test_forms_are_the_listed_ones():
    assert object_forms("hotdog") == {
        ("hotdog",): True,
        ("hot", "dog"): True,
        ("hotdogs",): False,
        ("hot", "dogs"): False,
    }
    assert {s for s, written in attribute_forms("gray").items() if written} == {
        ("gray",)
    }
    assert set(attribute_forms("gray")) == {
        (w,) for w in ("gray", "grey", "grayer", "grayest", "greyer", "greyest")
    }
    assert ("moss", "covered") in attribute_forms("moss covered")
    assert ("knives",) in object_forms("knife")
    assert ("timber", "wolves") in object_forms("timber wolf")
    assert ("bicycles", "built", "for", "two") in object_forms(
        "bicycle-built-for-two"
    )
    assert set(object_forms("binoculars")) == {("binoculars",)}


SYLLABLES = [
    "red",
    "Red",
    "fox",
    "foxes",
    "red-fox",
    "brick",
    "red brick",
    "ORANGE",
    "oranges",
    "iron",
    "irons",
    "tiger",
    "shark",
    "tiger shark",
    "jean",
    "jeans",
    "paper towel",
    "water",
    "buffalo",
    "water  buffalo",
    "snowy",
    "snowiest",
    "covered",
    "moss",
    "moss-covered",
    "bus",
    "buses",
    "school",
    "crane",
    "é",
    "ﬁ",
    "ß",
    "İ",
    "Σ",
    "日本",
    "\ud7ff",
    "𝐫",
    "🦊",
    "❤️",
    ",",
    ".",
    "|",
    "\t",
    "\n",
    "_",
    "'s",
    "’s",
    "–",
    "(",
    "a",
    "of",
    "\x00",
    "\u0301",
    "\u00ad",
    "&amp;",
    "&#39;s",
    "&nbsp;",
    "&amp;quot;",
    "&red",
    "ｒｅｄ",
    "\u200b",
    "\u202a",
    "STRAẞE",
    "&#x72;ed",
    "fo\u034fx",
    "&bogus;",
    "\u1161",
    "ｶﾞ",
]


def random_captions(n, seed):
    draw = random.Random(seed)

    def caption():
        parts = (
            draw.choice(SYLLABLES) + draw.choice([" ", " ", " ", ""])
            for _ in range(draw.randint(0, 14))
        )
        return draw.choice(["", " ", "-"]).join(parts)

    return [caption() for _ in range(n)]


def test_random_captions_count_as_the_oracle_counts():
    captions, names = random_captions(3000, 1), published_vocabulary()
    found, expected = (
        matrices(captions, names),
        oracle_matrices(captions, names),
    )
    for rule in ALL:
        assert expected[rule].sum() > 100, (
            f"the captions made up don't try {rule}"
        )
        wrong = np.argwhere(found[rule] != expected[rule])
        assert len(wrong) == 0, (
            f"{rule}: {len(wrong)} pairs differ, first {wrong[:3]}"
        )


def test_names_beyond_ascii_count_as_the_oracle_counts():
    names = Vocabulary(
        ("σκύλος", "rosé", "ÉCRU"), ("ΟΔΟΣ", "café", "naïve art")
    )
    captions = [
        "ΣΚΎΛΟΣ οδοσ οδος",
        "rosé in a CAFÉ",
        "écru Naïve-Art",
        "Rosé, ΟΔΟΣ",
    ]
    found, expected = (
        matrices(captions, names),
        oracle_matrices(captions, names),
    )
    for rule in ALL:
        assert (found[rule] == expected[rule]).all(), rule


def test_bytes_that_are_no_utf8_part_words():
    data = np.frombuffer(
        b"red\xff bus \xe2\x82 \xf4\x90\x80\x80 red\xc3", np.uint8
    )
    counter = CaptionCounter(CountingPlan(Vocabulary(("red",), ("bus",)), ALL))
    counter.count(
        CaptionChunk(data, np.array([0]), np.array([len(data)]), 0, 0)
    )
    part = counter.take()
    assert part.rules["words"].counts.tolist() == [1]
    assert len(part.rules["adjacent"].counts) == 0


def test_distinct_captions_and_examples():
    names = Vocabulary(("red",), ("bus",))
    captions = [
        "Red bus!",
        "red  BUS",
        "blue bus",
        "a red bus",
        "red bus",
        "the red bus",
        "my red bus",
    ]
    counter = CaptionCounter(
        CountingPlan(names, ("words",), sketch=8, examples=3)
    )
    counter.count(CaptionChunk.of(captions))
    part = counter.take()
    sparse = part.rules["words"]
    assert sparse.counts.tolist() == [6]
    assert [x.tolist() for x in sparse.distinct(8)] == [[4], [True]]
    assert sparse.rows.tolist() == [0, 3, 5]
    assert part.texts == {0: "Red bus!", 3: "a red bus", 5: "the red bus"}


def test_distinct_is_estimated_beyond_the_sketch():
    captions = [f"red bus number {i % 5000}" for i in range(20000)]
    counter = CaptionCounter(
        CountingPlan(Vocabulary(("red",), ("bus",)), ("words",), sketch=256)
    )
    counter.count(CaptionChunk.of(captions))
    [distinct], [exact] = counter.take().rules["words"].distinct(256)
    assert not exact
    assert abs(distinct - 5000) < 5 * 5000 / 254**0.5


def test_parts_merge_in_any_order_to_the_whole():
    captions, names = random_captions(2000, 2), published_vocabulary()
    plan = CountingPlan(names, ALL, sketch=4, examples=2)
    counter = CaptionCounter(plan)
    counter.count(CaptionChunk.of(captions))
    whole = counter.take()
    pieces = []
    for start in range(0, 2000, 300):
        counter.count(CaptionChunk.of(captions[start : start + 300], start))
        pieces.append((0, counter.take()))
    random.Random(0).shuffle(pieces)
    together = merge_parts(plan, pieces)
    for rule in ALL:
        for name, expected in vars(whole.rules[rule]).items():
            assert (getattr(together.rules[rule], name) == expected).all(), (
                rule,
                name,
            )
    assert together.totals == whole.totals
    assert (together.object_counts == whole.object_counts).all()


def test_sampling_keeps_about_the_share_and_the_same_rows():
    plan = CountingPlan(
        Vocabulary(("red",), ("bus",)), ("words", "authors"), sample=0.25
    )
    found = []
    for sizes in ([8000], [1000] * 8):
        counter, row = CaptionCounter(plan), 0
        for size in sizes:
            counter.count(CaptionChunk.of(["red bus"] * size, row), file_seed=7)
            row += size
        part = counter.take()
        assert part.totals.rows == 8000
        assert (
            part.totals.counted
            == part.rules["words"].counts[0]
            == part.rules["authors"].counts[0]
        )
        found.append(part.totals.counted)
    assert found[0] == found[1]
    assert abs(found[0] - 2000) < 200


def test_bad_input_is_refused():
    with pytest.raises(
        UserError, match="unknown rule 'near'; the rules are: words"
    ):
        check_rules(["near"])
    with pytest.raises(UserError, match="stands twice"):
        Vocabulary(("red", "red"), ("bus",))
    with pytest.raises(UserError, match="no letter"):
        Vocabulary(("red",), ("--",))
