"""What a model chooses from: the candidate list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aobench.errors import UserError
from aobench.results.choices import choice_grids
from aobench.results.tasks import TASKS, Task, find_task
from aobench.vocabulary.templates import texts_hash

Pair = tuple[int, int]


@dataclass(frozen=True)
class Candidates:
    """The candidate list: for each candidate its attribute id and object id, -1 where it has none.

    Of a task whose candidates are made for each image it holds all that are offered to any.
    ``attribute_names``, ``object_names``: the dataset's, by id; empty in tables of earlier
    versions.
    """

    task: str
    attributes: tuple[int, ...]
    objects: tuple[int, ...]
    names: tuple[str, ...]
    attribute_names: tuple[str, ...] = ()
    object_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def hash(self) -> str:
        """Identity of the list: rows with different hashes are not comparable."""
        return texts_hash(self.names)


def named_candidates(
    task: str,
    pairs: Sequence[Pair],
    attributes: Sequence[str],
    objects: Sequence[str],
) -> Candidates:
    """The list of the (attribute id, object id) ``pairs``, -1 for a part that they do not name."""
    names = tuple(
        " ".join(
            [
                *([attributes[a]] if a >= 0 else []),
                *([objects[o]] if o >= 0 else []),
            ]
        )
        for a, o in pairs
    )
    ids = (tuple(a for a, _ in pairs), tuple(o for _, o in pairs))
    return Candidates(task, *ids, names, tuple(attributes), tuple(objects))


@dataclass(frozen=True)
class Question:
    """A task put to a split: the list, each image's right candidate and what is offered to it.

    ``choices``: by image the ids offered, ascending, where they are made for each image; else None.
    ``sides``: by candidate whether it is seen; empty where the task does not part them.
    ``whole``: the question about compositions whose objects alone this one asks for; else None.
    """

    candidates: Candidates
    gold: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...] | None = None
    sides: tuple[bool, ...] = ()
    whole: Question | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """What a model that reads texts compares images with."""
        return (self.whole or self).candidates.names


def ask_task(
    task: Task,
    pairs: Mapping[str, Sequence[Pair]],
    attributes: Sequence[str],
    objects: Sequence[str],
    own: Mapping[str, Sequence[tuple[Pair, ...]]] | None = None,
) -> dict[str, Question]:
    """The task put to each split that it can be asked of.

    A split whose images show no attributes is left out where the task needs them, and one of fewer
    than three attributes or objects where candidates are made for each image; where their objects
    are asked, one in which an image is offered a single object. Where a split shows
    objects alone, as ImageNet's does, all objects of the vocabulary are asked on every split.

    Args:
        task: of `aobench.results.tasks`.
        pairs: by split the (attribute id, object id) of each image, -1 for no attribute.
        attributes: the names by id.
        objects: likewise.
        own: by split what each image is offered, ascending, where that is not the task's to choose.

    Raises:
        UserError: where two candidates are one and the same text.
    """
    if task.part_of:
        whole = find_task(task.part_of)
        asked_whole = ask_task(whole, pairs, attributes, objects, own)
        return ask_objects(task, asked_whole, pairs)
    asked = {
        split: mine for split, mine in pairs.items() if _can_ask(task, mine)
    }
    if not asked:
        return {}
    if task.scope == "image":
        offered = own or _grids_by_image(asked, attributes, objects)
        return _ask_by_image(task, asked, offered, attributes, objects)
    together = [pair for mine in asked.values() for pair in mine]
    # a split that tells no attributes is ImageNet's, which asks for all of its classes
    of_objects = any(all(a < 0 for a, _ in mine) for mine in pairs.values())
    questions = {}
    for split, mine in asked.items():
        among = mine if task.scope == "split" else together
        candidates = named_candidates(
            task.name,
            _listed_pairs(task, among, attributes, objects, of_objects),
            attributes,
            objects,
        )
        _refuse_one_text(candidates)
        place = _places(candidates)
        gold = tuple(place[_key(task, pair)] for pair in mine)
        questions[split] = Question(
            candidates, gold, sides=_sides(task, candidates, asked)
        )
    return questions


def _can_ask(task: Task, pairs: Sequence[Pair]) -> bool:
    """Whether the images show what the task asks for; any shows an object."""
    if task.kind == "object":
        return True
    if task.kind == "attribute" or task.source != "occurring":
        return all(a >= 0 for a, _ in pairs)
    return any(a >= 0 for a, _ in pairs)


def _key(task: Task, pair: Pair) -> Pair:
    """What a candidate of the task names of a pair."""
    a, o = pair
    return {"object": (-1, o), "attribute": (a, -1)}.get(task.kind, pair)


def _listed_pairs(
    task: Task,
    pairs: Sequence[Pair],
    attributes: Sequence[str],
    objects: Sequence[str],
    everything: bool,
) -> list[Pair]:
    """The candidates in id order; of objects all, where a split tells no attributes: ImageNet's."""
    if task.kind == "object" and everything:
        return [(-1, o) for o in range(len(objects))]
    if task.source == "open":
        every = (
            (a, o) for a in range(len(attributes)) for o in range(len(objects))
        )
        return sorted({_key(task, pair) for pair in every})
    return sorted({_key(task, pair) for pair in pairs})


def _places(candidates: Candidates) -> dict[Pair, int]:
    pairs = zip(candidates.attributes, candidates.objects, strict=True)
    return {pair: place for place, pair in enumerate(pairs)}


def _sides(
    task: Task, candidates: Candidates, pairs: Mapping[str, Sequence[Pair]]
) -> tuple[bool, ...]:
    if task.kind != "composition" or task.scope != "shared":
        return ()
    if not {"id", "ood"} <= set(pairs):
        return ()
    return seen_candidates(candidates, pairs["id"])


def seen_candidates(
    candidates: Candidates, pairs: Iterable[Pair]
) -> tuple[bool, ...]:
    """Whether each candidate is one of the seen ``pairs``; empty where all are, or none."""
    seen = set(pairs)
    sides = tuple(
        pair in seen
        for pair in zip(candidates.attributes, candidates.objects, strict=True)
    )
    return sides if len(set(sides)) == 2 else ()


def _grids_by_image(
    pairs: Mapping[str, Sequence[Pair]],
    attributes: Sequence[str],
    objects: Sequence[str],
) -> dict[str, list[tuple[Pair, ...]]]:
    """By split, where it has enough names, the nine of each image."""
    grids = {
        split: choice_grids(mine, attributes, objects)
        for split, mine in pairs.items()
    }
    return {
        split: [grid[pair] for pair in pairs[split]]
        for split, grid in grids.items()
        if grid
    }


def _ask_by_image(
    task: Task,
    pairs: Mapping[str, Sequence[Pair]],
    offered: Mapping[str, Sequence[tuple[Pair, ...]]],
    attributes: Sequence[str],
    objects: Sequence[str],
) -> dict[str, Question]:
    """One list of all that is offered in any split, and of each image its own."""
    every = {
        pair for rows in offered.values() for row in set(rows) for pair in row
    }
    candidates = named_candidates(task.name, sorted(every), attributes, objects)
    place = _places(candidates)
    return {
        split: Question(
            candidates,
            tuple(place[pair] for pair in pairs[split]),
            tuple(tuple(place[one] for one in row) for row in rows),
        )
        for split, rows in offered.items()
    }


def ask_objects(
    task: Task,
    whole: Mapping[str, Question],
    pairs: Mapping[str, Sequence[Pair]],
) -> dict[str, Question]:
    """The questions ``whole`` about objects alone: by image the distinct objects of its options.

    Args:
        task: one with ``part_of``.
        whole: by split the questions of that task.
        pairs: as in `ask_task`.

    Returns:
        By split its question; a split in which an image is offered a single object is left out.
    """
    if not whole:
        return {}
    first = next(iter(whole.values())).candidates
    every = sorted(set(first.objects))
    names = (first.attribute_names, first.object_names)
    candidates = named_candidates(task.name, [(-1, o) for o in every], *names)
    _refuse_one_text(candidates)
    place = {thing: number for number, thing in enumerate(every)}
    return {
        split: Question(
            candidates,
            tuple(place[o] for _, o in pairs[split]),
            tuple(
                tuple(sorted(place[o] for o in row))
                for row in offered_objects(question)
            ),
            whole=question,
        )
        for split, question in whole.items()
        if not count_lone_objects(question)
    }


def offered_objects(question: Question) -> list[set[int]]:
    """By image the ids of the distinct objects of its options."""
    objects = question.candidates.objects
    return [{objects[one] for one in row} for row in question.choices or ()]


def count_lone_objects(question: Question) -> int:
    """How many images are offered a single object, so that nothing is asked of it."""
    return sum(len(row) == 1 for row in offered_objects(question))


def offered_hash(
    sample_ids: Iterable[str],
    names: Sequence[str],
    choices: Iterable[Sequence[int]],
) -> str:
    """Identity of what each image is offered, whatever the images' order."""
    offered = (
        "|".join([sample, *(names[one] for one in row)])
        for sample, row in zip(sample_ids, choices, strict=True)
    )
    return texts_hash(sorted(offered))


def _refuse_one_text(candidates: Candidates) -> None:
    """Raise UserError where two candidates read alike, such as "red" + "brick bakery" and "red
    brick" + "bakery".
    """
    first_of: dict[str, Pair] = {}
    for name, pair in zip(
        candidates.names,
        zip(candidates.attributes, candidates.objects, strict=True),
        strict=True,
    ):
        other = first_of.setdefault(" ".join(name.split()), pair)
        if other != pair:
            first, second = (_quoted(candidates, one) for one in (other, pair))
            raise UserError(
                f"two candidates are one and the same text, {name!r}: {first} and {second}; no "
                "model can tell them apart: rename an attribute or object of the set, or take one "
                "of the two out"
            )


def _quoted(candidates: Candidates, pair: Pair) -> str:
    names = (candidates.attribute_names, candidates.object_names)
    return " + ".join(
        repr(part[i]) for part, i in zip(names, pair, strict=True) if i >= 0
    )


def can_name(candidates: Candidates) -> tuple[str, ...]:
    """What an answer from the list tells: ``composition``, ``attribute`` and ``object``, or one."""
    kind = (
        TASKS[candidates.task].kind
        if candidates.task in TASKS
        else "composition"
    )
    if kind != "composition":
        return (kind,)
    if all(a < 0 for a in candidates.attributes):
        return ("object",)
    return ("composition", "attribute", "object")
