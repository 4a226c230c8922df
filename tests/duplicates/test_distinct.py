"""Near-duplicates in a set and neighbours in a corpus: found, exact, decided as said, resumed,
shown without harm.
"""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

pytest.importorskip("faiss", reason="the extra 'distinct' is not installed")
pytest.importorskip("imagehash", reason="the extra 'distinct' is not installed")

from aobench.duplicates import approximate, decide, hashes, neighbours, reference
from aobench.duplicates import optional as extra
from aobench.duplicates.decide import NearThresholds, choose_greedily
from aobench.duplicates.images import open_set
from aobench.duplicates.step import DuplicateOptions, find_duplicates
from aobench.errors import UserError
from aobench.mini.render import ATTRIBUTES, render

ROOT = Path(__file__).parents[2]
OBJECTS = ("ambulance", "banjo", "castle", "goose", "drum", "hog")


def picture(seed, attribute=None, name=None):
    attribute = attribute or ATTRIBUTES[seed % len(ATTRIBUTES)]
    return Image.fromarray(
        render(
            attribute, name or OBJECTS[seed % len(OBJECTS)], np.random.default_rng(seed)
        )
    )


class Folder:
    """A table of images in the making."""

    def __init__(self, place):
        self.place, self.rows = place, []
        place.mkdir(parents=True, exist_ok=True)

    def put(self, name, image, ending="png", **options):
        image.save(self.place / f"{name}.{ending}", **options)
        self.rows.append(
            {
                "image_id": name,
                "attribute": "red",
                "object": "cab",
                "file": f"{name}.{ending}",
            }
        )

    def table(self):
        path = self.place / "images.parquet"
        pq.write_table(pa.Table.from_pylist(self.rows), path)
        return path


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """30 different pictures, and copies of some of them."""
    folder = Folder(tmp_path_factory.mktemp("planted"))
    for seed in range(30):
        folder.put(f"p{seed:02d}", picture(seed))
    for seed in (0, 7, 14):
        image = picture(seed)
        folder.put(f"p{seed:02d}-jpeg", image, "jpg", quality=50)
        folder.put(f"p{seed:02d}-half", image.resize((56, 56)))
        folder.put(f"p{seed:02d}-crop", image.crop((1, 1, 111, 111)))
    for colour in ("red", "blue"):
        folder.put(f"same-place-{colour}", picture(5, colour, "cab"))
    return folder.table()


def shards(folder, arrays, said=None):
    """Shards as LAION ships them."""
    folder.mkdir(exist_ok=True, parents=True)
    for number, array in enumerate(arrays):
        np.save(folder / f"img_emb_{number:04d}.npy", array)
        if said is not None:
            rows = range(len(array))
            table = {
                "url": [f"http://example.org/{number}/{r}.jpg" for r in rows],
                "caption": [said] * len(array),
            }
            pq.write_table(
                pa.table(table),
                folder / f"metadata_{number:04d}.parquet",
                row_group_size=50,
            )
    return folder


def unit(array):
    array = array.astype(np.float64)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def brute(queries, corpus, k):
    """Scores and rows by numpy in float64, equal scores by row."""
    score = unit(queries) @ unit(corpus).T
    rows = np.argsort(-score, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(score, rows, axis=1), rows


# --- neighbours
# -------------------------------------------------------------------------------------------------


def test_neighbours_are_those_of_brute_force(tmp_path):
    draw = np.random.default_rng(0)
    # lengths near 22, not 1
    corpus = draw.standard_normal((100_000, 512), dtype=np.float32).astype(np.float16)
    queries = unit(draw.standard_normal((64, 512))).astype(np.float32)
    queries[:8] = unit(corpus[12_345:12_353])
    cut = [0, 30_000, 30_001, 64_000, 100_000]
    shards(tmp_path, [corpus[a:b] for a, b in itertools.pairwise(cut)])
    found = neighbours.search_reference(
        queries, reference.open_reference([str(tmp_path)], 512), 10
    )
    score, rows = brute(queries, corpus, 10)
    np.testing.assert_allclose(found.score, score, atol=1e-7)
    separated = np.all(-np.diff(brute(queries, corpus, 11)[0], axis=1) > 1e-6, axis=1)
    assert separated.sum() > 50, "the drawn scores lie too close to tell ids apart"
    np.testing.assert_array_equal(
        (np.array(cut)[found.shard] + found.row)[separated], rows[separated]
    )


def test_of_equal_vectors_the_lowest_row_is_named_however_many_there_are(tmp_path):
    draw = np.random.default_rng(1)
    corpus = draw.standard_normal((20_000, 32)).astype(np.float16)
    many = np.sort(draw.choice(20_000, 900, replace=False))
    corpus[many] = corpus[many[500]]
    corpus[many[3:]] *= np.float16(0.5)  # the same direction at half the length
    cut = [0, 9_000, 20_000]
    shards(tmp_path, [corpus[a:b] for a, b in itertools.pairwise(cut)])
    queries = np.concatenate(
        [unit(corpus[many[:1]]), unit(draw.standard_normal((3, 32)))]
    ).astype(np.float32)
    found = neighbours.search_reference(
        queries, reference.open_reference([str(tmp_path)]), 12
    )
    assert (np.array(cut)[found.shard] + found.row)[0].tolist() == many[:12].tolist()
    np.testing.assert_allclose(found.score, brute(queries, corpus, 12)[0], atol=1e-7)


def test_fewer_references_than_k_leave_empty_places(tmp_path):
    shards(tmp_path, [np.eye(3, dtype=np.float16), np.empty((0, 3), dtype=np.float16)])
    found = neighbours.search_reference(
        np.eye(3, dtype=np.float32), reference.open_reference([str(tmp_path)]), 5
    )
    assert found.row[:, 0].tolist() == [0, 1, 2]
    assert (found.row[:, 3:] == -1).all()


def test_inside_a_set_an_image_is_not_its_own_neighbour():
    draw = np.random.default_rng(2)
    vectors = unit(draw.standard_normal((300, 16))).astype(np.float32)
    vectors[50:90] = vectors[40]  # more equal ones than neighbours are asked for
    good = np.delete(np.arange(300), [7])
    found = neighbours.neighbours_in_set(vectors, good, 4)
    assert (found.row[7] == -1).all(), "an unreadable image has neighbours"
    assert not (found.row == np.arange(300)[:, None]).any()
    assert found.row[40].tolist() == [50, 51, 52, 53]
    assert found.row[80].tolist() == [40, 50, 51, 52]
    scores = vectors[good].astype(np.float64) @ vectors[good].T.astype(np.float64)
    np.fill_diagonal(scores, -2)
    np.testing.assert_allclose(
        found.score[good], -np.sort(-scores, axis=1)[:, :4], atol=1e-6
    )


@pytest.mark.parametrize("spec", ["Flat", "IVF16,PQ8", "kept"])
def test_an_index_proposes_and_its_recall_is_measured(spec, tmp_path):
    import faiss

    draw = np.random.default_rng(3)
    corpus = unit(draw.standard_normal((12_000, 32))).astype(np.float32)
    shards(
        tmp_path / "r",
        [corpus[:5_000].astype(np.float16), corpus[5_000:].astype(np.float16)],
    )
    opened = reference.open_reference([str(tmp_path / "r")])
    queries = unit(corpus[::100] + 0.05 * draw.standard_normal((120, 32))).astype(
        np.float32
    )
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
            spec if Path(spec).is_file() else _kept(tmp_path), opened[:1], tmp_path
        )


def _kept(folder):
    return str(next(folder.glob("index-*.faiss")))


# --- refusals
# --------------------------------------------------------------------------------------------------


def bad_row(value):
    def make(folder):
        array = np.ones((9_000, 4), dtype=np.float16)
        array[8_500] = value
        shards(folder, [array])

    return make


def pickled(folder):
    np.save(
        folder / "img_emb_0000.npy",
        np.array([{"a": 1}], dtype=object),
        allow_pickle=True,
    )


def other_count(folder):
    shards(folder, [np.ones((3, 4), dtype=np.float16)])
    pq.write_table(pa.table({"url": ["a"]}), folder / "metadata_0000.parquet")


def cut_short(folder):
    shards(folder, [np.ones((300, 4), dtype=np.float16)])
    path = folder / "img_emb_0000.npy"
    path.write_bytes(path.read_bytes()[:500])


REFUSED = {
    "another width": (
        lambda f: shards(f, [np.ones((3, 5))]),
        "vectors of 5 numbers, the model gives 4",
    ),
    "two widths": (
        lambda f: shards(f, [np.ones((3, 4)), np.ones((3, 6))]),
        "vectors of 6 numbers",
    ),
    "NaN": (bad_row(np.nan), "img_emb_0000.npy: row 8500 holds NaN or infinity"),
    "infinity": (bad_row(np.inf), "img_emb_0000.npy: row 8500 holds NaN or infinity"),
    "zero vector": (bad_row(0), "img_emb_0000.npy: row 8500 is a zero vector"),
    "pickled": (pickled, "pickled arrays are not read"),
    "cut short": (cut_short, "can't be mapped"),
    "whole numbers": (
        lambda f: shards(f, [np.ones((3, 4), dtype=np.int64)]),
        "n x d of float16",
    ),
    "one dimension": (lambda f: shards(f, [np.ones(4)]), "n x d of float16"),
    "empty folder": (lambda f: None, "holds no .npy file"),
    "no rows": (lambda f: shards(f, [np.empty((0, 4))]), "has no rows"),
    "metadata of another count": (
        other_count,
        "1 rows and .* 3: they don't belong together",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_reference_that_does_not_fit_is_refused_in_one_line(name, tmp_path):
    make, message = REFUSED[name]
    make(tmp_path)
    with pytest.raises(UserError, match=message) as refused:
        neighbours.search_reference(
            np.eye(4, dtype=np.float32), reference.open_reference([str(tmp_path)], 4), 2
        )
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": ["a", "a"]}, "more than once"),
        ({"file": ["../x.png", "b.png"]}, "below it"),
        ({"file": ["/etc/x.png", "b.png"]}, "below it"),
        ({"object": ["cab", None]}, "row 1, is None"),
        ({"attribute": None}, "lacks the column"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(change, message, tmp_path):
    columns = {
        "image_id": ["a", "b"],
        "attribute": ["x", "y"],
        "object": ["x", "y"],
        "file": ["a.png", "b.png"],
    }
    columns = {
        name: value
        for name, value in {**columns, **change}.items()
        if value is not None
    }
    pq.write_table(pa.table(columns), tmp_path / "images.parquet")
    with pytest.raises(UserError, match=message):
        open_set(tmp_path / "images.parquet")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": ("x",)}, "name the model"),
        ({"cosine_in_set": 0.9}, "name the model"),
        ({"k": 0}, "from 1 to"),
        ({"model": "mini", "index": "Flat"}, "name the reference"),
        ({"hash_distance": 40}, "from 0 to 16"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message, planted, tmp_path):
    with pytest.raises(UserError, match=message):
        find_duplicates(planted, tmp_path, DuplicateOptions(**options))


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(
        UserError, match=re.escape("pip install 'imagenet-ao[distinct]'")
    ):
        extra.need_extra("faiss")


# --- hashes and decisions
# -----------------------------------------------------------------------------------------


def test_planted_copies_go_and_different_pictures_stay(planted, tmp_path):
    find_duplicates(planted, tmp_path, DuplicateOptions())
    rows = {
        row["image_id"]: row
        for row in pq.read_table(tmp_path / "decisions.parquet").to_pylist()
    }
    removed = {name: row["reason"] for name, row in rows.items() if not row["kept"]}
    wanted = {
        f"p{s:02d}-{how}": f"near-duplicate of p{s:02d}"
        for s in (0, 7, 14)
        for how in ("jpeg", "half", "crop")
    }
    assert removed == wanted
    assert rows["same-place-blue"]["kept"], (
        "another colour in the same place was taken for a copy"
    )
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["counts"]["removed"] == {
        "near-duplicate": 9,
        "too near to reference": 0,
        "unreadable": 0,
    }


def test_colour_tells_apart_what_the_hash_does_not():
    red, blue = (
        hashes.image_look(picture(5, colour, "cab")) for colour in ("red", "blue")
    )
    assert (red[:64] != blue[:64]).sum() <= hashes.DISTANCE
    assert np.abs(red[64:] - blue[64:]).max() > hashes.COLOUR


def random_looks(count, draw):
    """Hashes in small clouds, in few colours, so that there are pairs at every distance."""
    centres = draw.integers(0, 2**63, 40, dtype=np.uint64)
    places, used = (
        draw.integers(0, 64, (count, 5), np.uint64),
        draw.integers(0, 2, (count, 5), np.uint64),
    )
    flips = (np.uint64(1) << places) * used
    bits = centres[draw.integers(0, 40, count)] ^ np.bitwise_xor.reduce(flips, axis=1)
    return hashes.ImageLooks(
        bits, draw.integers(0, 2, (count, 48), dtype=np.uint8) * np.uint8(15), {}
    )


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
            hue = int(np.abs(looks.colours[i].astype(int) - looks.colours[j]).max())
            if hue <= 20:
                best[i] = min(best.get(i, (99,)), (bits, hue, j))
                if j < i and bits <= 4:
                    wanted.add((i, j, bits, hue))
    found = [
        zip(p.row, p.column, p.distance, p.colour, strict=True)
        for p in hashes.all_pairs(looks, good, 4, 20)
    ]
    assert {tuple(map(int, pair)) for pairs in found for pair in pairs} == wanted
    assert len(wanted) > 500
    where, bits = hashes.nearest_by_hash(looks, good, 20)
    assert {
        i: (int(bits[i]), int(where[i])) for i in np.nonzero(where >= 0)[0].tolist()
    } == {i: (b, j) for i, (b, _, j) in best.items()}


def test_every_removed_image_is_near_to_a_kept_one_and_no_kept_ones_are_near(
    monkeypatch,
):
    monkeypatch.setattr(decide, "ROWS", 64)
    draw = np.random.default_rng(5)
    count = 600
    looks = random_looks(count, draw)
    vectors = unit(draw.standard_normal((count, 6))).astype(np.float32)
    thresholds = NearThresholds(cosine_in_set=0.9)
    candidates = np.delete(np.arange(count), [0, 10, 599])
    chosen = choose_greedily(
        count, candidates, decide.edges_of(looks, vectors, thresholds)
    )
    bits = np.bitwise_count(looks.bits[:, None] ^ looks.bits[None]).astype(int)
    hue = np.abs(looks.colours[:, None].astype(int) - looks.colours[None]).max(axis=2)
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


# --- the step, its page, and a killed run
# --------------------------------------------------------------------------

EVIL = "<script>alert(1)</script><img src=http://example.org/x onerror=alert(2)>"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A set with copies, an unreadable file and a reference of three shards, one row of which is
    image p03.
    """
    from aobench.duplicates.embed import embed_set, load_model

    place = tmp_path_factory.mktemp("whole")
    folder = Folder(place / "set")
    for seed in range(12):
        folder.put(f"p{seed:02d}", picture(seed))
    folder.put("p00-copy", picture(0), "jpg", quality=50)
    folder.put("p03-copy", picture(3), "jpg", quality=50)
    (place / "set" / "broken.png").write_bytes(b"no picture")
    folder.rows.append(
        {
            "image_id": "broken",
            "attribute": "<b>",
            "object": "cab",
            "file": "broken.png",
        }
    )
    table = folder.table()
    own = embed_set(load_model("mini"), open_set(table), place / "own", 8).vectors
    draw = np.random.default_rng(6)
    arrays = [
        draw.standard_normal((300, own.shape[1])).astype(np.float16) for _ in range(3)
    ]
    arrays[1][222] = own[3]
    arrays[2][11] = own[3]
    return table, shards(place / "reference", arrays, EVIL), place


OPTIONS = {
    "model": "mini",
    "cosine_in_set": 0.99,
    "reference_cosine": 0.995,
    "reference_width": 0.001,
    "k": 3,
}


@pytest.fixture(scope="module")
def made(whole):
    table, folder, place = whole
    return find_duplicates(
        table, place / "out", DuplicateOptions(**OPTIONS, reference=(str(folder),))
    )


def test_decisions_name_what_each_image_is_too_near_to(made):
    rows = {
        row["image_id"]: row
        for row in pq.read_table(made / "decisions.parquet").to_pylist()
    }
    assert rows["p03"]["reason"] == "too near to reference img_emb_0001.npy row 222"
    assert rows["p03"]["nearest_reference"]["url"] == "http://example.org/1/222.jpg"
    assert rows["p03"]["nearest_reference"]["caption"] == EVIL
    assert rows["p03"]["reference_cosine"] > 0.999
    assert rows["p00-copy"]["reason"] == "near-duplicate of p00"
    assert rows["p00"]["nearest_in_set"] == "p00-copy"
    assert rows["p03-copy"]["reason"] != "near-duplicate of p03", (
        "p03 isn't kept, so nothing can be its duplicate"
    )
    assert rows["broken"]["reason"].startswith("unreadable: ")
    assert [rows[f"p{i:02d}"]["kept"] for i in (0, 1, 2, 4)] == [True] * 4
    table = pq.read_table(made / "neighbours.parquet").to_pylist()
    near = [r for r in table if r["image_id"] == "p03" and r["where"] == "reference"]
    assert [(Path(r["file"]).name, r["row"]) for r in near[:2]] == [
        ("img_emb_0001.npy", 222),
        ("img_emb_0002.npy", 11),
    ]
    assert len(table) == 14 * 2 * 3, (
        "three neighbours in the set and in the reference for each readable image"
    )


def test_the_manifest_says_what_made_it(made):
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["model"]["revision"].startswith("sha256:")
    assert [shard["rows"] for shard in manifest["reference"]] == [300] * 3
    assert manifest["counts"]["images"] == 15
    assert (
        manifest["counts"]["kept"] + sum(manifest["counts"]["removed"].values()) == 15
    )
    assert manifest["thresholds"]["reference_cosine"] == 0.995


def test_the_page_holds_the_pairs_and_asks_for_nothing(made):
    page = (made / "report.html").read_text()
    assert "near-duplicate of p00" in page
    assert "too near to reference img_emb_0001.npy row 222" in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(
        r"""(src|href|action|srcset|poster)\s*=\s*(?!["']?(data:|#))""",
        re.sub(r"&lt;.*?&gt;", "", page),
    )
    assert not re.search(r"@import|url\(", page)
    assert page.count("<img") == page.count("alt="), (
        "a picture lacks its alternative text"
    )


def test_the_page_says_how_many_pairs_it_left_out(planted, tmp_path):
    page = (
        find_duplicates(planted, tmp_path, DuplicateOptions(report_pairs=2))
        / "report.html"
    ).read_text()
    left = [int(n) for n in re.findall(r"([\d,]+) left out", page)]
    doubtful, sure = (
        int(n) for n in re.findall(r"(?:these first|in the set) \((\d+)\)", page)
    )
    assert left == [n - 2 for n in (doubtful, sure) if n > 2]
    assert left


KILLED = """
import os, signal, sys
from pathlib import Path
from aobench.duplicates import neighbours
from aobench.duplicates.step import DistinctOptions, run_distinct
seen = []
add = neighbours.TopK.add
def stop(self, shard, *rest):
    add(self, shard, *rest)
    if (seen.append(shard) or len(seen)) == 3:  # the set's own block, the first shard, the second: not yet written
        os.kill(os.getpid(), signal.SIGKILL)
neighbours.TopK.add = stop
options = {options!r}
run_distinct(Path({table!r}), Path({out!r}), DistinctOptions(**options))
"""


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    whole, made, tmp_path, monkeypatch
):
    table, folder, _ = whole
    options = {**OPTIONS, "reference": (str(folder),)}
    script = KILLED.format(options=options, table=str(table), out=str(tmp_path))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "decisions.parquet").exists()
    assert (tmp_path / "parts" / "reference.safetensors").exists(), (
        "the first shard's result was not kept"
    )
    read = []
    blocks = reference.ReferenceShard.blocks
    monkeypatch.setattr(
        reference.ReferenceShard,
        "blocks",
        lambda self: (read.append(self.path.name), blocks(self))[1],
    )
    find_duplicates(table, tmp_path, DuplicateOptions(**options))
    assert read == ["img_emb_0001.npy", "img_emb_0002.npy"], (
        "the finished shard was searched again"
    )
    for name in (
        "decisions.parquet",
        "neighbours.parquet",
        "report.html",
        "parts/reference.safetensors",
    ):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes(), name


def test_a_changed_shard_starts_the_search_over(tmp_path):
    draw = np.random.default_rng(7)
    arrays = [draw.standard_normal((50, 8)).astype(np.float16) for _ in range(2)]
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
    shards(tmp_path / "r", [unit(draw.standard_normal((400, 8))).astype(np.float16)])
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
