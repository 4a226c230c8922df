"""How plots look, and how they are written: colours, sizes, axes, titles, files.

A plot goes into a paper as it is: as wide as its page (two columns) or as one column, with texts of
7 to 8 points, as SVG and PDF beside a PNG. ``IMAGENET_AO_FIGURES=column``, or `figure_width` from
Python, asks for one column; panels side by side then stand one above another.
``IMAGENET_AO_PLOT_FILES="pdf png"`` asks for some of the files alone.

Colours are those of Okabe and Ito 2008, which people of all kinds of sight tell apart; black last
but one, as it stands out. Groups have a marker each, too. Nothing here knows what is plotted.
"""

from __future__ import annotations

import itertools
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.extras import need_extra
from aobench.files import scratch_file

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
#: As matplotlib calls them.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GRID = "#DDDDDD"
DOTS_PER_INCH = 160
#: Inches: one column of a paper of two, and its page.
WIDTHS = {"column": 3.3, "page": 6.8}
#: The variable that asks for one of WIDTHS.
WIDTH_VARIABLE = "IMAGENET_AO_FIGURES"
#: The files of a plot, and the variable that asks for some of them.
ENDINGS = (".svg", ".pdf", ".png")
FILES_VARIABLE = "IMAGENET_AO_PLOT_FILES"
#: Letters of 8 points that go into an inch.
LETTERS_AN_INCH = 15.5
#: matplotlib's settings of a plot; texts keep their letters, so that they can be searched.
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
}
_width: ContextVar[str] = ContextVar("width of figures", default="")


@contextmanager
def figure_width(name: str) -> Iterator[None]:
    """Figures that are begun in this block have the width ``name``: column (3.3 inches) or page
    (6.8).

    Example:
        >>> with figure_width("column"):
        ...     new_figure(7, 3).get_size_inches().tolist()
        [3.3, 3.0]
    """
    before = _width.set(_known_width(name, "figure_width"))
    try:
        yield
    finally:
        _width.reset(before)


def one_column() -> bool:
    """Whether figures are as wide as one column. Raises UserError for another wish than WIDTHS."""
    if chosen := _width.get():
        return chosen == "column"
    wanted = os.environ.get(WIDTH_VARIABLE, "page")
    return _known_width(wanted, WIDTH_VARIABLE) == "column"


def _known_width(name: str, where: str) -> str:
    if name not in WIDTHS:
        raise UserError(
            f"{where} is {name!r}; figures are as wide as {' or '.join(WIDTHS)}"
        )
    return name


def plot_endings() -> tuple[str, ...]:
    """The endings of a plot's files: all of ENDINGS, or those that FILES_VARIABLE names, in the
    order of ENDINGS. Raises UserError for another.
    """
    named = os.environ.get(FILES_VARIABLE)
    if named is None:
        return ENDINGS
    wanted = {f".{word}" for word in named.lower().replace(",", " ").split()}
    if not wanted or wanted - set(ENDINGS):
        raise UserError(
            f"{FILES_VARIABLE} is {named!r}; plots are written as svg, pdf and png: name one of "
            "these or more"
        )
    return tuple(one for one in ENDINGS if one in wanted)


def group_style(number: int) -> dict[str, Any]:
    """Colour and marker of the ``number``-th group; no two of the first 56 agree in both."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, apart from matplotlib's global state, at most as wide as what it goes into.

    Args:
        width: inches that it would take; one of more than the page gets the page's width, and in
            one column each has the column's.
        height: inches.
    """
    need_extra("matplotlib")
    from matplotlib.figure import Figure

    width = WIDTHS["column"] if one_column() else min(width, WIDTHS["page"])
    return Figure(figsize=(width, height), layout="constrained")


def new_plot(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    **subplots: Any,
) -> tuple[Figure, Any]:
    """:func:`new_figure` with its axes, which have a grid and no frame above and right.

    A row of several panels becomes a column of them where figures are as wide as one column; the
    array of axes is ``rows`` x ``columns`` all the same.
    """
    stacked = rows == 1 < columns and one_column()
    down, across = (columns, 1) if stacked else (rows, columns)
    with paper_style():
        figure = new_figure(width, height * (down if stacked else 1))
        axes = figure.subplots(down, across, squeeze=False, **subplots)
    for one in axes.flat:
        plain_axes(one)
    return figure, axes[0, 0] if rows == columns == 1 else axes.reshape(
        rows, columns
    )


@contextmanager
def paper_style() -> Iterator[None]:
    """What is drawn in this block by hand has the letters and lines of `new_plot`."""
    need_extra("matplotlib")
    import matplotlib

    with matplotlib.rc_context(STYLE):
        yield


def plain_axes(axes: Axes) -> None:
    """A grid behind what is drawn, and no frame above and right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def put_title(figure: Figure, title: str) -> None:
    """The title of a figure, small and from its left edge, in as many lines as it takes."""
    text = _wrapped(title, figure.get_size_inches()[0])
    figure.suptitle(text, x=0.01, ha="left", fontsize=8)


def _wrapped(text: str, inches: float) -> str:
    """``text`` in lines that go into ``inches``; its own line ends stay."""
    width = max(10, int(LETTERS_AN_INCH * inches))
    lines = (textwrap.wrap(line, width) or [""] for line in text.split("\n"))
    return "\n".join(line for some in lines for line in some)


def put_legend(
    figure: Figure,
    axes: Axes,
    place: str = "outside lower center",
    **style: Any,
) -> None:
    """The legend of ``axes`` beside the plot, so that it hides nothing; below it in one column."""
    look: dict[str, Any] = {
        "fontsize": 7,
        "frameon": False,
        "loc": place,
    } | style
    handles, names = axes.get_legend_handles_labels()
    if one_column():
        most = min(2, look.get("ncols", 2))
        fits = _legend_width(names, most) <= figure.get_size_inches()[0]
        look |= {
            "loc": "outside lower center",
            "ncols": most if fits else 1,
        }
    figure.legend(handles, names, **look)


def _legend_width(names: Sequence[str], columns: int) -> float:
    """About how many inches a legend of so many columns takes, in letters of 7 points."""
    rows = -(-len(names) // columns)
    parts = [names[i : i + rows] for i in range(0, len(names), rows)]
    return sum(0.5 + max(map(len, part)) / 21 for part in parts)


def fit_labels(figure: Figure) -> None:
    """Make the axes' labels sentences in letters of 8 points, in as many lines as there is room
    for.
    """
    width, height = figure.get_size_inches()
    labels = [
        (axes, axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes
    ]
    if any(
        len(line) > 4 * width for _, x, _ in labels for line in x.split("\n")
    ):
        figure.draw_without_rendering()  # so that it is known where the axes stand
    panels = len({round(axes.get_position().x0, 2) for axes, _, _ in labels})
    for axes, across, up in labels:
        place = axes.get_position()
        middle = (place.x0 + place.x1) / 2
        room = min(2 * min(middle, 1 - middle), 1 / panels if panels > 1 else 1)
        look: dict[str, Any] = {"fontsize": 8}
        lines = _wrapped(across, room * width)
        if panels == 1 and lines != across:
            # below a narrow plot there is room to both sides: the figure's middle, not the plot's
            lines = _wrapped(across, 0.94 * width)
            look["x"] = (0.5 - place.x0) / place.width
        axes.set_xlabel(_sentence(lines), **look)
        axes.set_ylabel(_sentence(_wrapped(up, height)), fontsize=8)


def _sentence(text: str) -> str:
    """``text`` with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def save_plot(
    figure: Figure,
    path: Path,
    endings: tuple[str, ...] = (),
) -> list[Path]:
    """Write ``path`` with each of the ``endings`` (("",): as it is; by default `plot_endings`);
    returns the paths. The same figure gives the same bytes.

    Raises UserError where that fails.
    """
    import matplotlib

    paths = [
        path.with_name(path.name + ending)
        for ending in endings or plot_endings()
    ]
    fit_labels(figure)
    fixed: dict[Any, Any] = {
        "svg.hashsalt": path.name,
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
    }
    layout = figure.get_layout_engine()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for file in paths:
            kind = file.suffix[1:] or "png"
            with scratch_file(file) as scratch, matplotlib.rc_context(fixed):
                figure.savefig(scratch, format=kind, **_file_options(file))
            # The first settles where all stands; to find that again takes longer than to draw it.
            figure.set_layout_engine("none")
    except OSError as error:
        raise UserError(f"{path} could not be written: {error}") from error
    finally:
        figure.set_layout_engine(layout)
    return paths


def _file_options(file: Path) -> dict[str, Any]:
    """Of a vector format no date, so that the bytes are the same; of others how fine they are."""
    dates = {".svg": "Date", ".pdf": "CreationDate"}
    if file.suffix in dates:
        return {"metadata": {dates[file.suffix]: None}}
    return {"dpi": DOTS_PER_INCH}


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
        lines.append(
            f"Drawn: {shown}: {', '.join(str(path) for path in files)}"
        )
    return lines


def draw_series(
    panel: Axes,
    x: Any,
    bounds: tuple[Any, Any, Any],
    look: Mapping[str, Any],
    label: str,
) -> None:
    """Draw a line through values with the bars of their intervals; ``bounds``: value, low, high."""
    middle, low, high = bounds
    panel.errorbar(
        x,
        middle,
        yerr=[middle - low, high - middle],
        **look,
        markersize=5,
        linewidth=1.2,
        elinewidth=1,
        capsize=2,
        label=label,
    )
