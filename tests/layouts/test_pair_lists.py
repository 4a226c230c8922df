"""The sets of the compositional zero-shot field: lists, metadata, and what is left out."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.one_set import NATURAL, put, write_form
from helpers.refusals import PICTURE, folder_of, left_out, refused

from aobench.layouts import read_layout

METADATA = f"metadata_{NATURAL}.t7"


def lists_path(root: Path, part: str) -> Path:
    """A pair list."""
    return root / NATURAL / f"{part}_pairs.txt"


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize(
    "form", ["MIT-States", "UT-Zappos", "C-GQA", "VAW-CZSL"]
)
def test_missing_and_damaged_pair_lists(
    form: str, part: str, tmp_path: Path
) -> None:
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


def rewrite_metadata(
    root: Path, change: Callable[[list[dict[str, str]]], Any]
) -> None:
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
        (
            lambda rows: rows[9].update(image="absent.png"),
            "missing: images/absent.png (row 10 of",
        ),
        (
            lambda rows: rows[9].update(image="../../x.png"),
            "missing: images/../../x.png (row 10 of",
        ),
        (
            lambda rows: rows.append(
                {**rows[9], "attr": "light_blue", "obj": "ambulance"}
            ),
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
def test_metadata_with_code_in_it_is_refused(
    writer: str, tmp_path: Path
) -> None:
    root = write_form("MIT-States", tmp_path / "set")
    if writer == "torch":
        torch.save([Code(tmp_path / "ran")], root / METADATA)
    else:
        (root / METADATA).write_bytes(
            pickle.dumps([Code(tmp_path / "ran")], protocol=2)
        )
    line = refused(root)
    assert f"{METADATA} can't be read" in line
    assert not (tmp_path / "ran").exists(), "code in the metadata ran"


@pytest.mark.parametrize(
    "data", [b"", b"no torch file", b"PK\x03\x04", b"\x80\x02"]
)
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
    base = {
        "image": "absent.png",
        "attr": "red",
        "obj": "ambulance",
        "set": "test",
    }
    more = [
        {**base, "set": "NA"},
        {**base, "attr": "NA"},
        {**base, "obj": "zebra"},
        {**base, "set": "val"},
    ]
    rewrite_metadata(root, lambda rows: rows + more)
    report = read_layout(str(root)).report
    expected = {
        "not_on_the_list": 1,
        "set_NA": 1,
        "label_NA": 1,
        "pair_on_no_list": 1,
    }
    assert left_out(report) == {**expected, "split_val": 1, "split_train": 4}
    assert report.left_out["pair_on_no_list"]["examples"] == [
        "images/absent.png: red + zebra"
    ]
    assert report.images == {"id": 4, "ood": 4}


def test_without_metadata_folders_of_no_pair_are_counted(
    tmp_path: Path,
) -> None:
    root = write_form("MIT-States without metadata", tmp_path / "set")
    folder_of(
        root,
        "images/red_zebra/1.png",
        "images/loose.png",
        "images/light_blue_boots_ankle/1.png",
    )
    report = read_layout(str(root)).report
    assert left_out(report) == {
        "other_depth": 1,
        "pair_on_no_list": 1,
        "split_val": 1,
    }
    assert METADATA in report.notes[0]
    with lists_path(root, "val").open("a") as stream:
        stream.write("light blue_ambulance\n")
    assert "may be light + blue_ambulance or light_blue + ambulance" in refused(
        root
    )
