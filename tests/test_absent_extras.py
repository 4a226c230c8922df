"""Libraries of extras that are absent: one line with the command, and nothing where none is needed."""

import re
import sys
from pathlib import Path

import pytest

from aobench.cli import main
from aobench.errors import UserError
from aobench.extras import EXTRA_OF, absence_message, need_extra

ROOT = Path(__file__).parents[1]


@pytest.fixture
def base_alone(monkeypatch):
    """An interpreter in which no library of an extra can be imported."""
    for name in list(sys.modules):
        if name.split(".")[0] in EXTRA_OF:
            monkeypatch.delitem(sys.modules, name)
    for name in EXTRA_OF:
        monkeypatch.setitem(sys.modules, name, None)


def refresh(monkeypatch, *rooms):
    """Forget modules that hold what they imported at their top."""
    for name in list(sys.modules):
        if name.startswith(rooms):
            monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize(
    ("words", "library", "extra"),
    [
        (["audit", "captions.txt", "--out", "audit"], "polars", "audit"),
        (["effective", "--out", "figures"], "matplotlib", "plots"),
        (["duplicates", "captions.txt", "--out", "d"], "imagehash", "distinct"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_verb_says_which_extra_it_needs(
    base_alone, monkeypatch, tmp_path, capsys, words, library, extra
):
    monkeypatch.chdir(tmp_path)
    refresh(monkeypatch, "aobench.analysis.breakdown", "aobench.analysis.plots")
    (tmp_path / "captions.txt").write_text("a red fox\n")
    assert main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"pip install 'imagenet-ao[{extra}]'" in line
    assert library in line


def test_the_base_is_enough_for_the_main_job(base_alone, tmp_path, capsys):
    assert main(["effective"]) == 0
    assert main(["power", "--design", "80x600x12000x5"]) == 0
    assert main(["build", "--example", str(tmp_path / "first")]) == 0


def test_every_plot_says_so(base_alone):
    from aobench.drawing import new_plot

    with pytest.raises(UserError, match=r"drawing a plot needs matplotlib"):
        new_plot(3, 2)


def test_a_module_that_no_extra_brings_is_a_bug(fresh_parser, monkeypatch):
    def broken(args):
        raise ModuleNotFoundError(
            "No module named 'aobench.nothing'", name="aobench.x"
        )

    monkeypatch.setattr("aobench.evaluation.commands.run_score", broken)
    with pytest.raises(ModuleNotFoundError):
        main(["score", "x"])
    assert absence_message("aobench.x") is None


def test_the_line_of_a_library_names_an_extra_of_setup(monkeypatch):
    text = (ROOT / "setup.py").read_text()
    named = set(re.findall(r'^    "(\w+)": \[', text, re.MULTILINE))
    for library, (_, extra) in EXTRA_OF.items():
        assert extra in named, f"setup.py has no extra {extra}"
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(UserError, match=rf"imagenet-ao\[{extra}\]"):
            need_extra(library)
