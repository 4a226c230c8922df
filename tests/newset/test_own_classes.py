"""Code that a configuration names: refused unless it is allowed by name; classes of packages
come by entry points.
"""

import sys
from importlib import metadata

import pytest
import yaml

from aobench.cli import main
from aobench.errors import UserError
from aobench.newset import own_classes
from aobench.newset.configuration import read_config
from aobench.newset.generators import find_generator, make_generator
from aobench.newset.validate.judges import find_judge, make_judge

MARK = "it ran"


def write(tmp_path, **parts):
    """A small configuration of drawings; ``generate={...}`` and so on change parts of it."""
    (tmp_path / "captions.txt").write_text("the sky\n")
    content = {
        "out": "out",
        "compose": {
            "corpora": [{"name": "mine", "captions": ["captions.txt"]}],
            "attributes": ["striped"],
            "objects": ["banana", "airliner"],
        },
        "generate": {"generator": "renderer", "images": 1},
        "validate": {"judges": [{"kind": "redraw"}]},
        "package": {"name": "drawn"},
    }
    for name, values in parts.items():
        content[name] = {**content[name], **values}
    path = tmp_path / "set.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def told(capsys, *words):
    """The one line with which the command refuses."""
    capsys.readouterr()
    assert main(list(map(str, words))) == 2
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    return err


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A module beside the configuration, importable, that leaves a mark when it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    mark = tmp_path / MARK
    (tmp_path / "sent_along.py").write_text(
        f"open({str(mark)!r}, 'w').close()\n"
        "from aobench.newset.generators import Renderer\n"
        "from aobench.newset.validate.redraw import Redraw\n"
        "class Own(Renderer):\n    pass\n"
        "class Judges(Redraw):\n    pass\n"
        "class Buggy(Renderer):\n"
        "    def __call__(self, tasks):\n        return {}['nothing']\n"
        "class Breaks(Renderer):\n"
        "    def __init__(self, model, options):\n        raise TypeError('a slip')\n"
    )
    sys.modules.pop("sent_along", None)
    yield mark
    sys.modules.pop("sent_along", None)


@pytest.mark.parametrize(
    "name",
    [
        "builtins:exec",
        "os:system",
        "subprocess:Popen",
        "sent_along:Own",
        "sent_along:os.system",
        ".sent_along:Own",
        "sent_along:",
        ":Own",
        "sent_along:Own:more",
        "a b:c",
        "sent_along\n:Own",
        "os.path:join",
        "builtins:type",
    ],
)
@pytest.mark.parametrize("place", ["generator", "judge"])
@pytest.mark.parametrize(
    "steps", [[], ["--steps", "compose"], ["--steps", "package"]]
)
def test_a_configuration_that_was_sent_runs_no_code(
    tmp_path, beside, capsys, name, place, steps
):
    given = (
        {"generate": {"generator": name}}
        if place == "generator"
        else {"validate": {"judges": [{"kind": name}]}}
    )
    path = write(tmp_path, **given)
    err = told(capsys, "build", path, *steps)
    assert "would import and run" in err or "is no package.module:Class" in err
    assert not beside.exists(), "it was imported"
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError):
        read_config(path)


@pytest.mark.parametrize(
    "text",
    [
        "out: !!python/object/apply:os.system [touch ran]",
        "out: !!python/name:os.system ''",
        "out: !!python/object/new:os.system [touch ran]",
        "!!python/module:sent_along",
        "out: !sent_along:Own x",
    ],
)
def test_tags_of_yaml_build_nothing(tmp_path, beside, capsys, text):
    (tmp_path / "set.yaml").write_text(text)
    assert "can't be read as YAML" in told(
        capsys, "build", tmp_path / "set.yaml"
    )
    assert not beside.exists()
    assert not (tmp_path / "ran").exists()


def test_what_is_allowed_by_name_is_imported_and_said(tmp_path, beside, capsys):
    judges = [{"kind": "sent_along:Judges"}]
    path = write(
        tmp_path,
        generate={"generator": "sent_along:Own"},
        validate={"judges": judges},
    )
    one = "--allow-code=sent_along:Own"
    assert "would import and run sent_along:Judges;" in told(
        capsys, "build", path, one
    )
    assert not beside.exists()
    both = [one, "--allow-code", "sent_along:Judges"]
    assert (
        main(
            [
                "build",
                str(path),
                *both,
                "--steps",
                "compose",
                "generate",
                "validate",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert out.index("imports sent_along:Own and runs it") < out.index(
        "compose:"
    )
    assert beside.exists()


def test_an_allowed_name_that_the_configuration_lacks_is_refused(
    tmp_path, beside, capsys
):
    path = write(tmp_path, generate={"generator": "sent_along:Own"})
    flags = ["--allow-code", "sent_along:Own", "--allow-code", "sent_along:Owm"]
    assert "did you mean 'sent_along:Own'" in told(
        capsys, "build", path, *flags
    )
    assert not beside.exists()


class Entry:
    """What importlib.metadata gives of an installed package's entry point."""

    def __init__(self, name, target, group=own_classes.GENERATORS):
        self.name, self.value, self.group, self.target = (
            name,
            f"package:{name}",
            group,
            target,
        )

    def load(self):
        return self.target


@pytest.fixture
def installed(monkeypatch):
    """Install entry points for the time of a test."""
    every = []

    def entry_points(group, name=None):
        return [
            one
            for one in every
            if one.group == group and name in (None, one.name)
        ]

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    return every


def test_an_installed_packages_generator_needs_no_flag(
    tmp_path, capsys, installed
):
    installed.append(Entry("crayons", find_generator("renderer")))
    path = write(tmp_path, generate={"generator": "crayons"})
    assert main(["build", str(path), "--steps", "compose", "generate"]) == 0
    path = write(tmp_path, generate={"generator": "crayon"})
    assert "no generator 'crayon' (did you mean 'crayons'?)" in told(
        capsys, "build", path
    )
    installed.append(Entry("renderer", dict))
    assert find_generator("renderer").__name__ == "Renderer", (
        "a package took the place of a built-in kind"
    )


def test_two_packages_of_one_name_are_refused(installed):
    installed += [Entry("same", dict), Entry("same", list)]
    installed[1].value = "other:same"
    with pytest.raises(
        UserError, match="two installed packages have a generator 'same'"
    ):
        find_generator("same")


def test_a_judges_entry_point_is_no_generators(installed):
    installed.append(Entry("reader", find_judge("redraw"), own_classes.JUDGES))
    assert find_judge("reader").__name__ == "Redraw"
    with pytest.raises(UserError, match="no generator 'reader'"):
        find_generator("reader")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("json:dumps", "is no generator"),
        ("builtins:dict", "is no generator"),
        ("builtins:type", "is no generator"),
        ("json:nothing", "has no 'nothing'"),
        ("no_such_module:X", "there is no module 'no_such_module'"),
        ("json.none:X", "there is no module 'json.none'"),
        ("pathlib:Path", "is no generator"),
        ("argparse:Action", "is no generator"),
        ("functools:partial", "is no generator"),
    ],
)
def test_what_is_no_generator_and_no_judge_is_one_line(name, reason):
    with pytest.raises(UserError, match=reason) as error:
        make_generator(name, "", {})
    assert "\n" not in str(error.value)
    with pytest.raises(UserError) as error:
        make_judge(name, "", {}, [])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["Buggy", "Breaks"])
def test_a_bug_in_ones_own_class_keeps_its_traceback_and_names_the_class(
    tmp_path, beside, name
):
    path = write(tmp_path, generate={"generator": f"sent_along:{name}"})
    command = [
        "build",
        str(path),
        "--allow-code",
        f"sent_along:{name}",
        "--steps",
        "compose",
        "generate",
    ]
    with pytest.raises((KeyError, TypeError)) as error:
        main(command)
    assert any(f"sent_along:{name}" in note for note in error.value.__notes__)


def test_a_bug_on_import_keeps_its_traceback(tmp_path, beside):
    (tmp_path / "sent_along.py").write_text("import nothing_of_this_name\n")
    path = write(tmp_path, generate={"generator": "sent_along:Own"})
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        main(["build", str(path), "--allow-code", "sent_along:Own"])


GIVES = {
    "None": "None",
    "too few": "[]",
    "a generator": "(x for x in tasks)",
    "pictures": "[t.attribute for t in tasks]",
    "no picture": "[GeneratedImage('x') for t in tasks]",
    "too many": "super().__call__([*tasks, *tasks])",
}


@pytest.mark.parametrize("gives", GIVES)
def test_what_a_generator_may_not_give_is_one_line(
    tmp_path, beside, capsys, gives
):
    (tmp_path / "sent_along.py").write_text(
        "from aobench.newset.generators import GeneratedImage, Renderer\n"
        f"class Own(Renderer):\n    def __call__(self, tasks):\n        return {GIVES[gives]}\n"
    )
    path = write(tmp_path, generate={"generator": "sent_along:Own"})
    command = [
        "build",
        path,
        "--allow-code",
        "sent_along:Own",
        "--steps",
        "compose",
        "generate",
    ]
    assert "the generator 'sent_along:Own' gave" in told(capsys, *command)


SAYS = {
    "None": "None",
    "a list": "[1]",
    "one question": "{'attribute': [1.0] * len(asked)}",
    "words": "{q: ['yes'] * len(asked) for q in self.questions}",
    "too few": "{q: [] for q in self.questions}",
}


@pytest.mark.parametrize("says", SAYS)
def test_what_a_judge_may_not_say_is_one_line(tmp_path, beside, capsys, says):
    (tmp_path / "sent_along.py").write_text(
        "from aobench.newset.validate.redraw import Redraw\n"
        f"class Own(Redraw):\n    def __call__(self, asked):\n        return {SAYS[says]}\n"
    )
    path = write(
        tmp_path,
        validate={"judges": [{"kind": "sent_along:Own", "name": "own"}]},
    )
    command = [
        "build",
        path,
        "--allow-code",
        "sent_along:Own",
        "--steps",
        "compose",
        "generate",
        "validate",
    ]
    assert "the judge 'own'" in told(capsys, *command)
