"""How an image looks in 64 bits and 16 colours, and which images look alike.

The hash is ImageHash's ``phash``: the grey image at 32 x 32 pixels, its 8 x 8 lowest cosine
frequencies, each above or below their median. (Source: Zauner 2010, "Implementation and
Benchmarking of Perceptual Image Hash Functions".) Of the bits 32 are ones, so two hashes nearly
always differ in an even number of bits. It was chosen by measuring on 2,000 of mini's rendered
images (112 x 112 pixels; pairs of different ones: 1,999,000):

=============================  =======  =======  ========  =======
share within distance 4 of     phash    dhash    average   wavelet
=============================  =======  =======  ========  =======
JPEG of quality 50             1.000    0.988    1.000     0.992
half the size                  1.000    1.000    0.998     1.000
half the size, JPEG 50         0.996    0.936    0.990     0.972
1 % cut off each side          0.974    0.942    0.986     0.978
2 % cut off each side          0.798    0.702    0.924     0.876
4 % cut off each side          0.262    0.162    0.586     0.502
pairs of different images      3        0        362       501
=============================  =======  =======  ========  =======

A larger crop and a mirrored copy are not found by any of them: that is what embeddings are for.

**A hash is blind to colour**, and colours are attributes: a red and a blue ambulance drawn from one
seed are at distance 0 to 4 in all of 300 such pairs. So a pair is near only where its colours agree
too: the mean colours of 4 x 4 fields, the largest difference of any channel at most ``COLOUR``.
Measured: copies as above (up to 2 % cut off) differ by at most 16 of 255; of the pairs drawn from
one seed red and blue differ by at least 86, red and orange 49, orange and yellow 43; yellow and
golden, the nearest two, by less than 20 in 1 of 100.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.duplicates.images import ImageSet
from aobench.evaluation.embedding_store import Store
from aobench.extras import need_extra
from aobench.images import BadImageError, read_image

if TYPE_CHECKING:
    from PIL import Image

DISTANCE = 4  #: bits of 64
COLOUR = 20  #: of 255
FAR = 16  #: bits; what is further isn't told apart: half of all bits differ between unlike images
FIELDS = 4
SHARD = 4096
#: Elements of a block of distances: 32 MiB of hashes' exclusive or.
BLOCK = 4 << 20


@dataclass(frozen=True)
class ImageLooks:
    """``bits`` uint64 N, ``colours`` uint8 N x 48; ``bad``: why an image could not be read (its
    looks are zero).
    """

    bits: np.ndarray
    colours: np.ndarray
    bad: dict[int, str]


@dataclass(frozen=True)
class ImagePairs:
    """Pairs of images that look alike: ``row`` and ``column`` (int64), bits and colour apart
    (int64).
    """

    row: np.ndarray
    column: np.ndarray
    distance: np.ndarray
    colour: np.ndarray


def image_look(image: Image.Image) -> np.ndarray:
    """float32 112: the 64 bits, then 4 x 4 x 3 mean colours (0..255, whole numbers)."""
    from PIL import Image as Pillow

    bits = need_extra("imagehash").phash(image).hash.ravel()
    fields = np.asarray(
        image.resize((FIELDS, FIELDS), Pillow.Resampling.BOX)
    ).ravel()
    return np.concatenate([bits, fields]).astype(np.float32)


def looks_of_set(
    images: ImageSet, folder: Path, threads: int = 4
) -> ImageLooks:
    """Looks of every image, kept in shards under ``folder``: a run that was cut goes on with the
    next shard.
    """
    imagehash = need_extra("imagehash")
    key = {
        "what": "looks",
        "hash": f"phash {imagehash.__version__}",
        "fields": FIELDS,
        "set": images.fingerprint,
    }
    store = Store(folder, key, len(images), SHARD)
    _fill(store, images, threads)
    parts = [store.read(shard) for shard in range(len(store))]
    values = np.concatenate([vectors.numpy() for vectors, _ in parts])
    bad = {
        shard * SHARD + item: why
        for shard, (_, notes) in enumerate(parts)
        for item, why in notes.items()
    }
    packed = np.packbits(values[:, :64].astype(bool), axis=1)
    return ImageLooks(
        np.ascontiguousarray(packed).view(np.uint64).ravel(),
        values[:, 64:].astype(np.uint8),
        bad,
    )


def _fill(store: Store, images: ImageSet, threads: int) -> None:
    import torch
    from tqdm.auto import tqdm

    def one(row: int) -> np.ndarray | str:
        try:
            return image_look(read_image(images.cell(row)))
        except BadImageError as error:
            return str(error)

    missing = store.missing()
    total = sum(len(store.items(shard)) for shard in missing)
    with (
        ThreadPoolExecutor(threads) as pool,
        tqdm(
            total=total, desc="hashes", unit="image", disable=None, leave=False
        ) as bar,
    ):
        for shard in missing:
            values = torch.zeros(len(store.items(shard)), 64 + 3 * FIELDS**2)
            notes = {}
            for item, look in enumerate(pool.map(one, store.items(shard))):
                if isinstance(look, str):
                    notes[item] = look
                else:
                    values[item] = torch.from_numpy(look)
                bar.update()
            store.write(shard, values, notes)


def pairs_between(
    looks: ImageLooks,
    rows: np.ndarray,
    columns: np.ndarray,
    distance: int,
    colour: int,
) -> Iterator[ImagePairs]:
    """Pairs (row, column) at most ``distance`` bits and ``colour`` apart, block by block, row and
    column different.

    ``rows`` and ``columns`` are positions in the set. Memory: a block of ``BLOCK`` distances at a
    time.
    """
    step = max(1, BLOCK // max(1, len(rows)))
    for start in range(0, len(columns), step):
        part = columns[start : start + step]
        apart = np.bitwise_count(
            looks.bits[rows, None] ^ looks.bits[None, part]
        )
        i, j = np.nonzero(apart <= distance)
        row, column, bits = rows[i], part[j], apart[i, j].astype(np.int64)
        hue = colours_apart(looks, row, column)
        same = (hue <= colour) & (row != column)
        yield ImagePairs(row[same], column[same], bits[same], hue[same])


def colours_apart(
    looks: ImageLooks, row: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """int64: the largest difference of any channel of any field, pair by pair, 0..255."""
    out = np.empty(len(row), dtype=np.int64)
    step = 65_536
    for start in range(0, len(row), step):
        a, b = (
            looks.colours[x[start : start + step]].astype(np.int16)
            for x in (row, column)
        )
        out[start : start + step] = np.abs(a - b).max(axis=1, initial=0)
    return out


def bits_apart(
    looks: ImageLooks, row: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """int64: the Hamming distance, pair by pair, 0..64."""
    return np.bitwise_count(looks.bits[row] ^ looks.bits[column]).astype(
        np.int64
    )


def nearest_by_hash(
    looks: ImageLooks, good: np.ndarray, colour: int = COLOUR
) -> tuple[np.ndarray, np.ndarray]:
    """For each image of the set the most alike other one: positions int64 N and bits int64 N; both
    -1 for none.

    Among images whose colours agree and which are at most FAR bits apart; ties go to the smaller
    colour difference, then to the first by order. Every pair is looked at: 0.5 s for 10,000 images,
    growing with the square.
    """
    count = len(looks.bits)
    where, best = (
        np.full(count, -1, dtype=np.int64),
        np.full(count, np.iinfo(np.int64).max),
    )
    step = 512
    for start in _progress(range(0, len(good), step), "pairs by hash"):
        for pairs in pairs_between(
            looks, good[start : start + step], good, FAR, colour
        ):
            rank = (pairs.distance * 256 + pairs.colour) * count + pairs.column
            np.minimum.at(best, pairs.row, rank)
    known = best < np.iinfo(np.int64).max
    where[known] = best[known] % count
    return where, np.where(known, best // count // 256, -1)


def _progress(steps: range, what: str) -> Any:
    from tqdm.auto import tqdm

    return tqdm(steps, desc=what, disable=None, leave=False)
