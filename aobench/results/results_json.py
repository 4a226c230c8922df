"""The one reader of results.json, and the one rule of which results may stand side by side.

A file that someone edited, merged or wrote with another program is refused in one line: numbers
that are no numbers, percent in place of fractions, NaN, figures without their images. Whether the
figures are those of the table beside it is for `aobench.results.verified` to tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import read_json

#: Options of a run that change numbers, as results.json has them under ``settings``.
SETTINGS = ("draft", "attention", "compile")

#: Figures of a split that count something.
COUNTS = ("n", "n_classes", "n_candidates", "n_unreadable")


def read_results_json(path: str | Path) -> dict[str, Any]:
    """The content of a results.json, found to be of the right shape.

    It has at least ``model`` (``id`` and ``kind``), ``dataset`` and ``figures`` by split, with
    accuracies that are fractions from 0 to 1. Raises UserError, which names the file and the place.
    """
    content = read_json(path, "the result")
    _check_facts(content, path)
    splits = _dict(content["figures"].get("splits"), path, "figures.splits")
    if not splits:
        raise UserError(
            f"the result {path} has no figures of any split; evaluate the model anew"
        )
    for name, figures in splits.items():
        where = f"figures.splits.{name}"
        _check_figures(_dict(figures, path, where), path, where)
    pair = {
        key: value
        for key, value in content["figures"].items()
        if key not in ("splits", "main")
    }
    _check_figures(pair, path, "figures", images=False)
    return content


def _refuse(path: str | Path, where: str, fault: str) -> UserError:
    return UserError(
        f"the result {path}: {where} {fault}; evaluate the model anew, or mend the file"
    )


def _dict(value: Any, path: str | Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refuse(path, where, f"is {_short(value)}, not an object of JSON")
    return value


def _short(value: Any) -> str:
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _check_facts(content: dict[str, Any], path: str | Path) -> None:
    """The model and the dataset, and what else later steps read by name."""
    for key in ("model", "dataset", "figures"):
        _dict(content.get(key), path, key)
    for key in ("id", "kind"):
        if (
            not isinstance(content["model"].get(key), str)
            or not content["model"][key].strip()
        ):
            raise _refuse(
                path,
                f"model.{key}",
                f"is {_short(content['model'].get(key))}, not a name",
            )
    _dict(content["model"].get("notes", {}), path, "model.notes")
    if not isinstance(content["dataset"].get("config"), str):
        raise _refuse(path, "dataset.config", "is no name")
    for name, facts in _dict(
        content["dataset"].get("splits", {}), path, "dataset.splits"
    ).items():
        where = f"dataset.splits.{name}"
        if not isinstance(_dict(facts, path, where).get("fingerprint"), str):
            raise _refuse(path, f"{where}.fingerprint", "is no text")
        if "n" in facts:
            _count(facts["n"], path, f"{where}.n")
    if content.get("templates") is not None:
        _dict(content["templates"], path, "templates")
    for name, facts in _dict(content.get("candidates", {}), path, "candidates").items():
        _dict(facts, path, f"candidates.{name}")
    _dict(content.get("settings", {}), path, "settings")


def _count(value: Any, path: str | Path, where: str, least: int = 0) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise _refuse(
            path, where, f"is {_short(value)}, not a whole number of at least {least}"
        )


def _check_figures(
    figures: Mapping[str, Any], path: str | Path, where: str, images: bool = True
) -> None:
    if images:
        _count(figures.get("n"), path, f"{where}.n", 1)
    for key, value in figures.items():
        place = f"{where}.{key}"
        if key == "candidates" and isinstance(value, str):
            continue
        if (
            key in COUNTS
            or (key.endswith("_n") and not key.endswith("_effective_n"))
            or key.endswith("_id")
        ):
            _count(value, path, place)
        else:
            _fraction(key, value, path, place)


def _fraction(key: str, value: Any, path: str | Path, place: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise _refuse(path, place, f"is {_short(value)}, not a number")
    if key.endswith("_effective_n"):
        if value <= 0:
            raise _refuse(path, place, f"is {value}, not a number of images")
        return
    low = -1 if key.startswith("gap") else 0
    if not low <= value <= 1:
        percent = " (is it in percent? divide by 100)" if 1 < value <= 100 else ""
        raise _refuse(
            path, place, f"is {value}, not a fraction from {low} to 1{percent}"
        )


def model_family(content: Mapping[str, Any]) -> str:
    """``supervised`` for a classifier, which can't name attributes; else the model's kind, such
    as ``clip``.
    """
    model = content["model"]
    return (
        "supervised" if model.get("names_attributes") is False else str(model["kind"])
    )


def comparable_settings(content: Mapping[str, Any]) -> dict[str, Any]:
    """What must agree for two results to stand side by side; each by its identity, not its name.

    The images (their fingerprint by split, which tells a trial run with fewer from the whole), the
    prompts, the candidates, the numbers' type, and the options of the run that change numbers.
    """
    model, chosen = content["model"], content.get("settings") or {}
    splits = content["dataset"].get("splits") or {}
    listed = content.get("candidates") or {}
    return {
        "dataset": {
            name: facts.get("fingerprint") for name, facts in sorted(splits.items())
        },
        "prompts": (content.get("templates") or {}).get("hash"),
        "candidates": {
            name: facts.get("hash") for name, facts in sorted(listed.items())
        },
        "dtype": model.get("dtype"),
        **{name: chosen.get(name) for name in SETTINGS},
    }


def unlike_settings(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the settings in which results differ, so that they don't compare as they stand.

    A supervised model has no prompts: that alone makes no difference to what was asked.
    """
    found = [comparable_settings(content) for content in contents]
    unlike = []
    for name in found[0] if found else ():
        values = {
            repr(one[name])
            for one in found
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
        f"--{name}" if value is True else f"--{name} {value}" for name, value in said
    )
