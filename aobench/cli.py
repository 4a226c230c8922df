"""The command ``imagenet-ao``. Heavy imports happen inside the verbs: ``--help`` answers at once."""

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
from aobench.audit import cli as audit
from aobench.build import commands as build
from aobench.build.annotation import commands as annotation
from aobench.errors import UserError
from aobench.publish import commands as publish
from aobench.study import commands as study

if TYPE_CHECKING:
    from aobench.models.registry import Resolved

#: Errors of the place that is read or written, not of the program.
PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR,
         errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)  # fmt: skip

#: Rooms with verbs of their own: ``add_parser(verbs)`` and ``run(args)``.
ROOMS = (audit, build, annotation, analysis, study, publish)


class _Parser(argparse.ArgumentParser):
    """Tells a wrong option in one line."""

    def error(self, message: str) -> NoReturn:
        """As argparse's, without the usage above it."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="imagenet-ao", description="Tests whether a vision-language model composes attributes and objects."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    e = verbs.add_parser("evaluate", help="evaluate models on a dataset; writes results.json and predictions.parquet")
    e.add_argument(
        "models",
        nargs="+",
        help="Hub ids, folders, 'mini' (the bundled model), efficientnet-lite0..2, timm:NAME, open_clip:ARCH/TAG",
    )
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
    e.add_argument(
        "--embeddings", type=Path, help="folder of embeddings that reruns use again (default: OUT/embeddings)"
    )
    e.add_argument(
        "--batch-size", type=int, help="images at once (default: 256 on a GPU, 32 on CPU; halved if need be)"
    )
    e.add_argument("--shard-size", type=int, default=256, help="images in a file of embeddings (default: 256)")
    e.add_argument(
        "--workers", type=int, help="processes that decode images (default: by the cores; on CPU 0: threads do)"
    )
    e.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    e.add_argument("--compile", action="store_true", help="run the image tower through torch.compile")
    e.add_argument("--attention", help="transformers' attn_implementation: sdpa, eager, flash_attention_2")
    e.add_argument("--draft", type=int, metavar="PIXELS", help="decode JPEGs at a smaller scale, no side below PIXELS")
    e.add_argument("--limit", type=int, help="only this many images of each split, spread evenly; for trying out")
    e.add_argument("--on-bad-image", default="count", choices=("count", "stop"), help="count as wrong, or stop")
    e.add_argument("--cpu", action="store_true", help="use the CPU even where there is a GPU")

    s = verbs.add_parser("score", help="recompute every figure from predictions.parquet, without a model")
    s.add_argument("tables", nargs="+", help="predictions.parquet files, or folders that hold one")
    s.add_argument("--json", action="store_true", help="print all figures as JSON")

    p = verbs.add_parser("prepare", help="write the dataset in the Hub's form: Parquet and a card")
    p.add_argument("out", type=Path)
    p.add_argument("--config", default="v2", choices=("v2", "mini"))
    p.add_argument("--data-dir", help="folder or zip of the published archive")

    i = verbs.add_parser("install", help="make evaluate.load and load_dataset find ours by name in any process")
    i.add_argument("--config", default="mini", choices=("v2", "mini"), help="the dataset's config (default: mini)")
    i.add_argument("--data-dir", help="folder or zip of the published archive, for v2")
    for room in ROOMS:
        before = set(verbs.choices)
        room.add_parser(verbs)
        for name in set(verbs.choices) - before:
            verbs.choices[name].set_defaults(room=room)
    return parser


def _evaluate(args: argparse.Namespace) -> None:
    numbers = (args.batch_size, args.limit, args.shard_size, args.draft)
    if any(n is not None and n < 1 for n in numbers) or (args.workers is not None and args.workers < 0):
        raise UserError(
            "--batch-size, --limit, --shard-size and --draft take whole numbers of at least 1, --workers of at least 0"
        )
    from aobench.evaluation.places import check_folders, check_source, result_names
    from aobench.hub import hub_in_one_line
    from aobench.vocabulary.templates import OPENAI_80, read_templates

    check_source(args.config, args.data_dir, args.dataset)
    templates = read_templates(args.templates) if args.templates else OPENAI_80
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from aobench.models.registry import resolve

    with hub_in_one_line("the models could not be looked up"):
        found = [resolve(name) for name in args.models]
    folders = [args.out / name for name in result_names(args.models)]
    check_folders(args.models, folders)
    from aobench.evaluation.data import Source, open_splits
    from aobench.evaluation.processes import end_processes, quiet_bars, start_processes
    from aobench.evaluation.report import print_table
    from aobench.evaluation.runner import Settings

    quiet_bars()
    accelerator = start_processes(args.cpu)
    config = args.config or ("mini" if args.models == ["mini"] and not (args.data_dir or args.dataset) else "v2")
    with accelerator.main_process_first(), hub_in_one_line("the dataset could not be opened"):
        splits = open_splits(Source(config, args.data_dir, args.dataset), limit=args.limit)
    settings = Settings(
        args.embeddings or args.out / "embeddings", args.candidates, templates, args.batch_size, args.workers,
        args.shard_size, args.draft, args.on_bad_image,
    )  # fmt: skip
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
    found: Resolved, folder: Path, splits: list[Any], settings: Any, accelerator: Any, config: str,
    args: argparse.Namespace,
) -> Any:  # fmt: skip
    """Load one model, run it, write its results; the row for the printed table, on the main process."""
    from aobench.analysis.figures import all_figures
    from aobench.evaluation.places import check_same_model, say_what_is_replaced
    from aobench.evaluation.report import provenance, results, write_results
    from aobench.evaluation.runner import run
    from aobench.evaluation.table import write
    from aobench.hub import hub_in_one_line
    from aobench.models.base import LoadOptions

    began = time.perf_counter()
    with hub_in_one_line(f"the model {found.name!r} could not be loaded"):
        model = found.load(accelerator.device, LoadOptions(args.dtype, args.compile, args.attention))
    load = round(time.perf_counter() - began, 3)
    check_same_model(folder, model.info.id, model.info.revision)
    chosen = {"draft": args.draft, "attention": args.attention, "compile": args.compile}
    facts = provenance(model, splits, args.dataset or "imagenet_ao", config, settings.templates, args.limit, chosen)
    predictions, seconds = run(model, splits, settings, accelerator, facts)
    if not accelerator.is_main_process:
        return None
    figures = all_figures(predictions)
    folder.mkdir(parents=True, exist_ok=True)
    table = write(predictions, folder / "predictions.parquet")
    content = results(predictions, figures, {"load": load, **seconds}, accelerator.num_processes, table)
    say_what_is_replaced(folder, content)
    write_results(content, folder / "results.json")
    return found.name, predictions, figures


def _score(args: argparse.Namespace) -> None:
    import json

    from aobench.analysis.figures import all_figures
    from aobench.evaluation.places import check_given_once
    from aobench.evaluation.report import print_table
    from aobench.evaluation.table import read

    check_given_once(args.tables)
    rows = []
    for path in args.tables:
        predictions = read(path)
        rows.append((predictions.provenance["model"]["id"], predictions, all_figures(predictions)))
    if args.json:
        by_path = {path: figures for path, (_, _, figures) in zip(args.tables, rows, strict=True)}
        print(json.dumps(by_path, indent=2, sort_keys=True, allow_nan=False))
    else:
        print_table(rows)


def _prepare(args: argparse.Namespace) -> None:
    import imagenet_ao
    from aobench.evaluation.places import check_source

    check_source(args.config, args.data_dir)
    options = {"data_dir": args.data_dir} if args.data_dir else {}
    try:
        imagenet_ao.prepare(args.out, config=args.config, **options)
    except (ValueError, OSError) as error:
        raise UserError(" ".join(str(error).split())) from error
    print(f"Written to {args.out}{os.sep}; load it with: datasets.load_dataset({str(args.out)!r}, {args.config!r})")


def _install(args: argparse.Namespace) -> None:
    from aobench.evaluation.places import check_source
    from aobench.installation import install_dataset, install_metric

    check_source(args.config, args.data_dir)
    try:
        print(f"compositional_ood: {install_metric()}")
        print(f"imagenet_ao, {args.config}: {install_dataset(args.config, args.data_dir)}")
    except (ValueError, OSError) as error:
        raise UserError(" ".join(str(error).split())) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0; 2 for bad input or an output that can't be written, told in one line on stderr; 130 where it was interrupted.
    """
    args = _parser().parse_args(argv)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    own = {"evaluate": _evaluate, "score": _score, "prepare": _prepare, "install": _install}
    verb = own.get(args.verb) or args.room.run
    try:
        verb(args)
    except UserError as error:
        print(f"imagenet-ao: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in PLACE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"imagenet-ao: {where}{error.strerror or error}; name another place, or mend this one", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("imagenet-ao: interrupted; what was finished is kept", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
