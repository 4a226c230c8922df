"""Prompt templates: the 80 that OpenAI published for ImageNet with CLIP, and a reader for one's
own.

Source of the 80: the prompt notebook of the CLIP release (Radford et al. 2021, arXiv 2103.00020).
Names are put in as they are, without articles of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from aobench.errors import UserError
from aobench.files import read_lines

SLOT = "{}"

_OPENAI = """
a bad photo of a {}.
a photo of many {}.
a sculpture of a {}.
a photo of the hard to see {}.
a low resolution photo of the {}.
a rendering of a {}.
graffiti of a {}.
a bad photo of the {}.
a cropped photo of the {}.
a tattoo of a {}.
the embroidered {}.
a photo of a hard to see {}.
a bright photo of a {}.
a photo of a clean {}.
a photo of a dirty {}.
a dark photo of the {}.
a drawing of a {}.
a photo of my {}.
the plastic {}.
a photo of the cool {}.
a close-up photo of a {}.
a black and white photo of the {}.
a painting of the {}.
a painting of a {}.
a pixelated photo of the {}.
a sculpture of the {}.
a bright photo of the {}.
a cropped photo of a {}.
a plastic {}.
a photo of the dirty {}.
a jpeg corrupted photo of a {}.
a blurry photo of the {}.
a photo of the {}.
a good photo of the {}.
a rendering of the {}.
a {} in a video game.
a photo of one {}.
a doodle of a {}.
a close-up photo of the {}.
a photo of a {}.
the origami {}.
the {} in a video game.
a sketch of a {}.
a doodle of the {}.
a origami {}.
a low resolution photo of a {}.
the toy {}.
a rendition of the {}.
a photo of the clean {}.
a photo of a large {}.
a rendition of a {}.
a photo of a nice {}.
a photo of a weird {}.
a blurry photo of a {}.
a cartoon {}.
art of a {}.
a sketch of the {}.
a embroidered {}.
a pixelated photo of a {}.
itap of the {}.
a jpeg corrupted photo of the {}.
a good photo of a {}.
a plushie {}.
a photo of the nice {}.
a photo of the small {}.
a photo of the weird {}.
the cartoon {}.
art of the {}.
a drawing of the {}.
a photo of the large {}.
a black and white photo of a {}.
the plushie {}.
a dark photo of a {}.
itap of a {}.
graffiti of the {}.
a toy {}.
itap of my {}.
a photo of a cool {}.
a photo of a small {}.
a tattoo of the {}.
"""

OPENAI_80: tuple[str, ...] = tuple(_OPENAI.strip().splitlines())


def read_templates(path: str | Path) -> tuple[str, ...]:
    """Templates from a text file, one a line, each with one ``{}``; empty and ``#`` lines are
    skipped.

    Raises UserError, naming the line, where one has no ``{}`` or several, where one holds a control
    character, and where there are none.
    """
    templates = []
    for number, line in read_lines(path, "the templates file"):
        if line.count(SLOT) != 1:
            raise UserError(
                f"{path}, line {number}: a template holds {SLOT} exactly once, where the name "
                f"goes; got {line!r}"
            )
        templates.append(line)
    if not templates:
        raise UserError(
            f"{path} holds no template; write one a line, such as: a photo of a {SLOT}."
        )
    return tuple(templates)


def fill(template: str, name: str) -> str:
    """The prompt: ``template`` with ``name`` in its slot."""
    return template.replace(SLOT, name)


def texts_hash(texts: Sequence[str]) -> str:
    """SHA-256 (first 16 hexadecimal digits) of a list of strings in its order."""
    return hashlib.sha256(
        json.dumps(list(texts), ensure_ascii=False).encode()
    ).hexdigest()[:16]
