"""The image set that comes in: tables or folders of pictures, and what the files' bytes are."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import absolute_path, sha256_of
from aobench.image_table import read_image_table

#: What stands for the bytes of a file that cannot be opened.
ABSENT = "absent"


@dataclass(frozen=True)
class ImageSet:
    """Images in order, and the SHA-256 of each file's bytes (``absent`` where there is none).

    ``attributes``, ``objects``: what each is said to show; None where nothing is said.
    ``files``: as the table or the folder names them; ``paths``: where they are.
    """

    ids: tuple[str, ...]
    attributes: tuple[str | None, ...]
    objects: tuple[str | None, ...]
    files: tuple[str, ...]
    paths: tuple[Path, ...]
    digests: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def claim(self, row: int) -> str:
        """What an image is said to show, or else its file's name."""
        words = (self.attributes[row], self.objects[row])
        return " ".join(word for word in words if word) or self.paths[row].name

    def cell(self, row: int) -> dict[str, Any]:
        """What ``aobench.images.read_image`` takes."""
        return {"bytes": None, "path": str(self.paths[row])}

    @property
    def fingerprint(self) -> str:
        """SHA-256 over ids and contents in order: another set, another order or other pixels
        give another.
        """
        whole = hashlib.sha256()
        for name, digest in zip(self.ids, self.digests, strict=True):
            whole.update(f"{name}\0{digest}\n".encode())
        return whole.hexdigest()


@dataclass(frozen=True)
class _Image:
    image_id: str
    attribute: str | None
    object: str | None
    file: str
    path: Path


def open_set(table: Path, only: Collection[str] | None = None) -> ImageSet:
    """Read a table of images and every file's digest.

    Args:
        table: ``images.parquet``, see `aobench.image_table`.
        only: the ids of those that are compared; None for all.

    Raises:
        UserError: for a table that doesn't fit, and where no image is left.
    """
    images = _images_of_table(table)
    if only is not None:
        images = [image for image in images if image.image_id in only]
    if not images:
        raise UserError(
            f"{table} has none of these images: there are none to compare"
        )
    return _image_set(images)


def open_sources(sources: Sequence[Path]) -> ImageSet:
    """The images of tables and of folders, in the order given, as one set.

    An image of a folder has its file's name below that folder as its id; with several sources the
    folder's own name stands before it. In a folder pictures are known by their endings; hidden
    files are passed over.

    Raises:
        UserError: for a source that is neither, a folder without pictures, a table that doesn't
            fit, and an id that two sources have.
    """
    images: list[_Image] = []
    for source in sources:
        prefix = f"{absolute_path(source).name}/" if len(sources) > 1 else ""
        if source.is_dir():
            images += _images_of_folder(source, prefix)
        else:
            images += _images_of_table(source)
    seen: set[str] = set()
    for image in images:
        if image.image_id in seen:
            raise UserError(
                f"two of {', '.join(map(str, sources))} have an image {image.image_id!r}; give "
                "each its own id, or compare them apart"
            )
        seen.add(image.image_id)
    return _image_set(images)


def _images_of_table(table: Path) -> list[_Image]:
    return [
        _Image(
            row.image_id,
            row.attribute,
            row.object,
            row.file,
            table.parent / row.file,
        )
        for row in read_image_table(table).rows
    ]


def _images_of_folder(folder: Path, prefix: str) -> list[_Image]:
    import imagenet_ao

    names = sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.suffix.lower() in imagenet_ao.ENDINGS and path.is_file()
    )
    images = [
        _Image(
            prefix + name.as_posix(), None, None, name.as_posix(), folder / name
        )
        for name in names
        if not any(part.startswith(".") for part in name.parts)
    ]
    if not images:
        raise UserError(
            f"{folder} holds no pictures ({', '.join(sorted(imagenet_ao.ENDINGS))}); name a "
            "folder of pictures, or a table such as images.parquet"
        )
    return images


def _image_set(images: Sequence[_Image]) -> ImageSet:
    return ImageSet(
        tuple(image.image_id for image in images),
        tuple(image.attribute for image in images),
        tuple(image.object for image in images),
        tuple(image.file for image in images),
        tuple(image.path for image in images),
        tuple(_digests([image.path for image in images])),
    )


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except (
        UserError,
        OSError,
    ):  # the page and the table say why it can't be read
        return ABSENT


def _digests(paths: Iterable[Path]) -> list[str]:
    from tqdm.auto import tqdm

    paths = list(paths)
    with ThreadPoolExecutor(4) as pool:
        return list(
            tqdm(
                pool.map(_digest, paths),
                "digests",
                len(paths),
                unit="file",
                disable=None,
                leave=False,
            )
        )
