"""What an audit would take: files, bytes, captions, minutes and cost, from a look into a few of the
files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aobench.audit.counter import CaptionCounter, CountingPlan
from aobench.audit.files import find_caption_files
from aobench.audit.layouts import ColumnError
from aobench.audit.readers import known_rows, read_chunks
from aobench.audit.streams import PACKED, BadFileError, file_facts, file_name
from aobench.errors import UserError

#: Files of each kind that are looked into, and captions counted in each.
SAMPLE_FILES, SAMPLE_ROWS = 5, 300_000


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
    """Files, their bytes (``unsized``: files whose size nobody tells), and those looked into.

    ``sizes``: bytes of all files of each kind, since a packed text and a Parquet file of equal
    bytes hold unlike numbers of captions; none: all are of one kind. ``told``: captions of each
    kind whose files all tell them, as Parquet does. ``broken``: files that could not be read.
    """

    files: int
    size: int
    unsized: int
    sampled: tuple[SampledFile, ...]
    sizes: tuple[tuple[str, int], ...] = ()
    broken: tuple[str, ...] = ()
    told: tuple[tuple[str, int], ...] = ()

    def _kinds(self) -> Iterator[tuple[int, float, list[SampledFile]]]:
        """Bytes of each kind that are left to reckon with, its captions, and its files that were
        looked into, by whose bytes they are reckoned; of a kind in which none could be read, all.
        """
        told = dict(self.told)
        for kind, size in self.sizes or (("", self.size),):
            mine = [
                one
                for one in self.sampled
                if not self.sizes or file_kind(one.path) == kind
            ] or list(self.sampled)
            if kind in told:
                yield 0, float(told[kind]), mine
                continue
            rows = sum(one.rows for one in mine)
            bytes_read = max(sum(one.size for one in mine), 1)
            yield size, size * rows / bytes_read, mine

    @property
    def captions(self) -> float:
        """Captions of all files, by the bytes of those looked into."""
        return sum(captions for _, captions, _ in self._kinds())

    @property
    def captions_interval(self) -> tuple[float, float] | None:
        """95 % interval of `captions`, as if the files looked into were drawn by chance from those
        of their kind; what files tell themselves is exact.

        By the variance of a ratio (Cochran 1977, Sampling Techniques, section 6.4) of captions to
        bytes, and Student's t with Satterthwaite's degrees of freedom. None where one file alone
        was looked into of a kind that has more.
        """
        from scipy.special import stdtrit

        variances, weights = [], []
        for size, captions, mine in self._kinds():
            bytes_read = sum(one.size for one in mine)
            if bytes_read >= size:
                continue
            n, ratio = len(mine), captions / size
            if n < 2:
                return None
            spread = sum((one.rows - ratio * one.size) ** 2 for one in mine)
            unseen = 1 - bytes_read / size
            mean = bytes_read / n
            variances.append(unseen * spread / (n - 1) / n * (size / mean) ** 2)
            weights.append(n - 1)
        total, whole = sum(variances), self.captions
        if total == 0:
            return whole, whole
        freedom = total**2 / sum(
            one**2 / weight
            for one, weight in zip(variances, weights, strict=True)
        )
        away = float(stdtrit(freedom, 0.975)) * total**0.5
        told = dict(self.told)
        least = sum(told.values()) + sum(
            one.rows for one in self.sampled if file_kind(one.path) not in told
        )
        return max(whole - away, least), whole + away

    @property
    def core_seconds(self) -> float:
        """CPU seconds of all files, on this kind of core."""
        return sum(
            captions * _used(some) / max(sum(one.read for one in some), 1)
            for _, captions, some in self._kinds()
        )


def file_kind(path: str) -> str:
    """The endings of a file's name, which tell its kind.

    Example:
        >>> file_kind("data/captions.txt.gz"), file_kind("part-00.PARQUET")
        ('.txt.gz', '.parquet')
    """
    endings = [part.lower() for part in file_name(path).split(".")[1:]]
    packed = len(endings) > 1 and f".{endings[-1]}" in PACKED
    return "".join(f".{one}" for one in endings[-2 if packed else -1 :])


def forecast_audit(
    captions: Sequence[str],
    plan: CountingPlan,
    column: str | None = None,
    layout: str | None = None,
    on_bad_file: str = "stop",
) -> AuditForecast:
    """Look into a few of the files of each kind, spread over their list.

    Args:
        captions: files, folders, globs or URLs.
        plan: what would be counted.
        column: the caption column (default: by name).
        layout: how the files hold captions (default: by looks).
        on_bad_file: ``stop`` or ``skip``.

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
    known = [i for i, size in enumerate(sizes) if size is not None]
    if not any(sizes):
        raise UserError(
            "no file's size is told, so there is nothing to reckon with; name local files, or a "
            "store that tells"
        )
    counter = CaptionCounter(plan)
    _warm_up(counter)
    by_kind: dict[str, list[int]] = {}
    for i in known:
        by_kind.setdefault(file_kind(paths[i]), []).append(i)
    sampled, broken = [], []
    for mine in by_kind.values():
        count = min(SAMPLE_FILES, len(mine))
        for i in (mine[k * len(mine) // count] for k in range(count)):
            try:
                sampled.append(
                    _look_into(paths[i], int(sizes[i]), counter, column, layout)
                )
            except _UnreadableError as error:
                if on_bad_file != "skip":
                    raise
                broken.append(paths[i])
                counter.take()
                last = error
    if not sampled:
        raise last
    size_of, told = {}, {}
    for kind, mine in by_kind.items():
        whole = [i for i in mine if paths[i] not in broken]
        size_of[kind] = sum(int(sizes[i]) for i in whole)
        rows = [known_rows(paths[i]) for i in whole]
        if None not in rows:
            told[kind] = sum(filter(None, rows))
    return AuditForecast(
        len(paths),
        sum(size_of.values()),
        sum(size is None for size in sizes),
        tuple(sampled),
        tuple(size_of.items()),
        tuple(broken),
        tuple(told.items()),
    )


class _UnreadableError(UserError):
    """A file that is looked into is broken."""


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
    except ColumnError as error:
        raise _UnreadableError(str(error)) from error
    except BadFileError as error:
        raise _UnreadableError(
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
    exact = len(forecast.told) == len(forecast.sizes) > 0
    how = "told by the files; times" if exact else "reckoned"
    rough = "" if all(one.exact for one in forecast.sampled) else "roughly "
    read = sum(one.read for one in forecast.sampled)
    hours = forecast.core_seconds / 3600
    ends = forecast.captions_interval
    interval = ""
    if ends and ends[0] < ends[1]:
        interval = (
            f" [{ends[0]:,.0f}, {ends[1]:,.0f}] (95 %, the files looked into "
            "taken as drawn by chance)"
        )
    lines = [
        f"{forecast.files:,} files, {_bytes(forecast.size)}, {rough}"
        f"{forecast.captions:,.0f} captions{interval}, {how} from {read:,} captions of "
        f"{len(forecast.sampled)} files",
        f"{hours:.3g} core hours on cores like this one "
        f"({read / max(_used(forecast.sampled), 1e-9) / 1e6:,.2f} million captions a core second): "
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
    if ends is None:
        lines.append(
            "The captions have no interval: of one kind of file a single one was looked into"
        )
    if forecast.unsized:
        lines.append(
            f"{forecast.unsized:,} files tell no size and are not in these figures"
        )
    if forecast.broken:
        lines.append(
            f"{len(forecast.broken):,} of the files looked into can't be read and are not in these "
            f"figures: {', '.join(forecast.broken[:3])}"
        )
    return lines


def _used(sampled: Sequence[SampledFile]) -> float:
    return sum(one.reading + one.counting for one in sampled)


def _bytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _spell(seconds: float) -> str:
    return (
        f"{seconds:,.1f} s" if seconds < 120 else f"{seconds / 60:,.0f} minutes"
    )
