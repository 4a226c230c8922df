"""transformers' CLIPModel as a dual encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from aobench.models.base import ModelInfo

if TYPE_CHECKING:
    from PIL import Image


def unwrap(output: Any) -> torch.Tensor:
    """The projected embedding: transformers 5 wraps it in an object, earlier versions return it."""
    return output if torch.is_tensor(output) else output.pooler_output


class ClipEncoder:
    """A CLIPModel with its own tokenizer and image processor, in float32."""

    def __init__(self, source: str, name: str, device: torch.device) -> None:
        from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

        self.model: Any = CLIPModel.from_pretrained(source, dtype=torch.float32).eval()
        self.model.to(device)
        self.tokenizer = AutoTokenizer.from_pretrained(source)
        self.processor = AutoImageProcessor.from_pretrained(source, backend="pil")
        self.device = device
        self.limit = self.model.config.text_config.max_position_embeddings
        self.info = ModelInfo(
            id=name,
            kind="clip",
            revision=getattr(self.model.config, "_commit_hash", None) or "local",
            processor=type(self.processor).__name__,
            dtype="float32",
            device=device.type,
            names_attributes=True,
        )

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the CPU."""
        pixels = self.processor(list(images), return_tensors="pt")["pixel_values"].to(self.device)
        return functional.normalize(unwrap(self.model.get_image_features(pixel_values=pixels)).float()).cpu()

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the CPU; padded to the longest text: exact, the tower is causal."""
        tokens = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.limit, return_tensors="pt"
        ).to(self.device)
        output = self.model.get_text_features(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
        return functional.normalize(unwrap(output).float()).cpu()
