"""What made a result: model, data, prompts, options, code and its stack."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aobench.files import absolute_path
from aobench.versions import package_version, package_versions
from aobench.vocabulary.templates import texts_hash

STACK = (
    "torch",
    "transformers",
    "datasets",
    "evaluate",
    "accelerate",
    "huggingface_hub",
    "pillow",
    "numpy",
)


def provenance(
    model: Any,
    splits: Any,
    dataset: str,
    config: str,
    templates: tuple[str, ...],
    limit: int | None = None,
    settings: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What made a result; stored in results.json and in the predictions table.

    ``limit``: that of open_splits. ``settings``: the options that change numbers, by their names in
    `aobench.results.comparability.SETTINGS`. ``facts``: what a list of models says of it.
    """
    short = {"limit": limit} if any(s.left_out for s in splits) else {}
    not_read = (
        {"left_out": splits[0].not_read}
        if splits and splits[0].not_read
        else {}
    )
    layout = splits[0].recognised if splits else None
    recognised = {} if layout is None else {"recognised": layout.as_dict()}
    return {
        "model": model.info.as_facts() | ({"facts": facts} if facts else {}),
        "dataset": {
            # the place is nobody else's
            "name": absolute_path(dataset).name
            if Path(dataset).is_dir()
            else dataset,
            "config": config,
            **short,
            **recognised,
            **not_read,
            "splits": {s.name: _split_facts(s) for s in splits},
        },
        "templates": {"hash": texts_hash(templates), "n": len(templates)}
        if model.info.names_attributes
        else None,
        "settings": {
            name: value for name, value in (settings or {}).items() if value
        },
        "code": package_version("imagenet-ao") or "unknown",
        "stack": package_versions(STACK)
        | {"python": platform.python_version()},
    }


def counted_parameters(content: Mapping[str, Any]) -> int | None:
    """How many numbers the weights of a result's model have; None in results of earlier versions,
    and for kinds that have no torch module.
    """
    total = content["model"].get("parameters", {}).get("total")
    return None if total is None else int(total)


def _split_facts(split: Any) -> dict[str, Any]:
    pixels = {} if split.pixels is None else {"pixels": split.pixels}
    return {"fingerprint": split.fingerprint, "n": len(split), **pixels}
