"""The interface that every kind of model offers to the runner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from PIL import Image


@dataclass(frozen=True)
class ModelInfo:
    """What made the embeddings: written into results.json as it is."""

    id: str
    kind: str
    revision: str
    processor: str
    dtype: str
    device: str
    names_attributes: bool
    notes: dict[str, Any] = field(default_factory=dict)


class DualEncoder(Protocol):
    """Images and texts in one space; the CLIP family."""

    info: ModelInfo

    def encode_images(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the CPU, of RGB images."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the CPU, of texts."""
        ...


class Classifier(Protocol):
    """A supervised classifier over the 1000 ImageNet classes, in the order of their wnids."""

    info: ModelInfo

    def class_scores(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """float32 scores, N x 1000, on the CPU, of RGB images."""
        ...
