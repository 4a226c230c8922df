"""The stock of the verb build: a configuration with all its files, and two builds carried out."""

from __future__ import annotations

import io
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def command(*arguments: str) -> None:
    """Run a command of the product; its output is of no interest, its failure ends everything."""
    from aobench.cli import main

    with redirect_stdout(io.StringIO()):
        status = main(arguments)
    if status:
        raise SystemExit(
            f"the stock could not be made: {' '.join(arguments)} ended with {status}"
        )


CONFIGURATION = """\
out: out
seed: 3
compose:
  corpora:
  - {name: mine, captions: [captions.txt]}
  - {name: theirs, audit: audit}
  attributes: attributes.txt
  objects: objects.txt
  exclude: exclude.csv
generate: {generator: renderer, images: 2, batch_size: 3, options: {pictures: drawings}}
validate:
  judges: [{kind: redraw, labels: labels.parquet, options: {pictures: drawings}}]
  human: verdicts.sqlite
  minimum: 1
distinct: {model: tiny, reference: [reference/*.npy], reference_cosine: null}
package: {name: drawn}
"""


def make_builds() -> None:
    """A build's own files in `build`, and the whole of it carried out in `built`."""
    place = Path("build")
    shutil.copytree("tiny", place / "tiny")
    (place / "set.yaml").write_text(CONFIGURATION)
    (place / "set-other.yaml").write_text(
        CONFIGURATION.replace("seed: 3", "seed: 4")
    )
    (place / "captions.txt").write_text("a striped disc\nnothing else\n")
    (place / "captions-other.txt").write_text("a wooden wedge\n")
    (place / "attributes.txt").write_text("striped\nwooden\nturquoise\n")
    (place / "attributes-other.txt").write_text("striped\nturquoise\n")
    (place / "objects.txt").write_text("disc\nwedge\ntall box\n")
    (place / "objects-other.txt").write_text("disc\ntall box\n")
    (place / "exclude.csv").write_text(
        "attribute,object,reason\nwooden,disc,they exist\n"
    )
    (place / "exclude-other.csv").write_text(
        "attribute,object,reason\nstriped,wedge,no\n"
    )
    (place / "captions-of-theirs.txt").write_text(
        "a turquoise wedge\na striped table\n"
    )
    _drawings(place / "drawings")
    (place / "reference").mkdir()
    for number in range(2):
        vectors = (
            np.random.default_rng(number)
            .normal(size=(20, 16))
            .astype(np.float16)
        )
        np.save(place / "reference" / f"img_emb_{number}.npy", vectors)
    names = (
        "--attributes",
        str(place / "attributes.txt"),
        "--objects",
        str(place / "objects.txt"),
    )
    command(
        "audit",
        str(place / "captions-of-theirs.txt"),
        "--out",
        str(place / "audit"),
        *names,
    )
    first = place / "first.yaml"
    first.write_text(CONFIGURATION)
    command("build", str(first), "--steps", "compose", "generate", "--cpu")
    _judged(place)
    shutil.rmtree(place / "out")
    first.unlink()
    shutil.copytree(place, "built")
    command("build", "built/set.yaml", "--cpu")
    shutil.copytree("build", "build-other")
    path = Path("build-other/set.yaml")
    path.write_text(
        CONFIGURATION.replace("seed: 3", "seed: 4").replace(
            "  human: verdicts.sqlite\n", ""
        )
    )
    command("build", str(path), "--cpu")


def _drawings(folder: Path) -> None:
    folder.mkdir()
    for name, ending in (
        ("disc", "png"),
        ("wedge", "webp"),
        ("tall_box", "png"),
    ):
        image = Image.new("RGBA", (90, 60))
        pen = ImageDraw.Draw(image)
        if name == "disc":
            pen.ellipse((10, 4, 80, 52), fill=(200, 40, 40, 255))
        elif name == "wedge":
            pen.polygon([(10, 4), (80, 52), (10, 52)], fill=(40, 90, 200, 255))
        else:
            pen.rectangle((30, 2, 60, 58), fill=(90, 160, 40, 255))
        pen.rectangle((45, 20, 51, 30), fill=(250, 250, 120, 255))
        image.save(
            folder / f"{name}.{ending}",
            **({"lossless": True} if ending == "webp" else {}),
        )


def _judged(place: Path) -> None:
    """Labels of every image and a person's verdicts on them, and the same with other answers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from aobench.annotation.images import read_images_to_judge
    from aobench.annotation.verdict_file import open_store

    images = read_images_to_judge(place / "out/2-generate/images.parquet")
    for name, right in (("labels", True), ("labels-other", False)):
        rows = [
            {
                "image_id": row.image_id,
                "attribute_right": right,
                "object_right": True,
            }
            for row in images.rows
        ]
        pq.write_table(pa.Table.from_pylist(rows), place / f"{name}.parquet")
    for name, fallen in (("verdicts", 0), ("verdicts-other", 1)):
        with open_store(place / f"{name}.sqlite", images, 0, 0.0) as store:
            now = store.enrol("ann")
            count = 0
            while now.trial:
                answer = "no" if count % 4 == fallen else "yes"
                now = store.record(
                    "ann", now.trial.trial, now.turn, answer, "yes", 1.0
                )
                count += 1
