"""The verbs ``evaluate``, ``score``, ``prepare`` and ``install``."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.evaluation.data_arguments import (
    add_data_arguments,
    add_gone_options,
    add_run_arguments,
    reading_options,
)
from aobench.vocabulary.published import OUR_SETS


def add_parser(verbs: Any) -> None:
    """Add the verbs to argparse's subparsers ``verbs``."""
    _add_evaluate(verbs)
    s = verbs.add_parser(
        "score",
        help="recompute every score from predictions.parquet, without a model",
    )
    s.add_argument(
        "tables",
        nargs="+",
        metavar="RESULT",
        help="predictions.parquet files, folders that hold one, or a folder above several",
    )
    s.add_argument(
        "--json", action="store_true", help="print all scores as JSON"
    )
    s.set_defaults(run=run_score)

    p = verbs.add_parser(
        "prepare",
        help="write the dataset in the Hub's form: Parquet and a card",
    )
    p.add_argument("out", type=Path)
    add_data_arguments(p, "the published archive, fetched")
    p.set_defaults(run=run_prepare)

    i = verbs.add_parser(
        "install",
        help="make evaluate.load and load_dataset find ours by name in any process",
        description="Make evaluate.load('compositional_ood') work in any process, without an "
        "import; with --data, load_dataset('imagenet_ao', CONFIG) as well, whose images are "
        "then stored once.",
    )
    i.add_argument(
        "--data",
        help="store this set, too: mini (drawn: minutes), or the published archive's zip or folder",
    )
    add_gone_options(i)
    i.set_defaults(run=run_install)


def _add_evaluate(verbs: Any) -> None:
    e = verbs.add_parser(
        "evaluate",
        help="evaluate models on a dataset; writes results.json and predictions.parquet",
    )
    e.set_defaults(run=run_evaluate)
    e.add_argument(
        "models",
        nargs="*",
        help="Hub ids, folders, 'mini' and 'mini-generative' (bundled), efficientnet-lite0..2, "
        "timm:NAME, open_clip:ARCH/TAG, letters:NAME or likelihood:NAME of a generative model",
    )
    e.add_argument(
        "--models",
        dest="model_list",
        metavar="FILE",
        help="a list of models instead: a CSV (model, family, training_set, ...) or paper; goes "
        "on where one can't be had, and past those whose result is there",
    )
    e.add_argument(
        "--again",
        action="store_true",
        help="of a list, run those anew, too, whose result is there",
    )
    add_data_arguments(
        e, "the published archive, or mini for the bundled models alone"
    )
    e.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK",
        help="what is asked: composition, composition-own, composition-open, object, attribute, "
        "choice (default: all but composition-open, as the model can answer)",
    )
    e.add_argument(
        "--questions",
        metavar="FILE",
        help="one's own questions for choice: a CSV, JSON or Parquet of sample_id, options and "
        "answer",
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
    add_run_arguments(e)
    e.add_argument(
        "--shard-size",
        type=int,
        default=256,
        help="images in a file of embeddings (default: 256)",
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
        "--on-bad-image",
        default="count",
        choices=("count", "stop"),
        help="count as wrong, or stop",
    )


def run_evaluate(args: argparse.Namespace) -> None:
    """``imagenet-ao evaluate``: `aobench.evaluate`, and a table."""
    from aobench.evaluation.api import check_numbers, evaluate, prompt_templates

    numbers = ("batch_size", "limit", "shard_size", "draft", "workers")
    check_numbers(**{name: getattr(args, name) for name in numbers})
    templates = prompt_templates(args.templates)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from aobench.evaluation.sources import data_source
    from aobench.processes import end_processes, process_group, quiet_bars
    from aobench.results.printing import print_table

    quiet_bars()
    models = _models(args)
    with process_group(args.cpu) as together:
        source = data_source(
            args.data or _default_data(args), **reading_options(args)
        )
        source = dataclasses.replace(source, shown=True)
        results = evaluate(
            models,
            source,
            tasks=args.tasks,
            questions=args.questions,
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
            again=args.again,
        )
        missing = getattr(results, "missing", {})
        if together.is_main_process:
            names = args.models or [result.model for result in results]
            rows = zip(names, results, strict=True)
            table = [(name, r.answers, r.content["scores"]) for name, r in rows]
            if table:
                print_table(table)
            for result in results:
                print(f"Written to {result.folder}{os.sep}")
            for name, reason in missing.items():
                print(f"Left out: {name}: {reason}")
        refuse_missing(missing, len(models))
    if together.num_processes > 1:  # one alone has left its group by now
        end_processes(together.accelerator)


def _models(args: argparse.Namespace) -> Any:
    """The models that the arguments name, or their list. Raises UserError for both, or none."""
    from aobench.models.model_lists import read_model_list

    if args.models and args.model_list:
        raise UserError(
            "models are named, and a list of them (--models): leave one of them out"
        )
    if args.model_list:
        return read_model_list(args.model_list)
    if not args.models:
        raise UserError(
            "there are no models to evaluate; name one, such as mini, or a list by --models"
        )
    if args.again:
        raise UserError(
            "--again is of a list (--models): models that are named are always run; leave it out"
        )
    return args.models


def refuse_missing(missing: dict[str, str], count: int) -> None:
    """Raise UserError where some of a list's ``count`` models have no result; names them."""
    if missing:
        first, *others = missing
        more = f" and {len(others)} more" if others else ""
        raise UserError(
            f"{len(missing)} of {count} models have no result: {first}{more} ({missing[first]}); "
            "what could be had is kept: mend these and run the same command again"
        )


def _default_data(args: argparse.Namespace) -> str:
    """The set where none is named: the published archive, or mini for its own models."""
    from aobench.models.bundled import BUNDLED_NAMES

    plain = [name.rpartition(":")[2] for name in args.models]
    of_mini = bool(plain) and set(plain) <= set(BUNDLED_NAMES)
    return "mini" if of_mini and not args.id_data else "v2"


def run_score(args: argparse.Namespace) -> None:
    """``imagenet-ao score``."""
    import json

    from aobench.files import sha256_of
    from aobench.results.paths import (
        TABLE,
        check_no_copies,
        result_file,
        result_places,
    )
    from aobench.results.predictions import read
    from aobench.results.printing import print_table
    from aobench.results.scores import all_scores

    places = result_places(args.tables, TABLE)
    check_no_copies(
        {path: sha256_of(result_file(path, TABLE)) for path in places}
    )
    rows = []
    for path in places:
        predictions = read(path)
        name = predictions.provenance["model"]["id"]
        rows.append((name, predictions, all_scores(predictions)))
    if args.json:
        pairs = zip(places, rows, strict=True)
        by_path = {str(path): scores for path, (_, _, scores) in pairs}
        print(json.dumps(by_path, indent=2, sort_keys=True, allow_nan=False))
    else:
        print_table(rows)


def run_prepare(args: argparse.Namespace) -> None:
    """``imagenet-ao prepare``: `aobench.evaluation.preparing.prepare_data`."""
    from aobench.evaluation.preparing import prepare_data
    from aobench.processes import quiet_bars

    quiet_bars()
    config = prepare_data(args.out, args.data or "v2", **reading_options(args))
    print(
        f"Written to {args.out}{os.sep}; load it with: datasets.load_dataset({str(args.out)!r}, "
        f"{config!r})"
    )


def run_install(args: argparse.Namespace) -> None:
    """``imagenet-ao install``."""
    import imagenet_ao
    from aobench.evaluation.sources import data_source
    from aobench.installation import install_dataset, install_metric

    source = None if args.data is None else data_source(args.data)
    if source is not None and source.config not in OUR_SETS:
        raise UserError(
            f"--data takes mini or the published archive here, and {args.data} is neither; load it "
            "by its place"
        )
    print(f"compositional_ood: {install_metric()}", flush=True)
    if source is None:
        return
    try:
        place = install_dataset(source.config, source.data_dir)
    except imagenet_ao.DatasetError as error:
        raise UserError(str(error)) from error
    print(f"imagenet_ao, {source.config}: {place}")
