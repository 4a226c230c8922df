"""The result of the bundled model that ships in model_cards/ holds, and can be submitted to
mini's tasks alone.
"""

from pathlib import Path

import numpy as np
import pytest

from aobench.errors import UserError
from aobench.publish.known_data import KNOWN, check_fingerprints
from aobench.publish.submit import prepare_submission
from aobench.results.scores import shown_accuracy
from aobench.results.verified import read_result

FOLDER = Path(__file__).parents[2] / "model_cards" / "mini"


def test_its_table_gives_its_figures():
    result = read_result(FOLDER)
    check_fingerprints(result, KNOWN["mini"])
    for split, scores in result.splits.items():
        ranks = np.array(result.predictions.split(split)["rank"])
        assert scores["n"] == len(ranks)
        assert scores["composition_top1"] == pytest.approx((ranks == 0).mean())
        top5 = (ranks >= 0) & (ranks < 5)
        assert scores["composition_top5"] == pytest.approx(top5.mean())
    readme = (FOLDER / "README.md").read_text()
    for split, scores in result.splits.items():
        shown = [
            100 * one for one in shown_accuracy(scores, "composition_top1")
        ]
        value, low, high = (f"{number:.1f}" for number in shown)
        row = f"| {split} | composition top-1 | {value} | {low} to {high} |"
        assert row in readme, f"the card of mini has other numbers on {split}"


def test_a_result_on_other_data_is_told_from_minis():
    result = read_result(FOLDER)
    with pytest.raises(UserError, match="evaluated on other data"):
        check_fingerprints(result, {**KNOWN["mini"], "ood": "0" * 16})


def test_it_is_a_submission_to_minis_tasks_only():
    result = read_result(FOLDER)
    ready = prepare_submission(
        result, "a/b", "c/d", "mini", KNOWN["mini"], None
    )
    assert (
        b"mini_composition_top1"
        in ready.files[".eval_results/imagenet_ao.yaml"]
    )
    with pytest.raises(UserError, match="don't compare"):
        prepare_submission(result, "a/b", "c/d", "v2", KNOWN["mini"], None)
