"""Approximate neighbours through a faiss index, with its recall measured against the exact search.

For a corpus that is searched often or is too large to read each time. The index only proposes
candidates: their cosines are computed from the corpus's own vectors, so a score is exact though a
nearer row may have been missed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aobench.duplicates.neighbours import Neighbours, TopK, search_reference
from aobench.duplicates.reference import ReferenceShard
from aobench.errors import UserError
from aobench.extras import need_extra
from aobench.files import scratch_file, sha256_of
from aobench.sealed import (
    DamagedError,
    read_sealed_json,
    say_again,
    write_sealed_json,
)

#: Rows that an index is trained on; faiss asks for 39 to 256 a list.
TRAINED_ON = 262_144
#: Candidates asked for each neighbour wanted: quantised distances put some right ones lower.
CANDIDATES = 8
#: Queries whose neighbours are searched exactly too.
SAMPLE = 200


@dataclass(frozen=True)
class FaissIndex:
    """A faiss index whose ids are rows of all shards, one after the other."""

    index: Any
    said: dict[str, Any]


def open_index(
    spec: str, shards: Sequence[ReferenceShard], folder: Path
) -> FaissIndex:
    """The index in the file ``spec``, or one made by the faiss factory string ``spec``
    ("IVF1024,PQ32").

    One that was made is kept in ``folder`` and used again for the same shards. Of an inverted file
    a sixteenth of the lists is searched. Raises UserError for a file that is no index or of another
    corpus, and a string that faiss doesn't know. Give only index files that you trust: faiss reads
    them without checking all they hold.
    """
    faiss = need_extra("faiss")
    if Path(spec).is_file():
        index = _read(Path(spec))
    else:
        state = json.dumps(
            [spec, faiss.__version__, [shard.state for shard in shards]],
            sort_keys=True,
        )
        index_path = (
            folder
            / f"index-{hashlib.sha256(state.encode()).hexdigest()[:16]}.faiss"
        )
        index = _kept(index_path) or _make(spec, shards, index_path)
    rows, width = sum(shard.rows for shard in shards), shards[0].width
    if index.ntotal != rows or index.d != width:
        raise UserError(
            f"the index {spec} holds {index.ntotal:,} vectors of {index.d} numbers, the reference "
            f"{rows:,} of {width}: "
            "it was made of another corpus"
        )
    said: dict[str, Any] = {"spec": spec}
    lists = getattr(index, "nlist", None)
    if lists:
        index.nprobe = max(1, lists // 16)
        said |= {"nlist": lists, "nprobe": index.nprobe}
    return FaissIndex(index, said)


def _read(path: Path) -> Any:
    try:
        return need_extra("faiss").read_index(str(path))
    except RuntimeError as error:
        raise UserError(
            f"{path} is no index that faiss reads: {' '.join(str(error).split())[-160:]}"
        ) from error


def _kept(path: Path) -> Any:
    """The index that an earlier run made; None where there is none, or it is not what was
    written.
    """
    if not path.exists():
        return None
    seal_path = path.with_suffix(".json")
    try:
        if not seal_path.exists() or read_sealed_json(seal_path, path.name)[
            "sha256"
        ] != sha256_of(path):
            raise DamagedError("is not what was written here")
    except DamagedError as error:
        say_again(path, error)
        return None
    return _read(path)


def _make(spec: str, shards: Sequence[ReferenceShard], index_path: Path) -> Any:
    from tqdm.auto import tqdm

    faiss = need_extra("faiss")
    try:
        index = faiss.index_factory(
            shards[0].width, spec, faiss.METRIC_INNER_PRODUCT
        )
    except RuntimeError as error:
        raise UserError(
            f"{spec!r} is neither a file nor a factory string of faiss, such as 'IVF1024,PQ32' or "
            "'Flat'"
        ) from error
    try:
        index.train(_sample(shards))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:160]
        raise UserError(
            f"the index {spec!r} could not be trained on this reference: {reason}"
        ) from error
    total = sum(shard.rows for shard in shards)
    with tqdm(
        total=total,
        desc="index",
        unit="row",
        unit_scale=True,
        disable=None,
        leave=False,
    ) as bar:
        for shard in shards:
            for _, raw, length in shard.blocks():
                index.add(raw / length)
                bar.update(len(raw))
    with scratch_file(index_path) as scratch:
        faiss.write_index(index, str(scratch))
        digest = sha256_of(scratch)
    write_sealed_json(
        index_path.with_suffix(".json"), index_path.name, {"sha256": digest}
    )
    return index


def _sample(shards: Sequence[ReferenceShard]) -> np.ndarray:
    """Rows at even distances through the whole corpus, unit length."""
    total = sum(shard.rows for shard in shards)
    wanted = np.unique(
        np.linspace(0, total - 1, min(total, TRAINED_ON)).astype(np.int64)
    )
    sampled, first = [], 0
    for shard in shards:
        here = wanted[(wanted >= first) & (wanted < first + shard.rows)] - first
        raw = shard.take(here)
        length = np.linalg.norm(raw, axis=1, keepdims=True)
        # a row without direction is refused when it is added
        sampled.append(raw / np.where(length > 0, length, 1))
        first += shard.rows
    return np.concatenate(sampled)


def search_index(
    queries: np.ndarray,
    shards: Sequence[ReferenceShard],
    index: FaissIndex,
    k: int,
) -> Neighbours:
    """The nearest ``k`` among what the index proposes, with exact cosines; float32 N x D queries
    of unit length.
    """
    faiss_ids = index.index.search(
        np.ascontiguousarray(queries, dtype=np.float32), k * CANDIDATES
    )[1]
    top, first = TopK(queries, k), 0
    for number, shard in enumerate(shards):
        query, place = np.nonzero(
            (faiss_ids >= first) & (faiss_ids < first + shard.rows)
        )
        row = faiss_ids[query, place] - first
        for start in range(0, len(query), 65_536):
            part = slice(start, start + 65_536)
            rows, back = np.unique(row[part], return_inverse=True)
            top.add_pairs(number, query[part], shard.take(rows), back, rows)
        first += shard.rows
    return top.result()


def measure_recall(
    queries: np.ndarray,
    shards: Sequence[ReferenceShard],
    neighbours: Neighbours,
) -> dict[str, float | int]:
    """Share of the exact k nearest, and of the exact nearest, that ``neighbours`` holds; on at most
    200 queries.
    """
    chosen = np.unique(
        np.linspace(0, len(queries) - 1, min(SAMPLE, len(queries))).astype(
            np.int64
        )
    )
    k = neighbours.row.shape[1]
    exact = search_reference(queries[chosen], shards, k)
    shard, row = (
        neighbours.shard[chosen][:, None],
        neighbours.row[chosen][:, None],
    )
    same = (exact.shard[:, :, None] == shard) & (exact.row[:, :, None] == row)
    there = exact.row >= 0
    hit = same.any(axis=2)
    return {
        "queries": len(chosen),
        "k": k,
        "recall_at_k": float(hit[there].mean()),
        "recall_at_1": float(hit[:, 0].mean()),
    }
