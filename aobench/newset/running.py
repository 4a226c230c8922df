"""Running a build: the steps in order, each skipped where its result is there already."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from functools import partial
from pathlib import Path

from aobench.files import alone_in
from aobench.newset.checks import check_inputs
from aobench.newset.config import BuildConfig, located_path
from aobench.newset.manifests import (
    is_done,
    read_manifest,
    refuse_stale,
    remove_partial_files,
    write_manifest,
)
from aobench.newset.step import Build, Step, made_from, steps_of
from aobench.processes import Together


def run_steps(
    config: BuildConfig,
    config_path: Path,
    names: Collection[str],
    processes: Together,
) -> None:
    """Run the steps ``names`` of a configuration and print what each says.

    Raises:
        UserError: for bad input, and where an earlier step is not as the configuration has it.
    """
    processes.from_main(partial(check_inputs, config, config_path, names))
    out = located_path(config_path, config.out)
    with contextlib.ExitStack() as stack:
        # the main process alone: it writes the manifests
        processes.from_main(lambda: stack.enter_context(alone_in(out, "build")))
        _run_steps(Build(config, config_path, out, processes), names)


def _run_steps(build: Build, names: Collection[str]) -> None:
    out, processes = build.out, build.processes
    steps = steps_of(build)
    order = list(steps)
    last = max(order.index(name) for name in names)
    for place, (name, step) in enumerate(steps.items()):
        if name in names:
            _run_step(step, processes)
        elif place < last:
            processes.from_main(partial(refuse_stale, out, step))
    if processes.is_main_process:
        print(f"Written to {out}/")


def _run_step(step: Step, processes: Together) -> None:
    """Run a step unless it is done, and print what it says."""
    name, out = step.name, step.build.out
    inputs = processes.from_main(partial(made_from, step))
    done = processes.from_main(
        lambda: is_done(out, name, inputs) and step.is_whole()
    )
    if not done and processes.is_main_process:
        remove_partial_files(out, name)
    processes.wait_for_everyone()  # all have looked before one writes
    if not done and (step.shared or processes.is_main_process):
        result = step.run(inputs)
        if processes.is_main_process:
            write_manifest(out, name, inputs, result)
    processes.wait_for_everyone()
    if processes.is_main_process:
        manifest = read_manifest(out, name) or {}
        print("\n".join(step.summary_lines(manifest["facts"])))
