"""The table of predictions: one row an image, and all that is needed to score it without a
model.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aobench.errors import UserError
from aobench.files import parquet_errors, write_in_one_move
from aobench.results.candidates import Candidates
from aobench.results.paths import TABLE, check_own_table, result_file

KEY = b"imagenet_ao"

SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),  # as in the dataset
        ("split", pa.string()),  # id or ood
        (
            "attribute",
            pa.int32(),
        ),  # the right attribute's id, -1 where the split has none
        ("object", pa.int32()),  # the right object's id
        ("label", pa.int32()),  # the right candidate's id
        (
            "rank",
            pa.int32(),
        ),  # its rank, 0 = first; -1 where the image could not be read
        # the best candidates' ids, best first; empty for an unreadable image
        ("top", pa.list_(pa.int32())),
        (
            "margin",
            pa.float32(),
        ),  # score of the right candidate less that of the best other one
        ("error", pa.string()),  # why the image could not be read, or null
    ]
)


@dataclass
class Predictions:
    """The rows, sorted by split and sample id, and per split the candidates that were ranked."""

    table: pa.Table
    candidates: dict[str, Candidates]
    names_attributes: bool
    provenance: dict[str, Any]

    def split(self, name: str) -> dict[str, list[Any]]:
        """The columns of one split as lists."""
        import pyarrow.compute as pc

        return self.table.filter(pc.equal(self.table["split"], name)).to_pydict()


def write(predictions: Predictions, path: Path) -> str:
    """Write to ``path`` in one move: the file is whole or absent. Returns its SHA-256,
    hexadecimal.
    """
    facts = {
        "candidates": {
            name: asdict(value) for name, value in predictions.candidates.items()
        },
        "names_attributes": predictions.names_attributes,
        "provenance": predictions.provenance,
    }
    table = predictions.table.sort_by(
        [("split", "ascending"), ("sample_id", "ascending")]
    )
    table = table.replace_schema_metadata(
        {KEY: json.dumps(facts, sort_keys=True).encode()}
    )
    content = pa.BufferOutputStream()
    pq.write_table(table, content, compression="zstd")
    data = content.getvalue().to_pybytes()
    write_in_one_move(path, data)
    return hashlib.sha256(data).hexdigest()


def read(path: str | Path) -> Predictions:
    """The predictions at ``path``: a table, or a folder that holds one. Candidates of splits
    without rows are left out.

    Raises UserError, in one line, where the table cannot be read or is not one that the runner
    could have written.
    """
    from aobench.results.validation import facts_of, sound

    path = result_file(path, TABLE)
    check_own_table(path)
    try:
        table = pq.read_table(path)
        table.validate(
            full=True
        )  # else a damaged text fails later, as a UnicodeDecodeError
    except parquet_errors() as error:
        raise UserError(
            f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}"
        ) from error
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise UserError(
            f"{path} lacks the column(s) {', '.join(missing)}; it was not written by "
            "this runner"
        )
    raw = (table.schema.metadata or {}).get(KEY)
    if raw is None:
        raise UserError(
            f"{path} does not say which candidates were ranked (Parquet metadata key "
            f"{KEY.decode()!r})"
        )
    facts = facts_of(raw, path)
    lists = {
        name: Candidates(
            c["mode"],
            tuple(c["attributes"]),
            tuple(c["objects"]),
            tuple(c["names"]),
            tuple(c.get("attribute_names", ())),
            tuple(c.get("object_names", ())),
        )
        for name, c in facts["candidates"].items()
    }
    table = sound(table.select(SCHEMA.names), SCHEMA, lists, facts["provenance"], path)
    there = set(table["split"].unique().to_pylist())
    lists = {name: listed for name, listed in lists.items() if name in there}
    return Predictions(table, lists, facts["names_attributes"], facts["provenance"])
