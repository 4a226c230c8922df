"""``imagenet-ao audit`` and ``imagenet-ao diversity``: their options, and the calls."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.audit.audits_commands import add_audits_parser, add_publish_options
from aobench.audit.rules import DEFAULT_RULES, VERSIONS
from aobench.errors import UserError

if TYPE_CHECKING:
    from aobench.audit.result import Audit


def add_parser(verbs: Any) -> None:
    """Add the verbs ``audit`` and ``diversity`` to the command line's verbs."""
    p = verbs.add_parser(
        "audit",
        help="count the compositions that training captions show; writes matrices, examples and a "
        "manifest",
        description="Count the attribute-object compositions that captions show. A second run with "
        "the same --out goes "
        "on where the first one stopped.",
    )
    p.add_argument(
        "captions",
        nargs="+",
        metavar="CAPTIONS",
        help="files, folders, globs or URLs (hf://, s3://): Parquet, CSV, TSV, JSON lines, text, "
        "webdataset tars",
    )
    p.add_argument(
        "--out",
        type=Path,
        default=Path("audit"),
        help="output folder (default: audit)",
    )
    p.add_argument(
        "--rule",
        "--rules",
        dest="rules",
        nargs="+",
        default=list(DEFAULT_RULES),
        choices=tuple(VERSIONS),
        metavar="RULE",
        help=f"what counts, one or several: {', '.join(VERSIONS)} (default: words for novelty, "
        "modifies for diversity)",
    )
    p.add_argument(
        "--column", help="the caption column (default: found by name)"
    )
    p.add_argument(
        "--layout", help="laion, datacomp, cc3m, cc12m or yfcc (default: found)"
    )
    p.add_argument(
        "--attributes",
        type=Path,
        help="text file of attributes, one a line (default: the 129 published)",
    )
    p.add_argument(
        "--objects",
        type=Path,
        help="text file of objects, one a line (default: ImageNet's 1,000)",
    )
    p.add_argument(
        "--synonyms",
        action="store_true",
        help="an object's WordNet lemmas count too",
    )
    p.add_argument(
        "--engine",
        default="polars",
        choices=("polars", "ray"),
        help="ray needs the extra [ray]",
    )
    p.add_argument(
        "--workers",
        type=int,
        help="threads, or Ray's tasks at a time (default: one a core)",
    )
    p.add_argument(
        "--examples",
        type=int,
        default=3,
        help="captions kept per composition (default: 3)",
    )
    p.add_argument(
        "--sketch",
        type=int,
        default=32,
        help="different captions counted exactly per composition (default: 32)",
    )
    p.add_argument(
        "--sample",
        type=float,
        default=1.0,
        help="share of the rows that is counted (default: 1)",
    )
    p.add_argument(
        "--on-bad-file",
        default="stop",
        choices=("stop", "skip"),
        help="what a broken file does",
    )
    p.add_argument(
        "--no-file-hash",
        action="store_true",
        help="leave the files' SHA-256 out of the manifest",
    )
    p.add_argument(
        "--threshold",
        type=int,
        default=0,
        help="novel: at most so many captions show it (default: 0)",
    )
    p.add_argument(
        "--figures",
        action="store_true",
        help="draw a heat map of each matrix, and the NMI of each rule",
    )
    p.add_argument(
        "--parse",
        metavar="MODEL",
        help="parse the kept examples by this spaCy model, and estimate how many captions show "
        "each composition (extra [parse])",
    )
    p.add_argument(
        "--publish",
        type=Path,
        metavar="FOLDER",
        help="write the audit as a dataset, without captions' text, with a card",
    )
    add_publish_options(p)
    _add_forecast_options(p)
    p.set_defaults(run=_audit)
    d = verbs.add_parser(
        "diversity",
        help="how freely several audited corpora combine attributes and objects, side by side",
        description="NMI of several audits: adjusted for chance, which is ranked; as it is; and "
        "for equally many co-occurrences, as it falls with them.",
    )
    d.add_argument(
        "audits",
        nargs="+",
        type=Path,
        metavar="AUDIT",
        help="folders that imagenet-ao audit wrote",
    )
    d.add_argument(
        "--rule",
        choices=tuple(VERSIONS),
        metavar="RULE",
        help="(default: the most precise that all audits have)",
    )
    d.add_argument(
        "--at",
        type=int,
        metavar="N",
        help="co-occurrences drawn from each (default: the fewest of any)",
    )
    d.add_argument(
        "--draws",
        type=int,
        default=50,
        help="how often N are drawn (default: 50)",
    )
    d.add_argument("--seed", type=int, default=0)
    d.add_argument(
        "--out",
        type=Path,
        default=Path("diversity"),
        help="folder (default: diversity)",
    )
    d.set_defaults(run=_diversity)
    add_audits_parser(verbs)


def _add_forecast_options(parser: Any) -> None:
    """The options of a dry run."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="count nothing: tell files, bytes, captions, minutes and cost, from a few files",
    )
    parser.add_argument(
        "--core-price",
        type=float,
        default=0.05,
        help="dry run: of a core hour (default: 0.05)",
    )
    parser.add_argument(
        "--bandwidth",
        type=float,
        metavar="MB/S",
        help="dry run: how fast the files arrive",
    )


def _audit(args: argparse.Namespace) -> None:
    """Scan, print what was found, and write novel compositions and figures beside the matrices."""
    from aobench.audit.api import audit
    from aobench.audit.parsing import load_parser
    from aobench.audit.statistics import (
        audit_summary,
        matrix_nmi,
        write_disagreements,
    )
    from aobench.audit.vocabulary import (
        make_vocabulary,
        published_vocabulary,
        read_names,
    )

    if not 0 <= args.threshold < 1 << 62:
        raise UserError("--threshold takes a whole number from 0 to 4e18")
    parser = load_parser(args.parse) if args.parse else None
    if args.publish and not args.corpus:
        raise UserError("name the captions for the card: --corpus NAME")
    names = published_vocabulary(args.synonyms)
    if args.attributes or args.objects:
        attributes = (
            read_names(args.attributes) if args.attributes else names.attributes
        )
        objects = read_names(args.objects) if args.objects else names.objects
        names = make_vocabulary(attributes, objects, args.synonyms)
    if args.dry_run:
        _forecast(args, names)
        return
    result = audit(
        args.captions,
        args.out,
        rules=args.rules,
        vocabulary=names,
        column=args.column,
        layout=args.layout,
        engine=args.engine,
        workers=args.workers,
        examples=args.examples,
        sketch=args.sketch,
        sample=args.sample,
        on_bad_file=args.on_bad_file,
        hash_files=not args.no_file_hash,
    )
    for rule in result.counts:
        novel = result.novel(rule, args.threshold)
        lines = [
            "attribute,object",
            *(f"{_quoted(a)},{_quoted(o)}" for a, o in novel),
        ]
        (args.out / f"novel-{rule}.csv").write_text(
            "\n".join(lines) + "\n", encoding="utf-8"
        )
    both = {"words", "authors"} <= result.counts.keys()
    if both:
        write_disagreements(result, args.out / "disagreements.csv")
    if args.figures:
        from aobench.audit.plots import heat_map, nmi_bars

        for rule, matrix in result.counts.items():
            heat_map(
                matrix,
                result.attributes,
                result.objects,
                f"Rule {rule}",
                args.out / f"matrix-{rule}.png",
            )
        bars = {
            rule: matrix_nmi(matrix)
            for rule, matrix in result.counts.items()
            if matrix.any()
        }
        if bars:
            nmi_bars(bars, args.out / "nmi.png")
    lines = _shown(result, parser) if parser else []
    if args.publish:
        from aobench.audit.publishing import publish_audit

        publish_audit(
            result, args.publish, args.corpus, args.licence, args.with_text
        )
    # Last: whoever reads it may go away at any line, and everything is written.
    print("\n".join([audit_summary(result, args.threshold), *lines]))
    if both:
        print(
            f"Where words and authors disagree: {args.out / 'disagreements.csv'}"
        )
    print(f"Written to {args.out}/" + f", {args.publish}/" * bool(args.publish))


def _forecast(args: argparse.Namespace, names: Any) -> None:
    """Print what the audit would take."""
    from aobench.audit.counter import CountingPlan
    from aobench.audit.forecast import forecast_audit, forecast_lines
    from aobench.audit.rules import check_rules

    for what, value in (
        ("--core-price", args.core_price),
        ("--bandwidth", args.bandwidth),
    ):
        if value is not None and not 0 <= value < 1e12:
            raise UserError(
                f"{what} takes a number of at least 0; got {value:g}"
            )
    plan = CountingPlan(
        names, check_rules(args.rules), args.sketch, args.examples
    )
    forecast = forecast_audit(
        args.captions, plan, args.column, args.layout, args.on_bad_file
    )
    workers, price = args.workers, args.core_price
    for line in forecast_lines(forecast, workers, price, args.bandwidth):
        print(line)


def _shown(result: Audit, parser: Any) -> list[str]:
    """Write what the parser says of each rule's examples; the lines that sum it up."""
    from aobench.audit.shown import estimate_shown, shown_lines, write_shown

    by_rule = {}
    for rule, matrix in result.counts.items():
        if rule == "authors" or not matrix.any():
            continue
        by_rule[rule] = estimate_shown(result, rule, parser.pipe)
        write_shown(by_rule[rule], result.folder / f"shown-{rule}.parquet")
    return shown_lines(by_rule)


def _diversity(args: argparse.Namespace) -> None:
    """Load the audits, print the table, write it with its figure."""
    from aobench.audit.diversity import (
        compare_corpora,
        diversity_table,
        write_csv,
    )
    from aobench.audit.plots import diversity_bars
    from aobench.audit.result import load_audit
    from aobench.audit.rules import most_precise_rule

    audits = [load_audit(path) for path in args.audits]
    shared = set.intersection(*(set(audit.counts) for audit in audits))
    rule = args.rule or most_precise_rule(shared)
    rows = compare_corpora(audits, rule, args.at, args.draws, args.seed)
    print(diversity_table(rows, rule))
    write_csv(rows, rule, args.out / "diversity.csv")
    diversity_bars(rows, rule, args.out / "diversity.png")
    print(f"Written to {args.out}/")


def _quoted(name: str) -> str:
    return (
        '"' + name.replace('"', '""') + '"'
        if "," in name or '"' in name
        else name
    )
