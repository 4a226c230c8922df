"""Going on with smaller batches when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from aobench.errors import UserError

Batch = Mapping[str, torch.Tensor]


class Halving:
    """Calls ``function`` on a batch; on out-of-memory on its halves, and stays at the smaller size.

    ``function`` takes tensors by name, all with the same first dimension N, and gives a tensor N x
    D. Raises UserError where not even one row fits.
    """

    def __init__(self, function: Callable[[Batch], torch.Tensor]) -> None:
        self.function = function
        self.limit: int | None = None

    def __call__(self, batch: Batch) -> torch.Tensor:
        count = len(next(iter(batch.values())))
        if self.limit is not None and count > self.limit:
            size = self.limit
        else:
            try:
                return self.function(batch)
            except (RuntimeError, MemoryError) as error:
                if not (
                    isinstance(error, MemoryError)
                    or should_reduce_batch_size(error)
                ):
                    raise
                if count == 1:
                    raise UserError(
                        "out of memory with a batch of 1; use a smaller --dtype or another device"
                    ) from error
            clear_device_cache(garbage_collection=True)
            self.limit = size = (count + 1) // 2
        parts = [
            {k: v[start : start + size] for k, v in batch.items()}
            for start in range(0, count, size)
        ]
        return torch.cat([self(part) for part in parts])
