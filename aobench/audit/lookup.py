"""Other people's texts against an audit: the pairs that a text shows, and how often captions show
each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aobench.audit.chunks import CaptionChunk
from aobench.audit.counter import CaptionCounter, CountingPlan
from aobench.audit.result import Audit
from aobench.audit.vocabulary import Vocabulary, make_vocabulary
from aobench.audit.words import split_words
from aobench.errors import UserError, did_you_mean

#: Places of an attribute and an object in the matrix.
PairPlace = tuple[int, int]


def audited_vocabulary(audit: Audit) -> Vocabulary:
    """The names that an audit looked for, with their forms.

    Raises:
        UserError: where this version gives them other forms than the audit counted.
    """
    facts = audit.manifest["vocabulary"]
    plain = make_vocabulary(audit.attributes, audit.objects, False)
    for names in (
        plain,
        make_vocabulary(audit.attributes, audit.objects, True),
    ):
        if names.hash == facts["hash"]:
            return names
    if facts.get("spoken"):
        names = Vocabulary(
            audit.attributes, audit.objects, tuple(map(tuple, facts["spoken"]))
        )
        if names.hash == facts["hash"]:
            return names
    raise UserError(
        f"{audit.folder} was counted with other forms of its names than this version knows; run "
        "the audit again"
    )


def text_pairs(
    texts: Iterable[str], vocabulary: Vocabulary, rule: str = "modifies"
) -> list[list[PairPlace]]:
    """The pairs that each text shows under a rule, each once, in the order of the matrix.

    Args:
        texts: captions.
        vocabulary: the attributes and objects that are looked for.
        rule: what counts as showing a pair; see `aobench.audit.rules`.

    Returns:
        For each text the places (attribute, object) of its pairs.

    Example:
        >>> from aobench.audit.vocabulary import Vocabulary
        >>> text_pairs(["a red and white bus", "a bus"], Vocabulary(("red", "white"), ("bus",)))
        [[(0, 0), (1, 0)], []]
    """
    plan = CountingPlan(vocabulary, (rule,), 0, 0)
    counter, width = CaptionCounter(plan), vocabulary.shape[1]
    counts = []
    for row, text in enumerate(texts):
        counter.count(CaptionChunk.of([text], row))
        cells = counter.tally.touched[0, : counter.tally.n_touched[0]]
        counts.append([divmod(int(cell), width) for cell in np.sort(cells)])
        counter.tally.clear()
    return counts


@dataclass(frozen=True)
class PairCount:
    """What an audit says of one pair: by rule the captions that show it, of them the different
    ones, and its PMI in bits (NaN where it was never seen).

    ``bound``: by rule the largest share of all captions that is plausible (95 %), where only a
    sample was counted; else none. ``attribute_captions``, ``object_captions``: captions that name
    either.
    """

    attribute: str
    object: str
    counts: dict[str, int]
    distinct: dict[str, int]
    pmi: dict[str, float]
    bound: dict[str, float]
    attribute_captions: int
    object_captions: int


def pair_count(audit: Audit, place: PairPlace) -> PairCount:
    """The counts of one pair of an audit."""
    from aobench.audit.statistics import upper_bound

    a, o = place
    counts = {rule: int(matrix[a, o]) for rule, matrix in audit.counts.items()}
    counted = audit.manifest["totals"]["counted"]
    sampled = audit.manifest["sample"] < 1
    return PairCount(
        audit.attributes[a],
        audit.objects[o],
        counts,
        {rule: int(matrix[a, o]) for rule, matrix in audit.distinct.items()},
        {rule: float(audit.pmi(rule)[a, o]) for rule in counts},
        {rule: upper_bound(n, counted) for rule, n in counts.items()}
        if sampled
        else {},
        int(audit.marginals[0][a]),
        int(audit.marginals[1][o]),
    )


def named_pair(text: str, vocabulary: Vocabulary) -> PairPlace | None:
    """The pair that ``attribute | object`` names, or None for a text without the bar.

    Raises:
        UserError: where either isn't in the vocabulary.
    """
    if "|" not in text:
        return None
    first, _, second = (part.strip() for part in text.partition("|"))
    return (
        _place(first, vocabulary.attributes, "attribute"),
        _place(second, vocabulary.objects, "object"),
    )


def _place(name: str, names: Sequence[str], kind: str) -> int:
    key = split_words(name)
    for place, known in enumerate(names):
        if split_words(known) == key:
            return place
    raise UserError(
        f"the audit looked for no {kind} {name!r}{did_you_mean(name, names)}; name another, or "
        "count the captions again with it: --captions FILES"
    )


def lookup_rows(
    audit: Audit, texts: Sequence[str]
) -> list[tuple[str, list[PairCount]]]:
    """Each text with the counts of its pairs: of the one that it names as ``attribute | object``,
    else of those that it shows by the rule ``modifies``.
    """
    names = audited_vocabulary(audit)
    named = [named_pair(text, names) for text in texts]
    shown = text_pairs(texts, names)
    return [
        (
            text,
            [pair_count(audit, place) for place in ([one] if one else pairs)],
        )
        for text, one, pairs in zip(texts, named, shown, strict=True)
    ]


def lookup_table(
    audit: Audit, rows: Sequence[tuple[str, list[PairCount]]]
) -> list[list[str]]:
    """The cells of a table, with a header: one row a pair, and one for a text that shows none."""
    rules = list(audit.counts)
    header = ["text", "attribute", "object", *rules]
    header += [f"different ({rule})" for rule in audit.distinct]
    header += [f"PMI ({rule})" for rule in rules]
    header += ["attribute's", "object's"]
    table = [header]
    for text, pairs in rows:
        table += [
            [text, one.attribute, one.object, *_cells(one)] for one in pairs
        ]
        if not pairs:
            table.append([text, "(no pair)", *[""] * (len(header) - 2)])
    return table


def _cells(one: PairCount) -> list[str]:
    counts = [
        f"{n:,}"
        + (f" (at most {one.bound[rule]:.2g} of all)" if one.bound else "")
        for rule, n in one.counts.items()
    ]
    different = [f"{n:,}" for n in one.distinct.values()]
    pmi = [
        "" if np.isnan(value) else f"{value:.1f}" for value in one.pmi.values()
    ]
    return [
        *counts,
        *different,
        *pmi,
        f"{one.attribute_captions:,}",
        f"{one.object_captions:,}",
    ]


def lookup_records(
    audit: Audit, rows: Sequence[tuple[str, list[PairCount]]], examples: bool
) -> list[dict[str, Any]]:
    """The same for JSON, with the examples that the audit kept, where they are asked for."""
    by_rule = (
        {rule: audit.examples(rule) for rule in audit.counts}
        if examples
        else {}
    )
    return [
        {
            "text": text,
            "pairs": [
                {
                    **vars(one),
                    "pmi": {
                        r: None if np.isnan(v) else v
                        for r, v in one.pmi.items()
                    },
                    **(
                        {"examples": _examples(by_rule, one)}
                        if examples
                        else {}
                    ),
                }
                for one in pairs
            ],
        }
        for text, pairs in rows
    ]


def _examples(examples: dict[str, Any], one: PairCount) -> dict[str, list[Any]]:
    return {
        rule: [
            list(example)
            for example in rows.get((one.attribute, one.object), [])
        ]
        for rule, rows in examples.items()
    }
