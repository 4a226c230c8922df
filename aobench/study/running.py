"""Carry out the runs: one JSON and one NPZ each in a folder, resumable, over one or more processes
and devices.

All of them are sealed (`aobench.sealed`): a run whose files were damaged or swapped is done again.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

from aobench.errors import UserError
from aobench.sealed import (
    DamagedError,
    read_sealed_json,
    read_sealed_npz,
    say_again,
    write_sealed_json,
    write_sealed_npz,
)
from aobench.study.design import Edition, Run
from aobench.study.world import ImageSet, test_images, training_images

Say = Callable[[str], None]
STALE_SECONDS = (
    3600  #: a claim older than this was left by a process that was stopped
)


def _cached(path: Path, make: Callable[[], ImageSet]) -> ImageSet:
    """Images kept at ``path``; made and written where they are not there, or not what was
    written.
    """
    if path.exists():
        try:
            return ImageSet(**read_sealed_npz(path, path.name))
        except DamagedError as error:
            say_again(path, error)
    images = make()
    arrays = {
        name: getattr(images, name)
        for name in ("pixels", "attributes", "objects")
    }
    write_sealed_npz(path, path.name, arrays, compressed=True)
    return images


def images_of(run: Run, folder: Path, largest: int) -> ImageSet:
    """The training pictures of ``run``, kept in ``folder``; a smaller set is the beginning of the
    ``largest``.
    """
    path = folder / f"train-d{run.diversity}-s{run.seed}.npz"
    return _cached(
        path, lambda: training_images(largest, run.diversity, run.seed)
    ).take(run.scale)


def test_sets(folder: Path) -> dict[str, ImageSet]:
    """The common tests by name, kept in ``folder``."""
    return {
        name: _cached(folder / f"{name}.npz", partial(test_images, name))
        for name in ("id", "ood")
    }


test_sets.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test


def _claim(path: Path) -> bool:
    """Take a run for this process; False where another holds it. A stale claim is taken over."""
    try:
        with open(path, "x") as stream:
            stream.write(f"{platform.node()} {os.getpid()}")
    except FileExistsError:
        if time.time() - path.stat().st_mtime < STALE_SECONDS:
            return False
        path.touch()
    return True


def is_done(
    folder: Path, run: Run, say: bool = False, keeps_features: bool = True
) -> bool:
    """Whether the files of a run are there and what was written; says where they are not."""
    paths = [folder / f"{run.name}.json"]
    if keeps_features:
        paths.append(folder / f"{run.name}.npz")
    if not all(path.exists() for path in paths):
        return False
    for path in paths:
        state = path.stat()
        if error := _fault(path, state.st_mtime_ns, state.st_size):
            if say:
                say_again(path, error)
            return False
    return True


@lru_cache(maxsize=1024)
def _fault(path: Path, mtime: int, size: int) -> DamagedError | None:
    """What is wrong with a sealed file; each state of it is read once."""
    try:
        (read_sealed_json if path.suffix == ".json" else read_sealed_npz)(
            path, path.name
        )
    except DamagedError as error:
        return error
    return None


def done_runs(folder: Path, edition: Edition) -> set[Run]:
    """The runs whose files are in ``folder``, as they were written."""
    keeps = edition.keeps_features
    return {run for run in edition.runs if is_done(folder, run, False, keeps)}


def runs_left(folder: Path, edition: Edition) -> int:
    """How many of the edition's runs are not in ``folder``."""
    return len(edition.runs) - len(done_runs(folder, edition))


def do_runs(
    edition: Edition,
    folder: Path,
    device_name: str,
    threads: int,
    say: Say = print,
    parent: int | None = None,
) -> None:
    """Do every run that no one has done or claimed, on one device; stop between runs if
    ``parent`` is gone.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        _work(edition, folder, device_name, say, parent)
    finally:
        # the number decides last digits: the caller's stays the caller's
        torch.set_num_threads(before)


def _work(
    edition: Edition,
    folder: Path,
    device_name: str,
    say: Say,
    parent: int | None,
) -> None:
    import torch

    from aobench.study.training import do_run

    device = torch.device(device_name)
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    tests = test_sets(pictures)
    keeps = edition.keeps_features
    for run in edition.runs:
        target, claim = (
            folder / f"{run.name}.json",
            folder / f"{run.name}.claim",
        )
        if parent is not None and os.getppid() != parent:
            # the command was killed: what it would have gone on with is left to the next one
            return
        if is_done(folder, run, True, keeps) or not _claim(claim):
            continue
        try:
            images = images_of(run, pictures, edition.largest(run))
            settings = edition.settings[run.supervision]
            result, arrays = do_run(run, images, tests, device, settings)
            if keeps:
                (folder / f"{run.name}.measures.json").unlink(missing_ok=True)
                write_sealed_npz(
                    folder / f"{run.name}.npz", f"{run.name}.npz", arrays
                )
            write_sealed_json(target, target.name, result)
        finally:
            claim.unlink(missing_ok=True)
        left = runs_left(folder, edition)
        say(
            f"{run.name}: {result['seconds']:.0f} s on {device_name}; {left} runs left"
        )


def device_names() -> list[str]:
    """Every CUDA device, or the CPU."""
    import torch

    return [f"cuda:{i}" for i in range(torch.cuda.device_count())] or ["cpu"]


def time_estimate(folder: Path, workers: int, edition: Edition) -> str:
    """One line: how much is left and how long it takes."""
    left, count = runs_left(folder, edition), len(edition.runs)
    minutes = edition.seconds / 60 * left / count / workers
    where = ", ".join(device_names())
    total = f"{left} of {count} runs left on {where}, {workers} at once"
    spent = (
        f"about {minutes:.0f} minutes on cores as fast as ours, less on a GPU"
    )
    if not edition.seconds_measuring:
        return f"{total}: {spent}"
    unmeasured = sum(
        not (folder / f"{run.name}.measures.json").exists()
        for run in edition.runs
    )
    measuring = unmeasured * edition.seconds_measuring / 60
    return f"{total}: {spent}; then {measuring:.0f} minutes of measuring"


def run_all(
    folder: Path, workers: int, edition: Edition, say: Say = print
) -> None:
    """Do all runs that are left with ``workers`` processes, dealt over the devices. Raises
    UserError if one fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for claim in folder.glob("*.claim"):
        if not _alive(claim):
            claim.unlink(missing_ok=True)
    names = device_names()
    threads = max(1, (os.cpu_count() or 1) // workers)
    if workers == 1:
        do_runs(edition, folder, names[0], threads, say)
        _wait_for_others(edition, folder, say)
        return
    context = get_context("spawn")
    me = os.getpid()
    shares = [
        (edition, folder, names[i % len(names)], threads, print, me)
        for i in range(workers)
    ]
    processes = [
        context.Process(target=do_runs, args=share, daemon=True)
        for share in shares
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    failed = [p.exitcode for p in processes if p.exitcode]
    if failed:
        raise UserError(
            f"{len(failed)} of {workers} processes of the study failed; run the command again to "
            "go on"
        )
    _wait_for_others(edition, folder, say)


def _wait_for_others(edition: Edition, folder: Path, say: Say) -> None:
    """Wait while runs are missing that another living process is busy with."""
    said_once = False
    while runs_left(folder, edition):
        held = [claim for claim in folder.glob("*.claim") if _alive(claim)]
        if not held:
            return
        if not said_once:
            say(
                f"waiting for {len(held)} runs that another process is busy with"
            )
            said_once = True
        time.sleep(1)


def _alive(claim: Path) -> bool:
    """Whether the process that holds ``claim`` still runs; of another machine's we know it by
    the claim's age only.
    """
    try:
        node, _, number = claim.read_text(encoding="utf-8").rpartition(" ")
        if node and node != platform.node():
            return time.time() - claim.stat().st_mtime < STALE_SECONDS
        os.kill(int(number), 0)
    except (OSError, ValueError):
        return False
    return True
