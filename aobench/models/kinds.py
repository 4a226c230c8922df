"""The kinds of transformers dual encoders, and all that sets one apart from the others. Light:
imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TextRule:
    """How a kind's text tower wants its tokens, and what of its configuration is checked.

    Attributes:
        padding: 'longest' (of the batch) or 'max_length'.
        length: tokens at most, where the configuration doesn't say it.
        causal: a token sees only those before it, so whatever follows the end token is left out and
            shared beginnings are computed once.
        mask: padding is hidden from the tower.
        framed: a text begins with a token of its own, where (or at whose counterpart, the end) the
            tower is read.
        tower_pads: padding is the token that the tower counts its places by, whatever the tokenizer
            calls padding; some of its places are then none of a text's.
        old_end_id: where config.json gives the end token as 2, as early ones do in error, the
            tower is read at the token of the highest id.
        one_activation: both towers are trained with one activation.
    """

    padding: str = "longest"
    length: int | None = None
    causal: bool = False
    mask: bool = True
    framed: bool = True
    tower_pads: bool = False
    old_end_id: bool = False
    one_activation: bool = False

    def most_tokens(self, config: Any) -> int:
        """The longest text in tokens, by this rule and the text tower's configuration.

        Not the tokenizer's model_max_length: the tower's places and the rule say what it was
        trained with.
        """
        places = getattr(config, "max_position_embeddings", 10**9)
        if (
            self.tower_pads
            or getattr(config, "model_type", "") == "xlm-roberta"
        ):
            places -= config.pad_token_id + 1  # where its places begin
        return min(self.length or 10**9, places)

    def ends_at_highest_id(self, config: Any) -> bool:
        """Whether the tower is read at the token of the highest id, not at ``eos_token_id``."""
        return self.old_end_id and config.eos_token_id == 2


#: By model_type. Sources: the kinds' processors and their pooling in transformers; SigLIP was
#: trained on texts padded to 64 tokens.
DUAL_ENCODERS: Mapping[str, TextRule] = {
    "clip": TextRule(causal=True, old_end_id=True, one_activation=True),
    "clipseg": TextRule(causal=True, old_end_id=True, one_activation=True),
    "metaclip_2": TextRule(causal=True, one_activation=True),
    "siglip": TextRule("max_length", 64, mask=False, framed=False),
    "siglip2": TextRule("max_length", 64, mask=False, framed=False),
    "align": TextRule(length=64),
    "altclip": TextRule(tower_pads=True),
    "chinese_clip": TextRule(),
}
