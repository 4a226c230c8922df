"""transformers' ImageNet-1k classifiers: they score objects and cannot name attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from aobench.models.base import LoadOptions, ModelInfo
from aobench.models.dual_encoder import load_weights
from aobench.models.parameters import count_parameters
from aobench.models.pixels import load_processor, transform_of
from aobench.models.revision import revision_of
from aobench.vocabulary.imagenet_classes import class_order


class TransformersClassifier:
    """An AutoModelForImageClassification over the 1000 ImageNet classes, with its own processor."""

    def __init__(
        self,
        source: str,
        name: str,
        config: Any,
        device: torch.device,
        options: LoadOptions,
    ) -> None:
        from transformers import AutoModelForImageClassification

        labels = [
            config.id2label.get(place, "") for place in range(config.num_labels)
        ]
        self.order = class_order(labels, config.num_labels, name)
        self.model = load_weights(
            AutoModelForImageClassification, source, name, options
        ).to(device)
        processor = load_processor(source)
        self.transform = transform_of(processor)
        self.device = device
        self._forward = (
            torch.compile(self.model) if options.compile else self.model
        )
        self.info = ModelInfo(
            id=name,
            kind="supervised",
            revision=revision_of(source, config),
            processor=f"{type(processor).__name__} {self.transform.identity}",
            dtype=options.dtype,
            device=device.type,
            names_attributes=False,
            parameters=count_parameters(self.model),
            notes={
                "pixels": type(self.transform).__name__,
                "classes": self.order.note,
                "compiled": options.compile,
            },
        )

    @torch.inference_mode()
    def encode_images(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """float32 scores, N x 1000 in ImageNet's order, on the model's device."""
        inputs = self.transform.inputs(batch, self.device, self.model.dtype)
        return self.order.sorted_scores(self._forward(**inputs).logits.float())
