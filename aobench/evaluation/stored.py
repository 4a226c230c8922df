"""Whether the result of a model is there already: whole, and of the same settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.evaluation.questions import ask_splits
from aobench.results.candidates import Question, offered_hash
from aobench.results.comparability import SETTINGS
from aobench.results.paths import RESULTS
from aobench.results.result import Result, load_result
from aobench.vocabulary.templates import texts_hash

if TYPE_CHECKING:
    from aobench.evaluation.data import Split
    from aobench.models.base import LoadOptions
    from aobench.models.registry import ResolvedModel


def stored_result(
    resolved: ResolvedModel,
    folder: Path,
    splits: Sequence[Split],
    tasks: Sequence[str],
    templates: Sequence[str],
    draft: int | None,
    options: LoadOptions,
) -> Result | None:
    """The result in ``folder`` where running the model anew would give it; else None.

    It is of this model and revision (as far as these are known before it is loaded), of the same
    images, tasks, candidates, prompts, type and options, and its scores are those of its table.
    """
    if not (folder / RESULTS).is_file():
        return None
    try:
        result = load_result(folder)
    except UserError:
        return None
    content = result.content
    asked = _questions(content, splits, tasks)
    chosen = {
        "draft": draft,
        "attention": options.attention,
        "compile": options.compile or None,
    }
    held = content["settings"]
    same = (
        _same_model(resolved, content["model"])
        and content["model"]["dtype"] == options.dtype
        and {name: held.get(name) for name in SETTINGS} == chosen
        and _same_images(content, splits)
        and _same_prompts(content, templates)
        and _same_candidates(content, asked, splits)
    )
    return result if same else None


def _same_model(resolved: ResolvedModel, held: Mapping[str, Any]) -> bool:
    revision = resolved.revision()
    known = revision not in (None, "unknown")
    return held["id"] == resolved.name and (
        not known or held["revision"] == revision
    )


def _same_images(content: Mapping[str, Any], splits: Sequence[Split]) -> bool:
    held = content["dataset"]["splits"]
    now = {split.name: split.fingerprint for split in splits}
    return {name: facts["fingerprint"] for name, facts in held.items()} == now


def _same_prompts(content: Mapping[str, Any], templates: Sequence[str]) -> bool:
    held = content["templates"]
    return held is None or held["hash"] == texts_hash(templates)


def _questions(
    content: Mapping[str, Any], splits: Sequence[Split], tasks: Sequence[str]
) -> dict[str, dict[str, Question]]:
    """What would be asked of a model that names attributes, or doesn't, as the stored one."""
    held = content["model"]
    method = _answer_method(held) if held["kind"] == "generative" else None
    try:
        return _asked(held["names_attributes"], splits, tasks, method)
    except UserError:
        return {}


def _answer_method(held: Mapping[str, Any]) -> Any:
    """How a stored generative model answered; None where this version knows no such way."""
    from aobench.models.generative import ANSWER_METHODS

    return ANSWER_METHODS.get(held["notes"].get("answers"))


def _asked(
    names_attributes: bool,
    splits: Sequence[Split],
    tasks: Sequence[str],
    method: Any = None,
) -> dict[str, dict[str, Question]]:
    """What is asked of a model of which no more is known than this."""
    info = SimpleNamespace(names_attributes=names_attributes)
    model: Any = SimpleNamespace(info=info, method=method)
    return ask_splits(model, splits, tasks)[0]


def names_asked(splits: Sequence[Split], tasks: Sequence[str]) -> set[str]:
    """The names of all candidates that a dual encoder is asked for."""
    asked = _asked(True, splits, tasks)
    lists = [
        question.candidates for by in asked.values() for question in by.values()
    ]
    return set().union(*(candidates.names for candidates in lists))


def _same_candidates(
    content: Mapping[str, Any],
    asked: Mapping[str, Mapping[str, Question]],
    splits: Sequence[Split],
) -> bool:
    """By task and split the same lists, and the same offered to each image of ``splits``."""
    held = {
        task: {split: one["hash"] for split, one in facts["candidates"].items()}
        for task, facts in content["tasks"].items()
    }
    if {task: set(by) for task, by in held.items()} != {
        task: set(by) for task, by in asked.items()
    }:
        return False
    samples = {split.name: split.sample_ids for split in splits}
    return all(
        _hash_of(question, samples[split]) == held[task][split]
        for task, by_split in asked.items()
        for split, question in by_split.items()
    )


def _hash_of(question: Question, samples: Sequence[str]) -> str:
    if question.choices is None:
        return question.candidates.hash
    return offered_hash(samples, question.candidates.names, question.choices)
