"""The command ``imagenet-ao``. Heavy imports happen inside the verbs: ``--help`` answers at once."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from aobench.errors import UserError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imagenet-ao", description="Tests whether a vision-language model composes attributes and objects."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    e = verbs.add_parser("evaluate", help="evaluate models on a dataset; writes results.json and predictions.parquet")
    e.add_argument("models", nargs="+", help="Hub ids, folders, 'mini' (the bundled model), efficientnet-lite0..2")
    e.add_argument(
        "--config",
        default=None,
        help="v2 (published archive) or mini (bundled); default: v2, or mini for the model 'mini' alone",
    )
    e.add_argument("--data-dir", help="folder or zip of the published archive")
    e.add_argument("--dataset", help="a prepared folder or Hub dataset id instead")
    e.add_argument("--candidates", default="closed", choices=("closed", "open", "objects", "attributes"))
    e.add_argument("--templates", help="text file of prompt templates, one a line with {}; default: OpenAI's 80")
    e.add_argument("--out", type=Path, default=Path("results"), help="output folder (default: results)")
    e.add_argument("--batch-size", type=int, default=64)
    e.add_argument("--limit", type=int, help="only this many images of each split, spread evenly; for trying out")
    e.add_argument("--on-bad-image", default="count", choices=("count", "stop"), help="count as wrong, or stop")
    e.add_argument("--cpu", action="store_true", help="use the CPU even where there is a GPU")

    s = verbs.add_parser("score", help="recompute every figure from predictions.parquet, without a model")
    s.add_argument("tables", nargs="+", help="predictions.parquet files")
    s.add_argument("--json", action="store_true", help="print all figures as JSON")

    p = verbs.add_parser("prepare", help="write the dataset in the Hub's form: Parquet and a card")
    p.add_argument("out", type=Path)
    p.add_argument("--config", default="v2", choices=("v2", "mini"))
    p.add_argument("--data-dir", help="folder or zip of the published archive")

    i = verbs.add_parser("install", help="make evaluate.load and load_dataset find ours by name in any process")
    i.add_argument("--config", default="mini", choices=("v2", "mini"), help="the dataset's config (default: mini)")
    i.add_argument("--data-dir", help="folder or zip of the published archive, for v2")
    return parser


def _quiet_bars() -> None:
    """No progress bars where nobody watches: standard error is no terminal."""
    if not sys.stderr.isatty():
        import datasets
        import transformers

        datasets.disable_progress_bars()
        transformers.utils.logging.disable_progress_bar()


def _evaluate(args: argparse.Namespace) -> None:
    if args.batch_size < 1 or (args.limit is not None and args.limit < 1):
        raise UserError("--batch-size and --limit take whole numbers of at least 1")
    from aobench.vocabulary.templates import OPENAI_80, read_templates

    templates = read_templates(args.templates) if args.templates else OPENAI_80
    import torch
    from accelerate import Accelerator

    from aobench.analysis.figures import all_figures
    from aobench.evaluation.data import Source, open_splits
    from aobench.evaluation.report import print_table, provenance, results, write_results
    from aobench.evaluation.runner import Settings, run
    from aobench.evaluation.table import write
    from aobench.models.load import load_model

    _quiet_bars()
    accelerator = Accelerator(cpu=args.cpu or not torch.cuda.is_available())
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world != accelerator.num_processes:
        raise UserError(
            f"the launcher started {world} processes, of which each sees {accelerator.num_processes}; "
            "set ACCELERATE_USE_CPU=true for several processes on CPU"
        )
    config = args.config or ("mini" if args.models == ["mini"] and not (args.data_dir or args.dataset) else "v2")
    models = [load_model(name, accelerator.device) for name in args.models]
    with accelerator.main_process_first():
        splits = open_splits(Source(config, args.data_dir, args.dataset), limit=args.limit)
    settings = Settings(args.candidates, templates, args.batch_size, args.on_bad_image)
    rows = []
    for name, model in zip(args.models, models, strict=True):
        dataset = args.dataset or "imagenet_ao"
        facts = provenance(model, splits, dataset, config, templates, accelerator.num_processes)
        predictions, seconds = run(model, splits, settings, accelerator, facts)
        if not accelerator.is_main_process:
            continue
        figures = all_figures(predictions)
        folder = args.out / name.strip("/").replace("/", "--")
        folder.mkdir(parents=True, exist_ok=True)
        write(predictions, folder / "predictions.parquet")
        write_results(results(predictions, figures, seconds), folder / "results.json")
        rows.append((name, predictions, figures))
    if accelerator.is_main_process:
        print_table(rows)
        print(f"Written to {args.out}{os.sep}")


def _score(args: argparse.Namespace) -> None:
    import json

    from aobench.analysis.figures import all_figures
    from aobench.evaluation.report import print_table
    from aobench.evaluation.table import read

    rows = []
    for path in args.tables:
        predictions = read(path)
        rows.append((predictions.provenance["model"]["id"], predictions, all_figures(predictions)))
    if args.json:
        print(
            json.dumps({path: f for path, (_, _, f) in zip(args.tables, rows, strict=True)}, indent=2, sort_keys=True)
        )
    else:
        print_table(rows)


def _prepare(args: argparse.Namespace) -> None:
    import imagenet_ao

    options = {"data_dir": args.data_dir} if args.data_dir else {}
    try:
        imagenet_ao.prepare(args.out, config=args.config, **options)
    except (ValueError, OSError) as error:
        raise UserError(" ".join(str(error).split())) from error
    print(f"Written to {args.out}{os.sep}; load it with: datasets.load_dataset({str(args.out)!r}, {args.config!r})")


def _install(args: argparse.Namespace) -> None:
    from aobench.installation import install_dataset, install_metric

    try:
        print(f"compositional_ood: {install_metric()}")
        print(f"imagenet_ao, {args.config}: {install_dataset(args.config, args.data_dir)}")
    except (ValueError, OSError) as error:
        raise UserError(" ".join(str(error).split())) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 for bad input (one line on stderr)."""
    args = _parser().parse_args(argv)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    verb = {"evaluate": _evaluate, "score": _score, "prepare": _prepare, "install": _install}[args.verb]
    try:
        verb(args)
    except UserError as error:
        print(f"imagenet-ao: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
