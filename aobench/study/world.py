"""The miniature's world: its objects and attributes, what each condition trains on, and the common
tests.

The pictures are mini's; a novel pair of mini (`aobench.mini.splits`) is in no training set of the
study.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from aobench.mini.pictures import objects as mini_objects
from aobench.mini.render import ATTRIBUTES, render
from aobench.mini.resampling import resized_channels
from aobench.mini.splits import SEED, pairs

SIDE = 32  #: pixels of an image
N_OBJECTS = 48
CORE = 2  #: attributes an object that every condition trains on; the ID test is made of them
ID_IMAGES, OOD_IMAGES = 20, 8  #: test images a composition
STREAM = (
    7  #: keeps the study's random streams apart from those of mini's own splits
)

IdPair = tuple[int, int]  # (number of the attribute, number of the object)


@cache
def object_names() -> tuple[str, ...]:
    """The first 48 objects in the order in which mini dealt out its novel attributes.

    Mini dealt its 24 attributes in turn, five to an object, so among these 48 objects each
    attribute is novel for 10.
    """
    order = np.random.default_rng((SEED, 0)).permutation(len(mini_objects()))
    return tuple(mini_objects()[i] for i in order[:N_OBJECTS])


@cache
def novel_pairs() -> tuple[IdPair, ...]:
    """The 240 novel pairs: mini's, of the study's objects."""
    names = {name: number for number, name in enumerate(object_names())}
    return tuple(
        (ATTRIBUTES.index(a), names[o])
        for a, o in pairs(novel=True)
        if o in names
    )


def _deal(chosen: list[list[int]], upto: int, rng: np.random.Generator) -> None:
    """Give each object attributes up to ``upto``, always one of those dealt least often so far."""
    forbidden = set(novel_pairs())
    counts = np.bincount(
        [a for hand in chosen for a in hand], minlength=len(ATTRIBUTES)
    )
    for size in range(upto):
        for o in rng.permutation(N_OBJECTS):
            if len(chosen[o]) > size:
                continue
            free = [
                a
                for a in range(len(ATTRIBUTES))
                if a not in chosen[o] and (a, int(o)) not in forbidden
            ]
            least = min(counts[a] for a in free)
            pick = int(rng.choice([a for a in free if counts[a] == least]))
            chosen[o].append(pick)
            counts[pick] += 1


@cache
def training_pairs(diversity: int, seed: int) -> tuple[IdPair, ...]:
    """The pairs of a training set with ``diversity`` attributes an object; a smaller set is part of
    a larger one.

    The CORE first attributes of an object are the same for every seed, the others differ.
    """
    chosen: list[list[int]] = [[] for _ in range(N_OBJECTS)]
    _deal(chosen, CORE, np.random.default_rng((SEED, STREAM, 0)))
    _deal(chosen, diversity, np.random.default_rng((SEED, STREAM, 1, seed)))
    return tuple(
        (a, o)
        for rank in range(diversity)
        for o, hand in enumerate(chosen)
        for a in hand[rank : rank + 1]
    )


@dataclass(frozen=True)
class ImageSet:
    """``pixels`` uint8 N x 32 x 32 x 3; ``attributes`` and ``objects`` their numbers, int64 N."""

    pixels: np.ndarray
    attributes: np.ndarray
    objects: np.ndarray

    def __len__(self) -> int:
        return len(self.objects)

    def take(self, count: int) -> ImageSet:
        """The first ``count`` images."""
        return ImageSet(
            self.pixels[:count], self.attributes[:count], self.objects[:count]
        )


def _render(list_of_pairs: list[IdPair], stream: tuple[int, ...]) -> ImageSet:
    """One image of each pair in turn, seeded by ``stream`` and its place in the list."""
    pixels = np.empty((len(list_of_pairs), SIDE, SIDE, 3), np.uint8)
    for place, (a, o) in enumerate(list_of_pairs):
        rng = np.random.default_rng((SEED, STREAM, *stream, place))
        pixels[place] = resized_channels(
            render(ATTRIBUTES[a], object_names()[o], rng), SIDE, SIDE, "box"
        )
    numbers = np.array(list_of_pairs, np.int64)
    return ImageSet(pixels, numbers[:, 0], numbers[:, 1])


def training_order(count: int, diversity: int, seed: int) -> list[IdPair]:
    """The pairs of ``count`` training images, in order; each equally often, give or take one. Fewer
    are part of more.

    The pairs come round after round, each round in a new order.
    """
    pairs = training_pairs(diversity, seed)
    rng = np.random.default_rng((SEED, STREAM, 2, diversity, seed))
    order: list[IdPair] = []
    while len(order) < count:
        order.extend(pairs[i] for i in rng.permutation(len(pairs)))
    return order[:count]


def training_images(count: int, diversity: int, seed: int) -> ImageSet:
    """The ``count`` training images of :func:`training_order`. Fewer images are a part of more."""
    return _render(training_order(count, diversity, seed), (3, diversity, seed))


def test_images(split: str) -> ImageSet:
    """The common tests: ``id`` (new renderings of the 96 core pairs) or ``ood`` (the 240 novel
    pairs).
    """
    if split == "id":
        return _render(
            [p for p in training_pairs(CORE, 0) for _ in range(ID_IMAGES)], (4,)
        )
    return _render([p for p in novel_pairs() for _ in range(OOD_IMAGES)], (5,))


test_images.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test
