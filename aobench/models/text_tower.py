"""From texts to embeddings by each kind's own rule of padding, as cheaply as the rule allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional

from aobench.errors import UserError
from aobench.models.base import unwrap_output
from aobench.models.halving import Halving
from aobench.models.kinds import DUAL_ENCODERS
from aobench.models.prefix_tree import WIDTH, rows_of
from aobench.models.tokenizers import refuse_strange_ids

#: Tokens that go through the tower at once, by device.
TOKENS = {"cpu": 4096, "cuda": 65536}


def _padding_token(tokenizer: Any, config: Any, kind: str) -> int:
    """The tokenizer's, or the tower's where it counts places by it. UserError where the tower
    sees padding and the tokenizer has none.
    """
    if DUAL_ENCODERS[kind].tower_pads:
        return int(config.pad_token_id)
    if tokenizer.pad_token_id is None and not DUAL_ENCODERS[kind].mask:
        raise UserError(
            f"the tokenizer of this {kind} names no pad_token, and the tower sees the padding; "
            "copy the model's own "
            "tokenizer files into the folder"
        )
    return int(tokenizer.pad_token_id or 0)


class TextTower:
    """The text side of a transformers dual encoder of ``kind``.

    ``method`` is 'tree' (causal towers: shared beginnings once), 'trimmed' (short texts together,
    padding left out) or 'padded' (all to one length, as the model was trained); ask for a lesser
    one to compare.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        kind: str,
        device: torch.device,
        method: str | None = None,
    ) -> None:
        self.model, self.tokenizer, self.kind, self.device = (
            model,
            tokenizer,
            kind,
            device,
        )
        self.rule = DUAL_ENCODERS[kind]
        config = model.config.text_config
        self.rows = config.vocab_size
        tokenizer.padding_side = tokenizer.truncation_side = "right"
        self.length = self.rule.most_tokens(config)
        self.eos = config.eos_token_id if self.rule.causal else None
        self.ends_at_highest_id = self.rule.ends_at_highest_id(config)
        self.pad = _padding_token(tokenizer, config, kind)
        self._refuse_other_frame()
        self.tokens = TOKENS.get(device.type, TOKENS["cuda"])
        self.method = method or (
            "padded" if self.rule.padding == "max_length" else "trimmed"
        )
        if method is None and self.rule.causal and self._tree_agrees():
            self.method = "tree"
        self._plain = Halving(self._forward)
        self._rows = Halving(self._forward_rows)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit-length float32 N x D on the tower's device, in the order of ``texts``."""
        sequences = self.sequences(texts)
        refuse_strange_ids(
            sequences, self.rows, self.model.config.name_or_path or self.kind
        )
        embedded = (
            self._by_tree(sequences)
            if self.method == "tree"
            else self._by_length(sequences)
        )
        return functional.normalize(embedded, dim=-1)

    def sequences(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text that the tower sees, cut to its length, without padding."""
        tokens = self.tokenizer(
            list(texts), truncation=True, max_length=self.length, padding=False
        )
        return [self._cut(ids) for ids in tokens["input_ids"]]

    def too_long(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text has more tokens than the tower takes."""
        tokens = self.tokenizer(
            list(texts), truncation=False, padding=False, verbose=False
        )
        return [len(ids) > self.length for ids in tokens["input_ids"]]

    def _refuse_other_frame(self) -> None:
        """Raise UserError where texts don't begin and end as the tower's pooling needs it."""
        if not self.rule.framed:
            return
        name = self.model.config.name_or_path or self.kind
        texts = ["photo of the red lion", "the wooden banana"]
        first, second = self.tokenizer(
            texts, truncation=True, max_length=self.length, padding=False
        )["input_ids"]
        if first[0] != second[0]:
            raise UserError(
                f"the tokenizer of {name} begins texts without the token that a {self.kind} begins "
                "them with; copy "
                "the model's own tokenizer files into the folder"
            )
        if not self.rule.causal:
            return
        if not isinstance(self.eos, int):
            raise UserError(
                f"{name}: config.json says of the token that ends a text {self.eos!r} "
                f"(eos_token_id); set text_config.eos_token_id to the tokenizer's, {first[-1]}"
            )
        end = max(first) if self.ends_at_highest_id else self.eos
        if (
            first[-1] != second[-1]
            or end != first[-1]
            or first[-1] in first[:-1]
        ):
            ends = (
                self.tokenizer.eos_token_id
                if first[-1] != second[-1]
                else first[-1]
            )
            raise UserError(
                f"{name}: by config.json a text ends with the token {self.eos} (eos_token_id), by "
                "the tokenizer with "
                f"{ends}: texts would be read at a wrong place; set text_config.eos_token_id to "
                "the tokenizer's, or "
                "copy the model's own tokenizer files into the folder"
            )

    def _end(self, ids: Sequence[int]) -> int:
        """Place of the token whose state is the text's; the rule of the kind's own pooling."""
        if self.ends_at_highest_id:
            return max(range(len(ids)), key=ids.__getitem__)
        return ids.index(self.eos)

    def _cut(self, ids: list[int]) -> list[int]:
        return ids[: self._end(ids) + 1] if self.rule.causal else ids

    def _forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        inputs = {name: value.to(self.device) for name, value in batch.items()}
        return unwrap_output(self.model.get_text_features(**inputs)).float()

    def _by_length(self, sequences: list[list[int]]) -> torch.Tensor:
        """Batches of like length, padded to their longest, or all to the rule's length."""
        order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
        out: torch.Tensor | None = None
        start = 0
        while start < len(order):
            stop = start + 1
            longest = (
                self.length
                if self.method == "padded"
                else len(sequences[order[start]])
            )
            while (
                stop < len(order)
                and (stop - start + 1)
                * (
                    longest
                    if self.method == "padded"
                    else len(sequences[order[stop]])
                )
                <= self.tokens
            ):
                stop += 1
            part = order[start:stop]
            embedded = self._plain(self._padded([sequences[i] for i in part]))
            if out is None:
                out = embedded.new_empty(len(sequences), embedded.shape[1])
            out[torch.tensor(part, device=out.device)] = embedded
            start = stop
        assert out is not None
        return out

    def _padded(self, sequences: list[list[int]]) -> dict[str, torch.Tensor]:
        """The tower's inputs, padded on the right, whatever the tokenizer's own settings are."""
        longest = (
            self.length if self.method == "padded" else max(map(len, sequences))
        )
        # What follows the end token of a causal tower is not seen; the end token again moves no
        # pooling.
        fill = [
            ids[-1] if self.eos is not None else self.pad for ids in sequences
        ]
        rows = [
            ids + [pad] * (longest - len(ids))
            for ids, pad in zip(sequences, fill, strict=True)
        ]
        batch = {"input_ids": torch.tensor(rows)}
        if self.rule.mask:
            seen = [
                [1] * len(ids) + [0] * (longest - len(ids)) for ids in sequences
            ]
            batch["attention_mask"] = torch.tensor(seen)
        return batch

    def _by_tree(self, sequences: list[list[int]]) -> torch.Tensor:
        out: torch.Tensor | None = None
        for rows in rows_of(sequences, max(1, self.tokens // WIDTH)):
            states = self._rows(
                {
                    "ids": torch.from_numpy(rows.ids),
                    "positions": torch.from_numpy(rows.positions),
                    "visible": torch.from_numpy(rows.visible),
                }
            )
            ends = states[
                torch.from_numpy(rows.row).to(states.device),
                torch.from_numpy(rows.node).to(states.device),
            ]
            embedded = self.model.text_projection(
                self.model.text_model.final_layer_norm(ends)
            ).float()
            if out is None:
                out = embedded.new_empty(len(sequences), embedded.shape[1])
            out[torch.from_numpy(rows.prompts).to(out.device)] = embedded
        assert out is not None
        return out

    def _forward_rows(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """States R x W x d of all nodes, by the tower's own layers under the tree's attention
        mask.
        """
        tower = self.model.text_model
        ids, positions, visible = (
            batch[k].to(self.device) for k in ("ids", "positions", "visible")
        )
        # Not tower.embeddings(): it refuses rows longer than a prompt may be.
        states = tower.embeddings.token_embedding(
            ids
        ) + tower.embeddings.position_embedding(positions)
        mask = torch.zeros(
            visible.shape, dtype=states.dtype, device=self.device
        )
        mask.masked_fill_(~visible, torch.finfo(states.dtype).min)
        out = tower.encoder(
            inputs_embeds=states, attention_mask=mask[:, None], is_causal=False
        )
        return out.last_hidden_state

    @torch.inference_mode()
    def _tree_agrees(self) -> bool:
        """Whether the tree gives what the model's own forward pass gives, on trial texts."""
        texts = [
            "a photo of a red car.",
            "a photo of a red cat",
            "art",
            "a photo of a red car in the snow.",
        ]
        sequences = self.sequences(texts)
        self._plain, self._rows = (
            Halving(self._forward),
            Halving(self._forward_rows),
        )
        try:
            a, b = (
                functional.normalize(f(sequences), dim=-1)
                for f in (self._by_tree, self._by_length)
            )
        except (AttributeError, TypeError, RuntimeError):
            return (
                False  # a tower of another build: its own forward pass serves
            )
        return bool(
            (a - b).abs().max()
            < (1e-4 if self.model.dtype == torch.float32 else 3e-2)
        )
