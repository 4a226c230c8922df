"""The kinds of transformers dual encoders, and how each wants its texts. Light: imports no
torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TextRule:
    """How a kind's text tower wants its tokens.

    ``padding``: 'longest' (of the batch) or 'max_length'; ``length``: tokens at most; ``causal``: a
    token sees only those before it, so whatever follows the end token is left out and shared
    beginnings are computed once. ``mask``: padding is hidden from the tower; ``framed``: a text
    begins with a token of its own, where (or at whose counterpart, the end) the tower is read.
    """

    padding: str = "longest"
    length: int | None = None
    causal: bool = False
    mask: bool = True
    framed: bool = True


#: By model_type. Sources: the kinds' processors; SigLIP was trained on texts padded to 64 tokens.
DUAL_ENCODERS: Mapping[str, TextRule] = {
    "clip": TextRule(causal=True),
    "clipseg": TextRule(causal=True),
    "metaclip_2": TextRule(causal=True),
    "siglip": TextRule("max_length", 64, mask=False, framed=False),
    "siglip2": TextRule("max_length", 64, mask=False, framed=False),
    "align": TextRule(length=64),
    "altclip": TextRule(),
    "chinese_clip": TextRule(),
}
