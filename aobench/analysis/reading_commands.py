"""The verbs ``difficulty``, ``familiarity`` and ``power``: what stands behind an accuracy."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

KINDS = ("composition", "attribute", "object")


def add_parser(verbs: Any) -> None:
    """Add the verbs to argparse's subparsers ``verbs``."""
    d = verbs.add_parser(
        "difficulty",
        help="what novelty costs apart from hard attributes and objects; models' abilities",
    )
    _add_tables(d)
    d.add_argument("--kind", default="composition", choices=KINDS)
    d.add_argument("--out", type=Path, help="folder for parts.csv, models.csv and plot")
    d.set_defaults(run=_difficulty)


def _add_tables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "tables",
        nargs="+",
        type=Path,
        metavar="RESULT",
        help="predictions.parquet, or the folder that holds it; several models of one run's tasks",
    )


def _read_tables(paths: list[Path]) -> list[Any]:
    from aobench.results.paths import check_given_once
    from aobench.results.predictions import read

    check_given_once(paths)
    return [read(path) for path in paths]


def _print_written(paths: list[Path]) -> None:
    for path in paths:
        print(f"Written: {path}")


def _difficulty(args: argparse.Namespace) -> None:
    from aobench.analysis.difficulty import difficulty_report

    report = difficulty_report(_read_tables(args.tables), args.kind)
    print(report.text())
    if args.out:
        _print_written(report.write(args.out))
