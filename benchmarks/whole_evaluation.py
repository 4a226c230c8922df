"""A whole evaluation against the bare forward passes of its image tower, and against transformers'
pipeline.

    python benchmarks/whole_evaluation.py --images 256 --candidates 200

ViT-B/32 with random weights, 512 px JPEG, this machine's processor or GPU. 1: the forward passes
alone, of pixels that lie ready, at the best of several batch sizes, before and after the runner. 2:
the image phase of the runner (reading, decoding, resizing, forward passes, writing) and its
scoring, the classifier being on disk. 3: the runner from start to end in its own process. 4:
pipeline("zero-shot-image-classification") on the same images and candidates, one prompt each.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch
from models_at_size import saved
from PIL import Image
from preprocessing import pictures

import imagenet_ao
from aobench.models.base import LoadOptions
from aobench.models.registry import resolve

ROOT = Path(__file__).parents[1]


def write_images(
    folder: Path,
    images: int,
    candidates: int,
    attributes: list[str],
    objects: list[str],
) -> list[str]:
    """A set in the published layout: ``images`` 512 px JPEGs over ``candidates`` compositions;
    returns their names.
    """
    shutil.rmtree(folder, ignore_errors=True)
    encoded = pictures("JPEG")
    pairs = [
        (attributes[i % len(attributes)], objects[7 * i % len(objects)])
        for i in range(candidates)
    ]
    for i in range(max(images, candidates)):
        attribute, thing = pairs[i % candidates]
        place = folder / f"{attribute}_{thing}".replace(" ", "_")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i:05d}.jpg").write_bytes(encoded[i % len(encoded)])
    return [f"{a} {o}" for a, o in pairs]


def forward_alone(model: object, count: int, size: int) -> float:
    """Seconds of the image tower alone for ``count`` images in batches of ``size``, the pixels
    lying ready.
    """
    pixels = torch.randn(
        size, 3, 224, 224, device=model.device, dtype=model.model.dtype
    )
    with torch.inference_mode():
        model.model.get_image_features(pixel_values=pixels)
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(count // size):
            model.model.get_image_features(pixel_values=pixels)
        if model.device.type == "cuda":
            torch.cuda.synchronize()
    return (time.perf_counter() - began) * count / (count // size * size)


def main() -> None:
    """Run the four one after another and print seconds and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--size", default="ViT-B/32")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--no-pipeline", action="store_true")
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp/imagenet-ao-benchmarks")
    )
    args = parser.parse_args()
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    source = saved(args.size, args.folder)
    attributes, objects = (
        list(imagenet_ao.ATTRIBUTES),
        list(imagenet_ao.OBJECTS),
    )
    data = args.folder / "images"
    names = write_images(
        data, args.images, args.candidates, attributes, objects
    )
    (args.folder / "one.txt").write_text("a photo of a {}.\n")
    model = resolve(source).load(device, LoadOptions(args.dtype))
    print(
        f"{args.size}, {args.dtype}, {args.images} JPEGs of 512 px, {len(names)} candidates, "
        f"{device}, "
        f"{torch.get_num_threads()} threads"
    )
    sizes = {
        size: forward_alone(model, 64 if not gpu else 2048, size)
        for size in ([64, 128, 256] if gpu else [8, 16, 32])
    }
    size = min(sizes, key=sizes.__getitem__)
    before = forward_alone(model, args.images, size)

    out = args.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [
        sys.executable,
        str(ROOT / "evaluate_models.py"),
        source,
        "--data",
        str(data),
        "--templates",
        str(args.folder / "one.txt"),
        "--out",
        str(out),
        "--dtype",
        args.dtype,
        "--batch-size",
        str(size),
        "--tasks",
        "composition-own",
    ]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    whole = time.perf_counter() - began
    bare = (before + forward_alone(model, args.images, size)) / 2
    print(
        f"forward passes alone, batches of {size}, once before and once after the runner: "
        f"{bare:.2f} s on average, "
        f"{args.images / bare:.1f} images/s"
    )
    result = json.loads(next(out.glob("*/results.json")).read_text())
    seconds = result["seconds"]["ood"]
    phases = ", ".join(
        f"{name} {value:.2f} s" for name, value in seconds.items()
    )
    evaluation = seconds["images"] + seconds["scoring"]
    print(
        f"runner: load {result['seconds']['load']:.2f} s, {phases}; images and scoring "
        f"{evaluation / bare:.3f} x the "
        f"forward passes alone; process from start to end {whole:.1f} s"
    )
    if args.no_pipeline:
        return
    from transformers import pipeline

    guess = pipeline(
        "zero-shot-image-classification",
        model=source,
        device=device,
        dtype=model.model.dtype,
    )
    files = sorted(data.rglob("*.jpg"))[: args.images]
    decoded = [
        Image.open(io.BytesIO(path.read_bytes())).convert("RGB")
        for path in files
    ]
    share = decoded[: max(8, min(len(decoded), 32 if not gpu else 256))]
    began = time.perf_counter()
    guess(
        share,
        candidate_labels=names,
        hypothesis_template="a photo of a {}.",
        batch_size=8,
    )
    theirs = (time.perf_counter() - began) * len(decoded) / len(share)
    total = evaluation + seconds["texts"]
    print(
        f"pipeline: {theirs:.1f} s (from {len(share)} images); runner's texts, images and scoring "
        f"{total:.2f} s: "
        f"{theirs / total:.1f} x"
    )


if __name__ == "__main__":
    main()
