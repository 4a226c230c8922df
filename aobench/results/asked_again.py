"""What a generative model's answers owe to the image, to the letters, and to language alone.

Computed from the table of predictions: the same question with a grey picture (``-blind``) and with
its options behind other letters (``-rotated``) has rows of its own. All are shares of the images
that could be read; intervals take compositions as independent, as those of the accuracies do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from aobench.results.candidates import Candidates
from aobench.results.option_order import option_orders
from aobench.results.predictions import Predictions
from aobench.results.tasks import CONDITIONS
from aobench.vocabulary.questions import LETTERS

Rows = Mapping[str, list[Any]]


def asked_again_scores(
    predictions: Predictions, task: str, split: str, confidence: float = 0.95
) -> dict[str, Any]:
    """Shares of a split's answers to ``task`` by how they change when it is asked again.

    Args:
        predictions: the table.
        task: a plain task.
        split: id or ood.
        confidence: of the intervals.

    Returns:
        {} where the task was not asked again. ``blind_agreement``: answers that are the same
        without the image. ``rotated_agreement``: answers that are the same when the options stand
        behind other letters. Each with ``_low`` and ``_high``. ``letter_bias``: how far the letters
        that were chosen are from each equally often (total variation, 0 to 1), beside
        ``letter_bias_chance``, what chance alone makes of it in so many answers;
        ``letter_top_share``: of the letter that is chosen most, ``letter_top_id`` (0 for A).
    """
    asked = [
        condition
        for condition in CONDITIONS
        if split in predictions.lists.get(f"{task}-{condition}", {})
    ]
    if not asked:
        return {}
    rows = predictions.split(split, task)
    scores: dict[str, Any] = {}
    for condition in asked:
        again = predictions.split(split, f"{task}-{condition}")
        scores |= _agreement(rows, again, f"{condition}_agreement", confidence)
        if condition == "rotated":
            scores |= _letters(rows, predictions.lists[task][split])
    return scores


def _agreement(
    rows: Rows, again: Rows, name: str, confidence: float
) -> dict[str, float]:
    from compositional_ood.compositional_ood import cluster_interval

    answers = {
        one: top[0]
        for one, top in zip(again["sample_id"], again["top"], strict=True)
        if top
    }
    same: dict[tuple[int, int], list[bool]] = {}
    columns = (rows[key] for key in ("sample_id", "top", "attribute", "object"))
    for sample, top, attribute, thing in zip(*columns, strict=True):
        if top:
            again_alike = answers[sample] == top[0]
            same.setdefault((attribute, thing), []).append(again_alike)
    if not same:
        return {}
    right = [sum(one) for one in same.values()]
    count = [len(one) for one in same.values()]
    low, high, _ = cluster_interval(right, count, confidence)
    return {
        name: sum(right) / sum(count),
        f"{name}_low": low,
        f"{name}_high": high,
    }


def _letters(rows: Rows, candidates: Candidates) -> dict[str, Any]:
    """Which letters were chosen; the right ones are balanced over the letters by design."""
    count = len(rows["label"])
    if rows["choices"][0] is None:
        offered = np.tile(np.arange(len(candidates)), (count, 1))
    else:
        offered = np.array(rows["choices"])
    order = option_orders(rows["sample_id"], offered, rows["label"])
    read = [row for row, top in enumerate(rows["top"]) if top]
    if not read:
        return {}
    chosen = np.array([rows["top"][row][0] for row in read])
    places = (order[read] == chosen[:, None]).argmax(1)
    size = offered.shape[1]
    shares = np.bincount(places, minlength=size) / len(read)
    top = int(shares.argmax())
    return {
        "letter_bias": float(np.abs(shares - 1 / size).sum() / 2),
        "letter_bias_chance": min(1.0, _bias_of_chance(size, len(read))),
        "letter_top_share": float(shares[top]),
        "letter_top_id": top,
    }


def _bias_of_chance(size: int, count: int) -> float:
    """The mean of the total variation where each letter is as likely, by the normal
    approximation.
    """
    deviation = math.sqrt((1 - 1 / size) / size / count)
    return size * math.sqrt(2 / math.pi) * deviation / 2


def asked_again_lines(name: str, scores: Mapping[str, Any]) -> list[str]:
    """What a reader of the table must know of a model's answers, one line a task."""
    lines = []
    for task, its in scores.items():
        parts = [
            part
            for split, mine in its["splits"].items()
            if (part := _sentence(split, mine))
        ]
        if parts:
            lines.append(f"{name}, {task}: {'; '.join(parts)}.")
    return lines


def _sentence(split: str, mine: Mapping[str, Any]) -> str:
    said = []
    if "blind_agreement" in mine:
        said.append(
            f"{_percent(mine, 'blind_agreement')} of the answers are the same blind"
        )
        if mine["blind_agreement"] == 1:
            said[-1] = (
                "all answers are the same blind: the image changes nothing"
            )
    if "rotated_agreement" in mine:
        letter = LETTERS[mine["letter_top_id"]]
        said.append(
            f"{_percent(mine, 'rotated_agreement')} behind other letters, and the letters chosen "
            f"are {100 * mine['letter_bias']:.1f} % from even "
            f"({100 * mine['letter_bias_chance']:.1f} by chance; most often {letter}, "
            f"{100 * mine['letter_top_share']:.1f} %)"
        )
    return f"{split}: {', '.join(said)}" if said else ""


def _percent(mine: Mapping[str, Any], name: str) -> str:
    value, low, high = (
        100 * mine[f"{name}{end}"] for end in ("", "_low", "_high")
    )
    return f"{value:.1f} [{low:.1f}, {high:.1f}] %"
