"""The metric as a Space: upload a table of predictions, or type a few rows, and see the figures."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from compositional_ood import part_rates, score, shown_interval

KEY = b"imagenet_ao"
KINDS = ("composition", "attribute", "object")
#: The task of a table of format 1, which has no column of tasks.
ONE_TASK = ""
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
    empty = [
        name for name in NAMES if name != "error" and table[name].null_count
    ]
    if empty:
        raise TableError(
            f"rows of this table have no {empty[0]}; evaluate the model anew"
        )
    return table, _facts(raw)


def _facts(raw: bytes) -> dict[str, Any]:
    """The table's metadata, with the candidate lists by task and split under ``lists``."""
    try:
        facts = json.loads(raw)
    except (ValueError, RecursionError):
        facts = None
    lists = _lists(facts) if isinstance(facts, dict) else None
    if not lists or not all(
        _is_list(one) for by in lists.values() for one in by.values()
    ):
        raise TableError("its metadata is damaged; evaluate the model anew")
    return {**facts, "lists": lists}  # type: ignore[dict-item]


def _first_compositions(task: tuple[str, Any]) -> tuple[bool, str]:
    """The order of tasks: those of compositions first, the one of a list for all before others."""
    return not task[0].startswith("composition"), task[0]


def _lists(facts: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Candidates by task and split; a table of format 1 has one task, which it does not name."""
    if "tasks" not in facts:
        lists = {ONE_TASK: facts.get("candidates")}
    elif isinstance(facts["tasks"], dict):
        lists = {
            name: told.get("splits") if isinstance(told, dict) else None
            for name, told in sorted(
                facts["tasks"].items(), key=_first_compositions
            )
        }
    else:
        return None
    return lists if all(isinstance(by, dict) for by in lists.values()) else None  # type: ignore[return-value]


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
    table: Any, listed: dict[str, Any], task: str, split: str
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Scores of a task in one split, and accuracy by attribute (by object where there are no
    attributes), worst first.
    """
    mine = np.asarray(table["split"]) == split
    if task != ONE_TASK:
        mine &= np.asarray(table["task"]) == task
    rows = table.filter(mine).to_pydict()
    if not rows["split"]:
        raise TableError(f"it has no rows of {split} in the task {task!r}")
    width = max((len(top) for top in rows["top"]), default=1) or 1
    tops = [(top + [-1] * width)[:width] for top in rows["top"]]
    named = [max(a, 0) for a in listed["attributes"]]
    things = [max(o, 0) for o in listed["objects"]]
    parts = np.column_stack([rows["attribute"], rows["object"]])
    shown = np.unique(parts, axis=0, return_inverse=True)[1].reshape(-1)
    offered = rows.get("choices", [None])
    scores = score(
        tops,
        rows["label"],
        attributes=named,
        objects=things,
        groups=shown,
        group_parts=parts if (parts >= 0).all() else None,
        choices=None if offered[0] is None else offered,
    )
    part = "object" if max(listed["attributes"]) < 0 else "attribute"
    right = np.array([top[0] for top in tops]) == np.array(rows["label"])
    table_of = [
        [
            row["id"],
            100 * row["rate"],
            100 * row["low"],
            100 * row["high"],
            row["n"],
        ]
        for row in part_rates(right, rows[part], shown)
    ]
    columns = [f"{part} id", *PART_HEAD]
    return scores, pd.DataFrame(table_of, columns=columns).sort_values(
        "right, %"
    ).round(1)


def _score_rows(
    name: str, scores: dict[str, Any], kinds: tuple[str, ...]
) -> list[list[Any]]:
    """A row for each of ``kinds``; of candidates that name one part alone, that part is the
    metric's composition.
    """
    out = []
    for kind in kinds:
        alone = len(kinds) == 1 or kind == "composition"
        key = "composition_top1" if alone else f"{kind}_top1"
        chance = scores["chance"] if alone else scores[f"{kind}_chance"]
        values = [
            round(100 * value, 1)
            for value in (scores[key], *shown_interval(scores, key))
        ]
        out.append(
            [
                name,
                f"{kind} top-1",
                *values,
                round(100 * chance, 2),
                scores["n"],
            ]
        )
    return out


def _kinds(listed: dict[str, Any]) -> tuple[str, ...]:
    """What the candidates name."""
    if max(listed["attributes"]) < 0:
        return ("object",)
    if max(listed["objects"]) < 0:
        return ("attribute",)
    return ("composition", "attribute", "object")


HEAD = [
    "split",
    "score",
    "accuracy, %",
    "low (95 %)",
    "high (95 %)",
    "chance, %",
    "images",
]


#: The columns of a breakdown after its part's ids.
PART_HEAD = ["right, %", "low", "high", "images"]
NO_PARTS = ["attribute id", *PART_HEAD]


def score_table(path: str | None) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """Status line, scores and breakdown of an uploaded predictions.parquet."""
    empty = pd.DataFrame(columns=HEAD), pd.DataFrame(columns=NO_PARTS)
    if not path:
        return (
            "Upload a predictions.parquet that `imagenet-ao evaluate` wrote.",
            *empty,
        )
    try:
        table, facts = _read(path)
        rows, breakdown = [], pd.DataFrame()
        images = 0
        for place, (task, by_split) in enumerate(facts["lists"].items()):
            for split, listed in by_split.items():
                scores, parts = _split(table, listed, task, split)
                name = f"{task}, {split}" if task else split
                rows += _score_rows(name, scores, _kinds(listed))
                if place == 0:
                    breakdown, images = parts, images + scores["n"]
    except (TableError, ValueError, KeyError, IndexError) as error:
        return f"Not scored: {error}", *empty
    model, config = (
        _named(facts, "model", "id", "unnamed model"),
        _named(facts, "dataset", "config", ""),
    )
    mini = (
        " These are scores on mini, not on the published benchmark."
        if config == "mini"
        else ""
    )
    return (
        f"{model}: {images:,} images.{mini}",
        pd.DataFrame(rows, columns=HEAD),
        breakdown,
    )


def _named(facts: dict[str, Any], part: str, key: str, absent: str) -> str:
    """A text of the table's provenance."""
    made = facts.get("provenance")
    found = made.get(part) if isinstance(made, dict) else None
    return str(found.get(key, absent)) if isinstance(found, dict) else absent


def score_rows(rows: Any) -> tuple[str, pd.DataFrame]:
    """Scores of rows typed in: predicted and right candidate, and the right one's attribute and
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
        parts = {
            r: (a, o) for r, a, o in zip(right, attribute, thing, strict=True)
        }
        count = int(max(predicted.max(), right.max())) + 1
        # A candidate that is never the right one has parts of its own: nothing is known of it.
        spare = 1 + int(max(attribute.max(), thing.max()))
        pairs = [parts.get(i, (spare + i, spare + i)) for i in range(count)]
        scores = score(
            predicted.tolist(),
            right.tolist(),
            [int(a) for a, _ in pairs],
            [int(o) for _, o in pairs],
        )
    except (ValueError, TypeError) as error:
        return f"Not scored: {error}", pd.DataFrame(columns=HEAD[1:])
    table = pd.DataFrame(
        [row[1:] for row in _score_rows("", scores, KINDS)], columns=HEAD[1:]
    )
    return f"{scores['n']} images, {scores['n_classes']} candidates.", table


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
            status = gr.Markdown(
                "Upload a predictions.parquet.", elem_id="status"
            )
            figures = gr.Dataframe(
                headers=HEAD,
                label="Figures",
                elem_id="figures",
                interactive=False,
            )
            breakdown = gr.Dataframe(
                headers=NO_PARTS,
                label="By attribute, worst first (last split)",
                interactive=False,
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
                gr.Dataframe(
                    headers=HEAD[1:], label="Figures", interactive=False
                ),
            )
            button.click(score_rows, rows, [said, table])
    return app


if __name__ == "__main__":
    build().launch()
