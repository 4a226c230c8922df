"""Matched controls: seen compositions beside the novel ones, with each attribute and each object as
often among the controls as among the novel ones.

A gap between seen and novel compositions can come of the words and of the pictures' style as well
as of novelty. Controls hold both fixed: the same generator, prompts and judges make them, and the
two lists differ in how attributes and objects are combined, and in nothing else. Choosing them is
a flow in a bipartite graph: `aobench.newset.balance.matched_choice`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from aobench.audit.vocabulary import Vocabulary
from aobench.newset.balance import matched_choice
from aobench.newset.config import ControlOptions
from aobench.newset.reasons import ReasonGrid

#: The splits of a set, as compositions.parquet and the package name them: controls, then novel
#: compositions.
CONTROLS, NOVEL = "id", "ood"
SPLITS = (CONTROLS, NOVEL)
#: What rules a composition out as a control, as it would as a novel one.
UNFIT = ("same-word", "shadowed", "excluded", "implausible")
#: Names that one line of the screen or the card lists.
SHOWN = 8


def fit_controls(
    counts: Iterable[np.ndarray], reasons: ReasonGrid, options: ControlOptions
) -> np.ndarray:
    """Compositions that can be controls: seen often enough, and ruled out by nothing else.

    Args:
        counts: captions of each composition (attributes, objects), one array a corpus.
        reasons: why compositions are left out of the novel ones.
        options: how often, and in which corpora, a control is seen.

    Returns:
        bool (attributes, objects).
    """
    every = [count >= options.least_captions for count in counts]
    join = np.logical_and if options.seen_in == "each" else np.logical_or
    enough: np.ndarray = join.reduce(every)
    return enough & reasons.marked("seen") & ~reasons.marked(*UNFIT)


def matched_controls(
    novel: np.ndarray, fit: np.ndarray, seed: int
) -> np.ndarray:
    """As many of the ``fit`` compositions as match the ``novel`` ones, bool (attributes, objects).

    No attribute and no object is more often among them than among the novel ones.
    """
    return matched_choice(fit, novel.sum(1), novel.sum(0), seed)


def control_facts(
    vocabulary: Vocabulary,
    novel: np.ndarray,
    fit: np.ndarray,
    controls: np.ndarray,
    options: ControlOptions,
) -> dict[str, Any]:
    """What a manifest says of the controls: how they are chosen, how many, and what lacks them."""
    missing = novel.astype(int) - controls
    return {
        **asdict(options),
        "fit": int(fit.sum()),
        "asked": int(novel.sum()),
        "kept": int(controls.sum()),
        "attributes_lacking": _lacking(vocabulary.attributes, missing.sum(1)),
        "objects_lacking": _lacking(vocabulary.objects, missing.sum(0)),
    }


def _lacking(names: Sequence[str], missing: np.ndarray) -> dict[str, int]:
    """How many controls each name lacks, the most first; names that lack none are left out."""
    order = np.argsort(-missing, kind="stable")
    return {names[i]: int(missing[i]) for i in order if missing[i]}


def control_lines(facts: Mapping[str, Any]) -> list[str]:
    """What a user reads of the controls: how many, and which names lack some."""
    remaining, asked = facts["kept"], facts["asked"]
    head = f"  controls: {remaining:,} of {asked:,}"
    if remaining == asked:
        same = "each attribute and object as often as among the novel ones"
        return [f"{head} seen compositions, {same}"]
    lacking = (
        f"  lacking: {what} {listed_names(facts[f'{what}_lacking'])}"
        for what in ("attributes", "objects")
    )
    return [f"{head} seen compositions; no other choice holds more", *lacking]


def listed_names(missing: Mapping[str, int]) -> str:
    """Names and how many controls each lacks; of many, the first few and how many more.

    Example:
        >>> listed_names({"red": 3, "wooden": 1})
        'red (3), wooden (1)'
    """
    first = [
        f"{name} ({count:,})" for name, count in [*missing.items()][:SHOWN]
    ]
    more = len(missing) - len(first)
    return ", ".join(first) + (f" and {more:,} more" if more else "")


def split_of_row(row: Mapping[str, Any]) -> str:
    """The split of a kept row of compositions.parquet; without controls all rows are novel."""
    return str(row.get("split", NOVEL))
