"""Loading with `datasets`, so that bad data is one line that names the place.

Three places can be at fault, and each is named: the source (an archive, a prepared folder, a Hub
id), a file of a prepared folder, and the copy that `datasets` keeps in its cache. What the
libraries log on the way is held back: it is printed where loading succeeds, and left out where a
UserError says it all.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aobench.errors import UserError, did_you_mean
from aobench.files import FULL, absolute_path, parquet_errors, read_text, regular_file

MEND = "prepare it with: imagenet-ao prepare"
#: Libraries whose log is held back.
LOGGERS = ("datasets", "huggingface_hub")


@dataclass(frozen=True)
class Source:
    """Which dataset: a config of ``imagenet_ao``, its ``data_dir``, or ``path``: a prepared
    folder or Hub id.
    """

    config: str = "v2"
    data_dir: str | None = None
    path: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """What messages call it."""
        shown = str(self.path or self.data_dir or self.config)
        return shown if shown.isprintable() else ascii(shown)[1:-1]


@contextlib.contextmanager
def bad_data_is_one_line(what: str) -> Iterator[None]:
    """Turn what `datasets` raises for data that can't be used into a UserError; a bug stays what it
    is.

    ``what``: what could not be done, such as ``the dataset could not be opened``.
    """
    import datasets
    import pyarrow as pa
    import yaml
    from huggingface_hub.errors import HfHubHTTPError

    bad_data = (
        *(OSError, ValueError, EOFError, pa.ArrowException, yaml.YAMLError),
        *(datasets.exceptions.DatasetsError, HfHubHTTPError),
    )
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        script = isinstance(
            cause, RuntimeError
        ) and "scripts are no longer supported" in str(cause)
        # by the Hub's version
        connection = type(cause).__module__.partition(".")[0] in ("httpx", "httpx2")
        if not (isinstance(cause, bad_data) or script or connection):
            raise
        message = " ".join(str(cause).split()) or type(cause).__name__
        message = message if message.isprintable() else ascii(message)[1:-1]
        raise UserError(f"{what}: {message}{_mend_of(cause)}") from error


def _mend_of(error: BaseException) -> str:
    """What helps against a disk that is full, or a cache that can't be written."""
    import datasets

    if not isinstance(error, OSError):
        return ""
    cache = str(datasets.config.HF_DATASETS_CACHE)
    if error.errno in FULL:
        return f"; free some space in {cache}, or set HF_HOME to another folder"
    if error.filename and f"{cache}/".startswith(f"{error.filename}/"):
        return f"; the cache {cache} can't be written: set HF_HOME to another folder"
    return ""


class _Held(logging.Handler):
    """Keeps records, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextlib.contextmanager
def logs_held_back(drop: bool = False) -> Iterator[None]:
    """Print what the libraries log inside only at the end, and not where a UserError is raised.

    ``drop``: not at all, for what is logged a second time later.
    """
    held = {}
    for name in LOGGERS:
        logger = logging.getLogger(name)
        held[name] = (logger.handlers, _Held())
        logger.handlers = [held[name][1]]
    refused = drop
    try:
        yield
    except UserError:
        refused = True
        raise
    finally:
        for name, (handlers, holder) in held.items():
            logging.getLogger(name).handlers = handlers
            for record in () if refused else holder.records:
                for handler in handlers:
                    if record.levelno >= handler.level:
                        handler.handle(record)


def load_splits(
    source: Source, wanted: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The dataset's splits by name, and what of the source was not read.

    Args:
        source: which dataset.
        wanted: of mini, which is drawn, only these splits are made.

    Returns:
        ``datasets.Dataset`` by split, and ``{reason: {"count": int, "examples": [str]}}`` with the
        reasons of `aobench.layouts.report.REASONS`, also where the rows come from the cache.

    Raises:
        UserError: where it can't be opened; the line names the place.
    """
    if source.path:
        with bad_data_is_one_line(f"the dataset {source.place} could not be opened"):
            _check_prepared(Path(source.path), source.config)
    with logs_held_back():
        if source.path:
            return _rows(source, source.path, source.config)[0], {}
        extra = dict(source.options)
        if source.data_dir:
            with bad_data_is_one_line(
                f"the dataset {source.place} could not be opened"
            ):
                extra["data_dir"] = str(absolute_path(source.data_dir))
        if source.config == "mini":
            parts = {
                split: _rows(source, "imagenet_ao", "mini", split, only=split, **extra)[
                    0
                ]
                for split in wanted
            }
            return {split: rows[split] for split, rows in parts.items()}, {}
        rows, builder = _rows(source, "imagenet_ao", source.config, **extra)
        with bad_data_is_one_line(f"the dataset {source.place} could not be opened"):
            return rows, _not_read(source, builder)


def _rows(
    source: Source, path: str, config: str, split: str | None = None, **options: Any
) -> tuple[dict[str, Any], Any]:
    """What ``datasets.load_dataset`` gives, in its three steps, of which each has its own place;
    and the builder.
    """
    import datasets

    opened = f"the dataset {source.place} could not be opened"
    with bad_data_is_one_line(opened):
        try:
            builder = datasets.load_dataset_builder(path, config, **options)
        except ValueError:
            _refuse_unknown_config(source, path, config)
            raise
    _check_cache(Path(builder.cache_dir))
    with bad_data_is_one_line(opened):
        try:
            builder.download_and_prepare()
        except datasets.exceptions.DatasetGenerationError as error:
            if source.path and Path(source.path).is_dir():
                _name_damaged_file(_parquet_files(Path(source.path), config), error)
            raise
    with bad_data_is_one_line(_cache_is_damaged(Path(builder.cache_dir))):
        rows = (
            {split: builder.as_dataset(split=split)}
            if split
            else dict(builder.as_dataset())
        )
        for part in rows.values():
            part.data.validate(full=True)  # else altered offsets end the process
    return rows, builder


def _refuse_unknown_config(source: Source, path: str, config: str) -> None:
    """UserError with the configs that there are, where ``config`` is none of them."""
    import datasets

    if not source.path:  # ours, of which the caller knows the configs
        return
    configs = datasets.get_dataset_config_names(path)
    if config not in configs:
        raise UserError(
            f"the dataset {source.place} has no config {config!r}{did_you_mean(config, configs)}; "
            f"name one with --config: {', '.join(configs)}"
        )


def _cache_is_damaged(folder: Path) -> str:
    return (
        f"the copy of the dataset in the cache of datasets is damaged; delete {folder} and run "
        "again, it is made anew"
    )


def _check_cache(folder: Path) -> None:
    """UserError where the cache's copy holds what is no file: a pipe would hang."""
    paths = sorted(folder.glob("*")) if folder.is_dir() else []
    for path in paths:
        if path.is_dir():
            continue
        try:
            regular_file(path)
        except UserError as error:
            raise UserError(f"{_cache_is_damaged(folder)} ({error})") from None


def _parquet_files(folder: Path, config: str) -> list[Path]:
    place = folder / config
    return sorted((place if place.is_dir() else folder).rglob("*.parquet"))


def _check_prepared(folder: Path, config: str) -> None:
    """UserError where a local folder's card or Parquet files are none: before `datasets` reads
    them, which hangs on a pipe and names no file.
    """
    import pyarrow.parquet as pq
    import yaml
    from huggingface_hub import DatasetCard

    if not folder.is_dir():
        return  # a Hub id, or nothing, which `datasets` says
    card = folder / "README.md"
    if os.path.lexists(card):
        text = read_text(card, "the dataset's card", most=1 << 26)
        try:
            with logs_held_back(drop=True):
                DatasetCard(text)
        except (ValueError, yaml.YAMLError) as error:
            raise UserError(
                f"{card}: its head can't be read as YAML ({' '.join(str(error).split())}); mend "
                f"it, or {MEND}"
            ) from error
    for path in _parquet_files(folder, config):
        regular_file(path, "the dataset's file")
        try:
            pq.read_metadata(path)
        except parquet_errors() as error:
            raise UserError(_damaged(path, error)) from error


def _damaged(path: Path, error: BaseException) -> str:
    why = " ".join(str(error).split())
    return f"{path} is not a whole Parquet file ({why}); bring it again, or {MEND}"


def _name_damaged_file(paths: list[Path], error: BaseException) -> None:
    """Raise a UserError that names the first of ``paths`` that can't be read to its end, if any."""
    import pyarrow.parquet as pq

    for path in paths:
        try:
            for _ in pq.ParquetFile(
                path, page_checksum_verification=True
            ).iter_batches():
                pass
        except parquet_errors() as damage:
            raise UserError(_damaged(path, damage)) from error


def _not_read(source: Source, builder: Any) -> dict[str, dict[str, Any]]:
    """What of one's own data was left out, by reason; the same whether it was read now or then."""
    from aobench.layouts.report import EXAMPLES, LeftOut

    if not source.data_dir:
        return {}
    if source.config == "folder":
        report: Mapping[str, dict[str, Any]] = builder.config.own_data().report.left_out
        return dict(report)
    import imagenet_ao

    found = imagenet_ao.label_report(source.data_dir)
    left_out = LeftOut()
    for label, count in sorted(found["unknown_labels"].items()):
        left_out.add("unknown_label", label, count)
    for reason, names in found["left_out"].items():
        code = V2_REASONS.get(reason, reason)
        for name in names[:EXAMPLES]:
            left_out.add(code, name)
        left_out.counts[code] += len(names) - len(names[:EXAMPLES])
    return left_out.as_dict()


#: Reasons of `imagenet_ao.label_report` that have another code in `aobench.layouts.report`.
V2_REASONS = {"ending": "not_a_picture", "no_image": "empty_folder"}
