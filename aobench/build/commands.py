"""``imagenet-ao build``: the steps in order, each skipped where its result is there already."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Spelled out, so that --help needs no heavy import; `aobench.build.steps` has the same.
STEPS = ("compose", "generate", "validate", "distinct", "package")


def add_parser(verbs: Any) -> None:
    """Add the verb ``build``."""
    p = verbs.add_parser(
        "build",
        help="make a new set that is novel for your captions: compositions, images, verdicts, dataset",
        description=f"Run a configuration's steps: {', '.join(STEPS)}. What is finished is not done again.",
    )
    p.add_argument("config", type=Path, help="YAML file, see docs/build.md")
    p.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS), help="only these (default: all)")
    p.add_argument("--cpu", action="store_true", help="do not use a GPU")


@dataclass(frozen=True)
class _Step:
    """``shared``: every process has a part in it; otherwise the main one does it. ``made_from`` None: always run.

    ``is_whole``: what else must hold for it to be done.
    """

    made_from: Callable[[], dict[str, Any]] | None
    run: Callable[[], Any]
    told: Callable[[dict[str, Any]], list[str]]
    shared: bool = False
    is_whole: Callable[[], bool] = lambda: True


def _steps(config: Any, path: Path, out: Path, accelerator: Any) -> dict[str, _Step]:
    from aobench.build import compose, generate
    from aobench.build.package import step as package
    from aobench.build.validate import step as validate

    c = config
    return {
        "compose": _Step(
            lambda: compose.made_from(c.compose, c.seed, path),
            lambda: compose.run(c.compose, c.seed, out, path), _composed,
        ),
        "generate": _Step(
            lambda: generate.made_from(c.generate, c.seed, out, path),
            lambda: generate.run(c.generate, c.seed, out, path, accelerator), _generated, shared=True,
            is_whole=lambda: generate.is_whole(out),
        ),
        "validate": _Step(
            lambda: validate.made_from(c.validate, out, path),
            lambda: validate.run(c.validate, out, path, accelerator), _validated, shared=True,
        ),
        "distinct": _Step(None, lambda: _distinct(c, out), _compared),
        "package": _Step(lambda: package.made_from(c, out), lambda: package.run(c, out), lambda m: _packaged(m, out)),
    }  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Run the steps and print what each found."""
    from aobench.build.config import located, read_config
    from aobench.build.steps import is_done, read_manifest, sweep
    from aobench.evaluation.processes import end_processes, quiet_bars, start_processes

    config = read_config(args.config)
    out = located(args.config, config.out)
    quiet_bars()
    accelerator = start_processes(args.cpu, hours=24 * 7)
    for name, step in _steps(config, args.config, out, accelerator).items():
        if name not in args.steps:
            continue
        done = step.made_from is not None and is_done(out, name, step.made_from()) and step.is_whole()
        if not done and accelerator.is_main_process:
            sweep(out, name)
        accelerator.wait_for_everyone()  # all have looked before one writes
        if not done and (step.shared or accelerator.is_main_process):
            step.run()
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            print("\n".join(step.told(read_manifest(out, name) or {})))
    if accelerator.is_main_process:
        print(f"Written to {out}/")
    end_processes(accelerator)


def _distinct(config: Any, out: Path) -> None:
    """Compare what validate accepted; hashes, embeddings and neighbours of an earlier run are kept."""
    from aobench.build import generate
    from aobench.build.distinct.step import run_distinct
    from aobench.build.steps import folder, read_rows
    from aobench.build.validate.step import TABLE
    from aobench.errors import UserError

    accepted = {row["image_id"] for row in read_rows(folder(out, "validate") / TABLE) if row["accepted"]}
    if not accepted:
        raise UserError(f"validate accepted no image; {folder(out, 'validate') / TABLE} says why each fell")
    run_distinct(folder(out, "generate") / generate.TABLE, folder(out, "distinct"), config.distinct, accepted)


def _composed(manifest: dict[str, Any]) -> list[str]:
    facts = manifest["facts"]
    return [f"compose: {facts['kept']:,} of {facts['compositions']:,} compositions kept", *_fell(facts["fell"])]


def _generated(manifest: dict[str, Any]) -> list[str]:
    facts = manifest["facts"]
    return [f"generate: {facts['images']:,} images, {facts['flagged']:,} flagged by a safety checker"]


def _validated(manifest: dict[str, Any]) -> list[str]:
    facts = manifest["facts"]
    head = f"validate: {facts['accepted']:,} of {facts['images']:,} images accepted"
    return [f"{head}, {facts['compositions']:,} compositions", *_fell(facts["fell"])]


def _compared(manifest: dict[str, Any]) -> list[str]:
    counts = manifest["counts"]
    return [
        f"distinct: {counts['kept']:,} of {counts['images']:,} images kept; look at report.html",
        *_fell(counts["removed"]),
    ]


def _packaged(manifest: dict[str, Any], out: Path) -> list[str]:
    from aobench.build.steps import folder

    facts = manifest["facts"]
    where = folder(out, "package")
    text = f"package: {facts['images']:,} images of {facts['compositions']:,} compositions"
    return [
        f"{text}, fingerprint {facts['fingerprint']}",
        f"  imagenet-ao evaluate MODEL --dataset {where / facts['dataset']} --config {facts['dataset']}",
    ]


def _fell(reasons: dict[str, int]) -> list[str]:
    return [f"  {count:,} {why}" for why, count in sorted(reasons.items(), key=lambda item: -item[1]) if count]
