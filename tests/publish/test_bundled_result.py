"""The result of the bundled model that ships in model_cards/ holds, and can be submitted to
mini's tasks alone.
"""

from pathlib import Path

import pytest

from aobench.errors import UserError
from aobench.publish.known_data import KNOWN, check
from aobench.publish.submit import submission
from aobench.results.verified import read_result

FOLDER = Path(__file__).parents[2] / "model_cards" / "mini"


def test_its_table_gives_its_figures():
    check(read_result(FOLDER), KNOWN["mini"])


def test_it_is_a_submission_to_minis_tasks_only():
    result = read_result(FOLDER)
    ready = submission(result, "a/b", "c/d", "mini", KNOWN["mini"], None)
    assert b"mini_composition_top1" in ready.files[".eval_results/imagenet_ao.yaml"]
    with pytest.raises(UserError, match="don't compare"):
        submission(result, "a/b", "c/d", "v2", KNOWN["mini"], None)
