"""Why an image is removed: a code that decides, and the text that tells it.

Tables hold both: ``reason_code``, which programs compare, and ``reason``, which people read. Both
are empty for an image that stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

NEAR_DUPLICATE = "near-duplicate"
NEAR_REFERENCE = "near-reference"
UNREADABLE = "unreadable"

#: What each code means, where images of it are counted.
SUMMARIES = {
    NEAR_DUPLICATE: "near-duplicate",
    NEAR_REFERENCE: "too near to reference",
    UNREADABLE: "unreadable",
}
_SENTENCES = {
    NEAR_DUPLICATE: "near-duplicate of {}",
    NEAR_REFERENCE: "too near to reference {}",
    UNREADABLE: "unreadable: {}",
}


@dataclass(frozen=True)
class RemovalReason:
    """Why one image is removed.

    ``detail``: the kept image's id, the reference's file and row, or why it can't be read.

    Example:
        >>> RemovalReason(NEAR_DUPLICATE, "p00").text
        'near-duplicate of p00'
    """

    code: str
    detail: str

    @property
    def text(self) -> str:
        """The sentence for people."""
        return _SENTENCES[self.code].format(self.detail)


def count_codes(codes: Iterable[str]) -> dict[str, int]:
    """How many images were removed for each code; images that stay (an empty code) don't count.

    Example:
        >>> count_codes(["", "unreadable"])
        {'near-duplicate': 0, 'near-reference': 0, 'unreadable': 1}
    """
    counter = Counter(codes)
    return {code: counter[code] for code in SUMMARIES}


def summary_lines(removed: dict[str, int]) -> list[str]:
    """Counts by code as lines for people, the largest first; without those of none."""
    return [
        f"  {count:,} {SUMMARIES[code]}"
        for code, count in sorted(removed.items(), key=lambda item: -item[1])
        if count
    ]
