"""Compare the images of a set with each other and with a reference: decisions, neighbours, a page.

`find_duplicates` is the way in. What it writes has the same bytes on every run over the same input
on one machine, but ``timings.json``.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.duplicates.approximate import (
    measure_recall,
    open_index,
    search_index,
)
from aobench.duplicates.decide import ImageMeasures, decide_set
from aobench.duplicates.hashes import looks_of_set, nearest_by_hash
from aobench.duplicates.images import ImageSet
from aobench.duplicates.neighbours import (
    Neighbours,
    neighbours_in_set,
    search_reference,
)
from aobench.duplicates.options import DuplicateOptions
from aobench.duplicates.page import write_report
from aobench.duplicates.reasons import count_codes
from aobench.duplicates.reference import (
    ReferenceShard,
    describe_rows,
    open_reference,
)
from aobench.duplicates.tables import (
    decisions_table,
    neighbours_table,
    write_table,
)
from aobench.errors import UserError
from aobench.extras import need_extra
from aobench.files import disk_full_is_one_line, write_in_one_move
from aobench.sealed import json_lines_of

if TYPE_CHECKING:
    import pyarrow as pa

#: What a comparison writes, beside ``parts``, from which a rerun goes on.
DECISIONS, NEIGHBOURS, REPORT = (
    "decisions.parquet",
    "neighbours.parquet",
    "report.html",
)
TIMINGS = "timings.json"


@dataclass(frozen=True)
class DuplicateSearch:
    """A finished comparison: its files, and what it says of itself (thresholds, set, model, index,
    reference, counts), as plain values for a manifest.
    """

    files: tuple[Path, ...]
    facts: dict[str, Any]


class _Clock:
    def __init__(self) -> None:
        self.last, self.seconds = time.perf_counter(), {}  # type: float, dict[str, float]

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self.last = round(now - self.last, 3), now


def find_duplicates(
    images: ImageSet, out: Path, options: DuplicateOptions
) -> DuplicateSearch:
    """Compare the images of a set with each other and with the reference.

    Args:
        images: see `open_set` and `open_sources`.
        out: the folder that then holds decisions.parquet (one row an image, see
            `decisions_table`), neighbours.parquet (k of each image in the set and in the
            reference), report.html, timings.json, and ``parts``: what a rerun needn't compute
            again.
        options: what to compare with what.

    Returns:
        The files and what the comparison says of itself.

    Raises:
        UserError: for options and a reference that don't fit, before any long work, and where no
            image can be read.
    """
    options.check()
    need_extra("imagehash")
    clock, parts = _Clock(), out / "parts"
    shards = open_reference(options.reference)
    with disk_full_is_one_line(out):
        parts.mkdir(parents=True, exist_ok=True)
    measured, sources = _measure(images, shards, parts, options, clock)
    references = _references(shards, measured.reference, len(images))
    first = [row[0] if row else None for row in references]
    decided = decide_set(
        images, measured, options.thresholds, lambda row: _place(first[row])
    )
    decisions = decisions_table(images, measured, decided, first)
    clock.lap("decisions")
    write_table(out / DECISIONS, decisions)
    write_table(
        out / NEIGHBOURS, neighbours_table(images, measured, references)
    )
    page_facts = {**sources, "reference": options.reference}
    write_report(
        out / REPORT,
        images,
        decisions,
        options.thresholds,
        page_facts,
        measured.bad,
        options.report_pairs,
    )
    clock.lap("report")
    write_in_one_move(out / TIMINGS, json_lines_of(clock.seconds))
    files = tuple(out / name for name in (DECISIONS, NEIGHBOURS, REPORT))
    return DuplicateSearch(
        files, _facts(images, shards, options, decisions, sources)
    )


def _measure(
    images: ImageSet,
    shards: list[ReferenceShard],
    parts: Path,
    options: DuplicateOptions,
    clock: _Clock,
) -> tuple[ImageMeasures, dict[str, Any]]:
    """Hashes, embeddings and neighbours; with what made them, for the manifest."""
    sources: dict[str, Any] = {"model": None, "index": None}
    model = None
    if options.model is not None:
        from aobench.duplicates.embed import (
            embed_set,
            embedding_width,
            load_model,
        )

        need_extra("faiss")
        model = load_model(options.model)
        sources["model"] = asdict(model.info)
        open_reference(options.reference, embedding_width(model))
        clock.lap("model")
    looks = looks_of_set(images, parts)
    if len(looks.bad) == len(images):
        raise UserError(
            f"none of the {len(images):,} images can be read; the first {looks.bad[0]}"
        )
    good = np.array([row for row in range(len(images)) if row not in looks.bad])
    by_hash = nearest_by_hash(looks, good, options.colour)
    clock.lap("hashes")
    if model is None:
        return ImageMeasures(
            looks, None, by_hash, None, None, looks.bad
        ), sources
    vectors = embed_set(model, images, parts, options.batch_size).vectors
    clock.lap("embeddings")
    in_set = neighbours_in_set(vectors, good, options.k)
    clock.lap("neighbours in the set")
    reference = (
        _in_reference(vectors, good, shards, parts, options, sources)
        if shards
        else None
    )
    clock.lap("neighbours in the reference")
    return ImageMeasures(
        looks, vectors, by_hash, in_set, reference, looks.bad
    ), sources


def _in_reference(
    vectors: np.ndarray,
    good: np.ndarray,
    shards: list[ReferenceShard],
    parts: Path,
    options: DuplicateOptions,
    sources: dict[str, Any],
) -> Neighbours:
    """Neighbours of the whole set; an unreadable image has none."""
    known = vectors[good]
    if options.index is None:
        neighbours = search_reference(
            known, shards, options.k, parts / "reference.safetensors"
        )
    else:
        index = open_index(options.index, shards, parts)
        neighbours = search_index(known, shards, index, options.k)
        sources["index"] = index.said | measure_recall(
            known, shards, neighbours
        )
    whole = {}
    for name, nothing in (("score", -np.inf), ("shard", -1), ("row", -1)):
        values = getattr(neighbours, name)
        whole[name] = np.full(
            (len(vectors), options.k), nothing, dtype=values.dtype
        )
        whole[name][good] = values
    return Neighbours(**whole)


def _references(
    shards: list[ReferenceShard], neighbours: Neighbours | None, count: int
) -> list[list[dict[str, Any]]]:
    """For each image its neighbours in the reference: file, row and what the metadata says."""
    if neighbours is None:
        return [[] for _ in range(count)]
    pairs = [
        [(int(s), int(r)) for s, r in zip(*row, strict=True) if r >= 0]
        for row in zip(neighbours.shard, neighbours.row, strict=True)
    ]
    said = describe_rows(shards, (pair for row in pairs for pair in row))
    return [
        [
            {
                "file": str(shards[s].path),
                "row": r,
                **_local(shards[s], said.get((s, r), {})),
            }
            for s, r in row
        ]
        for row in pairs
    ]


def _local(shard: ReferenceShard, said: dict[str, str]) -> dict[str, str]:
    """A path in the metadata counts from the metadata's folder."""
    if "path" in said and shard.metadata is not None:
        said = {**said, "path": str(shard.metadata.parent / said["path"])}
    return said


def _place(reference: dict[str, Any] | None) -> str:
    return (
        f"{Path(reference['file']).name} row {reference['row']}"
        if reference
        else ""
    )


def _facts(
    images: ImageSet,
    shards: list[ReferenceShard],
    options: DuplicateOptions,
    decisions: pa.Table,
    sources: dict[str, Any],
) -> dict[str, Any]:
    return {
        "thresholds": asdict(options.thresholds),
        "set": {"images": len(images), "fingerprint": images.fingerprint},
        **sources,
        "reference": [
            {
                "file": str(shard.path),
                "bytes": shard.path.stat().st_size,
                "rows": shard.rows,
                "width": shard.width,
                "metadata": str(shard.metadata) if shard.metadata else None,
            }
            for shard in shards
        ],
        "counts": {
            "images": len(images),
            "kept": sum(decisions["kept"].to_pylist()),
            "borderline": sum(decisions["borderline"].to_pylist()),
            "removed": count_codes(decisions["reason_code"].to_pylist()),
        },
    }
