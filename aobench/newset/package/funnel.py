"""How many compositions and images are left after each step, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aobench.duplicates.reasons import SUMMARIES
from aobench.newset.controls import SPLITS, split_of_row


@dataclass(frozen=True)
class FunnelStage:
    """After a step: compositions left, images left (None before there are any), and how many were
    left out for each reason.
    """

    step: str
    compositions: int
    images: int | None
    removed: dict[str, int]
    unit: str  #: of what was left out: "compositions" or "images"


def funnel_stages(
    compositions: Sequence[Mapping[str, Any]],
    images: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Mapping[str, Any]],
    decisions: Sequence[Mapping[str, Any]],
) -> list[FunnelStage]:
    """The stages, from the tables of the steps; the numbers of each stage add up to those of the
    one before it.
    """
    chosen = [row for row in compositions if row["kept"]]
    accepted = [row for row in verdicts if row["accepted"]]
    distinct = [row for row in decisions if row["kept"]]
    pair = {
        row["image_id"]: (row["attribute"], row["object"]) for row in images
    }

    def pairs(rows: Sequence[Mapping[str, Any]]) -> int:
        return len({pair[row["image_id"]] for row in rows})

    return [
        FunnelStage("all pairs", len(compositions), None, {}, "compositions"),
        FunnelStage(
            "compose",
            len(chosen),
            None,
            _count(_reasons(compositions)),
            "compositions",
        ),
        FunnelStage("generate", pairs(images), len(images), {}, "images"),
        FunnelStage(
            "validate",
            pairs(accepted),
            len(accepted),
            _count(_reasons(verdicts, "accepted")),
            "images",
        ),
        FunnelStage(
            "distinct",
            pairs(distinct),
            len(distinct),
            _count(
                SUMMARIES[row["reason_code"]]
                for row in decisions
                if not row["kept"]
            ),
            "images",
        ),
    ]


def stages_by_split(
    compositions: Sequence[Mapping[str, Any]],
    images: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Mapping[str, Any]],
    decisions: Sequence[Mapping[str, Any]],
) -> dict[str, list[FunnelStage]]:
    """The stages from ``compose`` on, of controls and of novel compositions apart."""
    pair = {
        row["image_id"]: (row["attribute"], row["object"]) for row in images
    }
    funnels = {}
    for split in SPLITS:
        chosen = [
            row
            for row in compositions
            if row["kept"] and split_of_row(row) == split
        ]
        pairs = {(row["attribute"], row["object"]) for row in chosen}
        of_split = (
            [row for row in table if pair[row["image_id"]] in pairs]
            for table in (images, verdicts, decisions)
        )
        funnels[split] = funnel_stages(chosen, *of_split)[1:]
    return funnels


def _reasons(
    rows: Sequence[Mapping[str, Any]], stays: str = "kept"
) -> list[str]:
    return [row["reason"] for row in rows if not row[stays]]


def _count(reasons: Any) -> dict[str, int]:
    return dict(
        sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0]))
    )


def as_markdown(stages: Sequence[FunnelStage]) -> str:
    """The funnel as a table."""
    lines = [
        "| after | compositions | images | left out, and why |",
        "|---|---:|---:|---|",
    ]
    for stage in stages:
        why = "; ".join(
            f"{count:,} {in_a_cell(reason)}"
            for reason, count in stage.removed.items()
        )
        images = "" if stage.images is None else f"{stage.images:,}"
        total = (
            f"{sum(stage.removed.values()):,} {stage.unit}: "
            if stage.removed
            else ""
        )
        lines.append(
            f"| {stage.step} | {stage.compositions:,} | {images} | {total}{why} |"
        )
    return "\n".join(lines)


def in_a_cell(text: str) -> str:
    """A text that a user gave, as a cell of a Markdown table: in one line, and no bar ends the
    cell.
    """
    return " ".join(text.split()).replace("|", "\\|")
