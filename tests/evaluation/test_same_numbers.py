"""The same rows however the data comes, however many processes work on it, and however often
they are killed.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_models import save
from PIL import Image

import aobench.cli as cli
from aobench.mini.render import render
from aobench.results.predictions import read

ROOT = Path(__file__).parents[2]
#: What its command runs; each process that it starts is a new Python.
TORCHRUN = "from torch.distributed.run import main\nmain()\n"
PAIRS = [
    ("wooden", "banana"),
    ("red", "teapot"),
    ("moss covered", "ambulance"),
    ("golden", "lion"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "ImageNet-AO-filtered"
    for attribute, name in PAIRS:
        (root / f"{attribute} {name}").mkdir(parents=True)
        for index in range(5):
            picture = Image.fromarray(
                render(attribute, name, np.random.default_rng((5, index)))
            )
            picture.save(root / f"{attribute} {name}" / f"{index}.png")
    (root / "red teapot" / "5.png").write_bytes(b"not a picture")
    return root


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("prompts") / "two.txt"
    path.write_text("a photo of a {}.\nthe {}\n")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A SigLIP: bidirectional texts, another processor than the bundled CLIP's."""
    return save("siglip", tmp_path_factory.mktemp("models") / "siglip")


@pytest.fixture(scope="module")
def arguments(folder, template, model):
    common = [
        "--data",
        str(folder),
        "--templates",
        str(template),
        "--cpu",
    ]
    return ["mini", model, *common, "--shard-size", "4"]


@pytest.fixture(scope="module")
def wanted(warm, arguments, tmp_path_factory):
    """The tables of one process that was left in peace."""
    out = tmp_path_factory.mktemp("one")
    _evaluate(warm, 1, arguments, out)
    return _bytes(out)


def _bytes(out):
    return {
        path.parent.name: path.read_bytes()
        for path in sorted(out.glob("*/predictions.parquet"))
    }


def _words(arguments, out):
    return ["evaluate", *arguments, "--out", str(out)]


def _evaluate(warm, processes, arguments, out):
    for done in warm.run(processes, _words(arguments, out)):
        assert done.returncode == 0, done.stderr


def _launch(warm, processes, arguments, out):
    """By the launcher that the documents name, with a Python of its own for each process."""
    words = [
        "--standalone",
        "--nproc_per_node",
        processes,
        ROOT / "evaluate_models.py",
        *arguments,
        "--out",
        out,
    ]
    (done,) = warm.run(1, words, code=TORCHRUN)
    assert done.returncode == 0, done.stderr


def _rows(out):
    return (
        read(out / "mini" / "predictions.parquet")
        .table.drop_columns(["margin"])
        .to_pylist()
    )


def test_folder_zip_and_prepared_parquet_give_equal_results(
    folder, template, tmp_path
):
    import shutil

    archive = shutil.make_archive(
        str(tmp_path / "set"), "zip", folder.parent, folder.name
    )
    common = [
        "evaluate",
        "mini",
        "--templates",
        str(template),
        "--cpu",
    ]
    assert (
        cli.main([*common, "--data", str(folder), "--out", str(tmp_path / "a")])
        == 0
    )
    assert (
        cli.main([*common, "--data", archive, "--out", str(tmp_path / "b")])
        == 0
    )
    assert (
        cli.main(["prepare", str(tmp_path / "hub"), "--data", str(folder)]) == 0
    )
    assert (
        cli.main(
            [
                *common,
                "--data",
                str(tmp_path / "hub"),
                "--out",
                str(tmp_path / "c"),
            ]
        )
        == 0
    )
    assert len(_rows(tmp_path / "a")) == 6 * 21
    assert (
        _rows(tmp_path / "a") == _rows(tmp_path / "b") == _rows(tmp_path / "c")
    )


def _check_processes(out, wanted, processes):
    assert len(wanted) == 2
    assert _bytes(out) == wanted
    results = json.loads((out / "mini" / "results.json").read_text())
    assert results["processes"] == processes
    assert set(results["seconds"]) == {"load", "texts", "ood"}
    assert set(results["seconds"]["ood"]) == {"images", "scoring"}


def test_two_launched_processes_give_the_bytes_of_one(
    warm, arguments, wanted, tmp_path
):
    _launch(warm, 2, arguments, tmp_path)
    _check_processes(tmp_path, wanted, 2)


def test_three_processes_give_the_bytes_of_one(
    warm, arguments, wanted, tmp_path
):
    _evaluate(warm, 3, arguments, tmp_path)
    _check_processes(tmp_path, wanted, 3)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_any_batch_size_gives_the_same_ranks(
    batch, arguments, wanted, tmp_path
):
    command = [
        "evaluate",
        *arguments,
        "--batch-size",
        str(batch),
        "--workers",
        str(batch % 2),
        "--shard-size",
        "64",
    ]
    assert cli.main([*command, "--out", str(tmp_path)]) == 0
    for name, content in wanted.items():
        (tmp_path / "wanted.parquet").write_bytes(content)
        one, other = (
            read(tmp_path / "wanted.parquet").table,
            read(tmp_path / name / "predictions.parquet").table,
        )
        assert one.drop_columns(["margin"]).equals(
            other.drop_columns(["margin"])
        )
        np.testing.assert_allclose(
            one["margin"].to_numpy(),
            other["margin"].to_numpy(),
            rtol=0,
            atol=1e-4,
            equal_nan=True,
        )


def _shards(out):
    return len(list(out.rglob("*.safetensors")))


def test_killed_runs_end_with_the_same_bytes(warm, arguments, wanted, tmp_path):
    """Kill -9 at random moments, alternately one and two processes; benchmarks/kill_resume.py
    does more of it.
    """
    draw = random.Random(0)
    stored = 0
    for number in range(4):
        running = warm.start_group(1 + number % 2, _words(arguments, tmp_path))
        before, deadline = stored, time.monotonic() + 60
        while any(one.poll() is None for one in running) and stored <= before:
            stored = _shards(tmp_path)
            assert time.monotonic() < deadline, (
                "no shard was stored for a minute"
            )
        time.sleep(draw.uniform(0, 0.05))
        for one in running:
            one.kill()
        for one in running:
            one.wait()
        stored = _shards(tmp_path)
        assert stored >= before, "a kill lost a shard that was finished"
    assert stored > 0, "no run lived long enough to finish a shard"
    _evaluate(warm, 2, arguments, tmp_path)
    assert _bytes(tmp_path) == wanted


def test_two_runs_at_once_on_one_folder_do_no_harm(
    warm, arguments, wanted, tmp_path
):
    running = [warm.start(_words(arguments, tmp_path)) for _ in range(2)]
    ended = sorted(one.wait().returncode for one in running)
    assert ended in ([0, 0], [0, 2]), (
        "the later one may be refused, and neither fails"
    )
    assert _bytes(tmp_path) == wanted
    assert not list(tmp_path.rglob("*.part"))


def test_other_templates_and_tasks_do_not_run_the_image_tower(
    arguments, tmp_path, monkeypatch
):
    command = ["evaluate", "mini", *arguments[2:], "--out", str(tmp_path)]
    assert cli.main(command) == 0
    from aobench.models.dual_encoder import TransformersDualEncoder

    def refuse(*_):
        raise AssertionError("the image tower ran again")

    monkeypatch.setattr(TransformersDualEncoder, "encode_images", refuse)
    assert cli.main([*command, "--tasks", "object"]) == 0
    with pytest.raises(AssertionError, match="ran again"):
        cli.main([*command, "--dtype", "bfloat16"])


#: A limit on the size of files is what a process can set for itself; the system refuses the write
#: just so.
SMALL = """
import resource, signal
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
"""


def test_a_full_disk_is_one_line(warm, arguments, tmp_path):
    words = _words(["mini", *arguments[2:]], tmp_path)
    (done,) = warm.run(1, words, preamble=SMALL)
    assert done.returncode == 2, done.stderr
    assert "no room left" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_launcher_that_starts_fewer_processes_is_named(arguments, tmp_path):
    launch = [
        str(Path(sys.executable).parent / "accelerate"),
        "launch",
        "--cpu",
        "--num_processes",
        "2",
    ]
    command = [
        *launch,
        str(ROOT / "evaluate_models.py"),
        *arguments,
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "asked for 2 processes and started 1" in done.stderr
