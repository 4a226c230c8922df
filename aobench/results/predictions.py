"""The table of predictions: one row an image and task, and all that is needed to score it without
a model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aobench.errors import UserError
from aobench.files import parquet_errors, write_in_one_move
from aobench.results.candidates import Candidates, named_candidates
from aobench.results.paths import TABLE, check_own_table, result_file
from aobench.results.schema import TABLE_FORMAT
from aobench.results.tasks import (
    MODE_TASKS,
    find_task,
    headline_task,
    order_tasks,
)

KEY = b"imagenet_ao"

SCHEMA = pa.schema(
    [
        ("task", pa.string()),  # of aobench.results.tasks
        ("sample_id", pa.string()),  # as in the dataset
        ("split", pa.string()),  # id or ood
        (
            "attribute",
            pa.int32(),
        ),  # the right attribute's id, -1 where the split has none
        ("object", pa.int32()),  # the right object's id
        (
            "label",
            pa.int32(),
        ),  # the right candidate's id in the task's list of the split
        (
            "rank",
            pa.int32(),
        ),  # its rank, 0 = first; -1 where the image could not be read
        # the best candidates' ids, best first; empty for an unreadable image
        ("top", pa.list_(pa.int32())),
        (
            "margin",
            pa.float32(),
        ),  # score of the right candidate less that of the best other one
        ("error", pa.string()),  # why the image could not be read, or null
        # the ids offered to this image; null where the list is shared or the split's
        ("choices", pa.list_(pa.int32())),
        # the best candidate that is seen, and novel; null where the task does not part them
        ("best_seen", pa.int32()),
        ("best_novel", pa.int32()),
        ("score_seen", pa.float32()),  # the scores of these two
        ("score_novel", pa.float32()),
        (
            "side_rank",
            pa.int32(),
        ),  # the right candidate's rank among those of its own side
    ]
)

#: Columns that tables of format 1 lack.
LATER = ("task", *SCHEMA.names[SCHEMA.names.index("choices") :])


@dataclass
class Predictions:
    """The rows, sorted by task, split and sample id, and what was ranked.

    ``lists``: by task and split the candidates.
    """

    table: pa.Table
    lists: dict[str, dict[str, Candidates]]
    names_attributes: bool
    provenance: dict[str, Any]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks, the headline first."""
        return order_tasks(self.lists)

    @property
    def headline(self) -> str:
        """The task that the result is known by."""
        return headline_task(self.lists)

    @property
    def candidates(self) -> dict[str, Candidates]:
        """The candidates of the headline task by split."""
        return self.lists[self.headline]

    def split(self, name: str, task: str | None = None) -> dict[str, list[Any]]:
        """The columns of one split as lists, of ``task`` or the headline task."""
        import pyarrow.compute as pc

        mine = pc.and_(
            pc.equal(self.table["task"], task or self.headline),
            pc.equal(self.table["split"], name),
        )
        return self.table.filter(mine).to_pydict()


def write(predictions: Predictions, path: Path) -> str:
    """Write to ``path`` in one move: the file is whole or absent. Returns its SHA-256,
    hexadecimal.
    """
    order = [(name, "ascending") for name in ("task", "split", "sample_id")]
    facts = json.dumps(
        _facts(predictions), sort_keys=True, separators=(",", ":")
    )
    table = predictions.table.sort_by(order)
    table = table.replace_schema_metadata({KEY: facts.encode()})
    content = pa.BufferOutputStream()
    pq.write_table(table, content, compression="zstd")
    data = content.getvalue().to_pybytes()
    write_in_one_move(path, data)
    return hashlib.sha256(data).hexdigest()


def _facts(predictions: Predictions) -> dict[str, Any]:
    """The table's metadata. Candidates are ids: the names follow from those of the parts."""
    lists = predictions.lists
    some = next(iter(next(iter(lists.values())).values()))
    return {
        "format": TABLE_FORMAT,
        "tasks": {
            task: {
                "kind": find_task(task).kind,
                "scope": find_task(task).scope,
                "splits": {
                    split: {
                        "attributes": candidates.attributes,
                        "objects": candidates.objects,
                    }
                    for split, candidates in by_split.items()
                },
            }
            for task, by_split in lists.items()
        },
        "attribute_names": some.attribute_names,
        "object_names": some.object_names,
        "names_attributes": predictions.names_attributes,
        "provenance": predictions.provenance,
    }


def read(path: str | Path) -> Predictions:
    """The predictions at ``path``: a table, or a folder that holds one. Candidates of splits
    without rows are left out. A table of format 1 is read as the one task that it holds.

    Raises UserError, in one line, where the table cannot be read or is not one that the runner
    could have written.
    """
    from aobench.results.table_facts import table_facts
    from aobench.results.validation import check_tables

    path = result_file(path, TABLE)
    check_own_table(path)
    try:
        table = pq.read_table(path)
        table.validate(
            full=True
        )  # else a damaged text fails later, as a UnicodeDecodeError
    except parquet_errors() as error:
        raise UserError(
            f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}"
        ) from error
    raw = (table.schema.metadata or {}).get(KEY)
    earlier = "task" not in table.column_names
    wanted = [name for name in SCHEMA.names if not (earlier and name in LATER)]
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise UserError(
            f"{path} lacks the column(s) {', '.join(missing)}; it was not written by "
            "this runner"
        )
    if raw is None:
        raise UserError(
            f"{path} does not say which candidates were ranked (Parquet metadata key "
            f"{KEY.decode()!r})"
        )
    facts = table_facts(raw, path, earlier)
    lists = _earlier_lists(facts) if earlier else _lists(facts)
    table = table.select(wanted)
    if earlier:
        table = _with_later_columns(table, next(iter(lists)))
    table = check_tables(table, SCHEMA, lists, facts["provenance"], path)
    there = {
        (row["task"], row["split"])
        for row in table.select(["task", "split"])
        .group_by(["task", "split"])
        .aggregate([])
        .to_pylist()
    }
    lists = {
        task: {
            split: candidates
            for split, candidates in by_split.items()
            if (task, split) in there
        }
        for task, by_split in lists.items()
    }
    lists = {task: by_split for task, by_split in lists.items() if by_split}
    return Predictions(
        table, lists, facts["names_attributes"], facts["provenance"]
    )


def _lists(facts: Mapping[str, Any]) -> dict[str, dict[str, Candidates]]:
    names = (tuple(facts["attribute_names"]), tuple(facts["object_names"]))
    return {
        task: {
            split: named_candidates(
                task,
                list(
                    zip(
                        candidates["attributes"],
                        candidates["objects"],
                        strict=True,
                    )
                ),
                *names,
            )
            for split, candidates in facts_of_list["splits"].items()
        }
        for task, facts_of_list in facts["tasks"].items()
    }


def _earlier_lists(
    facts: Mapping[str, Any],
) -> dict[str, dict[str, Candidates]]:
    """Format 1: by split a list with its mode and its names."""
    lists: dict[str, dict[str, Candidates]] = {}
    for split, facts_of_list in facts["candidates"].items():
        task = MODE_TASKS[facts_of_list["mode"]]
        lists.setdefault(task, {})[split] = Candidates(
            task,
            tuple(facts_of_list["attributes"]),
            tuple(facts_of_list["objects"]),
            tuple(facts_of_list["names"]),
            tuple(facts_of_list.get("attribute_names", ())),
            tuple(facts_of_list.get("object_names", ())),
        )
    return lists


def _with_later_columns(table: pa.Table, task: str) -> pa.Table:
    columns = {
        name: pa.nulls(len(table), SCHEMA.field(name).type)
        for name in LATER
        if name != "task"
    }
    columns |= {name: table[name] for name in table.column_names}
    columns["task"] = pa.array([task] * len(table), pa.string())
    return pa.table({name: columns[name] for name in SCHEMA.names})
