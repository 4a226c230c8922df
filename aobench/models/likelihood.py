"""log P(answer | image, prompt) of many answers to one prompt, the prompt computed once.

The image's tokens are most of a prompt. Their keys and values are computed once and stay in the
cache; the answers are a prefix tree behind them (`aobench.models.prefix_tree`), one forward pass
for all. Whether a model's layers take such a mask is tried when it is loaded, against its own
forward pass of prompt and answer; where they don't agree, that pass serves (``method`` says which).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from aobench.models.prefix_tree import nodes_of, rows_of
from aobench.models.vision_language import PromptBatch, VisionLanguageModel

if TYPE_CHECKING:
    from PIL import Image

#: An answer's tokens.
Tokens = tuple[int, ...]

#: What a token of an answer is in the inputs beside the tokens, by name: zeros where nothing is
#: said. PaliGemma's type 1 is what is written, not read.
ANSWER_TYPES = {"token_type_ids": {"paligemma": 1}}

#: How far the cached pass may be from the model's own, by dtype.
AGREES = {torch.float32: 1e-4, torch.bfloat16: 0.25, torch.float16: 0.05}


class LikelihoodScorer:
    """Sums of log-probabilities of answers' tokens.

    Attributes:
        model: what is asked.
        method: ``prefix tree`` or ``whole passes``.
        offset: what is added to a prompt's length for its answer's first place (PaliGemma counts
            from 1).
    """

    def __init__(self, model: VisionLanguageModel) -> None:
        self.model = model
        self.method = "whole passes"
        self.offset = 0
        self.max_nodes = 0

    def choose_method(
        self,
        images: Sequence[Image.Image],
        texts: Sequence[str],
        answers: Sequence[Sequence[Tokens]],
    ) -> None:
        """Take the prefix tree where it agrees with the model's own forward pass on a trial."""
        wanted = self.whole_passes(images, texts, answers)
        most = AGREES[self.model.network.dtype]
        for self.offset in (0, 1):
            try:
                scores = self.by_tree(images, texts, answers)
            except (
                AttributeError,
                TypeError,
                RuntimeError,
                ValueError,
                IndexError,
                KeyError,
            ):
                continue  # a language model of another build
            if (scores - wanted).abs().max() < most * max(
                1.0, float(wanted.abs().max())
            ):
                self.method = "prefix tree"
                return

    def __call__(
        self,
        images: Sequence[Image.Image],
        texts: Sequence[str],
        answers: Sequence[Sequence[Tokens]],
    ) -> torch.Tensor:
        """float32 N x K: the log-likelihood of each of K answers to each of N prompts.

        Args:
            images: N, RGB.
            texts: N prompts, each with its image.
            answers: by prompt the tokens of K answers.

        Raises:
            UserError: where numbers are NaN, or a prompt with its answer is too long.
        """
        tree = self.method == "prefix tree"
        scores = (self.by_tree if tree else self.whole_passes)(
            images, texts, answers
        )
        self.model.refuse_impossible(scores)
        return scores

    @torch.inference_mode()
    def whole_passes(
        self,
        images: Sequence[Image.Image],
        texts: Sequence[str],
        answers: Sequence[Sequence[Tokens]],
    ) -> torch.Tensor:
        """As a call, by the library's own forward pass of prompt and answer, K times."""
        batch = self._batch(images, texts, answers)
        columns = [
            self._one_answer(batch, [mine[place] for mine in answers])
            for place in range(len(answers[0]))
        ]
        return torch.stack(columns, 1)

    def _batch(
        self,
        images: Sequence[Image.Image],
        texts: Sequence[str],
        answers: Sequence[Sequence[Tokens]],
    ) -> PromptBatch:
        batch = self.model.prompts(images, texts)
        longest = max(len(tokens) for mine in answers for tokens in mine)
        self.model.refuse_too_long(int(batch.lengths.max()) + longest)
        return batch

    def _one_answer(
        self, batch: PromptBatch, tokens: Sequence[Tokens]
    ) -> torch.Tensor:
        """float32 N: one answer to each prompt."""
        device = self.model.device
        longest = max(map(len, tokens))
        inputs = _extended(batch, tokens, longest, self.model.config.model_type)
        steps = torch.arange(longest, device=device)
        places = batch.lengths[:, None] - 1 + steps
        with self.model.refusals_in_one_line():
            logits = self.model.logits_at(inputs, places)
        padded = [list(one) + [0] * (longest - len(one)) for one in tokens]
        wanted = torch.tensor(padded, device=device)
        chosen = logits.log_softmax(-1).gather(2, wanted[:, :, None])[:, :, 0]
        counts = torch.tensor([len(one) for one in tokens], device=device)
        return chosen.masked_fill(steps >= counts[:, None], 0).sum(1)

    @torch.inference_mode()
    def by_tree(
        self,
        images: Sequence[Image.Image],
        texts: Sequence[str],
        answers: Sequence[Sequence[Tokens]],
    ) -> torch.Tensor:
        """As a call: the prompt once, then all answers to it as one tree."""
        from transformers import DynamicCache

        batch = self._batch(images, texts, answers)
        network, cache = self.model.network, DynamicCache()
        last = batch.lengths[:, None] - 1
        inputs = batch.inputs | {"past_key_values": cache, "use_cache": True}
        first = self.model.logits_at(inputs, last)[:, 0]
        tree = _trees_of(answers, self.model.device)
        hidden = _innermost(network)(
            inputs_embeds=network.get_input_embeddings()(tree.ids),
            attention_mask=self._mask(batch, tree),
            position_ids=self._positions(batch, tree),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return self._sums(first, hidden, tree)

    def _starts(self, batch: PromptBatch) -> torch.Tensor:
        """int64 N: the place of each answer's first token."""
        starts = batch.lengths + self.offset
        inner = getattr(self.model.network, "model", None)
        deltas = getattr(
            inner, "rope_deltas", None
        )  # places of the Qwen-VL family
        return starts if deltas is None else starts + deltas.reshape(-1)

    def _positions(self, batch: PromptBatch, tree: _Trees) -> torch.Tensor:
        places = self._starts(batch)[:, None] + tree.depth
        inner = getattr(self.model.network, "model", None)
        if getattr(inner, "rope_deltas", None) is not None:
            return places[None].expand(3, -1, -1)
        return places

    def _mask(self, batch: PromptBatch, tree: _Trees) -> Any:
        """What each node sees: the prompt, and the nodes above it; additive, N x 1 x W x (L + W).

        By kind of layer where some see only so far back.
        """
        prompt = batch.inputs["attention_mask"].bool()
        count, width = tree.ids.shape
        seen = torch.cat(
            [
                prompt[:, None, :].expand(count, width, prompt.shape[1]),
                tree.visible,
            ],
            2,
        )
        config = self.model.text_config
        kinds = set(getattr(config, "layer_types", None) or ())
        if "sliding_attention" not in kinds:
            return self._additive(seen)
        index = torch.arange(prompt.shape[1], device=seen.device).expand(
            count, -1
        )
        nodes = batch.lengths[:, None] + tree.depth
        distance = nodes[:, :, None] - torch.cat([index, nodes], 1)[:, None, :]
        near = seen & (distance < config.sliding_window)
        return {
            "full_attention": self._additive(seen),
            "sliding_attention": self._additive(near),
        }

    def _additive(self, seen: torch.Tensor) -> torch.Tensor:
        dtype = self.model.network.dtype
        mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
        return mask.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]

    def _sums(
        self, first: torch.Tensor, hidden: torch.Tensor, tree: _Trees
    ) -> torch.Tensor:
        """float32 N x K: along each answer's path, each token given those above it."""
        head = self.model.network.get_output_embeddings()
        logits = head(hidden[tree.row_of_parent, tree.parent]).float()
        logits = torch.cat([first, logits])
        normal = logits.logsumexp(1)
        tokens = tree.ids[tree.row_of_node, tree.node]
        chosen = (
            logits[tree.parent_of_node, tokens] - normal[tree.parent_of_node]
        )
        each = first.new_zeros(tree.ids.shape)
        each[tree.row_of_node, tree.node] = chosen
        return (tree.on_path * each[:, None, :]).sum(2)


def _innermost(network: Any) -> Any:
    """The layers of the language model, without a head."""
    inner = network.get_decoder()
    while hasattr(inner, "lm_head") and inner.get_decoder() is not inner:
        inner = inner.get_decoder()
    return inner


@dataclass(frozen=True)
class _Trees:
    """Answers to N prompts as one tree each, of at most W nodes.

    ``ids``, ``depth`` int64 N x W; ``visible`` bool N x W x W; ``on_path`` float N x K x W: the
    nodes of each answer. ``row_of_node``, ``node``: where each of M nodes is, ``parent_of_node``:
    whose logits it is chosen by: below N the prompt's own, then those of the nodes that
    ``row_of_parent``, ``parent`` name.
    """

    ids: torch.Tensor
    depth: torch.Tensor
    visible: torch.Tensor
    on_path: torch.Tensor
    row_of_node: torch.Tensor
    node: torch.Tensor
    parent_of_node: torch.Tensor
    row_of_parent: torch.Tensor
    parent: torch.Tensor


def _trees_of(
    answers: Sequence[Sequence[Tokens]], device: torch.device
) -> _Trees:
    sizes = [nodes_of(mine) for mine in answers]
    count, width, most = len(answers), max(sizes), len(answers[0])
    ids = np.zeros((count, width), np.int64)
    depth = np.zeros((count, width), np.int64)
    visible = np.zeros((count, width, width), bool)
    visible[:, np.arange(width), np.arange(width)] = True
    on_path = np.zeros((count, most, width), np.float32)
    nodes: list[
        tuple[int, int, int]
    ] = []  # row, node, number of the parent's logits
    parents: dict[tuple[int, int], int] = {}
    for row, (mine, size) in enumerate(zip(answers, sizes, strict=True)):
        one = next(rows_of(mine, 1, size))
        ids[row, :size], depth[row, :size] = one.ids[0], one.positions[0]
        seen = one.visible[0]
        visible[row, :size, :size] = seen
        on_path[row, one.prompts, :size] = seen[one.node]
        for node in range(size):
            if depth[row, node] == 0:
                nodes.append((row, node, row))
                continue
            above = np.flatnonzero(
                seen[node] & (one.positions[0] == depth[row, node] - 1)
            )
            place = (row, int(above[0]))
            nodes.append(
                (row, node, count + parents.setdefault(place, len(parents)))
            )
    columns = np.array(nodes, np.int64).T
    where = np.array(list(parents), np.int64).reshape(-1, 2).T
    arrays = (ids, depth, visible, on_path, *columns, *where)
    return _Trees(
        *(torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays)
    )


def _extended(
    batch: PromptBatch, tokens: Sequence[Tokens], longest: int, model_type: str
) -> dict[str, Any]:
    """The inputs of `PromptBatch` with an answer behind each prompt, padded on the right."""
    shape = batch.inputs["input_ids"].shape
    inputs = dict(batch.inputs)
    for name, value in batch.inputs.items():
        per_token = torch.is_tensor(value) and value.shape[:2] == shape
        if per_token and (value.ndim == 2 or name == "cross_attention_mask"):
            inputs[name] = _longer(value, longest)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    for row, (length, mine) in enumerate(
        zip(batch.lengths.tolist(), tokens, strict=True)
    ):
        place = slice(length, length + len(mine))
        ids[row, place] = torch.tensor(mine, device=ids.device)
        mask[row, place] = 1
        for name, kinds in ANSWER_TYPES.items():
            if name in inputs:
                inputs[name][row, place] = kinds.get(model_type, 0)
        if "cross_attention_mask" in inputs:
            seen = inputs["cross_attention_mask"]
            seen[row, place] = seen[row, length - 1]
    return inputs


def _longer(value: torch.Tensor, more: int) -> torch.Tensor:
    shape = (value.shape[0], more, *value.shape[2:])
    return torch.cat([value, value.new_zeros(shape)], 1)
