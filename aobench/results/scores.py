"""Every score of a result, computed from the table of predictions by the metric, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aobench.results.candidates import Candidates, can_name, seen_candidates
from aobench.results.predictions import Predictions
from aobench.results.tasks import TASKS, find_task, order_tasks

#: Accuracies, in the order of every table.
KINDS = ("composition", "attribute", "object")


def metric_inputs(
    rows: dict[str, list[Any]], candidates: Candidates
) -> dict[str, Any]:
    """A split's rows as the metric takes them; an unreadable image predicts nothing, so it
    counts as wrong.
    """
    from compositional_ood.compositional_ood import NO_PREDICTION

    width = max((len(top) for top in rows["top"]), default=1) or 1
    empty = [NO_PREDICTION] * width
    choices = {"choices": rows["choices"]} if _by_image(candidates) else {}
    return {
        "predictions": [(top + empty)[:width] for top in rows["top"]],
        "references": rows["label"],
        "attributes": [max(a, 0) for a in candidates.attributes],
        "objects": [max(o, 0) for o in candidates.objects],
        "groups": composition_numbers(rows),
        **_parts_shown(rows),
        **choices,
    }


def _parts_shown(rows: dict[str, list[Any]]) -> dict[str, np.ndarray]:
    """``group_parts`` of the metric, where every image has an attribute and an object."""
    parts = np.column_stack([rows["attribute"], rows["object"]])
    return {"group_parts": parts} if (parts >= 0).all() else {}


def _by_image(candidates: Candidates) -> bool:
    return candidates.task in TASKS and TASKS[candidates.task].scope == "image"


def composition_numbers(rows: dict[str, list[Any]]) -> np.ndarray:
    """int N: a number 0.. for the composition that each image shows; its object where it has no
    attribute.
    """
    from compositional_ood.compositional_ood import unique_pairs

    parts = (np.asarray(rows[part], int) for part in ("attribute", "object"))
    return unique_pairs(*parts).numbers


def split_scores(
    rows: dict[str, list[Any]],
    candidates: Candidates,
    confidence: float = 0.95,
    seen: tuple[bool, ...] = (),
) -> dict[str, Any]:
    """The scores of one split, fractions 0..1; those that the candidates cannot give are left out.

    Two intervals each: for these attributes and objects, whose compositions are taken as drawn
    (_low, _high), and for attributes and objects like these (_wide_low, _wide_high).
    ``seen``: by candidate whether it is a
    seen one, for where errors fall; empty where that is not known.
    """
    from compositional_ood.compositional_ood import score

    inputs = metric_inputs(rows, candidates)
    scores = score(
        **inputs, seen_candidates=seen or None, confidence=confidence
    )
    without = tuple(kind for kind in KINDS if kind not in can_name(candidates))
    if without:
        # The metric's compositions are then single names: its top-5 and balance are of those names.
        named = "object" if "attribute" in without else "attribute"
        for key in [
            k
            for k in scores
            if k.startswith(("composition_top5", "balanced_composition"))
        ]:
            scores[key.replace("composition", named)] = scores[key]
        dropped = (*(f"{kind}_" for kind in without), "errors_")
        scores = {
            k: v
            for k, v in scores.items()
            if not k.startswith(dropped)
            and not any(
                f"_{kind}_" in k or k.endswith(f"{kind}_chance")
                for kind in without
            )
        }
    scores["n_unreadable"] = sum(e is not None for e in rows["error"])
    fewest, scores["n_candidates"] = offered_counts(rows, candidates)
    if fewest < scores["n_candidates"]:
        scores["n_candidates_fewest"] = fewest
    return scores


def offered_counts(
    rows: dict[str, list[Any]], candidates: Candidates
) -> tuple[int, int]:
    """How many candidates an image is ranked among: the fewest, and the most."""
    if not _by_image(candidates):
        return len(candidates), len(candidates)
    counts = [len(row) for row in rows["choices"]]
    return min(counts), max(counts)


def candidates_text(scores: Mapping[str, Any]) -> str:
    """How many candidates an image of a split is ranked among, such as ``9`` or ``2 to 4``."""
    most = f"{scores['n_candidates']:,}"
    fewest = scores.get("n_candidates_fewest")
    return most if fewest is None else f"{fewest:,} to {most}"


def all_scores(
    predictions: Predictions, confidence: float = 0.95
) -> dict[str, Any]:
    """By task the scores of each split and, where both ID and OoD are there, their gap; where the
    task parts seen and novel candidates of one list, also the seen-novel curve's.

    ``gap`` is ID less OoD in the task's accuracy; its interval takes the two splits as independent
    of each other.
    """
    return {
        task: _task_scores(predictions, task, confidence)
        for task in predictions.tasks
    }


def _task_scores(
    predictions: Predictions, task: str, confidence: float
) -> dict[str, Any]:
    from compositional_ood.compositional_ood import (
        seen_and_novel,
        wide_ends,
        wide_gap,
    )

    from aobench.results.asked_again import asked_again_scores

    lists = predictions.lists[task]
    rows = {name: predictions.split(name, task) for name in lists}
    seen = _seen_of_task(task, rows, lists)
    splits = {
        name: split_scores(rows[name], candidates, confidence, seen)
        | asked_again_scores(predictions, task, name, confidence)
        for name, candidates in lists.items()
    }
    result: dict[str, Any] = {"splits": splits}
    main = find_task(task).accuracy
    if all(main in splits.get(split, {}) for split in ("id", "ood")):
        known, novel = (
            [splits[s][f"{main}{end}"] for end in ("", "_low", "_high")]
            for s in ("id", "ood")
        )
        result |= seen_and_novel(known, novel) | {"main": main}
        result |= wide_gap(*(wide_ends(splits[s], main) for s in ("id", "ood")))
    if seen and _has_sides(rows):
        result["curve"] = _curve_scores(rows, seen, confidence)
    return result


def _seen_of_task(
    task: str,
    rows: Mapping[str, dict[str, list[Any]]],
    lists: Mapping[str, Candidates],
) -> tuple[bool, ...]:
    """By candidate whether it is seen; empty where each split has a list of its own."""
    wanted = TASKS.get(task)
    if (
        wanted is None
        or wanted.kind != "composition"
        or wanted.scope == "split"
    ):
        return ()
    if not {"id", "ood"} <= set(rows):
        return ()
    pairs = zip(rows["id"]["attribute"], rows["id"]["object"], strict=True)
    return seen_candidates(lists["id"], pairs)


def _has_sides(rows: Mapping[str, dict[str, list[Any]]]) -> bool:
    """Whether the table tells the best of each side; those of earlier versions don't."""
    return all(
        any(score is not None for score in rows[split]["score_seen"])
        for split in ("id", "ood")
    )


def image_margins(rows: dict[str, list[Any]]) -> tuple[np.ndarray, np.ndarray]:
    """float64 N and bool N: the best seen score less the best novel one, and whether the right
    candidate is the best of its side; 0 and false of an image that could not be read.
    """
    from compositional_ood.compositional_ood import (
        NO_PREDICTION,
        first_is_right,
    )

    seen, novel = (
        np.array(
            [0 if one is None else one for one in rows[f"score_{side}"]], float
        )
        for side in ("seen", "novel")
    )
    ranks = [
        NO_PREDICTION if rank is None else rank for rank in rows["side_rank"]
    ]
    return seen - novel, first_is_right(ranks)


def _curve_scores(
    rows: Mapping[str, dict[str, list[Any]]],
    seen: tuple[bool, ...],
    confidence: float,
) -> dict[str, Any]:
    """The metric's `curve_scores` of a task's rows by split."""
    from compositional_ood.compositional_ood import (
        curve_scores,
        field_evaluator,
    )

    sides = {split: image_margins(rows[split]) for split in ("id", "ood")}
    known, novel = (
        (*sides[s], composition_numbers(rows[s])) for s in ("id", "ood")
    )
    sizes = (sum(seen), len(seen) - sum(seen))
    scores = curve_scores(known, novel, candidates=sizes, confidence=confidence)
    scores["n_seen_candidates"], scores["n_novel_candidates"] = sizes
    as_papers_do = field_evaluator(*sides["id"], *sides["ood"])["auc"]
    if not np.isnan(
        as_papers_do
    ):  # where no novel image can be right there is no bias
        scores["field_auc"] = as_papers_do
    return scores


def common_task(
    results: Sequence[Mapping[str, Any]], accuracy: str
) -> str | None:
    """The first task in which each of the ``scores`` of several results has the accuracy on both
    splits; None where there is none.
    """
    shared = (
        set.intersection(*(set(scores) for scores in results))
        if results
        else ()
    )
    for task in order_tasks(shared):
        if all(
            accuracy in scores[task]["splits"].get(split, {})
            for scores in results
            for split in ("id", "ood")
        ):
            return task
    return None


def shown_accuracy(
    scores: Mapping[str, Any], key: str
) -> tuple[float, float, float]:
    """(value, low, high) of an accuracy, gap or mean as pages, cards and tables show it.

    The interval is the two-way one, for attributes and objects like these; that of compositions,
    for these, where the scores have no other (`narrow_splits`).
    """
    from compositional_ood.compositional_ood import shown_interval

    return scores[key], *shown_interval(scores, key)


#: What the intervals that are shown speak of, in one sentence.
POPULATION = (
    "Intervals: 95 %, for attributes and objects like these, both taken as drawn; those for\n"
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
    narrow = {task: narrow_splits(its) for task, its in scores.items()}
    said = ", ".join(
        f"{task} {' and '.join(s)}" for task, s in narrow.items() if s
    )
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
    return (
        scores["chance"] if kind == "composition" else scores[f"{kind}_chance"]
    )


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
