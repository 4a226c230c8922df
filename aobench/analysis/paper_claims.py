"""The abstract's claims, one by one, as data (arXiv 2403.18525, in our words)."""

from __future__ import annotations

from dataclasses import dataclass

#: What one order of magnitude is, as a ratio of odds.
MAGNITUDE = 10.0


@dataclass(frozen=True)
class Claim:
    """A claim that a contrast can bear out.

    ``measure``: ``difference`` (points of effective generalization, threshold 0) or ``odds_ratio``
    (threshold MAGNITUDE).
    """

    key: str
    words: str
    question: str
    pair: tuple[str, str]
    measure: str = "difference"

    @property
    def threshold(self) -> float:
        """What the figure must exceed."""
        return 0.0 if self.measure == "difference" else MAGNITUDE


@dataclass(frozen=True)
class CausalClaim:
    """A claim of a cause, which models that differ in everything cannot settle."""

    key: str
    words: str
    missing: tuple[str, ...]


CLAIMS = (
    Claim(
        "better-than-supervised",
        "CLIPs of large, diverse data generalize effectively better than supervised models.",
        "object",
        ("large", "supervised"),
    ),
    Claim(
        "better-than-small-objects",
        "They do so better than CLIPs of CC-12M or YFCC-15M: asked for objects.",
        "object",
        ("large", "small"),
    ),
    Claim(
        "better-than-small-compositions",
        "They do so better than CLIPs of CC-12M or YFCC-15M: asked for compositions.",
        "composition",
        ("large", "small"),
    ),
    Claim(
        "magnitude-supervised",
        "Better than supervised models by orders of magnitude (odds ratio above 10).",
        "object",
        ("large", "supervised"),
        "odds_ratio",
    ),
    Claim(
        "magnitude-small-objects",
        "Better than small-data CLIPs by orders of magnitude, asked for objects.",
        "object",
        ("large", "small"),
        "odds_ratio",
    ),
    Claim(
        "magnitude-small-compositions",
        "Better than small-data CLIPs by orders of magnitude, asked for compositions.",
        "composition",
        ("large", "small"),
        "odds_ratio",
    ),
)
CAUSES = (
    CausalClaim(
        "cause-scale",
        "The scale of the training data is a cause.",
        (
            "CLIPs of one design on random subsets of one corpus, of several sizes each "
            "(DataComp's and CommonPool's pools come near)",
            "imagenet-ao study shows scale alone, on drawn pictures",
        ),
    ),
    CausalClaim(
        "cause-diversity",
        "The diversity of the training data is a cause.",
        (
            "how freely each training set combines attributes and objects: imagenet-ao audit on "
            "its captions, as a column nmi of the list of models",
            "CLIPs of one design on corpora of one size that differ in it",
        ),
    ),
    CausalClaim(
        "cause-language",
        "Supervision by language is a cause.",
        (
            "models of one design on the same pictures, once with captions and once with labels",
            "imagenet-ao study shows that contrast, on drawn pictures",
        ),
    ),
)
