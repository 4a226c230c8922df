"""The zero-shot classifier: one class at a time padded to 77 tokens, trimmed, and by the prefix
tree.

    python benchmarks/text_classifier.py --compositions 500

A ViT-B/32-sized text tower with random weights; the time does not depend on what the weights are.
The class-at-a-time loop is timed on a sample of the classes (--loop) and scaled up; that part of
its embeddings is compared with ours.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from models_at_size import saved
from torch.nn import functional

from aobench.mini.splits import pairs
from aobench.models.base import LoadOptions
from aobench.models.prefix_tree import nodes_of
from aobench.models.registry import resolve
from aobench.models.text_tower import TextTower
from aobench.vocabulary.templates import OPENAI_80, fill


def names(count: int) -> list[str]:
    """Compositions of mini, spread over its attributes and objects."""
    everything = [*pairs(novel=False), *pairs(novel=True)]
    return [
        f"{a} {o}"
        for a, o in everything[:: max(1, len(everything) // count)][:count]
    ]


@torch.inference_mode()
def class_at_a_time(
    model: object, tokenizer: object, compositions: list[str]
) -> torch.Tensor:
    """What CLIP_benchmark and the notebooks do: 80 prompts of one class, padded to 77."""
    rows = []
    for name in compositions:
        tokens = tokenizer(
            [fill(t, name) for t in OPENAI_80],
            padding="max_length",
            max_length=77,
            truncation=True,
            return_tensors="pt",
        )
        features = model.get_text_features(**tokens).pooler_output
        rows.append(
            functional.normalize(functional.normalize(features).mean(0), dim=0)
        )
    return torch.stack(rows)


def ours(tower: TextTower, compositions: list[str]) -> torch.Tensor:
    """The same by ``tower``, as the runner does it."""
    rows = []
    for start in range(0, len(compositions), 128):
        part = compositions[start : start + 128]
        embedded = tower.encode(
            [fill(t, name) for name in part for t in OPENAI_80]
        )
        rows.append(
            functional.normalize(
                embedded.view(len(part), len(OPENAI_80), -1).mean(1), dim=-1
            )
        )
    return torch.cat(rows)


def timed(function: object, *arguments: object) -> tuple[float, torch.Tensor]:
    """Seconds and result."""
    began = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - began, result


def main() -> None:
    """Run the three one after another and print times and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--compositions", type=int, default=500)
    parser.add_argument(
        "--loop",
        type=int,
        default=25,
        help="classes that the class-at-a-time loop is timed on",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp/imagenet-ao-benchmarks")
    )
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu"
    )
    args = parser.parse_args()
    device = torch.device(args.device)
    compositions = sorted(names(args.compositions))
    model = resolve(saved("ViT-B/32", args.folder)).load(device, LoadOptions())
    assert model.info.notes["texts"] == "tree"
    texts = [fill(t, name) for name in compositions for t in OPENAI_80]
    sequences = model.tokenizer(texts)["input_ids"]
    tokens = sum(map(len, sequences))
    nodes = sum(
        nodes_of(sequences[i : i + 10_240])
        for i in range(0, len(sequences), 10_240)
    )
    print(
        f"{len(compositions)} compositions x {len(OPENAI_80)} templates, {torch.get_num_threads()} "
        f"threads, {device}"
    )
    print(
        f"tokens: padded {77 * len(texts):,}, without padding {tokens:,}, nodes of the tree "
        f"{nodes:,}"
    )
    trimmed = TextTower(
        model.model, model.tokenizer, "clip", device, method="trimmed"
    )
    ours(model.text, compositions[:8])
    sample = compositions[:: max(1, len(compositions) // args.loop)][
        : args.loop
    ]
    loop_seconds, loop = timed(
        class_at_a_time, model.model, model.tokenizer, sample
    )
    loop_seconds *= len(compositions) / len(sample)
    trim_seconds, by_length = timed(ours, trimmed, compositions)
    tree_seconds, by_tree = timed(ours, model.text, compositions)
    where = [compositions.index(name) for name in sample]
    images = functional.normalize(
        torch.randn(
            2000, by_tree.shape[1], generator=torch.Generator().manual_seed(0)
        )
    )
    same = (images @ by_tree.T).argmax(1) == (images @ by_length.T).argmax(1)
    print(
        f"class at a time, padded to 77: {loop_seconds:8.1f} s (from {len(sample)} classes)"
    )
    print(
        f"by length, trimmed:            {trim_seconds:8.1f} s  {loop_seconds / trim_seconds:5.1f} "
        "x"
    )
    print(
        f"prefix tree:                   {tree_seconds:8.1f} s  {loop_seconds / tree_seconds:5.1f} "
        "x; "
        f"{trim_seconds / tree_seconds:.2f} x trimmed"
    )
    print(
        f"largest difference: to the loop {(loop - by_tree[where]).abs().max():.1e}, to trimmed "
        f"{(by_length - by_tree).abs().max():.1e}; same argmax for {int(same.sum())} of 2000 images"
    )


if __name__ == "__main__":
    main()
