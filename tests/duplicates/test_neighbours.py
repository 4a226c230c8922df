"""Neighbours in a corpus and in a set: exact, resumed, by an index."""

import itertools
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("faiss", reason="the extra 'distinct' is not installed")
pytest.importorskip("imagehash", reason="the extra 'distinct' is not installed")

from helpers.image_sets import shards, unit_rows

from aobench.duplicates import approximate, neighbours, reference
from aobench.errors import UserError

ROOT = Path(__file__).parents[2]


def brute(queries, corpus, k):
    """Scores and rows by numpy in float64, equal scores by row."""
    score = unit_rows(queries) @ unit_rows(corpus).T
    rows = np.argsort(-score, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(score, rows, axis=1), rows


def test_neighbours_are_those_of_brute_force(tmp_path):
    draw = np.random.default_rng(0)
    # lengths near 22, not 1
    corpus = draw.standard_normal((100_000, 512), dtype=np.float32).astype(
        np.float16
    )
    queries = unit_rows(draw.standard_normal((64, 512))).astype(np.float32)
    queries[:8] = unit_rows(corpus[12_345:12_353])
    cut = [0, 30_000, 30_001, 64_000, 100_000]
    shards(tmp_path, [corpus[a:b] for a, b in itertools.pairwise(cut)])
    found = neighbours.search_reference(
        queries, reference.open_reference([str(tmp_path)], 512), 10
    )
    score, rows = brute(queries, corpus, 10)
    np.testing.assert_allclose(found.score, score, atol=1e-7)
    separated = np.all(
        -np.diff(brute(queries, corpus, 11)[0], axis=1) > 1e-6, axis=1
    )
    assert separated.sum() > 50, (
        "the drawn scores lie too close to tell ids apart"
    )
    np.testing.assert_array_equal(
        (np.array(cut)[found.shard] + found.row)[separated], rows[separated]
    )


def test_of_equal_vectors_the_lowest_row_is_named_however_many_there_are(
    tmp_path,
):
    draw = np.random.default_rng(1)
    corpus = draw.standard_normal((20_000, 32)).astype(np.float16)
    many = np.sort(draw.choice(20_000, 900, replace=False))
    corpus[many] = corpus[many[500]]
    corpus[many[3:]] *= np.float16(0.5)  # the same direction at half the length
    cut = [0, 9_000, 20_000]
    shards(tmp_path, [corpus[a:b] for a, b in itertools.pairwise(cut)])
    queries = np.concatenate(
        [unit_rows(corpus[many[:1]]), unit_rows(draw.standard_normal((3, 32)))]
    ).astype(np.float32)
    found = neighbours.search_reference(
        queries, reference.open_reference([str(tmp_path)]), 12
    )
    assert (np.array(cut)[found.shard] + found.row)[0].tolist() == many[
        :12
    ].tolist()
    np.testing.assert_allclose(
        found.score, brute(queries, corpus, 12)[0], atol=1e-7
    )


def test_fewer_references_than_k_leave_empty_places(tmp_path):
    shards(
        tmp_path,
        [np.eye(3, dtype=np.float16), np.empty((0, 3), dtype=np.float16)],
    )
    found = neighbours.search_reference(
        np.eye(3, dtype=np.float32),
        reference.open_reference([str(tmp_path)]),
        5,
    )
    assert found.row[:, 0].tolist() == [0, 1, 2]
    assert (found.row[:, 3:] == -1).all()


def test_inside_a_set_an_image_is_not_its_own_neighbour():
    draw = np.random.default_rng(2)
    vectors = unit_rows(draw.standard_normal((300, 16))).astype(np.float32)
    vectors[50:90] = vectors[
        40
    ]  # more equal ones than neighbours are asked for
    good = np.delete(np.arange(300), [7])
    found = neighbours.neighbours_in_set(vectors, good, 4)
    assert (found.row[7] == -1).all(), "an unreadable image has neighbours"
    assert not (found.row == np.arange(300)[:, None]).any()
    assert found.row[40].tolist() == [50, 51, 52, 53]
    assert found.row[80].tolist() == [40, 50, 51, 52]
    scores = vectors[good].astype(np.float64) @ vectors[good].T.astype(
        np.float64
    )
    np.fill_diagonal(scores, -2)
    np.testing.assert_allclose(
        found.score[good], -np.sort(-scores, axis=1)[:, :4], atol=1e-6
    )


@pytest.mark.parametrize("spec", ["Flat", "IVF16,PQ8x4", "kept"])
def test_an_index_proposes_and_its_recall_is_measured(spec, tmp_path):
    import faiss

    draw = np.random.default_rng(3)
    corpus = unit_rows(draw.standard_normal((12_000, 32))).astype(np.float32)
    shards(
        tmp_path / "r",
        [corpus[:5_000].astype(np.float16), corpus[5_000:].astype(np.float16)],
    )
    opened = reference.open_reference([str(tmp_path / "r")])
    queries = unit_rows(
        corpus[::100] + 0.05 * draw.standard_normal((120, 32))
    ).astype(np.float32)
    if spec == "kept":
        own = faiss.IndexFlatIP(32)
        own.add(corpus)
        spec = str(tmp_path / "own.faiss")
        faiss.write_index(own, spec)
    index = approximate.open_index(spec, opened, tmp_path)
    found = approximate.search_index(queries, opened, index, 5)
    said = approximate.measure_recall(queries, opened, found)
    assert said["recall_at_1"] >= (0.7 if "PQ" in spec else 1.0), said
    exact = neighbours.search_reference(queries, opened, 5)
    same = (found.row[:, 0] == exact.row[:, 0]) & (
        found.shard[:, 0] == exact.shard[:, 0]
    )
    assert np.array_equal(found.score[same, 0], exact.score[same, 0]), (
        "scores of an index are not the exact ones"
    )
    with pytest.raises(UserError, match="another corpus"):
        approximate.open_index(
            spec if Path(spec).is_file() else _kept(tmp_path),
            opened[:1],
            tmp_path,
        )


def _kept(folder):
    return str(next(folder.glob("index-*.faiss")))


def test_a_changed_shard_starts_the_search_over(tmp_path):
    draw = np.random.default_rng(7)
    arrays = [
        draw.standard_normal((50, 8)).astype(np.float16) for _ in range(2)
    ]
    state, queries = tmp_path / "state.safetensors", np.eye(8, dtype=np.float32)
    shards(tmp_path / "r", arrays)
    neighbours.search_reference(
        queries, reference.open_reference([str(tmp_path / "r")]), 2, state
    )
    arrays[0] = np.concatenate([arrays[0], np.eye(8, dtype=np.float16)])
    shards(tmp_path / "r", arrays)
    found = neighbours.search_reference(
        queries, reference.open_reference([str(tmp_path / "r")]), 2, state
    )
    assert found.row[:, 0].tolist() == list(range(50, 58))


def test_a_damaged_state_of_a_search_is_not_believed(tmp_path, capsys):
    draw = np.random.default_rng(7)
    shards(
        tmp_path / "r",
        [draw.standard_normal((50, 8)).astype(np.float16) for _ in range(2)],
    )
    state, queries = tmp_path / "state.safetensors", np.eye(8, dtype=np.float32)
    opened = reference.open_reference([str(tmp_path / "r")])
    right = neighbours.search_reference(queries, opened, 2, state)
    whole = state.read_bytes()
    other_k = whole.replace(b'\\"k\\": 2', b'\\"k\\": 3')
    assert other_k != whole
    for damaged in (
        whole[:-3] + b"abc",
        whole[:-64] + bytes(64),
        whole[:100],
        b"",
        other_k,
    ):
        state.write_bytes(damaged)
        capsys.readouterr()
        found = neighbours.search_reference(queries, opened, 2, state)
        assert "state.safetensors" in capsys.readouterr().err
        assert np.array_equal(found.row, right.row)
        assert np.array_equal(found.score, right.score)
        assert state.read_bytes() == whole


def test_an_index_that_was_damaged_is_made_again(tmp_path, capsys):
    pytest.importorskip("faiss")
    draw = np.random.default_rng(3)
    shards(
        tmp_path / "r",
        [unit_rows(draw.standard_normal((400, 8))).astype(np.float16)],
    )
    opened = reference.open_reference([str(tmp_path / "r")])
    queries = np.eye(8, dtype=np.float32)
    right = approximate.search_index(
        queries, opened, approximate.open_index("Flat", opened, tmp_path), 3
    )
    kept = Path(_kept(tmp_path))
    whole = kept.read_bytes()
    for damage in (
        lambda: kept.write_bytes(whole[:-8] + bytes(8)),
        lambda: kept.write_bytes(whole[:60]),
        lambda: kept.with_suffix(".json").write_text("{}"),
        kept.with_suffix(".json").unlink,
    ):
        damage()
        capsys.readouterr()
        index = approximate.open_index("Flat", opened, tmp_path)
        assert "computed again" in capsys.readouterr().err
        assert np.array_equal(
            approximate.search_index(queries, opened, index, 3).row, right.row
        )
        assert kept.read_bytes() == whole
