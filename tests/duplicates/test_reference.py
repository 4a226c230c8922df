"""References that don't fit are refused in one line."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("faiss", reason="the extra 'distinct' is not installed")
pytest.importorskip("imagehash", reason="the extra 'distinct' is not installed")

from helpers.image_sets import shards

from aobench.duplicates import neighbours, reference
from aobench.errors import UserError
from aobench.extras import need_extra

ROOT = Path(__file__).parents[2]


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
    "NaN": (
        bad_row(np.nan),
        "img_emb_0000.npy: row 8500 holds NaN or infinity",
    ),
    "infinity": (
        bad_row(np.inf),
        "img_emb_0000.npy: row 8500 holds NaN or infinity",
    ),
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
            np.eye(4, dtype=np.float32),
            reference.open_reference([str(tmp_path)], 4),
            2,
        )
    assert "\n" not in str(refused.value)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(
        UserError, match=re.escape("pip install 'imagenet-ao[distinct]'")
    ):
        need_extra("faiss")


@pytest.mark.parametrize("kind", ["pipe", "npz", "loop"])
def test_what_is_no_array_under_a_shards_name_is_one_line(kind, tmp_path):
    path = tmp_path / "img_emb_0000.npy"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path.name)
    else:
        np.savez(tmp_path / "a.npz", a=np.ones((3, 4)))
        (tmp_path / "a.npz").rename(path)
    with pytest.raises(UserError, match=r"img_emb_0000\.npy"):
        reference.open_reference([str(tmp_path)], 4)
