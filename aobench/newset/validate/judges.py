"""Who judges an image: a vision-language model, a dual encoder, mini's renderer, or a class of
one's own.

A judge gives numbers; a threshold makes a verdict of them. Its questions are "attribute" and
"object", each asked apart, or "composition", both at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from aobench.errors import UserError
from aobench.newset.own_classes import (
    JUDGES,
    find_class,
    naming_class,
    refuse_call,
)

if TYPE_CHECKING:
    from PIL import Image

Pair = tuple[str, str]

#: What a judge may be asked.
QUESTIONS = ("attribute", "object", "composition")

#: Kinds and where they are.
KINDS = {
    "vlm": "aobench.newset.validate.vlm:YesNo",
    "clip_score": "aobench.newset.validate.dual_encoders:ClipScore",
    "zero_shot": "aobench.newset.validate.dual_encoders:ZeroShot",
    "redraw": "aobench.newset.validate.redraw:Redraw",
}
#: Kinds that are of the family under test, and so are never the only judges unasked.
DUAL_ENCODERS = ("clip_score", "zero_shot")


@dataclass(frozen=True)
class ClaimedImage:
    """An image (RGB), what it should show, and the seed that it was made with."""

    image: Image.Image
    attribute: str
    object: str
    seed: int


class Judge(Protocol):
    """Called as ``Judge(model, options, pairs)``, ``pairs``: the compositions of the set.

    ``thresholds``: a question's, where it has one that holds unasked. ``facts`` goes into the
    manifest. A class with ``own_pictures = True`` takes the option ``pictures``, as a generator
    does.
    """

    questions: tuple[str, ...]
    thresholds: Mapping[str, float]
    facts: dict[str, Any]

    def __call__(
        self, asked: Sequence[ClaimedImage]
    ) -> Mapping[str, Sequence[float]]:
        """For each question a number an image, in order; more is better. The same for the same
        batch.
        """
        ...


def find_judge(kind: str) -> Any:
    """The class of a judge of KINDS, an entry point, or one's own 'package.module:Class'.

    Raises: UserError: where there is none. Whose configuration says the name:
        `own_classes.refuse_code`.
    """
    return find_class(kind, KINDS, JUDGES, "judge")


def make_judge(
    kind: str, model: str, options: dict[str, Any], pairs: Sequence[Pair]
) -> Judge:
    """A judge of the class that `find_judge` finds. A bug in one's own class shows its
    traceback.
    """
    judge_class = find_judge(kind)
    refuse_call(
        judge_class,
        (model, options, pairs),
        kind,
        "judge",
        "(model, options, pairs)",
    )
    with naming_class(f"the judge {kind!r}"):
        judge: Judge = judge_class(model, dict(options), pairs)
    _refuse_no_judge(judge, kind)
    return judge


def _refuse_no_judge(judge: Any, kind: str) -> None:
    questions = getattr(judge, "questions", None)
    if (
        not isinstance(questions, tuple)
        or not questions
        or not set(questions) <= set(QUESTIONS)
    ):
        raise UserError(
            f"{kind!r} is no judge: its questions are some of {', '.join(QUESTIONS)}, as a tuple"
        )
    for name in ("thresholds", "facts"):
        if not isinstance(getattr(judge, name, None), Mapping):
            raise UserError(
                f"{kind!r} is no judge: its objects lack the dictionary {name}"
            )


def refuse_unknown(
    kind: str, options: Mapping[str, Any], known: Sequence[str]
) -> None:
    """UserError for an option that the judge doesn't have."""
    unknown = [name for name in options if name not in known]
    if unknown:
        has = (
            f"its options are {', '.join(known)}" if known else "it takes none"
        )
        raise UserError(
            f"the judge {kind!r} has no option {unknown[0]!r}; {has}"
        )


def text_option(
    kind: str,
    options: Mapping[str, Any],
    name: str,
    default: str,
    holds: Sequence[str] = (),
) -> str:
    """An option that is a text with each of the words ``holds`` in it. UserError for any other."""
    value = options.get(name, default)
    lacking = (
        [word for word in holds if word not in value]
        if isinstance(value, str)
        else list(holds)
    )
    if not isinstance(value, str) or lacking:
        with_words = f" with {' and '.join(holds)} in it" if holds else ""
        raise UserError(
            f"the judge {kind!r}: {name} is {value!r}; it takes a text{with_words}"
        )
    return value


def count_option(
    kind: str, options: Mapping[str, Any], name: str, default: int | None
) -> int | None:
    """An option that is a whole number of at least 1, or null where that is its default.
    UserError for any other.
    """
    value = options.get(name, default)
    if value is None and default is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(
            f"the judge {kind!r}: {name} is {value!r}; it takes a whole number of at least 1"
        )
    return value
