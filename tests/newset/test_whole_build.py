"""All five steps, from captions to a dataset that the runner evaluates; killed in each step and
run again.
"""

import hashlib
import json
import random
import shutil
import signal

import datasets
import pytest
from helpers.builds import digests_of, whole_configuration
from helpers.tiny_pipelines import save_llava, save_sdxl
from helpers.warm import BUILD

import imagenet_ao
from aobench.cli import main
from aobench.newset.manifests import read_manifest, read_rows, step_folder
from aobench.newset.step import STEPS

pytest.importorskip("diffusers")
pytest.importorskip("faiss")
pytest.importorskip("imagehash")

#: Kills itself at the n-th file that a step moves into place, before or after the move, and counts
#: otherwise.
CHILD = """
import os, signal, sys
import aobench.files as store
path, step, nth, after = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "after"
write, seen = store.write_in_one_move, []
def watched(to, content):
    if f"-{step}/" in str(to) or step == "-":
        seen.append(to)
    mine = len(seen) == nth and seen and seen[-1] == to
    if mine and not after:
        os.kill(os.getpid(), signal.SIGKILL)
    write(to, content)
    if mine:
        os.kill(os.getpid(), signal.SIGKILL)
for module in list(sys.modules.values()):
    if getattr(module, "write_in_one_move", None) is write:
        module.write_in_one_move = watched
from aobench.cli import main
sys.exit(main(["build", path]))
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    where = tmp_path_factory.mktemp("models")
    save_sdxl(where / "sdxl")
    save_llava(where / "llava")
    return where


@pytest.fixture(scope="module")
def whole(models, tmp_path_factory):
    """An undisturbed build."""
    path = whole_configuration(tmp_path_factory.mktemp("whole") / "set", models)
    assert main(["build", str(path)]) == 0
    return path.parent / "out"


def test_the_numbers_of_the_funnel_add_up(whole):
    stages = read_manifest(whole, "package")["facts"]["funnel"]
    assert [stage["step"] for stage in stages] == [
        "all pairs",
        "compose",
        "generate",
        "validate",
        "distinct",
    ]
    everything, composed, generated, validated, distinct = stages
    assert (
        everything["compositions"],
        composed["compositions"],
        generated["images"],
    ) == (9, 7, 70)
    assert (
        everything["compositions"] - sum(composed["removed"].values())
        == composed["compositions"]
    )
    assert (
        generated["images"] - sum(validated["removed"].values())
        == validated["images"]
    )
    assert (
        validated["images"] - sum(distinct["removed"].values())
        == distinct["images"]
        > 0
    )


def test_the_package_is_a_dataset_in_the_columns_of_imagenet_ao(
    whole, tmp_path
):
    package = step_folder(whole, "package") / "noise"
    rows = datasets.load_dataset(
        str(package), "noise", cache_dir=str(tmp_path), split="ood"
    )
    mini = imagenet_ao.ImageNetAO(
        config_name="mini", cache_dir=str(tmp_path / "mini")
    ).info.features
    drawn_alone = {"recipe"}  # of drawn sets: what an image is drawn by
    assert list(rows.features) == [
        name for name in mini if name not in drawn_alone
    ]
    assert all(
        type(kind) is type(mini[name]) for name, kind in rows.features.items()
    )
    kept = {
        row["image_id"]
        for row in read_rows(
            step_folder(whole, "distinct") / "decisions.parquet"
        )
        if row["kept"]
    }
    assert set(rows["sample_id"]) == kept
    facts = json.loads((package / "fingerprints.json").read_text())["noise"][
        "ood"
    ]
    assert facts == {
        "fingerprint": imagenet_ao.fingerprint(rows),
        "n": len(rows),
    }
    row = rows[0]
    attribute, name = (
        rows.features["attribute"].int2str(row["attribute"]),
        rows.features["object"].int2str(row["object"]),
    )
    assert row["composition"] == f"{attribute} {name}"
    assert rows.features["object"].names == [
        "airliner",
        "banana",
        "time machine",
    ]
    for one in rows.remove_columns("image"):
        name_of_one = rows.features["object"].int2str(one["object"])
        wanted = imagenet_ao.OBJECTS.get(name_of_one, (None, None))
        assert (one["wnid"], one["imagenet_label"]) == wanted, name_of_one
    assert row["caption_count"] == 0
    assert row["image"].size == (32, 32)
    assert (
        hashlib.sha256(
            (step_folder(whole, "generate") / row["source"]).read_bytes()
        ).hexdigest()
        == row["sha256"]
    )


def test_the_card_tells_the_funnel_and_who_judged(whole):
    package = step_folder(whole, "package") / "noise"
    text = (package / "README.md").read_text()
    n = read_manifest(whole, "package")["facts"]["images"]
    assert f"{n} images of" in text
    assert (
        "| compose | 7 |  | 2 compositions: 2 seen: more than 0 captions of mine by words |"
        in text
    )
    assert "| vlm | " in text
    assert "No person judged these images." in text
    assert "Only dual encoders judged" not in text
    assert "StableDiffusionXLPipeline" in text
    assert "not the published ImageNet-AO" in text
    for picture in ("accepted", "rejected"):
        assert ((package / "sheets" / f"{picture}.jpg").exists()) == (
            f"sheets/{picture}.jpg" in text
        )
    manifests = json.loads((package / "build.json").read_text())
    assert set(manifests) == {
        "compose",
        "generate",
        "validate",
        "distinct",
        "readme_sha256",
    }


def test_the_runner_evaluates_the_package(whole, tmp_path):
    package = step_folder(whole, "package") / "noise"
    argv = [
        "evaluate",
        "mini",
        "--data",
        str(package),
        "--out",
        str(tmp_path / "r"),
        "--cpu",
    ]
    assert main(argv) == 0
    found = json.loads(next((tmp_path / "r").rglob("results.json")).read_text())
    facts = json.loads((package / "fingerprints.json").read_text())["noise"][
        "ood"
    ]
    assert facts["fingerprint"] in json.dumps(found)


def test_a_supervised_classifier_is_refused_where_an_object_is_no_imagenet_class(
    whole, tmp_path, capsys
):
    from transformers import (
        AutoImageProcessor,
        ResNetConfig,
        ResNetForImageClassification,
    )

    names = dict(
        enumerate(
            name
            for name, _ in sorted(
                imagenet_ao.OBJECTS.items(), key=lambda item: item[1][1]
            )
        )
    )
    sizes = {
        "embedding_size": 8,
        "hidden_sizes": [8, 8, 8, 8],
        "depths": [1, 1, 1, 1],
    }
    model = ResNetForImageClassification(
        ResNetConfig(
            **sizes, id2label=names, label2id={n: i for i, n in names.items()}
        )
    )
    model.save_pretrained(tmp_path / "resnet")
    settings = {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 32},
    }
    (tmp_path / "resnet" / "preprocessor_config.json").write_text(
        json.dumps(settings)
    )
    AutoImageProcessor.from_pretrained(tmp_path / "resnet", backend="pil")
    package = step_folder(whole, "package") / "noise"
    argv = [
        "evaluate",
        str(tmp_path / "resnet"),
        "--data",
        str(package),
    ]
    assert main([*argv, "--out", str(tmp_path / "r"), "--cpu"]) == 2
    assert (
        "1 objects without an ImageNet class, such as 'time machine'"
        in capsys.readouterr().err
    )


@pytest.fixture(scope="module")
def run_child(warm):
    """Runs a build that kills itself; gives its status."""
    warm.import_modules(*BUILD)

    def run(path, step, nth, moment):
        return warm.run(1, [path, step, nth, moment], code=CHILD)[0].returncode

    return run


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_a_step_and_run_again_gives_the_same_bytes(
    whole, run_child, tmp_path, step
):
    """At a moment drawn at random, before or after a file of the step is moved into place; the
    steps before it were carried out.
    """
    draw = random.Random(f"{step} 1")
    most = {
        "compose": 2,
        "generate": 60,
        "validate": 5,
        "distinct": 6,
        "package": 4,
    }[step]
    nth, moment = draw.randint(1, most), draw.choice(["before", "after"])
    path = tmp_path / "set" / "set.yaml"
    shutil.copytree(whole.parent, path.parent)
    for one in list(STEPS)[list(STEPS).index(step) :]:
        shutil.rmtree(step_folder(path.parent / "out", one))
    assert run_child(path, step, nth, moment) == -signal.SIGKILL, (
        f"not killed {moment} file {nth}"
    )
    out = path.parent / "out"
    assert (
        not (step_folder(out, step) / "manifest.json").exists()
        or moment == "after"
    )
    assert digests_of(out) != digests_of(whole)
    assert main(["build", str(path)]) == 0
    again, first = digests_of(out), digests_of(whole)
    assert sorted(again) == sorted(first)
    assert [name for name in first if again[name] != first[name]] == []
