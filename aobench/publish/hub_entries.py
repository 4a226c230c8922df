"""A result's scores as the Hub takes them: tasks of the benchmark, .eval_results entries,
model-index rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import yaml

from aobench.errors import UserError
from aobench.results.comparability import chosen_settings
from aobench.results.scores import KINDS
from aobench.results.tasks import find_task
from aobench.results.verified import Result
from aobench.vocabulary.published import OUR_SETS

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, EvalResultEntry

PATH = ".eval_results/imagenet_ao.yaml"


def check_repository(name: str, option: str) -> str:
    """``name`` if it is a Hub repository's, ORG/NAME. Raises UserError that names ``option``."""
    if not re.fullmatch(
        r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name, flags=re.ASCII
    ):
        raise UserError(
            f"{option} takes a repository of the Hub, ORG/NAME, such as your-org/imagenet-ao; got "
            f"{name!r}"
        )
    return name


def data_name(config: str) -> str:
    """What a dataset's config is called: a set of one's own, as `imagenet-ao build` makes, is
    not ImageNet-AO.
    """
    return f"ImageNet-AO ({config})" if config in OUR_SETS else config


def task_values(
    result: Result, baseline: Sequence[Result] = ()
) -> dict[str, float]:
    """Percent by task; those that the result cannot give are left out.

    A result that is known by ``choice`` gives ``choice_top1`` alone.
    ``effective_generalization`` takes the main accuracy and needs at least three ``baseline``
    results with both splits.
    """
    ood = result.splits.get("ood", {})
    single = {f"{kind}_top1": f"{kind}_top1" for kind in KINDS}
    if find_task(result.task).scope == "image":
        # one of nine is another number than one of all: a generative model's, by its own name
        single = {f"{result.task}_top1": "composition_top1"}
    values: dict[str, float] = {
        task: 100 * ood[score] for task, score in single.items() if score in ood
    }
    curve = result.headline.get("curve", {})
    for task in ("seen_novel_auc", "held_out_harmonic_mean"):
        if task in curve:
            values[task] = 100 * curve[task]
    if baseline:
        values["effective_generalization"] = (
            100 * effective_over(result, baseline)["effective_composition_top1"]
        )
    return {task: round(value, 2) for task, value in values.items()}


def effective_over(
    result: Result, baseline: Sequence[Result]
) -> dict[str, Any]:
    """Effective generalization of the main accuracy over ``baseline``. Raises UserError where it
    cannot be had.

    The same numbers as those of `imagenet-ao effective` over one ID set.
    """
    from compositional_ood.compositional_ood import BaselineError, effective

    key = result.headline.get("main", "object_top1")
    known, novel = (_accuracy(result, split, key) for split in ("id", "ood"))
    line: dict[str, list[float]] = {}
    for split in ("id", "ood"):
        reached = [_accuracy(one, split, key) for one in baseline]
        line[split] = [rate for rate, _ in reached]
        line[f"{split}_images"] = [n for _, n in reached]
    successes = (known[0] * known[1], novel[0] * novel[1])
    try:
        return effective(successes, (known[1], novel[1]), line)
    except BaselineError as error:
        raise UserError(f"the baseline gives no line: {error}") from error


def _accuracy(result: Result, split: str, key: str) -> tuple[float, int]:
    """An accuracy, and how many independent images it is worth. Raises UserError where it lacks."""
    figures = result.splits.get(split, {})
    if key not in figures:
        raise UserError(
            f"{result.folder} has no {key} on both id and ood: effective generalization needs them"
        )
    return figures[key], max(1, round(figures[f"{key}_effective_n"]))


def setting_notes(result: Result) -> str:
    """Prompts, candidates, dtype and options in a line: rows that differ in these don't compare."""
    among = result.content["tasks"][result.task]["candidates"]["ood"]
    prompts = result.content["templates"]
    texts = (
        f"{prompts['n']} prompts ({prompts['hash']})"
        if prompts
        else "supervised classifier, objects only"
    )
    model = result.content["model"]
    candidates = f"{result.task} of {among['n']} candidates ({among['hash']})"
    chosen = chosen_settings(result.content)
    parts = [texts, candidates, model["dtype"], *([chosen] if chosen else [])]
    return "; ".join([*parts, f"imagenet-ao {result.content['code']}"])


def result_entries(
    result: Result,
    dataset: str,
    revision: str | None,
    source: str | None,
    baseline: Sequence[Result] = (),
) -> list[EvalResultEntry]:
    """One entry a task. ``revision``: commit of the dataset repository; ``source``: address of
    the evidence.
    """
    from huggingface_hub import EvalResultEntry

    from imagenet_ao import task_id

    return [
        EvalResultEntry(
            dataset_id=dataset,
            task_id=task_id(task, result.config),
            value=value,
            dataset_revision=revision,
            date=result.content["date"],
            source_url=source,
            source_name="imagenet-ao" if source else None,
            notes=setting_notes(result),
        )
        for task, value in task_values(result, baseline).items()
    ]


def entries_yaml(entries: Sequence[EvalResultEntry]) -> str:
    """The text of ``.eval_results/imagenet_ao.yaml``."""
    from huggingface_hub import eval_result_entries_to_yaml

    return yaml.safe_dump(
        eval_result_entries_to_yaml(list(entries)),
        sort_keys=False,
        allow_unicode=True,
    )


def model_index(
    result: Result,
    dataset: str,
    revision: str | None,
    baseline: Sequence[Result] = (),
) -> list[EvalResult]:
    """The same figures as rows of a model card's model-index."""
    from huggingface_hub import EvalResult

    from imagenet_ao import TASKS

    return [
        EvalResult(
            task_type="zero-shot-image-classification",
            dataset_type=dataset,
            dataset_name=data_name(result.config),
            dataset_config=result.config,
            dataset_split="ood",
            dataset_revision=revision,
            metric_type=task,
            metric_name=TASKS[task],
            metric_value=value,
        )
        for task, value in task_values(result, baseline).items()
    ]
