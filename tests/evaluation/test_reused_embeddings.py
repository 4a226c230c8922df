"""Embeddings are used again for the same images in the same order, and for no others."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from helpers import tiny_models
from PIL import Image

from aobench import cli
from aobench.results.predictions import read

NAMES = (["wooden", "red"], ["banana", "teapot"])
PAIRS = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 0), (1, 1)]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache"
    )


def picture(seed: int) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(
        0, 255, (32, 32, 3), dtype=np.uint8
    )
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write_set(
    place: Path,
    order: Sequence[int] = range(6),
    images: Sequence[bytes] | None = None,
    digest: Callable[[bytes], str] = lambda data: hashlib.sha256(
        data
    ).hexdigest(),
    composition: Callable[[int, int], str] = lambda a, o: (
        f"{NAMES[0][a]} {NAMES[1][o]}"
    ),
) -> Path:
    data = list(images or [picture(seed) for seed in range(6)])
    columns: dict[str, tuple[Any, list[Any]]] = {
        "image": (
            datasets.Image(),
            [{"bytes": data[i], "path": None} for i in order],
        ),
        "sample_id": (datasets.Value("string"), [f"image {i}" for i in order]),
        "attribute": (
            datasets.ClassLabel(names=NAMES[0]),
            [PAIRS[i][0] for i in order],
        ),
        "object": (
            datasets.ClassLabel(names=NAMES[1]),
            [PAIRS[i][1] for i in order],
        ),
        "composition": (
            datasets.Value("string"),
            [composition(*PAIRS[i]) for i in order],
        ),
        "imagenet_label": (datasets.Value("int32"), [None for _ in order]),
        "sha256": (datasets.Value("string"), [digest(data[i]) for i in order]),
    }
    place.mkdir()
    features = datasets.Features(
        {name: kind for name, (kind, _) in columns.items()}
    )
    rows = {name: values for name, (_, values) in columns.items()}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(
        place / "ood.parquet"
    )
    files = "  data_files:\n  - {split: ood, path: ood.parquet}\n"
    (place / "README.md").write_text(
        f"---\nconfigs:\n- config_name: v2\n{files}---\n"
    )
    return place


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[..., list[Any]]:
    tiny_models.save("clip", tmp_path / "tiny")
    (tmp_path / "prompts.txt").write_text("a photo of a {}.\n")

    def run(dataset: Path, embeddings: str) -> list[Any]:
        out = tmp_path / f"{dataset.name} {embeddings}"
        words = [tmp_path / "tiny", "--data", dataset, "--cpu"]
        words += ["--templates", tmp_path / "prompts.txt", "--out", out]
        words += ["--embeddings", tmp_path / embeddings]
        assert cli.main(["evaluate", *map(str, words)]) == 0
        rows = read(out / "tiny").table.sort_by("sample_id")
        return rows.select(["sample_id", "rank", "margin"]).to_pylist()

    return run


@pytest.mark.parametrize("order", [(5, 4, 3, 2, 1, 0), (1, 0, 2, 3, 4, 5)])
def test_rows_in_another_order_keep_their_own_vectors(
    order: Sequence[int], tmp_path: Path, evaluated: Callable[..., list[Any]]
) -> None:
    first, moved = (
        write_set(tmp_path / "first"),
        write_set(tmp_path / "moved", order),
    )
    right = evaluated(first, "shared")
    assert evaluated(moved, "shared") == right, (
        "vectors of other rows were used"
    )


@pytest.mark.parametrize("digest", [lambda data: "x", lambda data: "0" * 64])
def test_other_images_under_the_same_digests_get_vectors_of_their_own(
    digest: Callable[[bytes], str],
    tmp_path: Path,
    evaluated: Callable[..., list[Any]],
) -> None:
    images = [picture(seed) for seed in range(6)]
    first = write_set(tmp_path / "first", images=images, digest=digest)
    other = write_set(tmp_path / "other", images=images[::-1], digest=digest)
    right = evaluated(other, "fresh")
    evaluated(first, "shared")
    assert evaluated(other, "shared") == right, (
        "another set's vectors were used"
    )


@pytest.mark.parametrize(
    ("composition", "said"),
    [
        (
            lambda a, o: f"{NAMES[0][1 - a]} {NAMES[1][o]}",
            ["image image 0", "its ids are of other names"],
        ),
        (
            lambda a, o: "blue dog",
            ["image image 0", "its ids are of other names"],
        ),
        (lambda a, o: "", ["composition in row 1 is empty"]),
    ],
)
def test_ids_of_other_names_than_the_compositions_text_are_refused(
    composition: Callable[[int, int], str],
    said: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = write_set(tmp_path / "set", composition=composition)
    words = ["evaluate", "mini", "--data", str(place), "--cpu"]
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert all(part in line for part in said), line


@pytest.mark.parametrize("value", [None, 1])
def test_a_recipe_that_is_no_text_is_one_line(
    value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = write_set(tmp_path / "set")
    rows = datasets.Dataset.from_parquet(str(place / "ood.parquet"))
    rows.add_column("recipe", [value] * 6).to_parquet(place / "ood.parquet")
    words = ["evaluate", "mini", "--data", str(place), "--cpu"]
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"recipe is {value!r} in row 1; it takes a text" in line, line
