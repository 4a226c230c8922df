"""The leaderboard as static pages: opened from disk or put on any host, no server behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.files import write_in_one_move
from aobench.publish.board import COLUMNS, BoardTable, board_tables, table_csv
from aobench.publish.board_plots import (
    families_of,
    family_mark,
    seen_plot,
    size_plot,
)
from aobench.publish.gallery import Gallery, fits_set, make_gallery
from aobench.publish.page_templates import page_template
from aobench.publish.report import mini_splits, report_text
from aobench.results.scores import POPULATION
from aobench.results.verified import Result

if TYPE_CHECKING:
    from aobench.evaluation.data import Split

#: Pictures on a model's page.
PICTURES = 120
CITATION = """@misc{abbasi2024language,
  title = {Language Plays a Pivotal Role in the Object-Attribute Compositional Generalization
           of {CLIP}},
  author = {Abbasi, Reza and Samiei, Mohammad and Rohban, Mohammad Hossein and
            Soleymani Baghshah, Mahdieh},
  year = {2024},
  eprint = {2403.18525},
  archivePrefix = {arXiv}
}
@misc{abbasi2024deciphering,
  title = {Deciphering the Role of Representation Disentanglement: Investigating Compositional
           Generalization in {CLIP} Models},
  author = {Abbasi, Reza and Rohban, Mohammad Hossein and Soleymani Baghshah, Mahdieh},
  year = {2024},
  eprint = {2407.05897},
  archivePrefix = {arXiv}
}"""


def build_pages(
    results: Sequence[Result],
    out: Path,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    pictures: int = PICTURES,
) -> list[Path]:
    """Write the leaderboard: index.html, a page a result under ``models/``, a CSV a table.

    Args:
        results: checked results; those that were asked the same stand in one table, a table a task.
        out: folder of the pages.
        facts: by model what is known of it, such as ``family``, ``training_set``, ``parameters``;
            before what the results and their cards say.
        pictures: on the page of a model that was evaluated on mini, which is drawn for that.

    Returns:
        The pages, index.html first.

    Raises:
        UserError: where there are no results, or a card cannot be read.
    """
    if not results:
        raise UserError(
            "there are no results to list; name folders that `imagenet-ao evaluate` wrote"
        )
    tables = board_tables(results, facts)
    for table in tables:
        path = out / "tables" / f"{table.key}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_in_one_move(path, table_csv(table).encode())
    index = out / "index.html"
    write_in_one_move(index, _index_text(tables).encode())
    pages = {
        id(row.result): (row.result, out / "models" / f"{row.page}.html")
        for table in tables
        for row in table.rows
    }
    drawn = any(one.config == "mini" for one, _ in pages.values())
    splits = mini_splits() if drawn and pictures else []
    for result, path in pages.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_in_one_move(path, _model_page(result, splits, pictures).encode())
    return [index, *(path for _, path in pages.values())]


def _model_page(result: Result, splits: Sequence[Split], pictures: int) -> str:
    """A model's page: its report, with pictures where ``splits`` are of the result's set."""
    gallery = Gallery()
    fits = result.config == "mini" and all(
        fits_set([result], one) for one in splits
    )
    if splits and fits:
        gallery = make_gallery([result], splits, pictures)
    return report_text([result], gallery, home="../index.html")


def _index_text(tables: Sequence[BoardTable]) -> str:
    rows = [row for table in tables for row in table.rows]
    return page_template("leaderboard.html").render(
        tables=tables,
        columns=COLUMNS,
        population=POPULATION,
        plots=[_plots(table) for table in tables],
        families=sorted({row.family for row in rows}),
        trainings=sorted({row.training for row in rows} - {""}),
        citation=CITATION,
    )


def _plots(table: BoardTable) -> dict[str, Any]:
    """The plots of a table that can be drawn, and the legend of their marks."""
    texts = {"seen": seen_plot(table), "size": size_plot(table)}
    drawn = {name: text for name, text in texts.items() if text}
    keys = [(name, family_mark(i)) for i, name in enumerate(families_of(table))]
    return {"drawn": drawn, "keys": keys}
