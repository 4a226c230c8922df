"""The verbs ``card``, ``submit`` and ``leaderboard``."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from aobench.csv_tables import read_numbered_rows
from aobench.errors import UserError
from aobench.files import absolute_path
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
        "--to", required=True, metavar="ORG/MODEL", help="the model's repository"
    )
    s.add_argument(
        "--benchmark",
        default="v2",
        choices=OUR_SETS,
        help="what the target lists (default: v2)",
    )
    s.add_argument(
        "--push", action="store_true", help="open the pull request (else only show it)"
    )
    _common(s)
    s.set_defaults(run=submit)
    b = verbs.add_parser(
        "leaderboard", help="write the leaderboard of results as static pages"
    )
    b.add_argument(
        "results",
        nargs="+",
        type=Path,
        help="folders that `imagenet-ao evaluate` wrote",
    )
    b.add_argument(
        "--out",
        type=Path,
        default=Path("leaderboard"),
        help="folder of the pages (default: leaderboard)",
    )
    b.add_argument(
        "--models", type=Path, help="CSV with the columns model, family, training_set"
    )
    b.set_defaults(run=leaderboard)
    _add_report(verbs)


def _add_report(verbs: Any) -> None:
    r = verbs.add_parser(
        "report", help="write results as one page: tables, curves, errors, pictures"
    )
    r.add_argument(
        "results",
        nargs="+",
        type=Path,
        help="folders that `imagenet-ao evaluate` wrote",
    )
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


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset",
        required=True,
        metavar="ORG/DATASET",
        help="the benchmark's dataset repository",
    )
    parser.add_argument("--revision", help="its commit; submit finds it by itself")
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
    from aobench.publish.hub_entries import check_repository
    from aobench.results.paths import RESULTS, TABLE
    from aobench.results.verified import read_result, read_results

    check_repository(args.dataset, "--dataset")
    result = read_result(args.results)
    out = args.out or Path("model_cards") / absolute_path(result.folder).name
    written = write_card(
        result, out, args.dataset, args.revision, None, read_results(args.baseline)
    )
    # what `submit` sends, beside the card that tells of it
    if absolute_path(out) != absolute_path(result.folder):
        for name in (RESULTS, TABLE):
            shutil.copyfile(result.folder / name, out / name)
            written.append(out / name)
    print("\n".join(f"Written: {path}" for path in written))


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


def leaderboard(args: argparse.Namespace) -> None:
    """``imagenet-ao leaderboard``."""
    from aobench.publish.leaderboard import build_pages
    from aobench.results.verified import read_results

    pages = build_pages(read_results(args.results), args.out, _facts(args.models))
    print(f"Written: {len(pages)} pages; open {pages[0]}")


def report(args: argparse.Namespace) -> None:
    """``imagenet-ao report``."""
    from aobench.evaluation.api import data_source
    from aobench.publish.report import write_report
    from aobench.results.verified import read_results

    source = None if args.data is None else data_source(args.data)
    results = read_results(args.results)
    path = write_report(results, args.out, source, args.pictures, args.audit)
    print(f"Written: {path} ({path.stat().st_size / 1e6:.1f} MB); open it in a browser")


def _facts(path: Path | None) -> dict[str, dict[str, str]]:
    if path is None:
        return {}
    columns = ("model", "family", "training_set")
    known: dict[str, dict[str, str]] = {}
    for line, row in read_numbered_rows(path, columns, "the list of models"):
        model, family, training = (row[column].strip() for column in columns)
        if not model or model in known:
            what = f"lists the model {model!r} twice" if model else "names no model"
            raise UserError(
                f"the list of models {path}, line {line:,} {what}; mend the line"
            )
        known[model] = {"family": family, "training": training}
    return known
