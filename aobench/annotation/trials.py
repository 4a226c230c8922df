"""Who sees which image under which claim, and when: a blind order for each annotator, with catch
trials in it.

Everything is drawn by hashing (SHA-256) the seed, the annotator's name and the image's id. So the
same seed gives the same trials on any machine, and with any version of the libraries.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from aobench.errors import UserError
from aobench.image_table import ImageRow

QUESTIONS = ("attribute", "object")

#: A catch trial keeps this many other images between itself and the image's own trial, where the
#: set allows it.
GAP = 20


@dataclass(frozen=True)
class Trial:
    """An image under a claim. ``wrong`` names the question whose right answer is known to be "no"
    (a catch trial).

    ``trial`` is an opaque id of 16 hex digits: an ordinary trial and a catch trial look alike.
    """

    trial: str
    position: int
    image_id: str
    attribute: str
    object: str
    wrong: str


def normal_name(name: str) -> str:
    """An annotator's name, lower case and with single spaces, so that "Ann " and "ann" are one
    person.

    Raises UserError for a name that is empty, longer than 64 characters, or has unprintable
    characters.
    """
    out = " ".join(unicodedata.normalize("NFC", name).split()).lower()
    if not out or len(out) > 64 or not out.isprintable():
        raise UserError(
            "an annotator's name has 1 to 64 printable characters; give another name"
        )
    return out


def catch_count(images: int, rate: float) -> int:
    """Number of catch trials for a number of images: the rate times the images, rounded up."""
    return math.ceil(round(rate * images, 9))


def check_settings(rows: Sequence[ImageRow], catch_rate: float) -> None:
    """Raises UserError for a rate outside 0 to 0.5, or where no image of the set can be given a
    wrong claim.
    """
    if not 0 <= catch_rate <= 0.5:
        raise UserError(
            f"--catch-rate {catch_rate:g} is not between 0 and 0.5; 0.05 is one catch trial for 20 "
            "images"
        )
    if catch_rate > 0 and not _questions(rows):
        raise UserError(
            "no catch trial can be made: all images have the same attribute and the same object; "
            "use --catch-rate 0"
        )


def plan_trials(
    rows: Sequence[ImageRow], annotator: str, seed: int, catch_rate: float
) -> list[Trial]:
    """All trials of an annotator in order: each image once under its own claim, and the catch
    trials between them.

    A catch trial shows an image of the set with its attribute (or its object, in turn) exchanged
    for that of another image. Catch trials are spread evenly: one falls into each of as many equal
    stretches.
    """
    check_settings(rows, catch_rate)
    order = sorted(
        rows, key=lambda row: _draw(seed, annotator, "order", row.image_id)
    )
    before: dict[int, list[tuple[ImageRow, str, str]]] = {}
    for index, image, question, claim in _catches(
        order, annotator, seed, catch_count(len(rows), catch_rate)
    ):
        before.setdefault(index, []).append((image, question, claim))
    out: list[Trial] = []
    for index, row in enumerate(order):
        for image, question, claim in before.get(index, []):
            claims = {
                "attribute": image.attribute,
                "object": image.object,
                question: claim,
            }
            out.append(
                _trial(
                    seed, annotator, len(out), image.image_id, claims, question
                )
            )
        claims = {"attribute": row.attribute, "object": row.object}
        out.append(_trial(seed, annotator, len(out), row.image_id, claims, ""))
    return out


def _trial(
    seed: int,
    annotator: str,
    position: int,
    image_id: str,
    claims: dict[str, str],
    wrong: str,
) -> Trial:
    parts = (
        seed,
        annotator,
        "trial",
        image_id,
        claims["attribute"],
        claims["object"],
        wrong,
    )
    name = _digest(*parts).hex()[:16]
    return Trial(
        name, position, image_id, claims["attribute"], claims["object"], wrong
    )


def _catches(
    order: Sequence[ImageRow], annotator: str, seed: int, count: int
) -> list[tuple[int, ImageRow, str, str]]:
    """Catch trials: index of the ordinary trial that each comes before, its image, the wrong
    question and word.
    """
    if not count:
        return []
    questions = _questions(order)
    words = {q: sorted({getattr(row, q) for row in order}) for q in questions}
    pool = sorted(
        enumerate(order),
        key=lambda pair: _draw(seed, annotator, "catch", pair[1].image_id),
    )
    gap = min(GAP, len(order) // 4)
    out = []
    for number in range(count):
        low, high = (
            number * len(order) // count,
            (number + 1) * len(order) // count,
        )
        index = low + _draw(seed, annotator, "place", number) % (high - low)
        chosen = next(
            (pair for pair in pool if abs(pair[0] - index) > gap), pool[0]
        )
        pool.remove(chosen)  # an image is at most once a catch trial
        image = chosen[1]
        question = questions[
            (number + _draw(seed, annotator, "question")) % len(questions)
        ]
        others = [
            word
            for word in words[question]
            if _fold(word) != _fold(getattr(image, question))
        ]
        out.append(
            (
                index,
                image,
                question,
                others[
                    _draw(seed, annotator, "word", image.image_id) % len(others)
                ],
            )
        )
    return out


def _questions(rows: Sequence[ImageRow]) -> list[str]:
    """The questions for which the set has at least two different words."""
    return [
        q
        for q in QUESTIONS
        if len({_fold(getattr(row, q)) for row in rows}) > 1
    ]


def _fold(word: str) -> str:
    return " ".join(word.split()).casefold()


def _digest(*parts: object) -> bytes:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()


def _draw(*parts: object) -> int:
    """A number from 0 to 2^64 - 1 that looks random and depends on nothing but ``parts``."""
    return int.from_bytes(_digest(*parts)[:8], "big")
