"""``imagenet-ao build``: the steps in order, each skipped where its result is there already."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

#: Spelled out, so that --help needs no heavy import; `aobench.build.steps` has the same.
STEPS = ("compose", "generate", "distinct")


def add_parser(verbs: Any) -> None:
    """Add the verb ``build``."""
    p = verbs.add_parser(
        "build",
        help="make a new set: novel compositions, their images, near-duplicates",
        description="Run a configuration's steps: compose, generate, distinct. What is finished is not done again.",
    )
    p.add_argument("config", type=Path, help="YAML file, see docs/build.md")
    p.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS), help="only these (default: all)")


def run(args: argparse.Namespace) -> None:
    """Run the steps and print what each found."""
    from aobench.build import compose, generate
    from aobench.build.config import located, read_config
    from aobench.build.steps import folder, is_done, read_manifest

    config = read_config(args.config)
    out = located(args.config, config.out)
    if "compose" in args.steps:
        if not is_done(out, "compose", compose.made_from(config.compose, config.seed, args.config)):
            compose.run(config.compose, config.seed, out, args.config)
        facts = (read_manifest(out, "compose") or {})["facts"]
        print(f"compose: {facts['kept']:,} of {facts['compositions']:,} compositions kept")
        for why, count in sorted(facts["fell"].items(), key=lambda item: -item[1]):
            print(f"  {count:,} {why}")
    if "generate" in args.steps:
        if not is_done(out, "generate", generate.made_from(config.generate, config.seed, out)):
            generate.run(config.generate, config.seed, out)
        facts = (read_manifest(out, "generate") or {})["facts"]
        print(f"generate: {facts['images']:,} images, {facts['flagged']:,} flagged by a safety checker")
    if "distinct" in args.steps:
        import pyarrow.parquet as pq

        from aobench.build.distinct.step import run_distinct

        where = run_distinct(folder(out, "generate") / generate.TABLE, folder(out, "distinct"), config.distinct)
        kept = pq.read_table(where / "decisions.parquet", columns=["kept"])["kept"].to_pylist()
        print(f"distinct: {sum(kept):,} of {len(kept):,} images kept; look at {where / 'report.html'}")
    print(f"Written to {out}/")
