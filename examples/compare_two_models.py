"""Compare two models on the same pictures: is the difference more than chance?

    python examples/compare_two_models.py [OUT]

The second model is an object of one's own: the bundled model behind glasses that take the colours
away. Anything with these four attributes can be evaluated, also in the midst of its training.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from drawn_pictures import draw_folder

import aobench
from aobench.models.base import DualEncoder, LoadOptions
from aobench.models.registry import resolve

ATTRIBUTES = ("red", "orange", "green", "blue", "striped", "wooden")
OBJECTS = ("banana", "ambulance", "violin", "umbrella")


class GreyTransform:
    """What another transform does, of the picture without its colours."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.identity = f"grey-{inner.identity}"

    def __call__(self, image: Any) -> Any:
        return self.inner(image.convert("L").convert("RGB"))

    def inputs(self, *given: Any) -> Any:
        return self.inner.inputs(*given)


class ColourBlind:
    """A dual encoder that sees no colours."""

    def __init__(self, inner: DualEncoder) -> None:
        self.info = replace(inner.info, id="mini-colour-blind")
        self.transform = GreyTransform(inner.transform)
        self.encode_images = inner.encode_images
        self.encode_texts = inner.encode_texts


def main(out: Path, images: int = 6) -> Any:
    """Evaluate both, compare them on the same pictures."""
    pairs = product(ATTRIBUTES, OBJECTS)
    pictures = draw_folder(out / "pictures", images, seen=(), novel=pairs)
    mini = resolve("mini").load(torch.device("cpu"), LoadOptions())
    first, second = aobench.evaluate(
        [mini, ColourBlind(mini)],
        data=pictures,
        templates=["a photo of a {}."],
        out=out / "results",
        cpu=True,
    )
    found = aobench.compare(first, second, split="ood", kind="composition")
    print(
        f"{first.model}: {found.first:.1%}, {second.model}: {found.second:.1%}"
    )
    print(
        f"difference {found.difference:+.1%} [{found.low:+.1%}, {found.high:+.1%}], "
        f"p = {found.p:.3g}, {found.n} images of {found.compositions} pairs"
    )
    print("The interval is for other pictures of these attributes and objects.")
    if found.wide_p is not None:
        print(
            f"For attributes and objects like these: [{found.wide_low:+.1%}, "
            f"{found.wide_high:+.1%}], p = {found.wide_p:.3g}"
        )
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "example-compare"))
