"""From scores to ranks, top-k and margins, a block of images at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

TOP = 5

#: Most scores that are in memory at once (float32, so 32 MiB).
SCORES = 8 * 1024 * 1024


@dataclass
class Ranked:
    """One row an image: ``rank`` int32 (0 = first), ``top`` int32 N x k, ``margin`` float32."""

    rank: np.ndarray
    top: np.ndarray
    margin: np.ndarray

    @classmethod
    def joined(cls, parts: list[Ranked]) -> Ranked:
        """Rows of several in order."""
        return cls(
            *(
                np.concatenate([getattr(p, name) for p in parts])
                for name in ("rank", "top", "margin")
            )
        )


def rank_scores(scores: torch.Tensor, gold: torch.Tensor, k: int = TOP) -> Ranked:
    """Rank of the right candidate, the k best, and the right one's lead over the best other one.

    ``scores`` float32 N x C, ``gold`` int64 N. Of equal scores the lower candidate id counts as
    better. With one candidate the margin is 0.
    """
    import torch

    width = scores.shape[1]
    k = min(k, width)
    right = scores.gather(1, gold[:, None])
    rank = (scores > right).sum(1)
    equal = (scores == right).sum(1) > 1
    if equal.any():
        ids = torch.arange(width, device=scores.device)[None, :]
        rank[equal] += (
            (scores[equal] == right[equal]) & (ids < gold[equal, None])
        ).sum(1)
    values, top = scores.topk(min(k + 1, width), dim=1)
    tied = (values[:, 1:] == values[:, :-1]).any(1)
    # topk leaves the order of equal scores open; a stable sort keeps the lower id first
    if tied.any():
        order = scores[tied].sort(dim=1, descending=True, stable=True)
        top[tied] = order.indices[:, : top.shape[1]]
    best_other = (
        right[:, 0]
        if width == 1
        else torch.where(top[:, 0] == gold, values[:, 1], values[:, 0])
    )
    margin = right[:, 0] - best_other
    return Ranked(
        rank.int().cpu().numpy(),
        top[:, :k].int().cpu().numpy(),
        margin.float().cpu().numpy(),
    )


def rank_embeddings(
    images: torch.Tensor, classifier: torch.Tensor, gold: torch.Tensor, k: int = TOP
) -> Ranked:
    """Ranks of N x D images among the candidates C x D, by their dot product; never more than
    SCORES at once.
    """
    rows = max(1, SCORES // max(1, len(classifier)))
    transposed = classifier.T
    parts = [
        rank_scores(
            images[start : start + rows] @ transposed, gold[start : start + rows], k
        )
        for start in range(0, len(images), rows)
    ]
    return Ranked.joined(parts)
