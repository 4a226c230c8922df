"""The bundled set by its name."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest

import imagenet_ao
from aobench.mini import splits
from aobench.mini.pictures import objects
from aobench.mini.render import ATTRIBUTES
from imagenet_ao import (
    OBJECTS,
    DatasetError,
    fingerprint,
    pixel_digest,
    prepare,
)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set of 12 pairs a split, so that all of it is drawn in a moment."""
    every = splits.pairs
    monkeypatch.setattr(splits, "pairs", lambda novel: every(novel)[:12])
    monkeypatch.setattr(
        splits, "IMAGES_PER_COMPOSITION", {"train": 1, "id": 2, "ood": 1}
    )


def test_every_object_is_an_imagenet_class() -> None:
    assert set(objects()) <= set(OBJECTS)


def test_streamed_rows_are_the_samples() -> None:
    rows = datasets.load_dataset(
        "imagenet_ao", "mini", split="ood", streaming=True
    )
    assert rows.features["attribute"].names == list(ATTRIBUTES)
    assert rows.features["object"].names == list(objects())
    for row, sample in zip(rows.take(3), splits.samples("ood"), strict=False):
        pixels = sample.image()
        assert row["sample_id"] == sample.sample_id
        assert row["composition"] == f"{sample.attribute} {sample.name}"
        assert (row["wnid"], row["imagenet_label"]) == OBJECTS[sample.name]
        assert np.array_equal(np.asarray(row["image"]), pixels)
        assert row["sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()
        assert row["recipe"] == sample.recipe


@pytest.mark.usefixtures("few")
def test_splits_processes_and_parquet(tmp_path: Path) -> None:
    loaded = datasets.load_dataset("imagenet_ao", "mini")
    assert {name: len(rows) for name, rows in loaded.items()} == {
        "train": 12,
        "id": 24,
        "ood": 12,
    }
    assert loaded["id"]["sample_id"][:] == [
        sample.sample_id for sample in splits.samples("id")
    ]
    alone = datasets.load_dataset("imagenet_ao", "mini", only="ood", num_proc=2)
    assert list(alone) == ["ood"]
    assert fingerprint(alone["ood"]) == fingerprint(loaded["ood"])
    out = prepare(tmp_path / "repo", "mini")
    for name, rows in datasets.load_dataset(out, "mini").items():
        assert fingerprint(rows) == fingerprint(loaded[name]), name
        facts = json.loads(
            (tmp_path / "repo" / "fingerprints.json").read_text()
        )["mini"][name]
        assert facts == {
            "fingerprint": fingerprint(rows),
            "n": len(rows),
            "pixels": pixel_digest(loaded[name]),
        }
    with pytest.raises(DatasetError, match="no split of mini"):
        datasets.load_dataset("imagenet_ao", "mini", only="test")


def rows_of(**changed: str) -> datasets.Dataset:
    """Two rows of a drawn set, of which the first is changed."""
    first = {
        "sample_id": "a",
        "composition": "red fox",
        "sha256": "1",
        "recipe": "2",
    }
    return datasets.Dataset.from_list(
        [{**first, **changed}, {**first, "sample_id": "b"}]
    )


@pytest.mark.parametrize("column", ["sample_id", "composition", "recipe"])
def test_what_defines_a_drawn_set_is_in_its_fingerprint(column: str) -> None:
    assert fingerprint(rows_of()) != fingerprint(
        rows_of(**{column: "other"})
    ), column


def test_other_pixels_of_the_same_set_are_noted_and_not_another_set() -> None:
    assert fingerprint(rows_of()) == fingerprint(rows_of(sha256="other"))
    assert pixel_digest(rows_of()) != pixel_digest(rows_of(sha256="other"))


def test_a_set_of_files_is_known_by_their_bytes() -> None:
    files, others = (
        rows_of(sha256=text).remove_columns("recipe") for text in ("1", "other")
    )
    assert fingerprint(files) != fingerprint(others)
    assert pixel_digest(files) is None


@pytest.mark.usefixtures("few")
def test_both_configs_in_one_repository(folder: Path, tmp_path: Path) -> None:
    prepare(tmp_path / "repo", "mini")
    out = prepare(tmp_path / "repo", "v2", data_dir=str(folder))
    assert datasets.get_dataset_config_names(out) == ["mini", "v2"]
    assert datasets.get_dataset_default_config_name(out) == "v2"
    assert len(
        datasets.load_dataset(out, "mini", split="ood", streaming=True)
        .features["object"]
        .names
    ) == len(objects())
    assert (
        len(datasets.load_dataset(out, split="ood").features["object"].names)
        == 1000
    )


@pytest.mark.usefixtures("few")
def test_another_set_is_another_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(datasets.load_dataset("imagenet_ao", "mini", split="ood")) == 12
    monkeypatch.setattr(
        splits, "IMAGES_PER_COMPOSITION", {"train": 1, "id": 1, "ood": 2}
    )
    assert len(datasets.load_dataset("imagenet_ao", "mini", split="ood")) == 24


def test_without_the_package(tmp_path: Path) -> None:
    (tmp_path / "imagenet_ao.py").write_bytes(
        Path(imagenet_ao.__file__).read_bytes()
    )
    code = "import imagenet_ao; imagenet_ao.ImageNetAO(config_name='mini', cache_dir='cache')"
    ran = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            f"import sys; sys.path += {[p for p in sys.path if 'site-packages' in p]!r}; {code}",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "pip install imagenet-ao" in ran.stderr.splitlines()[-1], ran.stderr
