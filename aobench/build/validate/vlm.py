"""A vision-language model that is asked yes or no about the attribute and the object, apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aobench.build.loading import one_line
from aobench.build.validate.judges import Asked, Pair, refuse_unknown
from aobench.errors import UserError

QUESTIONS = {
    "attribute": "Look at the {object} in this picture. Is it {attribute}? Answer yes or no.",
    "object": "Does this picture show a {object}? Answer yes or no.",
}
YES, NO = ("yes", "Yes", " yes", " Yes"), ("no", "No", " no", " No")


class YesNo:
    """P(yes) / (P(yes) + P(no)) of the answer's first token, by any image-text-to-text model of transformers.

    The model's own chat template frames the question; without one, ``frame`` does. Options: dtype (float32, float16,
    bfloat16), revision, batch_size (questions at once, default 8), attribute and object (the questions), frame.
    The threshold 0.5 is the model's own yes; calibrate it where you can.
    """

    questions = ("attribute", "object")
    thresholds: Mapping[str, float] = {"attribute": 0.5, "object": 0.5}

    def __init__(self, model: str, options: dict[str, Any], pairs: Sequence[Pair]) -> None:
        import torch
        from accelerate import PartialState
        from transformers import AutoModelForImageTextToText, AutoProcessor

        known = ("dtype", "revision", "batch_size", "attribute", "object", "frame")
        refuse_unknown("vlm", options, known)
        dtype, revision = options.get("dtype", "float32"), options.get("revision")
        if dtype not in ("float32", "float16", "bfloat16"):
            raise UserError(f"the judge 'vlm': dtype is float32, float16 or bfloat16, not {dtype!r}")
        self.device = PartialState().device
        with one_line(model):
            self.processor: Any = AutoProcessor.from_pretrained(model, revision=revision)
            self.model: Any = AutoModelForImageTextToText.from_pretrained(
                model, revision=revision, dtype=getattr(torch, dtype)
            )
        self.model.eval().to(self.device)
        self.processor.tokenizer.padding_side = "left"  # so that the answer's place is the last one
        if self.processor.tokenizer.pad_token is None:
            self.processor.tokenizer.pad_token = self.processor.tokenizer.eos_token
        self.size = int(options.get("batch_size", 8))
        self.asks = {question: options.get(question, text) for question, text in QUESTIONS.items()}
        self.frame = options.get("frame", "USER: {image}\n{question} ASSISTANT:")
        self.yes, self.no = self._first(YES), self._first(NO)
        both = set(self.yes) & set(self.no)
        if both:
            raise UserError(
                f"{model!r}: its tokenizer begins yes and no with one token; this judge can't tell them apart"
            )
        self.facts = {
            "judge": "vlm", "model": model, "revision": revision or getattr(self.model.config, "_commit_hash", None),
            "class": type(self.model).__name__, "dtype": dtype, "device": self.device.type, "questions": self.asks,
            "batch_size": self.size,
        }  # fmt: skip

    def _first(self, words: Sequence[str]) -> list[int]:
        """First tokens of the words, as they would begin an answer."""
        encoded = [self.processor.tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
        return sorted({ids[0] for ids in encoded if ids})

    def _framed(self, question: str) -> str:
        if getattr(self.processor, "chat_template", None):
            content = [{"type": "image"}, {"type": "text", "text": question}]
            said = self.processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
            )
            return str(said)
        mark = getattr(self.processor, "image_token", "<image>")
        return self.frame.replace("{image}", str(mark)).replace("{question}", question)

    def __call__(self, asked: Sequence[Asked]) -> dict[str, list[float]]:
        """Both probabilities of each image."""
        found: dict[str, list[float]] = {}
        for question, template in self.asks.items():
            texts = [
                self._framed(template.replace("{attribute}", one.attribute).replace("{object}", one.object))
                for one in asked
            ]
            images = [one.image for one in asked]
            parts = [slice(i, i + self.size) for i in range(0, len(texts), self.size)]
            found[question] = [p for part in parts for p in self._ask(images[part], texts[part])]
        return found

    def _ask(self, images: list[Any], texts: list[str]) -> list[float]:
        """Halves the batch where memory runs out."""
        import torch
        from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

        try:
            batch = self.processor(images=images, text=texts, return_tensors="pt", padding=True)
            batch = batch.to(self.device, self.model.dtype)
            with torch.inference_mode():
                said = self.model.generate(
                    **batch, max_new_tokens=1, do_sample=False, output_logits=True, return_dict_in_generate=True
                )
                logits = said.logits[0].float()
        except (RuntimeError, MemoryError) as error:
            if not (isinstance(error, MemoryError) or should_reduce_batch_size(error)) or len(texts) == 1:
                raise
            clear_device_cache(garbage_collection=True)
            middle = len(texts) // 2
            return self._ask(images[:middle], texts[:middle]) + self._ask(images[middle:], texts[middle:])
        yes, no = logits[:, self.yes].logsumexp(1), logits[:, self.no].logsumexp(1)
        return torch.sigmoid(yes - no).tolist()
