"""A result as Python sees it: scores, a frame, the table of predictions, a plot, a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.columns import columns
from aobench.results.comparability import trial
from aobench.results.paths import (
    RESULTS,
    TABLE,
    check_same_model,
    say_what_is_replaced,
)
from aobench.results.predictions import Predictions, write
from aobench.results.scores import KINDS, POPULATION, chance, shown_accuracy
from aobench.results.verified import read_result
from aobench.results.writing import write_results

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.figure import Figure

HEAD = (
    "model",
    "task",
    "split",
    *(f"{kind} top-1" for kind in KINDS),
    "images",
)
NOTE = (
    "In %: accuracy [interval] and, after 'chance', what a random choice gives. "
    f"{POPULATION}"
)
STYLE = (
    "<style>.imagenet-ao td, .imagenet-ao th {text-align: right; padding: 0.2em 0.7em; "
    "white-space: nowrap} .imagenet-ao .text {text-align: left} "
    ".imagenet-ao tbody td {vertical-align: top} .imagenet-ao small {opacity: 0.7} "
    ".imagenet-ao caption {caption-side: bottom; "
    "text-align: left}</style>"
)


@dataclass(frozen=True, repr=False)
class Result:
    """What a model answered on a dataset, and how often it was right.

    It shows itself as a table in a notebook.

    Attributes:
        content: what results.json holds: the scores, and all that made them.
        answers: the table of predictions with the candidates that were ranked.
        folder: where it is stored; None where it was not.
    """

    content: dict[str, Any]
    answers: Predictions
    folder: Path | None = None

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.content["model"]["id"])

    @property
    def scores(self) -> dict[str, dict[str, Any]]:
        """By task: ``splits`` with the accuracies of each split, fractions from 0 to 1 with their
        95 % intervals and chance, and the gap between seen and novel where both are there.
        """
        return self.content["scores"]

    @property
    def predictions(self) -> pa.Table:
        """The table: one row an image and task, sorted by task, split and sample id."""
        return self.answers.table

    def _rows(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Task, split, its scores."""
        for task, scores in self.scores.items():
            for split, of_split in scores["splits"].items():
                yield task, split, of_split

    def to_frame(self) -> pd.DataFrame:
        """All scores as a pandas frame, one row a split and task, fractions from 0 to 1.

        Columns: model, task, split, and the scores' own names, such as ``composition_top1`` with
        ``composition_top1_low`` and ``composition_top1_high``. NaN where a task has no such score.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {"model": self.model, "task": task, "split": split, **scores}
                for task, split, scores in self._rows()
            ]
        )

    def plot(self) -> Figure:
        """A matplotlib figure: the accuracies of each task and split, their intervals, chance."""
        from aobench.drawing import group_style, new_plot, put_legend, put_title

        shown = [
            (task, kind)
            for task, scores in self.scores.items()
            for kind in KINDS
            if any(f"{kind}_top1" in one for one in scores["splits"].values())
        ]
        splits = list(dict.fromkeys(split for _, split, _ in self._rows()))
        height = 1.3 + 0.22 * len(shown) * max(2, len(splits))
        figure, axes = new_plot(7, height)
        for place, (task, kind) in enumerate(shown):
            for number, split in enumerate(splits):
                scores = self.scores[task]["splits"].get(split, {})
                offset = (number - (len(splits) - 1) / 2) * 0.28
                _draw_accuracy(axes, scores, kind, place + offset, number)
        for number, split in enumerate(splits):
            axes.plot([], [], ls="", label=split, **group_style(number))
        axes.plot(
            [], [], color="#555555", marker="|", ls="", ms=10, label="chance"
        )
        axes.set_yticks(
            range(len(shown)), [_kind_label(task, kind) for task, kind in shown]
        )
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlim(-2, 102)
        axes.set_xlabel("Top-1 accuracy, %, with 95 % intervals")
        axes.grid(False, axis="y")
        put_title(figure, self._title())
        put_legend(figure, axes, "outside right center")
        return figure

    def save(self, folder: str | Path) -> Path:
        """Write results.json and predictions.parquet, as the command does.

        Args:
            folder: made if need be; a result of the same model in it is replaced, and said to be.

        Returns:
            The folder.

        Raises:
            UserError: where it holds the result of another model.
        """
        folder = Path(folder)
        model = self.content["model"]
        check_same_model(folder, model["id"], model["revision"])
        folder.mkdir(parents=True, exist_ok=True)
        self.content["predictions"] = write(self.answers, folder / TABLE)
        say_what_is_replaced(folder, self.content)
        write_results(self.content, folder / RESULTS)
        return folder

    def _title(self) -> str:
        dataset = self.content["dataset"]
        name = " ".join(dict.fromkeys((dataset["name"], dataset["config"])))
        note = trial(self.content)
        return f"{self.model} on {name}" + (f" ({note})" if note else "")

    def _notes(self) -> list[str]:
        """What a reader must know beside the numbers."""
        notes = [NOTE]
        if trial(self.content):
            notes.append("A trial run: not a result on the whole set.")
        if unread := len(self.content["unreadable"]):
            notes.append(
                f"{unread} images could not be read and count as wrong."
            )
        if self.content["dataset"]["config"] == "mini":
            notes.append(
                "mini is a set of drawn pictures, not the published benchmark."
            )
        return notes

    def __repr__(self) -> str:
        lines = [HEAD]
        for task, split, scores in self._rows():
            cells = [" ".join(_accuracy_cells(scores, kind)) for kind in KINDS]
            lines.append((self.model, task, split, *cells, f"{scores['n']:,}"))
        table = columns(lines, rule=True)
        return "\n".join([self._title(), *table, *self._notes()])

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th class="text">{name}</th>' if place < 2 else f"<th>{name}</th>"
            for place, name in enumerate(HEAD[1:])
        )
        body = ""
        for task, split, scores in self._rows():
            cells = f'<td class="text">{escape(task)}</td><td class="text">{escape(split)}</td>'
            for kind in KINDS:
                first, *rest = _accuracy_cells(scores, kind)
                cells += f"<td>{first}<br><small>{', '.join(rest)}</small></td>"
            body += f"<tr>{cells}<td>{scores['n']:,}</td></tr>"
        notes = "<br>".join(escape(note) for note in self._notes())
        return (
            f'{STYLE}<div class="imagenet-ao"><b>{escape(self._title())}</b><table>'
            f"<caption><small>{notes}</small></caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table></div>"
        )


def load_result(path: str | Path) -> Result:
    """Read a result back, and check that it is what it says.

    Args:
        path: the folder that `evaluate` or ``imagenet-ao evaluate`` wrote for a model, or a file in
            it.

    Returns:
        The result.

    Raises:
        UserError: where it is not whole, or its scores are not those of its table of predictions.

    Example:
        >>> import aobench
        >>> result = aobench.load_result("results/mini")
        >>> result.to_frame()["split"].tolist()[:2]
        ['id', 'ood']
    """
    checked = read_result(path)
    return Result(checked.content, checked.predictions, checked.folder)


def _accuracy_cells(scores: dict[str, Any], kind: str) -> list[str]:
    """Accuracy, interval and chance in percent; a dash where the candidates give none."""
    key = f"{kind}_top1"
    if key not in scores:
        return ["-"]
    cells = [f"{100 * scores[key]:.1f}"]
    if f"{key}_low" in scores:
        _, low, high = shown_accuracy(scores, key)
        cells.append(f"[{100 * low:.1f}, {100 * high:.1f}]")
    by_chance = chance(scores, kind)
    if by_chance is not None:
        cells.append(f"chance {100 * by_chance:.2f}")
    return cells


def _kind_label(task: str, kind: str) -> str:
    return task if task.split("-")[0] == kind else f"{task}: {kind}"


def _draw_accuracy(
    axes: Any, scores: dict[str, Any], kind: str, y: float, number: int
) -> None:
    """A point with its interval, and a stroke where chance is."""
    from aobench.drawing import group_style

    key = f"{kind}_top1"
    if key not in scores:
        return
    value = low = high = 100 * scores[key]
    if f"{key}_low" in scores:
        value, low, high = (100 * one for one in shown_accuracy(scores, key))
    axes.errorbar(
        [value],
        [y],
        xerr=[[max(0, value - low)], [max(0, high - value)]],
        capsize=4,
        markersize=4,
        **group_style(number),
    )
    by_chance = chance(scores, kind)
    if by_chance is not None:
        axes.plot(
            [100 * by_chance], [y], color="#555555", marker="|", ms=10, ls=""
        )
