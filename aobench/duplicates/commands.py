"""The verb ``duplicates``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import absolute_path

SUMMARY = "summary.json"


def add_parser(verbs: Any) -> None:
    """Add the verb ``duplicates``."""
    d = verbs.add_parser(
        "duplicates",
        help="find near-duplicates among images, and images too near to a reference",
        description="Compares pictures with each other, and with a reference of embeddings where "
        "one is named. Writes decisions.parquet, neighbours.parquet, report.html and "
        f"{SUMMARY}; a second run goes on from what is there.",
    )
    d.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGES",
        help="folders of pictures, or tables with the columns image_id, attribute, object, file",
    )
    d.add_argument(
        "--out",
        type=Path,
        default=Path("duplicates"),
        help="output folder (default: duplicates)",
    )
    d.add_argument(
        "--model",
        help="a model whose embeddings are compared too, as evaluate takes it (default: none)",
    )
    d.add_argument(
        "--reference",
        nargs="+",
        default=[],
        metavar="SHARDS",
        help="folders or globs of .npy shards of embeddings by the same model",
    )
    d.add_argument(
        "--index", help="faiss factory string or index file, to search them"
    )
    _add_thresholds(d)
    d.set_defaults(run=run)


def _add_thresholds(d: argparse.ArgumentParser) -> None:
    d.add_argument(
        "--hash-distance",
        type=int,
        metavar="BITS",
        help="near by hash: at most so many of 64 bits apart (default: 4)",
    )
    d.add_argument(
        "--colour",
        type=int,
        metavar="STEPS",
        help="and colours at most so many of 255 apart (default: 20)",
    )
    d.add_argument(
        "--cosine",
        type=float,
        help="near by embedding from this cosine on (default: measured, not decided by)",
    )
    d.add_argument(
        "--reference-cosine",
        type=float,
        help="too near to the reference from this cosine on (default: 0.95)",
    )
    d.add_argument(
        "--neighbours",
        type=int,
        metavar="K",
        help="neighbours listed of each image (default: 10)",
    )
    d.add_argument(
        "--batch-size", type=int, help="images embedded at once (default: 64)"
    )
    d.add_argument(
        "--report-pairs",
        type=int,
        metavar="N",
        help="pairs shown at most in each part of the page (default: 40)",
    )


def run(args: argparse.Namespace) -> None:
    """``imagenet-ao duplicates``. Raises UserError for bad input."""
    from dataclasses import asdict

    from aobench.duplicates.comparison import find_duplicates
    from aobench.duplicates.images import open_sources
    from aobench.duplicates.reasons import summary_lines
    from aobench.extras import need_extra
    from aobench.files import write_in_one_move
    from aobench.processes import quiet_bars
    from aobench.sealed import manifest_bytes

    options = _options(args)
    options.check()
    need_extra("imagehash")
    _refuse_folder_of_pictures(args)
    quiet_bars()
    search = find_duplicates(open_sources(args.images), args.out, options)
    summary = {"options": asdict(options), **search.facts}
    write_in_one_move(args.out / SUMMARY, manifest_bytes(summary))
    counts = search.facts["counts"]
    print(
        f"{counts['kept']:,} of {counts['images']:,} images stay; "
        f"{counts['borderline']:,} decisions are borderline: look at {args.out / 'report.html'}"
    )
    print(
        "\n".join(summary_lines(counts["removed"])) or "  no image is removed"
    )
    print(f"Written to {args.out}/")


def _options(args: argparse.Namespace) -> Any:
    from aobench.duplicates.options import DuplicateOptions

    names = {
        "model": args.model,
        "index": args.index,
        "hash_distance": args.hash_distance,
        "colour": args.colour,
        "cosine_in_set": args.cosine,
        "reference_cosine": args.reference_cosine,
        "k": args.neighbours,
        "batch_size": args.batch_size,
        "report_pairs": args.report_pairs,
    }
    values = {name: value for name, value in names.items() if value is not None}
    return DuplicateOptions(**values, reference=tuple(args.reference))


def _refuse_folder_of_pictures(args: argparse.Namespace) -> None:
    """UserError where the results would be written into a folder whose pictures are compared, or
    where ``--out`` is a file.
    """
    out = absolute_path(args.out)
    if args.out.exists() and not args.out.is_dir():
        raise UserError(f"--out: {args.out} is a file; name a folder")
    for source in args.images:
        if source.is_dir() and out == absolute_path(source):
            raise UserError(
                f"--out {args.out} is the folder of the pictures; name another folder"
            )
