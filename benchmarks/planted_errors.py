"""How many wrong images do the judges find? A drawn set with wrong ones planted, of which the truth
is known.

python benchmarks/planted_errors.py OUT --captions captions.txt.gz [--vocabulary other|mini]
[--count 300] [--images 4]

Makes a whole set with the renderer, of compositions that the captions don't name: of attributes and
objects (`drawn_objects`) that mini's model never learned, or of mini's own. ``--share`` of its
images are drawn with another attribute or another object (half each) than they claim. `redraw`
knows the truth. On mini's own vocabulary the judges of the CLIP family (the bundled model) are
tried, too, calibrated and measured on the labels, each alone. The set that stays in OUT is the one
that `redraw` judged.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aobench.newset.generators import GeneratedImage, ImageTask, Renderer

OBJECTS = Path(__file__).parent / "drawn_objects"


def vocabulary(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Attributes and objects of the set: 'other' or 'mini'."""
    from aobench.mini.own_pictures import read_folder
    from aobench.mini.pictures import objects
    from aobench.mini.render import ATTRIBUTES, MORE_ATTRIBUTES

    return (
        (ATTRIBUTES, objects())
        if name == "mini"
        else (MORE_ATTRIBUTES, tuple(read_folder(OBJECTS).files))
    )


def other(
    task: ImageTask,
    share: float,
    known: tuple[tuple[str, ...], tuple[str, ...]],
) -> tuple[str, str]:
    """The attribute and object that are drawn for ``task``: for ``share`` of the tasks one of
    them is another.
    """
    mark = hashlib.sha256(task.image_id.encode()).digest()
    if int.from_bytes(mark[:4], "big") >= share * 2**32:
        return task.attribute, task.object
    part = mark[4] % 2
    claim = (task.attribute, task.object)[part]
    rivals = sorted(set(known[part]) - {claim})
    rival = rivals[int.from_bytes(mark[5:9], "big") % len(rivals)]
    return (rival, task.object) if part == 0 else (task.attribute, rival)


class Planted:
    """The renderer, which lies now and then. Options: share, vocabulary, and the renderer's own."""

    own_pictures = True

    def __init__(self, model: str, options: dict[str, Any]) -> None:
        self.share, self.known = (
            float(options.pop("share")),
            vocabulary(options.pop("vocabulary")),
        )
        self.renderer = Renderer(model, options)
        self.facts = {
            **self.renderer.facts,
            "generator": "renderer with planted errors",
            "share": self.share,
        }

    def __call__(self, tasks: Sequence[ImageTask]) -> list[GeneratedImage]:
        """Drawings; the seed is the task's own in any case."""
        import dataclasses

        drawn = []
        for task in tasks:
            attribute, name = other(task, self.share, self.known)
            drawn.append(
                dataclasses.replace(task, attribute=attribute, object=name)
            )
        return self.renderer(drawn)


#: The generator of this file, and what allows a build to run it.
OWN = "planted_errors:Planted"
ALLOWED = ("--allow-code", OWN)


def write_labels(
    out: Path, share: float, known: tuple[tuple[str, ...], tuple[str, ...]]
) -> Path:
    """The truth of each generated image, as validate's labels."""
    from aobench.newset.manifests import read_rows, step_folder, write_table

    rows = []
    for row in read_rows(step_folder(out, "generate") / "images.parquet"):
        task = ImageTask(*(row[key] for key in ImageTask.__dataclass_fields__))
        attribute, name = other(task, share, known)
        rows.append(
            {
                "image_id": task.image_id,
                "attribute_right": attribute == task.attribute,
                "object_right": name == task.object,
            }
        )
    schema = [
        ("image_id", "string"),
        ("attribute_right", "bool"),
        ("object_right", "bool"),
    ]
    return write_table(out / "labels.parquet", rows, schema)


def configuration(
    args: argparse.Namespace, judges: list[dict[str, Any]]
) -> dict[str, Any]:
    """A build of pictures that the renderer can draw."""
    attributes, objects = vocabulary(args.vocabulary)
    pictures = pictures_of(args.vocabulary, args.out)
    return {
        "out": ".",
        "seed": args.seed,
        "compose": {
            "corpora": [
                {"name": "captions", "captions": [str(args.captions.resolve())]}
            ],
            "attributes": list(attributes),
            "objects": list(objects),
            "count": args.count,
        },
        "generate": {
            "generator": OWN,
            "images": args.images,
            "batch_size": 16,
            "options": {
                "share": args.share,
                "vocabulary": args.vocabulary,
                **pictures,
            },
        },
        "validate": {"judges": judges, "only_dual_encoders": True},
        "distinct": {"model": "mini"},
        "package": {"name": "drawn-novel"},
    }


def pictures_of(name: str, out: Path) -> dict[str, str]:
    """The option for the set's objects, where they aren't mini's; relative to ``out``, where the
    YAML is.
    """
    return (
        {}
        if name == "mini"
        else {"pictures": os.path.relpath(OBJECTS.resolve(), out.resolve())}
    )


def trials_of(name: str, out: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    """What is tried, and the judges of each trial; the last one's set stays."""
    redraw = {
        "kind": "redraw",
        "labels": "labels.parquet",
        "options": pictures_of(name, out),
    }
    if name != "mini":
        return [("redraw", [redraw])]
    judge = {"kind": "zero_shot", "model": "mini", "labels": "labels.parquet"}
    return [
        ("zero_shot by mini, threshold 0", [judge]),
        (
            "zero_shot by mini, calibrated for 99 %",
            [{**judge, "precision": 0.99}],
        ),
        (
            "clip_score by mini, calibrated for 95 %",
            [{**judge, "kind": "clip_score", "precision": 0.95}],
        ),
        ("redraw", [redraw]),
    ]


def found(out: Path, share: float) -> str:
    """Recall and precision of the whole step on the planted images."""
    from compositional_ood.compositional_ood import wilson

    from aobench.newset.manifests import read_rows, step_folder

    labels = {
        row["image_id"]: row["attribute_right"] and row["object_right"]
        for row in read_rows(out / "labels.parquet")
    }
    rows = read_rows(step_folder(out, "validate") / "verdicts.parquet")
    hit = sum(
        not row["accepted"] and not labels[row["image_id"]] for row in rows
    )
    text = []
    for what, n in (
        ("recall", sum(not right for right in labels.values())),
        ("precision", sum(not row["accepted"] for row in rows)),
    ):
        low, high = wilson(hit, n)
        text.append(
            f"{what} {hit}/{n} = {100 * hit / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
        )
    return f"of {len(rows)} images, wrong ones found: {', '.join(text)}"


def main() -> None:
    """Command line."""
    from aobench.cli import main as run

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument(
        "--vocabulary", choices=("other", "mini"), default="other"
    )
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for what, judges in trials_of(args.vocabulary, out):
        path = out / "set.yaml"
        path.write_text(
            json.dumps(configuration(args, judges), indent=1)
        )  # JSON is YAML
        if run(
            ["build", str(path), *ALLOWED, "--steps", "compose", "generate"]
        ):
            raise SystemExit(2)
        write_labels(out, args.share, vocabulary(args.vocabulary))
        shutil.rmtree(out / "3-validate", ignore_errors=True)
        if run(["build", str(path), *ALLOWED, "--steps", "validate"]):
            raise SystemExit(2)
        print(f"{what}: {found(out, args.share)}", flush=True)
    raise SystemExit(run(["build", str(path), *ALLOWED]))


if __name__ == "__main__":
    main()
