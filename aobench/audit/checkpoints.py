"""A file's counts on disk, so that a killed scan goes on where it stopped.

Each file has ``<key>.parquet`` (counts, hashes and examples, one row a cell) and ``<key>.json``
(totals, marginals and what the manifest says of it), which is written last: a part without it
doesn't exist. The key stands for the file (path, size, time of change) and for what is counted
(names, forms, rules and their versions), so a part that no longer fits is not found; nor is one of
a remote file whose size and change aren't told. The second file holds the SHA-256 of the first and
of itself with its key: a part that was damaged, changed or swapped for another's is counted again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aobench.audit.counter import CountingPlan, PartialCounts
from aobench.audit.rules import VERSIONS
from aobench.audit.streams import is_remote
from aobench.audit.tally import GROUPS, ScanTotals, SparseCounts
from aobench.errors import UserError
from aobench.files import (
    read_file,
    read_json,
    scratch_file,
    sha256_of,
    write_in_one_move,
)

#: Raised when the files of a part change their meaning.
FORMAT = 5


def plan_hash(
    plan: CountingPlan, column: str | None, layout: str | None
) -> str:
    """16 hex digits of all that decides what is counted, beside the captions."""
    rules = {rule: VERSIONS[rule] for rule in plan.rules}
    content = [
        FORMAT,
        plan.vocabulary.hash,
        rules,
        plan.sketch,
        plan.examples,
        plan.sample,
        column,
        layout,
    ]
    return hashlib.sha256(
        json.dumps(content, sort_keys=True).encode()
    ).hexdigest()[:16]


def part_key(facts: Mapping[str, Any], plan_digest: str) -> str:
    """The stem of a part's files."""
    place = (
        facts["path"]
        if is_remote(facts["path"])
        else str(Path(facts["path"]).absolute())
    )
    content = [place, facts["size"], facts["changed"], plan_digest]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


def write_part(
    folder: Path, key: str, part: PartialCounts, record: Mapping[str, Any]
) -> None:
    """Write a part; whoever reads it meanwhile sees all of it or nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for number, sparse in enumerate(part.rules.values()):
        texts = pa.array(
            [part.texts[int(row)] for row in sparse.rows], pa.large_string()
        )
        starts = pa.array(sparse.example_starts)
        columns = {
            "rule": pa.array(np.full(len(sparse.cells), number, np.int32)),
            "cell": pa.array(sparse.cells),
            "count": pa.array(sparse.counts),
            "hashes": pa.LargeListArray.from_arrays(
                pa.array(sparse.hash_starts), pa.array(sparse.hashes)
            ),
            "rows": pa.LargeListArray.from_arrays(
                starts, pa.array(sparse.rows)
            ),
            "row_hashes": pa.LargeListArray.from_arrays(
                starts, pa.array(sparse.row_hashes)
            ),
            "texts": pa.LargeListArray.from_arrays(starts, texts),
            "groups": pa.FixedSizeListArray.from_arrays(
                pa.array(sparse.groups.ravel()), GROUPS
            ),
        }
        tables.append(pa.table(columns))
    content = {
        "record": dict(record),
        "rules": list(part.rules),
        "totals": vars(part.totals),
        "attribute_counts": part.attribute_counts.tolist(),
        "object_counts": part.object_counts.tolist(),
        "named": part.named.tolist(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with scratch_file(folder / f"{key}.parquet") as scratch:
        pq.write_table(pa.concat_tables(tables), scratch, compression="zstd")
        content |= {"key": key, "counts_sha256": sha256_of(scratch)}
    content["sha256"] = own_digest(content)
    write_in_one_move(folder / f"{key}.json", json.dumps(content).encode())


def own_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON object without its entry ``sha256``, which is where the digest goes."""
    plain = {name: value for name, value in content.items() if name != "sha256"}
    return sha256_of(json.dumps(plain, sort_keys=True).encode())


class DamagedPartError(UserError):
    """A part that isn't as it was written."""


def _content(folder: Path, key: str) -> tuple[dict[str, Any], bytes]:
    """A part's totals, and the bytes of its counts. DamagedPartError where either isn't as it
    was written.
    """
    try:
        content = read_json(folder / f"{key}.json", "the part")
        counts = read_file(folder / f"{key}.parquet", "the part", most=1 << 40)
    except UserError as error:
        raise DamagedPartError(str(error)) from error
    if content.get("sha256") != own_digest(content) or content["key"] != key:
        raise DamagedPartError(f"the part {key}.json is not as it was written")
    if content["counts_sha256"] != sha256_of(counts):
        raise DamagedPartError(
            f"the part {key}.parquet is not as it was written"
        )
    return content, counts


def read_record(folder: Path, key: str) -> dict[str, Any] | None:
    """What the manifest says of a part's file; None where there is no such part.
    DamagedPartError for a damaged one.
    """
    if not os.path.lexists(folder / f"{key}.json"):
        return None
    return dict(_content(folder, key)[0]["record"])


def known_record(
    folder: Path, key: str, facts: dict[str, Any]
) -> dict[str, Any] | None:
    """The record of a part that may be used again: not where nothing tells whether its file was
    changed.

    Where the part is damaged, ``facts`` say so, since its file is then counted again.
    """
    if facts.get("error") or facts["size"] is None or facts["changed"] is None:
        return None
    try:
        return read_record(folder, key)
    except DamagedPartError as error:
        facts["damaged_part"] = str(error)
        return None


def read_part(folder: Path, key: str) -> PartialCounts:
    """A part that `write_part` wrote. UserError where it is damaged."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        content, counts = _content(folder, key)
    except DamagedPartError as error:
        raise UserError(
            f"{folder / key} was damaged meanwhile ({error}); run it again: its file is read again"
        ) from error
    # parts are small: threads of Arrow's own cost more than they save
    table = pq.read_table(pa.BufferReader(counts), use_threads=False)
    rules: dict[str, SparseCounts] = {}
    texts: dict[int, str] = {}
    for number, rule in enumerate(content["rules"]):
        mine = table.filter(pc.equal(table["rule"], number)).combine_chunks()
        lists = {}
        for name in ("hashes", "rows", "row_hashes", "texts"):
            column = mine[name].combine_chunks()
            lengths = pc.list_value_length(column).to_numpy(
                zero_copy_only=False
            )
            lists[name] = (
                np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
                pc.list_flatten(column),
            )
        starts, rows = lists["rows"][0], _values(lists["rows"][1], np.int64)
        rules[rule] = SparseCounts(
            mine["cell"].to_numpy(),
            mine["count"].to_numpy(),
            lists["hashes"][0],
            _values(lists["hashes"][1], np.uint64),
            starts,
            rows,
            _values(lists["row_hashes"][1], np.uint64),
            _values(pc.list_flatten(mine["groups"]), np.int64).reshape(
                -1, GROUPS
            ),
        )
        texts.update(
            zip(rows.tolist(), lists["texts"][1].to_pylist(), strict=True)
        )
    attributes, objects = (
        np.array(content[name], np.int64)
        for name in ("attribute_counts", "object_counts")
    )
    named = np.array(content["named"], np.int64)
    totals = ScanTotals(**content["totals"])
    return PartialCounts(rules, attributes, objects, named, totals, texts)


def _values(array: Any, dtype: type) -> np.ndarray:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype)
