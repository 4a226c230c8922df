"""From embeddings to ranks, top-k and margins, a block of images at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

TOP = 5


@dataclass
class Ranked:
    """One row an image: ``rank`` int32 (0 = first), ``top`` int32 N x k, ``margin`` float32."""

    rank: np.ndarray
    top: np.ndarray
    margin: np.ndarray


def rank_scores(scores: torch.Tensor, gold: torch.Tensor, k: int = TOP) -> Ranked:
    """Rank of the right candidate, the k best, and the right one's lead over the best other one.

    ``scores`` float32 N x C, ``gold`` int64 N. Of equal scores the lower candidate id counts as better.
    """
    count, width = scores.shape
    right = scores.gather(1, gold[:, None])
    ids = scores.new_tensor(range(width)).long()
    ahead = (scores > right) | ((scores == right) & (ids[None, :] < gold[:, None]))
    rank = ahead.sum(1).to(dtype=gold.dtype)
    top = scores.sort(dim=1, descending=True, stable=True).indices[:, : min(k, width)]
    others = scores.clone()
    others.scatter_(1, gold[:, None], float("-inf"))
    best_other = others.max(1).values if width > 1 else right[:, 0]
    margin = right[:, 0] - best_other
    return Ranked(rank.int().numpy(), top.int().numpy().reshape(count, -1), margin.float().numpy())
