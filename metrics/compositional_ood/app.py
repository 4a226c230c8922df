"""The metric as a Space: upload a table of predictions, or type a few rows, and see the figures."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from compositional_ood import effective_images, score, wilson

KEY = b"imagenet_ao"
NAMES = ("split", "attribute", "object", "label", "top", "error")
EXAMPLE = [[0, 0, 0, 0], [1, 1, 0, 1], [3, 2, 1, 0], [2, 3, 1, 1]]


class TableError(ValueError):
    """A table that cannot be scored; the message says why and how to mend it."""


def _read(path: str) -> tuple[Any, dict[str, Any]]:
    try:
        table = pq.read_table(path)
    except Exception as error:
        raise TableError(
            f"this is no readable Parquet file ({str(error).splitlines()[0][:120]})"
        ) from error
    missing = [name for name in NAMES if name not in table.column_names]
    raw = (table.schema.metadata or {}).get(KEY)
    if missing or raw is None:
        lacks = (
            f"it lacks the column(s) {', '.join(missing)}"
            if missing
            else "it does not say which candidates were ranked"
        )
        raise TableError(
            f"this table was not written by imagenet-ao: {lacks}; upload a predictions.parquet"
        )
    empty = [name for name in NAMES if name != "error" and table[name].null_count]
    if empty:
        raise TableError(
            f"rows of this table have no {empty[0]}; evaluate the model anew"
        )
    return table, _facts(raw)


def _facts(raw: bytes) -> dict[str, Any]:
    """The table's metadata, with a candidate list for each split."""
    try:
        facts = json.loads(raw)
    except (ValueError, RecursionError):
        facts = None
    lists = facts.get("candidates") if isinstance(facts, dict) else None
    if not isinstance(lists, dict) or not all(
        _is_list(listed) for listed in lists.values()
    ):
        raise TableError("its metadata is damaged; evaluate the model anew")
    return facts


def _is_list(listed: Any) -> bool:
    """Whether it is a candidate list: as many ids of attributes as of objects, whole numbers."""
    if not isinstance(listed, dict):
        return False
    attributes, objects = listed.get("attributes"), listed.get("objects")
    if not isinstance(attributes, list) or not isinstance(objects, list):
        return False
    if not attributes or len(attributes) != len(objects):
        return False
    return all(type(one) is int and one >= -1 for one in attributes + objects)


def _split(
    table: Any, facts: dict[str, Any], split: str
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Figures of one split, and accuracy by attribute (by object where there are no attributes),
    worst first.
    """
    listed = facts["candidates"][split]
    rows = table.filter(np.asarray(table["split"]) == split).to_pydict()
    width = max((len(top) for top in rows["top"]), default=1) or 1
    tops = [top or [-1] * width for top in rows["top"]]
    named = [max(a, 0) for a in listed["attributes"]]
    things = [max(o, 0) for o in listed["objects"]]
    shown = np.unique(
        np.column_stack([rows["attribute"], rows["object"]]),
        axis=0,
        return_inverse=True,
    )[1].reshape(-1)
    figures = score(tops, rows["label"], attributes=named, objects=things, groups=shown)
    part = "object" if min(listed["attributes"]) < 0 else "attribute"
    right = np.array([top[0] for top in tops]) == np.array(rows["label"])
    ids = np.array(rows[part])
    share = effective_images(
        np.bincount(shown, weights=right), np.bincount(shown)
    ) / len(right)
    table_of = []
    for number in np.unique(ids[ids >= 0]):
        mine = right[ids == number]
        low, high = wilson(share * mine.sum(), share * len(mine))
        table_of.append(
            [int(number), 100 * mine.mean(), 100 * low, 100 * high, len(mine)]
        )
    columns = [f"{part} id", "right, %", "low", "high", "images"]
    return figures, pd.DataFrame(table_of, columns=columns).sort_values(
        "right, %"
    ).round(1)


def _figures(name: str, figures: dict[str, Any], supervised: bool) -> list[list[Any]]:
    kinds = ("object",) if supervised else ("composition", "attribute", "object")
    out = []
    for kind in kinds:
        key = "composition_top1" if supervised else f"{kind}_top1"
        chance = (
            figures["chance"]
            if supervised or kind == "composition"
            else figures[f"{kind}_chance"]
        )
        values = [
            round(100 * figures[k], 1) for k in (key, f"{key}_low", f"{key}_high")
        ]
        out.append(
            [name, f"{kind} top-1", *values, round(100 * chance, 2), figures["n"]]
        )
    return out


HEAD = [
    "split",
    "figure",
    "accuracy, %",
    "low (95 %)",
    "high (95 %)",
    "chance, %",
    "images",
]


def score_table(path: str | None) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """Status line, figures and breakdown of an uploaded predictions.parquet."""
    empty = pd.DataFrame(columns=HEAD), pd.DataFrame()
    if not path:
        return "Upload a predictions.parquet that `imagenet-ao evaluate` wrote.", *empty
    try:
        table, facts = _read(path)
        rows, breakdown = [], pd.DataFrame()
        for split in facts["candidates"]:
            figures, breakdown = _split(table, facts, split)
            rows += _figures(
                split, figures, min(facts["candidates"][split]["attributes"]) < 0
            )
    except (TableError, ValueError, KeyError, IndexError) as error:
        return f"Not scored: {error}", *empty
    model, config = (
        _named(facts, "model", "id", "unnamed model"),
        _named(facts, "dataset", "config", ""),
    )
    mini = (
        " These are figures on mini, not on the published benchmark."
        if config == "mini"
        else ""
    )
    return (
        f"{model}: {table.num_rows:,} images.{mini}",
        pd.DataFrame(rows, columns=HEAD),
        breakdown,
    )


def _named(facts: dict[str, Any], part: str, key: str, absent: str) -> str:
    """A text of the table's provenance."""
    made = facts.get("provenance")
    found = made.get(part) if isinstance(made, dict) else None
    return str(found.get(key, absent)) if isinstance(found, dict) else absent


def score_rows(rows: Any) -> tuple[str, pd.DataFrame]:
    """Figures of rows typed in: predicted and right candidate, and the right one's attribute and
    object.
    """
    try:
        values = np.asarray(
            pd.DataFrame(rows).dropna(how="all").to_numpy(), dtype=float
        )
        if values.size == 0:
            raise ValueError("type at least one row")
        if not np.equal(values, np.floor(values)).all():
            raise ValueError("ids are whole numbers")
        predicted, right, attribute, thing = values.astype(int).T
        parts = {r: (a, o) for r, a, o in zip(right, attribute, thing, strict=True)}
        count = int(max(predicted.max(), right.max())) + 1
        # A candidate that is never the right one has parts of its own: nothing is known of it.
        spare = 1 + int(max(attribute.max(), thing.max()))
        pairs = [parts.get(i, (spare + i, spare + i)) for i in range(count)]
        figures = score(
            predicted.tolist(),
            right.tolist(),
            [int(a) for a, _ in pairs],
            [int(o) for _, o in pairs],
        )
    except (ValueError, TypeError) as error:
        return f"Not scored: {error}", pd.DataFrame(columns=HEAD[1:])
    table = pd.DataFrame(
        [row[1:] for row in _figures("", figures, supervised=False)], columns=HEAD[1:]
    )
    return f"{figures['n']} images, {figures['n_classes']} candidates.", table


def build() -> gr.Blocks:
    """The app."""
    with gr.Blocks(title="Compositional OoD") as app:
        gr.Markdown(
            "# Compositional OoD\nHow often a model names novel attribute-object compositions."
        )
        with gr.Tab("A table of predictions"):
            upload = gr.File(
                label="predictions.parquet",
                file_types=[".parquet"],
                type="filepath",
                elem_id="upload",
            )
            status = gr.Markdown("Upload a predictions.parquet.", elem_id="status")
            figures = gr.Dataframe(
                headers=HEAD, label="Figures", elem_id="figures", interactive=False
            )
            breakdown = gr.Dataframe(
                label="By attribute, worst first (last split)", interactive=False
            )
            upload.change(score_table, upload, [status, figures, breakdown])
        with gr.Tab("A few rows"):
            names = [
                "predicted",
                "right",
                "attribute of the right one",
                "object of the right one",
            ]
            rows = gr.Dataframe(
                EXAMPLE,
                headers=names,
                label="One row an image",
                datatype="number",
                elem_id="rows",
            )
            button = gr.Button("Score", elem_id="score")
            said, table = (
                gr.Markdown(elem_id="said"),
                gr.Dataframe(headers=HEAD[1:], label="Figures", interactive=False),
            )
            button.click(score_rows, rows, [said, table])
    return app


if __name__ == "__main__":
    build().launch()
