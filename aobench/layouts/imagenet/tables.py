"""ImageNet as Parquet: a column ``image`` and a column that tells the class, as `datasets` writes
them.

Rules:
- The class is in ``wnid`` (texts), in ``label`` or ``labels`` (numbers of a ClassLabel, whose names
  decide which class each is, in whatever order), or in ``imagenet_label`` (ImageNet's index, which
  the names of the column ``object`` must bear out). Numbers without names are refused.
- Of several splits the validation split is taken, and nothing else. A split is told by the file's
  name or its folder's (``validation-00000-of-00014.parquet``, ``val/0.parquet``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aobench.errors import UserError
from aobench.files import parquet_errors
from aobench.layouts.base import (
    LabelledPicture,
    LabelledSet,
    Layout,
    LayoutOptions,
)
from aobench.layouts.form import imagenet_class
from aobench.layouts.imagenet.form import class_names
from aobench.layouts.report import LeftOut
from aobench.layouts.splits import table_split
from aobench.layouts.tree import FileTree
from aobench.vocabulary.imagenet_classes import named_classes
from aobench.vocabulary.published import published_lists

WHAT = "the table of ImageNet"
ENDING = ".parquet"
LABELS = ("wnid", "label", "labels", "imagenet_label")


def _tables(tree: FileTree) -> list[str]:
    return sorted(
        name for name in tree.members if name.lower().endswith(ENDING)
    )


def _recognise(tree: FileTree, options: LayoutOptions) -> str | None:
    """The name of the first table."""
    return next(iter(_tables(tree)), None)


def _chosen(tree: FileTree) -> tuple[list[str], LeftOut]:
    """The tables of the validation split, or of the only one."""
    names, left_out = _tables(tree), LeftOut()
    roles = {name: table_split(name) for name in names}
    known = set(roles.values())
    wanted = next((role for role in ("val", "id") if role in known), None)
    if wanted is None and len(known) > 1:
        raise UserError(
            f"{tree.where} holds the splits {', '.join(sorted(known))}, and no validation split: "
            "give the Parquet file of one"
        )
    chosen = [name for name in names if wanted in (None, roles[name])]
    for name in names:
        if name not in chosen:
            left_out.add("other_split", name)
    return chosen, left_out


def _read(tree: FileTree, options: LayoutOptions) -> LabelledSet:
    chosen, left_out = _chosen(tree)
    pictures: list[LabelledPicture] = []
    notes: list[str] = []
    for name in chosen:
        table = _ClassTable(tree, name)
        wnids = table.wnids(notes)
        for row, (sample_id, wnid) in enumerate(
            zip(table.ids(), wnids, strict=True)
        ):
            where = f"{name}, row {row + 1:,}"
            pictures.append(
                LabelledPicture(sample_id, name, row, "", wnid, "", where)
            )
    return LabelledSet(
        tree, pictures, left_out, notes=list(dict.fromkeys(notes))
    )


class _ClassTable:
    """One Parquet file, with its columns but the pictures."""

    def __init__(self, tree: FileTree, name: str) -> None:
        from pyarrow.parquet import ParquetFile

        self.name, self.where = name, f"{WHAT} {tree.where}/{name}"
        try:
            file = ParquetFile(tree.file_like(name, WHAT))
            self.schema = file.schema_arrow
            self.label = self._label_column()
            wanted = {self.label, "object", "sample_id"} & set(
                self.schema.names
            )
            self.table = file.read(columns=sorted(wanted))
            self.table.validate(full=True)
        except parquet_errors() as error:
            raise UserError(
                f"{self.where} can't be read ({' '.join(str(error).split())}); bring it again"
            ) from error

    def _label_column(self) -> str:
        names = self.schema.names
        label = next((name for name in LABELS if name in names), None)
        if "image" not in names or label is None:
            raise UserError(
                f"{self.where} has the columns {', '.join(names)}; it takes image, and one of "
                f"{', '.join(LABELS)}"
            )
        return label

    def ids(self) -> list[str]:
        """The sample ids: those of the file, or file and row."""
        if "sample_id" in self.table.column_names:
            return [str(value) for value in self.table["sample_id"].to_pylist()]
        stem = self.name.removesuffix(ENDING)
        return [f"{stem}/{row:08d}" for row in range(self.table.num_rows)]

    def wnids(self, notes: list[str]) -> list[str]:
        """The wnid of each row. UserError for one that tells none."""
        values = self.table[self.label].to_pylist()
        for row, value in enumerate(values, start=1):
            if value is None or value == -1:
                raise UserError(
                    f"{self.where}, row {row:,}: {self.label} is {value!r}, no class: take the "
                    "validation split, whose classes are known"
                )
        if self.label == "imagenet_label":
            return self._by_index(values)
        if all(isinstance(value, str) for value in values):
            return self._by_text(values)
        wrong = next(
            (value for value in values if type(value) is not int), None
        )
        if wrong is not None:
            raise UserError(
                f"{self.where}: {self.label} holds {wrong!r}, no class"
            )
        return self._by_number(values, notes)

    def _by_text(self, values: Sequence[str]) -> list[str]:
        known = class_names()
        unknown = {
            one
            for one in values
            if one not in known and not imagenet_class(one)[0]
        }
        if unknown:
            raise UserError(
                f"{self.where}: {self.label} holds {min(unknown)!r} ({len(unknown)} such), no wnid "
                "and no published name of a class of ImageNet-1k"
            )
        return [
            one if one in known else str(imagenet_class(one)[0])
            for one in values
        ]

    def _by_number(self, values: Sequence[Any], notes: list[str]) -> list[str]:
        names = self._names(self.label) or [
            str(n) for n in range(max(values) + 1)
        ]
        index_of, note = named_classes(
            names, f"{self.where}, column {self.label}"
        )
        notes.append(f"classes of {self.label}: {note}")
        wnid_of = {
            index: wnid for wnid, index in published_lists().objects.values()
        }
        for row, value in enumerate(values, start=1):
            if value not in index_of:
                raise UserError(
                    f"{self.where}, row {row:,}: {self.label} is {value!r}, which is no class of "
                    f"its {len(names):,} names"
                )
        return [wnid_of[index_of[value]] for value in values]

    def _by_index(self, values: Sequence[Any]) -> list[str]:
        wnid_of = {
            index: wnid for wnid, index in published_lists().objects.values()
        }
        objects = self._objects(len(values))
        for row, (value, name) in enumerate(
            zip(values, objects, strict=True), start=1
        ):
            if value not in wnid_of or imagenet_class(name)[1] != value:
                raise UserError(
                    f"{self.where}, row {row:,}: imagenet_label is {value!r} and object {name!r}, "
                    "which is another class: its labels are in another order; prepare it anew"
                )
        return [wnid_of[value] for value in values]

    def _objects(self, count: int) -> list[str]:
        names = self._names("object")
        if "object" not in self.table.column_names or not names:
            raise UserError(
                f"{self.where} has imagenet_label and no names of objects that bear it out: add "
                "a column wnid"
            )
        ids = self.table["object"].to_pylist()
        return [names[one] if one in range(len(names)) else "" for one in ids]

    def _names(self, column: str) -> list[str]:
        """The names that `datasets` wrote of a ClassLabel."""
        about = json.loads(
            (self.schema.metadata or {}).get(b"huggingface", b"{}")
        )
        features = about.get("info", {}).get("features", {})
        names = features.get(column, {}).get("names") or []
        return [str(name) for name in names]


def fetch_tables(repository: str, all_splits: bool = False) -> str:
    """The folder of a Hub dataset's Parquet files.

    Args:
        repository: its id, ``ORG/NAME``.
        all_splits: fetch all, and not the validation split alone where it has one.

    Raises:
        UserError: where it can't be reached, or holds no Parquet.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.constants import HF_HUB_OFFLINE

    from aobench.hub import hub_in_one_line

    with hub_in_one_line(f"the dataset {repository!r} could not be fetched"):
        if HF_HUB_OFFLINE:
            return snapshot_download(repository, repo_type="dataset")
        names_on_hub = HfApi().list_repo_files(repository, repo_type="dataset")
        files = [name for name in names_on_hub if name.lower().endswith(ENDING)]
        chosen = [name for name in files if table_split(name) == "val"]
        chosen = chosen if chosen and not all_splits else files
        if not chosen:
            raise UserError(
                f"the dataset {repository!r} holds no Parquet files; name one that does"
            )
        return snapshot_download(
            repository, repo_type="dataset", allow_patterns=chosen
        )


TABLES = Layout(
    "class-table",
    f"Parquet with image and one of {', '.join(LABELS)}",
    _recognise,
    _read,
)
