"""What stands beside the dataset's Parquet files: fingerprint, tasks, head of the card, sheets."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aobench.files import write_in_one_move
from aobench.newset.config import BuildConfig
from aobench.newset.controls import CONTROLS
from aobench.newset.package.sheets import SheetPicture, contact_sheet

#: Tasks of the benchmark that need seen compositions beside the novel ones: the split ``id``.
NEED_CONTROLS = (
    "seen_novel_auc",
    "held_out_harmonic_mean",
    "effective_generalization",
)


def write_set_facts(
    out: Path, name: str, splits: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """fingerprints.json and eval.yaml; by split the fingerprint, which is of what was written, and
    the pattern of its files.
    """
    import imagenet_ao

    facts = {split: _split_facts(out / name, split) for split in splits}
    marks = {split: fact["fingerprint"] for split, fact in facts.items()}
    patterns = {
        split: imagenet_ao.mark_files(out / name, split, mark)
        for split, mark in marks.items()
    }
    write_json(out / "fingerprints.json", {name: facts})
    write_in_one_move(out / "eval.yaml", _eval_yaml(name, CONTROLS in splits))
    return marks, patterns


def _split_facts(folder: Path, split: str) -> dict[str, Any]:
    """Fingerprint and number of the images of a split that was written."""
    import tempfile

    import datasets

    import imagenet_ao

    with tempfile.TemporaryDirectory() as cache:
        parts = {split: str(folder / f"{split}-*.parquet")}
        loaded = datasets.load_dataset(
            "parquet", data_files=parts, cache_dir=cache
        )
        rows = loaded[split]
        facts = {"fingerprint": imagenet_ao.fingerprint(rows), "n": len(rows)}
        del rows, loaded
    return facts


def _eval_yaml(name: str, controls: bool) -> bytes:
    """The Hub's eval.yaml: the tasks that the set has, with or without ``controls``."""
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
        if controls or task not in NEED_CONTROLS:
            lines += [f"- id: {task}", f"  config: {named}", "  split: ood"]
    return ("\n".join(lines) + "\n").encode()


def write_json(path: Path, content: Any) -> None:
    """Write JSON as people read it, whole or not at all."""
    write_in_one_move(
        path,
        (
            json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True)
            + "\n"
        ).encode(),
    )


def write_sheets(
    out: Path,
    config: BuildConfig,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    accepted: Collection[str],
    source: Path,
    kinds: Mapping[tuple[str, str], str],
) -> dict[str, int]:
    """accepted.jpg, and rejected.jpg where an image was; drawn by the seed, in the order of the
    table. ``kinds``: what stands below a composition's pictures ("control", "novel", nothing).
    """
    why = {row["image_id"]: row["reason"] for row in tables["validate"]}
    why |= {
        row["image_id"]: row["reason"]
        for row in tables["distinct"]
        if not row["kept"]
    }
    shown = {}
    for name, wanted in (("accepted", True), ("rejected", False)):
        rows = [
            row
            for row in tables["generate"]
            if (row["image_id"] in accepted) == wanted
        ]
        rng = np.random.default_rng((config.seed, 2))
        drawn = sorted(
            rng.choice(
                len(rows),
                min(config.package.sheet_images, len(rows)),
                replace=False,
            )
        )
        shown[f"{name}_shown"] = len(drawn)
        if drawn:
            pictures = [
                SheetPicture(
                    source / row["file"],
                    f"{row['attribute']} {row['object']}",
                    _below(
                        kinds.get((row["attribute"], row["object"])), row, why
                    ),
                )
                for row in (rows[i] for i in drawn)
            ]
            write_in_one_move(out / f"{name}.jpg", contact_sheet(pictures))
    return shown


def _below(
    kind: str | None, row: Mapping[str, Any], why: Mapping[str, str]
) -> str:
    """What stands below a picture: what it is in a set with controls, and why it was left out."""
    return "; ".join(part for part in (kind, why[row["image_id"]]) if part)


def card_with_head(
    config: BuildConfig, features: Any, text: str, patterns: Mapping[str, str]
) -> bytes:
    """README.md with a head that load_dataset and the Hub read. ``patterns``: by split, of the
    names of its files.
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
        "data_files": [
            {"split": split, "path": f"{name}/{pattern}"}
            for split, pattern in patterns.items()
        ],
        "default": True,
    }
    MetadataConfigs({name: entry}).to_dataset_card_data(data)
    info = DatasetInfo(features=features, config_name=name)
    DatasetInfosDict({name: info}).to_dataset_card_data(data)
    return str(DatasetCard(f"---\n{data}\n---\n{text}")).encode()
