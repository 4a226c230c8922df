"""``imagenet-ao lookup`` and ``imagenet-ao bindings``: their options, and the calls."""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError

if TYPE_CHECKING:
    from aobench.audit.result import Audit
    from aobench.audit.vocabulary import Vocabulary


def add_parser(verbs: Any) -> None:
    """Add the verbs ``lookup`` and ``bindings`` to the command line's verbs."""
    _add_lookup(verbs)
    _add_bindings(verbs)


def _add_source(parser: Any) -> None:
    """Where the counts come from: an audit, or captions that are counted now."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--audit",
        type=Path,
        metavar="AUDIT",
        help="folder that imagenet-ao audit wrote",
    )
    source.add_argument(
        "--captions",
        nargs="+",
        metavar="CAPTIONS",
        help="count these captions now, for the names that are asked",
    )
    parser.add_argument(
        "--column", help="the caption column (default: found by name)"
    )
    parser.add_argument(
        "--attributes",
        type=Path,
        help="with --captions: text file of attributes, one a line",
    )
    parser.add_argument(
        "--objects",
        type=Path,
        help="with --captions: text file of objects, one a line",
    )


def _add_lookup(verbs: Any) -> None:
    p = verbs.add_parser(
        "lookup",
        help="how often captions show given pairs, or the pairs of given texts",
        description="Counts, different captions and PMI of pairs. A text with a bar names a pair, "
        "'wooden | bench'; any other is read by the rule modifies, 'a man on a wooden bench'.",
    )
    p.add_argument("texts", nargs="*", metavar="TEXT", help="pairs or texts")
    p.add_argument(
        "--file", type=Path, help="text file of pairs or texts, one a line"
    )
    _add_source(p)
    p.add_argument(
        "--examples",
        action="store_true",
        help="show the captions that the audit kept",
    )
    p.add_argument(
        "--json", type=Path, help="write the answers to this file, too"
    )
    p.set_defaults(run=_lookup)


def _add_bindings(verbs: Any) -> None:
    p = verbs.add_parser(
        "bindings",
        help="sort a benchmark's captions, or a set's pairs, by whether a corpus has shown them",
        description="Cut a benchmark's captions into attribute-object bindings and sort them by "
        "whether captions show them; or tell which 'unseen' pairs of MIT-States, UT-Zappos, C-GQA "
        "or VAW-CZSL are.",
    )
    p.add_argument(
        "benchmark",
        metavar="BENCHMARK",
        help="JSON, JSON lines, CSV, TSV or Parquet with captions, or a folder of them; or a "
        "folder with compositional-split-natural/",
    )
    _add_source(p)
    p.add_argument(
        "--layout",
        help="aro, sugarcrepe, sugarcrepe++, bivlc, winoground or vismin (default: by the "
        "columns)",
    )
    p.add_argument(
        "--right",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="right captions",
    )
    p.add_argument(
        "--wrong",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="wrong captions",
    )
    p.add_argument(
        "--threshold",
        type=int,
        default=0,
        help="seen: more captions than this (default: 0)",
    )
    p.add_argument(
        "--out",
        type=Path,
        default=Path("bindings"),
        help="output folder (default: bindings)",
    )
    p.set_defaults(run=_bindings)


def _names_for(args: argparse.Namespace, usual: Vocabulary) -> Vocabulary:
    """The names that captions are counted for."""
    from aobench.audit.vocabulary import make_vocabulary, read_names

    if not args.attributes and not args.objects:
        return usual
    return make_vocabulary(
        read_names(args.attributes) if args.attributes else usual.attributes,
        read_names(args.objects) if args.objects else usual.objects,
    )


@contextlib.contextmanager
def _counted(
    args: argparse.Namespace, usual: Any, out: Path | None
) -> Iterator[Audit]:
    """The audit that is named, or one of the captions; ``usual`` gives the names to count."""
    from aobench.audit.api import audit
    from aobench.audit.result import load_audit

    if args.audit:
        if args.attributes or args.objects or args.column:
            raise UserError(
                "--attributes, --objects and --column say how captions are counted, and an audit "
                "is counted already; give --captions, or leave them out"
            )
        yield load_audit(args.audit)
        return
    names = _names_for(args, usual())
    with contextlib.ExitStack() as stack:
        place = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield audit(args.captions, place, vocabulary=names, column=args.column)


def _lookup(args: argparse.Namespace) -> None:
    from aobench.audit.lookup import lookup_records, lookup_rows, lookup_table
    from aobench.columns import columns
    from aobench.files import read_lines, write_in_one_move

    texts = list(args.texts)
    if args.file:
        texts += [
            line for _, line in read_lines(args.file, "the list of texts")
        ]
    if not texts:
        raise UserError("nothing to look up; give texts or pairs, or --file")
    with _counted(args, lambda: _names_of(texts), None) as audit:
        rows = lookup_rows(audit, texts)
        for line in columns(lookup_table(audit, rows), rule=True):
            print(line)
        if args.json:
            records = lookup_records(audit, rows, args.examples)
            write_in_one_move(
                args.json, (json.dumps(records, indent=1) + "\n").encode()
            )
        if args.examples:
            _print_examples(lookup_records(audit, rows, True))


def _names_of(texts: Sequence[str]) -> Vocabulary:
    """The published names, with those of the pairs that the texts name."""
    from aobench.audit.vocabulary import make_vocabulary, published_vocabulary
    from aobench.audit.words import split_words

    names = published_vocabulary()
    known = [list(names.attributes), list(names.objects)]
    for text in texts:
        if "|" not in text:
            continue
        first, _, second = text.partition("|")
        for mine, name in zip(
            known, (first.strip(), second.strip()), strict=True
        ):
            if split_words(name) not in map(split_words, mine):
                mine.append(name)
    return make_vocabulary(tuple(known[0]), tuple(known[1]))


def _print_examples(records: Sequence[dict[str, Any]]) -> None:
    seen = set()
    for record in records:
        for pair in record["pairs"]:
            for rule, examples in pair["examples"].items():
                name = f"{pair['attribute']} {pair['object']}"
                if (name, rule) in seen:
                    continue
                seen.add((name, rule))
                for file, row, caption in examples:
                    print(
                        f"{name} ({rule}), {file} row {row}: {(caption or '').strip()}"
                    )


def _bindings(args: argparse.Namespace) -> None:
    from aobench.bindings.benchmarks import pair_root

    if not 0 <= args.threshold < 1 << 62:
        raise UserError("--threshold takes a whole number from 0 to 4e18")
    root = pair_root(args.benchmark)
    if root is not None:
        _split_bindings(args, root)
    else:
        _text_bindings(args)
    print(f"Written to {args.out}/")


def _text_bindings(args: argparse.Namespace) -> None:
    from aobench.bindings.benchmarks import read_benchmark, vocabulary_of_texts
    from aobench.bindings.statuses import (
        binding_summary,
        text_bindings,
        write_text_bindings,
    )

    texts = read_benchmark(args.benchmark, args.layout, args.right, args.wrong)

    def usual() -> Vocabulary:
        return vocabulary_of_texts(one.text for one in texts)

    with _counted(args, usual, args.out / "audit") as audit:
        rows = text_bindings(audit, texts, args.threshold)
        write_text_bindings(audit, rows, args.out)
        print(binding_summary(audit, rows))


def _split_bindings(args: argparse.Namespace, root: Path) -> None:
    from aobench.bindings.benchmarks import read_pair_splits
    from aobench.bindings.statuses import (
        split_bindings,
        split_summary,
        write_split_bindings,
    )

    splits = read_pair_splits(root)
    with _counted(args, splits.vocabulary, args.out / "audit") as audit:
        rows = split_bindings(audit, splits)
        write_split_bindings(audit, rows, args.out)
        print(split_summary(audit, rows, splits.kind, args.threshold))
