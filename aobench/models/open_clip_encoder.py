"""``open_clip:ARCHITECTURE/TAG`` and ``open_clip:hf-hub:org/model``: checkpoints of the
open_clip package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional

from aobench.errors import UserError, did_you_mean
from aobench.models.base import LoadOptions, ModelInfo, TextTokens
from aobench.models.checkpoints import library_reads, watch_loading
from aobench.models.dual_encoder import logit_scale
from aobench.models.halving import Halving
from aobench.models.parameters import count_parameters
from aobench.models.revision import digest_of_state
from aobench.models.tokenizers import check_tokenizer
from aobench.models.transforms import FunctionTransform

MEND = (
    "open_clip: models need open_clip_torch and torchvision: pip install open_clip_torch "
    "torchvision"
)
TEXTS = {"cpu": 64, "cuda": 1024}


def check_activation(open_clip: Any, architecture: str, tag: str) -> None:
    """Raise UserError where the tag's weights were trained with another activation than the
    architecture has.
    """
    config = open_clip.get_model_config(architecture)
    if config is None:
        raise UserError(
            "open_clip has no architecture "
            f"{architecture!r}{did_you_mean(architecture, open_clip.list_models())}"
        )
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    trained = open_clip.get_pretrained_cfg(architecture, tag)
    if not trained:
        raise UserError(
            f"open_clip has no weights {tag!r} for {architecture}{did_you_mean(tag, tags)}; "
            f"it has: {', '.join(tags) or 'none'}"
        )
    wanted, actual = (
        bool(trained.get("quick_gelu")),
        bool(config.get("quick_gelu")),
    )
    if wanted != actual:
        other = (
            f"{architecture}-quickgelu"
            if wanted
            else architecture.removesuffix("-quickgelu")
        )
        raise UserError(
            f"open_clip:{architecture}/{tag}: these weights were trained "
            f"{'with' if wanted else 'without'} QuickGELU, "
            f"the architecture {architecture} is {'without' if wanted else 'with'} it: name "
            f"open_clip:{other}/{tag}"
        )


class OpenClipEncoder:
    """A checkpoint with open_clip's own tokenizer and preprocessing; texts padded to its context
    length.
    """

    def __init__(
        self, name: str, device: torch.device, options: LoadOptions
    ) -> None:
        try:
            import open_clip
        except (
            ImportError,
            RuntimeError,
        ) as error:  # a torchvision of another build fails with RuntimeError
            raise UserError(f"{MEND} ({str(error).splitlines()[0]})") from error
        architecture, _, tag = name.partition("/")
        # hf-hub:org/model and local-dir:FOLDER name architecture and weights at once
        if ":" in name:
            architecture, tag = name, ""
        elif not tag:
            raise UserError(
                f"open_clip:{name} names no weights; write open_clip:ARCHITECTURE/TAG"
            )
        else:
            check_activation(open_clip, architecture, tag)
        with (
            library_reads(f"the model 'open_clip:{name}'"),
            watch_loading() as weights,
        ):
            model, _, preprocess = open_clip.create_model_and_transforms(
                architecture, pretrained=tag or None
            )
        with library_reads(f"the tokenizer of 'open_clip:{name}'"):
            self.tokenizer = open_clip.get_tokenizer(architecture)
        weights.refuse_gaps(f"open_clip:{name}", model)
        scale = logit_scale(model, f"open_clip:{name}")
        # one of transformers, for text towers of theirs
        inner = getattr(self.tokenizer, "tokenizer", None)
        if inner is not None:
            check_tokenizer(inner, f"open_clip:{name}")
        self.dtype, self.device = getattr(torch, options.dtype), device
        self.model: Any = model.to(device, self.dtype).eval()
        self._encode_image = (
            torch.compile(self.model.encode_image)
            if options.compile
            else self.model.encode_image
        )
        self._encode_text = Halving(
            lambda batch: self.model.encode_text(
                batch["text"].to(device)
            ).float()
        )
        self.transform = FunctionTransform(preprocess)
        self.info = ModelInfo(
            id=f"open_clip:{name}",
            kind="open_clip",
            revision=digest_of_state(model),
            processor=f"open_clip {self.transform.identity}",
            dtype=options.dtype,
            device=device.type,
            names_attributes=True,
            parameters=count_parameters(self.model),
            notes={
                "open_clip": open_clip.__version__,
                "preprocessing": str(preprocess),
                "logit_scale": scale,
                "compiled": options.compile,
            },
        )

    @torch.inference_mode()
    def encode_images(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the model's device."""
        pixels = self.transform.inputs(batch, self.device, self.dtype)[
            "pixel_values"
        ]
        return functional.normalize(self._encode_image(pixels).float(), dim=-1)

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the model's device."""
        size = TEXTS.get(self.device.type, TEXTS["cuda"])
        parts = [
            self._encode_text(
                {"text": self.tokenizer(list(texts[start : start + size]))}
            )
            for start in range(0, len(texts), size)
        ]
        return functional.normalize(torch.cat(parts), dim=-1)

    def read_texts(self, texts: Sequence[str]) -> TextTokens:
        """What the text tower sees of each text; cut is one that reads otherwise with a place
        more.
        """
        length = self.tokenizer.context_length
        tokens = self.tokenizer(list(texts))
        longer = self.tokenizer(list(texts), context_length=length + 1)
        cut = (longer[:, :length] != tokens).any(dim=1)
        return TextTokens([tuple(ids) for ids in tokens.tolist()], cut.tolist())
