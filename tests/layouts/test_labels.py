"""Labels and names that are certain, and those that are refused."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from helpers.refusals import folder_of, names_file, refused

from aobench.layouts import read_layout

AMBIGUOUS = (
    "red brick bakery/1.png",
    "red car/1.png",
    "red brick car/1.png",
    "blue bakery/1.png",
)


def test_labels_that_can_be_parted_in_two_ways_are_listed(
    tmp_path: Path,
) -> None:
    line = refused(folder_of(tmp_path, *AMBIGUOUS))
    assert "2 label(s) can be parted in more than one way" in line
    assert (
        "'red brick bakery' (red + brick bakery or red brick + bakery)" in line
    )
    assert "attributes=" in line


def test_at_most_five_ambiguous_labels_are_named(tmp_path: Path) -> None:
    line = refused(folder_of(tmp_path, *(f"a b c{n}/1.png" for n in range(9))))
    assert line.count(" + ") == 10
    assert "and 4 more" in line


def test_lists_decide_how_labels_are_parted(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", *AMBIGUOUS, "green car/1.png")
    attributes = names_file(tmp_path / "a.txt", "red", "Red_Brick", "blue")
    objects = names_file(tmp_path / "o.txt", "bakery", "car")
    data = read_layout(str(root), attributes=attributes, objects=objects)
    assert {(p.attribute, p.object) for p in data.splits["ood"]} == {
        ("Red Brick", "bakery"),
        ("red", "car"),
        ("Red Brick", "car"),
        ("blue", "bakery"),
    }
    assert data.report.left_out["unknown_label"] == {
        "count": 1,
        "examples": ["green car"],
    }


def test_lists_that_leave_two_ways_are_refused(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", *AMBIGUOUS)
    attributes = names_file(tmp_path / "a.txt", "red", "red brick", "blue")
    objects = names_file(tmp_path / "o.txt", "bakery", "car", "brick bakery")
    line = refused(root, attributes=attributes, objects=objects)
    assert "1 label(s)" in line
    assert "'red brick bakery'" in line
    assert "more than one way" in refused(root, attributes=attributes), (
        "one list is not enough"
    )


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        (
            ["red_fire truck", "red_car"],
            {("red", "fire truck"), ("red", "car")},
        ),
        (
            ["light_blue car", "red car"],
            {("light blue", "car"), ("red", "car")},
        ),
        (["red car", "blue_truck"], {("red", "car"), ("blue", "truck")}),
        (["Caf\u00e9 car", "red car"], {("Caf\u00e9", "car"), ("red", "car")}),
        (["Faux.Fur_Boots.Ankle"], {("Faux Fur", "Boots Ankle")}),
        (
            ["white_St. Bernard", "red_car"],
            {("white", "St. Bernard"), ("red", "car")},
        ),
    ],
)
def test_labels_that_are_certain(
    labels: list[str], pairs: set[Any], tmp_path: Path
) -> None:
    root = folder_of(tmp_path, *(f"{label}/1.png" for label in labels))
    data = read_layout(str(root))
    assert {(p.attribute, p.object) for p in data.splits["ood"]} == pairs


def test_separators_that_disagree_are_refused(tmp_path: Path) -> None:
    assert "'red_fire truck'" in refused(
        folder_of(tmp_path, "red_fire truck/1.png")
    )


def test_names_that_fall_together_are_refused(tmp_path: Path) -> None:
    line = refused(
        folder_of(tmp_path / "case", "Red car/1.png", "red bus/1.png")
    )
    assert "'Red' and 'red' are shown as the same name" in line
    line = refused(
        folder_of(tmp_path / "dots", "Faux.Fur/car/1.png", "Faux Fur/bus/1.png")
    )
    assert "'Faux Fur' and 'Faux.Fur'" in line
    two = [unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD")]
    line = refused(
        folder_of(tmp_path / "form", *(f"{name} car/1.png" for name in two))
    )
    assert "only in Unicode form" in line
    line = refused(
        folder_of(
            tmp_path / "wnid", "red n02701002/1.png", "red ambulance/1.png"
        )
    )
    assert "by its name and by its wnid" in line


def test_two_spellings_are_one_name_by_the_lists(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", "Red car/1.png", "red bus/1.png")
    options = {"attributes": names_file(tmp_path / "a.txt", "red")}
    assert read_layout(str(root), **options).attributes == ["red"]


def test_a_wnid_is_shown_by_its_published_name(tmp_path: Path) -> None:
    data = read_layout(
        str(folder_of(tmp_path, "red n02701002/1.png", "red dog/1.png"))
    )
    assert data.objects == ["ambulance", "dog"]
    assert data.report.imagenet_objects == 1
    assert data.splits["ood"][-1].sample_id == "red n02701002/1.png", (
        "ids keep the original"
    )


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "is empty"),
        (("red", "blue", "red"), "'red' twice, at line 1 first"),
        (("red", "RED"), "shown as the same name"),
        (("red", "a\x07b"), "can't be shown"),
    ],
)
def test_files_of_names(
    names: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    root = folder_of(tmp_path / "set", "red car/1.png")
    assert told in refused(
        root, attributes=names_file(tmp_path / "a.txt", *names)
    )
    assert told in refused(root, objects=names_file(tmp_path / "a.txt", *names))
