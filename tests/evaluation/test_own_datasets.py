"""Prepared sets of one's own: bad rows are one line or counted, altered ones give no other
result in silence.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

import imagenet_ao
from aobench import cli
from aobench.errors import UserError
from aobench.evaluation.data import Source, open_splits
from aobench.evaluation.image_loader import read_batches
from aobench.evaluation.loading import bad_data_is_one_line
from aobench.mini.render import render

PAIRS = [("wooden", "banana"), ("red", "teapot"), ("golden", "lion")]
IDS = [0, 0, 1, 1, 2, 2]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache"
    )


def png(row: int) -> bytes:
    stream = io.BytesIO()
    drawn = render(*PAIRS[IDS[row]], np.random.default_rng(row))
    Image.fromarray(drawn).save(stream, "PNG")
    return stream.getvalue()


def own(
    place: Path, features: dict[str, Any] | None = None, **changed: Any
) -> Path:
    """A dataset of six images of three compositions; ``changed``: columns, None to leave one
    out.
    """
    images = [png(row) for row in range(6)]
    columns = {
        "image": [{"bytes": data, "path": None} for data in images],
        "sample_id": [f"{k}/{row}" for row, k in enumerate(IDS)],
        "attribute": IDS,
        "object": IDS,
        "imagenet_label": [-1] * 6,
        "composition": [" ".join(PAIRS[k]) for k in IDS],
        "sha256": [hashlib.sha256(data).hexdigest() for data in images],
    } | changed
    text = datasets.Value("string")
    kinds = {
        **dict.fromkeys(("sample_id", "composition", "sha256"), text),
        "image": datasets.Image(),
        "attribute": datasets.ClassLabel(
            names=[attribute for attribute, _ in PAIRS]
        ),
        "object": datasets.ClassLabel(names=[name for _, name in PAIRS]),
        "imagenet_label": datasets.Value("int32"),
    } | (features or {})
    columns = {
        name: column for name, column in columns.items() if column is not None
    }
    (place / "data").mkdir(parents=True)
    shape = datasets.Features({name: kinds[name] for name in columns})
    datasets.Dataset.from_dict(columns, features=shape).to_parquet(
        place / "data" / "ood-0.parquet"
    )
    files = "  data_files:\n  - {split: ood, path: data/ood-*.parquet}\n"
    (place / "README.md").write_text(
        f"---\nconfigs:\n- config_name: own\n{files}---\n", encoding="utf-8"
    )
    return place


def evaluated(
    place: Path, config: str = "own", workers: int = 0
) -> dict[str, Any]:
    """By split its ids, compositions, pixels and unreadable images."""
    answer = {}
    for split in open_splits(Source(config, path=str(place))):
        chunks = [
            range(start, min(start + 4, len(split)))
            for start in range(0, len(split), 4)
        ]

        def transform(image: Image.Image) -> dict[str, np.ndarray]:
            return {"pixels": np.asarray(image.resize((8, 8)))}

        reads = list(read_batches(split, chunks, transform, workers))
        pixels = [
            array.numpy().tobytes()
            for read in reads
            for array in read.arrays.values()
        ]
        bad = {
            position: why
            for read in reads
            for position, why in read.bad.items()
        }
        answer[split.name] = (
            split.sample_ids,
            split.pairs,
            split.labels,
            pixels,
            bad,
        )
    return answer


TEXT = datasets.Value("string")


def names(column: str, *values: str) -> dict[str, Any]:
    """Another list of names for a column of ids."""
    return {"features": {column: datasets.ClassLabel(names=list(values))}}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"attribute": list("aabbcc"), "features": {"attribute": TEXT}},
            "attribute holds string, not ids of names",
        ),
        (
            {"object": list("aabbcc"), "features": {"object": TEXT}},
            "class_encode_column('object')",
        ),
        (
            {"object": IDS, "features": {"object": datasets.Value("int64")}},
            "object holds int64",
        ),
        (
            {"object": [0, 0, 1, 1, None, None]},
            "object is None in row 5 ('2/4')",
        ),
        ({"object": [0, 0, 1, 1, 2, -1]}, "object is -1 in row 6"),
        ({"sample_id": [None, *"bcdef"]}, "sample_id is None in row 1"),
        (
            {
                "sample_id": IDS,
                "features": {"sample_id": datasets.Value("int64")},
            },
            "sample_id is 0 in row 1",
        ),
        ({"sample_id": list("abcdea")}, "'a' more than once"),
        ({"composition": [*"abcde", None]}, "composition is None in row 6"),
        ({"sha256": [*"abcde", None]}, "sha256 is None in row 6"),
        (
            {"imagenet_label": [7, 8, -1, -1, -1, -1]},
            "'banana' has the imagenet_label 7 in one row and 8 in row 2",
        ),
        ({"imagenet_label": [1000] * 6}, "imagenet_label is 1000 in row 1"),
        (
            {
                "imagenet_label": list("aabbcc"),
                "features": {"imagenet_label": TEXT},
            },
            "imagenet_label is 'a'",
        ),
        (
            {"image": list("aabbcc"), "features": {"image": TEXT}},
            "holds no images",
        ),
        (
            {"sample_id": [*"abcde", "f\ng"]},
            "sample_id in row 6 is 'f\\ng', which holds",
        ),
        ({"sample_id": [" ", *"bcdef"]}, "sample_id in row 1 is empty"),
        ({"sha256": [*"abcde", ""]}, "sha256 in row 6 is empty"),
        (
            names("object", "banana", "", "lion"),
            "name 1 of the column object is empty",
        ),
        (
            names("attribute", "a\x07", "b", "c"),
            "0 of the column attribute is 'a\\x07'",
        ),
        (
            names("object", "a", "b", "c\x85"),
            "2 of the column object is 'c\\x85'",
        ),
        (
            names("object", "Fox", "b", "fox"),
            "the names 'Fox' and 'fox', which are one",
        ),
        (
            names("object", "cafe\u0301", "b", "caf\xe9"),
            "are one name to a model",
        ),
        ({"image": None}, "lacks the column(s) image"),
        ({"sha256": None}, "lacks the column(s) sha256"),
    ],
)
def test_bad_columns_are_one_line(
    changed: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        open_splits(Source("own", path=str(own(tmp_path / "set", **changed))))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_null_and_damaged_images_count_as_unreadable(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    images = [{"bytes": png(row), "path": None} for row in range(6)]
    images[0] = None  # type: ignore[call-overload]
    images[3] = {"bytes": b"", "path": None}
    images[5] = {"bytes": b"<html>404</html>", "path": None}
    digests = [str(row) for row in range(6)]
    place = own(tmp_path / "set", image=images, sha256=digests)
    (names, *_, bad) = evaluated(place)["ood"]
    assert len(names) == 6
    assert sorted(bad) == [0, 3, 5], bad
    out = tmp_path / "out"
    arguments = [
        "evaluate",
        "mini",
        "--data",
        str(place),
        "--out",
        str(out),
        "--cpu",
    ]
    assert cli.main(arguments) == 0
    assert "50.0 [" in capsys.readouterr().out, (
        "three of six could be read, and were named right"
    )
    assert cli.main([*arguments, "--on-bad-image", "stop"]) == 2


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("digests", ["file", "pixels"])
def test_an_image_that_is_not_its_rows_is_refused(
    digests: str, workers: int, tmp_path: Path
) -> None:
    images = [png(row) for row in range(6)]
    marks = [hashlib.sha256(data).hexdigest() for data in images]
    if digests == "pixels":
        marks = [
            hashlib.sha256(
                np.asarray(Image.open(io.BytesIO(data))).tobytes()
            ).hexdigest()
            for data in images
        ]
    good = own(tmp_path / "good", sha256=marks)
    assert not evaluated(good, workers=workers)["ood"][-1]
    images[4], images[1] = (
        images[1],
        images[4],
    )  # whole pictures, at each other's place
    swapped = [{"bytes": data, "path": None} for data in images]
    with pytest.raises(
        UserError, match=r"image 0/1 .*SHA-256 is another"
    ) as error:
        evaluated(
            own(tmp_path / "bad", sha256=marks, image=swapped), workers=workers
        )
    assert "\n" not in str(error.value), "a worker's traceback was told"


def test_damaged_parquet_files_never_give_another_result(
    tmp_path: Path,
) -> None:
    for number, label in enumerate(
        ("red_banana", "golden_lion", "wooden_teapot")
    ):
        (tmp_path / "set" / label).mkdir(parents=True)
        for index, ending in enumerate(("png", "jpg", "bmp")):
            pixels = np.random.default_rng(3 * number + index).integers(
                0, 256, (16, 16, 3), dtype=np.uint8
            )
            Image.fromarray(pixels).save(
                tmp_path / "set" / label / f"{index}.{ending}"
            )
    good = Path(
        imagenet_ao.prepare(tmp_path / "good", data_dir=str(tmp_path / "set"))
    )
    assert (
        json.loads((good / "fingerprints.json").read_text())["v2"]["ood"][
            "sha256"
        ]
        == "file"
    )
    right = evaluated(good, "v2")
    draw = random.Random(0)
    refusals = []
    for step in range(15):
        bad = tmp_path / f"bad{step}"
        shutil.copytree(good, bad)
        path = next((bad / "v2").glob("*.parquet"))
        data = bytearray(path.read_bytes())
        start = draw.randrange(len(data))
        if step % 3 == 0:
            data[start : start + 32] = bytes(len(data[start : start + 32]))
        else:
            data[start] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        try:
            answer = evaluated(bad, "v2")
        except UserError as error:
            refusals.append(str(error))
        else:
            assert answer == right, f"step {step}: another result"
    assert len(refusals) > 3
    assert "\n" not in "".join(refusals)


def test_ids_that_another_composition_has_are_refused(tmp_path: Path) -> None:
    place = own(tmp_path / "set", attribute=[0, 0, 1, 1, 2, 1])
    with pytest.raises(
        UserError, match=r"image 2/5 .* 'golden lion', but .* say 'red lion'"
    ):
        open_splits(Source("own", path=str(place)))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        '{"own": 3}',
        '{"own": {"ood": 3}}',
        '{"own": NaN}',
        "[" * 20_000,
    ],
)
def test_damaged_fingerprints_are_one_line(
    content: str, tmp_path: Path
) -> None:
    place = own(tmp_path / "set")
    (place / "fingerprints.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        open_splits(Source("own", path=str(place)))
    assert "fingerprints.json" in str(error.value)


@pytest.mark.parametrize("path", ["/tmp/a\0b", "/tmp/\udcff", "/dev/null"])
def test_paths_that_are_no_dataset_are_one_printable_line(path: str) -> None:
    with pytest.raises(UserError, match="could not be opened") as error:
        open_splits(Source("own", path=path))
    assert str(error.value).isprintable()


def test_a_bug_stays_a_traceback_and_bad_data_does_not() -> None:
    for bug in (
        TypeError("x"),
        KeyError("x"),
        AttributeError("x"),
        AssertionError(),
    ):
        with pytest.raises(type(bug)), bad_data_is_one_line("opening"):
            raise bug
    for bad in (
        OSError("gone"),
        imagenet_ao.DatasetError("gone"),
        datasets.exceptions.DatasetNotFoundError("gone"),
    ):
        with (
            pytest.raises(UserError, match="opening: gone"),
            bad_data_is_one_line("opening"),
        ):
            raise RuntimeError("while loading") from bad


@pytest.mark.parametrize("config", ["v2", "owm", "-"])
def test_an_unknown_config_is_one_line_with_those_that_there_are(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(own(tmp_path / "set"))
    words = ["evaluate", "mini", "--data", f"{place}:{config}", "--cpu"]
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert f"has no config {config!r}" in lines[0]
    assert lines[0].endswith(f"name one, as {place}:own, of own")


def test_several_configs_of_which_none_is_named_are_one_line(
    tmp_path: Path,
) -> None:
    place = own(tmp_path / "set")
    card = (place / "README.md").read_text()
    more = card.split("---")[1].split("configs:")[1].replace("own", "second")
    (place / "README.md").write_text(
        card.replace("configs:", f"configs:{more}", 1)
    )
    with pytest.raises(
        UserError, match="has several configs; name one, as"
    ) as error:
        open_splits(Source("", path=str(place)))
    assert "\n" not in str(error.value)
