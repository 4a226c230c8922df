"""A case in a process of its own, forked from one that has everything imported; with limits."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 60.0  #: a case may take no longer
STILL = 6.0  #: nor sleep so long without a moment's work
MEMORY = 4 << 30  #: bytes beyond what the parent has mapped


@dataclass
class Ended:
    """How a child ended: its exit status, None where it was stopped, less than 0 for a signal."""

    status: int | None
    out: str
    err: str
    seconds: float
    result: dict[str, Any] = field(default_factory=dict)
    why: str = ""


class Child:
    """One running case. ``work`` is a folder for its output, beside the case's folder."""

    def __init__(
        self,
        folder: Path,
        work: Path,
        act: Sequence[str] | Callable[[], object],
        collect: Callable[[Path], dict[str, Any]],
        denied: bool = False,
    ) -> None:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        self.work, self.began = work, time.monotonic()
        self.busy, self.worked = -1, self.began
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _carry_out(folder, work, act, collect, denied)

    def ended(self) -> Ended | None:
        """How it ended, or None while it runs; stops it where it is over its limits."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self._sweep()
            return self._told(os.waitstatus_to_exitcode(status), "")
        now = time.monotonic()
        busy = _ticks(self.pid)
        if busy != self.busy:
            self.busy, self.worked = busy, now
        slow, still = now - self.began > SECONDS, now - self.worked > STILL
        if not slow and not still:
            return None
        self._sweep()
        os.waitpid(self.pid, 0)
        return self._told(
            None, f"ran {SECONDS:.0f} s" if slow else f"slept {STILL:.0f} s"
        )

    def _sweep(self) -> None:
        """End what is left of its process group, which is the child's alone."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def _told(self, status: int | None, why: str) -> Ended:
        texts = [
            (self.work / name).read_text(errors="replace")
            for name in ("out", "err")
        ]
        path = self.work / "result.json"
        result = json.loads(path.read_text()) if path.exists() else {}
        return Ended(status, *texts, time.monotonic() - self.began, result, why)


def _ticks(pid: int) -> int:
    """Processor time of the child so far, its threads included; always new where none can tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return time.monotonic_ns()
    fields = text.rpartition(")")[2].split()
    if fields[0] in "RD":
        return time.monotonic_ns()
    return int(fields[11]) + int(fields[12])


def _carry_out(
    folder: Path,
    work: Path,
    act: Sequence[str] | Callable[[], object],
    collect: Callable[[Path], dict[str, Any]],
    denied: bool,
) -> None:
    """In the child: run it, collect its result, and never return."""
    status = 70
    try:
        os.setsid()
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(
                os.open(work / name, os.O_WRONLY | os.O_CREAT, 0o600), number
            )
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        _own_cache(folder / "cache")
        mapped = (
            int(Path("/proc/self/statm").read_text().split()[0])
            * resource.getpagesize()
        )
        resource.setrlimit(
            resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY)
        )
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if denied:
            obey_permissions()
        status, returned = _acted(act)
        if status == 0:
            result = {**collect(folder), "returned": returned}
            (work / "result.json").write_text(json.dumps(result, default=str))
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        status = 1
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def _own_cache(folder: Path) -> None:
    import datasets

    os.environ["HF_DATASETS_CACHE"] = str(folder)
    datasets.config.HF_DATASETS_CACHE = folder  # type: ignore[assignment]


def _acted(act: Sequence[str] | Callable[[], object]) -> tuple[int, object]:
    """Exit status and returned value; a function's refusal is printed as the command line would."""
    if not callable(act):
        from aobench.cli import main

        return main(act), None
    try:
        return 0, act()
    except Exception as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        print(f"imagenet-ao: {refusal}", file=sys.stderr)
        return 2, None


def _refusal(error: BaseException) -> BaseException | None:
    """The refusal that ``error`` is or came from: one of ours, or the metric's own ValueError."""
    from aobench.errors import UserError
    from imagenet_ao import DatasetError

    one: BaseException | None = error
    while one is not None:
        if isinstance(one, UserError | DatasetError):
            return one
        if isinstance(one, ValueError):
            frames = traceback.extract_tb(one.__traceback__)
            if (
                frames
                and Path(frames[-1].filename).name == "compositional_ood.py"
            ):
                return one
        one = one.__cause__ or one.__context__
    return None


#: Capabilities that let root read what it is denied: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
READ_ALL = (1 << 1) | (1 << 2)


def obey_permissions() -> None:
    """Let permissions hold for this process, also where it is root's, which may pass them over."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    for number in (
        0,
        1,
        2,
    ):  # effective, permitted, inheritable, of capabilities 0 to 31
        sets[number] &= ~READ_ALL
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


def permissions_hold(folder: Path) -> bool:
    """Whether a process that obeys permissions is denied a file of mode 0, tried in a child."""
    path = folder / "denied"
    path.write_text("")
    path.chmod(0)
    pid = os.fork()
    if pid == 0:
        try:
            obey_permissions()
            with path.open():
                os._exit(1)
        except PermissionError:
            os._exit(0)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
