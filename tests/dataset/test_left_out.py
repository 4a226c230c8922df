"""What a folder or a zip holds beside the images that are read: read too, or told and counted."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import datasets
import pytest
from helpers.published_layout import picture

import imagenet_ao
from imagenet_ao import DatasetError, label_report, prepare

PNG = picture(0, "PNG")


def load(data: Path | str, **options: Any) -> list[str]:
    """The sample ids."""
    return datasets.load_dataset(
        "imagenet_ao", data_dir=str(data), split="ood", **options
    )["sample_id"][:]


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PNG)
    return folder


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(
                zipfile.ZipInfo(name), b"" if name[-1] in "/\\" else PNG
            )
    return path


def test_other_formats_are_read(tmp_path: Path) -> None:
    endings = (
        "bmp",
        "jfif",
        "avif",
        "gif",
        "tif",
        "TIFF",
        "jp2",
        "jpe",
        "webp",
    )
    assert (
        len(
            load(
                tree(
                    tmp_path / "set",
                    *(f"red_banana/{i}.{end}" for i, end in enumerate(endings)),
                )
            )
        )
        == 9
    )


@pytest.mark.parametrize(
    ("names", "why", "example"),
    [
        (["red_banana/1.heic"], "ending", "red_banana/1.heic"),
        (["red_banana/1"], "ending", "red_banana/1"),
        (["red_banana/notes.txt"], "ending", "red_banana/notes.txt"),
        (["more.zip"], "ending", "more.zip"),
        (["red_banana/.1.png"], "hidden", "red_banana/.1.png"),
        ([".old/red_banana/1.png"], "hidden", ".old/red_banana/1.png"),
        (["red_lion/about.txt"], "no_image", "red_lion"),
    ],
)
def test_what_is_left_out_is_told_and_counted(
    names: list[str],
    why: str,
    example: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    every = ["red_banana/0.png", *names]
    for place in (
        tree(tmp_path / "set", *every),
        zipped(tmp_path / "set.zip", *(f"x/{name}" for name in every)),
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert load(place) == ["red_banana/0.png"]
        assert f"{imagenet_ao.LEFT_OUT[why]}: 1 (" in caplog.text, place
        assert example in caplog.text
        assert list(label_report(str(place))["left_out"]) == [why]


def test_litter_and_documents_need_no_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = (
        "x/red_banana/0.png",
        "x/README.md",
        "__MACOSX/x/red_banana/._0.png",
        "x/red_banana/Thumbs.db",
    )
    with caplog.at_level(logging.WARNING):
        assert load(tree(tmp_path / "set", *names)) == ["red_banana/0.png"]
    assert caplog.text == ""


def test_empty_label_folders_are_told(tmp_path: Path) -> None:
    place = tree(tmp_path / "set", "red_banana/0.png")
    (place / "red_lion").mkdir()
    assert label_report(str(place))["left_out"] == {"no_image": ["red_lion"]}
    archive = zipped(
        tmp_path / "set.zip",
        "x/",
        "x/red_banana/",
        "x/red_banana/0.png",
        "x/red_lion/",
    )
    assert label_report(str(archive))["left_out"] == {
        "no_image": ["x/red_lion"]
    }


@pytest.mark.parametrize(
    "names",
    [
        ("./x/red_banana/0.png",),
        ("x/./red_banana/./0.png",),
        ("x\\red_banana\\0.png",),
        ("x\\", "x\\red_banana\\", "x\\red_banana\\0.png"),
    ],
)
def test_names_of_other_zip_writers(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    assert load(zipped(tmp_path / "set.zip", *names)) == ["red_banana/0.png"]


def test_folders_that_links_reach_again(tmp_path: Path) -> None:
    place = tree(tmp_path / "set", "red_banana/0.png", "red_banana/sub/1.txt")
    (place / "a_red_banana").symlink_to("red_banana")
    (place / "red_banana" / "up").symlink_to("..")
    assert load(place) == ["red_banana/0.png"], (
        "a folder keeps its own name, whatever links to it"
    )
    assert label_report(str(place))["left_out"]["reached_again"] == [
        "a_red_banana",
        "red_banana/up",
    ]
    tree(tmp_path / "elsewhere", "7.png")
    (place / "red_teapot").symlink_to(tmp_path / "elsewhere")
    assert load(place) == ["red_banana/0.png", "red_teapot/7.png"]


def test_links_to_links_are_listed_once_each(tmp_path: Path) -> None:
    place = tree(tmp_path / "set", "d0/red_banana/0.png")
    for number in range(1, 40):  # every way through them would be 2 ** 39
        (place / f"d{number}").mkdir()
        for name in "ab":
            (place / f"d{number}" / name).symlink_to(place / f"d{number - 1}")
    assert load(place) == ["red_banana/0.png"]


def test_labels_that_differ_in_case_are_both_read(tmp_path: Path) -> None:
    place = zipped(
        tmp_path / "set.zip", "x/Red_Banana/0.png", "x/red_banana/0.png"
    )
    assert load(place) == ["Red_Banana/0.png", "red_banana/0.png"]


def test_names_that_differ_in_unicode_form_are_told_apart_in_the_message(
    tmp_path: Path,
) -> None:
    names = [
        unicodedata.normalize(form, "x/red_banana/é.png")
        for form in ("NFC", "NFD")
    ]
    with pytest.raises(
        DatasetError,
        match=r"twice: 'x/red_banana/e\\u0301.png' and 'x/red_banana/\\xe9.png'",
    ):
        load(zipped(tmp_path / "set.zip", *names))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_are_not_one_set(tmp_path: Path) -> None:
    two = tmp_path / "two"
    two.mkdir()
    zipped(two / "a.zip", "x/red_banana/0.png")
    zipped(two / "b.zip", "x/red_banana/0.png")
    with pytest.raises(
        DatasetError, match=r"holds no images.*'a.zip', 'b.zip'"
    ):
        load(two)
    with pytest.raises(DatasetError, match=r"holds 'x/red_banana/0.png' twice"):
        load(
            zipped(
                tmp_path / "twice.zip",
                "x/red_banana/0.png",
                "x/red_banana/0.png",
            )
        )
    with pytest.raises(DatasetError, match=r"holds no images.*'x/more.zip'"):
        load(zipped(tmp_path / "in.zip", "x/more.zip"))
    tree(two, "red_teapot/1.png")
    assert load(two) == ["red_teapot/1.png"]
    assert label_report(str(two))["left_out"] == {"ending": ["a.zip", "b.zip"]}


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip", "x/red_banana/0.png")
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="is encrypted"):
        load(path)


def test_what_is_no_regular_file_is_unreadable(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tree(tmp_path / "set", "red_banana/0.png")
    os.mkfifo(place / "red_banana" / "1.png")
    (place / "red_banana" / "2.png").symlink_to("2.png")
    (place / "red_banana" / "3.png").symlink_to("/dev/zero")
    ending = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(place / "red_banana")  # the name of a socket may not be long
    ending.bind("4.png")
    os.chdir(here)
    ending.close()
    with caplog.at_level(logging.WARNING):
        assert len(load(place)) == 5
    assert caplog.text.count("cannot be opened: it is not a regular file") == 3
    os.mkfifo(tmp_path / "a.zip")
    for options in (
        {"data_dir": tmp_path / "a.zip"},
        {"data_dir": place, "counts": str(tmp_path / "a.zip")},
    ):
        with pytest.raises(DatasetError, match="not a regular file"):
            load(options.pop("data_dir"), **options)  # type: ignore[arg-type]


def test_names_that_are_no_unicode(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tree(tmp_path / "set", "red_banana/0.png")
    (place / os.fsdecode(b"red_banana/\xff1.png")).write_bytes(PNG)
    (place / os.fsdecode(b"red_banana/\xff2.png")).write_bytes(b"")
    (place / os.fsdecode(b"red_\xff")).mkdir()
    (place / os.fsdecode(b"red_\xff/3.png")).write_bytes(PNG)
    with caplog.at_level(logging.WARNING):
        ids = load(place, num_proc=2)
    assert ids == [
        "red_banana/0.png",
        "red_banana/\\udcff1.png",
        "red_banana/\\udcff2.png",
    ]
    assert r"'red_\\udcff' (1)" in caplog.text
    place.rename(tmp_path / os.fsdecode(b"\xffset"))
    with pytest.raises(DatasetError, match="rename it"):
        load(tmp_path / os.fsdecode(b"\xffset"))


def test_paths_that_lead_nowhere_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "loop", "/tmp/a\0b"):
        with pytest.raises(DatasetError, match="no such file or folder"):
            load(path)
        with pytest.raises(DatasetError, match="can't be made a folder"):
            prepare(str(path), "mini", only="id")


def test_the_folder_of_a_killed_prepare_is_removed_and_a_running_ones_is_not(
    tmp_path: Path,
) -> None:
    place = tree(tmp_path / "set", "red_banana/0.png")
    out = tmp_path / "out"
    (out / ".prepare-old" / "cache").mkdir(
        parents=True
    )  # of an earlier version, which held no lock
    code = (
        "import imagenet_ao, pathlib, sys, time\n"
        "out = pathlib.Path(sys.argv[1]); (out / '.prepare-killed').mkdir()\n"
        "with imagenet_ao._held(str(out / '.prepare-killed')):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    here = str(Path(imagenet_ao.__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(out)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": here},
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"held\n"
        prepare(out, data_dir=str(place))
        assert sorted(path.name for path in out.glob(".*")) == [
            ".prepare-killed"
        ]
        running.send_signal(signal.SIGKILL)
    prepare(out, data_dir=str(place))
    assert not list(out.glob(".*"))


def test_an_evaluation_knows_what_was_not_read(tmp_path: Path) -> None:
    from aobench.evaluation.data import Source, open_splits

    place = tree(
        tmp_path / "set",
        "red_banana/0.png",
        "red_banana/1.heic",
        "nothing/0.png",
    )
    for _ in range(2):  # from the cache, which warns no more, too
        (split,) = open_splits(Source("v2", data_dir=str(place)))
        assert split.not_read == {
            "not_a_picture": {"count": 1, "examples": ["red_banana/1.heic"]},
            "unknown_label": {"count": 1, "examples": ["nothing"]},
        }
        assert split.digests_of == "file"
