"""Decoding and resizing, a batch an item: in worker processes, or in threads where the model takes the cores itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from aobench.images import BadImageError, read_image

if TYPE_CHECKING:
    from aobench.evaluation.data import Split
    from aobench.models.base import ImageTransform


@dataclass
class Read:
    """A batch: ``positions`` in the split of the images that could be read, their arrays stacked by name, and the
    reason for each that could not."""

    positions: list[int]
    arrays: dict[str, torch.Tensor]
    bad: dict[int, str]


class _Batches(Dataset):
    def __init__(
        self, rows: Any, chunks: Sequence[Sequence[int]], transform: ImageTransform, draft: int | None
    ) -> None:
        self.rows, self.chunks, self.transform, self.draft = rows, chunks, transform, draft

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, index: int) -> Read:
        return self.read(index, map)

    def read(self, index: int, mapped: Callable[..., Iterable[Any]]) -> Read:
        """A batch; ``mapped`` is map, or a pool's."""
        chunk = list(self.chunks[index])
        positions, arrays, bad = [], [], {}
        for position, found in zip(chunk, mapped(self._one, self.rows[chunk]["image"]), strict=True):
            if isinstance(found, str):
                bad[position] = found
            else:
                positions.append(position)
                arrays.append(found)
        names = arrays[0] if arrays else ()
        return Read(positions, {n: torch.from_numpy(np.stack([a[n] for a in arrays])) for n in names}, bad)

    def _one(self, cell: Any) -> dict[str, np.ndarray] | str:
        """The arrays of an image, or why it could not be read."""
        try:
            image = read_image(cell, self.draft)
        except BadImageError as error:
            return str(error)
        return self.transform(image)


def workers_for(processes: int, device: torch.device) -> int:
    """Worker processes by default: the cores shared out, at most 8. None on CPU: they would only get in each other's
    way, so images are read between two forward passes, with all threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if device.type == "cpu" else max(1, min(8, cores // processes - 1))


def read_batches(
    split: Split, chunks: Sequence[Sequence[int]], transform: ImageTransform, workers: int, draft: int | None = None
) -> Iterator[Read]:
    """The images at the positions of each of ``chunks``, in order; ``workers`` 0 reads in this process's threads.

    ``draft``: JPEGs may be decoded at a smaller scale, but no side below this many pixels.
    """
    dataset = _Batches(split.rows, chunks, transform, draft)
    if workers == 0 or len(chunks) < 2:
        # Pillow lets go of the interpreter while it decodes and resizes.
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            yield from (dataset.read(i, pool.map) for i in range(len(dataset)))
        return
    yield from DataLoader(
        dataset, batch_size=None, num_workers=min(workers, len(chunks)), prefetch_factor=2,
        worker_init_fn=_one_thread, pin_memory=torch.cuda.is_available(),
    )  # fmt: skip


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
