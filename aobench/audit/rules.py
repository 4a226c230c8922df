"""What counts as a caption that shows a composition. Each rule has a version, which goes into the
manifest. By default ``words`` and ``modifies`` are counted: a claim of novelty stands on ``words``,
which misses nothing and over-counts on purpose; diversity and frequency on ``modifies``.

``words`` The attribute and the object both occur as whole words, in any order and
    at any distance. Every form of a name counts: plurals, degrees of comparison, hyphen, space or
    joined, two spellings (see `aobench.audit.inflections`). "Two benches, one of them wooden" shows
    (wooden, bench); "a covered wagon" shows no red.
``adjacent`` The attribute directly before the object, both as written: no plural, no degree;
    case, hyphens, spaces and joined spelling don't matter. "A Wooden bench." shows (wooden, bench);
    "wooden benches" and "wooden, bench" don't.
``adjacent-forms``
    As ``adjacent``, with every form of a name: "wooden benches" shows (wooden, bench).
``modifies`` The attribute modifies the object, by a small grammar over words
    (`aobench.audit.grammar`), with every form of a name: before it in a row of adjectives and
    nouns ("a black and white wooden bench"), or after it ("the bench is wooden", "a bench made of
    stone").
    A name that a head noun takes along doesn't count: "a red tank top" shows no tank.
``authors`` The rule of the authors' search notebook: the first two words, parted by white
    space, of the string "attribute object" are both substrings of the caption in lower case. "A
    covered car" shows (red, cart) and (red, carton); for an attribute of two words the object is
    never looked at. The caption is taken as it stands: no entity is decoded and no letter settled,
    but for its case.

In all rules but ``authors``, captions and names are compared in one form: HTML entities decoded,
invisible characters left out, full-width letters as the usual ones, accents composed, case folded
(`aobench.audit.words` states the steps).

Names that meet, in all rules but ``authors``:

- An occurrence inside a longer name is not one: "a tiger shark" shows no tiger and "a red fox"
  nothing red. An attribute inside a longer attribute stays: a red brick church is a brick church.
- Attribute and object must stand on different words: "an orange" is no orange orange, "an orange
orange" is.
- A word that names several objects (crane, cardigan, maillot) counts for each of them.
- A name of several words is found only where soft gaps part them: "red, brick" is not "red brick".
"""

from __future__ import annotations

from collections.abc import Iterable

from aobench.errors import UserError

#: Raised when a rule's counts may change.
VERSIONS = {
    "words": 3,
    "adjacent": 3,
    "adjacent-forms": 3,
    "modifies": 1,
    "authors": 1,
}

#: Rules that the word kernel counts, in the order of their slots there.
WORD_RULES = ("words", "adjacent", "adjacent-forms", "modifies")


#: From the most precise to the least: what to measure diversity or familiarity by.
MOST_PRECISE = ("modifies", "adjacent-forms", "adjacent", "words", "authors")

#: What an audit counts unless it's told otherwise: novelty by the one, diversity by the other.
DEFAULT_RULES = ("words", "modifies")


def most_precise_rule(rules: Iterable[str]) -> str:
    """The most precise of some rules, by the labelled pairs (`aobench.audit.precision`).

    Raises:
        UserError: where there is none.
    """
    there = set(rules)
    for rule in MOST_PRECISE:
        if rule in there:
            return rule
    raise UserError(
        "the audits have no rule in common; audit them with the same rules, such as modifies"
    )


def check_rules(rules: Iterable[str]) -> tuple[str, ...]:
    """The rules, each once and in their documented order. UserError for an unknown one or for
    none.
    """
    asked = set(rules)
    unknown = sorted(asked - VERSIONS.keys())
    if unknown or not asked:
        what = (
            f"unknown rule {unknown[0]!r}" if unknown else "no rule was given"
        )
        raise UserError(f"{what}; the rules are: {', '.join(VERSIONS)}")
    return tuple(rule for rule in VERSIONS if rule in asked)
