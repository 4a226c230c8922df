"""Reading images so that a bad one is named, not fatal."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

from PIL import Image, UnidentifiedImageError

#: More pixels than this are refused: such a file is a mistake, or made to exhaust memory.
MOST_PIXELS = 178_956_970


# Pillow's warnings name no file; what matters is raised. Set once: threads share the filters.
warnings.filterwarnings("ignore", module=r"PIL\.")


class BadImageError(Exception):
    """An image that cannot be read; the message says why."""


def read_image(cell: Mapping[str, Any], draft: int | None = None) -> Image.Image:
    """The RGB image of an undecoded ``Image`` cell ({'bytes', 'path'}); the first frame of an animation.

    CMYK, palette and 16-bit images are converted (16-bit grey is scaled to 8 bits); transparency is laid on
    white. With ``draft`` a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, but no side below ``draft`` pixels:
    quicker, and not the same pixels. Raises BadImageError.
    """
    data = cell.get("bytes")
    if data is None and cell.get("path"):
        try:
            with open(cell["path"], "rb") as stream:
                data = stream.read()
        except OSError as error:
            raise BadImageError(f"cannot be opened: {error.strerror}") from error
    if not data:
        raise BadImageError("the file is empty")
    try:
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > MOST_PIXELS:
            raise BadImageError(f"{image.width} x {image.height} pixels are more than {MOST_PIXELS:,}")
        if draft:
            image.draft("RGB", (draft, draft))
        image.load()
        return _to_rgb(image)
    except BadImageError:
        raise
    except Image.DecompressionBombError as error:
        raise BadImageError(f"more than {MOST_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:  # its message holds an address in memory, other in every run
        raise BadImageError("is no image of a format that Pillow reads") from error
    except Exception as error:
        raise BadImageError(
            f"cannot be decoded: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
