"""A vision-language model that is asked yes or no about the attribute and the object, apart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
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
FRAME = "USER: {image}\n{question} ASSISTANT:"
OPTIONS = ("dtype", "revision", "batch_size", "attribute", "object", "frame")
#: How tokenizers write the space before a word, or the end of a word.
SPACES = ("▁", "Ġ", "</w>")


class YesNo:
    """P(yes) / (P(yes) + P(no)) of the answer's first token, by any image-text-to-text model of
    transformers.

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
        dtype, revision = options.get("dtype", "float32"), options.get("revision")
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
        self._load(model, dtype, revision)
        self.mark, self.frame = (
            self._mark(),
            "" if self._has_template() and "frame" not in options else frame,
        )
        if (
            self.frame
            and self.mark
            and not ("{image}" in self.frame or self.mark in self.frame)
        ):
            raise UserError(
                f"the judge 'vlm': frame is {self.frame!r}; it lacks {{image}}, the image's place"
            )
        if getattr(self.processor, "qformer_tokenizer", None) is not None:
            # InstructBLIP pads the Q-Former's text on the left, which moves its places
            self.size = 1
        self.yes, self.no = answer_tokens(self.processor.tokenizer, model)
        self.facts = {
            "judge": "vlm",
            "model": model,
            "revision": revision or getattr(self.model.config, "_commit_hash", None),
            "weights": weights_mark(model, revision),
            "class": type(self.model).__name__,
            "dtype": dtype,
            "device": self.device.type,
            "questions": self.asks,
            "frame": self.frame or "chat template",
            "batch_size": self.size,
        }

    def _load(self, model: str, dtype: str, revision: str | None) -> None:
        import torch
        from accelerate import PartialState
        from transformers import AutoModelForImageTextToText, AutoProcessor

        from aobench.models.checkpoints import load_checked
        from aobench.models.tokenizers import check_tokenizer

        self.device = PartialState().device
        with one_line(model):
            self.processor: Any = AutoProcessor.from_pretrained(
                model, revision=revision
            )
        network = load_checked(
            AutoModelForImageTextToText,
            model,
            revision=revision,
            dtype=getattr(torch, dtype),
        )
        self.model: Any = network.to(self.device)
        check_tokenizer(
            self.processor.tokenizer,
            model,
            network.get_input_embeddings().num_embeddings,
        )
        self.processor.tokenizer.padding_side = (
            "left"  # so that the answer's place is the last one
        )
        if self.processor.tokenizer.pad_token is None:
            self.processor.tokenizer.pad_token = self.processor.tokenizer.eos_token

    def _has_template(self) -> bool:
        return bool(getattr(self.processor, "chat_template", None))

    def _mark(self) -> str:
        """What stands for the image in a text; nothing for a processor that puts its own tokens
        before the text.
        """
        if (
            getattr(self.processor, "num_query_tokens", None) is not None
        ):  # BLIP-2 and its kin
            return ""
        # Gemma 3 calls the tokens that it fills in "image", and what a text holds "begin of image".
        return str(
            getattr(self.processor, "boi_token", None)
            or getattr(self.processor, "image_token", "<image>")
        )

    def _framed(self, question: str) -> str:
        if self.frame:
            return self.frame.replace("{image}", self.mark).replace(
                "{question}", question
            )
        content = [{"type": "image"}, {"type": "text", "text": question}]
        said = self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=False,
        )
        return str(said)

    def __call__(self, asked: Sequence[ClaimedImage]) -> dict[str, list[float]]:
        """Both probabilities of each image."""
        scores: dict[str, list[float]] = {}
        for question, template in self.asks.items():
            texts = [
                self._framed(
                    template.replace("{attribute}", one.attribute).replace(
                        "{object}", one.object
                    )
                )
                for one in asked
            ]
            images = [one.image for one in asked]
            parts = [slice(i, i + self.size) for i in range(0, len(texts), self.size)]
            scores[question] = [
                p for part in parts for p in self._ask(images[part], texts[part])
            ]
        return scores

    def _batch(self, images: list[Any], texts: list[str]) -> Any:
        """What the model takes: one image for each text, and the beginning of a text marked
        once.
        """
        begin = self.processor.tokenizer.bos_token
        # As apply_chat_template does where it makes the tokens itself: a template may write the
        # mark of the beginning.
        more = (
            {"add_special_tokens": False}
            if begin and texts[0].startswith(begin)
            else {}
        )
        # a flat list is the images of one text to some processors
        nested = [[image] for image in images]
        with self._one_line():
            batch = self.processor(
                images=nested, text=texts, return_tensors="pt", padding=True, **more
            )
        return batch.to(self.device, self.model.dtype)

    @contextlib.contextmanager
    def _one_line(self) -> Iterator[None]:
        """Turn what the processor or the model says against a question into a UserError."""
        from accelerate.utils.memory import should_reduce_batch_size

        try:
            yield
        except (
            ValueError,
            TypeError,
            IndexError,
            RuntimeError,
        ) as error:  # a frame or picture that isn't theirs
            if should_reduce_batch_size(error):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(
                f"the judge 'vlm': {self.name!r} ({type(self.processor).__name__}) can't be asked "
                f"like this: {reason}; "
                "give the option frame as the model's authors write a question, or another model"
            ) from error

    def _ask(self, images: list[Any], texts: list[str]) -> list[float]:
        """Halves the batch where memory runs out."""
        import torch
        from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

        try:
            batch = self._batch(images, texts)
            with self._one_line(), torch.inference_mode():
                said = self.model.generate(
                    **batch,
                    max_new_tokens=1,
                    do_sample=False,
                    output_logits=True,
                    return_dict_in_generate=True,
                )
                logits = said.logits[0].float()
        except (RuntimeError, MemoryError) as error:
            if (
                not (isinstance(error, MemoryError) or should_reduce_batch_size(error))
                or len(texts) == 1
            ):
                raise
            clear_device_cache(garbage_collection=True)
            middle = len(texts) // 2
            return self._ask(images[:middle], texts[:middle]) + self._ask(
                images[middle:], texts[middle:]
            )
        yes, no = logits[:, self.yes].logsumexp(1), logits[:, self.no].logsumexp(1)
        return torch.sigmoid(yes - no).tolist()


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
    encoded = [tokenizer(form, add_special_tokens=False)["input_ids"] for form in forms]
    return {ids[0] for ids in encoded if ids}
