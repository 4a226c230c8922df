"""One model over one dataset: vectors on disk, ranks in every task, the table of predictions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from aobench.errors import UserError
from aobench.evaluation.scoring import (
    TOP,
    Ranked,
    Sides,
    rank_choices,
    rank_embeddings,
    rank_scores,
)
from aobench.results.candidates import Candidates, Question, ask_task
from aobench.results.predictions import SCHEMA, Predictions
from aobench.results.tasks import DEFAULT_TASKS, choose_tasks, find_task

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from aobench.evaluation.data import Split
    from aobench.evaluation.embedding_store import Store
    from aobench.models.base import DualEncoder, Model

#: Images in a shard: what a killed run loses at most, for each process.
SHARD = 256

#: Task -> split -> what is asked.
Questions = Mapping[str, Mapping[str, Question]]


@dataclass(frozen=True)
class Settings:
    """What the user chooses for a run. ``batch`` None: a whole shard on a GPU, 32 on a
    processor.
    """

    embeddings: Path
    tasks: tuple[str, ...] = DEFAULT_TASKS
    templates: tuple[str, ...] = ()
    batch: int | None = None
    workers: int | None = None
    shard: int = SHARD
    draft: int | None = None
    on_bad_image: str = "count"


@dataclass
class Part:
    """What one process ranked: by task and shard the rows, and the reasons of unreadable images by
    position.
    """

    ranked: dict[str, dict[int, Ranked]] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NamedTexts:
    """The texts of all candidates of a run, embedded once: float32 C x D, a row a name."""

    vectors: torch.Tensor
    place: Mapping[str, int]

    def classifier(self, names: Sequence[str]) -> torch.Tensor:
        """float32 C x D, a row for each of ``names``."""
        import torch

        rows = torch.tensor([self.place[name] for name in names])
        return self.vectors[rows.to(self.vectors.device)]


@dataclass(frozen=True)
class ImageNetClasses:
    """What a classifier over ImageNet-1k calls the objects: ``label_of`` an object's id its class,
    -1 for none.
    """

    label_of: Mapping[int, int]

    @classmethod
    def of_splits(cls, splits: Sequence[Split]) -> ImageNetClasses:
        """The classes that the splits tell. Raises UserError where they differ on an object."""
        label_of: dict[int, int] = {}
        for split in splits:
            for thing, label in zip(split.objects, split.labels, strict=True):
                if label_of.setdefault(thing, label) != label:
                    raise UserError(
                        f"the object {split.object_names[thing]!r} has the imagenet_label {label} "
                        f"in the split {split.name} and {label_of[thing]} in another; give it one"
                    )
        return cls(label_of)

    def columns(self, listed: Candidates) -> list[int]:
        """The class of each listed object. UserError for one that is none."""
        strangers = [o for o in listed.objects if self.label_of[o] < 0]
        if strangers:
            raise UserError(
                f"the dataset has {len(strangers)} objects without an ImageNet class, such as "
                f"{listed.object_names[strangers[0]]!r}; a classifier over ImageNet-1k can't name "
                "them: evaluate dual encoders on this dataset"
            )
        return [self.label_of[o] for o in listed.objects]


def ask_splits(
    model: Model, splits: Sequence[Split], tasks: Sequence[str]
) -> tuple[dict[str, dict[str, Question]], list[str]]:
    """By task and split what is asked, of ``tasks`` those that the model and the data allow, and a
    line on each that is left out.

    A model that cannot name attributes is asked for objects alone. Raises UserError where nothing
    is left to ask, or where the splits number their names differently.
    """
    chosen: Sequence[str] = choose_tasks(tasks)
    if not model.info.names_attributes:
        chosen = ("object",)
    attributes, objects = _common_names(splits)
    pairs = {split.name: split.pairs for split in splits}
    asked, left_out = {}, []
    for name in chosen:
        if found := ask_task(find_task(name), pairs, attributes, objects):
            asked[name] = found
        else:
            left_out.append(f"The task {name} is left out: {_why_not(name)}.")
    if not asked:
        raise UserError(
            f"no task is left to ask: {_why_not(chosen[0])}; choose other --tasks, such as object"
        )
    return asked, left_out


def _why_not(task: str) -> str:
    if find_task(task).scope == "image":
        return "it takes three attributes and three objects in a split, each image with both"
    return "the images have no attributes"


def _common_names(splits: Sequence[Split]) -> tuple[list[str], list[str]]:
    """Names of attributes and objects, which all splits number alike. Raises UserError."""
    first = splits[0]
    for split in splits[1:]:
        for part in ("attribute_names", "object_names"):
            if getattr(split, part) != getattr(first, part):
                raise UserError(
                    f"the splits {first.name} and {split.name} have different {part}: one id would "
                    "mean two names; give both the same ClassLabel, and prepare the dataset anew"
                )
    return list(first.attribute_names), list(first.object_names)


def run(
    model: Model,
    splits: Sequence[Split],
    settings: Settings,
    accelerator: Accelerator,
    provenance: dict[str, Any],
) -> tuple[Predictions, dict[str, Any]]:
    """All tasks on all splits; returns the predictions and the seconds by phase: ``texts``, and by
    split ``images`` and ``scoring``.

    Each image and each text goes through the model once, however many tasks use it. Shards of
    images and of names go round the processes; each is the same whoever computes it.
    """
    questions, left_out = ask_splits(model, splits, settings.tasks)
    if accelerator.is_main_process:
        for line in left_out:
            print(line)
    began = time.perf_counter()
    texts, cut = _embed_candidates(model, splits, questions, settings, accelerator)
    seconds: dict[str, Any] = {"texts": round(time.perf_counter() - began, 3)}
    tables = []
    for split in splits:
        mine = {
            task: by[split.name] for task, by in questions.items() if split.name in by
        }
        if mine:
            rows, seconds[split.name] = run_split(
                model, split, mine, texts, settings, accelerator
            )
            tables.append(rows)
    lists = {
        task: {split: question.listed for split, question in by_split.items()}
        for task, by_split in questions.items()
    }
    if cut:
        made = provenance["model"]
        notes = {**made["notes"], "prompts_cut": cut}
        provenance = {**provenance, "model": {**made, "notes": notes}}
    table = pa.concat_tables(tables)
    return Predictions(table, lists, model.info.names_attributes, provenance), seconds


def _embed_candidates(
    model: Model,
    splits: Sequence[Split],
    questions: Questions,
    settings: Settings,
    accelerator: Accelerator,
) -> tuple[NamedTexts | ImageNetClasses, dict[str, int]]:
    """The texts of all tasks, or the classes of a model without texts, and by task how many prompts
    were cut.
    """
    from aobench.evaluation.embedding import embed_names
    from aobench.evaluation.prompts import count_cut_prompts

    if not model.info.names_attributes:
        return ImageNetClasses.of_splits(splits), {}
    names_of = {
        task: sorted(
            {name for question in by.values() for name in question.listed.names}
        )
        for task, by in questions.items()
    }
    cut = {
        task: count
        for task, names in names_of.items()
        if (count := count_cut_prompts(model, names, settings.templates))
    }
    union = sorted(set().union(*names_of.values()))
    vectors = embed_names(
        cast("DualEncoder", model),
        union,
        settings.templates,
        settings.embeddings,
        accelerator,
    )
    return NamedTexts(vectors, {name: row for row, name in enumerate(union)}), cut


def run_split(
    model: Model,
    split: Split,
    questions: Mapping[str, Question],
    texts: NamedTexts | ImageNetClasses,
    settings: Settings,
    accelerator: Accelerator,
) -> tuple[pa.Table, dict[str, float]]:
    """Rows for every image of ``split`` and task of ``questions``, and seconds by phase."""
    from accelerate.utils import gather_object

    from aobench.evaluation.embedding import embed_images, embed_shards, image_store
    from aobench.evaluation.image_loader import workers_for

    began = time.perf_counter()
    batch = settings.batch or (
        32 if accelerator.device.type == "cpu" else settings.shard
    )
    workers = settings.workers
    if workers is None:
        workers = workers_for(accelerator.num_processes, accelerator.device)
    store = image_store(
        model, split, settings.embeddings, settings.shard, settings.draft
    )
    stop = settings.on_bad_image == "stop"
    how = (min(settings.shard, batch), workers, settings.draft, stop)
    embed_images(model, split, store, accelerator, *how)
    embedded = time.perf_counter()

    def embed_again(shard: int) -> None:
        embed_shards(model, split, store, [shard], *how)

    part = _rank(store, questions, texts, accelerator, embed_again)
    parts: list[Part] = gather_object([part])
    bad = {position: reason for part in parts for position, reason in part.bad.items()}
    if stop and bad:
        position = min(bad)
        raise UserError(
            f"image {split.sample_ids[position]} {bad[position]}; mend or remove it, or count it "
            "as wrong"
        )
    tables = [
        _rows(task, split, question, store, [part.ranked[task] for part in parts], bad)
        for task, question in questions.items()
    ]
    seconds = {"images": embedded - began, "scoring": time.perf_counter() - embedded}
    return pa.concat_tables(tables), {k: round(v, 3) for k, v in seconds.items()}


def _rank(
    store: Store,
    questions: Mapping[str, Question],
    texts: NamedTexts | ImageNetClasses,
    accelerator: Accelerator,
    embed_again: Callable[[int], object],
) -> Part:
    """Ranks of every n-th shard, of which this process has the n-th; a task at a time, so that the
    candidates of one are in memory.

    ``embed_again`` writes a shard that was damaged since it was looked through.
    """
    part = Part()
    mine = range(len(store))[accelerator.process_index :: accelerator.num_processes]
    for task, question in questions.items():
        ranker = _Ranker(question, texts)
        part.ranked[task] = {}
        for shard in mine:
            items = store.items(shard)
            vectors, notes = store.read(shard, embed_again)
            part.bad.update({items[0] + place: why for place, why in notes.items()})
            if len(notes) == len(items):
                part.ranked[task][shard] = ranker.unread(len(items))
            else:
                part.ranked[task][shard] = ranker.rank(vectors, items)
    return part


class _Ranker:
    """Ranks images of a split in one task."""

    def __init__(self, question: Question, texts: NamedTexts | ImageNetClasses) -> None:
        import torch

        self.question = question
        self.gold = torch.tensor(question.gold)
        self.choices = (
            None if question.choices is None else torch.tensor(question.choices)
        )
        self.columns: torch.Tensor | None = None
        if isinstance(texts, ImageNetClasses):
            self.columns = torch.tensor(texts.columns(question.listed))
            return
        self.classifier = texts.classifier(question.listed.names)
        self.sides = None
        if question.sides:
            seen, novel = (
                torch.tensor(
                    [i for i, side in enumerate(question.sides) if side is wanted],
                    device=self.classifier.device,
                )
                for wanted in (True, False)
            )
            self.sides = Sides(seen, novel)

    def rank(self, vectors: torch.Tensor, items: range) -> Ranked:
        """Ranks of the images ``items``, whose vectors are given."""
        gold = self.gold[items.start : items.stop]
        if self.columns is not None:
            return rank_scores(vectors[:, self.columns], gold)
        device = self.classifier.device
        vectors, gold = vectors.to(device), gold.to(device)
        if self.choices is None:
            return rank_embeddings(vectors, self.classifier, gold, sides=self.sides)
        offered = self.choices[items.start : items.stop].to(device)
        return rank_choices(vectors, self.classifier, gold, offered)

    def unread(self, count: int) -> Ranked:
        """Rows of a shard in which no image could be read."""
        width = len(self.question.listed)
        if self.choices is not None:
            width = self.choices.shape[1]
        return Ranked.empty(count, min(TOP, width), bool(self.question.sides))


def _rows(
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
    rank, margin, top = joined.rank, joined.margin, joined.top.tolist()
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
    for name in ("best_seen", "best_novel", "score_seen", "score_novel", "side_rank"):
        values = getattr(joined, name)
        if len(values):
            columns[name] = pa.array(values, mask=unread)
        else:
            columns[name] = [None] * count
    return pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)
