"""The leaderboard's plot of ID against OoD accuracy, as HTML that plotly's script draws."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from aobench.drawing import COLOURS, PLOTLY_MARKERS

#: A model's row, and its ID and OoD accuracy in percent with their intervals.
Point = tuple[dict[str, Any], dict[str, float], dict[str, float]]


def scatter_html(group: dict[str, Any]) -> str:
    """The ID-OoD scatter of a group as an HTML fragment, '' where a split lacks; the page loads
    plotly's script.
    """
    import plotly.graph_objects as go

    points = _points(group)
    if not points:
        return ""
    figure = go.Figure()
    for number, family in enumerate(sorted({row["family"] for row, _, _ in points})):
        _add_family(figure, family, number, points)
    low = min(min(a["low"], b["low"]) for _, a, b in points)
    figure.add_scatter(
        x=[low, 100],
        y=[low, 100],
        mode="lines",
        name="OoD = ID",
        line={"dash": "dot", "color": "#666"},
    )
    if len(points) >= 3 and len({a["value"] for _, a, _ in points}) > 1:
        _add_fit(figure, points)
    figure.update_layout(
        template="plotly_white",
        height=440,
        margin={"l": 50, "r": 10, "t": 20, "b": 50},
        legend={"orientation": "h", "y": -0.2},
        xaxis_title=f"ID {group['main']} top-1, %",
        yaxis_title=f"OoD {group['main']} top-1, %",
        font={"size": 13},
    )
    options = {"displaylogo": False, "responsive": True}
    return figure.to_html(full_html=False, include_plotlyjs=False, config=options)


def _points(group: dict[str, Any]) -> list[Point]:
    """The models of the group that have its main accuracy on both splits."""
    if group["splits"] != ["id", "ood"]:
        return []
    main = group["main"]
    points = [
        (row, row["figures"]["id"][main], row["figures"]["ood"][main])
        for row in group["rows"]
    ]
    return [point for point in points if point[1] and point[2]]


def _add_family(figure: Any, family: str, number: int, points: Sequence[Point]) -> None:
    """The models of one family, in its colour and with its marker."""
    mine = [point for point in points if point[0]["family"] == family]
    figure.add_scatter(
        x=[a["value"] for _, a, _ in mine],
        y=[b["value"] for _, _, b in mine],
        mode="markers",
        name=family,
        text=[row["id"] for row, _, _ in mine],
        error_x=_bars([a for _, a, _ in mine]),
        error_y=_bars([b for _, _, b in mine]),
        marker={
            "symbol": PLOTLY_MARKERS[number % len(PLOTLY_MARKERS)],
            "size": 11,
            "color": COLOURS[number % len(COLOURS)],
        },
        hovertemplate="%{text}<br>ID %{x:.1f} %, OoD %{y:.1f} %<extra>"
        + html.escape(family)
        + "</extra>",
    )


def _bars(values: Sequence[dict[str, float]]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "thickness": 1,
        "array": [v["high"] - v["value"] for v in values],
        "arrayminus": [v["value"] - v["low"] for v in values],
    }


def _add_fit(figure: Any, points: Sequence[Point]) -> None:
    """The least-squares line on the logit scale over all points of the group."""
    import numpy as np
    from compositional_ood.compositional_ood import TRANSFORMS

    scale = TRANSFORMS["logit"]
    known, novel = (
        np.clip([point[i]["value"] / 100 for point in points], 0.001, 0.999)
        for i in (1, 2)
    )
    slope, intercept = np.polyfit(scale.forward(known), scale.forward(novel), 1)
    grid = np.linspace(known.min(), known.max(), 60)
    figure.add_scatter(
        x=100 * grid,
        y=100 * scale.inverse(slope * scale.forward(grid) + intercept),
        mode="lines",
        line={"color": "#444"},
        name=f"logit fit over these {len(points)}: slope {slope:.2f}",
    )
