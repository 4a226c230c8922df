"""Other people's benchmarks, as texts that are right or wrong for an item.

Layouts of captions are known by their columns, whatever the file's kind:

| layout | right | wrong |
|---|---|---|
| aro | true_caption | false_caption |
| sugarcrepe++ | caption, caption2 | negative_caption |
| sugarcrepe, bivlc | caption | negative_caption |
| winoground | caption_0, caption_1 | |
| vismin | text_0, text_1 | |

Winoground and VisMin have two pictures, and each caption is right for one of them. The kinds of
files: `aobench.bindings.benchmark_records`. The sets of the compositional zero-shot field are
folders with their lists of pairs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aobench.audit.grammar import (
    ADJECTIVE,
    ADVERB,
    COPULA,
    DETERMINER,
    HEAD,
    JOIN,
    MADE,
    NOUN,
    OF,
    OPENER,
    PAINTED,
    RELATIVE,
    word_classes,
)
from aobench.audit.inflections import plural_forms
from aobench.audit.vocabulary import Vocabulary
from aobench.audit.words import normal_form, split_words
from aobench.bindings.benchmark_records import BenchmarkRecord, read_records
from aobench.errors import UserError
from aobench.vocabulary.published import published_lists


@dataclass(frozen=True)
class CaptionLayout:
    """The columns of a benchmark's captions: those that are right for an item, and wrong ones."""

    name: str
    right: tuple[str, ...]
    wrong: tuple[str, ...] = ()


CAPTION_LAYOUTS = (
    CaptionLayout("aro", ("true_caption",), ("false_caption",)),
    CaptionLayout(
        "sugarcrepe++", ("caption", "caption2"), ("negative_caption",)
    ),
    CaptionLayout("sugarcrepe", ("caption",), ("negative_caption",)),
    CaptionLayout("bivlc", ("caption",), ("negative_caption",)),
    CaptionLayout("winoground", ("caption_0", "caption_1")),
    CaptionLayout("vismin", ("text_0", "text_1")),
)


@dataclass(frozen=True)
class BenchmarkText:
    """A caption of a benchmark: its item, its column, whether it is right for the item, and its
    file. The text of a caption that an item lacks is empty.
    """

    item: str
    column: str
    right: bool
    text: str
    file: str = ""


def read_benchmark(
    path: str | Path,
    layout: str | None = None,
    right: Sequence[str] = (),
    wrong: Sequence[str] = (),
) -> list[BenchmarkText]:
    """The captions of a benchmark.

    Args:
        path: a file of JSON, JSON lines, CSV, TSV or Parquet, or a folder of them.
        layout: a name of `CAPTION_LAYOUTS` (default: the one whose columns are there).
        right: columns of right captions, in place of a layout's.
        wrong: columns of wrong captions.

    Raises:
        UserError: for a file that can't be read, or has none of the columns; for a caption that
            is no text.
    """
    texts: list[BenchmarkText] = []
    by_file = itertools.groupby(read_records(path), lambda record: record.file)
    for file, group in by_file:
        records = list(group)
        where = f"the benchmark {Path(path) / file if Path(path).is_dir() else path}"
        names = list(
            dict.fromkeys(name for one in records for name in one.fields)
        )
        columns = _columns(where, names, layout, tuple(right), tuple(wrong))
        for record in records:
            for column, is_right in columns:
                texts += _column_texts(record, column, is_right, where)
    return texts


def _column_texts(
    record: BenchmarkRecord, column: str, is_right: bool, where: str
) -> Iterator[BenchmarkText]:
    """The caption of a record in one column, or the several."""
    value = record.fields.get(column)
    several = isinstance(value, list) and len(value) > 1
    for number, text in enumerate(
        (value or [None]) if isinstance(value, list) else [value]
    ):
        if text is not None and not isinstance(text, str):
            raise UserError(
                f"{where}: item {record.item} has no text in {column}, but {str(text)[:40]!r}; "
                "name the columns of captions with --right and --wrong"
            )
        name = f"{column}[{number}]" if several else column
        yield BenchmarkText(
            record.item, name, is_right, text or "", record.file
        )


def _columns(
    where: str,
    names: Sequence[str],
    layout: str | None,
    right: tuple[str, ...],
    wrong: tuple[str, ...],
) -> list[tuple[str, bool]]:
    """Columns of captions, and whether they are right ones."""
    known = {one.name: one for one in CAPTION_LAYOUTS}
    if layout is not None and layout not in known:
        raise UserError(
            f"unknown layout {layout!r}; the layouts are: {', '.join(known)}"
        )
    if right or wrong:
        chosen = CaptionLayout("your columns", right, wrong)
    elif layout:
        chosen = known[layout]
    else:
        fitting = [
            one
            for one in CAPTION_LAYOUTS
            if set(one.right + one.wrong) <= set(names)
        ]
        if not fitting:
            raise UserError(
                f"{where} has columns {_listed(names)}, as none of the layouts "
                f"{', '.join(known)}; name its columns of captions with --right and --wrong"
            )
        chosen = fitting[0]
    columns = [(name, True) for name in chosen.right]
    columns += [(name, False) for name in chosen.wrong]
    for name, _ in columns:
        if name not in names:
            raise UserError(
                f"{where} has no column {name!r}; it has: {_listed(names)}"
            )
    return columns


def _listed(names: Sequence[str], most: int = 40) -> str:
    return ", ".join(names[:most]) + ", ..." * (len(names) > most)


@dataclass(frozen=True)
class PairSplits:
    """The pairs of a set of the compositional zero-shot field, as they are written: those trained
    on, and those asked that were not; and those of each list (train, val, test).
    """

    kind: str
    seen: tuple[tuple[str, str], ...]
    unseen: tuple[tuple[str, str], ...]
    lists: tuple[tuple[str, frozenset[tuple[str, str]]], ...] = ()

    def lists_of(self, pair: tuple[str, str]) -> str:
        """The lists that have a pair, such as ``val test``."""
        return " ".join(name for name, pairs in self.lists if pair in pairs)

    def vocabulary(self) -> Vocabulary:
        """Its names; "Boots.Ankle" is also spoken as "ankle boots"."""
        pairs = (*self.seen, *self.unseen)
        attributes = tuple(sorted({a for a, _ in pairs}))
        objects = tuple(sorted({o for _, o in pairs}))
        spoken = tuple(
            (_spoken(name),) if "." in name else () for name in objects
        )
        return Vocabulary(attributes, objects, spoken)


def _spoken(name: str) -> str:
    general, _, special = name.partition(".")
    return f"{special} {general}"


def pair_root(path: str | Path) -> Path | None:
    """The folder or zip that holds a set's lists of pairs, for that itself, for its folder of
    lists or for one of the lists; None for anything else.
    """
    from aobench.layouts.pair_lists import FAMILY

    given = Path(path)
    if given.suffix.lower() == ".zip":
        return given
    lists = given.absolute()
    if lists.name.endswith("_pairs.txt"):
        lists = lists.parent
    if lists.name.startswith(FAMILY):
        return lists.parent
    holds = given.is_dir() and any(given.rglob(f"{FAMILY}*"))
    return given if holds else None


def read_pair_splits(path: str | Path) -> PairSplits:
    """The pairs of a set's folder: see `aobench.layouts.pair_lists`."""
    from aobench.layouts.pair_lists import read_pair_set, set_kind
    from aobench.layouts.tree import open_tree

    pair_set = read_pair_set(open_tree(str(path)))
    seen = pair_set.pairs["train"]
    unseen = (pair_set.pairs["val"] | pair_set.pairs["test"]) - seen
    lists = tuple(
        (name, frozenset(pairs)) for name, pairs in pair_set.pairs.items()
    )
    return PairSplits(
        set_kind(pair_set), tuple(sorted(seen)), tuple(sorted(unseen)), lists
    )


_FUNCTION = (
    JOIN
    | RELATIVE
    | COPULA
    | MADE
    | OF
    | PAINTED
    | ADVERB
    | DETERMINER
    | OPENER
)
_OTHER = """
in on at to by for near into onto over under behind beside between next inside outside above
below across around through along against with without not no he she it they who what there be
been being has have had do does one ones s t looking sitting standing
"""


def vocabulary_of_texts(texts: Iterable[str]) -> Vocabulary:
    """The attributes and objects that some texts name, by the word lists of the grammar:
    adjectives, and the nouns right after them.

    A rough cut, for a benchmark whose names are in no list. UserError where there is none.
    """
    classes = dict(word_classes())
    for name in published_lists().attributes:
        if " " not in name:
            classes[name] = classes.get(name, 0) | ADJECTIVE
    attributes: set[str] = set()
    objects: set[str] = set()
    for text in texts:
        for clause in re.split(r"[^\w\s'\-]+", normal_form(text)):
            _take_names(split_words(clause), classes, attributes, objects)
    if not attributes or not objects:
        raise UserError(
            "the benchmark's texts name no attribute before an object that the word lists know; "
            "give the names with --attributes and --objects"
        )
    return Vocabulary(
        tuple(sorted(attributes)), tuple(sorted(set(map(_singular, objects))))
    )


def _take_names(
    words: list[str],
    classes: dict[str, int],
    attributes: set[str],
    objects: set[str],
) -> None:
    def is_noun(word: str) -> bool:
        part = classes.get(word, 0)
        if part & _FUNCTION or word in _OTHER.split() or not word.isalpha():
            return False
        return bool(part & (NOUN | HEAD)) or not part & ADJECTIVE

    at = 0
    while at < len(words):
        if not classes.get(words[at], 0) & ADJECTIVE:
            at += 1
            continue
        begin = at
        while at < len(words) and classes.get(words[at], 0) & (
            ADJECTIVE | JOIN
        ):
            at += 1
        end = at
        while end < len(words) and is_noun(words[end]):
            if end > at and not classes.get(words[end], 0) & HEAD:
                break
            end += 1
        if end > at:
            attributes.update(
                w for w in words[begin:at] if classes[w] & ADJECTIVE
            )
            objects.add(" ".join(words[at:end]))
        at = max(end, at)


def _singular(name: str) -> str:
    """The name with its last word in the singular, as far as its letters tell."""
    *before, last = name.split()
    if last.endswith(("us", "ss", "is")):
        return name
    for end, put in _PLURALS:
        stem = last[: -len(end)] + put
        if last.endswith(end) and len(stem) > 2 and last in plural_forms(stem):
            return " ".join((*before, stem))
    return name


_PLURALS = (
    ("ies", "y"),
    ("ves", "f"),
    ("ves", "fe"),
    ("men", "man"),
    ("s", ""),
    ("es", ""),
)
