"""Audits of other shards are added up to one, and two audits are compared: what became seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aobench.audit.counter import (
    MOST_NAMED,
    CountingPlan,
    PartialCounts,
    merge_parts,
)
from aobench.audit.lookup import audited_vocabulary
from aobench.audit.output import write_counts
from aobench.audit.result import Audit
from aobench.audit.streams import printable_path
from aobench.audit.tally import FILE_SHIFT, GROUPS, ScanTotals, SparseCounts
from aobench.audit.words import word_hash
from aobench.errors import UserError


def merge_audits(audits: Sequence[Audit], out: str | Path) -> Audit:
    """One audit of several that counted other files for the same names, as if one had read all.

    Args:
        audits: of the same names, rules, sample and sketch.
        out: the folder that is written.

    Returns:
        Its counts: sums, with the different captions joined by their sketches.

    Raises:
        UserError: where the audits don't fit, or a file was counted by two of them.
    """
    from aobench.audit.api import alone_in

    if len(audits) < 2:
        raise UserError("merging needs at least two audits")
    first = audits[0]
    for other in audits[1:]:
        _check_same_plan(first, other)
    _refuse_common_files(audits)
    keys = ("sketch", "examples", "sample")
    sketch, examples, sample = (first.manifest[key] for key in keys)
    rules = tuple(first.counts)
    plan = CountingPlan(
        audited_vocabulary(first), rules, sketch, examples, sample
    )
    parts: list[tuple[int, PartialCounts]] = []
    texts: dict[int, str] = {}
    records: list[dict[str, Any]] = []
    base = 0
    for audit in audits:
        part = _part_of(audit, plan)
        shift = base << FILE_SHIFT
        parts.append((shift, part))
        texts.update(
            {row + shift: text for row, text in part.texts.items() if text}
        )
        records += audit.manifest["files"]
        base += len(audit.manifest["files"])
    whole = merge_parts(plan, parts)
    skipped = [
        path for audit in audits for path in audit.manifest["skipped_files"]
    ]
    manifest = {
        **{
            k: v
            for k, v in first.manifest.items()
            if k not in ("sha256", "tables")
        },
        "merged": [audit.manifest.get("sha256") for audit in audits],
        "seconds": round(sum(audit.manifest["seconds"] for audit in audits), 3),
        "captions_per_second": None,
        "files": records,
        "skipped_files": skipped,
        "left_out": [p for a in audits for p in a.manifest.get("left_out", [])],
    }
    with alone_in(Path(out)):
        return write_counts(Path(out), plan, whole, texts, records, manifest)


def _check_same_plan(first: Audit, other: Audit) -> None:
    """UserError where two audits counted something else."""
    mine, theirs = first.manifest, other.manifest
    if mine["vocabulary"]["hash"] != theirs["vocabulary"]["hash"]:
        raise UserError(
            f"{other.folder} and {first.folder} looked for other names; audit both with the same "
            "lists"
        )
    versions = [
        {rule: facts["version"] for rule, facts in one["rules"].items()}
        for one in (mine, theirs)
    ]
    if versions[0] != versions[1]:
        raise UserError(
            f"{other.folder} and {first.folder} counted by other rules; audit both by the same"
        )
    if mine.get("hash_version", 1) != theirs.get("hash_version", 1):
        raise UserError(
            f"{other.folder} and {first.folder} tell different captions apart by other hashes, as "
            "one is of an earlier version of imagenet-ao; run that audit again"
        )
    for key in ("sample", "sketch", "examples"):
        if mine.get(key) != theirs.get(key):
            raise UserError(
                f"{other.folder} and {first.folder} differ in --{key} ({theirs.get(key)} and "
                f"{mine.get(key)}); audit both with the same"
            )


def _refuse_common_files(audits: Sequence[Audit]) -> None:
    """UserError where two audits counted a file of the same content, or of the same name and
    size.
    """
    seen: dict[Any, Path] = {}
    for audit in audits:
        mine: set[Any] = set()
        for record in audit.manifest["files"]:
            if "error" not in record:
                digest = record.get("sha256")
                mine.add(digest or (Path(record["path"]).name, record["size"]))
        for key in mine:
            if key in seen:
                raise UserError(
                    f"{audit.folder} and {seen[key]} both counted a file ({key}); its captions "
                    "would count twice: merge audits of different files"
                )
            seen[key] = audit.folder


def _part_of(audit: Audit, plan: CountingPlan) -> PartialCounts:
    """The counts of an audit's folder, as those of one file."""
    names = {
        printable_path(record["path"]): i
        for i, record in enumerate(audit.manifest["files"])
    }
    texts: dict[int, str] = {}
    rules = {
        rule: _sparse_of(audit, rule, plan.cell_table(rule), names, texts)
        for rule in plan.rules
    }
    named = np.zeros((2, MOST_NAMED + 1), np.int64)
    for row, kind in enumerate(("attributes", "objects")):
        named[row, 1:] = audit.manifest["named"][kind][1:]
    facts = dict(audit.manifest["totals"])
    facts["text_hash"] = int(facts["text_hash"], 16)
    attributes, objects = audit.marginals
    return PartialCounts(
        rules, attributes, objects, named, ScanTotals(**facts), texts
    )


def _sparse_of(
    audit: Audit,
    rule: str,
    cells: np.ndarray,
    names: dict[str, int],
    texts: dict[int, str],
) -> SparseCounts:
    """A rule's counts by cell; of the compositions that share one (rule ``authors``) the first
    tells them.
    """
    pairs, hash_starts, hashes = audit.sketches(rule)
    _, keep = np.unique(cells.ravel()[pairs], return_index=True)
    groups = audit.groups(rule).reshape(GROUPS, -1)[:, pairs[keep]].T
    lengths = np.diff(hash_starts)[keep]
    picked = [hashes[hash_starts[k] : hash_starts[k + 1]] for k in keep]
    examples = audit.examples(rule)
    width = len(audit.objects)
    rows: list[int] = []
    held = []
    for pair in pairs[keep]:
        key = audit.attributes[pair // width], audit.objects[pair % width]
        mine = []
        for file, row, text in examples.get(key, []):
            mine.append((names[file] << FILE_SHIFT) + row)
            texts[mine[-1]] = text
        rows += sorted(mine)
        held.append(len(mine))
    return SparseCounts(
        cells.ravel()[pairs[keep]],
        audit.matrix(rule).ravel()[pairs[keep]],
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([*picked, np.zeros(0, np.uint64)]),
        np.concatenate([[0], np.cumsum(held)]).astype(np.int64),
        np.array(rows, np.int64),
        np.array(
            [_row_hash(texts[row], audit, row) for row in rows], np.uint64
        ),
        np.ascontiguousarray(groups),
    )


def _row_hash(text: str, audit: Audit, row: int) -> int:
    """A hash of an example's text; without one, of its place, since the examples of one audit
    differ.
    """
    return word_hash(text or f"{audit.manifest.get('sha256')} {row}")


@dataclass(frozen=True)
class SeenChange:
    """A composition whose captions passed the threshold in one of two audits only."""

    attribute: str
    object: str
    before: int
    after: int


def compare_audits(
    before: Audit, after: Audit, rule: str = "words", threshold: int = 0
) -> list[SeenChange]:
    """The compositions that one audit calls seen and the other novel, those that became seen first.

    Args:
        before: an audit of some captions.
        after: one of others, or more, for the same names.
        rule: what counts; "words" is the safe side for novelty.
        threshold: seen is what more captions than this show.

    Raises:
        UserError: where the audits looked for other names, or by another version of the rule.
    """
    from aobench.audit.diversity import check_same_counting

    check_same_counting((before, after), rule)
    first, second = before.matrix(rule), after.matrix(rule)
    places = np.argwhere((first > threshold) != (second > threshold))
    changes = [
        SeenChange(
            before.attributes[a],
            before.objects[o],
            int(first[a, o]),
            int(second[a, o]),
        )
        for a, o in places
    ]
    return sorted(changes, key=lambda one: (one.before > threshold, -one.after))
