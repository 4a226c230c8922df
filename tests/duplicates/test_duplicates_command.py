"""The verb ``duplicates``: useful without a build."""

import json

import pyarrow.parquet as pq
import pytest

pytest.importorskip("imagehash", reason="the extra 'distinct' is not installed")

from helpers.image_sets import PictureFolder, picture

from aobench.cli import main


@pytest.fixture
def pictures(tmp_path):
    """A folder of four pictures, of which one is a copy, below each other; no table."""
    folder = PictureFolder(tmp_path / "pictures")
    for seed in range(3):
        folder.put(f"p{seed}", picture(seed))
    (folder.place / "more").mkdir()
    picture(1).save(folder.place / "more" / "copy.JPG", quality=60)
    (folder.place / "notes.txt").write_text("no picture")
    (folder.place / ".hidden.png").write_bytes(b"no picture")
    return folder


def decisions(out):
    rows = pq.read_table(out / "decisions.parquet").to_pylist()
    return {row["image_id"]: row for row in rows}


def test_a_folder_of_pictures_is_compared_without_a_table(
    pictures, tmp_path, capsys
):
    out = tmp_path / "out"
    assert main(["duplicates", str(pictures.place), "--out", str(out)]) == 0
    rows = decisions(out)
    assert sorted(rows) == ["more/copy.JPG", "p0.png", "p1.png", "p2.png"]
    codes = {name: row["reason_code"] for name, row in rows.items()}
    assert sorted(codes.values()) == ["", "", "", "near-duplicate"]
    assert rows["p1.png"]["reason"] == "near-duplicate of more/copy.JPG"
    assert rows["p0.png"]["attribute"] is None, (
        "nothing is said of these pictures"
    )
    told = capsys.readouterr().out
    assert "3 of 4 images stay" in told
    assert "1 near-duplicate" in told
    page = (out / "report.html").read_text()
    assert "<strong>copy.JPG</strong>" in page, "the page names no picture"
    assert "None" not in page.replace(">None.</p>", "")


def test_a_second_run_gives_the_same_bytes(pictures, tmp_path):
    argv = ["duplicates", str(pictures.place), "--out", str(tmp_path / "out")]
    names = (
        "decisions.parquet",
        "neighbours.parquet",
        "report.html",
        "summary.json",
    )
    assert main(argv) == 0
    first = [(tmp_path / "out" / name).read_bytes() for name in names]
    assert main(argv) == 0
    assert [(tmp_path / "out" / name).read_bytes() for name in names] == first


def test_a_table_is_compared_as_it_says(pictures, tmp_path):
    out = tmp_path / "out"
    table = pictures.table()
    assert main(["duplicates", str(table), "--out", str(out)]) == 0
    assert {row["object"] for row in decisions(out).values()} == {"cab"}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["counts"]["removed"] == {
        "near-duplicate": 0,
        "near-reference": 0,
        "unreadable": 0,
    }
    assert summary["options"]["hash_distance"] == 4


def test_several_folders_are_one_set_and_their_names_tell_pictures_apart(
    pictures, tmp_path
):
    other = PictureFolder(tmp_path / "other")
    other.put("p0", picture(0))
    out = tmp_path / "out"
    argv = [
        "duplicates",
        str(pictures.place),
        str(other.place),
        "--out",
        str(out),
    ]
    assert main(argv) == 0
    rows = decisions(out)
    assert rows["other/p0.png"]["reason"] == "near-duplicate of pictures/p0.png"


def test_an_unreadable_picture_has_its_code_and_its_reason(pictures, tmp_path):
    (pictures.place / "z.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    assert main(["duplicates", str(pictures.place), "--out", str(out)]) == 0
    row = decisions(out)["z.png"]
    assert row["reason_code"] == "unreadable"
    assert row["reason"].startswith("unreadable: ")
    why = row["reason"].removeprefix("unreadable: ")
    assert f"z.png (z.png): {why[:20]}" in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["empty"], "empty holds no pictures"),
        (["gone"], "does not exist"),
        (["pictures", "pictures"], "have an image 'pictures/"),
        (["pictures", "--out", "pictures"], "is the folder of the pictures"),
        (["pictures", "--out", "pictures/p0.png"], "is a file; name a folder"),
        (["pictures", "--hash-distance", "40"], "hash_distance is 40"),
        (["pictures", "--cosine", "nan"], "cosine_in_set is nan"),
        (["pictures", "--reference", "shards"], "name the model"),
        (["pictures/notes.txt"], "is no readable Parquet file"),
    ],
)
def test_what_does_not_fit_is_one_line(
    pictures, tmp_path, monkeypatch, capsys, argv, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["duplicates", *argv]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.strip().splitlines()) == 1, err
    assert not (tmp_path / "duplicates").exists(), "something was written"
