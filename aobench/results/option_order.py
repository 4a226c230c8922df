"""In which order the options of a lettered question stand: fixed by sample id, and balanced.

The wrong options are shuffled by the sample id. The right one's place goes round the places in the
order of a digest of the ids, so each letter is right equally often (to within one image) and none
tells anything. Who holds a table of predictions can compute the order again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def option_orders(
    sample_ids: Sequence[str], options: np.ndarray, right: Sequence[int]
) -> np.ndarray:
    """int N x K: by image the candidate ids in the order of their letters.

    Args:
        sample_ids: of all images of a split; their own order changes nothing.
        options: int N x K, the candidate ids offered to each.
        right: int N, the right one of each, one of its options.

    Example:
        >>> option_orders(["a", "b"], np.array([[3, 5], [3, 5]]), [3, 5]).shape
        (2, 2)
    """
    digests = [hashlib.sha256(one.encode()).digest() for one in sample_ids]
    count = options.shape[1]
    orders = np.empty_like(options)
    ranked = sorted(range(len(digests)), key=digests.__getitem__)
    for number, row in enumerate(ranked):
        wrong = [int(one) for one in options[row] if one != right[row]]
        wrong.sort(key=lambda one: _place(digests[row], one))
        wrong.insert(number % count, int(right[row]))
        orders[row] = wrong
    return orders


def _place(digest: bytes, candidate: int) -> bytes:
    return hashlib.sha256(digest + candidate.to_bytes(8, "big")).digest()


def rotated_orders(orders: np.ndarray) -> np.ndarray:
    """The same options with their letters moved on by half their number."""
    return np.roll(orders, orders.shape[1] // 2, axis=1)
