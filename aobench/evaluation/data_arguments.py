"""The options that name a dataset, and those of running a model: the same for each verb that has
them.
"""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

#: Options of earlier versions, and what to type in their place.
GONE = {
    "--config": "--data mini, or the set's place, PLACE:CONFIG where it has several",
    "--data-dir": "--data PLACE",
    "--dataset": "--data PLACE",
}


class _GoneOption(argparse.Action):
    """An option that has gone: the line says what to type."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _: Any,
        value: Any,
        option: str | None = None,
    ) -> NoReturn:
        """End with the line."""
        name = option or self.option_strings[0]
        mend = GONE[name]
        if name != "--config" or value == "mini":
            mend = f"--data {value}"
        parser.error(f"{name} is --data now: write {mend}")


def add_data_arguments(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--data`` and what says how to read it; ``default`` is what its help says."""
    parser.add_argument(
        "--data",
        help="mini (bundled); the published archive's zip or folder; a prepared folder or a Hub "
        "id, with :CONFIG where it has several; your own pictures, in folders or by a list "
        f"(docs/own-data.md); default: {default}",
    )
    parser.add_argument(
        "--id-data",
        metavar="IMAGENET",
        help="ImageNet's pictures as seen ones (split id): folders of wnids, the flat validation "
        "set with its ground truth, the tar, Parquet, or a Hub id",
    )
    parser.add_argument(
        "--layout",
        help="the layout of your own pictures, or published, where two would do",
    )
    parser.add_argument(
        "--columns",
        help="what your list calls its columns: image=img,attribute=state,object=noun",
    )
    parser.add_argument(
        "--attributes",
        help="text file of the attributes of your own pictures, one a line",
    )
    parser.add_argument(
        "--objects",
        help="text file of the objects of your own pictures, one a line",
    )
    add_gone_options(parser)


def add_gone_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of earlier versions, which end with a line on what to type."""
    for name in GONE:
        parser.add_argument(name, action=_GoneOption, help=argparse.SUPPRESS)


def reading_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_data_arguments` but ``--data``, by the names of `data_source`."""
    names = ("id_data", "layout", "columns", "attributes", "objects")
    return {name: getattr(args, name) for name in names}


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of running a model: batches, workers, dtype, a trial's limit, the CPU."""
    parser.add_argument(
        "--batch-size",
        type=int,
        help="images at once (default: 256 on a GPU, 32 on CPU; halved if need be)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="processes that decode images (default: by the cores; on CPU 0: threads do)",
    )
    parser.add_argument(
        "--dtype", default="float32", choices=("float32", "bfloat16", "float16")
    )
    parser.add_argument(
        "--limit",
        type=int,
        help="only this many images of each split, spread evenly; for trying out",
    )
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="use the CPU even where there is a GPU",
    )
