"""Which dataset a name or a place stands for.

Rules, of which the first that applies decides:
- ``mini`` is the bundled set, ``v2`` the published archive, which is fetched.
- A folder that says of itself that it is a dataset (``fingerprints.json``, or a card with configs)
  is read as one; ``PLACE:CONFIG``, or the config's own folder in it, names one of several configs.
- A folder, zip, tar or list in a layout of `aobench.layouts` is one's own, but for the published
  archive: label folders whose labels are nearly all of the published lists, or, below a folder of
  its name (``ImageNet-AO-filtered``), most of them. Where only some are, that is refused, and
  ``layout`` decides: ``published``, or a layout of one's own.
- What is no place, and looks like ``ORG/NAME``, is a dataset on the Hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aobench.errors import UserError, did_you_mean
from aobench.evaluation.loading import FACTS, Source

#: Sets that go by a name.
NAMED_SETS = ("mini", "v2")
#: What ``layout`` says for the published archive.
PUBLISHED = "published"
#: Of the labels of the published archive at least so many are known; of one's own fewer than
#: SOME.
NEARLY_ALL, SOME = 0.9, 0.5

#: The name of the published archive, and of the folder at its top.
ARCHIVE = "ImageNet-AO-filtered"
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def data_source(
    data: str | os.PathLike[str] | Source,
    *,
    id_data: str | os.PathLike[str] | None = None,
    layout: str | None = None,
    columns: str | Mapping[str, str] | None = None,
    attributes: str | os.PathLike[str] | None = None,
    objects: str | os.PathLike[str] | None = None,
) -> Source:
    """The dataset that ``data`` stands for; see `aobench.evaluate` for the arguments.

    Raises:
        UserError: where it stands for none, or for two.

    Example:
        >>> data_source("mini"), data_source("org/set").path
        (Source(config='mini', data_dir=None, path=None, options={}, id_data=None), 'org/set')
    """
    reading = {
        "layout": layout,
        "columns": _as_text(columns),
        "attributes": attributes and os.fspath(attributes),
        "objects": objects and os.fspath(objects),
    }
    reading = {name: value for name, value in reading.items() if value}
    seen = None if id_data is None else os.fspath(id_data)
    if isinstance(data, Source):
        _refuse(
            reading | ({"id_data": seen} if seen else {}),
            "a Source says it all",
        )
        return data
    text = os.fspath(data)
    if text == "mini":
        _refuse(reading | ({"id_data": seen} if seen else {}), "mini is drawn")
    if text in NAMED_SETS:
        _refuse(reading, "the published archive has a form of its own")
        return Source(text, id_data=seen)
    path = Path(text).expanduser()
    if path.exists():
        return _local_source(path, reading, seen)
    place, colon, config = text.rpartition(":")
    if not (place and colon and config):
        place, config = text, ""
    if Path(place).expanduser().is_dir():
        return _dataset_folder(Path(place).expanduser(), config, reading, seen)
    if not HUB_ID.fullmatch(place) or place.endswith((".zip", ".tar")):
        raise UserError(
            f"there is no dataset {text!r}{did_you_mean(text, NAMED_SETS)}; name 'mini', a folder, "
            "zip or list, or a dataset's id on the Hub, such as your-org/imagenet-ao"
        )
    return Source(config, path=place, options=reading, id_data=seen)


def _as_text(columns: str | Mapping[str, str] | None) -> str | None:
    """The columns in the one form that they are kept in; UserError for what they can't be."""
    from aobench.layouts.columns import read_columns

    pairs = read_columns(columns)
    return (
        ",".join(f"{role}={column}" for role, column in pairs.items()) or None
    )


def _refuse(reading: Mapping[str, Any], why: str) -> None:
    if reading:
        name = next(iter(reading))
        option = "--" + name.replace("_", "-")
        raise UserError(
            f"{name} ({option}) is of no use here: {why}; leave it out"
        )


def _local_source(
    path: Path, reading: dict[str, Any], seen: str | None
) -> Source:
    if path.is_dir():
        if _is_dataset(path):
            return _dataset_folder(path, "", reading, seen)
        if (path.parent / FACTS).exists() and path.name in _configs(
            path.parent
        ):
            return _dataset_folder(path.parent, path.name, reading, seen)
    layout = reading.get("layout")
    if layout == PUBLISHED:
        rest = {
            name: value for name, value in reading.items() if name != "layout"
        }
        _refuse(rest, "the published archive has a form of its own")
        return Source("v2", str(path), id_data=seen)
    if not reading and _is_published(path):
        return Source("v2", str(path), id_data=seen)
    return Source("folder", str(path), options=reading, id_data=seen)


def _is_dataset(folder: Path) -> bool:
    """Whether a folder says that it is a dataset of `datasets`."""
    if (folder / FACTS).exists():
        return True
    if not any(folder.glob("*.parquet")) and not any(
        folder.glob("*/*.parquet")
    ):
        return False
    card = folder / "README.md"
    return (
        card.is_file()
        and "configs:" in card.read_text("utf-8", "replace")[: 1 << 20]
    )


def _configs(folder: Path) -> list[str]:
    from aobench.files import read_json

    return list(read_json(folder / FACTS)) if (folder / FACTS).exists() else []


def _dataset_folder(
    folder: Path, config: str, reading: dict[str, Any], seen: str | None
) -> Source:
    _refuse(reading, f"{folder} is a prepared dataset")
    known = _configs(folder)
    if not config and (folder / FACTS).exists():
        if len(known) != 1:
            raise UserError(
                f"{folder} holds the configs {', '.join(known) or '(none)'}; name one, such as "
                f"{folder}:{known[0] if known else 'v2'}"
            )
        config = known[0]
    if config and known and config not in known:
        raise UserError(
            f"{folder} has no config {config!r}{did_you_mean(config, known)}; it has "
            f"{', '.join(known)}"
        )
    return Source(config, path=str(folder), id_data=seen)


def _is_published(path: Path) -> bool:
    """Whether a folder or zip is the published archive. UserError where it may be, and may be
    one's own.
    """
    import imagenet_ao
    from aobench.layouts.labels import ways_to_part

    if not path.is_dir() and path.suffix.lower() != ".zip":
        return False
    if _has_own_lists(path):
        return False
    try:
        report = imagenet_ao.label_report(str(path))
    except imagenet_ao.DatasetError as error:
        raise UserError(str(error)) from None
    if not report["labels"]:  # either says what it expected
        return not any(path.rglob("*.parquet"))
    _refuse_wnids(path, list(report["unknown_labels"]))
    # a label of one word is nobody's; pictures without a folder have none of the archive's
    unknown = [
        label
        for label in report["unknown_labels"]
        if not label or ways_to_part(label)
    ]
    known = 1 - len(unknown) / report["labels"]
    if known < SOME:
        return False
    if known >= NEARLY_ALL or _has_published_name(path):
        return True
    raise UserError(
        f"{path}: {len(unknown):,} of {report['labels']:,} labels, such as {min(unknown)!r}, are "
        "not of the published lists: name the layout, published (which leaves them out) or "
        "label-folders (your own names)"
    )


def _has_published_name(path: Path) -> bool:
    """Whether the archive, or the folder at its top, has the published one's name."""
    from aobench.layouts.tree import open_tree

    if path.stem == ARCHIVE:
        return True
    try:
        tree = open_tree(str(path))
    except UserError:
        return False
    return {name.split("/")[0] for name in tree.members if "/" in name} == {
        ARCHIVE
    }


def _refuse_wnids(path: Path, labels: list[str]) -> None:
    if labels and all(re.fullmatch(r"n\d{8}", label) for label in labels):
        raise UserError(
            f"{path} holds folders of wnids, such as {labels[0]!r}, which are ImageNet's classes "
            "and no compositions: give it as --id-data (id_data), beside a set of compositions"
        )


def _has_own_lists(path: Path) -> bool:
    """Whether lists or splits say what is what, which the published archive has none of."""
    from aobench.layouts.list_file import list_files
    from aobench.layouts.pair_lists import pair_list_roots
    from aobench.layouts.splits import split_role
    from aobench.layouts.tree import open_tree

    try:
        tree = open_tree(str(path))
    except UserError:
        return False  # for the reader to tell, where it can't do without
    if pair_list_roots(tree) or list_files(tree):
        return True
    parents = {
        folder.split("/")[0]
        for folder in tree.folders
        if folder.count("/") == 1
    }
    return bool(parents) and all(map(split_role, parents))
