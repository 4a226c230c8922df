"""Seven pictures of three of ImageNet's classes, in every form that ImageNet comes in."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import datasets
import numpy as np
from PIL import Image

from aobench.vocabulary.published import devkit_order, published_lists

#: tench, banana, kit fox
WNIDS = ("n01440764", "n07753592", "n02119789")
LABELS = [WNIDS[number % 3] for number in range(7)]
NAMES = [f"ILSVRC2012_val_{number:08d}" for number in range(1, 8)]
IDS = sorted(f"{w}/{n}.JPEG" for w, n in zip(LABELS, NAMES, strict=True))
INDEX = dict(published_lists().objects.values())
PUBLISHED = {
    wnid: name for name, (wnid, _) in published_lists().objects.items()
}
NUMBER = {index: number for number, index in enumerate(devkit_order(), start=1)}
TRUTH = "ILSVRC2012_validation_ground_truth.txt"
SOLUTION = "LOC_val_solution.csv"


def picture(number: int) -> bytes:
    """A small picture of random pixels."""
    pixels = np.random.default_rng(number).integers(
        0, 255, (9, 9, 3), dtype=np.uint8
    )
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def put(path: Path, content: bytes | str) -> None:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def folders(root: Path) -> Path:
    """``WNID/picture``."""
    for number, (wnid, name) in enumerate(zip(LABELS, NAMES, strict=True)):
        put(root / wnid / f"{name}.JPEG", picture(number))
    return root


def flat(root: Path) -> Path:
    """The pictures side by side, and nothing that tells their classes."""
    for number, name in enumerate(NAMES):
        put(root / f"{name}.JPEG", picture(number))
    return root


def truth_text() -> str:
    """The ground truth as the development kit writes it: a number a line."""
    return "".join(f"{NUMBER[INDEX[wnid]]}\n" for wnid in LABELS)


def with_truth(root: Path) -> Path:
    """Flat, with the ground truth among the pictures."""
    put(flat(root) / TRUTH, truth_text())
    return root


def with_solution(root: Path) -> Path:
    """As Kaggle lays it out: the solution above, training pictures beside."""
    flat(root / "ILSVRC/Data/CLS-LOC/val")
    rows = [
        f"{name},{wnid} 1 2 3 4 {wnid} 5 6 7 8\n"
        for name, wnid in zip(NAMES, LABELS, strict=True)
    ]
    put(root / SOLUTION, "ImageId,PredictionString\n" + "".join(rows))
    put(
        root / "ILSVRC/Data/CLS-LOC/train/n01440764/n01440764_1.JPEG",
        picture(99),
    )
    return root


def with_wnids(root: Path) -> Path:
    """Flat, with a wnid a line beside the folder of the pictures."""
    flat(root / "val")
    put(root / "validation_labels.txt", "\n".join(LABELS))
    return root


def packed(root: Path) -> Path:
    """The tar of the validation set, and the development kit beside it."""
    root.mkdir(parents=True)
    with tarfile.open(root / "ILSVRC2012_img_val.tar", "w") as archive:
        for number, name in enumerate(NAMES):
            _add(archive, f"{name}.JPEG", picture(number))
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as archive:
        _add(
            archive,
            f"ILSVRC2012_devkit_t12/data/{TRUTH}",
            truth_text().encode(),
        )
    return root


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def table(
    root: Path,
    names: Sequence[str] | None = None,
    ids: bool = True,
    split: str = "validation",
) -> Path:
    """Parquet as `datasets` writes it; labels are numbers of ``names``, by default in another
    order than ImageNet's.
    """
    chosen = list(
        names or sorted(PUBLISHED.values(), key=lambda name: name[::-1])
    )
    columns = {
        "image": [{"bytes": picture(n), "path": None} for n in range(7)],
        "label": [chosen.index(PUBLISHED[wnid]) for wnid in LABELS],
    }
    kinds = {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=chosen),
    }
    if ids:
        columns["sample_id"] = [
            f"{w}/{n}.JPEG" for w, n in zip(LABELS, NAMES, strict=True)
        ]
        kinds["sample_id"] = datasets.Value("string")
    root.mkdir(parents=True, exist_ok=True)
    rows = datasets.Dataset.from_dict(
        columns, features=datasets.Features(kinds)
    )
    rows.to_parquet(root / f"{split}-00000-of-00001.parquet")
    return root


#: By name: the layout that it is taken for, and what writes it.
FORMS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "folders of wnids": ("wnid-folders", folders),
    "ground truth": ("validation-list", with_truth),
    "Kaggle's solution": ("validation-list", with_solution),
    "a wnid a line": ("validation-list", with_wnids),
    "the tar and the kit": ("validation-list", packed),
    "Parquet": ("class-table", table),
}
