"""A classifier's outputs are the classes that its configuration names, or it is refused."""

import json
import random

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ViTConfig, ViTForImageClassification

from aobench.errors import UserError
from aobench.models import registry
from aobench.models.base import LoadOptions
from aobench.vocabulary.imagenet_classes import class_order
from aobench.vocabulary.published import published_lists, wordnet_lemmas

WNIDS = [
    wnid
    for wnid, _ in sorted(
        published_lists().objects.values(), key=lambda item: item[1]
    )
]
NAMES = [
    name
    for name, _ in sorted(
        published_lists().objects.items(), key=lambda item: item[1][1]
    )
]
SYNONYMS = [
    ", ".join(wordnet_lemmas()[wnid]) for wnid in WNIDS
]  # as the Hub's id2label: "tench, Tinca tinca"
UNNAMED = [f"LABEL_{place}" for place in range(1000)]
IN_ORDER = tuple(range(1000))


def _shuffled(names):
    places = random.Random(0).sample(range(len(names)), len(names))
    return [names[place] for place in places], places


@pytest.mark.parametrize(
    "labels",
    [
        NAMES,
        WNIDS,
        SYNONYMS,
        [
            f"{wnid} {words}"
            for wnid, words in zip(WNIDS, SYNONYMS, strict=True)
        ],
        [words.split(", ")[0].replace(" ", "_").upper() for words in SYNONYMS],
    ],
)
def test_names_in_imagenets_order_are_recognised(labels):
    order = class_order(labels, 1000, "m")
    assert order.columns == IN_ORDER
    assert order.note == "named, in ImageNet's order"


@pytest.mark.parametrize("labels", [NAMES, WNIDS])
def test_names_in_another_order_are_put_right(labels):
    shuffled, places = _shuffled(labels)
    order = class_order(shuffled, 1000, "m")
    assert [places[column] for column in order.columns] == list(IN_ORDER)
    assert "put into ImageNet's order" in order.note
    scores = torch.tensor([places], dtype=torch.float32)
    assert order.sorted_scores(scores).tolist() == [list(map(float, IN_ORDER))]


@pytest.mark.parametrize("place", [0, 1000, 500])
def test_the_background_is_left_out_wherever_it_stands(place):
    labels = [*NAMES[:place], "background", *NAMES[place:]]
    order = class_order(labels, 1001, "m")
    assert order.columns == tuple(i + (i >= place) for i in IN_ORDER)
    assert "background" in order.note


@pytest.mark.parametrize(
    "labels", [None, UNNAMED, [str(place) for place in range(1000)]]
)
def test_classes_without_names_are_taken_in_order_and_it_is_noted(labels):
    assert (
        class_order(labels, 1000, "m").note
        == "unnamed: taken in ImageNet's order"
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            [f"dish {i}" for i in range(1000)],
            "1,000 of its 1,000 classes are not ImageNet-1k's: 'dish 0'",
        ),
        ([*NAMES[:999], "pizza oven"], "1 of its 1,000 classes"),
        ([*NAMES[:999], NAMES[0]], "one and the same class"),
        (UNNAMED[::-1], "are not ImageNet-1k's"),
        ([*UNNAMED, "LABEL_1000"], "background can't be known"),
        (["background", "background", *NAMES[1:]], "names 999 classes"),
        (NAMES[:10], "10 classes"),
        (["n99999999", *WNIDS[1:]], "n99999999"),
    ],
)
def test_other_classes_are_refused(labels, words):
    with pytest.raises(UserError, match=words) as caught:
        class_order(labels, len(labels), "m")
    assert "\n" not in str(caught.value)


def test_a_name_of_two_classes_is_not_guessed():
    first = [
        words.split(", ")[0] for words in SYNONYMS
    ]  # both cranes are "crane"
    assert class_order(first, 1000, "m").columns == IN_ORDER
    with pytest.raises(UserError, match="one and the same class"):
        class_order(sorted(first), 1000, "m")


def _classifier(path, labels):
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=16,
        id2label=dict(enumerate(labels)),
        label2id={},
    )
    model = ViTForImageClassification(config)
    torch.nn.init.normal_(model.classifier.weight, std=1.0)
    model.save_pretrained(path)
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 32, "width": 32},
    }
    (path / "preprocessor_config.json").write_text(json.dumps(processor))
    return path


def test_a_classifier_in_another_order_gives_the_same_scores(tmp_path):
    shuffled, places = _shuffled(WNIDS)
    usual, other = (
        _classifier(tmp_path / "usual", WNIDS),
        _classifier(tmp_path / "other", shuffled),
    )
    state = load_file(usual / "model.safetensors")
    for key in ("classifier.weight", "classifier.bias"):
        state[key] = state[key][places].contiguous()
    save_file(state, other / "model.safetensors", metadata={"format": "pt"})
    models = [
        registry.resolve(str(f)).load(torch.device("cpu"), LoadOptions())
        for f in (usual, other)
    ]
    batch = {"pixels": torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)}
    scores = [model.encode_images(batch) for model in models]
    torch.testing.assert_close(scores[0], scores[1])
    assert "put into" in models[1].info.notes["classes"]
