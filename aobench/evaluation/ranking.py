"""What images are compared with in a task, and their ranks among it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aobench.errors import UserError
from aobench.evaluation.scoring import (
    ObjectParts,
    Ranked,
    Sides,
    rank_choices,
    rank_embeddings,
    rank_offered,
    rank_scores,
)
from aobench.layouts.form import imagenet_class
from aobench.results.candidates import Candidates, Question
from aobench.results.schema import TOP

if TYPE_CHECKING:
    import torch

    from aobench.evaluation.data import Split


@dataclass(frozen=True)
class NamedTexts:
    """The texts of all candidates of a run, embedded once: float32 C x D, a row a name."""

    vectors: torch.Tensor
    place: Mapping[str, int]

    def classifier(self, names: Sequence[str]) -> torch.Tensor:
        """float32 C x D, a row for each of ``names``."""
        import torch

        rows = torch.tensor([self.place[name] for name in names])
        return self.vectors[rows.to(self.vectors.device)]


@dataclass(frozen=True)
class ImageNetClasses:
    """What a classifier over ImageNet-1k calls the objects: ``label_of`` an object's id its class,
    -1 for none.
    """

    label_of: Mapping[int, int]

    @classmethod
    def of_splits(cls, splits: Sequence[Split]) -> ImageNetClasses:
        """The classes that the splits tell; of objects that no image shows, by their names.

        Raises UserError where they differ on an object.
        """
        label_of: dict[int, int] = {}
        for split in splits:
            for thing, label in zip(split.objects, split.labels, strict=True):
                if label_of.setdefault(thing, label) != label:
                    raise UserError(
                        f"the object {split.object_names[thing]!r} has the imagenet_label {label} "
                        f"in the split {split.name} and {label_of[thing]} in another; give it one"
                    )
        for split in splits:
            for thing, name in enumerate(split.object_names):
                index = imagenet_class(name)[1]
                label_of.setdefault(thing, -1 if index is None else index)
        return cls(label_of)

    def columns(self, candidates: Candidates) -> list[int]:
        """The class of each listed object. UserError for one that is none."""
        strangers = [o for o in candidates.objects if self.label_of[o] < 0]
        if strangers:
            raise UserError(
                f"the dataset has {len(strangers)} objects without an ImageNet class, such as "
                f"{candidates.object_names[strangers[0]]!r}; a classifier over ImageNet-1k "
                "can't name them: evaluate dual encoders on this dataset"
            )
        return [self.label_of[o] for o in candidates.objects]


def offered_ids(question: Question) -> np.ndarray:
    """int64 N x M: by image the ids offered, ascending; -1 behind them where others have more."""
    choices = question.choices or ()
    table = np.full((len(choices), max(map(len, choices))), -1, np.int64)
    for row, mine in enumerate(choices):
        table[row, : len(mine)] = mine
    return table


def object_parts(question: Question) -> ObjectParts:
    """The objects of each image's options, of a question that is a part of another."""
    import torch

    whole, offered = question.whole or question, offered_ids(question)
    things = np.array(question.candidates.objects)
    number = np.searchsorted(things, whole.candidates.objects)
    named = number[np.array(whole.choices)]
    places = (offered[:, None, :] == named[:, :, None]).argmax(2)
    return ObjectParts(torch.from_numpy(offered), torch.from_numpy(places))


class TaskRanker:
    """Ranks images of a split in one task."""

    def __init__(
        self, question: Question, texts: NamedTexts | ImageNetClasses
    ) -> None:
        import torch

        self.question = question
        self.gold = torch.tensor(question.gold)
        self.choices: torch.Tensor | None = None
        if question.choices is not None:
            self.choices = torch.from_numpy(offered_ids(question))
        self.columns: torch.Tensor | None = None
        if isinstance(texts, ImageNetClasses):
            self.columns = torch.tensor(texts.columns(question.candidates))
            return
        self.classifier = texts.classifier(question.texts)
        self.parts: ObjectParts | None = None
        self.options = self.choices
        if question.whole is not None:
            self.parts = object_parts(question)
            self.options = torch.from_numpy(offered_ids(question.whole))
        self.sides = None
        if question.sides:
            seen, novel = (
                torch.tensor(
                    [
                        i
                        for i, side in enumerate(question.sides)
                        if side == wanted
                    ],
                    device=self.classifier.device,
                )
                for wanted in (True, False)
            )
            self.sides = Sides(seen, novel)

    def rank(self, vectors: torch.Tensor, items: range) -> Ranked:
        """Ranks of the images ``items``, whose vectors are given."""
        block = slice(items.start, items.stop)
        if self.columns is not None:
            return self._rank_classes(vectors[:, self.columns], block)
        device = self.classifier.device
        vectors, gold = vectors.to(device), self.gold[block].to(device)
        if self.options is None:
            return rank_embeddings(
                vectors, self.classifier, gold, sides=self.sides
            )
        offered = self.options[block].to(device)
        parts = None
        if self.parts is not None:
            parts = self.parts.cut(block).to(device)
        return rank_choices(
            vectors, self.classifier, gold, offered, parts=parts
        )

    def _rank_classes(self, scores: torch.Tensor, block: slice) -> Ranked:
        """Ranks by a classifier's scores of the listed objects."""
        gold = self.gold[block]
        if self.choices is None:
            return rank_scores(scores, gold)
        offered = self.choices[block]
        mine = scores.gather(1, offered.clamp(min=0))
        return rank_offered(mine, gold, offered)

    def unread(self, count: int) -> Ranked:
        """Rows of a shard in which no image could be read."""
        width = len(self.question.candidates)
        if self.choices is not None:
            width = self.choices.shape[1]
        return Ranked.empty(count, min(TOP, width), bool(self.question.sides))
