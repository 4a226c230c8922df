"""Writing a dataset in the form of the Hub; the command ``imagenet-ao prepare`` is a thin layer
over it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from datasets.exceptions import DatasetGenerationError

from aobench.errors import UserError
from aobench.evaluation.loading import (
    FACTS,
    Source,
    left_out_of_archive,
    own_source,
    reported_once,
)
from aobench.evaluation.sources import data_source
from aobench.files import PLACE_ERRORS


def prepare_data(
    out: str | os.PathLike[str],
    data: str | os.PathLike[str] | Source,
    **reading: Any,
) -> str:
    """Write a dataset as Parquet with a card to ``out``; what it was taken for is printed.

    Args:
        out: the folder; a second config may be added to one that is there.
        data: as `aobench.evaluate` takes it.
        reading: ``id_data``, ``layout``, ``columns``, ``attributes``, ``objects``, likewise.

    Returns:
        The name of the config that was written.

    Raises:
        UserError: where the dataset or the folder is of no use; it says how to mend it.

    Example:
        >>> from tempfile import mkdtemp
        >>> prepare_data(mkdtemp(), "mini")  # doctest: +SKIP
        'mini'
    """
    import imagenet_ao

    source = data_source(data, **reading)
    if source.path:
        source = _from_files(source)
    places = {"data_dir": source.data_dir, "id_data": source.id_data}
    options: dict[str, Any] = {
        name: value for name, value in places.items() if value
    }
    try:
        for line in _description(source):
            print(line)
        with reported_once():
            imagenet_ao.prepare(
                out, config=source.config, **options, **source.options
            )
    except imagenet_ao.DatasetError as error:
        raise UserError(str(error)) from error
    except DatasetGenerationError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in PLACE_ERRORS:
            raise
        raise UserError(
            f"{out} could not be written: {cause.strerror}; free some space, or name another place"
        ) from error
    return source.config


def _from_files(source: Source) -> Source:
    """A dataset of another form as files that the layouts read. UserError for one that is prepared
    already.
    """
    own = own_source(source)
    if (Path(own.data_dir or "") / FACTS).exists():
        raise UserError(
            f"{source.path} is prepared already: give it as it is; to add --id-data, prepare it "
            "anew from its pictures"
        )
    return own


def _description(source: Source) -> list[str]:
    """What is written, and what is left out of it."""
    import imagenet_ao
    from aobench.layouts import read_layout
    from aobench.layouts.imagenet import read_imagenet
    from aobench.layouts.report import left_out_texts

    lines: list[str] = []
    if source.config == "folder":
        lines += read_layout(
            source.data_dir or "", **source.options
        ).report.lines()
    elif source.data_dir:
        report = imagenet_ao.label_report(source.data_dir)
        lost = left_out_of_archive(report)
        known = report["images"] - sum(report["unknown_labels"].values())
        lines += [f"layout      published: {known:,} images of known labels"]
        lines += [f"left out    {text}" for text in left_out_texts(lost)]
    if source.id_data:
        lines += read_imagenet(source.id_data).report.lines()
    return lines
