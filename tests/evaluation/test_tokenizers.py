"""Texts reach the tower as it was trained, whatever tokenizer_config.json says; or are refused."""

import functools
import json
import shutil

import numpy as np
import pytest
import torch
from helpers.tiny_models import KINDS, save
from PIL import Image

import aobench.cli as cli
from aobench.errors import UserError
from aobench.evaluation.prompts import count_cut_prompts
from aobench.mini.render import render
from aobench.models import registry
from aobench.models.base import LoadOptions
from aobench.models.tokenizers import check_tokenizer
from aobench.results.candidates import ask_task
from aobench.results.tasks import find_task

CPU = torch.device("cpu")
TEXTS = ["a photo of a red teapot.", "a golden lion", "lion"]
LONG = [*TEXTS, "a photo of the red teapot " * 20]
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt")


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A folder of each kind, saved once."""
    root = tmp_path_factory.mktemp("originals")
    for kind in KINDS:
        save(kind, root / kind)
    return root


@pytest.fixture
def copy(originals, tmp_path):
    return lambda kind: shutil.copytree(originals / kind, tmp_path / kind)


def _load(folder):
    return registry.resolve(str(folder)).load(CPU, LoadOptions())


@pytest.fixture(scope="module")
def unchanged(originals):
    """By kind the embeddings of `LONG` of its original."""
    return functools.cache(
        lambda kind: _load(originals / kind).encode_texts(LONG)
    )


def _set(path, **changed):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def _refused(folder, words):
    with pytest.raises(UserError, match=words) as caught:
        _load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_folder_without_its_vocabulary_is_refused(kind, copy):
    folder = copy(kind)
    for name in VOCABULARIES:
        (folder / name).unlink(missing_ok=True)
    _refused(folder, "tokenizer")


@pytest.mark.parametrize("kind", ["clip", "siglip2"])
def test_a_vocabulary_without_its_merges_is_refused(kind, copy):
    folder = copy(kind)
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["merges"] = []
    (folder / "tokenizer.json").write_text(json.dumps(content))
    _refused(folder, "letter by letter")


@pytest.mark.parametrize(
    ("kind", "other"),
    [("siglip2", "clip"), ("chinese_clip", "siglip2"), ("siglip", "clip")],
)
def test_the_tokenizer_of_a_larger_model_is_refused(
    kind, other, copy, originals
):
    folder = copy(kind)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(originals / other / name, folder / name)
    _refused(folder, "another model's tokenizer|begins texts")


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    "changed",
    [
        {"padding_side": "left"},
        {"truncation_side": "left"},
        {"model_max_length": 4},
        {"model_max_length": 10**30},
        {"model_input_names": ["input_ids"]},
        {
            "model_input_names": [
                "input_ids",
                "token_type_ids",
                "attention_mask",
            ]
        },
    ],
)
def test_settings_of_the_tokenizer_change_no_embedding(
    kind, changed, unchanged, copy
):
    folder = copy(kind)
    _set(folder / "tokenizer_config.json", **changed)
    torch.testing.assert_close(
        _load(folder).encode_texts(LONG),
        unchanged(kind),
        rtol=0,
        atol=1e-5,
    )


@pytest.mark.parametrize("end", [3, 49407])
@pytest.mark.parametrize("kind", ["clip", "clipseg", "metaclip_2"])
def test_an_end_of_text_that_is_not_the_tokenizers_is_said(kind, end, copy):
    folder = copy(kind)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["eos_token_id"] = end
    (folder / "config.json").write_text(json.dumps(config))
    _refused(folder, f"ends with the token {end} .*, by the tokenizer with")


@pytest.mark.parametrize("kind", ["altclip", "metaclip_2"])
def test_a_tokenizer_that_leaves_out_the_beginning_is_refused(kind, copy):
    folder = copy(kind)
    content = json.loads((folder / "tokenizer.json").read_text())
    frame = [
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "</s>", "type_id": 0}},
    ]
    content["post_processor"]["single"] = frame
    (folder / "tokenizer.json").write_text(json.dumps(content))
    _refused(folder, "begins texts without")


def test_letter_case_is_noted(originals):
    assert _load(originals / "clip").info.notes["letter_case"] == "ignored"


def test_the_tokenizer_of_a_judge_is_checked(originals, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        originals / "clip", padding_side="left"
    )
    check_tokenizer(tokenizer, "judge", 2000)
    assert tokenizer.padding_side == "right"
    with pytest.raises(UserError, match="another model's tokenizer"):
        check_tokenizer(tokenizer, "judge", 100)


def test_prompts_that_are_cut_are_counted(originals):
    model = _load(originals / "clip")  # 24 places
    names = ["red lion", "wooden banana in the red photo of the golden teapot"]
    templates = ("a photo of a {}.", "a " * 15 + "{}")
    assert count_cut_prompts(model, names, templates[:1]) == 0
    assert count_cut_prompts(model, names, templates) == 1


@pytest.mark.parametrize("kind", ["clip", "siglip", "align", "altclip"])
def test_a_template_that_cuts_the_names_off_is_refused(kind, originals):
    model = _load(originals / kind)
    templates = ("a photo of a {}.", "a photo " * 60 + "{}")
    with pytest.raises(UserError, match="cuts the names off"):
        count_cut_prompts(model, ["red lion", "golden lion"], templates)


@pytest.mark.parametrize(
    "names", [("red zebra", "red unicorn"), ("Red Lion", "red lion")]
)
def test_names_that_the_tokenizer_writes_alike_are_refused(names, originals):
    with pytest.raises(UserError, match="one and the same text"):
        count_cut_prompts(
            _load(originals / "siglip"), names, ("a photo of a {}.",)
        )


@pytest.mark.parametrize(
    "task", ["composition", "composition-own", "composition-open"]
)
def test_two_compositions_of_one_text_are_refused(task):
    attributes, objects = ["red", "red brick"], ["brick bakery", "bakery"]
    with pytest.raises(
        UserError, match=r"'red' \+ 'brick bakery' and 'red brick' \+ 'bakery'"
    ):
        ask_task(
            find_task(task), {"ood": [(0, 0), (1, 1)]}, attributes, objects
        )


@pytest.mark.parametrize("task", ["object", "attribute"])
def test_two_names_of_one_text_are_refused(task):
    with pytest.raises(UserError, match="one and the same text"):
        ask_task(
            find_task(task),
            {"ood": [(0, 0), (1, 1)]},
            ["dark red", "dark  red"],
            ["fox", "fox "],
        )


def test_cut_prompts_are_told_and_noted(tmp_path, capsys):
    for attribute, name in (("wooden", "banana"), ("red", "teapot")):
        place = tmp_path / "data" / f"{attribute}_{name}"
        place.mkdir(parents=True)
        Image.fromarray(render(attribute, name, np.random.default_rng(1))).save(
            place / "0.png"
        )
    templates = tmp_path / "two.txt"
    templates.write_text("a photo of a {}.\n{}" + " a" * 30 + "\n")
    arguments = [
        "--data",
        str(tmp_path / "data"),
        "--templates",
        str(templates),
        "--cpu",
    ]
    assert (
        cli.main(
            ["evaluate", "mini", *arguments, "--out", str(tmp_path / "out")]
        )
        == 0
    )
    assert (
        "mini, composition: 2 prompts had more tokens"
        in capsys.readouterr().out
    )
    content = json.loads(
        (tmp_path / "out" / "mini" / "results.json").read_text()
    )
    assert content["model"]["notes"]["prompts_cut"] == {
        "composition": 2,
        "composition-own": 2,
        "object": 2,
        "attribute": 2,
    }
