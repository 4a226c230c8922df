"""One model over one dataset: embeddings, ranks, the table of predictions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aobench.errors import UserError
from aobench.evaluation.candidates import Candidates, candidates, zero_shot_classifier
from aobench.evaluation.images import BadImageError, read_image
from aobench.evaluation.scoring import Ranked, rank_scores
from aobench.evaluation.table import SCHEMA, Predictions

if TYPE_CHECKING:
    from accelerate import Accelerator

    from aobench.evaluation.data import Split
    from aobench.models.base import Classifier, DualEncoder


@dataclass(frozen=True)
class Settings:
    """What the user chooses for a run."""

    mode: str = "closed"
    templates: tuple[str, ...] = ()
    batch: int = 64
    on_bad_image: str = "count"


@dataclass
class Part:
    """What one process found: positions in the split, ranks, and the images that could not be read."""

    positions: list[int]
    ranked: list[Ranked]
    bad: dict[int, str]


def _batches(split: Split, positions: Sequence[int], settings: Settings, bad: dict[int, str]) -> Iterator[Any]:
    for start in range(0, len(positions), settings.batch):
        chunk = positions[start : start + settings.batch]
        good, images = [], []
        for position, cell in zip(chunk, split.rows[chunk]["image"], strict=True):
            try:
                images.append(read_image(cell))
                good.append(position)
            except BadImageError as error:
                if settings.on_bad_image == "stop":
                    raise UserError(
                        f"image {split.sample_ids[position]} {error}; mend or remove it, or leave out "
                        "--on-bad-image stop to count it as wrong"
                    ) from error
                bad[position] = str(error)
        yield len(chunk), good, images


def _choices(model: DualEncoder | Classifier, split: Split, settings: Settings) -> tuple[Candidates, list[int]]:
    """The candidates for a split, and each image's right one."""
    mode = settings.mode if model.info.names_attributes else "objects"
    if mode == "attributes" and all(a < 0 for a in split.attributes):
        raise UserError(f"split {split.name} has no attributes to choose from; choose other --candidates")
    listed = candidates(mode, split.pairs, split.attribute_names, split.object_names)
    where = {pair: i for i, pair in enumerate(zip(listed.attributes, listed.objects, strict=True))}
    keys = {"objects": lambda a, o: (-1, o), "attributes": lambda a, o: (a, -1)}
    key = keys.get(mode, lambda a, o: (a, o))
    try:
        return listed, [where[key(a, o)] for a, o in split.pairs]
    except KeyError as error:
        raise UserError(f"split {split.name}: {mode} candidates lack a composition of the split") from error


def run_split(
    model: DualEncoder | Classifier, split: Split, settings: Settings, accelerator: Accelerator
) -> tuple[pa.Table, Candidates, dict[str, float]]:
    """Rows for every image of ``split``, the candidates, and seconds by phase. Each process takes every n-th image."""
    import torch
    from accelerate.utils import gather_object
    from tqdm.auto import tqdm

    listed, gold = _choices(model, split, settings)
    began = time.perf_counter()
    if model.info.names_attributes:
        weights = zero_shot_classifier(model, listed.names, settings.templates)  # type: ignore[arg-type]
    else:
        label_of = dict(zip(split.objects, split.labels, strict=True))
        columns = torch.tensor([label_of[o] for o in listed.objects])
    texts = time.perf_counter() - began
    positions = list(range(len(split)))[accelerator.process_index :: accelerator.num_processes]
    part = Part([], [], {})
    began = time.perf_counter()
    show = None if accelerator.is_main_process else True
    with tqdm(total=len(positions), desc=f"images ({split.name})", unit="image", disable=show, leave=False) as bar:
        for size, good, images in _batches(split, positions, settings, part.bad):
            if good:
                if model.info.names_attributes:
                    scores = model.encode_images(images) @ weights.T  # type: ignore[union-attr]
                else:
                    scores = model.class_scores(images)[:, columns]  # type: ignore[union-attr]
                part.ranked.append(rank_scores(scores, torch.tensor([gold[i] for i in good])))
                part.positions += good
            bar.update(size)
    parts: list[Part] = gather_object([part])
    seconds = {"texts": round(texts, 3), "images": round(time.perf_counter() - began, 3)}
    return _rows(split, gold, listed, parts), listed, seconds


def _rows(split: Split, gold: list[int], listed: Candidates, parts: list[Part]) -> pa.Table:
    """One row an image; raises RuntimeError where an image is missing or came twice."""
    seen = [p for part in parts for p in part.positions] + [p for part in parts for p in part.bad]
    if sorted(seen) != list(range(len(split))):
        raise RuntimeError(
            f"split {split.name}: {len(seen)} results for {len(split)} images; some are missing or double"
        )
    rank = np.full(len(split), -1, dtype=np.int32)
    margin = np.full(len(split), np.nan, dtype=np.float32)
    top: list[list[int]] = [[] for _ in range(len(split))]
    error: list[str | None] = [None] * len(split)
    for part in parts:
        offset = 0
        for block in part.ranked:
            for i, position in enumerate(part.positions[offset : offset + len(block.rank)]):
                rank[position], margin[position], top[position] = block.rank[i], block.margin[i], block.top[i].tolist()
            offset += len(block.rank)
        for position, reason in part.bad.items():
            error[position] = reason
    columns = [
        split.sample_ids, [split.name] * len(split), split.attributes, split.objects, gold, rank, top,
        pa.array(margin, from_pandas=True), error,
    ]  # fmt: skip
    return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)


def run(
    model: DualEncoder | Classifier,
    splits: Sequence[Split],
    settings: Settings,
    accelerator: Accelerator,
    provenance: dict[str, Any],
) -> tuple[Predictions, dict[str, dict[str, float]]]:
    """All splits; returns the predictions and the seconds by split and phase."""
    results = {split.name: run_split(model, split, settings, accelerator) for split in splits}
    table = pa.concat_tables([rows for rows, _, _ in results.values()])
    lists = {name: listed for name, (_, listed, _) in results.items()}
    seconds = {name: spent for name, (_, _, spent) in results.items()}
    return Predictions(table, lists, model.info.names_attributes, provenance), seconds
