"""Other people's benchmarks, as texts that are right or wrong for an item.

Layouts of captions are known by their columns, whatever the file's kind:

| layout | right | wrong |
|---|---|---|
| aro | true_caption | false_caption |
| sugarcrepe, bivlc | caption | negative_caption |
| winoground | caption_0, caption_1 | |
| vismin | text_0, text_1 | |

Winoground and VisMin have two pictures, and each caption is right for one of them. Records are a
JSON list, a JSON object of objects whose keys are the items (SugarCrepe), JSON lines, CSV, TSV or
Parquet. The sets of the compositional zero-shot field are folders with their lists of pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    CaptionLayout("sugarcrepe", ("caption",), ("negative_caption",)),
    CaptionLayout("bivlc", ("caption",), ("negative_caption",)),
    CaptionLayout("winoground", ("caption_0", "caption_1")),
    CaptionLayout("vismin", ("text_0", "text_1")),
)
#: Columns that may name an item: the first that names each, and no two alike; else its number
#: from 0 does.
ITEM_COLUMNS = ("id", "item", "index", "image_id")


@dataclass(frozen=True)
class BenchmarkText:
    """A caption of a benchmark: its item, its column, and whether it is right for the item."""

    item: str
    column: str
    right: bool
    text: str


def read_benchmark(
    path: str | Path,
    layout: str | None = None,
    right: Sequence[str] = (),
    wrong: Sequence[str] = (),
) -> list[BenchmarkText]:
    """The captions of a benchmark's file.

    Args:
        path: JSON, JSON lines, CSV, TSV or Parquet.
        layout: a name of `CAPTION_LAYOUTS` (default: the one whose columns are there).
        right: columns of right captions, in place of a layout's.
        wrong: columns of wrong captions.

    Raises:
        UserError: for a file that can't be read, or has none of the columns; for a caption that
            is no text.
    """
    records = list(_records(Path(path)))
    if not records:
        raise UserError(
            f"the benchmark {path} holds no item; give the file with its captions"
        )
    names = list(
        dict.fromkeys(name for _, record in records[:100] for name in record)
    )
    columns = _columns(str(path), names, layout, tuple(right), tuple(wrong))
    texts = []
    for item, record in records:
        for column, is_right in columns:
            value = record.get(column)
            for number, text in enumerate(
                value if isinstance(value, list) else [value]
            ):
                if text is None:
                    continue
                if not isinstance(text, str):
                    raise UserError(
                        f"the benchmark {path}: item {item} has no text in {column}, but "
                        f"{str(text)[:40]!r}; name the columns of captions with --right and --wrong"
                    )
                several = isinstance(value, list) and len(value) > 1
                name = f"{column}[{number}]" if several else column
                texts.append(BenchmarkText(item, name, is_right, text))
    return texts


def _columns(
    path: str,
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
                f"the benchmark {path} has columns {', '.join(names[:12])}, as none of the layouts "
                f"{', '.join(known)}; name its columns of captions with --right and --wrong"
            )
        chosen = fitting[0]
    columns = [(name, True) for name in chosen.right]
    columns += [(name, False) for name in chosen.wrong]
    for name, _ in columns:
        if name not in names:
            raise UserError(
                f"the benchmark {path} has no column {name!r}; it has: {', '.join(names[:12])}"
            )
    return columns


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(item, record) of each row."""
    ending = path.suffix.lower()
    rows: Iterable[tuple[str | None, Any]]
    if ending == ".parquet":
        rows = ((None, row) for row in _parquet_rows(path))
    elif ending in (".csv", ".tsv"):
        from aobench.csv_tables import read_csv_rows

        separator = "\t" if ending == ".tsv" else ","
        rows = (
            (None, row)
            for row in read_csv_rows(path, (), "the benchmark", separator)
        )
    elif ending in (".jsonl", ".ndjson"):
        from aobench.files import read_lines
        from aobench.strict_json import parse_json

        rows = (
            (None, parse_json(line, f"the benchmark {path}, line {number}"))
            for number, line in read_lines(path, "the benchmark")
        )
    else:
        rows = _json_rows(path)
    checked = []
    for number, (key, row) in enumerate(rows):
        if not isinstance(row, Mapping):
            raise UserError(
                f"the benchmark {path}: item {key or number} is no record of columns"
            )
        checked.append((key, row))
    column = _item_column([row for _, row in checked])
    for number, (key, row) in enumerate(checked):
        named = number if column is None else row[column]
        yield (key if key is not None else str(named)), row


def _item_column(records: Sequence[Mapping[str, Any]]) -> str | None:
    """The first of `ITEM_COLUMNS` that names each record, and no two alike; None without one."""
    for column in ITEM_COLUMNS:
        values = [str(record.get(column)) for record in records]
        if "None" not in values and len(set(values)) == len(values):
            return column
    return None


def _json_rows(path: Path) -> Iterable[tuple[str | None, Any]]:
    from aobench.files import read_text
    from aobench.strict_json import parse_json

    content = parse_json(
        read_text(path, "the benchmark"), f"the benchmark {path}", None
    )
    if isinstance(content, list):
        return [(None, row) for row in content]
    if isinstance(content, dict):
        return list(content.items())
    raise UserError(
        f"the benchmark {path} is neither a list of records nor an object of them"
    )


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows, without columns of pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from aobench.files import parquet_errors, regular_file

    regular_file(path, "the benchmark")
    try:
        with pq.ParquetFile(path) as file:
            plain = [
                field.name
                for field in file.schema_arrow
                if not pa.types.is_struct(field.type)
                and not pa.types.is_binary(field.type)
            ]
            for batch in file.iter_batches(columns=plain):
                yield from batch.to_pylist()
    except parquet_errors() as error:
        raise UserError(
            f"the benchmark {path} is no readable Parquet file: {error}"
        ) from error


@dataclass(frozen=True)
class PairSplits:
    """The pairs of a set of the compositional zero-shot field, as they are written: those trained
    on, and those asked that were not.
    """

    kind: str
    seen: tuple[tuple[str, str], ...]
    unseen: tuple[tuple[str, str], ...]

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


def is_pair_folder(path: str | Path) -> bool:
    """Whether a folder or zip holds lists of pairs rather than captions."""
    return Path(path).is_dir() or Path(path).suffix.lower() == ".zip"


def read_pair_splits(path: str | Path) -> PairSplits:
    """The pairs of a set's folder: see `aobench.layouts.pair_lists`."""
    from aobench.layouts.pair_lists import read_pair_set, set_kind
    from aobench.layouts.tree import open_tree

    pair_set = read_pair_set(open_tree(str(path)))
    seen = pair_set.pairs["train"]
    unseen = (pair_set.pairs["val"] | pair_set.pairs["test"]) - seen
    return PairSplits(
        set_kind(pair_set), tuple(sorted(seen)), tuple(sorted(unseen))
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
