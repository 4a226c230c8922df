"""Train the bundled CLIP model on mini's seen compositions.

    python -m aobench.mini.train --out OUT [--steps 4000] [--compile]

A transformers CLIPModel, trained from nothing with CLIP's symmetric contrastive loss (Radford et
al. 2021), where equal captions in a batch count as positives. The first images are mini's train
split; after that, each step brings fresh renderings of the same seen compositions. No novel
composition is ever rendered here. Stopped at any moment, it goes on from the last checkpoint in
OUT.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
)

from aobench.files import scratch_file, write_in_one_move
from aobench.mini.render import render
from aobench.mini.splits import SEED, pairs, samples
from aobench.vocabulary.templates import OPENAI_80, fill

SIDE = 56  #: pixels, the model's input
CAPTION_LENGTH = 24
CHECKPOINT = "checkpoint.pt"


def build_tokenizer(captions: list[str]) -> CLIPTokenizer:
    """A CLIP byte-pair tokenizer whose merges are learnt from ``captions``; any text can be
    encoded.
    """
    from tokenizers import Tokenizer, models, trainers

    bare = CLIPTokenizer()  # for its normalizer and its way of cutting words
    learner = Tokenizer(
        models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix="")
    )
    learner.normalizer = bare.backend_tokenizer.normalizer
    learner.pre_tokenizer = bare.backend_tokenizer.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=4000, end_of_word_suffix="</w>", show_progress=False
    )
    learner.train_from_iterator(captions, trainer)
    merges: Any = [
        tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]
    ]
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    tokens = dict.fromkeys([*letters, *(letter + "</w>" for letter in letters)])
    tokens.update(dict.fromkeys("".join(pair) for pair in merges))
    tokens.update(dict.fromkeys(["<|startoftext|>", "<|endoftext|>"]))
    vocab = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=CAPTION_LENGTH)


def build_model(tokenizer: CLIPTokenizer) -> CLIPModel:
    """The untrained model: a 5-layer vision tower on 8-pixel patches and a 2-layer text tower."""
    config = CLIPConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 128,
            "intermediate_size": 512,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "hidden_act": "gelu",
            "max_position_embeddings": CAPTION_LENGTH,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            "hidden_size": 192,
            "intermediate_size": 768,
            "num_hidden_layers": 5,
            "num_attention_heads": 3,
            "image_size": SIDE,
            "patch_size": 8,
            "hidden_act": "gelu",
        },
        projection_dim=128,
    )
    return CLIPModel(config)


def build_processor(tokenizer: CLIPTokenizer) -> CLIPProcessor:
    """The processor that is saved with the model: bicubic to 56 pixels, CLIP's mean and
    deviation.
    """
    image_processor = CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    return CLIPProcessor(image_processor=image_processor, tokenizer=tokenizer)


def shrink_image(image: np.ndarray) -> np.ndarray:
    """A rendering as the processor would resize it: uint8, 56 x 56 x 3."""
    return np.asarray(
        Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    )


class FreshRenderings(IterableDataset):
    """For each step from ``first``: (pair numbers, images) of ``count`` new renderings of seen
    pairs.
    """

    def __init__(self, first: int, count: int) -> None:
        self.first, self.count = first, count

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        seen = pairs(novel=False)
        step = self.first
        while True:
            rng = np.random.default_rng((SEED, 2, step))
            numbers = rng.integers(len(seen), size=self.count)
            yield (
                numbers,
                np.stack(
                    [
                        shrink_image(render(a, o, rng))
                        for a, o in (seen[n] for n in numbers)
                    ]
                ),
            )
            step += 1


def first_pool() -> tuple[torch.Tensor, torch.Tensor]:
    """Mini's train split: pair numbers, and images uint8 N x 56 x 56 x 3."""
    number = {pair: n for n, pair in enumerate(pairs(novel=False))}
    split = list(samples("train"))
    images = np.stack([shrink_image(sample.image()) for sample in split])
    return torch.tensor([number[s.attribute, s.name] for s in split]), torch.from_numpy(
        images
    )


def to_pixels(images: torch.Tensor, processor: CLIPImageProcessor) -> torch.Tensor:
    """uint8 N x H x W x 3 to normalised float N x 3 x H x W."""
    mean, std = (
        torch.tensor(v) * 255 for v in (processor.image_mean, processor.image_std)
    )
    return ((images.float() - mean) / std).permute(0, 3, 1, 2).contiguous()


def augment_images(images: torch.Tensor) -> torch.Tensor:
    """The batch shifted by up to 4 pixels each way (edges repeated), one shift a batch quarter."""
    parts = []
    for part in images.chunk(4):
        dy, dx = (int(torch.randint(-4, 5, ())) for _ in range(2))
        rows = (torch.arange(SIDE) + dy).clamp(0, SIDE - 1)
        columns = (torch.arange(SIDE) + dx).clamp(0, SIDE - 1)
        parts.append(part[:, rows][:, :, columns])
    return torch.cat(parts)


def contrastive_loss(logits: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """CLIP's symmetric cross-entropy, with the probability shared among equal captions."""
    target = (numbers[:, None] == numbers[None, :]).float()
    target = target / target.sum(1, keepdim=True)
    return (
        functional.cross_entropy(logits, target)
        + functional.cross_entropy(logits.T, target)
    ) / 2


def train_model(
    out: Path,
    steps: int,
    batch: int,
    fresh: int,
    peak: float,
    compiled: bool,
    save_every: int,
) -> None:
    """Train and write the model, its processor and ``training.json`` to ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    seen = pairs(novel=False)
    names = [f"{a} {o}" for a, o in seen]
    tokenizer = build_tokenizer(
        [fill(t, n) for n in names for t in OPENAI_80[::8]] + list(OPENAI_80) * 50
    )
    processor = build_processor(tokenizer)
    model: Any = build_model(tokenizer)
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decay, "weight_decay": 0.05},
        {"params": plain, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98))
    warm = min(200, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda s: (
            min(1.0, (s + 1) / warm)
            * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, s / steps))))
        ),
    )
    start, spent = 0, 0.0
    if (out / CHECKPOINT).exists():
        state = torch.load(out / CHECKPOINT, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        start, spent = state["step"], state["seconds"]
        torch.manual_seed(SEED + start)
    began = time.monotonic()
    numbers, images = first_pool()
    slot = 0
    loader = iter(
        DataLoader(
            FreshRenderings(start, fresh),
            batch_size=None,
            num_workers=1,
            prefetch_factor=8,
        )
    )
    vision = (
        torch.compile(model.get_image_features)
        if compiled
        else model.get_image_features
    )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).train()
    running = 0.0
    for step in range(start, steps):
        new_numbers, new_images = next(loader)
        where = (torch.arange(fresh) + slot) % len(numbers)
        numbers[where], images[where] = (
            torch.as_tensor(new_numbers),
            torch.as_tensor(new_images),
        )
        slot = (slot + fresh) % len(numbers)
        chosen = torch.randint(len(numbers), (batch,))
        pixels = to_pixels(
            augment_images(images[chosen]), processor.image_processor
        ).to(device)
        templates = torch.randint(len(OPENAI_80), (batch,)).tolist()
        captions = [
            fill(OPENAI_80[t], names[n])
            for t, n in zip(templates, numbers[chosen].tolist(), strict=True)
        ]
        text = tokenizer(
            captions, padding=True, truncation=True, return_tensors="pt"
        ).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            image_side = vision(pixel_values=pixels).pooler_output.float()
            text_side = model.get_text_features(**text).pooler_output.float()
        image_side, text_side = (
            functional.normalize(image_side),
            functional.normalize(text_side),
        )
        loss = contrastive_loss(
            model.logit_scale.exp() * image_side @ text_side.T,
            numbers[chosen].to(device),
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        running += float(loss.detach())
        if (step + 1) % 50 == 0:
            pace = (time.monotonic() - began) / (step + 1 - start)
            left = (steps - step - 1) * pace / 60
            print(
                f"step {step + 1}/{steps}  loss {running / 50:.3f}  {pace:.2f} s/step  {left:.0f} "
                "min left",
                flush=True,
            )
            running = 0.0
        if (step + 1) % save_every == 0 or step + 1 == steps:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "step": step + 1,
                "seconds": spent + time.monotonic() - began,
            }
            with scratch_file(out / CHECKPOINT) as scratch:
                torch.save(state, scratch)
            model.eval()
            save_model(model, processor, out)
            model.train()
    facts = {
        "steps": steps,
        "batch": batch,
        "seconds": round(spent + time.monotonic() - began),
        "device": device.type,
    }
    write_in_one_move(
        out / "training.json", (json.dumps(facts, indent=2) + "\n").encode()
    )


def save_model(model: CLIPModel, processor: CLIPProcessor, out: Path) -> None:
    """Write the model in float16, with its processor, as ``from_pretrained`` reads it."""
    from copy import deepcopy

    deepcopy(model).half().save_pretrained(out)
    processor.save_pretrained(out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--fresh", type=int, default=48, help="new renderings a step")
    parser.add_argument(
        "--peak", type=float, default=1e-3, help="highest learning rate"
    )
    parser.add_argument(
        "--save-every", type=int, default=250, help="steps between checkpoints"
    )
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile the vision tower"
    )
    args = parser.parse_args()
    train_model(
        args.out,
        args.steps,
        args.batch,
        args.fresh,
        args.peak,
        args.compile,
        args.save_every,
    )


if __name__ == "__main__":
    main()
