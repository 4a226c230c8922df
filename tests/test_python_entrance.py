"""The public surface: a session as in a notebook, alone and in two processes; names, documents and
types; objects for models; what is refused.
"""

import doctest
import importlib
import inspect
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from helpers.own_models import TinyEncoder

import aobench
from aobench.errors import UserError
from aobench.evaluation.api import evaluate
from aobench.evaluation.sources import data_source

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "ACCELERATE_USE_CPU": "true",
    "PYTHONPATH": str(ROOT),
}
#: Ten lines, as one would type them; the second call shows that the first left nothing behind.
SESSION = """
import aobench
result = aobench.evaluate("mini", data="mini", limit=24, templates=["a photo of a {}."])[0]
frame = result.to_frame()
figure = result.plot()
try:
    aobench.evaluate("mini", data="mimi")
except aobench.UserError as error:
    print(str(error).split(";")[0])
again = aobench.evaluate(["mini"], "mini", limit=12, templates=["a {}."])[0]
figure.savefig(f"{__import__('os').environ.get('RANK', 'alone')}.png")
print(frame["split"].tolist()[:2], result.predictions.num_rows, again.predictions.num_rows)
"""
PRINTED = (
    "there is no dataset 'mimi' (did you mean 'mini'?)\n['id', 'ood'] 288 144\n"
)


def test_a_session_as_in_a_notebook(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SESSION],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, PRINTED), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["alone.png"]


def test_the_same_session_in_two_processes(warm, tmp_path):
    every = warm.run(2, [], code=SESSION, folder=tmp_path)
    assert [one.returncode for one in every] == [0, 0], every[0].stderr
    assert [one.stdout for one in every] == [PRINTED, PRINTED]
    assert {path.name for path in tmp_path.iterdir()} == {"0.png", "1.png"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A folder in which the examples of the documents ran, in their order."""
    folder = tmp_path_factory.mktemp("studio")
    before = Path.cwd()
    os.chdir(folder)
    try:
        runner = doctest.DocTestRunner()
        finder = doctest.DocTestFinder(recurse=False)
        counts = {}
        for name in (
            "evaluate",
            "load_result",
            "compare",
            "effective",
            "audit",
        ):
            for test in finder.find(documented(name), name, globs={}):
                text = []
                result = runner.run(test, out=text.append)
                counts[name] = (result.attempted, "".join(text))
    finally:
        os.chdir(before)
    return folder, counts


def documented(name):
    """What has a public name's document: of the room that can be called, its function."""
    if name == "audit":
        return importlib.import_module("aobench.audit.api").audit
    return getattr(aobench, name)


def test_the_examples_of_the_documents_run(studio):
    _, counts = studio
    for name, (attempted, failures) in counts.items():
        assert attempted >= 2, f"{name} has no example"
        assert not failures, failures
    functions = {
        n for n in aobench.__all__ if inspect.isfunction(documented(n))
    }
    assert functions == set(counts)


def test_public_names_are_documented_and_typed():
    assert (ROOT / "aobench/py.typed").exists()
    page = (ROOT / "docs/python.md").read_text()
    for name in aobench.__all__:
        thing = documented(name)
        assert f"aobench.{name}" in page, (
            f"docs/python.md does not name aobench.{name}"
        )
        assert len(thing.__doc__ or "") > 60, name
        if inspect.isfunction(thing):
            signature = inspect.signature(thing)
            for heading in ("Args:", "Returns:", "Raises:", "Example:"):
                assert heading in thing.__doc__, f"{name} lacks {heading}"
            for argument, facts in signature.parameters.items():
                assert facts.annotation is not facts.empty, (
                    f"{name}: {argument}"
                )
                assert f"{argument}:" in thing.__doc__, (
                    f"{name}: {argument} is not explained"
                )
    assert set(aobench.__all__) <= set(dir(aobench))


def test_a_room_that_is_imported_first_can_still_be_called(tmp_path):
    """`audit` is a room, too; Python gives it the name as soon as a file of it is imported."""
    (tmp_path / "a.txt").write_text("a red lion\n")
    from aobench.audit.api import audit

    assert callable(aobench.audit)
    assert inspect.signature(aobench.audit) == inspect.signature(audit)
    counts = aobench.audit(tmp_path / "a.txt", out=tmp_path / "out")
    assert counts.matrix("words").sum() == 1


def test_nothing_heavy_is_imported_before_it_is_used():
    code = (
        "import sys, aobench, aobench.cli\n"
        "aobench.cli.command_parser().format_help()\n"
        "dir(aobench); aobench.UserError\n"
        "heavy = ('torch', 'datasets', 'transformers', 'evaluate', 'pandas', 'pyarrow', 'numpy',"
        " 'matplotlib', 'polars', 'shtab', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n", done.stderr


def test_a_result_shows_itself(studio):
    result = aobench.load_result(studio[0] / "results/mini")
    for text in (repr(result), result._repr_html_()):
        assert "composition-own" in text
        assert "choice" in text
        assert "trial run, --limit 24" in text
        assert "chance" in text
        assert "not the published benchmark" in text
    assert result._repr_html_().count("<tr>") == 1 + 6 * 2
    rows = result.to_frame()
    splits = result.scores["composition-own"]["splits"]
    rows = rows[rows["task"] == "composition-own"]
    assert list(rows["composition_top1_low"]) == [
        splits[name]["composition_top1_low"] for name in ("id", "ood")
    ]


def test_names_are_escaped_on_the_page(studio):
    result = aobench.load_result(studio[0] / "results/mini")
    result.content["model"]["id"] = "<script>alert(1)</script>"
    assert "<script>" not in result._repr_html_()


def test_a_result_is_stored_as_the_command_stores_it(studio, tmp_path):
    folder = studio[0] / "results/mini"
    result = aobench.load_result(folder)
    assert result.save(tmp_path / "copy") == tmp_path / "copy"
    for name in ("predictions.parquet", "results.json"):
        assert (tmp_path / "copy" / name).read_bytes() == (
            folder / name
        ).read_bytes(), name
    other = json.loads((folder / "results.json").read_text())
    other["model"] |= {"id": "another", "revision": "0"}
    (tmp_path / "other").mkdir()
    (tmp_path / "other/results.json").write_text(json.dumps(other))
    with pytest.raises(UserError, match="holds the result of another model"):
        result.save(tmp_path / "other")


def test_a_loaded_object_is_a_model_and_its_embeddings_are_not_used_again(
    tmp_path,
):
    """A model that is being trained has other weights at each call, under one revision."""
    options = {
        "limit": 6,
        "templates": ["{}"],
        "out": tmp_path,
        "shard_size": 4,
    }
    model = TinyEncoder()
    first = aobench.evaluate(model, "mini", **options)[0]
    model.shift = torch.linspace(0, 5, 48)
    second = aobench.evaluate([model], "mini", **options)[0]
    assert first.model == "tiny"
    assert first.predictions["margin"] != second.predictions["margin"]
    assert {path.name for path in tmp_path.iterdir()} == {"tiny"}


@pytest.mark.parametrize(
    ("models", "options", "told"),
    [
        ([], {}, "no models"),
        (object(), {}, "the object is not a model"),
        ([torch.nn.Linear(1, 1)], {}, "lacks info (a ModelInfo)"),
        (
            "mini",
            {"tasks": "compositions-own"},
            "did you mean 'composition-own'",
        ),
        ("mini", {"tasks": ["object", "atribute"]}, "did you mean 'attribute'"),
        ("mini", {"tasks": []}, "name at least one task"),
        ("mini", {"limit": 0}, "limit (--limit) is 0"),
        ("mini", {"limit": 2.5}, "limit (--limit) is 2.5"),
        ("mini", {"batch_size": True}, "batch_size (--batch-size) is True"),
        ("mini", {"dtype": "float23"}, "did you mean 'float32'"),
        ("mini", {"on_bad_image": "skip"}, "choose one of count, stop"),
        ("mini", {"templates": ["a photo"]}, "template 1 is 'a photo'"),
        ("mini", {"templates": ["a {}", 3]}, "template 2 is 3"),
        ("mini", {"templates": []}, "there are no templates"),
        ("mini", {"templates": "none.txt"}, "none.txt"),
        ("mini", {"data": "minni"}, "did you mean 'mini'"),
        ("mini", {"data": "./none"}, "there is no dataset './none'"),
        ("mini", {"data": "a/b.zip"}, "there is no dataset 'a/b.zip'"),
        ("mini", {"data": "mini", "id_data": "x"}, "mini is drawn"),
        ("mini", {"data": "mini", "layout": "list"}, "mini is drawn"),
        (
            "mini",
            {"data": "org/set", "columns": "atribute=x"},
            "mean 'attribute'",
        ),
        (
            "mini",
            {"data": "org/set", "columns": {"object": ""}},
            "names no column",
        ),
    ],
)
def test_bad_input_is_a_user_error_in_one_line(models, options, told):
    with pytest.raises(UserError) as refused:
        evaluate(models, **options)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_data_is_told_apart(tmp_path):
    prepared, own = tmp_path / "prepared", tmp_path / "own"
    (prepared / "mine").mkdir(parents=True)
    (own / "shiny_spork").mkdir(parents=True)
    (own / "shiny_spork" / "1.png").touch()
    (prepared / "fingerprints.json").write_text('{"mine": {}}')
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("ImageNet-AO-filtered/red_banana/1.png", b"")

    def read(*words, **more):
        source = data_source(*words, **more)
        return source.config, source.data_dir, source.path

    assert read("mini") == ("mini", None, None)
    assert read("v2") == ("v2", None, None)
    assert read(archive) == ("v2", str(archive), None)
    assert read(own) == ("folder", str(own), None)
    assert read(prepared) == ("mine", None, str(prepared))
    assert read(prepared / "mine") == ("mine", None, str(prepared))
    assert read("org/set") == ("", None, "org/set")
    assert read("org/set:v2") == ("v2", None, "org/set")
    (prepared / "fingerprints.json").write_text('{"mine": {}, "b": {}}')
    with pytest.raises(UserError, match="holds the configs mine, b"):
        read(prepared)
    assert read(f"{prepared}:b") == ("b", None, str(prepared))
    with pytest.raises(UserError, match="has no config 'c'"):
        read(f"{prepared}:c")


def test_a_bug_is_not_a_user_error(monkeypatch):
    from aobench.evaluation import api

    def buggy(*_, **__):
        raise KeyError("x")

    monkeypatch.setattr(api, "open_splits", buggy)
    with pytest.raises(KeyError):
        aobench.evaluate("mini", "mini")


def test_effective_of_results_asks_for_a_baseline(studio):
    with pytest.raises(UserError, match="name the baseline"):
        aobench.effective([studio[0] / "results/mini"])
