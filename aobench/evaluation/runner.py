"""One model over one dataset: vectors on disk, ranks, the table of predictions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from aobench.errors import UserError
from aobench.evaluation.scoring import Ranked, rank_embeddings, rank_scores
from aobench.results.candidates import Candidates, candidates
from aobench.results.predictions import SCHEMA, Predictions

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from aobench.evaluation.data import Split
    from aobench.evaluation.embedding_store import Store
    from aobench.models.base import DualEncoder, Model

#: Images in a shard: what a killed run loses at most, for each process.
SHARD = 256


@dataclass(frozen=True)
class Settings:
    """What the user chooses for a run. ``batch`` None: a whole shard on a GPU, 32 on a
    processor.
    """

    embeddings: Path
    mode: str = "closed"
    templates: tuple[str, ...] = ()
    batch: int | None = None
    workers: int | None = None
    shard: int = SHARD
    draft: int | None = None
    on_bad_image: str = "count"


@dataclass
class Part:
    """What one process ranked: by shard the rows, and the reasons of unreadable images by
    position.
    """

    ranked: dict[int, Ranked] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)


def _choices(model: Model, split: Split, mode: str) -> tuple[Candidates, list[int]]:
    """The candidates for a split, and each image's right one."""
    mode = mode if model.info.names_attributes else "objects"
    if mode == "attributes" and all(a < 0 for a in split.attributes):
        raise UserError(
            f"split {split.name} has no attributes to choose from; choose other --candidates"
        )
    listed = candidates(mode, split.pairs, split.attribute_names, split.object_names)
    where = {
        pair: i
        for i, pair in enumerate(zip(listed.attributes, listed.objects, strict=True))
    }
    keys = {"objects": lambda a, o: (-1, o), "attributes": lambda a, o: (a, -1)}
    key = keys.get(mode, lambda a, o: (a, o))
    try:
        return listed, [where[key(a, o)] for a, o in split.pairs]
    except KeyError as error:
        raise UserError(
            f"split {split.name}: {mode} candidates lack a composition of the split"
        ) from error


def run_split(
    model: Model, split: Split, settings: Settings, accelerator: Accelerator
) -> tuple[pa.Table, Candidates, dict[str, float], int]:
    """Rows for every image of ``split``, the candidates, seconds by phase, and how many prompts
    were cut.

    Shards of images and of names go round the processes; each is the same whoever computes it.
    """
    from accelerate.utils import gather_object

    from aobench.evaluation.embedding import (
        embed_images,
        embed_names,
        embed_shards,
        image_store,
    )
    from aobench.evaluation.image_loader import workers_for
    from aobench.evaluation.prompts import count_cut_prompts

    listed, gold = _choices(model, split, settings.mode)
    cut = (
        count_cut_prompts(model, listed.names, settings.templates)
        if model.info.names_attributes
        else 0
    )
    clock = [time.perf_counter()]
    classifier = None
    if model.info.names_attributes:
        encoder = cast("DualEncoder", model)
        classifier = embed_names(
            encoder, listed.names, settings.templates, settings.embeddings, accelerator
        )
    clock.append(time.perf_counter())
    batch = min(
        settings.shard,
        settings.batch or (32 if accelerator.device.type == "cpu" else settings.shard),
    )
    workers = settings.workers
    if workers is None:
        workers = workers_for(accelerator.num_processes, accelerator.device)
    store = image_store(
        model, split, settings.embeddings, settings.shard, settings.draft
    )
    stop = settings.on_bad_image == "stop"
    how = (batch, workers, settings.draft, stop)
    embed_images(model, split, store, accelerator, *how)
    clock.append(time.perf_counter())

    def embed_again(shard: int) -> None:
        embed_shards(model, split, store, [shard], *how)

    part = _rank(store, split, listed, gold, classifier, accelerator, embed_again)
    parts: list[Part] = gather_object([part])
    rows = _rows(split, gold, store, parts)
    if stop and any(p.bad for p in parts):
        position, reason = min(
            (position, reason) for p in parts for position, reason in p.bad.items()
        )
        raise UserError(
            f"image {split.sample_ids[position]} {reason}; mend or remove it, or count it as wrong"
        )
    clock.append(time.perf_counter())
    spent = [round(after - before, 3) for before, after in pairwise(clock)]
    phases = dict(zip(("texts", "images", "scoring"), spent, strict=True))
    return rows, listed, phases, cut


def _rank(
    store: Store,
    split: Split,
    listed: Candidates,
    gold: list[int],
    classifier: torch.Tensor | None,
    accelerator: Accelerator,
    embed_again: Callable[[int], object],
) -> Part:
    """Ranks of every n-th shard, of which this process has the n-th.

    ``embed_again`` writes a shard that was damaged since it was looked through.
    """
    import torch

    label_of = dict(zip(split.objects, split.labels, strict=True))
    columns = (
        None
        if classifier is not None
        else torch.tensor(_columns(split, listed, label_of))
    )
    part = Part()
    for shard in range(len(store))[
        accelerator.process_index :: accelerator.num_processes
    ]:
        items = store.items(shard)
        vectors, notes = store.read(shard, embed_again)
        part.bad.update({items[0] + offset: reason for offset, reason in notes.items()})
        right = torch.tensor([gold[i] for i in items])
        if len(notes) == len(items):
            width = min(5, len(listed))
            part.ranked[shard] = Ranked(
                np.zeros(len(items), np.int32),
                np.zeros((len(items), width), np.int32),
                np.zeros(len(items), np.float32),
            )
        elif classifier is None:
            part.ranked[shard] = rank_scores(vectors[:, columns], right)
        else:
            device = classifier.device
            part.ranked[shard] = rank_embeddings(
                vectors.to(device), classifier, right.to(device)
            )
    return part


def _columns(split: Split, listed: Candidates, label_of: dict[int, int]) -> list[int]:
    """The ImageNet class of each listed object. UserError for one that is none."""
    strangers = [split.object_names[o] for o in listed.objects if label_of[o] < 0]
    if strangers:
        raise UserError(
            f"the dataset has {len(strangers)} objects without an ImageNet class, such as "
            f"{strangers[0]!r}; a "
            "classifier over ImageNet-1k can't name them: evaluate dual encoders on this dataset"
        )
    return [label_of[o] for o in listed.objects]


def _rows(split: Split, gold: list[int], store: Store, parts: list[Part]) -> pa.Table:
    """One row an image; raises RuntimeError where an image is missing or came twice."""
    shards = [shard for part in parts for shard in part.ranked]
    if sorted(shards) != list(range(len(store))):
        raise RuntimeError(
            f"split {split.name}: {len(shards)} shards ranked of {len(store)}; some are missing or "
            "double"
        )
    ranked = {shard: rows for part in parts for shard, rows in part.ranked.items()}
    joined = Ranked.joined([ranked[shard] for shard in range(len(store))])
    if len(joined.rank) != len(split):
        raise RuntimeError(
            f"split {split.name}: {len(joined.rank)} results for {len(split)} images"
        )
    bad = {position: reason for part in parts for position, reason in part.bad.items()}
    rank, margin, top = joined.rank, joined.margin, joined.top.tolist()
    for position in bad:
        rank[position], margin[position], top[position] = -1, np.nan, []
    columns = [
        split.sample_ids,
        [split.name] * len(split),
        split.attributes,
        split.objects,
        gold,
        rank,
        top,
        pa.array(margin, from_pandas=True),
        [bad.get(i) for i in range(len(split))],
    ]
    return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)


def run(
    model: Model,
    splits: Sequence[Split],
    settings: Settings,
    accelerator: Accelerator,
    provenance: dict[str, Any],
) -> tuple[Predictions, dict[str, dict[str, float]]]:
    """All splits; returns the predictions and the seconds by split and phase."""
    results = {
        split.name: run_split(model, split, settings, accelerator) for split in splits
    }
    table = pa.concat_tables([rows for rows, _, _, _ in results.values()])
    lists = {name: listed for name, (_, listed, _, _) in results.items()}
    seconds = {name: spent for name, (_, _, spent, _) in results.items()}
    if cut := {name: count for name, (_, _, _, count) in results.items() if count}:
        made = provenance["model"]
        provenance = {
            **provenance,
            "model": {**made, "notes": {**made["notes"], "prompts_cut": cut}},
        }
    return Predictions(table, lists, model.info.names_attributes, provenance), seconds
