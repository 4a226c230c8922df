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
from aobench.study.design import BATCH, PEAK, STEPS, Run
from aobench.study.networks import TEMPLATES, TEST_TEMPLATE, StudyNetwork, caption_words
from aobench.study.world import N_OBJECTS, SIDE, ImageSet

N_ATTRIBUTES = len(ATTRIBUTES)
LARGEST_SHIFT = 3  #: pixels


def to_floats(pixels: np.ndarray, device: torch.device) -> Tensor:
    """uint8 N x 32 x 32 x 3 to floats N x 3 x 32 x 32 on ``device``, about -2..2."""
    return (
        ((torch.from_numpy(pixels).to(device).float() - 128) / 64)
        .permute(0, 3, 1, 2)
        .contiguous()
    )


def _augmented(pixels: Tensor, shift: tuple[int, int], mirror: bool) -> Tensor:
    rows = (torch.arange(SIDE, device=pixels.device) + shift[0]).clamp(0, SIDE - 1)
    columns = (torch.arange(SIDE, device=pixels.device) + shift[1]).clamp(0, SIDE - 1)
    moved = pixels[:, :, rows][..., columns]
    return moved.flip(3) if mirror else moved


def loss_of(
    network: Any, pixels: Tensor, attributes: Tensor, objects: Tensor, templates: Tensor
) -> Tensor:
    """The training loss of one batch under the network's supervision."""
    bf16 = pixels.device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=bf16):
        features = network.trunk(pixels).float()
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
    run: Run, images: ImageSet, device: torch.device, steps: int = STEPS
) -> StudyNetwork:
    """The trained network, in eval mode. The batches depend on the seed alone, not on the
    supervision.
    """
    torch.manual_seed(1000 + run.seed)
    network = StudyNetwork(run.supervision).to(device)
    optimizer = torch.optim.AdamW(
        network.parameters(), PEAK, weight_decay=0.05, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK, total_steps=steps, pct_start=0.1
    )
    pixels = to_floats(images.pixels, device)
    attributes, objects = (
        torch.from_numpy(v).to(device) for v in (images.attributes, images.objects)
    )
    rng = np.random.default_rng(run.seed)
    for _ in range(steps):
        chosen = torch.from_numpy(rng.integers(len(images), size=BATCH)).to(device)
        templates = torch.from_numpy(rng.integers(len(TEMPLATES), size=BATCH)).to(
            device
        )
        dy, dx = (
            int(v) for v in rng.integers(-LARGEST_SHIFT, LARGEST_SHIFT + 1, size=2)
        )
        batch = _augmented(pixels[chosen], (dy, dx), bool(rng.integers(2)))
        loss = loss_of(network, batch, attributes[chosen], objects[chosen], templates)
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
    pixels = to_floats(images.pixels, device)
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


@torch.no_grad()
def network_answers(network: Any, features: Tensor) -> dict[str, np.ndarray]:
    """Answers, int64 N: ``object``; ``attribute`` where it can be named; ``object_prompt``
    (contrastive only).
    """
    if not network.contrasts:
        out = {"object": network.object_head(features).argmax(1)}
        if network.names_attributes:
            out["attribute"] = network.attribute_head(features).argmax(1)
    else:
        images = functional.normalize(network.project(features))
        texts = caption_embeddings(network, features.device)
        best = (images @ texts.flatten(0, 1).T).argmax(1)
        prompts = functional.normalize(texts.mean(0))
        out = {
            "object": best % N_OBJECTS,
            "attribute": best // N_OBJECTS,
            "object_prompt": (images @ prompts.T).argmax(1),
        }
    return {key: value.cpu().numpy() for key, value in out.items()}


def counts_by_pair(
    images: ImageSet, given: dict[str, np.ndarray]
) -> dict[str, list[int]]:
    """Right answers for each composition of a test, in the test's order of compositions.

    Keys: ``n`` images, right ``object``s, ``composition``s, ``attribute``s and ``object_prompt``s
    where there are any.
    """
    right = {"object": given["object"] == images.objects}
    if "attribute" in given:
        right["attribute"] = given["attribute"] == images.attributes
        right["composition"] = right["attribute"] & right["object"]
    if "object_prompt" in given:
        right["object_prompt"] = given["object_prompt"] == images.objects
    pair = images.attributes * N_OBJECTS + images.objects
    _, first, number = np.unique(pair, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))[number]
    sizes = np.bincount(place)
    return {"n": sizes.tolist()} | {
        k: np.bincount(place[v], minlength=len(sizes)).tolist()
        for k, v in right.items()
    }


def do_run(
    run: Run, images: ImageSet, tests: dict[str, ImageSet], device: torch.device
) -> tuple[dict, dict]:
    """Train and score. Returns what goes to the run's JSON, and the arrays kept for
    disentanglement.
    """
    began = time.monotonic()
    network = train_network(run, images, device)
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
            arrays[f"{name}_embeddings"] = projected.cpu().numpy().astype(np.float16)
    if network.contrasts:
        arrays["captions"] = (
            caption_embeddings(network, device).cpu().numpy().astype(np.float16)
        )
    facts = {
        "supervision": run.supervision,
        "scale": run.scale,
        "diversity": run.diversity,
        "seed": run.seed,
        "steps": STEPS,
        "seconds": round(spent, 1),
        "device": device.type,
        "torch": torch.__version__,
    }
    return {**facts, "splits": splits}, arrays
