"""Plots go into a paper as they are: their width, their labels, their files."""

from itertools import pairwise

import pytest

from aobench.drawing import (
    ENDINGS,
    FILES_VARIABLE,
    WIDTH_VARIABLE,
    WIDTHS,
    figure_width,
    fit_labels,
    new_figure,
    new_plot,
    one_column,
    plot_endings,
    put_legend,
    put_title,
    save_plot,
)
from aobench.errors import UserError

LONG = "distance from the line, points, mean over runs; bars: 95 % intervals of every group"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_label_lies_outside_its_figure(width):
    for panels in (1, 3):
        with figure_width(width):
            figure, axes = new_plot(9, 2.4, 1, panels)
            for one in [axes] if panels == 1 else axes.flat:
                one.set_xlabel(LONG)
                one.set_ylabel("accuracy, %")
                one.set_yticks([0, 1], ["a name of some length", "another"])
                one.plot([0, 1], [0, 1], label="a")
            put_title(figure, " ".join([LONG] * 2))
            put_legend(
                figure,
                axes if panels == 1 else axes[0, 0],
                "outside right upper",
            )
        assert figure.get_size_inches()[0] == WIDTHS[width]
        fit_labels(figure)
        figure.draw_without_rendering()
        edge = figure.bbox.width
        boxes = [axes.xaxis.label.get_window_extent() for axes in figure.axes]
        for box in [*boxes, figure._suptitle.get_window_extent()]:
            assert -1 <= box.x0 < box.x1 <= edge + 1, (
                f"{width}, {panels} panels: {box}"
            )
        if panels == 3 and width == "page":
            ends = sorted((box.x0, box.x1) for box in boxes)
            assert all(a[1] <= b[0] + 1 for a, b in pairwise(ends))
        for axes in figure.axes:
            assert axes.get_xlabel().startswith("Distance")
            assert axes.get_ylabel() == "Accuracy, %"


def test_panels_side_by_side_stand_above_one_another_in_a_column():
    for width, (down, across) in {"page": (1, 3), "column": (3, 1)}.items():
        with figure_width(width):
            figure, axes = new_plot(9, 2, 1, 3, sharey=True)
        assert axes.shape == (1, 3), "who draws need not know"
        grid = figure.axes[0].get_gridspec()
        assert (grid.nrows, grid.ncols) == (down, across)
        assert figure.get_size_inches()[1] == 2 * down


def test_a_narrow_figure_stays_as_it_is_on_the_page():
    assert new_figure(4.6, 3).get_size_inches()[0] == 4.6
    assert new_figure(12, 3).get_size_inches()[0] == WIDTHS["page"]


def test_vectors_stand_beside_the_picture_and_are_the_same_each_time(
    tmp_path, monkeypatch
):
    monkeypatch.delenv(FILES_VARIABLE, raising=False)

    def draw(folder):
        figure, axes = new_plot(5, 2)
        axes.plot([0, 1], [0, 1])
        axes.set_xlabel("accuracy, %")
        return save_plot(figure, tmp_path / folder / "plot")

    first, second = draw("one"), draw("two")
    assert [path.name for path in first] == ["plot.svg", "plot.pdf", "plot.png"]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    assert first[1].read_bytes().startswith(b"%PDF")
    assert ">Accuracy, %<" in first[0].read_text(), "texts stay texts"


def test_the_variable_asks_for_a_column_and_another_wish_is_one_line(
    monkeypatch,
):
    monkeypatch.setenv(WIDTH_VARIABLE, "column")
    assert one_column()
    with figure_width("page"):
        assert not one_column()
    monkeypatch.setenv(WIDTH_VARIABLE, "poster")
    with pytest.raises(UserError, match="IMAGENET_AO_FIGURES is 'poster'"):
        new_plot(5, 2)
    with pytest.raises(UserError, match="column or page"), figure_width("wide"):
        pass


def test_some_of_the_files_are_asked_for_and_another_wish_is_one_line(
    monkeypatch,
):
    for named, endings in (
        ("pdf", (".pdf",)),
        ("PNG, svg", (".svg", ".png")),
        ("svg pdf png", ENDINGS),
    ):
        monkeypatch.setenv(FILES_VARIABLE, named)
        assert plot_endings() == endings
    for named in ("", "svg tiff"):
        monkeypatch.setenv(FILES_VARIABLE, named)
        with pytest.raises(UserError, match="name one of these or more"):
            plot_endings()


def test_a_legend_of_long_names_stays_within_a_column():
    names = [f"a class for each seen pair, number {i}" for i in range(6)]
    with figure_width("column"):
        figure, axes = new_plot(9, 3, 1, 2)
        for name in names:
            axes[0, 0].plot([0, 1], [0, 1], label=name)
        put_legend(figure, axes[0, 0], ncols=3)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width
    assert [text.get_text() for text in legend.get_texts()] == names


def test_a_long_label_below_a_narrow_plot_takes_the_figures_width():
    with figure_width("column"):
        figure, axes = new_plot(7, 3)
        axes.set_yticks([0, 1], ["a model with a very long name, indeed"] * 2)
        axes.set_xlabel(LONG)
        fit_labels(figure)
        figure.draw_without_rendering()
    box = axes.xaxis.label.get_window_extent()
    assert box.width > axes.get_window_extent().width
    middle = (box.x0 + box.x1) / 2
    assert middle == pytest.approx(figure.bbox.width / 2, abs=8)
