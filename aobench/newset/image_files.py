"""The files of generated images: PNG, each of which says its prompt and seed."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import write_in_one_move
from aobench.images import BadImageError, read_upright
from aobench.newset.generators import GeneratedImage, ImageTask
from aobench.newset.manifests import table_digest


def says_task(where: Path, task: ImageTask) -> bool:
    """Whether the file is a whole PNG that says this prompt and seed."""
    try:
        said = read_upright(image_path(where, task), ("PNG",)).info
    except BadImageError:
        return False
    return said.get("prompt") == task.prompt and said.get("seed") == str(
        task.seed
    )


def image_path(where: Path, task: ImageTask) -> Path:
    """The file of a task's image in the step's folder."""
    return where / "images" / f"{task.image_id}.png"


def write_images(
    drawn: Sequence[tuple[ImageTask, GeneratedImage]],
    missing: Collection[str],
    where: Path,
) -> None:
    """Write each image that is missing, whole or not at all."""
    for task, one in drawn:
        path = image_path(where, task)
        if task.image_id in missing:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_in_one_move(path, png_of(task, one))


def png_of(task: ImageTask, one: GeneratedImage) -> bytes:
    """The image as PNG, which itself says its prompt, its seed, whether it was flagged, and its
    fault.
    """
    from PIL.PngImagePlugin import PngInfo

    about = PngInfo()
    flagged = str(int(one.flagged or bool(one.fault)))
    said = {"prompt": task.prompt, "seed": str(task.seed), "flagged": flagged}
    for key, value in (
        said | ({"fault": one.fault} if one.fault else {})
    ).items():
        about.add_itxt(key, value)
    stream = io.BytesIO()
    one.image.convert("RGB").save(stream, format="PNG", pnginfo=about)
    return stream.getvalue()


def image_record(where: Path, task: ImageTask) -> dict[str, Any]:
    """The row of images.parquet. UserError for a file that can't be read."""
    path = image_path(where, task)
    try:
        image = read_upright(path, ("PNG",))
    except BadImageError as error:
        raise UserError(
            f"{path} can't be read ({error}); delete it, and the next run makes it again"
        ) from error
    about = {
        "flagged": image.info.get("flagged") == "1",
        "fault": str(image.info.get("fault", "")),
    }
    return {
        **dataclasses.asdict(task),
        "file": path.relative_to(where).as_posix(),
        "sha256": table_digest(path),
        "width": image.width,
        "height": image.height,
        **about,
    }


def is_as_generated(where: Path, row: Mapping[str, Any]) -> bool:
    """Whether the file of a row is there with the bytes that the row says."""
    return (where / row["file"]).is_file() and table_digest(
        where / row["file"]
    ) == row["sha256"]
