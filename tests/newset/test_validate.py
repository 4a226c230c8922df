"""The step validate: judges, thresholds, people; on drawings of which the truth is known."""

import numpy as np
import pytest
from helpers.builds import (
    PAIRS,
    allow,
    drawings,
    judging_configuration,
    verdicts_of,
    write_labels,
)
from helpers.drawing import lies
from helpers.tiny_pipelines import save_llava
from PIL import Image

from aobench.cli import main
from aobench.errors import UserError
from aobench.newset.manifests import read_manifest, step_folder
from aobench.newset.validate.calibration import (
    calibration_half,
    choose_threshold,
    measure_threshold,
)
from aobench.newset.validate.judges import make_judge


def validate(path):
    """Make the images, then their labels, then judge."""
    assert (
        main(
            ["build", str(path), *allow(path), "--steps", "compose", "generate"]
        )
        == 0
    )
    write_labels(path.parent / "out")
    return main(["build", str(path), *allow(path), "--steps", "validate"])


def test_the_redrawing_judge_finds_every_planted_error_and_no_other(tmp_path):
    path = judging_configuration(
        tmp_path, judges=[{"kind": "redraw", "labels": "labels.parquet"}]
    )
    assert validate(path) == 0
    rows = verdicts_of(path)
    assert len(rows) == 120
    for image, row in rows.items():
        wrong = lies(int(image.rpartition("/")[2]), image)
        assert row["reason"] == (
            f"redraw: {wrong} below 0.5" if wrong else ""
        ), image
        assert row["accepted"] == (wrong is None)
    facts = read_manifest(path.parent / "out", "validate")["facts"]
    assert (facts["images"], facts["accepted"], facts["compositions"]) == (
        120,
        108,
        6,
    )
    known = facts["judges"]["redraw"]["questions"]["attribute"]["measured"]
    assert (known["n"], known["wrong"]) == (120, 6)
    assert (
        known["precision"]["value"]
        == known["recall"]["value"]
        == known["wrong_found"]["value"]
        == 1.0
    )
    assert known["wrong_found"]["low"] == pytest.approx(0.6097, abs=1e-3), (
        "the Wilson interval of 6 of 6"
    )


def test_a_calibrated_dual_encoder_finds_most_planted_errors(tmp_path):
    judge = {
        "kind": "zero_shot",
        "model": "mini",
        "labels": "labels.parquet",
        "precision": 0.99,
    }
    path = judging_configuration(
        tmp_path, judges=[judge], only_dual_encoders=True
    )
    assert validate(path) == 0
    rows = verdicts_of(path)
    wrong = {
        image for image in rows if lies(int(image.rpartition("/")[2]), image)
    }
    found = {image for image, row in rows.items() if not row["accepted"]}
    assert len(found & wrong) >= 8, "of the 12 planted errors"
    assert len(found - wrong) <= 12, "of the 108 right images"
    told = read_manifest(path.parent / "out", "validate")["facts"]["judges"][
        "zero_shot"
    ]["questions"]["object"]
    assert told["how"] == "chosen for 0.99"
    ids = sorted(rows)
    assert told["measured"]["n"] == int((~calibration_half(ids)).sum()), (
        "measured on the half that it was not chosen on"
    )


def test_a_sieve_spares_the_next_judge_what_it_rejected(tmp_path):
    judges = [
        {"kind": "clip_score", "model": "mini", "composition": 0.9},
        {"kind": "redraw"},
    ]
    path = judging_configuration(tmp_path, judges=judges)
    assert validate(path) == 0
    rows = verdicts_of(path).values()
    sieved = [
        row
        for row in rows
        if row["reason"].startswith("clip_score: composition below 0.9")
    ]
    assert sieved
    assert all(
        row["clip_score_composition"] < 0.9 and row["redraw_attribute"] is None
        for row in sieved
    )
    assert all(
        row["redraw_attribute"] is not None for row in rows if row not in sieved
    )
    judged = read_manifest(path.parent / "out", "validate")["facts"]["judges"]
    assert (
        judged["clip_score"]["passed"]
        == judged["redraw"]["judged"]
        == 120 - len(sieved)
    )


def test_people_overrule_the_judges(tmp_path):
    from aobench.annotation.images import read_images_to_judge
    from aobench.annotation.verdict_file import open_store

    path = judging_configuration(
        tmp_path, judges=[{"kind": "redraw"}], human="people.sqlite", minimum=1
    )
    assert (
        main(
            ["build", str(path), *allow(path), "--steps", "compose", "generate"]
        )
        == 0
    )
    table = step_folder(tmp_path / "out", "generate") / "images.parquet"
    said = {
        "striped__banana/3": ("yes", "yes"),
        "striped__banana/4": ("yes", "no"),
        "striped__banana/5": ("unsure", "yes"),
    }
    with open_store(
        tmp_path / "people.sqlite",
        read_images_to_judge(table),
        seed=0,
        catch_rate=0.0,
    ) as store:
        standing = store.enrol("ann")
        while standing.trial is not None:
            a, o = said.get(standing.trial.image_id, ("unsure", "unsure"))
            standing = store.record(
                "ann", standing.trial.trial, standing.turn, a, o, 1.0
            )
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 0
    rows = verdicts_of(path)
    assert rows["striped__banana/3"]["accepted"], (
        "planted, but people say that it is right"
    )
    assert (
        rows["striped__banana/3"]["reason_of_judges"]
        == "redraw: attribute below 0.5"
    )
    assert rows["striped__banana/4"]["reason"] == "people: not the object"
    assert rows["striped__banana/5"]["decided_by"] == "judges"
    facts = read_manifest(tmp_path / "out", "validate")["facts"]
    assert (facts["people"]["decided"], facts["people"]["overruled"]) == (2, 2)
    known = facts["judges"]["redraw"]["questions"]["object"]["measured"]
    assert known["n"] == 3, "what people said measures the judges"


def test_people_who_judged_another_set_are_refused(tmp_path, capsys):
    from aobench.annotation.images import read_images_to_judge
    from aobench.annotation.verdict_file import open_store

    path = judging_configuration(
        tmp_path, judges=[{"kind": "redraw"}], human="people.sqlite", minimum=1
    )
    assert (
        main(
            ["build", str(path), *allow(path), "--steps", "compose", "generate"]
        )
        == 0
    )
    table = step_folder(tmp_path / "out", "generate") / "images.parquet"
    with open_store(
        tmp_path / "people.sqlite",
        read_images_to_judge(table),
        seed=0,
        catch_rate=0.0,
    ) as store:
        standing = store.enrol("ann")
        while standing.trial is not None:
            standing = store.record(
                "ann", standing.trial.trial, standing.turn, "yes", "yes", 1.0
            )
    path.write_text(path.read_text().replace('"images": 20', '"images": 2'))
    assert main(["build", str(path), *allow(path), "--steps", "generate"]) == 0
    capsys.readouterr()
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 2
    assert "which this set lacks" in capsys.readouterr().err


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "llava"
    save_llava(path)
    return path


def test_a_vision_language_model_is_asked_each_part(llava):
    """Against the model called by hand, image by image, without padding."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    judge = make_judge("vlm", str(llava), {"batch_size": 4}, PAIRS)
    asked = drawings()
    found = judge(asked)
    processor = AutoProcessor.from_pretrained(llava)
    model = AutoModelForImageTextToText.from_pretrained(llava).eval()
    first = {
        word: processor.tokenizer(word, add_special_tokens=False)["input_ids"][
            0
        ]
        for word in ("yes", "no")
    }
    assert first["yes"] in judge.yes
    assert first["no"] in judge.no
    for question, said in judge.asks.items():
        for one, value in zip(asked, found[question], strict=True):
            text = said.replace("{attribute}", one.attribute).replace(
                "{object}", one.object
            )
            batch = processor(
                images=[one.image],
                text=[f"USER: <image>\n{text} ASSISTANT:"],
                return_tensors="pt",
            )
            with torch.inference_mode():
                share = model(**batch).logits[0, -1].softmax(-1)
            yes, no = share[judge.yes].sum(), share[judge.no].sum()
            assert value == pytest.approx(float(yes / (yes + no)), abs=1e-5), (
                question,
                one.object,
            )
    assert np.ptp(found["attribute"]) > 1e-4, (
        "the answers do not depend on the question"
    )


def test_the_models_own_chat_template_frames_the_question(tmp_path):
    part = (
        "{% if c.type == 'image' %}<image>{% else %}[{{ c.text }}]{% endif %}"
    )
    template = f"{{% for m in messages %}}{{% for c in m.content %}}{part}{{% endfor %}}{{% endfor %}}->"
    save_llava(tmp_path / "llava", template)
    judge = make_judge("vlm", str(tmp_path / "llava"), {}, PAIRS)
    assert (
        judge.core.frame.text("Is it striped?") == "<image>[Is it striped?]->"
    )
    assert len(judge(drawings())["object"]) == len(PAIRS)


def test_zero_shot_leads_are_differences_of_cosines():
    judge = make_judge("zero_shot", "mini", {}, PAIRS)
    asked = drawings()
    found = judge(asked)
    vectors, texts = judge.encoder.images(asked), judge.encoder
    for i, one in enumerate(asked):
        mine = float(
            vectors[i]
            @ texts.texts([f"a photo of a {one.attribute} {one.object}"])[0]
        )
        rivals = [
            o for o in ("accordion", "airliner", "banana") if o != one.object
        ]
        best = (
            texts.texts([f"a photo of a {one.attribute} {o}" for o in rivals])
            @ vectors[i]
        ).max()
        assert found["object"][i] == pytest.approx(mine - best, abs=1e-6)
    spread = make_judge("zero_shot", "mini", {"alternatives": 2}, PAIRS)
    assert len(spread.objects) == 2


def test_a_threshold_is_the_lowest_that_is_precise_enough():
    scores = np.array([0.9, 0.8, 0.7, 0.7, 0.6, 0.5])
    right = np.array([True, True, True, False, True, False])
    assert choose_threshold(scores, right, 1.0, "x") == 0.8
    assert choose_threshold(scores, right, 0.75, "x") == 0.6
    assert choose_threshold(scores, right, 0.6, "x") == 0.5
    with pytest.raises(UserError, match="the best is 1"):
        choose_threshold(scores, right, 1.01, "x")
    with pytest.raises(UserError, match="is wrong; label more"):
        choose_threshold(scores, np.ones(6, bool), 0.9, "x")
    found = measure_threshold(scores, right, 0.65)
    assert found["precision"]["value"] == 0.75
    assert found["recall"]["value"] == 0.75
    assert found["wrong_found"]["value"] == 0.5
    assert found["rejected_rightly"]["value"] == 0.5
    assert measure_threshold(scores, right, 2.0)["precision"] is None


def test_a_number_that_is_none_is_no_verdict(tmp_path, monkeypatch, capsys):
    from aobench.newset.validate import redraw

    monkeypatch.setattr(redraw.Redraw, "_one", lambda *_: (float("nan"), 1.0))
    path = judging_configuration(tmp_path, judges=[{"kind": "redraw"}])
    assert validate(path) == 2, "a judge's nan became a verdict"
    err = capsys.readouterr().err
    assert (
        "the judge 'redraw' says nan for attribute of 'striped__accordion/0'"
        in err
    )
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("validate_", "told"),
    [
        ({}, "neither judges nor human"),
        (
            {"judges": [{"kind": "zero_shot", "model": "mini"}]},
            "only dual encoders judge",
        ),
        (
            {
                "judges": [
                    {"kind": "clip_score", "model": "mini"},
                    {"kind": "redraw"},
                ]
            },
            "has no threshold",
        ),
        (
            {"judges": [{"kind": "redraw", "precision": 0.9}]},
            "no answers are known",
        ),
        ({"judges": [{"kind": "redraw", "precision": 9}]}, "goes from 0 to 1"),
        (
            {"judges": [{"kind": "redraw"}, {"kind": "redraw"}]},
            "two judges have one name",
        ),
        (
            {"judges": [{"kind": "redraw", "options": {"size": 3}}]},
            "has no option 'size'",
        ),
        ({"judges": [{"kind": "oracle"}]}, "no judge 'oracle'"),
        (
            {"judges": [{"kind": "redraw", "labels": "gone.parquet"}]},
            "gone.parquet is missing",
        ),
        (
            {"judges": [{"kind": "vlm", "model": "nowhere/at-all"}]},
            "could not be loaded",
        ),
        ({"human": "gone.sqlite"}, "gone.sqlite"),
    ],
)
def test_bad_judges_are_one_line(
    tmp_path, capsys, monkeypatch, validate_, told
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = judging_configuration(tmp_path, **validate_)
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
        == 2
    )
    err = capsys.readouterr().err
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_a_changed_image_is_refused(tmp_path, capsys):
    path = judging_configuration(tmp_path, judges=[{"kind": "redraw"}])
    assert (
        main(
            ["build", str(path), *allow(path), "--steps", "compose", "generate"]
        )
        == 0
    )
    Image.new("RGB", (8, 8)).save(
        step_folder(tmp_path / "out", "generate")
        / "images"
        / "striped__banana"
        / "0.png"
    )
    assert main(["build", str(path), *allow(path), "--steps", "validate"]) == 2
    assert "is not the image that was generated" in capsys.readouterr().err
