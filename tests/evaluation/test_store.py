"""Shards on disk: whole or absent, kept apart by what made them."""

import os
import time

import pytest
import torch

from aobench.errors import UserError
from aobench.evaluation.embedding_store import Store


def test_what_is_written_is_read_and_no_longer_missing(tmp_path):
    store = Store(tmp_path, {"model": "a"}, 10, 4)
    assert store.missing() == [0, 1, 2]
    vectors = torch.randn(2, 3)
    store.write(2, vectors, {1: "cut short"})
    assert store.missing() == [0, 1]
    found, notes = Store(tmp_path, {"model": "a"}, 10, 4).read(2)
    assert torch.equal(found, vectors)
    assert notes == {1: "cut short"}


@pytest.mark.parametrize(
    "other",
    [({"model": "b"}, 10, 4), ({"model": "a"}, 11, 4), ({"model": "a"}, 10, 5)],
)
def test_other_keys_counts_and_sizes_are_other_places(other, tmp_path):
    Store(tmp_path, {"model": "a"}, 10, 4).write(0, torch.zeros(4, 2))
    assert 0 in Store(tmp_path, *other).missing()


def test_a_damaged_file_is_named(tmp_path):
    store = Store(tmp_path, {}, 4, 4)
    store.write(0, torch.zeros(4, 2))
    store.path(0).write_bytes(store.path(0).read_bytes()[:20])
    with pytest.raises(UserError, match="run again"):
        store.read(0)


def test_numbers_that_overflowed_are_refused(tmp_path):
    with pytest.raises(UserError, match="--dtype"):
        Store(tmp_path, {}, 1, 1).write(0, torch.tensor([[float("nan")]]))


def test_remains_of_killed_runs_go_after_a_day(tmp_path):
    store = Store(tmp_path, {}, 4, 4)
    old, new = (
        store.folder / ".000000.safetensors.a.part",
        store.folder / ".000000.safetensors.b.part",
    )
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 100_000,) * 2)
    Store(tmp_path, {}, 4, 4)
    assert not old.exists()
    assert new.exists()


def _other(path):
    """A shard of the same shape from the folder of another model."""
    other = Store(path.parents[1], {"model": "another"}, 10, 4)
    other.write(
        1, torch.randn(4, 3, generator=torch.Generator().manual_seed(7))
    )
    return other.path(1).read_bytes()


def _nan(path):
    from safetensors.torch import load, save

    return save(
        {
            "vectors": torch.full_like(
                load(path.read_bytes())["vectors"], float("nan")
            )
        }
    )


def _flipped(place):
    def change(path):
        data = bytearray(path.read_bytes())
        data[place] ^= 16
        return bytes(data)

    return change


DAMAGES = {
    "a bit flipped in the last vector": _flipped(-3),
    "a bit flipped in the notes": lambda path: path.read_bytes().replace(
        b"cut short", b"cut shoot"
    ),
    "a bit flipped in the header": _flipped(9),
    "zeroed": lambda path: bytes(path.stat().st_size),
    "vectors zeroed": lambda path: path.read_bytes()[:-48] + bytes(48),
    "empty": lambda path: b"",
    "cut short": lambda path: path.read_bytes()[:-5],
    "longer": lambda path: path.read_bytes() + b"x",
    "NaN, without a seal": _nan,
    "its neighbour's": lambda path: path.with_name(
        "000000.safetensors"
    ).read_bytes(),
    "another model's": _other,
    "text": lambda path: b"not found",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_shard_that_is_not_what_was_written_is_missing_and_said_to_be(
    damage, tmp_path, capsys
):
    store = Store(tmp_path, {"model": "a"}, 10, 4)
    for shard in range(3):
        store.write(
            shard, torch.randn(len(store.items(shard)), 3), {1: "cut short"}
        )
    assert store.missing() == []
    store.path(1).write_bytes(DAMAGES[damage](store.path(1)))
    capsys.readouterr()
    assert store.missing() == [1], f"a shard that is {damage} was believed"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "000001.safetensors" in said
    assert "computed again" in said
    with pytest.raises(UserError, match="run again"):
        store.read(1)
    store.write(1, torch.ones(4, 3))
    assert Store(tmp_path, {"model": "a"}, 10, 4).missing() == []


def test_a_key_that_was_changed_is_written_again(tmp_path):
    told = Store(tmp_path, {"model": "a"}, 4, 4).folder / "key.json"
    right = told.read_text()
    told.write_text(right.replace('"a"', '"b"'))
    Store(tmp_path, {"model": "a"}, 4, 4)
    assert told.read_text() == right


@pytest.mark.parametrize("damage", [*DAMAGES, "gone"])
def test_a_shard_that_is_damaged_after_it_was_looked_for_is_computed_again(
    damage, tmp_path, capsys
):
    store = Store(tmp_path, {"model": "a"}, 10, 4)
    for shard in range(3):
        store.write(
            shard, torch.randn(len(store.items(shard)), 3), {1: "cut short"}
        )
    assert store.missing() == []
    if damage == "gone":
        store.path(1).unlink()
    else:
        store.path(1).write_bytes(DAMAGES[damage](store.path(1)))
    again = torch.ones(4, 3)
    vectors, notes = store.read(1, lambda shard: store.write(shard, again))
    assert torch.equal(vectors, again)
    assert notes == {}
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "computed again" in said


@pytest.mark.parametrize("what", ["images", "texts"])
def test_vectors_of_a_gpu_are_not_taken_for_those_of_a_processor(
    what, tmp_path
):
    from types import SimpleNamespace

    from aobench.evaluation.embedding import image_store, model_key
    from aobench.models.base import ModelInfo

    split = SimpleNamespace(
        fingerprint="f",
        name="ood",
        pixels=None,
        content=None,
        sample_ids=["a", "b", "c"],
    )
    places = set()
    for device in ("cpu", "cuda", "mps"):
        info = ModelInfo("a", "clip", "1", "p", "float32", device, True)
        model = SimpleNamespace(info=info)
        if what == "images":

            class Sized(SimpleNamespace):
                def __len__(self):
                    return 3

            sized = Sized(**vars(split))
            places.add(image_store(model, sized, tmp_path, 4, None).folder)
        else:
            places.add(Store(tmp_path, model_key(model), 3, 4).folder)
    assert len(places) == 3
