"""A reference corpus: embeddings in shards of .npy beside tables that say what each row is.

The layout is LAION's: ``img_emb_0000.npy`` (n x d, float16) and ``metadata_0000.parquet`` (n rows;
url, caption, key) in the same folder, or in ``img_emb/`` and ``metadata/`` next to each other. A
shard is read in blocks through a memory map that is opened and closed for each block, so that pages
of what was read don't pile up in the process.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aobench.errors import UserError
from aobench.files import parquet_errors, regular_file
from aobench.sealed import NPZ_DAMAGED

#: Rows of a block: 16 MiB of float32 at 512 dimensions. Larger blocks made faiss slower where
#: queries are few.
BLOCK = 8192
#: What is kept of a metadata row, each under the names that it goes by.
KEPT = {
    "caption": ("caption", "text", "TEXT"),
    "url": ("url", "URL"),
    "key": ("key",),
    "path": ("path", "image_path"),
}


@dataclass(frozen=True)
class ReferenceShard:
    """One .npy of ``rows`` x ``width`` and its metadata, if it has any."""

    path: Path
    rows: int
    width: int
    metadata: Path | None

    @property
    def state(self) -> dict[str, Any]:
        """What tells this shard from a changed one without reading it: name, bytes, time of
        change, rows.
        """
        stat = self.path.stat()
        return {
            "file": self.path.name,
            "bytes": stat.st_size,
            "changed": stat.st_mtime_ns,
            "rows": self.rows,
        }

    def read(self, start: int, stop: int) -> np.ndarray:
        """float32 copy of rows ``start`` to ``stop``."""
        return np.array(_map(self.path)[start:stop], dtype=np.float32)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """float32 copy of ``rows``, in their order."""
        return np.array(_map(self.path)[rows], dtype=np.float32)

    def blocks(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(first row, raw float32 block, its rows' lengths as a float32 column). Raises
        UserError for a bad row.
        """
        for start in range(0, self.rows, BLOCK):
            raw = self.read(start, min(self.rows, start + BLOCK))
            yield start, raw, row_lengths(raw, self.path, start)


def _map(path: Path) -> np.ndarray:
    regular_file(path, "the reference shard")
    try:
        content = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(content, np.ndarray):
            raise ValueError("it is an .npz under this name")
        return content
    except NPZ_DAMAGED as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"the reference shard {path} can't be mapped as a plain .npy array of numbers "
            f"({reason}); pickled arrays "
            "are not read: save it anew with numpy.save as float16 or float32"
        ) from error


def row_lengths(raw: np.ndarray, path: Path, first: int) -> np.ndarray:
    """float32 n x 1, the Euclidean length of each row. Raises UserError naming file and row for
    one without any.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", raw, raw))
    good = np.isfinite(lengths) & (lengths > 0)
    if not good.all():
        row = int(np.argmin(good))
        what = (
            "holds NaN or infinity"
            if not np.isfinite(raw[row]).all()
            else "is a zero vector"
        )
        if np.isfinite(raw[row]).all() and raw[row].any():
            what = "has a length outside float32's range"
        raise UserError(
            f"{path}: row {first + row} {what}: it has no direction to compare; remove it or mend "
            "the file"
        )
    return lengths[:, None]


def open_reference(
    patterns: Sequence[str], width: int | None = None
) -> list[ReferenceShard]:
    """The shards that ``patterns`` name (folders, globs or files), sorted within each pattern, each
    once.

    ``width`` is the query's. Reads headers only. Raises UserError for a pattern without .npy files,
    an array that is not n x d of floats, shards of different widths, another width than ``width``,
    and metadata of another row count.
    """
    paths = list(
        dict.fromkeys(path for pattern in patterns for path in _expand(pattern))
    )
    shards = [_open(path) for path in paths]
    for shard in shards:
        if width is not None and shard.width != width:
            raise UserError(
                f"{shard.path} holds vectors of {shard.width} numbers, the model gives {width}: "
                "name the model that "
                "the reference was embedded with"
            )
        if shard.width != shards[0].width:
            raise UserError(
                f"{shard.path} holds vectors of {shard.width} numbers and {shards[0].path} of "
                f"{shards[0].width}: "
                "shards of one reference come from one model"
            )
    if shards and not sum(shard.rows for shard in shards):
        raise UserError(f"the reference {', '.join(patterns)} has no rows")
    return shards


def _expand(pattern: str) -> list[Path]:
    place = Path(pattern)
    if place.is_dir():
        matches = sorted(place.glob("*.npy")) or sorted(
            place.glob("img_emb/*.npy")
        )
    elif place.is_file():
        matches = [place]
    else:
        matches = sorted(
            Path(path)
            for path in glob.glob(pattern)  # noqa: PTH207
            if path.endswith(".npy")
        )
    if not matches:
        raise UserError(
            f"the reference {pattern!r} holds no .npy file; name a folder or a glob of "
            "img_emb_*.npy"
        )
    return matches


def _open(path: Path) -> ReferenceShard:
    content = _map(path)
    if content.ndim != 2 or content.dtype.kind != "f" or content.shape[1] == 0:
        shape = " x ".join(map(str, content.shape))
        raise UserError(
            f"{path} is {shape} of {content.dtype}; a reference shard is n x d of float16 or "
            "float32"
        )
    rows, width = content.shape
    metadata = _metadata(path)
    if metadata is not None:
        described = _rows_of(metadata)
        if described != rows:
            raise UserError(
                f"{metadata} has {described:,} rows and {path} {rows:,}: they don't belong together"
            )
    return ReferenceShard(path, rows, width, metadata)


def _metadata(path: Path) -> Path | None:
    """The Parquet table with the same number, beside the array or in the folder ``metadata``
    next to its folder.
    """
    number = re.search(r"(\d+)$", path.stem)
    name = (
        f"metadata_{number.group(1)}.parquet"
        if number
        else f"{path.stem}.parquet"
    )
    return next(
        (
            p
            for p in (
                path.parent / name,
                path.parent.parent / "metadata" / name,
            )
            if p.exists()
        ),
        None,
    )


def _rows_of(metadata: Path) -> int:
    import pyarrow.parquet as pq

    regular_file(metadata, "the reference's metadata")
    try:
        return int(pq.ParquetFile(metadata).metadata.num_rows)
    except parquet_errors() as error:
        raise UserError(
            f"{metadata} could not be read as Parquet: {' '.join(str(error).split())[:160]}"
        ) from error


def describe_rows(
    shards: Sequence[ReferenceShard], wanted: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], dict[str, str]]:
    """What the metadata says of each (shard, row): caption, url, key and path as texts, those that
    it has.

    Reads one row group at a time, and only those that hold a wanted row.
    """
    import pyarrow.parquet as pq

    by_shard: dict[int, list[int]] = {}
    for shard, row in sorted(set(wanted)):
        by_shard.setdefault(shard, []).append(row)
    matches: dict[tuple[int, int], dict[str, str]] = {}
    for shard, rows in by_shard.items():
        metadata = shards[shard].metadata
        if metadata is None:
            continue
        table = pq.ParquetFile(metadata)
        names = {
            n: next((a for a in other if a in table.schema_arrow.names), None)
            for n, other in KEPT.items()
        }
        first = 0
        for group in range(table.num_row_groups):
            count = table.metadata.row_group(group).num_rows
            here = [row for row in rows if first <= row < first + count]
            if here:
                part = table.read_row_group(
                    group, columns=[c for c in names.values() if c]
                )
                part = part.take([row - first for row in here])
                columns = {
                    name: part[column].to_pylist()
                    for name, column in names.items()
                    if column
                }
                for place, row in enumerate(here):
                    values = {
                        name: column[place] for name, column in columns.items()
                    }
                    matches[shard, row] = {
                        name: str(value)
                        for name, value in values.items()
                        if value is not None
                    }
            first += count
    return matches
