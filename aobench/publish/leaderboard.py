"""The leaderboard as a static page: opened from disk or put on any host, no server behind it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.publish.leaderboard_plot import scatter_html
from aobench.results.by_part import by_part
from aobench.results.comparability import (
    chosen_settings,
    comparable_settings,
    model_family,
    trial,
)
from aobench.results.scores import (
    KINDS,
    POPULATION,
    chance,
    narrow_note,
    shown_accuracy,
    unlike_tasks,
)
from aobench.results.verified import Result

if TYPE_CHECKING:
    from jinja2 import Template


def comparable(result: Result) -> tuple[str, ...]:
    """What two rows must share to stand in one table, as `comparable_settings` has it.

    A supervised classifier has no prompts and ranks objects only, so it never shares a table with a
    zero-shot model.
    """
    settings = comparable_settings(result.content)
    return tuple(json.dumps(value, sort_keys=True) for value in settings.values())


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower() or "model"


def _figure(f: dict[str, Any], kind: str) -> dict[str, float] | None:
    key = f"{kind}_top1"
    if key not in f:
        return None
    return _percent(f, key)


def _percent(scores: dict[str, Any], key: str) -> dict[str, float]:
    cells = (100 * one for one in shown_accuracy(scores, key))
    return dict(zip(("value", "low", "high"), cells, strict=True))


def _of_curve(figures: dict[str, Any], key: str) -> dict[str, float] | None:
    """A score of the seen-novel curve with its interval, in percent."""
    curve = figures.get("curve", {})
    if key not in curve:
        return None
    return _percent(curve, key)


def _chances(f: dict[str, Any]) -> str:
    """``composition 0.18 %, attribute 4.17 %, object 0.91 %``, of those that the candidates
    give.
    """
    chances = {kind: chance(f, kind) for kind in KINDS}
    return ", ".join(
        f"{kind} {100 * value:.2f} %"
        for kind, value in chances.items()
        if value is not None
    )


def _row(result: Result, slug: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The row of a result; ``facts`` of a list go before those that it carries."""
    content = result.content
    facts = facts or content["model"].get("facts", {})
    figures = {
        split: {kind: _figure(f, kind) for kind in KINDS}
        for split, f in result.splits.items()
    }
    main = result.headline.get(
        "main",
        "object_top1"
        if not result.predictions.names_attributes
        else "composition_top1",
    )
    return {
        "id": content["model"]["id"],
        "slug": slug,
        "family": facts.get("family", model_family(content)),
        "training": facts.get("training_set", "not stated"),
        "figures": figures,
        "main": main.split("_")[0],
        "area": _of_curve(result.headline, "seen_novel_auc"),
        "harmonic": _of_curve(result.headline, "held_out_harmonic_mean"),
        "content": content,
        "task": result.task,
        "trial": trial(content),
        "n": {split: f["n"] for split, f in result.splits.items()},
        "chance": {split: _chances(f) for split, f in result.splits.items()},
        "main_chance": {
            s: 100 * (chance(f, main.split("_")[0]) or 0)
            for s, f in result.splits.items()
        },
        "unlike": unlike_tasks(result.headline),
        "narrow": narrow_note({result.task: result.headline}),
    }


def comparable_groups(
    results: Sequence[Result], facts: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows that compare, together: each group with its heading, splits and rows, best OoD
    accuracy first.
    """
    rows_by_setting: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    used: set[str] = set()
    for result in results:
        model = result.content["model"]["id"]
        slug = _unused_slug(model, used)
        row = _row(result, slug, facts.get(model, {}))
        rows_by_setting.setdefault(comparable(result), []).append(row)
    by_content = {id(result.content): result for result in results}
    groups = [_group(rows, by_content) for rows in rows_by_setting.values()]
    return sorted(groups, key=_group_order)


def _unused_slug(model: str, used: set[str]) -> str:
    """A name of the model's page that no other has; it is then in ``used``."""
    slug = base = _slug(model)
    number = 2
    while slug in used:
        slug, number = f"{base}-{number}", number + 1
    used.add(slug)
    return slug


def _group_order(group: dict[str, Any]) -> tuple[bool, bool, int]:
    """The published set first, then compositions, then the group of most rows."""
    mini, other = group["config"] == "mini", group["main"] != "composition"
    return mini, other, -len(group["rows"])


def _ood_value(row: dict[str, Any]) -> float:
    figure = row["figures"].get("ood", {}).get(row["main"]) or {"value": -1.0}
    return float(figure["value"])


def _group(rows: list[dict[str, Any]], by_content: dict[int, Result]) -> dict[str, Any]:
    """What the page shows of rows that compare; ``by_content``: the result of each row's
    content.
    """
    rows = sorted(rows, key=_ood_value, reverse=True)
    ranked = _put_ranks(rows, [by_content[id(row["content"])] for row in rows])
    first = rows[0]
    content, task = first["content"], first["task"]
    lists = content["tasks"][task]["candidates"]
    splits = content["dataset"]["splits"]
    return {
        "config": content["dataset"]["config"],
        "rows": rows,
        "ranked": ranked,
        "main": first["main"],
        "splits": [split for split in ("id", "ood") if split in first["figures"]],
        "chance": first["chance"],
        "unlike": first["unlike"],
        "curve": any(row["area"] for row in rows),
        "prompts": _prompts_said(content),
        "candidates": ", ".join(
            f"{split}: {c['n']:,} {task} ({c['hash']})" for split, c in lists.items()
        ),
        "fingerprints": ", ".join(
            f"{split}: {d['fingerprint']}" for split, d in splits.items()
        ),
    }


def _prompts_said(content: dict[str, Any]) -> str:
    """The prompts and the chosen settings of a group, as its heading has them."""
    prompts = content["templates"]
    said = "No prompts: supervised classifiers"
    if prompts:
        plural = "s" * (prompts["n"] > 1)
        said = f"{prompts['n']} prompt{plural} ({prompts['hash']})"
    chosen = chosen_settings(content)
    return ", ".join([said, content["model"]["dtype"], *filter(None, [chosen])])


def _put_ranks(rows: list[dict[str, Any]], results: Sequence[Result]) -> str:
    """Give each row the ``rank`` that tests of all pairs leave it, and say what it is; '' and no
    rank where there is one row, or no novel compositions.
    """
    from aobench.analysis.many_models import compare_models

    if len(rows) < 2 or "ood" not in rows[0]["figures"]:
        return ""
    tables = [result.predictions for result in results]
    found = compare_models(tables, "ood", rows[0]["main"])
    for place, number in enumerate(found.order):
        best, worst = found.ranks[place]
        rows[number]["rank"] = f"{best}" if best == worst else f"{best} to {worst}"
    like = "attributes and objects like these" if found.wide else "these compositions"
    return (
        f"Rank by OoD {rows[0]['main']}: the places that tests of all pairs, corrected for their "
        f"number, leave a model, for {like}."
    )


def _chosen(rows: dict[str, list[Any]], count: int) -> dict[str, list[int]]:
    """Row numbers of at most ``count`` images named right and as many named wrong, each of another
    attribute where there are so many; the same ones each time."""
    from compositional_ood.compositional_ood import first_is_right

    order = sorted(
        range(len(rows["sample_id"])),
        key=lambda i: hashlib.sha256(rows["sample_id"][i].encode()).digest(),
    )
    right = first_is_right(rows["rank"])
    chosen = {}
    for kind, wanted in (("right", True), ("wrong", False)):
        mine = [i for i in order if right[i] == wanted]
        # of each attribute the first in the order
        first = {rows["attribute"][i]: i for i in reversed(mine)}
        ones = sorted(first.values(), key=mine.index)
        chosen[kind] = [*ones, *(i for i in mine if i not in ones)][:count]
    return chosen


def _examples(
    result: Result, folder: Path, count: int = 6
) -> dict[str, list[dict[str, str]]]:
    """Pictures named right and wrong, of mini only: it is drawn anew from its ids, and its
    licence is known.
    """
    from PIL import Image

    from aobench.mini.splits import samples

    if result.config != "mini" or "ood" not in result.splits:
        return {}
    rows, candidates = (
        result.predictions.split("ood"),
        result.predictions.candidates["ood"],
    )
    chosen = _chosen(rows, count)
    wanted = {rows["sample_id"][i] for kind in chosen.values() for i in kind}
    pictures = {
        sample.sample_id: sample
        for sample in samples("ood")
        if sample.sample_id in wanted
    }
    out: dict[str, list[dict[str, str]]] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for kind, numbers in chosen.items():
        for i in numbers:
            sample = pictures[rows["sample_id"][i]]
            name = f"{_slug(sample.sample_id)}.webp"
            Image.fromarray(sample.image()).resize(
                (112, 112), Image.Resampling.LANCZOS
            ).save(folder / name, quality=85)
            said = (
                candidates.names[rows["top"][i][0]] if rows["top"][i] else "unreadable"
            )
            shown = f"{sample.attribute} {sample.name}"
            out.setdefault(kind, []).append(
                {"file": name, "shown": shown, "said": said}
            )
    return out


def build_pages(
    results: Sequence[Result], out: Path, facts: dict[str, dict[str, Any]] | None = None
) -> list[Path]:
    """Write the pages: index.html and a page a model under ``models/``; returns them.

    ``facts``: by model id its ``family`` and ``training_set``, in place of what the results say.
    Raises UserError where there are no results.
    """
    import jinja2

    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise UserError(
            "the leaderboard draws with plotly: pip install 'imagenet-ao[leaderboard]'"
        ) from error
    if not results:
        raise UserError(
            "there are no results to list; name folders that `imagenet-ao evaluate` wrote"
        )
    pages = resources.files("aobench.publish") / "pages"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(pages)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    tables = comparable_groups(results, facts or {})
    (out / "models").mkdir(parents=True, exist_ok=True)
    for name in ("style.css", "table.js"):
        shutil.copyfile(str(pages / name), out / name)
    (out / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    rows = [row for group in tables for row in group["rows"]]
    index = environment.get_template("index.html").render(
        groups=tables,
        population=POPULATION,
        plots=[scatter_html(group) for group in tables],
        families=sorted({row["family"] for row in rows}),
        trainings=sorted({row["training"] for row in rows}),
    )
    (out / "index.html").write_text(index, encoding="utf-8")
    template = environment.get_template("model.html")
    by_content = {id(result.content): result for result in results}
    return [
        out / "index.html",
        *(
            _write_model(by_content[id(row["content"])], row, group, template, out)
            for group in tables
            for row in group["rows"]
        ),
    ]


def _write_model(
    result: Result,
    row: dict[str, Any],
    group: dict[str, Any],
    template: Template,
    out: Path,
) -> Path:
    """The page of one model; returns its path."""
    split = "ood" if "ood" in result.splits else next(iter(result.splits))
    parts = {
        part: by_part(result.predictions, split, part)
        for part in ("attribute", "object")
    }
    if not result.predictions.names_attributes:
        parts.pop("attribute")
    page = out / "models" / f"{row['slug']}.html"
    text = template.render(
        row=row,
        group=group,
        split=split,
        parts={k: v for k, v in parts.items() if v},
        examples=_examples(result, out / "models" / row["slug"]),
    )
    page.write_text(text, encoding="utf-8")
    return page
