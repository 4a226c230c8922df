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
from dataclasses import dataclass
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
    return CLIPTokenizer(
        vocab=vocab, merges=merges, model_max_length=CAPTION_LENGTH
    )


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
    return torch.tensor(
        [number[s.attribute, s.name] for s in split]
    ), torch.from_numpy(images)


def to_pixels(
    images: torch.Tensor, processor: CLIPImageProcessor
) -> torch.Tensor:
    """uint8 N x H x W x 3 to normalised float N x 3 x H x W."""
    mean, std = (
        torch.tensor(v) * 255
        for v in (processor.image_mean, processor.image_std)
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


def contrastive_loss(
    logits: torch.Tensor, numbers: torch.Tensor
) -> torch.Tensor:
    """CLIP's symmetric cross-entropy, with the probability shared among equal captions."""
    target = (numbers[:, None] == numbers[None, :]).float()
    target = target / target.sum(1, keepdim=True)
    return (
        functional.cross_entropy(logits, target)
        + functional.cross_entropy(logits.T, target)
    ) / 2


@dataclass(frozen=True)
class TrainingOptions:
    """How the model is trained."""

    steps: int = 4000
    batch: int = 256  #: images a step
    fresh: int = 48  #: new renderings a step
    peak: float = 1e-3  #: highest learning rate
    compiled: bool = False  #: torch.compile the vision tower
    save_every: int = 250  #: steps between checkpoints


def build_optimizer(model: Any, options: TrainingOptions) -> tuple[Any, Any]:
    """AdamW without decay of biases and norms, and its schedule: a warm-up, then a cosine."""
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decay, "weight_decay": 0.05},
        {"params": plain, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=options.peak, betas=(0.9, 0.98))
    warm = min(200, options.steps // 10)

    def rate(step: int) -> float:
        done = min(1.0, step / options.steps)
        cosine = 0.98 * 0.5 * (1 + math.cos(math.pi * done))
        return min(1.0, (step + 1) / warm) * (0.02 + cosine)

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


class ImagePool:
    """The images that batches are drawn from; each step's new renderings replace the oldest."""

    def __init__(self, first_step: int, fresh: int) -> None:
        self.numbers, self.images = first_pool()
        self.slot, self.fresh = 0, fresh
        renderings = FreshRenderings(first_step, fresh)
        loader = DataLoader(
            renderings, batch_size=None, num_workers=1, prefetch_factor=8
        )
        self.loader = iter(loader)

    def renew(self) -> None:
        """Take in the next renderings."""
        numbers, images = next(self.loader)
        where = (torch.arange(self.fresh) + self.slot) % len(self.numbers)
        self.numbers[where] = torch.as_tensor(numbers)
        self.images[where] = torch.as_tensor(images)
        self.slot = (self.slot + self.fresh) % len(self.numbers)

    def draw(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Pair numbers and images of a batch, drawn with replacement."""
        chosen = torch.randint(len(self.numbers), (batch,))
        return self.numbers[chosen], self.images[chosen]


class Training:
    """A model in training: its state, one step of it, and what is written."""

    def __init__(self, out: Path, options: TrainingOptions) -> None:
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(SEED)
        self.out, self.options = out, options
        self.names = [f"{a} {o}" for a, o in pairs(novel=False)]
        some = [fill(t, n) for n in self.names for t in OPENAI_80[::8]]
        self.tokenizer = build_tokenizer(some + list(OPENAI_80) * 50)
        self.processor = build_processor(self.tokenizer)
        untrained: Any = build_model(self.tokenizer)
        self.model: Any = untrained
        self.optimizer, self.schedule = build_optimizer(self.model, options)
        self.start, self.spent = 0, 0.0
        self._resume()
        self.began = time.monotonic()
        tower = self.model.get_image_features
        self.vision = torch.compile(tower) if options.compiled else tower
        self.device = torch.device(
            "cuda" if torch.cuda.is_available() else "cpu"
        )
        self.model.to(self.device).train()

    def _resume(self) -> None:
        """Go on from the last checkpoint, where there is one."""
        if not (self.out / CHECKPOINT).exists():
            return
        state = torch.load(self.out / CHECKPOINT, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.start, self.spent = state["step"], state["seconds"]
        torch.manual_seed(SEED + self.start)

    @property
    def seconds(self) -> float:
        """Of training so far, earlier runs included."""
        return self.spent + time.monotonic() - self.began

    def step(self, numbers: torch.Tensor, images: torch.Tensor) -> float:
        """One step of the optimizer; returns the loss."""
        loss = self._loss(numbers, images)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
        return float(loss.detach())

    def _loss(
        self, numbers: torch.Tensor, images: torch.Tensor
    ) -> torch.Tensor:
        pixels = to_pixels(
            augment_images(images), self.processor.image_processor
        )
        pixels = pixels.to(self.device)
        text = self._captions(numbers)
        with torch.autocast(self.device.type, torch.bfloat16):
            image_side = self.vision(pixel_values=pixels).pooler_output.float()
            text_side = self.model.get_text_features(
                **text
            ).pooler_output.float()
        image_side = functional.normalize(image_side)
        text_side = functional.normalize(text_side)
        logits = self.model.logit_scale.exp() * image_side @ text_side.T
        return contrastive_loss(logits, numbers.to(self.device))

    def _captions(self, numbers: torch.Tensor) -> Any:
        """Tokens of each pair's name in a template drawn for it."""
        templates = torch.randint(len(OPENAI_80), (len(numbers),)).tolist()
        captions = [
            fill(OPENAI_80[t], self.names[n])
            for t, n in zip(templates, numbers.tolist(), strict=True)
        ]
        tokens = self.tokenizer(
            captions, padding=True, truncation=True, return_tensors="pt"
        )
        return tokens.to(self.device)

    def save(self, step: int) -> None:
        """Write the checkpoint and the model."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": step,
            "seconds": self.seconds,
        }
        with scratch_file(self.out / CHECKPOINT) as scratch:
            torch.save(state, scratch)
        self.model.eval()
        save_model(self.model, self.processor, self.out)
        self.model.train()

    def tell(self, step: int, loss: float) -> None:
        """Print the loss, and how long it will take."""
        steps = self.options.steps
        pace = (time.monotonic() - self.began) / (step - self.start)
        left = (steps - step) * pace / 60
        print(
            f"step {step}/{steps}  loss {loss:.3f}  {pace:.2f} s/step  {left:.0f} min left",
            flush=True,
        )


def train_model(out: Path, options: TrainingOptions) -> None:
    """Train and write the model, its processor and ``training.json`` to ``out``."""
    training = Training(out, options)
    pool = ImagePool(training.start, options.fresh)
    running = 0.0
    for step in range(training.start + 1, options.steps + 1):
        pool.renew()
        running += training.step(*pool.draw(options.batch))
        if step % 50 == 0:
            training.tell(step, running / 50)
            running = 0.0
        if step % options.save_every == 0 or step == options.steps:
            training.save(step)
    facts = {
        "steps": options.steps,
        "batch": options.batch,
        "seconds": round(training.seconds),
        "device": training.device.type,
    }
    text = json.dumps(facts, indent=2) + "\n"
    write_in_one_move(out / "training.json", text.encode())


def save_model(model: CLIPModel, processor: CLIPProcessor, out: Path) -> None:
    """Write the model in float16, with its processor, as ``from_pretrained`` reads it."""
    from copy import deepcopy

    deepcopy(model).half().save_pretrained(out)
    processor.save_pretrained(out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    usual = TrainingOptions()
    for name, about in (
        ("steps", "steps in all"),
        ("batch", "images a step"),
        ("fresh", "new renderings a step"),
        ("peak", "highest learning rate"),
        ("save-every", "steps between checkpoints"),
    ):
        value = getattr(usual, name.replace("-", "_"))
        parser.add_argument(
            f"--{name}", type=type(value), default=value, help=about
        )
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile the vision tower"
    )
    words = vars(parser.parse_args())
    out, compiled = words.pop("out"), words.pop("compile")
    train_model(out, TrainingOptions(**words, compiled=compiled))


if __name__ == "__main__":
    main()
