"""The one reader of a table of images: what it takes, and what it refuses in one line."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aobench.errors import UserError
from aobench.image_table import read_image_table

COLUMNS = {
    "image_id": ["a", "b"],
    "attribute": ["x", "y"],
    "object": ["x", "y"],
    "file": ["a.png", "b.png"],
}


def write(path, **changed):
    columns = {
        name: value
        for name, value in {**COLUMNS, **changed}.items()
        if value is not None
    }
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": ["a", "a"]}, "'a' stands in more than one row"),
        ({"image_id": [1, 2]}, "image_id holds int64; store it as text"),
        ({"file": ["../x.png", "b.png"]}, "outside the table's folder"),
        ({"file": ["/etc/x.png", "b.png"]}, "outside the table's folder"),
        ({"file": ["C:\\x.png", "b.png"]}, "outside the table's folder"),
        ({"file": ["a\0.png", "b.png"]}, "holds NUL"),
        ({"object": ["cab", None]}, "object is empty in row 2"),
        ({"object": ["cab", " "]}, "object is empty in row 2"),
        ({"sha256": ["0" * 64, None]}, "sha256 is empty in row 2"),
        ({"attribute": None}, "lacks the column"),
        (
            {
                "object": pa.array([b"\xff", b"y"])
                .cast(pa.binary())
                .view(pa.utf8())
            },
            "UTF-8",
        ),
        ({name: pa.array([], pa.string()) for name in COLUMNS}, "no rows"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(change, message, tmp_path):
    with pytest.raises(UserError, match=message) as refused:
        read_image_table(write(tmp_path / "images.parquet", **change))
    assert "\n" not in str(refused.value)


def test_a_column_that_stands_twice_is_refused(tmp_path):
    names = [*COLUMNS, "file"]
    arrays = [pa.array(COLUMNS[name]) for name in names]
    pq.write_table(pa.table(arrays, names=names), tmp_path / "images.parquet")
    with pytest.raises(UserError, match="the column file twice"):
        read_image_table(tmp_path / "images.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 no more PAR1"])
def test_what_is_no_parquet_is_refused(content, tmp_path):
    (tmp_path / "images.parquet").write_bytes(content)
    with pytest.raises(UserError, match="is no readable Parquet file"):
        read_image_table(tmp_path / "images.parquet")


def test_dictionaries_large_texts_and_more_columns_are_read(tmp_path):
    path = write(
        tmp_path / "images.parquet",
        attribute=pa.array(["x", "y"]).dictionary_encode(),
        object=pa.array(["x", "y"], pa.large_string()),
        sha256=["1", "2"],
        seed=[4, 5],
    )
    table = read_image_table(path, ["seed"])
    assert table.pictures == {"a": "1", "b": "2"}
    assert [row["seed"] for row in table.records()] == [4, 5]
    assert table.records()[0]["sha256"] == "1"
    with pytest.raises(UserError, match="lacks the column"):
        read_image_table(path, ["prompt"])
