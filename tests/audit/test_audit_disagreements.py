"""The disagreements of the rules that docs/audit.md lists: each holds still, in a caption of our own
of the kind that the document names, and each pair of the document is tried.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from aobench.audit.chunks import CaptionChunk
from aobench.audit.counter import CaptionCounter, CountingPlan
from aobench.audit.vocabulary import published_vocabulary

RULES = ("words", "adjacent-forms", "modifies", "authors")
#: Rule that sees it, rule that doesn't -> (attribute, object), caption.
CASES: dict[tuple[str, str], list[tuple[str, str, str]]] = {
    ("modifies", "adjacent-forms"): [
        ("gray", "sweatshirt", "a boy in a gray hooded sweatshirt"),
        ("blue", "jersey", "a player in a blue and black jersey"),
        ("black", "suit", "a woman in a black bathing suit"),
        ("blue", "bikini", "a blue and white bikini"),
        ("colorful", "pillow", "colorful striped pillows"),
        ("orange", "bucket", "an orange plastic bucket"),
        ("brown", "plate", "a brown metal plate"),
        ("white", "suit", "a red, white and blue bathing suit"),
        ("black", "suit", "a black leather motorcycle suit"),
    ],
    ("adjacent-forms", "modifies"): [
        ("white", "tank", "a girl in a white tank top"),
        ("blue", "jean", "a blue jean dress"),
        ("white", "baseball", "a white baseball outfit"),
        ("red", "wing", "a man in a Red Wings cap"),
        ("tan", "baseball", "a tan baseball hat"),
        ("green", "jersey", "a green jersey top"),
        ("tan", "sock", "a tan sock hat"),
    ],
    ("authors", "words"): [
        ("moss covered", "standard poodle", "a moss covered wall"),
        ("heart shaped", "cardoon", "a heart shaped box"),
        ("oval shaped", "papillon", "an oval shaped mirror"),
        ("red brick", "greater swiss mountain dog", "a red brick house"),
        ("red brick", "porcupine", "a red brick house"),
        ("stainless steel", "airliner", "a stainless steel sink"),
        ("cardboard", "house finch", "cardboard in a warehouse"),
        ("concrete", "water tower", "a concrete wall by the water"),
        ("glass", "bell pepper", "sunglasses that are labelled"),
        ("iron", "ice lolly", "an iron device"),
    ],
    ("words", "authors"): [
        ("striped", "ballplayer", "ball players in striped socks"),
        ("green", "ballplayer", "ball players in green"),
        ("green", "birdhouse", "a green bird house"),
        ("green", "goose", "geese on green grass"),
        ("black", "hand-held computer", "a black handheld computer"),
        ("orange", "snowplow", "an orange snow plow"),
        ("yellow", "lakeside", "a yellow boat at the lake side"),
        ("black", "cardigan", "a black cardigan"),
        ("water", "crane", "a crane in the water"),
        ("white", "crane", "a white crane"),
    ],
}


@cache
def seen_pairs(caption: str) -> dict[str, set[tuple[str, str]]]:
    """By rule the pairs of the published names that a caption shows."""
    names, counter = published_vocabulary(), _counter()
    counter.count(CaptionChunk.of([caption]))
    part = counter.take()
    found = {}
    for rule in RULES:
        hit = np.isin(counter.plan.cell_table(rule), part.rules[rule].cells)
        found[rule] = {
            (names.attributes[a], names.objects[o]) for a, o in np.argwhere(hit)
        }
    return found


@cache
def _counter() -> CaptionCounter:
    return CaptionCounter(CountingPlan(published_vocabulary(), RULES, 0, 0))


#: Objects that the published list tells by their WordNet numbers, and how captions say them.
TWINS = {"cardigan": "n02963159", "crane": "n03126707"}


@pytest.mark.parametrize("rules", CASES, ids="-not-".join)
def test_a_disagreement_holds_still(rules: tuple[str, str]) -> None:
    sees, misses = rules
    for attribute, name, caption in CASES[rules]:
        found = seen_pairs(caption)
        # of two classes of one name, the authors' rule sees the one that bears it
        name = TWINS.get(name, name) if misses == "authors" else name
        assert (attribute, name) in found[sees], (sees, caption)
        assert (attribute, name) not in found[misses], (misses, caption)


def test_each_pair_of_the_document_is_tried() -> None:
    page = Path(__file__).parents[2] / "docs" / "audit.md"
    text = page.read_text(encoding="utf-8").partition(
        "## Where the rules disagree"
    )[2]
    rows = [
        row.split("|")[1:-1]
        for row in text.splitlines()
        if re.match(r"\|.*\|", row)
    ]
    for header, pairs in (
        (
            "`modifies` only",
            (("modifies", "adjacent-forms"), ("adjacent-forms", "modifies")),
        ),
        (
            "seen by `authors` only",
            (("authors", "words"), ("words", "authors")),
        ),
    ):
        start = next(
            i for i, row in enumerate(rows) if row[0].strip() == header
        )
        table = rows[start + 2 : start + 12]
        for place, rules in zip((0, 2), pairs, strict=True):
            tried = {
                f"{attribute} {name}" for attribute, name, _ in CASES[rules]
            }
            listed = {row[place].strip() for row in table} - {""}
            assert listed == tried, rules
