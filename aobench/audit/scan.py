"""Scans files on one machine: one thread reads, the others count; finished files are kept and
not read again.
"""

from __future__ import annotations

import hashlib
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aobench.audit.checkpoints import (
    HeldParts,
    part_key,
    plan_hash,
    write_part,
)
from aobench.audit.chunks import CaptionChunk
from aobench.audit.counter import (
    CaptionCounter,
    CountingPlan,
    PartialCounts,
    merge_parts,
)
from aobench.audit.layouts import ColumnError
from aobench.audit.readers import caption_format, known_rows, read_chunks
from aobench.audit.streams import (
    BadFileError,
    file_facts,
    is_remote,
    printable_path,
)
from aobench.errors import UserError
from aobench.files import remove_scratch_files, sha256_of


@dataclass(frozen=True)
class ReadOptions:
    """How files are read: column or layout of the captions, whether files are hashed, what a
    broken file does.
    """

    column: str | None = None
    layout: str | None = None
    hash_files: bool = True
    on_bad_file: str = "stop"


@dataclass
class ScanOutcome:
    """A scan's files: what the manifest says of each, the parts' keys (None for a file that was
    skipped), and parts that were read already.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    held: HeldParts = field(default_factory=HeldParts)


class CounterPool:
    """A pool of counters, one a thread, that serves file after file."""

    def __init__(self, plan: CountingPlan, workers: int) -> None:
        self.plan = plan
        self.all = [CaptionCounter(plan) for _ in range(workers)]
        self.free: queue.SimpleQueue[CaptionCounter] = queue.SimpleQueue()
        for counter in self.all:
            self.free.put(counter)
        self.threads = ThreadPoolExecutor(
            workers + 1, thread_name_prefix="audit"
        )
        # Numba compiles under a lock: once here, not in all threads at a time.
        self.all[0].count(CaptionChunk.of(["a"]))
        self.all[0].take()

    def run(self, chunk: CaptionChunk, seed: int) -> int:
        """Count a chunk with a counter that is free; returns its rows."""
        counter = self.free.get()
        try:
            return counter.count(chunk, seed)
        finally:
            self.free.put(counter)

    def take(self) -> PartialCounts:
        """What all counters counted together. Call it when none runs."""
        parts = [counter.take() for counter in self.all]
        if len(parts) == 1:
            return parts[0]
        whole = merge_parts(self.plan, [(0, part) for part in parts])
        wanted = {
            int(row) for sparse in whole.rules.values() for row in sparse.rows
        }
        whole.texts = {
            row: text
            for part in parts
            for row, text in part.texts.items()
            if row in wanted
        }
        return whole


def file_seed(path: str) -> int:
    """What a file's name adds to the draw of its sample, below 2^63."""
    name = path.rsplit("/", 1)[-1].encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") >> 1


def scan_file(
    path: str,
    counters: CounterPool,
    source: ReadOptions,
    advance: Callable[[int], None] = lambda rows: None,
) -> tuple[PartialCounts, dict[str, Any]]:
    """Count one file. ``advance`` is called with the rows of each chunk done. BadFileError where it
    is broken.
    """
    began = time.perf_counter()
    seed, running = file_seed(path), deque[Future[int]]()
    digest = (
        counters.threads.submit(sha256_of, path)
        if source.hash_files and not is_remote(path)
        else None
    )
    try:
        for chunk in read_chunks(path, source.column, source.layout):
            running.append(counters.threads.submit(counters.run, chunk, seed))
            if len(running) > 2 * len(counters.all):
                advance(running.popleft().result())
        while running:
            advance(running.popleft().result())
    except BaseException:
        for future in running:
            future.cancel()
            if not future.cancelled():
                future.exception()
        counters.take()
        raise
    part = counters.take()
    record = {
        "kind": caption_format(path).name,
        "sha256": digest.result() if digest else None,
        **part.totals.as_dict(),
        "seconds": round(time.perf_counter() - began, 3),
    }
    return part, record


def scan_files(
    paths: Sequence[str],
    plan: CountingPlan,
    parts: Path,
    source: ReadOptions | None = None,
    workers: int | None = None,
) -> ScanOutcome:
    """Count ``paths``, each into a part under ``parts``; those that are there already are not read
    again.

    Raises UserError for a broken file, unless ``source.on_bad_file`` is ``skip``: then its record
    has an ``error``.
    """
    source = source or ReadOptions()
    digest = plan_hash(plan, source.column, source.layout)
    outcome = ScanOutcome()
    todo = []
    remove_scratch_files(parts)
    for path in paths:
        facts = facts_of(path, source)
        key = part_key(facts, digest)
        known = outcome.held.known_record(parts, key, facts)
        if (
            known
            and source.hash_files
            and not known.get("sha256")
            and not is_remote(path)
        ):
            known["sha256"] = sha256_of(path)
        outcome.records.append(
            {**facts, **known, "resumed": True} if known else facts
        )
        outcome.keys.append(key if known else None)
        if known is None and "error" not in facts:
            todo.append((len(outcome.keys) - 1, path, key))
    if todo:
        counters = CounterPool(plan, workers or os.cpu_count() or 1)
        with (
            counters.threads,
            _Progress([path for _, path, _ in todo]) as progress,
        ):
            for index, path, key in todo:
                _scan_one(
                    index, path, key, counters, source, parts, outcome, progress
                )
    return outcome


def facts_of(path: str, source: ReadOptions) -> dict[str, Any]:
    """`file_facts`, with an ``error`` where the file isn't there and broken files are skipped."""
    try:
        return file_facts(path)
    except OSError as error:
        return {
            "path": path,
            "size": None,
            "changed": None,
            **bad_file(path, str(error.strerror), source),
        }


def bad_file(
    path: str, error: Exception | str, source: ReadOptions
) -> dict[str, str]:
    """The record of a file that is left out, or UserError."""
    why = str(error)
    if source.on_bad_file == "skip":
        return {"error": why}
    if isinstance(error, ColumnError):
        raise error
    raise UserError(
        f"{printable_path(path)} cannot be read: {why}; mend it, or leave it out "
        "with --on-bad-file skip"
    )


def _scan_one(
    index: int,
    path: str,
    key: str,
    counters: CounterPool,
    source: ReadOptions,
    parts: Path,
    outcome: ScanOutcome,
    progress: Any,
) -> None:
    facts = outcome.records[index]
    try:
        part, record = scan_file(path, counters, source, progress.rows)
    except (BadFileError, ColumnError) as error:
        outcome.records[index] = {**facts, **bad_file(path, error, source)}
    else:
        write_part(parts, key, part, record)
        outcome.records[index] = {**facts, **record, "resumed": False}
        outcome.keys[index] = key
    progress.file_done(path)


class _Progress:
    """A bar in captions/s with the time left, which files without a row count are estimated for
    by their bytes.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        from tqdm.auto import tqdm

        seen = os.isatty(
            2
        )  # a bar that nobody sees needs no look into every file
        self.rows_of = {
            path: known_rows(path) if seen else None for path in paths
        }
        self.bytes_of = {
            path: Path(path).stat().st_size if not is_remote(path) else 0
            for path in paths
        }
        self.done_rows = self.done_bytes = self.file_rows = 0
        # Of the files that are left: rows that are known, and bytes and number of those whose rows
        # are not.
        self.left_rows = sum(rows or 0 for rows in self.rows_of.values())
        untold = [path for path, rows in self.rows_of.items() if rows is None]
        self.left_bytes, self.left_files = (
            sum(self.bytes_of[path] for path in untold),
            len(untold),
        )
        self.bar = tqdm(
            total=self._total(),
            unit=" captions",
            unit_scale=True,
            disable=None,
            smoothing=0.05,
        )

    def _total(self) -> int | None:
        """Rows of all files as far as they can be told."""
        if self.left_files and not self.done_bytes:
            return None
        rate = self.done_rows / self.done_bytes if self.done_bytes else 0.0
        return int(self.done_rows + self.left_rows + rate * self.left_bytes)

    def rows(self, n: int) -> None:
        """``n`` more rows are counted."""
        self.file_rows += n
        self.bar.update(n)

    def file_done(self, path: str) -> None:
        """One more file is done, or was given up."""
        rows = self.rows_of[path]
        self.left_rows -= rows or 0
        if rows is None:
            self.left_bytes -= self.bytes_of[path]
            self.left_files -= 1
        self.done_rows += self.file_rows
        self.done_bytes += self.bytes_of[path]
        self.file_rows = 0
        self.bar.total = self._total()
        self.bar.refresh()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()


def parts_of(outcome: ScanOutcome) -> Iterator[tuple[int, str]]:
    """(number of the file, key) of each file that was read."""
    return (
        (number, key)
        for number, key in enumerate(outcome.keys)
        if key is not None
    )
