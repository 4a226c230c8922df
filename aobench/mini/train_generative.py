"""Train a small generative model on mini's seen compositions: a LLaVA of a few hundred thousand
weights.

    python -m aobench.mini.train_generative --out OUT [--minutes 20]

The image tower is that of the bundled CLIP model and stays as it is; a projector and a two-layer
language model are trained from nothing, on the questions of `aobench.vocabulary.questions`:
lettered ones with two to nine options, and open ones. Pictures are of mini's train split, so none
shows a novel composition; words of novel ones stand among the options. Stopped at any moment, it
goes on from the last checkpoint in OUT.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from aobench.files import scratch_file, write_in_one_move
from aobench.mini.splits import SEED, pairs, samples
from aobench.mini.train import SIDE, shrink_image, to_pixels
from aobench.models.registry import BUNDLED
from aobench.vocabulary.questions import LETTERS, bundled_questions

WIDTH, LAYERS = 128, 2
CHECKPOINT = "checkpoint.pt"
TEMPLATE = (
    "{% for m in messages %}{{ m['role'].upper() }}: {% for c in m['content'] %}"
    "{% if c['type']=='image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    "{% endfor %} ASSISTANT:"
)
#: Numbers of options, and how often a question has them.
SIZES, SHARES = (2, 3, 4, 6, 9), (0.15, 0.15, 0.15, 0.15, 0.4)
#: Of the questions, how many are answered by a letter.
LETTERED = 0.6


def image_tokenizer(longest: int) -> Any:
    """The bundled tokenizer with a token for the image, for prompts of ``longest`` tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    for setting in ("max_length", "truncation", "stride", "truncation_strategy"):
        tokenizer.init_kwargs.pop(setting, None)
    tokenizer.model_max_length = longest
    return tokenizer


def build_generative() -> tuple[Any, Any]:
    """The untrained LLaVA with the bundled image tower, and its processor."""
    from transformers import (
        CLIPImageProcessor,
        CLIPModel,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = image_tokenizer(512)
    clip: Any = CLIPModel.from_pretrained(BUNDLED, dtype=torch.float32)
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    image_token: Any = tokenizer.convert_tokens_to_ids("<image>")
    config = LlavaConfig(
        vision_config=clip.config.vision_config,
        text_config=text,
        image_token_index=image_token,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )
    model: Any = LlavaForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(
        clip.vision_model.state_dict(), strict=False
    )
    images = CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    return model, processor


@torch.no_grad()
def image_states(model: Any, processor: Any, count: int) -> tuple[Any, torch.Tensor]:
    """Compositions of the first ``count`` pictures of the train split (spread evenly), and what
    the image tower makes of them: float16 N x 50 x 192.
    """
    split = list(samples("train"))
    step = max(1, len(split) // count)
    split = split[::step][:count]
    states = []
    for start in range(0, len(split), 64):
        part = [shrink_image(one.image()) for one in split[start : start + 64]]
        pixels = to_pixels(torch.from_numpy(np.stack(part)), processor.image_processor)
        states.append(model.model.vision_tower(pixels).last_hidden_state.half())
    return [(one.attribute, one.name) for one in split], torch.cat(states)


@dataclass
class QuestionMaker:
    """Questions about pictures, with their answers, as tokens."""

    processor: Any
    draw: np.random.Generator

    def __post_init__(self) -> None:
        from aobench.models.vlm_processor import QuestionFrame

        self.questions = bundled_questions()
        self.frame = QuestionFrame(self.processor, "llava", "mini's generative model")
        names = pairs(novel=False)
        self.parts = [sorted({pair[i] for pair in names}) for i in (0, 1)]
        self._kept: dict[str, list[int]] = {}

    def ask(self, pair: tuple[str, str], lettered: bool, size: int) -> tuple[Any, Any]:
        """Tokens of a question about a picture of ``pair``, and of its answer."""
        kind = self.draw.choice(
            ["composition", "object", "attribute"], p=[0.7, 0.15, 0.15]
        )
        right = {"object": pair[1], "attribute": pair[0]}.get(kind, " ".join(pair))
        if not lettered:
            prompt = self.frame.text(self.questions.open(kind))
            return self._tokens(prompt), self.frame.answer_tokens(prompt, right)
        options = self._options(kind, pair, right, size)
        prompt = self.frame.text(self.questions.lettered(kind, options))
        letter = LETTERS[options.index(right)]
        # the name behind its letter, so that both are learnt together
        return self._tokens(prompt), self.frame.answer_tokens(
            prompt, f"{letter} {right}"
        )

    def _options(
        self, kind: str, pair: tuple[str, str], right: str, size: int
    ) -> list[str]:
        """``size`` names, the right one among them; of compositions a part of a grid."""
        others = [self._others(pair[i], self.parts[i], size) for i in (0, 1)]
        if kind == "composition":
            near = [[pair[i], *others[i][:2]] for i in (0, 1)]
            grid = [f"{a} {o}" for a in near[0] for o in near[1]][1:]
            self.draw.shuffle(grid)
            wrong = grid[: size - 1]
        else:
            wrong = others[1 if kind == "object" else 0][: size - 1]
        options = [right, *wrong]
        self.draw.shuffle(options)
        return options

    def _others(self, right: str, names: list[str], count: int) -> list[str]:
        chosen = self.draw.choice(len(names), size=count + 1, replace=False)
        return [names[i] for i in chosen if names[i] != right][:count]

    def _tokens(self, prompt: str) -> list[int]:
        """With as many tokens of the image as the tower gives."""
        places = (SIDE // 8) ** 2 + 1
        whole: list[int] = []
        for number, part in enumerate(prompt.split("<image>")):
            if number:
                mark = self.processor.tokenizer.convert_tokens_to_ids("<image>")
                whole += [mark] * places
            whole += self._piece(part)
        bos, eos = (self.processor.tokenizer(" ")["input_ids"][i] for i in (0, -1))
        return [bos, *whole, eos]

    def _piece(self, text: str) -> list[int]:
        return self.processor.tokenizer(text, add_special_tokens=False)["input_ids"]


def answer_loss(model: Any, asked: list[tuple[Any, Any]], states: torch.Tensor) -> Any:
    """Cross-entropy of the answers' tokens, padded on the right."""
    longest = max(len(question) + len(answer) for question, answer in asked)
    ids = torch.full((len(asked), longest), model.config.get_text_config().pad_token_id)
    wanted = torch.full_like(ids, -100)
    for row, (question, answer) in enumerate(asked):
        both = [*question, *answer]
        ids[row, : len(both)] = torch.tensor(both)
        wanted[row, len(question) - 1 : len(both) - 1] = torch.tensor(list(answer))
    embedded = model.get_input_embeddings()(ids)
    seen = model.model.multi_modal_projector(states.float())
    image = ids == model.config.image_token_id
    embedded = embedded.masked_scatter(image[:, :, None], seen)
    hidden = model.model.language_model(inputs_embeds=embedded).last_hidden_state
    chosen = wanted >= 0
    return functional.cross_entropy(model.lm_head(hidden[chosen]), wanted[chosen])


def train_generative(
    out: Path, minutes: float, steps: int, batch: int, peak: float, count: int
) -> None:
    """Train for ``minutes`` more, or up to ``steps``, and write the model to ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    model, processor = build_generative()
    trained = [p for n, p in model.named_parameters() if "vision_tower" not in n]
    optimizer = torch.optim.AdamW(
        trained, lr=peak, betas=(0.9, 0.98), weight_decay=0.01
    )
    start, spent = 0, 0.0
    if (out / CHECKPOINT).exists():
        state = torch.load(out / CHECKPOINT, weights_only=True)
        model.load_state_dict(state["model"], strict=False)
        optimizer.load_state_dict(state["optimizer"])
        start, spent = state["step"], state["seconds"]
    draw = np.random.default_rng((SEED, 3, start))
    maker = QuestionMaker(processor, draw)
    names, states = image_states(model, processor, count)
    print(
        f"{len(names):,} pictures, {sum(p.numel() for p in trained):,} weights",
        flush=True,
    )
    began, running = time.monotonic(), 0.0
    step = start
    model.train()
    while step < steps and time.monotonic() - began < 60 * minutes:
        rate = peak * min(1.0, (step + 1) / 100)
        rate *= 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        chosen = draw.integers(len(names), size=batch)
        lettered, size = draw.random() < LETTERED, int(draw.choice(SIZES, p=SHARES))
        asked = [maker.ask(names[i], lettered, size) for i in chosen]
        loss = answer_loss(model, asked, states[torch.from_numpy(chosen)])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        running += float(loss.detach())
        step += 1
        if step % 50 == 0:
            pace = (time.monotonic() - began) / (step - start)
            print(
                f"step {step}/{steps}  loss {running / 50:.3f}  {pace:.2f} s/step",
                flush=True,
            )
            running = 0.0
        if step % 200 == 0:
            seconds = spent + time.monotonic() - began
            _save(model, processor, optimizer, out, step, seconds)
    _save(model, processor, optimizer, out, step, spent + time.monotonic() - began)
    facts = {
        "steps": step,
        "batch": batch,
        "seconds": round(spent + time.monotonic() - began),
    }
    write_in_one_move(
        out / "training.json", (json.dumps(facts, indent=2) + "\n").encode()
    )


def _save(
    model: Any, processor: Any, optimizer: Any, out: Path, step: int, seconds: float
) -> None:
    weights = {k: v for k, v in model.state_dict().items() if "vision_tower" not in k}
    state = {
        "model": weights,
        "optimizer": optimizer.state_dict(),
        "step": step,
        "seconds": seconds,
    }
    with scratch_file(out / CHECKPOINT) as scratch:
        torch.save(state, scratch)
    model.save_pretrained(out)
    processor.save_pretrained(out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20, help="stop after so many")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument(
        "--peak", type=float, default=3e-3, help="highest learning rate"
    )
    parser.add_argument("--pictures", type=int, default=4000, help="of the train split")
    args = parser.parse_args()
    train_generative(
        args.out, args.minutes, args.steps, args.batch, args.peak, args.pictures
    )


if __name__ == "__main__":
    main()
