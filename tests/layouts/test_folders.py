"""Label folders, attribute folders, links, pipes and zips, and the command that prints what they
are."""

from __future__ import annotations

import json
import os
import stat
import unicodedata
import zipfile
from pathlib import Path

import pytest
from helpers import one_set
from helpers.one_set import NATURAL, put, write_form, zip_of
from helpers.refusals import PICTURE, folder_of, left_out, names_file, refused

from aobench.layouts import read_layout
from aobench.layouts.__main__ import main


def test_two_layouts_at_once_are_both_named(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "red car/1.png", "blue/car/2.png")
    line = refused(root)
    assert (
        "label-folders (red car/1.png) and attribute-folders (blue/car/2.png)"
        in line
    )
    forced = read_layout(str(root), layout="label-folders").report
    assert left_out(forced) == {"other_depth": 1}


def test_lists_and_pair_lists_at_once(tmp_path: Path) -> None:
    write_form("MIT-States", tmp_path / "set")
    one_set.write_csv(
        tmp_path / "set", [{"file": "a", "attribute": "b", "object": "c"}]
    )
    line = refused(tmp_path / "set")
    assert "list (list.csv) and mit-states" in line
    write_form("CSV", tmp_path / "lists")
    one_set.write_jsonl(tmp_path / "lists")
    assert "2 lists, list.csv and list.jsonl" in refused(tmp_path / "lists")
    write_form("C-GQA", tmp_path / "both" / "cgqa")
    write_form("MIT-States", tmp_path / "both" / "mit")
    assert "2 sets at once, cgqa/ and mit/" in refused(tmp_path / "both")


def test_one_folder_above_all_may_be_an_attribute(tmp_path: Path) -> None:
    root = folder_of(
        tmp_path / "set", "red/fire truck/1.png", "red/race car/2.png"
    )
    assert "the one folder 'red', which may be an attribute" in refused(root)
    assert read_layout(str(root), layout="attribute-folders").objects == [
        "fire truck",
        "race car",
    ]
    assert read_layout(str(root), layout="label-folders").attributes == [
        "fire",
        "race",
    ]
    attributes = names_file(tmp_path / "a.txt", "red")
    data = read_layout(str(root), attributes=attributes)
    assert data.report.layout == "attribute-folders"
    single = folder_of(tmp_path / "single", "red/car/1.png")
    assert read_layout(str(single)).report.layout == "attribute-folders"
    deep = folder_of(tmp_path / "deep", "all/mine/ood/red/car/1.png")
    data = read_layout(str(deep))
    assert [p.sample_id for p in data.splits["ood"]] == ["ood/red/car/1.png"]


def test_what_is_left_out_of_folders_is_counted(tmp_path: Path) -> None:
    root = folder_of(
        tmp_path, "red car/1.png", "blue car/2.png", "loose.png", "misc/3.png"
    )
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
    assert report.as_dict()["left_out"]["empty_folder"] == {
        "count": 1,
        "examples": ["green car"],
    }


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
        (
            ("id/red car/1.png", "test/red bus/2.png"),
            "'id' and 'test' stand side by side",
        ),
        (
            ("id/red car/1.png", "ood/red car/2.png"),
            "red + car of ood/red car/2.png is novel (ood)",
        ),
        (
            ("train/red car/1.png", "novel/red car/2.png"),
            "is novel (ood), but other pictures",
        ),
        (
            ("train/red car/1.png", "val/red car/2.png"),
            "no pictures to test with",
        ),
    ],
)
def test_splits_that_contradict(
    names: tuple[str, ...], told: str, tmp_path: Path
) -> None:
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
    assert report.splits == {
        "none": "no split is named, so all pairs are taken as novel (ood)"
    }


def test_texts_that_two_pairs_make_are_said(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "red/brick wall/1.png", "red brick/wall/2.png")
    assert "made by two pairs" in read_layout(str(root)).report.notes[0]


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
    assert read_layout(str(twice)).report.images == {"ood": 2}, (
        "a link elsewhere is followed"
    )


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "red car/1.png")
    with open(os.path.join(os.fsencode(root), b"red car", b"\xff.png"), "wb"):  # noqa: PTH118
        pass
    assert "a name that is not UTF-8" in refused(root)


def test_names_with_line_ends(tmp_path: Path) -> None:
    assert "control character" in refused(
        folder_of(tmp_path / "1", "red car/a\nb.png")
    )
    assert "control character" in refused(
        folder_of(tmp_path / "2", "red\n car/a.png")
    )
    spaced = folder_of(
        tmp_path / "3", "red/fire\u00a0truck/a.png", "blue/car/b.png"
    )
    assert read_layout(str(spaced)).objects == ["car", "fire truck"], (
        "a hard space is a space"
    )


def test_a_picture_alone_is_none_of_what_can_be_read(tmp_path: Path) -> None:
    put(tmp_path, "1.png", PICTURE)
    assert "neither a folder nor a zip, a tar or a list" in refused(
        tmp_path / "1.png"
    )


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
    forms = [
        unicodedata.normalize(f, "red caf\u00e9/1.png") for f in ("NFC", "NFD")
    ]
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
    path.write_bytes(
        path.read_bytes().replace(b"red car/1.png", b"red car\\1.png")
    )
    assert read_layout(str(path)).report.images == {"ood": 1}


def test_the_command_prints_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = zip_of(
        write_form("UT-Zappos", tmp_path / "shoes"), tmp_path / "shoes.zip"
    )
    assert main([str(place)]) == 0
    text = capsys.readouterr().out
    assert "ut-zappos" in text
    assert "8 (id 4, ood 4)" in text
    assert "4 seen, 4 novel" in text
    assert main([str(place), "--json", "--with-train"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == {
        "train": 4,
        "id": 4,
        "ood": 4,
    }
    assert main([str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.startswith(
        "aobench.layouts: no such file or folder"
    )


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("names", "count"),
    [
        ([".red car/2.png"], 1),
        (["red car/.2.png", ".cache/a/b.JPG"], 2),
        (
            [
                ".red car/2.png",
                "red car/._1.png",
                "__MACOSX/x.png",
                "red car/.x.txt",
            ],
            1,
        ),
    ],
)
def test_hidden_pictures_are_counted(
    names: list[str], count: int, zipped: bool, tmp_path: Path
) -> None:
    root = folder_of(tmp_path, "red car/1.png", "blue cat/1.png", *names)
    place = (
        zip_of(root, tmp_path.parent / f"{root.name}.zip") if zipped else root
    )
    data = read_layout(str(place))
    assert data.report.images == {"ood": 2}
    assert left_out(data.report) == {"hidden": count}
