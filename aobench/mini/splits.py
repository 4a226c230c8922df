"""Which compositions mini shows in training, and the samples of each split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from aobench.mini.pictures import drawing_digests, objects
from aobench.mini.render import ATTRIBUTES, render

SEED = 20240318  #: the set's seed; another seed is another set
NOVEL_PER_OBJECT = (
    5  #: of the 24 attributes, how many are novel for each object
)
IMAGES_PER_COMPOSITION = {"train": 8, "id": 2, "ood": 8}
SPLITS = tuple(IMAGES_PER_COMPOSITION)

#: Number of the way in which a sample is rendered. Another one for every change of pixels: a test
#: holds both together.
RECIPE = 2

Pair = tuple[str, str]  # (attribute, object)


@cache
def pairs(novel: bool) -> tuple[Pair, ...]:
    """The novel compositions, or the seen ones; in the order attribute, object.

    The attributes of a shuffled list are dealt out to the shuffled objects in turn, five to each,
    so every object has 19 seen attributes and every attribute is novel for 22 or 23 of 110
    objects.
    """
    rng = np.random.default_rng((SEED, 0))
    names = [objects()[i] for i in rng.permutation(len(objects()))]
    chosen: set[Pair] = set()
    deck: list[str] = []
    for name in names:
        hand: list[str] = []
        while len(hand) < NOVEL_PER_OBJECT:
            if not deck:
                deck = [ATTRIBUTES[i] for i in rng.permutation(len(ATTRIBUTES))]
            card = next((a for a in deck if a not in hand), None)
            if card is None:
                deck = deck + [
                    ATTRIBUTES[i] for i in rng.permutation(len(ATTRIBUTES))
                ]
                continue
            deck.remove(card)
            hand.append(card)
        chosen.update((attribute, name) for attribute in hand)
    every = [(a, o) for a in ATTRIBUTES for o in objects()]
    return tuple(pair for pair in every if (pair in chosen) == novel)


_PLACES = {attribute: place for place, attribute in enumerate(ATTRIBUTES)}


@cache
def _places_of_objects() -> dict[str, int]:
    return {name: place for place, name in enumerate(objects())}


@dataclass(frozen=True)
class Sample:
    """One image of mini, before it is rendered."""

    split: str
    attribute: str
    name: str
    index: int

    @property
    def sample_id(self) -> str:
        """Stable name, such as ``mini/ood/wooden_banana/3``."""
        label = f"{self.attribute} {self.name}".replace(" ", "_")
        return f"mini/{self.split}/{label}/{self.index}"

    @property
    def seed(self) -> tuple[int, ...]:
        """What NumPy's default generator is seeded with to render it."""
        place = (
            SPLITS.index(self.split),
            _PLACES[self.attribute],
            _places_of_objects()[self.name],
        )
        return (SEED, 1, *place, self.index)

    @property
    def recipe(self) -> str:
        """SHA-256 of all that decides what is rendered: RECIPE, id, composition, seed, the
        object's drawings.

        It identifies the sample on every machine, whatever becomes of the pixels there.
        """
        parts = (
            RECIPE,
            self.sample_id,
            self.attribute,
            self.name,
            *self.seed,
            *drawing_digests(self.name),
        )
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()

    def image(self) -> np.ndarray:
        """The rendered image, uint8, height x width x 3."""
        return render(
            self.attribute, self.name, np.random.default_rng(self.seed)
        )


def samples(split: str) -> Iterator[Sample]:
    """The samples of ``split`` (``train``, ``id`` or ``ood``) in the set's order."""
    for attribute, name in pairs(novel=split == "ood"):
        for index in range(IMAGES_PER_COMPOSITION[split]):
            yield Sample(split, attribute, name, index)
