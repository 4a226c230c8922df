"""Several processes share the images and the judging; the bytes are those of one."""

import pytest
import torch
from helpers.builds import digests_of, whole_configuration
from helpers.tiny_pipelines import save_llava, save_sdxl
from helpers.warm import BUILD

from aobench.cli import main

pytest.importorskip("diffusers")
pytest.importorskip("faiss")
pytest.importorskip("imagehash")


def test_two_processes_give_the_bytes_of_one(warm, tmp_path):
    save_sdxl(tmp_path / "sdxl")
    save_llava(tmp_path / "llava")
    alone, together = (
        whole_configuration(
            tmp_path / name, tmp_path, controls={"least_captions": 1}
        )
        for name in ("alone", "together")
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(
        1
    )  # as the processes have: another number may round otherwise
    try:
        assert main(["build", str(alone), "--cpu"]) == 0
    finally:
        torch.set_num_threads(threads)
    warm.import_modules(*BUILD)
    every = warm.run(2, ["build", together])
    assert [one.returncode for one in every] == [0, 0], every[0].stderr[-2000:]
    said = "".join(one.stdout for one in every)
    assert said.count("generate: 90 images") == 1, "each process says it"
    assert digests_of(alone.parent / "out") == digests_of(
        together.parent / "out"
    )
