"""Train one run and score it on the common tests."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from aobench.mini.render import ATTRIBUTES
from aobench.study.design import Run, Settings
from aobench.study.networks import (
    TEMPLATES,
    TEST_TEMPLATE,
    StudyNetwork,
    caption_words,
)
from aobench.study.world import N_OBJECTS, SIDE, ImageSet, training_pairs

N_ATTRIBUTES = len(ATTRIBUTES)
LARGEST_SHIFT = 3  #: pixels of SIDE; as much of a smaller picture
#: Further ways to read the object: best of the seen pairs (classifiers of pairs); best of 48 object
#: prompts, marginals of the seen pairs' captions (contrastive).
READINGS = ("object_best", "object_prompt", "object_seen")


def to_floats(
    pixels: np.ndarray, device: torch.device, side: int = SIDE
) -> Tensor:
    """uint8 N x SIDE x SIDE x 3 to floats N x 3 x side x side on ``device``, about -2..2; a
    smaller ``side``, which divides SIDE, by averaging.
    """
    floats = (torch.from_numpy(pixels).to(device).float() - 128) / 64
    floats = floats.permute(0, 3, 1, 2)
    return functional.avg_pool2d(floats, SIDE // side).contiguous()


def largest_shift(side: int) -> int:
    """Pixels by which a picture of ``side`` pixels is shifted at most."""
    return LARGEST_SHIFT * side // SIDE


def _padded(pixels: Tensor) -> Tensor:
    """With the largest shift more pixels on each side, as at the edge: a shift is then a slice."""
    margin = (largest_shift(pixels.shape[3]),) * 4
    wide = functional.pad(pixels, margin, "replicate")
    return wide.contiguous(memory_format=torch.channels_last)


def _augmented(
    padded: Tensor, chosen: Tensor, side: int, shift: np.ndarray, mirror: bool
) -> Tensor:
    """The ``chosen`` of :func:`_padded` images, shifted (0: as far up or left as may be) and
    mirrored alike.
    """
    top, left = (int(v) for v in shift)
    moved = padded[:, :, top : top + side, left : left + side][chosen]
    if mirror:
        moved = moved.flip(3)
    return moved.contiguous(memory_format=torch.channels_last)


def _seen_scores(network: Any, features: Tensor) -> Tensor:
    """Images x seen pairs: the sum of the attribute's and the object's score, or the cosine with
    the sum of their vectors, times a learned factor.
    """
    attributes, objects = network.pairs.T
    if not network.contrasts:
        of_attributes = network.attribute_head(features)[:, attributes]
        return of_attributes + network.object_head(features)[:, objects]
    images = functional.normalize(network.project(features))
    words = caption_words(torch.zeros_like(objects), attributes, objects)
    texts = functional.normalize(network.text(words))
    return network.scale.exp() * images @ texts.T


def loss_of(
    network: Any,
    pixels: Tensor,
    attributes: Tensor,
    objects: Tensor,
    templates: Tensor,
) -> Tensor:
    """The training loss of one batch under the network's supervision."""
    bf16 = pixels.device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=bf16):
        features = network.trunk(pixels).float()
    if network.classes_are_pairs:
        numbers = network.numbers[attributes, objects]
        return functional.cross_entropy(network.pair_head(features), numbers)
    if network.over_seen_pairs:
        numbers = network.numbers[attributes, objects]
        return functional.cross_entropy(
            _seen_scores(network, features), numbers
        )
    if not network.contrasts:
        loss = functional.cross_entropy(network.object_head(features), objects)
        if network.names_attributes:
            loss = loss + functional.cross_entropy(
                network.attribute_head(features), attributes
            )
        return loss
    images = functional.normalize(network.project(features))
    texts = functional.normalize(
        network.text(caption_words(templates, attributes, objects))
    )
    logits = network.scale.exp() * images @ texts.T
    pair = attributes * N_OBJECTS + objects
    target = (pair[:, None] == pair[None, :]).float()
    target = target / target.sum(1, keepdim=True)
    return (
        functional.cross_entropy(logits, target)
        + functional.cross_entropy(logits.T, target)
    ) / 2


def train_network(
    run: Run, images: ImageSet, device: torch.device, settings: Settings
) -> StudyNetwork:
    """The trained network, in eval mode. The batches depend on the seed alone, not on the
    supervision.
    """
    torch.manual_seed(1000 + run.seed)
    pairs = training_pairs(run.diversity, run.seed)
    network = StudyNetwork(run.supervision, settings.channels, pairs)
    network.side = settings.side
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        network.parameters(),
        settings.peak,
        weight_decay=settings.decay,
        betas=(0.9, 0.98),
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.peak, total_steps=settings.steps, pct_start=0.1
    )
    side = settings.side
    padded = _padded(to_floats(images.pixels, device, side))
    attributes, objects = (
        torch.from_numpy(v).to(device)
        for v in (images.attributes, images.objects)
    )
    rng = np.random.default_rng(run.seed)
    size = settings.batch
    for _ in range(settings.steps):
        chosen = torch.from_numpy(rng.integers(len(images), size=size)).to(
            device
        )
        templates = torch.from_numpy(rng.integers(len(TEMPLATES), size=size))
        templates = templates.to(device)
        shift = rng.integers(0, 2 * largest_shift(side) + 1, size=2)
        batch = _augmented(padded, chosen, side, shift, bool(rng.integers(2)))
        loss = loss_of(
            network, batch, attributes[chosen], objects[chosen], templates
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if network.contrasts:
            with torch.no_grad():
                network.scale.clamp_(0, math.log(100))
    return network.eval()


@torch.no_grad()
def features_of(network: Any, images: ImageSet, device: torch.device) -> Tensor:
    """Trunk features, float32 N x FEATURES."""
    pixels = to_floats(images.pixels, device, network.side)
    return torch.cat([network.trunk(part) for part in pixels.split(512)])


@torch.no_grad()
def caption_embeddings(network: Any, device: torch.device) -> Tensor:
    """Normalised embeddings of all compositions' test captions, attributes x objects x
    EMBEDDING.
    """
    a = torch.arange(N_ATTRIBUTES, device=device).repeat_interleave(N_OBJECTS)
    o = torch.arange(N_OBJECTS, device=device).repeat(N_ATTRIBUTES)
    t = torch.full_like(a, TEMPLATES.index(TEST_TEMPLATE))
    texts = functional.normalize(network.text(caption_words(t, a, o)))
    return texts.reshape(N_ATTRIBUTES, N_OBJECTS, -1)


def _by_marginals(probabilities: Tensor, pairs: Tensor) -> dict[str, Tensor]:
    """The attribute and the object with the largest sums over the ``pairs``, each on its own.

    Args:
        probabilities: float, images x pairs.
        pairs: int, pairs x 2: the attribute's and the object's number.
    """
    out = {}
    for column, name, size in (
        (0, "attribute", N_ATTRIBUTES),
        (1, "object", N_OBJECTS),
    ):
        sums = probabilities.new_zeros(len(probabilities), size)
        sums.index_add_(1, pairs[:, column], probabilities)
        out[name] = sums.argmax(1)
    return out


def _label_answers(network: Any, features: Tensor) -> dict[str, Tensor]:
    """A classifier's: by its heads, or by the marginals of its classes, which are pairs."""
    if network.classes_are_pairs:
        scores = network.pair_head(features)
        best = network.pairs[scores.argmax(1)]
        marginal = _by_marginals(scores.softmax(1), network.pairs)
        return marginal | {"object_best": best[:, 1]}
    out = {"object": network.object_head(features).argmax(1)}
    if network.names_attributes:
        out["attribute"] = network.attribute_head(features).argmax(1)
    return out


def _caption_answers(network: Any, features: Tensor) -> dict[str, Tensor]:
    """A contrastive model's: by the best of all captions, of object prompts, and, as the
    classifiers of pairs, by the marginals of the seen pairs' captions.
    """
    images = functional.normalize(network.project(features))
    texts = caption_embeddings(network, features.device)
    best = (images @ texts.flatten(0, 1).T).argmax(1)
    prompts = functional.normalize(texts.mean(0))
    seen = texts[network.pairs[:, 0], network.pairs[:, 1]]
    likely = (network.scale.exp() * images @ seen.T).softmax(1)
    return {
        "object": best % N_OBJECTS,
        "attribute": best // N_OBJECTS,
        "object_prompt": (images @ prompts.T).argmax(1),
        "object_seen": _by_marginals(likely, network.pairs)["object"],
    }


@torch.no_grad()
def network_answers(network: Any, features: Tensor) -> dict[str, np.ndarray]:
    """Answers, int64 N: ``object``; ``attribute`` where it can be named; the further readings of
    :data:`READINGS` that the network can give.
    """
    answers = _caption_answers if network.contrasts else _label_answers
    return {
        key: v.cpu().numpy() for key, v in answers(network, features).items()
    }


def counts_by_pair(
    images: ImageSet, arrays: dict[str, np.ndarray]
) -> dict[str, list[int]]:
    """Right answers for each composition of a test, in the test's order of compositions.

    Keys: ``n`` images, right ``object``s, ``composition``s, ``attribute``s and :data:`READINGS`
    where there are any.
    """
    right = {"object": arrays["object"] == images.objects}
    if "attribute" in arrays:
        right["attribute"] = arrays["attribute"] == images.attributes
        right["composition"] = right["attribute"] & right["object"]
    for name in READINGS:
        if name in arrays:
            right[name] = arrays[name] == images.objects
    pair = images.attributes * N_OBJECTS + images.objects
    _, first, number = np.unique(pair, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))[number]
    sizes = np.bincount(place)
    return {"n": sizes.tolist()} | {
        k: np.bincount(place[v], minlength=len(sizes)).tolist()
        for k, v in right.items()
    }


def do_run(
    run: Run,
    images: ImageSet,
    tests: dict[str, ImageSet],
    device: torch.device,
    settings: Settings,
) -> tuple[dict, dict]:
    """Train and score. Returns what goes to the run's JSON, and the arrays kept for
    disentanglement.
    """
    began = time.monotonic()
    network = train_network(run, images, device, settings)
    spent = time.monotonic() - began
    arrays: dict[str, np.ndarray] = {}
    splits: dict[str, Any] = {}
    for name, test in tests.items():
        features = features_of(network, test, device)
        splits[name] = counts_by_pair(test, network_answers(network, features))
        arrays[f"{name}_features"] = features.cpu().numpy().astype(np.float16)
        if network.contrasts:
            with torch.no_grad():
                projected = functional.normalize(network.project(features))
            arrays[f"{name}_embeddings"] = (
                projected.cpu().numpy().astype(np.float16)
            )
    if network.contrasts:
        arrays["captions"] = (
            caption_embeddings(network, device).cpu().numpy().astype(np.float16)
        )
    facts = {
        "supervision": run.supervision,
        "scale": run.scale,
        "diversity": run.diversity,
        "seed": run.seed,
        "steps": settings.steps,
        "batch": settings.batch,
        "peak": settings.peak,
        "decay": settings.decay,
        "seconds": round(spent, 1),
        "device": device.type,
        "torch": torch.__version__,
    }
    return {**facts, "splits": splits}, arrays
