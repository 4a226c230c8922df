"""What is wrong with one's own data is one line that names the place; what is left out is
counted."""

from __future__ import annotations

import json
import os
import pickle
import stat
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import one_set
import pytest
import torch
from one_set import NATURAL, put, write_form, zip_of

from aobench.errors import UserError
from aobench.layouts import LayoutReport, read_layout
from aobench.layouts.__main__ import main

PICTURE = one_set.picture(1)
METADATA = f"metadata_{NATURAL}.t7"


def refused(place: Path | str, **options: Any) -> str:
    """The one line that refuses a place."""
    with pytest.raises(UserError) as caught:
        read_layout(str(place), **options)
    line = str(caught.value)
    assert "\n" not in line, "one line"
    assert len(line) < 1500, line
    return line


def folder_of(root: Path, *names: str) -> Path:
    """A folder with a picture at each name."""
    for name in names:
        put(root, name, PICTURE)
    return root


def left_out(report: LayoutReport) -> dict[str, int]:
    """Counts by reason."""
    return {reason: facts["count"] for reason, facts in report.left_out.items()}


def names_file(path: Path, *names: str) -> str:
    """A text file of names."""
    path.write_text("\n".join(names) + "\n", encoding="utf-8")
    return str(path)


# --- labels -------------------------------------------------------------------------------------


AMBIGUOUS = ("red brick bakery/1.png", "red car/1.png", "red brick car/1.png", "blue bakery/1.png")


def test_labels_that_can_be_parted_in_two_ways_are_listed(tmp_path: Path) -> None:
    line = refused(folder_of(tmp_path, *AMBIGUOUS))
    assert "2 label(s) can be parted in more than one way" in line
    assert "'red brick bakery' (red + brick bakery or red brick + bakery)" in line
    assert "attributes=" in line


def test_at_most_five_ambiguous_labels_are_named(tmp_path: Path) -> None:
    line = refused(folder_of(tmp_path, *(f"a b c{n}/1.png" for n in range(9))))
    assert line.count(" + ") == 10
    assert "and 4 more" in line


def test_lists_decide_how_labels_are_parted(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", *AMBIGUOUS, "green car/1.png")
    attributes = names_file(tmp_path / "a.txt", "red", "Red_Brick", "blue")
    objects = names_file(tmp_path / "o.txt", "bakery", "car")
    data = read_layout(str(root), attributes=attributes, objects=objects)
    assert {(p.attribute, p.object) for p in data.splits["ood"]} == {
        ("Red Brick", "bakery"),
        ("red", "car"),
        ("Red Brick", "car"),
        ("blue", "bakery"),
    }
    assert data.report.left_out["unknown_label"] == {"count": 1, "examples": ["green car"]}


def test_lists_that_leave_two_ways_are_refused(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", *AMBIGUOUS)
    attributes = names_file(tmp_path / "a.txt", "red", "red brick", "blue")
    objects = names_file(tmp_path / "o.txt", "bakery", "car", "brick bakery")
    line = refused(root, attributes=attributes, objects=objects)
    assert "1 label(s)" in line
    assert "'red brick bakery'" in line
    assert "more than one way" in refused(root, attributes=attributes), "one list is not enough"


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        (["red_fire truck", "red_car"], {("red", "fire truck"), ("red", "car")}),
        (["light_blue car", "red car"], {("light blue", "car"), ("red", "car")}),
        (["red car", "blue_truck"], {("red", "car"), ("blue", "truck")}),
        (["Caf\u00e9 car", "red car"], {("Caf\u00e9", "car"), ("red", "car")}),
        (["Faux.Fur_Boots.Ankle"], {("Faux Fur", "Boots Ankle")}),
        (["white_St. Bernard", "red_car"], {("white", "St. Bernard"), ("red", "car")}),
    ],
)
def test_labels_that_are_certain(labels: list[str], pairs: set[Any], tmp_path: Path) -> None:
    root = folder_of(tmp_path, *(f"{label}/1.png" for label in labels))
    data = read_layout(str(root))
    assert {(p.attribute, p.object) for p in data.splits["ood"]} == pairs


def test_separators_that_disagree_are_refused(tmp_path: Path) -> None:
    assert "'red_fire truck'" in refused(folder_of(tmp_path, "red_fire truck/1.png"))


def test_names_that_fall_together_are_refused(tmp_path: Path) -> None:
    line = refused(folder_of(tmp_path / "case", "Red car/1.png", "red bus/1.png"))
    assert "'Red' and 'red' are shown as the same name" in line
    line = refused(folder_of(tmp_path / "dots", "Faux.Fur/car/1.png", "Faux Fur/bus/1.png"))
    assert "'Faux Fur' and 'Faux.Fur'" in line
    two = [unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD")]
    line = refused(folder_of(tmp_path / "form", *(f"{name} car/1.png" for name in two)))
    assert "only in Unicode form" in line
    line = refused(folder_of(tmp_path / "wnid", "red n02701002/1.png", "red ambulance/1.png"))
    assert "by its name and by its wnid" in line


def test_two_spellings_are_one_name_by_the_lists(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", "Red car/1.png", "red bus/1.png")
    options = {"attributes": names_file(tmp_path / "a.txt", "red")}
    assert read_layout(str(root), **options).attributes == ["red"]


def test_a_wnid_is_shown_by_its_published_name(tmp_path: Path) -> None:
    data = read_layout(str(folder_of(tmp_path, "red n02701002/1.png", "red dog/1.png")))
    assert data.objects == ["ambulance", "dog"]
    assert data.report.imagenet_objects == 1
    assert data.splits["ood"][-1].sample_id == "red n02701002/1.png", "ids keep the original"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "is empty"),
        (("red", "blue", "red"), "'red' twice, at line 1 first"),
        (("red", "RED"), "shown as the same name"),
        (("red", "a\x07b"), "can't be shown"),
    ],
)
def test_files_of_names(names: tuple[str, ...], told: str, tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", "red car/1.png")
    assert told in refused(root, attributes=names_file(tmp_path / "a.txt", *names))
    assert told in refused(root, objects=names_file(tmp_path / "a.txt", *names))


# --- folders ------------------------------------------------------------------------------------


def test_two_layouts_at_once_are_both_named(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "red car/1.png", "blue/car/2.png")
    line = refused(root)
    assert "label-folders (red car/1.png) and attribute-folders (blue/car/2.png)" in line
    forced = read_layout(str(root), layout="label-folders").report
    assert left_out(forced) == {"other_depth": 1}


def test_lists_and_pair_lists_at_once(tmp_path: Path) -> None:
    write_form("MIT-States", tmp_path / "set")
    one_set.write_csv(tmp_path / "set", [{"file": "a", "attribute": "b", "object": "c"}])
    line = refused(tmp_path / "set")
    assert "list (list.csv) and mit-states" in line
    write_form("CSV", tmp_path / "lists")
    one_set.write_jsonl(tmp_path / "lists")
    assert "2 lists, list.csv and list.jsonl" in refused(tmp_path / "lists")
    write_form("C-GQA", tmp_path / "both" / "cgqa")
    write_form("MIT-States", tmp_path / "both" / "mit")
    assert "2 sets at once, cgqa/ and mit/" in refused(tmp_path / "both")


def test_one_folder_above_all_may_be_an_attribute(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", "red/fire truck/1.png", "red/race car/2.png")
    assert "the one folder 'red', which may be an attribute" in refused(root)
    assert read_layout(str(root), layout="attribute-folders").objects == ["fire truck", "race car"]
    assert read_layout(str(root), layout="label-folders").attributes == ["fire", "race"]
    attributes = names_file(tmp_path / "a.txt", "red")
    data = read_layout(str(root), attributes=attributes)
    assert data.report.layout == "attribute-folders"
    single = folder_of(tmp_path / "single", "red/car/1.png")
    assert read_layout(str(single)).report.layout == "attribute-folders"
    deep = folder_of(tmp_path / "deep", "all/mine/ood/red/car/1.png")
    data = read_layout(str(deep))
    assert [p.sample_id for p in data.splits["ood"]] == ["ood/red/car/1.png"]


def test_what_is_left_out_of_folders_is_counted(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "red car/1.png", "blue car/2.png", "loose.png", "misc/3.png")
    put(root, "red car/notes.txt", b"")
    put(root, "red car/.DS_Store", b"")
    (root / "green car").mkdir()
    report = read_layout(str(root)).report
    assert left_out(report) == {
        "not_a_picture": 1,
        "no_label_folder": 1,
        "empty_folder": 1,
        "unknown_label": 1,
    }
    lines = "\n".join(report.lines())
    for name in ("green car", "loose.png", "misc", "red car/notes.txt"):
        assert repr(name) in lines
    assert report.as_dict()["left_out"]["empty_folder"] == {"count": 1, "examples": ["green car"]}


def test_nothing_to_read(tmp_path: Path) -> None:
    assert "no such file or folder" in refused(tmp_path / "absent")
    assert "is empty" in refused(tmp_path)
    put(tmp_path, "notes.txt", b"")
    assert "in none of the known layouts" in refused(tmp_path)
    one = folder_of(tmp_path / "one", "misc/1.png", "other/2.png")
    line = refused(one)
    assert "no picture of a known attribute and object" in line
    assert "'misc', 'other'" in line
    assert "not a layout (did you mean 'list'?)" in refused(one, layout="lisst")
    assert "holds no list" in refused(one, layout="list")
    assert f"lacks the folder {NATURAL}" in refused(one, layout="mit-states")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            ("train/red car/1.png", "red bus/2.png"),
            "'train' has the name of a split, and 'red bus'",
        ),
        (("id/red car/1.png", "test/red bus/2.png"), "'id' and 'test' stand side by side"),
        (
            ("id/red car/1.png", "ood/red car/2.png"),
            "red + car of ood/red car/2.png is novel (ood)",
        ),
        (("train/red car/1.png", "novel/red car/2.png"), "is novel (ood), but other pictures"),
        (("train/red car/1.png", "val/red car/2.png"), "no pictures to test with"),
    ],
)
def test_splits_that_contradict(names: tuple[str, ...], told: str, tmp_path: Path) -> None:
    assert told in refused(folder_of(tmp_path, *names))


def test_what_splits_are_taken_for_is_said(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "1", "Test/red car/1.png", "VAL/red bus/2.png")
    report = read_layout(str(root)).report
    assert report.splits == {
        "Test": "ood, novel pairs: no split train says which pairs are seen",
        "VAL": "left out",
    }
    assert left_out(report) == {"split_val": 1}
    report = read_layout(str(folder_of(tmp_path / "2", "red car/1.png"))).report
    assert report.splits == {"none": "no split is named, so all pairs are taken as novel (ood)"}


def test_texts_that_two_pairs_make_are_said(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "red/brick wall/1.png", "red brick/wall/2.png")
    assert "made by two pairs" in read_layout(str(root)).report.notes[0]


# --- files --------------------------------------------------------------------------------------


def test_links_and_pipes(tmp_path: Path) -> None:
    loop = folder_of(tmp_path / "loop", "red car/1.png")
    (loop / "red car" / "again").symlink_to(loop, target_is_directory=True)
    assert "is a link that leads back" in refused(loop)
    itself = folder_of(tmp_path / "itself", "red car/1.png")
    (itself / "red car" / "2.png").symlink_to("2.png")
    assert "red car/2.png is a link that leads nowhere" in refused(itself)
    dead = folder_of(tmp_path / "dead", "red car/1.png")
    (dead / "red car" / "2.png").symlink_to("absent")
    assert "red car/2.png is a link that leads nowhere" in refused(dead)
    pipe = folder_of(tmp_path / "pipe", "red car/1.png")
    os.mkfifo(pipe / "red car" / "2.png")
    assert "red car/2.png is a pipe, a socket or a device" in refused(pipe)
    os.mkfifo(tmp_path / "alone")
    assert "not a regular file" in refused(tmp_path / "alone")
    os.mkfifo(tmp_path / "list.csv")
    assert "list.csv is a pipe" in refused(tmp_path / "list.csv")
    twice = folder_of(tmp_path / "twice", "red car/1.png")
    (twice / "crimson car").symlink_to("red car", target_is_directory=True)
    assert read_layout(str(twice)).report.images == {"ood": 2}, "a link elsewhere is followed"


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "red car/1.png")
    with open(os.path.join(os.fsencode(root), b"red car", b"\xff.png"), "wb"):  # noqa: PTH118
        pass
    assert "a name that is not UTF-8" in refused(root)


def write_zip(path: Path, *names: str) -> Path:
    """A zip with a picture at each name."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, PICTURE)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zips(tmp_path: Path) -> None:
    slip = write_zip(tmp_path / "slip.zip", "red car/1.png", "../red car/2.png")
    assert "would be written outside its folder" in refused(slip)
    twice = write_zip(tmp_path / "twice.zip", "red car/1.png", "red car/1.png")
    assert "'red car/1.png' twice" in refused(twice)
    forms = [unicodedata.normalize(f, "red caf\u00e9/1.png") for f in ("NFC", "NFD")]
    assert "twice" in refused(write_zip(tmp_path / "forms.zip", *forms))
    put(tmp_path, "cut.zip", slip.read_bytes()[:50])
    assert "not a whole zip file" in refused(tmp_path / "cut.zip")
    link = tmp_path / "link.zip"
    with zipfile.ZipFile(link, "w") as archive:
        info = zipfile.ZipInfo("red car/1.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert "is a link inside a zip" in refused(link)


def test_a_zip_with_backslashes_is_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "windows.zip", "red car/1.png")
    path.write_bytes(path.read_bytes().replace(b"red car/1.png", b"red car\\1.png"))
    assert read_layout(str(path)).report.images == {"ood": 1}


# --- lists --------------------------------------------------------------------------------------

HEAD = "file,attribute,object,split\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + "1.png,red,car\n", "line 2: 3 fields where the header has 4"),
        (HEAD + '1.png,"red,car,ood\n', "line 2: a double quote"),
        ("file,attribute,object,file\n", "the column 'file' twice"),
        ("file,attribute\n1.png,red\n", "lacks the column(s) object"),
        ("attribute,object\nred,car\n", "no column file or image"),
        ("file,image,attribute,object\n1.png,1.png,red,car\n", "in two columns, file and image"),
        ("File,Attribute,Object\n1.png,red,car\n", "lacks the column(s) attribute, object"),
        (HEAD, "names no picture"),
        (
            HEAD + "1.png,red,car,odo\n",
            "row 1: 'odo' is not a split that is known (did you mean 'ood'?)",
        ),
        (HEAD + "1.png,red,car,ood\n2.png,red,bus,\n", "row 2 has no split"),
        (HEAD + "1.png,,car,ood\n", "row 1: the attribute is ''"),
        (HEAD + "1.png,red,ca\x07r,ood\n", "row 1: the object is"),
        (HEAD + ",red,car,ood\n", "row 1 names the picture ''"),
        (HEAD + "../1.png,red,car,ood\n", "leads out of the list's folder"),
        (HEAD + "/etc/passwd,red,car,ood\n", "leads out of the list's folder"),
        (
            HEAD + "3.png,red,car,ood\n",
            "1 of 1 pictures that are named are missing: 3.png (list.csv, row 1)",
        ),
        (
            HEAD + "1.png,red,car,ood\n1.png,red,bus,ood\n",
            "has the object 'car' at list.csv, row 1 and 'bus'",
        ),
        (
            HEAD + "1.png,red,car,ood\n./1.png,red,car,id\n",
            "has the split 'ood' at list.csv, row 1 and 'id'",
        ),
        (HEAD + "1.png,red,car,ood\n2.png,red,car,id\n", "red + car of list.csv, row 1 is novel"),
    ],
)
def test_csv_lists(text: str, told: str, tmp_path: Path) -> None:
    folder_of(tmp_path, "1.png", "2.png")
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    for place in (tmp_path, tmp_path / "list.csv"):
        line = refused(place)
        assert told in line
        assert "list.csv" in line or str(tmp_path) in line


def test_csv_lists_of_other_encodings(tmp_path: Path) -> None:
    folder_of(tmp_path, "1.png")
    text = HEAD + "1.png,caf\u00e9,car,ood\n"
    (tmp_path / "list.csv").write_bytes(text.encode("latin-1"))
    assert "is not UTF-8 at line 2" in refused(tmp_path)
    (tmp_path / "list.csv").write_bytes(text.encode("utf-16"))
    assert "is UTF-16" in refused(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_bytes(text.encode("utf-8-sig"))
    assert read_layout(str(tmp_path)).attributes == ["caf\u00e9"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '{"file": "1.png", "attribute": "red", "object": "car"}\n{"file"\n',
            "line 2 is not readable JSON",
        ),
        ('{"file": "1.png", "attribute": "red", "object": 3}', "row 1: 'object' is 3, not a text"),
        ('{"file": "1.png", "attribute": "red", "attribute": "b", "object": "c"}', "stands twice"),
        ('{"file": "1.png", "attribute": "red"}', "row 1 lacks 'object'"),
        ('{"file": "1.png", "attribute": "red", "object": null}', "'object' is None"),
    ],
)
def test_jsonl_lists(text: str, told: str, tmp_path: Path) -> None:
    folder_of(tmp_path, "1.png")
    (tmp_path / "list.jsonl").write_text(text)
    assert told in refused(tmp_path)


def parquet(path: Path, **columns: Any) -> Path:
    """A Parquet file."""
    one_set.pyarrow.parquet.write_table(one_set.pyarrow.table(columns), path)
    return path


def test_parquet_lists(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    pair: dict[str, Any] = {"attribute": ["red", "red"], "object": ["car", "bus"]}
    cells = [{"bytes": PICTURE, "path": None}, {"bytes": None, "path": "1.png"}]
    assert "1 of 2 rows hold no picture" in refused(parquet(path, image=cells, **pair))
    assert "1 of 2 rows hold no picture" in refused(parquet(path, image=[PICTURE, None], **pair))
    assert "row 2 names no picture" in refused(parquet(path, image=["1.png", None], **pair))
    assert "lacks the column object" in refused(parquet(path, image=["a"], attribute=["red"]))
    line = refused(parquet(path, image=[PICTURE] * 2, attribute=[1, 2], object=["a", "b"]))
    assert "row 1: 'attribute' is 1, not a text" in line
    line = refused(parquet(path, image=[PICTURE] * 2, sample_id=["a", "a"], **pair))
    assert "the sample_id 'a' more than once" in line
    path.write_bytes(path.read_bytes()[:-9])
    assert "not a readable Parquet file" in refused(path)
    data = read_layout(str(parquet(path, image=[PICTURE, PICTURE], **pair)))
    assert [p.sample_id for p in data.splits["ood"]] == ["row-00000000", "row-00000001"]


def test_what_is_left_out_of_lists_is_counted(tmp_path: Path) -> None:
    folder_of(tmp_path, "1.png", "2.png", "3.png", "4.png")
    rows = "1.png,red,car,ood\n1.png,red,car,ood\n2.png,red,bus,val\n3.png,green,car,ood\n"
    (tmp_path / "list.csv").write_text(HEAD + rows)
    attributes = names_file(tmp_path / "a.txt", "red")
    report = read_layout(str(tmp_path), attributes=attributes).report
    expected = {"unknown_attribute": 1, "not_on_the_list": 1, "row_twice": 1, "split_val": 1}
    assert left_out(report) == expected
    assert report.left_out["not_on_the_list"]["examples"] == ["4.png"]


def test_a_table_that_is_no_list_is_left_alone(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "red car/1.png")
    put(root, "notes.csv", b'who,what\n"broken')
    put(root, "notes.jsonl", b"no JSON")
    put(root, "notes.parquet", b"no Parquet")
    report = read_layout(str(root)).report
    assert report.layout == "label-folders"
    assert left_out(report) == {"not_a_picture": 3}


# --- the sets of the compositional zero-shot field ----------------------------------------------


def lists_path(root: Path, part: str) -> Path:
    """A pair list."""
    return root / NATURAL / f"{part}_pairs.txt"


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("form", ["MIT-States", "UT-Zappos", "C-GQA", "VAW-CZSL"])
def test_missing_and_damaged_pair_lists(form: str, part: str, tmp_path: Path) -> None:
    root = write_form(form, tmp_path / "set")
    path = lists_path(root, part)
    text = path.read_text()
    path.write_text(text + "red\n")
    line = refused(root)
    assert f"{part}_pairs.txt, line" in line
    assert "'red' is not an attribute, a " in line
    path.unlink()
    line = refused(root)
    assert f"{NATURAL}/{part}_pairs.txt is missing" in line
    path.write_text("")
    if part != "val":
        assert f"{part}_pairs.txt is empty" in refused(root)


def test_pair_lists_of_another_set(tmp_path: Path) -> None:
    root = write_form("VAW-CZSL", tmp_path / "set")
    assert "a plus sign parts its pairs" in refused(root, layout="c-gqa")
    root = write_form("C-GQA", tmp_path / "other")
    assert "a space parts its pairs" in refused(root, layout="vaw-czsl")
    lists_path(root, "test").write_text("red+ambulance\n")
    assert "test_pairs.txt, line 1: 'red+ambulance' is not" in refused(root)
    (root / NATURAL).rename(root / "compositional-split")
    assert f"{NATURAL}/train_pairs.txt is missing" in refused(root)


def rewrite_metadata(root: Path, change: Callable[[list[dict[str, str]]], Any]) -> None:
    """Change the rows of a set's metadata."""
    rows = torch.load(root / METADATA, weights_only=True)
    changed = change(rows)
    torch.save(rows if changed is None else changed, root / METADATA)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: {"rows": rows}, "should hold a list of rows, not dict"),
        (lambda rows: [], "should hold a list of rows"),
        (lambda rows: rows[3].pop("attr") and None, "row 4: 'attr' is None"),
        (lambda rows: rows[3].update(set="tset"), "row 4: its set is 'tset'"),
        (lambda rows: rows[3].update(image=7), "row 4: 'image' is 7"),
        (lambda rows: rows.insert(0, "x"), "row 1 is not a dictionary"),
        (lambda rows: rows[9].update(image="absent.png"), "missing: images/absent.png (row 10 of"),
        (
            lambda rows: rows[9].update(image="../../x.png"),
            "missing: images/../../x.png (row 10 of",
        ),
        (
            lambda rows: rows.append({**rows[9], "attr": "light_blue", "obj": "ambulance"}),
            "has the attribute",
        ),
    ],
)
def test_metadata_that_is_wrong(change: Any, told: str, tmp_path: Path) -> None:
    root = write_form("C-GQA", tmp_path / "set")
    rewrite_metadata(root, change)
    line = refused(root)
    assert told in line
    assert METADATA in line or str(root) in line


class Code:
    """What runs when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_metadata_with_code_in_it_is_refused(writer: str, tmp_path: Path) -> None:
    root = write_form("MIT-States", tmp_path / "set")
    if writer == "torch":
        torch.save([Code(tmp_path / "ran")], root / METADATA)
    else:
        (root / METADATA).write_bytes(pickle.dumps([Code(tmp_path / "ran")], protocol=2))
    line = refused(root)
    assert f"{METADATA} can't be read" in line
    assert not (tmp_path / "ran").exists(), "code in the metadata ran"


@pytest.mark.parametrize("data", [b"", b"no torch file", b"PK\x03\x04", b"\x80\x02"])
def test_metadata_that_is_damaged(data: bytes, tmp_path: Path) -> None:
    root = write_form("MIT-States", tmp_path / "set")
    put(root, METADATA, data)
    assert f"{METADATA} can't be read" in refused(root)
    (root / METADATA).unlink()
    os.mkfifo(root / METADATA)
    assert "is a pipe" in refused(root)


def test_what_is_left_out_of_the_sets_is_counted(tmp_path: Path) -> None:
    root = write_form("C-GQA", tmp_path / "set")
    put(root, "images/nobody.png", PICTURE)
    base = {"image": "absent.png", "attr": "red", "obj": "ambulance", "set": "test"}
    more = [
        {**base, "set": "NA"},
        {**base, "attr": "NA"},
        {**base, "obj": "zebra"},
        {**base, "set": "val"},
    ]
    rewrite_metadata(root, lambda rows: rows + more)
    report = read_layout(str(root)).report
    expected = {"not_on_the_list": 1, "set_NA": 1, "label_NA": 1, "pair_on_no_list": 1}
    assert left_out(report) == {**expected, "split_val": 1, "split_train": 4}
    assert report.left_out["pair_on_no_list"]["examples"] == ["images/absent.png: red + zebra"]
    assert report.images == {"id": 4, "ood": 4}


def test_without_metadata_folders_of_no_pair_are_counted(tmp_path: Path) -> None:
    root = write_form("MIT-States without metadata", tmp_path / "set")
    folder_of(
        root, "images/red_zebra/1.png", "images/loose.png", "images/light_blue_boots_ankle/1.png"
    )
    report = read_layout(str(root)).report
    assert left_out(report) == {"other_depth": 1, "pair_on_no_list": 1, "split_val": 1}
    assert METADATA in report.notes[0]
    with lists_path(root, "val").open("a") as stream:
        stream.write("light blue_ambulance\n")
    assert "may be light + blue_ambulance or light_blue + ambulance" in refused(root)


# --- the command --------------------------------------------------------------------------------


def test_the_command_prints_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = zip_of(write_form("UT-Zappos", tmp_path / "shoes"), tmp_path / "shoes.zip")
    assert main([str(place)]) == 0
    text = capsys.readouterr().out
    assert "ut-zappos" in text
    assert "8 (id 4, ood 4)" in text
    assert "4 seen, 4 novel" in text
    assert main([str(place), "--json", "--with-train"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == {"train": 4, "id": 4, "ood": 4}
    assert main([str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.startswith("aobench.layouts: no such file or folder")
