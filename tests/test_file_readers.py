"""The ground's readers: what is no file, no text or no Parquet is one line that names it."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aobench.audit.vocabulary import read_names
from aobench.errors import UserError
from aobench.files import absolute_path, parquet_errors, read_lines
from aobench.image_table import read_image_table
from aobench.newset.manifests import read_rows
from aobench.newset.validate.labels import _label_rows
from aobench.results.predictions import read

LIBRARY = Path(__file__).parents[1] / "aobench"


def test_a_path_is_absolute_wherever_its_links_lead(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dead").symlink_to("nothing")
    real = Path(os.path.realpath(tmp_path))
    assert absolute_path(tmp_path / "link") == real / "file"
    assert absolute_path(tmp_path / "x" / ".." / "file") == real / "file"
    for name in ("loop", "dead"):
        assert absolute_path(tmp_path / name).parent == real
    with pytest.raises(UserError, match="holds NUL"):
        absolute_path("a\0b")


def test_no_file_of_the_library_resolves_paths_otherwise() -> None:
    """``Path.resolve`` raises RuntimeError for a link that leads back to itself."""
    wrong = []
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            resolves = (
                isinstance(node, ast.Attribute) and node.attr == "resolve"
            )
            if resolves and "__file__" not in ast.unparse(node):
                wrong.append(f"{path.relative_to(LIBRARY)}:{node.lineno}")  # type: ignore[attr-defined]
    assert not wrong, f"use aobench.files.absolute_path in {', '.join(wrong)}"


def test_lines_of_a_list_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbf# head\r\n\r\n red \r\n#no\r\nsky\tblue\r\n")
    assert read_lines(path) == [(3, "red"), (5, "sky\tblue")]


def _damaged_text(path: Path, where: str) -> None:
    """A Parquet file with a byte that is no UTF-8, in a cell or in a column's name."""
    columns = ("image_id", "attribute", "object", "file", "sample_id")
    table = pa.table({name: ["needle" + name] for name in columns})
    pq.write_table(
        table,
        path,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
    )
    needle = b"needleimage_id" if where == "cell" else b"image_id"
    data = path.read_bytes()
    if where == "name":
        data = data.replace(b"needleimage_id", b"needle-")
        pq.write_table(
            table.set_column(0, "image_id", pa.array(["needle-"])),
            path,
            compression="none",
            use_dictionary=False,
            write_statistics=False,
            store_schema=False,
        )
        data = path.read_bytes()
    assert needle in data
    path.write_bytes(data.replace(needle, b"\xe6" + needle[1:]))


READERS = {
    "a step's table": read_rows,
    "labels": _label_rows,
    "a table of images": read_image_table,
    "predictions": read,
}


@pytest.mark.parametrize("where", ["cell", "name"])
@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_text_in_a_parquet_file_is_one_line(
    reader: str, where: str, tmp_path: Path
) -> None:
    path = tmp_path / "predictions.parquet"
    _damaged_text(path, where)
    with pytest.raises(UserError) as error:
        READERS[reader](path)
    assert path.name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bug_is_no_damaged_parquet_file() -> None:
    for bug in (KeyError, TypeError, IndexError, AssertionError):
        assert not issubclass(bug, parquet_errors())


@pytest.mark.parametrize("place", ["pipe", "loop", "folder"])
def test_a_list_that_is_no_file_is_one_line(place: str, tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    {
        "pipe": lambda: os.mkfifo(path),
        "loop": lambda: path.symlink_to(path.name),
        "folder": path.mkdir,
    }[place]()
    with pytest.raises(UserError, match=r"names\.txt"):
        read_names(path)
