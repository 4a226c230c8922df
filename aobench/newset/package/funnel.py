"""How many compositions and images are left after each step, and why the others fell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FunnelStage:
    """After a step: compositions left, images left (None before there are any), and what fell by
    reason.
    """

    step: str
    compositions: int
    images: int | None
    fell: dict[str, int]
    unit: str  #: of what fell: "compositions" or "images"


def funnel_stages(
    compositions: Sequence[Mapping[str, Any]],
    images: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Mapping[str, Any]],
    decisions: Sequence[Mapping[str, Any]],
) -> list[FunnelStage]:
    """The stages, from the tables of the steps; the numbers of each stage add up to those of the
    one before it.
    """
    kept = [row for row in compositions if row["kept"]]
    accepted = [row for row in verdicts if row["accepted"]]
    distinct = [row for row in decisions if row["kept"]]
    pair = {row["image_id"]: (row["attribute"], row["object"]) for row in images}

    def pairs(rows: Sequence[Mapping[str, Any]]) -> int:
        return len({pair[row["image_id"]] for row in rows})

    return [
        FunnelStage("all pairs", len(compositions), None, {}, "compositions"),
        FunnelStage(
            "compose", len(kept), None, _count(_fell(compositions)), "compositions"
        ),
        FunnelStage("generate", pairs(images), len(images), {}, "images"),
        FunnelStage(
            "validate",
            pairs(accepted),
            len(accepted),
            _count(_fell(verdicts, "accepted")),
            "images",
        ),
        FunnelStage(
            "distinct",
            pairs(distinct),
            len(distinct),
            _count(map(_kind, _fell(decisions))),
            "images",
        ),
    ]


def _fell(rows: Sequence[Mapping[str, Any]], stays: str = "kept") -> list[str]:
    return [row["reason"] for row in rows if not row[stays]]


def _count(reasons: Any) -> dict[str, int]:
    return dict(sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0])))


def _kind(reason: str) -> str:
    """Without the partner's name, so that reasons can be counted."""
    return next(
        (
            k
            for k in ("near-duplicate", "too near to reference", "unreadable")
            if reason.startswith(k)
        ),
        reason,
    )


def as_markdown(stages: Sequence[FunnelStage]) -> str:
    """The funnel as a table."""
    lines = ["| after | compositions | images | fell, and why |", "|---|---:|---:|---|"]
    for stage in stages:
        why = "; ".join(
            f"{count:,} {in_a_cell(reason)}" for reason, count in stage.fell.items()
        )
        images = "" if stage.images is None else f"{stage.images:,}"
        total = f"{sum(stage.fell.values()):,} {stage.unit}: " if stage.fell else ""
        lines.append(
            f"| {stage.step} | {stage.compositions:,} | {images} | {total}{why} |"
        )
    return "\n".join(lines)


def in_a_cell(text: str) -> str:
    """A text that a user gave, as a cell of a Markdown table: in one line, and no bar ends the
    cell.
    """
    return " ".join(text.split()).replace("|", "\\|")
