"""Fixtures: a cache of each test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import datasets
import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache"
    )
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
