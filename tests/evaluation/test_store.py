"""Shards on disk: whole or absent, kept apart by what made them."""

import os
import time

import pytest
import torch

from aobench.errors import UserError
from aobench.evaluation.store import Store


def test_what_is_written_is_read_and_no_longer_missing(tmp_path):
    store = Store(tmp_path, {"model": "a"}, 10, 4)
    assert store.missing() == [0, 1, 2]
    vectors = torch.randn(2, 3)
    store.write(2, vectors, {1: "cut short"})
    assert store.missing() == [0, 1]
    found, notes = Store(tmp_path, {"model": "a"}, 10, 4).read(2)
    assert torch.equal(found, vectors)
    assert notes == {1: "cut short"}


@pytest.mark.parametrize("other", [({"model": "b"}, 10, 4), ({"model": "a"}, 11, 4), ({"model": "a"}, 10, 5)])
def test_other_keys_counts_and_sizes_are_other_places(other, tmp_path):
    Store(tmp_path, {"model": "a"}, 10, 4).write(0, torch.zeros(4, 2))
    assert 0 in Store(tmp_path, *other).missing()


def test_a_damaged_file_is_named(tmp_path):
    store = Store(tmp_path, {}, 4, 4)
    store.write(0, torch.zeros(4, 2))
    store.path(0).write_bytes(store.path(0).read_bytes()[:20])
    with pytest.raises(UserError, match="delete it and run again"):
        store.read(0)


def test_numbers_that_overflowed_are_refused(tmp_path):
    with pytest.raises(UserError, match="--dtype"):
        Store(tmp_path, {}, 1, 1).write(0, torch.tensor([[float("nan")]]))


def test_remains_of_killed_runs_go_after_a_day(tmp_path):
    store = Store(tmp_path, {}, 4, 4)
    old, new = store.folder / ".000000.safetensors.a.part", store.folder / ".000000.safetensors.b.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 100_000,) * 2)
    Store(tmp_path, {}, 4, 4)
    assert not old.exists()
    assert new.exists()
