"""The metric against hand-computed cases, through evaluate and as a function."""

import doctest
from pathlib import Path

import evaluate
import numpy as np
import pandas as pd
import pytest
from compositional_ood.compositional_ood import score, wilson

FOLDER = Path(__file__).parents[2] / "metrics" / "compositional_ood"
PARTS = {"attributes": [0, 0, 1, 1], "objects": [0, 1, 0, 1]}


@pytest.fixture(scope="module")
def metric():
    return evaluate.load(str(FOLDER))


def test_hand_computed(metric):
    result = metric.compute(
        predictions=[0, 1, 3], references=[0, 1, 2], **PARTS
    )
    assert result["composition_top1"] == pytest.approx(2 / 3)
    assert result["attribute_top1"] == 1
    assert result["object_top1"] == pytest.approx(2 / 3)
    assert result["chance"] == 0.25
    assert result["attribute_chance"] == 0.5
    assert (
        result["worst_attribute_id"],
        result["worst_attribute_top1"],
        result["worst_attribute_n"],
    ) == (1, 0, 1)


def test_wilson_against_the_published_example():
    # 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, Statistics in Medicine 17:857-872, table I)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == 1


def test_batches_add_up(metric):
    metric.add_batch(predictions=[0, 1], references=[0, 1])
    metric.add_batch(predictions=[3], references=[2])
    assert metric.compute(**PARTS)["composition_top1"] == pytest.approx(2 / 3)


def test_no_prediction_is_wrong_in_every_way():
    result = score([-1, 0], [3, 0], **PARTS)
    assert [
        result[f"{kind}_top1"]
        for kind in ("composition", "attribute", "object")
    ] == [0.5, 0.5, 0.5]


def test_gap_and_harmonic_mean():
    result = score(
        [0, 0], [0, 1], **PARTS, id_predictions=[2, 2], id_references=[2, 2]
    )
    assert result["gap"] == 0.5
    assert "harmonic_mean" not in result, "no bias gives both accuracies"


def test_top5_needs_a_ranking_of_five():
    parts = {"attributes": [0] * 6, "objects": list(range(6))}
    assert score([[5, 4, 3, 2, 1]], [1], **parts)["composition_top5"] == 1
    assert "composition_top5" not in score([[5, 4]], [1], **parts)


def test_bootstrap_draws_whole_compositions():
    result = score(
        [0] * 50 + [0] * 50, [0] * 50 + [1] * 50, **PARTS, bootstrap=500
    )
    assert (
        result["composition_top1_low"],
        result["composition_top1_high"],
    ) == (0, 1)


def test_bootstrap_of_answers_that_are_all_right_still_has_an_interval():
    result = score([0, 1, 2, 3] * 5, [0, 1, 2, 3] * 5, **PARTS, bootstrap=500)
    assert result["composition_top1_low"] < 0.9, (
        "an interval of no width says that 20 images tell all"
    )
    assert result["composition_top1_high"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bootstrap": True}, "bootstrap is a number of draws.*got True"),
        ({"bootstrap": -1}, "bootstrap is a number of draws"),
        ({"seed": "a"}, "seed is the bootstrap's start.*got 'a'"),
        (
            {"confidence": "x"},
            "confidence must be a number between 0 and 1; got 'x'",
        ),
        ({"confidence": 1}, "confidence must be a number"),
        (
            {"transform": "probit"},
            "transform is the scale of a baseline's line: give baseline too",
        ),
        (
            {"id_attributes": [0], "id_objects": [0]},
            "id_attributes and id_objects describe id_predictions",
        ),
        ({"id_attributes": [0]}, "id_attributes and id_objects go together"),
        (
            {"references": [-1]},
            r"references\[0\] is -1, which is no id; ids run from 0 on",
        ),
        ({"predictions": 3}, "predictions must be a list"),
        ({"references": None}, "predictions and references go together"),
        (
            {"attributes": [0, 0, 1, 0]},
            r"list the pair \(0, 1\) of candidate 1 more than once",
        ),
        (
            {
                "id_predictions": [0],
                "id_references": [0],
                "baseline": {"id": ["a"] * 3, "ood": [0.1] * 3},
            },
            "baseline: id and ood hold accuracies, as numbers",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(arguments, words):
    from compositional_ood.compositional_ood import CompositionalOOD

    given = {"predictions": [0], "references": [0], **PARTS, **arguments}
    with pytest.raises(ValueError, match=words) as caught:
        CompositionalOOD().compute(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("predictions", "references", "words"),
    [
        ([1.5], [0], "float 1.5"),
        ([None], [0], "None"),
        ([float("nan")], [0], "NaN"),
        ([4], [0], "no candidate id"),
        ([0], [4], "no candidate id"),
        ([], [], "empty"),
        ([0, 1], [0], "entries"),
        ([[1, 1]], [1], "twice"),
        ([[1, 2], [1]], [1, 1], "same length"),
    ],
)
def test_bad_input(metric, predictions, references, words):
    with pytest.raises(ValueError, match=words):
        metric.compute(predictions=predictions, references=references, **PARTS)


def test_ranks_alone(metric):
    parts = {"attributes": list(range(9)), "objects": [0] * 9}
    result = metric.compute(
        ranks=[0, 4, 5, -1], references=[0, 1, 2, 3], **parts
    )
    assert (
        result["composition_top1"],
        result["composition_top5"],
        result["n"],
    ) == (
        0.25,
        0.5,
        4,
    )
    assert "object_top1" not in result


def test_ranks_agree_with_rankings():
    parts = {"attributes": [0] * 6, "objects": list(range(6))}
    ranking = [[5, 4, 3, 2, 1], [0, 1, 2, 3, 4]]
    named, ranked = (
        score(ranking, [1, 0], **parts),
        score(ranks=[4, 0], references=[1, 0], **parts),
    )
    assert {k: v for k, v in named.items() if k in ranked} == ranked


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ranks": [4], "references": [0]}, "no candidate id"),
        ({"ranks": [0, 1], "references": [0]}, "equal length"),
        (
            {"ranks": [0], "references": [0], "predictions": [0]},
            "one of the two",
        ),
    ],
)
def test_bad_ranks(metric, arguments, words):
    with pytest.raises(ValueError, match=words):
        metric.compute(**arguments, **PARTS)


def test_the_examples_of_the_documentation_run():
    from compositional_ood import compositional_ood

    runner = doctest.DocTestRunner()
    example = doctest.DocTestParser().get_doctest(
        compositional_ood._KWARGS, {}, "compositional_ood", None, 0
    )
    runner.run(example)
    failed, tried = runner.summarize(verbose=False)[:2]
    assert (failed, tried) == (0, len(example.examples)), "see the output above"
    assert tried >= 6


def test_ids_may_be_of_any_size():
    """Hashes, or the numbers of a larger vocabulary: nothing is as large as the largest id."""
    small = score(
        [0, 1, 3], [0, 1, 2], attributes=[7, 7, 5, 5], objects=[2, 3, 2, 3]
    )
    far = {
        "attributes": [10**12, 10**12, 5, 5],
        "objects": [2, 10**18, 2, 10**18],
    }
    large = score([0, 1, 3], [0, 1, 2], **far, groups=[10**15, 0, 3])
    assert large | {"worst_object_id": 2, "worst_attribute_id": 5} == small | {
        "worst_object_id": 2
    }
    assert large["worst_object_id"] == 2
    assert (
        score([1], [0], attributes=[10**12, 1], objects=[0, 1])[
            "worst_attribute_id"
        ]
        == 10**12
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"predictions": [True, 1, 3]},
            r"predictions\[0\] is True; ids are whole numbers",
        ),
        (
            {"predictions": [[0, 1], [1, False], [3, 2]]},
            r"predictions\[1\] is \[1, False\]",
        ),
        ({"references": [0, 1, np.bool_(True)]}, r"references\[2\] is .*True"),
        (
            {"attributes": [0, 0, 1, 2**63]},
            r"attributes holds 9223372036854775808; ids lie below",
        ),
        (
            {"attributes": np.array([0, 0, 1, 2**63], np.uint64)},
            "ids lie below",
        ),
        ({"objects": [0, 1, 0, 10**30]}, "objects must hold whole numbers"),
        ({"objects": [0, 1, 0, 1e30]}, "ids lie below"),
        ({"objects": [0, 1, 0, -(10**12)]}, "which is no id"),
        ({"objects": [0, 1, 0, float("inf")]}, "ids are whole numbers"),
        ({"bootstrap": 10**9}, "at most 1,000,000 draws; got 1,000,000,000"),
        ({"bootstrap": 10**400}, "at most 1,000,000 draws"),
        ({"seed": -1}, "seed is the bootstrap's start"),
    ],
)
def test_what_numpy_would_take_in_silence_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        score(
            **{"predictions": [0, 1, 3], "references": [0, 1, 2], **PARTS}
            | change
        )


def test_a_bootstrap_in_blocks_draws_what_one_block_draws(monkeypatch):
    import compositional_ood.compositional_ood as module

    how = {
        "predictions": [0, 1, 3, 3] * 9,
        "references": [0, 1, 2, 3] * 9,
        **PARTS,
        "bootstrap": 300,
    }
    whole = score(**how)
    monkeypatch.setattr(module, "BLOCK", 40)
    assert score(**how) == whole


def test_the_bootstrap_does_not_jump_at_100_percent():
    """With one wrong image of 400 hardly a draw differs, which would say that 98 % is ruled out."""
    n, parts = 50, {"attributes": list(range(50)), "objects": [0] * 50}
    right = np.repeat(np.arange(n), 8)
    one_wrong = right.copy()
    one_wrong[0] = 1
    found = [
        score(p, right, **parts, bootstrap=400) for p in (one_wrong, right)
    ]
    assert (
        found[0]["composition_top1_low"]
        <= found[1]["composition_top1_low"]
        < 0.95
    )


@pytest.mark.parametrize(
    "values",
    [
        {0: 0, 1: 1, 2: 3},
        {0, 1, 3},
        dict.fromkeys([0, 1, 3]).keys(),
        pd.DataFrame({"p": [0, 1, 3]}),
        (id for id in [0, 1, 3]),
        np.zeros((3, 1, 1), int),
    ],
)
@pytest.mark.parametrize("key", ["predictions", "references", "id_predictions"])
def test_what_is_no_list_is_one_line(metric, key, values):
    given = {
        "predictions": [0, 1, 3],
        "references": [0, 1, 2],
        "id_references": [0, 1, 2],
    }
    given |= {"id_predictions": [0, 1, 3], key: values}
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the words are checked below)
        metric.compute(**given, **PARTS)
    message = str(error.value)
    assert key in message
    assert "\n" not in message, message


@pytest.mark.parametrize(
    "confidence", [1e-300, 1e-12, 1 - 1e-16, 1 - 1e-12, 0, 1, 95]
)
def test_a_confidence_without_a_quantile_is_one_line(metric, confidence):
    with pytest.raises(
        ValueError, match="confidence must be a number between 0 and 1"
    ):
        metric.compute(
            predictions=[0, 1, 3],
            references=[0, 1, 2],
            confidence=confidence,
            **PARTS,
        )


def test_numbers_of_numpy_are_numbers(metric):
    plain = {"predictions": [0, 1, 3], "references": [0, 1, 2]}
    answers = [
        metric.compute(**plain, **PARTS, confidence=confidence, bootstrap=draws)
        for confidence, draws in ((0.5, 7), (np.float32(0.5), np.int8(7)))
    ]
    assert answers[0] == answers[1]


def test_images_that_were_added_are_not_lost_for_ranks():
    metric = evaluate.load(str(FOLDER))
    metric.add_batch(predictions=[0, 1, 3], references=[0, 1, 2])
    with pytest.raises(ValueError, match="images were added before it"):
        metric.compute(ranks=[0], references=[0], **PARTS)
    assert metric.compute(**PARTS)["n"] == 3


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize(
    "first", [[0, 1, 3], [[0, 1, 3], [1, 2, 0], [3, 2, 1]]]
)
def test_a_wrong_option_loses_no_images_and_leaves_no_file(
    tmp_path, first, in_memory
):
    metric = evaluate.load(
        str(FOLDER), cache_dir=str(tmp_path), keep_in_memory=in_memory
    )
    metric.add_batch(predictions=first[:2], references=[0, 1])
    metric.add(prediction=first[2], reference=2)
    for more in ({}, {"predictions": first[:1], "references": [0]}):
        with pytest.raises(ValueError, match="confidence must be a number"):
            metric.compute(**more, **PARTS, confidence="x")
    expected = metric.compute(**PARTS)
    assert expected["n"] == 3
    with pytest.raises(ValueError, match="confidence must be a number"):
        metric.compute(
            predictions=first, references=[0, 1, 2], **PARTS, confidence="x"
        )
    # no wait for what failed
    other = evaluate.load(
        str(FOLDER), cache_dir=str(tmp_path), keep_in_memory=in_memory
    )
    other.add_batch(predictions=first, references=[0, 1, 2])
    names = [path.name for path in tmp_path.rglob("*.arrow")]
    assert names == ([] if in_memory else ["default_experiment-1-0.arrow"])
    assert other.compute(**PARTS) == expected
    assert list(tmp_path.rglob("*.arrow")) == []


@pytest.mark.parametrize("first", [[0, 1], [[0, 1], [1, 2]]])
def test_batches_of_two_forms_are_one_line(first):
    metric = evaluate.load(str(FOLDER))
    other = [[0, 1]] if isinstance(first[0], int) else [0]
    metric.add_batch(predictions=first, references=[0, 1])
    with pytest.raises(
        ValueError, match=r"^predictions are ids in one batch and ranked"
    ):
        metric.add_batch(predictions=other, references=[0])
    assert metric.compute(**PARTS)["n"] == 2
    metric.add_batch(predictions=other, references=[0])
    assert metric.compute(**PARTS)["n"] == 1


def test_chance_among_choices_is_the_mean_of_one_over_their_number():
    found = score(
        [0, 1, 2], [0, 0, 2], choices=[[0, 1], [0, 1, 2, 3], [1, 2]], **PARTS
    )
    assert found["chance"] == pytest.approx((1 / 2 + 1 / 4 + 1 / 2) / 3)
    assert found["composition_top1"] == pytest.approx(2 / 3)
    # of 0 and 1 both have attribute 0; of all four half; of 1 and 2 one has attribute 1
    assert found["attribute_chance"] == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)


def test_choices_of_all_candidates_change_nothing():
    every = [[3, 1, 0, 2]] * 4
    plain = score([0, 1, 3, -1], [0, 1, 2, 3], **PARTS)
    assert score([0, 1, 3, -1], [0, 1, 2, 3], choices=every, **PARTS) == plain
    ranks = score(
        ranks=[0, 2], references=[0, 1], choices=[[0, 1, 2]] * 2, **PARTS
    )
    assert ranks["chance"] == pytest.approx(1 / 3)


def test_seen_compositions_have_choices_of_their_own():
    found = score(
        [0],
        [0],
        choices=[[0, 1]],
        id_predictions=[1],
        id_references=[1],
        id_choices=[[1, 2]],
        **PARTS,
    )
    assert found["id_composition_top1"] == 1
    with pytest.raises(ValueError, match=r"id_predictions\[0\] names 3"):
        score(
            [0],
            [0],
            id_predictions=[3],
            id_references=[1],
            id_choices=[[1, 2]],
            **PARTS,
        )


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ([[0, 1]], "choices has 1 entries and references 2"),
        (
            [[0, 1], [0, 0, 1]],
            r"choices\[1\] offers a candidate more than once",
        ),
        ([[0, 1], [2, 3]], r"choices\[1\] lacks the right candidate 1"),
        ([[0, 1], [1, 4]], "no candidate id"),
        ([[0, 1], [1.5, 1]], "whole numbers"),
        ([[0, 1], []], "empty"),
        ([[1, 0], [1, 2]], r"predictions\[1\] names 0"),
        ([0, 1], "must be a list"),
        ("01", "must be a list"),
    ],
)
def test_choices_that_cannot_be_are_one_line(choices, words):
    with pytest.raises(ValueError, match=words) as caught:
        score([0, 0], [0, 1], choices=choices, **PARTS)
    assert "\n" not in str(caught.value)


def test_a_rank_beyond_the_choices_is_refused():
    with pytest.raises(
        ValueError, match=r"ranks\[0\] is 2, and the image has 2 choices"
    ):
        score(ranks=[2], references=[0], choices=[[0, 1]], **PARTS)
    with pytest.raises(ValueError, match="id_choices are of id_predictions"):
        score([0], [0], id_choices=[[0, 1]], **PARTS)


@pytest.mark.parametrize("value", [{"a": 1}, {1, 2}, b"01", {}], ids=repr)
@pytest.mark.parametrize(
    "name", ["predictions", "references", "attributes", "objects"]
)
def test_what_is_no_list_is_refused_by_name(name, value):
    good = {
        "predictions": [[0]],
        "references": [0],
        "attributes": [0],
        "objects": [0],
    }
    with pytest.raises(ValueError, match=name):
        score(**{**good, name: value})


@pytest.mark.parametrize(
    "value", [["logit"], {"logit": 1}, 3, b"logit"], ids=repr
)
def test_a_transform_that_is_no_name_is_refused(value):
    lists = {
        "predictions": [[0]],
        "references": [0],
        "attributes": [0],
        "objects": [0],
    }
    known = {f"id_{name}": value for name, value in lists.items()}
    baseline = {"id": [0.2, 0.4, 0.6], "ood": [0.1, 0.2, 0.4]}
    with pytest.raises(ValueError, match="unknown transform"):
        score(**lists, **known, baseline=baseline, transform=value)
