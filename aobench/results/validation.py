"""Is a table of predictions one that the runner could have written? Each check with one line
that names the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aobench.results.candidates import Candidates
from aobench.results.schema import TOP
from aobench.results.table_facts import refuse_table
from aobench.results.tasks import TASKS

REQUIRED = (
    "task",
    "sample_id",
    "split",
    "attribute",
    "object",
    "label",
    "rank",
    "top",
)
#: Columns of a task that parts seen candidates from novel ones.
SIDES = ("best_seen", "best_novel", "score_seen", "score_novel", "side_rank")
SAME_KIND = (pa.types.is_integer, pa.types.is_floating)


def check_tables(
    table: pa.Table,
    schema: pa.Schema,
    lists: Mapping[str, Mapping[str, Candidates]],
    provenance: Mapping[str, Any],
    path: Path,
) -> pa.Table:
    """``table`` with the types of ``schema``. Raises UserError where its rows contradict
    themselves, the candidate ``lists`` (by task and split) or ``provenance``. A split without any
    row is no fault."""
    table = _typed(table, schema, path)
    if len(table) == 0:
        refuse_table(path, "it has no rows")
    for task, split in sorted(_combinations(table)):
        if task not in lists:
            refuse_table(
                path,
                f"it has rows of the task {task!r}, of which it tells nothing",
            )
        if split not in lists[task]:
            refuse_table(
                path,
                f"it has rows of the split {split!r}, of which it lists no candidates",
            )
    keys = table.select(["task", "split", "sample_id"])
    keys = keys.group_by(keys.column_names).aggregate([([], "count_all")])
    twice = keys.filter(pc.greater(keys["count_all"], 1))
    if len(twice):
        refuse_table(
            path,
            f"{twice['split'][0]} image {twice['sample_id'][0]} is in it more than once",
        )
    shown: dict[str, pa.Table] = {}
    for task, by_split in lists.items():
        of_task = table.filter(pc.equal(table["task"], task))
        for split, candidates in by_split.items():
            rows = of_task.filter(pc.equal(of_task["split"], split))
            if not len(rows):
                continue
            wanted = provenance["dataset"]["splits"][split]["n"]
            if len(rows) != wanted:
                refuse_table(
                    path,
                    f"it has {len(rows):,} images of {split}, and its metadata says "
                    f"{wanted:,}",
                )
            _Rows(rows, candidates, split, path).check()
            same = rows.select(["sample_id", "attribute", "object", "error"])
            same = same.sort_by("sample_id").combine_chunks()
            if not shown.setdefault(split, same).equals(same):
                refuse_table(
                    path,
                    f"its tasks tell different things of the images of {split}",
                )
    for task, by_split in lists.items():
        whole = lists.get(TASKS[task].part_of, {})
        for split in {*by_split} & {*whole}:
            _check_part(table, (task, TASKS[task].part_of), split, lists, path)
    return table


def _check_part(
    table: pa.Table,
    tasks: tuple[str, str],
    split: str,
    lists: Mapping[str, Mapping[str, Candidates]],
    path: Path,
) -> None:
    """Raise UserError unless a part offers each image the objects of the whole's options.

    ``tasks``: the part, and the whole.
    """
    offered = []
    for task in tasks:
        mine = pc.equal(table["task"], task)
        rows = table.filter(pc.and_(mine, pc.equal(table["split"], split)))
        objects = lists[task][split].objects
        choices = zip(
            *(rows[c].to_pylist() for c in ("sample_id", "choices")),
            strict=True,
        )
        offered.append({one: {objects[i] for i in row} for one, row in choices})
    part, whole = offered
    for sample, things in part.items():
        if things != whole[sample]:
            refuse_table(
                path,
                f"{split} image {sample} is offered other objects in the task {tasks[0]} than in "
                f"{tasks[1]}",
            )


def _combinations(table: pa.Table) -> set[tuple[str, str]]:
    rows = (
        table.select(["task", "split"])
        .group_by(["task", "split"])
        .aggregate([])
    )
    return {(row["task"], row["split"]) for row in rows.to_pylist()}


def _typed(table: pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    """The table cast to ``schema``; numbers of another width pass, other types and nulls do not."""
    for field in schema:
        have, want = table.schema.field(field.name).type, field.type
        lists = pa.types.is_list(have) and pa.types.is_list(want)
        inner = (have.value_type, want.value_type) if lists else (have, want)
        alike = inner[0] == inner[1] or any(
            kind(inner[0]) and kind(inner[1]) for kind in SAME_KIND
        )
        text = pa.types.is_string(want) and pa.types.is_large_string(have)
        empty = pa.types.is_null(have) and field.name not in REQUIRED
        if not (alike or text or empty):
            refuse_table(path, f"column {field.name} holds {have}, not {want}")
        if field.name in REQUIRED and table[field.name].null_count:
            row = int(
                np.flatnonzero(np.asarray(pc.is_null(table[field.name])))[0]
            )
            refuse_table(path, f"row {row} has no {field.name}")
    try:
        return table.cast(schema)
    except pa.ArrowInvalid as error:
        refuse_table(
            path, f"a number is out of range ({str(error).splitlines()[0]})"
        )


class _Rows:
    """The rows of one split as arrays, and what must hold of them."""

    def __init__(
        self, rows: pa.Table, candidates: Candidates, split: str, path: Path
    ) -> None:
        self.rows, self.candidates, self.split, self.path = (
            rows,
            candidates,
            split,
            path,
        )
        self.label, self.rank, self.attribute, self.object = (
            rows[name].to_numpy()
            for name in ("label", "rank", "attribute", "object")
        )
        self.failed = np.asarray(pc.is_valid(rows["error"]))
        top = rows["top"].combine_chunks()
        self.width, self.top = (
            np.asarray(pc.list_value_length(top)),
            np.asarray(top.flatten().fill_null(-1)),
        )

    def refuse_where(
        self, bad: np.ndarray, fault: str, **values: np.ndarray
    ) -> None:
        """Refuse the table if any row is ``bad``: ``fault`` is filled in with that row's
        ``values``.
        """
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            said = fault.format(
                **{name: column[row] for name, column in values.items()}
            )
            refuse_table(
                self.path,
                f"{self.split} image {self.rows['sample_id'][row]} {said}",
            )

    def check(self) -> None:
        """Raise UserError for the first row that is not sound."""
        count, label, rank = len(self.candidates), self.label, self.rank
        outside = (label < 0) | (label >= count)
        self.refuse_where(
            outside,
            f"has the label {{label}}; there are {count:,} candidates",
            label=label,
        )
        outside = (rank < -1) | (rank >= count)
        self.refuse_where(
            outside,
            f"has the rank {{rank}}; there are {count:,} candidates",
            rank=rank,
        )
        unread = (self.failed != (rank == -1)) | (
            self.failed != (self.width == 0)
        )
        self.refuse_where(
            unread,
            "is unreadable by one of error, rank and top, and not by another",
        )
        for name, mine, right in (
            (
                "attribute",
                self.attribute,
                np.array(self.candidates.attributes)[label],
            ),
            ("object", self.object, np.array(self.candidates.objects)[label]),
        ):
            unlike = (mine < -1) | ((right >= 0) & (mine != right))
            fault = f"has the {name} {{mine}}, and its label is a candidate of {name} {{right}}"
            self.refuse_where(unlike, fault, mine=mine, right=right)
        margin = self.rows["margin"].to_numpy(zero_copy_only=False)
        self.refuse_where(
            ~self.failed & ~np.isfinite(margin),
            "has the margin {margin}",
            margin=margin,
        )
        scope = TASKS[self.candidates.task].scope
        offered = self.rows["choices"].combine_chunks()
        if scope == "image":
            self._check_choices(offered)
        else:
            self.refuse_where(
                np.asarray(pc.is_valid(offered)),
                "has choices of its own, and its task has one list for all",
            )
        self._check_top(np.minimum(self._offered_counts(), TOP))
        self._check_sides(scope)

    def _offered_counts(self) -> np.ndarray:
        """By image how many candidates it has to choose from."""
        sizes = pc.list_value_length(self.rows["choices"])
        return np.asarray(sizes.fill_null(len(self.candidates)))

    def _check_choices(self, offered: pa.Array) -> None:
        """What was offered to each image holds its right candidate, each once, and what was named.

        All images are offered as many, so that a rank says as much of each; but for the part of a
        task, whose options may name one thing in several.
        """
        self.refuse_where(np.asarray(pc.is_null(offered)), "has no choices")
        sizes = np.asarray(pc.list_value_length(offered))
        self.refuse_where(sizes < 2, "has {n} choices", n=sizes)
        if not TASKS[self.candidates.task].part_of:
            fault = f"has {{n}} choices, and others {sizes[0]}"
            self.refuse_where(sizes != sizes[0], fault, n=sizes)
        values = np.asarray(offered.flatten().fill_null(-1))
        there = _table(values, sizes, 0)
        outside = (there < 0) | (there >= len(self.candidates))
        self.refuse_where(
            np.any(outside, axis=1), "has a choice that is not in the list"
        )
        ids = _table(values, sizes)
        ordered = np.sort(ids, axis=1)
        self.refuse_where(
            np.any(ordered[:, 1:] == ordered[:, :-1], axis=1),
            "has a choice twice",
        )
        self.refuse_where(
            ~np.any(ids == self.label[:, None], axis=1),
            "has its right candidate not among its choices",
        )
        self.refuse_where(
            self.rank >= sizes,
            "has the rank {rank} of {n} choices",
            rank=self.rank,
            n=sizes,
        )
        read = ~self.failed
        wanted = np.minimum(sizes, TOP)
        if not read.any() or (self.width != wanted)[read].any():
            return  # for _check_top to tell
        named = _table(self.top, self.width[read])
        strange = np.zeros(len(read), bool)
        strange[read] = ~(named[:, :, None] == ids[read][:, None, :]).any(
            2
        ).all(1)
        self.refuse_where(
            strange, "names a candidate that is not among its choices"
        )

    def _check_sides(self, scope: str) -> None:
        """The best seen and novel candidates: all there or none, and no other than rank tells."""
        there = np.column_stack(
            [np.asarray(pc.is_valid(self.rows[name])) for name in SIDES]
        )
        if not there.any():
            return
        some, whole = np.asarray(there.any(1)), np.asarray(there.all(1))
        self.refuse_where(
            (whole == self.failed) | (some != whole),
            "has some of " + ", ".join(SIDES) + " and lacks others",
        )
        if scope != "shared":
            self.refuse_where(
                some, "has a seen and a novel side, and its task none"
            )
        best = [self.rows[name].fill_null(0).to_numpy() for name in SIDES[:2]]
        outside = np.zeros(len(self.rank), bool)
        for ids in best:
            outside |= (ids < 0) | (ids >= len(self.candidates))
        self.refuse_where(
            outside, "has a best candidate that is not in the list"
        )
        place = self.rows["side_rank"].fill_null(-1).to_numpy()
        first = (best[0] == self.label) | (best[1] == self.label)
        self.refuse_where(
            ~self.failed
            & ((place < 0) | (place > self.rank) | ((place == 0) != first)),
            "has the rank {place} on its side, which its other columns belie",
            place=place,
        )
        scores = [
            self.rows[name].fill_null(0).to_numpy() for name in SIDES[2:4]
        ]
        read = ~self.failed & (self.width > 0)
        leader = np.full(len(read), -1)
        leader[read] = self.top[np.cumsum(self.width)[read] - self.width[read]]
        strange = ((scores[0] > scores[1]) & (leader != best[0])) | (
            (scores[0] < scores[1]) & (leader != best[1])
        )
        self.refuse_where(
            read & strange,
            "names another candidate first than the better of its best seen and novel ones",
        )

    def _check_top(self, widths: np.ndarray) -> None:
        """``widths``: by image how many candidates it must name."""
        read = ~self.failed
        self.refuse_where(
            read & (self.width != widths),
            "names {n} candidates, not {wanted}",
            n=self.width,
            wanted=widths,
        )
        rows = np.flatnonzero(read)
        top = _table(self.top, widths[read])
        there = _table(np.zeros(len(self.top), int), widths[read]) == 0

        def refuse(bad: np.ndarray, fault: str) -> None:
            whole = np.zeros(len(read), bool)
            whole[rows[bad]] = True
            self.refuse_where(whole, fault, rank=self.rank)

        outside = (top < 0) | (top >= len(self.candidates))
        refuse(
            np.any(there & outside, axis=1),
            "names a candidate that is not in the list",
        )
        ordered = np.sort(top, axis=1)
        refuse(
            np.any(ordered[:, 1:] == ordered[:, :-1], axis=1),
            "names a candidate twice",
        )
        is_right = top == self.label[rows][:, None]
        last = widths[read]
        place = np.where(is_right.any(1), is_right.argmax(1), last)
        refuse(
            place != np.minimum(self.rank[rows], last),
            "has the rank {rank}, which the candidates it names belie",
        )


def _table(
    values: np.ndarray, sizes: np.ndarray, fill: int | None = None
) -> np.ndarray:
    """int N x M from the lists of ``sizes`` that stand one behind another in ``values``.

    Behind shorter lists stands ``fill``, or a number below 0 that no other column has.
    """
    width = int(sizes.max(initial=0))
    columns = np.arange(width)
    empty = -2 - columns if fill is None else np.full(width, fill)
    table = np.tile(empty, (len(sizes), 1))
    table[columns < sizes[:, None]] = values
    return table
