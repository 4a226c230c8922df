"""The verb ``paper`` of the command line."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.evaluation.data_arguments import (
    add_data_arguments,
    add_run_arguments,
    reading_options,
)


def add_parser(verbs: Any) -> None:
    """Add the verb to argparse's subparsers ``verbs``."""
    p = verbs.add_parser(
        "paper",
        help="the seed paper's experiment: every model of a list, a verdict on each claim",
        description="Evaluates every model of a list on objects (seen and novel) and on novel "
        "compositions, fits effective generalization over supervised and small-data models, and "
        "writes a page that says claim by claim: borne out, contradicted, undecided, and what is "
        "missing. Goes on where it was stopped, model by model.",
    )
    p.add_argument(
        "results",
        nargs="*",
        type=Path,
        help="folders of results that are there: no model is run, and no data is needed",
    )
    add_data_arguments(p, "none: it must be named")
    p.add_argument(
        "--models",
        dest="model_list",
        default="paper",
        metavar="FILE",
        help="a list of models: CSV with model, family, training_set, training_images and "
        "supervision (default: paper)",
    )
    p.add_argument(
        "--out",
        type=Path,
        default=Path("paper"),
        help="folder of the page, the tables and the results (default: paper)",
    )
    p.add_argument(
        "--dry-run",
        action="store_true",
        help="say which models are at hand, bytes and time, and run none",
    )
    p.add_argument(
        "--again",
        action="store_true",
        help="run models anew whose result is there",
    )
    p.add_argument(
        "--templates", help="text file of prompt templates (OpenAI's 80)"
    )
    add_run_arguments(p)
    p.set_defaults(run=run_command)


def run_command(args: argparse.Namespace) -> None:
    """``imagenet-ao paper``."""
    from aobench.analysis.paper import paper_report, run_paper
    from aobench.processes import quiet_bars

    if args.results:
        _refuse_data(args)
        _finish(paper_report(args.results), args.out)
        return
    plan = _plan(args)
    quiet_bars()
    if args.dry_run:
        from aobench.analysis.paper_needs import plan_needs

        print(plan_needs(plan))
        return
    from aobench.evaluation.commands import refuse_missing
    from aobench.processes import end_processes, process_group

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    with process_group(args.cpu) as together:
        report = run_paper(plan)
        if together.is_main_process:
            _finish(report, args.out)
        refuse_missing(dict(report.missing), len(plan.models))
    if together.num_processes > 1:  # one alone has left its group by now
        end_processes(together.accelerator)


def _plan(args: argparse.Namespace) -> Any:
    from aobench.analysis.paper import PaperPlan
    from aobench.models.model_lists import read_model_list

    if args.data is None:
        raise UserError(
            "there is no data: name the published zip by --data and ImageNet's pictures by "
            "--id-data; or folders of results that are there"
        )
    names = ("templates", "batch_size", "workers", "dtype", "limit", "cpu")
    return PaperPlan(
        args.out,
        {"data": args.data, **reading_options(args)},
        read_model_list(args.model_list),
        {name: getattr(args, name) for name in names},
        args.again,
    )


def _refuse_data(args: argparse.Namespace) -> None:
    data = [args.data, *reading_options(args).values()]
    if any(data) or args.again or args.dry_run:
        raise UserError(
            "results that are there are named, so no model is run: leave --data, --id-data, "
            "--again and --dry-run out, or the results"
        )


def _finish(report: Any, out: Path) -> None:
    print(report.text())
    page, *others = report.write(out)
    print(f"\nWritten: {page} and {len(others)} files beside it")
