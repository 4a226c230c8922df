"""How well each rule reads: precision and recall on 300 pairs that were labelled by eye.

``labelled_pairs.csv`` names a caption (its line in Flickr30k's file of 155,070), an attribute and
an object that both stand in it as words, which rules count the pair, whether a parser does, and two
readings, the second in another order without sight of the first; ``verdict`` settles the three
pairs where they differ. ``class``: the caption says of a thing of the object's class that it has
the attribute. ``name``: of a thing that only bears the name, such as a bathing suit or a wind sock.
``no``: neither. The pairs were drawn at random within strata (seed 20261129) from the captions of
every second image, which nobody looked at while the rule ``modifies`` was written;
``labelled_strata.csv`` has the size of each stratum.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from aobench.csv_tables import read_csv_rows

#: Rules that were labelled. Of ``authors`` the pairs beyond ``words`` weren't drawn.
LABELLED_RULES = ("words", "adjacent", "adjacent-forms", "modifies")
DRAWS = 20_000


@dataclass(frozen=True)
class RuleAccuracy:
    """Shares in 0..1, each with the bounds of its interval of 95 %.

    ``precision``: of the pairs that the rule counts, those that the caption says. ``recall``: of
    the pairs that the caption says, with both names standing in it, those that the rule counts.
    ``pairs``: how many the rule counts in the half of the captions that was drawn from;
    ``labelled``: how many of these were read.
    """

    rule: str
    precision: float
    precision_low: float
    precision_high: float
    recall: float
    recall_low: float
    recall_high: float
    pairs: int
    labelled: int


def _rows(name: str) -> list[dict[str, str]]:
    return read_csv_rows(Path(__file__).parent / name)


def _cell(row: dict[str, str]) -> tuple[bool, ...]:
    """The stratum of a row: the rules that count it; the parser where none of them does."""
    flags = [
        row[key] == "1" for key in ("adjacent", "adjacent_forms", "modifies")
    ]
    return (*flags, row["parser"] == "1" and not any(flags))


def _counts_it(rule: str, cell: tuple[bool, ...]) -> bool:
    return rule == "words" or cell[LABELLED_RULES.index(rule) - 1]


@cache
def labelled_accuracy(strict: bool = False) -> dict[str, RuleAccuracy]:
    """Precision and recall of each rule on the labelled pairs.

    Each stratum counts by its size. Intervals: 20,000 draws of each stratum's share from its
    posterior under Jeffreys' prior (Brown, Cai and DasGupta 2001), which holds for strata of which
    all or no pair was right. They speak of the other pairs of the same captions.

    Args:
        strict: only things of the object's class are right, not those that bear its name.

    Returns:
        Rule -> its accuracy.

    Example:
        >>> from aobench.audit.precision import labelled_accuracy
        >>> labelled_accuracy()["modifies"].precision > 0.9
        True
    """
    sizes: Counter[tuple[bool, ...]] = Counter()
    for row in _rows("labelled_strata.csv"):
        sizes[_cell(row)] += int(row["pairs"])
    right = {"class"} if strict else {"class", "name"}
    read, said = Counter[tuple[bool, ...]](), Counter[tuple[bool, ...]]()
    for row in _rows("labelled_pairs.csv"):
        read[_cell(row)] += 1
        said[_cell(row)] += row["verdict"] in right
    random = np.random.default_rng(0)
    shares, drawn = {}, {}
    for cell in sorted(sizes):
        yes, no = said[cell], read[cell] - said[cell]
        shares[cell] = (
            (yes + 0.5) / (yes + no + 1) if not yes + no else yes / (yes + no)
        )
        drawn[cell] = random.beta(yes + 0.5, no + 0.5, DRAWS)
    return {
        rule: _accuracy(rule, sizes, read, shares, drawn)
        for rule in LABELLED_RULES
    }


def _accuracy(
    rule: str,
    sizes: Counter[tuple[bool, ...]],
    read: Counter[tuple[bool, ...]],
    shares: dict[tuple[bool, ...], float],
    drawn: dict[tuple[bool, ...], np.ndarray],
) -> RuleAccuracy:
    mine = [cell for cell in sizes if _counts_it(rule, cell)]
    pairs = sum(sizes[cell] for cell in mine)
    right = sum(sizes[cell] * shares[cell] for cell in mine)
    every = sum(sizes[cell] * shares[cell] for cell in sizes)
    right_drawn = np.sum([sizes[cell] * drawn[cell] for cell in mine], axis=0)
    every_drawn = np.sum([sizes[cell] * drawn[cell] for cell in sizes], axis=0)
    precision = np.percentile(right_drawn / pairs, (2.5, 97.5))
    recall = np.percentile(right_drawn / every_drawn, (2.5, 97.5))
    return RuleAccuracy(
        rule,
        right / pairs,
        float(precision[0]),
        float(precision[1]),
        right / every,
        float(recall[0]),
        float(recall[1]),
        pairs,
        sum(read[cell] for cell in mine),
    )
