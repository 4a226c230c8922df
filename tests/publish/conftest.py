"""A small set in the published layout, a result on it, and a Hub on the loopback."""

import numpy as np
import pytest
from helpers.loopback_hub import TOKEN, Hub
from helpers.warm import free_port
from PIL import Image

import aobench.cli as cli
from aobench.mini.render import render

PAIRS = [
    ("wooden", "banana"),
    ("red", "teapot"),
    ("golden", "lion"),
    ("striped", "zebra"),
]


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "ImageNet-AO-filtered"
    for attribute, name in PAIRS:
        (root / f"{attribute}_{name}").mkdir(parents=True)
        for index in range(3):
            picture = Image.fromarray(
                render(attribute, name, np.random.default_rng((9, index)))
            )
            picture.save(root / f"{attribute}_{name}" / f"{index}.png")
    return root


@pytest.fixture(scope="session")
def result(published, tmp_path_factory):
    """The bundled model's result on the small set."""
    out = tmp_path_factory.mktemp("results")
    (out / "two.txt").write_text("a photo of a {}.\nthe {}\n")
    command = [
        "evaluate",
        "mini",
        "--data",
        str(published),
        "--out",
        str(out),
        "--cpu",
    ]
    assert cli.main([*command, "--templates", str(out / "two.txt")]) == 0
    return out / "mini"


@pytest.fixture(scope="session")
def prepared(published, tmp_path_factory):
    """The small set as a dataset repository."""
    out = tmp_path_factory.mktemp("prepared") / "hub"
    assert cli.main(["prepare", str(out), "--data", str(published)]) == 0
    return out


@pytest.fixture(scope="session")
def hub_port():
    """The port of every Hub, one after another."""
    return free_port()


@pytest.fixture
def hub(hub_port, tmp_path):
    server = Hub(tmp_path / "hub", TOKEN, hub_port)
    yield server
    server.close()
