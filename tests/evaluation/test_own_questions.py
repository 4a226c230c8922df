"""Questions of one's own for ``choice``: what is read, asked, scored and refused."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import aobench
from aobench.cli import main
from aobench.errors import UserError
from aobench.evaluation.data import Source, open_splits
from aobench.evaluation.own_questions import read_own_questions
from aobench.results.predictions import read


@pytest.fixture(scope="module")
def asked():
    """Questions of four options about every 500th image of mini's novel split, and two seen."""
    draw = np.random.default_rng(4)
    rows = []
    for split, step in zip(
        open_splits(Source("mini")), (2090, 500), strict=True
    ):
        names = [
            f"{split.attribute_names[a]} {split.object_names[o]}"
            for a, o in split.pairs
        ]
        for place in range(0, len(split), step):
            others = sorted(set(names) - {names[place]})
            wrong = [str(one) for one in draw.choice(others, 3, replace=False)]
            options = [*wrong[:2], names[place], wrong[2]]
            row = {"sample_id": split.sample_ids[place], "options": options}
            rows.append({**row, "answer": names[place]})
    return rows


def write_questions(rows, path):
    if path.suffix == ".json":
        path.write_text(json.dumps({"questions": rows}))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["sample_id", "options", "answer"])
            writer.writeheader()
            joined = [
                {**row, "options": "|".join(row["options"])} for row in rows
            ]
            writer.writerows(joined)
    return path


def test_three_forms_of_a_file_are_the_same_questions(asked, tmp_path):
    read_as = [
        {
            sample: (one.options, one.answer)
            for sample, one in read_own_questions(
                write_questions(asked, tmp_path / f"q{ending}")
            ).by_sample.items()
        }
        for ending in (".csv", ".json", ".parquet")
    ]
    assert read_as[0] == read_as[1] == read_as[2]
    wanted = {
        row["sample_id"]: (tuple(row["options"]), row["answer"])
        for row in asked
    }
    assert read_as[0] == wanted


def test_a_run_offers_what_the_file_says_to_those_images_alone(
    asked, tmp_path, capsys
):
    path = write_questions(asked, tmp_path / "mine.json")
    (tmp_path / "prompts.txt").write_text("a photo of a {}.\n")
    words = ["evaluate", "mini", "--data", "mini", "--cpu", "--tasks", "choice"]
    words += ["--templates", str(tmp_path / "prompts.txt")]
    out = str(tmp_path / "out")
    assert main([*words, "--questions", str(path), "--out", out]) == 0
    table = read(tmp_path / "out" / "mini")
    by_sample = {row["sample_id"]: row for row in asked}
    met = set()
    for split in ("id", "ood"):
        rows, names = (
            table.split(split, "choice"),
            table.lists["choice"][split].names,
        )
        for sample, offered, gold in zip(
            rows["sample_id"], rows["choices"], rows["label"], strict=True
        ):
            met.add(sample)
            mine = by_sample[sample]
            assert {names[one] for one in offered} == set(mine["options"])
            assert names[gold] == mine["answer"]
    assert met == set(by_sample)
    result = aobench.load_result(tmp_path / "out" / "mini")
    facts = result.content["tasks"]["choice"]["candidates"]["ood"]
    assert facts["n"] == 4
    assert result.scores["choice"]["splits"]["ood"]["composition_top1"] > 0.5
    assert "25" in capsys.readouterr().out, "chance is a quarter"


def _changed(asked, **changes):
    return [{**asked[0], **changes}, *asked[1:]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"options": ["red fox"]}, "1 options; a question takes 2 to 26"),
        ({"options": []}, "takes a list of texts"),
        ({"options": ["red fox", 3]}, "takes a list of texts"),
        ({"options": ["red fox", "red fox"]}, "stands there twice"),
        ({"answer": "red fox"}, "is not among its options"),
        ({"answer": None}, "answer is None"),
        ({"sample_id": ""}, "sample_id is ''"),
    ],
)
def test_a_question_that_is_none_is_one_line(asked, tmp_path, changes, words):
    path = write_questions(_changed(asked, **changes), tmp_path / "q.json")
    with pytest.raises(UserError) as told:
        read_own_questions(path)
    assert words in str(told.value)
    assert "question 1" in str(told.value)
    assert "\n" not in str(told.value)


def test_options_of_unlike_number_a_sample_twice_and_other_files_are_refused(
    asked, tmp_path
):
    five = [*asked[1]["options"], "red fox"]
    cases = [
        (
            [asked[0], {**asked[1], "options": five}],
            "q.json",
            "5 options where",
        ),
        ([asked[0], asked[0]], "q.csv", "has a question before"),
        ([], "q.json", "are none"),
        (asked, "q.tsv", "must end in .csv, .json, .parquet"),
    ]
    for rows, name, words in cases:
        with pytest.raises(UserError, match=words):
            read_own_questions(write_questions(rows, tmp_path / name))
    (tmp_path / "q.json").write_text('{"a": 1}')
    with pytest.raises(UserError, match=r"must hold .questions."):
        read_own_questions(tmp_path / "q.json")
    (tmp_path / "q.parquet").write_bytes(b"no table")
    with pytest.raises(UserError, match="can't be read"):
        read_own_questions(tmp_path / "q.parquet")


def test_questions_that_do_not_fit_the_data_are_refused(asked, tmp_path):
    first = asked[0]
    other = next(one for one in first["options"] if one != first["answer"])
    cases = [
        ({"sample_id": "mini/ood/nowhere/0"}, "no image of the data is"),
        ({"answer": other}, "and the image shows"),
        (
            {"options": [first["answer"], "glass fox", *first["options"][:2]]},
            "is no attribute and object of the set",
        ),
    ]
    for changes, words in cases:
        path = write_questions(_changed(asked, **changes), tmp_path / "q.json")
        with pytest.raises(UserError, match=words):
            open_splits(Source("mini"), own=read_own_questions(path))
