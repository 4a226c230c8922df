"""What judges said is believed only as it was written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aobench.errors import UserError
from aobench.newset.validate.parts import read_part, write_part

ANSWERS = [
    {"image_id": "a", "attribute": 0.1},
    {"image_id": "b", "attribute": 1e-300},
]


def _other_number(path: Path) -> None:
    content = json.loads(path.read_text())
    content["answers"][0]["attribute"] = 0.9
    path.write_text(json.dumps(content))


def _other_judge(path: Path) -> None:
    other = path.parent.with_name("other-judge") / path.name
    write_part(other, ANSWERS)
    shutil.copy(other, path)


def _neighbour(path: Path) -> None:
    write_part(path.with_name("000001.json"), ANSWERS)
    shutil.copy(path.with_name("000001.json"), path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "another number": _other_number,
    "another judge's": _other_judge,
    "its neighbour": _neighbour,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-5]),
    "NaN": lambda path: path.write_text(path.read_text().replace("0.1", "NaN")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_asked_for_again_and_said_to_be(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "judge-0123" / "000000.json"
    assert read_part(path) is None
    write_part(path, ANSWERS)
    assert read_part(path) == ANSWERS
    DAMAGES[damage](path)
    capsys.readouterr()
    assert read_part(path) is None, f"a part that is {damage} was believed"
    assert capsys.readouterr().err.count("computed again") == 1


def test_a_folder_in_place_of_a_part_is_refused(tmp_path: Path) -> None:
    (tmp_path / "000000.json").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        read_part(tmp_path / "000000.json")
