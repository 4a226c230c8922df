"""The image tower that all supervisions share, the heads, and the text tower of the contrastive
one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aobench.mini.render import ATTRIBUTES
from aobench.study.world import N_OBJECTS, SIDE, IdPair

FEATURES, EMBEDDING = 128, 64
TEMPLATES = (
    "{}",
    "a {}",
    "the {}",
    "a photo of a {}",
    "a picture of the {}",
    "a drawing of a {}",
    "this is a {}",
    "one {}",
)
TEST_TEMPLATE = "a photo of a {}"
ATTRIBUTE_WORD = len(ATTRIBUTES)
PAD = 0
#: Supervisions that score an image against any pair by cosine.
CONTRASTS = ("contrastive", "contrastive_labels", "composed_pairs_cosine")
_WORDS = sorted(
    {
        word
        for template in TEMPLATES
        for word in template.split()
        if word != "{}"
    }
)
VOCABULARY = 1 + len(_WORDS) + len(ATTRIBUTES) + N_OBJECTS
LONGEST = max(len(t.split()) for t in TEMPLATES) + 1


def template_words(template: str) -> list[int]:
    """Words of a template; -1 and -2 stand where the attribute and the object go. A name is one
    word.
    """
    out: list[int] = []
    for word in template.split():
        out.extend([-1, -2] if word == "{}" else [1 + _WORDS.index(word)])
    return out + [PAD] * (LONGEST - len(out))


def caption_words(
    templates: Tensor, attributes: Tensor, objects: Tensor
) -> Tensor:
    """Token numbers N x LONGEST of template number, attribute and object (each int64 N)."""
    table = torch.tensor(
        [template_words(t) for t in TEMPLATES], device=templates.device
    )[templates]
    first = 1 + len(_WORDS)
    table = torch.where(table == -1, first + attributes[:, None], table)
    return torch.where(
        table == -2, first + len(ATTRIBUTES) + objects[:, None], table
    )


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


def image_trunk(
    channels: tuple[int, int, int] = (32, 64, FEATURES),
) -> nn.Sequential:
    """float N x 3 x 32 x 32 to N x the last of ``channels``, one a layer."""
    first, second, last = channels
    return nn.Sequential(
        *_block(3, first),
        *_block(first, second),
        *_block(second, last),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


class TextTower(nn.Module):
    """Token numbers N x LONGEST to N x EMBEDDING: one transformer layer, mean over the words."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, EMBEDDING)
        self.places = nn.Parameter(torch.randn(1, LONGEST, EMBEDDING) * 0.02)
        self.layer = nn.TransformerEncoderLayer(
            EMBEDDING,
            4,
            EMBEDDING * 3,
            0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.out = nn.Sequential(
            nn.LayerNorm(EMBEDDING), nn.Linear(EMBEDDING, EMBEDDING)
        )

    def forward(self, words: Tensor) -> Tensor:
        """Encode; padding is neither attended to nor averaged."""
        pad = words == PAD
        hidden = self.layer(
            self.words(words) + self.places, src_key_padding_mask=pad
        )
        present = (~pad)[..., None].to(hidden.dtype)
        return self.out((hidden * present).sum(1) / present.sum(1))


class LabelTower(nn.Module):
    """Token numbers N x LONGEST to N x EMBEDDING: the attribute's vector + the object's; no
    other word counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, EMBEDDING)

    def forward(self, words: Tensor) -> Tensor:
        """Add up the names' vectors."""
        named = (words >= 1 + len(_WORDS))[..., None].to(
            self.words.weight.dtype
        )
        return (self.words(words) * named).sum(1)


class CosineHead(nn.Module):
    """Scores by cosine with a vector a class, times a learned factor that starts as CLIP's here
    does.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, EMBEDDING))
        self.scale = nn.Parameter(torch.tensor(2.5))

    def forward(self, x: Tensor) -> Tensor:
        """Float N x EMBEDDING to N x classes."""
        unit = nn.functional.normalize
        return self.scale.clamp(0, 4.6).exp() * unit(x) @ unit(self.weight).T


def _pair_numbers(pairs: tuple[IdPair, ...]) -> Tensor:
    """attributes x objects: the number of a pair among ``pairs``, -1 of others."""
    numbers = torch.full((len(ATTRIBUTES), N_OBJECTS), -1)
    for number, (attribute, obj) in enumerate(pairs):
        numbers[attribute, obj] = number
    return numbers


class StudyNetwork(nn.Module):
    """A trunk with the heads of one supervision of `aobench.study.design`.

    The design's: ``object``, ``two_head``, ``contrastive``. Controls: ``two_head_cosine``,
    ``two_head`` on CLIP's kind of scores; ``contrastive_labels``, CLIP's loss with a sum of two
    label vectors in place of the text tower. The second edition's baselines: ``seen_pairs``, one
    class for each of the training set's ``pairs``, linear; ``seen_pairs_cosine``, the same by
    cosines; ``composed_pairs``, the heads of ``two_head`` with one softmax of their sums over the
    pairs; ``composed_pairs_cosine``, the vectors of ``contrastive_labels`` with the same softmax.
    """

    def __init__(
        self,
        supervision: str,
        channels: tuple[int, int, int] = (32, 64, FEATURES),
        pairs: tuple[IdPair, ...] = (),
    ) -> None:
        super().__init__()
        self.supervision = supervision
        self.side = SIDE
        self.over_seen_pairs = supervision.startswith("composed_pairs")
        self.contrasts = supervision in CONTRASTS
        self.classes_are_pairs = supervision.startswith("seen_pairs")
        self.names_attributes = supervision != "object"
        self.trunk = image_trunk(channels)
        self.register_buffer("pairs", torch.tensor(pairs).reshape(-1, 2))
        if self.classes_are_pairs or self.over_seen_pairs:
            self.register_buffer("numbers", _pair_numbers(pairs))
        if self.classes_are_pairs:
            self._add_pair_head(supervision, pairs)
            return
        if self.contrasts:
            self.project = nn.Linear(FEATURES, EMBEDDING)
            self.text = (
                TextTower() if supervision == "contrastive" else LabelTower()
            )
            self.scale = nn.Parameter(torch.tensor(2.5))
            return
        if supervision == "two_head_cosine":
            project = nn.Linear(FEATURES, EMBEDDING)
            self.object_head: nn.Module = nn.Sequential(
                project, CosineHead(N_OBJECTS)
            )
            self.attribute_head: nn.Module = nn.Sequential(
                project, CosineHead(len(ATTRIBUTES))
            )
            return
        self.object_head = nn.Linear(FEATURES, N_OBJECTS)
        if supervision in ("two_head", "composed_pairs"):
            self.attribute_head = nn.Linear(FEATURES, len(ATTRIBUTES))

    def _add_pair_head(
        self, supervision: str, pairs: tuple[IdPair, ...]
    ) -> None:
        """A head of one class a pair."""
        if supervision == "seen_pairs":
            self.pair_head: nn.Module = nn.Linear(FEATURES, len(pairs))
        else:
            project = nn.Linear(FEATURES, EMBEDDING)
            self.pair_head = nn.Sequential(project, CosineHead(len(pairs)))
