"""The page that shows what was removed and what nearly was: two pictures side by side, distances,
decision.

One file without outside requests: pictures stand in it as small WebP, histograms as SVG; a
reference's picture only where its metadata names a local file, otherwise its caption and address as
text. All text is escaped by jinja2.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.duplicates.decide import NearThresholds
from aobench.duplicates.hashes import FAR
from aobench.duplicates.images import ImageSet
from aobench.duplicates.reasons import (
    NEAR_DUPLICATE,
    NEAR_REFERENCE,
    UNREADABLE,
    count_codes,
)
from aobench.files import write_in_one_move
from aobench.images import BadImageError, read_image

if TYPE_CHECKING:
    import pyarrow as pa

SIDE = 224  #: of a picture on the page, pixels
BINS = 40
MOST_UNREADABLE = 100  #: listed
#: The plot's inside, in units of the SVG.
LEFT, RIGHT, TOP, BOTTOM = 34, 352, 26, 150

Row = dict[str, Any]


def write_report(
    path: Path,
    images: ImageSet,
    decisions: pa.Table,
    thresholds: NearThresholds,
    sources: Mapping[str, Any],
    unreadable: Mapping[int, str],
    most: int,
) -> None:
    """Write the page of ``decisions`` to ``path``: at most ``most`` pairs in each part, and how
    many were left out.

    ``sources``: model (its info or None), index (or None) and the reference's patterns.
    ``unreadable``: why, by the image's position.
    """
    import jinja2

    rows = decisions.to_pylist()
    by_id = {row["image_id"]: number for number, row in enumerate(rows)}
    pictures = _Pictures(images)
    parts = [
        {
            **part,
            "all": len(part["rows"]),
            "pairs": [
                _pair(row, by_id, pictures) for row in part["rows"][:most]
            ],
        }
        for part in _parts(rows)
    ]
    source = (
        resources.files("aobench.duplicates")
        .joinpath("page.html")
        .read_text(encoding="utf-8")
    )
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined
    ).from_string(source)
    page = template.render(
        parts=parts,
        thresholds=asdict(thresholds),
        counts=_counts(rows),
        histograms=_histograms(rows, thresholds),
        unreadable=[
            {
                "id": images.ids[row],
                "file": images.files[row],
                "why": unreadable[row],
            }
            for row in sorted(unreadable)[:MOST_UNREADABLE]
        ],
        unreadable_all=len(unreadable),
        far=FAR,
        side=SIDE,
        **sources,
    )
    write_in_one_move(path, page.encode())


def _counts(rows: Sequence[Row]) -> dict[str, int]:
    removed = count_codes(row["reason_code"] for row in rows)
    return {
        "images": len(rows),
        "kept": sum(row["kept"] for row in rows),
        "near-duplicates removed": removed[NEAR_DUPLICATE],
        "too near to the reference": removed[NEAR_REFERENCE],
        "unreadable": removed[UNREADABLE],
        "borderline": sum(row["borderline"] for row in rows),
    }


def _parts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The page's lists of pairs, the least alike first: there a threshold errs."""
    doubtful = [row for row in rows if row["borderline"]]
    sure = [row for row in rows if not row["kept"] and not row["borderline"]]
    return [
        {
            "name": "borderline",
            "title": "Borderline: look at these first",
            "rows": sorted(doubtful, key=_likeness),
            "about": "Moving a threshold by its width would change these decisions, removed or "
            "kept.",
        },
        {
            "name": "duplicates",
            "title": "Removed: near-duplicates in the set",
            "rows": sorted(
                (r for r in sure if r["reason_code"] == NEAR_DUPLICATE),
                key=_likeness,
            ),
            "about": "The kept image stands before the removed one in the table. The least alike "
            "pairs come first.",
        },
        {
            "name": "reference",
            "title": "Removed: too near to the reference",
            "rows": sorted(
                (r for r in sure if r["reason_code"] == NEAR_REFERENCE),
                key=_likeness,
            ),
            "about": "The nearest row of the reference, the least alike first. Nothing is fetched "
            "to show it.",
        },
    ]


def _with_reference(row: Row) -> bool:
    return row["reason_code"] == NEAR_REFERENCE or row["compared_with"] is None


def _likeness(row: Row) -> tuple[float, float, str]:
    """Sorts the least alike pair first; the id settles ties, so that the page is the same each
    time.
    """
    if _with_reference(row):
        return (0.0, row["reference_cosine"], row["image_id"])
    cosine = row["compared_cosine"]
    return (
        -row["compared_hash_distance"],
        -1.0 if cosine is None else cosine,
        row["image_id"],
    )


def _pair(
    row: Row, by_id: dict[str, int], pictures: _Pictures
) -> dict[str, Any]:
    """What the template shows of a row and of what it was compared with."""
    one = {
        "id": row["image_id"],
        "said": pictures.images.claim(by_id[row["image_id"]]),
        "picture": pictures.of(by_id[row["image_id"]]),
    }
    decision = "kept" if row["kept"] else f"removed: {row['reason']}"
    distances: list[tuple[str, str]] = []
    if _with_reference(row):
        reference = row["nearest_reference"]
        other = {
            "id": f"{Path(reference['file']).name} row {reference['row']}",
            "said": reference["caption"] or "no caption",
            "url": reference["url"],
            "picture": pictures.local(reference["path"]),
        }
        distances.append(
            ("cosine to the reference", f"{row['reference_cosine']:.4f}")
        )
    else:
        number = by_id[row["compared_with"]]
        other = {
            "id": row["compared_with"],
            "said": pictures.images.claim(number),
            "url": None,
            "picture": pictures.of(number),
        }
        distances.append(
            ("bits apart", f"{row['compared_hash_distance']} of 64")
        )
        distances.append(("colours apart", f"{row['compared_colour']} of 255"))
        if row["compared_cosine"] is not None:
            distances.append(("cosine", f"{row['compared_cosine']:.4f}"))
    return {
        "one": one,
        "other": other,
        "distances": distances,
        "decision": decision,
        "kept": row["kept"],
        "borderline": row["borderline"],
    }


class _Pictures:
    """Small pictures as data addresses; None for what cannot be read."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images

    def of(self, number: int) -> str | None:
        return self._small(self.images.paths[number])

    def local(self, path: str | None) -> str | None:
        return (
            self._small(Path(path)) if path and Path(path).is_file() else None
        )

    def _small(self, path: Path) -> str | None:
        try:
            image = read_image({"bytes": None, "path": str(path)}, draft=SIDE)
        except BadImageError:
            return None
        image.thumbnail((SIDE, SIDE))
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=75)
        return (
            "data:image/webp;base64,"
            + base64.b64encode(stream.getvalue()).decode()
        )


def _histograms(
    rows: Sequence[Row], thresholds: NearThresholds
) -> list[dict[str, Any]]:
    """Nearest distances of the images, one plot a measure, those that were measured."""
    good = [row for row in rows if row["reason_code"] != UNREADABLE]
    bits = [
        FAR + 1 if row["hash_distance"] is None else row["hash_distance"]
        for row in good
    ]
    near, wide = thresholds.hash_distance, thresholds.hash_width
    plots = [
        _plot(
            "Bits to the nearest other image",
            bits,
            [i - 0.5 for i in range(FAR + 3)],
            (near + 0.5, near - wide + 0.5, near + wide + 0.5),
            f"near at {near} bits or fewer",
            -1,
        )
    ]
    t = thresholds
    for column, title, least, width in (
        (
            "cosine_in_set",
            "Cosine to the nearest other image",
            t.cosine_in_set,
            t.cosine_width,
        ),
        (
            "reference_cosine",
            "Cosine to the nearest reference",
            t.reference_cosine,
            t.reference_width,
        ),
    ):
        values = [row[column] for row in good if row[column] is not None]
        if values:
            low = min(0.8, math.floor(min(values) * 20) / 20)
            edges = [low + (1 - low) * i / BINS for i in range(BINS + 1)]
            band = (
                None
                if least is None
                else (least, least - width, min(1.0, least + width))
            )
            said = (
                "no threshold: measured only"
                if least is None
                else f"near from {least:g} on"
            )
            plots.append(_plot(title, values, edges, band, said, 1))
    return plots


def _plot(
    title: str,
    values: Sequence[float],
    edges: Sequence[float],
    band: tuple[float, float, float] | None,
    said: str,
    near_side: int,
) -> dict[str, Any]:
    """Coordinates of a histogram with logarithmic heights; ``band``: the threshold and the ends
    of the doubt.
    """
    counts = _bin_counts(values, edges)
    whole = near_side < 0
    near = 0
    if band is not None:
        near = sum((value - band[0]) * near_side >= -1e-9 for value in values)
    return {
        "title": title,
        "said": said,
        "bars": _bars(counts, edges),
        "whole": whole,
        "n": len(values),
        "near": near,
        "band": _band(band, edges),
        "ticks": _ticks(edges, whole),
        "heights": _heights(max(counts)),
    }


def _bin_counts(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values fall between two edges; those beyond an end count in the last bin there."""
    counts = [0] * (len(edges) - 1)
    span = edges[-1] - edges[0]
    for value in values:
        place = int((value - edges[0]) / span * len(counts))
        counts[max(0, min(len(counts) - 1, place))] += 1
    return counts


def _across(value: float, edges: Sequence[float]) -> float:
    """The place of a value from left to right."""
    share = (value - edges[0]) / (edges[-1] - edges[0])
    return round(LEFT + (RIGHT - LEFT) * max(0.0, min(1.0, share)), 1)


def _height(count: float, most: int) -> float:
    """How high a count stands, on a logarithmic scale."""
    return (
        (BOTTOM - TOP) * math.log1p(count) / math.log1p(most) if count else 0.0
    )


def _bars(
    counts: Sequence[int], edges: Sequence[float]
) -> list[dict[str, Any]]:
    bars = []
    for count, low, high in zip(counts, edges, edges[1:], strict=False):
        left = _across(low, edges)
        height = _height(count, max(counts))
        bars.append(
            {
                "x": left,
                "y": round(BOTTOM - height, 1),
                "n": count,
                "height": round(height, 1),
                "width": round(max(1.0, _across(high, edges) - left - 1), 1),
                "low": low,
                "high": high,
            }
        )
    return bars


def _band(
    band: tuple[float, float, float] | None, edges: Sequence[float]
) -> dict[str, float] | None:
    if band is None:
        return None
    names = ("at", "from", "to")
    return {
        name: _across(value, edges)
        for name, value in zip(names, band, strict=True)
    }


def _ticks(edges: Sequence[float], whole: bool) -> list[dict[str, Any]]:
    """Marks below the histogram: of whole numbers every fourth, of others five."""
    if not whole:
        span = edges[-1] - edges[0]
        places = [edges[0] + span * i / 4 for i in range(5)]
        return [{"x": _across(t, edges), "text": f"{t:.2f}"} for t in places]
    far = {"x": _across(FAR + 1, edges), "text": f">{FAR}"}
    near = [{"x": _across(t, edges), "text": str(t)} for t in range(0, FAR, 4)]
    return [*near, far]


def _heights(most: int) -> list[dict[str, Any]]:
    """Marks at the side: powers of ten."""
    tens = [10**i for i in range(6) if 10**i <= most]
    return [
        {"y": round(BOTTOM - _height(t, most), 1), "text": f"{t:,}"}
        for t in tens
    ]
