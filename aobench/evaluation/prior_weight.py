"""How much of the language prior to take off, fitted out of sample.

Scores are log P(t | image) - a log P(t). With a = 0 it is the likelihood, with a = 1 the pointwise
mutual information. Source: Lin et al. 2023 (arXiv 2306.01879), where a is fitted on a validation
set. Here the compositions of a split are halved, and each half is scored with the a that is best on
the other, so no image has a say in its own score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

#: The weights that are tried: 0, 0.05, ..., 1.5.
WEIGHTS = tuple(step / 20 for step in range(31))


def composition_half(pair: tuple[int, int]) -> int:
    """0 or 1: the half that a composition (attribute id, object id) falls into."""
    return hashlib.sha256(f"{pair[0]}|{pair[1]}".encode()).digest()[0] % 2


def fit_weights(
    seen: torch.Tensor,
    blind: torch.Tensor,
    right: torch.Tensor,
    pairs: Sequence[tuple[int, int]],
) -> tuple[torch.Tensor, list[float]]:
    """Scores without the prior, and the weight of each half.

    Args:
        seen: float32 N x K, log P(t | image).
        blind: float32 N x K, log P(t).
        right: int64 N, the column of the right option.
        pairs: N compositions.

    Returns:
        N x K, and two weights: that of half 0 (fitted on half 1) and that of half 1.
    """
    import torch

    half = torch.tensor([composition_half(pair) for pair in pairs])
    scores, weights = seen.clone(), []
    for mine in (0, 1):
        other = half != mine
        weight = _best_weight(seen[other], blind[other], right[other])
        scores[~other] = seen[~other] - weight * blind[~other]
        weights.append(weight)
    return scores, weights


def _best_weight(
    seen: torch.Tensor, blind: torch.Tensor, right: torch.Tensor
) -> float:
    """The weight with most right answers; of several the least. 0 where there are no images."""
    if not len(seen):
        return 0.0
    hits = [
        int(((seen - weight * blind).argmax(1) == right).sum())
        for weight in WEIGHTS
    ]
    return WEIGHTS[hits.index(max(hits))]
