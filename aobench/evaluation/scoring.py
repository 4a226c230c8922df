"""From scores to ranks, top-k and margins, a block of images at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from aobench.results.schema import TOP

if TYPE_CHECKING:
    import torch

#: Most scores that are in memory at once (float32, so 32 MiB).
SCORES = 8 * 1024 * 1024


@dataclass
class Ranked:
    """One row an image: ``rank`` int32 (0 = first), ``top`` int32 N x k, ``margin`` float32.

    Where candidates are parted into seen and novel ones, also the best of each side and its score,
    and ``side_rank``, the rank of the right one among those of its own side; else these are empty.
    """

    rank: np.ndarray
    top: np.ndarray
    margin: np.ndarray
    best_seen: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    best_novel: np.ndarray = field(
        default_factory=lambda: np.zeros(0, np.int32)
    )
    score_seen: np.ndarray = field(
        default_factory=lambda: np.zeros(0, np.float32)
    )
    score_novel: np.ndarray = field(
        default_factory=lambda: np.zeros(0, np.float32)
    )
    side_rank: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))

    @classmethod
    def joined(cls, parts: list[Ranked]) -> Ranked:
        """Rows of several in order."""
        return cls(
            *(
                np.concatenate([getattr(part, one.name) for part in parts])
                for one in fields(cls)
            )
        )

    @classmethod
    def empty(cls, count: int, width: int, sides: bool) -> Ranked:
        """Rows of images that could not be read."""
        whole, real = np.zeros(count, np.int32), np.zeros(count, np.float32)
        rest = (whole, whole, real, real, whole) if sides else ()
        return cls(whole, np.zeros((count, width), np.int32), real, *rest)


def rank_scores(
    scores: torch.Tensor, gold: torch.Tensor, k: int = TOP
) -> Ranked:
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


@dataclass(frozen=True)
class Sides:
    """Seen and novel candidates: ``seen`` and ``novel`` are int64 ids, in order."""

    seen: torch.Tensor
    novel: torch.Tensor


def rank_embeddings(
    images: torch.Tensor,
    classifier: torch.Tensor,
    gold: torch.Tensor,
    k: int = TOP,
    sides: Sides | None = None,
) -> Ranked:
    """Ranks of N x D images among the candidates C x D, by their dot product; never more than
    SCORES at once.
    """
    rows = max(1, SCORES // max(1, len(classifier)))
    transposed = classifier.T
    parts = []
    for start in range(0, len(images), rows):
        scores = images[start : start + rows] @ transposed
        right = gold[start : start + rows]
        ranked = rank_scores(scores, right, k)
        parts.append(
            ranked
            if sides is None
            else _with_sides(ranked, scores, right, sides)
        )
    return Ranked.joined(parts)


def rank_choices(
    images: torch.Tensor,
    classifier: torch.Tensor,
    gold: torch.Tensor,
    choices: torch.Tensor,
    k: int = TOP,
    parts: ObjectParts | None = None,
) -> Ranked:
    """Ranks of N x D images, each among its own candidates ``choices`` int64 N x K (ids of C x D,
    ascending); with ``parts`` of the objects that these name, ``gold`` an object's id then.
    """
    size = choices.shape[1] * classifier.shape[1]
    rows = max(1, SCORES // max(1, size))
    blocks = []
    for start in range(0, len(images), rows):
        block = slice(start, start + rows)
        offered = classifier[choices[block]]
        scores = (offered @ images[block, :, None])[:, :, 0]
        if parts is None:
            blocks.append(rank_offered(scores, gold[block], choices[block], k))
        else:
            blocks.append(parts.cut(block).rank(scores, gold[block], k))
    return Ranked.joined(blocks)


def rank_offered(
    scores: torch.Tensor,
    gold: torch.Tensor,
    offered: torch.Tensor,
    k: int = TOP,
) -> Ranked:
    """Ranks where each image has candidates of its own; ``top`` holds their ids, -1 behind them.

    ``scores`` float32 N x M, of ``offered`` int64 N x M: the candidates' ids, ascending, and -1 in
    the last places of images that are offered fewer. ``gold`` int64 N, the right ids.
    """
    scores = scores.masked_fill(offered < 0, -float("inf"))
    place = (offered == gold[:, None]).int().argmax(1)
    ranked = rank_scores(scores, place, k)
    ids = offered.cpu().numpy()
    top = np.take_along_axis(ids, ranked.top.astype(np.int64), 1)
    return replace(ranked, top=top.astype(np.int32))


@dataclass(frozen=True)
class ObjectParts:
    """The objects that the options of each image name.

    ``offered`` int64 N x M: by image their ids, ascending, -1 behind them; ``places`` int64 N x K:
    of each option the place of its object among these.
    """

    offered: torch.Tensor
    places: torch.Tensor

    def cut(self, rows: slice) -> ObjectParts:
        """Those of some images."""
        return ObjectParts(self.offered[rows], self.places[rows])

    def to(self, device: torch.device) -> ObjectParts:
        """The same on ``device``."""
        return ObjectParts(self.offered.to(device), self.places.to(device))

    def rank(
        self, scores: torch.Tensor, gold: torch.Tensor, k: int = TOP
    ) -> Ranked:
        """Ranks of the objects: each is as good as the best of its options.

        So the first is the object of the option that comes first, also where scores are equal.
        ``scores`` float32 N x K, of the options in ascending order; ``gold`` int64 N.
        """
        import torch

        count, width = len(scores), self.offered.shape[1]
        order = scores.sort(dim=1, descending=True, stable=True).indices
        turn = torch.arange(scores.shape[1], device=scores.device)
        late = torch.full((count, width), len(turn), device=scores.device)
        first = late.scatter_reduce(
            1, self.places.gather(1, order), turn.expand(count, -1), "amin"
        )
        ranked = rank_offered(-first.float(), gold, self.offered, k)
        return replace(ranked, margin=self._margin(scores, gold))

    def _margin(self, scores: torch.Tensor, gold: torch.Tensor) -> np.ndarray:
        """Best score of the right object's options less that of all others."""
        mine = self.offered.gather(1, self.places) == gold[:, None]
        low = -float("inf")
        best, other = (
            scores.masked_fill(out, low).max(1).values for out in (~mine, mine)
        )
        return (best - other).float().cpu().numpy()


def _with_sides(
    ranked: Ranked, scores: torch.Tensor, gold: torch.Tensor, sides: Sides
) -> Ranked:
    """``ranked`` with the best candidate of each side; of equal scores the lower id is better."""
    import torch

    right = scores.gather(1, gold[:, None])
    sided = {}
    side_rank = torch.zeros(len(gold), dtype=torch.int64, device=gold.device)
    for name, ids in (("seen", sides.seen), ("novel", sides.novel)):
        among = scores[:, ids]
        best = among.max(1, keepdim=True).values
        sided[f"best_{name}"] = (
            ids[(among == best).int().argmax(1)].int().cpu().numpy()
        )
        sided[f"score_{name}"] = best[:, 0].float().cpu().numpy()
        mine = torch.isin(gold, ids)
        before = (among > right) | (
            (among == right) & (ids[None, :] < gold[:, None])
        )
        side_rank[mine] = before.sum(1)[mine]
    return replace(ranked, **sided, side_rank=side_rank.int().cpu().numpy())
