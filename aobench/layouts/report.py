"""What one's own data was taken for: counts by code, so that nothing is left out in silence.

Codes decide, prose tells: ``REASONS`` has the sentence of each code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Examples of what was left out that a report carries, for each reason.
EXAMPLES = 5

#: Code of a reason -> what it says.
REASONS = {
    "not_a_picture": "files that are no pictures by their ending",
    "no_label_folder": "pictures that stand in no label folder",
    "other_depth": "pictures at another depth of folders",
    "empty_folder": "folders without a picture",
    "hidden": "hidden pictures, whose name or folder begins with a dot",
    "reached_again": "folders that a link reaches again",
    "unknown_label": "pictures whose label names no known attribute and object",
    "unknown_attribute": "pictures whose attribute is not in the file of attributes",
    "unknown_object": "pictures whose object is not in the file of objects",
    "not_on_the_list": "pictures that no list names",
    "row_twice": "rows that repeat an earlier row",
    "set_NA": "rows whose set is NA",
    "label_NA": "rows whose attribute or object is NA",
    "unknown_class": "pictures of a wnid that is no class of ImageNet-1k",
    "class_without_picture": "classes of ImageNet-1k without a picture",
    "row_without_picture": "rows of a list whose picture is not there",
    "pair_on_no_list": "pictures of a pair that stands in none of the three lists",
    "other_split": "files of another split",
    "split_val": "pictures of the validation split",
    "split_train": "pictures of the training split, which are taken only on request",
}


class LeftOut:
    """Counts what is left out, by reason, and keeps the first examples."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def add(self, reason: str, example: str, count: int = 1) -> None:
        """Count ``count`` more for ``reason``, a key of ``REASONS``."""
        assert reason in REASONS, reason
        self.counts[reason] += count
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES and example not in examples:
            examples.append(example)

    def add_all(self, left_out: Mapping[str, dict[str, Any]]) -> None:
        """Add what `as_dict` tells of another."""
        for reason, facts in left_out.items():
            for example in facts["examples"]:
                self.add(reason, example)
            self.counts[reason] += facts["count"] - len(facts["examples"])

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """``{reason: {"count": int, "examples": [str]}}``, by reason in the order of
        ``REASONS``."""
        return {
            reason: {
                "count": self.counts[reason],
                "examples": self.examples[reason],
            }
            for reason in REASONS
            if reason in self.counts
        }


def left_out_texts(left_out: Mapping[str, dict[str, Any]]) -> list[str]:
    """``3 pictures that no list names: 'a.png', ...`` of each reason in `LeftOut.as_dict`."""
    texts = []
    for reason, facts in left_out.items():
        more = ", ..." if len(facts["examples"]) < facts["count"] else ""
        names = ", ".join(repr(name) for name in facts["examples"]) + more
        texts.append(f"{facts['count']:,} {REASONS[reason]}: {names}")
    return texts


@dataclass(frozen=True)
class LayoutReport:
    """What was recognised in one's own data, and what was left out."""

    layout: str  #: a name in ``aobench.layouts.table``
    looks: str  #: what data of that layout looks like
    place: str  #: name of the folder, the zip or the list, without the folders above it
    images: dict[str, int]  #: pictures by split: id, ood, train
    attributes: int  #: size of the list of attributes
    objects: int  #: size of the list of objects
    names: dict[str, list[str]]  #: the first attributes and objects
    seen_pairs: int  #: pairs with pictures in the split id or train
    novel_pairs: int  #: pairs with pictures in the split ood
    imagenet_objects: (
        int  #: objects that are ImageNet classes by their published name
    )
    splits: dict[
        str, str
    ]  #: name of a split in the data -> what it was taken for
    left_out: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  #: see `LeftOut.as_dict`
    notes: tuple[str, ...] = ()  #: what was assumed

    def lines(self) -> list[str]:
        """The report as lines of text."""
        images = ", ".join(
            f"{split} {count:,}" for split, count in self.images.items()
        )
        lines = [
            f"layout      {self.layout}: {self.looks}",
            f"images      {sum(self.images.values()):,} ({images})",
            f"attributes  {self.attributes:,}: {self._first('attributes')}",
            f"objects     {self.objects:,}: {self._first('objects')} "
            f"({self.imagenet_objects:,} are ImageNet classes by name)",
            f"pairs       {self.seen_pairs:,} seen, {self.novel_pairs:,} novel",
        ]
        lines += [
            f"split       {name}: {meaning}"
            for name, meaning in self.splits.items()
        ]
        return (
            lines
            + [f"note        {note}" for note in self.notes]
            + self.left_out_lines()
        )

    def _first(self, what: str) -> str:
        names = self.names[what]
        return ", ".join(names) + ", ..." * (len(names) < getattr(self, what))

    def left_out_lines(self) -> list[str]:
        """A line for each reason why something was left out."""
        return [f"left out    {text}" for text in left_out_texts(self.left_out)]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        content: Mapping[str, Any] = self.__dict__
        return {**content, "notes": list(self.notes)}
