"""How freely corpora combine attributes and objects, side by side.

NMI falls with the number of co-occurrences N, and rises with the number of names, in independent
corpora too (see `aobench.audit.statistics.matrix_nmi`), so corpora don't compare as they are. What
is ranked is NMI adjusted for chance, (NMI - shuffled) / (1 - shuffled), as Vinh et al. (2010)
adjust mutual information: 0 for independent attributes and objects, whatever N and the vocabulary.
Beside it each corpus is thinned: N of its co-occurrences are drawn without replacement, as
ecologists rarefy samples to compare their richness (Hurlbert 1971); that settles N, but not the
vocabulary.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aobench.audit.result import Audit
from aobench.audit.statistics import Nmi, matrix_nmi, names_per_caption
from aobench.columns import columns
from aobench.errors import UserError
from aobench.files import scratch_file

#: Above this sum the draws are made with replacement: at such sizes the two don't differ, and numpy
#: stops there.
LARGE = 1_000_000_000
MOST_DRAWS = 100_000
#: An interval needs captions in so many groups.
LEAST_GROUPS = 8


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
class AdjustedNmi:
    """NMI adjusted for chance, and the interval of 95 % that other captions of the same source
    would give; NaN where the captions make fewer than `LEAST_GROUPS` groups.
    """

    value: float
    low: float
    high: float
    groups: int


@dataclass(frozen=True)
class CorpusDiversity:
    """One corpus: captions scanned, compositions seen of ``pairs``, NMI adjusted for chance, as it
    is, and thinned; attributes and objects that a caption names on average.
    """

    name: str
    captions: int
    seen: int
    pairs: int
    whole: Nmi
    thinned: ThinnedNmi
    adjusted: AdjustedNmi
    names: tuple[float, float]


def thin_matrix(
    matrix: np.ndarray, n: int, draws: int, seed: int = 0
) -> ThinnedNmi:
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


def adjusted_nmi(
    groups: np.ndarray, shuffles: int = 20, seed: int = 0
) -> AdjustedNmi:
    """NMI adjusted for chance, with an interval over captions.

    The interval is that of the jackknife that leaves out one group of captions at a time (Kott
    2001), with Student's t of groups - 1. A bootstrap that draws captions with replacement would
    not do: the captions drawn twice look like dependence.

    Args:
        groups: counts by group of captions, int (groups, attributes, objects).
        shuffles: shuffled matrices behind the adjustment of each value.
        seed: of the shuffled matrices.

    Raises:
        UserError: where no composition was seen.
    """
    from scipy.stats import t as student

    groups = groups[groups.any(axis=(1, 2))]
    total, n = groups.sum(0), len(groups)
    value = matrix_nmi(total, shuffles=shuffles, seed=seed).adjusted
    if n < LEAST_GROUPS:
        return AdjustedNmi(value, float("nan"), float("nan"), n)
    left = [
        matrix_nmi(total - one, shuffles=5, seed=seed).adjusted
        for one in groups
    ]
    error = float(np.sqrt((n - 1) * np.var(left)))
    reach = float(student.ppf(0.975, n - 1)) * error
    return AdjustedNmi(value, value - reach, value + reach, n)


def compare_corpora(
    audits: Sequence[Audit],
    rule: str = "modifies",
    at: int | None = None,
    draws: int = 50,
    seed: int = 0,
) -> list[CorpusDiversity]:
    """Each audit's NMI, as it is and thinned to ``at`` co-occurrences (default: those of the
    smallest corpus).

    UserError where the audits counted other names, another version of the rule, or found nothing.
    """
    check_same_counting(audits, rule)
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
            adjusted_nmi(audit.groups(rule), seed=seed),
            names_per_caption(audit),
        )
        for name, audit, matrix in zip(
            _names(audits), audits, matrices, strict=True
        )
    ]


def check_same_counting(audits: Sequence[Audit], rule: str) -> None:
    """UserError where audits looked for other names, or by other versions of a rule."""
    first = audits[0]
    for audit in audits:
        audit.matrix(rule)
        if (
            audit.manifest["vocabulary"]["hash"]
            != first.manifest["vocabulary"]["hash"]
        ):
            raise UserError(
                f"{audit.folder} and {first.folder} looked for other names; audit both with the "
                "same lists"
            )
        versions = [
            one.manifest["rules"][rule]["version"] for one in (audit, first)
        ]
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
    "NMI adjusted",
    "adjusted low",
    "adjusted high",
    "NMI",
    "shuffled",
    "thinned to",
    "NMI thinned",
    "low",
    "high",
    "seen thinned",
    "attributes a caption",
    "objects a caption",
)


def _cells(row: CorpusDiversity) -> tuple[str | int | float, ...]:
    t, adjusted = row.thinned, row.adjusted
    return (
        row.name,
        row.captions,
        row.whole.n,
        row.seen,
        adjusted.value,
        adjusted.low,
        adjusted.high,
        row.whole.nmi,
        row.whole.shuffled,
        t.n,
        t.nmi,
        t.nmi_low,
        t.nmi_high,
        t.seen,
        *row.names,
    )


def _adjusted_text(adjusted: AdjustedNmi) -> str:
    if np.isnan(adjusted.low):
        return f"{adjusted.value:.4f} (too few captions for an interval)"
    return f"{adjusted.value:.4f} [{adjusted.low:.4f}, {adjusted.high:.4f}]"


def diversity_table(rows: Sequence[CorpusDiversity], rule: str) -> str:
    """A table to read, lowest adjusted NMI first."""
    n, draws = rows[0].thinned.n, max(row.thinned.draws for row in rows)
    table = [
        [
            "corpus",
            "captions",
            "N",
            "seen",
            "NMI adjusted",
            "NMI",
            "shuffled",
            f"NMI at {n:,}",
            f"seen at {n:,}",
        ]
    ]
    for row in sorted(rows, key=lambda row: row.adjusted.value):
        t = row.thinned
        table.append(
            [
                row.name,
                f"{row.captions:,}",
                f"{row.whole.n:,}",
                f"{row.seen:,}",
                _adjusted_text(row.adjusted),
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
            "Lower: attributes and objects are combined more freely. NMI adjusted for chance is "
            "what compares corpora; 0: independent.",
            "Its interval: 95 %, other captions of the same source.",
        ]
    )


def write_csv(rows: Sequence[CorpusDiversity], rule: str, path: Path) -> None:
    """One row a corpus."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        scratch_file(path) as scratch,
        scratch.open("w", encoding="utf-8", newline="") as stream,
    ):
        table = csv.writer(stream)
        table.writerow(["rule", *HEADER])
        table.writerows([rule, *_cells(row)] for row in rows)
