"""How freely corpora combine attributes and objects, side by side and at equal size.

NMI falls with the number of co-occurrences N, in independent corpora too (see
`aobench.audit.statistics.matrix_nmi`), so corpora of different size don't compare as they are. Here
each is also thinned: N of its co-occurrences are drawn without replacement, as ecologists rarefy
samples to compare their richness (Hurlbert 1971).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aobench.audit.result import Audit
from aobench.audit.statistics import Nmi, matrix_nmi
from aobench.columns import columns
from aobench.errors import UserError

#: Above this sum the draws are made with replacement: at such sizes the two don't differ, and numpy
#: stops there.
LARGE = 1_000_000_000
MOST_DRAWS = 100_000


@dataclass(frozen=True)
class ThinnedNmi:
    """Means over draws of ``n`` co-occurrences, and the interval that holds 95 % of the draws."""

    n: int
    draws: int
    nmi: float
    nmi_low: float
    nmi_high: float
    seen: float


@dataclass(frozen=True)
class CorpusDiversity:
    """One corpus: captions scanned, compositions seen of ``pairs``, NMI as it is, and thinned."""

    name: str
    captions: int
    seen: int
    pairs: int
    whole: Nmi
    thinned: ThinnedNmi


def thin_matrix(matrix: np.ndarray, n: int, draws: int, seed: int = 0) -> ThinnedNmi:
    """NMI and compositions seen when only ``n`` of the matrix's co-occurrences, drawn at random,
    are kept.

    ``matrix`` int (attributes, objects). UserError for an ``n`` of 0 or above the sum.
    """
    total = int(matrix.sum())
    if not 0 < n <= total or not 1 <= draws <= MOST_DRAWS:
        raise UserError(
            f"cannot draw {n:,} of {total:,} co-occurrences {draws:,} times; give N from 1 to "
            f"{total:,}, and draws from 1 to {MOST_DRAWS:,}"
        )
    if seed < 0:
        raise UserError(f"the seed is a whole number of at least 0; got {seed}")
    rng = np.random.default_rng(seed)
    flat = matrix.ravel()
    values, seen = [], []
    for _ in range(draws if n < total else 1):
        if n == total:
            drawn = flat
        elif total < LARGE:
            drawn = rng.multivariate_hypergeometric(flat, n, method="marginals")
        else:
            drawn = rng.multinomial(n, flat / total)
        values.append(matrix_nmi(drawn.reshape(matrix.shape), shuffles=0).nmi)
        seen.append(int((drawn > 0).sum()))
    low, high = np.percentile(values, (2.5, 97.5))
    return ThinnedNmi(
        n,
        len(values),
        float(np.mean(values)),
        float(low),
        float(high),
        float(np.mean(seen)),
    )


def compare_corpora(
    audits: Sequence[Audit],
    rule: str = "words",
    at: int | None = None,
    draws: int = 50,
    seed: int = 0,
) -> list[CorpusDiversity]:
    """Each audit's NMI, as it is and thinned to ``at`` co-occurrences (default: those of the
    smallest corpus).

    UserError where the audits counted other names, another version of the rule, or found nothing.
    """
    _same_counting(audits, rule)
    matrices = [audit.matrix(rule) for audit in audits]
    for audit, matrix in zip(audits, matrices, strict=True):
        if not matrix.any():
            raise UserError(
                f"{audit.folder}: rule {rule} saw no composition, so there is nothing to compare"
            )
    if seed < 0:
        raise UserError(f"the seed is a whole number of at least 0; got {seed}")
    n = at if at is not None else min(int(matrix.sum()) for matrix in matrices)
    for audit, matrix in zip(audits, matrices, strict=True):
        if n > matrix.sum():
            raise UserError(
                f"{audit.folder} has {matrix.sum():,} co-occurrences, fewer than --at {n:,}; ask "
                "for less"
            )
    return [
        CorpusDiversity(
            name,
            audit.manifest["totals"]["counted"],
            int((matrix > 0).sum()),
            matrix.size,
            matrix_nmi(matrix, seed=seed),
            thin_matrix(matrix, n, draws, seed),
        )
        for name, audit, matrix in zip(_names(audits), audits, matrices, strict=True)
    ]


def _same_counting(audits: Sequence[Audit], rule: str) -> None:
    first = audits[0]
    for audit in audits:
        audit.matrix(rule)
        if audit.manifest["vocabulary"]["hash"] != first.manifest["vocabulary"]["hash"]:
            raise UserError(
                f"{audit.folder} and {first.folder} looked for other names; audit both with the "
                "same lists"
            )
        versions = [one.manifest["rules"][rule]["version"] for one in (audit, first)]
        if versions[0] != versions[1]:
            raise UserError(
                f"{audit.folder} and {first.folder} used other versions of rule {rule}; audit both "
                "again"
            )


def _names(audits: Sequence[Audit]) -> list[str]:
    """The folders' last parts that tell them apart."""
    parts = [audit.folder.absolute().parts for audit in audits]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    raise UserError("an audit is named twice; name each once")


HEADER = (
    "corpus",
    "captions",
    "co-occurrences",
    "compositions seen",
    "NMI",
    "shuffled",
    "thinned to",
    "NMI thinned",
    "low",
    "high",
    "seen thinned",
)


def _cells(row: CorpusDiversity) -> tuple[str | int | float, ...]:
    t = row.thinned
    return (
        row.name,
        row.captions,
        row.whole.n,
        row.seen,
        row.whole.nmi,
        row.whole.shuffled,
        t.n,
        t.nmi,
        t.nmi_low,
        t.nmi_high,
        t.seen,
    )


def diversity_table(rows: Sequence[CorpusDiversity], rule: str) -> str:
    """A table to read, lowest NMI at equal size first."""
    n, draws = rows[0].thinned.n, max(row.thinned.draws for row in rows)
    table = [
        [
            "corpus",
            "captions",
            "N",
            "seen",
            "NMI",
            "shuffled",
            f"NMI at {n:,}",
            f"seen at {n:,}",
        ]
    ]
    for row in sorted(rows, key=lambda row: row.thinned.nmi):
        t = row.thinned
        table.append(
            [
                row.name,
                f"{row.captions:,}",
                f"{row.whole.n:,}",
                f"{row.seen:,}",
                f"{row.whole.nmi:.4f}",
                f"{row.whole.shuffled:.4f}",
                f"{t.nmi:.4f} [{t.nmi_low:.4f}, {t.nmi_high:.4f}]",
                f"{t.seen:,.0f}",
            ]
        )
    return "\n".join(
        [
            f"Rule {rule}, {rows[0].pairs:,} compositions. N: co-occurrences; seen: compositions.",
            *columns(table, rule=True),
            f"At {n:,}: {draws} draws of so many co-occurrences of each corpus, mean and interval "
            "of 95 % of them.",
            "Lower NMI: attributes and objects are combined more freely; compare it at equal size.",
        ]
    )


def write_csv(rows: Sequence[CorpusDiversity], rule: str, path: Path) -> None:
    """One row a corpus."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["rule", *HEADER])
        table.writerows([rule, *_cells(row)] for row in rows)
