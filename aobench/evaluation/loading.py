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
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError, did_you_mean
from aobench.files import (
    FULL,
    absolute_path,
    parquet_errors,
    read_text,
    regular_file,
)

if TYPE_CHECKING:
    from aobench.layouts.imagenet import ClassReport

MEND = "prepare it with: imagenet-ao prepare"
#: Libraries whose log is held back.
LOGGERS = ("datasets", "huggingface_hub")


#: What `imagenet_ao.prepare` says of a folder's splits.
FACTS = "fingerprints.json"
#: What the runner reads of each row.
COLUMNS = (
    *("image", "attribute", "object", "imagenet_label"),
    *("sample_id", "composition", "sha256"),
)
#: Columns that a dataset of somebody else's form has, and those that it has none of.
THEIR_COLUMNS = {"image", "attribute", "object"}
OUR_COLUMNS = {"composition", "imagenet_label", "sha256"}


@dataclass(frozen=True)
class Source:
    """Which dataset: a config of ``imagenet_ao`` with its ``data_dir``, or ``path``: a prepared
    folder or Hub id, whose only or default config an empty ``config`` stands for.

    ``options`` go to `aobench.layouts.read_layout`, ``id_data`` to `aobench.layouts.imagenet`.
    ``shown``: a run prints what the dataset was taken for.
    """

    config: str = "v2"
    data_dir: str | None = None
    path: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    id_data: str | None = None
    shown: bool = field(default=False, repr=False, compare=False)

    @property
    def place(self) -> str:
        """What messages call it."""
        shown = str(self.path or self.data_dir or self.config)
        return shown if shown.isprintable() else ascii(shown)[1:-1]


@dataclass(frozen=True)
class LoadedData:
    """A dataset as it was loaded.

    Attributes:
        splits: ``datasets.Dataset`` by split.
        config: the config that it was.
        layout: what it was taken for, such as ``published`` or ``label-folders``, and in words.
        not_read: ``{reason: {"count": int, "examples": [str]}}`` of what was left out, with the
            reasons of `aobench.layouts.report.REASONS`.
        id_report: of ImageNet's pictures, where they are the split ``id``.
        notes: what was assumed.
    """

    splits: dict[str, Any]
    config: str
    layout: tuple[str, str]
    not_read: dict[str, dict[str, Any]] = field(default_factory=dict)
    id_report: ClassReport | None = None
    notes: tuple[str, ...] = ()


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
        connection = type(cause).__module__.partition(".")[0] in (
            "httpx",
            "httpx2",
        )
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


def _is_news(record: logging.LogRecord) -> bool:
    return not getattr(record, "reported", False)


@contextlib.contextmanager
def reported_once() -> Iterator[None]:
    """Leave out what `imagenet_ao` warns of and `recognised_data` tells again."""
    logger = logging.getLogger("imagenet_ao")
    logger.addFilter(_is_news)
    try:
        yield
    finally:
        logger.removeFilter(_is_news)


def load_splits(source: Source, wanted: tuple[str, ...]) -> LoadedData:
    """The dataset's splits, and what they were taken for.

    Args:
        source: which dataset.
        wanted: of mini, which is drawn, only these splits are made.

    Raises:
        UserError: where it can't be opened; the line names the place.
    """
    with logs_held_back():
        if source.config == "mini" and not source.path:
            return _load_mini(source, wanted)
        if source.path and source.options.get("columns"):
            return _load_own(own_source(source))
        return _load_dataset(source) if source.path else _load_own(source)


def _load_mini(source: Source, wanted: tuple[str, ...]) -> LoadedData:
    parts = {
        split: _rows(
            source, "imagenet_ao", "mini", split, only=split, **source.options
        )[0][split]
        for split in wanted
    }
    return LoadedData(parts, "mini", ("mini", "drawn pictures, bundled"))


def _load_own(source: Source) -> LoadedData:
    """The published archive, or one's own pictures."""
    opened = f"the dataset {source.place} could not be opened"
    extra = dict(source.options)
    with bad_data_is_one_line(opened):
        if source.data_dir:
            extra["data_dir"] = str(absolute_path(source.data_dir))
    if source.id_data:
        extra["id_data"] = source.id_data
    with reported_once():
        rows, builder = _rows(source, "imagenet_ao", source.config, **extra)
    with bad_data_is_one_line(opened):
        not_read = _not_read(source, builder)
    layout, notes = ("published", "LABEL/picture of the published lists"), ()
    if source.config == "folder":
        report = builder.config.own_data().report
        layout, notes = (report.layout, report.looks), report.notes
    seen = builder.config.class_data().report if source.id_data else None
    return LoadedData(rows, source.config, layout, not_read, seen, notes)


def _load_dataset(source: Source) -> LoadedData:
    """A prepared folder or a dataset of the Hub; of another form, by the layouts."""
    with bad_data_is_one_line(
        f"the dataset {source.place} could not be opened"
    ):
        _check_prepared(Path(source.path or ""), source.config)
    rows, builder = _rows(source, source.path or "", source.config or None)
    columns = set(next(iter(rows.values())).column_names) if rows else set()
    if columns >= THEIR_COLUMNS and not columns & OUR_COLUMNS:
        return _load_own(own_source(source))
    config = source.config or builder.config.name
    layout = ("dataset", "rows as imagenet-ao prepare writes them")
    if not source.id_data:
        return LoadedData(rows, config, layout)
    from aobench.evaluation.id_split import with_id_split

    if "id" in rows:
        raise UserError(
            f"the dataset {source.place} has seen pictures of its own (split id), and id_data "
            "(--id-data) names others: leave one of the two out"
        )
    options = {"only": "id", "id_data": source.id_data}
    with reported_once():
        seen, maker = _rows(source, "imagenet_ao", "v2", **options)
    report = maker.config.class_data().report
    joined = with_id_split(rows, seen["id"])
    return LoadedData(joined, config, layout, report.left_out, report)


def own_source(source: Source) -> Source:
    """The same dataset as files that the layouts read."""
    from aobench.layouts.imagenet.tables import fetch_tables

    place = source.path or ""
    if not Path(place).is_dir():
        place = fetch_tables(place, all_splits=True)
    return Source(
        "folder", place, options=source.options, id_data=source.id_data
    )


def _rows(
    source: Source,
    path: str,
    config: str | None,
    split: str | None = None,
    **options: Any,
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
                _name_damaged_file(
                    _parquet_files(Path(source.path), config or ""), error
                )
            raise
    with bad_data_is_one_line(_cache_is_damaged(Path(builder.cache_dir))):
        rows = (
            {split: builder.as_dataset(split=split)}
            if split
            else dict(builder.as_dataset())
        )
        for part in rows.values():
            part.data.validate(
                full=True
            )  # else altered offsets end the process
    return rows, builder


def _refuse_unknown_config(
    source: Source, path: str, config: str | None
) -> None:
    """UserError with the configs that there are, where ``config`` is none of them, or none is
    named and there are several.
    """
    import datasets

    if not source.path:  # ours, of which the caller knows the configs
        return
    configs = datasets.get_dataset_config_names(path)
    if config is None and len(configs) > 1:
        fault = "has several configs"
    elif config is not None and config not in configs:
        fault = f"has no config {config!r}{did_you_mean(config, configs)}"
    else:
        return
    raise UserError(
        f"the dataset {source.place} {fault}; name one, as {source.place}:{configs[0]}, of "
        f"{', '.join(configs)}"
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
    return (
        f"{path} is not a whole Parquet file ({why}); bring it again, or {MEND}"
    )


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
    from aobench.layouts.report import LeftOut

    left_out = LeftOut()
    if source.id_data:
        left_out.add_all(builder.config.class_data().report.left_out)
    if source.config == "folder":
        left_out.add_all(builder.config.own_data().report.left_out)
    if source.config == "folder" or not source.data_dir:
        return left_out.as_dict()
    import imagenet_ao

    report = imagenet_ao.label_report(source.data_dir)
    left_out.add_all(left_out_of_archive(report))
    return left_out.as_dict()


def left_out_of_archive(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What `imagenet_ao.label_report` says that is not read, by the reasons of the layouts."""
    from aobench.layouts.report import EXAMPLES, LeftOut

    left_out = LeftOut()
    for label, count in sorted(report["unknown_labels"].items()):
        left_out.add("unknown_label", label, count)
    for reason, names in report["left_out"].items():
        code = V2_REASONS.get(reason, reason)
        for name in names[:EXAMPLES]:
            left_out.add(code, name)
        left_out.counts[code] += len(names) - len(names[:EXAMPLES])
    return left_out.as_dict()


#: Reasons of `imagenet_ao.label_report` that have another code in `aobench.layouts.report`.
V2_REASONS = {"ending": "not_a_picture", "no_image": "empty_folder"}
