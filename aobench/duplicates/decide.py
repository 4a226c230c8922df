"""Which images stay: thresholds, the choice within a group of near-duplicates, and the table of
decisions.

A pair of images is near where their hashes and colours are (``hashes``) or, if a threshold is
given, the cosine of their embeddings. Images too near to the reference go first, so that they take
none of their likes with them. The others are gone through in the order of the table: an image is
removed where it is near to one that was *kept* before it. So of a chain A~B~C, where A and C are
not near, B goes and A and C stay; every removed image is near to a kept one.

A pair is *borderline* where moving the thresholds by their widths would change whether it counts as
near.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aobench.duplicates.hashes import (
    COLOUR,
    DISTANCE,
    ImageLooks,
    pairs_between,
)
from aobench.duplicates.images import ImageSet
from aobench.duplicates.neighbours import Neighbours, exact_cosines
from aobench.duplicates.reasons import (
    NEAR_DUPLICATE,
    NEAR_REFERENCE,
    UNREADABLE,
    RemovalReason,
)

if TYPE_CHECKING:
    pass

#: What a pair, or an image and its nearest reference, is; higher is nearer.
APART, ALMOST, NEAR, CERTAIN = 0, 1, 2, 3
ROWS, COLUMNS = 512, 8192  #: of a block of pairs
#: (row, column, level) of pairs, int64 each.
Edges = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class NearThresholds:
    """Where near begins, and how wide the doubt around it is; a cosine of None decides nothing."""

    hash_distance: int = DISTANCE
    hash_width: int = 2
    colour: int = COLOUR
    colour_width: int = 6
    cosine_in_set: float | None = None
    cosine_width: float = 0.02
    reference_cosine: float | None = 0.95
    reference_width: float = 0.02

    def looks_level(self, bits: np.ndarray, colour: np.ndarray) -> np.ndarray:
        """Levels of pairs that are ``bits`` and ``colour`` apart."""
        steps = [
            (
                self.hash_distance + self.hash_width,
                self.colour + self.colour_width,
            ),
            (self.hash_distance, self.colour),
            (
                max(0, self.hash_distance - self.hash_width),
                max(0, self.colour - self.colour_width),
            ),
        ]
        return np.sum(
            [(bits <= most) & (colour <= hue) for most, hue in steps], axis=0
        ).astype(np.int64)

    def in_set_level(self, cosine: np.ndarray) -> np.ndarray:
        """Levels of pairs of images by the cosine of their embeddings."""
        return _cosine_level(cosine, self.cosine_in_set, self.cosine_width)

    def reference_level(self, cosine: np.ndarray) -> np.ndarray:
        """Levels of images by the cosine to their nearest reference."""
        return _cosine_level(
            cosine, self.reference_cosine, self.reference_width
        )


def _cosine_level(
    cosine: np.ndarray, least: float | None, width: float
) -> np.ndarray:
    if least is None:
        return np.zeros(cosine.shape, dtype=np.int64)
    # The upper step stays below 1, so that identical images are never in doubt.
    steps = (least - width, least, min(least + width, (1 + least) / 2))
    return np.sum(
        [cosine >= np.float32(step) for step in steps], axis=0
    ).astype(np.int64)


@dataclass(frozen=True)
class GreedyChoice:
    """For each image: ``partner``, the kept image before it that it is nearest to (-1: none),
    and their level.
    """

    partner: np.ndarray
    level: np.ndarray


def choose_greedily(
    count: int,
    candidates: np.ndarray,
    edges: Callable[[np.ndarray, np.ndarray], Iterator[Edges]],
) -> GreedyChoice:
    """Go through ``candidates`` (sorted positions below ``count``) and remove what is NEAR to one
    kept before it.

    ``edges(rows, columns)`` gives the pairs above APART. Among an image's kept neighbours the
    partner is the one of the highest level, the first by order among those. Only pairs with kept
    images, and those inside a block of 512, are ever held.
    """
    from tqdm.auto import tqdm

    partner, level = (
        np.full(count, -1, dtype=np.int64),
        np.zeros(count, dtype=np.int64),
    )
    keep = np.zeros(count, dtype=bool)
    before = np.empty(0, dtype=np.int64)
    for start in tqdm(
        range(0, len(candidates), ROWS),
        desc="near-duplicates",
        disable=None,
        leave=False,
    ):
        rows = candidates[start : start + ROWS]
        keep[rows] = True
        parts = [
            np.stack(part)
            for part in edges(rows, np.concatenate([before, rows]))
        ]
        row, column, how = (
            np.concatenate(parts, axis=1)
            if parts
            else np.empty((3, 0), dtype=np.int64)
        )
        first = column < row
        row, column, how = row[first], column[first], how[first]
        order = np.lexsort((column, -how, row))
        row, column, how = row[order], column[order], how[order]
        each, begins = np.unique(row, return_index=True)
        ends = np.append(begins[1:], len(row))[
            : len(begins)
        ]  # none where no pair is near
        for image, low, high in zip(each, begins, ends, strict=True):
            there = np.nonzero(keep[column[low:high]])[0]
            if len(there):
                partner[image], level[image] = (
                    column[low + there[0]],
                    how[low + there[0]],
                )
                keep[image] = level[image] < NEAR
        before = np.concatenate([before, rows[keep[rows]]])
    return GreedyChoice(partner, level)


def edges_of(
    looks: ImageLooks, vectors: np.ndarray | None, thresholds: NearThresholds
) -> Callable[[np.ndarray, np.ndarray], Iterator[Edges]]:
    """The pairs that ``greedy`` asks for, by hash and, where its threshold is set, by cosine."""
    bits, hue = (
        thresholds.hash_distance + thresholds.hash_width,
        thresholds.colour + thresholds.colour_width,
    )

    def edges(rows: np.ndarray, columns: np.ndarray) -> Iterator[Edges]:
        for pairs in pairs_between(looks, rows, columns, bits, hue):
            yield (
                pairs.row,
                pairs.column,
                thresholds.looks_level(pairs.distance, pairs.colour),
            )
        if vectors is not None and thresholds.cosine_in_set is not None:
            yield from _cosine_edges(vectors, rows, columns, thresholds)

    return edges


def _cosine_edges(
    vectors: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    thresholds: NearThresholds,
) -> Iterator[Edges]:
    """A float32 product finds the pairs, a float64 one decides: its value doesn't hang on how
    blocks were cut.
    """
    least = (
        (thresholds.cosine_in_set or 0.0)
        - thresholds.cosine_width
        - vectors.shape[1] * 2.0**-23
    )
    for start in range(0, len(columns), COLUMNS):
        part = columns[start : start + COLUMNS]
        i, j = np.nonzero(vectors[rows] @ vectors[part].T >= least)
        row, column = rows[i], part[j]
        level = thresholds.in_set_level(
            exact_cosines(vectors, vectors, row, column)
        )
        real = (level > APART) & (row != column)
        yield row[real], column[real], level[real]


@dataclass(frozen=True)
class ImageMeasures:
    """All that the decisions rest on; ``bad`` says which images could not be read. Positions are
    rows of the set.
    """

    looks: ImageLooks
    vectors: np.ndarray | None
    by_hash: tuple[np.ndarray, np.ndarray]
    in_set: Neighbours | None
    reference: Neighbours | None
    bad: dict[int, str]


@dataclass(frozen=True)
class SetDecisions:
    """Per image: whether it is kept, why not, whether that is borderline, and its pair in the
    set.
    """

    kept: np.ndarray
    reasons: list[RemovalReason | None]
    borderline: np.ndarray
    chosen: GreedyChoice


def decide_set(
    images: ImageSet,
    measured: ImageMeasures,
    thresholds: NearThresholds,
    place: Callable[[int], str],
) -> SetDecisions:
    """Decide on every image; ``place`` names the nearest reference of an image, for the reason."""
    count = len(images)
    reference = np.zeros(count, dtype=np.int64)
    if measured.reference is not None:
        reference = thresholds.reference_level(measured.reference.score[:, 0])
    readable = np.ones(count, dtype=bool)
    readable[list(measured.bad)] = False
    reference[~readable] = APART
    left = np.nonzero(readable & (reference < NEAR))[0]
    chosen = choose_greedily(
        count, left, edges_of(measured.looks, measured.vectors, thresholds)
    )
    reasons: list[RemovalReason | None] = [None] * count
    for row in np.nonzero(chosen.level >= NEAR)[0].tolist():
        partner = images.ids[chosen.partner[row]]
        reasons[row] = RemovalReason(NEAR_DUPLICATE, partner)
    for row in np.nonzero(reference >= NEAR)[0].tolist():
        reasons[row] = RemovalReason(NEAR_REFERENCE, place(row))
    for row, why in measured.bad.items():
        reasons[row] = RemovalReason(UNREADABLE, why)
    doubt = np.isin(chosen.level, (ALMOST, NEAR)) | (
        (chosen.level == APART) & (reference == ALMOST)
    )
    borderline = (
        np.where(reference >= NEAR, reference == NEAR, doubt) & readable
    )
    stays = np.array([reason is None for reason in reasons])
    return SetDecisions(stays, reasons, borderline, chosen)
