"""The leaderboard as a Gradio Space: the rows that the Hub lists for a benchmark's dataset
repository.
"""

from __future__ import annotations

import os
from typing import Any, cast

import gradio as gr
import pandas as pd
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

COLUMNS = ["model", "value, %", "verified", "pull request", "source"]
#: Lost connections: the error of the library that speaks HTTP, from which the Hub's own comes.
CONNECTION = cast(type[Exception], HfHubHTTPError.__bases__[0])
UNSTATED = "setting not stated"


def setting(notes: str | None) -> str:
    """What must be equal for rows to compare: the entry's notes without the version of the code."""
    parts = [part.strip() for part in (notes or "").split(";") if part.strip()]
    return (
        "; ".join(part for part in parts if not part.startswith("imagenet-ao "))
        or UNSTATED
    )


def tables(entries: list[Any]) -> dict[str, pd.DataFrame]:
    """Rows by setting, best first, the setting with most rows first."""
    found: dict[str, list[list[Any]]] = {}
    for entry in entries:
        row = [
            entry.model_id,
            entry.value,
            entry.verified,
            entry.pull_request,
            (entry.source or {}).get("url", ""),
        ]
        found.setdefault(setting(entry.notes), []).append(row)
    frames = {
        name: pd.DataFrame(sorted(rows, key=lambda row: -row[1]), columns=COLUMNS)
        for name, rows in found.items()
    }
    return dict(sorted(frames.items(), key=lambda item: -len(item[1])))


def read(dataset: str) -> tuple[str, dict[str, pd.DataFrame]]:
    """A status line, and the tables; none where the Hub gives no leaderboard."""
    if dataset.count("/") != 1:
        return "Name a dataset repository as org/dataset.", {}
    try:
        entries = HfApi().get_dataset_leaderboard(dataset, base_model_only=False)
    except (CONNECTION, OSError, KeyError, TypeError, ValueError) as error:
        return f"The Hub gave no leaderboard of {dataset} ({type(error).__name__}).", {}
    found = tables(entries)
    return f"{len(entries)} rows of {dataset} in {len(found)} settings.", found


def build(dataset: str) -> gr.Blocks:
    """The app; a click on a column's head sorts by it."""
    with gr.Blocks(title="ImageNet-AO leaderboard") as app:
        gr.Markdown(
            "# ImageNet-AO leaderboard\nNovel attribute-object compositions named right, in "
            "percent. Tables with "
            "different prompts, candidates or dtype don't compare."
        )
        name = gr.Textbox(dataset, label="Dataset repository", elem_id="dataset")

        @gr.render(inputs=name)
        def show(chosen: str) -> None:
            status, found = read(chosen)
            gr.Markdown(status, elem_id="status")
            for place, (title, frame) in enumerate(found.items()):
                gr.Dataframe(
                    frame, label=title, interactive=False, elem_id=f"table-{place}"
                )

    return app


if __name__ == "__main__":
    build(os.environ.get("DATASET", "")).launch()
