"""``imagenet-ao audits``: merge audits of other shards, compare two, publish one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from aobench.audit.rules import VERSIONS
from aobench.errors import UserError


def add_audits_parser(verbs: Any) -> None:
    """Add the verb ``audits`` to the command line's verbs."""
    p = verbs.add_parser(
        "audits",
        help="merge audits of other shards, tell what became seen between two, publish one",
        description="merge: one audit of several that counted other files. compare: the "
        "compositions that the second calls seen and the first novel, and the other way round. "
        "publish: tables without captions' text, and a card.",
    )
    p.add_argument("action", choices=("merge", "compare", "publish"))
    p.add_argument(
        "audits", nargs="+", type=Path, metavar="AUDIT", help="audits' folders"
    )
    p.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder (merge, publish) or CSV file (compare)",
    )
    p.add_argument(
        "--rule",
        default="words",
        choices=tuple(VERSIONS),
        help="compare: (default: words)",
    )
    p.add_argument(
        "--threshold",
        type=int,
        default=0,
        help="compare: seen is more than this (default: 0)",
    )
    add_publish_options(p)
    p.set_defaults(run=_audits)


def add_publish_options(parser: Any) -> None:
    """How an audit is published."""
    parser.add_argument(
        "--corpus", help="publish: the captions' name, for the card"
    )
    parser.add_argument(
        "--licence",
        default="unknown",
        help="publish: licence of the counts (default: unknown)",
    )
    parser.add_argument(
        "--with-text",
        action="store_true",
        help="publish: the examples' captions go along",
    )


def _audits(args: argparse.Namespace) -> None:
    from aobench.audit.merging import merge_audits
    from aobench.audit.publishing import publish_audit
    from aobench.audit.result import load_audit
    from aobench.audit.statistics import audit_summary

    if args.action == "compare":
        _compare(args)
        return
    if args.action == "publish":
        if len(args.audits) != 1:
            raise UserError(
                "publish takes one audit; merge several first: audits merge"
            )
        if not args.corpus:
            raise UserError("name the captions for the card: --corpus NAME")
        audit = load_audit(args.audits[0])
        publish_audit(
            audit, args.out, args.corpus, args.licence, args.with_text
        )
    else:
        print(
            audit_summary(
                merge_audits([load_audit(a) for a in args.audits], args.out)
            )
        )
    print(f"Written to {args.out}/")


def _compare(args: argparse.Namespace) -> None:
    from aobench.audit.merging import compare_audits
    from aobench.audit.result import load_audit
    from aobench.csv_tables import write_csv_rows

    if len(args.audits) != 2:
        raise UserError("compare takes two audits, the earlier one first")
    if not 0 <= args.threshold < 1 << 62:
        raise UserError("--threshold takes a whole number from 0 to 4e18")
    before, after = (load_audit(path) for path in args.audits)
    changes = compare_audits(before, after, args.rule, args.threshold)
    became = sum(one.before <= args.threshold for one in changes)
    rows: list[dict[str, Any]] = [vars(one) for one in changes]
    if rows:
        write_csv_rows(args.out, rows)
    else:
        args.out.unlink(missing_ok=True)
    print(
        f"Rule {args.rule}, of {before.matrix(args.rule).size:,} compositions: {became:,} became "
        f"seen, {len(changes) - became:,} are seen by the first audit only"
    )
    for one in changes[:10]:
        print(
            f"  {one.attribute} {one.object}: {one.before:,} -> {one.after:,}"
        )
    print(f"Written to {args.out}" if rows else "Nothing to write")
