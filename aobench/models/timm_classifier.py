"""``timm:NAME``: timm's ImageNet-1k classifiers with timm's own preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from aobench.errors import UserError
from aobench.models.base import LoadOptions, ModelInfo
from aobench.models.checkpoints import (
    library_reads,
    refuse_not_numbers,
    watch_loading,
)
from aobench.models.parameters import count_parameters
from aobench.models.revision import digest_of_state
from aobench.models.transforms import FunctionTransform
from aobench.vocabulary.imagenet_classes import WNID, class_order

MEND = "timm: models need timm and torchvision: pip install timm torchvision"


def label_names(config: Mapping[str, Any]) -> list[str] | None:
    """What timm's configuration of a checkpoint calls each output; None where it doesn't say.

    ``label_names`` is a list, or a mapping from places to names; ``label_descriptions`` words by
    name, used where a name is neither a wnid nor a word of its own.
    """
    names, words = config.get("label_names"), config.get("label_descriptions")
    if not names:
        return None
    if isinstance(names, Mapping):
        names = [
            names.get(str(place), names.get(place, ""))
            for place in range(len(names))
        ]
    if isinstance(words, Mapping) and not all(
        WNID.search(str(name)) for name in names
    ):
        names = [words.get(name, name) for name in names]
    return [str(name) for name in names]


class TimmClassifier:
    """``name`` as timm.create_model takes it, also ``hf-hub:org/model`` and
    ``local-dir:FOLDER``.
    """

    def __init__(
        self, name: str, device: torch.device, options: LoadOptions
    ) -> None:
        try:
            import timm
        except (
            ImportError,
            RuntimeError,
        ) as error:  # a torchvision of another build fails with RuntimeError
            raise UserError(f"{MEND} ({str(error).splitlines()[0]})") from error
        with (
            library_reads(f"the model 'timm:{name}'"),
            watch_loading() as weights,
        ):
            model = timm.create_model(name, pretrained=True)
        # such a format fills tensors by itself, each by name
        if not model.pretrained_cfg.get("custom_load"):
            weights.refuse_gaps(f"timm:{name}", model)
        refuse_not_numbers(f"timm:{name}", model)
        self.order = class_order(
            label_names(model.pretrained_cfg), model.num_classes, f"timm:{name}"
        )
        self.dtype, self.device = getattr(torch, options.dtype), device
        self.model = model.to(device, self.dtype).eval()
        self._forward = (
            torch.compile(self.model) if options.compile else self.model
        )
        function = timm.data.create_transform(
            **timm.data.resolve_model_data_config(model), is_training=False
        )
        self.transform = FunctionTransform(function)
        self.info = ModelInfo(
            id=f"timm:{name}",
            kind="supervised",
            revision=digest_of_state(model),
            processor=f"timm {self.transform.identity}",
            dtype=options.dtype,
            device=device.type,
            names_attributes=False,
            parameters=count_parameters(self.model),
            notes={
                "timm": timm.__version__,
                "preprocessing": str(function),
                "classes": self.order.note,
                "compiled": options.compile,
            },
        )

    @torch.inference_mode()
    def encode_images(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """float32 scores, N x 1000 in ImageNet's order, on the model's device."""
        pixels = self.transform.inputs(batch, self.device, self.dtype)[
            "pixel_values"
        ]
        return self.order.sorted_scores(self._forward(pixels).float())
