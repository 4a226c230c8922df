"""Lessons of mini's generative model: questions about pictures as tokens, with what helps to learn
them.

A letter is hard to learn: the model must find which option the picture shows, and which letter
stands before it. Two aids make it quick. An exercise lists options once and asks for many of their
letters, by a name or by a picture. And each lesson tells where the answer is to be read: the
right option's last token, at which training lets the answer look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from aobench.mini.pictures import objects
from aobench.mini.render import ATTRIBUTES
from aobench.mini.splits import Pair, pairs
from aobench.vocabulary.questions import (
    LETTERS,
    OPTIONS_SLOT,
    bundled_questions,
)

#: Of a picture's tokens the first stands for the whole; then come its patches.
PICTURE_TOKENS = 50
#: Numbers of options.
SIZES = (2, 4, 6, 9)
KINDS = ("composition", "object", "attribute")
KIND_SHARES = (0.7, 0.15, 0.15)
#: Where a name has no such part; what cross-entropy leaves out.
NONE = -100


@dataclass
class Lesson:
    """Tokens, and what is to be learnt at which of their places.

    ``answers``: (place, token that follows); ``pictures``: (picture, its tokens that stand in
    the text, in order); ``looks``: (place of an answer, last place of the right option);
    ``letters``: (last place of an option, number of its letter); ``parts``: (place, number of the
    attribute, number of the object), of an option or an answer.
    """

    ids: list[int] = field(default_factory=list)
    answers: list[tuple[int, int]] = field(default_factory=list)
    pictures: list[tuple[int, list[int]]] = field(default_factory=list)
    looks: list[tuple[int, int]] = field(default_factory=list)
    letters: list[tuple[int, int]] = field(default_factory=list)
    parts: list[tuple[int, int, int]] = field(default_factory=list)

    def answer(self, tokens: Sequence[int]) -> None:
        """Say ``tokens``, and learn to."""
        for token in tokens:
            self.answers.append((len(self.ids) - 1, token))
            self.ids.append(token)


@dataclass
class LessonMaker:
    """Makes lessons.

    Args:
        processor: of the model; its tokenizer cuts the texts.
        shown: the compositions of the pictures that there are, in order.
        draw: what chance comes from.
    """

    processor: Any
    shown: Sequence[Pair]
    draw: np.random.Generator

    def __post_init__(self) -> None:
        self.texts = bundled_questions()
        self._kept: dict[str, list[int]] = {}
        tokenizer = self.processor.tokenizer
        self.begin, self.end = (
            tokenizer(" ")["input_ids"][place] for place in (0, -1)
        )
        self.image = tokenizer.convert_tokens_to_ids("<image>")

    @cached_property
    def pictures_of(self) -> Mapping[str, list[int]]:
        """The pictures of each composition."""
        places: dict[str, list[int]] = {}
        for number, pair in enumerate(self.shown):
            places.setdefault(" ".join(pair), []).append(number)
        return places

    @cached_property
    def _numbers(self) -> tuple[dict[str, int], dict[str, int]]:
        attributes = {name: number for number, name in enumerate(ATTRIBUTES)}
        return attributes, {
            name: number for number, name in enumerate(objects())
        }

    def open(self, picture: int, tokens: list[int]) -> Lesson:
        """What does the picture show? Its name."""
        pair, kind = self.shown[picture], self._kind()
        lesson = self._begun(picture, tokens)
        self._say(lesson, self.texts.open(kind))
        self._turn(lesson)
        self._part(lesson, pair)
        lesson.answer(self.tokens(_name(pair, kind)))
        return lesson

    def lettered(self, picture: int, tokens: list[int], size: int) -> Lesson:
        """Which of these does the picture show? A letter."""
        pair, kind = self.shown[picture], self._kind()
        lesson = self._begun(picture, tokens)
        options = self._options(kind, pair, size)
        ends = self._list(lesson, kind, options)
        self._answered(lesson, pair, options.index(_one(pair, kind)), ends)
        return lesson

    def exercise(self, picture: int, size: int, asked: int) -> Lesson:
        """Options once, then ``asked`` of their letters, each by its name or by a picture of it."""
        lesson = Lesson([self.begin])
        self._say(lesson, "USER:")
        options = self._options("composition", self.shown[picture], size)
        ends = self._list(lesson, "composition", options)
        for _ in range(asked):
            number = int(self.draw.integers(size))
            name = " ".join(options[number])
            self._say(lesson, "USER:")
            known = self.pictures_of.get(name)
            if known and self.draw.random() < 0.6:
                lesson.pictures.append((int(self.draw.choice(known)), [0]))
                lesson.ids.append(self.image)
            else:
                self._say(lesson, name)
            self._answered(lesson, options[number], number, ends)
        return lesson

    def _begun(self, picture: int, tokens: list[int]) -> Lesson:
        lesson = Lesson([self.begin])
        self._say(lesson, "USER:")
        lesson.ids += [self.image] * len(tokens)
        lesson.pictures.append((picture, tokens))
        return lesson

    def _list(
        self, lesson: Lesson, kind: str, options: Sequence[Pair]
    ) -> list[int]:
        """The question with its options; the last place of each."""
        before, after = self.texts.texts["letters"][kind].split(OPTIONS_SLOT)
        self._say(lesson, before)
        ends = []
        for number, option in enumerate(options):
            self._say(lesson, f"{LETTERS[number]}. {_name(option, kind)}")
            ends.append(len(lesson.ids) - 1)
            lesson.letters.append((ends[-1], number))
            self._part(lesson, option)
        self._say(lesson, after)
        return ends

    def _answered(
        self, lesson: Lesson, pair: Pair, number: int, ends: Sequence[int]
    ) -> None:
        self._turn(lesson)
        self._part(lesson, pair)
        lesson.looks.append((len(lesson.ids) - 1, ends[number]))
        lesson.answer(self.tokens(LETTERS[number]))

    def _turn(self, lesson: Lesson) -> None:
        self._say(lesson, "ASSISTANT:")
        lesson.ids.append(self.end)

    def _part(self, lesson: Lesson, pair: Pair) -> None:
        sides = zip(self._numbers, pair, strict=True)
        numbers = [names.get(part, NONE) for names, part in sides]
        lesson.parts.append((len(lesson.ids) - 1, numbers[0], numbers[1]))

    def _say(self, lesson: Lesson, text: str) -> None:
        lesson.ids += self.tokens(text)

    def tokens(self, text: str) -> list[int]:
        """Those of ``text``, without a beginning or an end."""
        if text not in self._kept:
            cut = self.processor.tokenizer(text, add_special_tokens=False)
            self._kept[text] = cut["input_ids"]
        return self._kept[text]

    def _kind(self) -> str:
        return str(self.draw.choice(KINDS, p=KIND_SHARES))

    def _options(self, kind: str, pair: Pair, size: int) -> list[Pair]:
        """``size`` options in any order, the right one among them; of compositions a part of a
        grid.
        """
        seen = pairs(novel=False)
        near: list[list[str]] = []
        for side in (0, 1):
            names = sorted({one[side] for one in seen} - {pair[side]})
            drawn = self.draw.choice(
                len(names), size=max(2, size - 1), replace=False
            )
            near.append([pair[side], *(names[i] for i in drawn)])
        if kind == "composition":
            wrong = [(a, o) for a in near[0][:3] for o in near[1][:3]][1:]
            self.draw.shuffle(wrong)
        elif kind == "object":
            wrong = [("", name) for name in near[1][1:]]
        else:
            wrong = [(name, "") for name in near[0][1:]]
        options = [_one(pair, kind), *(tuple(one) for one in wrong[: size - 1])]
        order = self.draw.permutation(len(options))
        return [options[i] for i in order]


def _one(pair: Pair, kind: str) -> Pair:
    """What an option of that kind names of ``pair``."""
    return {"object": ("", pair[1]), "attribute": (pair[0], "")}.get(kind, pair)


def _name(pair: Pair, kind: str) -> str:
    return " ".join(part for part in _one(pair, kind) if part)
