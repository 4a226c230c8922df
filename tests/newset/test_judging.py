"""Judges: which models can be asked, how, and what is refused; labels and people as the source
of known answers.
"""

import json
import shutil
import sqlite3

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import tiny_vlms
from helpers.annotation_tools import honest, judge_all
from helpers.builds import (
    PAIRS,
    allow,
    drawings,
    judging_configuration,
    verdicts_of,
    write_labels,
)
from helpers.tiny_pipelines import save_llava
from PIL import Image
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE, WordLevel
from transformers import PreTrainedTokenizerFast

from aobench.annotation.images import read_images_to_judge
from aobench.annotation.verdict_file import open_store
from aobench.cli import main
from aobench.errors import UserError
from aobench.newset.manifests import read_manifest, read_rows, step_folder
from aobench.newset.validate.calibration import calibration_half
from aobench.newset.validate.judges import make_judge
from aobench.newset.validate.vlm import answer_tokens

# Which tokens say yes


def llama_style(words):
    """As Llama's and Mistral's: a ▁ before every text, so that ' yes' and ' no' both begin with
    a lone ▁.
    """
    letters = sorted({letter for word in words for letter in word} | {"▁"})
    vocabulary = {token: i for i, token in enumerate(letters)}
    merges = []
    for word in words:
        for end in range(2, len(word) + 1):
            left, right = word[: end - 1], word[end - 1]
            if (left, right) not in merges:
                merges.append((left, right))
                vocabulary.setdefault(left + right, len(vocabulary))
    tokenizer = Tokenizer(BPE(vocabulary, merges))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_a_tokenizer_that_puts_a_mark_before_every_text_is_no_reason_to_refuse_a_model():
    tokenizer = llama_style(["▁yes", "▁no", "▁Yes", "▁No"])
    begins = {
        tokenizer(f" {word}", add_special_tokens=False)["input_ids"][0]
        for word in ("yes", "no")
    }
    assert len(begins) == 1, (
        "this tokenizer shows nothing: ' yes' and ' no' begin with different tokens"
    )
    yes, no = answer_tokens(tokenizer, "llama-like")
    told = tokenizer.convert_ids_to_tokens
    assert (set(told(yes)), set(told(no))) == (
        {"▁yes", "▁Yes"},
        {"▁no", "▁No"},
    ), "not the words of the vocabulary"


def test_every_spelling_of_the_vocabulary_counts_and_no_longer_word_does():
    words = [
        "yes",
        "Yes",
        "YES",
        "Ġyes",
        "▁No",
        "no",
        "Ġno",
        "nose",
        "Ġnot",
        "yesterday",
        "[UNK]",
    ]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(
            WordLevel(
                {word: i for i, word in enumerate(words)}, unk_token="[UNK]"
            )
        )
    )
    yes, no = answer_tokens(tokenizer, "x")
    assert [words[i] for i in yes] == ["yes", "Yes", "YES", "Ġyes"]
    assert [words[i] for i in no] == ["▁No", "no", "Ġno"]


def test_where_the_words_are_none_of_the_vocabulary_their_first_tokens_stand_for_them():
    letters = sorted(set("yesnoYNĠ"))
    tokenizer = Tokenizer(
        BPE({letter: i for i, letter in enumerate(letters)}, [])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    yes, no = answer_tokens(
        PreTrainedTokenizerFast(tokenizer_object=tokenizer), "byte-like"
    )
    assert ({letters[i] for i in yes}, {letters[i] for i in no}) == (
        {"y", "Y"},
        {"n", "N"},
    ), "the shared Ġ says nothing"


def test_a_tokenizer_that_cannot_tell_yes_from_no_is_refused():
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]")),
        unk_token="[UNK]",
    )
    with pytest.raises(UserError, match="can't tell them apart"):
        answer_tokens(tokenizer, "x")


# Which models can be asked


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a tiny model by its class' name, made once."""
    root, made = tmp_path_factory.mktemp("vlms"), {}

    def get(name):
        if name not in made:
            tiny_vlms.save(name, root / name)
            made[name] = str(root / name)
        return made[name]

    return get


@pytest.mark.parametrize("name", tiny_vlms.CLASSES)
def test_models_of_this_class_answer_and_a_batch_changes_nothing(model, name):
    judge = make_judge("vlm", model(name), {}, PAIRS)
    asked = drawings()
    together, apart = judge(asked), [judge([one]) for one in asked]
    for question, values in together.items():
        assert np.isfinite(values).all()
        assert values == pytest.approx(
            [one[question][0] for one in apart], abs=1e-5
        ), f"{name}: padding changes answers"
    assert np.ptp(together["attribute"]) > 1e-4, (
        "the answers do not depend on the question"
    )


@pytest.mark.parametrize("name", ["llava", "gemma3", "mllama"])
def test_a_prompt_begins_once_as_transformers_own_would(model, name):
    """Their chat templates write the beginning's mark, and their tokenizers would add another."""
    judge, one = make_judge("vlm", model(name), {}, PAIRS), drawings()[0]
    prompt = judge.core.frame.text("Is it striped?")
    ours = (
        judge.core.prompts([one.image], [prompt])
        .inputs["input_ids"][0]
        .tolist()
    )
    content = [
        {"type": "image", "image": one.image},
        {"type": "text", "text": "Is it striped?"},
    ]
    theirs = judge.core.processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )["input_ids"][0].tolist()
    assert ours == theirs, (
        "the prompt is not the one of the model's own template"
    )
    assert ours.count(judge.core.processor.tokenizer.bos_token_id) == 1


def test_a_given_frame_takes_the_place_of_the_chat_template(model):
    judge = make_judge(
        "vlm", model("llava"), {"frame": "{image} Q: {question} A:"}, PAIRS
    )
    assert judge.core.frame.text("Red?") == "<image> Q: Red? A:"
    assert len(judge(drawings())["object"]) == len(PAIRS)


def test_what_a_processor_refuses_is_one_line(model):
    judge = make_judge(
        "vlm", model("mllama"), {"frame": "{image}{image} {question}"}, PAIRS
    )
    with pytest.raises(
        UserError,
        match=r"the judge 'vlm': .*mllama.* can't be asked like this: ",
    ) as told:
        judge(drawings())
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        (
            "vlm",
            {"batch_size": "x"},
            "batch_size is 'x'; it takes a whole number of at least 1",
        ),
        ("vlm", {"batch_size": 0}, "batch_size is 0; it takes a whole number"),
        (
            "vlm",
            {"batch_size": True},
            "batch_size is True; it takes a whole number",
        ),
        (
            "vlm",
            {"attribute": 5},
            "attribute is 5; it takes a text with {attribute} in it",
        ),
        (
            "vlm",
            {"object": "Is it there?"},
            "object is 'Is it there?'; it takes a text with {object} in it",
        ),
        (
            "vlm",
            {"frame": 3},
            "frame is 3; it takes a text with {question} in it",
        ),
        (
            "vlm",
            {"frame": "{question}"},
            "frame is '{question}'; it lacks {image}",
        ),
        ("vlm", {"revision": 5}, "revision is 5; it takes a text"),
        (
            "zero_shot",
            {"alternatives": "two"},
            "alternatives is 'two'; it takes a whole number of at least 1",
        ),
        (
            "zero_shot",
            {"alternatives": 0},
            "alternatives is 0; it takes a whole number",
        ),
        (
            "zero_shot",
            {"alternatives": -3},
            "alternatives is -3; it takes a whole number",
        ),
        (
            "zero_shot",
            {"template": 3},
            "template is 3; it takes a text with {attribute} and {object} in it",
        ),
        (
            "clip_score",
            {"template": "hello"},
            "template is 'hello'; it takes a text with {attribute} and {object}",
        ),
    ],
)
def test_an_option_that_is_none_is_one_line(model, kind, options, told):
    name = model("llava") if kind == "vlm" else "mini"
    with pytest.raises(UserError) as error:
        make_judge(kind, name, options, PAIRS)
    assert f"the judge {kind!r}: {told}" in str(error.value)
    assert "\n" not in str(error.value)


def test_other_rivals_are_another_judge():
    others = [(a, {"banana": "cup"}.get(o, o)) for a, o in PAIRS]
    facts = [
        make_judge("zero_shot", "mini", {}, pairs).facts
        for pairs in (PAIRS, others)
    ]
    assert facts[0]["objects"] == facts[1]["objects"]
    assert facts[0] != facts[1], (
        "the same number of other rivals, and leads over the former would be reused"
    )


def test_weights_replaced_under_the_same_path_are_asked_anew(tmp_path):
    from safetensors.torch import load_file, save_file

    save_llava(tmp_path / "llava")
    path = judging_configuration(
        tmp_path,
        judges=[
            {"kind": "vlm", "model": "llava", "attribute": 0.3, "object": 0.3}
        ],
    )
    path.write_text(path.read_text().replace('"images": 20', '"images": 2'))
    assert (
        main(
            [
                "build",
                str(path),
                *allow(path),
                "--steps",
                "compose",
                "generate",
                "validate",
            ]
        )
        == 0
    ), "not found"
    before = {
        image: row["vlm_attribute"] for image, row in verdicts_of(path).items()
    }
    weights = tmp_path / "llava" / "model.safetensors"
    changed = {name: value * 1.5 for name, value in load_file(weights).items()}
    save_file(changed, weights, metadata={"format": "pt"})
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 0
    after = {
        image: row["vlm_attribute"] for image, row in verdicts_of(path).items()
    }
    assert after != before, (
        "verdicts of the former weights stand under the new ones"
    )


# Labels


def label(tmp_path, rows, **columns):
    """A labels file of ``rows``, each (image, attribute_right, object_right)."""
    ids, attributes, objects = zip(*rows, strict=True)
    pq.write_table(
        pa.table(
            {
                "image_id": list(ids),
                "attribute_right": list(attributes),
                "object_right": list(objects),
                **columns,
            }
        ),
        tmp_path / "labels.parquet",
    )


A, B = "striped__banana/0", "striped__banana/1"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            [(A, "True", "False")],
            "labels.parquet, row 1: attribute_right is 'True'; it takes true, false, 1 or 0",
        ),
        (
            [(A, 1.0, 1.0), (B, float("nan"), 1.0)],
            "labels.parquet, row 2: attribute_right is nan",
        ),
        ([(A, 1, 2)], "labels.parquet, row 1: object_right is 2"),
        (
            [(A, True, True), (A, False, True)],
            f"row 2 labels the image {A!r}, which an earlier row labels",
        ),
        (
            [("x", True, True)],
            "row 1 labels the image 'x', which this set doesn't have",
        ),
    ],
)
def test_a_label_that_is_none_is_refused_with_its_row(
    tmp_path, capsys, rows, told
):
    path = judging_configuration(
        tmp_path, judges=[{"kind": "redraw", "labels": "labels.parquet"}]
    )
    assert (
        main(
            ["build", str(path), *allow(path), "--steps", "compose", "generate"]
        )
        == 0
    )
    label(tmp_path, rows)
    capsys.readouterr()
    assert (
        main(["build", str(path), *allow(path), "--steps", "validate"]) == 2
    ), "it was taken for an answer"
    err = capsys.readouterr().err
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_numbers_and_gaps_are_labels_too(tmp_path):
    path = judging_configuration(
        tmp_path, judges=[{"kind": "redraw", "labels": "labels.parquet"}]
    )
    assert (
        main(
            ["build", str(path), *allow(path), "--steps", "compose", "generate"]
        )
        == 0
    )
    label(tmp_path, [(A, 1, None), (B, 0, 1)])
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 0
    asked = read_manifest(tmp_path / "out", "validate")["facts"]["judges"][
        "redraw"
    ]["questions"]
    assert (
        asked["attribute"]["measured"]["n"],
        asked["attribute"]["measured"]["wrong"],
    ) == (2, 1)
    assert asked["object"]["measured"]["n"] == 1


def test_a_damaged_labels_file_is_the_users_own(tmp_path, capsys):
    path = judging_configuration(
        tmp_path, judges=[{"kind": "redraw", "labels": "labels.parquet"}]
    )
    assert (
        main(
            ["build", str(path), *allow(path), "--steps", "compose", "generate"]
        )
        == 0
    )
    (tmp_path / "labels.parquet").write_bytes(b"image_id,attribute_right\n")
    capsys.readouterr()
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 2
    err = capsys.readouterr().err
    assert "can't be read as Parquet" in err
    assert "delete it" not in err, (
        "the user's labels are nothing that a step makes again"
    )


def test_labels_that_all_fall_into_the_measuring_half_are_not_called_unknown(
    tmp_path, capsys
):
    path = judging_configuration(
        tmp_path,
        judges=[
            {"kind": "redraw", "labels": "labels.parquet", "precision": 0.9}
        ],
    )
    assert (
        main(
            ["build", str(path), *allow(path), "--steps", "compose", "generate"]
        )
        == 0
    )
    write_labels(tmp_path / "out")
    rows = pq.read_table(tmp_path / "labels.parquet").to_pylist()
    ids = [row["image_id"] for row in rows]
    measuring = [
        tuple(row.values())
        for row, choosing in zip(rows, calibration_half(ids), strict=True)
        if not choosing
    ][:5]
    label(tmp_path, measuring)
    capsys.readouterr()
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 2
    assert (
        "all 5 known answers fall into the half that measures"
        in capsys.readouterr().err
    )


# People


def people(tmp_path, generator="renderer", **validate_):
    given = {
        "judges": [{"kind": "redraw"}],
        "human": "people.sqlite",
        "minimum": 1,
        **validate_,
    }
    path = judging_configuration(tmp_path, drawn=False, **given)
    path.write_text(
        path.read_text()
        .replace("helpers.drawing:Planted", generator)
        .replace('"images": 20', '"images": 2')
    )
    assert (
        main(
            ["build", str(path), *allow(path), "--steps", "compose", "generate"]
        )
        == 0
    )
    return path, step_folder(tmp_path / "out", "generate") / "images.parquet"


def test_verdicts_on_other_pictures_under_the_same_ids_are_refused(
    tmp_path, capsys
):
    path, table = people(tmp_path)
    judge_all(tmp_path / "people.sqlite", table)
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 0
    shutil.rmtree(table.parent)
    path.write_text(
        path.read_text().replace('"renderer"', '"helpers.drawing:Backwards"')
    )
    assert main(["build", str(path), *allow(path), "--steps", "generate"]) == 0
    capsys.readouterr()
    assert (
        main(["build", str(path), *allow(path), "--steps", "validate"]) == 2
    ), "of other pictures"
    err = capsys.readouterr().err
    assert (
        "people.sqlite holds verdicts on other pictures under the same ids (12 such, the first: "
        in err
    )
    assert "into a new file" in err
    assert len(err.strip().splitlines()) == 1
    with pytest.raises(UserError, match="other pictures than those of"):
        open_store(tmp_path / "people.sqlite", read_images_to_judge(table))


def test_a_file_of_verdicts_from_before_pictures_were_kept_is_still_read(
    tmp_path,
):
    path, table = people(tmp_path)
    judge_all(tmp_path / "people.sqlite", table)
    with sqlite3.connect(tmp_path / "people.sqlite") as old:
        old.execute("DROP TABLE pictures")
    with open_store(
        tmp_path / "people.sqlite", read_images_to_judge(table)
    ) as store:
        assert store.pictures() == {}
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 0
    assert (
        read_manifest(tmp_path / "out", "validate")["facts"]["people"][
            "pictures_known"
        ]
        is False
    )


def test_annotators_below_min_catch_have_no_vote_and_the_facts_say_so(tmp_path):
    path, table = people(tmp_path)
    no = {
        "answer": lambda trial: tuple(
            "no" if word == "yes" else "yes" for word in honest(trial)
        )
    }
    for name, how in (
        ("ann", {"answer": honest}),
        ("bob", {"answer": honest}),
        ("cyd", no),
        ("dan", no),
        ("eve", no),
    ):
        judge_all(tmp_path / "people.sqlite", table, name, 0.25, **how)
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 0
    assert all(row["accepted"] for row in verdicts_of(path).values()), (
        "three who failed their catch trials decided"
    )
    said = read_manifest(tmp_path / "out", "validate")["facts"]["people"]
    assert (
        said["annotators"],
        said["left_out"],
        said["min_catch"],
        said["minimum"],
    ) == (2, 3, 0.8, 1)
    assert said["catch"] == [{"passed": 3, "failed": 0, "unsure": 0}] * 2
    assert {one["measure"] for one in said["agreement"]} >= {
        "raw agreement",
        "Cohen's kappa",
    }
    assert all(
        one["n"] == 12
        for one in said["agreement"]
        if one["measure"] == "raw agreement"
    )
    assert "ann" not in json.dumps(said["agreement"]).split('"')
    path.write_text(
        path.read_text().replace(
            '"minimum": 1', '"minimum": 1, "min_catch": null'
        )
    )
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 0
    assert not any(row["accepted"] for row in verdicts_of(path).values()), (
        "null is to leave nobody out"
    )


def test_an_image_that_was_flagged_is_nobodys_decision(tmp_path):
    path, table = people(tmp_path, "helpers.drawing:Flagging", judges=[])
    judge_all(tmp_path / "people.sqlite", table)
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 0
    rows = verdicts_of(path)
    flagged = rows["striped__banana/0"]
    assert (flagged["accepted"], flagged["decided_by"]) == (False, "checker")
    assert (
        flagged["reason"]
        == "flagged: the generator marked it as not to be shown"
    ), "no safety checker ran"
    assert (
        rows["striped__banana/1"]["accepted"],
        rows["striped__banana/1"]["decided_by"],
    ) == (True, "people")
    assert (
        read_manifest(tmp_path / "out", "validate")["facts"]["people"][
            "decided"
        ]
        == 6
    )


def test_a_picture_of_a_table_with_digests_is_known_by_them(tmp_path):
    _, table = people(tmp_path)
    images = read_images_to_judge(table)
    assert images.pictures == {
        row["image_id"]: row["sha256"] for row in read_rows(table)
    }
    plain = tmp_path / "plain"
    plain.mkdir()
    Image.new("RGB", (8, 8)).save(plain / "x.png")
    columns = {
        "image_id": ["x"],
        "attribute": ["red"],
        "object": ["fox"],
        "file": ["x.png"],
    }
    pq.write_table(pa.table(columns), plain / "images.parquet")
    assert read_images_to_judge(plain / "images.parquet").pictures == {}
