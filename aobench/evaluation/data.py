"""Opening the dataset for evaluation, with one clear line where that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.evaluation.loading import (
    COLUMNS,
    FACTS,
    MEND,
    LoadedData,
    Source,
    load_splits,
)
from aobench.evaluation.own_questions import OwnQuestions, check_all_asked
from aobench.evaluation.recognised import RecognisedData, recognised_data
from aobench.files import read_json
from aobench.layouts.names import has_control_characters, name_key

#: Columns of text, in which nothing may be null.
TEXTS = ("sample_id", "composition", "sha256")
#: Rows by which `_digests_of` sees what a column of digests is of.
TRIED = 16


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
    pixels: str | None = (
        None  #: digest of the pixels, where the fingerprint is of what they are drawn by
    )
    digests_of: str = ""  #: what the column sha256 is of: ``file``, ``pixels``, or something else
    #: digest of the images' bytes, where the column sha256 is not of them, so that the fingerprint
    #: doesn't tell one set's images from another's
    content: str | None = None
    not_read: dict[str, Any] = field(
        default_factory=dict
    )  #: what of the source is in no split, by reason; see `load_splits`
    #: what the source was taken for, the same for all splits
    recognised: RecognisedData | None = None
    #: by image the (attribute id, object id) that the task choice offers; None: the task's own grid
    choices: list[tuple[tuple[int, int], ...]] | None = None

    def __len__(self) -> int:
        return len(self.sample_ids)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(attribute id, object id) of each image; attribute -1 where it has none."""
        return list(zip(self.attributes, self.objects, strict=True))


def open_splits(
    source: Source,
    wanted: tuple[str, ...] = ("id", "ood"),
    limit: int | None = None,
    own: OwnQuestions | None = None,
) -> list[Split]:
    """The splits of ``wanted`` that the dataset has. Raises UserError where it cannot be opened."""
    import imagenet_ao

    loaded = load_splits(source, wanted)
    splits = [
        _split(name, loaded.splits[name], imagenet_ao, limit, own)
        for name in wanted
        if name in loaded.splits
    ]
    if source.path and loaded.layout[0] == "dataset":
        _check_facts(
            Path(source.path),
            loaded,
            splits,
            whole=limit is None and own is None,
        )
    if not splits:
        raise UserError(
            f"the dataset has none of the splits {', '.join(wanted)}; it has "
            f"{', '.join(loaded.splits)}"
        )
    if own is not None:
        splits = _with_own(splits, own, whole=limit is None)
    recognised = recognised_data(source, loaded, wanted)
    for split in splits:
        split.not_read, split.recognised = loaded.not_read, recognised
    return splits


def _with_own(
    splits: list[Split], own: OwnQuestions, whole: bool
) -> list[Split]:
    """Those of which images are asked, with what these are offered. Raises UserError."""
    if whole:
        check_all_asked(own, splits)
    asked = [split for split in splits if len(split)]
    for split in asked:
        split.choices = own.choices(split)
    return asked


def _check_facts(
    folder: Path, loaded: LoadedData, splits: list[Split], whole: bool
) -> None:
    """UserError where a local folder says that it holds other data than was loaded: altered, or an
    older copy.

    ``whole``: whether all rows were loaded, so that fingerprints compare.
    """
    path, config = folder / FACTS, loaded.config
    if not path.exists():
        return  # a Hub id, or a folder that says nothing
    facts = read_json(path).get(config, {})
    own = [
        split
        for split in splits
        if not (loaded.id_report and split.name == "id")
    ]
    for split in own:
        said = facts.get(split.name, {}) if isinstance(facts, dict) else None
        if not isinstance(said, dict):
            raise UserError(
                f"{path} doesn't say what the split {split.name} of {config} is; make the folder "
                "anew"
            )
        wanted = said.get("fingerprint", split.fingerprint)
        if whole and split.fingerprint != wanted:
            raise UserError(
                f"{folder} holds the split {split.name} of fingerprint {wanted} by its "
                "fingerprints.json, but "
                f"{split.fingerprint} was loaded; make the folder anew, or delete its copy in the "
                "datasets cache"
            )
        split.digests_of = split.digests_of or (
            "file" if said.get("sha256") == "file" else ""
        )


def _check_compositions(split: Split, texts: Sequence[str]) -> None:
    """UserError where the ids of a row name another composition than its text: one of them was
    altered.
    """
    names = zip(split.pairs, texts, split.sample_ids, strict=True)
    for (attribute, thing), text, sample in names:
        parts = [split.attribute_names[attribute]] if attribute >= 0 else []
        if " ".join([*parts, split.object_names[thing]]) != text:
            raise UserError(
                f"image {sample} of the split {split.name} is of the composition {text!r}, but its "
                f"attribute and object say {' '.join([*parts, split.object_names[thing]])!r}: "
                "the dataset was altered, or its ids are of other names; make it anew"
            )


def _split(
    name: str,
    rows: Any,
    marks: Any,
    limit: int | None,
    own: OwnQuestions | None = None,
) -> Split:
    import datasets

    total = len(rows)
    if own is not None and "sample_id" in rows.column_names:
        ids = read_columns(name, rows, ["sample_id"])["sample_id"]
        rows = rows.select(
            [i for i, one in enumerate(ids) if one in own.by_sample]
        )
    if limit is not None and limit < len(rows):
        step = len(rows) / limit
        rows = rows.select([int(i * step) for i in range(limit)])
    missing = [column for column in COLUMNS if column not in rows.column_names]
    if missing:
        raise UserError(
            f"split {name} lacks the column(s) {', '.join(missing)}; {MEND}"
        )
    features = rows.features
    if not isinstance(features["image"], datasets.Image):
        raise UserError(
            f"split {name}: the column image holds no images; cast it: cast_column('image', "
            "Image())"
        )
    rows = rows.cast_column("image", datasets.Image(decode=False))
    # by its recipe a drawn set is known, in place of sha256
    texts = [one for one in (*TEXTS, "recipe") if one in rows.column_names]
    others = [one for one in COLUMNS if one not in ("image", *texts)]
    table = read_columns(name, rows, [*texts, *others])
    for column in texts:
        _check_texts(name, column, table[column])
    ids = table["sample_id"]
    twice, times = Counter(ids).most_common(1)[0] if ids else ("", 1)
    if times > 1:
        raise UserError(
            f"split {name} holds the sample id {twice!r} more than once; prepare the dataset anew"
        )
    attributes, attribute_names = _classes(
        name, "attribute", features, table, may_lack=True
    )
    objects, object_names = _classes(
        name, "object", features, table, may_lack=False
    )
    images = rows.select_columns(["image", "sha256"])
    digests_of = _digests_of(images)
    split = Split(
        name=name,
        rows=rows,
        sample_ids=ids,
        attributes=attributes,
        objects=objects,
        labels=_labels(name, table["imagenet_label"], objects, object_names),
        attribute_names=attribute_names,
        object_names=object_names,
        fingerprint=marks.fingerprint(rows),
        pixels=marks.pixel_digest(rows),
        left_out=total - len(rows),
        digests_of=digests_of,
        content=None if digests_of else _digest_of_bytes(images),
    )
    _check_compositions(split, table["composition"])
    return split


def read_columns(
    split: str, rows: Any, columns: list[str]
) -> dict[str, list[Any]]:
    """The values of ``columns`` by name; at once: `datasets` copies all names of all classes each
    time that a column is taken. Raises UserError where a text is none.
    """
    try:
        table: dict[str, list[Any]] = rows.select_columns(columns).to_dict()
    except UnicodeDecodeError as error:
        for column in columns[:-1] if len(columns) > 1 else []:
            read_columns(split, rows, [column])
        raise UserError(
            f"split {split}: {columns[-1]} holds what is no text: it is damaged, make it anew"
        ) from error
    return table


def _check_texts(split: str, column: str, values: Sequence[Any]) -> None:
    for row, value in enumerate(values, 1):
        if not isinstance(value, str):
            raise UserError(
                f"split {split}: {column} is {value!r} in row {row:,}; it takes a text in every row"
            )
        _check_shown(f"split {split}: {column} in row {row:,}", value)


def _check_shown(where: str, text: str) -> None:
    """UserError for a text that no prompt, table or page can show."""
    if not text.strip():
        raise UserError(
            f"{where} is empty; write its name, or leave the row out"
        )
    if has_control_characters(text):
        raise UserError(
            f"{where} is {text!a}, which holds a line end or another control character; mend it"
        )


def _classes(
    split: str,
    column: str,
    features: Any,
    table: dict[str, Any],
    may_lack: bool,
) -> tuple[list[int], list[str]]:
    """Ids of a column's names, -1 where a row has none, and the names. UserError where they
    aren't ids of names.
    """
    import datasets

    kind, values = features[column], table[column]
    if not isinstance(kind, datasets.ClassLabel):
        shown = getattr(kind, "dtype", type(kind).__name__)
        raise UserError(
            f"split {split}: the column {column} holds {shown}, not ids of names; "
            f"turn it into ids with class_encode_column({column!r}), the same names for all splits"
        )
    for number, one in enumerate(kind.names):
        _check_shown(
            f"split {split}: name {number:,} of the column {column}", one
        )
    _check_unlike(split, column, kind.names)
    ids = [-1 if value is None else value for value in values]
    lowest = -1 if may_lack else 0
    wrong = next(
        (
            i
            for i, value in enumerate(ids)
            if not lowest <= value < len(kind.names)
        ),
        None,
    )
    if wrong is not None:
        raise UserError(
            f"split {split}: {column} is {values[wrong]!r} in row {wrong + 1:,} "
            f"({table['sample_id'][wrong]!r}), "
            f"which is no id of its {len(kind.names):,} names; name it, or leave the row out"
        )
    return ids, list(kind.names)


def _check_unlike(split: str, column: str, names: Sequence[str]) -> None:
    """UserError where two names differ only in case, spaces or Unicode form: one to a model."""
    first: dict[str, str] = {}
    for one in names:
        other = first.setdefault(name_key(one), one)
        if other is not one:
            raise UserError(
                f"split {split}: the column {column} has the names {other!a} and {one!a}, which "
                "are one name to a model; make them one"
            )


def _labels(
    split: str,
    values: Sequence[Any],
    objects: Sequence[int],
    names: Sequence[str],
) -> list[int]:
    """ImageNet's classes, -1 for none. UserError for what is none, and for an object with two of
    them.
    """
    labels = [-1 if value is None else value for value in values]
    class_of: dict[int, int] = {}
    for row, (label, thing) in enumerate(zip(labels, objects, strict=True)):
        if type(label) is not int or not -1 <= label < 1000:
            raise UserError(
                f"split {split}: imagenet_label is {label!r} in row {row + 1:,}; it takes 0 to "
                "999, or null for none"
            )
        if class_of.setdefault(thing, label) != label:
            raise UserError(
                f"split {split}: the object {names[thing]!r} has the imagenet_label "
                f"{class_of[thing]} in one row and "
                f"{label} in row {row + 1:,}; give it one"
            )
    return labels


def _digests_of(rows: Any) -> str:
    """What the digests are of, tried on some rows: the images' bytes, their pixels (of drawn
    sets), or neither.
    """
    from aobench.files import sha256_of
    from aobench.images import (
        BadImageError,
        image_data,
        pixels_sha256,
        read_image,
    )

    step = max(1, len(rows) // TRIED)
    for row in rows.select(range(0, len(rows), step)):
        try:
            data = image_data(row["image"])
            if sha256_of(data) == row["sha256"]:
                return "file"
            if pixels_sha256(read_image({"bytes": data})) == row["sha256"]:
                return "pixels"
        except BadImageError:
            continue
    return ""


def _digest_of_bytes(rows: Any) -> str:
    """16 hex digits of the images' bytes, in the order of the rows; of one without any, nothing."""
    from aobench.files import sha256_of
    from aobench.images import BadImageError, image_data

    def digests() -> Iterator[bytes]:
        for row in rows:
            try:
                yield bytes.fromhex(sha256_of(image_data(row["image"])))
            except BadImageError as error:
                yield str(error).encode()

    return sha256_of(list(digests()))[:16]
