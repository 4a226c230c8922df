"""What the study reads of its own runs: damaged files are named in one line, and made again
where they can be.
"""

import json

import numpy as np
import pytest

from aobench.cli import main
from aobench.errors import UserError
from aobench.sealed import write_sealed_npz
from aobench.study import collecting, running, world
from aobench.study.design import every_run, first_edition

RUN = every_run()[0]


def arrays(path):
    np.savez(
        path,
        pixels=np.zeros((2, 2), np.uint8),
        attributes=np.zeros(2),
        objects=np.zeros(2),
    )
    return path


DAMAGE = {
    "empty": lambda whole: b"",
    "cut": lambda whole: whole[: len(whole) // 2],
    "junk": lambda whole: b"junk" * 100,
    "zeros": lambda whole: b"\0" * len(whole),
    "a flipped byte of the content": lambda whole: whole.replace(
        b"pixels.npy", b"pixels.npx", 1
    ),
    "a header of another kind": lambda whole: whole.replace(
        b"'descr'", b"'descx'"
    ),
}


def made():
    return world.ImageSet(np.ones((2, 2), np.uint8), np.ones(2), np.ones(2))


def made_again(path, capsys):
    """Whether pictures that are not what was written are named in one line, drawn again and
    kept.
    """
    assert running._cached(path, made).pixels.all()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert path.name in said
    assert running._cached(
        path, lambda: pytest.fail("drawn once more")
    ).pixels.all()


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_pictures_are_drawn_again(tmp_path, damage, capsys):
    path = arrays(tmp_path / "x.npz")
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    made_again(path, capsys)


def test_one_array_and_other_arrays_are_drawn_again(tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros(3))
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", other=np.zeros(3))
    for name in ("x.npz", "y.npz"):
        made_again(tmp_path / name, capsys)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"splits": []}',
        '{"splits": {"id": {"object": [99]}, "ood": {}}}',
        "[" * 10_000,
        '{"splits": {"id": {"object": [1]}, "ood": {"object": [NaN]}}}',
    ],
)
def test_a_damaged_run_is_one_line(tmp_path, content):
    for run in every_run():
        (tmp_path / f"{run.name}.json").write_text(content)
    with pytest.raises(UserError, match=RUN.name):
        collecting.collect_runs(tmp_path, first_edition(), quiet=True)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 2}', "null", "[" * 10_000]
)
def test_a_table_of_another_shape_is_one_line(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(UserError, match=r"results\.json"):
        collecting.read_table(tmp_path / "results.json")


def test_measures_of_another_shape_are_computed_again(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(
        collecting,
        "trunk_measures",
        lambda arrays: {"z_diff": float(arrays["z"].sum())},
    )
    write_sealed_npz(
        tmp_path / f"{RUN.name}.npz", f"{RUN.name}.npz", {"z": np.ones(3)}
    )
    path = tmp_path / f"{RUN.name}.measures.json"
    for text in (
        json.dumps({"z_diff": "high"}),
        json.dumps({"z_diff": 1.0}),
        "[]",
        "{",
        "[" * 10_000,
    ):
        path.write_text(text)
        assert collecting._measured(RUN, tmp_path) == {"z_diff": 3.0}
        assert path.name in capsys.readouterr().err


def test_workers_beyond_reason_are_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["study", "--workers", "1000000000"]) == 2
    assert "--workers takes a whole number" in capsys.readouterr().err
