"""What stands in the place of a file that the audit's verbs read or write: a folder, a link that
leads nowhere or to itself, a pipe. One line and exit status 2, or it goes; never a traceback, and
nothing is written through a link.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aobench.cli import main


def make_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("mine")


def make_dangling(path: Path) -> None:
    path.symlink_to(path.absolute().parent.parent / "elsewhere")


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


#: How a place is taken.
MAKERS: tuple[Callable[[Path], None], ...] = (
    make_folder,
    make_dangling,
    make_loop,
    os.mkfifo,
)
TAKEN = pytest.mark.parametrize(
    "take", MAKERS, ids=["folder", "dangling", "loop", "pipe"]
)

RULES = ["--rule", "words", "authors"]
NAMES = ["--attributes", "at.txt", "--objects", "ob.txt"]
AUDIT = ["audit", "c.txt", *NAMES, *RULES, "--out", "w"]
READING = (
    ["lookup", "red | bus", "--audit", "w", "--examples"],
    ["bindings", "b.json", "--audit", "w", "--out", "o"],
    ["audits", "merge", "w", "other", "--out", "o"],
    ["audits", "compare", "w", "other", "--out", "o.csv"],
    ["audits", "publish", "w", "--out", "o", "--corpus", "Mine"],
    ["diversity", "w", "--out", "o"],
)


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two audits and what the verbs read beside them."""
    folder = tmp_path_factory.mktemp("places")
    (folder / "c.txt").write_text("a red bus\na wooden bench\n")
    (folder / "d.txt").write_text("an old cab\na red bus\n")
    (folder / "at.txt").write_text("red\nwooden\nold\n")
    (folder / "ob.txt").write_text("bus\nbench\ncab\n")
    items = [{"true_caption": "a red bus", "false_caption": "a wooden bus"}]
    (folder / "b.json").write_text(json.dumps(items))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*AUDIT[:-1], "base"]) == 0
        assert main(["audit", "d.txt", *NAMES, *RULES, "--out", "other"]) == 0
    return folder


@pytest.fixture
def here(audits: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as the current one, with a fresh copy ``w`` of an audit and no output."""
    monkeypatch.chdir(audits)
    for name in ("w", "o"):
        shutil.rmtree(audits / name, ignore_errors=True)
    (audits / "o.csv").unlink(missing_ok=True)
    shutil.copytree(audits / "base", audits / "w")
    return audits


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def replace(path: Path, take: Callable[[Path], None]) -> None:
    if path.exists() or path.is_symlink():
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    take(path)


def status_of(command: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    """The exit status; where it isn't 0 it is 2, with one line."""
    capsys.readouterr()
    status = main(command)
    error = capsys.readouterr().err
    assert status in (0, 2), (command, error)
    if status:
        assert error.count("\n") == 1, (command, error)
    return status


@TAKEN
def test_where_an_audit_writes(
    here: Path, take: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    names = [path.relative_to(here / "w") for path in files_of(here / "w")]
    names = [name for name in names if "-words" not in name.name]
    assert {"manifest.json", "marginals.parquet", "disagreements.csv"} <= set(
        map(str, names)
    )
    for name in names:
        shutil.rmtree(here / "w")
        shutil.copytree(here / "base", here / "w")
        replace(here / "w" / name, take)
        status = status_of(AUDIT, capsys)
        if take is make_folder:
            assert status == 2, name
            assert (here / "w" / name / "inside").read_text() == "mine"
        elif status == 0:
            assert (here / "w" / name).is_file()
            assert not (here / "w" / name).is_symlink()
        assert not (here / "elsewhere").exists(), name


@pytest.mark.parametrize("take", MAKERS[:2], ids=["folder", "dangling"])
def test_what_an_audit_holds_when_it_is_read(
    here: Path, take: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    needed = {"manifest.json", "marginals.parquet", "counts-words.parquet"}
    for name in (*sorted(needed), "examples-words.parquet"):
        shutil.rmtree(here / "w")
        shutil.copytree(here / "base", here / "w")
        replace(here / "w" / name, take)
        for command in READING:
            shutil.rmtree(here / "o", ignore_errors=True)
            status = status_of(command, capsys)
            assert status == 2 or name not in needed, (name, command)


OUTPUTS = {
    "o.csv": READING[3],
    "o/found.json": [
        "lookup",
        "red | bus",
        "--audit",
        "w",
        "--json",
        "o/found.json",
    ],
    "o/texts.csv": READING[1],
    "o/bindings.csv": READING[1],
    "o/diversity.csv": READING[5],
    "o/diversity.png": READING[5],
    "o/manifest.json": READING[2],
    "o/marginals.parquet": READING[4],
    "o": READING[1],
}


@TAKEN
@pytest.mark.parametrize("name", OUTPUTS)
def test_where_other_verbs_write(
    here: Path,
    name: str,
    take: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    replace(here / name, take)
    status = status_of(OUTPUTS[name], capsys)
    if take is make_folder and name != "o":
        assert status == 2
        assert (here / name / "inside").read_text() == "mine"
    assert not (here / "elsewhere").exists()
    assert not (here.parent / "elsewhere").exists()
    if (here / name).is_symlink():
        (here / name).unlink()
    elif not (here / name).is_dir():
        (here / name).unlink(missing_ok=True)
    else:
        shutil.rmtree(here / name)


@TAKEN
def test_what_is_named_to_be_read(
    here: Path, take: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    replace(here / "x" / "x", take)
    for command in (
        ["audit", "x/x", "--out", "o"],
        ["audit", "c.txt", "x/x", "--dry-run"],
        ["audit", "c.txt", "--attributes", "x/x", "--out", "o"],
        ["lookup", "--file", "x/x", "--audit", "base"],
        ["lookup", "red | bus", "--audit", "x/x"],
        ["bindings", "x/x", "--audit", "base", "--out", "o"],
        ["bindings", "b.json", "--audit", "x/x", "--out", "o"],
        ["audits", "merge", "base", "x/x", "--out", "o"],
        ["audits", "compare", "base", "x/x", "--out", "o.csv"],
        ["audits", "publish", "x/x", "--out", "o", "--corpus", "Mine"],
        ["diversity", "x/x", "--out", "o"],
    ):
        assert status_of(command, capsys) == 2, command
    shutil.rmtree(here / "x")
