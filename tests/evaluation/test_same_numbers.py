"""The same rows however the data comes, however many processes work on it, and however often
they are killed.
"""

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from tiny_models import save

import aobench.cli as cli
from aobench.mini.render import render
from aobench.results.predictions import read

ROOT = Path(__file__).parents[2]
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
def wanted(arguments, tmp_path_factory):
    """The tables of one process that was left in peace."""
    out = tmp_path_factory.mktemp("one")
    _launch(1, arguments, out)
    return _bytes(out)


def _bytes(out):
    return {
        path.parent.name: path.read_bytes()
        for path in sorted(out.glob("*/predictions.parquet"))
    }


def _command(processes, arguments, out):
    launch = [sys.executable]
    if processes > 1:
        launch += [
            "-m",
            "torch.distributed.run",
            "--nproc_per_node",
            str(processes),
            "--standalone",
        ]
    return [*launch, str(ROOT / "evaluate_models.py"), *arguments, "--out", str(out)]


ENVIRONMENT = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}


def _below(pid):
    """torchrun puts its workers into groups of their own, so each is killed by itself."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _launch(processes, arguments, out):
    command = _command(processes, arguments, out)
    done = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def _rows(out):
    return (
        read(out / "mini" / "predictions.parquet")
        .table.drop_columns(["margin"])
        .to_pylist()
    )


def test_folder_zip_and_prepared_parquet_give_equal_results(folder, template, tmp_path):
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
    assert cli.main([*common, "--data", str(folder), "--out", str(tmp_path / "a")]) == 0
    assert cli.main([*common, "--data", archive, "--out", str(tmp_path / "b")]) == 0
    assert cli.main(["prepare", str(tmp_path / "hub"), "--data", str(folder)]) == 0
    assert (
        cli.main(
            [*common, "--data", str(tmp_path / "hub"), "--out", str(tmp_path / "c")]
        )
        == 0
    )
    assert len(_rows(tmp_path / "a")) == 5 * 21
    assert _rows(tmp_path / "a") == _rows(tmp_path / "b") == _rows(tmp_path / "c")


@pytest.mark.parametrize("processes", [2, 3])
def test_more_processes_give_the_bytes_of_one(processes, arguments, wanted, tmp_path):
    _launch(processes, arguments, tmp_path)
    assert len(wanted) == 2
    assert _bytes(tmp_path) == wanted
    results = json.loads((tmp_path / "mini" / "results.json").read_text())
    assert results["processes"] == processes
    assert set(results["seconds"]) == {"load", "texts", "ood"}
    assert set(results["seconds"]["ood"]) == {"images", "scoring"}


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_any_batch_size_gives_the_same_ranks(batch, arguments, wanted, tmp_path):
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
        assert one.drop_columns(["margin"]).equals(other.drop_columns(["margin"]))
        np.testing.assert_allclose(
            one["margin"].to_numpy(),
            other["margin"].to_numpy(),
            rtol=0,
            atol=1e-4,
            equal_nan=True,
        )


def test_killed_runs_end_with_the_same_bytes(arguments, wanted, tmp_path):
    """Kill -9 at random moments, alternately one and two processes; benchmarks/kill_resume.py
    does more of it.
    """
    draw = random.Random(0)
    stored = 0
    for number in range(4):
        command = _command(1 + number % 2, arguments, tmp_path)
        running = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
        before, deadline = stored, time.monotonic() + 60
        while (
            running.poll() is None and stored <= before and time.monotonic() < deadline
        ):
            stored = len(list(tmp_path.rglob("*.safetensors")))
        time.sleep(draw.uniform(0, 0.05))
        for process in [*_below(running.pid), running]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        running.wait()
        stored = len(list(tmp_path.rglob("*.safetensors")))
        assert stored >= before, "a kill lost a shard that was finished"
    assert stored > 0, "no run lived long enough to finish a shard"
    _launch(2, arguments, tmp_path)
    assert _bytes(tmp_path) == wanted


def test_two_runs_at_once_on_one_folder_do_no_harm(arguments, wanted, tmp_path):
    running = [
        subprocess.Popen(_command(1, arguments, tmp_path), env=ENVIRONMENT)
        for _ in range(2)
    ]
    assert [process.wait() for process in running] == [0, 0]
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


def test_a_full_disk_is_one_line(arguments, tmp_path):
    """A limit on the size of files is what a process can set for itself; the system refuses the
    write just so.
    """

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    command = _command(1, ["mini", *arguments[2:]], tmp_path)
    done = subprocess.run(
        command,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=small,
    )
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
