"""ImageNet's pictures: every form gives the same pictures, and what is wrong is one line or
counted.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from helpers.imagenet_forms import (
    FORMS,
    IDS,
    LABELS,
    NAMES,
    PUBLISHED,
    SOLUTION,
    TRUTH,
    WNIDS,
    flat,
    folders,
    packed,
    picture,
    put,
    table,
    truth_text,
    with_solution,
    with_truth,
)

import imagenet_ao
from aobench.errors import UserError
from aobench.layouts.imagenet import FORMS as LAYOUTS
from aobench.layouts.imagenet import ClassData, read_imagenet
from aobench.layouts.imagenet.form import class_rows
from aobench.layouts.imagenet.lists import FIRST_LABELS
from aobench.vocabulary.published import devkit_order


def ids(data: ClassData) -> list[str]:
    return sorted(picture.sample_id for picture in data.pictures)


def refused(place: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_imagenet(str(place))
    line = str(caught.value)
    assert "\n" not in line
    return line


def left_out(data: ClassData) -> dict[str, int]:
    counts = {
        why: facts["count"] for why, facts in data.report.left_out.items()
    }
    counts.pop("class_without_picture")
    return counts


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pictures(form: str, tmp_path: Path) -> None:
    layout, write = FORMS[form]
    data = read_imagenet(str(write(tmp_path / "set")))
    assert data.report.layout == layout
    assert ids(data) == IDS
    rows = {
        row["sample_id"]: row
        for row in class_rows(data.place, data.pictures, {})
    }
    for number, (wnid, name) in enumerate(zip(LABELS, NAMES, strict=True)):
        row = rows[f"{wnid}/{name}.JPEG"]
        assert row["image"]["bytes"] == picture(number), (
            "each picture with its class"
        )
        assert (row["wnid"], row["object"]) == (wnid, PUBLISHED[wnid])
    assert data.report.left_out["class_without_picture"]["count"] == 997
    assert not data.unreadable_images()


def test_every_layout_is_tried_and_a_wnid_in_the_name_is_one(
    tmp_path: Path,
) -> None:
    tried = {layout for layout, _ in FORMS.values()} | {"wnid-names"}
    assert tried == {layout.name for layout in LAYOUTS}
    put(tmp_path / "n01440764_tench.JPEG", picture(1))
    put(tmp_path / "ILSVRC2012_val_00000002_n07753592.JPEG", picture(2))
    put(tmp_path / "other.JPEG", picture(3))
    put(tmp_path / "labels.md", "what they are")
    data = read_imagenet(str(tmp_path))
    assert [one.object for one in data.pictures] == ["n01440764", "n07753592"]
    assert left_out(data) == {"unknown_label": 1}


def test_the_kits_order_is_that_of_the_first_validation_labels() -> None:
    """The first lines of ILSVRC2012's ground truth, and the labels that all frameworks give."""
    truth = [490, 361, 171, 822, 297, 482, 13, 704, 599, 164]
    assert (
        tuple(devkit_order()[number - 1] for number in truth)
        == FIRST_LABELS[:10]
    )
    assert sorted(devkit_order()) == list(range(1000))


@pytest.mark.parametrize(
    ("first", "said"),
    [(0, "from 0"), (1, "from 1"), (None, "development kit's")],
)
def test_numbers_are_taken_in_the_order_of_the_first_labels(
    first: int | None, said: str, tmp_path: Path
) -> None:
    numbers = [label + (first or 0) for label in FIRST_LABELS]
    if first is None:
        numbers = [devkit_order().index(label) + 1 for label in FIRST_LABELS]
    lines = []
    for place, number in enumerate(numbers, start=1):
        put(tmp_path / f"ILSVRC2012_val_{place:08d}.JPEG", picture(place))
        lines.append(f"ILSVRC2012_val_{place:08d}.JPEG {number}")
    put(tmp_path / "val.txt", "\n".join(lines))
    data = read_imagenet(str(tmp_path))
    assert said in data.report.notes[0]
    assert (
        data.pictures[0].object
        == sorted(one.object for one in data.pictures)[0]
    )
    found = {one.member[-7:-5]: one.object for one in data.pictures}
    assert PUBLISHED[found["01"]] == "sea snake"


def test_a_part_of_the_validation_set_takes_its_lines_by_number(
    tmp_path: Path,
) -> None:
    place = with_truth(tmp_path / "a")
    (place / f"{NAMES[0]}.JPEG").unlink()
    (place / f"{NAMES[4]}.JPEG").unlink()
    data = read_imagenet(str(place))
    assert ids(data) == [
        one for one in IDS if NAMES[0] not in one and NAMES[4] not in one
    ]
    assert left_out(data) == {"row_without_picture": 2}
    put(place / "ILSVRC2012_val_00000099.JPEG", picture(9))
    assert left_out(read_imagenet(str(place)))["not_on_the_list"] == 1
    assert left_out(read_imagenet(str(with_solution(tmp_path / "b")))) == {
        "not_on_the_list": 1
    }


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            TRUTH,
            truth_text().replace("1\n", "0\n", 1) + "",
            "nothing says in which order",
        ),
        ("val.txt", truth_text(), "nothing says in which order"),
        (TRUTH, "1001\n" * 7, "the class is 1001; it takes 1 to 1,000"),
        (TRUTH, "1\n" * 6 + "n01440764\n", "line 7: the class is 'n01440764'"),
        (TRUTH, "", "is empty"),
        ("labels.txt", "\n".join(["a b c"] * 7), "line 1: 'a b c'"),
        ("labels.txt", "a.png n01440764\na.jpg n01440764", "names 'a' twice"),
        (SOLUTION, "ImageId,PredictionString\nx,\n", "has the classes"),
        (SOLUTION, "ImageId\nx\n", "PredictionString"),
        (
            SOLUTION,
            "ImageId,PredictionString\nx,n01440764 1 2 3 4 n07753592 1 2 3 4\n",
            "n01440764, n07753592",
        ),
        ("readme.md", "no list", "nothing says their ImageNet classes"),
        ("labels.txt", "x.png n99999999", "has no picture of a class"),
    ],
)
def test_a_list_that_tells_no_classes_is_refused(
    name: str, content: str, said: str, tmp_path: Path
) -> None:
    put(flat(tmp_path / "set") / name, content)
    assert said in refused(tmp_path / "set")


def test_lines_without_names_take_as_many_pictures(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / f"{number}.png", picture(number))
    put(tmp_path / "labels.txt", "n01440764\nn07753592\n")
    assert "2 lines for 3 pictures" in refused(tmp_path)
    put(tmp_path / "labels.txt", "\n".join(WNIDS))
    found = [
        (one.sample_id, one.object)
        for one in read_imagenet(str(tmp_path)).pictures
    ]
    assert (f"{WNIDS[1]}/1.png", WNIDS[1]) in found


def test_two_lists_and_two_forms_at_once_are_refused(tmp_path: Path) -> None:
    place = with_truth(tmp_path / "a")
    put(place / "kit" / TRUTH, truth_text())
    assert "holds 2 lists of classes" in refused(place)
    table(folders(tmp_path / "b"))
    assert "wnid-folders" in (line := refused(tmp_path / "b"))
    assert "class-table" in line


def test_folders_of_wnids_in_several_places(tmp_path: Path) -> None:
    folders(tmp_path / "val")
    put(tmp_path / "train" / "n01440764" / "n01440764_1.JPEG", picture(1))
    data = read_imagenet(str(tmp_path))
    assert ids(data) == IDS
    assert left_out(data) == {"split_train": 1}
    (tmp_path / "val").rename(tmp_path / "one")
    assert "in 2 places" in refused(tmp_path)


def test_unknown_wnids_empty_folders_and_strangers_are_counted(
    tmp_path: Path,
) -> None:
    place = folders(tmp_path / "set")
    put(place / "n99999999" / "1.JPEG", picture(1))
    put(place / "1.JPEG", picture(1))
    put(place / "n01440764" / "1.heic", b"x")
    (place / "n01443537").mkdir()
    counts = {
        **dict.fromkeys(("unknown_class", "no_label_folder"), 1),
        **dict.fromkeys(("not_a_picture", "empty_folder"), 1),
    }
    assert left_out(read_imagenet(str(place))) == counts
    put(place / "n01440764" / "n07753592_1.JPEG", picture(1))
    assert (
        "stands in the folder of n01440764 and is named by n07753592"
        in refused(place)
    )


def test_a_list_beside_the_pictures_will_do(tmp_path: Path) -> None:
    tar = packed(tmp_path / "tar") / "ILSVRC2012_img_val.tar"
    (tar.parent / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    flat(tmp_path / "set" / "val")
    for place in (tar, tmp_path / "set" / "val"):
        assert "nothing says their ImageNet classes" in refused(place)
        put(place.parent / "validation_labels.txt", "\n".join(LABELS))
        assert ids(read_imagenet(str(place))) == IDS


def test_a_tar_is_whole_and_stays_in_its_folder(tmp_path: Path) -> None:
    tar = packed(tmp_path / "set") / "ILSVRC2012_img_val.tar"
    whole = tar.read_bytes()
    tar.write_bytes(whole[:700])
    assert "cut short" in refused(tar) or "not a whole tar" in refused(tar)
    tar.write_bytes(b"nothing of a tar")
    assert "is not a whole tar" in refused(tar)
    with tarfile.open(tar, "w") as archive:
        info = tarfile.TarInfo("../out.JPEG")
        archive.addfile(info)
    assert "leads out of its folder" in refused(tar)
    assert "compressed tar" in refused(
        tmp_path / "set" / "ILSVRC2012_devkit_t12.tar.gz"
    )


def test_labels_of_a_table_are_known_by_their_names_alone(
    tmp_path: Path,
) -> None:
    some = [PUBLISHED[wnid] for wnid in WNIDS]
    assert ids(read_imagenet(str(table(tmp_path / "some", some)))) == IDS
    synonyms = ["tench, Tinca tinca", "banana", "kit fox, Vulpes macrotis"]
    path = (
        table(tmp_path / "unnamed", some) / "validation-00000-of-00001.parquet"
    )
    rows = datasets.Dataset.from_parquet(
        str(path), cache_dir=str(tmp_path / "c")
    )
    for names, said in (
        (["LABEL_0", "LABEL_1", "LABEL_2"], "numbers without names"),
        (["tench", "banana", "spork"], "'spork' is no class"),
        (["tench", "banana", "crane"], "'crane' may be two classes"),
        (["tench", "banana", "n07753592"], "are one class"),
    ):
        kind = datasets.ClassLabel(names=names)
        rows.cast_column("label", kind).to_parquet(path)
        assert said in refused(tmp_path / "unnamed")
    rows.cast_column("label", datasets.ClassLabel(names=synonyms)).to_parquet(
        path
    )
    assert ids(read_imagenet(str(tmp_path / "unnamed"))) == IDS
    rows.cast_column("label", datasets.Value("int64")).to_parquet(path)
    assert "numbers without names" in refused(tmp_path / "unnamed")


def test_rows_without_a_class_and_splits_without_validation(
    tmp_path: Path,
) -> None:
    place = table(tmp_path / "set", split="train")
    table(place, split="test")
    assert "holds the splits test, train" in refused(place)
    path = place / "test-00000-of-00001.parquet"
    (place / "train-00000-of-00001.parquet").unlink()
    rows = pyarrow.parquet.read_table(path)
    schema = rows.schema
    rows = rows.set_column(1, "label", pyarrow.array([0, -1, 0, 0, 0, 0, 0]))
    pyarrow.parquet.write_table(
        rows.replace_schema_metadata(schema.metadata), path
    )
    assert "row 2: label is -1, no class" in refused(place)


def test_a_prepared_set_is_imagenet_again_and_altered_labels_are_not(
    tmp_path: Path,
) -> None:
    put(tmp_path / "ao" / "red_banana" / "1.png", picture(1))
    options = {
        "data_dir": str(tmp_path / "ao"),
        "id_data": str(folders(tmp_path / "a")),
    }
    out = Path(imagenet_ao.prepare(tmp_path / "out", **options))
    assert ids(read_imagenet(str(out))) == IDS
    path = next((out / "v2").glob("id-*.parquet"))
    rows = pyarrow.parquet.read_table(path)
    place = rows.schema.get_field_index("imagenet_label")
    other = pyarrow.array([5] * 7, pyarrow.int32())
    pyarrow.parquet.write_table(
        rows.set_column(place, rows.schema.field(place), other), path
    )
    (out / "v2" / "x").mkdir()
    rows = rows.drop_columns(["wnid"]).set_column(
        place, rows.schema.field(place), other
    )
    pyarrow.parquet.write_table(rows, path)
    assert "its labels are in another order" in refused(path)
