"""The one rule of which results may stand side by side, in words for the reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aobench.results.tasks import headline_task

#: Options of a run that change numbers, as results.json has them under ``settings``.
SETTINGS = ("draft", "attention", "compile")


def model_family(content: Mapping[str, Any]) -> str:
    """``supervised`` for a classifier, which can't name attributes; else the model's kind, such
    as ``clip``.
    """
    model = content["model"]
    return (
        "supervised"
        if model.get("names_attributes") is False
        else str(model["kind"])
    )


def comparable_settings(
    content: Mapping[str, Any], task: str | None = None
) -> dict[str, Any]:
    """What must agree for two results to stand side by side; each by its identity, not its name.

    The images (their fingerprint by split, which tells a trial run with fewer from the whole), the
    prompts, the task and its candidates, the numbers' type, and the options of the run that change
    numbers. ``task``: the one to be compared; None for the headline task of each.
    """
    model, chosen = content["model"], content.get("settings") or {}
    splits = content["dataset"].get("splits") or {}
    tasks = content.get("tasks") or {}
    task = task or (headline_task(tasks) if tasks else None)
    lists = tasks.get(task, {}).get("candidates") or {}
    return {
        "dataset": {
            name: facts.get("fingerprint")
            for name, facts in sorted(splits.items())
        },
        "prompts": (content.get("templates") or {}).get("hash"),
        "task": task,
        "candidates": {
            name: facts.get("hash") for name, facts in sorted(lists.items())
        },
        "dtype": model.get("dtype"),
        **{name: chosen.get(name) for name in SETTINGS},
    }


def unlike_settings(
    contents: Sequence[Mapping[str, Any]], task: str | None = None
) -> list[str]:
    """The names of the settings in which results differ, so that they don't compare as they stand.

    A supervised model has no prompts: that alone makes no difference to what was asked.
    """
    settings = [comparable_settings(content, task) for content in contents]
    unlike = []
    for name in settings[0] if settings else ():
        values = {
            repr(one[name])
            for one in settings
            if name not in ("prompts", "dtype") or one[name] is not None
        }
        if len(values) > 1:
            unlike.append(name)
    return unlike


def chosen_settings(content: Mapping[str, Any]) -> str:
    """The options of a run that change its numbers, as text: ``--draft 64, --compile``; '' for
    none.
    """
    chosen = content.get("settings") or {}
    said = [(name, chosen[name]) for name in SETTINGS if chosen.get(name)]
    return ", ".join(
        f"--{name}" if value is True else f"--{name} {value}"
        for name, value in said
    )


def trial(provenance: dict[str, Any]) -> str:
    """``trial run, --limit N`` for a result (or provenance) of part of the images, else ''."""
    limit = provenance["dataset"].get("limit")
    return f"trial run, --limit {limit}" if limit else ""
