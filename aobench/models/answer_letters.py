"""The tokens by which a model answers with a letter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from aobench.errors import UserError
from aobench.vocabulary.questions import LETTERS

#: What tokenizers write where a word begins, alone.
BEGINNINGS = ("▁", "Ġ", " ", "")


def letter_tokens(tokenizer: Any, count: int, name: str) -> list[list[int]]:
    """For each of the first ``count`` letters the tokens that are this letter as an answer's first.

    That is the letter after a space or not; both count.

    Raises:
        UserError: where a letter is no token of its own, or two letters begin with one token.
    """
    if count > len(LETTERS):
        raise UserError(
            f"there are {count} options and {len(LETTERS)} letters; ask for fewer, or by "
            "likelihood"
        )
    tokens: list[list[int]] = []
    owner: dict[int, str] = {}
    for letter in LETTERS[:count]:
        mine = _forms(tokenizer, letter)
        if not mine:
            raise UserError(
                f"{name}: the letter {letter} is no token of its own for this model's tokenizer, "
                "so no first token answers with it; ask by likelihood"
            )
        for token in mine:
            other = owner.setdefault(token, letter)
            if other != letter:
                raise UserError(
                    f"{name}: its tokenizer begins the letters {other} and {letter} with one and "
                    "the same token, so answers can't be told apart; ask by likelihood"
                )
        tokens.append(sorted(mine))
    return tokens


def _forms(tokenizer: Any, letter: str) -> set[int]:
    mine: set[int] = set()
    for text in (letter, f" {letter}"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = without_beginning(tokenizer, ids)
        tokens = tokenizer.convert_ids_to_tokens(ids)
        while len(ids) > 1 and tokens[0] in BEGINNINGS:
            ids, tokens = ids[1:], tokens[1:]
        if len(ids) == 1:
            mine.add(ids[0])
    return mine


def without_beginning(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """``ids`` without the mark of a text's beginning, which some tokenizers write unasked."""
    mark = getattr(tokenizer, "bos_token_id", None)
    begun = len(ids) > 1 and mark is not None and ids[0] == mark
    return list(ids[begun:])


def letter_scores(
    logits: torch.Tensor, letters: list[list[int]]
) -> torch.Tensor:
    """float32 N x K: log of the share of each letter among the letters' probabilities.

    Args:
        logits: float32 N x V, of the answer's first token.
        letters: the tokens of each of K letters, from `letter_tokens`.
    """
    share = logits.log_softmax(1)
    columns = [share[:, tokens].logsumexp(1) for tokens in letters]
    return torch.stack(columns, 1).log_softmax(1)
