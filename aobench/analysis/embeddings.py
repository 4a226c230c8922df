"""Embeddings on disk with their factors: the runner's folder of shards, or an .npz that anyone
brings.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.errors import UserError
from aobench.evaluation.embedding_store import FORMAT
from aobench.files import read_file, read_json
from aobench.sealed import NPZ_DAMAGED
from aobench.vocabulary.templates import texts_hash

if TYPE_CHECKING:
    from aobench.evaluation.data import Split

ARRAYS = ("embeddings", "attributes", "objects")


@dataclass(frozen=True)
class LabelledEmbeddings:
    """``z`` float N x D, ``factors`` int N x 2 (attribute, object); ``left_out``: unreadable or
    unlabelled images.
    """

    name: str
    z: np.ndarray
    factors: np.ndarray
    left_out: int = 0


def read_npz(path: Path) -> LabelledEmbeddings:
    """An .npz with ``embeddings`` N x D and the numbers ``attributes`` and ``objects``, int N.
    Raises UserError.
    """
    content = io.BytesIO(read_file(path, "the embeddings", most=1 << 36))
    try:
        stored = np.load(content, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            raise UserError(
                f"{path} is one array, an .npy file under this name; save the {len(ARRAYS)} with "
                "np.savez"
            )
        with stored:
            missing = [name for name in ARRAYS if name not in stored]
            if missing:
                raise UserError(
                    f"{path} lacks the array(s) {', '.join(missing)}; it needs {', '.join(ARRAYS)}"
                )
            z, attributes, objects = (stored[name] for name in ARRAYS)
    except NPZ_DAMAGED as error:
        raise UserError(
            f"{path} could not be read as .npz ({' '.join(str(error).split())}); save it anew"
        ) from error
    if (
        z.ndim != 2
        or attributes.shape != (len(z),)
        or objects.shape != (len(z),)
        or not z.size
    ):
        raise UserError(
            f"{path}: embeddings must be N x D, attributes and objects N; got {z.shape}, "
            f"{attributes.shape}, "
            f"{objects.shape}"
        )
    if z.dtype.kind not in "fiu" or not np.isfinite(z).all():
        raise UserError(
            f"{path}: embeddings holds something else than finite numbers ({z.dtype})"
        )
    factors = [
        _labels(attributes, f"{path}: attributes"),
        _labels(objects, f"{path}: objects"),
    ]
    return LabelledEmbeddings(
        path.stem, z.astype(float), np.column_stack(factors)
    )


def _labels(values: np.ndarray, where: str) -> np.ndarray:
    """int64 N of numbers that are whole; names, fractions and NaN are refused rather than cut to
    something.
    """
    if values.dtype.kind not in "iuf":
        raise UserError(
            f"{where} holds {values.dtype}; number the names: whole numbers, one an image"
        )
    bad = ~(
        np.isfinite(values)
        & (values == np.floor(values))
        & (np.abs(values) < 2.0**53)
    )
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise UserError(f"{where}[{row}] is {values[row]}, not a whole number")
    return values.astype(np.int64)


def image_stores(
    folder: Path, split: str = "ood"
) -> list[tuple[Path, dict[str, Any]]]:
    """The runner's stores of a split's images under ``folder`` (its OUT/embeddings): (path, key)
    each.
    """
    stores = []
    for path in sorted(folder.glob("*/key.json")):
        key = read_json(path, "the embeddings' key")
        if key.get("what") == "images" and key.get("split") == split:
            stores.append((path.parent, _sound_key(key, path)))
    if not stores:
        raise UserError(
            f"{folder} holds no embeddings of images of {split}; the runner writes them to "
            "OUT/embeddings"
        )
    return stores


def _sound_key(key: dict[str, Any], path: Path) -> dict[str, Any]:
    """``key`` if it is one that the runner writes. Raises UserError."""
    texts = all(
        isinstance(key.get(name), str)
        for name in ("fingerprint", "kind", "revision", "order")
    )
    counts = all(
        type(key.get(name)) is int and key[name] > 0
        for name in ("count", "shard")
    )
    if not texts or not counts or key.get("format") != FORMAT:
        raise UserError(
            f"{path} is of an earlier version, or damaged: delete its folder and run the "
            "evaluation again"
        )
    return key


def read_store(
    path: Path, key: dict[str, Any], splits: Sequence[Split]
) -> LabelledEmbeddings:
    """A store's vectors with the attribute and object of each image, from the split of the same
    fingerprint.

    Raises UserError where the dataset is another one, or where shards are missing.
    """
    from aobench.evaluation.embedding_store import Store

    def marks(s: Split) -> tuple[str | None, ...]:
        return s.fingerprint, s.name, texts_hash(s.sample_ids), s.content

    held = (key["fingerprint"], key["split"], key["order"], key.get("content"))
    split = next((s for s in splits if marks(s) == held), None)
    if split is None:
        raise UserError(
            f"{path} was made from other images (fingerprint {key['fingerprint']}): of a run with "
            "--limit, of which embeddings are not measured, or of another dataset or order of "
            "rows, which --data names"
        )
    bare = {
        k: v for k, v in key.items() if k not in ("count", "shard", "format")
    }
    store = Store(path.parent, bare, key["count"], key["shard"])
    missing = [] if store.folder != path else store.missing(say=False)
    if store.folder != path or missing:
        which = (
            f" ({store.path(missing[0])} is missing or damaged)"
            if missing
            else ""
        )
        raise UserError(
            f"{path} is not complete{which}; run the evaluation to its end first"
        )
    parts, bad = [], set()
    for shard in range(len(store)):
        vectors, notes = store.read(shard)
        parts.append(vectors)
        bad |= {store.items(shard)[0] + item for item in notes}
    width = max(part.shape[1] for part in parts)
    z = np.concatenate(
        [
            np.zeros((len(p), width)) if p.shape[1] != width else p.numpy()
            for p in parts
        ]
    ).astype(float)
    factors = np.column_stack([split.attributes, split.objects])
    usable = np.array([i not in bad for i in range(len(z))]) & (
        factors >= 0
    ).all(1)
    return LabelledEmbeddings(
        f"{key['kind']} {key['revision']}",
        z[usable],
        factors[usable],
        int((~usable).sum()),
    )
