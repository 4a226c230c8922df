"""A model that chooses among options, over a dataset: scores on disk, ranks, the table.

Each image's scores of a task stand in one vector: those of the plain question, then of each
condition under which it is asked again. They are kept in sealed shards as embeddings are, so a
killed run goes on, and each shard is the same whoever computes it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from aobench.errors import UserError
from aobench.evaluation.embedding import embed_images, embed_shards, model_key
from aobench.evaluation.embedding_store import Store
from aobench.evaluation.image_loader import workers_for
from aobench.evaluation.prior_weight import fit_weights
from aobench.evaluation.ranking import object_parts
from aobench.evaluation.rows import prediction_rows
from aobench.evaluation.scoring import Ranked, rank_offered
from aobench.images import grey_picture
from aobench.models.base import AskedOptions, UnsoundNumbersError
from aobench.results.option_order import option_orders, rotated_orders
from aobench.results.predictions import Predictions
from aobench.results.tasks import find_task
from aobench.vocabulary.templates import texts_hash

if TYPE_CHECKING:
    from aobench.evaluation.data import Split
    from aobench.models.base import ChoosingModel
    from aobench.processes import Alone, Together
    from aobench.results.candidates import Question

#: Images at once on a GPU, where nothing else is chosen; on a processor a quarter.
BATCH = 32


@dataclass(frozen=True)
class _Asked:
    """A task put to a split: the plain question and its conditions.

    ``offered`` int64 N x K: by image the candidate ids, ascending; ``order``: the same in the order
    in which they are put; ``parts``: by task the same questions about their objects.
    """

    task: str
    kind: str
    question: Question
    conditions: tuple[str, ...]
    offered: np.ndarray
    order: np.ndarray
    parts: Mapping[str, Question]
    sample_ids: Sequence[str]

    @classmethod
    def of(
        cls, task: str, split: Split, questions: Mapping[str, Any]
    ) -> _Asked:
        question: Question = questions[task][split.name]
        if question.choices is None:
            every = np.arange(len(question.candidates))
            offered = np.tile(every, (len(split), 1))
        else:
            offered = np.array(question.choices)
        again = tuple(
            find_task(name).condition
            for name in questions
            if find_task(name).condition and name.rsplit("-", 1)[0] == task
        )
        order = offered
        if "rotated" in again:  # where letters stand before them
            order = option_orders(split.sample_ids, offered, question.gold)
        kind = find_task(task).kind
        parts = {
            name: by[split.name]
            for name, by in questions.items()
            if find_task(name).part_of == task and split.name in by
        }
        ids = split.sample_ids
        return cls(task, kind, question, again, offered, order, parts, ids)

    def options(self, row: int, order: np.ndarray) -> AskedOptions:
        names = self.question.candidates.names
        return AskedOptions(self.kind, tuple(names[one] for one in order[row]))

    @property
    def digest(self) -> str:
        """Of all that is put to the images, in order."""
        names = self.question.candidates.names
        return texts_hash(
            ["|".join(names[i] for i in row) for row in self.order]
        )


class _Asking:
    """A task as `embed_shards` takes a model: from images and their places to vectors."""

    takes_places = True

    def __init__(self, model: ChoosingModel, asked: _Asked) -> None:
        self.model, self.asked = model, asked
        self.info, self.transform = model.info, model.transform
        self.rotated = rotated_orders(asked.order)
        self._alone: dict[Any, torch.Tensor] = {}

    def encode_images(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """float32 N x (conditions + 1) K: scores by candidate id, the plain question's first."""
        images = [Image.fromarray(array) for array in batch["image"]]
        places = batch["place"].tolist()
        parts = [self._scores(images, places, self.asked.order)]
        for condition in self.asked.conditions:
            if condition == "rotated":
                parts.append(self._scores(images, places, self.rotated))
            else:
                parts.append(self._blind(images, places))
        return torch.cat(parts, 1)

    def _scores(
        self, images: Sequence[Any], places: Sequence[int], order: np.ndarray
    ) -> torch.Tensor:
        questions = [self.asked.options(place, order) for place in places]
        try:
            scores = self.model.score_options(images, questions).float().cpu()
        except UnsoundNumbersError as error:
            samples = [self.asked.sample_ids[places[row]] for row in error.rows]
            more = f" (and {len(samples) - 1:,} more)" if samples[1:] else ""
            raise UserError(f"image {samples[0]}{more}: {error}") from error
        return self._by_id(scores, order[places])

    def _by_id(self, scores: torch.Tensor, order: np.ndarray) -> torch.Tensor:
        """Scores in the ids' order, from those in the options'."""
        return scores.gather(1, torch.from_numpy(np.argsort(order, axis=1)))

    def _blind(
        self, images: Sequence[Any], places: Sequence[int]
    ) -> torch.Tensor:
        grey = [grey_picture(image.size) for image in images]
        if self.model.method.answer == "letters":
            return self._scores(grey, places, self.asked.order)
        # the same for all images of one size and one question: each alone, so that it is the
        # same number in whatever batch it comes up
        return torch.cat(
            [
                self._blind_alone(one, place)
                for one, place in zip(grey, places, strict=True)
            ]
        )

    def _blind_alone(self, grey: Any, place: int) -> torch.Tensor:
        key = (grey.size, tuple(self.asked.order[place]))
        if key not in self._alone:
            self._alone[key] = self._scores([grey], [place], self.asked.order)
        return self._alone[key]


def ask_all(
    model: ChoosingModel,
    splits: Sequence[Split],
    questions: Mapping[str, Mapping[str, Question]],
    settings: Any,
    together: Alone | Together,
    provenance: dict[str, Any],
) -> tuple[Predictions, dict[str, Any]]:
    """All ``questions`` (by task and split) to all images; as `aobench.evaluation.runner.run`."""
    tables = []
    weights: dict[str, Any] = {}
    seconds: dict[str, Any] = {"texts": 0.0}
    plain = [
        task
        for task in questions
        if not (find_task(task).condition or find_task(task).part_of)
    ]
    for split in splits:
        began = time.perf_counter()
        spent = 0.0
        for task in plain:
            if split.name not in questions[task]:
                continue
            asked = _Asked.of(task, split, questions)
            store = _computed(model, split, asked, settings, together)
            ranking = time.perf_counter()
            rows, fitted = _ranked(model, split, asked, store)
            spent += time.perf_counter() - ranking
            tables.append(rows)
            if fitted:
                weights.setdefault(task, {})[split.name] = fitted
        whole = time.perf_counter() - began
        seconds[split.name] = {
            "images": round(whole - spent, 3),
            "scoring": round(spent, 3),
        }
    if weights:
        model_facts = provenance["model"]
        notes = {**model_facts["notes"], "prior_weights": weights}
        provenance = {**provenance, "model": {**model_facts, "notes": notes}}
    lists = {
        task: {
            split: question.candidates for split, question in by_split.items()
        }
        for task, by_split in questions.items()
    }
    table = pa.concat_tables(tables)
    return Predictions(table, lists, True, provenance), seconds


def _computed(
    model: ChoosingModel,
    split: Split,
    asked: _Asked,
    settings: Any,
    together: Alone | Together,
) -> _Scores:
    """Every image's scores of a task, whichever process computed them."""
    on_gpu = together.device.type != "cpu"
    batch = settings.batch or (BATCH if on_gpu else BATCH // 4)
    workers = settings.workers
    if workers is None:
        workers = workers_for(together.num_processes, together.device)
    store = Store(
        Path(settings.embeddings),
        _key(model, split, asked, settings.draft),
        len(split),
        settings.shard,
    )
    asking: Any = _Asking(model, asked)
    stop = settings.on_bad_image == "stop"
    how = (min(settings.shard, batch), workers, settings.draft, stop)
    embed_images(asking, split, store, together, *how)
    again = partial(_write_again, asking, split, store, how)
    return _Scores.of(store, again)


def _write_again(
    asking: Any, split: Split, store: Store, how: Any, shard: int
) -> None:
    embed_shards(asking, split, store, [shard], *how)


def _key(
    model: ChoosingModel, split: Split, asked: _Asked, draft: int | None
) -> dict[str, Any]:
    """All that makes the scores. The methods that share log-likelihoods share the store."""
    notes = model.info.notes
    return {
        "what": "answers",
        **model_key(model),
        "processor": model.info.processor,
        "answer": model.method.answer,
        "questions": notes.get("questions"),
        "frame": notes.get("frame"),
        "likelihood": notes.get("likelihood"),
        "task": asked.task,
        "conditions": list(asked.conditions),
        "options": asked.digest,
        "draft": draft,
        "fingerprint": split.fingerprint,
        "content": split.content,
        "pixels": split.pixels,
        "split": split.name,
        "order": texts_hash(split.sample_ids),
    }


@dataclass(frozen=True)
class _Scores:
    """Scores of a split in a task, N x D, and why images could not be read, by place."""

    store: Store
    values: torch.Tensor
    bad: dict[int, str]

    @classmethod
    def of(cls, store: Store, write_again: Any) -> _Scores:
        parts = []
        bad: dict[int, str] = {}
        for shard in range(len(store)):
            values, notes = store.read(shard, write_again)
            parts.append(values)
            bad |= {
                store.items(shard)[place]: why for place, why in notes.items()
            }
        width = max(part.shape[1] for part in parts)
        whole = torch.zeros(store.count, width)
        for shard, part in enumerate(parts):
            items = store.items(shard)
            whole[items.start : items.stop, : part.shape[1]] = part
        return cls(store, whole, bad)


def _ranked(
    model: ChoosingModel, split: Split, asked: _Asked, scores: _Scores
) -> tuple[pa.Table, list[float]]:
    """Rows of a task and its conditions, and the fitted weights of the prior."""
    if len(scores.bad) == len(split):
        raise UserError(
            f"no image of the split {split.name} could be read: {scores.bad[0]}; mend the images"
        )
    count = asked.offered.shape[1]
    by_condition = dict(
        zip(("", *asked.conditions), scores.values.split(count, 1), strict=True)
    )
    counts = _token_counts(model, asked) if model.method.per_token else None
    plain, weights = _combined(model, split, asked, by_condition, counts)
    by_condition[""] = plain
    if counts is not None:
        by_condition["blind"] = by_condition["blind"] / counts
    asked_ranks: list[tuple[str, Question, Ranked]] = []
    for condition, values in by_condition.items():
        name = f"{asked.task}-{condition}" if condition else asked.task
        asked_ranks.append((name, asked.question, _rank(asked, values)))
    for name, part in asked.parts.items():
        gold = torch.tensor(part.gold)
        asked_ranks.append((name, part, object_parts(part).rank(plain, gold)))
    tables = []
    for name, question, ranked in asked_ranks:
        parts = [
            {shard: _part(ranked, scores.store.items(shard))}
            for shard in range(len(scores.store))
        ]
        rows = prediction_rows(
            name, split, question, scores.store, parts, scores.bad
        )
        tables.append(rows)
    return pa.concat_tables(tables), weights


def _combined(
    model: ChoosingModel,
    split: Split,
    asked: _Asked,
    by_condition: Mapping[str, torch.Tensor],
    counts: torch.Tensor | None,
) -> tuple[torch.Tensor, list[float]]:
    """The plain question's scores by the model's method: as they are, by token, or without the
    prior.
    """
    method, plain = model.method, by_condition[""]
    if counts is not None:
        return plain / counts, []
    if method.fit_prior:
        right = _right_places(asked)
        return fit_weights(plain, by_condition["blind"], right, split.pairs)
    if method.prior_weight:
        return plain - method.prior_weight * by_condition["blind"], []
    return plain, []


def _token_counts(model: ChoosingModel, asked: _Asked) -> torch.Tensor:
    """float32 N x K: by image and candidate how many tokens it has."""
    names = asked.question.candidates.names
    used = np.unique(asked.offered)
    each = {
        int(one): model.count_tokens(AskedOptions(asked.kind, (names[one],)))[0]
        for one in used
    }
    table = np.zeros(len(names), np.float32)
    for one, count in each.items():
        table[one] = count
    return torch.from_numpy(table[asked.offered])


def _right_places(asked: _Asked) -> torch.Tensor:
    gold = np.array(asked.question.gold)
    return torch.from_numpy((asked.offered == gold[:, None]).argmax(1))


def _rank(asked: _Asked, values: torch.Tensor) -> Ranked:
    gold = torch.tensor(asked.question.gold)
    return rank_offered(values, gold, torch.from_numpy(asked.offered))


def _part(ranked: Ranked, items: range) -> Ranked:
    cut = slice(items.start, items.stop)
    return Ranked(ranked.rank[cut], ranked.top[cut], ranked.margin[cut])
