"""What a matrix of counts says: novelty and its bound, how diversely a corpus composes, where
two rules disagree.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from aobench.audit.files import printable_path
from aobench.audit.precision import labelled_accuracy
from aobench.audit.result import Audit
from aobench.errors import UserError
from aobench.files import scratch_file

NORMALISERS = ("arithmetic", "geometric", "min", "max", "joint")


def upper_bound(count: int, scanned: int, confidence: float = 0.95) -> float:
    """The largest share of captions that is plausible where ``count`` of ``scanned`` drawn captions
    show a composition.

    Clopper and Pearson's one-sided bound (1934). For a count of 0 and 95 % it is 1 - 0.05^(1/n),
    near 3/n: the rule of three (Hanley and Lippman-Hand 1983). It holds for captions drawn at
    random, not for the first ones of a corpus.
    """
    if not 0 <= count <= scanned or scanned < 1:
        raise UserError(
            f"a bound needs 0 <= count <= scanned and scanned >= 1; got {count} of {scanned}"
        )
    if count == scanned:
        return 1.0
    from scipy.stats import beta

    return float(beta.ppf(confidence, count + 1, scanned - count))


@dataclass(frozen=True)
class Nmi:
    """Normalised mutual information, 0..1: lower means that attributes and objects are combined
    more freely.

    ``n``: co-occurrences, the sum of the matrix. ``shuffled``: mean over matrices with the same
    marginals in which attribute and object are independent, which is the upward bias at this n;
    ``shuffled_sd``: their deviation.
    """

    nmi: float
    n: int
    normaliser: str
    mutual_information: float
    entropy_attribute: float
    entropy_object: float
    shuffled: float
    shuffled_sd: float
    shuffles: int

    @property
    def adjusted(self) -> float:
        """NMI adjusted for chance: 0 where attribute and object are independent, at any n, and
        where chance alone gives 1.
        """
        if self.shuffled >= 1:
            return 0.0
        return (self.nmi - self.shuffled) / (1 - self.shuffled)

    def as_dict(self) -> dict[str, float | int | str]:
        """For JSON; entropies in nats."""
        return {**asdict(self), "adjusted": self.adjusted}


def _entropy(counts: np.ndarray) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def normalised_information(
    matrix: np.ndarray, normaliser: str = "arithmetic"
) -> tuple[float, float, float, float]:
    """(NMI, mutual information, H(attribute), H(object)) of a matrix of counts, in nats; NMI 0
    where the normaliser is 0.
    """
    h_a, h_o, h_joint = (
        _entropy(matrix.sum(1)),
        _entropy(matrix.sum(0)),
        _entropy(matrix.ravel()),
    )
    information = max(h_a + h_o - h_joint, 0.0)
    by = {
        "arithmetic": (h_a + h_o) / 2,
        "geometric": (h_a * h_o) ** 0.5,
        "min": min(h_a, h_o),
        "max": max(h_a, h_o),
        "joint": h_joint,
    }[normaliser]
    return (information / by if by > 0 else 0.0), information, h_a, h_o


def matrix_nmi(
    matrix: np.ndarray,
    normaliser: str = "arithmetic",
    shuffles: int = 20,
    seed: int = 0,
) -> Nmi:
    """NMI between attributes and objects of a matrix of counts (attributes, objects), with its
    shuffled baseline.

    I(A; O) over the mean of H(A) and H(O) (Vinh et al. 2010, NMI_sum), or another normaliser, of
    the distribution that gives each co-occurrence of a caption equal weight. The shuffled matrices
    are drawn with all marginals kept (Patefield 1981). UserError for a matrix without counts.
    """
    if normaliser not in NORMALISERS:
        raise UserError(
            f"unknown normaliser {normaliser!r}; there are: {', '.join(NORMALISERS)}"
        )
    total = int(matrix.sum())
    if total == 0:
        raise UserError(
            "no composition was seen, so there is no mutual information to measure"
        )
    value, information, h_a, h_o = normalised_information(matrix, normaliser)
    filled = matrix[matrix.sum(1) > 0][:, matrix.sum(0) > 0]
    from scipy.stats import random_table

    # Patefield's sampler steps through each cell's distribution: beyond 10^9 the bias is nil and is
    # left out.
    drawn = []
    if total < 1_000_000_000 and shuffles:
        tables = random_table(filled.sum(1), filled.sum(0))
        state = np.random.default_rng(seed)
        shuffled = (tables.rvs(random_state=state) for _ in range(shuffles))
        drawn = [
            normalised_information(table, normaliser)[0] for table in shuffled
        ]
    mean, sd = (
        (float(np.mean(drawn)), float(np.std(drawn))) if drawn else (0.0, 0.0)
    )
    return Nmi(
        value, total, normaliser, information, h_a, h_o, mean, sd, len(drawn)
    )


def audit_summary(audit: Audit, threshold: int = 0) -> str:
    """A few lines to read: what was scanned, and by rule what was seen and how diversely."""
    totals, manifest = audit.manifest["totals"], audit.manifest
    files = manifest["files"]
    lines = [
        f"{totals['rows']:,} captions in {len(files) - len(manifest['skipped_files']):,} files "
        f"({totals['nulls']:,} null, {totals['empty']:,} empty), {manifest['seconds']:,.1f} s"
        + (
            f", {manifest['captions_per_second']:,} captions/s"
            if manifest["captions_per_second"]
            else ""
        )
    ]
    lines += [
        f"SKIPPED {printable_path(r['path'])}: {r['error']}"
        for r in files
        if "error" in r
    ]
    already = sum(bool(r.get("resumed")) for r in files)
    if already:
        lines.append(
            f"{already:,} files were counted before and were not read again"
        )
    damaged = [r["path"] for r in files if r.get("damaged_part")]
    if damaged:
        what = f"{len(damaged):,} files were counted again, since their counts on disk were damaged"
        lines.append(f"{what}, such as {printable_path(damaged[0])}")
    if totals["not_utf8"]:
        lines.append(
            f"{totals['not_utf8']:,} captions hold bytes that are not UTF-8 (or NUL), which part "
            "words: convert the files to UTF-8, or names in them are missed"
        )
    for rule, matrix in audit.counts.items():
        novel = int((matrix <= threshold).sum())
        line = (
            f"{rule}: {matrix.size - novel:,} of {matrix.size:,} compositions seen, {novel:,} "
            "novel"
        )
        line += f" (at most {threshold:,} captions)" if threshold else ""
        if matrix.any():
            nmi = matrix_nmi(matrix)
            chance = (
                f"shuffled {nmi.shuffled:.4f}"
                if nmi.shuffles
                else "shuffled: not drawn at this N"
            )
            line += (
                f"; NMI adjusted for chance {nmi.adjusted:.4f} (plain {nmi.nmi:.4f}, {chance}, "
                f"N {nmi.n:,}, arithmetic mean)"
            )
        lines.append(line)
    lines += _corpus_lines(audit)
    left_out = manifest.get("left_out", [])
    if left_out:
        lines.append(
            f"{len(left_out):,} files were left out as no caption files, such as "
            f"{printable_path(left_out[0])}"
        )
    if manifest["sample"] < 1:
        at_most = min(threshold, totals["counted"])
        bound = upper_bound(at_most, totals["counted"])
        how = f"seen at most {at_most:,} times" if at_most else "not seen"
        lines.append(
            f"A sample of {totals['counted']:,} captions: a composition {how} is in at most "
            f"{bound:.3g} of all, "
            f"that is {bound * totals['rows']:,.0f} of {totals['rows']:,} (95 %, each composition "
            "by itself)"
        )
    return "\n".join(lines)


def names_per_caption(audit: Audit) -> tuple[float, float]:
    """Mean number of different attributes, and of objects, that a caption names."""
    counted = max(audit.manifest["totals"]["counted"], 1)
    attributes, objects = (
        float(counts.sum()) / counted for counts in audit.marginals
    )
    return attributes, objects


def _corpus_lines(audit: Audit) -> list[str]:
    """What captions name on average, and how well the rules that were asked for read."""
    attributes, objects = names_per_caption(audit)
    line = f"a caption names {attributes:.2f} attributes and {objects:.2f} objects on average"
    named = audit.manifest.get("named")
    if named and sum(named["attributes"]):
        shares = [
            1 - named[kind][0] / sum(named[kind])
            for kind in ("attributes", "objects")
        ]
        line += f"; {shares[0]:.0%} of captions name an attribute, {shares[1]:.0%} an object"
    lines = [line]
    accuracy = labelled_accuracy()
    said = [
        f"{rule} {one.precision:.0%} [{one.precision_low:.0%}, {one.precision_high:.0%}]"
        for rule, one in accuracy.items()
        if rule in audit.counts
    ]
    if said:
        lines.append(
            f"of the pairs that a rule counts, a caption says, in Flickr30k: {', '.join(said)}"
            + (
                "; words over-counts on purpose"
                if "words" in audit.counts
                else ""
            )
        )
    return lines


def rule_disagreements(
    audit: Audit, a: str = "authors", b: str = "words"
) -> dict[str, np.ndarray]:
    """The compositions that one rule calls seen and the other novel: int (n, 2) of (attribute,
    object) places.
    """
    first, second = audit.matrix(a) > 0, audit.matrix(b) > 0
    return {
        f"{a} only": np.argwhere(first & ~second),
        f"{b} only": np.argwhere(second & ~first),
    }


def write_disagreements(
    audit: Audit, path: Path, a: str = "authors", b: str = "words"
) -> Path:
    """All compositions that the two rules disagree on, with the first example that one of them
    took for it, as CSV.
    """
    disagreements = rule_disagreements(audit, a, b)
    with (
        scratch_file(path) as scratch,
        scratch.open("w", encoding="utf-8", newline="") as stream,
    ):
        table = csv.writer(stream)
        table.writerow(
            [
                "seen by",
                "attribute",
                "object",
                "captions",
                "file",
                "row",
                "caption",
            ]
        )
        for rule, pairs in zip((a, b), disagreements.values(), strict=True):
            examples = audit.examples(rule)
            for i, j in pairs:
                pair = audit.attributes[i], audit.objects[j]
                example = examples.get(pair, [("", "", "")])[0]
                table.writerow(
                    [
                        f"{rule} only",
                        *pair,
                        int(audit.counts[rule][i, j]),
                        *example,
                    ]
                )
    return path
