"""The leaderboard's tables as data: one a task, with every kind of model that was asked the same.

Models are in the order of their accuracy, but not ranked: letters say which of them tests of all
pairs can't tell apart. A page, a CSV and the Space show these tables.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aobench.publish.hub_entries import data_name
from aobench.publish.model_facts import known_facts, readable_names
from aobench.results.comparability import (
    chosen_settings,
    comparable_settings,
    model_family,
    trial,
)
from aobench.results.scores import (
    KINDS,
    chance,
    narrow_note,
    shown_accuracy,
    unlike_tasks,
)
from aobench.results.tasks import TASKS, order_tasks
from aobench.results.verified import Result


@dataclass(frozen=True)
class Column:
    """A column that people choose: its key, head, what it means, and whether it shows at first."""

    key: str
    label: str
    about: str
    shown: bool = True
    words: bool = False


COLUMNS = (
    Column("group", "Group", "models that share a letter can't be told apart"),
    Column("novel", "Novel", "accuracy on novel compositions (ood), %"),
    Column("seen", "Seen", "accuracy on seen compositions (id), %"),
    Column("gap", "Gap", "seen less novel, in points"),
    Column(
        "area", "Seen–novel AUC", "area under seen against novel accuracy, %"
    ),
    Column(
        "harmonic",
        "Harmonic mean",
        "of seen and novel accuracy, at a bias chosen on other compositions, %",
        False,
    ),
    Column("attribute", "Novel: attribute", "attribute named right, %", False),
    Column("object", "Novel: object", "object named right, %", False),
    Column("rank", "Rank", "places that the tests leave a model", False),
    Column("parameters", "Parameters", "numbers in its weights, both towers"),
    Column(
        "training_set", "Training set", "what it was trained on", True, True
    ),
    Column("training_images", "Training images", "pictures in that set", False),
    Column(
        "images_seen",
        "Images seen",
        "pictures in all epochs of training",
        False,
    ),
    Column("family", "Family", "kind of model", True, True),
    Column("licence", "Licence", "of the model's weights", False, True),
    Column("released", "Released", "date of the model", False, True),
    Column("evaluated", "Evaluated", "date of the result", False, True),
    Column("images", "Novel images", "pictures of novel compositions", False),
    Column(
        "id", "Full name", "as `imagenet-ao evaluate` takes it", False, True
    ),
    Column(
        "revision", "Revision", "commit or digest of the weights", False, True
    ),
)
#: Columns that are a score with an interval.
SCORES = ("novel", "seen", "gap", "area", "harmonic", "attribute", "object")
#: Columns that hold a large number.
COUNTS = ("parameters", "training_images", "images_seen")


@dataclass(frozen=True)
class Cell:
    """What stands in a table: its text, what it is sorted by, and the ends of its interval."""

    text: str = ""
    value: float | str | None = None
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> str:
        """``[low, high]``, or '' where there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"[{self.low:.1f}, {self.high:.1f}]"


@dataclass
class BoardRow:
    """A model in a table; ``page``: the stem of its page."""

    result: Result
    name: str
    page: str
    facts: dict[str, Any]
    cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The model's full name."""
        return str(self.result.content["model"]["id"])

    @property
    def family(self) -> str:
        """The kind of model, or what its list says."""
        return str(
            self.facts.get("family") or model_family(self.result.content)
        )

    @property
    def training(self) -> str:
        """What it was trained on; '' where that is not known."""
        return str(self.facts.get("training_set", ""))


@dataclass
class BoardTable:
    """Models that were asked the same.

    ``sorted_by`` is the column that orders the rows; ``trial`` says that not all images were asked.
    """

    key: str
    title: str
    config: str
    task: str
    rows: list[BoardRow]
    columns: list[Column]
    sorted_by: str
    about: list[str]
    notes: list[str]
    trial: str


def board_tables(
    results: Sequence[Result],
    stated: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[BoardTable]:
    """The tables of ``results``: published sets first, mini next, trial runs last.

    Args:
        results: checked results.
        stated: by model facts that go before those of results and cards.

    Raises:
        UserError: where a model's card cannot be read.
    """
    pages = _page_names([str(one.content["model"]["id"]) for one in results])
    facts = [
        known_facts(one, (stated or {}).get(one.content["model"]["id"]))
        for one in results
    ]
    bunches: list[tuple[str, list[int]]] = []
    for task in _tasks_asked(results):
        bunches += [(task, numbers) for numbers in _that_compare(results, task)]
    tables = []
    for task, numbers in bunches:
        names = readable_names(
            [results[i].content["model"]["id"] for i in numbers]
        )
        rows = [
            BoardRow(results[i], name, pages[i], facts[i])
            for i, name in zip(numbers, names, strict=True)
        ]
        tables.append(_table(rows, task))
    _put_titles(tables)
    return sorted(tables, key=_table_order)


def _page_names(models: Sequence[str]) -> list[str]:
    used: set[str] = set()
    names = []
    for model in models:
        name, number = file_name(model), 2
        while name in used:
            name, number = f"{file_name(model)}-{number}", number + 1
        used.add(name)
        names.append(name)
    return names


def file_name(text: str) -> str:
    """``text`` as the stem of a file: small letters, digits and dashes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower() or "model"


def _tasks_asked(results: Sequence[Result]) -> tuple[str, ...]:
    """Every task of a result, but those that ask generative models again."""
    names = {name for result in results for name in result.content["scores"]}
    return tuple(
        name
        for name in order_tasks(names)
        if name not in TASKS or not TASKS[name].condition
    )


def _that_compare(results: Sequence[Result], task: str) -> list[list[int]]:
    """Numbers of results whose settings agree; one without prompts stands in each list of those
    that agree in all else.
    """
    by_rest: dict[str, dict[Any, list[int]]] = {}
    for number, result in enumerate(results):
        if task not in result.content["scores"]:
            continue
        settings = comparable_settings(result.content, task)
        prompts = settings.pop("prompts")
        rest = json.dumps([result.config, settings], sort_keys=True)
        by_rest.setdefault(rest, {}).setdefault(prompts, []).append(number)
    lists = []
    for by_prompts in by_rest.values():
        free = by_prompts.pop(None, [])
        lists += [sorted([*one, *free]) for one in by_prompts.values()] or [
            free
        ]
    return lists


def _table(rows: list[BoardRow], task: str) -> BoardTable:
    for row in rows:
        row.cells = _cells(row, task)
    by = "novel" if any(row.cells["novel"].text for row in rows) else "seen"
    rows = sorted(
        rows, key=lambda row: _sort_value(row.cells[by]), reverse=True
    )
    tests = _put_groups(rows, task) if by == "novel" else ""
    shown = {
        key for row in rows for key, cell in row.cells.items() if cell.text
    }
    first = rows[0].result
    scores = first.content["scores"][task]
    notes = [tests, unlike_tasks(scores)]
    notes += [
        f"{row.name}, {note}"
        for row in rows
        if (note := narrow_note({task: row.result.content["scores"][task]}))
    ]
    return BoardTable(
        key="",
        title="",
        config=first.config,
        task=task,
        rows=rows,
        columns=[
            one for one in COLUMNS if one.key not in SCORES or one.key in shown
        ],
        sorted_by=by,
        about=_about(rows, task),
        notes=[note for note in notes if note],
        trial=trial(first.content),
    )


def _sort_value(cell: Cell) -> float:
    return cell.value if isinstance(cell.value, float) else -1.0


def _cells(row: BoardRow, task: str) -> dict[str, Cell]:
    """Every column's cell but those that the tests of all models fill."""
    content = row.result.content
    scores = content["scores"][task]
    splits = scores["splits"]
    novel, seen = splits.get("ood", {}), splits.get("id", {})
    kind = TASKS[task].kind if task in TASKS else "composition"
    key = f"{kind}_top1"
    others = {
        part: _score(novel, f"{part}_top1") if kind == "composition" else Cell()
        for part in ("attribute", "object")
    }
    curve = scores.get("curve", {})
    return {
        "group": Cell(),
        "rank": Cell(),
        "novel": _score(novel, key),
        "seen": _score(seen, key),
        "gap": _score(scores, "gap", "+.1f"),
        "area": _score(curve, "seen_novel_auc"),
        "harmonic": _score(curve, "held_out_harmonic_mean"),
        **others,
        **{one: _large(row.facts.get(one)) for one in COUNTS},
        "training_set": _words(row.training),
        "family": _words(row.family),
        "licence": _words(row.facts.get("licence")),
        "released": _words(row.facts.get("released")),
        "evaluated": _words(str(content["date"])[:10]),
        "images": Cell(f"{novel['n']:,}", float(novel["n"]))
        if novel
        else Cell(),
        "id": _words(row.model),
        "revision": _words(content["model"]["revision"]),
    }


def _score(scores: Mapping[str, Any], key: str, form: str = ".1f") -> Cell:
    if key not in scores:
        return Cell()
    value, low, high = (100 * one for one in shown_accuracy(scores, key))
    return Cell(format(value, form), value, low, high)


def _words(value: Any) -> Cell:
    text = "" if value is None else str(value)
    return Cell(text, text or None)


def _large(value: Any) -> Cell:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return _words(value)
    return Cell(short_count(value), float(value))


def short_count(value: float) -> str:
    """A large number in three digits.

    Example:
        >>> short_count(102_007_137), short_count(4e8), short_count(2.3e9), short_count(812)
        ('102M', '400M', '2.3B', '812')
    """
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _put_groups(rows: Sequence[BoardRow], task: str) -> str:
    """Fill the columns group and rank, and say what they are; '' for a single model."""
    from aobench.analysis.many_models import compare_answers
    from aobench.analysis.paired import aligned_answers

    if len(rows) < 2:
        return ""
    kind = TASKS[task].kind if task in TASKS else "composition"
    tables = [row.result.predictions for row in rows]
    compared = compare_answers(*aligned_answers(tables, "ood", kind, task))
    for place, number in enumerate(compared.order):
        best, worst = compared.ranks[place]
        span = f"{best}" if best == worst else f"{best} to {worst}"
        letters = [
            _letter(i) for i, one in enumerate(compared.classes) if place in one
        ]
        cells = rows[number].cells
        cells["group"] = Cell(" ".join(letters), float(min(_places(letters))))
        cells["rank"] = Cell(span, float(best))
    like = (
        "attributes and objects like these"
        if compared.wide
        else "these compositions"
    )
    return (
        "Models that share a letter can't be told apart by novel accuracy: tests of all pairs, "
        f"corrected for their number, for {like}."
    )


def _letter(number: int) -> str:
    """a to z, then aa, ab, ... as columns of a spreadsheet."""
    before, place = divmod(number, 26)
    return (_letter(before - 1) if before else "") + chr(ord("a") + place)


def _places(letters: Sequence[str]) -> list[int]:
    """`_letter` backwards."""
    places = []
    for letter in letters:
        place = 0
        for one in letter:
            place = 26 * place + ord(one) - ord("a") + 1
        places.append(place - 1)
    return places


def _about(rows: Sequence[BoardRow], task: str) -> list[str]:
    """What was asked: question, chance, prompts, candidates, images."""
    asked = next(
        (row for row in rows if row.result.content["templates"]), rows[0]
    )
    content = asked.result.content
    prompts, facts = content["templates"], content["tasks"][task]["candidates"]
    texts = "No prompts"
    if prompts:
        plural = "s" * (prompts["n"] > 1)
        texts = f"{prompts['n']} prompt{plural} ({prompts['hash']})"
    chosen = chosen_settings(content)
    settings = [texts, content["model"]["dtype"], *filter(None, [chosen])]
    lists = ", ".join(
        f"{name}: {one['n']:,} ({one['hash']})" for name, one in facts.items()
    )
    images = ", ".join(
        f"{name}: {one['n']:,} ({one['fingerprint']})"
        for name, one in content["dataset"]["splits"].items()
    )
    question = TASKS[task].text if task in TASKS else ""
    return [
        *([f"{question[:1].upper()}{question[1:]}."] if question else []),
        f"Chance: {_chances(content['scores'][task]['splits'])}.",
        f"Asked with: {', '.join(settings)}. Candidates: {lists}. Images: {images}.",
    ]


def _chances(splits: Mapping[str, dict[str, Any]]) -> str:
    """``composition 0.18 %, object 0.91 %``, once where the splits agree."""
    said = {}
    for name, scores in splits.items():
        values = {kind: chance(scores, kind) for kind in KINDS}
        said[name] = ", ".join(
            f"{kind} {100 * value:.2f} %"
            for kind, value in values.items()
            if value
        )
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return "; ".join(f"{name} {text}" for name, text in said.items())


def _put_titles(tables: Sequence[BoardTable]) -> None:
    """A title and a key of each table, no two alike: by set and task, then by what was asked."""
    for table in tables:
        name = (
            "mini (drawn pictures)"
            if table.config == "mini"
            else data_name(table.config)
        )
        table.title = f"{name}: {table.task}"
        if table.trial:
            table.title += f", {table.trial}"
    by_title: dict[str, list[BoardTable]] = {}
    for table in tables:
        by_title.setdefault(table.title, []).append(table)
    for title, alike in by_title.items():
        if len(alike) > 1:
            alike.sort(key=lambda one: -len(one.rows))
            for number, table in enumerate(alike, start=1):
                table.title = f"{title}, settings {number} of {len(alike)}"
    for table in tables:
        table.key = file_name(table.title)


def _table_order(table: BoardTable) -> tuple[Any, ...]:
    tasks = order_tasks({*TASKS, table.task})
    return (
        bool(table.trial),
        table.config == "mini",
        table.config,
        tasks.index(table.task),
        -len(table.rows),
        table.title,
    )


def table_csv(table: BoardTable) -> str:
    """A table as CSV: every column, scores in percent with the ends of their intervals."""
    head = ["model"]
    for one in table.columns:
        ends = (
            [f"{one.key}_low", f"{one.key}_high"] if one.key in SCORES else []
        )
        head += [one.key, *ends]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    for row in table.rows:
        line: list[Any] = [row.name]
        for one in table.columns:
            cell = row.cells[one.key]
            if one.key in SCORES:
                line += [
                    _number(end) for end in (cell.value, cell.low, cell.high)
                ]
            else:
                line.append(
                    _number(cell.value) if one.key in COUNTS else cell.text
                )
        writer.writerow(line)
    return file.getvalue()


def _number(value: float | str | None) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"
    return value or ""
