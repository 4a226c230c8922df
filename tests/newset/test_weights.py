"""Networks that generate and judge have all their weights and tokenizers, or are refused."""

import shutil

import pytest
import torch
from helpers import tiny_vlms
from helpers.tiny_pipelines import save_sdxl
from safetensors.torch import load_file, save_file

from aobench.errors import UserError
from aobench.newset.generators import Diffusion, ImageTask
from aobench.newset.plausibility import mean_log_probability
from aobench.newset.validate.vlm import YesNo

CALL = {
    "num_inference_steps": 1,
    "guidance_scale": 0.0,
    "height": 32,
    "width": 32,
}


def _reweigh(path, change):
    state = {
        key: value.contiguous()
        for key, value in change(load_file(path)).items()
    }
    save_file(state, path, metadata={"format": "pt"})


def _drop_first(state):
    return {key: state[key] for key in sorted(state)[1:]}


def _refused(function, *words):
    with pytest.raises(UserError) as caught:
        function()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory):
    pytest.importorskip("diffusers")
    folder = tmp_path_factory.mktemp("originals") / "sdxl"
    save_sdxl(folder)
    return folder


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals") / "llava"
    tiny_vlms.save("llava", folder)
    return folder


def test_a_whole_pipeline_draws_in_the_dtype_that_was_asked_for(sdxl):
    pipeline = Diffusion(str(sdxl), {**CALL, "dtype": "bfloat16"})
    assert {
        pipeline.pipe.unet.dtype,
        pipeline.pipe.vae.dtype,
        pipeline.pipe.text_encoder_2.dtype,
    } == {torch.bfloat16}
    assert (
        len(
            pipeline(
                [
                    ImageTask(
                        "red__fox/0",
                        "red",
                        "fox",
                        0,
                        1,
                        "a photo of a red lion",
                    )
                ]
            )
        )
        == 1
    )


@pytest.mark.parametrize(
    ("part", "file"),
    [
        ("unet", "diffusion_pytorch_model.safetensors"),
        ("vae", "diffusion_pytorch_model.safetensors"),
        ("text_encoder", "model.safetensors"),
        ("text_encoder_2", "model.safetensors"),
    ],
)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_drop_first, "1 weights are missing"),
        (
            lambda state: {**state, "spare": torch.ones(1)},
            "no place in the model (spare)",
        ),
        (
            lambda state: {
                key: value * float("nan") for key, value in state.items()
            },
            "NaN",
        ),
        (
            lambda state: {
                key: torch.ones(*value.shape, 2) for key, value in state.items()
            },
            "",
        ),
    ],
)
def test_a_part_of_a_pipeline_without_its_weights_is_refused(
    part, file, change, words, sdxl, tmp_path
):
    folder = shutil.copytree(sdxl, tmp_path / "sdxl")
    _reweigh(folder / part / file, change)
    _refused(lambda: Diffusion(str(folder), dict(CALL)), part, words)


def test_a_pipeline_without_a_vocabulary_is_refused(sdxl, tmp_path):
    folder = shutil.copytree(sdxl, tmp_path / "sdxl")
    for path in (folder / "tokenizer_2").glob("*"):
        if path.name != "tokenizer_config.json":
            path.unlink()
    _refused(lambda: Diffusion(str(folder), dict(CALL)), "tokenizer_2")


@pytest.mark.parametrize(
    "part", ["lm_head", "multi_modal_projector", "layers.1.mlp"]
)
def test_a_judge_without_its_weights_is_refused(part, llava, tmp_path):
    folder = shutil.copytree(llava, tmp_path / "llava")
    state = load_file(folder / "model.safetensors")
    gone = {key for key in state if part in key}
    assert gone
    _reweigh(
        folder / "model.safetensors",
        lambda state: {k: v for k, v in state.items() if k not in gone},
    )
    _refused(
        lambda: YesNo(str(folder), {}, [("red", "fox")]),
        f"{len(gone)} weights are missing",
    )


def test_a_judge_without_a_vocabulary_is_refused(llava, tmp_path):
    folder = shutil.copytree(llava, tmp_path / "llava")
    (folder / "tokenizer.json").unlink()
    _refused(lambda: YesNo(str(folder), {}, [("red", "fox")]), str(folder))


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_padding_of_a_language_model_changes_no_probability(side, tmp_path):
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    from aobench.models.registry import BUNDLED

    tokenizer = AutoTokenizer.from_pretrained(
        BUNDLED, padding_side=side, truncation_side=side
    )
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2)
    ).save_pretrained(tmp_path)
    texts = ["a photo of a red lion", "lion"]
    together = mean_log_probability(str(tmp_path), texts)
    apart = [mean_log_probability(str(tmp_path), [text])[0] for text in texts]
    assert together == pytest.approx(apart, abs=1e-4)
    _reweigh(
        tmp_path / "model.safetensors",
        lambda state: {k: v for k, v in state.items() if ".h.1." not in k},
    )
    _refused(
        lambda: mean_log_probability(str(tmp_path), texts),
        "12 weights are missing",
    )
