"""One made-up set of twelve tiny pictures, three attributes and three objects, written in every
layout."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
import pyarrow.parquet
import torch
from PIL import Image

SEEN = (
    ("red", "ambulance"),
    ("light blue", "fire truck"),
    ("faux fur", "boots ankle"),
    ("red", "boots ankle"),
)
NOVEL = (
    ("light blue", "ambulance"),
    ("faux fur", "ambulance"),
    ("red", "fire truck"),
    ("faux fur", "fire truck"),
)
SPLITS = {"train": SEEN, "id": SEEN, "ood": NOVEL}
ATTRIBUTES = ["faux fur", "light blue", "red"]
OBJECTS = ["ambulance", "boots ankle", "fire truck"]
NATURAL = "compositional-split-natural"


class Sample(NamedTuple):
    """One picture of the set."""

    split: str
    attribute: str
    object: str
    data: bytes


def picture(seed: int) -> bytes:
    """Bytes of a small random picture."""
    pixels = np.random.default_rng(seed).integers(
        0, 255, (8, 8, 3), dtype=np.uint8
    )
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


SAMPLES = [
    Sample(split, attribute, thing, picture(10 * number + index))
    for number, (split, pairs) in enumerate(SPLITS.items())
    for index, (attribute, thing) in enumerate(pairs)
]

#: (composition, attribute, object, ImageNet index, hash) of each row that every layout must give.
ROWS = {
    split: sorted(
        (
            f"{s.attribute} {s.object}",
            s.attribute,
            s.object,
            407 if s.object == "ambulance" else None,
            hashlib.sha256(s.data).hexdigest(),
        )
        for s in SAMPLES
        if s.split == split
    )
    for split in SPLITS
}


def put(root: Path, name: str, data: bytes) -> None:
    """A file and the folders above it."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)


def _as_set(split: str) -> str:
    return "train" if split == "train" else "test"


def _underscored(name: str) -> str:
    return name.replace(" ", "_")


def _dotted(name: str) -> str:
    return name.replace(" ", ".")


def write_label_folders(
    root: Path, separator: str = "_", sets: bool = True
) -> Path:
    """``train/red_fire truck/0.png`` or, with a space as separator, ``train/red
    fire_truck/0.png``."""
    inner = " " if separator == "_" else "_"
    for number, s in enumerate(SAMPLES):
        label = separator.join(
            part.replace(" ", inner) for part in (s.attribute, s.object)
        )
        put(
            root,
            f"{_as_set(s.split) if sets else s.split}/{label}/{number}.png",
            s.data,
        )
    return root


def write_spaced_label_folders(root: Path) -> Path:
    """Labels parted by a space, splits named id and ood."""
    return write_label_folders(root, " ", sets=False)


def write_attribute_folders(root: Path) -> Path:
    """``seen/red/fire truck/0.png``."""
    names = {"train": "training", "id": "seen", "ood": "novel"}
    for number, s in enumerate(SAMPLES):
        put(
            root,
            f"{names[s.split]}/{s.attribute}/{s.object}/{number}.png",
            s.data,
        )
    return root


def list_rows(root: Path) -> list[dict[str, Any]]:
    """Rows of a list; the pictures are written below ``root``."""
    rows = []
    for number, s in enumerate(SAMPLES):
        put(root, f"pictures/{number}.png", s.data)
        rows.append(
            {
                "file": f"pictures/{number}.png",
                "attribute": s.attribute,
                "object": s.object,
                "split": s.split,
            }
        )
    return rows


def write_csv(root: Path, rows: list[dict[str, Any]] | None = None) -> Path:
    """A CSV list."""
    rows = list_rows(root) if rows is None else rows
    with (root / "list.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root


def write_jsonl(root: Path, rows: list[dict[str, Any]] | None = None) -> Path:
    """A JSONL list, whose column of pictures is called image and whose splits are train and
    test."""
    rows = list_rows(root) if rows is None else rows
    lines = [
        json.dumps({"image": r.pop("file"), **r, "split": _as_set(r["split"])})
        for r in rows
    ]
    (root / "list.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def write_parquet(root: Path, with_bytes: bool = True) -> Path:
    """A Parquet list that holds the pictures, or names them in the struct of datasets."""
    rows = list_rows(root)
    for row, s in zip(rows, SAMPLES, strict=True):
        file = row.pop("file")
        row["image"] = {"bytes": s.data if with_bytes else None, "path": file}
        if with_bytes:
            (root / file).unlink()
    schema = pyarrow.schema(
        {
            "image": pyarrow.struct(
                {"bytes": pyarrow.binary(), "path": pyarrow.string()}
            ),
            "attribute": pyarrow.string(),
            "object": pyarrow.string(),
            "split": pyarrow.string(),
        }
    )
    table = pyarrow.Table.from_pylist(rows, schema)
    pyarrow.parquet.write_table(table, root / "list.parquet", row_group_size=5)
    return root


def write_parquet_of_paths(root: Path) -> Path:
    """A Parquet list that names its pictures."""
    return write_parquet(root, with_bytes=False)


def write_pair_lists(
    root: Path, spell: Callable[[str], str] = _underscored, separator: str = " "
) -> Path:
    """The three lists of pairs; test_pairs holds seen pairs, too."""
    lists = {
        "train": SEEN,
        "val": (*SEEN[:1], ("light blue", "boots ankle")),
        "test": SEEN + NOVEL,
    }
    for part, pairs in lists.items():
        text = "".join(
            separator.join(map(spell, pair)) + "\n" for pair in pairs
        )
        put(root, f"{NATURAL}/{part}_pairs.txt", text.encode())
    return root


def write_metadata(root: Path, rows: list[Any]) -> None:
    """The metadata file."""
    torch.save(rows, root / f"metadata_{NATURAL}.t7")


def metadata_row(
    image: str, sample: Sample, spell: Callable[[str], str]
) -> dict[str, str]:
    """A row of the metadata."""
    names = {"attr": spell(sample.attribute), "obj": spell(sample.object)}
    return {"image": image, **names, "set": _as_set(sample.split)}


def write_mit_states(root: Path, metadata: bool = True) -> Path:
    """``images/attr_obj/``; the metadata has spaces where the folders have underscores."""
    write_pair_lists(root)
    rows = []
    for number, s in enumerate(SAMPLES):
        if not metadata and s.split == "train":
            continue  # without metadata they would count as test pictures
        label = _underscored(f"{s.attribute} {s.object}")
        put(root, f"images/{label}/{number}.png", s.data)
        image = f"{s.attribute} {s.object}/{number}.png"
        rows.append(metadata_row(image, s, _underscored))
    if metadata:
        write_metadata(root, rows)
    return root


def write_mit_states_without_metadata(root: Path) -> Path:
    """Only folders and lists."""
    return write_mit_states(root, metadata=False)


def write_ut_zappos(root: Path, sorted_by_pair: bool = True) -> Path:
    """Names with dots, and ``_image`` for where the picture lay before it was sorted into
    folders."""
    write_pair_lists(root, _dotted)
    rows = []
    for number, s in enumerate(SAMPLES):
        image = f"{_dotted(s.attribute)}_{_dotted(s.object)}/{number}.png"
        before = f"Shoes/{s.object}/{number}.png"
        put(root, f"images/{image if sorted_by_pair else before}", s.data)
        rows.append({**metadata_row(image, s, _dotted), "_image": before})
    write_metadata(root, rows)
    return root


def write_ut_zappos_unsorted(root: Path) -> Path:
    """As it was downloaded."""
    return write_ut_zappos(root, sorted_by_pair=False)


def write_c_gqa(root: Path) -> Path:
    """Pictures side by side."""
    write_pair_lists(root)
    for number, s in enumerate(SAMPLES):
        put(root, f"images/{number}.png", s.data)
    rows = [
        metadata_row(f"{n}.png", s, _underscored) for n, s in enumerate(SAMPLES)
    ]
    write_metadata(root, rows)
    return root


def write_vaw_czsl(root: Path) -> Path:
    """A plus sign parts the pairs; names have spaces."""
    write_pair_lists(root, str, "+")
    for number, s in enumerate(SAMPLES):
        put(root, f"images/{number}.png", s.data)
    write_metadata(
        root, [metadata_row(f"{n}.png", s, str) for n, s in enumerate(SAMPLES)]
    )
    return root


#: Form -> (layout that it is recognised as, what writes it).
FORMS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "label folders": ("label-folders", write_label_folders),
    "label folders with spaces": ("label-folders", write_spaced_label_folders),
    "attribute folders": ("attribute-folders", write_attribute_folders),
    "CSV": ("list", write_csv),
    "JSONL": ("list", write_jsonl),
    "Parquet": ("list", write_parquet),
    "Parquet of paths": ("list", write_parquet_of_paths),
    "MIT-States": ("mit-states", write_mit_states),
    "MIT-States without metadata": (
        "mit-states",
        write_mit_states_without_metadata,
    ),
    "UT-Zappos": ("ut-zappos", write_ut_zappos),
    "UT-Zappos unsorted": ("ut-zappos", write_ut_zappos_unsorted),
    "C-GQA": ("c-gqa", write_c_gqa),
    "VAW-CZSL": ("vaw-czsl", write_vaw_czsl),
}


def write_form(form: str, root: Path) -> Path:
    """The set in one form, in the new folder ``root``."""
    root.mkdir(parents=True)
    return FORMS[form][1](root)


def zip_of(folder: Path, path: Path) -> Path:
    """A zip of ``folder``, its own name on top, with the litter that a Mac adds."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(
                file, f"{folder.name}/{file.relative_to(folder).as_posix()}"
            )
        archive.writestr(f"__MACOSX/{folder.name}/._0.png", b"litter")
    return path
