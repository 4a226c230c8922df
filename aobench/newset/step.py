"""What a build is made of: five steps of one protocol.

Each step has its folder, one table that the next ones read, and a manifest that says what it was
made from; see `manifests`. The runner in `running` decides which steps run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from aobench.newset.config import BuildConfig

#: The steps in their order, and the class of each: here alone.
STEPS = {
    "compose": "aobench.newset.compose:ComposeStep",
    "generate": "aobench.newset.generate:GenerateStep",
    "validate": "aobench.newset.validate.step:ValidateStep",
    "distinct": "aobench.newset.distinct:DistinctStep",
    "package": "aobench.newset.package.step:PackageStep",
}


@dataclass(frozen=True)
class Build:
    """A run of a configuration.

    ``config_path``: file names in the configuration are relative to its folder. ``out``: the folder
    of the steps' folders. ``processes``: the run's processes, see `aobench.processes.Together`.
    """

    config: BuildConfig
    config_path: Path
    out: Path
    processes: Any


@dataclass(frozen=True)
class StepResult:
    """What a step wrote and what it says of it; both go into its manifest."""

    files: Sequence[Path]
    facts: Mapping[str, Any] = field(default_factory=dict)


class Step(Protocol):
    """A step of a build; the same five questions to each.

    ``shared``: every process has a part in it; otherwise the main one does it.
    """

    name: str
    build: Build
    shared: bool = False

    def options(self) -> dict[str, Any]:
        """What the configuration says of the step."""
        ...

    def earlier_tables(self) -> dict[str, str]:
        """The digests of the tables of earlier steps that it reads.

        Raises:
            UserError: where one is missing.
        """
        return {}

    def outside_inputs(self) -> dict[str, Any]:
        """The contents of files and models that the configuration names.

        Raises:
            UserError: where one is not on this machine.
        """
        return {}

    def is_whole(self) -> bool:
        """What else must hold of a finished step, so that it is not run again."""
        return True

    def run(self, made_from: Mapping[str, Any]) -> StepResult:
        """Do the work. ``made_from``: what `made_from` gave before it."""
        ...

    def summary_lines(self, facts: Mapping[str, Any]) -> list[str]:
        """What a user reads of the finished step."""
        ...


def made_from(step: Step) -> dict[str, Any]:
    """All that decides a step: options, tables of earlier steps, and what lies elsewhere."""
    return {**step.options(), **step.earlier_tables(), **step.outside_inputs()}


def steps_of(build: Build) -> dict[str, Step]:
    """The steps of a build, in their order."""
    steps: dict[str, Step] = {}
    for name, where in STEPS.items():
        module, _, kind = where.partition(":")
        steps[name] = getattr(import_module(module), kind)(build)
    return steps


def removed_lines(reasons: Mapping[str, int]) -> list[str]:
    """How many were left out for each reason, the most frequent first."""
    return [
        f"  {count:,} {why}"
        for why, count in sorted(reasons.items(), key=lambda item: -item[1])
        if count
    ]
