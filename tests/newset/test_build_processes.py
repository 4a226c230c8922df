"""Several processes share the images and the judging; the bytes are those of one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.builds import digests_of, whole_configuration
from helpers.tiny_pipelines import save_llava, save_sdxl

from aobench.cli import main

pytest.importorskip("diffusers")
pytest.importorskip("faiss")
pytest.importorskip("imagehash")

ROOT = Path(__file__).parents[2]


def test_two_processes_give_the_bytes_of_one(tmp_path):
    save_sdxl(tmp_path / "sdxl")
    save_llava(tmp_path / "llava")
    alone, together = (
        whole_configuration(tmp_path / name, tmp_path) for name in ("alone", "together")
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(
        1
    )  # as the processes have: another number may round otherwise
    try:
        assert main(["build", str(alone), "--cpu"]) == 0
    finally:
        torch.set_num_threads(threads)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--standalone",
    ]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "-m", "aobench.cli", "build", str(together)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("generate: 70 images") == 1, "each process says it"
    assert digests_of(alone.parent / "out") == digests_of(together.parent / "out")
