"""``timm:NAME``: timm's ImageNet-1k classifiers with timm's own preprocessing."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from aobench.errors import UserError
from aobench.models.base import LoadOptions, ModelInfo
from aobench.models.revision import digest_of_state
from aobench.models.transforms import FunctionTransform

MEND = "timm: models need timm and torchvision: pip install timm torchvision"


class TimmClassifier:
    """``name`` as timm.create_model takes it, also ``hf-hub:org/model`` and ``local-dir:FOLDER``."""

    def __init__(self, name: str, device: torch.device, options: LoadOptions) -> None:
        try:
            import timm
        except (ImportError, RuntimeError) as error:  # a torchvision of another build fails with RuntimeError
            raise UserError(f"{MEND} ({str(error).splitlines()[0]})") from error
        try:
            model = timm.create_model(name, pretrained=True)
        except Exception as error:
            raise UserError(f"timm:{name} could not be loaded: {' '.join(str(error).split())}") from error
        if model.num_classes != 1000:
            raise UserError(
                f"timm:{name} tells {model.num_classes} classes apart, not the 1000 of ImageNet-1k; "
                "name a classifier that was trained on ImageNet-1k"
            )
        self.dtype, self.device = getattr(torch, options.dtype), device
        self.model = model.to(device, self.dtype).eval()
        self._forward = torch.compile(self.model) if options.compile else self.model
        function = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
        self.transform = FunctionTransform(function)
        self.info = ModelInfo(
            id=f"timm:{name}",
            kind="supervised",
            revision=digest_of_state(model),
            processor=f"timm {self.transform.identity}",
            dtype=options.dtype,
            device=device.type,
            names_attributes=False,
            notes={"timm": timm.__version__, "preprocessing": str(function), "compiled": options.compile},
        )

    @torch.inference_mode()
    def encode_images(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """float32 scores, N x 1000, on the model's device."""
        return self._forward(self.transform.inputs(batch, self.device, self.dtype)["pixel_values"]).float()
