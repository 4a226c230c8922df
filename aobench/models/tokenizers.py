"""Tokenizers that are there: a folder without its vocabulary loads as an empty one.

What tokenizer_config.json says of sides, lengths and inputs is not asked: whoever calls sets them
as the
architecture was trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aobench.errors import UserError
from aobench.models.checkpoints import library_reads

#: Words that any vocabulary for English captions can tell apart.
PROBES = ("photo", "the", "red", "of", "banana", "wooden", "lion", "dog")


def load_tokenizer(
    source: str,
    name: str | None = None,
    rows: int | None = None,
    **options: Any,
) -> Any:
    """The tokenizer of a folder or Hub id, padding and cutting on the right.

    Args:
        source: folder or Hub id.
        name: what to call it in a message; default: ``source``.
        rows: how many token embeddings the text tower has.
        options: go to ``AutoTokenizer.from_pretrained``.

    Raises:
        UserError: where it can't be read, has no vocabulary, or one that is larger than the
        tower's.
    """
    from transformers import AutoTokenizer

    name = name or source
    with library_reads(f"the tokenizer of {name!r}"):
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
    check_tokenizer(tokenizer, name, rows)
    return tokenizer


def check_tokenizer(tokenizer: Any, name: str, rows: int | None = None) -> None:
    """Set the tokenizer's sides to the right, and refuse one that knows no words."""
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    with library_reads(f"the tokenizer of {name!r}"):
        encoded = tokenizer(
            list(PROBES),
            add_special_tokens=False,
            padding=False,
            truncation=False,
        )
    words = [tuple(ids) for ids in encoded["input_ids"]]
    known = {
        ids
        for ids in words
        if any(one != tokenizer.unk_token_id for one in ids)
    }
    if len(known) < 2:
        raise UserError(
            f"the tokenizer of {name} knows no words: its vocabulary (tokenizer.json, vocab.json "
            f"with merges.txt, "
            "vocab.txt, spiece.model or such) is missing or empty; copy the tokenizer's files "
            "into the folder"
        )
    if all(
        len(ids) >= len(word)
        for ids, word in zip(words, PROBES, strict=True)
        if ids in known
    ):
        raise UserError(
            f"the tokenizer of {name} reads every word letter by letter: its merges (merges.txt, "
            f"or in "
            "tokenizer.json) are missing; copy the tokenizer's files into the folder"
        )
    if rows is not None and tokenizer.vocab_size > rows:
        raise UserError(
            f"the tokenizer of {name} has {tokenizer.vocab_size:,} tokens, the text tower "
            f"{rows:,}: it is another "
            "model's tokenizer; copy the right one into the folder"
        )


def refuse_strange_ids(
    sequences: Sequence[Sequence[int]], rows: int, name: str
) -> None:
    """Raise UserError for a token that the text tower has no embedding for."""
    highest = max((max(ids) for ids in sequences if len(ids)), default=0)
    if highest >= rows:
        raise UserError(
            f"the tokenizer of {name} gives the token {highest}, the text tower has {rows:,}: it "
            f"is another model's "
            "tokenizer; copy the right one into the folder"
        )


def letter_case(tokenizer: Any) -> str:
    """``kept`` where the tokenizer tells upper from lower case, else ``ignored``.

    Whether the tower was trained so can't be known; results.json says it.
    """
    upper, lower = tokenizer(
        ["Red Lion", "red lion"], add_special_tokens=False
    )["input_ids"]
    return "ignored" if upper == lower else "kept"
