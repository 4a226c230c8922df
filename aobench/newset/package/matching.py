"""How controls match the novel compositions: counted by attribute and by object, in compositions
and in the images that are left; and the card's section on them.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aobench.newset.controls import (
    CONTROLS,
    NOVEL,
    SPLITS,
    listed_names,
    split_of_row,
)
from aobench.newset.package.funnel import FunnelStage, in_a_cell

TABLE = "controls.csv"
#: The parts of a composition, and their columns in tables.
PARTS = ("attribute", "object")
#: The splits in the order of the card's tables, and what stands below their pictures.
KINDS = {NOVEL: "novel", CONTROLS: "control"}
#: Attributes that the card's table shows; of more, the file `TABLE` has the counts.
MOST_ROWS = 40

Row = dict[str, Any]
Pair = tuple[str, str]


@dataclass(frozen=True)
class NameCounts:
    """How often an attribute or object (``part``) is among the chosen compositions, and among the
    images of the package; both by split.
    """

    part: str
    name: str
    compositions: dict[str, int]
    images: dict[str, int]

    def numbers(self) -> list[int]:
        """The cells of a table: compositions of each kind, then images of each kind."""
        return [
            c[split]
            for c in (self.compositions, self.images)
            for split in KINDS
        ]


def composition_of(row: Mapping[str, Any]) -> Pair:
    """Attribute and object of a row of any table."""
    return row["attribute"], row["object"]


def splits_of_pairs(compositions: Iterable[Row]) -> dict[Pair, str]:
    """The split of each composition that compose chose."""
    return {
        composition_of(row): split_of_row(row)
        for row in compositions
        if row["kept"]
    }


def images_by_split(
    splits: Mapping[Pair, str], images: Iterable[Row]
) -> dict[str, list[Row]]:
    """The images of each split that compose chose compositions of, in their order."""
    present = set(splits.values())
    by_split: dict[str, list[Row]] = {s: [] for s in SPLITS if s in present}
    for row in images:
        by_split[splits[composition_of(row)]].append(row)
    return by_split


def name_counts(
    splits: Mapping[Pair, str], images: Sequence[Row]
) -> list[NameCounts]:
    """The counts of each attribute and each object of the set: attributes first, by name.

    Args:
        splits: of each composition that compose chose.
        images: rows of the images that the package holds.
    """
    counts = []
    for place, part in enumerate(PARTS):
        chosen = Counter((pair[place], split) for pair, split in splits.items())
        shown = Counter(
            (row[part], splits[composition_of(row)]) for row in images
        )
        for name in sorted({pair[place] for pair in splits}):
            by_split = (
                {split: counter[name, split] for split in SPLITS}
                for counter in (chosen, shown)
            )
            counts.append(NameCounts(part, name, *by_split))
    return counts


def unequal_share(images: Sequence[Mapping[str, int]]) -> float:
    """How far controls and novel images differ in their names: the total variation distance of the
    two distributions, 0 (equal) to 1 (no name in common).

    Args:
        images: for each name, how many images of each split hold it.

    Example:
        >>> unequal_share([{"id": 3, "ood": 6}, {"id": 1, "ood": 2}])
        0.0
        >>> unequal_share([{"id": 2, "ood": 1}, {"id": 2, "ood": 3}])
        0.25
    """
    totals = {split: sum(one[split] for one in images) for split in SPLITS}
    shares = (
        [one[split] / max(totals[split], 1) for split in SPLITS]
        for one in images
    )
    return sum(abs(a - b) for a, b in shares) / 2


def counts_csv(counts: Iterable[NameCounts]) -> bytes:
    """The counts as CSV, a row a name."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    whats = ("compositions", "images")
    header = [f"{kind}_{what}" for what in whats for kind in KINDS.values()]
    writer.writerow(["part", "name", *header])
    writer.writerows([one.part, one.name, *one.numbers()] for one in counts)
    return stream.getvalue().encode()


def controls_text(
    facts: Mapping[str, Any],
    counts: Sequence[NameCounts],
    funnels: Mapping[str, Sequence[FunnelStage]],
) -> str:
    """The card's section: what controls are, how well they match, and what became of them.

    Args:
        facts: of the controls, as compose's manifest has them.
        counts: of each attribute and object.
        funnels: the stages of each split.
    """
    parts = [
        "\n## Controls",
        _meaning(facts),
        _completeness(facts),
        _stage_table(funnels),
        _acceptance(funnels),
        _image_match(counts),
        _attribute_table([one for one in counts if one.part == "attribute"]),
        f"`{TABLE}` has these counts for each attribute and each object.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _meaning(facts: Mapping[str, Any]) -> str:
    by = (
        f"by the rule `{facts['rule']}`"
        if facts["rule"]
        else "by the rule above"
    )
    return (
        "Split `id` holds compositions that the captions show, chosen so that each attribute and "
        "each object occurs among them as often as among the novel compositions of split `ood`. "
        "One generator made both, with the same prompts and as many images a composition, and "
        f"both were judged alike. Seen means: in at least {facts['least_captions']:,} captions of "
        f"{facts['seen_in']} corpus, {by}."
    )


def _completeness(facts: Mapping[str, Any]) -> str:
    chosen, asked = facts["kept"], facts["asked"]
    text = f"{facts['fit']:,} compositions fit; {chosen:,} of the {asked:,} wanted were chosen"
    if chosen == asked:
        return (
            f"{text}: attributes and objects match exactly, and a gap between the splits is not "
            "one of words or of the pictures' style."
        )
    lacking = (
        f"{part}s {in_a_cell(listed_names(facts[f'{part}s_lacking']))}"
        for part in PARTS
    )
    return (
        f"{text}, the most that is possible. **The match is not complete**, and a gap between "
        f"the splits may be owed to words in part. Controls lack: {'; '.join(lacking)}."
    )


def _stage_table(funnels: Mapping[str, Sequence[FunnelStage]]) -> str:
    lines = [
        "| after | novel compositions | novel images | control compositions | control images |",
        "|---|---:|---:|---:|---:|",
    ]
    for stages in zip(*(funnels[split] for split in KINDS), strict=True):
        numbers = [n for one in stages for n in (one.compositions, one.images)]
        cells = " | ".join("" if n is None else f"{n:,}" for n in numbers)
        lines.append(f"| {stages[0].step} | {cells} |")
    return "\n".join(lines)


def _acceptance(funnels: Mapping[str, Sequence[FunnelStage]]) -> str:
    shares = (
        f"{kind} images {_accepted(funnels[s])}" for s, kind in KINDS.items()
    )
    return (
        f"Accepted by validate: {', '.join(shares)}; 95 % Wilson intervals, which take images of "
        "one composition for independent."
    )


def _accepted(stages: Sequence[FunnelStage]) -> str:
    from compositional_ood.compositional_ood import wilson

    images = {stage.step: stage.images or 0 for stage in stages}
    accepted, n = images["validate"], images["generate"]
    low, high = (100 * end for end in wilson(accepted, n))
    return f"{100 * accepted / n:.1f} % [{low:.1f}, {high:.1f}] of {n:,}"


def _image_match(counts: Sequence[NameCounts]) -> str:
    unequal = (
        (
            part,
            unequal_share([one.images for one in counts if one.part == part]),
        )
        for part in PARTS
    )
    shares = (
        f"{100 * share:.1f} % in their {part}s" for part, share in unequal
    )
    return (
        "Images that were left out may unbalance the rest. The images of the two splits differ by "
        f"{' and by '.join(shares)}: so many would have to show another one (total variation)."
    )


def _attribute_table(attributes: Sequence[NameCounts]) -> str:
    """Counts of the attributes, where there are few enough for a page."""
    if len(attributes) > MOST_ROWS:
        return ""
    kinds = [
        f"{kind} {what}"
        for what in ("compositions", "images")
        for kind in KINDS.values()
    ]
    lines = [
        f"| attribute | {' | '.join(kinds)} |",
        "|---|---:|---:|---:|---:|",
    ]
    for one in attributes:
        cells = " | ".join(f"{number:,}" for number in one.numbers())
        lines.append(f"| {in_a_cell(one.name)} | {cells} |")
    return "\n".join(lines)
