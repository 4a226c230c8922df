"""transformers' dual encoders: what AutoModelForZeroShotImageClassification maps and embeds images and texts apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional

from aobench.errors import UserError
from aobench.models.base import LoadOptions, ModelInfo, unwrap
from aobench.models.pixels import load_processor, transform_of
from aobench.models.revision import revision_of
from aobench.models.text_tower import TextTower

#: Beginnings of Hub ids whose weights were trained with the named activation.
TRAINED_WITH = {
    "openai/clip-": "quick_gelu",
    "facebook/metaclip-b": "quick_gelu",
    "facebook/metaclip-l": "quick_gelu",
    "facebook/metaclip-h": "quick_gelu",
    "laion/CLIP-": "gelu",
}


def check_activation(name: str, config: Any) -> None:
    """Raise UserError where a CLIP's config names another activation than its weights were trained with."""
    text, vision = (
        getattr(getattr(config, part, None), "hidden_act", None) for part in ("text_config", "vision_config")
    )
    if config.model_type not in ("clip", "metaclip_2", "clipseg") or text is None or vision is None:
        return
    if text != vision:
        raise UserError(
            f"{name}: config.json gives the text tower the activation {text!r} and the image tower {vision!r}; a CLIP "
            "is trained with one: set text_config.hidden_act and vision_config.hidden_act alike (quick_gelu for "
            "weights of OpenAI, gelu for most of open_clip's)"
        )
    for start, wanted in TRAINED_WITH.items():
        if name.startswith(start) and text != wanted:
            raise UserError(
                f"{name}: config.json says hidden_act {text!r}, but these weights were trained with {wanted!r}: set "
                f"hidden_act to {wanted!r} in text_config and vision_config"
            )


def load_weights(auto: Any, source: str, options: LoadOptions) -> Any:
    """``auto.from_pretrained`` of safetensors weights in the dtype and attention of ``options``, ready to run."""
    chosen = {"attn_implementation": options.attention} if options.attention else {}
    model = auto.from_pretrained(source, dtype=getattr(torch, options.dtype), use_safetensors=True, **chosen)
    return model.eval()


def logit_scale(model: Any) -> float:
    """What a cosine is multiplied by for the model's logits: exp(logit_scale), for ALIGN 1 / temperature."""
    if hasattr(model, "temperature"):
        return 1 / float(model.temperature.detach())
    return float(model.logit_scale.detach().float().exp())


class TransformersDualEncoder:
    """A dual encoder of ``kind`` (a model_type) with its own tokenizer and image processor."""

    def __init__(self, source: str, name: str, config: Any, device: torch.device, options: LoadOptions) -> None:
        from transformers import AutoModelForZeroShotImageClassification, AutoTokenizer

        check_activation(name, config)
        self.model: Any = load_weights(AutoModelForZeroShotImageClassification, source, options).to(device)
        self.tokenizer = AutoTokenizer.from_pretrained(source)
        processor = load_processor(source)
        self.transform = transform_of(processor)
        self.device = device
        self.text = TextTower(self.model, self.tokenizer, config.model_type, device)
        self._image_features = self.model.get_image_features
        if options.compile:
            self._image_features = torch.compile(self._image_features)
        bias = getattr(self.model, "logit_bias", None)
        self.info = ModelInfo(
            id=name,
            kind=config.model_type,
            revision=revision_of(source, config),
            processor=f"{type(processor).__name__} {self.transform.identity}",
            dtype=options.dtype,
            device=device.type,
            names_attributes=True,
            notes={
                "texts": self.text.method,
                "pixels": type(self.transform).__name__,
                "logit_scale": logit_scale(self.model),
                "logit_bias": None if bias is None else float(bias.detach().float()),
                "attention": getattr(self.model.config, "_attn_implementation", None),
                "compiled": options.compile,
            },
        )

    @torch.inference_mode()
    def encode_images(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the model's device."""
        inputs = self.transform.inputs(batch, self.device, self.model.dtype)
        return functional.normalize(unwrap(self._image_features(**inputs)).float(), dim=-1)

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the model's device."""
        return self.text.encode(texts)
