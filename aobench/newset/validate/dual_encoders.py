"""Judges of the CLIP family, by any dual encoder that the runner takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from aobench.newset.validate.judges import (
    ClaimedImage,
    Pair,
    count_option,
    refuse_unknown,
    text_option,
)

if TYPE_CHECKING:
    from aobench.models.base import DualEncoder

BATCH = 256  # texts at once
PHRASE = "a photo of a {attribute} {object}"
HOLDS = ("{attribute}", "{object}")  # what a template is a template of


class _Encoder:
    """Unit vectors of images, and of the texts that were embedded at the start."""

    def __init__(self, model: str, texts: Sequence[str]) -> None:
        import torch

        from aobench.duplicates.embed import load_model
        from aobench.evaluation.prompts import count_cut_prompts

        self.model = load_model(model)
        cut = count_cut_prompts(self.model, texts, ("{}",))
        self.facts = self.model.info.as_facts()
        if cut:
            self.facts["notes"]["prompts_cut"] = cut
        encode = cast("DualEncoder", self.model).encode_texts
        with torch.inference_mode():
            parts = [
                encode(texts[i : i + BATCH]).cpu()
                for i in range(0, len(texts), BATCH)
            ]
        self.vectors = torch.cat(parts).numpy()
        self.row = {text: i for i, text in enumerate(texts)}

    def images(self, asked: Sequence[ClaimedImage]) -> np.ndarray:
        import torch

        arrays = [self.model.transform(one.image) for one in asked]
        batch = {
            name: torch.from_numpy(np.stack([a[name] for a in arrays]))
            for name in arrays[0]
        }
        with torch.inference_mode():
            return self.model.encode_images(batch).float().cpu().numpy()

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        return self.vectors[[self.row[text] for text in texts]]


def _phrase(template: str, attribute: str, name: str) -> str:
    return template.replace("{attribute}", attribute).replace("{object}", name)


class ClipScore:
    """CLIPScore of the image and "A photo depicts a ATTRIBUTE OBJECT": 2.5 max(cosine, 0) (Hessel
    et al. 2021).

    What is high depends on the model: give a threshold, or labels to calibrate it on. Option:
    template.
    """

    questions = ("composition",)
    thresholds: Mapping[str, float] = {}

    def __init__(
        self, model: str, options: dict[str, Any], pairs: Sequence[Pair]
    ) -> None:
        refuse_unknown("clip_score", options, ("template",))
        self.template = text_option(
            "clip_score",
            options,
            "template",
            "A photo depicts a {attribute} {object}",
            HOLDS,
        )
        self.encoder = _Encoder(
            model, sorted({_phrase(self.template, *pair) for pair in pairs})
        )
        self.facts = {
            "judge": "clip_score",
            "template": self.template,
            "model": self.encoder.facts,
        }

    def __call__(self, asked: Sequence[ClaimedImage]) -> dict[str, list[float]]:
        """CLIPScore of each, 0 to 2.5."""
        texts = self.encoder.texts(
            [_phrase(self.template, one.attribute, one.object) for one in asked]
        )
        return {
            "composition": (
                2.5 * np.maximum((self.encoder.images(asked) * texts).sum(1), 0)
            ).tolist()
        }


class ZeroShot:
    """How far the claimed attribute leads over the set's other attributes with the same object, in
    cosine; and so the object over the other objects with the same attribute. Above 0 the claim is
    the model's first choice.

    Options: template; alternatives (at most so many of each, spread over the sorted names; default
    all).
    """

    questions = ("attribute", "object")
    thresholds: Mapping[str, float] = {"attribute": 0.0, "object": 0.0}

    def __init__(
        self, model: str, options: dict[str, Any], pairs: Sequence[Pair]
    ) -> None:
        refuse_unknown("zero_shot", options, ("template", "alternatives"))
        self.template = text_option(
            "zero_shot", options, "template", PHRASE, HOLDS
        )
        most = count_option("zero_shot", options, "alternatives", None)
        self.attributes, self.objects = (
            _spread(sorted({pair[i] for pair in pairs}), most) for i in (0, 1)
        )
        texts = {_phrase(self.template, a, o) for a, o in pairs}
        texts |= {
            _phrase(self.template, a, o)
            for a in self.attributes
            for o in {pair[1] for pair in pairs}
        }
        texts |= {
            _phrase(self.template, a, o)
            for a in {pair[0] for pair in pairs}
            for o in self.objects
        }
        self.encoder = _Encoder(model, sorted(texts))
        # other rivals give other leads
        rivals = json.dumps([self.attributes, self.objects]).encode()
        self.facts = {
            "judge": "zero_shot",
            "template": self.template,
            "attributes": len(self.attributes),
            "objects": len(self.objects),
            "names_sha256": hashlib.sha256(rivals).hexdigest(),
            "model": self.encoder.facts,
        }

    def __call__(self, asked: Sequence[ClaimedImage]) -> dict[str, list[float]]:
        """The two leads of each image."""
        images = self.encoder.images(asked)
        scores: dict[str, list[float]] = {"attribute": [], "object": []}
        for one, image in zip(asked, images, strict=True):
            claim = self._cosine(image, [(one.attribute, one.object)])[0]
            rivals = {
                "attribute": [
                    (a, one.object)
                    for a in self.attributes
                    if a != one.attribute
                ],
                "object": [
                    (one.attribute, o) for o in self.objects if o != one.object
                ],
            }
            for question, others in rivals.items():
                best = self._cosine(image, others).max() if others else -1.0
                scores[question].append(float(claim - best))
        return scores

    def _cosine(self, image: np.ndarray, pairs: Sequence[Pair]) -> np.ndarray:
        return (
            self.encoder.texts(
                [_phrase(self.template, *pair) for pair in pairs]
            )
            @ image
        )


def _spread(names: list[str], most: int | None) -> list[str]:
    if most is None or most >= len(names):
        return names
    return [names[int(i * len(names) / most)] for i in range(most)]
