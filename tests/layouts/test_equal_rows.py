"""One set in every layout gives the same rows, from a folder, a zip, by name, and from prepared
Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from helpers import one_set
from helpers.one_set import (
    ATTRIBUTES,
    FORMS,
    OBJECTS,
    ROWS,
    put,
    write_form,
    zip_of,
)

import imagenet_ao
from aobench.evaluation.data import Source, open_splits
from aobench.layouts import LAYOUTS, read_layout
from aobench.layouts.form import picture_rows


def rows_of(loaded: Any) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each split of a loaded set, ids aside."""
    content = {}
    for split, rows in loaded.items():
        attributes, objects = (
            rows.features["attribute"].names,
            rows.features["object"].names,
        )
        assert (attributes, objects) == (ATTRIBUTES, OBJECTS)
        assert len(set(rows["sample_id"])) == len(rows), "ids are unique"
        content[split] = sorted(
            (
                row["composition"],
                attributes[row["attribute"]],
                objects[row["object"]],
                row["imagenet_label"],
                row["sha256"],
            )
            for row in rows.remove_columns("image")
        )
    return content


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("form", FORMS)
def test_every_layout_gives_the_same_rows(
    form: str, zipped: bool, tmp_path: Path
) -> None:
    place = write_form(form, tmp_path / "my set")
    if zipped:
        place = zip_of(place, tmp_path / "my set.zip")
    data = read_layout(str(place))
    report = data.report
    assert report.layout == FORMS[form][0], "\n".join(report.lines())
    assert (data.attributes, data.objects) == (ATTRIBUTES, OBJECTS)
    for split in ("id", "ood"):
        rows = [
            (
                f"{row['attribute']} {row['object']}",
                *(
                    row[key]
                    for key in (
                        "attribute",
                        "object",
                        "imagenet_label",
                        "sha256",
                    )
                ),
            )
            for row in picture_rows(data.place, data.splits[split])
        ]
        assert sorted(rows, key=str) == sorted(ROWS[split], key=str), split
    assert report.images == {"id": 4, "ood": 4}
    assert (report.seen_pairs, report.novel_pairs, report.imagenet_objects) == (
        4,
        4,
        1,
    )
    trained = 0 if "without" in form else 4
    counts = {
        reason: facts["count"] for reason, facts in report.left_out.items()
    }
    assert counts == ({"split_train": trained} if trained else {}), (
        "nothing else is left out"
    )


def test_every_layout_of_the_table_is_tried() -> None:
    assert {layout for layout, _ in FORMS.values()} == {
        layout.name for layout in LAYOUTS
    }


@pytest.mark.parametrize(
    "form", ["label folders", "Parquet", "UT-Zappos", "VAW-CZSL"]
)
def test_by_name_from_parquet_and_for_evaluation(
    form: str, tmp_path: Path
) -> None:
    place = str(write_form(form, tmp_path / "set"))
    wanted = {split: ROWS[split] for split in ("id", "ood")}
    loaded = datasets.load_dataset("imagenet_ao", "folder", data_dir=place)
    assert rows_of(loaded) == wanted
    assert loaded["id"][0]["image"].size == (8, 8)
    out = imagenet_ao.prepare(tmp_path / "out", config="folder", data_dir=place)
    prepared = datasets.load_dataset(out, "folder")
    assert rows_of(prepared) == wanted
    assert not Path(out, "eval.yaml").exists(), (
        "one's own pictures are no benchmark of the Hub's"
    )
    streamed = datasets.load_dataset(
        "imagenet_ao", "folder", data_dir=place, streaming=True
    )
    for split, rows in wanted.items():
        assert {row["sha256"] for row in streamed[split]} == {
            row[-1] for row in rows
        }
    splits = open_splits(Source("folder", data_dir=place))
    assert [split.name for split in splits] == ["id", "ood"]
    for split in splits:
        assert split.fingerprint == imagenet_ao.fingerprint(
            prepared[split.name]
        )
        assert split.object_names == OBJECTS


def test_a_prepared_file_is_a_list_too(tmp_path: Path) -> None:
    place = str(write_form("CSV", tmp_path / "set"))
    out = Path(
        imagenet_ao.prepare(tmp_path / "out", config="folder", data_dir=place)
    )
    file = next((out / "folder").glob("ood-*.parquet"))
    rows = datasets.load_dataset(
        "imagenet_ao", "folder", data_dir=str(file), split="ood"
    )
    assert rows.features["attribute"].names == ATTRIBUTES, (
        "names of the ClassLabel come with the file"
    )
    assert [row[-1] for row in ROWS["ood"]] == sorted(
        rows["sha256"], key=[r[-1] for r in ROWS["ood"]].index
    )


@pytest.mark.parametrize(
    "form", [form for form in FORMS if "without" not in form]
)
def test_training_pictures_come_on_request(form: str, tmp_path: Path) -> None:
    place = write_form(form, tmp_path / "set")
    data = read_layout(str(place), with_train=True)
    assert data.report.images == {"train": 4, "id": 4, "ood": 4}
    assert not data.report.left_out


def test_by_name_with_options_and_in_two_processes(tmp_path: Path) -> None:
    place = str(write_form("attribute folders", tmp_path / "set"))
    (tmp_path / "attributes.txt").write_text(
        "red\nlight blue\nfaux fur\nnever used\n"
    )
    options: dict[str, Any] = {
        "attributes": str(tmp_path / "attributes.txt"),
        "layout": "attribute-folders",
        "with_train": True,
    }
    loaded = datasets.load_dataset(
        "imagenet_ao", "folder", data_dir=place, num_proc=2, **options
    )
    assert sorted(loaded) == ["id", "ood", "train"]
    names = loaded["ood"].features["attribute"].names
    assert names == sorted([*ATTRIBUTES, "never used"]), (
        "the whole file is the list"
    )


@pytest.mark.parametrize(
    "form", ["label folders", "CSV", "Parquet", "MIT-States"]
)
def test_a_changed_set_is_noticed(form: str, tmp_path: Path) -> None:
    place = write_form(form, tmp_path / "set")

    def load() -> Any:
        return datasets.load_dataset(
            "imagenet_ao", "folder", data_dir=str(place), split="ood"
        )

    before = load()
    assert load().cache_files == before.cache_files, (
        "an unchanged set is read from the cache"
    )
    if form == "Parquet":
        rows = pyarrow.parquet.read_table(place / "list.parquet").to_pylist()
        rows[-1]["object"] = "ambulance"
        table = pyarrow.Table.from_pylist(rows)
        pyarrow.parquet.write_table(table, place / "list.parquet")
    elif form == "CSV":
        rows = one_set.list_rows(place)
        one_set.write_csv(
            place, [*rows[:-1], {**rows[-1], "object": "ambulance"}]
        )
    else:
        files = [file for file in place.rglob("*.png") if file.name == "11.png"]
        put(files[0].parent, files[0].name, one_set.picture(99))
    assert imagenet_ao.fingerprint(load()) != imagenet_ao.fingerprint(before)


def test_counts_of_captions_and_bad_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = write_form("CSV", tmp_path / "set")
    (tmp_path / "counts.csv").write_text(
        "attribute,object,count\nlight_blue,ambulance,7\n"
    )
    put(place, "pictures/8.png", b"")
    options = {
        "data_dir": str(place),
        "counts": str(tmp_path / "counts.csv"),
        "split": "ood",
    }
    rows = datasets.load_dataset("imagenet_ao", "folder", **options)
    found = dict(
        zip(rows["composition"][:], rows["caption_count"][:], strict=True)
    )
    assert found["light blue ambulance"] == 7
    assert found["red fire truck"] is None
    assert len(rows) == 4, "a picture that can't be read keeps its row"
    with pytest.raises(
        imagenet_ao.DatasetError,
        match=r"1 images in .* cannot be read: pictures/8.png",
    ):
        datasets.load_dataset(
            "imagenet_ao", "folder", on_bad_image="stop", **options
        )


def test_unknown_labels_can_stop(tmp_path: Path) -> None:
    place = write_form("attribute folders", tmp_path / "set")
    (tmp_path / "objects.txt").write_text("ambulance\nboots ankle\n")
    options = {"data_dir": str(place), "objects": str(tmp_path / "objects.txt")}
    assert (
        len(
            datasets.load_dataset(
                "imagenet_ao", "folder", split="ood", **options
            )
        )
        == 2
    )
    with pytest.raises(
        imagenet_ao.DatasetError,
        match="pictures of unknown labels: unknown_object",
    ):
        datasets.load_dataset(
            "imagenet_ao", "folder", on_bad_label="stop", **options
        )


def test_options_of_one_config_are_refused_by_the_others(
    tmp_path: Path,
) -> None:
    place = str(write_form("CSV", tmp_path / "set"))
    with pytest.raises(
        imagenet_ao.DatasetError, match="the config 'v2' takes no layout"
    ):
        datasets.load_dataset(
            "imagenet_ao", "v2", data_dir=place, layout="list"
        )
    with pytest.raises(
        imagenet_ao.DatasetError, match="'folder' takes no only"
    ):
        datasets.load_dataset(
            "imagenet_ao", "folder", data_dir=place, only="id"
        )
    with pytest.raises(
        imagenet_ao.DatasetError, match="takes a folder, a zip or a list"
    ):
        datasets.load_dataset("imagenet_ao", "folder")
    with pytest.raises(
        imagenet_ao.DatasetError, match="no such file or folder"
    ):
        datasets.load_dataset("imagenet_ao", "folder", data_dir=place + "x")
