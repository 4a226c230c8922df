"""The bundled generative model: whole from its parts, answers by letters, and its table; and the
lessons by which it was trained.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

import aobench
from aobench.cli import main
from aobench.mini.lessons import PICTURE_TOKENS, LessonMaker
from aobench.mini.splits import pairs
from aobench.models import bundled
from aobench.models.bundled import (
    BUNDLED,
    GENERATIVE,
    generative_folder,
    model_folder,
)
from aobench.models.vlm_processor import load_vlm_processor
from aobench.vocabulary.questions import LETTERS, bundled_questions

ROOT = Path(__file__).parents[2]


def test_the_bundle_is_small_and_transformers_alone_loads_the_whole():
    from transformers import AutoModelForImageTextToText, CLIPModel

    assert sum(path.stat().st_size for path in GENERATIVE.iterdir()) < 3_000_000
    model = AutoModelForImageTextToText.from_pretrained(
        generative_folder(), dtype=torch.float32
    )
    clip = CLIPModel.from_pretrained(BUNDLED, dtype=torch.float32)
    tower = model.model.vision_tower.state_dict()
    theirs = clip.vision_model.state_dict()
    assert tower.keys() == theirs.keys()
    assert all(torch.equal(tower[key], theirs[key]) for key in tower)


def test_the_whole_is_written_once_and_beside_a_cache_that_cannot_be(
    tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    places = (tmp_path / "file" / "no folder", tmp_path / "second")
    monkeypatch.setattr(bundled, "_places", lambda: places)
    make = generative_folder.__wrapped__
    folder = make()
    assert folder.parent == places[1]
    written = folder / "model.safetensors"
    then = written.stat().st_mtime_ns
    assert make() == folder
    assert written.stat().st_mtime_ns == then
    assert (
        written.read_bytes()
        == (generative_folder() / written.name).read_bytes()
    )
    assert model_folder("mini") == BUNDLED
    assert model_folder("mini-generative") == generative_folder()


def test_it_chooses_by_letters_what_novel_pictures_show(tmp_path):
    words = [
        "evaluate",
        "mini-generative",
        "--tasks",
        "choice",
        "--limit",
        "60",
    ]
    assert main([*words, "--cpu", "--out", str(tmp_path)]) == 0
    result = aobench.load_result(tmp_path / "mini-generative")
    assert result.content["dataset"]["config"] == "mini", (
        "its own set by default"
    )
    scores = {
        task: facts["splits"]["ood"]["composition_top1"]
        for task, facts in result.scores.items()
        if task != "choice-object"
    }
    assert scores["choice"] > 0.4
    assert scores["choice-rotated"] > 0.4
    assert scores["choice-blind"] < 0.3


def test_the_documents_table_is_that_of_the_results_beside_it():
    path = ROOT / "benchmarks" / "generative_choice.py"
    spec = importlib.util.spec_from_file_location("generative_choice", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = module.markdown(module.RESULTS)
    assert (
        table.count("`choice-blind`")
        == table.count("mini-generative` | `choice` |")
        > 0
    )
    assert table in (ROOT / "docs" / "generative.md").read_text()


# The lessons


@pytest.fixture(scope="module")
def maker():
    processor = load_vlm_processor(str(generative_folder()), "mini-generative")
    return LessonMaker(processor, pairs(novel=False), np.random.default_rng(3))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("composition", [("snowy", "teapot"), ("moss covered", "polar bear")]),
        ("object", [("", "rugby ball"), ("", "teapot"), ("", "ant")]),
        ("attribute", [("moss covered", ""), ("red", "")]),
    ],
)
def test_a_lesson_is_the_question_that_the_model_is_asked(
    maker, monkeypatch, kind, options
):
    """Token by token what its processor makes of the framed question, up to the answer."""
    from PIL import Image

    from aobench.models.vlm_processor import QuestionFrame

    right = options[1]
    monkeypatch.setattr(
        maker, "shown", [(right[0] or "red", right[1] or "ant")]
    )
    monkeypatch.setattr(maker, "_kind", lambda: kind)
    monkeypatch.setattr(maker, "_options", lambda *_: options)
    frame = QuestionFrame(maker.processor, "llava", "mini-generative")
    names = [" ".join(filter(None, option)) for option in options]
    texts = bundled_questions()
    tokens = list(range(PICTURE_TOKENS))
    for lesson, question, answer in (
        (
            maker.lettered(0, tokens, len(options)),
            texts.lettered(kind, names),
            "B",
        ),
        (maker.open(0, tokens), texts.open(kind), names[1]),
    ):
        place, first = lesson.answers[0]
        image = Image.new("RGB", (56, 56))
        asked = maker.processor(images=[[image]], text=[frame.text(question)])
        assert lesson.ids[: place + 1] == list(asked["input_ids"][0])
        assert first == maker.tokens(answer)[0]
        assert [token for _, token in lesson.answers] == maker.tokens(answer)


def test_each_letter_is_right_about_equally_often_and_the_look_is_at_its_option(
    maker,
):
    counts = np.zeros(9, int)
    letters = [maker.tokens(one)[0] for one in LETTERS[:9]]
    for picture in range(0, 2090, 11):
        lesson = maker.lettered(picture, [0], 9)
        (place, token), (asking, end) = lesson.answers[0], lesson.looks[0]
        number = letters.index(token)
        counts[number] += 1
        assert asking == place
        assert dict(lesson.letters)[end] == number
    assert counts.sum() == 190
    assert counts.min() >= 8, counts


def test_an_exercise_asks_for_letters_of_its_own_options(maker):
    for size in (2, 4, 9):
        lesson = maker.exercise(5, size, 6)
        assert len(lesson.answers) == len(lesson.looks) == 6
        assert len(lesson.letters) == size
        shown = [picture for picture, _ in lesson.pictures]
        assert lesson.ids.count(maker.image) == len(shown)
        ends = dict(lesson.letters)
        for (_, token), (_, end) in zip(
            lesson.answers, lesson.looks, strict=True
        ):
            assert maker.tokens(LETTERS[ends[end]])[0] == token
