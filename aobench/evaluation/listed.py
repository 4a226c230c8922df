"""A run over a list of models: one that can't be had is named and the run goes on; one whose result
is there is not run again; what is left is told on stderr.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.models.model_lists import Fact, ModelList
from aobench.results.result import Result

if TYPE_CHECKING:
    from aobench.models.registry import ResolvedModel

GIGABYTE = 1e9
#: Bytes of a number of each type.
WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}


class ListResults(list[Result]):
    """The results of a list of models, in its order.

    Attributes:
        missing: by model why it has no result.
        again: the models whose result was there, and was not computed again.
    """

    def __init__(
        self,
        results: Sequence[Result] = (),
        missing: Mapping[str, str] | None = None,
        again: Sequence[str] = (),
    ) -> None:
        super().__init__(results)
        self.missing = dict(missing or {})
        self.again = list(again)


@dataclass(frozen=True)
class Workload:
    """How many images go through each model, and how many texts through those that take some."""

    images: int
    texts: int

    def gflops(self, facts: Mapping[str, Fact]) -> float | None:
        """Billions of operations of a model by its ``facts``; None where these don't tell.

        Example:
            >>> Workload(100, 10).gflops({"image_gflops": 8.0})
            800.0
        """
        image = facts.get("image_gflops")
        if not isinstance(image, int | float):
            return None
        text = facts.get("text_gflops", 0.0)
        return self.images * image + self.texts * float(text)


def seconds_left(
    done: Sequence[tuple[float | None, float]], left: Sequence[float | None]
) -> float | None:
    """Seconds that the ``left`` models will take, from the work and the seconds of those ``done``.

    By operations where all of them are known, else by the mean; None where none is done.

    Example:
        >>> seconds_left([(10.0, 5.0)], [20.0, 40.0]), seconds_left([(None, 5.0)], [20.0])
        (30.0, 5.0)
    """
    if not done:
        return None
    spent = sum(seconds for _, seconds in done)
    works = [work for work, _ in done]
    known = [work for work in (*works, *left) if work is not None]
    if len(known) == len(done) + len(left):
        return spent * sum(known[len(done) :]) / sum(known[: len(done)])
    return spent / len(done) * len(left)


def duration_shown(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``.

    Example:
        >>> duration_shown(44.6), duration_shown(700), duration_shown(12_000)
        ('45 s', '12 min', '3 h 20 min')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


@dataclass
class ListProgress:
    """Takes one model of a list after another, and tells how far it is."""

    models: ModelList
    workload: Workload
    is_main: bool = True
    missing: dict[str, str] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    done: list[tuple[float | None, float]] = field(default_factory=list)

    def attempt(
        self, name: str, run: Callable[[], Result], stored: Result | None = None
    ) -> Result | None:
        """The model's result: ``stored``, or what ``run`` gives; None where that is impossible."""
        if stored is not None:
            self.again.append(name)
            self._tell(name, "its result is there")
            return stored
        began = time.perf_counter()
        try:
            result = run()
        except UserError as error:
            self.leave_out(name, str(error))
            return None
        finally:
            gc.collect()
        seconds = time.perf_counter() - began
        self.done.append((self._work(name), seconds))
        self._tell(name, f"{duration_shown(seconds)}; {self._rest(name)}")
        return result

    def leave_out(self, name: str, reason: str) -> None:
        """Note and tell why a model has no result."""
        self.missing[name] = " ".join(reason.split())
        self._tell(name, f"LEFT OUT: {self.missing[name]}")

    def _work(self, name: str) -> float | None:
        return self.workload.gflops(self.models.facts[name])

    def _rest(self, name: str) -> str:
        after = self.models.names.index(name) + 1
        names = [
            one for one in self.models.names[after:] if one not in self.missing
        ]
        if not names:
            return f"none left; {memory_told()}"
        left = seconds_left(self.done, [self._work(one) for one in names])
        about = "" if left is None else f", about {duration_shown(left)}"
        return f"{len(names)} left{about}; {memory_told()}"

    def _tell(self, name: str, words: str) -> None:
        if self.is_main:
            place = self.models.names.index(name) + 1
            line = f"[{place} of {len(self.models)}] {name}: {words}"
            print(line, file=sys.stderr, flush=True)


def memory_told() -> str:
    """The most memory that this process had so far, and what is free: ``memory 2.1 GB, 5.9 free``,
    and of the GPU where there is one.
    """
    import resource

    import psutil

    unit = 1 if sys.platform == "darwin" else 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    free = psutil.virtual_memory().available
    line = f"memory at most {most / GIGABYTE:.1f} GB, {free / GIGABYTE:.1f} GB free"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        most = torch.cuda.max_memory_allocated()
        free, _ = torch.cuda.mem_get_info()
        line += (
            f" (GPU {most / GIGABYTE:.1f} GB, {free / GIGABYTE:.1f} GB free)"
        )
    return line


def check_memory(facts: Mapping[str, Fact], dtype: str) -> None:
    """Raise UserError where a model's weights alone are larger than the free memory: the system
    would end the run.
    """
    import psutil

    parameters = facts.get("parameters")
    if not isinstance(parameters, int):
        return
    needed, free = parameters * WIDTHS[dtype], psutil.virtual_memory().available
    if needed > free:
        raise UserError(
            f"its weights take {needed / GIGABYTE:.1f} GB and {free / GIGABYTE:.1f} GB of memory "
            "is free; use a machine with more, or --dtype bfloat16"
        )


def resolve_listed(
    models: ModelList,
    progress: ListProgress,
    resolve: Callable[[str], ResolvedModel],
) -> list[ResolvedModel]:
    """Those of ``models`` that resolve; the others are left out and told."""
    there = []
    for one in models:
        try:
            there.append(resolve(one.name))
        except UserError as error:
            progress.leave_out(one.name, str(error))
    return there


def with_facts(result: Result, facts: Mapping[str, Fact]) -> Result:
    """``result``, stored anew where the list tells other ``facts`` of its model than it does."""
    if not facts or result.content["model"].get("facts") == dict(facts):
        return result
    facts_of_model: dict[str, Any] = {
        **result.content["model"],
        "facts": dict(facts),
    }
    result.content["model"] = facts_of_model
    result.answers.provenance["model"] = facts_of_model
    if result.folder is not None:
        result.save(result.folder)
    return result


def set_damaged_aside(folder: Path) -> None:
    """Rename a results.json that cannot be read, so that the model can be run again; says so."""
    from aobench.results.paths import RESULTS
    from aobench.results.results_json import read_results_json

    path = folder / RESULTS
    if not path.is_file():
        return
    try:
        read_results_json(path)
    except UserError as error:
        aside = path.with_name(f"{RESULTS}.damaged")
        path.replace(aside)
        print(f"Note: {error}; it is now {aside.name}.", file=sys.stderr)
