"""The threshold of each question to a judge: in the configuration, chosen on known answers, or the
judge's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aobench.errors import UserError
from aobench.newset.config import JudgeOptions
from aobench.newset.validate.calibration import (
    calibration_half,
    choose_threshold,
    measure_threshold,
)
from aobench.newset.validate.judges import Judge
from aobench.newset.validate.labels import Labels
from aobench.newset.validate.scoring import Scores, judge_name


def judge_thresholds(
    judge: Judge, options: JudgeOptions, scores: Scores, labels: Labels
) -> tuple[dict[str, float], dict[str, Any]]:
    """Each question's threshold, and what is known of it.

    A chosen threshold is chosen on half of the labels and measured on the other half; others are
    measured on all labels.
    """
    thresholds: dict[str, float] = {}
    facts: dict[str, Any] = {}
    for question in judge.questions:
        answers = labels[question]
        ids = sorted(answers)
        values = np.array([scores[question][i] for i in ids], dtype=float)
        right = np.array([answers[i] for i in ids], dtype=bool)
        value, how, test = _threshold(
            judge, options, question, ids, values, right
        )
        measured = (
            measure_threshold(values[test], right[test], value)
            if test.any()
            else None
        )
        thresholds[question] = value
        facts[question] = {"threshold": value, "how": how, "measured": measured}
    return thresholds, facts


def _threshold(
    judge: Judge,
    options: JudgeOptions,
    question: str,
    ids: list[str],
    values: np.ndarray,
    right: np.ndarray,
) -> tuple[float, str, np.ndarray]:
    """A threshold, how it came about, and on which of the labels it is measured (bool)."""
    what = f"the judge {judge_name(options)!r}, {question}"
    every = np.ones(len(ids), dtype=bool)
    own: Mapping[str, float] = judge.thresholds
    configured = getattr(options, question)
    if configured is not None:
        return float(configured), "given", every
    if options.precision is not None:
        half = _half_to_choose_on(ids, what)
        value = choose_threshold(
            values[half], right[half], options.precision, what
        )
        return value, f"chosen for {options.precision:g}", ~half
    if question in own:
        return float(own[question]), "the judge's own", every
    raise UserError(
        f"{what} has no threshold: give one ({question}: NUMBER), or precision with labels"
    )


def _half_to_choose_on(ids: list[str], what: str) -> np.ndarray:
    if not ids:
        raise UserError(
            f"{what}: precision is asked for, but no answers are known; name labels or human"
        )
    half = calibration_half(ids)
    if not half.any():
        raise UserError(
            f"{what}: all {len(ids)} known answers fall into the half that measures the "
            "threshold, and none into the half that it is chosen on (a hash of the id decides); "
            "label more images"
        )
    return half
