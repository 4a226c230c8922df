"""How plots look, and how they are written: colours, axes, titles, files.

Colours are those of Okabe and Ito 2008, which people of all kinds of sight tell apart; black last
but one, as it stands out. Groups have a marker each, too. Nothing here knows what is plotted.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.extras import need_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#000000",
    "#8A8A00",
)
#: As matplotlib calls them, and as plotly does.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
PLOTLY_MARKERS = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "triangle-down",
    "cross",
    "x",
)
GRID = "#DDDDDD"
DOTS_PER_INCH = 160


def group_style(number: int) -> dict[str, Any]:
    """Colour and marker of the ``number``-th group; no two of the first 56 agree in both."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` x ``height`` inches, apart from matplotlib's global state."""
    need_extra("matplotlib")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def new_plot(
    width: float, height: float, rows: int = 1, columns: int = 1, **subplots: Any
) -> tuple[Figure, Any]:
    """:func:`new_figure` with its axes, which have a grid and no frame above and right."""
    figure = new_figure(width, height)
    axes = figure.subplots(rows, columns, squeeze=False, **subplots)
    for one in axes.flat:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(True, color=GRID, linewidth=0.6)
        one.set_axisbelow(True)
    return figure, axes[0, 0] if rows == columns == 1 else axes


def put_title(figure: Figure, title: str) -> None:
    """The title of a figure, small and from its left edge, so that it may be long."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)


def put_legend(
    figure: Figure, axes: Axes, place: str = "outside lower center", **style: Any
) -> None:
    """The legend of ``axes`` beside the plot, so that it hides nothing."""
    look: dict[str, Any] = {"fontsize": 8, "frameon": False, "loc": place} | style
    figure.legend(*axes.get_legend_handles_labels(), **look)


def save_plot(
    figure: Figure, path: Path, endings: tuple[str, ...] = (".svg", ".png")
) -> list[Path]:
    """Write ``path`` with each of the ``endings`` (("",): as it is); returns the paths. The same
    figure gives the same bytes.

    Raises UserError where that fails.
    """
    import matplotlib

    paths = [path.with_name(path.name + ending) for ending in endings]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for file in paths:
            svg = file.suffix == ".svg"
            options: dict[str, Any] = (
                {"metadata": {"Date": None}} if svg else {"dpi": DOTS_PER_INCH}
            )
            fixed: dict[Any, Any] = {"svg.hashsalt": path.name, "svg.fonttype": "none"}
            with matplotlib.rc_context(fixed):
                figure.savefig(file, **options)
    except OSError as error:
        raise UserError(f"{path} could not be written: {error}") from error
    return paths


def drawn_lines(paths: Sequence[Path], words: Mapping[str, str]) -> list[str]:
    """What was drawn and where: a line for each figure, which may have several files.

    Args:
        paths: the files, a figure's one after another.
        words: by the files' common name without ending what the figure shows.

    Example:
        >>> drawn_lines([Path("a.svg"), Path("a.png")], {"a": "OoD over ID"})
        ['Drawn: OoD over ID: a.svg, a.png']
    """
    lines = []
    for stem, files in itertools.groupby(paths, lambda path: path.stem):
        shown = words.get(stem, stem.replace("_", " "))
        lines.append(f"Drawn: {shown}: {', '.join(str(path) for path in files)}")
    return lines
