"""The command ``imagenet-ao``. Heavy imports happen inside the verbs: ``--help`` answers at
once.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from aobench.analysis import commands as analysis
from aobench.annotation import commands as annotation
from aobench.audit import commands as audit
from aobench.errors import UserError
from aobench.newset import commands as build
from aobench.publish import commands as publish
from aobench.study import commands as study

if TYPE_CHECKING:
    from aobench.models.registry import Resolved

#: Errors of the place that is read or written, not of the program.
PLACE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)

#: Rooms with verbs of their own: ``add_parser(verbs)`` and ``run(args)``.
ROOMS = (audit, build, annotation, analysis, study, publish)


class _Parser(argparse.ArgumentParser):
    """Tells a wrong option in one line."""

    def error(self, message: str) -> NoReturn:
        """As argparse's, without the usage above it."""
        line = " ".join(message.split())
        self.exit(
            2,
            f"{self.prog}: {line if len(line) < 600 else line[:600] + '...'}; see {self.prog} "
            "--help\n",
        )


class _Version(argparse.Action):
    """Prints the version; looks it up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print it and end."""
        from importlib import metadata

        try:
            number = metadata.version("imagenet-ao")
        except metadata.PackageNotFoundError:  # run from its sources
            number = "(not installed)"
        print(f"imagenet-ao {number}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="imagenet-ao",
        description="Tests whether a vision-language model composes attributes and objects.",
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="print the version and stop"
    )
    parser.add_argument(
        "--debug",
        action="store_true",
        help="show where an error comes from, before or after VERB",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    e = verbs.add_parser(
        "evaluate",
        help="evaluate models on a dataset; writes results.json and predictions.parquet",
    )
    e.add_argument(
        "models",
        nargs="+",
        help="Hub ids, folders, 'mini' (the bundled model), efficientnet-lite0..2, timm:NAME, "
        "open_clip:ARCH/TAG",
    )
    e.add_argument(
        "--config",
        default=None,
        help="v2 (published archive), mini (bundled) or folder (one's own pictures); "
        "default: v2, or mini for the model 'mini' alone",
    )
    e.add_argument("--data-dir", help="folder or zip of the published archive")
    e.add_argument("--dataset", help="a prepared folder or Hub dataset id instead")
    e.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK",
        help="what is asked: composition, composition-own, composition-open, object, attribute, "
        "choice (default: all but composition-open, as the model can answer)",
    )
    e.add_argument(
        "--templates",
        help="text file of prompt templates, one a line with {}; default: OpenAI's 80",
    )
    e.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        help="output folder (default: results)",
    )
    e.add_argument(
        "--embeddings",
        type=Path,
        help="folder of embeddings that reruns use again (default: OUT/embeddings)",
    )
    e.add_argument(
        "--batch-size",
        type=int,
        help="images at once (default: 256 on a GPU, 32 on CPU; halved if need be)",
    )
    e.add_argument(
        "--shard-size",
        type=int,
        default=256,
        help="images in a file of embeddings (default: 256)",
    )
    e.add_argument(
        "--workers",
        type=int,
        help="processes that decode images (default: by the cores; on CPU 0: threads do)",
    )
    e.add_argument(
        "--dtype", default="float32", choices=("float32", "bfloat16", "float16")
    )
    e.add_argument(
        "--compile",
        action="store_true",
        help="run the image tower through torch.compile",
    )
    e.add_argument(
        "--attention",
        help="transformers' attn_implementation: sdpa, eager, flash_attention_2",
    )
    e.add_argument(
        "--draft",
        type=int,
        metavar="PIXELS",
        help="decode JPEGs at a smaller scale, no side below PIXELS",
    )
    e.add_argument(
        "--limit",
        type=int,
        help="only this many images of each split, spread evenly; for trying out",
    )
    e.add_argument(
        "--on-bad-image",
        default="count",
        choices=("count", "stop"),
        help="count as wrong, or stop",
    )
    e.add_argument(
        "--cpu", action="store_true", help="use the CPU even where there is a GPU"
    )

    s = verbs.add_parser(
        "score", help="recompute every score from predictions.parquet, without a model"
    )
    s.add_argument(
        "tables", nargs="+", help="predictions.parquet files, or folders that hold one"
    )
    s.add_argument("--json", action="store_true", help="print all scores as JSON")

    p = verbs.add_parser(
        "prepare", help="write the dataset in the Hub's form: Parquet and a card"
    )
    p.add_argument("out", type=Path)
    p.add_argument("--config", default="v2", choices=("v2", "mini", "folder"))
    p.add_argument(
        "--data-dir",
        help="folder or zip of the published archive; for folder: one's own pictures",
    )

    i = verbs.add_parser(
        "install",
        help="make evaluate.load and load_dataset find ours by name in any process",
    )
    i.add_argument(
        "--config",
        default="mini",
        choices=("v2", "mini"),
        help="the dataset's config (default: mini)",
    )
    i.add_argument("--data-dir", help="folder or zip of the published archive, for v2")
    for room in ROOMS:
        before = set(verbs.choices)
        room.add_parser(verbs)
        for name in set(verbs.choices) - before:
            verbs.choices[name].set_defaults(room=room)
    # suppressed: else a verb's default would undo what stands before it
    for each in verbs.choices.values():
        each.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )
    return parser


#: The most of each number of ``evaluate``: beyond it stands a slip of the hand.
MOST = {
    "batch_size": 65_536,
    "limit": 1 << 40,
    "shard_size": 1_000_000,
    "draft": 100_000,
    "workers": 1024,
}


def _refuse_contradictions(args: argparse.Namespace) -> None:
    """UserError for options of ``evaluate`` of which one would win in silence, and for numbers
    out of all reason.
    """
    if args.dataset is not None and args.data_dir is not None:
        raise UserError(
            "--dataset and --data-dir name two datasets: leave one of them out"
        )
    if args.dataset is None and args.config == "mini":
        _refuse_archive(args)
    for name, most in MOST.items():
        value = getattr(args, name)
        if value is not None and value > most:
            raise UserError(
                f"--{name.replace('_', '-')} is {str(value)[:40]}; it goes to {most:,}"
            )


def _evaluate(args: argparse.Namespace) -> None:
    _refuse_contradictions(args)
    numbers = (args.batch_size, args.limit, args.shard_size, args.draft)
    if any(n is not None and n < 1 for n in numbers) or (
        args.workers is not None and args.workers < 0
    ):
        raise UserError(
            "--batch-size, --limit, --shard-size and --draft take whole numbers of at least 1, "
            "--workers of at least 0"
        )
    from aobench.hub import hub_in_one_line
    from aobench.results.paths import check_folders, result_names
    from aobench.results.tasks import DEFAULT_TASKS, choose_tasks
    from aobench.vocabulary.templates import OPENAI_80, read_templates

    choose_tasks(args.tasks or DEFAULT_TASKS)
    templates = read_templates(args.templates) if args.templates else OPENAI_80
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from aobench.models.registry import resolve

    with hub_in_one_line("the models could not be looked up"):
        found = [resolve(name) for name in args.models]
    folders = [args.out / name for name in result_names(args.models)]
    check_folders(args.models, folders)
    from aobench.evaluation.data import Source, open_splits
    from aobench.evaluation.runner import Settings
    from aobench.processes import end_processes, quiet_bars, start_processes
    from aobench.results.printing import print_table

    quiet_bars()
    accelerator = start_processes(args.cpu)
    config = args.config or (
        "mini"
        if args.models == ["mini"] and not (args.data_dir or args.dataset)
        else "v2"
    )
    with (
        accelerator.main_process_first(),
        hub_in_one_line("the dataset could not be opened"),
    ):
        splits = open_splits(
            Source(config, args.data_dir, args.dataset), limit=args.limit
        )
    settings = Settings(
        args.embeddings or args.out / "embeddings",
        choose_tasks(args.tasks or DEFAULT_TASKS),
        templates,
        args.batch_size,
        args.workers,
        args.shard_size,
        args.draft,
        args.on_bad_image,
    )
    rows = [
        _evaluate_one(model, folder, splits, settings, accelerator, config, args)
        for model, folder in zip(found, folders, strict=True)
    ]
    if accelerator.is_main_process:
        print_table([row for row in rows if row])
        for folder in folders:
            print(f"Written to {folder}{os.sep}")
    end_processes(accelerator)


def _evaluate_one(
    found: Resolved,
    folder: Path,
    splits: list[Any],
    settings: Any,
    accelerator: Any,
    config: str,
    args: argparse.Namespace,
) -> Any:
    """Load one model, run it, write its results; the row for the printed table, on the main
    process.
    """
    from aobench.evaluation.runner import run
    from aobench.hub import hub_in_one_line
    from aobench.models.base import LoadOptions
    from aobench.results.paths import check_same_model, say_what_is_replaced
    from aobench.results.predictions import write
    from aobench.results.provenance import provenance
    from aobench.results.scores import all_scores
    from aobench.results.writing import result_content, write_results

    began = time.perf_counter()
    with hub_in_one_line(f"the model {found.name!r} could not be loaded"):
        model = found.load(
            accelerator.device, LoadOptions(args.dtype, args.compile, args.attention)
        )
    load = round(time.perf_counter() - began, 3)
    check_same_model(folder, model.info.id, model.info.revision)
    chosen = {"draft": args.draft, "attention": args.attention, "compile": args.compile}
    facts = provenance(
        model,
        splits,
        args.dataset or "imagenet_ao",
        config,
        settings.templates,
        args.limit,
        chosen,
    )
    predictions, seconds = run(model, splits, settings, accelerator, facts)
    if not accelerator.is_main_process:
        return None
    scores = all_scores(predictions)
    folder.mkdir(parents=True, exist_ok=True)
    table = write(predictions, folder / "predictions.parquet")
    content = result_content(
        predictions,
        scores,
        {"load": load, **seconds},
        accelerator.num_processes,
        table,
    )
    say_what_is_replaced(folder, content)
    write_results(content, folder / "results.json")
    return found.name, predictions, scores


def _score(args: argparse.Namespace) -> None:
    import json

    from aobench.results.paths import check_given_once
    from aobench.results.predictions import read
    from aobench.results.printing import print_table
    from aobench.results.scores import all_scores

    check_given_once(args.tables)
    rows = []
    for path in args.tables:
        predictions = read(path)
        rows.append(
            (
                predictions.provenance["model"]["id"],
                predictions,
                all_scores(predictions),
            )
        )
    if args.json:
        by_path = {
            path: scores for path, (_, _, scores) in zip(args.tables, rows, strict=True)
        }
        print(json.dumps(by_path, indent=2, sort_keys=True, allow_nan=False))
    else:
        print_table(rows)


def _prepare(args: argparse.Namespace) -> None:
    import imagenet_ao

    options = {"data_dir": args.data_dir} if args.data_dir else {}
    _refuse_archive(args)
    try:
        imagenet_ao.prepare(args.out, config=args.config, **options)
    except imagenet_ao.DatasetError as error:
        raise UserError(str(error)) from error
    print(
        f"Written to {args.out}{os.sep}; load it with: datasets.load_dataset({str(args.out)!r}, "
        f"{args.config!r})"
    )


def _install(args: argparse.Namespace) -> None:
    import imagenet_ao
    from aobench.installation import install_dataset, install_metric

    _refuse_archive(args)
    print(f"compositional_ood: {install_metric()}")
    try:
        print(
            f"imagenet_ao, {args.config}: {install_dataset(args.config, args.data_dir)}"
        )
    except imagenet_ao.DatasetError as error:
        raise UserError(str(error)) from error


def _refuse_archive(args: argparse.Namespace) -> None:
    """UserError where the published archive is named for a set that is drawn."""
    if args.data_dir is not None and args.config == "mini":
        raise UserError(
            "--data-dir is of the published archive, and mini is drawn: leave one of them out"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, and leaves the process as it is.

    0; 2 for bad input or an output that can't be written, told in one line on stderr; 130 where it
    was interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    bad = next(
        (place for place, word in enumerate(words) if not word.strip() or "\0" in word),
        None,
    )
    if bad is not None:
        what = "is empty" if not words[bad].strip() else "holds NUL"
        before = " ".join(words[:bad])[-80:] or parser.prog
        parser.error(
            f"the argument after {before} {what}; give a value, or leave it out"
        )
    args = parser.parse_args(words)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    own = {
        "evaluate": _evaluate,
        "score": _score,
        "prepare": _prepare,
        "install": _install,
    }
    verb = own.get(args.verb) or args.room.run
    try:
        verb(args)
    except UserError as error:
        return _refused(args.debug, str(error))
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in PLACE:
            raise
        name = str(error.filename or "")
        where = f"{name if len(name) <= 300 else name[:300] + '...'}: " if name else ""
        return _refused(
            args.debug,
            f"{where}{error.strerror or error}; name another place, or mend this one",
        )
    except KeyboardInterrupt:
        _traceback_if(args.debug)
        print("imagenet-ao: interrupted; what was finished is kept", file=sys.stderr)
        return 130
    return 0


def _refused(debug: bool, message: str) -> int:
    """Tell bad input in one line; with --debug after the traceback."""
    _traceback_if(debug)
    print(f"imagenet-ao: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _traceback_if(debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()


def command(argv: Sequence[str] | None = None) -> int:
    """The process ``imagenet-ao``: `main`, and with several processes the end of this one.

    Threads of the process group now and then abort an orderly exit, so there the process ends here.
    """
    try:
        status = main(argv)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


if __name__ == "__main__":
    sys.exit(command())
