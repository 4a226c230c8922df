"""Resizing in worker processes, normalising on the device, with the bits of the model's own PIL
processor.

A uint8 pixel has 256 values, so rescaling and normalising is a table of 3 x 256 floats, filled in
by the processor itself. Resizing is Pillow's, called on the decoded image without the copies in
between.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

from aobench.errors import UserError
from aobench.models.checkpoints import library_reads

PIXELS = "pixels"
#: Beyond these stands a slip in a processor's settings: pixels of a side, a pixel's value.
MOST_SIDE, MOST_VALUE = 8192, 20.0


def load_processor(source: str) -> Any:
    """The model's own image processor on Pillow, which needs no torchvision. Raises UserError
    where there is none.
    """
    from transformers import AutoImageProcessor

    with library_reads(f"the image processor of {source}"):
        processor = AutoImageProcessor.from_pretrained(source, backend="pil")
    _check_sizes(processor, source)
    _check_values(processor, source)
    return processor


def _check_sizes(processor: Any, source: str) -> None:
    """UserError for sides that no tower takes: resizing to them would never end."""
    for name in ("size", "crop_size", "pad_size"):
        sides: Any = getattr(processor, name, None)
        for key in ("shortest_edge", "longest_edge", "height", "width"):
            side = sides.get(key) if hasattr(sides, "get") else None
            if isinstance(side, int | float) and not 0 < side <= MOST_SIDE:
                raise UserError(
                    f"{source}: its image processor has a {name} of {side} pixels; set it to the "
                    f"size that the model was trained with, at most {MOST_SIDE:,}"
                )


def _check_values(processor: Any, source: str) -> None:
    """UserError where black or white comes out as numbers that no tower was trained on, as they do
    where rescaling or normalising is of another model.
    """
    white = 255.0
    if getattr(processor, "do_rescale", False):
        white *= getattr(processor, "rescale_factor", None) or 1
    mean, std = [0.0], [1.0]
    if getattr(processor, "do_normalize", False):
        mean = getattr(processor, "image_mean", None) or mean
        std = getattr(processor, "image_std", None) or std
    ends = np.array([[0.0], [white]])
    try:
        with np.errstate(all="ignore"):
            values = (ends - np.asarray(mean, float)) / np.asarray(std, float)
    except (
        TypeError,
        ValueError,
    ):  # no numbers, or not one a channel: the trial tells
        return
    if not np.abs(values).max() <= MOST_VALUE:
        raise UserError(
            f"{source}: its image processor makes pixels from {values.min():.4g} to "
            f"{values.max():.4g}, where a model is trained on -3 to 3 or so; mend do_rescale, "
            "rescale_factor, do_normalize, image_mean and image_std in preprocessor_config.json"
        )


def _digest(content: Any) -> str:
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, default=str).encode()
    ).hexdigest()[:16]


class ResizeCrop:
    """Resize, centre crop, and a table from uint8 to float32: the common processors, without
    their copies.
    """

    def __init__(
        self,
        short: int | None,
        size: tuple[int, int] | None,
        resample: int,
        crop: tuple[int, int] | None,
        table: np.ndarray,
    ) -> None:
        self.short, self.size, self.resample, self.crop = (
            short,
            size,
            resample,
            crop,
        )
        self.table = torch.from_numpy(
            np.ascontiguousarray(table, dtype=np.float32)
        )  # 3 x 256
        self.formula: tuple[torch.Tensor, ...] | None = None
        self.identity = _digest(
            [
                short,
                size,
                resample,
                crop,
                hashlib.sha256(table.tobytes()).hexdigest(),
            ]
        )

    def _resized(self, image: Image.Image) -> tuple[int, int]:
        """(width, height) after resizing; the rule of transformers'
        get_resize_output_image_size.
        """
        if self.short is None:
            assert self.size is not None
            return self.size[1], self.size[0]
        if image.width <= image.height:
            return self.short, int(self.short * image.height / image.width)
        return int(self.short * image.width / image.height), self.short

    def __call__(self, image: Image.Image) -> dict[str, np.ndarray]:
        """{'pixels': uint8 H x W x 3}."""
        image = image.resize(self._resized(image), self.resample)
        if self.crop:
            top, left = (
                (image.height - self.crop[0]) // 2,
                (image.width - self.crop[1]) // 2,
            )
            image = image.crop(
                (left, top, left + self.crop[1], top + self.crop[0])
            )
        return {PIXELS: np.array(image)}

    def inputs(
        self,
        batch: Mapping[str, torch.Tensor],
        device: torch.device,
        dtype: torch.dtype,
    ) -> dict[str, Any]:
        """{'pixel_values': N x 3 x H x W}."""
        pixels = (
            batch[PIXELS]
            .to(device, non_blocking=True)
            .permute(0, 3, 1, 2)
            .contiguous()
        )
        if self.formula is not None:
            mean, std = self.formula
            return {
                "pixel_values": _normalised(
                    pixels, mean.to(device), std.to(device)
                ).to(dtype)
            }
        table = self.table.to(device)
        planes = [
            table[c].index_select(0, pixels[:, c].reshape(-1).int())
            for c in range(pixels.shape[1])
        ]
        return {
            "pixel_values": torch.stack(
                [p.view(pixels[:, 0].shape) for p in planes], 1
            ).to(dtype)
        }

    def use_formula(self, mean: Any, std: Any) -> None:
        """Normalise by arithmetic where (x / 255 - mean) / std has the bits of the table:
        quicker than looking up.
        """
        values = (
            torch.arange(256, dtype=torch.uint8)
            .view(1, 1, 256, 1)
            .expand(1, 3, 256, 1)
        )
        try:
            formula = tuple(
                torch.tensor(v, dtype=torch.float32).view(3, 1, 1)
                for v in (mean, std)
            )
        except (TypeError, ValueError, RuntimeError):
            return
        if torch.equal(_normalised(values, *formula).view(3, 256), self.table):
            self.formula = formula


def _normalised(
    pixels: torch.Tensor, mean: torch.Tensor, std: torch.Tensor
) -> torch.Tensor:
    return pixels.float().div_(255).sub_(mean).div_(std)


class WholeProcessor:
    """Any other processor: it runs as it is in the worker, and its float arrays travel."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.identity = _digest(processor.to_dict())

    def __call__(self, image: Image.Image) -> dict[str, np.ndarray]:
        """The processor's arrays of one image."""
        return {
            name: value[0]
            for name, value in self.processor(
                image, return_tensors="np"
            ).items()
        }

    def inputs(
        self,
        batch: Mapping[str, torch.Tensor],
        device: torch.device,
        dtype: torch.dtype,
    ) -> dict[str, Any]:
        """The arrays as tensors on ``device``, floats in ``dtype``."""
        moved = {
            name: value.to(device, non_blocking=True)
            for name, value in batch.items()
        }
        return {
            name: v.to(dtype) if v.is_floating_point() else v
            for name, v in moved.items()
        }


def _resize_crop(processor: Any) -> ResizeCrop | None:
    """A ResizeCrop of the processor's settings, or None where they ask for more."""
    size = getattr(processor, "size", None)
    if not getattr(processor, "do_resize", False) or not size:
        return None
    short, fixed = (
        size.get("shortest_edge"),
        (size.get("height"), size.get("width")),
    )
    if size.get("longest_edge") or (not short and not all(fixed)):
        return None
    crop = (
        processor.crop_size
        if getattr(processor, "do_center_crop", False)
        else None
    )
    box = (crop["height"], crop["width"]) if crop else None
    if box and max(box) > (short or min(fixed)):
        return None  # such a crop pads
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16).repeat(3, axis=0)
    if processor.do_rescale:
        values = processor.rescale(values, processor.rescale_factor)
    if processor.do_normalize:
        values = processor.normalize(
            values, processor.image_mean, processor.image_std
        )
    table = np.asarray(values, dtype=np.float32).reshape(3, 256)
    transform = ResizeCrop(
        short, None if short else fixed, int(processor.resample), box, table
    )
    transform.use_formula(processor.image_mean, processor.image_std)
    return transform


def _same_bits(transform: ResizeCrop, processor: Any) -> bool:
    """Whether both give the same floats for images larger, smaller, wider and taller than the
    model's.
    """
    draw = np.random.default_rng(0)
    for width, height in ((97, 131), (640, 413), (300, 512), (33, 20)):
        image = Image.fromarray(
            draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
        )
        wanted = processor(image, return_tensors="pt")
        if set(wanted) != {"pixel_values"}:
            return False
        batch = {PIXELS: torch.from_numpy(transform(image)[PIXELS])[None]}
        inputs = transform.inputs(batch, torch.device("cpu"), torch.float32)
        if not torch.equal(inputs["pixel_values"], wanted["pixel_values"]):
            return False
    return True


def transform_of(processor: Any) -> ResizeCrop | WholeProcessor:
    """The quick transform where it gives the processor's own bits on trial images, else the
    processor itself.
    """
    try:
        quick = _resize_crop(processor)
        if quick and _same_bits(quick, processor):
            return quick
    except (AttributeError, KeyError, TypeError, ValueError):
        pass  # a processor of another make: it runs as it is
    return WholeProcessor(processor)
