"""What is wrong with a layout is one line of the command, or counted in results.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import one_set
from helpers.imagenet_forms import SOLUTION, folders, picture, put, with_truth
from helpers.one_set import NATURAL, write_form

from aobench import cli

FIELD = ("MIT-States", "UT-Zappos", "C-GQA", "VAW-CZSL")


def missing_list(place: Path) -> None:
    (place / NATURAL / "test_pairs.txt").unlink()


def missing_picture(place: Path) -> None:
    next(path for path in sorted(place.rglob("*.png"), reverse=True)).unlink()


def two_layouts(place: Path) -> None:
    one_set.write_csv(place)


def ambiguous_label(place: Path) -> None:
    put(place / "ood" / "red_brick_bakery" / "1.png", picture(1))


def nothing_left(place: Path) -> None:
    for path in place.rglob("*.png"):
        path.unlink()


CASES: list[tuple[str, Callable[[Path], None], str]] = [
    *((form, missing_list, "test_pairs.txt") for form in FIELD),
    *((form, missing_picture, "missing") for form in ("CSV", "JSONL", *FIELD)),
    *((form, two_layouts, "two layouts at once") for form in FIELD),
    ("label folders", ambiguous_label, "can be parted in more than one way"),
    ("label folders", nothing_left, "is empty"),
    ("attribute folders", nothing_left, "is empty"),
]


@pytest.mark.parametrize("verb", ["evaluate mini", "prepare OUT"])
@pytest.mark.parametrize(("form", "damage", "said"), CASES)
def test_a_damaged_layout_is_one_line(
    form: str,
    damage: Callable[[Path], None],
    said: str,
    verb: str,
    tmp_path: Path,
    capsys: Any,
) -> None:
    place = write_form(form, tmp_path / "set")
    damage(place)
    out = str(tmp_path / "out")
    assert (
        cli.main([*verb.replace("OUT", out).split(), "--data", str(place)]) == 2
    )
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert said in error
    assert "set" in error, "the place is named"


@pytest.mark.parametrize("form", ["CSV", "MIT-States", "C-GQA"])
def test_a_picture_on_no_list_is_counted(
    form: str, tmp_path: Path, capsys: Any
) -> None:
    place = write_form(form, tmp_path / "set")
    folder = next(place.rglob("*.png")).parent
    put(folder / "stray.png", picture(1))
    (tmp_path / "t.txt").write_text("a {}\n", encoding="utf-8")
    words = [
        "evaluate",
        "mini",
        "--data",
        str(place),
        "--cpu",
        "--out",
        str(tmp_path),
    ]
    assert cli.main([*words, "--templates", str(tmp_path / "t.txt")]) == 0
    told = json.loads((tmp_path / "mini" / "results.json").read_text())[
        "dataset"
    ]
    assert told["left_out"]["not_on_the_list"]["count"] == 1
    assert "1 pictures that no list names" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda place: put(place / SOLUTION, "ImageId\nx\n"),
            "PredictionString",
        ),
        (lambda place: put(place / "labels.txt", "1\n2\n"), "in which order"),
    ],
)
def test_lists_of_imagenet_by_the_command(
    damage: Callable[[Path], Any], said: str, tmp_path: Path, capsys: Any
) -> None:
    put(
        tmp_path / "set" / "ImageNet-AO-filtered" / "red banana" / "0.png",
        picture(1),
    )
    seen = with_truth(tmp_path / "seen")
    damage(seen)
    words = [
        "evaluate",
        "mini",
        "--data",
        str(tmp_path / "set"),
        "--id-data",
        str(seen),
    ]
    (seen / "ILSVRC2012_validation_ground_truth.txt").unlink()
    assert cli.main([*words, "--cpu", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_imagenet_without_anything_of_its_classes_is_one_line(
    tmp_path: Path, capsys: Any
) -> None:
    put(
        tmp_path / "set" / "ImageNet-AO-filtered" / "red banana" / "0.png",
        picture(1),
    )
    words = ["evaluate", "mini", "--data", str(tmp_path / "set"), "--id-data"]
    for place, said in (
        (tmp_path / "none", "no such file"),
        (tmp_path / "set", "nothing says their ImageNet classes"),
    ):
        assert cli.main([*words, str(place)]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert (
        cli.main(
            ["prepare", str(tmp_path / "o"), *words[2:], str(tmp_path / "x")]
        )
        == 2
    )
    assert capsys.readouterr().err.count("\n") == 1
    val = folders(tmp_path / "val")
    assert cli.main(["evaluate", "mini", "--data", str(val)]) == 2
    assert "give it as --id-data" in capsys.readouterr().err
