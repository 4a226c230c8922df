"""The wheel: built of the tracked files, unpacked in an empty folder, run from there."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("aobench", "metrics", "model_cards")
FILES = (
    "setup.py",
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "imagenet_ao.py",
    "evaluate_models.py",
)
BUILD = "import sys; from setuptools import build_meta as b; b.build_wheel(sys.argv[1])"
#: Of the folders that are packages under another name, and what stays in the repository.
MOVED = {
    "metrics/compositional_ood/": "compositional_ood/",
    "model_cards/": None,
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel's path. It is built of a copy: setuptools leaves files beside what it builds."""
    where = tmp_path_factory.mktemp("wheel")
    source = where / "source"
    source.mkdir()
    left_out = shutil.ignore_patterns("__pycache__")
    for name in PARTS:
        shutil.copytree(ROOT / name, source / name, ignore=left_out)
    for name in FILES:
        shutil.copyfile(ROOT / name, source / name)
    call = [sys.executable, "-c", BUILD, str(where)]
    built = subprocess.run(call, cwd=source, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-2000:]
    (path,) = where.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel):
    """An empty folder into which the wheel was unpacked, as ``pip install --target`` does."""
    folder = wheel.parent / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


def wanted_files():
    """Every file of the packages in the repository, as the wheel should name it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *PARTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is no checkout of git")
    for name in filter(None, listed.stdout.split("\0")):
        moved = next(
            (m for start, m in MOVED.items() if name.startswith(start)), name
        )
        if moved is None or not (ROOT / name).exists():
            continue
        yield name if moved == name else moved + name.rsplit("/", 1)[1]


def test_every_file_of_the_packages_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as packed:
        there = set(packed.namelist())
    missing = set(wanted_files()) - there
    assert not missing, f"package_data of setup.py lacks {sorted(missing)[:5]}"
    for name in (
        "imagenet_ao.py",
        "evaluate_models.py",
        "imagenet_ao_cards/card.md",
    ):
        assert name in there
    strange = [
        name for name in there if name.startswith(("tests", "build", "docs"))
    ]
    assert not strange, "the wheel brings what is no part of the package"


def test_the_extras_are_named_and_the_base_is_small(wheel):
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [
            one for one in packed.namelist() if one.endswith("/METADATA")
        ]
        lines = packed.read(name).decode().splitlines()
    needs = [
        line.split(": ")[1]
        for line in lines
        if line.startswith("Requires-Dist")
    ]
    base = {
        need.split(">=")[0].split("[")[0] for need in needs if ";" not in need
    }
    assert base.isdisjoint(
        {"polars", "matplotlib", "scikit-learn", "gradio", "plotly"}
    )
    assert {"torch", "transformers", "datasets", "scipy"} <= base
    extras = {
        line.split(": ")[1]
        for line in lines
        if line.startswith("Provides-Extr")
    }
    from aobench.extras import EXTRA_OF

    assert {extra for _, extra in EXTRA_OF.values()} <= extras, (
        "a line names no extra"
    )


def test_it_runs_from_where_it_was_installed(installed, tmp_path):
    """With the example's files, and the other packages beside it."""
    code = (
        "import sys; from importlib.util import find_spec; from aobench.cli import main\n"
        "for name in ('aobench', 'compositional_ood', 'imagenet_ao', 'imagenet_ao_cards'):\n"
        "    assert find_spec(name).origin.startswith(sys.argv[1]), name\n"
        "sys.exit(main(['build', '--example', 'first']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    call = [sys.executable, "-c", code, str(installed)]
    done = subprocess.run(
        call, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "first" / "set.yaml").is_file()
