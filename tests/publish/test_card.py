"""Cards: a new one, and a section in the user's own."""

import copy
import dataclasses
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from PIL import Image

import aobench.cli as cli
from aobench.analysis.effective import effective_generalization, fit_baseline
from aobench.analysis.model_accuracies import ModelAccuracies
from aobench.publish.card import BEGIN, END, card_section
from aobench.publish.hub_entries import effective_over
from aobench.results.scores import POPULATION
from aobench.results.verified import read_result

DATASET = "org/imagenet-ao"
MODEL_CARDS = Path(__file__).parents[2] / "model_cards"


def _card(result, out, *more):
    return cli.main(
        ["card", str(result), "--dataset", DATASET, "--out", str(out), *more]
    )


def test_a_new_card_has_table_metadata_figure_and_entries(result, tmp_path):
    assert _card(result, tmp_path) == 0
    card = ModelCard((tmp_path / "README.md").read_text())
    rows = {row.metric_type: row.metric_value for row in card.data.eval_results}
    assert set(rows) == {"composition_top1", "attribute_top1", "object_top1"}
    assert "| ood | composition top-1 |" in card.text
    assert "95 % interval" in card.text
    assert "chance" in card.text
    entries = parse_eval_result_entries(
        yaml.safe_load(
            (tmp_path / ".eval_results/imagenet_ao.yaml").read_text()
        )
    )
    assert {entry.task_id: entry.value for entry in entries} == rows
    assert {entry.dataset_id for entry in entries} == {DATASET}
    assert all(
        "2 prompts" in entry.notes
        and "composition of 4 candidates" in entry.notes
        for entry in entries
    )
    with Image.open(tmp_path / "imagenet_ao.png") as picture:
        assert picture.width > 400


def test_the_users_own_card_stays_and_a_second_run_renews_the_section(
    result, tmp_path
):
    own = "---\nlicense: mit\nlanguage: en\ntags:\n- mine\n---\n# My model\n\nMy words.\n"
    (tmp_path / "README.md").write_text(own)
    assert _card(result, tmp_path) == 0
    once = (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text(once + "\nWords below.\n")
    assert _card(result, tmp_path) == 0
    text = (tmp_path / "README.md").read_text()
    card = ModelCard(text)
    assert (card.data.license, card.data.language, card.data.tags) == (
        "mit",
        "en",
        ["mine"],
    )
    assert "My words." in text
    assert "Words below." in text
    assert text.count(BEGIN) == text.count(END) == 1
    assert len(card.data.eval_results) == 3


def test_rows_of_other_benchmarks_stay(result, tmp_path):
    from huggingface_hub import EvalResult, ModelCardData

    other = EvalResult(
        "image-classification", "org/other", "Other", "accuracy", 0.5
    )
    data = ModelCardData(model_name="m", eval_results=[other])
    (tmp_path / "README.md").write_text(f"---\n{data.to_yaml()}\n---\n# M\n")
    assert _card(result, tmp_path) == 0
    found = ModelCard((tmp_path / "README.md").read_text()).data.eval_results
    assert {row.dataset_type for row in found} == {"org/other", DATASET}


def test_a_card_whose_metadata_is_broken_is_left_alone(
    result, tmp_path, capsys
):
    (tmp_path / "README.md").write_text("---\n[: broken\n---\n# M\n")
    assert _card(result, tmp_path) == 2
    assert "metadata" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text().startswith("---\n[: broken")


def test_a_folder_without_a_result_is_one_line(tmp_path, capsys):
    assert _card(tmp_path, tmp_path / "out") == 2
    error = capsys.readouterr().err.strip()
    assert f"there is no {tmp_path}/results.json" in error
    assert len(error.splitlines()) == 1


def test_a_result_cut_short_is_named(result, tmp_path, capsys):
    copy = shutil.copytree(result, tmp_path / "copy")
    (copy / "results.json").write_text(
        (result / "results.json").read_text()[:100]
    )
    assert _card(copy, tmp_path / "out") == 2
    assert "is not readable JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    ["nonsense", "a/b/c", "/b", "a/", "a b/c", "https://huggingface.co/a/b"],
)
def test_a_dataset_that_is_no_repository_is_refused(
    result, tmp_path, name, capsys
):
    assert (
        cli.main(
            [
                "card",
                str(result),
                "--dataset",
                name,
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 2
    )
    assert (
        "--dataset takes a repository of the Hub, ORG/NAME, such as your-org/imagenet-ao; got "
        f"{name!r}" in (capsys.readouterr().err)
    )
    assert not (tmp_path / "out").exists()


def test_extremes_need_ten_images_and_ties_are_counted(result):
    few = card_section(read_result(result))
    assert "fare worst" not in few, (
        "twelve images, three of a kind, tell no best and worst"
    )
    supervised = card_section(read_result(MODEL_CARDS / "efficientnet-lite0"))
    assert (
        "of those with at least 10 images: african elephant 0 % (n = 40)"
        in supervised
    )
    assert re.search(
        r"box turtle 0 % \(n = 40\) and 32 more at 0 %\. Best:", supervised
    )


def test_the_card_has_intervals_of_the_gap_and_says_what_is_independent():
    text = card_section(read_result(MODEL_CARDS / "mini"))
    assert re.search(
        r"ID less OoD, task `composition`: \+8\.6 points \[\+2\.5, \+15\.4\]\.",
        text,
    )
    assert re.search(
        r"area 86\.8 % \[85\.\d, 88\.\d\] \(chance 4\.3e-05 %\); "
        r"harmonic mean 89\.3 % \[88\.\d, 90\.\d\] \(chance 0\.042 %\) at biases chosen on other",
        text,
    )
    assert "unlike difficulty" not in text, "both splits choose from one list"
    assert (
        "| ood | composition top-1 | 94.2 | 91.0 to 96.2 | 0.18 | 550 (composition-own)"
        in text
    )
    assert (
        "| ood | composition top-1 | 98.8 | 98.0 to 99.3 | 11.11 | 9 (choice)"
        in text
    )
    assert POPULATION in text
    assert "choice id: the interval is for these" not in text
    assert "trial run" not in text


def test_a_baseline_needs_models_with_both_splits(result, tmp_path, capsys):
    others = [
        str(MODEL_CARDS / name) for name in ("mini", "efficientnet-lite0")
    ]
    assert _card(result, tmp_path, "--baseline", *others) == 2
    assert "on both id and ood" in capsys.readouterr().err


@pytest.mark.parametrize("count", [2, 3])
def test_copies_of_a_result_are_no_baseline(result, tmp_path, count, capsys):
    copies = [
        str(shutil.copytree(result, tmp_path / f"baseline{number}"))
        for number in range(count)
    ]
    assert _card(result, tmp_path, "--baseline", *copies) == 2
    assert "hold the same table of predictions" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["pipe", "device", "loop", "junk", "UTF-16"])
def test_a_card_of_ones_own_that_is_no_text_is_one_line(
    damage, result, tmp_path, capsys
):
    card = tmp_path / "README.md"
    if damage == "pipe":
        os.mkfifo(card)
    elif damage in ("device", "loop"):
        card.symlink_to("/dev/zero" if damage == "device" else card.name)
    else:
        card.write_bytes(
            b"\xe3\xa9" if damage == "junk" else "# Mine".encode("utf-16")
        )
    assert _card(result, tmp_path) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(card) in said


def test_the_head_of_a_card_with_a_byte_order_mark_is_kept(result, tmp_path):
    card = tmp_path / "README.md"
    card.write_text(
        "\ufeff---\nlicense: mit\n---\n\nOwn words.\n", encoding="utf-8"
    )
    assert _card(result, tmp_path) == 0
    text = card.read_text(encoding="utf-8")
    assert ModelCard(text).data.license == "mit"
    assert "Own words." in text


def test_a_card_has_the_interval_that_the_screen_has(tmp_path):
    """`imagenet-ao card --baseline` and `imagenet-ao effective` are one estimator."""
    base = read_result(MODEL_CARDS / "mini")
    rates = [(0.5, 0.3), (0.6, 0.45), (0.7, 0.5), (0.8, 0.72), (0.75, 0.4)]
    results = [
        _with_rates(base, f"model {i}", *pair) for i, pair in enumerate(rates)
    ]
    *baseline, model = results
    card = effective_over(model, baseline)
    records = [_record(result) for result in results]
    screen = effective_generalization(fit_baseline(records[:-1]), records[-1:])[
        0
    ]
    for name, value in (
        ("", screen.rho),
        ("_low", screen.rho_low),
        ("_high", screen.rho_high),
    ):
        assert card[f"effective_composition_top1{name}"] == pytest.approx(
            value
        ), name


KEY = "composition_top1"


def _with_rates(result, name, known, novel):
    """``result`` of another model, with other accuracies on the two splits."""
    content = copy.deepcopy(result.content)
    content["model"]["id"] = name
    changed = dataclasses.replace(result, content=content)
    for split, rate in (("id", known), ("ood", novel)):
        changed.splits[split] |= {KEY: rate, f"{KEY}_effective_n": 321.4}
    return changed


def _record(result):
    known, novel = (result.splits[split] for split in ("id", "ood"))
    n = [round(one[f"{KEY}_effective_n"]) for one in (known, novel)]
    name = result.content["model"]["id"]
    return ModelAccuracies(name, "f", "t", known[KEY], n[0], novel[KEY], n[1])
