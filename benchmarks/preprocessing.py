"""Preprocessing per core: ours (worker part and normalising) against the model's own PIL processor,
bit for bit.

python benchmarks/preprocessing.py
"""

from __future__ import annotations

import io
import time

import numpy as np
import torch
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import (
    CLIPImageProcessorPil,
)

from aobench.images import read_image
from aobench.mini.render import render
from aobench.models.pixels import PIXELS, transform_of

COUNT, ROUNDS = 32, 7


def pictures(form: str, side: int = 512) -> list[bytes]:
    """Encoded pictures of 512 x 512 with the detail of photographs: mini's, enlarged, with
    grain.
    """
    draw = np.random.default_rng(0)
    out = []
    for index in range(COUNT):
        small = Image.fromarray(
            render("wooden", "banana", np.random.default_rng((1, index)))
        )
        large = np.asarray(
            small.resize((side, side), Image.Resampling.BICUBIC), dtype=np.int16
        )
        grain = draw.normal(0, 6, (side, side, 1)).astype(np.int16)
        stream = io.BytesIO()
        Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8)).save(
            stream, form, quality=90
        )
        out.append(stream.getvalue())
    return out


def best(function: object, items: list[object]) -> float:
    """Milliseconds an item, the best of several rounds over all of them."""
    spans = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        function(items)
        spans.append(time.perf_counter() - began)
    return 1000 * min(spans) / len(items)


def main() -> None:
    """Time both on one core, a batch of images each, and print the ratios; stops if a bit
    differs.
    """
    torch.set_num_threads(1)
    processor = CLIPImageProcessorPil()
    transform = transform_of(processor)
    cpu = torch.device("cpu")

    def theirs(images: list[Image.Image]) -> torch.Tensor:
        return processor(images, return_tensors="pt")["pixel_values"]

    def worker(images: list[Image.Image]) -> torch.Tensor:
        return torch.from_numpy(
            np.stack([transform(image)[PIXELS] for image in images])
        )

    def ours(images: list[Image.Image]) -> torch.Tensor:
        return transform.inputs({PIXELS: worker(images)}, cpu, torch.float32)[
            "pixel_values"
        ]

    def read(encoded: list[bytes]) -> list[Image.Image]:
        return [read_image({"bytes": data}) for data in encoded]

    def read_plainly(encoded: list[bytes]) -> list[Image.Image]:
        return [Image.open(io.BytesIO(data)).convert("RGB") for data in encoded]

    for form in ("JPEG", "PNG", "WEBP"):
        encoded = pictures(form)
        decoded = read(encoded)
        if not torch.equal(ours(decoded), theirs(decoded)):
            raise SystemExit(f"{form}: the bits differ")
        decoding, resizing = best(read, encoded), best(worker, decoded)
        a, b = best(theirs, decoded), best(ours, decoded)
        c, d = (
            best(lambda e: theirs(read_plainly(e)), encoded),
            best(lambda e: ours(read(e)), encoded),
        )
        print(
            f"{form:4} {len(encoded[0]) // 1024:4} KiB: decoding {decoding:.2f} ms; after it: "
            f"processor {a:.2f} ms, "
            f"ours {b:.2f} ms (of that in the worker {resizing:.2f}), {a / b:.2f} x; in all "
            f"{c:.2f} and {d:.2f} ms, "
            f"{c / d:.2f} x; same bits"
        )


if __name__ == "__main__":
    main()
