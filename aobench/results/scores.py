"""Every score of a result, computed from the table of predictions by the metric, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aobench.results.candidates import Candidates, can_name
from aobench.results.predictions import Predictions
from aobench.results.tasks import TASKS, find_task, order_tasks

#: Accuracies, in the order of every table.
KINDS = ("composition", "attribute", "object")

NO_PREDICTION = -1


def metric_inputs(rows: dict[str, list[Any]], listed: Candidates) -> dict[str, Any]:
    """A split's rows as the metric takes them; an unreadable image predicts nothing, so it
    counts as wrong.
    """
    width = max((len(top) for top in rows["top"]), default=1) or 1
    empty = [NO_PREDICTION] * width
    choices = {"choices": rows["choices"]} if _by_image(listed) else {}
    return {
        "predictions": [top or empty for top in rows["top"]],
        "references": rows["label"],
        "attributes": [max(a, 0) for a in listed.attributes],
        "objects": [max(o, 0) for o in listed.objects],
        "groups": composition_numbers(rows),
        **_parts_shown(rows),
        **choices,
    }


def _parts_shown(rows: dict[str, list[Any]]) -> dict[str, np.ndarray]:
    """``group_parts`` of the metric, where every image has an attribute and an object."""
    parts = np.column_stack([rows["attribute"], rows["object"]])
    return {"group_parts": parts} if (parts >= 0).all() else {}


def _by_image(listed: Candidates) -> bool:
    return listed.task in TASKS and TASKS[listed.task].scope == "image"


def composition_numbers(rows: dict[str, list[Any]]) -> np.ndarray:
    """int N: a number 0.. for the composition that each image shows; its object where it has no
    attribute.
    """
    pairs = np.column_stack([rows["attribute"], rows["object"]])
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)


def split_scores(
    rows: dict[str, list[Any]], listed: Candidates, confidence: float = 0.95
) -> dict[str, Any]:
    """The scores of one split, fractions 0..1; those that the candidates cannot give are left out.

    Two intervals each: for these attributes and objects, whose compositions are taken as drawn
    (_low, _high), and for attributes and objects like these (_wide_low, _wide_high).
    """
    from compositional_ood.compositional_ood import score

    scores = score(**metric_inputs(rows, listed), confidence=confidence)
    without = tuple(kind for kind in KINDS if kind not in can_name(listed))
    if without:
        # The metric's compositions are then single names: its top-5 and balance are of those names.
        named = "object" if "attribute" in without else "attribute"
        for key in [
            k
            for k in scores
            if k.startswith(("composition_top5", "balanced_composition"))
        ]:
            scores[key.replace("composition", named)] = scores[key]
        dropped = tuple(f"{kind}_" for kind in without)
        scores = {
            k: v
            for k, v in scores.items()
            if not k.startswith(dropped)
            and not any(
                f"_{kind}_" in k or k.endswith(f"{kind}_chance") for kind in without
            )
        }
    scores["n_unreadable"] = sum(e is not None for e in rows["error"])
    scores["n_candidates"] = count_offered(rows, listed)
    return scores


def count_offered(rows: dict[str, list[Any]], listed: Candidates) -> int:
    """How many candidates an image is ranked among."""
    return len(rows["choices"][0]) if _by_image(listed) else len(listed)


def all_scores(predictions: Predictions, confidence: float = 0.95) -> dict[str, Any]:
    """By task the scores of each split and, where both ID and OoD are there, their gap and harmonic
    mean.

    ``gap`` is ID less OoD in the task's accuracy; ``harmonic_mean`` is 2 a b / (a + b), 0 if both
    are 0. Both have intervals, which take the two splits as independent of each other.
    """
    return {
        task: _task_scores(predictions, task, confidence) for task in predictions.tasks
    }


def _task_scores(
    predictions: Predictions, task: str, confidence: float
) -> dict[str, Any]:
    from compositional_ood.compositional_ood import (
        seen_and_novel,
        wide_ends,
        wide_seen_and_novel,
    )

    splits = {
        name: split_scores(predictions.split(name, task), listed, confidence)
        for name, listed in predictions.lists[task].items()
    }
    result: dict[str, Any] = {"splits": splits}
    main = find_task(task).accuracy
    if all(main in splits.get(split, {}) for split in ("id", "ood")):
        known, novel = (
            [splits[s][f"{main}{end}"] for end in ("", "_low", "_high")]
            for s in ("id", "ood")
        )
        result |= seen_and_novel(known, novel) | {"main": main}
        result |= wide_seen_and_novel(
            *(wide_ends(splits[s], main) for s in ("id", "ood"))
        )
    return result


def common_task(results: Sequence[Mapping[str, Any]], accuracy: str) -> str | None:
    """The first task in which each of the ``scores`` of several results has the accuracy on both
    splits; None where there is none.
    """
    shared = set.intersection(*(set(scores) for scores in results)) if results else ()
    for task in order_tasks(shared):
        if all(
            accuracy in scores[task]["splits"].get(split, {})
            for scores in results
            for split in ("id", "ood")
        ):
            return task
    return None


def shown_accuracy(scores: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    """(value, low, high) of an accuracy, gap or mean as pages, cards and tables show it.

    The interval is the two-way one, for attributes and objects like these; that of compositions,
    for these, where the scores have no other (`narrow_splits`).
    """
    from compositional_ood.compositional_ood import shown_interval

    return scores[key], *shown_interval(scores, key)


#: What the intervals that are shown speak of, in one sentence.
POPULATION = (
    "Intervals: 95 %, for attributes and objects like these, both taken as drawn; those for "
    "these attributes and objects alone are narrower and stand in results.json."
)


def narrow_splits(scores: Mapping[str, Any]) -> list[str]:
    """Splits of a task's ``scores`` whose first accuracy has an interval for these attributes and
    objects only: there is one attribute or object, or all answers are alike.
    """
    narrow = []
    for split, mine in scores["splits"].items():
        kind = next((k for k in KINDS if f"{k}_top1" in mine), None)
        if kind and f"{kind}_top1_wide_low" not in mine:
            narrow.append(split)
    return narrow


def narrow_note(scores: Mapping[str, Mapping[str, Any]]) -> str:
    """A sentence on the tasks and splits of ``scores`` by task whose interval is for these
    attributes and objects only; '' where there are none.
    """
    found = {task: narrow_splits(its) for task, its in scores.items()}
    said = ", ".join(f"{task} {' and '.join(s)}" for task, s in found.items() if s)
    if not said:
        return ""
    return (
        f"{said}: the interval is for these attributes and objects only (there is one attribute or "
        "object, or all answers are alike)."
    )


def chance(scores: dict[str, Any], kind: str) -> float | None:
    """Accuracy of a random choice, 0..1, of ``kind`` (composition, attribute, object) in a split's
    ``scores``.

    None where the candidates cannot give that accuracy.
    """
    if f"{kind}_top1" not in scores:
        return None
    return scores["chance"] if kind == "composition" else scores[f"{kind}_chance"]


def unlike_tasks(scores: dict[str, Any]) -> str:
    """A sentence where a task's ``scores`` of ID and OoD are among unlike numbers of candidates,
    else ''.
    """
    splits = scores["splits"]
    if not {"id", "ood"} <= set(splits):
        return ""
    a, b = (splits[split]["n_candidates"] for split in ("id", "ood"))
    if a == b:
        return ""
    return (
        f"ID has {a:,} candidates and OoD {b:,}: the gap is between tasks "
        "of unlike difficulty."
    )
