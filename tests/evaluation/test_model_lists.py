"""Lists of models: the file, a run over one that goes on and resumes, and facts that travel."""

import json
import re
import shutil

import pytest
from helpers.published_folder import published_folder

import aobench
from aobench.cli import main
from aobench.errors import UserError
from aobench.evaluation.listed import (
    ListProgress,
    Workload,
    check_memory,
    seconds_left,
)
from aobench.models import registry
from aobench.models.model_lists import ListedModel, ModelList, read_model_list

HEAD = "model,family,training_set,training_images,supervision"
TWO = ["a photo of a {}.", "the {}"]


def written(path, *lines):
    path.write_text("\n".join((HEAD, *lines)) + "\n")
    return path


def test_the_list_that_ships_names_each_group_of_the_claims():
    models = read_model_list("paper")
    sets = {one.facts["training_set"] for one in models}
    assert {"openai", "laion400m", "laion2b", "cc12m", "yfcc15m"} <= sets
    assert all(one.facts["training_images"] > 1e6 for one in models)
    assert {one.facts["supervision"] for one in models} == {
        "language",
        "labels",
        "hashtags",
    }
    texts = {
        one.name
        for one in models
        if (one.facts["supervision"] == "language")
        != ("text_gflops" in one.facts)
    }
    assert not texts, "only models that take texts have work by text"


@pytest.mark.parametrize("prefix", ["open_clip", "timm"])
def test_the_names_of_the_list_are_those_of_their_packages(prefix):
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        pytest.skip("torchvision is absent or of another build than torch")
    package = pytest.importorskip(prefix)
    names = [
        n for n in read_model_list("paper").names if n.startswith(f"{prefix}:")
    ]
    assert names
    if prefix == "timm":
        assert not {n.partition(":")[2] for n in names} - set(
            package.list_pretrained()
        )
        return
    from aobench.models.open_clip_encoder import check_activation

    for name in names:
        check_activation(package, *name.partition(":")[2].split("/"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (f"{HEAD}\n", "lists none"),
        ("model,family\na,b\n", r"lacks the column\(s\) training_set"),
        (f"{HEAD}\n,clip,x,1,language\n", "line 2 names no model"),
        (
            f"{HEAD}\na,c,x,1,l\na,c,x,1,l\n",
            "line 3 lists the model 'a' again, after line 2",
        ),
        (
            f"{HEAD}\na,c,x,400M,l\n",
            "line 2: column training_images is '400M', not a whole",
        ),
        (f"{HEAD}\na,c,x,0,l\n", "not a whole number of at least 1"),
        (f"{HEAD}\na,c,x,1\n", "4 fields where the header has 5"),
        (f"{HEAD},image_gflops\na,c,x,1,l,-2\n", "give a number above 0"),
        (f"{HEAD},image_gflops\na,c,x,1,l,1e999\n", "not a number"),
        (
            f'{HEAD}\na,c,"x\ny",1,l\n',
            "column training_set holds a control character",
        ),
    ],
)
def test_what_is_no_list_is_refused_with_its_line(tmp_path, text, words):
    path = tmp_path / "models.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        read_model_list(path)


def test_a_name_that_is_nearly_right_is_suggested():
    with pytest.raises(UserError, match="did you mean 'paper'"):
        read_model_list("papers")


def test_columns_of_ones_own_are_kept_and_empty_cells_are_no_facts(tmp_path):
    path = tmp_path / "models.csv"
    path.write_text(f"{HEAD},maker\nmini,clip,drawn,,language, me \n")
    facts = read_model_list(path).facts["mini"]
    assert facts == {
        "family": "clip",
        "training_set": "drawn",
        "supervision": "language",
        "maker": "me",
    }


def test_time_left_goes_by_operations_where_all_are_known():
    assert seconds_left([], [1.0]) is None
    assert seconds_left([(10.0, 5.0), (30.0, 15.0)], [20.0]) == 10.0
    assert seconds_left([(10.0, 5.0), (30.0, 15.0)], [None, None]) == 20.0
    assert (
        Workload(10, 4).gflops({"image_gflops": 2.0, "text_gflops": 3.0})
        == 32.0
    )
    assert Workload(10, 4).gflops({"text_gflops": 3.0}) is None


def test_a_model_larger_than_the_memory_is_not_tried():
    with pytest.raises(UserError, match="its weights take"):
        check_memory({"parameters": 10**18}, "float32")
    check_memory({"parameters": 10}, "float32")
    check_memory({}, "float32")


def test_what_is_done_and_left_is_told(capsys):
    names = ("a", "b", "c")
    models = ModelList(
        "x", tuple(ListedModel(n, {"image_gflops": 1.0}) for n in names)
    )
    progress = ListProgress(models, Workload(10, 0))
    assert progress.attempt("a", lambda: "result") == "result"

    def fails():
        raise UserError("no such\nthing")

    assert progress.attempt("b", fails) is None
    first, second = capsys.readouterr().err.splitlines()
    assert re.match(
        r"\[1 of 3\] a: \d+ s; 2 left, about \d+ s; memory at most ", first
    )
    assert second == "[2 of 3] b: LEFT OUT: no such thing"
    assert progress.missing == {"b": "no such thing"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return published_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two models in folders of their own."""
    root = tmp_path_factory.mktemp("models")
    return [
        shutil.copytree(registry.BUNDLED, root / name)
        for name in ("one", "two")
    ]


@pytest.fixture
def models(folders, tmp_path):
    lines = [f"{path},clip,set-{path.name},12,language" for path in folders]
    return written(
        tmp_path / "list.csv",
        lines[0],
        "no/such-model,clip,x,1,language",
        lines[1],
    )


@pytest.fixture
def loads(monkeypatch):
    """The models that were loaded."""
    seen, loaded = [], registry._loaded

    def noted(path, name, *arguments):
        seen.append(name)
        return loaded(path, name, *arguments)

    monkeypatch.setattr(registry, "_loaded", noted)
    return seen


def evaluated(models, data, out, **options):
    return aobench.evaluate(
        str(models),
        data,
        templates=TWO,
        tasks="object",
        out=out,
        cpu=True,
        **options,
    )


def test_a_run_goes_on_and_is_resumed(
    models, folders, data, tmp_path, loads, capsys
):
    out = tmp_path / "out"
    results = evaluated(models, data, out)
    assert [result.model for result in results] == [
        str(path) for path in folders
    ]
    assert list(results.missing) == ["no/such-model"]
    facts = json.loads((out / "one" / "results.json").read_text())["model"][
        "facts"
    ]
    assert facts == {
        "family": "clip",
        "training_set": "set-one",
        "training_images": 12,
        "supervision": "language",
    }
    said = "LEFT OUT: the model 'no/such-model' is not in the local cache"
    assert f"no/such-model: {said}" in capsys.readouterr().err
    assert len(loads) == 2

    again = evaluated(models, data, out)
    assert len(loads) == 2, "results that are there were computed again"
    assert again.again == [str(path) for path in folders]
    assert [r.scores for r in again] == [r.scores for r in results]

    text = models.read_text().replace("set-one", "set-three")
    models.write_text(text)
    evaluated(models, data, out)
    stored = aobench.load_result(out / "one")  # its table must say the same
    assert stored.content["model"]["facts"]["training_set"] == "set-three"
    assert len(loads) == 2

    first = written(tmp_path / "one.csv", f"{folders[0]},clip,x,1,language")
    evaluated(first, data, out, limit=4)
    assert len(loads) == 3, "other images, so the stored result is another"
    evaluated(first, data, out, limit=4, again=True)
    assert len(loads) == 4


@pytest.mark.parametrize("damage", ["results.json", "predictions.parquet"])
def test_a_result_that_is_not_whole_is_run_again(
    damage, folders, data, tmp_path, loads, capsys
):
    models = written(tmp_path / "one.csv", f"{folders[0]},clip,x,1,language")
    evaluated(models, data, tmp_path / "out")
    path = tmp_path / "out" / "one" / damage
    path.write_bytes(path.read_bytes()[:-40])
    [result] = evaluated(models, data, tmp_path / "out")
    assert len(loads) == 2
    assert aobench.load_result(tmp_path / "out" / "one").scores == result.scores
    if damage == "results.json":
        assert "it is now results.json.damaged" in capsys.readouterr().err


def test_changed_weights_are_another_model(folders, data, tmp_path, loads):
    folder = shutil.copytree(folders[0], tmp_path / "mine")
    models = written(tmp_path / "one.csv", f"{folder},clip,x,1,language")
    evaluated(models, data, tmp_path / "out")
    config = folder / "config.json"
    config.write_text(config.read_text() + "\n")
    results = evaluated(models, data, tmp_path / "out")
    assert "holds the result of another model" in results.missing[str(folder)]
    assert len(loads) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there are no models to evaluate"),
        (["mini", "--models", "paper"], "models are named, and a list of them"),
        (["mini", "--again"], "--again is of a list"),
        (["--models", "nothing.csv"], "nothing.csv"),
        (["--models", "nothing"], "there is no list of models 'nothing'"),
    ],
)
def test_arguments_that_make_no_run_are_one_line(words, message, capsys):
    assert main(["evaluate", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
