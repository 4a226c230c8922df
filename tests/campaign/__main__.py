"""Runs the campaign, or a part of it, and prints what came of it. See the package's docstring."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

# Before anything is imported that reads them; the cases' processes inherit them.
os.environ.update(
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    POLARS_MAX_THREADS="1",
    HF_HUB_OFFLINE="1",
    HF_EVALUATE_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
    PYTHONWARNINGS="ignore::DeprecationWarning",
)
# The folder of `helpers`, as pytest has it for the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def import_everything() -> None:
    """Import once what the cases need: their processes, forked from this one, begin at once."""
    import gc
    import importlib
    import pkgutil

    import torch

    import aobench

    torch.set_num_threads(1)
    for name in (
        "datasets",
        "evaluate",
        "polars",
        "pyarrow.parquet",
        "pyarrow.dataset",
        "scipy.stats",
        "yaml",
        "accelerate",
        "faiss",
        "imagehash",
        "sklearn.linear_model",
        "matplotlib.pyplot",
        "jinja2",
        "plotly",
        "transformers.models.clip.modeling_clip",
        "transformers.models.resnet.modeling_resnet",
        "transformers.models.clip.image_processing_clip",
        "huggingface_hub",
        "pandas",
        "helpers.warm_caches",
    ):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    for module in pkgutil.walk_packages(aobench.__path__, "aobench."):
        if not module.name.endswith(
            (".__main__", ".annotation.app", ".mini.train", "ray_engine")
        ):
            importlib.import_module(module.name)
    importlib.import_module("helpers.warm_kernels")
    # The cases share these objects' memory until they write to it, as a search for garbage does.
    gc.freeze()


def _table(rows: Sequence[Sequence[object]]) -> str:
    widths = [
        max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))
    ]
    return "\n".join(
        "  ".join(
            str(cell).ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def summary(reports: Iterable[object]) -> str:
    """Counts of the verdicts, by command."""
    from .verdicts import RIGHT, WRONG

    names = (*RIGHT, *WRONG)
    counts: dict[str, Counter[str]] = {}
    for report in reports:
        counts.setdefault(report.id.split(":")[0], Counter())[
            report.verdict.name
        ] += 1  # type: ignore[attr-defined]
    whole: Counter[str] = sum(counts.values(), Counter())
    rows: list[list[object]] = [["command", "cases", *names]]
    for command, found in (*counts.items(), ("all", whole)):
        rows.append(
            [command, found.total(), *(found[name] or "." for name in names)]
        )
    return _table(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases that the arguments name; the exit status is 1 where one is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaign", description=__doc__
    )
    parser.add_argument(
        "prefixes",
        nargs="*",
        metavar="CASE",
        help="ids, or how they begin (default: all)",
    )
    parser.add_argument(
        "--sample",
        type=int,
        help="only so many, each command and each damage among them",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the sample (default: 0)"
    )
    parser.add_argument(
        "--draw",
        type=int,
        default=0,
        help="of what is random in a damage, such as which bit flips (default: 0)",
    )
    parser.add_argument(
        "--list", action="store_true", help="print the ids and stop"
    )
    parser.add_argument(
        "--json", type=Path, help="write the reports to this file"
    )
    parser.add_argument(
        "--show",
        nargs="+",
        default=[],
        metavar="VERDICT",
        help="print the cases with these verdicts",
    )
    parser.add_argument(
        "--where",
        type=Path,
        help="working folder, kept (default: a temporary one)",
    )
    args = parser.parse_args(arguments)
    began = time.monotonic()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # what came of the cases so far is written
    import_everything()
    from .campaign import Campaign, as_json, chosen, sample

    cases = chosen(args.prefixes, args.draw)
    cases = sample(cases, args.sample, args.seed) if args.sample else cases
    if args.list:
        print("\n".join(case.id for case in cases))
        return 0
    with tempfile.TemporaryDirectory(prefix="campaign-") as scratch:
        campaign = Campaign(
            args.where or Path(scratch), every_base=not args.sample
        )
        reports = []
        try:
            for report in campaign.run(cases):
                reports.append(report)
                if (
                    not report.verdict.right
                    or report.verdict.name in args.show
                    or len(cases) < 20
                ):
                    print(report.line(), flush=True)
        finally:
            if args.json:
                args.json.write_text(as_json(reports, campaign.skipped))
    print(summary(reports))
    seconds = time.monotonic() - began
    print(
        f"{len(reports)} cases in {seconds:.0f} s; {len(campaign.skipped)} skipped",
        flush=True,
    )
    return 0 if all(report.verdict.right for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
