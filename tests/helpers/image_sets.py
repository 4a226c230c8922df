"""Tables of drawn pictures, and shards of embeddings beside them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from aobench.duplicates.hashes import ImageLooks
from aobench.mini.render import ATTRIBUTES, render

OBJECTS = ("ambulance", "banjo", "castle", "goose", "drum", "hog")


def picture(seed, attribute=None, name=None):
    attribute = attribute or ATTRIBUTES[seed % len(ATTRIBUTES)]
    return Image.fromarray(
        render(
            attribute,
            name or OBJECTS[seed % len(OBJECTS)],
            np.random.default_rng(seed),
        )
    )


class PictureFolder:
    """A table of images in the making."""

    def __init__(self, place):
        self.place, self.rows = place, []
        place.mkdir(parents=True, exist_ok=True)

    def put(self, name, image, ending="png", **options):
        image.save(self.place / f"{name}.{ending}", **options)
        self.rows.append(
            {
                "image_id": name,
                "attribute": "red",
                "object": "cab",
                "file": f"{name}.{ending}",
            }
        )

    def table(self):
        path = self.place / "images.parquet"
        pq.write_table(pa.Table.from_pylist(self.rows), path)
        return path


def shards(folder, arrays, said=None):
    """Shards as LAION ships them."""
    folder.mkdir(exist_ok=True, parents=True)
    for number, array in enumerate(arrays):
        np.save(folder / f"img_emb_{number:04d}.npy", array)
        if said is not None:
            rows = range(len(array))
            table = {
                "url": [f"http://example.org/{number}/{r}.jpg" for r in rows],
                "caption": [said] * len(array),
            }
            pq.write_table(
                pa.table(table),
                folder / f"metadata_{number:04d}.parquet",
                row_group_size=50,
            )
    return folder


def unit_rows(array):
    array = array.astype(np.float64)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def random_looks(count, draw):
    """Hashes in small clouds, in few colours, so that there are pairs at every distance."""
    centres = draw.integers(0, 2**63, 40, dtype=np.uint64)
    places, used = (
        draw.integers(0, 64, (count, 5), np.uint64),
        draw.integers(0, 2, (count, 5), np.uint64),
    )
    flips = (np.uint64(1) << places) * used
    bits = centres[draw.integers(0, 40, count)] ^ np.bitwise_xor.reduce(
        flips, axis=1
    )
    return ImageLooks(
        bits,
        draw.integers(0, 2, (count, 48), dtype=np.uint8) * np.uint8(15),
        {},
    )
