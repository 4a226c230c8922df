"""Loading a model: one line where it can't be, and a mark that tells its weights from others."""

import shutil

import pytest
from safetensors.numpy import load_file, save_file

from aobench.errors import UserError
from aobench.models.registry import BUNDLED
from aobench.models.weights import one_line, placed_model, weights_mark


@pytest.fixture
def model(tmp_path):
    shutil.copytree(BUNDLED, tmp_path / "pipeline" / "unet")
    return tmp_path / "pipeline"


def test_the_mark_is_of_the_content_in_all_subfolders(model):
    before = weights_mark(str(model))
    assert before.startswith("sha256:")
    shutil.copytree(model, model.with_name("copy"))
    assert weights_mark(str(model.with_name("copy"))) == before, (
        "a copy with the same bytes has another mark"
    )
    path = model / "unet" / "model.safetensors"
    weights = load_file(path)
    name = next(n for n, value in weights.items() if value.ndim)
    weights[name] = weights[name] + 1
    save_file(weights, path)
    assert weights_mark(str(model)) != before, (
        "other weights under the same path have the same mark"
    )


def test_a_hub_ids_mark_is_the_commit_in_the_cache(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refs = tmp_path / "models--some--model" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("c" * 40)
    assert weights_mark("some/model") == "c" * 40
    assert weights_mark("some/model", "d" * 40) == "d" * 40
    assert weights_mark("some/model-not-there") == "unknown"


def test_a_folder_beside_the_configuration_is_that_model(model, tmp_path):
    assert placed_model(tmp_path / "set.yaml", "pipeline") == str(model)
    assert (
        placed_model(tmp_path / "set.yaml", "openai/clip-vit-base-patch32")
        == "openai/clip-vit-base-patch32"
    )
    (tmp_path / "mini").mkdir()
    assert placed_model(tmp_path / "set.yaml", "mini") == "mini", (
        "mini is the bundled model"
    )


@pytest.mark.parametrize("kind", ["damaged", "another shape"])
def test_weights_that_do_not_fit_are_one_line(model, kind):
    from transformers import AutoModel

    path = model / "unet" / "model.safetensors"
    if kind == "damaged":
        path.write_bytes(b"junk" * 9)
    else:
        save_file(
            {
                name: value.repeat(2, 0)
                for name, value in load_file(path).items()
                if value.ndim
            },
            path,
        )
    with (
        pytest.raises(UserError, match="could not be loaded") as told,
        one_line("m"),
    ):
        AutoModel.from_pretrained(model / "unet")
    assert "\n" not in str(told.value)
