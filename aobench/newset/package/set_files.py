"""What stands beside the dataset's Parquet files: fingerprint, tasks, head of the card, sheets."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aobench.files import write_in_one_move
from aobench.newset.config import BuildConfig
from aobench.newset.package.sheets import SheetPicture, contact_sheet


def write_set_facts(out: Path, name: str) -> tuple[str, str]:
    """fingerprints.json and eval.yaml; the fingerprint, which is of what was written, and the
    pattern of its files.
    """
    import tempfile

    import datasets

    import imagenet_ao

    with tempfile.TemporaryDirectory() as cache:
        parts = {"ood": str(out / name / "*.parquet")}
        rows = datasets.load_dataset("parquet", data_files=parts, cache_dir=cache)[
            "ood"
        ]
        mark, count = imagenet_ao.fingerprint(rows), len(rows)
        del rows
    pattern = imagenet_ao.mark_files(out / name, "ood", mark)
    write_json(
        out / "fingerprints.json", {name: {"ood": {"fingerprint": mark, "n": count}}}
    )
    write_in_one_move(out / "eval.yaml", _eval_yaml(name))
    return mark, pattern


def _eval_yaml(name: str) -> bytes:
    """The Hub's eval.yaml: the tasks that the set has."""
    import imagenet_ao

    named = json.dumps(
        name
    )  # YAML would read 2024 and yes as something else than a name
    lines = [
        f"name: {named}",
        "description: >-",
        "  How often a model names the composition, attribute and object of an image.",
        "  All values are percent, more is better. Not the published ImageNet-AO.",
        "tasks:",
    ]
    for task in imagenet_ao.TASKS:
        if task != "effective_generalization":  # which needs a split id
            lines += [f"- id: {task}", f"  config: {named}", "  split: ood"]
    return ("\n".join(lines) + "\n").encode()


def write_json(path: Path, content: Any) -> None:
    """Write JSON as people read it, whole or not at all."""
    write_in_one_move(
        path,
        (
            json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        ).encode(),
    )


def write_sheets(
    out: Path,
    config: BuildConfig,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    accepted: Collection[str],
    source: Path,
) -> dict[str, int]:
    """accepted.png, and rejected.png where an image was; drawn by the seed, in the order of the
    table.
    """
    why = {row["image_id"]: row["reason"] for row in tables["validate"]}
    why |= {
        row["image_id"]: row["reason"] for row in tables["distinct"] if not row["kept"]
    }
    shown = {}
    for name, wanted in (("accepted", True), ("rejected", False)):
        rows = [
            row for row in tables["generate"] if (row["image_id"] in accepted) == wanted
        ]
        rng = np.random.default_rng((config.seed, 2))
        drawn = sorted(
            rng.choice(
                len(rows), min(config.package.sheet_images, len(rows)), replace=False
            )
        )
        shown[f"{name}_shown"] = len(drawn)
        if drawn:
            pictures = [
                SheetPicture(
                    source / row["file"],
                    f"{row['attribute']} {row['object']}",
                    why[row["image_id"]],
                )
                for row in (rows[i] for i in drawn)
            ]
            write_in_one_move(out / f"{name}.png", contact_sheet(pictures))
    return shown


def card_with_head(
    config: BuildConfig, features: Any, text: str, pattern: str
) -> bytes:
    """README.md with a head that load_dataset and the Hub read. ``pattern``: of the names of the
    set's files.
    """
    from datasets import DatasetInfo
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard, DatasetCardData

    name = config.package.name
    data = DatasetCardData(
        license=config.package.licence,
        pretty_name=name,
        task_categories=["zero-shot-image-classification"],
    )
    entry = {
        "data_files": [{"split": "ood", "path": f"{name}/{pattern}"}],
        "default": True,
    }
    MetadataConfigs({name: entry}).to_dataset_card_data(data)
    info = DatasetInfo(features=features, config_name=name)
    DatasetInfosDict({name: info}).to_dataset_card_data(data)
    return str(DatasetCard(f"---\n{data}\n---\n{text}")).encode()
