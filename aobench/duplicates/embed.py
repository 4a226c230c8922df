"""Embeddings of the set by a model that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.duplicates.images import ImageSet
from aobench.errors import UserError

if TYPE_CHECKING:
    from aobench.models.base import Model

SHARD = 1024


@dataclass(frozen=True)
class SetEmbeddings:
    """``vectors`` float32 N x D, unit length (zero where the image could not be read: ``bad``
    says why).
    """

    vectors: np.ndarray
    bad: dict[int, str]


class _Rows:
    """What the reading of images takes for a dataset: positions in, undecoded cells out."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images

    def __getitem__(
        self, positions: Sequence[int]
    ) -> dict[str, list[dict[str, Any]]]:
        return {"image": [self.images.cell(position) for position in positions]}


def load_model(name: str) -> Model:
    """The model on the device that accelerate picks. Raises UserError for one that gives no
    embeddings.
    """
    from accelerate import PartialState

    from aobench.models.base import LoadOptions
    from aobench.models.registry import resolve

    model = resolve(name).load(PartialState().device, LoadOptions())
    if not model.info.names_attributes:
        raise UserError(
            f"{name!r} is a classifier: it gives class scores, not embeddings; name a dual encoder "
            "such as "
            "openai/clip-vit-base-patch32"
        )
    return model


def embedding_width(model: Model) -> int:
    """How many numbers the model's embedding has, by embedding one grey picture."""
    import torch
    from PIL import Image

    arrays = model.transform(Image.new("RGB", (64, 64), "gray"))
    return int(
        model.encode_images(
            {name: torch.from_numpy(a)[None] for name, a in arrays.items()}
        ).shape[1]
    )


def embed_set(
    model: Model,
    images: ImageSet,
    folder: Path,
    batch: int,
    workers: int | None = None,
) -> SetEmbeddings:
    """Embed every image; shards of 1,024 are kept under ``folder`` and not made again.

    They are found again by model, processor, dtype, and the images' ids and bytes. Raises UserError
    where the model gives NaN or infinite vectors.
    """
    from aobench.evaluation.data import Split
    from aobench.evaluation.embedding import embed_images, image_store
    from aobench.evaluation.image_loader import workers_for
    from aobench.processes import Alone

    alone = Alone()
    split = Split(
        "set",
        _Rows(images),
        list(images.ids),
        [],
        [],
        [],
        [],
        [],
        images.fingerprint,
    )
    store = image_store(model, split, folder, SHARD, None)
    if workers is None:
        workers = workers_for(1, alone.device)
    embed_images(model, split, store, alone, batch, workers)
    parts = [store.read(shard) for shard in range(len(store))]
    bad = {
        shard * SHARD + item: why
        for shard, (_, notes) in enumerate(parts)
        for item, why in notes.items()
    }
    width = max(vectors.shape[1] for vectors, _ in parts)
    values = np.zeros((len(images), width), dtype=np.float32)
    for shard, (vectors, _) in enumerate(parts):
        # A shard without one readable image is a column of zeros.
        values[
            shard * SHARD : shard * SHARD + len(vectors), : vectors.shape[1]
        ] = vectors.numpy()
    return SetEmbeddings(unit_vectors(values), bad)


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """float32, each row divided by its length (computed in float64); rows of zeros stay."""
    length = np.sqrt(
        (vectors.astype(np.float64) ** 2).sum(axis=1, keepdims=True)
    )
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)
