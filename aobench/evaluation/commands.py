"""The verbs ``evaluate``, ``score``, ``prepare`` and ``install``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import PLACE_ERRORS


def add_parser(verbs: Any) -> None:
    """Add the verbs to argparse's subparsers ``verbs``."""
    _add_evaluate(verbs)
    s = verbs.add_parser(
        "score", help="recompute every score from predictions.parquet, without a model"
    )
    s.add_argument(
        "tables", nargs="+", help="predictions.parquet files, or folders that hold one"
    )
    s.add_argument("--json", action="store_true", help="print all scores as JSON")
    s.set_defaults(run=run_score)

    p = verbs.add_parser(
        "prepare", help="write the dataset in the Hub's form: Parquet and a card"
    )
    p.add_argument("out", type=Path)
    p.add_argument("--config", default="v2", choices=("v2", "mini", "folder"))
    p.add_argument(
        "--data-dir",
        help="folder or zip of the published archive; for folder: one's own pictures",
    )
    p.set_defaults(run=run_prepare)

    i = verbs.add_parser(
        "install",
        help="make evaluate.load and load_dataset find ours by name in any process",
        description="Make evaluate.load('compositional_ood') work in any process, without an "
        "import; with --config, load_dataset('imagenet_ao', CONFIG) as well, whose images are "
        "then stored once.",
    )
    i.add_argument(
        "--config",
        choices=("v2", "mini"),
        help="store this config of the dataset, too (mini is drawn: minutes)",
    )
    i.add_argument("--data-dir", help="folder or zip of the published archive, for v2")
    i.set_defaults(run=run_install)


def _add_evaluate(verbs: Any) -> None:
    e = verbs.add_parser(
        "evaluate",
        help="evaluate models on a dataset; writes results.json and predictions.parquet",
    )
    e.set_defaults(run=run_evaluate)
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


def run_evaluate(args: argparse.Namespace) -> None:
    """``imagenet-ao evaluate``: `aobench.evaluate`, and a table."""
    from aobench.evaluation.api import check_numbers, evaluate, prompt_templates

    if args.dataset is not None and args.data_dir is not None:
        raise UserError(
            "--dataset and --data-dir name two datasets: leave one of them out"
        )
    if args.dataset is None:
        _refuse_archive(args)
    numbers = ("batch_size", "limit", "shard_size", "draft", "workers")
    check_numbers(**{name: getattr(args, name) for name in numbers})
    templates = prompt_templates(args.templates)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from aobench.processes import end_processes, process_group, quiet_bars
    from aobench.results.printing import print_table

    quiet_bars()
    with process_group(args.cpu) as together:
        results = evaluate(
            args.models,
            _source(args),
            tasks=args.tasks,
            templates=templates,
            out=args.out,
            embeddings=args.embeddings,
            batch_size=args.batch_size,
            shard_size=args.shard_size,
            workers=args.workers,
            dtype=args.dtype,
            compile=args.compile,
            attention=args.attention,
            draft=args.draft,
            limit=args.limit,
            on_bad_image=args.on_bad_image,
            cpu=args.cpu,
        )
        if together.is_main_process:
            rows = zip(args.models, results, strict=True)
            print_table([(name, r.answers, r.content["scores"]) for name, r in rows])
            for result in results:
                print(f"Written to {result.folder}{os.sep}")
    if together.num_processes > 1:  # one alone has left its group by now
        end_processes(together.accelerator)


def _source(args: argparse.Namespace) -> Any:
    """The dataset that the options name."""
    from aobench.evaluation.api import only_config
    from aobench.evaluation.data import Source

    mini = args.models == ["mini"] and not (args.data_dir or args.dataset)
    default = "mini" if mini else only_config(Path(args.dataset or ""))
    config = args.config or default
    return Source(config, args.data_dir, args.dataset)


def run_score(args: argparse.Namespace) -> None:
    """``imagenet-ao score``."""
    import json

    from aobench.files import sha256_of
    from aobench.results.paths import (
        TABLE,
        check_given_once,
        check_no_copies,
        result_file,
    )
    from aobench.results.predictions import read
    from aobench.results.printing import print_table
    from aobench.results.scores import all_scores

    check_given_once(args.tables)
    check_no_copies({path: sha256_of(result_file(path, TABLE)) for path in args.tables})
    rows = []
    for path in args.tables:
        predictions = read(path)
        name = predictions.provenance["model"]["id"]
        rows.append((name, predictions, all_scores(predictions)))
    if args.json:
        by_path = {
            path: scores for path, (_, _, scores) in zip(args.tables, rows, strict=True)
        }
        print(json.dumps(by_path, indent=2, sort_keys=True, allow_nan=False))
    else:
        print_table(rows)


def run_prepare(args: argparse.Namespace) -> None:
    """``imagenet-ao prepare``."""
    from datasets.exceptions import DatasetGenerationError

    import imagenet_ao
    from aobench.processes import quiet_bars

    options = {"data_dir": args.data_dir} if args.data_dir else {}
    _refuse_archive(args)
    quiet_bars()
    try:
        imagenet_ao.prepare(args.out, config=args.config, **options)
    except imagenet_ao.DatasetError as error:
        raise UserError(str(error)) from error
    except DatasetGenerationError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in PLACE_ERRORS:
            raise
        raise UserError(
            f"{args.out} could not be written: {cause.strerror}; free some space, or name another "
            "place"
        ) from error
    print(
        f"Written to {args.out}{os.sep}; load it with: datasets.load_dataset({str(args.out)!r}, "
        f"{args.config!r})"
    )


def run_install(args: argparse.Namespace) -> None:
    """``imagenet-ao install``."""
    import imagenet_ao
    from aobench.installation import install_dataset, install_metric

    if args.data_dir is not None and args.config is None:
        raise UserError(
            "--data-dir is of the published archive: give --config v2 with it"
        )
    _refuse_archive(args)
    print(f"compositional_ood: {install_metric()}", flush=True)
    if args.config is None:
        return
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
