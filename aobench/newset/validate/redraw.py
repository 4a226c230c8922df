"""Mini's renderer as its own judge: what it draws is known, so its answers are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aobench.newset.validate.judges import ClaimedImage, Pair, refuse_unknown


class Redraw:
    """Draws each picture again from its seed: 1 for a part that a drawing with the same pixels has,
    else 0.

    The claimed composition is drawn first. Where it differs, every other attribute with the claimed
    object answers for the object, and every other object with the claimed attribute for the
    attribute. So it is exact for pictures of the renderer, and says no to any other. Option:
    pictures, the folder that the generator draws from.
    """

    own_pictures = True
    questions = ("attribute", "object")
    thresholds: Mapping[str, float] = {"attribute": 0.5, "object": 0.5}

    def __init__(
        self, model: str, options: dict[str, Any], pairs: Sequence[Pair]
    ) -> None:
        from aobench.mini.own_pictures import Objects
        from aobench.mini.render import ATTRIBUTES, MORE_ATTRIBUTES

        refuse_unknown("redraw", options, ("pictures",))
        self.attributes, self.objects = (
            (*ATTRIBUTES, *MORE_ATTRIBUTES),
            Objects(options.get("pictures")),
        )
        own = {
            key: self.objects.facts[key]
            for key in ("pictures",)
            if key in self.objects.facts
        }
        self.facts: dict[str, Any] = {"judge": "redraw", **own}

    def __call__(self, asked: Sequence[ClaimedImage]) -> dict[str, list[float]]:
        """0 or 1 for each question and image."""
        answers = [self._one(one) for one in asked]
        return {
            "attribute": [float(a) for a, _ in answers],
            "object": [float(o) for _, o in answers],
        }

    def _one(self, asked: ClaimedImage) -> tuple[bool, bool]:
        pixels = np.asarray(asked.image)
        known = (
            asked.attribute in self.attributes,
            asked.object in self.objects.names,
        )
        if all(known) and self._same(
            pixels, asked.attribute, asked.object, asked.seed
        ):
            return True, True
        attribute = known[0] and any(
            self._same(pixels, asked.attribute, o, asked.seed)
            for o in self.objects.names
        )
        thing = known[1] and any(
            self._same(pixels, a, asked.object, asked.seed)
            for a in self.attributes
        )
        return attribute, thing

    def _same(
        self, pixels: np.ndarray, attribute: str, name: str, seed: int
    ) -> bool:
        return np.array_equal(
            pixels, self.objects.render(attribute, name, seed)
        )
