"""The verbs ``people``, ``prompts`` and ``retest``: what an accuracy owes to labels, to prompts and
to the images that happened to be drawn.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.evaluation.data_arguments import (
    add_data_arguments,
    add_run_arguments,
    reading_options,
)

if TYPE_CHECKING:
    from aobench.analysis.template_spread import PromptReport

KINDS = ("composition", "attribute", "object")


def add_parser(verbs: Any) -> None:
    """Add the verbs to argparse's subparsers ``verbs``."""
    _add_people(verbs)
    _add_prompts(verbs)
    _add_retest(verbs)


def _add_people(verbs: Any) -> None:
    p = verbs.add_parser(
        "people",
        help="scores on the images that people accept, and people's own accuracy beside a model's",
    )
    p.add_argument(
        "tables",
        nargs="+",
        type=Path,
        metavar="RESULT",
        help="folders that `imagenet-ao evaluate` wrote, or one that holds several",
    )
    p.add_argument(
        "--decisions",
        type=Path,
        metavar="FILE",
        help="what `imagenet-ao agreement --decisions` wrote: scores on accepted images",
    )
    p.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="people's answers to choice: sample_id (or image_id), annotator, answer; Parquet or "
        "CSV",
    )
    p.add_argument(
        "--out", type=Path, help="folder for accepted.csv and people.csv"
    )
    p.set_defaults(run=run_people)


def _add_prompts(verbs: Any) -> None:
    p = verbs.add_parser(
        "prompts",
        help="how far a model's accuracy hangs on the prompt: each template on the same images",
    )
    p.add_argument("model", help="a dual encoder, as evaluate takes it")
    add_data_arguments(
        p, "mini for the model 'mini', else the published archive"
    )
    p.add_argument(
        "--task",
        default="composition",
        help="what is asked (default: composition)",
    )
    p.add_argument(
        "--templates",
        help="text file of prompt templates, one a line with {}; default: OpenAI's 80",
    )
    p.add_argument(
        "--embeddings",
        type=Path,
        help="folder of embeddings that reruns use again, such as evaluate's OUT/embeddings "
        "(default: none are kept)",
    )
    add_run_arguments(p)
    p.add_argument(
        "--out", type=Path, help="folder for prompts.csv and the plot"
    )
    p.set_defaults(run=run_prompts)


def _add_retest(verbs: Any) -> None:
    p = verbs.add_parser(
        "retest",
        help="two results on new images of the same compositions: what is theirs, what is chance",
    )
    for name in ("first", "second"):
        p.add_argument(
            name,
            type=Path,
            help="predictions.parquet, or the folder that holds it",
        )
    p.add_argument("--split", default="ood")
    p.add_argument("--kind", default="composition", choices=KINDS)
    p.set_defaults(run=run_retest)


def run_people(args: argparse.Namespace) -> None:
    """``imagenet-ao people``."""
    from aobench.analysis.people import (
        PeopleReport,
        accepted_scores,
        people_scores,
    )
    from aobench.analysis.people_tables import read_answers, read_decisions
    from aobench.results.paths import TABLE, result_places
    from aobench.results.predictions import read

    if args.decisions is None and args.answers is None:
        raise UserError(
            "say what people did: --decisions FILE (images they accept), --answers FILE (what they "
            "answered), or both"
        )
    tables = [read(path) for path in result_places(args.tables, TABLE)]
    parts, people = [], []
    if args.decisions is not None:
        decisions = read_decisions(args.decisions)
        parts = [
            one for table in tables for one in accepted_scores(table, decisions)
        ]
    if args.answers is not None:
        answers = read_answers(args.answers)
        people = [
            one for table in tables for one in people_scores(table, answers)
        ]
    report = PeopleReport(parts, people)
    print(report.text())
    _print_written(args, report)


def run_prompts(args: argparse.Namespace) -> None:
    """``imagenet-ao prompts``."""
    from aobench.evaluation.api import check_numbers, prompt_templates
    from aobench.processes import end_processes, process_group, quiet_bars
    from aobench.results.tasks import choose_tasks

    numbers = ("batch_size", "workers", "limit")
    check_numbers(**{name: getattr(args, name) for name in numbers})
    templates = list(dict.fromkeys(prompt_templates(args.templates)))
    if len(templates) < 2:
        raise UserError(
            "there is one template: a spread needs two or more (--templates FILE)"
        )
    (args.task,) = choose_tasks([args.task])
    quiet_bars()
    with process_group(args.cpu) as together:
        report = _prompt_report(args, templates, together)
        if together.is_main_process:
            print(report.text())
            _print_written(args, report)
    if together.num_processes > 1:  # one alone has left its group by now
        end_processes(together.accelerator)


def _prompt_report(
    args: argparse.Namespace, templates: list[str], together: Any
) -> PromptReport:
    import contextlib

    from aobench.analysis.template_spread import ALL, WITHOUT, template_spread
    from aobench.evaluation.model_runs import temporary_folder
    from aobench.evaluation.sources import data_source
    from aobench.evaluation.template_runs import (
        TemplateRun,
        attribute_names,
        named_attributes,
    )

    data = args.data or (
        "mini" if args.model == "mini" and not args.id_data else "v2"
    )
    source = data_source(data, **reading_options(args))
    with contextlib.ExitStack() as stack:
        folder = args.embeddings or together.from_main(
            lambda: stack.enter_context(temporary_folder())
        )
        numbers = (args.limit, args.batch_size, args.workers, args.dtype)
        run = TemplateRun(args.model, source, args.task, folder, *numbers)
        answers = run.opened(together)
        by_template = {ALL: answers(templates)}
        naming = named_attributes(templates, attribute_names(by_template[ALL]))
        plain = [one for one in templates if one not in naming]
        if naming and plain:
            by_template[WITHOUT] = answers(plain)
        by_template |= {one: answers([one]) for one in templates}
    return template_spread(by_template, naming)


def run_retest(args: argparse.Namespace) -> None:
    """``imagenet-ao retest``."""
    from aobench.analysis.retest import retest_results
    from aobench.results.paths import check_given_once
    from aobench.results.predictions import read

    check_given_once([args.first, args.second])
    first, second = (read(path) for path in (args.first, args.second))
    print(retest_results(first, second, args.split, args.kind).text())


def _print_written(args: argparse.Namespace, report: Any) -> None:
    if args.out:
        for path in report.write(args.out):
            print(f"Written: {path}")
