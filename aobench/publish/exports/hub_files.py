"""The two forms in which the Hub shows a result at a model: .eval_results, and model-index."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from aobench.errors import UserError
from aobench.publish.exports.base import ExportFormat, ExportOptions
from aobench.publish.hub_entries import (
    check_repository,
    entries_yaml,
    model_index,
    result_entries,
    task_values,
)
from aobench.results.verified import Result


def _dataset(result: Result, options: ExportOptions) -> str:
    if not task_values(result):
        raise UserError(
            f"{result.folder} has none of the benchmark's scores, which are of novel compositions: "
            "evaluate on the split ood, with --tasks composition, choice or object"
        )
    return check_repository(options.dataset or "", "--dataset")


def eval_results(results: Sequence[Result], options: ExportOptions) -> str:
    """The text of ``.eval_results/imagenet_ao.yaml``."""
    dataset = _dataset(results[0], options)
    return entries_yaml(
        result_entries(results[0], dataset, options.revision, None)
    )


def model_index_yaml(results: Sequence[Result], options: ExportOptions) -> str:
    """The head of a model card with a model-index, between its two lines of dashes."""
    from huggingface_hub.repocard_data import eval_results_to_model_index

    dataset = _dataset(results[0], options)
    rows = model_index(results[0], dataset, options.revision)
    name = results[0].content["model"]["id"]
    content = {"model-index": eval_results_to_model_index(name, rows)}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---\n"


EVAL_RESULTS = ExportFormat(
    "eval-results",
    "entries of the Hub's leaderboards, .eval_results/imagenet_ao.yaml",
    eval_results,
    needs_dataset=True,
)
MODEL_INDEX = ExportFormat(
    "model-index",
    "the head of a model card with its results",
    model_index_yaml,
    needs_dataset=True,
)
