"""CSV, JSONL and Parquet lists: what is wrong is named by its row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import one_set
from helpers.one_set import put
from helpers.refusals import PICTURE, folder_of, left_out, names_file, refused

from aobench.layouts import read_layout

HEAD = "file,attribute,object,split\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + "1.png,red,car\n", "line 2: 3 fields where the header has 4"),
        (HEAD + '1.png,"red,car,ood\n', "line 2: a double quote"),
        ("file,attribute,object,file\n", "the column 'file' twice"),
        ("file,attribute\n1.png,red\n", "lacks the column(s) object"),
        ("attribute,object\nred,car\n", "no column file or image"),
        (
            "file,image,attribute,object\n1.png,1.png,red,car\n",
            "in two columns, file and image",
        ),
        (
            "File,Attribute,Object\n1.png,red,car\n",
            "lacks the column(s) attribute, object",
        ),
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
        (
            HEAD + "1.png,red,car,ood\n2.png,red,car,id\n",
            "red + car of list.csv, row 1 is novel",
        ),
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
        (
            '{"file": "1.png", "attribute": "red", "object": 3}',
            "row 1: 'object' is 3, not a text",
        ),
        (
            '{"file": "1.png", "attribute": "red", "attribute": "b", "object": "c"}',
            "stands twice",
        ),
        ('{"file": "1.png", "attribute": "red"}', "row 1 lacks 'object'"),
        (
            '{"file": "1.png", "attribute": "red", "object": null}',
            "'object' is None",
        ),
        (
            '{"file": "1.png", "attribute": "a", "object": "b", "split": 0}',
            "'split' is 0, not a",
        ),
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
    pair: dict[str, Any] = {
        "attribute": ["red", "red"],
        "object": ["car", "bus"],
    }
    cells = [{"bytes": PICTURE, "path": None}, {"bytes": None, "path": "1.png"}]
    assert "1 of 2 rows hold no picture" in refused(
        parquet(path, image=cells, **pair)
    )
    assert "1 of 2 rows hold no picture" in refused(
        parquet(path, image=[PICTURE, None], **pair)
    )
    assert "row 2 names no picture" in refused(
        parquet(path, image=["1.png", None], **pair)
    )
    assert "lacks the column object" in refused(
        parquet(path, image=["a"], attribute=["red"])
    )
    line = refused(
        parquet(path, image=[PICTURE] * 2, attribute=[1, 2], object=["a", "b"])
    )
    assert "row 1: 'attribute' is 1, not a text" in line
    line = refused(
        parquet(path, image=[PICTURE] * 2, sample_id=["a", "a"], **pair)
    )
    assert "the sample_id 'a' more than once" in line
    path.write_bytes(path.read_bytes()[:-9])
    assert "not a readable Parquet file" in refused(path)
    data = read_layout(str(parquet(path, image=[PICTURE, PICTURE], **pair)))
    assert [p.sample_id for p in data.splits["ood"]] == [
        "row-00000000",
        "row-00000001",
    ]


def test_what_is_left_out_of_lists_is_counted(tmp_path: Path) -> None:
    folder_of(tmp_path, "1.png", "2.png", "3.png", "4.png")
    rows = "1.png,red,car,ood\n1.png,red,car,ood\n2.png,red,bus,val\n3.png,green,car,ood\n"
    (tmp_path / "list.csv").write_text(HEAD + rows)
    attributes = names_file(tmp_path / "a.txt", "red")
    report = read_layout(str(tmp_path), attributes=attributes).report
    expected = {
        "unknown_attribute": 1,
        "not_on_the_list": 1,
        "row_twice": 1,
        "split_val": 1,
    }
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
