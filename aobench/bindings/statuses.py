"""Has a corpus shown what a benchmark asks? Its texts cut into attribute-object bindings, and these
sorted by how often captions show them.

A text's bindings are the pairs that it shows by the rule ``modifies``. Its status, by each rule of
the audit: ``all seen`` where captions show each of its bindings, ``some seen``, ``none seen``, or
``no binding``. "None seen" by ``words`` is the safe claim of novelty, since ``words`` misses no
pair that stands in a caption; "all seen" by ``modifies`` is the safe claim of the contrary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aobench.audit.lookup import PairPlace, audited_vocabulary, text_pairs
from aobench.audit.result import Audit
from aobench.audit.words import normal_form, split_words
from aobench.bindings.benchmarks import BenchmarkText, PairSplits
from aobench.columns import columns
from aobench.csv_tables import write_csv_rows
from aobench.errors import UserError

STATUSES = ("all seen", "some seen", "none seen", "no binding")


@dataclass(frozen=True)
class TextBindings:
    """A benchmark's text with its bindings; ``lowest``: by rule how many captions show the rarest
    of them; ``status``: by rule one of `STATUSES`.
    """

    text: BenchmarkText
    pairs: tuple[PairPlace, ...]
    lowest: dict[str, int]
    status: dict[str, str]


def binding_status(counts: Sequence[int], threshold: int = 0) -> str:
    """One of `STATUSES`, for the captions that show each binding; seen: more than ``threshold``.

    Example:
        >>> binding_status([3, 0])
        'some seen'
    """
    if not counts:
        return "no binding"
    seen = sum(count > threshold for count in counts)
    return (
        "all seen"
        if seen == len(counts)
        else "some seen"
        if seen
        else "none seen"
    )


def text_bindings(
    audit: Audit, texts: Sequence[BenchmarkText], threshold: int = 0
) -> list[TextBindings]:
    """The bindings of each text, sorted by an audit.

    Args:
        audit: what was counted; its attributes and objects are looked for.
        texts: of `aobench.bindings.benchmarks.read_benchmark`.
        threshold: seen is what more captions than this show.

    Raises:
        UserError: where no text has a binding of the audit's names.
    """
    pairs = text_pairs([one.text for one in texts], audited_vocabulary(audit))
    if not any(pairs):
        raise UserError(
            f"none of the {len(texts):,} texts binds an attribute of {audit.folder} to one of its "
            "objects; count captions for the benchmark's own names, with --captions FILES in place "
            "of --audit"
        )
    result = []
    for text, places in zip(texts, pairs, strict=True):
        counts = {
            rule: [int(matrix[place]) for place in places]
            for rule, matrix in audit.counts.items()
        }
        lowest = {rule: min(n, default=0) for rule, n in counts.items()}
        status = {
            rule: binding_status(n, threshold) for rule, n in counts.items()
        }
        result.append(TextBindings(text, tuple(places), lowest, status))
    return result


def write_text_bindings(
    audit: Audit, rows: Sequence[TextBindings], folder: Path
) -> None:
    """``texts.csv``, one row a text, to be joined by file, item and column; ``bindings.csv``, one
    row a pair. The benchmark's texts themselves are not written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rules = list(audit.counts)
    header = ["file", "item", "column", "right", "bindings"]
    facts = ("status", "lowest", "counts")
    header += [f"{what}_{rule}" for rule in rules for what in facts]
    table = []
    for row in rows:
        named = "; ".join(" ".join(_names(audit, place)) for place in row.pairs)
        text = row.text
        cells = [text.file, text.item, text.column, int(text.right), named]
        for rule in rules:
            counts = [int(audit.counts[rule][place]) for place in row.pairs]
            lowest = row.lowest[rule] if row.pairs else ""
            cells += [row.status[rule], lowest, "; ".join(map(str, counts))]
        table.append(dict(zip(header, cells, strict=True)))
    write_csv_rows(folder / "texts.csv", table)
    right = Counter(p for row in rows if row.text.right for p in row.pairs)
    wrong = Counter(p for row in rows if not row.text.right for p in row.pairs)
    header = ["attribute", "object", "right_texts", "wrong_texts", *rules]
    table = [
        dict(
            zip(
                header,
                [
                    *_names(audit, place),
                    right[place],
                    wrong[place],
                    *(int(audit.counts[rule][place]) for rule in rules),
                ],
                strict=True,
            )
        )
        for place in sorted(right | wrong)
    ]
    write_csv_rows(folder / "bindings.csv", table)


def _names(audit: Audit, place: PairPlace) -> tuple[str, str]:
    return audit.attributes[place[0]], audit.objects[place[1]]


def binding_summary(audit: Audit, rows: Sequence[TextBindings]) -> str:
    """The table of right and wrong captions by status, under each rule."""
    lines = []
    for rule in audit.counts:
        table = [["captions", "texts", *STATUSES]]
        for name, is_right in (("right", True), ("wrong", False)):
            status = Counter(
                r.status[rule] for r in rows if r.text.right == is_right
            )
            total = sum(status.values())
            if total:
                cells = [_share(status[one], total) for one in STATUSES]
                table.append([name, f"{total:,}", *cells])
        lines += [f"Rule {rule}:", *columns(table, rule=True), ""]
    different = {place for row in rows for place in row.pairs}
    unseen = {
        rule: sum(not matrix[place] for place in different)
        for rule, matrix in audit.counts.items()
    }
    counts = ", ".join(f"{n:,} by {rule}" for rule, n in unseen.items())
    lines.append(
        f"{len(different):,} different bindings; captions show none of these: {counts}. "
        f"{audit.manifest['totals']['counted']:,} captions counted."
    )
    return "\n".join([*lines, *_text_notes([row.text for row in rows])])


def _text_notes(texts: Sequence[BenchmarkText]) -> list[str]:
    """Lines on captions that tell nothing: absent ones, and those that are right and wrong."""
    notes = []
    absent = Counter(one.column for one in texts if not one.text.strip())
    if absent:
        shown = ", ".join(f"{n:,} in {column}" for column, n in absent.items())
        notes.append(
            f"Note: items without a caption count as no binding: {shown}."
        )
    sides: dict[tuple[str, str, str], set[bool]] = {}
    for one in texts:
        if one.text.strip():
            key = one.file, one.item, normal_form(one.text)
            sides.setdefault(key, set()).add(one.right)
    both = sum(len(side) > 1 for side in sides.values())
    if both:
        notes.append(
            f"Note: {both:,} captions stand as right and as wrong for the same item; no answer to "
            "these is right."
        )
    return notes


def _share(n: int, total: int) -> str:
    return f"{n:,} ({n / total:.0%})"


@dataclass(frozen=True)
class SplitBinding:
    """A pair of a set of the field: whether the set trains on it, by rule the captions that show
    it (None where the audit looked for no such name), and the lists that have it.
    """

    attribute: str
    object: str
    trained: bool
    counts: dict[str, int] | None
    lists: str = ""


def split_bindings(audit: Audit, splits: PairSplits) -> list[SplitBinding]:
    """The pairs of a set's split files, with an audit's counts. UserError where it has none of
    their names.
    """
    attributes = {
        tuple(split_words(n)): i for i, n in enumerate(audit.attributes)
    }
    objects = {tuple(split_words(n)): i for i, n in enumerate(audit.objects)}
    result = []
    for trained, pairs in ((True, splits.seen), (False, splits.unseen)):
        for attribute, name in pairs:
            a = attributes.get(tuple(split_words(attribute)))
            o = objects.get(tuple(split_words(name)))
            counts = None
            if a is not None and o is not None:
                counts = {
                    rule: int(m[a, o]) for rule, m in audit.counts.items()
                }
            lists = splits.lists_of((attribute, name))
            result.append(SplitBinding(attribute, name, trained, counts, lists))
    if all(one.counts is None for one in result):
        raise UserError(
            f"{audit.folder} looked for none of the set's pairs; count captions for its own names, "
            "with --captions FILES in place of --audit"
        )
    return result


def write_split_bindings(
    audit: Audit, rows: Sequence[SplitBinding], folder: Path
) -> None:
    """``pairs.csv``: each pair, whether the set trains on it, the lists that have it, and its
    captions by rule (empty where its names weren't looked for).
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = [
        {
            "attribute": one.attribute,
            "object": one.object,
            "trained": int(one.trained),
            "lists": one.lists,
            **(one.counts or dict.fromkeys(audit.counts, "")),
        }
        for one in rows
    ]
    write_csv_rows(folder / "pairs.csv", table)


def split_summary(
    audit: Audit, rows: Sequence[SplitBinding], kind: str, threshold: int = 0
) -> str:
    """How many of the pairs that a set calls unseen the captions show."""
    table = [
        [
            "pairs",
            "number",
            "looked for",
            *(f"seen ({rule})" for rule in audit.counts),
        ]
    ]
    for name, trained in (("trained on", True), ("called unseen", False)):
        mine = [one for one in rows if one.trained == trained]
        counted = [one.counts for one in mine if one.counts is not None]
        cells = []
        for rule in audit.counts:
            seen = sum(counts[rule] > threshold for counts in counted)
            cells.append(_share(seen, len(counted)) if counted else "")
        table.append([name, f"{len(mine):,}", f"{len(counted):,}", *cells])
    lines = [f"{kind}, {audit.manifest['totals']['counted']:,} captions:"]
    return "\n".join([*lines, *columns(table, rule=True)])
