"""The published set: from a folder, a zip and prepared Parquet files."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import datasets
import pytest
from helpers.published_layout import IMAGES, KNOWN, LABELS, picture, write_zip

import imagenet_ao
from aobench.errors import UserError
from aobench.evaluation.data import Source, open_splits
from imagenet_ao import (
    ATTRIBUTES,
    OBJECTS,
    DatasetError,
    fingerprint,
    label_report,
    prepare,
)

ROOT = Path(__file__).parents[2]


def load(data: Path | str, **options: Any) -> Any:
    return datasets.load_dataset(
        "imagenet_ao",
        data_dir=str(data),
        split=options.pop("split", "ood"),
        **options,
    )


def test_rows_of_a_folder(folder: Path) -> None:
    rows = load(folder)
    assert rows["sample_id"][:] == sorted(
        f"{label}/{i}" for label in KNOWN for i in ("0.png", "1.jpg", "2.JPEG")
    )
    assert rows.features["attribute"].names == list(ATTRIBUTES)
    assert rows.features["object"].names == list(OBJECTS)
    raw = rows.cast_column("image", datasets.Image(decode=False))
    for row, shown in zip(raw, rows, strict=True):
        label, name = row["sample_id"].split("/")
        attribute, thing = LABELS[label] or ("", "")
        data = (folder / label / name).read_bytes()
        assert row["composition"] == f"{attribute} {thing}"
        assert (ATTRIBUTES[row["attribute"]], list(OBJECTS)[row["object"]]) == (
            attribute,
            thing,
        )
        assert (row["wnid"], row["imagenet_label"]) == OBJECTS[thing]
        assert row["image"]["bytes"] == data, (
            "the cache must hold bytes, not paths"
        )
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert row["source"] == f"{label}/{name}"
        assert row["caption_count"] is None
        assert shown["image"].size == (8, 8)


def test_folder_zip_and_parquet_are_the_same(
    folder: Path, zipped: Path, tmp_path: Path
) -> None:
    (tmp_path / "only").mkdir()
    os.link(zipped, tmp_path / "only" / "archive.zip")
    out = prepare(tmp_path / "repo", data_dir=str(folder))
    forms = {
        "folder": load(folder),
        "folder above it": load(folder.parent),
        "zip": load(zipped),
        "folder that holds the zip": load(tmp_path / "only"),
        "Parquet": datasets.load_dataset(out, "v2", split="ood"),
        "streamed zip": load(zipped, streaming=True),
        "streamed Parquet": datasets.load_dataset(
            out, "v2", split="ood", streaming=True
        ),
    }
    ids = forms["folder"]["sample_id"][:]
    expected = fingerprint(forms["folder"])
    for form, rows in forms.items():
        assert [row["sample_id"] for row in rows] == ids, form
        assert fingerprint(rows) == expected, form
    assert fingerprint(forms["zip"].shuffle(seed=0)) == expected, (
        "the order of rows must not count"
    )
    assert fingerprint(forms["zip"].select(range(3))) != expected


def test_parquet_outlives_its_source(folder: Path, tmp_path: Path) -> None:
    out = Path(prepare(tmp_path / "repo", data_dir=str(folder)))
    folder.rename(tmp_path / "moved")
    assert datasets.load_dataset(str(out), split="ood")[0]["image"].size == (
        8,
        8,
    )
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "eval.yaml",
        "fingerprints.json",
        "v2",
    ]
    mark = json.loads((out / "fingerprints.json").read_text())["v2"]["ood"][
        "fingerprint"
    ]
    assert [path.name for path in (out / "v2").iterdir()] == [
        f"ood-{mark}-00000-of-00001.parquet"
    ]
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "license: unknown" in card
    assert "not the published benchmark" in card


def test_several_parquet_shards(folder: Path, tmp_path: Path) -> None:
    out = Path(
        prepare(
            tmp_path / "repo",
            data_dir=str(folder),
            num_proc=2,
            max_shard_size="3KB",
        )
    )
    names = sorted(path.name for path in (out / "v2").iterdir())
    assert len(names) > 1
    assert re.fullmatch(
        rf"ood-[0-9a-f]{{16}}-00000-of-{len(names):05d}.parquet", names[0]
    )
    assert fingerprint(
        datasets.load_dataset(str(out), split="ood")
    ) == fingerprint(load(folder))


def test_a_set_made_anew_is_not_served_as_it_was(
    folder: Path, tmp_path: Path
) -> None:
    out = prepare(tmp_path / "repo", data_dir=str(folder))
    before = datasets.load_dataset(out, "v2", split="ood")
    (folder / "red ambulance" / "3.webp").write_bytes(picture(997, "WEBP"))
    prepare(out, data_dir=str(folder))
    assert len(list(Path(out, "v2").iterdir())) == 1, (
        "files of the earlier set lie beside the new ones"
    )
    assert (
        len(datasets.load_dataset(out, "v2", split="ood")) == len(before) + 1
    ), "datasets' copy of the old set"
    facts = json.loads(Path(out, "fingerprints.json").read_text())
    facts["v2"]["ood"]["fingerprint"] = "0" * 16
    Path(out, "fingerprints.json").write_text(json.dumps(facts))
    with pytest.raises(
        UserError, match=r"fingerprint 0{16} by its fingerprints.json, but"
    ):
        open_splits(Source("v2", path=out))


@pytest.mark.parametrize("form", ["folder", "zipped"])
def test_a_changed_archive_is_noticed(
    form: str, folder: Path, zipped: Path
) -> None:
    data = {"folder": folder, "zipped": zipped}[form]
    before = load(data)
    assert load(data).cache_files == before.cache_files, (
        "an unchanged archive is read from the cache"
    )
    (folder / "red ambulance" / "3.webp").write_bytes(picture(999, "WEBP"))
    if form == "zipped":
        write_zip(folder, zipped)
    after = load(data)
    assert len(after) == len(before) + 1
    (folder / "red ambulance" / "3.webp").write_bytes(picture(998, "WEBP"))
    if form == "zipped":
        write_zip(folder, zipped)
    assert fingerprint(load(data)) != fingerprint(after)


@pytest.mark.parametrize("form", ["folder", "zipped"])
def test_two_processes_give_the_same(
    form: str, folder: Path, zipped: Path
) -> None:
    data = {"folder": folder, "zipped": zipped}[form]
    rows = load(data, num_proc=2)
    assert rows["sample_id"][:] == sorted(rows["sample_id"])
    assert fingerprint(rows) == fingerprint(load(data, streaming=True))


def test_configs_and_splits_are_listed(folder: Path) -> None:
    assert datasets.get_dataset_config_names("imagenet_ao") == [
        "v2",
        "mini",
        "folder",
    ]
    assert datasets.get_dataset_default_config_name("imagenet_ao") == "v2"
    assert datasets.get_dataset_split_names(
        "imagenet_ao", "v2", data_dir=str(folder)
    ) == ["ood"]
    with pytest.raises(ValueError, match="'v3' not found"):
        datasets.load_dataset("imagenet_ao", "v3")


def test_unknown_labels_are_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        load(folder)
    assert "6 of 27 images" in caplog.text
    assert "'test tube' (3)" in caplog.text
    assert label_report(str(folder)) == {
        "images": IMAGES * len(LABELS),
        "labels": len(LABELS),
        "unknown_labels": {
            label: IMAGES for label in sorted(LABELS) if LABELS[label] is None
        },
        "left_out": {},
    }
    with pytest.raises(DatasetError, match="'test tube'"):
        load(folder, on_bad_label="stop")


def test_a_folder_of_other_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data" / "cats").mkdir(parents=True)
    (tmp_path / "data" / "cats" / "0.png").write_bytes(picture(0, "PNG"))
    with pytest.raises(
        DatasetError, match=r"1 of 1 images .* unknown labels: 'cats'"
    ):
        load(tmp_path / "data")


def test_bad_images_are_kept_and_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = fingerprint(load(folder))
    (folder / "red ambulance" / "0.png").write_bytes(b"")
    whole = (folder / "red ambulance" / "1.jpg").read_bytes()
    (folder / "red ambulance" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "red ambulance" / "2.JPEG").unlink()
    (folder / "red ambulance" / "2.JPEG").symlink_to("nowhere")
    with caplog.at_level(logging.WARNING):
        rows = load(folder)
    assert len(rows) == IMAGES * len(KNOWN)
    assert all(
        f"red ambulance/{name} in" in caplog.text
        for name in ("0.png", "1.jpg", "2.JPEG")
    )
    raw = rows.cast_column("image", datasets.Image(decode=False))
    assert {row["sample_id"]: row["image"]["bytes"] for row in raw}[
        "red ambulance/1.jpg"
    ] == whole[: len(whole) // 2]
    assert {row["sample_id"]: row["image"]["bytes"] for row in raw}[
        "red ambulance/0.png"
    ] == b""
    assert fingerprint(rows) != good
    with pytest.raises(
        DatasetError,
        match=r"3 of 21 images .*red ambulance/0\.png \(the file is empty: no bytes\)",
    ):
        load(folder, on_bad_image="stop")


def test_a_damaged_member_of_a_zip_is_kept(zipped: Path, folder: Path) -> None:
    data = zipped.read_bytes()
    image = (folder / "red ambulance" / "0.png").read_bytes()
    assert data.count(image) == 1
    zipped.write_bytes(data.replace(image, image[:-9] + bytes(9)))
    rows = load(zipped)
    assert len(rows) == IMAGES * len(KNOWN)


def test_half_a_zip(zipped: Path) -> None:
    data = zipped.read_bytes()
    zipped.write_bytes(data[: len(data) // 2])
    with pytest.raises(DatasetError, match="not a whole zip"):
        load(zipped)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/red ambulance/0.png",
        "a/../../red ambulance/0.png",
        "C:/x/0.png",
        "..\\0.png",
    ],
)
def test_a_zip_that_would_write_outside(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(DatasetError, match="outside its folder"):
        load(path)


def test_the_same_id_twice(folder: Path) -> None:
    (folder.parent / "copy" / "red ambulance").mkdir(parents=True)
    (folder.parent / "copy" / "red ambulance" / "0.png").write_bytes(
        picture(0, "PNG")
    )
    with pytest.raises(DatasetError, match=r"'red ambulance/0\.png' twice"):
        load(folder.parent)


def test_missing_paths_and_bad_options(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file or folder"):
        load(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no images"):
        load(tmp_path / "empty")
    with pytest.raises(DatasetError, match="must be 'report' or 'stop'"):
        load(folder, on_bad_image="ignore")
    with pytest.raises(DatasetError, match="'v2' takes no only"):
        load(folder, only="ood")
    with pytest.raises(DatasetError, match="'mini' takes no data_dir"):
        load(folder, name="mini")


def test_imagenet_gives_the_split_id(folder: Path, tmp_path: Path) -> None:
    for wnid in ("n01440764", "n03126707"):
        (tmp_path / "val" / wnid).mkdir(parents=True)
        (tmp_path / "val" / wnid / "ILSVRC2012_val_1.JPEG").write_bytes(
            picture(1, "JPEG")
        )
    rows = load(folder, id_data=str(tmp_path / "val"), split="id")
    assert rows["sample_id"][:] == [
        "n01440764/ILSVRC2012_val_1.JPEG",
        "n03126707/ILSVRC2012_val_1.JPEG",
    ]
    assert rows["imagenet_label"][:] == [0, 517]
    assert rows["composition"][:] == ["tench", "n03126707"]
    assert rows["attribute"][:] == [None, None]
    out = prepare(
        tmp_path / "repo", data_dir=str(folder), id_data=str(tmp_path / "val")
    )
    assert fingerprint(datasets.load_dataset(out, split="id")) == fingerprint(
        rows
    )


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_counts(ending: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / f"counts.{ending}"
    table = datasets.Dataset.from_dict(
        {
            "attribute": ["red", "stainedblue plaid"],
            "object": ["ambulance", "sweatshirt"],
            "count": [7, 0],
        }
    )
    table.to_csv(
        str(path), index=False
    ) if ending == "csv" else table.to_parquet(str(path))
    rows = load(folder, counts=str(path))
    counted = dict(zip(rows["composition"], rows["caption_count"], strict=True))
    assert counted["red ambulance"] == 7
    assert counted["stained blue plaid sweatshirt"] == 0
    assert counted["red bullet train"] is None
    if ending == "csv":
        path.write_text(
            "attribute,object,count\nred,ambulance,8\n", encoding="utf-8"
        )
        assert 8 in load(folder, counts=str(path))["caption_count"], (
            "a changed file of counts must be noticed"
        )
        path.write_text("attribute,object\nred,ambulance\n", encoding="utf-8")
        with pytest.raises(DatasetError, match=r"lacks the column\(s\) count"):
            load(folder, counts=str(path))


@pytest.mark.parametrize("streaming", [False, True])
def test_missing_archive_offline_names_both_ways(streaming: bool) -> None:
    with pytest.raises(
        DatasetError,
        match=r"HF_HUB_OFFLINE is set.*drive\.google\.com.*data_dir=",
    ):
        datasets.load_dataset("imagenet_ao", split="ood", streaming=streaming)


def test_failed_and_wrong_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    page = tmp_path / "page"
    page.write_text(
        "<html>Too many users have viewed this file", encoding="utf-8"
    )
    monkeypatch.setattr(
        datasets.DownloadManager, "download", lambda *_: str(page)
    )
    with pytest.raises(DatasetError, match="not a zip: download it by hand"):
        datasets.load_dataset("imagenet_ao", split="ood")

    def fail(*_: object) -> str:
        raise ConnectionError("quota\nmore")

    monkeypatch.setattr(datasets.DownloadManager, "download", fail)
    with pytest.raises(
        DatasetError,
        match=r"could not be fetched \(quota\): try again, or download it by hand",
    ):
        datasets.load_dataset("imagenet_ao", split="ood")


def test_a_downloaded_archive_is_read(
    zipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(
        datasets.DownloadManager, "download", lambda *_: str(zipped)
    )
    builder = datasets.load_dataset_builder("imagenet_ao")
    builder.download_and_prepare()
    assert fingerprint(builder.as_dataset("ood")) == fingerprint(load(zipped))


def test_by_name_from_another_folder(folder: Path, tmp_path: Path) -> None:
    code = (
        "import imagenet_ao, imagenet_ao as again; again.register()\n"
        "from datasets import load_dataset\n"
        f"rows = load_dataset('imagenet_ao', data_dir={str(folder)!r}, split='ood')\n"
        "import sys; assert 'aobench' not in sys.modules and 'torch' not in sys.modules\n"
        "print(len(rows), imagenet_ao.fingerprint(rows))\n"
    )
    (tmp_path / "elsewhere").mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "elsewhere",
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [
        str(IMAGES * len(KNOWN)),
        fingerprint(load(folder)),
    ]


def test_a_local_folder_of_the_name_wins(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fingerprint(load(folder))
    prepare(tmp_path / "imagenet_ao", data_dir=str(folder))
    monkeypatch.chdir(tmp_path)
    assert (
        fingerprint(datasets.load_dataset("imagenet_ao", split="ood"))
        == expected
    )


def test_as_a_loading_script_nothing_is_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Path(imagenet_ao.__file__).read_text(encoding="utf-8")
    before = datasets.load.dataset_module_factory
    module = type(sys)("datasets_modules.imagenet_ao")
    module.__file__ = imagenet_ao.__file__
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(source, imagenet_ao.__file__, "exec"), module.__dict__)
    assert datasets.load.dataset_module_factory is before
    assert "aobench" not in [
        line.split()[1].split(".")[0]
        for line in source.splitlines()
        if line.startswith("import ")
    ]
