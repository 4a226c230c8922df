"""Generative models that choose: against the library's own passes, however they are run, and what
is refused.
"""

import json
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import tiny_vlms
from PIL import Image
from safetensors.torch import load_file, save_file

import aobench
from aobench.cli import main
from aobench.errors import UserError
from aobench.evaluation.asking import ask_all
from aobench.evaluation.data import Source, open_splits
from aobench.evaluation.prior_weight import composition_half, fit_weights
from aobench.evaluation.questions import ask_splits
from aobench.evaluation.runner import Settings
from aobench.images import grey_picture, read_image
from aobench.models.answer_letters import letter_tokens
from aobench.models.base import AskedOptions, LoadOptions
from aobench.models.registry import resolve
from aobench.results.asked_again import asked_again_lines
from aobench.results.option_order import option_orders, rotated_orders
from aobench.results.tasks import TASKS, headline_task
from aobench.vocabulary.questions import (
    BUNDLED_QUESTIONS,
    bundled_questions,
    read_questions,
)

CPU = torch.device("cpu")
#: Classes whose answers see the image from beside the text, so that a tree behind it won't do.
WHOLE = ("mllama",)
OPTIONS = ("red fox", "wooden fox", "red banana", "moss covered banana")


def pictures():
    draw = np.random.default_rng(1)
    sizes = ((64, 64, 3), (48, 80, 3), (70, 40, 3))
    return [
        Image.fromarray(draw.integers(0, 256, size, dtype=np.uint8))
        for size in sizes
    ]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny model by class and prefix; its files are written once."""
    root, made = tmp_path_factory.mktemp("generative"), {}

    def get(name, method="letters"):
        if not (root / name).exists():
            tiny_vlms.save(name, root / name)
        if (name, method) not in made:
            found = resolve(f"{method}:{root / name}")
            made[name, method] = found.load(CPU, LoadOptions())
        return made[name, method]

    get.root = root
    return get


def alone(core, image, prompt):
    """The library's own inputs of one prompt; alone, it has no padding."""
    begin = core.processor.tokenizer.bos_token
    more = {"add_special_tokens": False} if prompt.startswith(begin) else {}
    more |= {"return_tensors": "pt", "padding": True}
    batch = core.processor(images=[[image]], text=[prompt], **more)
    return {key: value for key, value in batch.items() if key != "labels"}


@pytest.mark.parametrize("name", tiny_vlms.CLASSES)
def test_letters_are_the_first_token_of_the_librarys_own_pass(model, name):
    one = model(name)
    asked = [
        AskedOptions("composition", OPTIONS),
        AskedOptions("object", OPTIONS[::-1]),
    ]
    asked.append(
        AskedOptions("attribute", ("red", "moss covered", "golden", "wooden"))
    )
    found = one.score_options(pictures(), asked)
    letters = letter_tokens(one.core.processor.tokenizer, 4, name)
    for row, (image, mine) in enumerate(zip(pictures(), asked, strict=True)):
        text = one.questions.lettered(mine.kind, mine.options)
        inputs = alone(one.core, image, one.core.frame.text(text))
        with torch.inference_mode():
            share = one.core.network(**inputs).logits[0, -1].softmax(-1)
        sums = torch.stack([share[tokens].sum() for tokens in letters])
        wanted = (sums / sums.sum()).log()
        assert torch.allclose(found[row], wanted, atol=1e-4), (name, row)
    counted = one.info.parameters
    assert counted["total"] == one.core.network.num_parameters()
    assert counted["vision"] + counted["text"] == counted["total"]
    assert (found[0] - found[1]).abs().max() > 1e-3, (
        "the question changes nothing"
    )


@pytest.mark.parametrize("name", tiny_vlms.CLASSES)
def test_likelihoods_are_those_of_the_librarys_own_decoding(model, name):
    """Each answer is decoded token by token with the library's cache, forced along its tokens."""
    one = model(name, "likelihood")
    core = one.core
    image, asked = pictures()[1], AskedOptions("composition", OPTIONS)
    prompt = core.frame.text(one.questions.open("composition"))
    answers = [core.frame.answer_tokens(prompt, option) for option in OPTIONS]
    assert len(set(map(len, answers))) > 1, "answers of one length show less"
    inputs = alone(core, image, prompt)
    before = inputs["input_ids"].shape[1]
    wanted = []
    for answer in answers:
        said = core.network.generate(
            **inputs,
            max_new_tokens=len(answer),
            min_new_tokens=len(answer),
            do_sample=False,
            prefix_allowed_tokens_fn=lambda _, ids, answer=answer: [
                answer[min(len(ids) - before, len(answer) - 1)]
            ],
            output_logits=True,
            return_dict_in_generate=True,
        )
        steps = zip(said.logits, answer, strict=True)
        wanted.append(
            sum(
                float(logits[0].log_softmax(-1)[token])
                for logits, token in steps
            )
        )
    both = core.frame.text(one.questions.open("object"))
    pair = ([image, pictures()[2]], [prompt, both], [answers, answers])
    ways = [one.scorer.whole_passes]
    if name not in WHOLE:
        ways.append(one.scorer.by_tree)
    for how in ways:
        found = how(*pair)[0]
        assert torch.allclose(found, torch.tensor(wanted), atol=1e-4), (
            name,
            how,
        )
    assert torch.allclose(
        one.score_options([image], [asked])[0], torch.tensor(wanted), atol=1e-4
    )
    expected = "whole passes" if name in WHOLE else "prefix tree"
    assert one.info.notes["likelihood"] == expected


def test_answers_that_share_a_beginning_are_computed_once(model):
    from aobench.models.prefix_tree import nodes_of

    one = model("llava", "likelihood")
    prompt = one.core.frame.text("Which?")
    answers = [
        one.core.frame.answer_tokens(prompt, option) for option in OPTIONS
    ]
    assert nodes_of(answers) < sum(map(len, answers))


@pytest.fixture(scope="module")
def splits():
    return open_splits(Source("mini"), limit=11)


def run(
    one,
    splits,
    folder,
    process=0,
    processes=1,
    tasks=("choice", "attribute"),
    **more,
):
    accelerator = SimpleNamespace(
        process_index=process,
        num_processes=processes,
        is_main_process=process == 0,
        device=CPU,
        wait_for_everyone=lambda: None,
    )
    settings = Settings(folder, tasks, batch=3, shard=4, workers=0, **more)
    questions, _ = ask_splits(one, splits, tasks)
    made = {
        "model": {"notes": {}, "id": "x"},
        "dataset": {
            "config": "mini",
            "splits": {s.name: {"n": len(s)} for s in splits},
        },
    }
    return ask_all(one, splits, questions, settings, accelerator, made)[0]


def test_any_number_of_processes_and_kills_give_the_same_rows(
    model, splits, tmp_path
):
    one = model("llava")
    wanted = run(one, splits, tmp_path / "one").table
    for process in (
        2,
        0,
        1,
    ):  # each does its share, and what it misses of the others'
        found = run(one, splits, tmp_path / "three", process, 3).table
        assert found.equals(wanted), f"process {process} of 3 has other rows"
    shards = sorted((tmp_path / "one").glob("*/*.safetensors"))
    before = shards[0].read_bytes()
    shards[0].unlink()  # as if killed
    shards[1].write_bytes(shards[1].read_bytes()[:-7])
    assert run(one, splits, tmp_path / "one").table.equals(wanted)
    assert shards[0].read_bytes() == before


#: The command, which kills itself once the n-th shard stands, as ``kill -9`` does.
KILLED = """
import os, signal, sys
from aobench.cli import main
from aobench.evaluation.embedding_store import Store
write, seen = Store.write, []
def stop(self, *given):
    write(self, *given)
    seen.append(given[0])
    if len(seen) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
Store.write = stop
sys.exit(main(sys.argv[2:]))
"""


def test_a_run_that_is_killed_in_the_middle_ends_with_the_same_bytes(
    warm, model, tmp_path
):
    model("llava")
    name = str(model.root / "llava")
    arguments = [
        "evaluate",
        name,
        "--data",
        "mini",
        "--cpu",
        "--tasks",
        "choice",
    ]
    arguments += ["--limit", "10", "--shard-size", "4", "--out"]
    assert main([*arguments, str(tmp_path / "whole")]) == 0
    broken = tmp_path / "broken"
    (ended,) = warm.run(1, ["4", *arguments, str(broken)], code=KILLED)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    left = {
        path: path.stat().st_mtime_ns for path in broken.rglob("*.safetensors")
    }
    assert len(left) == 4
    assert not list(broken.rglob("results.json"))
    assert main([*arguments, str(broken)]) == 0
    assert all(path.stat().st_mtime_ns == then for path, then in left.items())
    tables = [
        out / "llava" / "predictions.parquet"
        for out in (broken, tmp_path / "whole")
    ]
    assert tables[0].read_bytes() == tables[1].read_bytes()


def test_a_second_method_of_likelihood_costs_no_pass(
    model, splits, tmp_path, monkeypatch
):
    run(model("llava", "likelihood"), splits, tmp_path)
    for method in ("mean-likelihood", "pmi", "debiased"):
        other = model("llava", method)
        monkeypatch.setattr(other, "score_options", None)
        assert len(run(other, splits, tmp_path).table)


def test_methods_rank_by_their_formulas(model, splits, tmp_path):
    """Of one image, from scores computed here."""
    split = splits[1]
    place = 5
    for method in ("likelihood", "mean-likelihood", "pmi"):
        one = model("llava", method)
        table = run(one, splits, tmp_path, tasks=("choice",))
        rows = table.split("ood", "choice")
        row = rows["sample_id"].index(split.sample_ids[place])
        names = table.lists["choice"]["ood"].names
        asked = AskedOptions(
            "composition", tuple(names[i] for i in rows["choices"][row])
        )
        image = read_image(split.rows[place]["image"])
        seen = one.score_options([image], [asked])[0]
        grey = one.score_options([grey_picture(image.size)], [asked])[0]
        wanted = {
            "likelihood": seen,
            "mean-likelihood": seen / torch.tensor(one.count_tokens(asked)),
            "pmi": seen - grey,
        }[method]
        best = [
            rows["choices"][row][i] for i in wanted.argsort(descending=True)[:5]
        ]
        assert rows["top"][row] == best, method
        blind = table.split("ood", "choice-blind")
        assert blind["sample_id"] == rows["sample_id"]


def test_the_command_tells_blind_answers_and_letters_in_one_table_with_clip(
    model, tmp_path, capsys
):
    model("llava")
    name = str(model.root / "llava")
    arguments = [
        "evaluate",
        "mini",
        name,
        f"pmi:{name}",
        "--data",
        "mini",
        "--cpu",
    ]
    arguments += ["--tasks", "choice", "composition", "--limit", "12"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "The task composition is left out: a generative model" in said
    for part in (
        "choice-blind",
        "choice-rotated",
        "same blind",
        "behind other letters",
    ):
        assert part in said, part
    folders = [one for one in tmp_path.iterdir() if one.name != "embeddings"]
    results = {r.model: r for r in map(aobench.load_result, folders)}
    assert len(results) == 3
    letters = results[name]
    assert letters.content["model"]["kind"] == "generative"
    assert letters.content["model"]["notes"]["answers"] == "letters"
    assert (
        letters.content["tasks"]["choice"]
        == results["mini"].content["tasks"]["choice"]
    )
    mine = letters.scores["choice"]["splits"]["ood"]
    assert 0 <= mine["rotated_agreement_low"] <= mine["rotated_agreement"]
    assert (
        "rotated_agreement"
        not in results[f"pmi:{name}"].scores["choice"]["splits"]["ood"]
    )
    assert main(["score", *map(str, folders)]) == 0


# The order of options


def test_each_letter_is_right_equally_often_and_the_rows_order_says_nothing():
    ids = [f"image {i}" for i in range(95)]
    offered = np.sort(
        np.random.default_rng(0).permuted(
            np.tile(np.arange(30), (95, 1)), axis=1
        )[:, :9]
    )
    right = offered[np.arange(95), np.arange(95) % 9]
    order = option_orders(ids, offered, right)
    places = np.bincount((order == right[:, None]).argmax(1), minlength=9)
    assert places.max() - places.min() <= 1
    assert (np.sort(order) == offered).all()
    turned = np.arange(95)[::-1]
    again = option_orders(
        [ids[i] for i in turned], offered[turned], right[turned]
    )
    assert (again == order[turned]).all()
    assert (rotated_orders(order) != order).all()
    firsts = {tuple(np.argsort(np.argsort(row))) for row in order}
    assert len(firsts) > 80, "the wrong options are hardly shuffled"


def test_a_task_asked_again_never_stands_for_the_result():
    assert (
        headline_task(["object", "choice-blind", "choice", "attribute"])
        == "choice"
    )
    assert headline_task(["object", "attribute"]) == "object"
    assert TASKS["choice-blind"].condition == "blind"


def test_more_candidates_than_letters_are_not_asked(model):
    wide = open_splits(Source("mini"), limit=60)
    asked, lines = ask_splits(model("llava"), wide, ("object", "choice"))
    assert list(asked) == [
        "choice",
        "choice-blind",
        "choice-rotated",
        "choice-object",
    ]
    assert "more than 26 letters" in lines[0]
    assert len(lines) == 3
    asked, lines = ask_splits(model("llava", "likelihood"), wide, ("object",))
    assert (list(asked), lines) == (["object", "object-blind"], [])


def test_models_of_other_kinds_are_not_asked_again(splits):
    clip = resolve("mini").load(CPU, LoadOptions())
    asked, lines = ask_splits(clip, splits, ("choice", "choice-blind"))
    assert list(asked) == ["choice", "choice-object"]
    assert len(lines) == 1
    assert "choice-blind" in lines[0]


# The prior


def test_an_image_has_no_say_in_its_own_weight():
    draw = np.random.default_rng(3)
    pairs = [(a, o) for a in range(12) for o in range(12)]
    right = torch.from_numpy(draw.integers(0, 9, len(pairs)))
    blind = torch.from_numpy(draw.normal(size=(len(pairs), 9))) * 3
    seen = blind + torch.from_numpy(draw.normal(size=blind.shape))
    seen[torch.arange(len(pairs)), right] += 2
    scores, weights = fit_weights(seen, blind, right, pairs)
    assert all(0.5 < weight <= 1.5 for weight in weights), weights
    hits = [
        float((s.argmax(1) == right).float().mean()) for s in (seen, scores)
    ]
    assert hits[1] > hits[0] + 0.2
    mine = torch.tensor([composition_half(pair) == 0 for pair in pairs])
    other = right.clone()
    other[mine] = (other[mine] + 1) % 9
    assert fit_weights(seen, blind, other, pairs)[1][0] == weights[0], (
        "the weight of a half hangs on its own answers"
    )


def test_what_is_the_same_blind_is_said():
    mine = {
        "blind_agreement": 1.0,
        "blind_agreement_low": 0.9,
        "blind_agreement_high": 1.0,
    }
    scores = {"choice": {"splits": {"id": mine}}}
    assert "the image changes nothing" in asked_again_lines("m", scores)[0]


# Bad input


def refused(name, words, options=None):
    with pytest.raises(UserError) as told:
        resolve(name).load(CPU, options or LoadOptions())
    assert words in str(told.value), str(told.value)
    assert "\n" not in str(told.value)


@pytest.fixture
def copied(model, tmp_path):
    def get(name):
        model(name)
        return shutil.copytree(model.root / name, tmp_path / name)

    return get


def test_a_model_without_a_chat_template_is_refused(copied):
    folder = copied("idefics3")
    for file in folder.glob("chat_template*"):
        file.unlink()
    refused(str(folder), "has no chat template")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for m in messages %}", "Unexpected end of template"),
        ("{{ raise_exception('text alone') }}", "question: text alone; take"),
        ("{{ messages[0]['content'] + '' }}", "can only concatenate"),
        ("USER: <image> ASSISTANT:", "leaves the question out"),
        ("{{ messages[0]['content'][0]['text'] }}", "leaves the question out"),
    ],
)
def test_a_chat_template_that_cannot_put_the_question_is_one_line(
    model, monkeypatch, template, words
):
    frame = model("llava").core.frame
    assert "Which thing?" in frame.text("Which thing?")
    monkeypatch.setattr(frame.processor, "chat_template", template)
    with pytest.raises(UserError) as told:
        frame.text("Which thing?")
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_chat_template_without_the_image_is_one_line(model, monkeypatch):
    one = model("llava")
    without = one.core.processor.chat_template.replace("<image>", "")
    monkeypatch.setattr(one.core.processor, "chat_template", without)
    asked = [AskedOptions("object", OPTIONS)]
    with pytest.raises(UserError, match="Found total 0 <image> tokens") as told:
        one.score_options(pictures()[:1], asked)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (float("nan"), "NaN or infinite logits"),
        (float("inf"), "NaN or infinite logits"),
        (-float("inf"), "NaN or infinite logits"),
    ],
)
def test_an_image_whose_numbers_are_none_is_named(
    model, splits, tmp_path, monkeypatch, number, words
):
    core, calls = model("llava").core, []
    letters = letter_tokens(core.processor.tokenizer, 9, "x")
    logits_at = core.logits_at

    def damaged(*given, **more):
        logits = logits_at(*given, **more).clone()
        calls.append(logits)
        if len(calls) == 1:
            logits[1, :, np.concatenate(letters)] = number
        return logits

    monkeypatch.setattr(core, "logits_at", damaged)
    with pytest.raises(UserError) as told:
        run(model("llava"), splits, tmp_path, tasks=("choice",))
    assert str(told.value).startswith(f"image {splits[0].sample_ids[1]}: ")
    assert words in str(told.value)


def test_an_option_that_is_never_written_is_refused(model):
    scores = torch.zeros(3, 4)
    scores[2, 1] = -float("inf")
    with pytest.raises(UserError, match="no probability at all") as told:
        model("llava").core.refuse_impossible(scores)
    assert told.value.rows == (2,)


def change(folder, function):
    path = folder / "model.safetensors"
    state = function(load_file(path))
    save_file(state, path, metadata={"format": "pt"})


def test_a_model_that_ignores_its_image_is_refused(copied):
    folder = copied("llava")
    change(
        folder,
        lambda state: {
            k: torch.zeros_like(v) if "multi_modal_projector" in k else v
            for k, v in state.items()
        },
    )
    refused(f"likelihood:{folder}", "ignores its image")


def test_questions_longer_than_the_context_are_refused(copied):
    folder = copied("llava")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 40
    (folder / "config.json").write_text(json.dumps(config))
    refused(str(folder), "the model's context holds 40")


def test_logits_that_are_no_numbers_are_refused(copied):
    folder = copied("llava")
    change(
        folder,
        lambda state: {
            k: v * 1e30 if "mlp" in k else v for k, v in state.items()
        },
    )
    refused(str(folder), "NaN or infinite logits")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("letters:mini", "doesn't generate text about images"),
        ("likelihod:mini", "did you mean 'likelihood'"),
        (
            "pmi:nowhere",
            "is not in the local cache, and the Hub was not reached",
        ),
    ],
)
def test_a_name_that_is_no_generative_model_is_one_line(name, words):
    refused(name, words)


def test_compiling_is_refused(model):
    model("llava")
    refused(str(model.root / "llava"), "--compile", LoadOptions(compile=True))


class Tokens:
    """A tokenizer of a table: text to ids."""

    def __init__(self, table):
        self.table = table

    def __call__(self, text, add_special_tokens=False):
        return {"input_ids": self.table(text)}

    def convert_ids_to_tokens(self, ids):
        return ["▁" if one == 0 else f"t{one}" for one in ids]


def test_letters_that_are_no_tokens_or_one_token_are_refused():
    spaced = Tokens(lambda text: [0, ord(text.strip())])
    assert letter_tokens(spaced, 2, "x") == [[65], [66]]
    with pytest.raises(UserError, match="the letter B is no token of its own"):
        letter_tokens(
            Tokens(lambda t: [5, 6] if "B" in t else [ord(t.strip())]), 3, "x"
        )
    with pytest.raises(
        UserError, match="begins the letters A and B with one and the same"
    ):
        letter_tokens(Tokens(lambda text: [7]), 2, "x")
    with pytest.raises(UserError, match="there are 27 options and 26 letters"):
        letter_tokens(spaced, 27, "x")


def test_a_mark_of_the_beginning_that_is_written_unasked_is_no_letter():
    begun = Tokens(lambda text: [1, ord(text.strip())])
    with pytest.raises(UserError, match="the letter A is no token of its own"):
        letter_tokens(begun, 2, "x")
    begun.bos_token_id = 1
    assert letter_tokens(begun, 2, "x") == [[65], [66]]


def test_letters_of_any_case_that_are_one_token_are_refused():
    """A tokenizer that writes small letters does no harm; one that ends words in them does."""
    small = Tokens(lambda text: [ord(text.strip().lower())])
    assert letter_tokens(small, 2, "x") == [[97], [98]]
    spelt = Tokens(lambda text: [ord(one) for one in f"{text.strip()}."])
    with pytest.raises(UserError, match="the letter A is no token of its own"):
        letter_tokens(spelt, 2, "x")


def bundled_texts():
    return json.loads(BUNDLED_QUESTIONS.read_text())


@pytest.mark.parametrize(
    ("answer", "text", "words"),
    [
        ("letters", "Which? {options} {image}", r"holds \{image\}, which"),
        ("likelihood", "Name the {thing}.", r"holds \{thing\}, which"),
        ("letters", "Which?", r"must hold \{options\} once"),
        ("letters", "{options} or {options}?", r"must hold \{options\} once"),
        ("likelihood", "Which? {options}", r"must hold \{options\} nowhere"),
        ("letters", "  ", "is no text"),
        ("letters", 3, "is no text"),
        ("letters", None, "is no text"),
    ],
)
def test_a_file_of_questions_that_cannot_be_put_is_one_line(
    tmp_path, answer, text, words
):
    content = bundled_texts()
    content[answer]["object"] = text
    path = tmp_path / "questions.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=words) as told:
        read_questions(path)
    assert f"{answer}.object" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"letters": 1}'])
def test_a_file_that_holds_no_questions_is_one_line(tmp_path, text):
    path = tmp_path / "questions.json"
    path.write_text(text)
    with pytest.raises(UserError) as told:
        read_questions(path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_other_words_have_another_hash(tmp_path):
    path = tmp_path / "questions.json"
    content = bundled_texts()
    path.write_text(json.dumps(content))
    assert read_questions(path).hash == bundled_questions().hash
    content["letters"]["object"] += " "
    path.write_text(json.dumps(content))
    assert read_questions(path).hash != bundled_questions().hash


def test_options_that_a_tokenizer_writes_alike_are_refused(model):
    one = model("llava", "likelihood")
    asked = AskedOptions("object", ("Red fox", "red fox"))
    with pytest.raises(UserError, match="one and the same text"):
        one.score_options(pictures()[:1], [asked])


def test_a_processor_that_needs_an_absent_package_is_one_line(copied):
    from transformers.utils import is_torchvision_available

    if is_torchvision_available():
        pytest.skip("torchvision is there")
    folder = copied("llava")
    path = folder / "processor_config.json"
    content = json.loads(path.read_text())
    content["processor_class"] = "PixtralProcessor"
    path.write_text(json.dumps(content))
    refused(str(folder), "needs the package torchvision")
