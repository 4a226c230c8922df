"""A comparison: decisions, neighbours, the page, and a run that was killed."""

import re
import signal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("faiss", reason="the extra 'distinct' is not installed")
pytest.importorskip("imagehash", reason="the extra 'distinct' is not installed")

from helpers.image_sets import PictureFolder, picture, shards

from aobench.duplicates import reference
from aobench.duplicates.comparison import find_duplicates
from aobench.duplicates.images import open_set
from aobench.duplicates.options import DuplicateOptions
from aobench.errors import UserError


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """30 different pictures, and copies of some of them."""
    folder = PictureFolder(tmp_path_factory.mktemp("planted"))
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
def test_options_that_do_not_fit_are_refused(
    options, message, planted, tmp_path
):
    with pytest.raises(UserError, match=message):
        find_duplicates(
            open_set(planted), tmp_path, DuplicateOptions(**options)
        )


def test_planted_copies_go_and_different_pictures_stay(planted, tmp_path):
    search = find_duplicates(open_set(planted), tmp_path, DuplicateOptions())
    rows = {
        row["image_id"]: row
        for row in pq.read_table(tmp_path / "decisions.parquet").to_pylist()
    }
    removed = {
        name: row["reason"] for name, row in rows.items() if not row["kept"]
    }
    wanted = {
        f"p{s:02d}-{how}": f"near-duplicate of p{s:02d}"
        for s in (0, 7, 14)
        for how in ("jpeg", "half", "crop")
    }
    assert removed == wanted
    assert rows["same-place-blue"]["kept"], (
        "another colour in the same place was taken for a copy"
    )
    assert search.facts["counts"]["removed"] == {
        "near-duplicate": 9,
        "near-reference": 0,
        "unreadable": 0,
    }


EVIL = (
    "<script>alert(1)</script><img src=http://example.org/x onerror=alert(2)>"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A set with copies, an unreadable file and a reference of three shards, one row of which is
    image p03.
    """
    from aobench.duplicates.embed import embed_set, load_model

    place = tmp_path_factory.mktemp("whole")
    folder = PictureFolder(place / "set")
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
    own = embed_set(
        load_model("mini"), open_set(table), place / "own", 8
    ).vectors
    draw = np.random.default_rng(6)
    arrays = [
        draw.standard_normal((300, own.shape[1])).astype(np.float16)
        for _ in range(3)
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
def search(whole):
    table, folder, place = whole
    options = DuplicateOptions(**OPTIONS, reference=(str(folder),))
    return find_duplicates(open_set(table), place / "out", options)


@pytest.fixture(scope="module")
def out(search):
    return search.files[0].parent


def test_decisions_name_what_each_image_is_too_near_to(out):
    rows = {
        row["image_id"]: row
        for row in pq.read_table(out / "decisions.parquet").to_pylist()
    }
    assert (
        rows["p03"]["reason"]
        == "too near to reference img_emb_0001.npy row 222"
    )
    assert (
        rows["p03"]["nearest_reference"]["url"]
        == "http://example.org/1/222.jpg"
    )
    assert rows["p03"]["nearest_reference"]["caption"] == EVIL
    assert rows["p03"]["reference_cosine"] > 0.999
    assert rows["p00-copy"]["reason"] == "near-duplicate of p00"
    assert rows["p00"]["nearest_in_set"] == "p00-copy"
    assert rows["p03-copy"]["reason"] != "near-duplicate of p03", (
        "p03 isn't kept, so nothing can be its duplicate"
    )
    assert rows["broken"]["reason"].startswith("unreadable: ")
    assert [rows[f"p{i:02d}"]["kept"] for i in (0, 1, 2, 4)] == [True] * 4
    table = pq.read_table(out / "neighbours.parquet").to_pylist()
    near = [
        r for r in table if r["image_id"] == "p03" and r["where"] == "reference"
    ]
    assert [(Path(r["file"]).name, r["row"]) for r in near[:2]] == [
        ("img_emb_0001.npy", 222),
        ("img_emb_0002.npy", 11),
    ]
    assert len(table) == 14 * 2 * 3, (
        "three neighbours in the set and in the reference for each readable image"
    )


def test_the_facts_say_what_the_comparison_was_made_from(search):
    facts = search.facts
    assert facts["model"]["revision"].startswith("sha256:")
    assert [shard["rows"] for shard in facts["reference"]] == [300] * 3
    assert facts["counts"]["images"] == 15
    assert (
        facts["counts"]["kept"] + sum(facts["counts"]["removed"].values()) == 15
    )
    assert facts["thresholds"]["reference_cosine"] == 0.995


def test_the_page_holds_the_pairs_and_asks_for_nothing(out):
    page = (out / "report.html").read_text()
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
    find_duplicates(
        open_set(planted), tmp_path, DuplicateOptions(report_pairs=2)
    )
    page = (tmp_path / "report.html").read_text()
    left = [int(n) for n in re.findall(r"([\d,]+) left out", page)]
    doubtful, sure = (
        int(n)
        for n in re.findall(r"(?:these first|in the set) \((\d+)\)", page)
    )
    assert left == [n - 2 for n in (doubtful, sure) if n > 2]
    assert left


KILLED = """
import os, signal, sys
from pathlib import Path
from aobench.duplicates import neighbours
from aobench.duplicates.comparison import find_duplicates
from aobench.duplicates.images import open_set
from aobench.duplicates.options import DuplicateOptions
seen = []
add = neighbours.TopK.add
def stop(self, shard, *rest):
    add(self, shard, *rest)
    if (seen.append(shard) or len(seen)) == 3:  # the set's own block, the first shard, the second: not yet written
        os.kill(os.getpid(), signal.SIGKILL)
neighbours.TopK.add = stop
options = {options!r}
find_duplicates(open_set(Path({table!r})), Path({out!r}), DuplicateOptions(**options))
"""


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    warm, whole, out, tmp_path, monkeypatch
):
    table, folder, _ = whole
    options = {**OPTIONS, "reference": (str(folder),)}
    script = KILLED.format(options=options, table=str(table), out=str(tmp_path))
    (done,) = warm.run(1, [], code=script)
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
    find_duplicates(open_set(table), tmp_path, DuplicateOptions(**options))
    assert read == ["img_emb_0001.npy", "img_emb_0002.npy"], (
        "the finished shard was searched again"
    )
    for name in (
        "decisions.parquet",
        "neighbours.parquet",
        "report.html",
        "parts/reference.safetensors",
    ):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name
