"""What a dataset was taken for, in a few lines and as values for results.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.evaluation.loading import LoadedData, Source

if TYPE_CHECKING:
    from aobench.layouts.imagenet import ClassReport

#: Names that a line shows.
SHOWN = 5


@dataclass(frozen=True)
class RecognisedData:
    """What a dataset was taken for; counts are of the whole set, whatever ``limit`` leaves of it.

    Attributes:
        name: of the folder, zip or list, or the Hub id.
        config: the config of the dataset.
        layout: its layout, and ``looks``, that in words.
        images: by split.
        attributes: names that the set knows; ``occurring`` of them are shown by an image.
        objects: likewise.
        seen_pairs: compositions with images in the split id; ``novel_pairs``: in the split ood.
    """

    name: str
    config: str
    layout: str
    looks: str
    images: dict[str, int]
    attributes: list[str]
    objects: list[str]
    occurring: dict[str, int]
    seen_pairs: int
    novel_pairs: int
    not_read: dict[str, dict[str, Any]] = field(default_factory=dict)
    id_report: ClassReport | None = None
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """What was recognised and what was left out, as lines of text."""
        from aobench.layouts.report import left_out_texts

        total = sum(self.images.values())
        by_split = ", ".join(
            f"{name} {count:,}" for name, count in self.images.items()
        )
        lines = [
            f"data        {self.name}, {self.layout}: {self.looks}",
            f"images      {total:,} ({by_split})",
            f"attributes  {self._names('attributes')}",
            f"objects     {self._names('objects')}",
            f"pairs       {self.seen_pairs:,} seen, {self.novel_pairs:,} novel",
        ]
        if self.id_report:
            lines += [
                line
                for line in self.id_report.lines()
                if line[:8] != "left out"
            ]
        lines += [f"note        {note}" for note in self.notes]
        return lines + [
            f"left out    {text}" for text in left_out_texts(self.not_read)
        ]

    def _names(self, what: str) -> str:
        names: list[str] = getattr(self, what)
        more = ", ..." if len(names) > SHOWN else ""
        shown = ", ".join(names[:SHOWN]) + more
        lacking = len(names) - self.occurring[what]
        unseen = f" ({lacking:,} of them in no image)" if lacking else ""
        return f"{len(names):,}: {shown}{unseen}"

    def as_dict(self) -> dict[str, Any]:
        """For results.json; what was left out stands beside it there."""
        seen = {"id_data": self.id_report.as_dict()} if self.id_report else {}
        notes = {"notes": list(self.notes)} if self.notes else {}
        return {
            "layout": self.layout,
            "images": self.images,
            "attributes": len(self.attributes),
            "objects": len(self.objects),
            "seen_pairs": self.seen_pairs,
            "novel_pairs": self.novel_pairs,
            **seen,
            **notes,
        }


def recognised_data(
    source: Source, loaded: LoadedData, wanted: tuple[str, ...]
) -> RecognisedData:
    """What a dataset that was loaded is; its rows are those that `data.open_splits` has checked."""
    splits = {
        name: loaded.splits[name] for name in wanted if name in loaded.splits
    }
    features = next(iter(splits.values())).features
    names = {
        part: list(features[part].names) for part in ("attribute", "object")
    }
    tables = {
        name: rows.select_columns(["attribute", "object"]).to_dict()
        for name, rows in splits.items()
    }
    ids = {
        name: (table["attribute"], table["object"])
        for name, table in tables.items()
    }
    place = source.path or source.data_dir
    name = place or source.config
    if place is not None and Path(place).expanduser().exists():
        name = Path(place).expanduser().absolute().name
    return RecognisedData(
        name,
        loaded.config,
        *loaded.layout,
        {name: len(rows) for name, rows in splits.items()},
        names["attribute"],
        names["object"],
        {"attributes": _occurring(ids, 0), "objects": _occurring(ids, 1)},
        _pairs(ids, "id"),
        _pairs(ids, "ood"),
        loaded.not_read,
        loaded.id_report,
        loaded.notes,
    )


Ids = Mapping[str, tuple[list[Any], list[Any]]]


def _known(value: Any) -> bool:
    return value is not None and value >= 0


def _occurring(ids: Ids, part: int) -> int:
    return len(
        {
            value
            for both in ids.values()
            for value in both[part]
            if _known(value)
        }
    )


def _pairs(ids: Ids, split: str) -> int:
    """How many compositions the images of a split show."""
    attributes, objects = ids.get(split, ([], []))
    pairs = set(zip(attributes, objects, strict=True))
    return sum(_known(attribute) for attribute, _ in pairs)
