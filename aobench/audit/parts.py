"""A file's counts on disk, so that a killed scan goes on where it stopped.

Each file has ``<key>.parquet`` (counts, hashes and examples, one row a cell) and ``<key>.json`` (totals, marginals and
what the manifest says of it), which is written last: a part without it doesn't exist. The key stands for the file
(path, size, time of change) and for what is counted (names, forms, rules and their versions), so a part that no longer
fits is not found.
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
from aobench.audit.readers import is_remote
from aobench.audit.rules import VERSIONS

#: Raised when the files of a part change their meaning.
FORMAT = 1


def plan_hash(plan: Plan, column: str | None, layout: str | None) -> str:
    """16 hex digits of all that decides what is counted, beside the captions."""
    rules = {rule: VERSIONS[rule] for rule in plan.rules}
    content = [FORMAT, plan.vocabulary.hash, rules, plan.sketch, plan.examples, plan.sample, column, layout]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def file_facts(path: str) -> dict[str, Any]:
    """``path``, ``size`` in bytes and ``changed``, a time stamp or tag; None where a remote system doesn't tell."""
    if not is_remote(path):
        stat = Path(path).stat()
        return {"path": path, "size": stat.st_size, "changed": stat.st_mtime_ns}
    import fsspec

    try:
        system, inner = fsspec.core.url_to_fs(path)
        info = system.info(inner)
    except (ImportError, OSError, ValueError):
        return {"path": path, "size": None, "changed": None}
    tag = next((str(info[k]) for k in ("ETag", "etag", "blob_id", "LastModified", "mtime") if info.get(k)), None)
    return {"path": path, "size": info.get("size"), "changed": tag}


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
    scratch.replace(folder / f"{key}.parquet")
    scratch.write_text(json.dumps(content), encoding="utf-8")
    scratch.replace(folder / f"{key}.json")


def read_record(folder: Path, key: str) -> dict[str, Any] | None:
    """What the manifest says of a part's file; None where there is no such part."""
    try:
        return dict(json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))["record"])
    except (OSError, ValueError, KeyError):
        return None


def read_part(folder: Path, key: str) -> Part:
    """A part that `write_part` wrote."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    content = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
    table = pq.read_table(folder / f"{key}.parquet")
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
