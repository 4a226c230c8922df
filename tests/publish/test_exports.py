"""Every export is what its own standard says, and tells the numbers of results.json."""

import csv
import io
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from aobench.cli import main
from aobench.errors import UserError
from aobench.publish import exports
from aobench.publish.exports import ExportOptions, export_names, export_text
from aobench.publish.exports.base import ExportFormat, score_rows
from aobench.publish.exports.timm_csv import TIMM
from aobench.results.verified import read_result

SET = ExportOptions("your-org/imagenet-ao", "a" * 40)


@pytest.fixture(scope="module")
def read(result):
    return read_result(result)


def test_every_eval_ever_is_valid_by_its_own_schema(read):
    jsonschema = pytest.importorskip("jsonschema")
    package = find_spec("every_eval_ever")
    if package is None:
        pytest.skip(
            "the package every-eval-ever, which holds the schema, is not installed"
        )
    path = Path(package.origin).parent / "schemas" / "eval.schema.json"
    schema = json.loads(path.read_text())
    for options in (SET, ExportOptions()):
        record = json.loads(export_text("every-eval-ever", [read], options))
        assert record["schema_version"] == schema["version"]
        jsonschema.validate(record, schema)
    broken = {**record, "evaluation_results": [{}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_every_eval_ever_has_each_accuracy_with_its_interval(read):
    record = json.loads(export_text("every-eval-ever", [read], SET))
    rows = list(score_rows(read))
    assert len(record["evaluation_results"]) == len(rows) > 4
    for row, one in zip(rows, record["evaluation_results"], strict=True):
        scores = read.content["scores"][row.task]["splits"][row.split]
        key = f"{row.kind}_top1"
        details = one["score_details"]
        assert details["score"] == scores[key]
        interval = details["uncertainty"]["confidence_interval"]
        assert (interval["lower"], interval["upper"]) == (
            scores[f"{key}_low"],
            scores[f"{key}_high"],
        )
        assert interval["confidence_level"] == 0.95
        assert details["uncertainty"]["num_samples"] == scores["n"]
        error = details["uncertainty"]["standard_error"]["value"]
        assert error == pytest.approx((row.high - row.low) / 3.92, rel=1e-3)


def test_the_hubs_forms_are_read_by_its_own_library(read):
    from huggingface_hub import ModelCard, parse_eval_result_entries

    entries = parse_eval_result_entries(
        yaml.safe_load(export_text("eval-results", [read], SET))
    )
    found = {entry.task_id: entry.value for entry in entries}
    ood = read.splits["ood"]
    assert found["composition_top1"] == round(100 * ood["composition_top1"], 2)
    assert {entry.dataset_revision for entry in entries} == {"a" * 40}
    card = ModelCard(export_text("model-index", [read], SET) + "# A model\n")
    values = {
        one.metric_type: one.metric_value for one in card.data.eval_results
    }
    assert values == found


def test_the_csv_begins_with_timms_columns_and_puts_the_best_first(read):
    other = replace(read, content=json.loads(json.dumps(read.content)))
    other.content["model"]["id"] = "another, with a comma"
    for scores in other.content["scores"].values():
        for mine in scores["splits"].values():
            for key in [key for key in mine if key.endswith("_top1")]:
                mine[key] = 0.0
    text = export_text("csv", [other, read])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0])[: len(TIMM)] == TIMM
    assert len(rows) == 2 * len(list(score_rows(read)))
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert float(first["top1"]) >= float(second["top1"])
        assert float(first["top1"]) + float(first["top1_err"]) == pytest.approx(
            100
        )
    assert {row["model"] for row in rows} == {"mini", "another, with a comma"}
    counted = read.content["model"]["parameters"]["total"]
    assert {row["param_count"] for row in rows} == {f"{counted / 1e6:.2f}"}
    del other.content["model"]["parameters"]
    (row, *_) = csv.DictReader(io.StringIO(export_text("csv", [other])))
    assert row["param_count"] == "", "a result of an earlier version"


def test_tables_have_a_line_a_task_and_escape_what_their_language_reads(read):
    other = replace(read, content=json.loads(json.dumps(read.content)))
    other.content["model"]["id"] = "a_b|50% & \\more"
    lines = export_text("markdown", [other]).splitlines()
    cells = [
        line.replace("\\|", "").count("|")
        for line in lines
        if line.startswith("|")
    ]
    assert set(cells) == {8}
    first = next(iter(score_rows(read)))
    assert f"{100 * first.value:.1f} [{100 * first.low:.1f}, " in lines[2]
    tex = export_text("latex", [other]).splitlines()
    body = [line for line in tex if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in body} == {6}
    assert r"a\_b|50\% \& \textbackslash{}more" in body[1]


def test_the_verb_writes_a_file_or_prints(result, tmp_path, capsys):
    out = tmp_path / "table.md"
    assert (
        main(["export", str(result), "--to", "markdown", "--out", str(out)])
        == 0
    )
    capsys.readouterr()
    assert main(["export", str(result), "--to", "markdown"]) == 0
    assert capsys.readouterr().out == out.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "marcdown"], "did you mean 'markdown'"),
        (["--to", "eval-results"], "give --dataset"),
        (
            ["--to", "eval-results", "--dataset", "nowhere"],
            "takes a repository",
        ),
    ],
)
def test_what_cannot_be_exported_is_one_line(result, capsys, arguments, said):
    assert main(["export", str(result), *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.strip().splitlines()) == 1


def test_one_file_takes_one_result_where_its_standard_says_so(read):
    with pytest.raises(
        UserError, match="takes one result, a file each; there are 2"
    ):
        export_text("every-eval-ever", [read, read], SET)


def test_every_format_has_a_name_and_a_text():
    for name in export_names():
        found = exports.find_export(name)
        assert isinstance(found, ExportFormat)
        assert found.name == name
        assert found.text


def test_one_of_nine_is_never_entered_as_one_of_all(read, tmp_path):
    """A generative model's headline is `choice`, which has a task of its own on the Hub."""
    from aobench.publish.hub_entries import task_values

    command = [
        "evaluate",
        "mini",
        "--data",
        "mini",
        "--tasks",
        "choice",
        "--limit",
        "30",
    ]
    assert main([*command, "--cpu", "--out", str(tmp_path)]) == 0
    chosen = read_result(tmp_path / "mini")
    found = task_values(chosen)
    assert list(found) == ["choice_top1"]
    assert found["choice_top1"] == round(
        100 * chosen.splits["ood"]["composition_top1"], 2
    )
    assert "choice_top1" not in task_values(read)
