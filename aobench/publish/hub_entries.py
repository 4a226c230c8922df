"""A result's figures as the Hub takes them: tasks of the benchmark, .eval_results entries,
model-index rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import yaml

from aobench.errors import UserError
from aobench.results.comparability import chosen_settings
from aobench.results.verified import Result

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, EvalResultEntry

PATH = ".eval_results/imagenet_ao.yaml"

#: Tasks, one a figure, and what each says. mini's have the prefix ``mini_``. All are percent, more
#: is better.
TASKS = {
    "composition_top1": "novel compositions named right",
    "attribute_top1": "attribute of a novel composition named right",
    "object_top1": "object of a novel composition named right",
    "harmonic_mean": "harmonic mean of ID and OoD accuracy",
    "effective_generalization": "OoD accuracy beyond what a baseline's line expects, in points",
}


def repository(name: str, option: str) -> str:
    """``name`` if it is a Hub repository's, ORG/NAME. Raises UserError that names ``option``."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name, flags=re.ASCII):
        raise UserError(
            f"{option} takes a repository of the Hub, ORG/NAME, such as your-org/imagenet-ao; got "
            f"{name!r}"
        )
    return name


def task_id(task: str, config: str) -> str:
    """The benchmark's id of a task."""
    return f"mini_{task}" if config == "mini" else task


def data_name(config: str) -> str:
    """What a dataset's config is called: a set of one's own, as `imagenet-ao build` makes, is
    not ImageNet-AO.
    """
    from imagenet_ao import ImageNetAO

    ours = [
        known.name for known in ImageNetAO.BUILDER_CONFIGS if known.name != "folder"
    ]
    return f"ImageNet-AO ({config})" if config in ours else config


def values(result: Result, baseline: Sequence[Result] = ()) -> dict[str, float]:
    """Percent by task; those that the result cannot give are left out.

    ``effective_generalization`` takes the main accuracy and needs at least three ``baseline``
    results with both splits.
    """
    ood = result.splits.get("ood", {})
    single = ("composition_top1", "attribute_top1", "object_top1")
    found: dict[str, float] = {task: 100 * ood[task] for task in single if task in ood}
    if "harmonic_mean" in result.headline:
        found["harmonic_mean"] = 100 * result.headline["harmonic_mean"]
    if baseline:
        found["effective_generalization"] = (
            100 * beyond(result, baseline)["effective_composition_top1"]
        )
    return {task: round(value, 2) for task, value in found.items()}


def beyond(result: Result, baseline: Sequence[Result]) -> dict[str, Any]:
    """Effective generalization of the main accuracy over ``baseline``. Raises UserError where it
    cannot be had.
    """
    from compositional_ood.compositional_ood import effective

    def pair(one: Result, key: str) -> tuple[float, float]:
        try:
            return one.splits["id"][key], one.splits["ood"][key]
        except KeyError as error:
            raise UserError(
                f"{one.folder} has no {key} on both id and ood: effective generalization needs them"
            ) from error

    key = result.headline.get("main", "object_top1")
    pairs = [pair(one, key) for one in baseline]
    rates = pair(result, key)
    # independent ones
    sizes = [
        max(1, round(result.splits[s][f"{key}_effective_n"])) for s in ("id", "ood")
    ]
    successes = tuple(rate * n for rate, n in zip(rates, sizes, strict=True))
    try:
        return effective(
            successes,
            tuple(sizes),
            {"id": [a for a, _ in pairs], "ood": [b for _, b in pairs]},
        )  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"the baseline gives no line: {error}") from error


def notes(result: Result) -> str:
    """Prompts, candidates, dtype and options in a line: rows that differ in these don't compare."""
    listed = result.content["tasks"][result.task]["candidates"]["ood"]
    prompts = result.content["templates"]
    texts = (
        f"{prompts['n']} prompts ({prompts['hash']})"
        if prompts
        else "supervised classifier, objects only"
    )
    model = result.content["model"]
    candidates = f"{result.task} of {listed['n']} candidates ({listed['hash']})"
    chosen = chosen_settings(result.content)
    parts = [texts, candidates, model["dtype"], *([chosen] if chosen else [])]
    return "; ".join([*parts, f"imagenet-ao {result.content['code']}"])


def entries(
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

    return [
        EvalResultEntry(
            dataset_id=dataset,
            task_id=task_id(task, result.config),
            value=value,
            dataset_revision=revision,
            date=result.content["date"],
            source_url=source,
            source_name="imagenet-ao" if source else None,
            notes=notes(result),
        )
        for task, value in values(result, baseline).items()
    ]


def entries_yaml(given: Sequence[EvalResultEntry]) -> str:
    """The text of ``.eval_results/imagenet_ao.yaml``."""
    from huggingface_hub import eval_result_entries_to_yaml

    return yaml.safe_dump(
        eval_result_entries_to_yaml(list(given)), sort_keys=False, allow_unicode=True
    )


def model_index(
    result: Result, dataset: str, revision: str | None, baseline: Sequence[Result] = ()
) -> list[EvalResult]:
    """The same figures as rows of a model card's model-index."""
    from huggingface_hub import EvalResult

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
        for task, value in values(result, baseline).items()
    ]
