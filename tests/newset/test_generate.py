"""Generate: images that were altered, models whose weights were replaced, options that a
pipeline doesn't take.
"""

import json
import shutil

import numpy as np
import pytest
import torch
from helpers.builds import compose_configuration
from helpers.tiny_pipelines import save_sdxl
from PIL import Image

from aobench.cli import main
from aobench.errors import UserError
from aobench.newset.generators import make_generator
from aobench.newset.manifests import read_manifest, read_rows, step_folder

CALL = {
    "num_inference_steps": 1,
    "guidance_scale": 0.0,
    "height": 32,
    "width": 32,
}


@pytest.fixture
def drawn(tmp_path):
    """A build of four drawings."""
    path = compose_configuration(
        tmp_path, ["the sky"], objects=["banana", "airliner"]
    )
    content = json.loads(path.read_text())
    content["generate"].update(images=2, batch_size=3)
    path.write_text(json.dumps(content))
    assert main(["build", str(path), "--steps", "compose", "generate"]) == 0
    return path


def images(path):
    """Every image's bytes."""
    where = step_folder(path.parent / "out", "generate") / "images"
    return {
        p.relative_to(where).as_posix(): p.read_bytes()
        for p in sorted(where.rglob("*.png"))
    }


@pytest.mark.parametrize("table", ["there", "gone"])
@pytest.mark.parametrize(
    "damage", ["swapped", "truncated", "empty", "another prompt"]
)
def test_an_image_that_was_altered_is_made_again(drawn, damage, table, capsys):
    first = images(drawn)
    where = step_folder(drawn.parent / "out", "generate")
    one, other = sorted((where / "images").rglob("*.png"))[:2]
    content = {
        "swapped": other.read_bytes(),
        "truncated": one.read_bytes()[:200],
        "empty": b"",
        "another prompt": b"",
    }
    one.write_bytes(content[damage])
    if damage == "another prompt":
        Image.new("RGB", (112, 112)).save(one, format="PNG")
    if table == "gone":
        (where / "images.parquet").unlink()
    else:
        assert main(["build", str(drawn), "--steps", "validate"]) == 2
        assert "run the step generate again" in capsys.readouterr().err
    assert main(["build", str(drawn), "--steps", "generate"]) == 0
    assert images(drawn) == first, (
        "generate called the step done, or took a picture that isn't the task's"
    )
    assert main(["build", str(drawn), "--steps", "validate"]) == 0


def test_distinct_names_a_missing_image(drawn, capsys):
    pytest.importorskip("imagehash")
    assert main(["build", str(drawn), "--steps", "validate"]) == 0
    next((drawn.parent / "out").rglob("*.png")).unlink()
    capsys.readouterr()
    assert main(["build", str(drawn), "--steps", "distinct"]) == 2
    err = capsys.readouterr().err
    assert (
        "is missing or not the image that was generated; run the step generate again"
        in err
    )
    assert len(err.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory):
    pytest.importorskip("diffusers")
    where = tmp_path_factory.mktemp("model") / "sdxl"
    save_sdxl(where)
    return where


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"guidance_scal": 1.0},
            "has no option 'guidance_scal' (did you mean 'guidance_scale'?)",
        ),
        (
            {"nonsense": 1},
            "has no option 'nonsense'; there are dtype, revision",
        ),
        (
            {"num_images_per_prompt": 2},
            "num_images_per_prompt is set by the build",
        ),
        ({"output_type": "latent"}, "output_type is set by the build"),
        ({"return_dict": False}, "return_dict is set by the build"),
        ({"prompt": "x"}, "prompt is set by the build"),
        ({"generator": None}, "generator is set by the build"),
        ({"dtype": "float8"}, "dtype is float32, float16 or bfloat16"),
    ],
)
def test_options_that_the_pipeline_does_not_take_are_one_line(
    sdxl, options, told
):
    with pytest.raises(UserError) as error:
        make_generator("diffusion", str(sdxl), {**CALL, **options})
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "options",
    [
        {"height": 33},
        {"num_inference_steps": "two"},
        {"guidance_scale": "high"},
    ],
)
def test_values_that_the_pipeline_refuses_are_one_line(sdxl, options):
    from aobench.newset.generators import ImageTask

    generator = make_generator("diffusion", str(sdxl), {**CALL, **options})
    with pytest.raises(UserError, match="generate: ") as error:
        generator([ImageTask("a__b/0", "a", "b", 0, 1, "a photo of a b")])
    assert "\n" not in str(error.value)


def test_loading_is_quiet_where_nobody_watches(sdxl, capfd):
    make_generator("diffusion", str(sdxl), CALL)
    assert capfd.readouterr().err == "", (
        "a bar was drawn though stderr is no terminal"
    )


@pytest.mark.parametrize(
    ("library", "part"),
    [("sent_along", "Own"), ("os", "system"), ("builtins", "exec")],
)
def test_a_model_imports_nothing_that_it_names(
    sdxl, tmp_path, monkeypatch, library, part
):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "sent_along.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    )
    shutil.copytree(sdxl, tmp_path / "sdxl")
    index = json.loads((tmp_path / "sdxl" / "model_index.json").read_text())
    index["scheduler"] = [library, part]
    (tmp_path / "sdxl" / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="could not be loaded"):
        make_generator("diffusion", str(tmp_path / "sdxl"), CALL)
    assert not (tmp_path / "ran").exists()


def test_what_is_no_generator_is_one_line():
    with pytest.raises(UserError, match="is no generator"):
        make_generator("json:dumps", "", {})


def test_images_of_replaced_weights_are_not_mixed(sdxl, tmp_path, capsys):
    from safetensors.torch import load_file, save_file

    shutil.copytree(sdxl, tmp_path / "sdxl")
    path = compose_configuration(
        tmp_path, ["the sky"], objects=["banana", "airliner"]
    )
    content = json.loads(path.read_text())
    content["generate"] = {"model": "sdxl", "images": 1, "options": CALL}
    path.write_text(json.dumps(content))
    steps = ["build", str(path), "--cpu", "--steps", "compose", "generate"]
    assert main(steps) == 0, "a folder beside the YAML is not found"
    manifest = read_manifest(tmp_path / "out", "generate")
    assert manifest["made_from"]["weights"].startswith("sha256:")
    assert manifest["facts"]["model"] == "sdxl"
    weights = tmp_path / "sdxl" / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(
        {name: value * 2 for name, value in load_file(weights).items()}, weights
    )
    first = images(path)
    next((tmp_path / "out").rglob("*.png")).unlink()
    capsys.readouterr()
    assert main(steps) == 2, (
        "an image of the new weights was put among those of the old ones"
    )
    assert (
        "holds images made with other weights of a model"
        in capsys.readouterr().err
    )
    shutil.rmtree(step_folder(tmp_path / "out", "generate"))
    assert main(steps) == 0
    assert images(path) != first
    assert (
        len(
            read_rows(
                step_folder(tmp_path / "out", "generate") / "images.parquet"
            )
        )
        == 2
    )


def _spoiled(sdxl, where, **weights):
    """A copy of the pipeline with other weights of its VAE: by name a number for all of them, or
    for one alone.
    """
    from safetensors.torch import load_file, save_file

    shutil.copytree(sdxl, where)
    path = where / "vae" / "diffusion_pytorch_model.safetensors"
    state = load_file(path)
    for name, (place, value) in weights.items():
        state[name.replace("__", ".")][place] = value
    save_file(state, path, metadata={"format": "pt"})
    return where


ALL = slice(None)
#: A number of its own, but sums of it are infinite (a weight that is none is refused when it is
#: loaded).
HUGE = 3e38


@pytest.mark.parametrize(
    ("weights", "fault"),
    [
        ({"decoder__conv_in__bias": (ALL, HUGE)}, "its pixels are not numbers"),
        ({"decoder__conv_in__bias": (0, HUGE)}, "its pixels are not numbers"),
        ({"decoder__conv_out__weight": (ALL, 0.0)}, "it is of one colour"),
        ({}, ""),
    ],
)
def test_pictures_that_are_none_are_flagged_with_their_fault(
    sdxl, tmp_path, weights, fault
):
    from aobench.newset.generators import ImageTask

    where = _spoiled(sdxl, tmp_path / "sdxl", **weights)
    tasks = [
        ImageTask(f"a__b/{index}", "a", "b", index, index, "a photo of a b")
        for index in range(2)
    ]
    for one in make_generator("diffusion", str(where), CALL)(tasks):
        assert (one.fault, one.flagged) == (fault, bool(fault))
        assert one.image.size == (32, 32)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_none_spoils_a_picture(number):
    from aobench.newset.generators import _as_made

    pixels = np.linspace(0, 1, 8 * 8 * 3, dtype=np.float32).reshape(8, 8, 3)
    assert not _as_made(pixels.copy(), False).flagged
    pixels[3, 4, 1] = number  # one channel of one pixel
    made = _as_made(pixels, False)
    assert made.flagged
    assert made.fault == "its pixels are not numbers"


def test_pictures_are_those_of_the_pipeline_itself(sdxl):
    from aobench.newset.generators import ImageTask

    generator = make_generator("diffusion", str(sdxl), CALL)
    ours = generator([ImageTask("a__b/0", "a", "b", 0, 5, "a photo of a b")])[
        0
    ].image
    theirs = generator.pipe(
        prompt=["a photo of a b"],
        generator=[torch.Generator("cpu").manual_seed(5)],
        **CALL,
    )
    assert ours.tobytes() == theirs.images[0].tobytes()


def test_a_picture_of_nan_is_told_and_never_accepted(sdxl, tmp_path, capsys):
    _spoiled(sdxl, tmp_path / "sdxl", decoder__conv_in__bias=(ALL, HUGE))
    path = compose_configuration(
        tmp_path, ["the sky"], objects=["banana", "airliner"]
    )
    content = json.loads(path.read_text())
    content["generate"] = {"model": "sdxl", "images": 1, "options": CALL}
    path.write_text(json.dumps(content))
    for again in range(2):
        assert (
            main(
                ["build", str(path), "--cpu", "--steps", "compose", "generate"]
            )
            == 0
        )
        rows = read_rows(
            step_folder(tmp_path / "out", "generate") / "images.parquet"
        )
        assert [row["fault"] for row in rows] == [
            "its pixels are not numbers"
        ] * 2, f"run {again}"
        # the PNG itself says it, too
        (step_folder(tmp_path / "out", "generate") / "images.parquet").unlink()
    assert main(["build", str(path), "--cpu", "--steps", "generate"]) == 0
    assert "2 that are no pictures" in capsys.readouterr().out
    from aobench.newset.validate.step import _flagged

    rows = read_rows(
        step_folder(tmp_path / "out", "generate") / "images.parquet"
    )
    reasons = set(_flagged(rows, tmp_path / "out").values())
    assert [(reason.code, reason.text) for reason in reasons] == [
        ("flagged", "flagged: its pixels are not numbers")
    ]
