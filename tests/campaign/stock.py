"""The stock: small valid files of every kind, made once, which set-ups are copied from."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .stock_build import command, make_builds

HERE = Path(__file__).resolve().parent

NOVEL = [
    ("wooden", "banana"),
    ("red", "teapot"),
    ("golden", "lion"),
    ("striped", "zebra"),
]
SEEN = [
    ("red", "banana"),
    ("wooden", "teapot"),
    ("striped", "lion"),
    ("golden", "zebra"),
]
FORMS = (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP"))
MODELS = 4  #: networks with results on both splits

CAPTIONS = [
    "a wooden banana on a table",
    "the red fox, asleep",
    "a red teapot and a golden lion",
    "two striped zebras",
    "a photo of nothing",
    "wooden bananas beside a red teapot",
    "a golden banana",
    "striped lion",
]
OTHER_CAPTIONS = [
    "a golden teapot",
    "the wooden lion",
    "a red zebra in the snow",
    "a striped banana",
]


def make_stock(where: Path) -> None:
    """Fill ``where``, which is also made the working folder."""
    import os

    where.mkdir(parents=True)
    os.chdir(where)
    _pictures()
    _models()
    _texts()
    _results()
    _people()
    _captions()
    _tables()
    make_builds()
    _verdicts()


def _pictures() -> None:
    grid = [
        (a, o)
        for a in ("wooden", "red", "golden", "striped")
        for o in ("banana", "teapot", "lion", "zebra")
    ]
    for folder, pairs, seed in (
        ("data", NOVEL, 9),
        ("seen", SEEN, 5),
        ("grid", grid, 3),
    ):
        for number, (attribute, name) in enumerate(pairs):
            place = Path(folder) / f"{attribute}_{name}"
            place.mkdir(parents=True)
            for index, (ending, form) in enumerate(FORMS):
                draw = np.random.default_rng((seed, number, index))
                pixels = draw.integers(0, 255, (6, 6, 3), dtype=np.uint8)
                picture = Image.fromarray(pixels).resize(
                    (48, 40), Image.Resampling.BICUBIC
                )
                picture.save(place / f"{index}.{ending}", form)
    for folder in ("data", "seen"):
        with zipfile.ZipFile(f"{folder}.zip", "w") as archive:
            for path in sorted(Path(folder).rglob("*.*")):
                archive.write(path)


def _models() -> None:
    import torch
    from helpers import tiny_models
    from transformers import CLIPModel

    tiny_models.save("clip", Path("tiny"))
    for number in range(MODELS):
        shutil.copytree("tiny", f"m{number}")
        torch.manual_seed(number + 1)
        model = CLIPModel.from_pretrained("tiny")
        for name, value in model.named_parameters():
            if value.dim() > 1 and "logit" not in name:
                torch.nn.init.normal_(value, std=0.2)
        model.save_pretrained(f"m{number}")
    for number in range(2):
        _classifier(Path(f"classifier{number}"), number)
    (Path("m1") / "config.json").write_text(
        Path("m1/config.json").read_text().replace("quick_gelu", "gelu")
    )


def _classifier(path: Path, seed: int) -> None:
    """A supervised network over ImageNet's 1,000 classes."""
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification

    import imagenet_ao

    names = dict(
        enumerate(
            name
            for name, _ in sorted(
                imagenet_ao.OBJECTS.items(), key=lambda item: item[1][1]
            )
        )
    )
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "embedding_size": 8,
        "hidden_sizes": [8, 8, 8, 8],
        "depths": [1, 1, 1, 1],
    }
    config = ResNetConfig(
        **sizes, id2label=names, label2id={name: i for i, name in names.items()}
    )
    ResNetForImageClassification(config).save_pretrained(path)
    settings = {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 32 + 32 * seed},
    }
    (path / "preprocessor_config.json").write_text(json.dumps(settings))


def _texts() -> None:
    Path("templates.txt").write_text("# prompts\na photo of a {}.\nthe {}\n")
    Path("templates-other.txt").write_text("a bad photo of a {}.\n")
    Path("attributes.txt").write_text("wooden\nred\ngolden\nstriped\n")
    Path("attributes-other.txt").write_text("striped\nred\n")
    Path("objects.txt").write_text("banana\nteapot\nlion\nzebra\nfox\n")
    Path("objects-other.txt").write_text("lion\nfox\n")


def _results() -> None:
    """A prepared set; one with both splits; results on both; a run with its embeddings."""
    import datasets

    import imagenet_ao

    command("prepare", "hub", "--data", "data")
    command("prepare", "hub-other", "--data", "seen")
    Path("both/v2").mkdir(parents=True)
    for split, source in (("ood", "hub"), ("id", "hub-other")):
        shutil.copy(
            next(Path(source, "v2").glob("*.parquet")),
            f"both/v2/{split}-00000-of-00001.parquet",
        )
    patterns = "\n".join(
        f"  - split: {s}\n    path: v2/{s}-*.parquet" for s in ("id", "ood")
    )
    Path("both/README.md").write_text(
        f"---\nconfigs:\n- config_name: v2\n  data_files:\n{patterns}\n---\n"
    )
    rows = datasets.load_dataset("both", "v2")
    facts = {
        split: {
            "fingerprint": imagenet_ao.fingerprint(rows[split]),
            "n": len(rows[split]),
        }
        for split in rows
    }
    Path("both/fingerprints.json").write_text(json.dumps({"v2": facts}))
    common = ("--templates", "templates.txt", "--cpu")
    names = [f"m{number}" for number in range(MODELS)]
    command(
        "evaluate",
        *names,
        "--data",
        "both",
        "--out",
        "results",
        *common,
    )
    command("evaluate", "tiny", "--data", "data", "--out", "run", *common)


def _people() -> None:
    """Decisions on images of a result, and two people's answers to its choices."""
    import pyarrow.parquet as pq

    table = pq.read_table("results/m0/predictions.parquet").to_pylist()
    asked = [row for row in table if row["task"] == "choice"]
    for name, step in (("", 3), ("-other", 4)):
        judged = [
            {
                "sample_id": row["sample_id"],
                "decision": "rejected" if number % step == 0 else "accepted",
            }
            for number, row in enumerate(asked)
        ]
        answers = [
            {
                "sample_id": row["sample_id"],
                "annotator": who,
                "answer": row["choices"][number % step],
            }
            for number, row in enumerate(asked)
            for who in ("ann", "bob")
        ]
        _write_csv(Path(f"decisions{name}.csv"), judged)
        _write_csv(Path(f"answers{name}.csv"), answers)


def _captions() -> None:
    Path("captions").mkdir()
    for name, lines in (("c", CAPTIONS), ("other", OTHER_CAPTIONS)):
        _caption_files(name, lines)
    arguments = (
        "--attributes",
        "attributes.txt",
        "--objects",
        "objects.txt",
        "--rules",
        "words",
        "authors",
    )
    command(
        "audit",
        "captions/c.txt",
        "captions/c.csv",
        "--out",
        "audits/c",
        *arguments,
    )
    command("audit", "captions/other.txt", "--out", "audits/other", *arguments)


def _caption_files(name: str, lines: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import CompressedOutputStream

    path = Path("captions") / name
    rows = [
        {"url": f"http://x/{i}.jpg", "caption": line}
        for i, line in enumerate(lines)
    ]
    text = "\n".join(lines) + "\n"
    path.with_suffix(".txt").write_text(text)
    for ending, delimiter in ((".csv", ","), (".tsv", "\t")):
        with path.with_suffix(ending).open("w", newline="") as stream:
            writer = csv.DictWriter(
                stream,
                ["url", "caption"],
                delimiter=delimiter,
                lineterminator="\n",
            )
            writer.writeheader()
            writer.writerows(rows)
    path.with_suffix(".jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows)
    )
    pq.write_table(pa.Table.from_pylist(rows), path.with_suffix(".parquet"))
    with tarfile.open(path.with_suffix(".tar"), "w") as archive:
        for number, row in enumerate(rows):
            for ending, content in (
                ("txt", row["caption"]),
                ("json", json.dumps(row)),
            ):
                data = content.encode()
                entry = tarfile.TarInfo(f"{number:05d}.{ending}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    for ending in (".csv", ".txt", ".tar"):
        data = path.with_suffix(ending).read_bytes()
        Path(f"{path}{ending}.gz").write_bytes(gzip.compress(data, mtime=0))
    with CompressedOutputStream(f"{path}.jsonl.zst", "zstd") as stream:
        stream.write(path.with_suffix(".jsonl").read_bytes())


def _tables() -> None:
    """Counts of captions, accuracies, models, embeddings with factors, the study's table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from aobench.study.collecting import BUNDLED

    for name, factor in (("counts", 3), ("counts-other", 5)):
        pairs = [*NOVEL, *SEEN]
        rows = [
            {"attribute": a, "object": o, "count": factor * i}
            for i, (a, o) in enumerate(pairs)
        ]
        _write_csv(Path(f"{name}.csv"), rows)
        pq.write_table(pa.Table.from_pylist(rows), f"{name}.parquet")
    for name, shift in (("accuracies", 0.0), ("accuracies-other", 0.05)):
        rows = [
            {
                "model": f"model {i}",
                "family": "CLIP",
                "training_set": f"set {i % 2}",
                "id": round(0.3 + 0.1 * i, 3),
                "n_id": 1000,
                "ood": round(0.2 + 0.11 * i + shift, 3),
                "n_ood": 1000,
            }
            for i in range(5)
        ]
        _write_csv(Path(f"{name}.csv"), rows)
    for name, family in (("models", "tiny"), ("models-other", "small")):
        rows = [
            {"model": f"m{i}", "family": family, "training_set": f"noise {i}"}
            for i in range(MODELS)
        ]
        _write_csv(Path(f"{name}.csv"), rows)
    for name, words in (("list", "noise"), ("list-other", "drawings")):
        row = {"model": "tiny", "family": "clip", "training_set": words}
        _write_csv(Path(f"{name}.csv"), [row])
    for name, seed in (("factors", 0), ("factors-other", 1)):
        draw = np.random.default_rng(seed)
        attributes, objects = (part.ravel() for part in np.mgrid[0:4, 0:5])
        attributes, objects = np.repeat(attributes, 4), np.repeat(objects, 4)
        z = np.column_stack(
            [np.eye(4)[attributes], np.eye(5)[objects]]
        ) + draw.normal(0, 0.2, (len(objects), 9))
        np.savez(
            f"{name}.npz",
            embeddings=z.astype(np.float32),
            attributes=attributes,
            objects=objects,
        )
    shutil.copy(BUNDLED, "study.json")
    content = json.loads(BUNDLED.read_text())
    content["runs"] = [
        {**row, "right": content["runs"][0]["right"]} for row in content["runs"]
    ]
    Path("study-other.json").write_text(json.dumps(content))
    from .arguments import FILE, GOOD

    Path(FILE).write_text(json.dumps(GOOD))
    for name, source in (
        ("mini", "mini"),
        ("mini-other", "efficientnet-lite0"),
    ):
        Path(name).mkdir()
        for file in ("results.json", "predictions.parquet"):
            shutil.copy(
                HERE.parents[1] / "model_cards" / source / file,
                Path(name) / file,
            )
    Path("card").mkdir()
    Path("card/README.md").write_text(
        "---\nlicense: mit\n---\n\n# A model\n\nIts own words.\n"
    )
    Path("card-other.md").write_text(
        "---\nlicense: apache-2.0\n---\n\n# Another\n"
    )


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _verdicts() -> None:
    """A table of images to judge, with its pictures, and two files of verdicts by two people."""
    from helpers.annotation_tools import make_set

    from aobench.annotation.images import read_images_to_judge
    from aobench.annotation.verdict_file import open_store

    images = read_images_to_judge(make_set(Path("judged"), 12))
    for name, step in (("verdicts", 3), ("verdicts-other", 4)):
        with open_store(Path(f"judged/{name}.sqlite"), images, 0, 0.2) as store:
            for who, first in (("ann", 0), ("bob", 1)):
                now, count = store.enrol(who), first
                while now.trial:
                    answer = "no" if count % step == 0 else "yes"
                    now = store.record(
                        who, now.trial.trial, now.turn, answer, "yes", 1.0
                    )
                    count += 1
