"""Images, decoded in one place so that all see the same, and a bad one is named, not fatal.

Rules: what can be read, how it becomes RGB and what is upright is what ``imagenet_ao`` says, so
that the loader and every reader here agree on each image.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from aobench.files import sha256_of

# Pillow's warnings name no file; what matters is raised. Set once: threads share the filters.
warnings.filterwarnings("ignore", module=r"PIL\.")


class BadImageError(Exception):
    """An image that cannot be read; the message says why."""


def read_image(
    cell: Mapping[str, Any] | None, draft: int | None = None
) -> Image.Image:
    """The RGB image of an undecoded ``Image`` cell, upright; the first frame of an animation.

    Args:
        cell: ``bytes``, or else the ``path`` of a file; None where a dataset has no image.
        draft: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, but no side below so many
            pixels: quicker, and not the same pixels.

    Raises:
        BadImageError: where it can't be read; see ``imagenet_ao.decode_image`` for the rules.

    Example:
        >>> read_image({"bytes": b""})
        Traceback (most recent call last):
        aobench.images.BadImageError: the file is empty: no bytes
    """
    import imagenet_ao  # here: it brings the library datasets along

    data = image_data(cell)
    try:
        return imagenet_ao.decode_image(data, draft)
    except imagenet_ao.ImageFaultError as error:
        raise BadImageError(str(error)) from error


def image_data(cell: Mapping[str, Any] | None) -> bytes:
    """The encoded bytes of an undecoded ``Image`` cell. BadImageError where there are none."""
    import imagenet_ao

    data, path = (
        (cell.get("bytes"), cell.get("path"))
        if cell is not None
        else (None, None)
    )
    if data is None and not path:
        raise BadImageError("there is no image: the cell is null")
    if data is not None:
        return data
    try:
        return imagenet_ao.image_bytes(str(path))
    except imagenet_ao.ImageFaultError as error:
        raise BadImageError(str(error)) from error


def pixels_sha256(image: Image.Image) -> str:
    """SHA-256 of an RGB image's values, row by row: what a set that is drawn says of its images."""
    return sha256_of(image.tobytes())


def read_upright(
    path: Path, formats: tuple[str, ...] | None = None
) -> Image.Image:
    """The image of a file in its own mode, with what the file says in ``info``; upright.

    Args:
        path: the file.
        formats: Pillow's names of the only formats that are read; None for all.

    Raises:
        BadImageError: where it can't be read.
    """
    return upright_image(image_data({"path": str(path)}), formats)


def upright_image(
    data: bytes, formats: tuple[str, ...] | None = None
) -> Image.Image:
    """As `read_upright`, of a file's bytes."""
    import imagenet_ao

    try:
        return imagenet_ao.upright_image(data, formats=formats)
    except imagenet_ao.ImageFaultError as error:
        raise BadImageError(str(error)) from error


#: A blind question's picture, in the place of an image.
GREY = (128, 128, 128)


def grey_picture(size: tuple[int, int]) -> Image.Image:
    """What is shown in the place of an image of that size (width, height), to tell nothing."""
    return Image.new("RGB", size, GREY)
