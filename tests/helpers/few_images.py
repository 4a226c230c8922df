"""A result of one image a composition, out of one of more."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from aobench.results.result import Result
from aobench.results.scores import all_scores
from aobench.results.verified import read_result
from aobench.results.writing import task_facts


def one_image_each(source, folder, most=300):
    """Write to ``folder`` the result ``source`` with the first image of ``most`` compositions of
    each split."""
    result = read_result(source)
    predictions = result.predictions
    splits = {
        name: dict(facts)
        for name, facts in predictions.provenance["dataset"]["splits"].items()
    }
    wanted = set()
    for name, facts in splits.items():
        rows, first = predictions.split(name), {}
        for attribute, thing, sample in zip(
            rows["attribute"], rows["object"], rows["sample_id"], strict=True
        ):
            first.setdefault((attribute, thing), (name, sample))
        samples = list(first.values())
        few = samples[:: max(1, len(samples) // most)][:most]
        wanted |= set(few)
        facts["n"] = len(few)
    table = predictions.table
    names = zip(
        table["split"].to_pylist(), table["sample_id"].to_pylist(), strict=True
    )
    few = replace(
        predictions,
        table=table.filter(pa.array([name in wanted for name in names])),
        provenance={
            **predictions.provenance,
            "dataset": {**predictions.provenance["dataset"], "splits": splits},
        },
    )
    content = {
        **result.content,
        "dataset": few.provenance["dataset"],
        "tasks": task_facts(few),
        "scores": all_scores(few),
    }
    return Result(content, few, None).save(folder)
