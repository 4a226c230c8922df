"""Which images are near, and which of them stay."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("faiss", reason="the extra 'distinct' is not installed")
pytest.importorskip("imagehash", reason="the extra 'distinct' is not installed")

from helpers.image_sets import picture, random_looks, unit_rows

from aobench.duplicates import decide, hashes
from aobench.duplicates.decide import NearThresholds, choose_greedily

ROOT = Path(__file__).parents[2]


def test_colour_tells_apart_what_the_hash_does_not():
    red, blue = (
        hashes.image_look(picture(5, colour, "cab"))
        for colour in ("red", "blue")
    )
    assert (red[:64] != blue[:64]).sum() <= hashes.DISTANCE
    assert np.abs(red[64:] - blue[64:]).max() > hashes.COLOUR


def test_all_pairs_and_nearest_by_hash_are_those_of_the_plain_loop(monkeypatch):
    monkeypatch.setattr(hashes, "BLOCK", 20_000)
    looks = random_looks(700, np.random.default_rng(4))
    good = np.delete(np.arange(700), [3, 500])
    wanted, best = set(), {}
    for i in good.tolist():
        for j in good.tolist():
            bits = int(looks.bits[i] ^ looks.bits[j]).bit_count()
            if i == j or bits > hashes.FAR:
                continue
            hue = int(
                np.abs(looks.colours[i].astype(int) - looks.colours[j]).max()
            )
            if hue <= 20:
                best[i] = min(best.get(i, (99,)), (bits, hue, j))
                if j < i and bits <= 4:
                    wanted.add((i, j, bits, hue))
    found = [
        zip(p.row, p.column, p.distance, p.colour, strict=True)
        for p in hashes.pairs_between(looks, good, good, 4, 20)
    ]
    pairs = {tuple(map(int, pair)) for part in found for pair in part}
    assert {pair for pair in pairs if pair[1] < pair[0]} == wanted
    assert len(wanted) > 500
    where, bits = hashes.nearest_by_hash(looks, good, 20)
    assert {
        i: (int(bits[i]), int(where[i]))
        for i in np.nonzero(where >= 0)[0].tolist()
    } == {i: (b, j) for i, (b, _, j) in best.items()}


def test_every_removed_image_is_near_to_a_kept_one_and_no_kept_ones_are_near(
    monkeypatch,
):
    monkeypatch.setattr(decide, "ROWS", 64)
    draw = np.random.default_rng(5)
    count = 600
    looks = random_looks(count, draw)
    vectors = unit_rows(draw.standard_normal((count, 6))).astype(np.float32)
    thresholds = NearThresholds(cosine_in_set=0.9)
    candidates = np.delete(np.arange(count), [0, 10, 599])
    chosen = choose_greedily(
        count, candidates, decide.edges_of(looks, vectors, thresholds)
    )
    bits = np.bitwise_count(looks.bits[:, None] ^ looks.bits[None]).astype(int)
    hue = np.abs(looks.colours[:, None].astype(int) - looks.colours[None]).max(
        axis=2
    )
    cosine = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    near = ((bits <= 4) & (hue <= 20)) | (cosine >= 0.9)
    kept = []
    for image in candidates.tolist():
        before = [other for other in kept if near[image, other]]
        assert (chosen.level[image] >= decide.NEAR) == bool(before), image
        if before:
            assert chosen.partner[image] in before
        else:
            kept.append(image)
    assert 50 < len(kept) < 500, "the drawn set doesn't test anything"


def test_of_a_chain_only_the_middle_goes():
    def edges(rows, columns):
        yield (
            np.array([1, 2]),
            np.array([0, 1]),
            np.array([decide.CERTAIN, decide.CERTAIN]),
        )

    chosen = choose_greedily(3, np.arange(3), edges)
    assert chosen.level.tolist() == [0, decide.CERTAIN, 0], (
        "C was removed for a likeness to B, which isn't there"
    )


@pytest.mark.parametrize(
    ("cosine", "level"), [(0.8, 0), (0.89, 1), (0.91, 2), (0.93, 3), (1.0, 3)]
)
def test_levels_around_a_cosine(cosine, level):
    assert NearThresholds(cosine_in_set=0.9).in_set_level(
        np.array([cosine], dtype=np.float32)
    ).tolist() == [level]


def test_identical_images_are_never_in_doubt():
    assert NearThresholds(reference_cosine=0.999).reference_level(
        np.ones(1, dtype=np.float32)
    ).tolist() == [decide.CERTAIN]
    assert NearThresholds(hash_distance=0).looks_level(
        np.zeros(1), np.zeros(1)
    ).tolist() == [decide.CERTAIN]
