"""Preprocessing given as a function of one image, as timm and open_clip give theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image


class FunctionTransform:
    """``function`` from an RGB image to a float tensor 3 x H x W; runs in the worker as it is."""

    def __init__(self, function: Callable[[Image.Image], torch.Tensor]) -> None:
        self.function = function
        self.identity = hashlib.sha256(str(function).encode()).hexdigest()[:16]

    def __call__(self, image: Image.Image) -> dict[str, np.ndarray]:
        """{'pixel_values': float32 3 x H x W}."""
        return {"pixel_values": self.function(image).numpy()}

    def inputs(
        self,
        batch: Mapping[str, torch.Tensor],
        device: torch.device,
        dtype: torch.dtype,
    ) -> dict[str, Any]:
        """{'pixel_values': N x 3 x H x W}."""
        return {
            "pixel_values": batch["pixel_values"].to(
                device, dtype, non_blocking=True
            )
        }
