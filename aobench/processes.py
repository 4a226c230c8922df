"""The processes of one run, as many as the launcher was asked for."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from aobench.errors import UserError, shows_tracebacks

#: How accelerate spells the number of processes.
PROCESSES = ("--num_processes", "--num-processes")

T = TypeVar("T")


def one_thread_for_matrices() -> None:
    """Have matrices multiplied by one thread: several spend their time on waiting for each other
    where matrices are small, ten times as much where the cores are busy. Before NumPy is imported;
    a setting of the user's own stays.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def start_processes(cpu: bool, hours: float = 2) -> Any:
    """The process group, as many as the launcher was asked for. Raises UserError where they don't
    see each other.

    ``hours``: how long one waits for the others.
    """
    from datetime import timedelta

    import psutil
    import torch
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    # The others wait for the slowest shard, or for the main process to prepare the dataset.
    patient = InitProcessGroupKwargs(timeout=timedelta(hours=hours))
    accelerator = Accelerator(
        cpu=cpu or not torch.cuda.is_available(), kwargs_handlers=[patient]
    )
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world != accelerator.num_processes:
        raise UserError(
            f"the launcher started {world} processes, of which each sees "
            f"{accelerator.num_processes}; "
            "set ACCELERATE_USE_CPU=true for several processes on CPU"
        )
    parent = psutil.Process().parent()
    words = parent.cmdline() if parent else []
    asked = next(
        (
            w.partition("=")[2] or words[i + 1]
            for i, w in enumerate(words[:-1])
            if w in PROCESSES
        ),
        None,
    )
    if (
        world == 1
        and "launch" in words
        and asked
        and asked.isdigit()
        and int(asked) > 1
    ):
        raise UserError(
            f"accelerate launch was asked for {asked} processes and started 1 (it does so on CPU); "
            "use: "
            f"ACCELERATE_USE_CPU=true torchrun --nproc_per_node {asked} evaluate_models.py ..."
        )
    return accelerator


@contextlib.contextmanager
def process_group(cpu: bool) -> Iterator[Together]:
    """`start_processes` as `Together`, for a call from Python: what it set up is gone afterwards.

    With several processes the group stays, for the next call and for the caller's own use; what
    stops one of them inside stops all by SystemExit, see `Together.failing_as_one`. Raises
    UserError where the caller already runs accelerate on another device.
    """
    from accelerate.state import AcceleratorState, PartialState

    before = PartialState().device.type if PartialState._shared_state else None
    if cpu and before not in (None, "cpu"):
        raise UserError(
            f"this process already uses the {before} by accelerate: leave cpu out, or start anew"
        )
    accelerator = start_processes(cpu)
    together = Together(accelerator)
    try:
        with together.failing_as_one():
            yield together
    finally:
        if before is None and accelerator.num_processes == 1:
            AcceleratorState._reset_state(reset_partial_state=True)


class SharedError(UserError):
    """A UserError that all processes have at once, since one of them met it: nobody tells the
    others again. ``tells``: whether it falls to this process to tell the user.
    """

    def __init__(self, message: str, tells: bool = True) -> None:
        super().__init__(message)
        self.tells = tells


class Alone:
    """What the library asks of an accelerator, for work that one process does while the others
    wait.
    """

    process_index, num_processes, is_main_process = 0, 1, True

    def __init__(self) -> None:
        from accelerate import PartialState

        self.device = PartialState().device

    def wait_for_everyone(self) -> None:
        """Nobody to wait for."""

    def from_main(self, find: Callable[[], T]) -> T:
        """What ``find`` gives."""
        return find()

    def from_every(self, mine: T) -> list[T]:
        """``mine`` alone."""
        return [mine]

    def as_one(self) -> contextlib.AbstractContextManager[None]:
        """Nobody to share an error with."""
        return contextlib.nullcontext()


class Together:
    """An accelerator's processes, which fail as one: what stops one stops all, and one of them says
    why.

    Wherever they wait for each other they also tell whether they failed, so nobody waits for one
    that is gone.
    """

    def __init__(self, accelerator: Any) -> None:
        self.accelerator = accelerator
        self.process_index, self.num_processes = (
            accelerator.process_index,
            accelerator.num_processes,
        )
        self.is_main_process, self.device = (
            accelerator.is_main_process,
            accelerator.device,
        )

    def wait_for_everyone(self) -> None:
        """Wait; where another process has failed, end."""
        self.from_main(lambda: None)

    def from_main(self, find: Callable[[], T]) -> T:
        """What ``find`` gives in the main process, in all of them."""
        return self._exchange(None, find() if self.is_main_process else None)[0]

    def from_every(self, mine: T) -> list[T]:
        """What each process has, in their order, in all of them."""
        return self._exchange(None, mine)

    def main_first(self, work: Callable[[], T]) -> T:
        """What ``work`` gives in each process; the main one goes first, as it may fill a cache."""
        mine = [work()] if self.is_main_process else []
        self.wait_for_everyone()
        return mine[0] if mine else work()

    @contextlib.contextmanager
    def as_one(self) -> Iterator[None]:
        """A UserError inside that one process has, all have as `SharedError`, also those that wait
        for it in the midst; all may go on after it.
        """
        try:
            yield
        except SharedError:
            raise
        except UserError as error:
            if self.num_processes == 1:
                raise
            try:
                self._exchange((True, str(error)), None)
            except SharedError as shared:
                raise shared from error
        else:
            self.wait_for_everyone()

    @contextlib.contextmanager
    def failing_as_one(self) -> Iterator[None]:
        """With several processes an error inside ends them all by SystemExit with status 2, and is
        told once.

        A user's mistake is told in a line, or with ``--debug`` as any other error: with its
        traceback.
        """
        try:
            yield
            self.wait_for_everyone()
        except SharedError as error:
            self._end(error, f"imagenet-ao: {error}")
        except Exception as error:
            if self.num_processes == 1:
                raise
            known = (
                isinstance(error, UserError | OSError)
                and not shows_tracebacks()
            )
            line = (
                f"imagenet-ao: {error}"
                if known
                else traceback.format_exc().rstrip()
            )
            try:
                self._exchange((False, line), None)
            except SharedError as shared:
                self._end(shared, f"imagenet-ao: {shared}")

    def _exchange(
        self, failure: tuple[bool, str] | None, value: Any
    ) -> list[Any]:
        """What every process found.

        ``failure``: of this process, whether one may go on after it, and its text. Where one has
        a failure all raise SharedError, or end.
        """
        if self.num_processes == 1:
            return [value]
        from accelerate.utils import gather_object

        every = gather_object([(failure, value)])
        failed = [
            process for process, (why, _) in enumerate(every) if why is not None
        ]
        if not failed:
            return [value for _, value in every]
        ends = [process for process in failed if not every[process][0][0]]
        first = min(ends or failed)
        shared = SharedError(
            every[first][0][1], tells=first == self.process_index
        )
        if ends:
            self._end(shared, str(shared))
        raise shared

    def _end(self, error: SharedError, message: str) -> NoReturn:
        """Tell the error, if that falls to this process, and end with the others."""
        if error.tells:
            cause = error.__cause__ if shows_tracebacks() else None
            if cause is not None:
                message = "".join(traceback.format_exception(cause)).rstrip()
            print(message, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        # the launcher ends the others as soon as one is gone
        self.accelerator.wait_for_everyone()
        # no Exception: nobody may take it for an error to go on after, or to tell again
        raise SystemExit(2)


def end_processes(accelerator: Any) -> None:
    """Wait for all; the process itself goes on. Whoever owns it ends it, as the command does."""
    accelerator.wait_for_everyone()
    accelerator.end_training()


def quiet_bars() -> None:
    """No progress bars where nobody watches: standard error is not a terminal nor a notebook's.

    Of diffusers only once it is imported; who imports it calls this again.
    """
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        import datasets
        import transformers

        datasets.disable_progress_bars()
        transformers.utils.logging.disable_progress_bar()
        if "diffusers" in sys.modules:
            sys.modules["diffusers"].utils.logging.disable_progress_bar()
