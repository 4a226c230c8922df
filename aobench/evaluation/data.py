"""Opening the dataset for evaluation, with one clear line where that fails."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aobench.errors import UserError

COLUMNS = ("sample_id", "attribute", "object", "imagenet_label", "composition", "sha256")


@dataclass
class Split:
    """One split: its rows with undecoded images, and the columns as lists."""

    name: str
    rows: Any
    sample_ids: list[str]
    attributes: list[int]
    objects: list[int]
    labels: list[int]
    attribute_names: list[str]
    object_names: list[str]
    fingerprint: str
    left_out: int = 0  #: images that ``limit`` left out
    pixels: str | None = None  #: digest of the pixels, where the fingerprint is of what they are drawn by

    def __len__(self) -> int:
        return len(self.sample_ids)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(attribute id, object id) of each image; attribute -1 where it has none."""
        return list(zip(self.attributes, self.objects, strict=True))


@dataclass(frozen=True)
class Source:
    """Which dataset: a config of ``imagenet_ao``, its ``data_dir``, or ``path``: a prepared folder or Hub id."""

    config: str = "v2"
    data_dir: str | None = None
    path: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


def open_splits(source: Source, wanted: tuple[str, ...] = ("id", "ood"), limit: int | None = None) -> list[Split]:
    """The splits of ``wanted`` that the dataset has. Raises UserError where it cannot be opened."""
    import datasets

    import imagenet_ao

    try:
        loaded = _load(datasets, source, wanted)
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        message = " ".join(str(cause).split()) or type(cause).__name__
        raise UserError(f"the dataset could not be opened: {message}") from error
    found = [_split(name, loaded[name], imagenet_ao, limit) for name in wanted if name in loaded]
    if limit is None and source.path:
        _check_fingerprints(Path(source.path), source.config, found)
    if not found:
        raise UserError(f"the dataset has none of the splits {', '.join(wanted)}; it has {', '.join(loaded)}")
    return found


def _load(datasets: Any, source: Source, wanted: tuple[str, ...]) -> dict[str, Any]:
    """The dataset's splits by name; of mini only the wanted ones are drawn."""
    if source.path:
        return dict(datasets.load_dataset(source.path, source.config))
    extra = dict(source.options)
    if source.data_dir:
        extra["data_dir"] = str(Path(source.data_dir).resolve())
    if source.config == "mini":
        return {s: datasets.load_dataset("imagenet_ao", "mini", only=s, split=s, **extra) for s in wanted}
    return dict(datasets.load_dataset("imagenet_ao", source.config, **extra))


def _check_fingerprints(folder: Path, config: str, splits: list[Split]) -> None:
    """UserError where a local folder says that it holds other data than was loaded: altered, or an older copy."""
    try:
        told = json.loads((folder / "fingerprints.json").read_text(encoding="utf-8"))[config]
    except (OSError, ValueError, KeyError):
        return  # a Hub id, or a folder that says nothing
    for split in splits:
        wanted = told.get(split.name, {}).get("fingerprint", split.fingerprint)
        if split.fingerprint != wanted:
            raise UserError(
                f"{folder} holds the split {split.name} of fingerprint {wanted} by its fingerprints.json, but "
                f"{split.fingerprint} was loaded; make the folder anew, or delete its copy in the datasets cache"
            )


def _split(name: str, rows: Any, marks: Any, limit: int | None) -> Split:
    import datasets

    whole = len(rows)
    if limit is not None and limit < whole:
        step = len(rows) / limit
        rows = rows.select([int(i * step) for i in range(limit)])
    missing = [column for column in COLUMNS if column not in rows.column_names]
    if missing:
        raise UserError(f"split {name} lacks the column(s) {', '.join(missing)}; prepare it with: imagenet-ao prepare")
    table = {column: rows[column][:] for column in COLUMNS if column != "sha256"}
    ids = table["sample_id"]
    if len(set(ids)) != len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise UserError(f"split {name} holds the sample id {twice!r} more than once; prepare the dataset anew")
    return Split(
        name=name,
        rows=rows.cast_column("image", datasets.Image(decode=False)),
        sample_ids=ids,
        attributes=[-1 if a is None else a for a in table["attribute"]],
        objects=table["object"],
        labels=[-1 if label is None else label for label in table["imagenet_label"]],
        attribute_names=list(rows.features["attribute"].names),
        object_names=list(rows.features["object"].names),
        fingerprint=marks.fingerprint(rows),
        pixels=marks.pixel_digest(rows),
        left_out=whole - len(rows),
    )
