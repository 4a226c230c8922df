"""The steps compose and generate, and the verb that runs them."""

import csv
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from aobench.cli import main
from aobench.errors import UserError
from aobench.newset.balance import balanced_choice
from aobench.newset.compose import TABLE, image_seed
from aobench.newset.configuration import read_config
from aobench.newset.generators import ImageTask, make_generator
from aobench.newset.manifests import read_manifest, read_rows, step_folder

CAPTIONS = [
    "a striped banana on a plate",
    "two bananas, wooden ones",
    "a wooden accordion",
    "an airliner",
    "red fox",
]
CONFIG = """
out: out
seed: 3
compose:
  corpora:
  - {name: mine, captions: [captions.txt]}
  attributes: [striped, wooden, turquoise]
  objects: [accordion, airliner, banana]
  exclude: out.csv
  count: COUNT
generate: {generator: renderer, images: 2, batch_size: 3}
validate: {judges: [{kind: redraw}]}
package: {name: drawn}
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "captions.txt").write_text("\n".join(CAPTIONS) + "\n")
    with (tmp_path / "out.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [
                ("attribute", "object", "reason"),
                ("striped", "airliner", "they exist"),
            ]
        )
    path = tmp_path / "set.yaml"
    path.write_text(CONFIG.replace("COUNT", "null"))
    return path


def files(out: Path) -> dict[str, str]:
    """Every file below ``out`` but the audit's parts and manifest (seconds stand there), with
    its SHA-256.
    """
    found = sorted(
        p for p in out.rglob("*") if p.is_file() and "audits" not in p.parts
    )
    return {
        p.relative_to(out).as_posix(): hashlib.sha256(
            p.read_bytes()
        ).hexdigest()
        for p in found
    }


def test_each_composition_is_kept_or_has_its_reason(config):
    assert main(["build", str(config), "--steps", "compose"]) == 0
    out = config.parent / "out"
    rows = {
        (r["attribute"], r["object"]): r
        for r in read_rows(step_folder(out, "compose") / "compositions.parquet")
    }
    assert len(rows) == 9
    seen = {
        ("striped", "banana"): 1,
        ("wooden", "banana"): 1,
        ("wooden", "accordion"): 1,
    }
    for pair, row in rows.items():
        assert row["captions_mine"] == seen.get(pair, 0), pair
        if pair in seen:
            assert (
                row["reason"] == "seen: more than 0 captions of mine by words"
            )
        elif pair == ("striped", "airliner"):
            assert row["reason"] == "listed: they exist"
        else:
            assert row["reason"] == "", pair
        assert row["kept"] == (row["reason"] == "")
    facts = read_manifest(out, "compose")["facts"]
    assert facts["kept"] == 5
    assert sum(facts["removed"].values()) == 4
    assert facts["corpora"]["mine"]["captions"] == len(CAPTIONS)


def test_an_attribute_in_the_objects_name_is_untestable(config):
    config.write_text(
        config.read_text()
        .replace("[striped, wooden, turquoise]", "[red]")
        .replace("[accordion, airliner, banana]", "[red fox, banana]")
        .replace("  exclude: out.csv\n", "")
    )
    assert main(["build", str(config), "--steps", "compose"]) == 0
    rows = read_rows(
        step_folder(config.parent / "out", "compose") / "compositions.parquet"
    )
    assert [(r["object"], r["kept"]) for r in rows] == [
        ("red fox", False),
        ("banana", True),
    ]
    assert rows[0]["reason_code"] == "same-word"
    assert rows[0]["reason"].startswith("untestable")


def test_balance_is_even_and_repeatable():
    free = np.random.default_rng(0).random((12, 30)) < 0.8
    kept = balanced_choice(free, 90, None, None, seed=1)
    assert kept.sum() == 90
    assert not (kept & ~free).any()
    assert np.ptp(kept.sum(1)) <= 1, "attributes are not even"
    assert np.ptp(kept.sum(0)) <= 1, "objects are not even"
    assert (kept == balanced_choice(free, 90, None, None, seed=1)).all()
    assert (kept != balanced_choice(free, 90, None, None, seed=2)).any()
    capped = balanced_choice(free, None, 3, 1, seed=1)
    assert capped.sum(1).max() <= 3
    assert capped.sum(0).max() == 1
    assert (balanced_choice(free, None, None, None, seed=1) == free).all()


def test_seeds_differ_and_fit_a_torch_generator():
    seeds = {
        image_seed(s, a, o, i)
        for s in (0, 1)
        for a, o in (("a", "b c"), ("a b", "c"))
        for i in (0, 1)
    }
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert image_seed(0, "wooden", "banana", 0) == image_seed(
        0, "wooden", "banana", 0
    )


def test_an_image_can_be_made_again_alone(config):
    from PIL import Image

    assert main(["build", str(config), "--steps", "compose", "generate"]) == 0
    where = step_folder(config.parent / "out", "generate")
    rows = read_rows(where / "images.parquet")
    assert len(rows) == 10
    assert len({row["image_id"] for row in rows}) == 10
    row = rows[7]
    again = make_generator("renderer", "", {})(
        [ImageTask(*(row[k] for k in ImageTask.__dataclass_fields__))]
    )[0]
    with Image.open(where / row["file"]) as image:
        assert np.array_equal(np.asarray(image), np.asarray(again.image))
        assert image.info["seed"] == str(row["seed"])
    assert (
        row["sha256"]
        == hashlib.sha256((where / row["file"]).read_bytes()).hexdigest()
    )


SLOW = """
import sys, time
from aobench.newset import generators
draw = generators.Renderer.__call__
def slow(self, tasks):
    time.sleep(0.1)
    return draw(self, tasks)
generators.Renderer.__call__ = slow
from aobench.cli import main
sys.exit(main(["build", sys.argv[1], "--steps", "compose", "generate"]))
"""


def test_killed_and_run_again_gives_the_same_bytes(config):
    config.write_text(config.read_text().replace("images: 2", "images: 12"))
    assert main(["build", str(config), "--steps", "compose", "generate"]) == 0
    out = config.parent / "out"
    whole = files(out)
    assert len(whole) > 60
    out.rename(config.parent / "first")
    child = subprocess.Popen([sys.executable, "-c", SLOW, str(config)])
    deadline = time.monotonic() + 60
    while len(list(out.rglob("*.png"))) < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert 10 <= len(list(out.rglob("*.png"))) < 60, (
        "the run was not killed in its middle"
    )
    assert read_manifest(out, "generate") is None
    half_written = (
        out
        / "2-generate"
        / "images"
        / "striped__accordion"
        / ".11.png.0123.part"
    )
    half_written.write_bytes(b"what a kill within a write leaves")
    assert main(["build", str(config), "--steps", "compose", "generate"]) == 0
    assert files(out) == whole


def test_a_finished_step_is_left_alone_and_other_options_are_refused(
    config, capsys
):
    steps = ["--steps", "compose", "generate"]
    assert main(["build", str(config), *steps]) == 0
    out = config.parent / "out"
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    assert main(["build", str(config), *steps]) == 0
    assert {
        p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()
    } == times
    config.write_text(config.read_text().replace("seed: 3", "seed: 4"))
    capsys.readouterr()
    assert main(["build", str(config), *steps]) == 2
    assert "another seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("seed: 3", "sead: 3", "did you mean 'seed'"),
        ("images: 2", "images: 0", "at least 1"),
        ("captions: [captions.txt]", "rule: words", "either captions or audit"),
        (
            "generator: renderer",
            "prompts: ['{object}']",
            "must hold {attribute}",
        ),
        ("compose:", "compos:", "unknown key"),
        ("exclude: out.csv", "exclude: gone.csv", "is missing"),
        ("generator: renderer", "generator: paint", "no generator 'paint'"),
        ("generator: renderer", "model: nowhere/at-all", "could not be loaded"),
        ("striped, wooden, turquoise", "shiny", "can't draw 'shiny'"),
    ],
)
def test_a_bad_configuration_is_one_line(
    config, capsys, monkeypatch, old, new, told
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    text = config.read_text()
    assert old in text
    if "shiny" in new:
        text = text.replace("  exclude: out.csv\n", "")
    config.write_text(text.replace(old, new))
    assert main(["build", str(config), "--steps", "compose", "generate"]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_the_audit_must_have_looked_for_the_names(config, capsys):
    folder_ = config.parent / "audit"
    (config.parent / "few.txt").write_text("striped\n")
    argv = ["audit", str(config.parent / "captions.txt"), "--out", str(folder_)]
    assert main([*argv, "--attributes", str(config.parent / "few.txt")]) == 0
    config.write_text(
        config.read_text().replace("captions: [captions.txt]", "audit: audit")
    )
    assert main(["build", str(config), "--steps", "compose"]) == 2
    assert "did not look for the attribute 'wooden'" in capsys.readouterr().err


def test_defaults_name_the_published_lists(config):
    assert read_config(config).generate.model == "stabilityai/sdxl-turbo"
    config.write_text("out: x\n")
    with pytest.raises(UserError, match="lacks the key"):
        read_config(config)


def test_changed_captions_are_audited_again(config):
    steps = ["build", str(config), "--steps", "compose"]
    assert main(steps) == 0
    kept = read_manifest(config.parent / "out", "compose")["facts"]["kept"]
    (config.parent / "captions.txt").write_text(
        "\n".join([*CAPTIONS[1:], "a turquoise banana"]) + "\n"
    )
    assert main(steps) == 0
    rows = {
        (r["attribute"], r["object"]): r
        for r in read_rows(
            step_folder(config.parent / "out", "compose") / TABLE
        )
    }
    assert rows["striped", "banana"]["kept"]
    assert not rows["turquoise", "banana"]["kept"]
    assert (
        read_manifest(config.parent / "out", "compose")["facts"]["kept"] == kept
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("images: 2", "images: three", "images is 'three'"),
        ("images: 2", "images: true", "images is True"),
        ("count: null", "count: -1", "at least 1"),
        ("[{kind: redraw}]", "redraw", "judges is a list"),
        ("generator: renderer", "prompts: 'x'", "prompts is 'x'"),
        ("generator: renderer", "prompts: []", "prompts is empty"),
        ("striped, wooden", "no, wooden", "False is no name"),
        ("name: drawn", "name: a/b", "letters, digits"),
        ("out: out", "- out", "can't be read as YAML"),
    ],
)
def test_values_of_the_wrong_kind_are_one_line(config, capsys, old, new, told):
    text = config.read_text().replace("  exclude: out.csv\n", "")
    assert old in text
    config.write_text(text.replace(old, new))
    assert main(["build", str(config), "--steps", "compose"]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_a_package_of_stale_steps_is_refused(config, capsys):
    pytest.importorskip("imagehash")
    assert main(["build", str(config)]) == 0
    config.write_text(config.read_text().replace("images: 2", "images: 3"))
    assert main(["build", str(config), "--steps", "generate"]) == 0
    capsys.readouterr()
    assert main(["build", str(config), "--steps", "package"]) == 2
    assert (
        "3-validate is of an earlier generate; run it again: --steps validate"
        in capsys.readouterr().err
    )
    assert main(["build", str(config), "--steps", "validate"]) == 0
    assert main(["build", str(config), "--steps", "package"]) == 2
    assert (
        "4-distinct is of an earlier generate and an earlier validate"
        in capsys.readouterr().err
    )
    assert main(["build", str(config)]) == 0
    assert "package: 15 images of 5 compositions" in capsys.readouterr().out


def test_an_image_that_went_missing_is_made_again(config):
    steps = ["build", str(config), "--steps", "compose", "generate"]
    assert main(steps) == 0
    out = config.parent / "out"
    whole = files(out)
    next(out.rglob("1.png")).unlink()
    assert files(out) != whole
    assert main(steps) == 0
    assert files(out) == whole


@pytest.mark.parametrize(
    ("steps", "damage", "told"),
    [
        (["generate"], None, "1-compose is not finished; run that step first"),
        (
            ["validate"],
            "2-generate/images.parquet",
            "images.parquet is not as its step left it; run it again: --steps generate",
        ),
        (["package"], None, "is not finished; run that step first"),
    ],
)
def test_steps_out_of_order_and_damaged_tables_are_one_line(
    config, capsys, steps, damage, told
):
    if damage:
        assert (
            main(["build", str(config), "--steps", "compose", "generate"]) == 0
        )
        (config.parent / "out" / damage).write_bytes(b"PAR1 no more")
    assert main(["build", str(config), "--steps", *steps]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_an_empty_corpus_is_refused(config, capsys):
    (config.parent / "captions.txt").write_text("")
    assert main(["build", str(config), "--steps", "compose"]) == 2
    assert (
        "the corpus 'mine': no caption was counted" in capsys.readouterr().err
    )
