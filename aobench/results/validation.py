"""Is a table of predictions one that the runner could have written? Each check with one line
that names the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aobench.errors import UserError
from aobench.files import parse_json
from aobench.results.candidates import Candidates

MEND = "evaluate the model anew"
LISTS = ("attributes", "objects", "names")
REQUIRED = ("sample_id", "split", "attribute", "object", "label", "rank", "top")
SAME_KIND = (pa.types.is_integer, pa.types.is_floating)


def _refuse(path: Path, fault: str) -> NoReturn:
    raise UserError(
        f"{path}: {fault}; the table was damaged or not written by this runner: {MEND}"
    )


def facts_of(raw: bytes, path: Path) -> dict[str, Any]:
    """The table's JSON metadata: candidates by split, names_attributes and provenance. Raises
    UserError.
    """
    try:
        facts = parse_json(raw, "its metadata")
    except UserError as error:
        _refuse(path, str(error))
    missing = [
        key
        for key in ("candidates", "names_attributes", "provenance")
        if key not in facts
    ]
    if missing:
        _refuse(path, f"its metadata lacks {', '.join(missing)}")
    made = facts["provenance"]
    try:
        sizes = [made["dataset"]["splits"][split]["n"] for split in facts["candidates"]]
        told = isinstance(made["model"]["id"], str) and all(
            isinstance(n, int) for n in sizes
        )
        told = (
            told
            and isinstance(made["dataset"]["config"], str)
            and isinstance(facts["candidates"], dict)
        )
    except (KeyError, TypeError):
        told = False
    if not told:
        _refuse(
            path,
            "its metadata does not tell the model, the dataset and the images of each "
            "split",
        )
    for split, listed in facts["candidates"].items():
        _check_list(split, listed, path)
    return facts


def _check_list(split: str, listed: Any, path: Path) -> None:
    if not isinstance(listed, dict) or not all(
        isinstance(listed.get(key), list) for key in LISTS
    ):
        _refuse(path, f"its metadata has no candidate list of {split}")
    if (
        not isinstance(listed.get("mode"), str)
        or len({len(listed[key]) for key in LISTS}) != 1
        or not listed["names"]
    ):
        _refuse(
            path,
            f"its candidate list of {split} is empty, has no mode or has lists of "
            "unequal length",
        )
    numbers = [*listed["attributes"], *listed["objects"]]
    names = [
        listed["names"],
        *(listed.get(key, []) for key in ("attribute_names", "object_names")),
    ]
    worded = all(
        isinstance(some, list) and all(isinstance(name, str) for name in some)
        for some in names
    )
    if not worded or not all(type(n) is int and n >= -1 for n in numbers):
        _refuse(
            path,
            f"its candidate list of {split} holds something else than ids and names",
        )


def sound(
    table: pa.Table,
    schema: pa.Schema,
    lists: Mapping[str, Candidates],
    made: Mapping[str, Any],
    path: Path,
) -> pa.Table:
    """``table`` with the types of ``schema``. Raises UserError where its rows contradict
    themselves, the candidate ``lists`` or ``made``, the provenance. A split without any row is no
    fault."""
    table = _typed(table, schema, path)
    if len(table) == 0:
        _refuse(path, "it has no rows")
    strangers = set(table["split"].unique().to_pylist()) - set(lists)
    if strangers:
        _refuse(
            path,
            f"it has rows of the split {min(strangers)!r}, of which it lists no "
            "candidates",
        )
    keys = (
        table.select(["split", "sample_id"])
        .group_by(["split", "sample_id"])
        .aggregate([([], "count_all")])
    )
    twice = keys.filter(pc.greater(keys["count_all"], 1))
    if len(twice):
        _refuse(
            path,
            f"{twice['split'][0]} image {twice['sample_id'][0]} is in it more than once",
        )
    for split, listed in lists.items():
        rows = table.filter(pc.equal(table["split"], split))
        if len(rows):
            wanted = made["dataset"]["splits"][split]["n"]
            if len(rows) != wanted:
                _refuse(
                    path,
                    f"it has {len(rows):,} images of {split}, and its metadata says "
                    f"{wanted:,}",
                )
            _Rows(rows, listed, split, path).check()
    return table


def _typed(table: pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    """The table cast to ``schema``; numbers of another width pass, other types and nulls do not."""
    for field in schema:
        have, want = table.schema.field(field.name).type, field.type
        lists = pa.types.is_list(have) and pa.types.is_list(want)
        inner = (have.value_type, want.value_type) if lists else (have, want)
        alike = inner[0] == inner[1] or any(
            kind(inner[0]) and kind(inner[1]) for kind in SAME_KIND
        )
        text = pa.types.is_string(want) and (
            pa.types.is_large_string(have) or pa.types.is_null(have)
        )
        if not alike and not text:
            _refuse(path, f"column {field.name} holds {have}, not {want}")
        if field.name in REQUIRED and table[field.name].null_count:
            row = int(np.flatnonzero(np.asarray(pc.is_null(table[field.name])))[0])
            _refuse(path, f"row {row} has no {field.name}")
    try:
        return table.cast(schema)
    except pa.ArrowInvalid as error:
        _refuse(path, f"a number is out of range ({str(error).splitlines()[0]})")


class _Rows:
    """The rows of one split as arrays, and what must hold of them."""

    def __init__(
        self, rows: pa.Table, listed: Candidates, split: str, path: Path
    ) -> None:
        self.rows, self.listed, self.split, self.path = rows, listed, split, path
        self.label, self.rank, self.attribute, self.object = (
            rows[name].to_numpy() for name in ("label", "rank", "attribute", "object")
        )
        self.failed = np.asarray(pc.is_valid(rows["error"]))
        top = rows["top"].combine_chunks()
        self.width, self.top = (
            np.asarray(pc.list_value_length(top)),
            np.asarray(top.flatten().fill_null(-1)),
        )

    def refuse_where(self, bad: np.ndarray, fault: str, **values: np.ndarray) -> None:
        """Refuse the table if any row is ``bad``: ``fault`` is filled in with that row's
        ``values``.
        """
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            said = fault.format(
                **{name: column[row] for name, column in values.items()}
            )
            _refuse(
                self.path, f"{self.split} image {self.rows['sample_id'][row]} {said}"
            )

    def check(self) -> None:
        """Raise UserError for the first row that is not sound."""
        count, label, rank = len(self.listed), self.label, self.rank
        outside = (label < 0) | (label >= count)
        self.refuse_where(
            outside,
            f"has the label {{label}}; there are {count:,} candidates",
            label=label,
        )
        outside = (rank < -1) | (rank >= count)
        self.refuse_where(
            outside, f"has the rank {{rank}}; there are {count:,} candidates", rank=rank
        )
        unread = (self.failed != (rank == -1)) | (self.failed != (self.width == 0))
        self.refuse_where(
            unread, "is unreadable by one of error, rank and top, and not by another"
        )
        for name, mine, right in (
            ("attribute", self.attribute, np.array(self.listed.attributes)[label]),
            ("object", self.object, np.array(self.listed.objects)[label]),
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
        self._check_top(min(5, count))

    def _check_top(self, width: int) -> None:
        read = ~self.failed
        self.refuse_where(
            read & (self.width != width),
            f"names {{n}} candidates, not {width}",
            n=self.width,
        )
        rows = np.flatnonzero(read)
        top = (
            self.top.reshape(len(rows), width)
            if len(rows)
            else np.zeros((0, width), int)
        )

        def refuse(bad: np.ndarray, fault: str) -> None:
            whole = np.zeros(len(read), bool)
            whole[rows[bad]] = True
            self.refuse_where(whole, fault, rank=self.rank)

        refuse(
            np.any((top < 0) | (top >= len(self.listed)), axis=1),
            "names a candidate that is not in the list",
        )
        ordered = np.sort(top, axis=1)
        refuse(
            np.any(ordered[:, 1:] == ordered[:, :-1], axis=1), "names a candidate twice"
        )
        found = top == self.label[rows][:, None]
        place = np.where(found.any(1), found.argmax(1), width)
        refuse(
            place != np.minimum(self.rank[rows], width),
            "has the rank {rank}, which the candidates it names belie",
        )
