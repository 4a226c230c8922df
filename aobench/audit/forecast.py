"""What an audit would take: files, bytes, captions, minutes and cost, from a look into a few of the
files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aobench.audit.counter import CaptionCounter, CountingPlan
from aobench.audit.files import find_caption_files
from aobench.audit.readers import known_rows, read_chunks
from aobench.audit.streams import BadFileError, file_facts
from aobench.errors import UserError

#: Files that are looked into, and captions counted in each.
SAMPLE_FILES, SAMPLE_ROWS = 3, 300_000


@dataclass(frozen=True)
class SampledFile:
    """A file that was looked into: its bytes, its captions (``exact``: not estimated from those
    that were read), captions read, and CPU seconds of reading and of counting them.
    """

    path: str
    size: int
    rows: float
    exact: bool
    read: int
    reading: float
    counting: float


@dataclass(frozen=True)
class AuditForecast:
    """Files, their bytes (``unsized``: files whose size nobody tells), and those looked into."""

    files: int
    size: int
    unsized: int
    sampled: tuple[SampledFile, ...]

    @property
    def captions(self) -> float:
        """Captions of all files, by the bytes of those looked into."""
        looked = sum(one.size for one in self.sampled)
        return (
            self.size * sum(one.rows for one in self.sampled) / max(looked, 1)
        )

    @property
    def core_seconds(self) -> float:
        """CPU seconds of all files, on this kind of core."""
        read = sum(one.read for one in self.sampled)
        used = sum(one.reading + one.counting for one in self.sampled)
        return self.captions * used / max(read, 1)


def forecast_audit(
    captions: Sequence[str],
    plan: CountingPlan,
    column: str | None = None,
    layout: str | None = None,
) -> AuditForecast:
    """Look into a few of the files, spread over their list.

    Args:
        captions: files, folders, globs or URLs.
        plan: what would be counted.
        column: the caption column (default: by name).
        layout: how the files hold captions (default: by looks).

    Raises:
        UserError: where there is no file, or one that is looked into is broken.
    """
    paths = find_caption_files(list(captions)).paths
    sizes = []
    for path in paths:
        try:
            sizes.append(file_facts(path)["size"])
        except OSError as error:
            raise UserError(
                f"{path} cannot be read: {error.strerror}"
            ) from error
    known = [i for i, size in enumerate(sizes) if size]
    if not known:
        raise UserError(
            "no file's size is told, so there is nothing to reckon with; name local files, or a "
            "store that tells"
        )
    step = max(1, len(known) // SAMPLE_FILES)
    counter = CaptionCounter(plan)
    _warm_up(counter)
    sampled = [
        _look_into(paths[i], int(sizes[i]), counter, column, layout)
        for i in known[::step][:SAMPLE_FILES]
    ]
    total = sum(int(size) for size in sizes if size)
    return AuditForecast(
        len(paths), total, len(paths) - len(known), tuple(sampled)
    )


def _warm_up(counter: CaptionCounter) -> None:
    """Compile, which no file should pay for."""
    from aobench.audit.chunks import CaptionChunk

    counter.count(CaptionChunk.of(["a"]))
    counter.take()


def _look_into(
    path: str,
    size: int,
    counter: CaptionCounter,
    column: str | None,
    layout: str | None,
) -> SampledFile:
    rows, content, counting, ended = 0, 0, 0.0, True
    began = time.process_time()
    try:
        for chunk in read_chunks(path, column, layout):
            before = time.process_time()
            counter.count(chunk)
            counting += time.process_time() - before
            rows += len(chunk)
            content += int((chunk.stops - chunk.begins).sum())
            if rows >= SAMPLE_ROWS:
                ended = False
                break
    except BadFileError as error:
        raise UserError(
            f"{path} cannot be read: {error}; mend it, or leave it out"
        ) from error
    reading = time.process_time() - began - counting
    counter.take()
    whole = rows if ended else known_rows(path)
    estimate = (
        float(whole)
        if whole is not None
        else size * rows / max(content + rows, 1)
    )
    return SampledFile(
        path, size, estimate, whole is not None, rows, reading, counting
    )


def forecast_lines(
    forecast: AuditForecast,
    workers: int | None = None,
    price: float = 0.05,
    bandwidth: float | None = None,
) -> list[str]:
    """The forecast to read.

    Args:
        forecast: of `forecast_audit`.
        workers: cores that count (default: this machine's).
        price: of a core hour.
        bandwidth: MB a second that the files arrive with, where they come from elsewhere.
    """
    cores = workers or os.cpu_count() or 1
    rough = "" if all(one.exact for one in forecast.sampled) else "roughly "
    read = sum(one.read for one in forecast.sampled)
    hours = forecast.core_seconds / 3600
    lines = [
        f"{forecast.files:,} files, {_bytes(forecast.size)}, {rough}"
        f"{forecast.captions:,.0f} captions, reckoned from {read:,} captions of "
        f"{len(forecast.sampled)} files",
        f"{hours:.3g} core hours on cores like this one "
        f"({read / max(_used(forecast), 1e-9) / 1e6:,.2f} million captions a core second): "
        f"{_spell(forecast.core_seconds / cores)} on {cores:,} cores, {hours * price:.2g} at "
        f"{price:g} a core hour",
    ]
    if bandwidth:
        seconds = forecast.size / 1e6 / bandwidth
        what = (
            "longer than the counting"
            if seconds > forecast.core_seconds / cores
            else "less"
        )
        lines.append(
            f"{_spell(seconds)} to read them all at {bandwidth:g} MB/s: {what}"
        )
    if forecast.unsized:
        lines.append(
            f"{forecast.unsized:,} files tell no size and are not in these figures"
        )
    return lines


def _used(forecast: AuditForecast) -> float:
    return sum(one.reading + one.counting for one in forecast.sampled)


def _bytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _spell(seconds: float) -> str:
    return (
        f"{seconds:,.1f} s" if seconds < 120 else f"{seconds / 60:,.0f} minutes"
    )
