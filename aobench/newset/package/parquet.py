"""The dataset's Parquet files: the columns of ``imagenet_ao``, with the set's own names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from aobench.errors import UserError
from aobench.files import read_file, sha256_of

SHARD = 2000  # images in a Parquet file
GROUP = 100  # images in a row group


def set_features(images: Sequence[Mapping[str, Any]]) -> Any:
    """The columns of ``imagenet_ao``, with the set's own names, sorted."""
    import datasets

    text = datasets.Value("string")
    return datasets.Features(
        {
            "image": datasets.Image(),
            "sample_id": text,
            "attribute": datasets.ClassLabel(
                names=sorted({row["attribute"] for row in images})
            ),
            "object": datasets.ClassLabel(
                names=sorted({row["object"] for row in images})
            ),
            "composition": text,
            "imagenet_label": datasets.Value("int32"),
            "wnid": text,
            "source": text,
            "caption_count": datasets.Value("int64"),
            "sha256": text,
        }
    )


def caption_counts(
    compositions: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, str], int]:
    """Captions of each composition, summed over the corpora."""
    return {
        (row["attribute"], row["object"]): sum(
            n for key, n in row.items() if key.startswith("captions_")
        )
        for row in compositions
    }


def write_shards(
    where: Path,
    split: str,
    images: Sequence[Mapping[str, Any]],
    counts: Mapping[tuple[str, str], int],
    features: Any,
    source: Path,
) -> None:
    """Write the images of a split in files of `SHARD`, with their bytes, from ``source``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    where.mkdir(parents=True, exist_ok=True)
    shards = -(-len(images) // SHARD)
    with tqdm(
        total=len(images), desc=f"package {split}", unit="image", disable=None
    ) as bar:
        for shard in range(shards):
            path = where / f"{split}-{shard:05d}-of-{shards:05d}.parquet"
            with pq.ParquetWriter(
                path, features.arrow_schema, compression="zstd"
            ) as writer:
                rows = images[shard * SHARD : (shard + 1) * SHARD]
                for start in range(0, len(rows), GROUP):
                    group = [
                        _row(row, counts, features, source)
                        for row in rows[start : start + GROUP]
                    ]
                    writer.write_table(
                        pa.Table.from_pylist(
                            group, schema=features.arrow_schema
                        )
                    )
                    bar.update(len(group))


def _row(
    row: Mapping[str, Any],
    counts: Mapping[tuple[str, str], int],
    features: Any,
    source: Path,
) -> dict[str, Any]:
    import imagenet_ao

    data = read_file(source / row["file"], "the image")
    if sha256_of(data) != row["sha256"]:
        raise UserError(
            f"{source / row['file']} is not the image that was generated; run the step generate "
            "again"
        )
    wnid, label = imagenet_ao.OBJECTS.get(row["object"], (None, None))
    return {
        "image": {"bytes": data, "path": None},
        "sample_id": row["image_id"],
        "attribute": features["attribute"].str2int(row["attribute"]),
        "object": features["object"].str2int(row["object"]),
        "composition": f"{row['attribute']} {row['object']}",
        "imagenet_label": label,
        "wnid": wnid,
        "source": row["file"],
        "caption_count": counts[row["attribute"], row["object"]],
        "sha256": row["sha256"],
    }
