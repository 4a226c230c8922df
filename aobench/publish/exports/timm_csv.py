"""A CSV in the shape of timm's results: percent, a model a line, its first columns timm's.

What a result doesn't say, such as sizes of pictures, is empty; parameters are in millions. timm's
files hold one dataset each; here ``task``, ``split`` and ``kind`` say which.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from aobench.publish.exports.base import (
    ExportFormat,
    ExportOptions,
    ScoreRow,
    score_rows,
)
from aobench.results.verified import Result

#: As in timm's results-imagenet.csv.
TIMM = (
    "model",
    "img_size",
    "top1",
    "top1_err",
    "top5",
    "top5_err",
    "param_count",
    "crop_pct",
    "interpolation",
)
OURS = (
    "task",
    "split",
    "kind",
    "top1_low",
    "top1_high",
    "chance",
    "images",
    "candidates",
)


def render(results: Sequence[Result], options: ExportOptions) -> str:
    """The text: a line an accuracy, the best first in each task, split and kind."""
    rows = [row for result in results for row in score_rows(result)]
    places = {
        name: place
        for place, name in enumerate(dict.fromkeys(r.task for r in rows))
    }
    rows.sort(
        key=lambda row: (
            places[row.task],
            row.split,
            row.kind,
            -row.value,
            row.model,
        )
    )
    stream = io.StringIO()
    writer = csv.DictWriter(
        stream, [*TIMM, *OURS], lineterminator="\n", restval=""
    )
    writer.writeheader()
    writer.writerows(map(_cells, rows))
    return stream.getvalue()


def _cells(row: ScoreRow) -> dict[str, str]:
    cells = {
        "model": row.model,
        "top1": f"{100 * row.value:.3f}",
        "top1_err": f"{100 - 100 * row.value:.3f}",
        "task": row.task,
        "split": row.split,
        "kind": row.kind,
        "top1_low": f"{100 * row.low:.3f}",
        "top1_high": f"{100 * row.high:.3f}",
        "chance": f"{100 * row.by_chance:.3f}",
        "images": str(row.images),
        "candidates": str(row.candidates),
    }
    if row.parameters is not None:
        cells["param_count"] = f"{row.parameters / 1e6:.2f}"
    if row.top5 is not None:
        cells |= {
            "top5": f"{100 * row.top5:.3f}",
            "top5_err": f"{100 - 100 * row.top5:.3f}",
        }
    return cells


FORMAT = ExportFormat(
    "csv", "a CSV in the shape of timm's results", render, several=True
)
