"""How many captions show each composition, estimated by a dependency parser on the examples that an
audit kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aobench.audit.lookup import audited_vocabulary
from aobench.audit.parsing import parsed_composition
from aobench.audit.result import Audit
from aobench.errors import UserError

#: Captions -> their tokens, in order; spaCy's ``nlp.pipe`` is one.
CaptionParser = Callable[[Iterable[str]], Iterable[Sequence[Any]]]
DRAWS = 2_000


@dataclass(frozen=True)
class ShownEstimate:
    """Of one composition: captions that the rule counts, examples parsed, those that show it, and
    how many captions show it, with an interval of 95 %.
    """

    attribute: str
    object: str
    count: int
    parsed: int
    shown: int
    estimate: float
    low: float
    high: float


def shown_interval(count: int, parsed: int, shown: int) -> tuple[float, float]:
    """Bounds of the captions that show a composition, where ``shown`` of ``parsed`` do.

    Wilson's interval (1927) of the share, times ``count``; within what the parsed captions leave
    possible, and exact where all were parsed. It takes the examples, which are the first different
    captions, for a random draw.

    Example:
        >>> shown_interval(3, 3, 2)
        (2.0, 2.0)
    """
    if parsed >= count:
        return float(shown), float(shown)
    from scipy.stats import binomtest

    share = binomtest(shown, parsed).proportion_ci(method="wilson")
    low, high = float(share.low) * count, float(share.high) * count
    return max(low, float(shown)), min(high, float(count - parsed + shown))


def estimate_shown(
    audit: Audit, rule: str, parse: CaptionParser
) -> list[ShownEstimate]:
    """Parse the kept examples of a rule, and estimate how many captions show each composition.

    Args:
        audit: with examples and their captions.
        rule: one that it counted.
        parse: gives the tokens of each caption; see `aobench.audit.parsing.Token`.

    Raises:
        UserError: where the audit kept no captions.
    """
    names = audited_vocabulary(audit)
    examples = audit.examples(rule)
    texts = sorted(
        {text for rows in examples.values() for _, _, text in rows if text}
    )
    if not texts:
        raise UserError(
            f"{audit.folder} kept no captions of rule {rule} to parse; count with --examples 3 or "
            "more"
        )
    parsed = dict(
        zip(
            texts, map(list, parse(text.strip() for text in texts)), strict=True
        )
    )
    attributes = {name: i for i, name in enumerate(audit.attributes)}
    objects = {name: i for i, name in enumerate(audit.objects)}
    matrix, result = audit.matrix(rule), []
    for (attribute, name), rows in sorted(examples.items()):
        place = attributes[attribute], objects[name]
        forms = names.attribute_forms[place[0]], names.object_forms[place[1]]
        mine = [parsed[text] for _, _, text in rows if text]
        shown = sum(parsed_composition(tokens, *forms) for tokens in mine)
        count = int(matrix[place])
        low, high = shown_interval(count, len(mine), shown)
        estimate = count * shown / len(mine) if mine else float("nan")
        result.append(
            ShownEstimate(
                attribute, name, count, len(mine), shown, estimate, low, high
            )
        )
    return result


def parsed_precision(
    rows: Sequence[ShownEstimate], seed: int = 0
) -> tuple[float, float, float]:
    """The share of what a rule counts that the parser bears out, and its interval of 95 %: a
    bootstrap over compositions.
    """
    counts = np.array([row.count for row in rows], float)
    shown = np.array([row.estimate for row in rows])
    draws = np.random.default_rng(seed).integers(
        0, len(rows), (DRAWS, len(rows))
    )
    shares = shown[draws].sum(1) / counts[draws].sum(1)
    low, high = np.percentile(shares, (2.5, 97.5))
    return float(shown.sum() / counts.sum()), float(low), float(high)


def write_shown(rows: Sequence[ShownEstimate], path: Path) -> None:
    """One row a composition that was seen."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([vars(row) for row in rows])
    pq.write_table(table, path, compression="zstd")


def shown_lines(by_rule: dict[str, list[ShownEstimate]]) -> list[str]:
    """What the parser says of each rule: its precision, and its recall of what ``words`` holds."""
    lines = []
    every = sum(row.estimate for row in by_rule.get("words", []))
    for rule, rows in by_rule.items():
        share, low, high = parsed_precision(rows)
        shown = sum(row.estimate for row in rows)
        line = f"{rule}: by the parser {share:.1%} [{low:.1%}, {high:.1%}] of it is shown"
        line += f", about {shown:,.0f} captions"
        if every and rule != "words":
            line += f", {shown / every:.0%} of what words holds"
        lines.append(line)
    return lines
