"""Accuracy by attribute and by object."""

from __future__ import annotations

from typing import Any

from aobench.results.candidates import Candidates
from aobench.results.predictions import Predictions
from aobench.results.scores import composition_numbers


def by_part(
    predictions: Predictions, split: str, part: str, task: str | None = None
) -> list[dict[str, Any]]:
    """Top-1 accuracy of a split's images by their ``part`` ('attribute' or 'object'), the worst
    first; of ``task``, or the headline task.

    Each row: ``id``, ``name``, ``n`` images, ``rate`` 0..1 of the split's candidates named right,
    and its 95 % interval ``low``, ``high``, which takes compositions as independent: Wilson's, with
    the design effect of the whole split, as a part has too few compositions to tell its own.
    Unreadable images count as wrong. Rows of equal rate are in the order of their names.
    """
    from compositional_ood.compositional_ood import first_is_right, part_rates

    task = task or predictions.headline
    rows, candidates = (
        predictions.split(split, task),
        predictions.lists[task][split],
    )
    right = first_is_right(rows["rank"])
    rates = part_rates(right, rows[part], composition_numbers(rows))
    names = part_names(candidates, part)
    table = [
        {"id": row["id"], "name": names.get(row["id"], str(row["id"])), **row}
        for row in rates
    ]
    return sorted(table, key=lambda row: (row["rate"], row["name"]))


def part_names(candidates: Candidates, part: str) -> dict[int, str]:
    """Names of the parts by id: the table's own, or in one of an earlier version those of the
    set that it fits.
    """
    own_names: tuple[str, ...] = (
        candidates.attribute_names
        if part == "attribute"
        else candidates.object_names
    )
    if own_names:
        return dict(enumerate(own_names))
    import imagenet_ao

    mini = {
        "attribute": imagenet_ao._mini("render").ATTRIBUTES,
        "object": imagenet_ao._mini("pictures").objects(),
    }
    published = {
        "attribute": list(imagenet_ao.ATTRIBUTES),
        "object": list(imagenet_ao.OBJECTS),
    }
    numbers = {"attribute": candidates.attributes, "object": candidates.objects}
    for vocabulary in (mini, published):
        names = [
            " ".join(
                vocabulary[p][numbers[p][i]]
                for p in ("attribute", "object")
                if 0 <= numbers[p][i] < len(vocabulary[p])
            )
            for i in range(len(candidates))
        ]
        if names == list(candidates.names):
            return dict(enumerate(vocabulary[part]))
    return {}
