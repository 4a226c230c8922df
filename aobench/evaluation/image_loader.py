"""Decoding and resizing, a batch an item: in worker processes, or in threads where the model
takes the cores itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from aobench.errors import UserError
from aobench.files import sha256_of
from aobench.images import BadImageError, image_data, pixels_sha256, read_image

if TYPE_CHECKING:
    from aobench.evaluation.data import Split
    from aobench.models.base import ImageTransform


@dataclass
class Read:
    """A batch: ``positions`` in the split of the images that could be read, their arrays stacked by
    name, and the reason for each that could not. ``altered``: those whose bytes are not the ones
    that the dataset was made of."""

    positions: list[int]
    arrays: dict[str, Any]
    bad: dict[int, str]
    altered: list[int] = field(default_factory=list)


class _Batches(Dataset):
    def __init__(
        self,
        split: Split,
        chunks: Sequence[Sequence[int]],
        transform: ImageTransform,
        draft: int | None,
    ) -> None:
        self.rows = split.rows
        self.chunks, self.transform, self.draft = chunks, transform, draft
        # Pixels that were decoded at a smaller scale are others than the digest's.
        self.checked = (
            "" if draft and split.digests_of == "pixels" else split.digests_of
        )

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, index: int) -> Read:
        return self.read(index, map)

    def read(self, index: int, mapped: Callable[..., Iterable[Any]]) -> Read:
        """A batch; ``mapped`` is map, or a pool's."""
        chunk = list(self.chunks[index])
        positions, arrays, bad, altered = [], [], {}, []
        rows = self.rows[chunk]
        digests = rows["sha256"] if self.checked else [None] * len(chunk)
        answers = mapped(self._one, rows["image"], digests)
        for position, answer in zip(chunk, answers, strict=True):
            if answer is None:
                altered.append(position)
            elif isinstance(answer, str):
                bad[position] = answer
            else:
                positions.append(position)
                arrays.append(answer)
        return Read(positions, self._stacked(arrays), bad, altered)

    def _stacked(self, arrays: list[dict[str, np.ndarray]]) -> dict[str, Any]:
        """One tensor a name, or what the transform makes of arrays of unlike sizes."""
        own = getattr(self.transform, "stacked", None)
        if own is not None:
            return own(arrays)
        names = arrays[0] if arrays else ()
        return {
            n: torch.from_numpy(np.stack([a[n] for a in arrays])) for n in names
        }

    def _one(
        self, cell: Any, digest: str | None
    ) -> dict[str, np.ndarray] | str | None:
        """The arrays of an image, or why it could not be read, or None where its bytes are not
        those of its row.
        """
        try:
            data = image_data(cell)
            if self.checked == "file" and sha256_of(data) != digest:
                return None
            image = read_image({"bytes": data}, self.draft)
            if self.checked == "pixels" and pixels_sha256(image) != digest:
                return None
        except BadImageError as error:
            return str(error)
        return self.transform(image)


def workers_for(processes: int, device: torch.device) -> int:
    """Worker processes by default: the cores shared out, at most 8. None on CPU: they would only
    get in each other's way, so images are read between two forward passes, with all threads."""
    cores = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
    return 0 if device.type == "cpu" else max(1, min(8, cores // processes - 1))


def read_batches(
    split: Split,
    chunks: Sequence[Sequence[int]],
    transform: ImageTransform,
    workers: int,
    draft: int | None = None,
) -> Iterator[Read]:
    """The images at the positions of each of ``chunks``, in order; ``workers`` 0 reads in this
    process's threads.

    ``draft``: JPEGs may be decoded at a smaller scale, but no side below this many pixels.

    Raises:
        UserError: for an image whose SHA-256 is not the one that its row says.
    """
    for read in _read(
        _Batches(split, chunks, transform, draft), len(chunks), workers
    ):
        if read.altered:
            raise UserError(
                f"image {split.sample_ids[read.altered[0]]} of the split {split.name} is not the "
                "one that the dataset "
                "was made of: its SHA-256 is another. Make the dataset anew, or fetch it again"
            )
        yield read


def _read(dataset: _Batches, chunks: int, workers: int) -> Iterator[Read]:
    if workers == 0 or chunks < 2:
        # Pillow lets go of the interpreter while it decodes and resizes.
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            yield from (dataset.read(i, pool.map) for i in range(len(dataset)))
        return
    yield from DataLoader(
        dataset,
        batch_size=None,
        num_workers=min(workers, chunks),
        prefetch_factor=2,
        worker_init_fn=_one_thread,
        pin_memory=torch.cuda.is_available(),
    )


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
