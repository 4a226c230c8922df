"""Drawing gives the same pixels whatever the processor offers, and a set is the same set without
looking at them.
"""

import ast
import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.drawn_digests import digests
from numpy._core import _multiarray_umath as features
from PIL import Image, ImageDraw

from aobench.mini import fixed_point, pictures, splits
from aobench.mini.png import png_bytes
from aobench.mini.resampling import resized_channel, resized_channels
from aobench.publish.known_data import KNOWN

ROOT = Path(__file__).parents[2]
MINI = ROOT / "aobench" / "mini"
DIGESTS = ROOT / "tests" / "helpers" / "drawn_digests.py"

#: What `drawn_digests` gave where it was recorded. Where pixels change on purpose, raise
#: `splits.RECIPE`, too.
RECORDED = {
    "recipe": 2,
    "mini": "281cfabb46665086",
    "more textures": "604b2060166266d5",
    "shading": "8342a845bee90d85",
    "study": "8cd9e18268309ace",
    "renderer": "025021b412d64fe0",
}

#: Other machines, as well as one can be made into them. NumPy's code beyond its baseline is off in
#: the first.
DISABLED = " ".join(
    name
    for name in features.__cpu_dispatch__
    if features.__cpu_features__.get(name)
)
MACHINES = {
    "an old processor": {
        "NPY_DISABLE_CPU_FEATURES": DISABLED,
        "OPENBLAS_CORETYPE": "Prescott",
        "OMP_NUM_THREADS": "3",
    },
    "Haswell's linear algebra": {
        "OPENBLAS_CORETYPE": "Haswell",
        "PYTHONHASHSEED": "7",
        "OMP_NUM_THREADS": "1",
    },
    "compiled for any processor": {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "tr_TR.UTF-8",
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pictures of one's own: one much larger than a drawing, one smaller."""
    where = tmp_path_factory.mktemp("own")
    for name, width, height in (("comb", 1500, 900), ("kite", 61, 100)):
        image = Image.new("RGBA", (width, height))
        draw = ImageDraw.Draw(image)
        draw.ellipse((3, 3, width - 4, height - 4), fill=(200, 90, 40, 255))
        draw.rectangle(
            (width // 3, height // 3, width // 2, height // 2),
            fill=(20, 90, 240, 120),
        )
        image.save(where / f"{name}.png")
    return where


@pytest.fixture(scope="module")
def here(folder):
    return digests(folder)


def test_the_pixels_are_those_that_were_recorded(here):
    assert {"recipe": splits.RECIPE, **here} == RECORDED, (
        "other pixels are drawn than before: sets that were drawn can't be drawn again"
    )


@pytest.mark.parametrize("machine", MACHINES)
def test_another_machine_draws_the_same(machine, folder, here, tmp_path):
    settings = (
        {**MACHINES[machine], "NUMBA_CACHE_DIR": str(tmp_path)}
        if "NUMBA_CPU_NAME" in MACHINES[machine]
        else (MACHINES[machine])
    )
    ran = subprocess.run(
        [sys.executable, str(DIGESTS), str(folder)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert json.loads(ran.stdout) == here, f"{machine} draws other pixels"


#: What may not stand in the code that draws: products of matrices, and functions of floats.
ROUNDED = {
    "dot",
    "matmul",
    "einsum",
    "inner",
    "tensordot",
    "interp",
    "mean",
    "sqrt",
    "sin",
    "cos",
    "exp",
    "float32",
    "float64",
    "transform",
    "resize",
}


@pytest.mark.parametrize(
    "module",
    [
        "fixed_point",
        "kernel",
        "more_textures",
        "pictures",
        "render",
        "resampling",
        "textures",
    ],
)
def test_nothing_that_draws_is_rounded_by_a_processor(module):
    for node in ast.walk(ast.parse((MINI / f"{module}.py").read_text())):
        assert not isinstance(getattr(node, "op", None), ast.MatMult), (
            f"{module}.py:{node.lineno}: a matrix product"
        )
        if isinstance(node, ast.Attribute):
            assert node.attr not in ROUNDED, (
                f"{module}.py:{node.lineno}: {node.attr}"
            )


@pytest.mark.parametrize(
    ("length", "size"),
    [
        (2, 112),
        (7, 112),
        (6, 128),
        (13, 128),
        (61, 128),
        (111, 128),
        (1, 128),
        (700, 91),
        (129, 128),
    ],
)
def test_pictures_are_resized_as_pillow_does(length, size):
    pixels = (
        np.random.default_rng(length)
        .integers(0, 256, (length, length))
        .astype(np.uint8)
    )
    wanted = np.asarray(
        Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC)
    )
    assert np.array_equal(resized_channel(pixels, size, size), wanted), (
        f"{length} to {size} pixels differs from Pillow"
    )


@pytest.mark.parametrize(
    ("length", "size"), [(112, 32), (128, 16), (113, 7), (32, 32)]
)
def test_means_are_pillows(length, size):
    pixels = (
        np.random.default_rng(size)
        .integers(0, 256, (length, length, 3))
        .astype(np.uint8)
    )
    wanted = np.asarray(
        Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX)
    )
    assert np.array_equal(resized_channels(pixels, size, size, "box"), wanted)


@pytest.mark.parametrize("degrees", [-45, -15, -0.01, 0, 7.3, 15])
def test_angles_in_whole_numbers(degrees):
    cosine, sine = fixed_point.cosine_and_sine(round(degrees * 65536))
    angle = math.radians(round(degrees * 65536) / 65536)
    assert abs(cosine / 2**30 - math.cos(angle)) < 1e-7
    assert abs(sine / 2**30 - math.sin(angle)) < 1e-7


def test_roots_are_whole_parts():
    roots = fixed_point.square_roots(5000)
    assert [int(root) for root in roots[:5001]] == [
        math.isqrt(n) for n in range(5001)
    ]


def test_mixed_lanes_are_rounded_each_by_itself():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 256, (2, 500, 3))
    share = rng.integers(0, 257, 500)
    mixed = fixed_point.colour_lanes(
        fixed_point.mix_colours(
            fixed_point.pack_colours(one),
            fixed_point.pack_colours(other),
            share,
        )
    )[:, :3]
    assert np.array_equal(
        mixed,
        (one * (256 - share[:, None]) + other * share[:, None] + 128) >> 8,
    )


@pytest.mark.parametrize("shape", [(112, 112), (1, 1), (3, 200)])
def test_a_png_holds_its_pixels(shape, tmp_path):
    pixels = (
        np.random.default_rng(1).integers(0, 256, (*shape, 3)).astype(np.uint8)
    )
    (tmp_path / "image.png").write_bytes(png_bytes(pixels))
    with Image.open(tmp_path / "image.png") as image:
        image.verify()
    with Image.open(tmp_path / "image.png") as image:
        assert np.array_equal(np.asarray(image), pixels)


# --- the set's identity ---------------------------------------------------------------------------


def fingerprint_of(samples):
    """As `imagenet_ao.fingerprint` makes it of the rows, but nothing is drawn."""
    rows = sorted(
        (s.sample_id, s.recipe, f"{s.attribute} {s.name}") for s in samples
    )
    return hashlib.sha256(
        "".join("\0".join(row) + "\n" for row in rows).encode()
    ).hexdigest()[:16]


@pytest.mark.parametrize("split", KNOWN["mini"])
def test_the_known_fingerprints_are_of_what_defines_the_set(split):
    assert fingerprint_of(splits.samples(split)) == KNOWN["mini"][split]


def test_what_defines_a_sample_changes_its_recipe(monkeypatch):
    first, second = (
        sample
        for sample, _ in zip(splits.samples("ood"), range(2), strict=False)
    )
    recipes = {first.recipe, second.recipe}
    for name, value in (
        ("SEED", 1),
        ("RECIPE", splits.RECIPE + 1),
        ("drawing_digests", lambda _: ("0" * 64,)),
    ):
        with monkeypatch.context() as other:
            other.setattr(splits, name, value)
            recipes.add(first.recipe)
    assert len(recipes) == 5, "two different samples have one recipe"


def test_a_recipe_does_not_hang_on_pixels(monkeypatch):
    sample = next(splits.samples("id"))
    before = sample.recipe
    monkeypatch.setattr(
        splits, "render", lambda *_: np.zeros((112, 112, 3), np.uint8)
    )
    assert not sample.image().any()
    assert sample.recipe == before
    assert len(pictures.drawing_digests(sample.name)) == 2
