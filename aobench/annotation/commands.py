"""The verbs ``annotate`` and ``agreement``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aobench.errors import UserError


def add_parser(verbs: Any) -> None:
    """Add the verbs of annotation to the command line."""
    _add_annotate(verbs)
    _add_agreement(verbs)


def _add_annotate(verbs: Any) -> None:
    parser = verbs.add_parser(
        "annotate",
        help="judge images in the browser: does the attribute fit, is the object there?",
    )
    parser.add_argument(
        "images",
        type=Path,
        help="Parquet table with the columns image_id, attribute, object, file; or the folder that "
        "`imagenet-ao questions` wrote: people then name each image among its nine compositions",
    )
    parser.add_argument(
        "--verdicts",
        type=Path,
        required=True,
        help="SQLite file of verdicts; made if it is not there",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=7860,
        help="port of the local web page (default: 7860; 0: any free)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, this machine only)",
    )
    parser.add_argument(
        "--catch-rate",
        type=float,
        help="catch trials for each image, 0 to 0.5 (default: 0.05)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        help="seed of the annotators' orders and catch trials (default: 0)",
    )
    parser.add_argument(
        "--guideline",
        type=Path,
        metavar="FILE",
        help="text that stands beside the pictures (default: one that ships)",
    )
    parser.add_argument(
        "--practice",
        type=Path,
        metavar="TABLE",
        help="examples with known answers, a table of images with the columns attribute_answer, "
        "object_answer, why (default: four drawn ones)",
    )
    parser.add_argument(
        "--no-practice",
        action="store_true",
        help="begin with the first image, without a round of practice",
    )
    parser.add_argument(
        "--adjudicate",
        action="store_true",
        help="show the images that annotators dispute, with their votes, to settle them",
    )
    parser.add_argument(
        "--split",
        default="ood",
        choices=("ood", "id"),
        help="of questions: which split (default: ood)",
    )
    parser.set_defaults(run=annotate)


def _add_agreement(verbs: Any) -> None:
    parser = verbs.add_parser(
        "agreement",
        help="how far annotators agree, their catch trials, decisions; exports verdicts",
    )
    parser.add_argument(
        "verdicts",
        type=Path,
        help="SQLite file that `imagenet-ao annotate` wrote",
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="write the verdicts to FILE.parquet or FILE.csv",
    )
    parser.add_argument(
        "--decisions",
        type=Path,
        metavar="FILE",
        help="write a decision on each image to .parquet or .csv",
    )
    parser.add_argument(
        "--json", action="store_true", help="print everything as JSON"
    )
    parser.add_argument(
        "--unsure",
        default="missing",
        choices=("missing", "category"),
        help="count unsure as no answer, or as an answer of its own (default: missing)",
    )
    parser.add_argument(
        "--min-annotators",
        type=int,
        default=2,
        metavar="N",
        help="answers of yes or no that a decision needs (default: 2)",
    )
    parser.add_argument(
        "--min-catch",
        type=float,
        metavar="SHARE",
        help="leave out annotators who passed less than this share of their catch trials",
    )
    parser.add_argument(
        "--draws",
        type=int,
        default=1000,
        help="bootstrap draws for the intervals (default: 1000)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the bootstrap (default: 0)"
    )
    parser.set_defaults(run=agreement)


def annotate(args: argparse.Namespace) -> None:
    """``imagenet-ao annotate``: serves until it is interrupted."""
    from aobench.annotation.app import serve_annotation
    from aobench.annotation.images import read_images_to_judge
    from aobench.annotation.naming import holds_questions
    from aobench.annotation.practice import read_examples, read_guideline
    from aobench.annotation.service import PageOptions
    from aobench.annotation.verdict_file import open_store
    from aobench.annotation.verdict_store import VerdictStore

    if not 0 <= args.port <= 65535:
        raise UserError("--port takes a number from 0 to 65535")
    _refuse_one_file({"IMAGES": args.images, "--verdicts": args.verdicts})
    if holds_questions(args.images):
        _annotate_names(args)
        return
    options = PageOptions(
        read_guideline(args.guideline),
        tuple(read_examples(args.practice)),
        not (args.no_practice or args.adjudicate),
        args.adjudicate,
    )
    images = read_images_to_judge(args.images)
    if args.adjudicate and not args.verdicts.is_file():
        raise UserError(
            f"{args.verdicts} is no file: nobody has judged yet, so nothing is disputed"
        )
    with open_store(
        args.verdicts, images, args.seed, args.catch_rate, VerdictStore
    ) as store:
        serve_annotation(store, images, args.host, args.port, options)


def _annotate_names(args: argparse.Namespace) -> None:
    """Serve the page on which people name images."""
    from aobench.annotation.app import serve_annotation
    from aobench.annotation.naming import (
        NAMING_GUIDELINE,
        NamingStore,
        read_questions,
    )
    from aobench.annotation.practice import read_guideline
    from aobench.annotation.service import PageOptions
    from aobench.annotation.verdict_file import open_store

    for flag, value in (
        ("--adjudicate", args.adjudicate),
        ("--practice", args.practice),
        ("--catch-rate", args.catch_rate),
    ):
        if value:
            raise UserError(
                f"{flag} is for claims to judge; take it out to name images"
            )
    questions = read_questions(args.images, args.split)
    guideline = NAMING_GUIDELINE
    if args.guideline is not None:
        guideline = read_guideline(args.guideline)
    options = PageOptions(guideline, pictures=questions.pictures)
    images = questions.table
    with open_store(
        args.verdicts, images, args.seed, 0.0, NamingStore
    ) as store:
        store.bind(questions)
        serve_annotation(store, images, args.host, args.port, options)


def _refuse_one_file(paths: Mapping[str, Path | None]) -> None:
    """UserError where two options name one file: the second would take the place of the first."""
    known: dict[str, str] = {}
    for name, path in paths.items():
        if path is None:
            continue
        place = os.path.realpath(path)
        if place in known:
            raise UserError(
                f"{known[place]} and {name} name one file, {path}; give each its own"
            )
        known[place] = name


def agreement(args: argparse.Namespace) -> None:
    """``imagenet-ao agreement``."""
    import json
    from dataclasses import asdict

    from aobench.annotation.agreement_report import (
        AgreementOptions,
        make_report,
        report_lines,
    )
    from aobench.annotation.export import (
        check_name,
        write_decisions,
        write_verdicts,
    )
    from aobench.annotation.naming import NamingStore, holds_names
    from aobench.annotation.verdict_file import existing_store
    from aobench.annotation.verdict_store import VerdictStore

    options = AgreementOptions(
        args.unsure, args.min_annotators, args.min_catch, args.draws, args.seed
    )
    options.check()
    _refuse_one_file(
        {
            "VERDICTS": args.verdicts,
            "--export": args.export,
            "--decisions": args.decisions,
        }
    )
    for path in (args.export, args.decisions):
        if path is not None:
            check_name(path)
    with existing_store(args.verdicts, NamingStore) as names:
        if holds_names(names):
            _report_names(names, args)
            return
    with existing_store(args.verdicts, VerdictStore) as store:
        report = make_report(store, options)
        print(
            json.dumps(report.as_dict(), indent=2)
            if args.json
            else "\n".join(report_lines(report))
        )
        written = []
        if args.export:
            written.append(
                f"{write_verdicts(store, args.export)} verdicts to {args.export}"
            )
        if args.decisions:
            facts = {
                **report.settings,
                "options": asdict(options),
                "excluded": report.excluded,
            }
            write_decisions(report.decided, args.decisions, facts)
            written.append(
                f"{len(report.decided)} decisions to {args.decisions}"
            )
    if written and not args.json:
        print("\nWritten: " + ", ".join(written))


def _report_names(store: Any, args: argparse.Namespace) -> None:
    """``imagenet-ao agreement`` of a file of names."""
    import json

    from aobench.annotation.export import NAME_COLUMNS, write_table
    from aobench.annotation.naming import (
        naming_lines,
        naming_report,
        naming_rows,
    )

    if args.decisions is not None:
        raise UserError(
            f"{args.verdicts} holds names, on which there is no decision; take out --decisions"
        )
    report = naming_report(store)
    print(
        json.dumps(report, indent=2)
        if args.json
        else "\n".join(naming_lines(report))
    )
    if args.export:
        rows = naming_rows(store)
        write_table(rows, NAME_COLUMNS, args.export, store.settings())
        if not args.json:
            print(f"\nWritten: {len(rows)} names to {args.export}")
