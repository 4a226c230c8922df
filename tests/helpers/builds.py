"""Configurations of builds, and what is read of a finished one."""

import hashlib
import json
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from aobench.cli import main
from aobench.newset.generators import ImageTask, Renderer
from aobench.newset.manifests import read_rows, step_folder, write_table
from aobench.newset.validate.judges import ClaimedImage
from helpers.drawing import lies

PAIRS = [
    (a, o)
    for a in ("striped", "turquoise")
    for o in ("accordion", "banana", "airliner")
]


def allow(path):
    """``--allow-code`` for each ``module:Class`` of the tests in the configuration at ``path``."""
    classes = set(
        re.findall(r"\b(?:helpers\.drawing|failing):\w+", path.read_text())
    )
    return [word for name in sorted(classes) for word in ("--allow-code", name)]


def compose_configuration(where, captions, **compose):
    """A configuration that composes; ``compose``: what differs from the least."""
    (where / "captions.txt").write_text("\n".join(captions) + "\n")
    content = {
        "out": "out",
        "seed": 3,
        "generate": {"generator": "renderer"},
        "validate": {"judges": [{"kind": "redraw"}]},
        "compose": {
            "corpora": [{"name": "mine", "captions": ["captions.txt"]}],
            "attributes": ["red"],
            "objects": ["banana"],
            **compose,
        },
        "package": {"name": "drawn"},
    }
    (where / "set.yaml").write_text(json.dumps(content))
    return where / "set.yaml"


def largest_choice(free, per_attribute, per_object):
    """The largest number of ``free`` pairs under caps, by scipy's maximum flow.

    ``per_attribute``, ``per_object``: one cap for all, or one for each.
    """
    a, o = free.shape
    graph = np.zeros((a + o + 2, a + o + 2), dtype=np.int32)
    graph[-2, :a], graph[a : a + o, -1] = per_attribute, per_object
    graph[:a, a : a + o] = free
    return maximum_flow(csr_array(graph), a + o, a + o + 1).flow_value


def judging_configuration(tmp_path, drawn=True, **validate):
    """A build of drawings of which some are wrong; ``validate``: who judges them.

    ``drawn``: what the steps before that leave lies there.
    """
    path = _judging_configuration(tmp_path, validate)
    if drawn:
        shutil.copytree(Path(_drawn().name) / "out", tmp_path / "out")
    return path


@cache
def _drawn():
    """The folder in which the drawings are drawn, once."""
    folder = tempfile.TemporaryDirectory(prefix="imagenet-ao-drawn-")
    judges = {"judges": [{"kind": "redraw"}]}
    path = _judging_configuration(Path(folder.name), judges)
    steps = ["--steps", "compose", "generate"]
    assert main(["build", str(path), *allow(path), *steps]) == 0
    return folder


def _judging_configuration(tmp_path, validate):
    (tmp_path / "captions.txt").write_text("nothing of this\n")
    content = {
        "out": "out",
        "seed": 1,
        "compose": {
            "corpora": [{"name": "mine", "captions": ["captions.txt"]}],
            "attributes": ["striped", "turquoise"],
            "objects": ["accordion", "banana", "airliner"],
        },
        "generate": {
            "generator": "helpers.drawing:Planted",
            "images": 20,
            "batch_size": 8,
        },
        "validate": validate,
        "package": {"name": "drawn"},
    }
    path = tmp_path / "set.yaml"
    path.write_text(json.dumps(content))
    return path


def write_labels(out):
    """The truth of each drawing, as a file of labels beside ``out``."""
    rows = []
    for row in read_rows(step_folder(out, "generate") / "images.parquet"):
        wrong = lies(row["index"], row["image_id"])
        rows.append(
            {
                "image_id": row["image_id"],
                "attribute_right": wrong != "attribute",
                "object_right": wrong != "object",
            }
        )
    schema = [
        ("image_id", "string"),
        ("attribute_right", "bool"),
        ("object_right", "bool"),
    ]
    return write_table(out.parent / "labels.parquet", rows, schema)


def verdicts_of(path):
    """The rows of verdicts.parquet by image."""
    return {
        row["image_id"]: row
        for row in read_rows(
            step_folder(path.parent / "out", "validate") / "verdicts.parquet"
        )
    }


def drawings(pairs=PAIRS):
    tasks = [
        ImageTask(f"x/{i}", a, o, i, i, "") for i, (a, o) in enumerate(pairs)
    ]
    drawn = Renderer("", {})(tasks)
    return [
        ClaimedImage(one.image, t.attribute, t.object, t.seed)
        for one, t in zip(drawn, tasks, strict=True)
    ]


def whole_configuration(path, models, **compose):
    """A build by the two random models; the thresholds let some pass. ``compose``: what it has
    beside the least.
    """
    path.mkdir(parents=True)
    (path / "captions.txt").write_text(
        "a wooden banana\na striped airliner at night\nno more\n"
    )
    call = {
        "num_inference_steps": 1,
        "guidance_scale": 0.0,
        "height": 32,
        "width": 32,
    }
    content = {
        "out": "out",
        "seed": 5,
        "compose": {
            "corpora": [{"name": "mine", "captions": ["captions.txt"]}],
            "attributes": ["striped", "wooden", "turquoise"],
            "objects": ["time machine", "airliner", "banana"],
            **compose,
        },
        "generate": {
            "model": str(models / "sdxl"),
            "images": 10,
            "batch_size": 4,
            "options": call,
        },
        "validate": {
            "judges": [
                {"kind": "clip_score", "model": "mini", "composition": 0.0},
                {
                    "kind": "vlm",
                    "model": str(models / "llava"),
                    "attribute": 0.05,
                    "object": 0.05,
                },
            ]
        },
        "distinct": {"model": "mini"},
        "package": {"name": "noise"},
    }
    (path / "set.yaml").write_text(json.dumps(content))
    return path / "set.yaml"


def digests_of(out):
    """Every file with its SHA-256, but those that tell seconds."""
    found = sorted(
        p
        for p in out.rglob("*")
        if p.is_file() and "audits" not in p.parts and p.name != "timings.json"
    )
    return {
        p.relative_to(out).as_posix(): hashlib.sha256(
            p.read_bytes()
        ).hexdigest()
        for p in found
    }
