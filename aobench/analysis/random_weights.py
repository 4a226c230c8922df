"""A model with its weights drawn anew, as a baseline: what the architecture and the pixels give by
themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.analysis.embeddings import LabelledEmbeddings
from aobench.analysis.factor_fit import sample_compositions
from aobench.errors import UserError

if TYPE_CHECKING:
    from aobench.evaluation.data import Split

#: Standard deviation of weights that belong to no layer, such as places and the class token.
LOOSE = 0.02
BATCH = 32


def redraw_weights(model: Any, seed: int = 0) -> int:
    """Draw all weights of a model of `aobench.models` anew: each layer by torch's own rule, loose
    weights from a normal distribution. Returns how many numbers were drawn.

    Raises UserError for a model that is no torch module.
    """
    import torch

    from aobench.models.parameters import count_parameters

    whole = getattr(model, "model", None)
    if not isinstance(whole, torch.nn.Module):
        raise UserError(
            f"the {type(model).__name__} has no torch module: its weights cannot be drawn anew"
        )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for layer in whole.modules():
            reset = getattr(layer, "reset_parameters", None)
            if callable(reset):
                reset()
            else:
                for loose in layer.parameters(recurse=False):
                    loose.normal_(0, LOOSE)
    return count_parameters(whole)["total"]


def random_embeddings(
    name: str, split: Split, most: int, seed: int = 0
) -> LabelledEmbeddings:
    """Embeddings of ``split`` by the model ``name`` with weights drawn anew: of the images that
    `aobench.analysis.factor_fit.all_measures` measures.

    Raises UserError for a model that cannot be loaded, and where no image can be read.
    """
    import torch

    from aobench.evaluation.image_loader import read_batches
    from aobench.models.base import LoadOptions
    from aobench.models.registry import resolve

    model = resolve(name).load(torch.device("cpu"), LoadOptions())
    redraw_weights(model, seed)
    factors = np.column_stack([split.attributes, split.objects])
    known = np.flatnonzero((factors >= 0).all(1))
    rows = known[sample_compositions(factors[known], most, seed)].tolist()
    chunks = [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]
    vectors, read, lost = [], [], 0
    for batch in read_batches(split, chunks, model.transform, 0):
        lost += len(batch.bad)
        if batch.positions:
            vectors.append(model.encode_images(batch.arrays).float().numpy())
            read += batch.positions
    if not read:
        raise UserError(f"no image of {split.name} could be read")
    z = np.concatenate(vectors).astype(float)
    return LabelledEmbeddings(
        f"{name}, weights at random", z, factors[read], lost
    )
