"""One model over one dataset: vectors on disk, ranks in every task, the table of predictions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from aobench.errors import UserError
from aobench.evaluation.questions import ask_splits
from aobench.evaluation.ranking import ImageNetClasses, NamedTexts, TaskRanker
from aobench.evaluation.rows import prediction_rows
from aobench.evaluation.scoring import Ranked
from aobench.results.candidates import Question
from aobench.results.predictions import Predictions
from aobench.results.tasks import DEFAULT_TASKS, find_task

if TYPE_CHECKING:
    from aobench.evaluation.data import Split
    from aobench.evaluation.embedding_store import Store
    from aobench.models.base import DualEncoder, Model
    from aobench.processes import Alone, Together

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


def run(
    model: Model,
    splits: Sequence[Split],
    settings: Settings,
    together: Alone | Together,
    provenance: dict[str, Any],
    tell: Callable[[str], object] = print,
) -> tuple[Predictions, dict[str, Any]]:
    """All tasks on all splits; returns the predictions and the seconds by phase: ``texts``, and by
    split ``images`` and ``scoring``.

    Each image and each text goes through the model once, however many tasks use it. Shards of
    images and of names go round the processes; each is the same whoever computes it. ``tell`` takes
    a line on each task that is left out.
    """
    questions, left_out = ask_splits(model, splits, settings.tasks)
    if together.is_main_process:
        for line in left_out:
            tell(line)
    if hasattr(model, "score_options"):
        from aobench.evaluation.asking import ask_all

        choosing: Any = model
        return ask_all(
            choosing, splits, questions, settings, together, provenance
        )
    began = time.perf_counter()
    texts, cut = _embed_candidates(model, splits, questions, settings, together)
    seconds: dict[str, Any] = {"texts": round(time.perf_counter() - began, 3)}
    tables = []
    for split in splits:
        mine = {
            task: by[split.name]
            for task, by in questions.items()
            if split.name in by
        }
        if mine:
            rows, seconds[split.name] = run_split(
                model, split, mine, texts, settings, together
            )
            tables.append(rows)
    lists = {
        task: {
            split: question.candidates for split, question in by_split.items()
        }
        for task, by_split in questions.items()
    }
    if cut:
        model_facts = provenance["model"]
        notes = {**model_facts["notes"], "prompts_cut": cut}
        provenance = {**provenance, "model": {**model_facts, "notes": notes}}
    table = pa.concat_tables(tables)
    return Predictions(
        table, lists, model.info.names_attributes, provenance
    ), seconds


def _embed_candidates(
    model: Model,
    splits: Sequence[Split],
    questions: Questions,
    settings: Settings,
    together: Alone | Together,
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
            {name for question in by.values() for name in question.texts}
        )
        for task, by in questions.items()
    }
    cut = {
        task: count
        for task, names in names_of.items()
        if find_task(task).part_of not in questions
        if (count := count_cut_prompts(model, names, settings.templates))
    }
    union = sorted(set().union(*names_of.values()))
    vectors = embed_names(
        cast("DualEncoder", model),
        union,
        settings.templates,
        settings.embeddings,
        together,
    )
    return NamedTexts(
        vectors, {name: row for row, name in enumerate(union)}
    ), cut


def run_split(
    model: Model,
    split: Split,
    questions: Mapping[str, Question],
    texts: NamedTexts | ImageNetClasses,
    settings: Settings,
    together: Alone | Together,
) -> tuple[pa.Table, dict[str, float]]:
    """Rows for every image of ``split`` and task of ``questions``, and seconds by phase."""
    from aobench.evaluation.embedding import (
        embed_images,
        embed_shards,
        image_store,
    )
    from aobench.evaluation.image_loader import workers_for

    began = time.perf_counter()
    batch = settings.batch or (
        32 if together.device.type == "cpu" else settings.shard
    )
    workers = settings.workers
    if workers is None:
        workers = workers_for(together.num_processes, together.device)
    store = image_store(
        model, split, settings.embeddings, settings.shard, settings.draft
    )
    stop = settings.on_bad_image == "stop"
    how = (min(settings.shard, batch), workers, settings.draft, stop)
    embed_images(model, split, store, together, *how)
    embedded = time.perf_counter()

    def embed_again(shard: int) -> None:
        embed_shards(model, split, store, [shard], *how)

    part = _rank(store, questions, texts, together, embed_again)
    parts: list[Part] = together.from_every(part)
    bad = {
        position: reason
        for part in parts
        for position, reason in part.bad.items()
    }
    if stop and bad:
        position = min(bad)
        raise UserError(
            f"image {split.sample_ids[position]} {bad[position]}; mend or remove it, or count it "
            "as wrong"
        )
    tables = [
        prediction_rows(
            task,
            split,
            question,
            store,
            [part.ranked[task] for part in parts],
            bad,
        )
        for task, question in questions.items()
    ]
    seconds = {
        "images": embedded - began,
        "scoring": time.perf_counter() - embedded,
    }
    return pa.concat_tables(tables), {
        k: round(v, 3) for k, v in seconds.items()
    }


def _rank(
    store: Store,
    questions: Mapping[str, Question],
    texts: NamedTexts | ImageNetClasses,
    together: Alone | Together,
    embed_again: Callable[[int], object],
) -> Part:
    """Ranks of every n-th shard, of which this process has the n-th; a task at a time, so that the
    candidates of one are in memory.

    ``embed_again`` writes a shard that was damaged since it was looked through.
    """
    part = Part()
    mine = range(len(store))[together.process_index :: together.num_processes]
    for task, question in questions.items():
        ranker = TaskRanker(question, texts)
        part.ranked[task] = {}
        for shard in mine:
            items = store.items(shard)
            vectors, notes = store.read(shard, embed_again)
            part.bad.update(
                {items[0] + place: why for place, why in notes.items()}
            )
            if len(notes) == len(items):
                part.ranked[task][shard] = ranker.unread(len(items))
            else:
                part.ranked[task][shard] = ranker.rank(vectors, items)
    return part
