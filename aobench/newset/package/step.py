"""Step 5: Parquet in the columns of ``imagenet_ao``, fingerprint, card, contact sheets; loads by
load_dataset.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from aobench.duplicates.images import ImageSet
from aobench.errors import UserError
from aobench.files import read_json, write_in_one_move
from aobench.newset.compose import TABLE as COMPOSITIONS
from aobench.newset.config import Config
from aobench.newset.generate import TABLE as IMAGES
from aobench.newset.manifests import (
    digest,
    folder,
    read_manifest,
    read_rows,
    write_manifest,
)
from aobench.newset.package import card
from aobench.newset.package.funnel import funnel
from aobench.newset.package.sheets import Shown, contact_sheet
from aobench.newset.validate.step import TABLE as VERDICTS

DECISIONS = "decisions.parquet"
README, ABOUT = "README.md", "build.json"
SHARD = 2000  # images in a Parquet file
GROUP = 100  # images in a row group
BEFORE = {
    "compose": COMPOSITIONS,
    "generate": IMAGES,
    "validate": VERDICTS,
    "distinct": DECISIONS,
}


def made_from(config: Config, out: Path) -> dict[str, Any]:
    """What decides the step."""
    import dataclasses

    tables = {}
    for step, table in BEFORE.items():
        path = folder(out, step) / table
        if not path.exists() or read_manifest(out, step) is None:
            raise UserError(
                f"{path.parent} is not finished; run that step first: imagenet-ao build CONFIG "
                f"--steps {step}"
            )
        tables[step] = digest(path)
    _same_chain(out, tables)
    return {
        "options": dataclasses.asdict(config.package),
        "seed": config.seed,
        "tables": tables,
    }


def _same_chain(out: Path, tables: Mapping[str, str]) -> None:
    """UserError where a step was made from another result of the one before it than is there
    now.
    """
    for step, key, before in (
        ("generate", "compositions", "compose"),
        ("validate", "images", "generate"),
    ):
        if (read_manifest(out, step) or {})["made_from"][key] != tables[before]:
            raise UserError(
                f"{folder(out, step)} is of an earlier {before}; run it again: --steps {step}"
            )
    accepted = {
        row["image_id"]
        for row in read_rows(folder(out, "validate") / VERDICTS)
        if row["accepted"]
    }
    compared = {
        row["image_id"] for row in read_rows(folder(out, "distinct") / DECISIONS)
    }
    pictures = [
        row
        for row in read_rows(folder(out, "generate") / IMAGES)
        if row["image_id"] in accepted
    ]
    ids, attributes, objects, files, marks = (
        tuple(row[key] for row in pictures)
        for key in ("image_id", "attribute", "object", "file", "sha256")
    )
    now = ImageSet(
        ids, attributes, objects, files, folder(out, "generate"), marks
    ).fingerprint
    then = (read_manifest(out, "distinct") or {})["set"]["fingerprint"]
    if accepted != compared or now != then:
        what, steps = (
            ("an earlier validate", "distinct")
            if accepted != compared
            else ("other pictures under the same ids", "generate distinct")
        )
        raise UserError(
            f"{folder(out, 'distinct')} is of {what}; run it again: --steps {steps}"
        )


def run(config: Config, out: Path, made: Mapping[str, Any]) -> dict[str, Any]:
    """Write the dataset to 5-package/NAME, whole: a folder that is there is a finished one.

    ``made``: what `made_from` gave before the work.
    """
    tables = {
        step: read_rows(folder(out, step) / table) for step, table in BEFORE.items()
    }
    kept = {row["image_id"] for row in tables["distinct"] if row["kept"]}
    images = [row for row in tables["generate"] if row["image_id"] in kept]
    if not images:
        raise UserError(
            f"no image is left to package; {folder(out, 'validate') / VERDICTS} says why each fell"
        )
    where = folder(out, "package")
    name = config.package.name
    _refuse_edited(out, name)
    scratch = where / f".{name}.part"
    if scratch.exists():  # of a run that was stopped
        shutil.rmtree(scratch)
    (scratch / "sheets").mkdir(parents=True)
    features = _features(images)
    _write_parquet(
        scratch / name,
        images,
        _counts(tables["compose"]),
        features,
        folder(out, "generate"),
    )
    mark, pattern = _write_facts(scratch, name)
    shown = _write_sheets(
        scratch / "sheets", config, tables, kept, folder(out, "generate")
    )
    stages = funnel(
        tables["compose"], tables["generate"], tables["validate"], tables["distinct"]
    )
    manifests = {step: read_manifest(out, step) or {} for step in BEFORE}
    counts = {
        "n": len(images),
        "compositions": len({(r["attribute"], r["object"]) for r in images}),
        "attributes": len({r["attribute"] for r in images}),
        "objects": len({r["object"] for r in images}),
        **shown,
    }
    text = _card(config, features, card.write(name, counts, manifests, stages), pattern)
    write_in_one_move(scratch / README, text)
    _write_json(
        scratch / ABOUT, {**manifests, "readme_sha256": digest(scratch / README)}
    )
    done = where / name
    if done.exists():
        shutil.rmtree(done)
    scratch.replace(done)
    said = {
        "images": len(images),
        "compositions": counts["compositions"],
        "fingerprint": mark,
        "funnel": [vars(stage) for stage in stages],
        "dataset": name,
    }
    # Without the card: the user may add to it, and the set is the same.
    files = sorted(p for p in done.rglob("*") if p.is_file() and p != done / README)
    write_manifest(out, "package", made, files, said)
    return said


def _features(images: Sequence[Mapping[str, Any]]) -> Any:
    """The columns of ``imagenet_ao``, with the set's own names, sorted."""
    import datasets

    text = datasets.Value("string")
    return datasets.Features(
        {
            "image": datasets.Image(),
            "sample_id": text,
            "attribute": datasets.ClassLabel(
                names=sorted({row["attribute"] for row in images})
            ),
            "object": datasets.ClassLabel(
                names=sorted({row["object"] for row in images})
            ),
            "composition": text,
            "imagenet_label": datasets.Value("int32"),
            "wnid": text,
            "source": text,
            "caption_count": datasets.Value("int64"),
            "sha256": text,
        }
    )


def _counts(compositions: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """Captions of each composition, summed over the corpora."""
    return {
        (row["attribute"], row["object"]): sum(
            n for key, n in row.items() if key.startswith("captions_")
        )
        for row in compositions
    }


def _write_parquet(
    where: Path,
    images: Sequence[Mapping[str, Any]],
    counts: Mapping[tuple[str, str], int],
    features: Any,
    source: Path,
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    where.mkdir(parents=True)
    shards = -(-len(images) // SHARD)
    with tqdm(total=len(images), desc="package", unit="image", disable=None) as bar:
        for shard in range(shards):
            path = where / f"ood-{shard:05d}-of-{shards:05d}.parquet"
            with pq.ParquetWriter(
                path, features.arrow_schema, compression="zstd"
            ) as writer:
                rows = images[shard * SHARD : (shard + 1) * SHARD]
                for start in range(0, len(rows), GROUP):
                    group = [
                        _row(row, counts, features, source)
                        for row in rows[start : start + GROUP]
                    ]
                    writer.write_table(
                        pa.Table.from_pylist(group, schema=features.arrow_schema)
                    )
                    bar.update(len(group))


def _row(
    row: Mapping[str, Any],
    counts: Mapping[tuple[str, str], int],
    features: Any,
    source: Path,
) -> dict[str, Any]:
    import hashlib

    import imagenet_ao

    data = (source / row["file"]).read_bytes()
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise UserError(
            f"{source / row['file']} is not the image that was generated; run the step generate "
            "again"
        )
    wnid, label = imagenet_ao.OBJECTS.get(row["object"], (None, None))
    return {
        "image": {"bytes": data, "path": None},
        "sample_id": row["image_id"],
        "attribute": features["attribute"].str2int(row["attribute"]),
        "object": features["object"].str2int(row["object"]),
        "composition": f"{row['attribute']} {row['object']}",
        "imagenet_label": label,
        "wnid": wnid,
        "source": row["file"],
        "caption_count": counts[row["attribute"], row["object"]],
        "sha256": row["sha256"],
    }


def _write_facts(out: Path, name: str) -> tuple[str, str]:
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
    _write_json(
        out / "fingerprints.json", {name: {"ood": {"fingerprint": mark, "n": count}}}
    )
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
    write_in_one_move(out / "eval.yaml", ("\n".join(lines) + "\n").encode())
    return mark, pattern


def _write_json(path: Path, content: Any) -> None:
    write_in_one_move(
        path,
        (
            json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        ).encode(),
    )


def _write_sheets(
    out: Path,
    config: Config,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    kept: set[str],
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
            row for row in tables["generate"] if (row["image_id"] in kept) == wanted
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
                Shown(
                    source / row["file"],
                    f"{row['attribute']} {row['object']}",
                    why[row["image_id"]],
                )
                for row in (rows[i] for i in drawn)
            ]
            write_in_one_move(out / f"{name}.png", contact_sheet(pictures))
    return shown


def _card(config: Config, features: Any, text: str, pattern: str) -> bytes:
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


def _refuse_edited(out: Path, name: str) -> None:
    """UserError where the folder that is there holds something of the user's, which the new one
    would wipe out.
    """
    done = folder(out, "package") / name
    ours = (
        README,
        ABOUT,
        "eval.yaml",
        "fingerprints.json",
        "sheets/*.png",
        f"{name}/ood-*.parquet",
        ".cache/**/*",
    )
    expected = {path for pattern in ours for path in done.glob(pattern)}
    strangers = sorted(p for p in done.rglob("*") if p.is_file() and p not in expected)
    if strangers:
        raise UserError(
            f"{strangers[0]} is no file of the set ({len(strangers)} such), and the step package "
            f"would make {done} "
            "anew without it; move it out of there, and build again"
        )
    if not (done / README).exists():
        return
    about = read_json(done / ABOUT) if (done / ABOUT).exists() else {}
    known = about.get("readme_sha256") or (read_manifest(out, "package") or {}).get(
        "files", {}
    ).get(f"{name}/{README}")
    if known is not None and digest(done / README) != known:
        raise UserError(
            f"{done / README} was edited since it was written, and the step package would write it "
            "anew; move it out "
            f"of {done}, build again, and put your text into the new one"
        )
