"""Each kind of dual encoder gives the numbers of the library's own forward pass."""

import json
import sys
import types

import numpy as np
import pytest
import torch
from helpers.tiny_models import KINDS, save
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForZeroShotImageClassification,
    AutoTokenizer,
)

from aobench.errors import UserError
from aobench.evaluation.embedding import embed_names
from aobench.models import registry
from aobench.models.base import LoadOptions, ModelInfo
from aobench.models.halving import Halving
from aobench.models.kinds import DUAL_ENCODERS
from aobench.models.pixels import ResizeCrop, WholeProcessor, transform_of
from aobench.models.prefix_tree import nodes_of, rows_of

CPU = torch.device("cpu")
TEXTS = [
    "a photo of a red teapot.",
    "the wooden banana",
    "a golden lion.",
    "a photo of the moss covered ambulance.",
    "lion",
]


def _load(source, **options):
    return registry.resolve(source).load(CPU, LoadOptions(**options))


def _images():
    draw = np.random.default_rng(0)
    return [
        Image.fromarray(draw.integers(0, 256, (h, w, 3), dtype=np.uint8))
        for h, w in ((40, 60), (90, 50), (33, 33))
    ]


def _batch(model):
    arrays = [model.transform(image) for image in _images()]
    return {
        name: torch.from_numpy(np.stack([a[name] for a in arrays]))
        for name in arrays[0]
    }


def test_every_kind_is_tested():
    assert set(KINDS) == set(DUAL_ENCODERS)


@pytest.mark.parametrize("kind", list(KINDS))
def test_logits_are_the_librarys(kind, tmp_path):
    source = save(kind, tmp_path / kind)
    model = _load(source)
    ours = (
        model.encode_images(_batch(model))
        @ model.encode_texts(TEXTS).T
        * model.info.notes["logit_scale"]
    )
    ours = ours + (model.info.notes["logit_bias"] or 0)
    reference = AutoModelForZeroShotImageClassification.from_pretrained(
        source
    ).eval()
    rule = DUAL_ENCODERS[kind]
    tokens = AutoTokenizer.from_pretrained(source)(
        TEXTS,
        padding="max_length" if rule.length else True,
        max_length=rule.length,
        truncation=bool(rule.length),
        return_tensors="pt",
    )
    pixels = AutoImageProcessor.from_pretrained(source, backend="pil")(
        _images(), return_tensors="pt"
    )
    with torch.inference_mode():
        wanted = reference(**tokens, **pixels).logits_per_image
    assert wanted.std(dim=1).min() > 1e-3, (
        "the texts can't be told apart: the test would prove nothing"
    )
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)
    counted = model.info.parameters
    assert counted["total"] == reference.num_parameters()
    assert counted["vision"] >= reference.vision_model.num_parameters()
    assert counted["text"] >= reference.text_model.num_parameters()
    assert counted["vision"] + counted["text"] == counted["total"]


@pytest.mark.parametrize(
    "kind", [kind for kind, rule in DUAL_ENCODERS.items() if rule.causal]
)
def test_causal_towers_go_by_the_tree(kind, tmp_path):
    from aobench.models.text_tower import TextTower

    model = _load(save(kind, tmp_path / kind))
    assert model.info.notes["texts"] == "tree"
    texts = [
        f"{start} {a} {o}{end}"
        for start in ("a photo of the", "the")
        for a in ("red", "golden", "moss covered")
        for o in ("lion", "banana", "teapot")
        for end in (".", "")
    ]
    trimmed = TextTower(
        model.model, model.tokenizer, kind, CPU, method="trimmed"
    )
    padded = TextTower(model.model, model.tokenizer, kind, CPU, method="padded")
    torch.testing.assert_close(
        model.encode_texts(texts), trimmed.encode(texts), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(
        model.encode_texts(texts), padded.encode(texts), rtol=0, atol=1e-5
    )


def test_configs_with_the_old_end_token(tmp_path):
    source = save("clip", tmp_path / "old", legacy=True)
    model = _load(source)
    tokens = model.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        wanted = torch.nn.functional.normalize(
            model.model.get_text_features(**tokens).pooler_output
        )
    torch.testing.assert_close(
        model.encode_texts(TEXTS), wanted, rtol=0, atol=1e-5
    )


def test_a_prompt_longer_than_the_tower_takes_is_cut_as_the_library_cuts_it(
    tmp_path,
):
    model = _load(save("clip", tmp_path / "clip"))
    text = "a photo of the red teapot " * 10
    tokens = model.tokenizer(
        [text], truncation=True, max_length=24, return_tensors="pt"
    )
    with torch.inference_mode():
        wanted = torch.nn.functional.normalize(
            model.model.get_text_features(**tokens).pooler_output
        )
    torch.testing.assert_close(
        model.encode_texts([text]), wanted, rtol=0, atol=1e-5
    )


def test_rows_of_the_tree_hold_each_prefix_once_and_see_their_ancestors():
    draw = np.random.default_rng(1)
    sequences = [
        draw.integers(0, 3, draw.integers(1, 9)).tolist() for _ in range(300)
    ]
    prefixes = {tuple(s[:n]) for s in sequences for n in range(1, len(s) + 1)}
    assert nodes_of(sequences) == len(prefixes)
    seen = []
    for rows in rows_of(sequences, rows=3, width=32):
        for row, node, prompt in zip(
            rows.row, rows.node, rows.prompts, strict=True
        ):
            path = np.flatnonzero(rows.visible[row, node])
            path = path[np.argsort(rows.positions[row, path])]
            assert rows.ids[row, path].tolist() == sequences[prompt]
            assert rows.positions[row, path].tolist() == list(range(len(path)))
            seen.append(int(prompt))
    assert sorted(seen) == list(range(300))


def test_the_classifier_is_the_mean_over_templates_and_is_kept(tmp_path):
    from accelerate import Accelerator

    model = _load(save("clip", tmp_path / "clip"))
    names, templates = (
        ["red teapot", "golden lion", "red teapot"],
        ("a photo of a {}.", "the {}"),
    )
    ours = embed_names(
        model, names, templates, tmp_path / "kept", Accelerator(cpu=True)
    )
    each = torch.stack(
        [
            model.encode_texts([t.format(n) for t in templates]).mean(0)
            for n in names
        ]
    )
    torch.testing.assert_close(
        ours, torch.nn.functional.normalize(each), rtol=0, atol=1e-6
    )
    assert torch.equal(ours[0], ours[2])
    model.encode_texts = None  # what is on disk is not computed again
    assert torch.equal(
        embed_names(
            model, names, templates, tmp_path / "kept", Accelerator(cpu=True)
        ),
        ours,
    )


@pytest.mark.parametrize(
    ("settings", "quick"),
    [
        ({"image_processor_type": "CLIPImageProcessor"}, True),
        ({"image_processor_type": "SiglipImageProcessor"}, True),
        (
            {
                "image_processor_type": "ViTImageProcessor",
                "resample": 2,
                "size": {"height": 50, "width": 40},
            },
            True,
        ),
        (
            {
                "image_processor_type": "CLIPImageProcessor",
                "do_normalize": False,
            },
            True,
        ),
        (
            {
                "image_processor_type": "CLIPImageProcessor",
                "size": {"shortest_edge": 40},
                "crop_size": 64,
            },
            False,
        ),
        (
            {
                "image_processor_type": "ConvNextImageProcessor",
                "size": {"shortest_edge": 224},
            },
            False,
        ),
        ({"image_processor_type": "MobileViTImageProcessor"}, False),
        ({"image_processor_type": "Siglip2ImageProcessor"}, False),
    ],
)
def test_pixels_have_the_bits_of_the_models_processor(
    settings, quick, tmp_path
):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    processor = AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    transform = transform_of(processor)
    assert isinstance(transform, ResizeCrop if quick else WholeProcessor)
    for image in _images():
        wanted = processor(image, return_tensors="pt")
        arrays = {
            name: torch.from_numpy(np.asarray(value))[None]
            for name, value in transform(image).items()
        }
        given = transform.inputs(arrays, CPU, torch.float32)
        assert set(given) == set(wanted)
        assert all(torch.equal(given[name], wanted[name]) for name in given)


def test_bfloat16_runs_and_is_near(tmp_path):
    source = save("clip", tmp_path / "clip")
    exact, rough = _load(source), _load(source, dtype="bfloat16")
    assert rough.info.dtype == "bfloat16"
    assert rough.encode_texts(TEXTS).dtype == torch.float32
    torch.testing.assert_close(
        exact.encode_texts(TEXTS), rough.encode_texts(TEXTS), rtol=0, atol=0.1
    )
    torch.testing.assert_close(
        exact.encode_images(_batch(exact)),
        rough.encode_images(_batch(rough)),
        rtol=0,
        atol=0.1,
    )


def test_the_revision_of_a_folder_is_its_content(tmp_path):
    a, b = save("clip", tmp_path / "a"), save("clip", tmp_path / "b")
    assert _load(a).info.revision == _load(b).info.revision
    other = save("clip", tmp_path / "c", quick="gelu")
    assert _load(a).info.revision != _load(other).info.revision


def test_quickgelu_in_one_tower_only_is_refused(tmp_path):
    source = save("clip", tmp_path / "clip")
    path = tmp_path / "clip" / "config.json"
    config = json.loads(path.read_text())
    config["vision_config"]["hidden_act"] = "gelu"
    path.write_text(json.dumps(config))
    with pytest.raises(UserError, match="set text_config"):
        _load(source)


def test_quickgelu_of_known_weights_is_checked(tmp_path):
    from transformers import AutoConfig

    from aobench.models.dual_encoder import check_activation

    config = AutoConfig.from_pretrained(
        save("clip", tmp_path / "clip", quick="gelu")
    )
    check_activation("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", config)
    with pytest.raises(UserError, match="set hidden_act to 'quick_gelu'"):
        check_activation("openai/clip-vit-base-patch32", config)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "openai/clip-vit-bse-patch32",
            "did you mean 'openai/clip-vit-base-patch32'",
        ),
        ("open-clip:RN50/cc12m", "did you mean 'open_clip'"),
        ("efficientnet-lite7", "did you mean 'efficientnet-lite"),
    ],
)
def test_did_you_mean(name, words):
    with pytest.raises(UserError, match=words):
        registry.resolve(name)


def test_weights_that_are_pickles_are_not_loaded(tmp_path):
    source = save("clip", tmp_path / "clip")
    weights = tmp_path / "clip" / "model.safetensors"
    torch.save({}, tmp_path / "clip" / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(UserError, match="could not be loaded"):
        _load(source)


def test_a_package_adds_a_kind(monkeypatch):
    class Third:
        def __init__(self, rest, device, options):
            self.info = ModelInfo(
                rest,
                "third",
                "1",
                "none",
                options.dtype,
                device.type,
                names_attributes=True,
            )

    module = types.ModuleType("third_party_kind")
    module.Third = Third
    monkeypatch.setitem(sys.modules, "third_party_kind", module)
    point = registry.metadata.EntryPoint(
        "third", "third_party_kind:Third", registry.GROUP
    )
    monkeypatch.setattr(
        registry.metadata,
        "entry_points",
        lambda group: [point] if group == registry.GROUP else [],
    )
    assert (
        registry.resolve("third:anything").load(CPU, LoadOptions()).info.id
        == "anything"
    )
    with pytest.raises(UserError, match="did you mean 'third'"):
        registry.resolve("thirds:anything")


@pytest.mark.parametrize("name", ["timm:resnet18", "open_clip:RN50/cc12m"])
def test_an_extra_that_is_absent_is_named(name):
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        with pytest.raises(UserError, match="pip install"):
            _load(name)
    else:
        pytest.skip("torchvision is present")


class _Small:
    """A device with room for ``room`` rows."""

    def __init__(self, room):
        self.room, self.sizes = room, []

    def __call__(self, batch):
        self.sizes.append(len(batch["x"]))
        if len(batch["x"]) > self.room:
            raise torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 1 GiB"
            )
        return batch["x"] * 2


def test_out_of_memory_halves_the_batch_and_remembers():
    device = _Small(3)
    halving = Halving(device)
    x = torch.arange(20.0)[:, None]
    assert torch.equal(halving({"x": x}), 2 * x)
    assert device.sizes[:3] == [20, 10, 5]
    device.sizes.clear()
    assert torch.equal(halving({"x": x}), 2 * x)
    assert max(device.sizes) <= 3


def test_no_room_for_one_image_is_one_line():
    with pytest.raises(UserError, match="batch of 1"):
        Halving(_Small(0))({"x": torch.ones(4, 1)})


def test_other_errors_are_not_hidden():
    def broken(batch):
        raise RuntimeError("shapes don't match")

    with pytest.raises(RuntimeError, match="shapes"):
        Halving(broken)({"x": torch.ones(4, 1)})
