"""Generative vision-language models, asked to choose among options; no text is ever parsed.

``letters``: the options stand in the question, and the first token of the answer is a letter.
``likelihood``: each option is an answer, and its log-probability counts.
The same questions are put with a grey picture in the image's place: what then is right, language
alone makes right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from aobench.errors import UserError
from aobench.images import grey_picture
from aobench.models.answer_letters import letter_scores, letter_tokens
from aobench.models.base import (
    AnswerMethod,
    AskedOptions,
    LoadOptions,
    ModelInfo,
)
from aobench.models.likelihood import LikelihoodScorer, Tokens
from aobench.models.parameters import count_parameters
from aobench.models.revision import revision_of
from aobench.models.vision_language import VisionLanguageModel
from aobench.vocabulary.questions import LETTERS, bundled_questions

if TYPE_CHECKING:
    from PIL import Image

#: By the prefix of a model's name. The last three are made of one run's log-likelihoods.
ANSWER_METHODS: Mapping[str, AnswerMethod] = {
    "letters": AnswerMethod("letters", most_options=len(LETTERS)),
    "likelihood": AnswerMethod("likelihood"),
    "mean-likelihood": AnswerMethod("likelihood", per_token=True),
    "pmi": AnswerMethod("likelihood", prior_weight=1.0),
    "debiased": AnswerMethod("likelihood", fit_prior=True),
}

#: A trial's options, and its questions' sizes of pictures (width, height).
TRIAL = ("red apple", "wooden spoon", "red spoon")
TRIAL_SIZES = ((96, 64), (64, 80))


class WholeImages:
    """Images as they are: the processor sees them together with the question."""

    identity = "whole"

    def __call__(self, image: Image.Image) -> dict[str, np.ndarray]:
        """{'image': uint8 H x W x 3}."""
        return {"image": np.asarray(image.convert("RGB"))}

    def stacked(
        self, arrays: Sequence[Mapping[str, np.ndarray]]
    ) -> dict[str, Any]:
        """{'image': a list of arrays}: sizes may differ."""
        return {"image": [one["image"] for one in arrays]}


class GenerativeModel:
    """An AutoModelForImageTextToText as a model that chooses among options.

    Args:
        source: folder or Hub id.
        name: as the user named it, with the prefix.
        config: of the checkpoint.
        method: a key of ANSWER_METHODS.
        device: where it runs.
        options: dtype and attention; compiling is for dual encoders.

    Raises:
        UserError: where it can't be asked so: no chat template, letters that are no tokens, NaN, an
            image that changes nothing.
    """

    def __init__(
        self,
        source: str,
        name: str,
        config: Any,
        method: str,
        device: torch.device,
        options: LoadOptions,
    ) -> None:
        if options.compile:
            raise UserError(
                f"{name}: --compile is for dual encoders; leave it out"
            )
        self.method = ANSWER_METHODS[method]
        self.core = VisionLanguageModel(source, name, device, options)
        self.questions = bundled_questions()
        self.transform = WholeImages()
        self.device = device
        self.scorer = LikelihoodScorer(self.core)
        if self.method.answer == "likelihood" and self.core.encoder_decoder:
            raise UserError(
                f"{name}: its language model is an encoder with a decoder, whose likelihoods are "
                "not supported; ask for letters: letters:NAME"
            )
        self._try(name)
        processor = type(self.core.processor).__name__
        self.info = ModelInfo(
            id=name,
            kind="generative",
            revision=revision_of(source, config),
            processor=f"{processor} {self._processor_digest()}",
            dtype=options.dtype,
            device=device.type,
            names_attributes=True,
            parameters=count_parameters(self.core.network),
            notes={
                "answers": method,
                "questions": self.questions.hash,
                "frame": self.core.frame.facts,
                "attention": getattr(config, "_attn_implementation", None),
                **({} if self.method.answer == "letters" else self._how()),
            },
        )

    def _how(self) -> dict[str, Any]:
        return {"likelihood": self.scorer.method}

    def _processor_digest(self) -> str:
        import json

        from aobench.vocabulary.templates import texts_hash

        settings = self.core.processor.image_processor.to_dict()
        return texts_hash([json.dumps(settings, sort_keys=True, default=str)])

    def score_options(
        self, images: Sequence[Image.Image], asked: Sequence[AskedOptions]
    ) -> torch.Tensor:
        """float32 N x K: a score for each option, in the options' order; more is better.

        Args:
            images: N, RGB.
            asked: N questions, all with K options.

        Returns:
            Logs of the letters' shares, or the answers' log-likelihoods.
        """
        if self.method.answer == "letters":
            texts = [self._lettered(one) for one in asked]
            letters = self._letters(len(asked[0].options))
            logits = self.core.next_logits(images, texts)
            scores = letter_scores(logits, letters)
            self.core.refuse_impossible(scores)
            return scores
        prompts = [
            self.core.frame.text(self.questions.open(one.kind)) for one in asked
        ]
        pairs = zip(prompts, asked, strict=True)
        answers = [self._answers(prompt, one.options) for prompt, one in pairs]
        return self.scorer(images, prompts, answers)

    def count_tokens(self, asked: AskedOptions) -> list[int]:
        """How many tokens each option has as an answer."""
        prompt = self.core.frame.text(self.questions.open(asked.kind))
        return [len(tokens) for tokens in self._answers(prompt, asked.options)]

    def _lettered(self, asked: AskedOptions) -> str:
        return self.core.frame.text(
            self.questions.lettered(asked.kind, asked.options)
        )

    def _letters(self, count: int) -> list[list[int]]:
        return letter_tokens(
            self.core.processor.tokenizer, count, self.core.name
        )

    def _answers(self, prompt: str, options: Sequence[str]) -> list[Tokens]:
        answers = [
            self.core.frame.answer_tokens(prompt, one) for one in options
        ]
        first: dict[Tokens, str] = {}
        for tokens, option in zip(answers, options, strict=True):
            other = first.setdefault(tokens, option)
            if other != option:
                raise UserError(
                    f"the candidates {other!r} and {option!r} are one and the same text to "
                    f"{self.core.name}: its tokenizer writes both alike; rename one"
                )
        return answers

    def _try(self, name: str) -> None:
        """Two pictures and a question, before any image is run; the likelihood's method with it."""
        from PIL import Image

        draw = np.random.default_rng(0)
        sizes = [(high, wide, 3) for wide, high in TRIAL_SIZES]
        pictures = [
            Image.fromarray(draw.integers(0, 256, size, dtype=np.uint8))
            for size in sizes
        ]
        asked = [
            AskedOptions("composition", TRIAL),
            AskedOptions("object", TRIAL[::-1]),
        ]
        if self.method.answer == "likelihood":
            texts = [
                self.core.frame.text(self.questions.open(a.kind)) for a in asked
            ]
            pairs = zip(texts, asked, strict=True)
            answers = [self._answers(text, one.options) for text, one in pairs]
            self.scorer.choose_method(pictures, texts, answers)
        seen = self.score_options(pictures, asked)
        blind = [grey_picture(picture.size) for picture in pictures]
        if torch.equal(seen, self.score_options(blind, asked)):
            raise UserError(
                f"{name} ignores its image: a picture and a grey one in its place give equal "
                "scores; its weights are damaged, or the chat template doesn't put the image in"
            )
