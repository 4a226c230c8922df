"""Which objects the renderer can draw: mini's, or those of a folder of one's own pictures."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from aobench.errors import UserError, did_you_mean
from aobench.files import sha256_of
from aobench.images import BadImageError, upright_image
from aobench.mini import pictures
from aobench.mini.render import draw, render

SUFFIXES = (".png", ".webp")
#: Pictures, too, but most of them can't be transparent: to pass them over in silence would be no
#: help.
REFUSED = (
    *(
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".heif",
    ),
    *(".jp2", ".svg", ".psd", ".tga", ".ico"),
)


@dataclass(frozen=True)
class PictureFile:
    """A drawing of an object, and the SHA-256 of its file."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class PictureFolder:
    """``files``: each object's drawings, both sorted by name; ``mark``: SHA-256 of all names and
    contents.
    """

    where: Path
    files: dict[str, tuple[PictureFile, ...]]
    mark: str


def read_folder(where: Path) -> PictureFolder:
    """The folder's objects: OBJECT.png, or OBJECT/ANYTHING.png for several drawings of one; also
    WebP.

    An underscore in OBJECT is a space. Files of other kinds, hidden ones and folders without
    pictures are passed over. Raises UserError for a missing or empty folder, a picture of another
    format, one that is no regular file or lies in a folder of an object's folder, and two places
    for one object.
    """
    if not where.is_dir():
        raise UserError(
            f"pictures: {where} is {'no folder' if where.exists() else 'missing'}; give a folder"
        )
    by_name: dict[str, tuple[Path, list[Path]]] = {}
    for entry in _shown(where.iterdir()):
        inside = _pictures(
            _shown(entry.iterdir()) if entry.is_dir() else [entry]
        )
        if not inside:
            continue
        name = _name(entry.name if entry.is_dir() else entry.stem).replace(
            "_", " "
        )
        if name in by_name:
            raise UserError(
                f"pictures: {where} has both {by_name[name][0].name} and {entry.name} for "
                f"{name!r}; "
                "keep one"
            )
        by_name[name] = entry, inside
    if not by_name:
        raise UserError(f"pictures: {where} holds no PNG or WebP picture")
    files = {
        name: tuple(
            PictureFile(p, sha256_of(_bytes(p))) for p in by_name[name][1]
        )
        for name in sorted(by_name)
    }
    text = "".join(
        f"{name}\0{_name(one.path.name)}\0{one.sha256}\n"
        for name, every in files.items()
        for one in every
    )
    return PictureFolder(where, files, sha256_of(text.encode()))


def _name(text: str) -> str:
    # a file system may spell an accent as a letter of its own
    return unicodedata.normalize("NFC", text)


def _shown(paths: Iterable[Path]) -> list[Path]:
    return sorted(
        (path for path in paths if not path.name.startswith(".")),
        key=lambda path: _name(path.name),
    )


def _pictures(paths: Iterable[Path]) -> list[Path]:
    chosen = []
    for path in paths:
        if path.is_dir():
            deep = next(
                (
                    one
                    for one in path.rglob("*")
                    if one.suffix.lower() in (*SUFFIXES, *REFUSED)
                ),
                None,
            )
            if deep is not None:
                raise UserError(
                    f"pictures: {deep} lies too deep; put it into OBJECT/, with no folder between"
                )
        elif path.suffix.lower() in REFUSED:
            raise UserError(
                f"pictures: {path} is neither PNG nor WebP; save it as one, with a transparent "
                "background"
            )
        elif path.suffix.lower() in SUFFIXES:
            if not path.is_file():  # a pipe would hang; a link may lead nowhere
                raise UserError(
                    f"pictures: {path} is not a regular file; put the picture itself there"
                )
            chosen.append(path)
    return chosen


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"pictures: {path} can't be read: {error.strerror or error}"
        ) from error


def _decoded(file: PictureFile) -> Image.Image:
    """The file's picture as RGBA; the first one of an animation."""
    data = _bytes(file.path)
    if sha256_of(data) != file.sha256:
        raise UserError(
            f"pictures: {file.path} changed while the step ran; run it again"
        )
    try:
        return upright_image(data, formats=("PNG", "WEBP")).convert("RGBA")
    except BadImageError as error:
        png_or_webp = data.startswith(b"\x89PNG") or (data[:4], data[8:12]) == (
            b"RIFF",
            b"WEBP",
        )
        why = (
            f"can't be read: it {error}"
            if png_or_webp
            else "is no PNG or WebP that can be read"
        )
        raise UserError(f"pictures: {file.path} {why}") from error


@lru_cache(maxsize=512)
def load(file: PictureFile) -> pictures.Picture:
    """The picture, fitted as mini's are. UserError where it can't be read or drawn, or is not
    what was found.
    """
    drawing = _decoded(file)
    alpha = np.asarray(drawing)[..., 3]
    if alpha.min() > pictures.FAINTEST:
        raise UserError(
            f"pictures: {file.path} has no transparent background; cut the object out"
        )
    fitted = (
        pictures.fit_drawing(drawing)
        if alpha.max() > pictures.FAINTEST
        else drawing
    )
    if np.asarray(fitted)[..., 3].max() < 128:
        raise UserError(
            f"pictures: {file.path} is transparent all over, or almost"
        )
    return pictures.of_drawing(fitted)


class Objects:
    """What can be drawn. ``folder``: of one's own pictures, whose objects alone are known then;
    None: mini's objects.

    Raises UserError for a bad folder and for every picture in it that can't be drawn.
    """

    def __init__(self, folder: str | None) -> None:
        self.folder = None if folder is None else read_folder(Path(folder))
        self.names: tuple[str, ...] = (
            pictures.objects()
            if self.folder is None
            else tuple(self.folder.files)
        )
        self.facts: dict[str, Any] = {"objects": len(self.names)}
        if self.folder is not None:
            files = [
                file for every in self.folder.files.values() for file in every
            ]
            for file in files:
                load(file)
            self.facts |= {"drawings": len(files), "pictures": self.folder.mark}

    def render(self, attribute: str, name: str, seed: int) -> np.ndarray:
        """``attribute name``: uint8, 112 x 112 x 3; the seed decides which drawing, too.
        KeyError for unknown ones.
        """
        rng = np.random.default_rng(seed)
        if self.folder is None:
            return render(attribute, name, rng)
        files = self.folder.files[name]
        return draw(attribute, load(files[int(rng.integers(len(files)))]), rng)

    def unknown(self, name: str) -> str:
        """What to tell of an object that can't be drawn."""
        hint = did_you_mean(name, self.names, 0.75)
        if self.folder is None:
            return (
                "the renderer can't draw "
                f"{name!r}{hint or '; it knows: ' + ', '.join(self.names)}"
            )
        shown = f"; it has: {', '.join(self.names[:40])}{', ...' * (len(self.names) > 40)}"
        return (
            f"the renderer can't draw {name!r}: no such object in "
            f"{self.folder.where}{hint or shown}"
        )
