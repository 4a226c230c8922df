"""Vectors on disk in shards of fixed bounds: what is written stays, whoever wrote it and however
many did.

A shard holds consecutive items and is one safetensors file. It is written under another name and
moved into place, so a file that is there is whole. Which process writes it, and when, changes
nothing in it. It is sealed (`aobench.sealed`) under the key and its number: a shard that was
damaged, swapped or brought from another model's folder is missing, and is computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import (
    disk_full_is_one_line,
    remove_scratch_files,
    write_in_one_move,
)
from aobench.sealed import (
    DamagedError,
    read_sealed_tensors,
    say_again,
    write_sealed_tensors,
)

#: Counted up when the meaning of what is stored changes.
FORMAT = 2
VECTORS = "vectors"


class Store:
    """float32 vectors of ``count`` items under ``folder``, found again by ``key``: all that made
    them.
    """

    def __init__(
        self, folder: Path, key: Mapping[str, Any], count: int, size: int
    ) -> None:
        self.key = {**key, "count": count, "shard": size, "format": FORMAT}
        text = json.dumps(self.key, sort_keys=True, indent=1)
        self.folder = folder / hashlib.sha256(text.encode()).hexdigest()[:20]
        self.count, self.size = count, size
        with disk_full_is_one_line(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        key_path = self.folder / "key.json"
        if not key_path.is_file() or key_path.read_bytes() != text.encode():
            write_in_one_move(key_path, text.encode())
        # a day old, since a run beside this one may be writing
        remove_scratch_files(self.folder, older_than=86_400)

    def __len__(self) -> int:
        """Number of shards."""
        return -(-self.count // self.size)

    def items(self, shard: int) -> range:
        """The items of a shard."""
        return range(
            shard * self.size, min(self.count, (shard + 1) * self.size)
        )

    def path(self, shard: int) -> Path:
        """Where a shard is, or will be."""
        return self.folder / f"{shard:06d}.safetensors"

    def _name(self, shard: int) -> str:
        """What a shard is sealed under: no other shard of any store has it."""
        return f"{self.folder.name} {shard}"

    def missing(self, say: bool = True) -> list[int]:
        """Shards that are to be computed: those not written, and those that are not what was
        written.

        Of the latter one line each is printed where ``say``. Every shard that is there is read.
        """
        there = {path.name for path in self.folder.glob("*.safetensors")}
        wanted = []
        for shard in range(len(self)):
            if self.path(shard).name not in there:
                wanted.append(shard)
                continue
            try:
                self._arrays(shard)
            except DamagedError as error:
                wanted.append(shard)
                if say:
                    say_again(self.path(shard), error)
        return wanted

    def _arrays(self, shard: int) -> tuple[Any, dict[str, str]]:
        """float32 n x D and the notes by item of a shard. Raises DamagedError."""
        if not os.path.lexists(self.path(shard)):
            raise DamagedError("is gone")
        arrays, notes = read_sealed_tensors(self.path(shard), self._name(shard))
        if len(arrays.get(VECTORS, ())) != len(self.items(shard)):
            raise DamagedError("holds other items")
        return arrays[VECTORS], notes

    def write(
        self, shard: int, vectors: Any, notes: Mapping[int, str] | None = None
    ) -> None:
        """Commit a shard: ``vectors`` float32 n x D (n items, in order), and a note to any item."""
        import torch

        if vectors.shape[0] != len(self.items(shard)):
            raise RuntimeError(
                f"shard {shard} takes {len(self.items(shard))} vectors, not {vectors.shape[0]}"
            )
        if not torch.isfinite(vectors).all():
            raise UserError(
                "the model gave NaN or infinite vectors: its numbers don't fit the dtype; "
                "use --dtype bfloat16 or float32"
            )
        said = {str(item): note for item, note in (notes or {}).items()}
        arrays = {VECTORS: vectors.float().cpu().numpy()}
        write_sealed_tensors(self.path(shard), self._name(shard), arrays, said)

    def read(
        self, shard: int, compute: Callable[[int], object] | None = None
    ) -> tuple[Any, dict[int, str]]:
        """Vectors and notes of a shard.

        Args:
            shard: its number.
            compute: writes the shard again where the file is damaged or gone by now, which is told.

        Raises:
            UserError: where it is damaged or gone and there is no ``compute``, or not even what
                that wrote can be read.
        """
        import torch

        try:
            vectors, notes = self._arrays(shard)
        except DamagedError as error:
            if compute is not None:
                say_again(self.path(shard), error)
                compute(shard)
                return self.read(shard)
            raise UserError(
                f"{self.path(shard)} {error}; run again: what is damaged is computed anew"
            ) from error
        return torch.from_numpy(vectors), {
            int(item): note for item, note in notes.items()
        }
