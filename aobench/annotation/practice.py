"""Examples with known answers: beside the picture, as a guideline, and before the first image, as
practice with feedback.

Those that ship are drawn by mini; `imagenet-ao annotate --practice TABLE` takes one's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aobench.annotation.images import read_images_to_judge
from aobench.annotation.verdict_store import ANSWERS
from aobench.errors import UserError
from aobench.files import read_text

HERE = Path(__file__).parent

#: Columns of a table of examples beside those of a table of images.
MORE = ("attribute_answer", "object_answer", "why")
#: Characters of a guideline at most: it stands beside a picture.
LONGEST = 8000

GUIDELINE = """Judge what you see, not how well it is drawn.
- Attribute, yes: the thing itself has it, in most of what you see of it.
  No: only another thing or the background has it.
- Object, yes: you would call the main thing by that name.
  No: it is another thing, or only a part of it is there.
- Unsure: you know neither, or the picture does not let you tell. It is no vote.
- Answer each question alone: a wooden cup that is claimed to be a wooden spoon is yes for the
  attribute, no for the object."""

#: What is drawn, what is claimed, the answers, and why: attribute, object twice each.
DRAWN = (
    (
        "striped",
        "umbrella",
        "striped",
        "umbrella",
        "yes",
        "yes",
        "An umbrella, striped.",
    ),
    (
        "wooden",
        "coffee mug",
        "wooden",
        "teapot",
        "yes",
        "no",
        "Wood, but a coffee mug.",
    ),
    (
        "red",
        "banana",
        "golden",
        "banana",
        "no",
        "yes",
        "A banana, and it is red.",
    ),
    (
        "brick",
        "pineapple",
        "snowy",
        "hammer",
        "no",
        "no",
        "A pineapple of bricks.",
    ),
)


@dataclass(frozen=True)
class Example:
    """A claim on a picture with the answers to it, and why they are right."""

    example: str
    attribute: str
    object: str
    attribute_answer: str
    object_answer: str
    why: str
    kind: str
    picture: bytes


def read_guideline(path: Path | None) -> str:
    """The text beside the picture; None: the one that ships. Raises UserError."""
    if path is None:
        return GUIDELINE
    text = read_text(path, "the guideline").strip()
    if not text or len(text) > LONGEST:
        raise UserError(
            f"{path} has {len(text):,} characters; a guideline has 1 to {LONGEST:,}, as it stands "
            "beside the picture"
        )
    return text


def read_examples(path: Path | None) -> list[Example]:
    """The examples of a table, in its order; None: those that ship. Raises UserError."""
    if path is None:
        return drawn_examples()
    table = read_images_to_judge(path, MORE)
    examples = []
    for number, row in enumerate(table.rows):
        first, second, why = (table.more[name][number] for name in MORE)
        if (
            first not in ANSWERS
            or second not in ANSWERS
            or not isinstance(why, str)
        ):
            raise UserError(
                f"{path}: {row.image_id!r} has the answers {first!r} and {second!r}; they are "
                f"{', '.join(ANSWERS)}, and why is a text"
            )
        file = table.folder / row.file
        kind = f"image/{file.suffix.lower().lstrip('.').replace('jpg', 'jpeg')}"
        words = (row.attribute, row.object, first, second, why)
        examples.append(Example(str(number), *words, kind, file.read_bytes()))
    return examples


def drawn_examples() -> list[Example]:
    """The examples that ship. `draw_example` drew their pictures, which are stored: the page is
    there at once.
    """
    examples = []
    for number, drawn in enumerate(DRAWN):
        attribute, thing, first, second, why = drawn[2:]
        picture = (HERE / f"page.example{number}.png").read_bytes()
        words = (attribute, thing, first, second, why)
        examples.append(Example(str(number), *words, "image/png", picture))
    return examples


def draw_example(number: int) -> np.ndarray:
    """uint8 H x W x 3: what mini's renderer draws for an example."""
    from aobench.mini.render import render

    attribute, name = DRAWN[number][:2]
    return render(attribute, name, np.random.default_rng((7, number)))


def practice_left(
    examples: Sequence[Example], answered: set[str]
) -> list[Example]:
    """Examples that an annotator has not answered."""
    return [one for one in examples if one.example not in answered]
