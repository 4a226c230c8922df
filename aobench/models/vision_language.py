"""transformers' image-text-to-text models: a prompt about an image in, logits of the answer out.

Prompts are padded on the right. In a causal model nothing sees what follows it, so padding changes
no number, and places need no correction.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from aobench.errors import UserError
from aobench.models.base import LoadOptions, UnsoundNumbersError
from aobench.models.checkpoints import load_checked
from aobench.models.vlm_processor import (
    QuestionFrame,
    encode_prompts,
    load_vlm_processor,
)

if TYPE_CHECKING:
    from PIL import Image

#: What a processor gives that the model takes for training alone.
UNUSED = ("labels",)


@dataclass(frozen=True)
class PromptBatch:
    """Prompts as the model takes them.

    ``inputs``: its keyword arguments; ``lengths`` int64 N: the tokens of each prompt, images'
    places among them.
    """

    inputs: dict[str, Any]
    lengths: torch.Tensor


class VisionLanguageModel:
    """Any ``AutoModelForImageTextToText`` with its own processor and chat template.

    Args:
        source: folder or Hub id.
        name: what to call it in a message.
        device: where it runs.
        options: dtype and attention.
        revision: commit of the Hub.
        frame: text with ``{image}`` and ``{question}`` that takes the chat template's place.
        default_frame: the same, where there is neither a template nor a frame of the kind's own.

    Raises:
        UserError: where weights, vocabulary, image processor or chat template are missing.
    """

    def __init__(
        self,
        source: str,
        name: str,
        device: torch.device,
        options: LoadOptions,
        revision: str | None = None,
        frame: str = "",
        default_frame: str = "",
    ) -> None:
        from transformers import AutoModelForImageTextToText

        more: dict[str, Any] = (
            {} if revision is None else {"revision": revision}
        )
        if options.attention is not None:
            more["attn_implementation"] = options.attention
        network = load_checked(
            AutoModelForImageTextToText,
            source,
            name,
            dtype=getattr(torch, options.dtype),
            **more,
        )
        rows = network.get_input_embeddings().num_embeddings
        self.processor = load_vlm_processor(source, name, rows, revision)
        former = getattr(self.processor, "qformer_tokenizer", None)
        if former is not None:
            former.padding_side = "right"
        self.network: Any = network.to(device)
        self.name, self.device = name, device
        self.config: Any = network.config
        kind = self.config.model_type
        self.frame = QuestionFrame(
            self.processor, kind, name, frame, default_frame
        )
        parameters = inspect.signature(network.forward).parameters
        self._keeps = "logits_to_keep" in parameters

    @property
    def text_config(self) -> Any:
        """The language model's configuration."""
        return self.config.get_text_config(decoder=True)

    @property
    def encoder_decoder(self) -> bool:
        """Whether the answer is written by a decoder that sees the prompt from outside (T5)."""
        problem = (
            getattr(one, "is_encoder_decoder", False) for one in self._configs()
        )
        return any(problem)

    def _configs(self) -> Iterator[Any]:
        yield self.config
        yield getattr(self.config, "text_config", None)

    @contextlib.contextmanager
    def refusals_in_one_line(self) -> Iterator[None]:
        """Turn what the processor or the model says against a prompt into a UserError."""
        from accelerate.utils.memory import should_reduce_batch_size

        try:
            yield
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            if should_reduce_batch_size(error):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[
                0
            ]
            raise UserError(
                f"{self.name!r} ({type(self.processor).__name__}) can't be asked like this: "
                f"{reason}"
            ) from error

    def prompts(
        self, images: Sequence[Image.Image], texts: Sequence[str]
    ) -> PromptBatch:
        """One prompt an image, on the model's device.

        Args:
            images: N, RGB.
            texts: N, framed by `QuestionFrame.text`.

        Raises:
            UserError: where the processor refuses them, or a prompt has more tokens than the
                model's context.
        """
        with self.refusals_in_one_line():
            batch = encode_prompts(self.processor, images, texts)
        arrays = {
            key: value for key, value in batch.items() if key not in UNUSED
        }
        inputs = {key: self._placed(value) for key, value in arrays.items()}
        lengths = inputs["attention_mask"].sum(1)
        self.refuse_too_long(int(lengths.max()))
        return PromptBatch(inputs, lengths)

    def _placed(self, value: Any) -> Any:
        if not torch.is_tensor(value):
            return value
        floating = value.is_floating_point()
        return value.to(self.device, self.network.dtype if floating else None)

    def refuse_too_long(self, tokens: int) -> None:
        """Raise UserError where a prompt and its answer don't fit the context."""
        places = getattr(self.text_config, "max_position_embeddings", None)
        if isinstance(places, int) and tokens > places:
            raise UserError(
                f"{self.name!r}: a question with its image and options has {tokens:,} tokens, and "
                f"the model's context holds {places:,}; take smaller images, or fewer options"
            )

    @torch.inference_mode()
    def next_logits(
        self, images: Sequence[Image.Image], texts: Sequence[str]
    ) -> torch.Tensor:
        """float32 N x V: the logits of the first token of each answer.

        Raises:
            UserError: where they are NaN, or the model refuses the prompts.
        """
        batch = self.prompts(images, texts)
        with self.refusals_in_one_line():
            if self.encoder_decoder:
                logits = self._first_of_decoder(batch)
            else:
                logits = self.logits_at(
                    batch.inputs, batch.lengths[:, None] - 1
                )[:, 0]
        self.refuse_nan(logits)
        return logits

    def _first_of_decoder(self, batch: PromptBatch) -> torch.Tensor:
        said = self.network.generate(
            **batch.inputs,
            max_new_tokens=1,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
        return said.logits[0].float()

    def logits_at(
        self, inputs: dict[str, Any], places: torch.Tensor, **more: Any
    ) -> torch.Tensor:
        """float32 N x K x V: the logits at ``places`` int64 N x K of each prompt.

        The library's own forward pass. ``more``: goes to it.
        """
        inputs = {**inputs, **more}
        if self._keeps:
            unique, where = places.unique(return_inverse=True)
            logits = self.network(**inputs, logits_to_keep=unique).logits
            if logits.shape[1] == len(unique):
                return _gathered(logits, where.view(places.shape))
        else:
            logits = self.network(**inputs).logits
        return _gathered(logits, places)

    def refuse_nan(self, numbers: torch.Tensor) -> None:
        """Raise UnsoundNumbersError where logits, or scores, N x K are no numbers.

        A logit may be minus infinity, of a token that the model never writes.
        """
        unsound = torch.isnan(numbers) | torch.isposinf(numbers)
        if unsound.any():
            rows = unsound.flatten(1).any(1).nonzero()[:, 0].tolist()
            raise UnsoundNumbersError(
                f"{self.name!r} gives NaN or infinite logits: its numbers don't fit the dtype; use "
                "--dtype bfloat16 or float32",
                rows,
            )

    def refuse_impossible(self, scores: torch.Tensor) -> None:
        """Raise UnsoundNumbersError where the scores N x K of options can't be compared: an option
        that the model never writes.
        """
        self.refuse_nan(scores)
        never = torch.isneginf(scores)
        if never.any():
            raise UnsoundNumbersError(
                f"{self.name!r} gives an option no probability at all (a logit of minus infinity); "
                "ask it the other way, by letters or likelihood",
                never.any(1).nonzero()[:, 0].tolist(),
            )


def _gathered(logits: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    rows = torch.arange(len(places), device=places.device)[:, None]
    return logits[rows, places].float()
