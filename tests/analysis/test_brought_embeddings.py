"""An .npz that someone brings: damaged, cut, or with labels that are no numbers, is one line."""

import numpy as np
import pytest

from aobench.analysis.embeddings import image_stores, read_npz
from aobench.errors import UserError

Z = np.random.default_rng(0).normal(size=(64, 8))
A, THINGS = np.repeat(np.arange(8), 8), np.tile(np.arange(8), 8)


def saved(path, **changes):
    arrays = {"embeddings": Z, "attributes": A, "objects": THINGS} | changes
    np.savez(
        path,
        **{name: value for name, value in arrays.items() if value is not None},
    )
    return path


def test_whole_numbers_are_read_in_any_type(tmp_path):
    for kind in (np.uint8, np.int32, float):
        read = read_npz(saved(tmp_path / "x.npz", attributes=A.astype(kind)))
        assert read.factors.tolist() == np.column_stack([A, THINGS]).tolist()


REFUSED = {
    "fractions": (
        {"attributes": A + 0.7},
        r"attributes\[0\] is 0.7, not a whole number",
    ),
    "NaN": (
        {"objects": np.where(THINGS == 0, np.nan, THINGS)},
        r"objects\[0\] is nan",
    ),
    "infinity": (
        {"objects": np.where(THINGS == 1, np.inf, THINGS)},
        r"objects\[1\] is inf",
    ),
    "names": (
        {"attributes": np.array(["red"] * 64)},
        "attributes holds <U3; number the names",
    ),
    "truth values": ({"attributes": A > 3}, "attributes holds bool"),
    "another length": ({"objects": THINGS[:5]}, "embeddings must be N x D"),
    "a column of labels": (
        {"objects": THINGS[:, None]},
        "embeddings must be N x D",
    ),
    "one dimension": ({"embeddings": Z[:, 0]}, "embeddings must be N x D"),
    "no images": (
        {"embeddings": Z[:0], "attributes": A[:0], "objects": THINGS[:0]},
        "must be N x D",
    ),
    "NaN embeddings": (
        {"embeddings": np.where(Z > 1, np.nan, Z)},
        "finite numbers",
    ),
    "complex": ({"embeddings": Z * 1j}, "finite numbers"),
    "pickled": (
        {"attributes": np.array([{"a": 1}] * 64)},
        "could not be read as .npz",
    ),
    "absent": ({"objects": None}, "lacks the array"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_arrays_that_are_not_what_they_should_be_are_one_line(fault, tmp_path):
    changes, words = REFUSED[fault]
    with pytest.raises(UserError, match=words) as caught:
        read_npz(saved(tmp_path / "x.npz", **changes))
    assert "\n" not in str(caught.value)


def flipped(data):
    return data[:600] + bytes([data[600] ^ 8]) + data[601:]


@pytest.mark.parametrize(
    "damage",
    [
        flipped,
        lambda d: d[:200],
        lambda d: d[:-30],
        lambda d: b"",
        lambda d: bytes(len(d)),
        lambda d: b"{}",
        lambda d: d.replace(b"(64, 8)", b"(9" + b"9" * 3 + b"64, 8)"[4:]),
    ],
)
def test_a_damaged_file_is_one_line(damage, tmp_path):
    path = saved(tmp_path / "x.npz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError) as caught:
        read_npz(path)
    assert "\n" not in str(caught.value)


def test_one_array_under_this_name_is_one_line(tmp_path):
    np.save(tmp_path / "x.npy", Z)
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    with pytest.raises(UserError, match="is one array"):
        read_npz(tmp_path / "x.npz")


def test_what_is_no_file_is_one_line(tmp_path):
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    for name, words in (
        ("loop.npz", "symbolic links"),
        ("none.npz", "does not exist"),
        (".", "is a folder"),
    ):
        with pytest.raises(UserError, match=words):
            read_npz(tmp_path / name)


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"what": "images", "split": "ood"}', "[" * 10_000]
)
def test_a_key_of_embeddings_that_was_damaged_is_one_line(text, tmp_path):
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc/key.json").write_text(text)
    with pytest.raises(UserError, match=r"key\.json"):
        image_stores(tmp_path)
