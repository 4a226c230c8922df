"""Fixtures: the archive as a folder and as a zip, and a cache of each test's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import datasets
import pytest
from helpers.published_layout import LABELS, picture, write_zip

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache"
    )
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setitem(
        os.environ, "HF_DATASETS_CACHE", str(tmp_path / "cache")
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The archive, unpacked."""
    root = tmp_path / "data" / "ImageNet-AO-filtered"
    for number, label in enumerate(LABELS):
        (root / label).mkdir(parents=True)
        for index, ending in enumerate(("png", "jpg", "JPEG")):
            form = "PNG" if ending == "png" else "JPEG"
            (root / label / f"{index}.{ending}").write_bytes(
                picture(10 * number + index, form)
            )
        (root / label / ".DS_Store").write_bytes(b"litter")
    return root


@pytest.fixture
def zipped(folder: Path, tmp_path: Path) -> Path:
    """The same archive as a zip."""
    return write_zip(folder, tmp_path / "ImageNet-AO-filtered.zip")
