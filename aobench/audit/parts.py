"""A file's counts on disk, so that a killed scan goes on where it stopped.

Each file has ``<key>.parquet`` (counts, hashes and examples, one row a cell) and ``<key>.json`` (totals, marginals and
what the manifest says of it), which is written last: a part without it doesn't exist. The key stands for the file
(path, size, time of change) and for what is counted (names, forms, rules and their versions), so a part that no longer
fits is not found; nor is one of a remote file whose size and change aren't told.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aobench.audit.counter import Part, Plan
from aobench.audit.counts import Sparse, Totals
from aobench.audit.files import is_remote
from aobench.audit.rules import VERSIONS
from aobench.errors import UserError

#: Raised when the files of a part change their meaning.
FORMAT = 3


def plan_hash(plan: Plan, column: str | None, layout: str | None) -> str:
    """16 hex digits of all that decides what is counted, beside the captions."""
    rules = {rule: VERSIONS[rule] for rule in plan.rules}
    content = [FORMAT, plan.vocabulary.hash, rules, plan.sketch, plan.examples, plan.sample, column, layout]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def part_key(facts: Mapping[str, Any], plan_digest: str) -> str:
    """The stem of a part's files."""
    place = facts["path"] if is_remote(facts["path"]) else str(Path(facts["path"]).absolute())
    content = [place, facts["size"], facts["changed"], plan_digest]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


def write_part(folder: Path, key: str, part: Part, record: Mapping[str, Any]) -> None:
    """Write a part; whoever reads it meanwhile sees all of it or nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for number, sparse in enumerate(part.rules.values()):
        texts = pa.array([part.texts[int(row)] for row in sparse.rows], pa.large_string())
        starts = pa.array(sparse.example_starts)
        columns = {
            "rule": pa.array(np.full(len(sparse.cells), number, np.int32)),
            "cell": pa.array(sparse.cells),
            "count": pa.array(sparse.counts),
            "hashes": pa.LargeListArray.from_arrays(pa.array(sparse.hash_starts), pa.array(sparse.hashes)),
            "rows": pa.LargeListArray.from_arrays(starts, pa.array(sparse.rows)),
            "row_hashes": pa.LargeListArray.from_arrays(starts, pa.array(sparse.row_hashes)),
            "texts": pa.LargeListArray.from_arrays(starts, texts),
        }
        tables.append(pa.table(columns))
    content = {
        "record": dict(record),
        "rules": list(part.rules),
        "totals": vars(part.totals),
        "attribute_counts": part.attribute_counts.tolist(),
        "object_counts": part.object_counts.tolist(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f"{key}.{os.getpid()}.tmp"
    pq.write_table(pa.concat_tables(tables), scratch, compression="zstd")
    content["size"] = scratch.stat().st_size
    scratch.replace(folder / f"{key}.parquet")
    scratch.write_text(json.dumps(content), encoding="utf-8")
    scratch.replace(folder / f"{key}.json")


def read_record(folder: Path, key: str) -> dict[str, Any] | None:
    """What the manifest says of a part's file; None where there is no such part, or no whole one."""
    try:
        content = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        whole = (folder / f"{key}.parquet").stat().st_size == content["size"]
        return dict(content["record"]) if whole else None
    except (OSError, ValueError, KeyError):
        return None


def known_record(folder: Path, key: str, facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of a part that may be used again: not where nothing tells whether its file was changed."""
    if facts.get("error") or facts["size"] is None or facts["changed"] is None:
        return None
    return read_record(folder, key)


def sweep(folder: Path) -> None:
    """Remove what killed scans were writing when they died."""
    for path in folder.glob("*.tmp"):
        path.unlink(missing_ok=True)


def read_part(folder: Path, key: str) -> Part:
    """A part that `write_part` wrote. UserError where it is damaged."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        content = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        table = pq.read_table(folder / f"{key}.parquet")
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(
            f"{folder / key}.parquet is damaged ({str(error).splitlines()[0][:120]}); delete {folder}, and the scan "
            "reads its files again"
        ) from error
    rules: dict[str, Sparse] = {}
    texts: dict[int, str] = {}
    for number, rule in enumerate(content["rules"]):
        mine = table.filter(pc.equal(table["rule"], number)).combine_chunks()
        lists = {}
        for name in ("hashes", "rows", "row_hashes", "texts"):
            column = mine[name].combine_chunks()
            lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
            lists[name] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), pc.list_flatten(column)
        starts, rows = lists["rows"][0], _values(lists["rows"][1], np.int64)
        rules[rule] = Sparse(
            mine["cell"].to_numpy(), mine["count"].to_numpy(), lists["hashes"][0],
            _values(lists["hashes"][1], np.uint64), starts, rows, _values(lists["row_hashes"][1], np.uint64),
        )  # fmt: skip
        texts.update(zip(rows.tolist(), lists["texts"][1].to_pylist(), strict=True))
    attributes, objects = (np.array(content[name], np.int64) for name in ("attribute_counts", "object_counts"))
    return Part(rules, attributes, objects, Totals(**content["totals"]), texts)


def _values(array: Any, dtype: type) -> np.ndarray:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype)
