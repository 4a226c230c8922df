"""Why a composition or an image is left out: a code that decides, and the text that tells it.

Tables hold both: ``reason_code``, which programs compare, and ``reason``, which people read. Both
are empty for what stays. The step ``distinct`` has its own, `aobench.duplicates.reasons`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

#: The texts of each code; what stands in braces is filled in.
TEXTS = {
    "same-word": "untestable: a word of the attribute stands in the object's name",
    "shadowed": "untestable: attribute and object are words of another name, to which captions of "
    "them count",
    "excluded": "listed: {why}",
    "seen": "seen: more than {threshold} captions of {corpus} by {rule}",
    "implausible": "implausible: {model} scores it below {least}",
    "balance": "balance: its attribute or object has its share, or enough are drawn",
    "flagged": "flagged: {why}",
    "below-threshold": "{judge}: {question} below {threshold:.4g}",
    "people": "people: not the {parts}",
    "undecided": "undecided: too few people judged it",
}


@dataclass(frozen=True)
class Reason:
    """Why something is left out: ``code`` is a key of `TEXTS`."""

    code: str
    text: str


def reason_of(code: str, **values: Any) -> Reason:
    """The reason of a code, its text filled in.

    Example:
        >>> reason_of("people", parts="object").text
        'people: not the object'
    """
    return Reason(code, TEXTS[code].format(**values))


def reason_columns(reason: Reason | None) -> dict[str, str]:
    """The two columns of a table's row; empty for what stays."""
    return {
        "reason_code": reason.code if reason else "",
        "reason": reason.text if reason else "",
    }


class ReasonGrid:
    """The reason of each composition (attributes, objects); of several the first counts."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._by_code: dict[str, np.ndarray] = {}
        self._number = np.zeros(
            shape, dtype=np.int64
        )  # 0: none, else a place in _reasons
        self._reasons: list[Reason | None] = [None]

    @property
    def free(self) -> np.ndarray:
        """bool: compositions without a reason."""
        return self._number == 0

    def mark(self, where: np.ndarray, reason: Reason) -> None:
        """Give a reason to those of the compositions ``where`` that have none."""
        self._remember(where, reason)
        self._number[where & self.free] = self._place(reason)

    def mark_one(self, pair: tuple[int, int], reason: Reason) -> None:
        """Give a reason to one composition, if it has none."""
        self._remember(pair, reason)
        if self._number[pair] == 0:
            self._number[pair] = self._place(reason)

    def clear(self, where: np.ndarray) -> None:
        """Take every reason from the compositions ``where``: they stay after all."""
        self._number[where] = 0

    def marked(self, *codes: str) -> np.ndarray:
        """bool: compositions that were marked with one of these codes, be it their first or not."""
        marked = np.zeros(self._shape, dtype=bool)
        for code in codes:
            if code in self._by_code:
                marked |= self._by_code[code]
        return marked

    def at(self, pair: tuple[int, int]) -> Reason | None:
        """The reason of a composition; None where it has none."""
        return self._reasons[self._number[pair]]

    def counts(self) -> dict[str, int]:
        """How many compositions have each reason, by its text, in the order of the table."""
        reasons = (
            self._reasons[number]
            for number in self._number[~self.free].tolist()
        )
        return dict(Counter(reason.text for reason in reasons if reason))

    def _remember(self, where: Any, reason: Reason) -> None:
        empty = np.zeros(self._shape, dtype=bool)
        self._by_code.setdefault(reason.code, empty)[where] = True

    def _place(self, reason: Reason) -> int:
        if reason not in self._reasons:
            self._reasons.append(reason)
        return self._reasons.index(reason)
