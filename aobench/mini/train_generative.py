"""Train a small generative model on mini's seen compositions: a LLaVA of 0.7 million weights behind
the bundled CLIP's image tower.

    python -m aobench.mini.train_generative --out OUT [--minutes 15]

The image tower stays as it is; a projector and a three-layer language model are trained from
nothing, on the questions of `aobench.vocabulary.questions` and the exercises of
`aobench.mini.lessons`. Pictures are of mini's train split, so none shows a novel composition; words
of novel ones stand among the options. Stopped at any moment, it goes on from the last checkpoint in
OUT.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from aobench.files import read_json, scratch_file, write_in_one_move
from aobench.mini.lessons import (
    NONE,
    PICTURE_TOKENS,
    SIZES,
    Lesson,
    LessonMaker,
)
from aobench.mini.pictures import objects
from aobench.mini.render import ATTRIBUTES
from aobench.mini.splits import SEED, samples
from aobench.mini.train import SIDE, shrink_image, to_pixels
from aobench.models.bundled import BUNDLED, LANGUAGE, LLAVA_TOWER, WHOLE
from aobench.vocabulary.questions import LETTERS

WIDTH, LAYERS = 128, 3
CHECKPOINT = "checkpoint.pt"
#: What is bundled beside the weights and config.json.
BUNDLED_FILES = (
    "chat_template.jinja",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "training.json",
)
TEMPLATE = (
    "{% for m in messages %}{{ m['role'].upper() }}: {% for c in m['content'] %}"
    "{% if c['type']=='image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    "{% endfor %} ASSISTANT:"
)
#: Heads of the last layer that are shown where the right option is.
HEADS = 2
#: Shares of the time: from when on pictures have all their tokens, and no aid is left.
WHOLE_FROM, ALONE_FROM = 0.6, 0.8
#: Patches of a picture before that.
FEW = 6


def image_tokenizer(longest: int) -> Any:
    """The bundled tokenizer with a token for the image, for prompts of ``longest`` tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    for setting in (
        "max_length",
        "truncation",
        "stride",
        "truncation_strategy",
    ):
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
        initializer_range=0.05,
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
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.2)
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
def image_states(
    model: Any, processor: Any, count: int
) -> tuple[Any, torch.Tensor]:
    """Compositions of the first ``count`` pictures of the train split (spread evenly), and what
    the image tower makes of them: float16 N x 50 x 192.
    """
    split = list(samples("train"))
    step = max(1, len(split) // count)
    split = split[::step][:count]
    states = []
    for start in range(0, len(split), 64):
        part = [shrink_image(one.image()) for one in split[start : start + 64]]
        pixels = to_pixels(
            torch.from_numpy(np.stack(part)), processor.image_processor
        )
        states.append(model.model.vision_tower(pixels).last_hidden_state.half())
    return [(one.attribute, one.name) for one in split], torch.cat(states)


class LessonLoss:
    """What is wrong with the answers to lessons, and with the way to them.

    Beside the answers' cross-entropy stand two aids, which the model that is written doesn't hold.
    The last layer's first ``HEADS`` heads are to look from a letter's place to the right option.
    Linear readers of the states before that layer are to tell an option's letter, and the attribute
    and object that an option or an answer names.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        model.model.language_model.set_attn_implementation(
            "eager"
        )  # it tells its attention
        sizes = (len(LETTERS), len(ATTRIBUTES), len(objects()))
        self.readers = torch.nn.ModuleList(
            torch.nn.Linear(WIDTH, n) for n in sizes
        )

    def __call__(
        self, lessons: Sequence[Lesson], states: torch.Tensor, aid: float
    ) -> tuple[Any, float]:
        """The loss, and the share of answers that are right.

        Args:
            lessons: of one batch; padded on the right.
            states: float16 N x T x W, the image tower's, of all pictures.
            aid: the weight of the aids.
        """
        output = self._run(lessons, states, aid > 0)
        row, place, token = _columns(lessons, "answers")
        logits = self.model.lm_head(output.last_hidden_state[row, place])
        loss = functional.cross_entropy(logits, token)
        right = float((logits.argmax(1) == token).float().mean())
        if aid > 0:
            loss = loss + aid * (
                self._looks(output, lessons) + self._read(output, lessons)
            )
        return loss, right

    def _run(
        self, lessons: Sequence[Lesson], states: torch.Tensor, more: bool
    ) -> Any:
        inner = self.model.model
        longest = max(len(lesson.ids) for lesson in lessons)
        padding = self.model.config.get_text_config().pad_token_id
        ids = torch.full((len(lessons), longest), padding)
        for row, lesson in enumerate(lessons):
            ids[row, : len(lesson.ids)] = torch.tensor(lesson.ids)
        embedded = self.model.get_input_embeddings()(ids)
        parts = [
            states[n][tokens] for one in lessons for n, tokens in one.pictures
        ]
        seen = inner.multi_modal_projector(torch.cat(parts).float())
        image = ids == self.model.config.image_token_id
        return inner.language_model(
            inputs_embeds=embedded.masked_scatter(image[:, :, None], seen),
            output_attentions=more,
            output_hidden_states=more,
        )

    def _looks(self, output: Any, lessons: Sequence[Lesson]) -> Any:
        if not any(lesson.looks for lesson in lessons):
            return 0.0
        row, place, target = _columns(lessons, "looks")
        share = output.attentions[-1][row, :HEADS, place, target]
        return -(share + 1e-6).log().mean()

    def _read(self, output: Any, lessons: Sequence[Lesson]) -> Any:
        before = output.hidden_states[LAYERS - 1]
        before = before * (before.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()
        row, place, *numbers = _columns(lessons, "parts")
        wanted = [(row, place, number) for number in numbers]
        if any(lesson.letters for lesson in lessons):
            wanted.insert(0, _columns(lessons, "letters"))
        loss: Any = 0.0
        for reader, (row, place, number) in zip(
            self.readers[-len(wanted) :], wanted, strict=True
        ):
            said = reader(before[row, place])
            loss = (
                loss
                + functional.cross_entropy(said, number, ignore_index=NONE) / 2
            )
        return loss


def _columns(lessons: Sequence[Lesson], name: str) -> Any:
    """The number of each lesson, and what its ``name`` holds, as int64 columns."""
    rows = [
        (i, *one)
        for i, lesson in enumerate(lessons)
        for one in getattr(lesson, name)
    ]
    return torch.tensor(rows).T.unbind()


def draw_lessons(maker: LessonMaker, done: float, batch: int) -> list[Lesson]:
    """Lessons of one kind, when the share ``done`` of the time is over.

    Exercises come first, then more and more of what the model is asked later; pictures have a part
    of their tokens until ``WHOLE_FROM``.
    """
    draw = maker.draw
    chosen = [int(i) for i in draw.integers(len(maker.shown), size=batch)]
    early = done < WHOLE_FROM
    size = int(draw.choice(SIZES, p=(0.15, 0.15, 0.2, 0.5)))
    chance = draw.random()
    if chance < 0.2 + 0.15 * early:
        return [maker.open(i, _some(draw, early)) for i in chosen]
    if chance < (0.75 if done < 0.25 else 0.5 if early else 0.3):
        return [maker.exercise(i, size, 6) for i in chosen]
    return [maker.lettered(i, _some(draw, early), size) for i in chosen]


def _some(draw: np.random.Generator, early: bool) -> list[int]:
    """A picture's tokens: all, or the first and a few."""
    if not early:
        return list(range(PICTURE_TOKENS))
    return [0, *sorted(draw.choice(PICTURE_TOKENS - 1, FEW, replace=False) + 1)]


def train_generative(
    out: Path, minutes: float, batch: int, peak: float, count: int
) -> None:
    """Train for ``minutes`` of the processor's time in all, and write the model to ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    model, processor = build_generative()
    loss_of = LessonLoss(model)
    named = [p for n, p in model.named_parameters() if "vision_tower" not in n]
    trained = [*named, *loss_of.readers.parameters()]
    optimizer = torch.optim.AdamW(
        trained, lr=peak, betas=(0.9, 0.98), weight_decay=0.01
    )
    step, spent = 0, 0.0
    if (out / CHECKPOINT).exists():
        state = torch.load(out / CHECKPOINT, weights_only=True)
        model.load_state_dict(state["model"], strict=False)
        loss_of.readers.load_state_dict(state["readers"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["seconds"]
    names, states = image_states(model, processor, count)
    maker = LessonMaker(
        processor, names, np.random.default_rng((SEED, 3, step))
    )
    print(f"{len(names):,} pictures, {sum(p.numel() for p in named):,} weights")
    began, right = time.process_time() - spent, []
    model.train()
    while (done := (time.process_time() - began) / (60 * minutes)) < 1:
        rate = peak * min(1.0, (step + 1) / 50)
        rate *= 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * done))
        for group in optimizer.param_groups:
            group["lr"] = rate
        aid = max(0.0, min(1.0, (ALONE_FROM - done) / 0.2))
        loss, share = loss_of(draw_lessons(maker, done, batch), states, aid)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        right.append(share)
        step += 1
        if step % 50 == 0:
            print(
                f"step {step}, {done:.0%}: {np.mean(right):.0%} of answers right",
                flush=True,
            )
            right = []
        if step % 200 == 0:
            seconds = time.process_time() - began
            _save(model, processor, loss_of, optimizer, out, step, seconds)
    seconds = time.process_time() - began
    _save(model, processor, loss_of, optimizer, out, step, seconds)
    facts = {"steps": step, "batch": batch, "processor_seconds": round(seconds)}
    facts_text = json.dumps(facts, indent=2) + "\n"
    write_in_one_move(out / "training.json", facts_text.encode())


def _save(
    model: Any,
    processor: Any,
    loss_of: LessonLoss,
    optimizer: Any,
    out: Path,
    step: int,
    seconds: float,
) -> None:
    weights = {
        k: v for k, v in model.state_dict().items() if "vision_tower" not in k
    }
    state = {
        "model": weights,
        "readers": loss_of.readers.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "seconds": seconds,
    }
    with scratch_file(out / CHECKPOINT) as scratch:
        torch.save(state, scratch)
    model.save_pretrained(out)
    processor.save_pretrained(out)


def write_bundle(out: Path, folder: Path) -> None:
    """Write the model in ``out`` to ``folder`` as it is bundled: float16, without the image tower,
    which is the bundled CLIP's (`aobench.models.bundled`).
    """
    from safetensors.torch import load_file, save

    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        key: value.half()
        for key, value in load_file(out / WHOLE).items()
        if not key.startswith(LLAVA_TOWER)
    }
    write_in_one_move(
        folder / LANGUAGE, save(weights, metadata={"format": "pt"})
    )
    config = read_json(out / "config.json")
    for part in (config, config["text_config"], config["vision_config"]):
        part["dtype"] = "float16"
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    write_in_one_move(folder / "config.json", text.encode())
    for name in BUNDLED_FILES:
        write_in_one_move(folder / name, (out / name).read_bytes())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--minutes",
        type=float,
        default=15,
        help="of the processor's time, in all",
    )
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument(
        "--peak", type=float, default=3e-3, help="highest learning rate"
    )
    parser.add_argument(
        "--pictures", type=int, default=4180, help="of the train split"
    )
    parser.add_argument(
        "--bundle", type=Path, help="write it here, too, as it is bundled"
    )
    args = parser.parse_args()
    train_generative(
        args.out, args.minutes, args.batch, args.peak, args.pictures
    )
    if args.bundle:
        write_bundle(args.out, args.bundle)


if __name__ == "__main__":
    main()
