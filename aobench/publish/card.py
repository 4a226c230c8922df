"""Model cards: a new one from the template, or a section in the user's own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.drawing import COLOURS, new_plot, put_title, save_plot
from aobench.errors import UserError
from aobench.files import read_text, write_in_one_move
from aobench.publish.hub_entries import (
    PATH,
    data_name,
    effective_over,
    entries_yaml,
    model_index,
    result_entries,
)
from aobench.results.by_part import by_part
from aobench.results.comparability import chosen_settings, trial
from aobench.results.scores import (
    KINDS,
    POPULATION,
    candidates_text,
    chance,
    narrow_note,
    shown_accuracy,
    unlike_tasks,
)
from aobench.results.tasks import find_task
from aobench.results.verified import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEGIN, END = "<!-- imagenet-ao: from here -->", "<!-- imagenet-ao: to here -->"
FIGURE = "imagenet_ao.png"
LEAST = 10  #: images that an attribute or object needs to be named among the worst or the best


def _template(name: str) -> Path:
    return Path(str(resources.files("imagenet_ao_cards") / name))


def _asked(
    result: Result,
) -> Iterator[tuple[str, str, dict[str, Any], tuple[str, ...]]]:
    """Task, split, scores and accuracies to show: of the headline all, of others what they ask."""
    for task in result.predictions.tasks:
        kinds = KINDS if task == result.task else (find_task(task).kind,)
        for split, scores in result.content["scores"][task]["splits"].items():
            yield task, split, scores, kinds


def _rows(result: Result) -> list[dict[str, Any]]:
    """The table: a row a split and accuracy."""
    rows = []
    for task, split, f, kinds in _asked(result):
        for kind in kinds:
            key = f"{kind}_top1"
            if (by_chance := chance(f, kind)) is not None:
                cells = (100 * one for one in shown_accuracy(f, key))
                value, low, high = (f"{cell:.1f}" for cell in cells)
                candidates = f"{candidates_text(f)} ({task})"
                rows.append(
                    {
                        "split": split,
                        "figure": kind,
                        "value": value,
                        "low": low,
                        "high": high,
                        "chance": f"{100 * by_chance:.2f}",
                        "n": f"{f['n']:,}",
                        "candidates": candidates,
                    }
                )
    return rows


def _extremes(result: Result, part: str) -> dict[str, dict[str, Any]]:
    """The worst and the best five of ``part`` on ood, and how many more print as the last one
    does; {} if too few.
    """
    table = (
        by_part(result.predictions, "ood", part)
        if "ood" in result.splits
        else []
    )
    table = [row for row in table if row["n"] >= LEAST]
    shown = min(5, len(table) // 2)
    if not shown:
        return {}
    ends = {"worst": table, "best": table[::-1]}
    return {
        end: {
            "rows": rows[:shown],
            "more": sum(
                _whole(row) == _whole(rows[shown - 1]) for row in rows[shown:]
            ),
        }
        for end, rows in ends.items()
    }


def _whole(row: dict[str, Any]) -> str:
    """The rate as the card has it, in whole percent."""
    return f"{100 * row['rate']:.0f}"


def card_section(result: Result, baseline: Sequence[Result] = ()) -> str:
    """The Markdown about this result, between two marks."""
    import jinja2

    extremes = {
        part: ends
        for part in ("attribute", "object")
        if (ends := _extremes(result, part))
    }
    template = jinja2.Template(
        _template("section.md").read_text(encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
    )
    text = template.render(
        r=result.content,
        scores=result.headline,
        task=result.task,
        rows=_rows(result),
        extremes=extremes,
        figure=FIGURE,
        least=LEAST,
        data=data_name(result.config),
        chosen=chosen_settings(result.content),
        trial=trial(result.content),
        unlike=unlike_tasks(result.headline),
        population=POPULATION,
        narrow=narrow_note(result.content["scores"]),
        gap=[100 * one for one in shown_accuracy(result.headline, "gap")]
        if "gap" in result.headline
        else None,
        effective=effective_over(result, baseline) if baseline else None,
        baseline=[one.content["model"]["id"] for one in baseline],
    )
    return f"{BEGIN}\n{text.strip()}\n{END}\n"


#: Tasks of earlier versions: their rows go from a card that is renewed.
FORMER_TASKS = ("harmonic_mean",)


def extend_card(
    existing: str | None,
    result: Result,
    dataset: str,
    revision: str | None,
    baseline: Sequence[Result] = (),
) -> str:
    """The card with the section put in, or renewed where it is there; a new card from the template
    where there is none.

    What else the user's card says, in text and metadata, stays. Raises UserError where its metadata
    cannot be read.
    """
    ours = model_index(result, dataset, revision, baseline)
    text = card_section(result, baseline)
    if existing is None:
        return _new_card(result, ours, text)
    card = _parse_card(existing)
    others = [
        row
        for row in card.data.eval_results or []
        if not _is_ours(row, dataset, result.config)
    ]
    card.data.eval_results = [*others, *ours] or None
    if card.data.eval_results:
        card.data.model_name = card.data.model_name or _model_name(result)
    card.text = _with_section(card.text, text)
    return str(card)


def _model_name(result: Result) -> str:
    return result.content["model"]["id"].rstrip("/").rsplit("/", 1)[-1]


def _new_card(result: Result, entries: Any, section: str) -> str:
    """A card from the template, which holds the section alone."""
    from huggingface_hub import ModelCard, ModelCardData

    zero_shot = "zero-shot-" if result.predictions.names_attributes else ""
    name = _model_name(result)
    data = ModelCardData(
        pipeline_tag=f"{zero_shot}image-classification",
        tags=["imagenet-ao"],
    )
    if entries:  # a model-index without results is none
        data.model_name, data.eval_results = name, entries
    words = {"model_name": name, "section": section}
    path = str(_template("card.md"))
    return str(ModelCard.from_template(data, template_path=path, **words))


def _parse_card(text: str) -> Any:
    """The user's card. Raises UserError where its metadata cannot be read."""
    from huggingface_hub import ModelCard

    try:
        return ModelCard(text)
    except Exception as error:
        raise UserError(
            f"the existing card's metadata cannot be read: {str(error).splitlines()[0]}"
        ) from error


def _is_ours(row: Any, dataset: str, config: str) -> bool:
    """Whether a row of the metadata is an earlier entry of this benchmark."""
    from imagenet_ao import TASKS

    same_data = (row.dataset_type, row.dataset_config) == (dataset, config)
    return same_data and row.metric_type in {*TASKS, *FORMER_TASKS}


def _with_section(text: str, section: str) -> str:
    """The card's text with the section in its marks, at the end where there are none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and not end:
        raise UserError(
            f"the existing card has {BEGIN!r} without {END!r}; mend or remove the mark"
        )
    return before.rstrip("\n") + "\n\n" + section + after.lstrip("\n")


def attributes_plot(result: Result) -> Figure:
    """Accuracy on novel compositions by attribute, with 95 % intervals, worst at the bottom."""
    split = "ood" if "ood" in result.splits else next(iter(result.splits))
    part = "attribute" if result.predictions.names_attributes else "object"
    table = by_part(result.predictions, split, part)
    shown = table if len(table) <= 40 else [*table[:20], *table[-20:]]
    f = result.splits[split]
    figure, axes = new_plot(7, 1.2 + 0.2 * len(shown))
    axes.grid(False, axis="y")
    thick = {"color": COLOURS[4], "linewidth": 4, "solid_capstyle": "butt"}
    for place, row in enumerate(shown):
        axes.plot(
            [100 * row["low"], 100 * row["high"]], [place, place], **thick
        )
        dot = {"color": COLOURS[0], "markersize": 5, "clip_on": False}
        axes.plot(100 * row["rate"], place, "o", **dot)
    by_chance, red = 100 * f["chance"], COLOURS[1]
    axes.axvline(by_chance, color=red, linestyle="--", linewidth=1)
    label, top = f"chance {by_chance:.2f} %", len(shown) - 0.6
    axes.text(by_chance + 0.8, top, label, color=red, fontsize=8, va="bottom")
    names = [f"{row['name']} ({row['n']})" for row in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=8)
    axes.set_xlim(0, 100)
    axes.set_ylim(-0.7, len(shown) + 0.2)
    axes.set_xlabel(
        "Accuracy, % (bars: 95 % intervals, compositions as independent; in brackets: images)"
    )
    title = f"{result.content['model']['id']} on {result.config}, {split}, n = {f['n']:,}"
    if len(shown) < len(table):
        title += f", {len(table) - len(shown)} in the middle left out"
    if trial(result.content):
        title += f", {trial(result.content)}"
    put_title(figure, title)
    return figure


def write_card(
    result: Result,
    out: Path,
    dataset: str,
    revision: str | None,
    source: str | None,
    baseline: Sequence[Result] = (),
) -> list[Path]:
    """Card, plot and entries under ``out``, laid out as in the model's repository; an existing
    card is extended. A result without any of the benchmark's scores has no entries.
    """
    out.mkdir(parents=True, exist_ok=True)
    card = out / "README.md"
    existing = read_text(card, "the card") if os.path.lexists(card) else None
    text = extend_card(existing, result, dataset, revision, baseline)
    entries = result_entries(result, dataset, revision, source, baseline)
    write_in_one_move(card, text.encode())
    (picture,) = save_plot(attributes_plot(result), out / FIGURE, ("",))
    listing = out / PATH
    if not entries:
        listing.unlink(missing_ok=True)  # those of an earlier result
        return [card, picture]
    listing.parent.mkdir(exist_ok=True)
    write_in_one_move(listing, entries_yaml(entries).encode())
    return [card, picture, listing]
