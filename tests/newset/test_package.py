"""The step package: what its card says, which decisions it takes, and what of the user's it
keeps.
"""

import copy
import json
import shutil

import datasets
import pytest
import yaml
from helpers.annotation_tools import honest, judge_all
from helpers.builds import allow
from PIL import Image, ImageFont

from aobench.cli import main
from aobench.newset.manifests import read_manifest, read_rows, step_folder
from aobench.newset.package import card
from aobench.newset.package.funnel import FunnelStage
from aobench.newset.package.sheets import (
    SIDE,
    SIZE,
    SheetPicture,
    _wrapped,
    contact_sheet,
)
from aobench.sealed import manifest_bytes

STEPS = ["compose", "generate", "validate", "distinct", "package"]


def configuration(where, **changed):
    (where / "captions.txt").write_text("nothing of this\na striped banana\n")
    content = {
        "out": "out",
        "seed": 1,
        "compose": {
            "corpora": [
                {"name": "mine", "captions": ["captions.txt"], "threshold": 5}
            ],
            "count": 50,
            "attributes": ["striped", "turquoise"],
            "objects": ["accordion", "banana", "airliner"],
        },
        "generate": {"generator": "renderer", "images": 2},
        "validate": {"judges": [{"kind": "redraw", "name": "a|b"}]},
        "package": {"name": "drawn"},
    }
    for key, value in changed.items():
        content[key] = (
            {**content[key], **value}
            if isinstance(content[key], dict)
            else value
        )
    path = where / "set.yaml"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A finished build; tests that change it take ``again``."""
    path = configuration(tmp_path_factory.mktemp("built"))
    assert main(["build", str(path)]) == 0
    return path


@pytest.fixture
def again(built, tmp_path):
    """A copy of the build that may be changed."""
    shutil.copytree(built.parent, tmp_path / "set")
    return tmp_path / "set" / "set.yaml"


def build(path, *steps):
    return main(
        [
            "build",
            str(path),
            *allow(path),
            *(["--steps", *steps] if steps else []),
        ]
    )


def readme(path, name="drawn"):
    return step_folder(path.parent / "out", "package") / name / "README.md"


def manifests(path):
    return {
        step: read_manifest(path.parent / "out", step) for step in STEPS[:-1]
    }


COUNTS = {
    "n": 12,
    "compositions": 6,
    "attributes": 2,
    "objects": 3,
    "accepted_shown": 12,
    "rejected_shown": 0,
}


def text_of(given):
    return card.card_text(
        "drawn",
        COUNTS,
        given,
        [FunnelStage("all pairs", 6, None, {}, "compositions")],
    )


# What the card says


def test_a_threshold_above_zero_is_not_called_unseen(built):
    text = readme(built).read_text()
    assert "| mine | 2 | 2 | words | 5 |" in text
    assert "Novel means: not named in these captions" not in text
    assert (
        "in at most so many captions of each corpus as the last column says"
        in text
    )
    assert "| a\\|b |  | 12 | 12 |" in text, (
        "a bar in a judge's name ends the cell"
    )


def test_the_card_tells_prompts_seed_thresholds_and_what_could_not_be_had(
    built,
):
    text = readme(built).read_text()
    assert "`a photo of a {attribute} {object}`. Seed 1;" in text
    near = read_manifest(built.parent / "out", "distinct")["facts"][
        "thresholds"
    ]
    assert (
        f"at most {near['hash_distance']} of 64 bits and colours at most {near['colour']} of 255 "
        "apart" in text
    )
    assert (
        "50 compositions were asked for; no more than 6 could be had." in text
    )


def test_a_sampled_corpus_has_its_bound_and_says_that_counts_are_of_the_sample(
    built,
):
    given = copy.deepcopy(manifests(built))
    given["compose"]["facts"]["corpora"] = {
        "mine|all": {
            "captions": 1_000_000,
            "counted": 1000,
            "rule": "words",
            "threshold": 0,
        }
    }
    text = text_of(given)
    assert "| mine\\|all | 1,000,000 |" in text, (
        "a bar in a corpus' name ends the cell"
    )
    assert (
        "Of mine\\|all a sample was scanned, and counts are of the sample"
        in text
    )
    assert "up to 0.003 of its captions, 2,992 (95 % bound" in text
    assert "summed over the corpora; in a sample, those of the sample" in text
    given["compose"]["facts"]["corpora"]["mine|all"]["threshold"] = 5
    assert "up to 0.01 of its captions, 10,4" in text_of(given), (
        "five seen in the sample are more in the corpus"
    )


def test_who_flagged_is_told(built):
    given = copy.deepcopy(manifests(built))
    assert "No safety checker ran." in text_of(given)
    given["generate"]["facts"]["flagged"] = 3
    text = text_of(given)
    assert (
        "The generator marked 3 as not to be shown, which are left out; it names no safety checker."
        in text
    )
    assert "No safety checker ran" not in text
    given["generate"]["facts"]["safety_checker"] = "SafetyChecker"
    assert (
        "The safety checker SafetyChecker objected to 3, which are left out."
        in text_of(given)
    )


def test_the_warning_follows_from_who_judged_not_from_todays_configuration(
    tmp_path,
):
    judges = {
        "judges": [{"kind": "zero_shot", "model": "mini"}],
        "only_dual_encoders": True,
    }
    path = configuration(tmp_path, validate=judges)
    assert build(path) == 0
    bold = "**Only dual encoders judged, the family that this set is to test"
    assert bold in readme(path).read_text()
    content = json.loads(path.read_text())
    content["validate"]["judges"].append({"kind": "redraw"})
    content["package"]["licence"] = "mit"
    path.write_text(json.dumps(content))
    assert build(path, "package") == 2
    assert bold in readme(path).read_text(), (
        "a judge that has not judged yet took the warning away"
    )
    assert build(path, *STEPS[2:]) == 0
    assert "Only dual encoders judged" not in readme(path).read_text()


def test_images_that_dual_encoders_alone_accepted_are_counted(built):
    given = copy.deepcopy(manifests(built))
    given["validate"]["facts"]["accepted_by_dual_encoders_alone"] = 4
    assert (
        "**Only dual encoders judged 4 of the 12 accepted images, the family"
        in text_of(given)
    )


def test_the_card_tells_votes_annotators_catch_trials_and_agreement(tmp_path):
    path = configuration(
        tmp_path, validate={"human": "people.sqlite", "judges": []}
    )
    assert build(path, "compose", "generate") == 0
    table = step_folder(tmp_path / "out", "generate") / "images.parquet"
    for name in ("ann", "bob", "cyd"):
        answer = honest if name != "cyd" else (lambda trial: ("yes", "yes"))
        judge_all(tmp_path / "people.sqlite", table, name, 0.25, answer=answer)
    assert build(path) == 0
    text = readme(path).read_text()
    assert (
        "People decided on 12 of 12 images. Annotators: 2. A decision is a majority of at least 2 "
        "votes." in text
    )
    assert (
        "1 more had no vote: they passed less than 80% of their catch trials."
        in text
    )
    assert "Catch trials passed, by annotator: 3 of 3, 3 of 3." in text
    assert "| attribute | raw agreement | 1.000 | 12 |" in text
    assert "| object | Cohen's kappa | undefined | 12 |" in text
    for name in ("ann", "bob", "cyd"):
        assert name not in text.split(), (
            "annotators' names are not for the public"
        )


# The head, names and licences


@pytest.mark.parametrize("name", ["2024", "yes", "1e3"])
def test_a_name_that_yaml_takes_for_something_else_stays_a_name(
    again, name, tmp_path
):
    again.write_text(
        again.read_text().replace(
            '"name": "drawn"', f'"name": "{name}", "licence": "other"'
        )
    )
    assert build(again, "package") == 0
    package = readme(again, name).parent
    head = yaml.safe_load(readme(again, name).read_text().split("---")[1])
    assert (
        head["pretty_name"],
        head["configs"][0]["config_name"],
        head["license"],
    ) == (name, name, "other")
    tasks = yaml.safe_load((package / "eval.yaml").read_text())
    assert {tasks["name"], *(task["config"] for task in tasks["tasks"])} == {
        name
    }
    assert (
        len(
            datasets.load_dataset(
                str(package),
                name,
                split="ood",
                cache_dir=str(tmp_path / "cache"),
            )
        )
        == 12
    )


# Sheets


def test_without_sheets_none_is_linked(again):
    again.write_text(
        again.read_text().replace(
            '"name": "drawn"', '"name": "drawn", "sheet_images": 0'
        )
    )
    assert build(again, "package") == 0
    assert "sheets/" not in readme(again).read_text(), (
        "a picture that is not there is linked"
    )


def test_a_long_reason_takes_the_free_lines(tmp_path):
    font = ImageFont.load_default(SIZE)
    lines = _wrapped("near-duplicate of striped__great_white_shark/12", font, 3)
    assert (
        "".join(lines).replace(" ", "")
        == "near-duplicateofstriped__great_white_shark/12"
    ), "it was cut, with room left"
    assert all(font.getlength(line) <= SIDE for line in lines)
    cut = _wrapped("word " * 60, font, 3)
    assert len(cut) == 3
    assert cut[-1].endswith("…")
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    assert contact_sheet(
        [SheetPicture(tmp_path / "x.png", "striped shark", "a: b")] * 2
    ).startswith(b"\xff\xd8\xff")


# What it was made from, and what the user wrote


def test_decisions_on_other_pictures_under_the_same_ids_are_not_packaged(
    again, capsys
):
    path = step_folder(again.parent / "out", "distinct") / "manifest.json"
    content = read_manifest(again.parent / "out", "distinct")
    content["made_from"]["images"] = "0" * 64
    path.write_bytes(manifest_bytes(content))
    shutil.rmtree(readme(again).parent)
    assert build(again, "package") == 2, (
        "near-duplicates of other pictures were left out of this set"
    )
    assert (
        "4-distinct is of an earlier generate; run it again: --steps distinct"
        in capsys.readouterr().err
    )


def test_another_generator_under_the_same_ids_needs_the_steps_again(
    again, capsys
):
    """The whole way: the ids stay, the pictures change, and distinct has not run again."""
    again.write_text(
        again.read_text()
        .replace('"renderer"', '"helpers.drawing:Backwards"')
        .replace(
            '{"kind": "redraw", "name": "a|b"}',
            '{"kind": "clip_score", "model": "mini", "composition": -1}',
        )
        .replace('"validate": {', '"validate": {"only_dual_encoders": true, ')
    )
    shutil.rmtree(step_folder(again.parent / "out", "generate"))
    assert build(again, "generate", "validate") == 0
    ids = {
        row["image_id"]
        for row in read_rows(
            step_folder(again.parent / "out", "distinct") / "decisions.parquet"
        )
    }
    assert ids == {
        row["image_id"]
        for row in read_rows(
            step_folder(again.parent / "out", "generate") / "images.parquet"
        )
    }
    assert build(again, "package") == 2, (
        "decisions on the former pictures are packaged"
    )
    assert "4-distinct is of an earlier generate" in capsys.readouterr().err
    assert build(again) == 0


def test_what_the_user_wrote_into_the_card_is_not_wiped(again, capsys):
    page = readme(again)
    page.write_text(page.read_text() + "\nMy notes.\n")
    assert build(again) == 0
    assert "My notes." in page.read_text(), (
        "a run with nothing to do wrote the card anew"
    )
    again.write_text(
        again.read_text().replace(
            '"name": "drawn"', '"name": "drawn", "licence": "mit"'
        )
    )
    capsys.readouterr()
    assert build(again) == 2
    err = capsys.readouterr().err
    assert "README.md was edited since it was written" in err
    assert len(err.strip().splitlines()) == 1
    assert "My notes." in page.read_text()
    page.rename(page.with_name("mine.md"))
    assert build(again) == 2, (
        "a file that the user put into the folder is wiped out"
    )
    assert "mine.md is no file of the set (1 such)" in capsys.readouterr().err
    page.with_name("mine.md").rename(again.with_name("mine.md"))
    assert build(again) == 0
    assert "license: mit" in page.read_text()


# The model's card about such a set


def test_a_models_card_calls_attributes_objects_and_the_set_by_name(tmp_path):
    # 12 of each attribute: a card names none of fewer than 10
    path = configuration(tmp_path, generate={"images": 4})
    assert build(path) == 0
    package = readme(path).parent
    argv = [
        "evaluate",
        "mini",
        "--data",
        str(package),
        "--out",
        str(tmp_path / "r"),
        "--cpu",
    ]
    assert main(argv) == 0
    assert (
        main(
            [
                "card",
                str(tmp_path / "r" / "mini"),
                "--dataset",
                "me/drawn",
                "--out",
                str(tmp_path / "card"),
            ]
        )
        == 0
    )
    text = (tmp_path / "card" / "README.md").read_text()
    worst = next(
        line
        for line in text.splitlines()
        if line.startswith("Attributes that fare worst")
    )
    assert "striped" in worst, f"attributes by number: {worst}"
    assert "turquoise" in worst
    assert "ImageNet-AO (drawn)" not in text
    assert "Compositional generalization (drawn)" in text
    assert "These figures are on *drawn*" in text
