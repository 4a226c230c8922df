"""The rows of the table of predictions, from ranked shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from aobench.evaluation.scoring import Ranked
from aobench.results.candidates import Question
from aobench.results.predictions import SCHEMA

if TYPE_CHECKING:
    from aobench.evaluation.data import Split
    from aobench.evaluation.embedding_store import Store


def prediction_rows(
    task: str,
    split: Split,
    question: Question,
    store: Store,
    parts: Sequence[Mapping[int, Ranked]],
    bad: Mapping[int, str],
) -> pa.Table:
    """One row an image; raises RuntimeError where an image is missing or came twice."""
    shards = [shard for part in parts for shard in part]
    if sorted(shards) != list(range(len(store))):
        raise RuntimeError(
            f"split {split.name}: {len(shards)} shards ranked of {len(store)}; some are missing or "
            "double"
        )
    ranked = {shard: rows for part in parts for shard, rows in part.items()}
    joined = Ranked.joined([ranked[shard] for shard in range(len(store))])
    count = len(split)
    if len(joined.rank) != count:
        raise RuntimeError(
            f"split {split.name}: {len(joined.rank)} results for {count} images"
        )
    rank, margin, top = joined.rank, joined.margin, _named(joined.top)
    unread = np.zeros(count, bool)
    for position in bad:
        rank[position], margin[position], top[position] = -1, np.nan, []
        unread[position] = True
    columns = {
        "task": [task] * count,
        "sample_id": split.sample_ids,
        "split": [split.name] * count,
        "attribute": split.attributes,
        "object": split.objects,
        "label": question.gold,
        "rank": rank,
        "top": top,
        "margin": pa.array(margin, from_pandas=True),
        "error": [bad.get(i) for i in range(count)],
        "choices": question.choices or [None] * count,
    }
    for name in (
        "best_seen",
        "best_novel",
        "score_seen",
        "score_novel",
        "side_rank",
    ):
        values = getattr(joined, name)
        if len(values):
            columns[name] = pa.array(values, mask=unread)
        else:
            columns[name] = [None] * count
    return pa.table(
        {name: columns[name] for name in SCHEMA.names}, schema=SCHEMA
    )


def _named(top: np.ndarray) -> list[list[int]]:
    """The ids of each row, without the -1 of images that are offered fewer."""
    if (top >= 0).all():
        return top.tolist()
    return [[one for one in row if one >= 0] for row in top.tolist()]
