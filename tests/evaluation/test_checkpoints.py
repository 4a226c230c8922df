"""A model whose weights or sizes are not what its folder says is refused before any image is
run.
"""

import json
import shutil
import sys

import pytest
import torch
from helpers.tiny_models import save
from safetensors.torch import load_file, save_file

from aobench.errors import UserError
from aobench.models import registry
from aobench.models.base import LoadOptions
from aobench.models.checkpoints import load_checked, watch_loading

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A folder of each kind, saved once."""
    root = tmp_path_factory.mktemp("originals")
    for kind in ("clip", "clipseg", "siglip", "align"):
        save(kind, root / kind)
    return root


@pytest.fixture
def copy(originals, tmp_path):
    def copied(kind):
        return shutil.copytree(originals / kind, tmp_path / kind)

    return copied


def _load(folder):
    return registry.resolve(str(folder)).load(CPU, LoadOptions())


def _reweigh(folder, change):
    path = folder / "model.safetensors"
    state = change(load_file(path))
    save_file(
        {key: value.contiguous() for key, value in state.items()},
        path,
        metadata={"format": "pt"},
    )


def _set(folder, file, **changed):
    content = json.loads((folder / file).read_text())
    for key, value in changed.items():
        part, _, name = key.partition("__")
        (content[part] if name else content)[name or key] = value
    (folder / file).write_text(json.dumps(content))


def _refused(folder, *words):
    with pytest.raises(UserError) as caught:
        _load(folder)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"


@pytest.mark.parametrize(
    ("kind", "gone"),
    [
        ("clip", "visual_projection.weight"),
        ("clip", "text_model.encoder.layers.1.mlp.fc1.bias"),
        ("siglip", "vision_model.head.probe"),
        ("siglip", "logit_bias"),
        (
            "align",
            "vision_model.encoder.blocks.0.depthwise_conv.depthwise_norm.running_var",
        ),
    ],
)
def test_a_weight_that_is_missing_is_named(kind, gone, copy):
    folder = copy(kind)
    _reweigh(
        folder,
        lambda state: {
            key: value for key, value in state.items() if key != gone
        },
    )
    _refused(folder, "1 weights are missing", gone)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.clip."])
def test_weights_under_other_names_are_not_taken_for_none(prefix, copy):
    folder = copy("clip")
    _reweigh(
        folder,
        lambda state: {prefix + key: value for key, value in state.items()},
    )
    _refused(folder, "missing", "no place in the model", f"({prefix}")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"vision_config__num_hidden_layers": 1}, "no place in the model"),
        ({"vision_config__num_hidden_layers": 3}, "are missing"),
        ({"projection_dim": 8}, "another shape"),
        ({"text_config__max_position_embeddings": 12}, "another shape"),
        ({"text_config__vocab_size": 2000}, "another shape"),
    ],
)
def test_a_configuration_of_another_size_is_refused(changed, words, copy):
    folder = copy("clip")
    _set(folder, "config.json", **changed)
    _refused(folder, words)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "key",
    [
        "visual_projection.weight",
        "logit_scale",
        "text_model.final_layer_norm.bias",
    ],
)
def test_a_weight_that_is_no_number_is_named(key, value, copy):
    folder = copy("clip")
    _reweigh(
        folder, lambda state: {**state, key: torch.full_like(state[key], value)}
    )
    _refused(folder, key, "NaN or infinity")


def test_extras_that_change_no_number_pass(copy):
    folder = copy("clip")
    wanted = _load(folder).encode_texts(["the red lion"])
    places = torch.arange(24)[None]
    _reweigh(
        folder,
        lambda state: {**state, "text_model.embeddings.position_ids": places},
    )
    assert torch.equal(_load(folder).encode_texts(["the red lion"]), wanted)


def test_clipseg_with_its_decoder_passes_and_others_do_not(copy):
    extra = {"decoder.film_mul.weight": torch.ones(2, 2)}
    folder = copy("clipseg")
    _reweigh(folder, lambda state: state | extra)
    _load(folder)
    folder = copy("clip")
    _reweigh(folder, lambda state: state | extra)
    _refused(folder, "decoder.film_mul.weight")


def test_steps_of_training_may_be_missing_and_running_means_may_not(copy):
    folder = copy("align")
    _reweigh(
        folder,
        lambda state: {
            k: v for k, v in state.items() if "num_batches_tracked" not in k
        },
    )
    _load(folder)
    _reweigh(
        folder,
        lambda state: {
            k: v for k, v in state.items() if "running_mean" not in k
        },
    )
    _refused(folder, "running_mean")


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_weights_that_are_cut_short_are_one_line(size, copy):
    path = copy("clip") / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    _refused(path.parent, "could not be loaded")


@pytest.mark.parametrize(
    "name", ["adapter_config.json", "adapter_model.safetensors"]
)
@pytest.mark.parametrize(
    "alone", [(), ("model.safetensors",), ("model.safetensors", "config.json")]
)
def test_an_adapter_is_refused_whether_or_not_peft_is_here(name, alone, copy):
    folder = copy("clip")
    (folder / name).write_text("{}")
    for file in alone:
        (folder / file).unlink()
    _refused(folder, "adapter", "merge")


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("clip", "logit_scale", 100.0),
        ("clip", "logit_scale", 14.3),
        ("siglip", "logit_scale", 60.0),
        ("align", "temperature", 0.0),
        ("align", "temperature", -1.0),
    ],
)
def test_a_scale_that_no_model_was_trained_with_is_refused(
    kind, key, value, copy
):
    folder = copy(kind)
    _reweigh(
        folder, lambda state: {**state, key: torch.full_like(state[key], value)}
    )
    _refused(folder, key, "multiplies cosines")


@pytest.mark.parametrize(
    ("kind", "changed", "words"),
    [
        (
            "clip",
            {
                "size": {"shortest_edge": 64},
                "crop_size": {"height": 64, "width": 64},
            },
            "refuses pictures",
        ),
        ("siglip", {"size": {"height": 48, "width": 32}}, "refuses pictures"),
        ("clip", {"do_resize": False, "do_center_crop": False}, "unlike sizes"),
        ("clip", {"do_center_crop": False}, "unlike sizes"),
        ("siglip", {"do_resize": False}, "unlike sizes"),
        ("clip", {"image_mean": [0.5, 0.5]}, "processor fails"),
    ],
)
def test_pixels_that_the_tower_refuses_are_one_line(kind, changed, words, copy):
    folder = copy(kind)
    _set(folder, "preprocessor_config.json", **changed)
    _refused(folder, words)


def test_a_tower_that_is_dead_is_refused(copy):
    folder = copy("clip")
    _reweigh(
        folder,
        lambda state: {
            **state,
            "visual_projection.weight": state["visual_projection.weight"] * 0,
        },
    )
    _refused(folder, "image tower", "one and the same vector")


def test_a_bug_in_the_trial_stays_a_bug(copy, monkeypatch):
    from aobench.models.dual_encoder import TransformersDualEncoder

    def broken(*_):
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(TransformersDualEncoder, "image_features", broken)
    with pytest.raises(RuntimeError, match="a bug of ours"):
        _load(copy("clip"))


def test_a_causal_language_model_without_a_layer_is_refused(tmp_path):
    from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

    GPT2LMHeadModel(
        GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2)
    ).save_pretrained(tmp_path)
    mask = torch.ones(1, 1, 4, 4, dtype=torch.uint8)
    _reweigh(
        tmp_path, lambda state: {**state, "transformer.h.0.attn.bias": mask}
    )
    load_checked(
        AutoModelForCausalLM, str(tmp_path)
    )  # the head is tied, the mask is made again
    _reweigh(
        tmp_path,
        lambda state: {
            key: value for key, value in state.items() if ".h.1." not in key
        },
    )
    with pytest.raises(UserError, match="12 weights are missing"):
        load_checked(AutoModelForCausalLM, str(tmp_path))


def test_what_is_never_loaded_is_seen_wherever_it_was_built():
    with watch_loading() as weights:
        tower = torch.nn.Sequential(
            torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)
        )
    with pytest.raises(UserError, match="no weights were loaded"):
        weights.refuse_gaps("tower", tower)
    with watch_loading() as weights:
        tower[0].load_state_dict(
            {"weight": torch.ones(2, 2), "bias": torch.ones(2)}
        )
        tower[1].load_state_dict(
            {"weight": torch.ones(2), "bias": torch.ones(2)}, strict=False
        )
    with pytest.raises(
        UserError, match=r"2 weights are missing .*running_mean, 1.running_var"
    ):
        weights.refuse_gaps("tower", tower)
    assert "watched" not in torch.nn.Module.load_state_dict.__name__, (
        "torch is as it was"
    )


def test_peft_is_not_needed_to_see_an_adapter(copy, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    folder = copy("siglip")
    (folder / "adapter_config.json").write_text("{}")
    _refused(folder, "adapter_config.json")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"do_rescale": False}, "makes pixels from -"),
        ({"rescale_factor": 1.0}, "makes pixels from -"),
        (
            {"image_mean": [127.0] * 3, "image_std": [1.0] * 3},
            "makes pixels from -127",
        ),
        ({"image_std": [0.0] * 3}, "makes pixels from -inf"),
        ({"image_mean": [float("nan")] * 3}, "makes pixels from nan"),
        ({"size": {"shortest_edge": 10**6}}, "has a size of 1000000 pixels"),
        ({"size": {"shortest_edge": -1}}, "has a size of -1 pixels"),
        (
            {"crop_size": {"height": 10**6, "width": 10**6}},
            "has a crop_size of 1000000 pixels",
        ),
    ],
)
def test_a_processor_of_another_model_is_refused_before_a_picture(
    changed, words, copy
):
    folder = copy("clip")
    file = next(folder.glob("*processor_config.json"))
    content = json.loads(file.read_text())
    content.get("image_processor", content).update(changed)
    file.write_text(json.dumps(content))
    _refused(folder, words)


@pytest.mark.parametrize("end", [None, [5]])
def test_a_text_tower_whose_end_is_not_said_is_refused(end, copy):
    folder = copy("clip")
    content = json.loads((folder / "config.json").read_text())
    content["text_config"]["eos_token_id"] = end
    (folder / "config.json").write_text(json.dumps(content))
    _refused(folder, "eos_token_id")
