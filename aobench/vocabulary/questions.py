"""The questions that a generative model is asked, as data: questions.json beside this file.

There is one for each way of answering (``letters``, ``likelihood``) and each kind of task. A file
of one's own has the same keys. Its digest stands in results.json: other words are other questions.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aobench.errors import UserError
from aobench.files import read_json
from aobench.vocabulary.templates import texts_hash

#: Where the options go in a question that is answered by a letter.
OPTIONS_SLOT = "{options}"
ANSWERS = ("letters", "likelihood")
KINDS = ("composition", "object", "attribute")
LETTERS = string.ascii_uppercase
BUNDLED_QUESTIONS = Path(__file__).with_name("questions.json")


@dataclass(frozen=True)
class QuestionTexts:
    """Questions by answer and kind, such as ``texts["letters"]["object"]``."""

    texts: Mapping[str, Mapping[str, str]]

    @property
    def hash(self) -> str:
        """SHA-256 (16 digits) of all of them."""
        return texts_hash([json.dumps(self.texts, sort_keys=True)])

    def lettered(self, kind: str, options: Sequence[str]) -> str:
        """The question with its options, one a line, behind their letters.

        Example:
            >>> bundled_questions().lettered("object", ["fox", "cup"]).splitlines()[1:3]
            ['A. fox', 'B. cup']
        """
        pairs = zip(LETTERS, options, strict=False)
        lines = "\n".join(f"{letter}. {option}" for letter, option in pairs)
        return self.texts["letters"][kind].replace(OPTIONS_SLOT, lines)

    def open(self, kind: str) -> str:
        """The question without options, whose answers' likelihoods are compared."""
        return self.texts["likelihood"][kind]


def read_questions(path: str | Path) -> QuestionTexts:
    """The questions of a JSON file. Raises UserError that names what is wrong with it."""
    content = read_json(path, "the questions")
    texts: dict[str, dict[str, str]] = {}
    for answer in ANSWERS:
        texts[answer] = {}
        for kind in KINDS:
            texts[answer][kind] = _question(content, answer, kind, path)
    return QuestionTexts(texts)


def _question(content: object, answer: str, kind: str, path: str | Path) -> str:
    inner = content.get(answer) if isinstance(content, dict) else None
    text = inner.get(kind) if isinstance(inner, dict) else None
    place = f"{path}: {answer}.{kind}"
    if not isinstance(text, str) or not text.strip():
        raise UserError(
            f"{place} is no text; write the question there, as in "
            "aobench/vocabulary/questions.json"
        )
    wanted = 1 if answer == "letters" else 0
    if text.count(OPTIONS_SLOT) != wanted:
        often = "once, where the options go" if wanted else "nowhere"
        raise UserError(
            f"{place} must hold {OPTIONS_SLOT} {often}; got {text!r}"
        )
    strange = set(re.findall(r"{\w*}", text)) - {OPTIONS_SLOT}
    if strange:
        raise UserError(
            f"{place} holds {min(strange)}, which nothing fills; the only place that is filled is "
            f"{OPTIONS_SLOT}, of letters"
        )
    return text


def bundled_questions() -> QuestionTexts:
    """The questions that are asked where no others are named."""
    return read_questions(BUNDLED_QUESTIONS)
