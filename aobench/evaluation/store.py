"""Vectors on disk in shards of fixed bounds: what is written stays, whoever wrote it and however many did.

A shard holds consecutive items and is one safetensors file. It is written under another name and moved into
place, so a file that is there is whole. Which process writes it, and when, changes nothing in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import disk_full_is_one_line, write_in_one_move

#: Counted up when the meaning of what is stored changes.
FORMAT = 1
VECTORS = "vectors"


class Store:
    """float32 vectors of ``count`` items under ``folder``, found again by ``key``: all that made them."""

    def __init__(self, folder: Path, key: Mapping[str, Any], count: int, size: int) -> None:
        self.key = {**key, "count": count, "shard": size, "format": FORMAT}
        text = json.dumps(self.key, sort_keys=True, indent=1)
        self.folder = folder / hashlib.sha256(text.encode()).hexdigest()[:20]
        self.count, self.size = count, size
        with disk_full_is_one_line(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "key.json").exists():
            write_in_one_move(self.folder / "key.json", text.encode())
        self._sweep()

    def _sweep(self) -> None:
        """Remove what killed runs left half-written, a day later: a run beside this one may be writing."""
        for part in self.folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > 86_400:
                    part.unlink()

    def __len__(self) -> int:
        """Number of shards."""
        return -(-self.count // self.size)

    def items(self, shard: int) -> range:
        """The items of a shard."""
        return range(shard * self.size, min(self.count, (shard + 1) * self.size))

    def path(self, shard: int) -> Path:
        """Where a shard is, or will be."""
        return self.folder / f"{shard:06d}.safetensors"

    def missing(self) -> list[int]:
        """Shards that are not yet written."""
        there = {path.name for path in self.folder.glob("*.safetensors")}
        return [shard for shard in range(len(self)) if self.path(shard).name not in there]

    def write(self, shard: int, vectors: Any, notes: Mapping[int, str] | None = None) -> None:
        """Commit a shard: ``vectors`` float32 n x D (n items, in order), and a note to any item."""
        import torch
        from safetensors.torch import save

        if vectors.shape[0] != len(self.items(shard)):
            raise RuntimeError(f"shard {shard} takes {len(self.items(shard))} vectors, not {vectors.shape[0]}")
        if not torch.isfinite(vectors).all():
            raise UserError(
                "the model gave NaN or infinite vectors: its numbers don't fit the dtype; "
                "use --dtype bfloat16 or float32"
            )
        metadata = {"notes": json.dumps({str(k): v for k, v in sorted((notes or {}).items())})}
        content = save({VECTORS: vectors.float().cpu().contiguous()}, metadata=metadata)
        write_in_one_move(self.path(shard), content)

    def read(self, shard: int) -> tuple[Any, dict[int, str]]:
        """Vectors and notes of a shard. Raises UserError where the file is damaged."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path(shard), framework="pt") as content:
                vectors = content.get_tensor(VECTORS)
                notes = json.loads((content.metadata() or {}).get("notes", "{}"))
        except (SafetensorError, FileNotFoundError, KeyError) as error:
            raise UserError(
                f"{self.path(shard)} is damaged or gone ({str(error).splitlines()[0]}); delete it and run again"
            ) from error
        return vectors, {int(item): note for item, note in notes.items()}
