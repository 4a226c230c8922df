"""Digests of what is drawn, by kind: printed as JSON, to be compared between processes and
machines.

Run as a script, with a folder of one's own pictures to draw: python tests/helpers/drawn_digests.py
FOLDER
"""

import hashlib
import json
import sys

import numpy as np

from aobench.mini import pictures, splits
from aobench.mini.render import ATTRIBUTES, MORE_ATTRIBUTES, render
from aobench.newset.generators import ImageTask, Renderer
from aobench.study import world


def digest(arrays):
    """16 hex digits of arrays, in order."""
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()[:16]


def mini():
    """Each attribute in both drawing styles, each time on another object; and the first samples
    of a split.
    """
    names = pictures.objects()
    for number, attribute in enumerate(ATTRIBUTES):
        for other, style in enumerate(pictures.STYLES):
            name = names[(4 * number + 57 * other) % len(names)]
            yield render(attribute, name, np.random.default_rng(number), style)
    for _, sample in zip(range(8), splits.samples("ood"), strict=False):
        yield sample.image()


def more_textures():
    """Each attribute beyond mini's on two objects."""
    for number, attribute in enumerate(MORE_ATTRIBUTES):
        for name in ("teapot", "violin"):
            yield render(attribute, name, np.random.default_rng(number))


def shading():
    """What is known of the drawings' shading: the step in which products of matrices once
    differed.
    """
    for name in pictures.objects()[::11]:
        for style in pictures.STYLES:
            drawing = pictures.picture(name, style)
            yield from (drawing.shade, drawing.lines, drawing.snow)


def renderer(folder):
    """What `imagenet-ao build` draws: of mini's objects, and of the pictures in a folder."""
    attributes = ("red", "marble", "snowy", "pixelated", "neon", "molten")
    for options, objects in (
        ({}, ("teapot", "castle")),
        ({"pictures": folder}, ("comb", "kite")),
    ):
        generator = Renderer("", options)
        tasks = [
            ImageTask("x/0", a, o, 0, seed, "")
            for seed, a in enumerate(attributes)
            for o in objects
        ]
        yield from (np.asarray(made.image) for made in generator(tasks))


def study():
    """The first training images of a condition of the study."""
    yield world.training_images(24, 4, 0).pixels


def digests(folder):
    """All kinds, by name."""
    kinds = {
        "mini": mini(),
        "more textures": more_textures(),
        "shading": shading(),
        "study": study(),
    }
    return {kind: digest(arrays) for kind, arrays in kinds.items()} | {
        "renderer": digest(renderer(folder))
    }


if __name__ == "__main__":
    print(json.dumps(digests(sys.argv[1])))
