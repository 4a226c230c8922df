"""Agreement against tables worked out by hand; decisions; what the command prints and exports."""

import csv
import json
import sys
from fractions import Fraction

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.annotation_tools import answer_all, right_for, row, table

import aobench.cli as cli
from aobench.annotation.agreement import (
    agreement_scores,
    answer_codes,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    raw_agreement,
)
from aobench.annotation.decisions import (
    CatchResult,
    annotators_below,
    catch_results,
    decide_images,
    majority_of,
)
from aobench.annotation.export import KEY, VERDICT_COLUMNS, verdict_rows
from aobench.annotation.trials import Trial
from aobench.annotation.verdict_file import open_store
from aobench.annotation.verdict_store import Verdict

# Two annotators, ten images: both yes 4, yes/no 1, no/yes 2, both no 3.
#   raw    (4 + 3) / 10 = 7/10
#   Cohen  chance (5/10)(6/10) + (5/10)(4/10) = 1/2, kappa (7/10 - 1/2) / (1/2) = 2/5
#   alpha  20 answers, 11 yes and 9 no; disagreeing ordered pairs 6 of 20; expected 2 * 11 * 9 / (20 * 19) = 99/190;
#          1 - (6/20) / (99/190) = 1 - 19/33 = 14/33
TWO = np.array([[1, 1, 1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 1, 1, 0, 0, 0]])

# Three annotators, four images, yes/no counts (3,0), (2,1), (0,3), (1,2).
#   raw    pairs that agree: 1, 1/3, 1, 1/3; mean 2/3
#   Fleiss chance (6/12)^2 + (6/12)^2 = 1/2, kappa (2/3 - 1/2) / (1/2) = 1/3
#   alpha  12 answers, 6 and 6; each mixed image has 4 disagreeing ordered pairs at weight 1/2, together 4 of 12;
#          expected 2 * 6 * 6 / (12 * 11) = 6/11; 1 - (1/3) / (6/11) = 1 - 11/18 = 7/18
THREE = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [1, 0, 0, 0]])

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section D: four observers, twelve
# units, five values, missing data. Of 40 pairable answers 9, 13, 10, 5, 3 have the values 1 to 5;
# the agreeing part of the coincidences is 7 + 10 + 8 + 4 + 3 = 32. alpha = 1 - 39 (40 - 32) / (40^2
# - 9^2 - 13^2 - 10^2 - 5^2 - 3^2) = 1 - 312/1216 = 113/152, printed there as 0.743.
PUBLISHED = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""


def _equal(found, fraction, n):
    assert found == (pytest.approx(float(Fraction(fraction)), abs=1e-12), n)


def test_two_annotators_by_hand():
    _equal(raw_agreement(TWO), "7/10", 10)
    _equal(cohen_kappa(TWO), "2/5", 10)
    _equal(krippendorff_alpha(TWO), "14/33", 10)


def test_three_annotators_by_hand():
    _equal(raw_agreement(THREE), "2/3", 4)
    _equal(fleiss_kappa(THREE), "1/3", 4)
    _equal(krippendorff_alpha(THREE), "7/18", 4)


def test_the_published_example_of_alpha():
    codes = np.array(
        [
            [-1 if c == "." else int(c) - 1 for c in line.split()]
            for line in PUBLISHED.strip().split("\n")
        ]
    )
    value, n = krippendorff_alpha(codes)
    _equal((value, n), "113/152", 11)
    assert round(value, 3) == 0.743


def test_missing_answers_drop_out_where_they_must():
    """An image that one of three left out: Fleiss is over the other four, alpha and raw agreement
    keep it.

    raw (2/3 * 4 + 1) / 5 = 11/15; alpha: 14 answers, 8 yes and 6 no, disagreeing 4 of 14, expected
    2 * 8 * 6 / (14 * 13) = 48/91, 1 - (2/7) / (48/91) = 1 - 13/24 = 11/24.
    """
    codes = np.hstack([THREE, [[1], [1], [-1]], [[-1], [0], [-1]]])
    _equal(fleiss_kappa(codes), "1/3", 4)
    _equal(raw_agreement(codes), "11/15", 5)
    _equal(krippendorff_alpha(codes), "11/24", 5)


@pytest.mark.parametrize("categories", [2, 3])
def test_cohens_kappa_is_that_of_scikit_learn(categories):
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(categories)
    for _ in range(20):
        codes = rng.integers(-1, categories, (2, 30))
        weights = rng.integers(0, 4, 30)
        both = (codes >= 0).all(axis=0) & (weights > 0)
        expected = cohen_kappa_score(
            *codes[:, both], sample_weight=weights[both]
        )
        value, n = cohen_kappa(codes, weights)
        assert value == pytest.approx(expected, abs=1e-12)
        assert n == weights[both].sum()


@pytest.mark.parametrize(
    "measure", [raw_agreement, cohen_kappa, krippendorff_alpha]
)
def test_a_weight_is_so_many_images(measure):
    weights = np.array([1, 0, 2, 1, 3, 1, 0, 2, 1, 4])
    found, expected = (
        measure(TWO, weights),
        measure(np.repeat(TWO, weights, axis=1), None),
    )
    assert found == (
        pytest.approx(expected[0], abs=1e-12),
        expected[1] == 15 and 15,
    )
    three = np.tile(THREE, 3)[:, :10]
    found, expected = (
        fleiss_kappa(three, weights),
        fleiss_kappa(np.repeat(three, weights, axis=1)),
    )
    assert found == (pytest.approx(expected[0], abs=1e-12), expected[1])


def _verdicts(answers):
    """Rows of text, one an annotator, a letter an image (y, n, u, or . for none); both questions
    get the same.
    """
    words = {"y": "yes", "n": "no", "u": "unsure"}
    return [
        Verdict(
            name,
            Trial(f"{name}{i}", i, row(i).image_id, "a", "o", ""),
            words[c],
            words[c],
            1.0,
            "",
            "",
        )
        for name, line in answers.items()
        for i, c in enumerate(line)
        if c != "."
    ]


def test_everyone_always_yes_is_undefined_not_perfect():
    for names in ("ab", "abc"):
        for figure in agreement_scores(
            _verdicts(dict.fromkeys(names, "yyyy")), draws=20
        ):
            if figure.measure == "raw agreement":
                assert (figure.value, figure.low, figure.high, figure.n) == (
                    1,
                    1,
                    1,
                    4,
                )
            else:
                assert (figure.value, figure.low, figure.high) == (
                    None,
                    None,
                    None,
                )
                assert "same" in figure.why
    for figure in agreement_scores(
        _verdicts({"a": "yyny"}), draws=20
    ) + agreement_scores([], draws=20):
        assert figure.value is None
        assert "two annotators" in figure.why
    for figure in agreement_scores(
        _verdicts({"a": "yy..", "b": "..yn"}), draws=20
    ):
        assert (figure.value, figure.n) == (None, 0)
        assert "enough annotators" in figure.why


def test_unsure_is_missing_or_a_category():
    verdicts = _verdicts({"a": "yyunn", "b": "ynuun"})
    missing = {
        f.measure: f
        for f in agreement_scores(verdicts, "missing", draws=50)
        if f.question == "object"
    }
    category = {
        f.measure: f
        for f in agreement_scores(verdicts, "category", draws=50)
        if f.question == "object"
    }
    assert answer_codes(verdicts, "object").tolist() == [
        [1, 1, -1, 0, 0],
        [1, 0, -1, -1, 0],
    ]
    assert answer_codes(verdicts, "object", "category").tolist() == [
        [1, 1, 2, 0, 0],
        [1, 0, 2, 2, 0],
    ]
    # Missing: yy, yn, nn, so 2 of 3. Category: 3 of 5; chance (2*1 + 2*2 + 1*2)/25 = 8/25, kappa
    # (15-8)/(25-8).
    assert (missing["raw agreement"].value, missing["raw agreement"].n) == (
        pytest.approx(2 / 3),
        3,
    )
    assert (category["raw agreement"].value, category["raw agreement"].n) == (
        pytest.approx(3 / 5),
        5,
    )
    assert category["Cohen's kappa"].value == pytest.approx(7 / 17)


def test_the_interval_is_a_bootstrap_over_images():
    """Raw agreement of n images is a mean of zeros and ones: its interval is close to 1.96
    standard errors.
    """
    line = "y" * 160 + "n" * 40
    figures = agreement_scores(
        _verdicts({"a": line, "b": "y" * 140 + "n" * 40 + "y" * 20}), draws=800
    )
    raw = next(f for f in figures if f.measure == "raw agreement")
    spread = 1.96 * (raw.value * (1 - raw.value) / 200) ** 0.5
    assert raw.low == pytest.approx(raw.value - spread, abs=0.015)
    assert raw.high == pytest.approx(raw.value + spread, abs=0.015)
    assert all(
        f.low < f.value < f.high and f.undefined_draws == 0 for f in figures
    )
    assert figures == agreement_scores(
        _verdicts({"a": line, "b": "y" * 140 + "n" * 40 + "y" * 20}), draws=800
    )
    rare = next(
        f
        for f in agreement_scores(_verdicts({"a": "yyyyn", "b": "yyyyn"}))
        if f.measure == "Cohen's kappa"
    )
    assert 200 < rare.undefined_draws < 450, (
        "a third of the draws have no 'no' at all: (4/5)^5"
    )


# Decisions and catch trials


def test_majority():
    assert [
        majority_of(2, 1, 2),
        majority_of(1, 2, 2),
        majority_of(1, 1, 2),
        majority_of(1, 0, 2),
        majority_of(1, 0, 1),
        majority_of(0, 0, 1),
    ] == [
        "accepted",
        "rejected",
        "undecided",
        "undecided",
        "accepted",
        "undecided",
    ]


def test_decisions_count_yes_and_no_of_those_who_are_in():
    verdicts = _verdicts({"a": "yyynu", "b": "ynynu", "c": "yyuyy"})
    found = decide_images([row(i) for i in range(6)], verdicts, minimum=2)
    assert [d.decision for d in found] == [
        "accepted",
        "accepted",
        "accepted",
        "rejected",
        "undecided",
        "undecided",
    ]
    assert (
        found[2].attribute_yes,
        found[2].attribute_no,
        found[2].attribute_unsure,
    ) == (2, 0, 1)
    without = decide_images(
        [row(i) for i in range(6)], verdicts, minimum=2, excluded=["c"]
    )
    assert [d.decision for d in without] == [
        "accepted",
        "undecided",
        "accepted",
        "rejected",
        "undecided",
        "undecided",
    ]
    strict = decide_images([row(i) for i in range(6)], verdicts, minimum=3)
    assert [d.decision for d in strict] == [
        "accepted",
        "accepted",
        "undecided",
        "rejected",
        "undecided",
        "undecided",
    ]


def test_catch_trials_are_counted_by_annotator_and_never_as_votes():
    # the first passes, the second fails
    wrong = {"attribute": ("no", "yes"), "object": ("yes", "yes")}
    verdicts = [
        Verdict(
            "a",
            Trial(q, i, row(0).image_id, "x", "y", q),
            *answers,
            1.0,
            "",
            "",
        )
        for i, (q, answers) in enumerate(wrong.items())
    ]
    verdicts.append(
        Verdict(
            "b",
            Trial("t", 0, row(0).image_id, "x", "y", "object"),
            "no",
            "unsure",
            1.0,
            "",
            "",
        )
    )
    results = catch_results(["a", "b", "c"], verdicts)
    assert results == [
        CatchResult("a", 1, 1, 0),
        CatchResult("b", 0, 0, 1),
        CatchResult("c", 0, 0, 0),
    ]
    assert [r.share for r in results] == [0.5, None, None]
    assert (
        annotators_below(results, 0.6),
        annotators_below(results, 0.5),
        annotators_below(results, None),
    ) == (
        ["a"],
        [],
        [],
    )
    assert (
        decide_images([row(0)], verdicts, minimum=1)[0].decision == "undecided"
    )


# The command


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """50 images: ann and bob answer rightly, mallory says yes to everything and stops half-way;
    one undo.
    """
    folder = tmp_path_factory.mktemp("judged")
    path = folder / "v.sqlite"
    with open_store(path, table(folder / "set"), catch_rate=0.2) as store:
        answer_all(store, "ann")
        now = store.undo("ann", store.standing("ann").turn)
        store.record("ann", now.trial.trial, now.turn, *right_for(now.trial), 2)
        answer_all(store, "bob")
        now = store.enrol("mallory")
        while now.done < 40:
            now = store.record(
                "mallory", now.trial.trial, now.turn, "yes", "yes", 0.4
            )
        store.enrol("zoe")  # came, and gave no verdict
    return path


def _json(capsys, *flags):
    assert cli.main(["agreement", *flags, "--json", "--draws", "50"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_report_as_text(judged, capsys):
    assert cli.main(["agreement", str(judged), "--draws", "50"]) == 0
    text = capsys.readouterr().out
    assert (
        "50 images, 3 annotators; seed 0, 10 catch trials an annotator" in text
    )
    assert "passed" in text
    assert "Fleiss' kappa" in text
    assert "nan" not in text
    assert "zoe" not in text


def test_the_report_as_json(judged, capsys):
    found = _json(capsys, str(judged))
    assert [p["annotator"] for p in found["annotators"]] == [
        "ann",
        "bob",
        "mallory",
    ]
    ann, bob, mallory = found["annotators"]
    assert (ann["images"], ann["withdrawn"], bob["withdrawn"]) == (50, 1, 0)
    assert (
        ann["catch"]["failed"]
        == bob["catch"]["failed"]
        == mallory["catch"]["passed"]
        == 0
    )
    assert ann["catch"]["passed"] + ann["catch"]["unsure"] == 10
    assert (
        mallory["object_no"],
        mallory["median_seconds"],
        mallory["catch"]["share"],
    ) == (0, 0.4, 0)
    assert sum(found["decisions"]["decision"].values()) == 50
    assert found["excluded"] == []


def test_those_below_the_threshold_are_left_out_and_it_is_said(judged, capsys):
    found = _json(capsys, str(judged), "--min-catch", "0.7")
    assert found["excluded"] == ["mallory"]
    figures = {(f["question"], f["measure"]): f for f in found["agreement"]}
    assert figures["attribute", "raw agreement"]["value"] == 1
    # Ann and bob say yes to all (or unsure): right, and kappa has nothing to say of it.
    assert figures["attribute", "Cohen's kappa"]["value"] is None
    assert figures["attribute", "Cohen's kappa"]["why"]
    # 8 of the images are unsure of their attribute for both.
    assert found["decisions"]["attribute_decision"] == {
        "accepted": 42,
        "undecided": 8,
    }
    assert found["decisions"]["object_decision"] == {"accepted": 50}
    assert (
        cli.main(
            ["agreement", str(judged), "--min-catch", "0.7", "--draws", "50"]
        )
        == 0
    )
    text = capsys.readouterr().out
    assert (
        "Left out of agreement and decisions, under 70% of catch trials: mallory."
        in text
    )
    assert "undefined" in text


def test_exports_hold_verdicts_on_images_only(judged, capsys, tmp_path):
    names = [tmp_path / "v.parquet", tmp_path / "v.csv"]
    for name in names:
        flags = [
            "--export",
            str(name),
            "--decisions",
            str(tmp_path / f"d{name.suffix}"),
            "--draws",
            "20",
        ]
        assert cli.main(["agreement", str(judged), *flags]) == 0
        assert "Written: 1" in capsys.readouterr().out
    found = pq.read_table(names[0])
    assert tuple(found.column_names) == VERDICT_COLUMNS
    with names[1].open(newline="") as lines:
        assert [r["image_id"] for r in csv.DictReader(lines)] == found[
            "image_id"
        ].to_pylist()
    rows = found.to_pylist()
    with open_store(judged, table(tmp_path / "same")) as store:
        assert rows == verdict_rows(store)
        assert len(rows) == len(store.verdicts())
        assert json.loads(found.schema.metadata[KEY]) == store.settings()
    assert len({(r["image_id"], r["annotator"]) for r in rows}) == len(rows), (
        "one row an image and annotator"
    )
    for r in rows:
        image = row(int(r["image_id"][4:]))
        assert (r["attribute"], r["object"], r["file"]) == (
            image.attribute,
            image.object,
            image.file,
        )
    decided = pq.read_table(tmp_path / "d.parquet").to_pylist()
    assert len(decided) == 50
    assert decided[3]["decision"] == "accepted"
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == [
        "d.csv",
        "d.parquet",
        "v.csv",
        "v.parquet",
    ]


def test_an_empty_database_says_so(tmp_path, capsys):
    open_store(tmp_path / "v.sqlite", table(tmp_path / "set", 4)).close()
    assert cli.main(["agreement", str(tmp_path / "v.sqlite")]) == 0
    assert "No verdicts yet." in capsys.readouterr().out


def test_bad_commands_are_one_line(judged, tmp_path, capsys, monkeypatch):
    for flags, words in (
        (["--export", "v.txt"], ".parquet or .csv"),
        (["--decisions", str(tmp_path / "absent" / "d.csv")], "no folder"),
        (["--min-catch", "70"], "between 0 and 1"),
        (["--min-annotators", "0"], "at least 1"),
    ):
        assert cli.main(["agreement", str(judged), *flags]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
    monkeypatch.setitem(sys.modules, "krippendorff", None)
    assert cli.main(["agreement", str(judged)]) == 2
    assert "pip install 'imagenet-ao[annotate]'" in capsys.readouterr().err
    assert cli.main(["agreement", str(tmp_path / "absent.sqlite")]) == 2
    assert "is no file" in capsys.readouterr().err


def test_a_file_of_verdicts_that_was_emptied_is_said_to_begin_anew(
    tmp_path, capsys
):
    path, images = tmp_path / "v.sqlite", table(tmp_path / "set", 4)
    open_store(path, images).close()
    assert "anew" not in capsys.readouterr().err
    path.write_bytes(b"")
    open_store(path, images).close()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{path} is empty: verdicts are begun anew" in said
