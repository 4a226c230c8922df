"""What is hard because it is novel, and what because of its attribute or object: the answers of
one model or many, the fit of `aobench.analysis.difficulty_fit`, and its report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from aobench.analysis.difficulty_fit import (
    AnswerCounts,
    DifficultyFit,
    fit_difficulty,
    mean_over_compositions,
)
from aobench.errors import UserError
from aobench.results.by_part import part_names
from aobench.results.hits import right_answers, tasks_of_kind
from aobench.results.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLITS = ("id", "ood")
#: The covariate that is 1 for compositions of the split ``ood``.
NOVEL = "novel"
#: Draws of the minimum that chance alone would give.
CHANCE_DRAWS = 400
Z = 1.959964  #: 95 % of a normal distribution lie within it


def answer_counts(
    tables: Sequence[Predictions], kind: str = "composition"
) -> tuple[AnswerCounts, str, list[str]]:
    """Right answers by composition of tables of the runner, their task, and notes.

    Both splits are taken where all tables have a task that asks them among one list of candidates;
    else ``ood`` alone, of which no novelty can be told. Raises UserError for tables of unlike
    images, images without attribute or object, and a model that has all or no images right.
    """
    task, splits = _shared_task(tables, kind)
    notes = [f"task {task}, splits {' and '.join(splits)}"]
    if len(splits) < len(SPLITS):
        notes.append(
            "no task asks seen and novel compositions among one list of candidates: nothing is "
            "said of novelty"
        )
    parts, novel, hits = [], [], []
    for split in splits:
        mine, its_parts = _aligned(tables, split, kind, task)
        hits.append(mine)
        parts.append(its_parts)
        novel.append(np.full(len(its_parts), float(split == "ood")))
    shown = np.column_stack([np.concatenate(parts), np.concatenate(novel)])
    cells, number = np.unique(shown, axis=0, return_inverse=True)
    number = number.reshape(-1)
    right = [
        np.bincount(number, weights=one) for one in np.concatenate(hits, axis=1)
    ]
    ids = [np.unique(cells[:, k], return_inverse=True) for k in (0, 1)]
    names = _part_names(tables[0], task, splits)
    attributes, objects = (
        [name.get(int(i), f"{i:.0f}") for i in values]
        for name, (values, _) in zip(names, ids, strict=True)
    )
    counts = AnswerCounts(
        np.array(right),
        np.bincount(number),
        ids[0][1].reshape(-1),
        ids[1][1].reshape(-1),
        [str(table.provenance["model"]["id"]) for table in tables],
        attributes,
        objects,
        {NOVEL: cells[:, 2]} if len(splits) > 1 else {},
    )
    _check_finite(counts)
    return counts, task, notes


def _shared_task(
    tables: Sequence[Predictions], kind: str
) -> tuple[str, tuple[str, ...]]:
    """A task that asks ``kind`` of all tables, and its splits: both if their candidates agree."""
    able = [tasks_of_kind(table, "ood", kind) for table in tables]
    common = [task for task in able[0] if all(task in some for some in able)]
    if not common:
        raise UserError(
            f"the results share no task that tells which {kind} was answered: evaluate all with "
            "the same --tasks"
        )
    for task in common:
        lists = [
            table.lists[task].get(split) for table in tables for split in SPLITS
        ]
        if None not in lists and len({one.hash for one in lists if one}) == 1:
            return task, SPLITS
    return common[0], ("ood",)


def _aligned(
    tables: Sequence[Predictions], split: str, kind: str, task: str
) -> tuple[np.ndarray, np.ndarray]:
    """(bool models x images, int images x 2: attribute and object) in the order of sample ids."""
    hits, samples = [], None
    for table in tables:
        ids, right, _ = right_answers(table, split, kind, task)
        order = np.argsort(ids)
        if samples is None:
            samples = sorted(ids)
            rows = table.split(split, task)
            parts = np.column_stack([rows["attribute"], rows["object"]])[order]
        if sorted(ids) != samples:
            raise UserError(
                f"the results do not hold the same images of {split}"
            )
        hits.append(right[order])
    if (parts < 0).any():
        raise UserError(
            f"images of {split} have no attribute or no object: difficulty needs both"
        )
    return np.array(hits), parts


def _part_names(
    table: Predictions, task: str, splits: Sequence[str]
) -> list[dict[int, str]]:
    lists = [table.lists[task][split] for split in splits]
    out: list[dict[int, str]] = []
    for part in ("attribute", "object"):
        names: dict[int, str] = {}
        for one in lists:
            names |= part_names(one, part)
        out.append(names)
    return out


def _check_finite(counts: AnswerCounts) -> None:
    for name, right in zip(counts.models, counts.right.sum(1), strict=True):
        if right in (0, counts.n.sum()):
            raise UserError(
                f"{name} has {'no' if right == 0 else 'every'} image right: its ability has no "
                "bound, and nothing tells what is hard; leave it out"
            )
    if min(len(counts.attributes), len(counts.objects)) < 2:
        raise UserError(
            "difficulty needs two attributes and two objects at least"
        )


@dataclass(frozen=True)
class PartDifficulty:
    """An attribute or object: ``rate`` of its ``n`` images right, all models together; ``effect``
    in log-odds with its standard error; ``adjusted``: the accuracy that a composition of it would
    have with an object (attribute) like the others', shrunken, with its 95 % interval. ``beyond``:
    its rate is lower than the lowest that chance alone would give in 95 of 100 cases.
    """

    part: str
    name: str
    n: int
    rate: float
    effect: float
    error: float
    adjusted: float
    low: float
    high: float
    beyond: bool


def chance_minimum(
    fit: DifficultyFit, part: str, draws: int = CHANCE_DRAWS, seed: int = 0
) -> tuple[float, float]:
    """(median, 5 % quantile) of the lowest raw accuracy of an attribute (object) if all were as
    hard as each other: the fit with its effects set to 0, and answers drawn from it.
    """
    counts, rng = fit.counts, np.random.default_rng(seed)
    blocks = counts.blocks(fit.effects.copy())
    number = counts.attribute if part == "attribute" else counts.object
    blocks[2 if part == "attribute" else 3][:] = 0
    shared = counts.shared_design() @ np.concatenate(blocks[1:])
    logits = blocks[0][:, None] + shared
    images = np.bincount(number, weights=counts.n) * len(counts.models)
    lowest = []
    for _ in range(draws):
        hard = rng.normal(0, fit.spread[2], len(counts.n))
        right = rng.binomial(counts.n, expit(logits + hard)).sum(0)
        lowest.append(
            float((np.bincount(number, weights=right) / images).min())
        )
    return float(np.median(lowest)), float(np.quantile(lowest, 0.05))


def part_difficulties(
    fit: DifficultyFit, part: str, edge: float
) -> list[PartDifficulty]:
    """Every attribute (or object), the hardest first; ``edge``: the 5 % quantile of
    `chance_minimum`.
    """
    return _part_rows(fit, part, edge, _hardest_first(fit, part))


def _hardest_first(fit: DifficultyFit, part: str) -> list[int]:
    """Numbers of the attributes (or objects)."""
    attributes = part == "attribute"
    names = fit.counts.attributes if attributes else fit.counts.objects
    effects, _ = fit.block(2 if attributes else 3)
    return sorted(range(len(names)), key=lambda i: (effects[i], names[i]))


def _part_rows(
    fit: DifficultyFit, part: str, edge: float, numbers: Sequence[int]
) -> list[PartDifficulty]:
    """A row for each attribute (or object) of ``numbers``."""
    counts, number = fit.counts, 2 if part == "attribute" else 3
    effects, errors = (values[list(numbers)] for values in fit.block(number))
    blocks = counts.blocks(fit.effects.copy())
    blocks[number][:] = 0
    shared = counts.shared_design() @ np.concatenate(blocks[1:])
    others = (blocks[0][:, None] + shared).ravel()
    weights = np.tile(counts.n, len(counts.models))
    ends = np.array([effects, effects - Z * errors, effects + Z * errors])
    adjusted = np.array(
        [
            [
                np.average(
                    mean_over_compositions(others + e, fit.spread[2]),
                    weights=weights,
                )
                for e in row
            ]
            for row in ends
        ]
    )
    of = counts.attribute if part == "attribute" else counts.object
    names = counts.attributes if part == "attribute" else counts.objects
    images = np.bincount(of, weights=counts.n) * len(counts.models)
    rates = np.bincount(of, weights=counts.right.sum(0)) / images
    return [
        PartDifficulty(
            part,
            names[i],
            int(images[i]) // len(counts.models),
            float(rates[i]),
            float(effects[place]),
            float(errors[place]),
            float(adjusted[0, place]),
            float(adjusted[1, place]),
            float(adjusted[2, place]),
            beyond=bool(rates[i] < edge),
        )
        for place, i in enumerate(numbers)
    ]


@dataclass(frozen=True)
class PartExtremes:
    """The attributes and objects that fare worst and best: by part two lists, each with its
    extreme first; ``notes`` say which task and splits they are of, ``images`` how many.
    """

    parts: dict[str, tuple[list[PartDifficulty], list[PartDifficulty]]]
    images: int
    notes: Sequence[str]


def part_extremes(
    table: Predictions, kind: str, parts: Sequence[str], most: int
) -> PartExtremes:
    """The worst and the best attributes and objects of one model, shrunken.

    Args:
        table: the model's answers.
        kind: what is answered: composition, attribute or object.
        parts: of attribute and object.
        most: rows of a list; where there are fewer than twice as many, each list has half.

    Raises:
        UserError: as `answer_counts` and `fit_difficulty`.

    Example:
        >>> from aobench.results.predictions import read
        >>> table = read("model_cards/mini")  # doctest: +SKIP
        >>> found = part_extremes(table, "composition", ["attribute"], 3)  # doctest: +SKIP
        >>> [row.name for row in found.parts["attribute"][0]]  # doctest: +SKIP
        ['dotted', 'moss covered', 'striped']
    """
    counts, _, notes = answer_counts([table], kind)
    fit = fit_difficulty(counts)
    extremes = {}
    for part in parts:
        order = _hardest_first(fit, part)
        half = min(most, len(order) // 2)
        chosen = order[:half] + order[: -half - 1 : -1]
        rows = _part_rows(fit, part, 0.0, chosen)
        extremes[part] = (rows[:half], rows[half:])
    return PartExtremes(extremes, int(counts.n.sum()), notes)


@dataclass(frozen=True)
class DifficultyReport:
    """The ``fit`` of ``kind`` answers, with each attribute and object, ``lowest``, the
    `chance_minimum` of both, and ``notes``.
    """

    fit: DifficultyFit
    kind: str
    notes: Sequence[str]
    parts: dict[str, list[PartDifficulty]]
    lowest: dict[str, tuple[float, float]]

    def novelty(self) -> tuple[float, float, float] | None:
        """(log-odds, low, high) of novel against seen compositions; None without seen ones."""
        if NOVEL not in self.fit.counts.covariates:
            return None
        value, error = self.fit.coefficient(NOVEL)
        return value, value - Z * error, value + Z * error

    def text(self) -> str:
        """All of it, as it is printed."""
        return "\n".join([*self._head(), *self._abilities(), *self._hardest()])

    def _head(self) -> list[str]:
        fit, counts = self.fit, self.fit.counts
        lines = [
            f"{self.kind.capitalize()} accuracy of {len(counts.models)} model(s), "
            f"{counts.n.sum():,} images of {len(counts.n):,} compositions, "
            f"{len(counts.attributes)} attributes, {len(counts.objects)} objects; "
            f"{'; '.join(self.notes)}."
        ]
        if novelty := self.novelty():
            value, low, high = novelty
            lines.append(
                f"Novelty, attribute and object being equal: {value:+.2f} [{low:+.2f}, "
                f"{high:+.2f}] log-odds; odds times {np.exp(value):.2f} [{np.exp(low):.2f}, "
                f"{np.exp(high):.2f}]."
            )
        spread = zip(
            ("attributes", "objects", "compositions"), fit.spread, strict=True
        )
        said = ", ".join(f"{name} {value:.2f}" for name, value in spread)
        lines.append(
            f"Spread of difficulty (standard deviations, log-odds): {said}."
        )
        return lines

    def _abilities(self) -> list[str]:
        values, errors = self.fit.block(0)
        order = np.argsort(-values)
        lines = [
            "Ability (log-odds of a seen composition of middling difficulty):"
        ]
        for i in order:
            low, high = values[i] - Z * errors[i], values[i] + Z * errors[i]
            name = self.fit.counts.models[i]
            lines.append(
                f"  {name:40s} {values[i]:+.2f} [{low:+.2f}, {high:+.2f}]"
            )
        return lines

    def _hardest(self, most: int = 5) -> list[str]:
        lines = []
        for part, rows in self.parts.items():
            median, edge = self.lowest[part]
            beyond = [row.name for row in rows if row.beyond]
            lines.append(
                f"Hardest {part}s, adjusted accuracy, % (right of its images, n). If all were "
                f"equally hard, chance would make the lowest of {len(rows)} about "
                f"{100 * median:.0f} % right, and below {100 * edge:.0f} % in 5 of 100 cases:"
            )
            lines += [
                f"  {row.name:24s} {100 * row.adjusted:5.1f} [{100 * row.low:.1f}, "
                f"{100 * row.high:.1f}]  ({100 * row.rate:.0f} %, n = {row.n})"
                for row in rows[:most]
            ]
            lines.append(
                f"  lower than chance explains: {', '.join(beyond) if beyond else 'none'}"
            )
        return lines

    def write(self, folder: Path) -> list[Path]:
        """parts.csv, models.csv and the plot into ``folder``; returns their paths."""
        from aobench.csv_tables import write_csv_rows
        from aobench.drawing import save_plot

        values, errors = self.fit.block(0)
        models: list[dict[str, Any]] = [
            {"model": name, "ability": float(v), "error": float(e)}
            for name, v, e in zip(
                self.fit.counts.models, values, errors, strict=True
            )
        ]
        rows = [vars(row) for rows in self.parts.values() for row in rows]
        return [
            write_csv_rows(folder / "parts.csv", rows),
            write_csv_rows(folder / "models.csv", models),
            *save_plot(difficulty_plot(self), folder / "difficulty"),
        ]


def difficulty_plot(report: DifficultyReport, most: int = 30) -> Figure:
    """Adjusted accuracy of the hardest attributes and objects with their 95 % intervals, the raw
    one beside it, and the lowest that chance alone would give.
    """
    from aobench.drawing import COLOURS, new_plot, put_title

    shown = {part: rows[:most] for part, rows in report.parts.items()}
    height = 1.6 + 0.2 * max(len(rows) for rows in shown.values())
    figure, axes = new_plot(10.5, height, 1, len(shown))
    for panel, (part, rows) in zip(np.ravel(axes), shown.items(), strict=True):
        for place, row in enumerate(rows):
            ends = [100 * row.low, 100 * row.high]
            panel.plot(ends, [place, place], color=COLOURS[4], linewidth=4)
            panel.plot(
                100 * row.adjusted, place, "o", color=COLOURS[0], markersize=5
            )
            panel.plot(
                100 * row.rate, place, "x", color=COLOURS[1], markersize=5
            )
        edge = 100 * report.lowest[part][1]
        panel.axvline(edge, color="#444444", linestyle="--", linewidth=1)
        panel.set_yticks(
            range(len(rows)),
            [f"{row.name} ({row.n})" for row in rows],
            fontsize=8,
        )
        panel.invert_yaxis()
        panel.set_xlabel(
            f"{part}s, hardest first ({len(rows)} of {len(report.parts[part])}): accuracy, %\n"
            "dot and bar: adjusted, 95 % interval; cross: its images alone\n"
            "dashed: the lowest that chance alone gives in 95 of 100 cases",
            fontsize=8,
        )
    n = f"{report.fit.counts.n.sum():,} images"
    put_title(
        figure,
        f"Difficulty of attributes and objects, {report.kind} accuracy, "
        f"{len(report.fit.counts.models)} model(s), {n} (in brackets: of each)",
    )
    return figure


def difficulty_report(
    tables: Sequence[Predictions], kind: str = "composition"
) -> DifficultyReport:
    """Fit the answers of ``tables``; ``kind``: composition, attribute or object. Raises UserError
    as `answer_counts`.
    """
    counts, _, notes = answer_counts(tables, kind)
    fit = fit_difficulty(counts)
    lowest = {
        part: chance_minimum(fit, part) for part in ("attribute", "object")
    }
    parts = {
        part: part_difficulties(fit, part, lowest[part][1]) for part in lowest
    }
    return DifficultyReport(fit, kind, notes, parts, lowest)
