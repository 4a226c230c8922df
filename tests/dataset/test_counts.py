"""Counts that people bring: read to the letter, or refused with the line or row."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imagenet_ao import DatasetError, read_counts

HEAD = "attribute,object,count\n"
RED = ("red", "banana")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEAD + "red,banana,1,234\n", "line 2: 4 fields"),
        (HEAD + 'red,banana,"1,234"\n', "line 2: the count is '1,234'"),
        (HEAD + "red,banana,2.7\n", "line 2: the count is '2.7'"),
        (HEAD + "red,banana,-3\n", "line 2: the count is '-3'"),
        (HEAD + "red,banana,inf\n", "line 2: the count is 'inf'"),
        (HEAD + "red,banana,nan\n", "line 2: the count is 'nan'"),
        (HEAD + "red,banana,1e3\n", "line 2: the count is '1e3'"),
        (HEAD + "red,banana,1_000\n", "line 2: the count is '1_000'"),
        (HEAD + "red,banana,\n", "line 2: the count is ''"),
        (HEAD + "red,banana,\u0663\n", "line 2: the count is"),
        (HEAD + "red,banana,1" + "0" * 30 + "\n", "line 2: the count is"),
        (HEAD + "red\n", "line 2: 1 fields"),
        (HEAD + ",banana,1\n", "line 2: the attribute is ''"),
        (HEAD + 'red,"ban\nana",1\nred, ,1\n', "line 4: the object is ' '"),
        (
            HEAD + "red,banana,1\n\nRed,Banana,2\n",
            "line 4: 'red banana' has a count already, in line 2",
        ),
        (HEAD + 'red,ba"nana,1\n', "line 2: a double quote"),
        (
            "attribute,object,count,count\nred,banana,1,2\n",
            "names the column 'count' twice",
        ),
        ("attribute;object;count\nred;banana;1\n", "lacks the column"),
        ("", "is empty"),
    ],
)
def test_a_bad_csv_of_counts_is_refused_with_its_line(
    tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=why):
        read_counts(str(tmp_path / "c.csv"))


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"count": [2.7]}, "row 1: the count is 2.7"),
        ({"count": [-3]}, "row 1: the count is -3"),
        ({"count": [float("inf")]}, "row 1: the count is inf"),
        ({"count": [float("nan")]}, "row 1: the count is nan"),
        ({"count": pa.array([None], pa.int64())}, "row 1: the count is None"),
        ({"count": [True]}, "row 1: the count is True"),
        ({"count": ["1,234"]}, "row 1: the count is '1,234'"),
        (
            {"attribute": pa.array([None], pa.string())},
            "row 1: the attribute is None",
        ),
        ({"object": [7]}, "row 1: the object is 7"),
        (
            {
                "attribute": ["red", "RED"],
                "object": ["banana"] * 2,
                "count": [1, 2],
            },
            "row 2: .* has a count already",
        ),
    ],
)
def test_a_bad_table_of_counts_is_refused_with_its_row(
    tmp_path: Path, columns: dict, why: str
) -> None:
    table = pa.table(
        {"attribute": ["red"], "object": ["banana"], "count": [1], **columns}
    )
    pq.write_table(table, tmp_path / "c.parquet")
    with pytest.raises(DatasetError, match=why):
        read_counts(str(tmp_path / "c.parquet"))


def test_counts_are_read_as_people_write_them(tmp_path: Path) -> None:
    for name, data in (
        ("a.csv", b"\xef\xbb\xbfattribute,object,count\r\nRed,banana,3\r\n"),
        ("b.csv", b'count,attribute,object,note\n3.0,red,banana,"a, b"\n\n'),
        ("c.csv", b"attribute,object,count\rred,banana,3\r"),
    ):
        (tmp_path / name).write_bytes(data)
        assert read_counts(str(tmp_path / name)) == {RED: 3}, name
    for count in ([3], [3.0], ["3"]):
        pq.write_table(
            pa.table(
                {"attribute": ["Red"], "object": ["banana"], "count": count}
            ),
            tmp_path / "c.parquet",
        )
        assert read_counts(str(tmp_path / "c.parquet")) == {RED: 3}, count


def test_damaged_counts_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    table = pa.table(
        {
            "attribute": ["red"] * 50,
            "object": [f"o{i}" for i in range(50)],
            "count": list(range(50)),
        }
    )
    pq.write_table(table, path, write_page_checksum=True)
    whole = path.read_bytes()
    for at in (30, 200, len(whole) - 20):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(DatasetError):
            read_counts(str(path))
    for data in (b"", b"PAR1", whole[:100], bytes(len(whole))):
        path.write_bytes(data)
        with pytest.raises(DatasetError, match="cannot be read as counts"):
            read_counts(str(path))


def test_places_that_hold_no_counts_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "utf16.csv").write_bytes(HEAD.encode("utf-16"))
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("loop.csv", "folder.csv", "utf16.csv", "none.csv", "pipe.csv"):
        with pytest.raises(DatasetError, match=name):
            read_counts(str(tmp_path / name))
