"""The verbs ``card``, ``submit``, ``leaderboard``, ``export``,
``questions`` and ``croissant``."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.evaluation.data_arguments import (
    add_data_arguments,
    reading_options,
)
from aobench.files import absolute_path
from aobench.processes import one_thread_for_matrices
from aobench.vocabulary.published import OUR_SETS


def add_parser(verbs: Any) -> None:
    """Add the verbs of publishing to the command line."""
    c = verbs.add_parser(
        "card", help="write a result as a model card and leaderboard entries"
    )
    c.add_argument(
        "results",
        type=Path,
        help="folder that `imagenet-ao evaluate` wrote for a model",
    )
    c.add_argument(
        "--out",
        type=Path,
        help="folder of the model's repository; a README.md there is extended "
        "and the result copied (default: model_cards/MODEL)",
    )
    _common(c)
    c.set_defaults(run=card)
    s = verbs.add_parser(
        "submit", help="show the pull request of a result; --push opens it"
    )
    s.add_argument(
        "results",
        type=Path,
        help="folder that `imagenet-ao evaluate` wrote for a model",
    )
    s.add_argument(
        "--to",
        required=True,
        metavar="ORG/MODEL",
        help="the model's repository",
    )
    s.add_argument(
        "--benchmark",
        default="v2",
        choices=OUR_SETS,
        help="what the target lists (default: v2)",
    )
    s.add_argument(
        "--push",
        action="store_true",
        help="open the pull request (else only show it)",
    )
    _common(s)
    s.set_defaults(run=submit)
    b = verbs.add_parser(
        "leaderboard", help="write the leaderboard of results as static pages"
    )
    _add_results(b)
    b.add_argument(
        "--out",
        type=Path,
        default=Path("leaderboard"),
        help="folder of the pages (default: leaderboard)",
    )
    b.add_argument(
        "--models",
        type=Path,
        metavar="FILE",
        help="a list of models: a CSV with model, family, training_set (and more), or paper; in "
        "place of what the results say",
    )
    b.set_defaults(run=leaderboard)
    _add_report(verbs)
    _add_export(verbs)
    _add_questions(verbs)
    c = verbs.add_parser(
        "croissant",
        help="write croissant.json, with Responsible-AI fields, for a prepared or built set",
    )
    c.add_argument("folder", type=Path, help="what `prepare` or `build` wrote")
    c.add_argument(
        "--repository",
        metavar="ORG/NAME",
        required=True,
        help="where the set is, or will be, on the Hub",
    )
    c.set_defaults(run=croissant)


def _add_questions(verbs: Any) -> None:
    q = verbs.add_parser(
        "questions",
        help="write the task choice as a dataset for harnesses that ask hosted models",
    )
    q.add_argument(
        "out", type=Path, help="folder of the new dataset repository"
    )
    add_data_arguments(q, "mini")
    q.add_argument(
        "--count",
        type=int,
        default=3000,
        help="questions of a split (default: 3000)",
    )
    q.add_argument(
        "--repository",
        metavar="ORG/NAME",
        default="your-org/imagenet-ao-choice",
        help="where it will be on the Hub",
    )
    q.set_defaults(run=questions)


def _add_export(verbs: Any) -> None:
    e = verbs.add_parser(
        "export",
        help="write results in a form that other programs and papers read",
    )
    _add_results(e, "; some forms take one")
    e.add_argument(
        "--to",
        required=True,
        metavar="FORMAT",
        help="every-eval-ever, eval-results, model-index, csv, latex, markdown, or one that a "
        "package adds",
    )
    e.add_argument(
        "--out", type=Path, help="file to write (default: standard output)"
    )
    e.add_argument(
        "--dataset",
        metavar="ORG/DATASET",
        help="the benchmark's dataset repository, for the forms that name it",
    )
    e.add_argument("--revision", help="its commit")
    e.set_defaults(run=export)


def _add_report(verbs: Any) -> None:
    r = verbs.add_parser(
        "report",
        help="write results as one page: tables, curves, errors, pictures",
    )
    _add_results(r)
    r.add_argument(
        "--out",
        type=Path,
        default=Path("report.html"),
        help="the page, a single file (default: report.html)",
    )
    r.add_argument(
        "--data",
        help="the set that they were evaluated on, for its pictures, as `evaluate` takes it "
        "(default: none; mini is drawn)",
    )
    r.add_argument(
        "--pictures",
        type=int,
        default=600,
        metavar="N",
        help="show at most so many pictures; 0 for none (default: 600)",
    )
    r.add_argument(
        "--audit",
        type=Path,
        help="folder of `imagenet-ao audit`: how many captions show each picture's composition",
    )
    r.set_defaults(run=report)


def _add_results(parser: argparse.ArgumentParser, more: str = "") -> None:
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        help=f"folders that `imagenet-ao evaluate` wrote{more}",
    )


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset",
        required=True,
        metavar="ORG/DATASET",
        help="the benchmark's dataset repository",
    )
    parser.add_argument(
        "--revision", help="its commit; submit finds it by itself"
    )
    parser.add_argument(
        "--baseline",
        nargs="+",
        type=Path,
        default=[],
        metavar="RESULTS",
        help="results of at least 3 baseline models, for effective generalization",
    )


def card(args: argparse.Namespace) -> None:
    """``imagenet-ao card``."""
    from aobench.publish.card import write_card
    from aobench.publish.hub_entries import PATH, check_repository
    from aobench.results.paths import RESULTS, TABLE
    from aobench.results.verified import read_result, read_results

    check_repository(args.dataset, "--dataset")
    result = read_result(args.results)
    out = args.out or Path("model_cards") / absolute_path(result.folder).name
    written = write_card(
        result,
        out,
        args.dataset,
        args.revision,
        None,
        read_results(args.baseline),
    )
    # what `submit` sends, beside the card that tells of it
    if absolute_path(out) != absolute_path(result.folder):
        for name in (RESULTS, TABLE):
            shutil.copyfile(result.folder / name, out / name)
            written.append(out / name)
    print("\n".join(f"Written: {path}" for path in written))
    if out / PATH not in written:
        print(
            "No entries: the result has none of the benchmark's scores, which are of novel "
            "compositions, of the tasks composition, choice or object"
        )


def submit(args: argparse.Namespace) -> None:
    """``imagenet-ao submit``: a dry run unless ``--push``."""
    from aobench.publish.hub_entries import check_repository
    from aobench.publish.submit import (
        known_fingerprints,
        open_pull_request,
        prepare_submission,
        submission_text,
    )
    from aobench.results.verified import read_result, read_results

    check_repository(args.dataset, "--dataset")
    result = read_result(args.results)
    fingerprints, revision = known_fingerprints(result.config, args.dataset)
    baseline = read_results(args.baseline)
    ready = prepare_submission(
        result,
        args.to,
        args.dataset,
        args.benchmark,
        fingerprints,
        args.revision or revision,
        baseline,
    )
    print(submission_text(ready))
    if args.push:
        print(f"Opened: {open_pull_request(ready)}")
    else:
        print(
            "Nothing was sent: this is a dry run. Add --push to open the pull request."
        )


def croissant(args: argparse.Namespace) -> None:
    """``imagenet-ao croissant``."""
    from aobench.files import write_in_one_move
    from aobench.publish.croissant import croissant_text
    from aobench.publish.hub_entries import check_repository

    check_repository(args.repository, "--repository")
    out = args.folder / "croissant.json"
    write_in_one_move(
        out, croissant_text(args.folder, args.repository).encode()
    )
    print(f"Written: {out}")


def questions(args: argparse.Namespace) -> None:
    """``imagenet-ao questions``."""
    from aobench.evaluation.data import open_splits
    from aobench.evaluation.sources import data_source
    from aobench.hub import hub_in_one_line
    from aobench.publish.choice_set import write_choice_set
    from aobench.publish.hub_entries import check_repository, data_name

    if args.count < 1:
        raise UserError(
            f"--count is {args.count}; it takes a number of at least 1"
        )
    check_repository(args.repository, "--repository")
    source = data_source(args.data or "mini", **reading_options(args))
    with hub_in_one_line("the dataset could not be opened"):
        splits = open_splits(source)
    line = splits[0].recognised
    name = data_name(line.config if line else source.config)
    counts = write_choice_set(
        splits, args.out, args.count, args.repository, name
    )
    said = " and ".join(
        f"{n:,} questions of {split}" for split, n in counts.items()
    )
    print(f"Written to {args.out}: {said}")


def export(args: argparse.Namespace) -> None:
    """``imagenet-ao export``."""
    from aobench.files import write_in_one_move
    from aobench.publish.exports import ExportOptions, export_text, find_export
    from aobench.publish.hub_entries import check_repository
    from aobench.results.verified import read_results

    find_export(args.to)
    if args.dataset is not None:
        check_repository(args.dataset, "--dataset")
    options = ExportOptions(args.dataset, args.revision)
    text = export_text(args.to, read_results(args.results), options)
    if args.out is None:
        print(text, end="")
        return
    write_in_one_move(args.out, text.encode())
    print(f"Written: {args.out}")


def leaderboard(args: argparse.Namespace) -> None:
    """``imagenet-ao leaderboard``."""
    one_thread_for_matrices()
    from aobench.publish.leaderboard import build_pages
    from aobench.results.verified import read_results

    pages = build_pages(
        read_results(args.results), args.out, _facts(args.models)
    )
    print(f"Written: {len(pages)} pages; open {pages[0]}")


def report(args: argparse.Namespace) -> None:
    """``imagenet-ao report``."""
    one_thread_for_matrices()
    from aobench.evaluation.sources import data_source
    from aobench.publish.report import write_report
    from aobench.results.verified import read_results

    source = None if args.data is None else data_source(args.data)
    results = read_results(args.results)
    path = write_report(results, args.out, source, args.pictures, args.audit)
    print(
        f"Written: {path} ({path.stat().st_size / 1e6:.1f} MB); open it in a browser"
    )


def _facts(path: Path | None) -> dict[str, dict[str, Any]]:
    from aobench.models.model_lists import read_model_list

    return {} if path is None else read_model_list(path).facts
