"""Results in the forms that others read: a table of formats, one file each.

A format renders checked results to the text of one file and computes nothing: its numbers are
those of results.json. Packages add formats by an entry point in the group ``imagenet_ao.exports``,
whose object is an `ExportFormat`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module, metadata

from aobench.errors import UserError, did_you_mean
from aobench.publish.exports.base import ExportFormat, ExportOptions
from aobench.results.verified import Result

GROUP = "imagenet_ao.exports"

#: By name, where its `ExportFormat` is.
EXPORTS = {
    "every-eval-ever": "aobench.publish.exports.every_eval_ever:FORMAT",
    "eval-results": "aobench.publish.exports.hub_files:EVAL_RESULTS",
    "model-index": "aobench.publish.exports.hub_files:MODEL_INDEX",
    "csv": "aobench.publish.exports.timm_csv:FORMAT",
    "latex": "aobench.publish.exports.tables:LATEX",
    "markdown": "aobench.publish.exports.tables:MARKDOWN",
}


def export_names() -> list[str]:
    """The names of all formats, those of other packages last."""
    return [
        *EXPORTS,
        *(point.name for point in metadata.entry_points(group=GROUP)),
    ]


def find_export(name: str) -> ExportFormat:
    """The format of that name. Raises UserError where there is none."""
    if name in EXPORTS:
        module, _, attribute = EXPORTS[name].partition(":")
        return getattr(import_module(module), attribute)
    for point in metadata.entry_points(group=GROUP):
        if point.name == name:
            return point.load()
    names = export_names()
    raise UserError(
        f"there is no export {name!r}{did_you_mean(name, names)}; there are {', '.join(names)}"
    )


def export_text(
    name: str, results: Sequence[Result], options: ExportOptions | None = None
) -> str:
    """The text of ``results`` in the format ``name``.

    Args:
        name: one of `export_names`.
        results: read by `aobench.results.verified.read_result`.
        options: the dataset's repository and such.

    Raises:
        UserError: for an unknown name, several results where the format takes one, an option that
            it needs and lacks, and results without what it tells.
    """
    export = find_export(name)
    options = options or ExportOptions()
    if len(results) != 1 and not export.several:
        raise UserError(
            f"{name} takes one result, a file each; there are {len(results)}"
        )
    if export.needs_dataset and options.dataset is None:
        raise UserError(
            f"{name} names the benchmark's repository: give --dataset, such as "
            "your-org/imagenet-ao"
        )
    return export.render(results, options)
