"""The verb ``build``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.newset.step import STEPS


def add_parser(verbs: Any) -> None:
    """Add the verb ``build``."""
    p = verbs.add_parser(
        "build",
        help="make a new set that is novel for your captions: compositions, images, verdicts, "
        "dataset",
        description=f"Run a configuration's steps: {', '.join(STEPS)}. What is finished is not "
        "done again.",
    )
    p.add_argument(
        "config",
        type=Path,
        nargs="?",
        metavar="CONFIG",
        help="YAML file, see docs/build.md",
    )
    p.add_argument(
        "--example",
        type=Path,
        metavar="DIR",
        help="write a configuration that runs as it is, with what it needs, and stop",
    )
    p.add_argument(
        "--steps",
        nargs="+",
        choices=list(STEPS),
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


def run(args: argparse.Namespace) -> None:
    """``imagenet-ao build``. Raises UserError for bad input."""
    if _is_example(args):
        from aobench.newset.example import example_text, write_example

        print(example_text(write_example(args.example)))
        return
    from aobench.newset.configuration import read_config
    from aobench.processes import (
        Together,
        end_processes,
        quiet_bars,
        start_processes,
    )

    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    # At once; several must first be able to fail as one.
    config = read_config(args.config, args.allow_code) if alone else None
    quiet_bars()
    together = Together(start_processes(args.cpu, hours=24 * 7))
    with together.failing_as_one():
        from aobench.newset.running import run_steps

        config = config or read_config(args.config, args.allow_code)
        if together.is_main_process:
            for name in args.allow_code:
                print(f"allowed code: imports {name} and runs it", flush=True)
        run_steps(config, args.config, args.steps, together)
    end_processes(together.accelerator)


def _is_example(args: argparse.Namespace) -> bool:
    """Whether the example is asked for. Raises UserError where it is not clear what is."""
    if args.example is None and args.config is None:
        raise UserError(
            "build takes a configuration; `imagenet-ao build --example DIR` writes one to begin "
            "with"
        )
    if args.example is not None and args.config is not None:
        raise UserError(
            f"--example writes a configuration, and {args.config} is one to run: leave one of "
            "them out"
        )
    return args.example is not None
