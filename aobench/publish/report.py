"""One page of results that needs nothing else: tables, curves, errors, pictures, what made them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.files import write_in_one_move
from aobench.publish.gallery import Gallery, fits_set, make_gallery
from aobench.publish.page_templates import page_template
from aobench.publish.report_plots import (
    curve_plot,
    scatter_plot,
    shared_task,
    svg_text,
)
from aobench.results.comparability import trial, unlike_settings
from aobench.results.printing import result_notes, result_tables
from aobench.results.verified import Result

if TYPE_CHECKING:
    from aobench.evaluation.data import Split
    from aobench.evaluation.loading import Source

#: Rows of the lists of best and of worst parts.
MOST_PARTS = 8
#: Pictures of a page at most.
MOST_PICTURES = 20_000


def write_report(
    results: Sequence[Result],
    path: Path,
    source: Source | None = None,
    pictures: int = 600,
    audit: Path | None = None,
) -> Path:
    """Write the report of ``results`` to ``path``, a single HTML file; returns ``path``.

    Args:
        results: of one set and its settings or not; where they don't compare, the page says so.
        path: the file.
        source: the set that they were evaluated on, for pictures; None: without, but for mini,
            which is drawn.
        pictures: how many are shown at most.
        audit: an audit's folder; each picture then says how many captions show its composition.

    Raises:
        UserError: for no results, a set that is not the results', or too many pictures.
    """
    if not results:
        raise UserError(
            "there are no results to report; name folders that `imagenet-ao evaluate` wrote"
        )
    if not 0 <= pictures <= MOST_PICTURES:
        raise UserError(
            f"--pictures takes 0 to {MOST_PICTURES:,}; got {pictures:,}; a page of more "
            "loads slowly"
        )
    gallery = Gallery()
    if pictures:
        if source is None:
            splits = shown_splits(results)
        else:
            _refuse_mini_for_another(results, source)
            splits = _opened(source)
        if splits:
            gallery = make_gallery(
                results, splits, pictures, _caption_counts(audit)
            )
    write_in_one_move(path, report_text(results, gallery).encode())
    return path


def report_text(
    results: Sequence[Result], gallery: Gallery, home: str | None = None
) -> str:
    """The page; ``home``: address of the leaderboard that it belongs to, if it does."""
    rows = [
        (
            result.content["model"]["id"],
            result.predictions,
            result.content["scores"],
        )
        for result in results
    ]
    plots = {
        "curve": curve_plot(results),
        "scatter": scatter_plot(results),
    }
    return page_template("report.html").render(
        home=home,
        title=_title(results),
        tables=result_tables(rows),
        notes=result_notes(rows),
        unlike=unlike_settings([result.content for result in results]),
        shared=shared_task(results),
        plots={
            name: svg_text(figure, name)
            for name, figure in plots.items()
            if figure
        },
        extremes=[_extremes(result) for result in results],
        gallery=gallery,
        gallery_json=_for_script(gallery.content),
        made=[_made(result) for result in results],
    )


def shown_splits(results: Sequence[Result]) -> list[Split]:
    """The pictures that can be shown though nobody names them: mini's, where all results are of
    it; [] for a trial run, and for mini of another version.
    """
    if any(
        result.config != "mini" or trial(result.content) for result in results
    ):
        return []
    splits = mini_splits()
    return splits if all(fits_set(results, split) for split in splits) else []


def mini_splits() -> list[Split]:
    """mini, drawn by this version."""
    from aobench.evaluation.loading import Source

    return _opened(Source("mini"))


def _refuse_mini_for_another(results: Sequence[Result], source: Source) -> None:
    """UserError where mini is named for results of another set, before all of it is drawn."""
    if source.config != "mini" or source.path or source.data_dir:
        return
    for result in results:
        if result.config != "mini":
            raise UserError(
                f"{result.folder} is of {result.config}, not of mini: name the set that it was "
                "evaluated on"
            )


def _opened(source: Source) -> list[Split]:
    from aobench.evaluation.data import open_splits

    return open_splits(source)


def _for_script(content: dict[str, Any]) -> str:
    """JSON that may stand in a script element: no text in it ends the element."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace("&", "\\u0026")


def _title(results: Sequence[Result]) -> str:
    models = [result.content["model"]["id"] for result in results]
    sets = dict.fromkeys(result.config for result in results)
    shown = ", ".join(models[:3]) + (
        f" and {len(models) - 3} more" * (len(models) > 3)
    )
    return f"{shown} on {', '.join(sets)}"


def _caption_counts(audit: Path | None) -> dict[str, int] | None:
    """By composition the captions that show it."""
    if audit is None:
        return None
    from aobench.audit.result import load_audit

    loaded = load_audit(audit)
    matrix = loaded.matrix()
    return {
        f"{attribute} {name}": int(matrix[a, o])
        for a, attribute in enumerate(loaded.attributes)
        for o, name in enumerate(loaded.objects)
    }


def _extremes(result: Result) -> dict[str, Any]:
    """The attributes and objects that fare worst and best, shrunken; where that can't be told,
    why.
    """
    from aobench.analysis.difficulty import part_extremes

    names = result.predictions.names_attributes
    kind = "composition" if names else "object"
    parts = ("attribute", "object") if names else ("object",)
    model = result.content["model"]["id"]
    try:
        extremes = part_extremes(result.predictions, kind, parts, MOST_PARTS)
    except UserError as error:
        return {"model": model, "why": str(error)}
    return {
        "model": model,
        "kind": kind,
        "images": extremes.images,
        "notes": "; ".join(extremes.notes),
        "parts": {
            part: dict(zip(("worst", "best"), lists, strict=True))
            for part, lists in extremes.parts.items()
        },
    }


def _made(result: Result) -> dict[str, Any]:
    """What made a result, as pairs of a name and a text."""
    content = result.content
    model, dataset, prompts = (
        content["model"],
        content["dataset"],
        content["templates"],
    )
    facts = {
        "model": f"{model['id']}, {model['kind']}, revision {model['revision']}",
        "numbers": f"{model['dtype']} on {model['device']}, processor {model['processor']}",
        "dataset": f"{dataset['name']}, config {dataset['config']}",
        "images": ", ".join(
            f"{name}: {facts['n']:,} (fingerprint {facts['fingerprint']})"
            for name, facts in dataset["splits"].items()
        ),
        "prompts": f"{prompts['n']} templates, hash {prompts['hash']}"
        if prompts
        else "none: a supervised classifier",
        "unreadable images": f"{len(content['unreadable']):,}",
        "code": f"imagenet-ao {content['code']}, "
        + ", ".join(
            f"{name} {number}" for name, number in content["stack"].items()
        ),
        "date": content["date"],
        "table": f"predictions.parquet, SHA-256 {content['predictions']}",
    }
    return {"model": model["id"], "facts": facts}
