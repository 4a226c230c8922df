"""The step ``distinct``: from a table of images to decisions, neighbours, a page and a manifest.

About the thresholds. The paper that describes the images says that near-duplicates were looked for
by nearest neighbours, but states neither its k nor its embedding nor its threshold. The defaults
here are ours. The hash's were measured on mini's pictures (see ``hashes``). A cosine means nothing
apart from its model: by the bundled one 22 of 499,500 pairs of different pictures are at 0.95 or
more, and 200 copies in JPEG 50 all above 0.99; another model has other figures. So
``cosine_in_set`` is off unless given, and ``reference_cosine`` (0.95) is a place to begin. To
choose: run once, open report.html, see in the histogram where the bulk ends, look through the
borderline pairs, move the threshold to where they stop being the same picture, and run again:
embeddings, hashes and neighbours in the reference are kept.
"""

from __future__ import annotations

import glob
import io
import platform
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.duplicates.approximate import open_index, recall, search_index
from aobench.duplicates.decide import Measured, Thresholds, judge, table_of
from aobench.duplicates.hashes import (
    COLOUR,
    DISTANCE,
    bits_apart,
    colours_apart,
    look_at,
    nearest_by_hash,
)
from aobench.duplicates.images import ImageSet, open_set
from aobench.duplicates.neighbours import Neighbours, inside, search
from aobench.duplicates.optional import need
from aobench.duplicates.page import write_report
from aobench.duplicates.reference import Shard, describe, open_reference
from aobench.errors import UserError
from aobench.files import disk_full_is_one_line, package_versions, write_in_one_move
from aobench.models.weights import placed_model
from aobench.sealed import MANIFEST, manifest_bytes

if TYPE_CHECKING:
    import pyarrow as pa

PACKAGES = (
    "numpy",
    "faiss-cpu",
    "ImageHash",
    "pillow",
    "pyarrow",
    "torch",
    "transformers",
    "imagenet-ao",
)
#: Counted up when the meaning of a column or key changes.
FORMAT = 1


@dataclass(frozen=True)
class DistinctOptions:
    """What to compare with what, and where near begins.

    ``model``: a name that the runner takes, None to compare by hash alone. ``hash_distance``: bits
    of 64 that near images may differ in, ``colour`` what their colours may (0..255).
    ``cosine_in_set``, ``reference_cosine``: near from this cosine on; None measures without
    deciding. ``reference``: folders or globs of .npy shards. ``k``: neighbours listed of each
    image, in the set and in the reference. The widths: how far from a threshold a pair is
    borderline. ``index``: a faiss factory string or an index file, for an approximate search of the
    reference. ``report_pairs``: most pairs shown in each part of the page.
    """

    model: str | None = None
    hash_distance: int = DISTANCE
    colour: int = COLOUR
    cosine_in_set: float | None = None
    reference: tuple[str, ...] = ()
    reference_cosine: float | None = 0.95
    k: int = 10
    hash_width: int = 2
    colour_width: int = 6
    cosine_width: float = 0.02
    reference_width: float = 0.02
    batch_size: int = 64
    index: str | None = None
    report_pairs: int = 40

    def check(self) -> None:
        """Raise UserError for a number out of its range, or a wish that needs another."""
        limits = {
            "hash_distance": (0, 16),
            "colour": (0, 255),
            "k": (1, 1000),
            "hash_width": (0, 16),
            "colour_width": (0, 255),
            "cosine_width": (0, 1),
            "reference_width": (0, 1),
            "cosine_in_set": (-1, 1),
            "reference_cosine": (-1, 1),
            "batch_size": (1, 65_536),
            "report_pairs": (0, 10_000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UserError(f"{name} is {value}; it goes from {low} to {high}")
        if self.model is None and (self.reference or self.cosine_in_set is not None):
            wish = "a reference" if self.reference else "cosine_in_set"
            raise UserError(
                f"{wish} compares embeddings: name the model that makes them, for instance mini"
            )
        if self.index is not None and not self.reference:
            raise UserError(
                "an index searches a reference: name the reference's shards too"
            )

    @property
    def thresholds(self) -> Thresholds:
        """What ``decide`` takes."""
        names = Thresholds.__dataclass_fields__
        return Thresholds(**{name: getattr(self, name) for name in names})


def placed(options: DistinctOptions, config_path: Path) -> DistinctOptions:
    """The options with what lies beside the configuration as absolute paths: model, index and
    reference.
    """

    def beside(name: str) -> str:
        place = config_path.parent.resolve() / Path(name).expanduser()
        return str(place) if glob.glob(str(place)) else name  # noqa: PTH207

    return replace(
        options,
        model=placed_model(config_path, options.model)
        if options.model
        else options.model,
        index=beside(options.index) if options.index else options.index,
        reference=tuple(beside(name) for name in options.reference),
    )


class _Clock:
    def __init__(self) -> None:
        self.last, self.seconds = time.perf_counter(), {}  # type: float, dict[str, float]

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self.last = round(now - self.last, 3), now


def run_distinct(
    images: Path,
    out: Path,
    options: DistinctOptions,
    only: Collection[str] | None = None,
) -> Path:
    """Compare the images of the table ``images`` (``only``: those of these ids); returns ``out``,
    which then holds

    decisions.parquet (one row an image, see ``decide.table_of``), neighbours.parquet (k of each
    image in the set and in the reference), report.html and manifest.json, and in ``parts`` what a
    rerun needn't compute again. The tables, the page and the manifest have the same bytes on every
    run over the same input on one machine; timings.json differs. Raises UserError for input that
    doesn't fit, before any long work where it can be known.
    """
    options.check()
    need("imagehash")
    clock, parts = _Clock(), out / "parts"
    found = open_set(images, only)
    shards = open_reference(options.reference)
    with disk_full_is_one_line(out):
        parts.mkdir(parents=True, exist_ok=True)
    clock.lap("digests")
    measured, made = _measure(found, shards, parts, options, clock)
    references = _references(shards, measured.reference, len(found))
    first = [row[0] if row else None for row in references]
    verdicts = judge(
        found, measured, options.thresholds, lambda row: _place(first[row])
    )
    decisions = table_of(found, measured, verdicts, first)
    clock.lap("decisions")
    _write_table(out / "decisions.parquet", decisions)
    _write_table(out / "neighbours.parquet", _neighbours(found, measured, references))
    heading = {
        "model": made["model"],
        "index": made["index"],
        "reference": options.reference,
    }
    write_report(
        out / "report.html",
        found,
        decisions,
        options.thresholds,
        heading,
        options.report_pairs,
    )
    clock.lap("report")
    manifest = _manifest(found, shards, options, decisions, made)
    for name, said in (("timings.json", clock.seconds), (MANIFEST, manifest)):
        write_in_one_move(out / name, manifest_bytes(said))
    return out


def _measure(
    images: ImageSet,
    shards: list[Shard],
    parts: Path,
    options: DistinctOptions,
    clock: _Clock,
) -> tuple[Measured, dict[str, Any]]:
    """Hashes, embeddings and neighbours; with what made them, for the manifest."""
    made: dict[str, Any] = {"model": None, "index": None}
    model = None
    if options.model is not None:
        from aobench.duplicates.embed import dimensions, embed_set, load_model

        need("faiss")
        model = load_model(options.model)
        made["model"] = asdict(model.info)
        open_reference(options.reference, dimensions(model))
        clock.lap("model")
    looks = look_at(images, parts)
    if len(looks.bad) == len(images):
        raise UserError(
            f"none of the {len(images):,} images can be read; the first {looks.bad[0]}"
        )
    good = np.array([row for row in range(len(images)) if row not in looks.bad])
    by_hash = nearest_by_hash(looks, good, options.colour)
    clock.lap("hashes")
    if model is None:
        return Measured(looks, None, by_hash, None, None, looks.bad), made
    vectors = embed_set(model, images, parts, options.batch_size).vectors
    clock.lap("embeddings")
    in_set = inside(vectors, good, options.k)
    clock.lap("neighbours in the set")
    reference = (
        _in_reference(vectors, good, shards, parts, options, made) if shards else None
    )
    clock.lap("neighbours in the reference")
    return Measured(looks, vectors, by_hash, in_set, reference, looks.bad), made


def _in_reference(
    vectors: np.ndarray,
    good: np.ndarray,
    shards: list[Shard],
    parts: Path,
    options: DistinctOptions,
    made: dict[str, Any],
) -> Neighbours:
    """Neighbours of the whole set; an unreadable image has none."""
    known = vectors[good]
    if options.index is None:
        found = search(known, shards, options.k, parts / "reference.safetensors")
    else:
        index = open_index(options.index, shards, parts)
        found = search_index(known, shards, index, options.k)
        made["index"] = index.said | recall(known, shards, found)
    whole = {}
    for name, nothing in (("score", -np.inf), ("shard", -1), ("row", -1)):
        values = getattr(found, name)
        whole[name] = np.full((len(vectors), options.k), nothing, dtype=values.dtype)
        whole[name][good] = values
    return Neighbours(**whole)


def _references(
    shards: list[Shard], found: Neighbours | None, count: int
) -> list[list[dict[str, Any]]]:
    """For each image its neighbours in the reference: file, row and what the metadata says."""
    if found is None:
        return [[] for _ in range(count)]
    pairs = [
        [(int(s), int(r)) for s, r in zip(*row, strict=True) if r >= 0]
        for row in zip(found.shard, found.row, strict=True)
    ]
    said = describe(shards, (pair for row in pairs for pair in row))
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


def _local(shard: Shard, said: dict[str, str]) -> dict[str, str]:
    """A path in the metadata counts from the metadata's folder."""
    if "path" in said and shard.metadata is not None:
        said = {**said, "path": str(shard.metadata.parent / said["path"])}
    return said


def _place(reference: dict[str, Any] | None) -> str:
    return f"{Path(reference['file']).name} row {reference['row']}" if reference else ""


def _neighbours(
    images: ImageSet, measured: Measured, references: list[list[dict[str, Any]]]
) -> pa.Table:
    """One row a neighbour: where it is ("set", with its id and hash, or "reference"), its rank
    from 1, its cosine.
    """
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    looks = measured.looks
    for image, name in enumerate(images.ids):
        if measured.in_set is not None:
            other = measured.in_set.row[image]
            other = other[other >= 0]
            me = np.full(len(other), image)
            apart = zip(
                bits_apart(looks, me, other).tolist(),
                colours_apart(looks, me, other).tolist(),
                strict=True,
            )
            for rank, (position, (bits, colour)) in enumerate(
                zip(other.tolist(), apart, strict=True)
            ):
                score = measured.in_set.score[image, rank]
                rows.append(
                    {
                        "image_id": name,
                        "where": "set",
                        "rank": rank + 1,
                        "neighbour_id": images.ids[position],
                        "cosine": score,
                        "hash_distance": bits,
                        "colour": colour,
                    }
                )
        if measured.reference is not None:
            for rank, reference in enumerate(references[image]):
                score = measured.reference.score[image, rank]
                rows.append(
                    {
                        "image_id": name,
                        "where": "reference",
                        "rank": rank + 1,
                        "cosine": score,
                        **reference,
                    }
                )
    text, whole = pa.string(), pa.int32()
    schema = pa.schema(
        [
            ("image_id", text),
            ("where", text),
            ("rank", whole),
            ("cosine", pa.float32()),
            ("neighbour_id", text),
            ("hash_distance", whole),
            ("colour", whole),
            ("file", text),
            ("row", pa.int64()),
            ("caption", text),
            ("url", text),
            ("key", text),
            ("path", text),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def _write_table(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    write_in_one_move(path, stream.getvalue())


def _manifest(
    images: ImageSet,
    shards: list[Shard],
    options: DistinctOptions,
    decisions: pa.Table,
    made: dict[str, Any],
) -> dict[str, Any]:
    removed = Counter(
        _kind(reason) for reason in decisions["reason"].to_pylist() if reason
    )
    return {
        "format": FORMAT,
        "options": asdict(options),
        "thresholds": asdict(options.thresholds),
        "set": {"images": len(images), "fingerprint": images.fingerprint},
        "model": made["model"],
        "index": made["index"],
        "reference": [
            {
                "file": str(s.path),
                "bytes": s.path.stat().st_size,
                "rows": s.rows,
                "width": s.width,
                "metadata": str(s.metadata) if s.metadata else None,
            }
            for s in shards
        ],
        "counts": {
            "images": len(images),
            "kept": sum(decisions["kept"].to_pylist()),
            "borderline": sum(decisions["borderline"].to_pylist()),
            "removed": {
                kind: removed[kind]
                for kind in ("near-duplicate", "too near to reference", "unreadable")
            },
        },
        "versions": {
            "python": platform.python_version(),
            **package_versions(PACKAGES),
        },
    }


def _kind(reason: str) -> str:
    return next(
        kind
        for kind in ("near-duplicate", "too near to reference", "unreadable")
        if reason.startswith(kind)
    )
