"""Ranks, top-k and margins against the plainest way to write them."""

import numpy as np
import pytest
import torch

from aobench.evaluation import scoring
from aobench.evaluation.scoring import rank_embeddings, rank_scores


def _plain(scores, gold, k):
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    others = [s for i, s in enumerate(scores) if i != gold]
    return (
        order.index(gold),
        order[:k],
        scores[gold] - max(others) if others else 0.0,
    )


@pytest.mark.parametrize("width", [1, 2, 5, 40])
@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_ranks_with_and_without_ties(width, levels):
    draw = torch.Generator().manual_seed(width * levels)
    scores = torch.randint(0, levels, (60, width), generator=draw).float() / 8
    gold = torch.randint(0, width, (60,), generator=draw)
    ranked = rank_scores(scores, gold)
    for i in range(60):
        rank, top, margin = _plain(scores[i].tolist(), int(gold[i]), 5)
        assert (ranked.rank[i], ranked.top[i].tolist()) == (rank, top)
        assert ranked.margin[i] == pytest.approx(margin)


def test_blocks_do_not_change_the_ranks(monkeypatch):
    draw = torch.Generator().manual_seed(0)
    images, names = (
        torch.randn(50, 16, generator=draw),
        torch.randn(300, 16, generator=draw),
    )
    gold = torch.randint(0, 300, (50,), generator=draw)
    whole = rank_embeddings(images, names, gold)
    monkeypatch.setattr(scoring, "SCORES", 1000)
    blocks = rank_embeddings(images, names, gold)
    assert np.array_equal(whole.rank, blocks.rank)
    assert np.array_equal(whole.top, blocks.top)
    np.testing.assert_allclose(whole.margin, blocks.margin, atol=1e-5)
