"""Mini's renderer as its own judge: what it draws is known, so its answers are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aobench.build.validate.judges import Asked, Pair, refuse_unknown


class Redraw:
    """Draws each picture again from its seed: 1 for a part that a drawing with the same pixels has, else 0.

    The claimed composition is drawn first. Where it differs, every other attribute with the claimed object answers for
    the object, and every other object with the claimed attribute for the attribute. So it is exact for pictures of the
    renderer, and says no to any other.
    """

    questions = ("attribute", "object")
    thresholds: Mapping[str, float] = {"attribute": 0.5, "object": 0.5}

    def __init__(self, model: str, options: dict[str, Any], pairs: Sequence[Pair]) -> None:
        from aobench.mini.pictures import objects
        from aobench.mini.render import ATTRIBUTES

        refuse_unknown("redraw", options, ())
        self.attributes, self.objects = tuple(ATTRIBUTES), objects()
        self.facts: dict[str, Any] = {"judge": "redraw"}

    def __call__(self, asked: Sequence[Asked]) -> dict[str, list[float]]:
        """0 or 1 for each question and image."""
        found = [self._one(one) for one in asked]
        return {"attribute": [float(a) for a, _ in found], "object": [float(o) for _, o in found]}

    def _one(self, asked: Asked) -> tuple[bool, bool]:
        pixels = np.asarray(asked.image)
        known = (asked.attribute in self.attributes, asked.object in self.objects)
        if all(known) and self._same(pixels, asked.attribute, asked.object, asked.seed):
            return True, True
        attribute = known[0] and any(self._same(pixels, asked.attribute, o, asked.seed) for o in self.objects)
        thing = known[1] and any(self._same(pixels, a, asked.object, asked.seed) for a in self.attributes)
        return attribute, thing

    @staticmethod
    def _same(pixels: np.ndarray, attribute: str, name: str, seed: int) -> bool:
        from aobench.mini.render import render

        return np.array_equal(pixels, render(attribute, name, np.random.default_rng(seed)))
