"""Submissions: what is refused, what is shown, what is sent; against a Hub on the loopback."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from helpers.loopback_hub import TOKEN
from helpers.warm import WarmProcesses
from huggingface_hub import parse_eval_result_entries

from aobench.errors import UserError
from aobench.publish.submit import prepare_submission
from aobench.results.verified import read_result

ROOT = Path(__file__).parents[2]
DATASET, MODEL = "org/imagenet-ao", "someone/their-clip"


def _environment(port, home):
    """Of a process whose Hub is ours, and whose cache is ``home``."""
    others = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    return others | {
        "HF_ENDPOINT": f"http://127.0.0.1:{port}",
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_COLOR": "1",
    }


@pytest.fixture(scope="module")
def run(hub_port, tmp_path_factory):
    """Runs the command line, or code, in a process of its own whose Hub is ours.

    Where the Hub and its cache are is settled when its library is imported: once for all, so the
    Hub of each test has one port, and the cache of each test one name.
    """
    said = tmp_path_factory.mktemp("said")
    cache = said / "home"
    cache.symlink_to(tmp_path_factory.mktemp("nowhere"))
    environment = _environment(hub_port, cache)
    processes = WarmProcesses(said, environment=environment)

    def run(code_or_arguments, home, token=TOKEN):
        cache.unlink()
        cache.symlink_to(home)
        if isinstance(code_or_arguments, str):
            return processes.run(1, [], code=code_or_arguments, HF_TOKEN=token)[
                0
            ]
        return processes.run(1, code_or_arguments, HF_TOKEN=token)[0]

    yield run
    processes.close()


@pytest.fixture
def stocked(hub, prepared):
    """The Hub with the dataset and the user's model."""
    shutil.copytree(prepared, hub.folder("datasets", DATASET))
    hub.folder("models", MODEL).mkdir(parents=True)
    return hub


def _submit(folder, prepared):
    return prepare_submission(
        read_result(folder),
        MODEL,
        DATASET,
        "v2",
        _fingerprints(prepared),
        None,
    )


def _fingerprints(prepared):
    table = json.loads((prepared / "fingerprints.json").read_text())["v2"]
    return {split: facts["fingerprint"] for split, facts in table.items()}


def test_a_dry_run_shows_all_and_sends_nothing(run, stocked, result, tmp_path):
    done = run(
        ["submit", str(result), "--to", MODEL, "--dataset", DATASET], tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Nothing was sent" in done.stdout
    assert "task_id: composition_top1" in done.stdout
    assert not stocked.pull_requests
    assert not [
        path
        for method, path in stocked.requests
        if method == "POST" and "commit" in path
    ]


def test_a_push_opens_one_pull_request_that_the_hubs_parser_reads(
    run, stocked, result, tmp_path
):
    done = run(
        ["submit", str(result), "--to", MODEL, "--dataset", DATASET, "--push"],
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert f"{stocked.url}/{MODEL}/discussions/1" in done.stdout
    (sent,) = stocked.pull_requests
    assert set(sent["files"]) == {
        ".eval_results/imagenet_ao.yaml",
        "imagenet_ao/results.json",
        "imagenet_ao/predictions.parquet",
    }
    entries = parse_eval_result_entries(
        yaml.safe_load(sent["files"][".eval_results/imagenet_ao.yaml"])
    )
    figures = json.loads((result / "results.json").read_text())["scores"][
        "composition"
    ]["splits"]["ood"]
    values = {entry.task_id: entry.value for entry in entries}
    assert values["composition_top1"] == round(
        100 * figures["composition_top1"], 2
    )
    assert all(entry.dataset_revision for entry in entries)
    code = f"from huggingface_hub import HfApi; r = HfApi().get_dataset_leaderboard({DATASET!r}); "
    code += "print(r[0].rank, r[0].model_id, r[0].value)"
    board = run(code, tmp_path)
    assert board.stdout.split() == [
        "1",
        MODEL,
        str(values["composition_top1"]),
    ], board.stderr


def test_the_token_shows_up_nowhere(run, stocked, result, tmp_path):
    """Neither in what is printed, nor in any file that is left; also where the Hub refuses it."""
    good = run(
        ["submit", str(result), "--to", MODEL, "--dataset", DATASET, "--push"],
        tmp_path,
    )
    assert good.returncode == 0, good.stderr
    wrong = "hf_" + "WrongWrongWrongWrongWrongWrong1111"
    bad = run(
        ["submit", str(result), "--to", MODEL, "--dataset", DATASET, "--push"],
        tmp_path,
        wrong,
    )
    assert bad.returncode == 2
    assert len(bad.stderr.strip().splitlines()) == 1
    for text in (good.stdout, good.stderr, bad.stdout, bad.stderr):
        assert TOKEN not in text
        assert wrong not in text
    for path in [*tmp_path.rglob("*"), *result.rglob("*")]:
        if path.is_file():
            content = path.read_bytes()
            assert TOKEN.encode() not in content, path
            assert wrong.encode() not in content, path


def test_a_model_that_is_not_there_is_one_line(run, stocked, result, tmp_path):
    done = run(
        [
            "submit",
            str(result),
            "--to",
            "no/body",
            "--dataset",
            DATASET,
            "--push",
        ],
        tmp_path,
    )
    assert done.returncode == 2
    assert "did not take the pull request" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_dataset_that_is_not_there_is_one_line(
    run, stocked, result, tmp_path
):
    done = run(
        ["submit", str(result), "--to", MODEL, "--dataset", "no/where"],
        tmp_path,
    )
    assert done.returncode == 2
    assert "fingerprints of v2 are unknown" in done.stderr


def test_one_altered_row_is_refused(result, prepared, tmp_path):
    copy = shutil.copytree(result, tmp_path / "copy")
    table = pq.read_table(copy / "predictions.parquet")
    margins = table["margin"].to_pylist()
    margins[0] += 0.125
    place = table.schema.get_field_index("margin")
    pq.write_table(
        table.set_column(
            place, table.schema.field(place), pa.array(margins, pa.float32())
        ),
        copy / "predictions.parquet",
    )
    with pytest.raises(UserError, match="SHA-256 differs"):
        _submit(copy, prepared)


def test_an_altered_rank_with_a_fitting_digest_is_refused(
    result, prepared, tmp_path
):
    """Who also forges the digest is caught by the figures."""
    from aobench.files import sha256_of as digest

    copy = shutil.copytree(result, tmp_path / "copy")
    table = pq.read_table(copy / "predictions.parquet")
    columns = {name: table[name].to_pylist() for name in ("top", "rank")}
    assert columns["rank"][0] == 0, (
        "the first image should be one that the model named right"
    )
    columns["top"][0][:2], columns["rank"][0] = columns["top"][0][1::-1], 1
    forged = table
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        forged = forged.set_column(
            place,
            table.schema.field(place),
            pa.array(values, table.schema.field(place).type),
        )
    pq.write_table(forged, copy / "predictions.parquet")
    content = json.loads((copy / "results.json").read_text())
    content["predictions"] = digest(copy / "predictions.parquet")
    (copy / "results.json").write_text(json.dumps(content))
    with pytest.raises(
        UserError,
        match=r"are not those of its predictions|lacks scores of this version",
    ):
        _submit(copy, prepared)


def test_altered_figures_are_refused(result, prepared, tmp_path):
    copy = shutil.copytree(result, tmp_path / "copy")
    content = json.loads((copy / "results.json").read_text())
    content["scores"]["composition"]["splits"]["ood"]["composition_top1"] -= (
        0.01
    )
    (copy / "results.json").write_text(json.dumps(content))
    with pytest.raises(
        UserError,
        match=r"are not those of its predictions|lacks scores of this version",
    ):
        _submit(copy, prepared)


@pytest.mark.parametrize("verb", ["card", "leaderboard", "submit"])
def test_a_table_that_is_not_the_results_own_is_refused_by_every_verb(
    verb, result, tmp_path, capsys
):
    import aobench.cli as cli

    copy = shutil.copytree(result, tmp_path / "copy")
    shutil.copy(
        ROOT / "model_cards" / "mini" / "predictions.parquet",
        copy / "predictions.parquet",
    )
    more = {
        "card": ["--dataset", DATASET],
        "leaderboard": [],
        "submit": ["--to", MODEL, "--dataset", DATASET, "--benchmark", "mini"],
    }[verb]
    out = [] if verb == "submit" else ["--out", str(tmp_path / "out")]
    assert cli.main([verb, str(copy), *more, *out]) == 2, (
        f"{verb} took another run's table"
    )
    error = capsys.readouterr().err
    assert "is not the table that results.json beside it was made from" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists(), (
        f"{verb} wrote something of a result that it refused"
    )


def test_figures_of_an_older_version_are_told_apart_from_altered_ones(
    result, tmp_path
):
    copy = shutil.copytree(result, tmp_path / "copy")
    content = json.loads((copy / "results.json").read_text())
    del content["scores"]["composition"]["splits"]["ood"][
        "composition_top1_effective_n"
    ]
    (copy / "results.json").write_text(json.dumps(content))
    with pytest.raises(
        UserError,
        match=r"lacks scores of this version, such as composition\.splits\.ood\.composition_top1_effective_n",
    ):
        read_result(copy)


@pytest.mark.parametrize(
    ("known", "words"),
    [({"ood": "0" * 16}, "other data"), ({}, "no fingerprint is known")],
)
def test_a_wrong_or_unknown_fingerprint_is_refused(result, known, words):
    with pytest.raises(UserError, match=words):
        prepare_submission(
            read_result(result), MODEL, DATASET, "v2", known, None
        )


def test_mini_is_not_taken_for_the_benchmark():
    with pytest.raises(UserError, match="--benchmark mini"):
        prepare_submission(
            read_result(ROOT / "model_cards" / "mini"),
            MODEL,
            DATASET,
            "v2",
            {},
            None,
        )


def test_the_dataset_loads_from_the_hub_and_streams(run, stocked, tmp_path):
    code = f"""
from datasets import load_dataset
whole = load_dataset({DATASET!r}, split="ood")
stream = load_dataset({DATASET!r}, split="ood", streaming=True)
ids = sorted(row["sample_id"] for row in stream)
print(len(whole), ids == sorted(whole["sample_id"]), whole[0]["image"].size)
"""
    done = run(code, tmp_path)
    assert done.stdout.startswith("12 True"), done.stderr


def test_the_metric_loads_from_a_space(hub_port, stocked, tmp_path):
    space = stocked.folder("spaces", "org/compositional_ood")
    shutil.copytree(
        ROOT / "metrics" / "compositional_ood",
        space,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    code = """
import evaluate
metric = evaluate.load("org/compositional_ood")
print(metric.compute(predictions=[0, 1, 3], references=[0, 1, 2], attributes=[0, 0, 1, 1], objects=[0, 1, 0, 1])["n"])
"""
    # a process of its own: the modules that are fetched are imported from where it began
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=_environment(hub_port, tmp_path / "home"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "3", done.stderr


def test_a_folder_is_pushed_as_a_dataset_repository(
    run, hub, prepared, tmp_path
):
    code = f"""
from huggingface_hub import HfApi
HfApi().create_repo("new/imagenet-ao", repo_type="dataset")
HfApi().upload_folder(repo_id="new/imagenet-ao", repo_type="dataset", folder_path={str(prepared)!r})
from datasets import load_dataset
print(len(load_dataset("new/imagenet-ao", split="ood")))
"""
    done = run(code, tmp_path)
    assert done.stdout.strip().endswith("12"), done.stderr


def test_the_dataset_repository_names_its_tasks(prepared):
    tasks = yaml.safe_load((prepared / "eval.yaml").read_text())["tasks"]
    assert {"id": "composition_top1", "config": "v2", "split": "ood"} in tasks
    assert not [task for task in tasks if task["id"].startswith("mini_")]
