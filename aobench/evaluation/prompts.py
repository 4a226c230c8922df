"""Prompts that reach the text tower whole: what it cuts is counted, two candidates are never one.

Only templates that may be too long are read in full: the longest names are tried first, so that
the check
costs seconds where there are ten million prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from aobench.errors import UserError
from aobench.models.base import TextTokens
from aobench.vocabulary.templates import fill

#: Names that are tried in every template: those with the most letters.
LONGEST = 64
BATCH = 20_000


def count_cut_prompts(
    model: Any, names: Sequence[str], templates: Sequence[str]
) -> int:
    """How many prompts have more tokens than the text tower takes; their ends are cut off.

    A kind of model that doesn't say what it reads (see `aobench.models.base.DualEncoder`) counts 0.

    Args:
        model: a dual encoder.
        names: the candidates.
        templates: each with one ``{}``.

    Raises:
        UserError: where two candidates are one and the same text to the model in a template.
    """
    read = getattr(model, "read_texts", None)
    if read is None:
        return 0
    unique = sorted(set(names))
    longest = sorted(unique, key=len)[-LONGEST:]
    cut = 0
    for number, template in enumerate(templates):
        tried = read([fill(template, name) for name in longest])
        if number and not any(tried.cut):
            continue  # names that differ whole differ in every template
        seen: dict[tuple[int, ...], str] = {}
        for part, tokens in _read_all(read, unique, template):
            cut += sum(tokens.cut)
            for name, sequence in zip(part, tokens.sequences, strict=True):
                other = seen.setdefault(sequence, name)
                if other != name:
                    _refuse_one_text(other, name, template, any(tokens.cut))
    return cut


def _read_all(
    read: Any, names: Sequence[str], template: str
) -> Iterator[tuple[Sequence[str], TextTokens]]:
    for start in range(0, len(names), BATCH):
        part = names[start : start + BATCH]
        yield part, read([fill(template, name) for name in part])


def _refuse_one_text(first: str, second: str, template: str, cut: bool) -> None:
    shown = (
        template
        if len(template) < 80
        else f"{template[:60]} ... {template[-15:]}"
    )
    if cut:
        reason = (
            f"the template {shown!r} is too long: the text tower cuts the names off; shorten "
            "it"
        )
    else:
        reason = "its tokenizer writes both alike (unknown words, letter case); rename one"
    raise UserError(
        f"the candidates {first!r} and {second!r} are one and the same text to the model: {reason}"
    )
