"""Every figure of a result, computed from the table of predictions by the metric."""

from __future__ import annotations

from typing import Any

import numpy as np

from aobench.results.candidates import Candidates
from aobench.results.predictions import Predictions

NO_PREDICTION = -1


def _inputs(rows: dict[str, list[Any]], listed: Candidates) -> dict[str, Any]:
    """A split's rows as the metric takes them; an unreadable image predicts nothing, so it
    counts as wrong.
    """
    width = max((len(top) for top in rows["top"]), default=1) or 1
    empty = [NO_PREDICTION] * width
    return {
        "predictions": [top or empty for top in rows["top"]],
        "references": rows["label"],
        "attributes": [max(a, 0) for a in listed.attributes],
        "objects": [max(o, 0) for o in listed.objects],
        "groups": composition_numbers(rows),
    }


def composition_numbers(rows: dict[str, list[Any]]) -> np.ndarray:
    """int N: a number 0.. for the composition that each image shows; its object where it has no
    attribute.
    """
    pairs = np.column_stack([rows["attribute"], rows["object"]])
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)


def split_figures(
    rows: dict[str, list[Any]], listed: Candidates, confidence: float = 0.95
) -> dict[str, Any]:
    """The figures of one split, fractions 0..1; those that the candidates cannot give are left out.

    Intervals take compositions as independent, not images.
    """
    from compositional_ood.compositional_ood import score

    figures = score(**_inputs(rows, listed), confidence=confidence)
    without = {
        "objects": ("composition", "attribute"),
        "attributes": ("composition", "object"),
    }.get(listed.mode, ())
    if not without and all(a < 0 for a in listed.attributes):
        without = ("composition", "attribute")
    if without:
        # The metric's compositions are then single names: its top-5 and balance are of those names.
        named = "object" if "attribute" in without else "attribute"
        for key in [
            k
            for k in figures
            if k.startswith(("composition_top5", "balanced_composition"))
        ]:
            figures[key.replace("composition", named)] = figures[key]
        dropped = tuple(f"{kind}_" for kind in without)
        figures = {
            k: v
            for k, v in figures.items()
            if not k.startswith(dropped)
            and not any(
                f"_{kind}_" in k or k.endswith(f"{kind}_chance") for kind in without
            )
        }
    figures["n_unreadable"] = sum(e is not None for e in rows["error"])
    figures["candidates"] = listed.mode
    figures["n_candidates"] = len(listed)
    return figures


def all_figures(predictions: Predictions, confidence: float = 0.95) -> dict[str, Any]:
    """Figures by split and, where both ID and OoD are there, their gap and harmonic mean.

    ``gap`` is ID less OoD in the split's main accuracy; ``harmonic_mean`` is 2 a b / (a + b), 0 if
    both are 0. Both have intervals, which take the two splits as independent of each other.
    """
    from compositional_ood.compositional_ood import seen_and_novel

    splits = {
        name: split_figures(predictions.split(name), listed, confidence)
        for name, listed in predictions.candidates.items()
    }
    result: dict[str, Any] = {"splits": splits}
    if {"id", "ood"} <= splits.keys():
        main = main_figure(predictions)
        if main in splits["id"] and main in splits["ood"]:
            known, novel = (
                [splits[s][f"{main}{end}"] for end in ("", "_low", "_high")]
                for s in ("id", "ood")
            )
            result |= seen_and_novel(known, novel) | {"main": main}
    return result


def main_figure(predictions: Predictions) -> str:
    """The accuracy that the candidates ask for: of compositions, objects or attributes."""
    modes = {listed.mode for listed in predictions.candidates.values()}
    if "objects" in modes:
        return "object_top1"
    return "attribute_top1" if "attributes" in modes else "composition_top1"
