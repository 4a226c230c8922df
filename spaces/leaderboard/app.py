"""The leaderboard as a Gradio Space: the pages of `imagenet-ao leaderboard`, of the rows that the
Hub lists for a benchmark's dataset repository.
"""

from __future__ import annotations

import html
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, cast

import gradio as gr
import pandas as pd
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from aobench.publish.hub_board import HubBoard, hub_board

COLUMNS = ["model", "value, %", "asked with", "why it is not above"]
#: Lost connections: the error of the library that speaks HTTP, from which the Hub's own comes.
CONNECTION = cast(type[Exception], HfHubHTTPError.__bases__[0])
UNSTATED = "not stated"
#: Where the pages lie, which Gradio serves as they are.
SITE = Path(tempfile.mkdtemp(prefix="imagenet-ao-leaderboard-"))


class Shown(NamedTuple):
    """What the app shows of a dataset: a status line, the first page, and rows that stand apart."""

    status: str
    page: Path | None = None
    apart: pd.DataFrame = pd.DataFrame(columns=COLUMNS)


#: Boards that were built, by dataset and its rows.
built: dict[Any, Shown] = {}


def setting(notes: str | None) -> str:
    """What a row was asked with: the entry's notes without the version of the code."""
    parts = [part.strip() for part in (notes or "").split(";") if part.strip()]
    kept = [part for part in parts if not part.startswith("imagenet-ao ")]
    return "; ".join(kept) or UNSTATED


def apart(entries: list[Any], board: HubBoard) -> pd.DataFrame:
    """Rows of models whose result could not be checked, best first."""
    rows = [
        [
            one.model_id,
            one.value,
            setting(one.notes),
            board.unchecked[one.model_id],
        ]
        for one in sorted(entries, key=lambda one: -one.value)
        if one.model_id in board.unchecked
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def read(dataset: str) -> Shown:
    """The rows of a dataset, and the pages of their results; a line where the Hub gives none."""
    if dataset.count("/") != 1:
        return Shown("Name a dataset repository as org/dataset.")
    try:
        entries = HfApi().get_dataset_leaderboard(
            dataset, base_model_only=False
        )
    except (CONNECTION, OSError, KeyError, TypeError, ValueError) as error:
        return Shown(
            f"The Hub gave no leaderboard of {dataset} ({type(error).__name__})."
        )
    rows = tuple((one.model_id, one.value, one.pull_request) for one in entries)
    if (dataset, rows) not in built:
        board = hub_board(dataset, entries, SITE / str(len(built)))
        checked = len(board.results)
        status = f"{len(entries)} rows of {dataset}, {checked} with a result that was checked."
        built[dataset, rows] = Shown(status, board.index, apart(entries, board))
    return built[dataset, rows]


def frame(index: Path) -> str:
    """The pages, in a frame as high as the window."""
    address = html.escape(f"/gradio_api/file={index}")
    return (
        f'<p><a href="{address}" target="_blank">Open on a page of its own</a></p>'
        f'<iframe src="{address}" title="Leaderboard" id="board" '
        'style="width: 100%; height: 85vh; border: 0"></iframe>'
    )


def build(dataset: str) -> gr.Blocks:
    """The app."""
    gr.set_static_paths([SITE])
    with gr.Blocks(title="ImageNet-AO leaderboard") as app:
        gr.Markdown(
            "# ImageNet-AO leaderboard\nNovel attribute-object compositions named right. Each "
            "result is computed anew from its table of predictions."
        )
        name = gr.Textbox(
            dataset, label="Dataset repository", elem_id="dataset"
        )

        @gr.render(inputs=name)
        def show(chosen: str) -> None:
            shown = read(chosen)
            gr.Markdown(shown.status, elem_id="status")
            if shown.page:
                gr.HTML(frame(shown.page))
            if len(shown.apart):
                gr.Dataframe(
                    shown.apart,
                    label="Rows without a result that can be checked: they don't compare",
                    interactive=False,
                    elem_id="apart",
                )

    return app


if __name__ == "__main__":
    build(os.environ.get("DATASET", "")).launch()
