"""The bundled model: loadable by transformers alone, and as good as its card says."""

import json

import pytest
from transformers import CLIPModel, CLIPProcessor

import aobench.cli as cli
from aobench.models.registry import BUNDLED


def test_transformers_alone_loads_it():
    model, processor = (
        CLIPModel.from_pretrained(BUNDLED),
        CLIPProcessor.from_pretrained(BUNDLED),
    )
    assert (
        processor.tokenizer("a photo of a wooden banana.").input_ids[0]
        == model.config.text_config.bos_token_id
    )
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < 8_000_000


def test_it_names_novel_compositions_and_the_metric_agrees(tmp_path):
    import evaluate

    from aobench.results.predictions import read
    from aobench.results.scores import metric_inputs

    template = tmp_path / "one.txt"
    template.write_text("a photo of a {}.\n")
    arguments = [
        "evaluate",
        "mini",
        "--limit",
        "200",
        "--templates",
        str(template),
        "--out",
        str(tmp_path),
        "--cpu",
    ]
    assert cli.main(arguments) == 0
    figures = json.loads((tmp_path / "mini" / "results.json").read_text())[
        "scores"
    ]["composition"]["splits"]
    assert figures["ood"]["composition_top1"] > 0.8
    assert figures["id"]["composition_top1"] > 0.8
    predictions = read(tmp_path / "mini" / "predictions.parquet")
    metric = evaluate.load("metrics/compositional_ood")
    again = metric.compute(
        **metric_inputs(predictions.split("ood"), predictions.candidates["ood"])
    )
    assert again["composition_top1"] == figures["ood"]["composition_top1"]
    assert again["composition_top1_low"] == pytest.approx(
        figures["ood"]["composition_top1_low"]
    )
