"""The ground: files are there whole or not at all; versions and suggestions come from one place."""

import errno
import os
import re
import threading
import time
from pathlib import Path

import pytest

from aobench.errors import UserError, did_you_mean
from aobench.files import (
    SCRATCH_ENDING,
    remove_scratch_files,
    scratch_file,
    scratch_folder,
    sha256_of,
    write_in_one_move,
)
from aobench.versions import package_version, package_versions

ROOT = Path(__file__).parents[1]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def half_written(path, error):
    """Write half of a file, and fail."""
    with scratch_file(path) as scratch:
        scratch.write_bytes(b"half")
        raise error


def test_a_scratch_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"old")
    with scratch_file(path) as scratch:
        scratch.write_bytes(b"new")
        assert path.read_bytes() == b"old", "a reader sees half of it"
    assert (path.read_bytes(), names(tmp_path)) == (b"new", ["table.parquet"])


def test_a_bug_while_writing_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        half_written(path, ZeroDivisionError())
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["table.parquet"])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, code):
    with pytest.raises(UserError, match="no room left"):
        half_written(tmp_path / "big.bin", OSError(code, os.strerror(code)))
    assert names(tmp_path) == []


def test_a_block_that_wrote_nothing_is_an_error_not_an_empty_file(tmp_path):
    with pytest.raises(FileNotFoundError), scratch_file(tmp_path / "none.bin"):
        pass
    assert names(tmp_path) == []


def test_many_writers_at_once_leave_one_whole_file(tmp_path):
    path = tmp_path / "one.bin"
    contents = [bytes([number]) * 100_000 for number in range(8)]
    threads = [
        threading.Thread(target=write_in_one_move, args=(path, content))
        for content in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents, "two contents are mixed"
    assert names(tmp_path) == ["one.bin"]


def test_what_killed_processes_left_is_removed_and_the_rest_stays(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    old, young, deep = (
        tmp_path / f".a.0{SCRATCH_ENDING}",
        tmp_path / f".b.1{SCRATCH_ENDING}",
        inner / f".c.2{SCRATCH_ENDING}",
    )
    for path in (old, young, deep, tmp_path / f"mine{SCRATCH_ENDING}"):
        path.write_bytes(b"")
    (tmp_path / f".folder{SCRATCH_ENDING}").mkdir()
    os.utime(old, (time.time() - 90_000,) * 2)
    remove_scratch_files(tmp_path, older_than=86_400)
    assert not old.exists()
    assert young.exists()
    assert deep.exists(), "a folder below was not asked for"
    remove_scratch_files(tmp_path, below=True)
    assert names(inner) == []
    assert names(tmp_path) == [".folder.part", "inner", "mine.part"]


def test_a_scratch_folder_takes_the_place_of_the_old_one_or_leaves_it(tmp_path):
    path = tmp_path / "set"
    path.mkdir()
    (path / "old").write_bytes(b"")
    left = tmp_path / f".set{SCRATCH_ENDING}"
    left.mkdir()
    (left / "of a killed run").write_bytes(b"")

    def write(error=None):
        with scratch_folder(path) as scratch:
            scratch.mkdir()
            (scratch / "new").write_bytes(b"")
            if error is not None:
                raise error

    with pytest.raises(ZeroDivisionError):
        write(ZeroDivisionError())
    assert (names(tmp_path), names(path)) == (["set"], ["old"])
    with pytest.raises(UserError, match="no room left"):
        write(OSError(errno.ENOSPC, "full"))
    assert (names(tmp_path), names(path)) == (["set"], ["old"])
    write()
    assert (names(tmp_path), names(path)) == (["set"], ["new"])


def test_a_digest_of_a_path_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1000)
    assert sha256_of(path) == sha256_of(str(path)) == sha256_of(b"abc" * 1000)
    assert sha256_of([b"abc"] * 1000) == sha256_of(path)
    with pytest.raises(UserError, match="is a folder"):
        sha256_of(tmp_path)


def test_versions_of_absent_packages_are_none():
    versions = package_versions(["numpy", "no-such-package"])
    assert list(versions) == ["numpy", "no-such-package"]
    assert versions["numpy"] == package_version("numpy")
    assert versions["no-such-package"] is None


def test_a_name_is_not_suggested_for_itself_nor_one_that_is_far():
    assert did_you_mean("mini", ["mini", "maxi"]) == ""
    assert did_you_mean("zzz", ["mini"]) == ""
    assert did_you_mean("minni", ["mini"], 0.75) == " (did you mean 'mini'?)"
    assert did_you_mean("mist", ["mini"], 0.75) == "", (
        "farther than was asked for"
    )


#: What one file of the ground does, and what a second one would look like.
#: What is done in one file alone, and how it would look elsewhere.
ONCE = {
    "SHA-256 of a file": (r"file_digest\(", "aobench/files.py"),
    "a file written beside its place and moved": (
        r"\.part\"|\.tmp\"",
        "aobench/files.py",
    ),
    "did you mean": (r"get_close_matches\(", "aobench/errors.py"),
    "versions of packages": (
        r"metadata\.version\(|[^.\w]version\(name\)",
        "aobench/versions.py",
    ),
    "reading CSV": (
        r"csv\.(reader|DictReader)\(|pandas\.read_csv|pd\.read_csv",
        "aobench/csv_tables.py",
    ),
    "reading JSON strictly": (r"parse_constant=", "aobench/strict_json.py"),
    "which answer is right": (
        r"rank\"?\]? == 0|best == label|top\[0\] ==",
        "the metric",
    ),
    "no prediction": (r"^NO_PREDICTION\b", "the metric"),
}


@pytest.mark.parametrize("what", ONCE)
def test_it_is_done_in_one_file_of_the_library(what):
    pattern, place = ONCE[what]
    files = {
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "aobench").rglob("*.py"))
        if re.search(pattern, path.read_text(), re.MULTILINE)
    }
    assert files <= {place}, f"{what}: use {place}"
