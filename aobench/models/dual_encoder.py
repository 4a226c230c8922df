"""transformers' dual encoders: what AutoModelForZeroShotImageClassification maps and embeds
images and texts apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional

from aobench.errors import UserError
from aobench.models.base import (
    LoadOptions,
    ModelInfo,
    TextTokens,
    unwrap_output,
)
from aobench.models.checkpoints import load_checked
from aobench.models.kinds import DUAL_ENCODERS
from aobench.models.parameters import count_parameters
from aobench.models.pixels import load_processor, transform_of
from aobench.models.revision import revision_of
from aobench.models.text_tower import TextTower
from aobench.models.tokenizers import letter_case, load_tokenizer

#: The highest factor of cosines that is believed; CLIP's is 100.
MOST_SCALE = 10_000

#: Beginnings of Hub ids whose weights were trained with the named activation.
TRAINED_WITH = {
    "openai/clip-": "quick_gelu",
    "facebook/metaclip-b": "quick_gelu",
    "facebook/metaclip-l": "quick_gelu",
    "facebook/metaclip-h": "quick_gelu",
    "laion/CLIP-": "gelu",
}


def check_activation(name: str, config: Any) -> None:
    """Raise UserError where a CLIP's config names another activation than its weights were
    trained with.
    """
    text, vision = (
        getattr(getattr(config, part, None), "hidden_act", None)
        for part in ("text_config", "vision_config")
    )
    if (
        not DUAL_ENCODERS[config.model_type].one_activation
        or text is None
        or vision is None
    ):
        return
    if text != vision:
        raise UserError(
            f"{name}: config.json gives the text tower the activation {text!r} and the image tower "
            f"{vision!r}; a CLIP "
            "is trained with one: set text_config.hidden_act and vision_config.hidden_act alike "
            "(quick_gelu for "
            "weights of OpenAI, gelu for most of open_clip's)"
        )
    for start, wanted in TRAINED_WITH.items():
        if name.startswith(start) and text != wanted:
            raise UserError(
                f"{name}: config.json says hidden_act {text!r}, but these weights were trained "
                f"with {wanted!r}: set "
                f"hidden_act to {wanted!r} in text_config and vision_config"
            )


def load_weights(
    auto: Any, source: str, name: str, options: LoadOptions
) -> Any:
    """``auto``'s network with all its safetensors weights, in the dtype and attention of
    ``options``.
    """
    chosen = (
        {"attn_implementation": options.attention} if options.attention else {}
    )
    return load_checked(
        auto,
        source,
        name,
        dtype=getattr(torch, options.dtype),
        use_safetensors=True,
        **chosen,
    )


def logit_scale(model: Any, name: str) -> float:
    """What a cosine is multiplied by for the model's logits: exp(logit_scale), for ALIGN 1 /
    temperature.

    Raises UserError where that is no number that a model could have been trained with.
    """
    if hasattr(model, "temperature"):
        stored = float(model.temperature.detach())
        scale, what = (1 / stored if stored else math.inf), "temperature"
    else:
        stored = float(model.logit_scale.detach().float())
        scale, what = float(torch.tensor(stored).double().exp()), "logit_scale"
    if not 0 < scale <= MOST_SCALE:
        raise UserError(
            f"{name}: {what} is {stored:g}, which multiplies cosines by {scale:g} (at most "
            f"{MOST_SCALE:,}; CLIP has "
            "100): the checkpoint is damaged, or holds the scale in place of its logarithm"
        )
    return scale


class TransformersDualEncoder:
    """A dual encoder of ``kind`` (a model_type) with its own tokenizer and image processor."""

    def __init__(
        self,
        source: str,
        name: str,
        config: Any,
        device: torch.device,
        options: LoadOptions,
    ) -> None:
        from transformers import AutoModelForZeroShotImageClassification

        check_activation(name, config)
        self.model: Any = load_weights(
            AutoModelForZeroShotImageClassification, source, name, options
        ).to(device)
        scale = logit_scale(self.model, name)
        self.tokenizer = load_tokenizer(
            source, name, config.text_config.vocab_size
        )
        processor = load_processor(source)
        self.transform = transform_of(processor)
        self.device = device
        self.text = TextTower(
            self.model, self.tokenizer, config.model_type, device
        )
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
            parameters=count_parameters(self.model),
            notes={
                "texts": self.text.method,
                "letter_case": letter_case(self.tokenizer),
                "pixels": type(self.transform).__name__,
                "logit_scale": scale,
                "logit_bias": None
                if bias is None
                else float(bias.detach().float()),
                "attention": getattr(
                    self.model.config, "_attn_implementation", None
                ),
                "compiled": options.compile,
            },
        )

    @torch.inference_mode()
    def encode_images(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the model's device."""
        return functional.normalize(self.image_features(batch), dim=-1)

    @torch.inference_mode()
    def image_features(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """float32 N x D of any length, on the model's device."""
        inputs = self.transform.inputs(batch, self.device, self.model.dtype)
        return unwrap_output(self._image_features(**inputs)).float()

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the model's device."""
        return self.text.encode(texts)

    def read_texts(self, texts: Sequence[str]) -> TextTokens:
        """What the text tower sees of each text."""
        return TextTokens(
            [tuple(ids) for ids in self.text.sequences(texts)],
            self.text.too_long(texts),
        )
