"""Embeddings made so that the answer is known: factors held apart, entangled, or not held at
all.
"""

from __future__ import annotations

import numpy as np

CASES = {
    "factored": "a block of dimensions for each factor, one dimension a value (one-hot), and small "
    "noise",
    "one_number": "one dimension a factor, holding its number; no noise",
    "entangled": "each composition at a random place of its own: no part of it tells attribute or "
    "object; small noise",
    "random": "noise alone",
}


def made_embeddings(
    case: str,
    attributes: int = 8,
    objects: int = 8,
    images: int = 16,
    noise: float = 0.05,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """(z, factors) of all ``attributes`` x ``objects`` compositions, ``images`` of each. KeyError
    for another case.

    z has attributes + objects dimensions, or two for ``one_number``.
    """
    rng = np.random.default_rng(seed)
    pairs = np.stack(
        np.meshgrid(np.arange(attributes), np.arange(objects), indexing="ij"),
        -1,
    ).reshape(-1, 2)
    factors = np.repeat(pairs, images, axis=0)
    width = attributes + objects
    shake = rng.standard_normal((len(factors), width))
    if case == "factored":
        clean = np.concatenate(
            [np.eye(attributes)[factors[:, 0]], np.eye(objects)[factors[:, 1]]],
            axis=1,
        )
        return clean + noise * shake, factors
    if case == "one_number":
        return factors.astype(float), factors
    if case == "entangled":
        places = rng.standard_normal((len(pairs), width))
        return np.repeat(places, images, axis=0) + noise * shake, factors
    if case == "random":
        return shake, factors
    raise KeyError(case)
