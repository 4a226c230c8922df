"""``build --example``: what it writes, and what it refuses. That it runs is in test_examples.py."""

import pytest

from aobench.cli import main
from aobench.newset.configuration import read_config
from aobench.newset.example import example_files, write_example


def test_the_example_is_read_as_it_is_and_says_what_to_type(tmp_path, capsys):
    where = tmp_path / "a first set"
    assert main(["build", "--example", str(where)]) == 0
    said = capsys.readouterr().out
    assert f"imagenet-ao build '{where / 'set.yaml'}'" in said
    config = read_config(where / "set.yaml")
    assert config.generate.generator == "renderer"
    assert {path.name for path in where.iterdir()} == {
        "captions.txt",
        "implausible.csv",
        "set.yaml",
    }


@pytest.mark.parametrize("name", [path.name for path in example_files()])
def test_nothing_that_is_there_is_replaced(tmp_path, capsys, name):
    (tmp_path / name).write_text("mine")
    assert main(["build", "--example", str(tmp_path)]) == 2
    assert f"holds {name} already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name], (
        "half of it is there"
    )
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_that_holds_other_files_is_taken(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert write_example(tmp_path).is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "build takes a configuration"),
        (["set.yaml", "--example", "x"], "leave one of them out"),
        (["--example", "a-file"], "a-file is a file"),
    ],
)
def test_what_is_not_clear_is_one_line(
    tmp_path, monkeypatch, capsys, words, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("x")
    assert main(["build", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert told in line
