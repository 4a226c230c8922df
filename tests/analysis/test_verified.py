"""Results that someone edited, merged, cut or mixed up: one line from one reader, whichever verb
reads them.
"""

import json
import shutil
from pathlib import Path

import pytest

import aobench.cli as cli
from aobench.errors import UserError
from aobench.results.comparability import (
    chosen_settings,
    comparable_settings,
    model_family,
    unlike_settings,
)
from aobench.results.results_json import read_results_json
from aobench.results.verified import read_result

CARDS = Path(__file__).parents[2] / "model_cards"


def content(name="mini"):
    return json.loads((CARDS / name / "results.json").read_text())


def _ood(**changes):
    def change(result):
        for key, value in changes.items():
            if value is KeyError:
                del result["scores"]["composition"]["splits"]["ood"][key]
            else:
                result["scores"]["composition"]["splits"]["ood"][key] = value

    return change


def _top(**changes):
    def change(result):
        result.update(changes)

    return change


NAN = float("nan")
DAMAGES = {
    "NaN": (_ood(composition_top1=NAN), "NaN is not a number of JSON"),
    "infinity": (
        _ood(composition_top1=-float("inf")),
        "-Infinity is not a number",
    ),
    "percent": (
        _ood(composition_top1=94.09),
        "scores.composition.splits.ood.composition_top1 is 94.09.*in percent",
    ),
    "below 0": (_ood(object_top1=-0.1), "object_top1 is -0.1, not a fraction"),
    "a bound above 1": (
        _ood(composition_top1_high=1.5),
        "composition_top1_high is 1.5",
    ),
    "text": (
        _ood(composition_top1="0.94"),
        "composition_top1 is '0.94', not a number",
    ),
    "null": (
        _ood(composition_top1=None),
        "composition_top1 is missing, not a number",
    ),
    "true": (
        _ood(composition_top1=True),
        "composition_top1 is True, not a number",
    ),
    "a list": (
        _ood(composition_top1=[0.9]),
        r"composition_top1 is \[0.9\], not a number",
    ),
    "half an image": (_ood(n=4400.5), "n is 4400.5, not a whole number"),
    "no images": (_ood(n=0), "n is 0, not a whole number of at least 1"),
    "n absent": (_ood(n=KeyError), "n is missing"),
    "effective images below 0": (
        _ood(composition_top1_effective_n=-3),
        "effective_n is -3, not a number of im",
    ),
    "scores are a list": (_top(scores=[]), r"scores is \[\], not an object"),
    "no task": (_top(scores={}), "has no scores of any task"),
    "a task is a list": (
        _top(scores={"object": []}),
        r"scores.object is \[\], not an",
    ),
    "no splits": (
        _top(scores={"object": {"splits": {}}}),
        "has no scores of any split",
    ),
    "a split is a number": (
        _top(scores={"object": {"splits": {"id": 0.9}}}),
        "scores.object.splits.id is 0.9, not an object",
    ),
    "format 3": (
        _top(format=3),
        "is of format 3, and this version reads 1 and 2",
    ),
    "format of no number": (
        _top(format="2"),
        "is of format '2', and this version",
    ),
    "figures of format 1 are a list": (
        _top(format=1, figures=[]),
        r"figures is \[\], not an object",
    ),
    "format 1 without splits": (
        _top(format=1, figures={"splits": {}}),
        "has no figures of any split",
    ),
    "format 1 of two modes": (
        _top(
            format=1,
            figures={"splits": {"id": {"n": 1}}},
            candidates={"id": {"mode": "open"}, "ood": {"mode": "closed"}},
        ),
        "has an unknown mode, or several",
    ),
    "model is a name": (_top(model="mini"), "model is 'mini', not an object"),
    "model without id": (
        _top(model={"kind": "clip"}),
        "model.id is missing, not a name",
    ),
    "model of no name": (
        _top(model={"id": " ", "kind": "clip"}),
        "model.id is ' ', not a name",
    ),
    "dataset null": (_top(dataset=None), "dataset is missing, not an object"),
    "splits a list": (
        _top(dataset={"config": "mini", "splits": ["id"]}),
        "dataset.splits is",
    ),
    "fingerprint a number": (
        _top(
            dataset={
                "config": "mini",
                "splits": {"id": {"fingerprint": 3, "n": 1}},
            }
        ),
        "dataset.splits.id.fingerprint is no text",
    ),
    "tasks a list": (_top(tasks=[]), "tasks is"),
    "candidates a list": (
        _top(tasks={"object": {"candidates": []}}),
        "tasks.object.candidates is",
    ),
    "settings a text": (_top(settings="draft"), "settings is 'draft'"),
    "a name with a line end": (
        _top(model={"id": "a\nb", "kind": "clip"}),
        "model.id is 'a.nb', not a name",
    ),
    "a date of words": (
        _top(date="yesterday"),
        "date is 'yesterday', not a time of",
    ),
    "a date without zone": (
        _top(date="2026-01-31T12:00"),
        "date is '2026-01-31T12:00",
    ),
    "a date of seconds": (
        _top(date=1.7e9),
        "date is 1700000000.0, not a time of ISO",
    ),
    "no processes": (
        _top(processes=0),
        "processes is 0, not a whole number of at le",
    ),
    "processes a list": (
        _top(processes=[1]),
        r"processes is \[1\], not a whole numbe",
    ),
    "seconds a number": (
        _top(seconds=3),
        "seconds is 3, not an object of JSON",
    ),
    "time run backwards": (
        _top(seconds={"load": -1}),
        "seconds.load is -1, not a time",
    ),
    "time of words": (
        _top(seconds={"id": {"images": "long"}}),
        "seconds.id.images is 'long', not a time in seconds",
    ),
    "main is a number": (
        lambda result: result["scores"]["object"].update(main=1e9),
        "scores.object.main is 1000000000.0, not one of its scores",
    ),
    "main is a list": (
        lambda result: result["scores"]["object"].update(main=["object_top1"]),
        "scores.object.main is .*, not one of its scores",
    ),
    "no count of parameters": (
        lambda result: result["model"].update(parameters={"total": 1.5}),
        "model.parameters.total is 1.5, not a whole number of at least 1",
    ),
    "parameters are a number": (
        lambda result: result["model"].update(parameters=5),
        "model.parameters is 5, not an object of JSON",
    ),
    "main is another task's": (
        lambda result: result["scores"]["object"].update(main="attribute_top1"),
        "scores.object.main is 'attribute_top1', not one of its scores",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_result_of_another_shape_is_one_line(damage, tmp_path, capsys):
    change, words = DAMAGES[damage]
    result = content()
    change(result)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(result))
    with pytest.raises(UserError, match=words) as caught:
        read_results_json(path)
    assert "\n" not in str(caught.value)
    shutil.copy(CARDS / "mini/predictions.parquet", tmp_path)
    for words in (
        ["effective", str(tmp_path), "--baseline", "all"],
        [
            "card",
            str(tmp_path),
            "--out",
            str(tmp_path / "out"),
            "--dataset",
            "a/b",
        ],
        ["leaderboard", str(tmp_path), "--out", str(tmp_path / "out")],
        [
            "submit",
            str(tmp_path),
            "--to",
            "a/b",
            "--dataset",
            "c/d",
            "--benchmark",
            "mini",
        ],
    ):
        assert cli.main(words) == 2, f"{words[0]} took a result with {damage}"
        assert capsys.readouterr().err.count("\n") == 1


TEXTS = {
    "empty": b"",
    "a list": b"[1, 2]",
    "a key twice": b'{"model": 1, "model": 2}',
    "nested": b"[" * 10_000,
    "nested objects": b'{"a":' * 10_000,
    "UTF-16": '{"model": 1}'.encode("utf-16"),
    "Parquet": b"PAR1\x00\x01\x02PAR1",
    "cut short": b'{"model": {"id": "mini", "ki',
    "another tool's": b'{"results": {"acc": 0.5}, "config_general": {}}',
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_file_that_is_no_result_is_one_line(text, tmp_path, capsys):
    (tmp_path / "results.json").write_bytes(TEXTS[text])
    assert cli.main(["effective", str(tmp_path), "--baseline", "all"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_effective_refuses_figures_that_are_not_those_of_the_table_beside_them(
    tmp_path, capsys
):
    copy = shutil.copytree(CARDS / "mini", tmp_path / "mini")
    result = content()
    result["scores"]["composition"]["splits"]["ood"]["composition_top1"] = 0.99
    (copy / "results.json").write_text(json.dumps(result))
    assert cli.main(["effective", str(copy), "--baseline", "all"]) == 2
    assert "are not those of its predictions.parquet" in capsys.readouterr().err


OTHERS = {
    "a hash of candidates": (
        lambda r: r["tasks"]["object"]["candidates"]["id"].update(
            hash="0" * 16
        ),
        "tell different tasks or candidates",
    ),
    "an image more that could not be read": (
        _top(
            unreadable=[
                {"sample_id": "a", "split": "id", "error": "is cut short"}
            ]
        ),
        "tell different images that could not be read",
    ),
    "unreadable images are none": (
        _top(unreadable=None),
        "tell different images",
    ),
    "the model's name": (
        lambda r: r["model"].update(id="another"),
        "tell different things of 'model'",
    ),
    "a library's version": (
        lambda r: r["stack"].update(numpy="0"),
        "tell different things of 'stack'",
    ),
}


@pytest.mark.parametrize("change", OTHERS)
def test_what_the_table_does_not_bear_out_is_refused(change, tmp_path):
    edit, words = OTHERS[change]
    copy = shutil.copytree(CARDS / "mini", tmp_path / "mini")
    result = content()
    edit(result)
    (copy / "results.json").write_text(json.dumps(result))
    with pytest.raises(UserError, match=words):
        read_result(copy)


@pytest.mark.parametrize("verb", ["score", "effective", "leaderboard"])
def test_a_copy_of_a_result_is_not_a_second_one(verb, tmp_path, capsys):
    copy = shutil.copytree(CARDS / "mini", tmp_path / "again")
    later = content() | {"date": "2026-12-01T00:00:00+00:00", "processes": 2}
    (copy / "results.json").write_text(json.dumps(later))
    more = {
        "effective": ["--baseline", "all"],
        "leaderboard": ["--out", str(tmp_path / "out")],
    }.get(verb, [])
    assert cli.main([verb, str(CARDS / "mini"), str(copy), *more]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "copy of the other" in said or "more than once" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["score", "effective", "leaderboard"])
def test_a_result_that_is_named_twice_is_refused(verb, tmp_path, capsys):
    link = tmp_path / "link"
    link.symlink_to(CARDS / "mini")
    more = {
        "effective": ["--baseline", "all"],
        "leaderboard": ["--out", str(tmp_path / "out")],
    }.get(verb, [])
    for second in (
        CARDS / "mini",
        CARDS / "mini" / "predictions.parquet",
        link,
    ):
        assert cli.main([verb, str(CARDS / "mini"), str(second), *more]) == 2, (
            f"{verb} took one result twice"
        )
        assert "are the same result; name it once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda r: r["settings"].update(draft=64), "draft"),
        (lambda r: r["settings"].update(attention="eager"), "attention"),
        (lambda r: r["settings"].update(compile=True), "compile"),
        (lambda r: r["model"].update(dtype="bfloat16"), "dtype"),
        (lambda r: r["templates"].update(hash="another"), "prompts"),
        (
            lambda r: r["tasks"]["composition"]["candidates"]["ood"].update(
                hash="another"
            ),
            "candidates",
        ),
        (
            lambda r: r["dataset"]["splits"]["ood"].update(
                fingerprint="another"
            ),
            "dataset",
        ),
        (lambda r: r["dataset"]["splits"].pop("id"), "dataset"),
    ],
)
def test_what_changes_numbers_makes_results_incomparable(change, name):
    one, other = content() | {"settings": {}}, content() | {"settings": {}}
    assert unlike_settings([one, other]) == []
    change(other)
    assert unlike_settings([one, other]) == [name]
    assert comparable_settings(one) != comparable_settings(other)


def test_a_set_is_known_by_its_fingerprint_and_not_by_its_name():
    one, other = content(), content()
    other["dataset"] |= {"name": "my copy", "config": "own"}
    assert unlike_settings([one, other]) == []


def test_results_of_earlier_versions_chose_nothing():
    assert unlike_settings([content(), content() | {"settings": {}}]) == []
    assert chosen_settings(content()) == ""
    assert (
        chosen_settings(
            {"settings": {"draft": 64, "compile": True, "attention": None}}
        )
        == "--draft 64, --compile"
    )


def test_the_readmes_command_over_supervised_models_works(tmp_path, capsys):
    """The shipped result of EfficientNet-Lite0 is of a supervised model; three of its kind give
    a line.
    """
    assert [
        model_family(content(name)) for name in ("mini", "efficientnet-lite0")
    ] == [
        "clip",
        "supervised",
    ]
    for number, name in enumerate(("efficientnet-lite0",) * 3 + ("mini",)):
        result = read_results_json(CARDS / name / "results.json") | {
            "format": 2
        }
        result["model"]["id"] = f"model {number}"
        for split in result["scores"]["object"]["splits"].values():
            split["object_top1"] += 0.006 * number**2
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "results.json").write_text(json.dumps(result))
    (tmp_path / "embeddings").mkdir()
    folders = sorted(map(str, tmp_path.iterdir()))
    assert (
        cli.main(["effective", *folders, "--baseline", "family=supervised"])
        == 0
    )
    printed = capsys.readouterr().out
    assert "Object top1 accuracy of 4 models" in printed
    assert "this is of object_top1, which all have" in printed
    assert "Baseline: family=supervised, 3 models" in printed


def test_an_accuracy_is_not_chosen_of_a_csv(tmp_path, capsys):
    for files in ([], [str(tmp_path / "x.csv")]):
        assert cli.main(["effective", *files, "--figure", "object_top1"]) == 2
        assert (
            "--figure names an accuracy of results" in capsys.readouterr().err
        )
