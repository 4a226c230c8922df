"""The statements that docs/study_design_2.md fixed before any run, and what the runs say."""

from __future__ import annotations

from dataclasses import dataclass

from aobench.study.factorial import CENTRE
from aobench.study.factorial_figures import Factorial, Sourced
from aobench.study.summary import Estimate

_PLACE = f"{CENTRE[0]} {CENTRE[1]}"
#: number: (claim, figure, its sign in the claim)
CLAIMS: dict[str, tuple[str, str, int]] = {
    "1": (
        "contrast with captions leads object classifiers",
        "mean lead contrastive",
        1,
    ),
    "2a": (
        "classifying seen pairs leads object classifiers, linear",
        "mean lead seen_pairs",
        1,
    ),
    "2b": ("the same, cosine", "mean lead seen_pairs_cosine", 1),
    "3a": (
        "contrast with captions leads the cosine classifier of pairs",
        "contrastive less seen_pairs_cosine",
        1,
    ),
    "3b": (
        "that classifier has more than half of contrast's lead",
        "seen_pairs_cosine less half of contrastive",
        1,
    ),
    "4a": (
        "interaction: the lead of contrast shrinks per doubling of diversity",
        "diversity lead contrastive",
        -1,
    ),
    "4b": ("the same of seen_pairs", "diversity lead seen_pairs", -1),
    "4c": (
        "the same of seen_pairs_cosine",
        "diversity lead seen_pairs_cosine",
        -1,
    ),
    "5": (
        "more images help contrast (OoD log odds per doubling)",
        "scale ood contrastive",
        1,
    ),
    "6a": (
        "more diversity helps contrast (OoD log odds per doubling)",
        "diversity ood contrastive",
        1,
    ),
    "6b": (
        "more diversity helps object classifiers",
        "diversity ood object",
        1,
    ),
    "7": (
        "a head for attributes alone harms (two_head, centre)",
        f"lead two_head {_PLACE}",
        -1,
    ),
    "8": (
        "captions lead labels under contrast (added)",
        "contrastive less contrastive_labels",
        1,
    ),
    "9a": (
        "captions under contrast lead composed labels, linear (afterwards)",
        "contrastive less composed_pairs",
        1,
    ),
    "9b": (
        "the same, cosine (afterwards)",
        "contrastive less composed_pairs_cosine",
        1,
    ),
    "9c": (
        "the lead of composed_pairs shrinks per doubling of diversity (afterwards)",
        "diversity lead composed_pairs",
        -1,
    ),
    "9d": (
        "the same of composed_pairs_cosine (afterwards)",
        "diversity lead composed_pairs_cosine",
        -1,
    ),
}


@dataclass(frozen=True)
class Finding:
    """A statement: ``figure`` as it is measured, ``sign`` -1 where the claim is that it is below
    0.
    """

    number: str
    claim: str
    figure: Sourced
    sign: int

    def _verdict(self, e: Estimate) -> str:
        return (e if self.sign > 0 else -e).verdict

    @property
    def verdict(self) -> str:
        """By the errors of seeds and pairs both."""
        return self._verdict(self.figure.over_both)

    @property
    def wide_verdict(self) -> str:
        """By the errors of seeds, and of attributes and objects."""
        return self._verdict(self.figure.over_parts)


def all_findings(study: Factorial) -> list[Finding]:
    """Every statement of the design, in its order."""
    return [
        Finding(number, claim, study.sourced[name], sign)
        for number, (claim, name, sign) in CLAIMS.items()
    ]
