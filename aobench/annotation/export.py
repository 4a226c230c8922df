"""Verdicts and decisions as Parquet or CSV. Catch trials and withdrawn verdicts are left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from aobench.annotation.decisions import ImageDecision
from aobench.annotation.verdict_store import VerdictStore
from aobench.errors import UserError
from aobench.files import scratch_file

#: Key of the Parquet file's metadata: what the verdicts are bound to.
KEY = b"imagenet_ao_verdicts"

VERDICT_COLUMNS = (
    "image_id",
    "attribute",
    "object",
    "file",
    "annotator",
    "attribute_answer",
    "object_answer",
    "seconds",
    "answered_at",
)


#: Of names, as `imagenet-ao` reads people's answers beside a model's.
NAME_COLUMNS = ("sample_id", "annotator", "answer", "seconds", "answered_at")


def verdict_rows(store: VerdictStore) -> list[dict[str, Any]]:
    """One row a verdict on an image, by image and annotator; see VERDICT_COLUMNS."""
    images = {row.image_id: row for row in store.images()}
    rows = []
    for verdict in store.verdicts():
        answer = {name: getattr(verdict, name) for name in VERDICT_COLUMNS[4:]}
        rows.append({**asdict(images[verdict.trial.image_id]), **answer})
    return sorted(rows, key=lambda row: (row["image_id"], row["annotator"]))


def write_verdicts(store: VerdictStore, path: Path) -> int:
    """Write the verdicts on images; the number of rows. The kind of file follows from the name."""
    rows = verdict_rows(store)
    write_table(rows, VERDICT_COLUMNS, path, store.settings())
    return len(rows)


def write_decisions(
    decided: Sequence[ImageDecision], path: Path, facts: dict[str, Any]
) -> None:
    """Write one row an image; ``facts`` go into the metadata of a Parquet file."""
    write_table(
        [asdict(d) for d in decided],
        [f.name for f in fields(ImageDecision)],
        path,
        facts,
    )


def check_name(path: Path) -> None:
    """Raises UserError unless the name ends in .parquet or .csv and its folder is there."""
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise UserError(f"{path}: give a name that ends in .parquet or .csv")
    if not path.parent.is_dir():
        raise UserError(
            f"{path.parent} is no folder; make it, or give another name"
        )


def write_table(
    rows: Sequence[dict[str, Any]],
    columns: Sequence[str],
    path: Path,
    facts: dict[str, Any],
) -> None:
    """Write rows as Parquet (with ``facts`` as JSON in its metadata) or CSV, whole or not at
    all.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    check_name(path)
    kinds = {
        "seconds": pa.float64(),
        **{
            c: pa.int64()
            for c in columns
            if c.endswith(("_yes", "_no", "_unsure"))
        },
    }
    schema = pa.schema(
        [(c, kinds.get(c, pa.string())) for c in columns],
        metadata={KEY: json.dumps(facts).encode()},
    )
    table = pa.Table.from_pylist(list(rows), schema=schema)
    try:
        with scratch_file(path) as scratch:
            if path.suffix.lower() == ".csv":
                pyarrow.csv.write_csv(table, scratch)
            else:
                pq.write_table(table, scratch)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}); give another name"
        ) from error
