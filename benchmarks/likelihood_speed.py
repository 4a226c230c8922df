"""How much quicker the likelihoods of nine answers are with the image computed once.

    python benchmarks/likelihood_speed.py [--width 256] [--layers 4] [--batch 1] [--full]

A LLaVA of random weights with LLaVA-1.5's image tokens (576 of a CLIP ViT of 336 pixels in patches
of 14) and narrow layers; ``--full`` takes LLaVA-1.5-7B's own shape, for a GPU. Nine answers of a 3 x 3
grid are scored by the prefix tree and by nine whole passes; the median of three runs each, and how
far their numbers are apart.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from aobench.mini.train_generative import image_tokenizer
from aobench.models.base import LoadOptions
from aobench.models.likelihood import LikelihoodScorer
from aobench.models.vision_language import VisionLanguageModel

PAIRS = [
    f"{a} {o}"
    for a in ("red", "wooden", "striped")
    for o in ("banana", "teapot", "lion")
]
FULL = {"width": 4096, "layers": 32, "heads": 32, "inner": 11008}
VISION = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
}


def build(folder: Path, width: int, layers: int, full: bool) -> None:
    """Write the model with its processor."""
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = image_tokenizer(4096)
    small = {
        "hidden_size": width // 2,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
    }
    vision = CLIPVisionConfig(
        image_size=336, patch_size=14, **(VISION if full else small)
    )
    heads = FULL["heads"] if full else 4
    text = LlamaConfig(
        vocab_size=32064 if full else len(tokenizer),
        hidden_size=FULL["width"] if full else width,
        intermediate_size=FULL["inner"] if full else 3 * width,
        num_hidden_layers=FULL["layers"] if full else layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=4096,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    torch.manual_seed(0)
    dtype = torch.bfloat16 if full else torch.float32
    LlavaForConditionalGeneration(config).to(dtype).save_pretrained(folder)
    images = CLIPImageProcessor(
        size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
    )
    LlavaProcessor(
        images,
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    ).save_pretrained(folder)


def seconds_of(function: Any, *arguments: Any) -> tuple[float, torch.Tensor]:
    """The median of three runs after a first one, and what it gives."""
    found, times = function(*arguments), []
    for _ in range(3):
        began = time.perf_counter()
        found = function(*arguments)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return statistics.median(times), found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument(
        "--full", action="store_true", help="LLaVA-1.5-7B's shape in bfloat16"
    )
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), args.width, args.layers, args.full)
        options = LoadOptions("bfloat16" if args.full else "float32")
        model = VisionLanguageModel(folder, "llava", device, options)
    scorer = LikelihoodScorer(model)
    draw = np.random.default_rng(0)
    pictures = [
        Image.fromarray(draw.integers(0, 256, (336, 336, 3), dtype=np.uint8))
        for _ in range(args.batch)
    ]
    prompt = model.frame.text("What does the picture show?")
    answers = [model.frame.answer_tokens(prompt, pair) for pair in PAIRS]
    asked = (pictures, [prompt] * args.batch, [answers] * args.batch)
    tree, first = seconds_of(scorer.by_tree, *asked)
    whole, second = seconds_of(scorer.whole_passes, *asked)
    tokens = int(model.prompts(pictures[:1], [prompt]).lengths[0])
    print(
        f"{device.type}, prompt of {tokens} tokens, {len(answers)} answers of {sum(map(len, answers))} tokens, {args.batch} image(s)"
    )
    print(
        f"prefix tree {1000 * tree:.0f} ms, nine whole passes {1000 * whole:.0f} ms: {whole / tree:.1f} times; apart by {(first - second).abs().max():.1e}"
    )


if __name__ == "__main__":
    main()
