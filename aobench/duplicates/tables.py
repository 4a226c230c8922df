"""The tables that a comparison writes: a decision on each image, and each image's neighbours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.duplicates.decide import ImageMeasures, SetDecisions
from aobench.duplicates.hashes import bits_apart, colours_apart
from aobench.duplicates.images import ImageSet
from aobench.duplicates.neighbours import exact_cosines
from aobench.files import write_in_one_move

if TYPE_CHECKING:
    import pyarrow as pa


def decisions_table(
    images: ImageSet,
    measured: ImageMeasures,
    verdicts: SetDecisions,
    references: Sequence[dict[str, Any] | None],
) -> pa.Table:
    """The decisions, one row an image in the set's order.

    ``reason_code`` and ``reason`` are empty for an image that stays (see ``reasons``).
    ``compared_with`` is the kept image before it that decided or nearly did, with their bits,
    colour and cosine; ``nearest_in_set`` the most alike other image by cosine (by hash without a
    model), kept or not; ``nearest_by_hash`` and ``hash_distance`` by hash, null where none is
    within 16 bits in like colours; ``nearest_reference`` a struct of file, row, caption, url, key
    and path.
    """
    import pyarrow as pa

    ids, partner = images.ids, verdicts.chosen.partner
    near, bits = measured.by_hash
    other = measured.in_set.row[:, 0] if measured.in_set is not None else near
    cosine = (
        measured.in_set.score[:, 0]
        if measured.in_set is not None
        else np.full(len(ids), -np.inf)
    )
    to_reference = (
        measured.reference.score[:, 0]
        if measured.reference is not None
        else np.full(len(ids), -np.inf)
    )
    columns: dict[str, Any] = {
        "image_id": ids,
        "attribute": images.attributes,
        "object": images.objects,
        "file": images.files,
        "kept": verdicts.kept.tolist(),
        "reason_code": [why.code if why else "" for why in verdicts.reasons],
        "reason": [why.text if why else "" for why in verdicts.reasons],
        "borderline": verdicts.borderline.tolist(),
        "compared_with": _named(ids, partner),
        "compared_cosine": [None] * len(ids),
        **_compared_with_partner(measured, partner),
        "nearest_in_set": _named(ids, other),
        "cosine_in_set": _finite(cosine),
        "nearest_by_hash": _named(ids, near),
        "hash_distance": [int(b) if b >= 0 else None for b in bits],
        "nearest_reference": list(references),
        "reference_cosine": _finite(to_reference),
    }
    schema = decisions_schema()
    return pa.table(
        {name: columns[name] for name in schema.names}, schema=schema
    )


def decisions_schema() -> pa.Schema:
    """Columns and types of decisions.parquet."""
    import pyarrow as pa

    text, whole, number = pa.string(), pa.int32(), pa.float32()
    reference = pa.struct(
        [
            ("file", text),
            ("row", pa.int64()),
            ("caption", text),
            ("url", text),
            ("key", text),
            ("path", text),
        ]
    )
    return pa.schema(
        [
            ("image_id", text),
            ("attribute", text),
            ("object", text),
            ("file", text),
            ("kept", pa.bool_()),
            ("reason_code", text),
            ("reason", text),
            ("borderline", pa.bool_()),
            ("compared_with", text),
            ("compared_hash_distance", whole),
            ("compared_colour", whole),
            ("compared_cosine", number),
            ("nearest_in_set", text),
            ("cosine_in_set", number),
            ("nearest_by_hash", text),
            ("hash_distance", whole),
            ("nearest_reference", reference),
            ("reference_cosine", number),
        ]
    )


def _compared_with_partner(
    measured: ImageMeasures, partner: np.ndarray
) -> dict[str, list[Any]]:
    """How far each image is from the kept one that decided on it; None where there is none."""
    paired = np.nonzero(partner >= 0)[0]
    apart = {
        "compared_hash_distance": bits_apart(
            measured.looks, paired, partner[paired]
        ),
        "compared_colour": colours_apart(
            measured.looks, paired, partner[paired]
        ),
    }
    if measured.vectors is not None:
        apart["compared_cosine"] = exact_cosines(
            measured.vectors, measured.vectors, paired, partner[paired]
        )
    where = {row: i for i, row in enumerate(paired.tolist())}
    return {
        name: [
            values[where[row]].item() if row in where else None
            for row in range(len(partner))
        ]
        for name, values in apart.items()
    }


def _named(ids: Sequence[str], rows: np.ndarray) -> list[str | None]:
    return [ids[row] if row >= 0 else None for row in rows]


def _finite(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def neighbours_table(
    images: ImageSet,
    measured: ImageMeasures,
    references: list[list[dict[str, Any]]],
) -> pa.Table:
    """One row a neighbour: where it is ("set", with its id and hash, or "reference"), its rank
    from 1, its cosine.
    """
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    for image in range(len(images)):
        if measured.in_set is not None:
            rows += _neighbours_in_set(images, measured, image)
        if measured.reference is not None:
            scores = measured.reference.score[image]
            rows += [
                {
                    "image_id": images.ids[image],
                    "where": "reference",
                    "rank": rank + 1,
                    "cosine": scores[rank],
                    **reference,
                }
                for rank, reference in enumerate(references[image])
            ]
    text, whole = pa.string(), pa.int32()
    schema = pa.schema(
        [
            ("image_id", text),
            ("where", text),
            ("rank", whole),
            ("cosine", pa.float32()),
            ("neighbour_id", text),
            ("hash_distance", whole),
            ("colour", whole),
            ("file", text),
            ("row", pa.int64()),
            ("caption", text),
            ("url", text),
            ("key", text),
            ("path", text),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def _neighbours_in_set(
    images: ImageSet, measured: ImageMeasures, image: int
) -> list[dict[str, Any]]:
    """An image's neighbours in the set, the nearest first."""
    assert measured.in_set is not None
    other = measured.in_set.row[image]
    other = other[other >= 0]
    same = np.full(len(other), image)
    bits = bits_apart(measured.looks, same, other)
    colours = colours_apart(measured.looks, same, other)
    return [
        {
            "image_id": images.ids[image],
            "where": "set",
            "rank": rank + 1,
            "neighbour_id": images.ids[position],
            "cosine": measured.in_set.score[image, rank],
            "hash_distance": int(bits[rank]),
            "colour": int(colours[rank]),
        }
        for rank, position in enumerate(other.tolist())
    ]


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet, whole or not at all."""
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    write_in_one_move(path, stream.getvalue())
