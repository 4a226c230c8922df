"""What the study reads of its own runs: damaged files are one line that names them, whatever the damage."""

import json

import numpy as np
import pytest

from aobench.cli import main
from aobench.errors import UserError
from aobench.study import collecting, running
from aobench.study.design import every_run

RUN = every_run()[0]


def arrays(path):
    np.savez(path, pixels=np.zeros((2, 2), np.uint8), attributes=np.zeros(2), objects=np.zeros(2))
    return path


DAMAGE = {
    "empty": lambda whole: b"",
    "cut": lambda whole: whole[: len(whole) // 2],
    "junk": lambda whole: b"junk" * 100,
    "zeros": lambda whole: b"\0" * len(whole),
    "a flipped byte of the content": lambda whole: whole.replace(b"pixels.npy", b"pixels.npx", 1),
    "a header of another kind": lambda whole: whole.replace(b"'descr'", b"'descx'"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_arrays_are_one_line(tmp_path, damage):
    path = arrays(tmp_path / "x.npz")
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(UserError, match=r"x\.npz") as told:
        running._cached(path, lambda: pytest.fail("drawn anew over a file that is there"))
    assert "\n" not in str(told.value)


def test_one_array_and_other_arrays_are_one_line(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(3))
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", other=np.zeros(3))
    for name in ("x.npz", "y.npz"):
        with pytest.raises(UserError, match=name):
            running._cached(tmp_path / name, lambda: None)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"splits": []}', '{"splits": {"id": {"object": [99]}, "ood": {}}}', "[" * 10_000,
     '{"splits": {"id": {"object": [1]}, "ood": {"object": [NaN]}}}'],
)  # fmt: skip
def test_a_damaged_run_is_one_line(tmp_path, content):
    for run in every_run():
        (tmp_path / f"{run.name}.json").write_text(content)
    with pytest.raises(UserError, match=RUN.name):
        collecting.collect(tmp_path, quiet=True)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2}', "null", "[" * 10_000])
def test_a_table_of_another_shape_is_one_line(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(UserError, match=r"results\.json"):
        collecting.read(tmp_path / "results.json")


def test_measures_of_another_shape_are_one_line(tmp_path):
    (tmp_path / f"{RUN.name}.measures.json").write_text(json.dumps({"z_diff": "high"}))
    with pytest.raises(UserError, match="are not those of a run"):
        collecting._measured(RUN, tmp_path)


def test_workers_beyond_reason_are_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["study", "--workers", "1000000000"]) == 2
    assert "--workers takes a whole number" in capsys.readouterr().err
