"""The same rows however the data comes and however many processes work on it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import aobench.cli as cli
from aobench.evaluation.table import read
from aobench.mini.render import render

ROOT = Path(__file__).parents[2]
PAIRS = [("wooden", "banana"), ("red", "teapot"), ("moss covered", "ambulance")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "ImageNet-AO-filtered"
    for attribute, name in PAIRS:
        (root / f"{attribute} {name}").mkdir(parents=True)
        for index in range(3):
            picture = Image.fromarray(render(attribute, name, np.random.default_rng((5, index))))
            picture.save(root / f"{attribute} {name}" / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("prompts") / "one.txt"
    path.write_text("a photo of a {}.\n")
    return path


def _rows(out):
    return read(out / "mini" / "predictions.parquet").table.drop_columns(["margin"]).to_pylist()


def test_folder_zip_and_prepared_parquet_give_equal_results(folder, template, tmp_path):
    import shutil

    archive = shutil.make_archive(str(tmp_path / "set"), "zip", folder.parent, folder.name)
    common = ["evaluate", "mini", "--templates", str(template), "--cpu", "--config", "v2"]
    assert cli.main([*common, "--data-dir", str(folder), "--out", str(tmp_path / "a")]) == 0
    assert cli.main([*common, "--data-dir", archive, "--out", str(tmp_path / "b")]) == 0
    assert cli.main(["prepare", str(tmp_path / "hub"), "--data-dir", str(folder)]) == 0
    assert cli.main([*common, "--dataset", str(tmp_path / "hub"), "--out", str(tmp_path / "c")]) == 0
    assert len(_rows(tmp_path / "a")) == 9
    assert _rows(tmp_path / "a") == _rows(tmp_path / "b") == _rows(tmp_path / "c")


def test_two_processes_give_the_rows_of_one(folder, template, tmp_path):
    arguments = ["mini", "--config", "v2", "--data-dir", str(folder), "--templates", str(template), "--cpu"]
    assert cli.main(["evaluate", *arguments, "--out", str(tmp_path / "one")]) == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    command = [*launch, str(ROOT / "evaluate_models.py"), *arguments, "--out", str(tmp_path / "two")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert _rows(tmp_path / "one") == _rows(tmp_path / "two")
