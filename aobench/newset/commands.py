"""``imagenet-ao build``: the steps in order, each skipped where its result is there already."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

#: Spelled out, so that --help needs no heavy import; `aobench.newset.manifests` has the same.
STEPS = ("compose", "generate", "validate", "distinct", "package")


def add_parser(verbs: Any) -> None:
    """Add the verb ``build``."""
    p = verbs.add_parser(
        "build",
        help="make a new set that is novel for your captions: compositions, images, verdicts, "
        "dataset",
        description=f"Run a configuration's steps: {', '.join(STEPS)}. What is finished is not "
        "done again.",
    )
    p.add_argument("config", type=Path, help="YAML file, see docs/build.md")
    p.add_argument(
        "--steps",
        nargs="+",
        choices=STEPS,
        default=list(STEPS),
        help="only these (default: all)",
    )
    p.add_argument(
        "--allow-code",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="a generator or judge of one's own that the file names: it is imported, and run; may "
        "be repeated",
    )
    p.add_argument("--cpu", action="store_true", help="do not use a GPU")
    p.set_defaults(run=run)


@dataclass(frozen=True)
class _Step:
    """``made_from`` is found once, before the work, and given to ``run``, which writes it into the
    manifest.

    ``options``: the part of it that the configuration says. ``shared``: every process has a part in
    it; otherwise the main one does it. ``always``: it is run even where it is done, and keeps by
    itself what needn't be made again. ``is_whole``: what else must hold for it to be done.
    """

    options: dict[str, Any]
    made_from: Callable[[], dict[str, Any]]
    run: Callable[[dict[str, Any]], Any]
    told: Callable[[dict[str, Any]], list[str]]
    shared: bool = False
    always: bool = False
    is_whole: Callable[[], bool] = lambda: True


def _steps(config: Any, path: Path, out: Path, accelerator: Any) -> dict[str, _Step]:
    from aobench.duplicates.step import placed
    from aobench.newset import compose, generate
    from aobench.newset.package import step as package
    from aobench.newset.validate import step as validate

    c, seed = config, {"seed": config.seed}
    compared = {"options": asdict(placed(c.distinct, path))}
    return {
        "compose": _Step(
            {"options": asdict(c.compose), **seed},
            lambda: compose.made_from(c.compose, c.seed, out, path),
            lambda made: compose.run(c.compose, c.seed, out, path, made),
            _composed,
        ),
        "generate": _Step(
            {"options": asdict(c.generate), **seed},
            lambda: generate.made_from(c.generate, c.seed, out, path),
            lambda made: generate.run(c.generate, c.seed, out, path, accelerator, made),
            _generated,
            shared=True,
            is_whole=lambda: generate.is_whole(out),
        ),
        "validate": _Step(
            {"options": asdict(c.validate)},
            lambda: validate.made_from(c.validate, out, path),
            lambda made: validate.run(c.validate, out, path, accelerator, made),
            _validated,
            shared=True,
        ),
        "distinct": _Step(
            compared,
            lambda: compared,
            lambda made: _distinct(c, path, out),
            _compared,
            always=True,
        ),
        "package": _Step(
            {"options": asdict(c.package), **seed},
            lambda: package.made_from(c, out),
            lambda made: package.run(c, out, made),
            lambda m: _packaged(m, out),
        ),
    }


def run(args: argparse.Namespace) -> None:
    """Run the steps and print what each found."""
    from aobench.newset.configuration import read_config
    from aobench.processes import Together, end_processes, quiet_bars, start_processes

    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    # At once; several must first be able to fail as one.
    config = read_config(args.config, args.allow_code) if alone else None
    quiet_bars()
    together = Together(start_processes(args.cpu, hours=24 * 7))
    with together.failing_as_one(args.debug):
        _run(args, config or read_config(args.config, args.allow_code), together)
    end_processes(together.accelerator)


def _run(args: argparse.Namespace, config: Any, together: Any) -> None:
    from aobench.newset.checks import check_inputs
    from aobench.newset.config import located
    from aobench.newset.manifests import refuse_stale

    if together.is_main_process:
        for name in args.allow_code:
            print(f"allowed code: imports {name} and runs it", flush=True)
    together.from_main(partial(check_inputs, config, args.config, args.steps))
    out = located(args.config, config.out)
    last = max(STEPS.index(name) for name in args.steps)
    for name, step in _steps(config, args.config, out, together).items():
        if name not in args.steps:
            if STEPS.index(name) < last:
                together.from_main(
                    partial(refuse_stale, out, name, step.made_from, step.options)
                )
            continue
        _run_step(name, step, out, together)
    if together.is_main_process:
        print(f"Written to {out}/")


def _run_step(name: str, step: _Step, out: Path, together: Any) -> None:
    """Run it unless it is done, and print what it found."""
    from aobench.newset.manifests import is_done, read_manifest, sweep

    made = together.from_main(step.made_from)
    done = together.from_main(
        lambda: not step.always and is_done(out, name, made) and step.is_whole()
    )
    if not done and together.is_main_process:
        sweep(out, name)
    together.wait_for_everyone()  # all have looked before one writes
    if not done and (step.shared or together.is_main_process):
        step.run(made)
    together.wait_for_everyone()
    if together.is_main_process:
        print("\n".join(step.told(read_manifest(out, name) or {})))


def _distinct(config: Any, path: Path, out: Path) -> None:
    """Compare what validate accepted; hashes, embeddings and neighbours of an earlier run are
    kept.
    """
    from aobench.duplicates.step import placed, run_distinct
    from aobench.errors import UserError
    from aobench.newset import generate
    from aobench.newset.manifests import folder, read_rows
    from aobench.newset.validate.step import TABLE

    accepted = {
        row["image_id"]
        for row in read_rows(folder(out, "validate") / TABLE)
        if row["accepted"]
    }
    if not accepted:
        raise UserError(
            f"validate accepted no image; {folder(out, 'validate') / TABLE} says why each fell"
        )
    generate.refuse_altered(out, accepted)
    images, options = (
        folder(out, "generate") / generate.TABLE,
        placed(config.distinct, path),
    )
    run_distinct(images, folder(out, "distinct"), options, accepted)


def _composed(manifest: dict[str, Any]) -> list[str]:
    facts = manifest["facts"]
    lines = [
        f"compose: {facts['kept']:,} of {facts['compositions']:,} compositions kept",
        *_fell(facts["fell"]),
    ]
    if facts["asked"] and facts["kept"] < facts["asked"]:
        lines.append(
            f"  count asks for {facts['asked']:,}: there are no more under these exclusions and "
            "caps"
        )
    for name, corpus in facts["corpora"].items():
        if "sample" in corpus:
            bound = corpus["unseen_share_at_most_95"]
            lines.append(
                f"  {name} was audited by a sample of {corpus['sample']:g}: what it doesn't show "
                "may still be in up to "
                f"{bound:.2g} of the captions (95 %)"
            )
    return lines


def _generated(manifest: dict[str, Any]) -> list[str]:
    facts = manifest["facts"]
    broken = (
        f", {facts['broken']:,} that are no pictures (see fault)"
        if facts.get("broken")
        else ""
    )
    return [
        f"generate: {facts['images']:,} images, {facts['flagged']:,} flagged by a safety "
        f"checker{broken}"
    ]


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
    from aobench.newset.manifests import folder

    facts = manifest["facts"]
    where = folder(out, "package")
    text = (
        f"package: {facts['images']:,} images of {facts['compositions']:,} compositions"
    )
    return [
        f"{text}, fingerprint {facts['fingerprint']}",
        f"  imagenet-ao evaluate MODEL --dataset {where / facts['dataset']} --config "
        f"{facts['dataset']}",
    ]


def _fell(reasons: dict[str, int]) -> list[str]:
    return [
        f"  {count:,} {why}"
        for why, count in sorted(reasons.items(), key=lambda item: -item[1])
        if count
    ]
