"""One trial of a model right after it was loaded: what is wrong is told before any image is run."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import torch
from PIL import Image

from aobench.errors import UserError
from aobench.models.base import is_bad_files
from aobench.models.pixels import WholeProcessor

#: How libraries say that sizes don't fit; any other error is a bug and stays one.
SIZES = re.compile(
    r"\bsizes?\b|\bshapes?\b|dimension|out of range|channel|broadcast|(doesn't|does not|must) "
    r"match",
    re.I,
)
#: Width and height of the trial's pictures: one wide, one tall, neither a model's own size.
PICTURES = ((96, 64), (64, 80))
TEXTS = ("a photo of the red lion", "the wooden banana")


def try_once(model: Any, name: str) -> None:
    """Run two small pictures, and for a dual encoder two texts, through ``model``.

    Raises:
        UserError: where pixels don't fit the image tower, pictures come out of the processor in
        unlike sizes, texts
            and images have vectors of unlike length, or a tower gives NaN or one vector for all it
            gets.
    """
    with (
        warnings.catch_warnings()
    ):  # what a library warns of here, the trial tells
        warnings.simplefilter("ignore")
        _try_once(model, name)


def _try_once(model: Any, name: str) -> None:
    tower = getattr(model, "image_features", model.encode_images)
    with torch.compiler.set_stance(
        "force_eager"
    ):  # compiling is for the shapes of the run
        batch = _batch(model, name)
        images = _vectors(
            lambda: tower(batch), f"{name}: its image tower refuses pictures"
        )
        _refuse_useless(images, f"{name}: its image tower", "pictures")
        if not model.info.names_attributes:
            return
        texts = _vectors(
            lambda: model.encode_texts(list(TEXTS)),
            f"{name}: its text tower refuses texts",
        )
    _refuse_useless(texts, f"{name}: its text tower", "texts")
    if images.shape[1] != texts.shape[1]:
        raise UserError(
            f"{name}: images have vectors of {images.shape[1]} numbers, texts of "
            f"{texts.shape[1]}: they can't be "
            "compared; mend config.json"
        )


def _batch(model: Any, name: str) -> dict[str, torch.Tensor]:
    draw = np.random.default_rng(0)
    pictures = [
        Image.fromarray(draw.integers(0, 256, (high, wide, 3), dtype=np.uint8))
        for wide, high in PICTURES
    ]
    try:
        arrays = [model.transform(picture) for picture in pictures]
    except Exception as error:
        # Such a processor is the library's, run by the settings in the folder.
        if not (
            isinstance(model.transform, WholeProcessor) and is_bad_files(error)
        ):
            raise
        reason = " ".join(str(error).split())
        raise UserError(
            f"{name}: its processor fails by its own settings: {reason[:300]}"
        ) from error
    shapes = [
        {key: value.shape for key, value in one.items()} for one in arrays
    ]
    if shapes[0] != shapes[1]:
        wide, tall = (
            "x".join(map(str, next(iter(one.values())))) for one in shapes
        )
        raise UserError(
            f"{name}: its processor gives pictures of unlike sizes ({wide} and {tall}): it "
            f"doesn't resize or crop; set "
            "do_resize and size in preprocessor_config.json as the model was trained"
        )
    return {
        key: torch.from_numpy(np.stack([one[key] for one in arrays]))
        for key in arrays[0]
    }


def _vectors(function: Any, what: str) -> Any:
    try:
        return function()
    except (ValueError, RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())
        if not SIZES.search(reason):
            raise
        raise UserError(
            f"{what}: {reason[:300]}; the processor's sizes, config.json and the weights don't "
            f"belong together"
        ) from error


def _refuse_useless(vectors: torch.Tensor, what: str, inputs: str) -> None:
    if not torch.isfinite(vectors).all():
        raise UserError(
            f"{what} gives NaN or infinity: its numbers don't fit the dtype; use --dtype bfloat16 "
            f"or float32"
        )
    if torch.equal(vectors[0], vectors[1]):
        raise UserError(
            f"{what} gives unlike {inputs} one and the same vector: its weights or files are "
            f"damaged"
        )
