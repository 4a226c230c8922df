"""The layouts of the compositional zero-shot field: three lists of pairs, pictures, and metadata
where there is some.

    ROOT/compositional-split-natural/{train,val,test}_pairs.txt
        a pair a line: attribute, space (or plus sign), object
    ROOT/metadata_compositional-split-natural.t7
        a torch file: a list of dictionaries of texts: image, attr, obj, set (train, val, test, NA)
    ROOT/images/

Rules:
- Attributes and objects are those of all three lists. A pair is seen where ``train_pairs`` has it
  (``test_pairs`` holds seen pairs, too). Pictures of set ``test``: seen pair -> ``id``, other ->
  ``ood``. Set ``train`` is taken on request only, set ``val`` never.
- Rows of set NA, of attribute or object NA, and of pairs on no list are left out and counted, as
  the field does.
- A picture is looked for as the metadata writes it below ``images/``, then with underscores for the
  spaces of its folders, then by ``_image`` (UT-Zappos before it is sorted into folders).
- Assumption: without metadata each picture in ``images/ATTRIBUTE_OBJECT/`` counts as one of set
  ``test`` where ``test_pairs`` has its pair, else as ``train``, else as ``val``. A note says so,
  since pictures of seen pairs may have been trained on.
- The metadata is read with ``weights_only``: a file that holds code is refused.

The four sets differ in nothing else, so what tells them apart (`set_kind`) matters only to the
first line of the report.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from typing import Any

from aobench.errors import UserError
from aobench.layouts.base import (
    LabelledPicture,
    LabelledSet,
    Layout,
    LayoutOptions,
)
from aobench.layouts.list_file import count_unnamed_pictures
from aobench.layouts.names import name_key
from aobench.layouts.report import LeftOut
from aobench.layouts.tree import FileTree

FAMILY = "compositional-split"
LISTS = "compositional-split-natural"
METADATA = f"metadata_{LISTS}.t7"
SETS = ("train", "val", "test")
IMAGES = "images/"

Pair = tuple[str, str]


@dataclass(frozen=True)
class PairSet:
    """What the lists and the metadata of one set say."""

    tree: FileTree  #: its root is ROOT
    pairs: dict[str, set[Pair]]  #: by train, val, test
    plus: bool  #: whether a plus sign parts the pairs
    rows: list[dict[str, str]] | None  #: of the metadata

    @property
    def all_pairs(self) -> set[Pair]:
        """The pairs of all three lists."""
        return set().union(*self.pairs.values())


def pair_list_roots(tree: FileTree) -> list[str]:
    """Each ROOT in a tree, with ``/`` at its end (or "")."""
    lists = {
        folder
        for folder in tree.folders
        if folder.split("/")[-1].startswith(FAMILY)
    }
    return sorted(
        {folder.rpartition("/")[0] + "/" * ("/" in folder) for folder in lists}
    )


def pair_list_layout(name: str, looks: str) -> Layout:
    """The layout of one set of the field."""

    def recognise(tree: FileTree, options: LayoutOptions) -> str | None:
        if not pair_list_roots(tree):
            return None
        pair_set = _cached_pair_set(tree)
        return (
            f"{pair_set.tree.prefix}{LISTS}"
            if set_kind(pair_set) == name
            else None
        )

    def read(tree: FileTree, options: LayoutOptions) -> LabelledSet:
        pair_set = _cached_pair_set(tree)
        if pair_set.plus != (name == "vaw-czsl"):
            parts = "a plus sign" if pair_set.plus else "a space"
            raise UserError(
                f"{pair_set.tree.where}/{LISTS}: {parts} parts its pairs, which is not so in {name}"
            )
        return _labelled_set(pair_set)

    return Layout(name, looks, recognise, read)


def set_kind(pair_set: PairSet) -> str:
    """Which of the field's sets this looks like; all are read alike.

    A plus sign parts the pairs: VAW-CZSL. Names with dots, or ``_image``: UT-Zappos. Pictures in
    folders: MIT-States. Pictures side by side: C-GQA.
    """
    if pair_set.plus:
        return "vaw-czsl"
    rows = pair_set.rows
    if any("." in name for pair in pair_set.all_pairs for name in pair) or any(
        "_image" in row for row in rows or []
    ):
        return "ut-zappos"
    if rows is None or any("/" in row["image"] for row in rows):
        return "mit-states"
    return "c-gqa"


def _cached_pair_set(tree: FileTree) -> PairSet:
    if "pairs" not in tree.tables:
        tree.tables["pairs"] = read_pair_set(tree)
    pair_set: PairSet = tree.tables["pairs"]
    return pair_set


def read_pair_set(tree: FileTree) -> PairSet:
    """The lists and the metadata of the one set in a tree.

    Raises:
        UserError: where there is no set or more than one, a list is missing or damaged, or the
            metadata is not what it should be.
    """
    roots = pair_list_roots(tree)
    if not roots:
        raise UserError(
            f"{tree.where} lacks the folder {LISTS} with "
            f"{', '.join(f'{s}_pairs.txt' for s in SETS)}"
        )
    if len(roots) > 1:
        raise UserError(
            f"{tree.where} holds {len(roots)} sets at once, {roots[0] or '.'} and {roots[1]}: give "
            "the folder of one"
        )
    below = tree.below(roots[0])
    texts = {
        part: below.read_text(f"{LISTS}/{part}_pairs.txt", "the pair list")
        for part in SETS
    }
    first = next(
        (text for text in map(str.strip, texts.values()) if text), ""
    ).splitlines()
    plus = bool(first) and "+" in first[0]
    pairs = {
        part: parse_pair_list(
            text, f"{below.where}/{LISTS}/{part}_pairs.txt", plus
        )
        for part, text in texts.items()
    }
    for part in ("train", "test"):
        if not pairs[part]:
            raise UserError(
                f"the pair list {below.where}/{LISTS}/{part}_pairs.txt is empty"
            )
    rows = None
    if METADATA in below.members or METADATA in below.faults:
        where = f"the metadata {below.where}/{METADATA}"
        rows = metadata_rows(below.read_bytes(METADATA, "the metadata"), where)
    return PairSet(below, pairs, plus, rows)


def parse_pair_list(text: str, where: str, plus: bool) -> set[Pair]:
    """The pairs of a list, one a line. Raises UserError with the line that holds none.

    Example:
        >>> sorted(parse_pair_list("red car\\nblue car\\n", "train_pairs.txt", plus=False))
        [('blue', 'car'), ('red', 'car')]
    """
    pairs = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        fields = (
            [field.strip() for field in line.split("+")]
            if plus
            else line.split()
        )
        if len(fields) != 2 or not all(fields):
            parts = "a plus sign" if plus else "a space"
            raise UserError(
                f"{where}, line {number:,}: {line!r} is not an attribute, {parts} and an object"
            )
        pairs.add((fields[0], fields[1]))
    return pairs


def metadata_rows(data: bytes, where: str) -> list[dict[str, str]]:
    """The rows of a metadata file. Raises UserError for code in it, damage, and rows of another
    shape."""
    import torch

    try:
        rows = torch.load(io.BytesIO(data), weights_only=True)
    except (
        Exception
    ) as error:  # the unpickler raises nearly anything on damaged bytes
        text = str(error)
        if "weights_only" in text or "Weights only" in text:
            reason = "it holds more than lists, dictionaries and texts; code in it is not run"
        else:
            reason = f"{type(error).__name__}: {(text.splitlines() or [''])[0]}"
        raise UserError(
            f"{where} can't be read ({reason}): take it from the set's own place again"
        ) from error
    if not isinstance(rows, list) or not rows:
        raise UserError(
            f"{where} should hold a list of rows, not {type(rows).__name__} or none"
        )
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise UserError(f"{where}, row {number:,} is not a dictionary")
        for key in ("image", "attr", "obj", "set"):
            if not isinstance(row.get(key), str):
                raise UserError(
                    f"{where}, row {number:,}: {key!r} is {row.get(key)!r}, not a text"
                )
        if row["set"] not in (*SETS, "NA"):
            raise UserError(
                f"{where}, row {number:,}: its set is {row['set']!r}; known are train, val, test, "
                "NA"
            )
    return rows


def _labelled_set(pair_set: PairSet) -> LabelledSet:
    left_out = LeftOut()
    by_rows = pair_set.rows is not None
    pictures, named = (_by_metadata if by_rows else _by_folders)(
        pair_set, left_out
    )
    count_unnamed_pictures(pair_set.tree, named, left_out, IMAGES)
    pairs = pair_set.all_pairs
    notes = (
        []
        if by_rows
        else [
            f"no {METADATA}: all pictures of pairs of test_pairs are taken as test pictures"
        ]
    )
    splits = {
        "test": "id where train_pairs has the pair, ood where it has not",
        "train": "train, where it was asked for",
        "val": "left out",
    }
    return LabelledSet(
        pair_set.tree,
        pictures,
        left_out,
        sorted({attribute for attribute, _ in pairs}),
        sorted({name for _, name in pairs}),
        splits,
        notes,
    )


def _split_of(pair_set: PairSet, part: str, pair: Pair) -> str:
    if part == "test":
        return "id" if pair in pair_set.pairs["train"] else "ood"
    return part


def _by_metadata(
    pair_set: PairSet, left_out: LeftOut
) -> tuple[list[LabelledPicture], set[str]]:
    """The pictures of the metadata, and the names of all that it names."""
    pairs = pair_set.all_pairs
    pictures, named = [], set()
    for number, row in enumerate(pair_set.rows or [], start=1):
        pair = (row["attr"], row["obj"])
        member = _image_name(pair_set.tree, row)
        named.add(member)
        if row["set"] == "NA":
            left_out.add("set_NA", member)
        elif "NA" in pair:
            left_out.add("label_NA", member)
        elif pair not in pairs:
            left_out.add("pair_on_no_list", f"{member}: {' + '.join(pair)}")
        else:
            split, where = (
                _split_of(pair_set, row["set"], pair),
                f"row {number:,} of {METADATA}",
            )
            pictures.append(
                LabelledPicture(member, member, -1, *pair, split, where)
            )
    return pictures, named


def _image_name(tree: FileTree, row: dict[str, str]) -> str:
    """The name of a row's picture in the tree: the first that is there, or the first of all."""
    folder, _, file = row["image"].rpartition("/")
    names = [
        f"{IMAGES}{row['image']}",
        f"{IMAGES}{folder.replace(' ', '_')}/{file}",
    ]
    if isinstance(row.get("_image"), str):
        names.append(f"{IMAGES}{row['_image']}")
    return next(
        (name for name in names if name in tree.members or name in tree.faults),
        names[0],
    )


def _by_folders(
    pair_set: PairSet, left_out: LeftOut
) -> tuple[list[LabelledPicture], set[str]]:
    """The pictures in folders named by pairs, and the names of all in such folders or in folders of
    other names."""
    from imagenet_ao import ENDINGS

    labels = _pairs_by_label(pair_set)
    pictures, named = [], set()
    for name in sorted({*pair_set.tree.members, *pair_set.tree.faults}):
        folders = name.split("/")
        if not name.startswith(IMAGES) or not name.lower().endswith(
            tuple(ENDINGS)
        ):
            continue
        named.add(name)
        pair = labels.get(name_key(folders[1])) if len(folders) == 3 else None
        if len(folders) != 3:
            left_out.add("other_depth", name)
        elif pair is None:
            left_out.add("pair_on_no_list", name)
        else:
            part = next(
                x for x in ("test", "train", "val") if pair in pair_set.pairs[x]
            )
            split = _split_of(pair_set, part, pair)
            pictures.append(LabelledPicture(name, name, -1, *pair, split, name))
    return pictures, named


def _pairs_by_label(pair_set: PairSet) -> dict[str, Pair]:
    """Pair by the key of its folder's name. UserError where one folder may be of two pairs."""
    pairs = sorted(pair_set.all_pairs)
    keys = {pair: name_key("_".join(pair)) for pair in pairs}
    twice: Any = next(
        (key for key, count in Counter(keys.values()).items() if count > 1),
        None,
    )
    if twice is not None:
        both = [" + ".join(pair) for pair in pairs if keys[pair] == twice]
        raise UserError(
            f"{pair_set.tree.where}: a folder of pictures may be {both[0]} or {both[1]}; add "
            f"{METADATA}, which says it"
        )
    return {key: pair for pair, key in keys.items()}
