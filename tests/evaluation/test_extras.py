"""open_clip and timm models, where these packages (and torchvision) are present."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from aobench.errors import UserError
from aobench.models.base import LoadOptions
from aobench.models.registry import resolve

CPU = torch.device("cpu")
TEXTS = ["a photo of a red teapot.", "the wooden banana", "a golden lion."]


def _package(name):
    try:
        import torchvision  # noqa: F401

        return pytest.importorskip(name)
    except (ImportError, RuntimeError):
        pytest.skip("torchvision is absent or of another build than torch")


def _image():
    return Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    )


def _batch(model):
    return {
        name: torch.from_numpy(value)[None]
        for name, value in model.transform(_image()).items()
    }


@pytest.fixture
def checkpoint(tmp_path):
    """A tiny open_clip checkpoint as open_clip itself writes it for the Hub."""
    open_clip = _package("open_clip")
    from safetensors.torch import save_file

    config = {
        "embed_dim": 16,
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": 32,
            "layers": 2,
            "width": 64,
            "patch_size": 16,
        },
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 64,
            "heads": 2,
            "layers": 2,
        },
    }
    torch.manual_seed(0)
    model = open_clip.CLIP(**config)
    for value in model.parameters():
        if value.dim() > 1:
            torch.nn.init.normal_(value, std=0.2)
    pixels = {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    (tmp_path / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": pixels})
    )
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()},
        tmp_path / "open_clip_model.safetensors",
    )
    return tmp_path, model.eval()


def test_open_clip_gives_its_own_numbers(checkpoint):
    open_clip = _package("open_clip")
    folder, reference = checkpoint
    model = resolve(f"open_clip:local-dir:{folder}").load(CPU, LoadOptions())
    assert model.info.names_attributes
    assert not model.model.training, (
        "BatchNorm CLIPs lose most of their accuracy in training mode"
    )
    with torch.inference_mode():
        texts = reference.encode_text(
            open_clip.get_tokenizer("RN50")(TEXTS), normalize=True
        )
        images = reference.encode_image(
            model.transform.function(_image())[None], normalize=True
        )
    torch.testing.assert_close(
        model.encode_texts(TEXTS), texts, rtol=0, atol=1e-5
    )
    torch.testing.assert_close(
        model.encode_images(_batch(model)), images, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("open_clip:RN50/cc12m", "name open_clip:RN50-quickgelu/cc12m"),
        ("open_clip:RN50-quickgelu/cc21m", "did you mean 'cc12m'"),
        ("open_clip:RN50-quikgelu/cc12m", "did you mean 'RN50-quickgelu'"),
        ("open_clip:RN50", "names no weights"),
        ("open_clip:ViT-B-32-quickgelu/laion2b_s34b_b79k", "no weights"),
    ],
)
def test_open_clip_names_are_checked_before_anything_is_fetched(name, words):
    _package("open_clip")
    with pytest.raises(UserError, match=words):
        resolve(name).load(CPU, LoadOptions())


def test_timm_gives_its_own_numbers(tmp_path):
    timm = _package("timm")
    torch.manual_seed(0)
    reference = timm.create_model("resnet10t", num_classes=1000).eval()
    timm.models.save_for_hf(reference, tmp_path, safe_serialization=True)
    model = resolve(f"timm:local-dir:{tmp_path}").load(CPU, LoadOptions())
    settings = timm.data.resolve_model_data_config(reference)
    pixels = timm.data.create_transform(**settings, is_training=False)(
        _image()
    )[None]
    with torch.inference_mode():
        wanted = reference(pixels)
    torch.testing.assert_close(
        model.encode_images(_batch(model)), wanted, rtol=0, atol=1e-4
    )


def test_a_timm_classifier_over_other_labels_is_refused(tmp_path):
    timm = _package("timm")
    timm.models.save_for_hf(
        timm.create_model("resnet10t", num_classes=10),
        tmp_path,
        safe_serialization=True,
    )
    with pytest.raises(UserError, match="10 classes"):
        resolve(f"timm:local-dir:{tmp_path}").load(CPU, LoadOptions())


def _change(path, change):
    from safetensors.torch import load_file, save_file

    save_file(
        {k: v.contiguous() for k, v in change(load_file(path)).items()}, path
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda state: {
                k: v for k, v in state.items() if k != "text_projection"
            },
            "missing .*text_projection",
        ),
        (
            lambda state: {f"_orig_mod.{k}": v for k, v in state.items()},
            "no weights were loaded",
        ),
        (
            lambda state: {**state, "spare": torch.ones(1)},
            "no place in the model .*spare",
        ),
        (
            lambda state: {**state, "logit_scale": torch.tensor(100.0)},
            "multiplies cosines",
        ),
        (
            lambda state: {
                **state,
                "text_projection": state["text_projection"] * float("nan"),
            },
            "NaN",
        ),
    ],
)
def test_open_clip_weights_that_do_not_fit_are_refused(
    change, words, checkpoint
):
    folder, _ = checkpoint
    _change(folder / "open_clip_model.safetensors", change)
    with pytest.raises(UserError, match=words):
        resolve(f"open_clip:local-dir:{folder}").load(CPU, LoadOptions())


def test_open_clip_without_weights_is_refused(checkpoint):
    folder, _ = checkpoint
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(
        UserError, match=r"no weights were loaded|could not be loaded"
    ):
        resolve(f"open_clip:local-dir:{folder}").load(CPU, LoadOptions())


def test_open_clip_says_what_it_cuts(checkpoint):
    folder, _ = checkpoint
    model = resolve(f"open_clip:local-dir:{folder}").load(CPU, LoadOptions())
    tokens = model.read_texts(["red lion", "red " * 75, "red " * 76])
    assert tokens.cut == [False, False, True]


def _timm(path, **config):
    timm = _package("timm")
    torch.manual_seed(0)
    timm.models.save_for_hf(
        timm.create_model("resnet10t"), path, safe_serialization=True
    )
    content = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**content, **config}))
    return f"timm:local-dir:{path}"


@pytest.mark.parametrize("gone", ["fc.weight", "layer1.0.bn1.running_mean"])
def test_a_timm_classifier_without_its_weights_is_refused(gone, tmp_path):
    name = _timm(tmp_path)
    _change(
        tmp_path / "model.safetensors",
        lambda state: {k: v for k, v in state.items() if k != gone},
    )
    with pytest.raises(UserError, match=gone):
        resolve(name).load(CPU, LoadOptions())


def test_a_timm_classifier_whose_head_is_dropped_is_refused(tmp_path):
    timm = _package("timm")
    timm.models.save_for_hf(
        timm.create_model("resnet10t", num_classes=10),
        tmp_path,
        safe_serialization=True,
    )
    content = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps({**content, "model_args": {"num_classes": 1000}})
    )
    with pytest.raises(UserError, match=r"fc\."):
        resolve(f"timm:local-dir:{tmp_path}").load(CPU, LoadOptions())


def test_a_timm_classifier_is_mapped_by_its_label_names(tmp_path):
    from aobench.vocabulary.published import published_lists

    wnids = [
        wnid
        for wnid, _ in sorted(
            published_lists().objects.values(), key=lambda item: item[1]
        )
    ]
    usual = resolve(_timm(tmp_path / "a", label_names=wnids)).load(
        CPU, LoadOptions()
    )
    turned = resolve(_timm(tmp_path / "b", label_names=wnids[::-1])).load(
        CPU, LoadOptions()
    )
    assert torch.equal(
        usual.encode_images(_batch(usual)),
        turned.encode_images(_batch(turned)).flip(1),
    )
    assert "put into ImageNet's order" in turned.info.notes["classes"]
    with pytest.raises(UserError, match="not ImageNet-1k's"):
        resolve(
            _timm(
                tmp_path / "c", label_names=[f"dish {i}" for i in range(1000)]
            )
        ).load(CPU, LoadOptions())
