"""A vision-language model that is asked yes or no about the attribute and the object, apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aobench.errors import UserError
from aobench.models.weights import one_line, weights_mark
from aobench.newset.validate.judges import (
    ClaimedImage,
    Pair,
    count_option,
    refuse_unknown,
    text_option,
)

QUESTIONS = {
    "attribute": "Look at the {object} in this picture. Is it {attribute}? Answer yes or no.",
    "object": "Does this picture show a {object}? Answer yes or no.",
}
#: How a model without a chat template is asked, where nothing else is given.
FRAME = "USER: {image}\n{question} ASSISTANT:"
OPTIONS = ("dtype", "revision", "batch_size", "attribute", "object", "frame")
#: How tokenizers write the space before a word, or the end of a word.
SPACES = ("▁", "Ġ", "</w>")


class YesNo:
    """P(yes) / (P(yes) + P(no)) of the answer's first token, by any image-text-to-text model of
    transformers, as `aobench.models.vision_language` asks it.

    The model's own chat template frames the question, unless ``frame`` is given. Options: dtype
    (float32, float16, bfloat16), revision, batch_size (questions at once, default 8), attribute and
    object (the questions), frame. The threshold 0.5 is the model's own yes; calibrate it where you
    can.
    """

    questions = ("attribute", "object")
    thresholds: Mapping[str, float] = {"attribute": 0.5, "object": 0.5}

    def __init__(
        self, model: str, options: dict[str, Any], pairs: Sequence[Pair]
    ) -> None:
        refuse_unknown("vlm", options, OPTIONS)
        dtype, revision = (
            options.get("dtype", "float32"),
            options.get("revision"),
        )
        if dtype not in ("float32", "float16", "bfloat16"):
            raise UserError(
                f"the judge 'vlm': dtype is float32, float16 or bfloat16, not {dtype!r}"
            )
        if revision is not None:
            revision = text_option("vlm", options, "revision", "")
        self.size = count_option("vlm", options, "batch_size", 8) or 8
        self.asks = {
            q: text_option("vlm", options, q, text, (f"{{{q}}}",))
            for q, text in QUESTIONS.items()
        }
        frame = text_option("vlm", options, "frame", FRAME, ("{question}",))
        self.name = model
        self._load(model, dtype, revision, frame if "frame" in options else "")
        self._refuse_without_image()
        tokenizer = self.core.processor.tokenizer
        self.yes, self.no = answer_tokens(tokenizer, model)
        commit = getattr(self.core.config, "_commit_hash", None)
        self.facts = {
            "judge": "vlm",
            "model": model,
            "revision": revision or commit,
            "weights": weights_mark(model, revision),
            "class": type(self.core.network).__name__,
            "dtype": dtype,
            "device": self.core.device.type,
            "questions": self.asks,
            "frame": self.core.frame.frame or "chat template",
            "batch_size": self.size,
        }

    def _load(
        self, model: str, dtype: str, revision: str | None, frame: str
    ) -> None:
        from accelerate import PartialState

        from aobench.models.base import LoadOptions
        from aobench.models.vision_language import VisionLanguageModel

        device = PartialState().device
        options = LoadOptions(dtype)
        with one_line(model):
            self.core = VisionLanguageModel(
                model,
                model,
                device,
                options,
                revision,
                frame,
                default_frame=FRAME,
            )

    def _refuse_without_image(self) -> None:
        frame, mark = self.core.frame.frame, self.core.frame.mark
        if frame and mark and not ("{image}" in frame or mark in frame):
            raise UserError(
                f"the judge 'vlm': frame is {frame!r}; it lacks {{image}}, the image's place"
            )

    def __call__(self, asked: Sequence[ClaimedImage]) -> dict[str, list[float]]:
        """Both probabilities of each image."""
        scores: dict[str, list[float]] = {}
        images = [one.image for one in asked]
        parts = [
            slice(i, i + self.size) for i in range(0, len(asked), self.size)
        ]
        for question, template in self.asks.items():
            texts = [
                self.core.frame.text(_filled(template, one)) for one in asked
            ]
            scores[question] = [
                p
                for part in parts
                for p in self._ask(images[part], texts[part])
            ]
        return scores

    def _ask(self, images: list[Any], texts: list[str]) -> list[float]:
        """Halves the batch where memory runs out."""
        import torch
        from accelerate.utils.memory import (
            clear_device_cache,
            should_reduce_batch_size,
        )

        try:
            logits = self.core.next_logits(images, texts)
        except UserError as error:
            raise UserError(
                f"the judge 'vlm': {error}; give the option frame as the model's authors write a "
                "question, or another model"
            ) from error
        except (RuntimeError, MemoryError) as error:
            if (
                not (
                    isinstance(error, MemoryError)
                    or should_reduce_batch_size(error)
                )
                or len(texts) == 1
            ):
                raise
            clear_device_cache(garbage_collection=True)
            middle = len(texts) // 2
            return self._ask(images[:middle], texts[:middle]) + self._ask(
                images[middle:], texts[middle:]
            )
        yes, no = (
            logits[:, self.yes].logsumexp(1),
            logits[:, self.no].logsumexp(1),
        )
        return torch.sigmoid(yes - no).tolist()


def _filled(template: str, one: ClaimedImage) -> str:
    text = template.replace("{attribute}", one.attribute)
    return text.replace("{object}", one.object)


def answer_tokens(tokenizer: Any, model: str) -> tuple[list[int], list[int]]:
    """The tokens that say yes, and those that say no: whole words of the vocabulary, in any case,
    after a space or not.

    Where the vocabulary has no word for one of them: the tokens that begin it, without those that
    begin both.
    """
    yes, no = (_words(tokenizer, word) for word in ("yes", "no"))
    if not (yes and no):
        first, second = (_first(tokenizer, word) for word in ("yes", "no"))
        yes, no = first - second, second - first
    if not (yes and no):
        raise UserError(
            f"{model!r}: its tokenizer begins yes and no with one token; this judge can't tell "
            "them apart"
        )
    return sorted(yes), sorted(no)


def _words(tokenizer: Any, word: str) -> set[int]:
    def plain(token: str) -> str:
        for mark in SPACES:
            token = token.replace(mark, " ")
        return token.strip().lower()

    return {
        number
        for token, number in tokenizer.get_vocab().items()
        if plain(str(token)) == word
    }


def _first(tokenizer: Any, word: str) -> set[int]:
    """First tokens of the word as it would begin an answer."""
    forms = (word, word.capitalize(), f" {word}", f" {word.capitalize()}")
    encoded = [
        tokenizer(form, add_special_tokens=False)["input_ids"] for form in forms
    ]
    return {ids[0] for ids in encoded if ids}
