"""The verbs ``difficulty``, ``familiarity`` and ``power``: what stands behind an accuracy."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.processes import one_thread_for_matrices

KINDS = ("composition", "attribute", "object")


def add_parser(verbs: Any) -> None:
    """Add the verbs to argparse's subparsers ``verbs``."""
    d = verbs.add_parser(
        "difficulty",
        help="what novelty costs apart from hard attributes and objects; models' abilities",
    )
    _add_tables(d)
    d.add_argument("--kind", default="composition", choices=KINDS)
    d.add_argument(
        "--out", type=Path, help="folder for parts.csv, models.csv and plot"
    )
    d.set_defaults(run=_difficulty)

    f = verbs.add_parser(
        "familiarity",
        help="accuracy against how often captions show attribute, object and pair",
    )
    _add_tables(f)
    f.add_argument(
        "--audit",
        type=Path,
        required=True,
        help="folder that `imagenet-ao audit` wrote",
    )
    f.add_argument(
        "--rule",
        help="what shows a pair, such as adjacent (default: the audit's first)",
    )
    f.add_argument("--kind", default="composition", choices=KINDS)
    f.add_argument(
        "--out", type=Path, help="folder for effects.csv, collapse.csv and plot"
    )
    f.set_defaults(run=_familiarity)

    p = verbs.add_parser(
        "power",
        help="the smallest difference that a set tells, and what more of anything buys",
    )
    p.add_argument(
        "tables",
        nargs="*",
        type=Path,
        metavar="RESULT",
        help="one result, or two whose difference is looked at; none: a plan (--design)",
    )
    p.add_argument("--split", default="ood")
    p.add_argument("--kind", default="composition", choices=KINDS)
    p.add_argument(
        "--design",
        action="append",
        default=[],
        metavar="AxOxCxN",
        help="a set to look at: attributes x objects x compositions x images of each, such as "
        "80x600x12000x5; may be repeated",
    )
    p.add_argument(
        "--rate",
        type=float,
        help="accuracy of a plan, a fraction (default: 0.5)",
    )
    p.add_argument(
        "--agreement",
        type=float,
        help="share of difficulty that two models have in common (default: 0.5; two results tell "
        "it themselves)",
    )
    p.set_defaults(run=_power)


def _add_tables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "tables",
        nargs="+",
        type=Path,
        metavar="RESULT",
        help="folders that `imagenet-ao evaluate` wrote, or one that holds several; models of one "
        "run's tasks",
    )


def _read_tables(paths: list[Path]) -> list[Any]:
    from aobench.results.paths import TABLE, result_places
    from aobench.results.predictions import read

    return [read(path) for path in result_places(paths, TABLE)]


def _print_written(paths: list[Path]) -> None:
    for path in paths:
        print(f"Written: {path}")


def _difficulty(args: argparse.Namespace) -> None:
    one_thread_for_matrices()
    from aobench.analysis.difficulty import difficulty_report

    report = difficulty_report(_read_tables(args.tables), args.kind)
    print(report.text())
    if args.out:
        _print_written(report.write(args.out))


def _familiarity(args: argparse.Namespace) -> None:
    one_thread_for_matrices()
    from aobench.analysis.familiarity import (
        caption_counts_of,
        familiarity_report,
    )
    from aobench.audit.result import load_audit

    captions = caption_counts_of(load_audit(args.audit), args.rule)
    report = familiarity_report(_read_tables(args.tables), captions, args.kind)
    print(report.text())
    if args.out:
        _print_written(report.write(args.out))


def _power(args: argparse.Namespace) -> None:
    from aobench.analysis import power

    _check_power(args)
    tables = _read_tables(args.tables) if args.tables else []
    _at_most_two(tables)
    others = [power.parse_design(text) for text in args.design]
    agreement = power.AGREEMENT if args.agreement is None else args.agreement
    if not args.tables:
        rate = 0.5 if args.rate is None else args.rate
        parts = power.planned_parts(rate).between_models(agreement)
        print(
            "No result: difficulty is taken to be spread as in mini; the models share "
            f"{100 * agreement:.0f} % of it."
        )
        print("\n".join(power.power_lines(parts, others[0], others[1:], rate)))
        return
    values, shown = _answers_of(tables, args)
    parts = power.variance_parts(values, *shown.T)
    if len(tables) == 1:
        parts = parts.between_models(agreement)
        print(
            f"{100 * values.mean():.1f} % right; a second model is taken to share "
            f"{100 * agreement:.0f} % of its difficulty (--agreement, or name its result)."
        )
    else:
        print(f"The two models differ by {100 * values.mean():+.1f} points.")
    print(
        "\n".join(power.power_lines(parts, power.design_of(*shown.T), others))
    )


def _at_most_two(results: list[Any]) -> None:
    if len(results) > 2:
        raise UserError(
            "power takes one result, or two; compare more by `compare`"
        )


def _check_power(args: argparse.Namespace) -> None:
    """Raise UserError for arguments that would be ignored, or are out of range."""
    _at_most_two(args.tables)
    if not args.tables and not args.design:
        raise UserError(
            "name a result, or a plan by --design, such as 80x600x12000x5"
        )
    if args.rate is not None and (args.tables or not 0 < args.rate < 1):
        raise UserError(
            "--rate is the accuracy of a plan, a fraction between 0 and 1; a result has its own"
        )
    if args.agreement is not None and (
        len(args.tables) > 1 or not 0 <= args.agreement < 1
    ):
        raise UserError(
            "--agreement is a share from 0 to below 1; two results tell it themselves"
        )


def _answers_of(tables: list[Any], args: argparse.Namespace) -> tuple[Any, Any]:
    """(right or wrong, or the difference of two models, of each image; its attribute and
    object).
    """
    import numpy as np

    from aobench.analysis.paired import aligned_answers

    hits, _, parts = aligned_answers(tables, args.split, args.kind)
    if parts is None or min(len(np.unique(part)) for part in parts.T) < 2:
        raise UserError(
            f"power needs two attributes and two objects at least, known of every image of "
            f"{args.split}"
        )
    rates = hits.astype(float)
    return (rates[0] - rates[1] if len(rates) > 1 else rates[0]), parts
