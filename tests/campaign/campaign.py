"""The list of cases, samples of it, and the run of those."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import sleep

from .arguments import ARGUMENTS
from .children import Child, Ended, permissions_hold
from .command import Command, Holds, Input, located
from .commands_audit import AUDITS
from .commands_build import BUILDS
from .commands_evaluate import EVALUATIONS
from .commands_results import RESULTS
from .damages import BY_NAME, DAMAGES, Damage
from .results import result_of
from .stock import make_stock
from .verdicts import Verdict, judge

COMMANDS: tuple[Command, ...] = (
    *EVALUATIONS,
    *RESULTS,
    *AUDITS,
    *BUILDS,
    *ARGUMENTS,
)


@dataclass(frozen=True)
class Case:
    """One command, one of its files, one damage."""

    command: Command
    source: Input
    damage: Damage
    draw: int = (
        0  #: of what is random in the damage; 0 is the draw that is tested
    )

    @property
    def id(self) -> str:
        return f"{self.command.name}:{self.source.path}:{self.damage.name}"

    @property
    def seed(self) -> int:
        """Of what is random in the damage: the case's own, the same every time."""
        name = f"{self.id}#{self.draw}" if self.draw else self.id
        return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)


@dataclass(frozen=True)
class Report:
    """What came of a case."""

    id: str
    owner: str
    verdict: Verdict
    seconds: float

    def line(self) -> str:
        """For people, with how to run the case alone."""
        again = f"python -m tests.campaign {self.id!r}"
        return f"{self.verdict.name}: {self.verdict.line[:300]}\n    {again}"


def every_case() -> list[Case]:
    """All cases, in the order of the commands, their files and the damages."""
    return [
        case
        for command in COMMANDS
        for source in command.inputs
        for case in _cases(command, source)
    ]


def _cases(command: Command, source: Input) -> Iterator[Case]:
    for damage in command.damages or DAMAGES:
        if (damage.texts and not source.text) or (
            damage.tables and not source.numbers
        ):
            continue
        if damage.name == "swapped" and source.other is None:
            continue
        if damage.name == "flip-3" and source.holds is not Holds.OWN:
            continue
        if damage.name not in source.without:
            yield Case(command, source, damage)


def sample(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """``count`` cases, or as many as show each command and each damage of files at least once."""
    draw = random.Random(seed)
    shuffled = draw.sample(list(cases), len(cases))
    commands, damages = (
        {case.command.name for case in cases},
        {damage.name for damage in DAMAGES},
    )
    chosen: list[Case] = []
    while commands or damages:
        best = max(
            shuffled,
            key=lambda c: (
                (c.command.name in commands) + (c.damage.name in damages)
            ),
        )
        chosen.append(best)
        shuffled.remove(best)
        commands.discard(best.command.name)
        damages.discard(best.damage.name)
    chosen += shuffled[: max(0, count - len(chosen))]
    order = {case.id: number for number, case in enumerate(cases)}
    return sorted(chosen, key=lambda case: order[case.id])


class Campaign:
    """Runs cases below ``where``, which it may fill and clear.

    ``every_base``: each command runs undamaged too, even where all its cases are refused in a line
    that names the damaged file, for which no undamaged run is needed.
    """

    def __init__(self, where: Path, every_base: bool = True) -> None:
        self.where, self.every_base = where.resolve(), every_base
        self.set_up: dict[str, Ended | None] = {}
        self.skipped: list[str] = []
        self.bases: dict[str, Ended] = {}
        self._denies: bool | None = None
        where.mkdir(parents=True, exist_ok=True)

    def run(self, cases: Sequence[Case]) -> Iterator[Report]:
        """Carry out the cases one after another."""
        if not (self.where / "stock").exists():
            made = self._ended(
                "stock",
                partial(make_stock, self.where / "stock"),
                self.where,
                (),
            )
            if made.status != 0:
                raise RuntimeError(
                    f"the stock could not be made:\n{made.out[-1000:]}{made.err[-3000:]}"
                )
        for case in cases:
            if case.damage.name == "denied" and not self._can_deny():
                self.skipped.append(case.id)
                continue
            yield self._report(case)

    def _can_deny(self) -> bool:
        if self._denies is None:
            self._denies = permissions_hold(self.where)
        return self._denies

    def _report(self, case: Case) -> Report:
        command = case.command
        failed = self._set_up(command)
        base = failed or (self._base(command) if self.every_base else None)
        if base is not None and base.status != 0:
            return self._broken(case, base)
        folder = self._fresh(command)
        path = located(folder, case.source.path)
        other = (
            located(folder, case.source.other) if case.source.other else None
        )
        case.damage.apply(path, case.seed, other)
        denied = case.damage.name == "denied"
        end = self._ended(
            command.name, command.act, folder, command.outputs, denied
        )
        shutil.rmtree(folder)
        if base is None and end.status == 0:
            base = self._base(command)
            if base.status != 0:
                return self._broken(case, base)
        verdict = judge(end, base, case.source, case.damage)
        return Report(case.id, case.source.owner, verdict, end.seconds)

    def _broken(self, case: Case, base: Ended) -> Report:
        verdict = Verdict("broken", _last(base))
        return Report(case.id, case.source.owner, verdict, base.seconds)

    def _set_up(self, command: Command) -> Ended | None:
        """Makes what is copied for each case; how it ended, where it failed."""
        if command.name not in self.set_up:
            self.set_up[command.name] = self._fails_to_set_up(command)
        return self.set_up[command.name]

    def _fails_to_set_up(self, command: Command) -> Ended | None:
        folder = self.where / "cases" / command.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for place, source in command.takes.items():
            _copy(located(self.where / "stock", source), folder / place)
        for arguments in command.first:
            end = self._ended(command.name, arguments, folder, ())
            if end.status != 0:
                return end
        kept = self.where / "set-ups" / command.name
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept, symlinks=True)
        shutil.rmtree(folder)
        return None

    def _base(self, command: Command) -> Ended:
        """The undamaged run, once."""
        if command.name not in self.bases:
            folder = self._fresh(command)
            self.bases[command.name] = self._ended(
                command.name, command.act, folder, command.outputs
            )
            shutil.rmtree(folder)
        return self.bases[command.name]

    def _fresh(self, command: Command) -> Path:
        """The command's set-up, at the same place for all its cases: caches go by places."""
        folder = self.where / "cases" / command.name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(
            self.where / "set-ups" / command.name, folder, symlinks=True
        )
        return folder

    def _ended(
        self,
        name: str,
        act: object,
        folder: Path,
        outputs: Sequence[str],
        denied: bool = False,
    ) -> Ended:
        collect = partial(result_of, patterns=outputs)
        child = Child(folder, self.where / "said" / name, act, collect, denied)  # type: ignore[arg-type]
        while (end := child.ended()) is None:
            sleep(0.01)
        return end


def _last(end: Ended) -> str:
    """Why the undamaged command failed."""
    return (
        f"status {end.status} without any damage {end.why}: "
        f"{(end.err or end.out).strip()[-600:]}"
    )


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, place)
    else:
        shutil.copy2(source, place)


def as_json(reports: Sequence[Report], skipped: Sequence[str]) -> str:
    """Reports for another process."""
    return json.dumps(
        {
            "reports": [dataclasses.asdict(one) for one in reports],
            "skipped": list(skipped),
        }
    )


def chosen(prefixes: Sequence[str], draw: int = 0) -> list[Case]:
    """The cases whose ids begin with one of ``prefixes``; all where there is none."""
    return [
        dataclasses.replace(case, draw=draw)
        for case in every_case()
        if not prefixes or any(case.id.startswith(p) for p in prefixes)
    ]


__all__ = [
    "BY_NAME",
    "Campaign",
    "Case",
    "Report",
    "as_json",
    "chosen",
    "every_case",
    "sample",
]
