"""The chain of steps: earlier ones must be as configured, inputs are marked before the work,
processes fail as one.
"""

import json
import os
from pathlib import Path

import pytest
from helpers.builds import allow, compose_configuration

from aobench.cli import main
from aobench.newset.manifests import changed_parts, read_manifest, step_folder

ROOT = Path(__file__).parents[2]


def edited(path, **parts):
    """Change parts of a configuration: ``compose={"count": 1}``."""
    content = json.loads(path.read_text())
    for name, values in parts.items():
        content[name] = (
            {**content.get(name, {}), **values}
            if isinstance(values, dict)
            else values
        )
    path.write_text(json.dumps(content))
    return path


def refused(path, capsys, *steps):
    """The one line that these steps are refused with."""
    capsys.readouterr()
    assert (
        main(
            [
                "build",
                str(path),
                "--cpu",
                *(["--steps", *steps] if steps else []),
            ]
        )
        == 2
    )
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    return err


@pytest.fixture
def config(tmp_path):
    return compose_configuration(
        tmp_path, ["the sky"], objects=["banana", "airliner"]
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"compose": {"count": 1}},
            "1-compose is of other options (count); run it again: --steps compose",
        ),
        (
            {"seed": 4},
            "1-compose is of another seed; run it again: --steps compose",
        ),
        (
            {"generate": {"images": 4}},
            "2-generate is of other options (images); run it again: --steps generate",
        ),
    ],
)
def test_a_step_is_not_run_on_a_stale_one(config, capsys, change, told):
    assert main(["build", str(config), "--steps", "compose", "generate"]) == 0
    assert told in refused(edited(config, **change), capsys, "validate")


def test_captions_that_changed_since_make_compose_stale(config, capsys):
    assert main(["build", str(config), "--steps", "compose"]) == 0
    (config.parent / "captions.txt").write_text("a red banana\n")
    assert "1-compose is of other inputs (inputs)" in refused(
        config, capsys, "generate"
    )
    (config.parent / "captions.txt").unlink()
    assert main(["build", str(config), "--steps", "generate"]) == 0, (
        "captions need not be where images are made"
    )


def test_distinct_of_other_options_is_stale(config, capsys):
    pytest.importorskip("imagehash")
    assert (
        main(
            [
                "build",
                str(config),
                "--steps",
                "compose",
                "generate",
                "validate",
                "distinct",
            ]
        )
        == 0
    )
    told = refused(
        edited(config, distinct={"hash_distance": 3}), capsys, "package"
    )
    assert (
        "4-distinct is of other options (hash_distance); run it again: --steps distinct"
        in told
    )


def test_weights_that_cannot_be_identified_are_taken_to_be_as_they_were():
    assert changed_parts({"weights": "sha256:a"}, {"weights": "unknown"}) == []
    assert (
        changed_parts(
            {"weights": {"vlm": "sha256:a"}}, {"weights": {"vlm": "unknown"}}
        )
        == []
    )
    assert changed_parts({"weights": "sha256:a"}, {"weights": "sha256:b"}) == [
        "other weights of a model"
    ]
    assert changed_parts(
        {"options": {"licence": "mit"}}, {"options": {"licence": "unknown"}}
    ) == ["other options (licence)"]


def test_what_changes_during_a_step_is_not_said_to_be_used(config, monkeypatch):
    import aobench.newset.corpora as corpora

    captions, audit = config.parent / "captions.txt", corpora._audit

    def changing(*args):
        found = audit(*args)
        captions.write_text("a red banana\na red airliner\nno\n")
        return found

    monkeypatch.setattr(corpora, "_audit", changing)
    assert main(["build", str(config), "--steps", "compose"]) == 0
    monkeypatch.undo()
    assert read_manifest(config.parent / "out", "compose")["facts"]["kept"] == 2
    assert main(["build", str(config), "--steps", "compose"]) == 2, (
        "captions that came during the step count as used"
    )


def test_what_cannot_be_drawn_is_found_before_captions_are_counted(
    config, capsys
):
    path = edited(config, compose={"objects": ["accordion", "time machine"]})
    assert "can't draw 'time machine'" in refused(path, capsys)
    assert not (path.parent / "out").exists(), "compose had run"


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"[]",
        lambda whole: b"{",
        lambda whole: b"",
        lambda whole: b"\0" * len(whole),
        lambda whole: b"[" * 10_000,
        lambda whole: whole[:-40],
        lambda whole: whole + b"x",
        lambda whole: whole.replace(b'"kept": ', b'"kept": 1', 1),
        lambda whole: whole.replace(b"facts", b"fakts"),
        lambda whole: whole.replace(b'"seed"', b'"seed": 1, "seed"', 1),
    ],
)
def test_a_damaged_manifest_is_one_line(config, capsys, damage):
    assert main(["build", str(config), "--steps", "compose"]) == 0
    path = step_folder(config.parent / "out", "compose") / "manifest.json"
    path.write_bytes(damage(path.read_bytes()))
    told = refused(config, capsys, "compose")
    assert "manifest.json" in told
    assert "damaged" in told
    path.unlink()
    assert main(["build", str(config), "--steps", "compose"]) == 0, (
        "the mend that the line names does not mend"
    )


def test_a_manifest_of_an_earlier_version_is_one_line_that_says_so(
    config, capsys
):
    assert main(["build", str(config), "--steps", "compose"]) == 0
    path = step_folder(config.parent / "out", "compose") / "manifest.json"
    path.write_text('{"made_from": {}, "files": {}, "facts": {}}')
    assert "was written by an earlier version; delete it" in refused(
        config, capsys, "compose"
    )


@pytest.mark.parametrize("kind", ["a folder", "a link to itself", "a pipe"])
def test_what_is_no_file_in_a_manifests_place_is_one_line(config, capsys, kind):
    assert main(["build", str(config), "--steps", "compose"]) == 0
    path = step_folder(config.parent / "out", "compose") / "manifest.json"
    path.unlink()
    make = {
        "a folder": path.mkdir,
        "a link to itself": lambda: path.symlink_to(path),
    }
    make.get(kind, lambda: os.mkfifo(path))()
    assert "manifest.json" in refused(config, capsys, "compose")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"package": {"sheet_images": -1}}, "sheet_images is -1"),
        *(
            ({"package": {"name": name}}, "taken by a file")
            for name in ("sheets", "README.md", "manifest.json")
        ),
        *(
            ({"package": {"licence": text}}, "as the Hub spells it")
            for text in ("other: mine", "", "mit\nx: y")
        ),
        ({"out": "captions.txt"}, "captions.txt is a file; name a folder"),
        ({"compose": {"attributes": None}}, "attributes is None"),
        (
            {"compose": {"attributes": "folder"}},
            "folder is a folder; name a file",
        ),
        (
            {"compose": {"attributes": ["striped", "nonesuch"]}},
            "the renderer can't draw 'nonesuch'",
        ),
        ({"compose": {"exclude": "folder"}}, "is missing or no file"),
        (
            {
                "compose": {
                    "corpora": [
                        {"name": "../../x", "captions": ["captions.txt"]}
                    ]
                }
            },
            "the corpus name '../../x'",
        ),
        ({"validate": {"judges": [{"kind": "redrow"}]}}, "no judge 'redrow'"),
        (
            {
                "validate": {
                    "judges": [{"kind": "redraw", "labels": "none.parquet"}]
                }
            },
            "none.parquet is missing",
        ),
        (
            {"validate": {"judges": [{"kind": "redraw", "labels": "folder"}]}},
            "folder is missing or no file",
        ),
        (
            {"validate": {"judges": [{"kind": "redraw", "precision": 0.9}]}},
            "no answers are known",
        ),
        (
            {"validate": {"human": "none.sqlite"}},
            "make the images first (--steps compose generate)",
        ),
        (
            {
                "validate": {
                    "judges": [{"kind": "clip_score", "model": "mini"}],
                    "only_dual_encoders": True,
                }
            },
            "composition has no threshold",
        ),
        ({"distinct": {"k": 0}}, "distinct: k is 0"),
        (
            {"distinct": {"model": "mini", "reference": ["none/*.npy"]}},
            "holds no .npy file",
        ),
        ({"distinct": {"model": "no-kind:x"}}, "no kind of model"),
        (
            {"generate": {"generator": "json:nothing"}},
            "would import and run json:nothing",
        ),
    ],
)
def test_what_is_wrong_is_found_before_any_work(config, capsys, change, told):
    for module in ("faiss", "imagehash"):
        pytest.importorskip(module)
    (config.parent / "folder").mkdir()
    assert told in refused(edited(config, **change), capsys)
    assert not (config.parent / "out" / "2-generate").exists(), (
        "images were made before the mistake was found"
    )


def test_a_reference_is_found_beside_the_configuration(
    config, monkeypatch, tmp_path_factory
):
    np = pytest.importorskip("numpy")
    from aobench.newset.configuration import read_config
    from aobench.newset.distinct import located_options

    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    (config.parent / "laion").mkdir()
    np.save(
        config.parent / "laion" / "img_emb_0.npy", np.ones((2, 4), np.float16)
    )
    edited(
        config,
        distinct={
            "model": "mini",
            "reference": ["laion/*.npy"],
            "index": "Flat",
        },
    )
    options = located_options(read_config(config).distinct, config)
    assert options.reference == (str(config.parent / "laion" / "*.npy"),)
    assert (options.model, options.index) == ("mini", "Flat")


FAILING = """
from accelerate import PartialState
from aobench.newset.generators import Renderer
from aobench.errors import UserError

class OnlyOne(Renderer):
    def __init__(self, model, options):
        super().__init__(model, {})

    def __call__(self, tasks):
        if PartialState().process_index == 1:
            raise UserError("the second process can't draw")
        return super().__call__(tasks)
"""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sead": 1}, "unknown key 'sead'"),
        ({"compose": {"attributes": ["velvet"]}}, "can't draw 'velvet'"),
    ],
)
def test_two_processes_are_refused_as_one(warm, config, change, told):
    edited(config, **change)
    every = warm.run(2, ["build", config, *allow(config)])
    assert [one.returncode for one in every] == [2, 2]
    text = "".join(one.stderr for one in every)
    check_said_once(text, told)
    assert "Traceback" not in text


def check_said_once(text, told):
    said = [
        line for line in text.splitlines() if line.startswith("imagenet-ao:")
    ]
    assert len(said) == 1, f"told {len(said)} times:\n{text[-3000:]}"
    assert told in said[0]


def test_one_of_two_processes_fails_and_both_end(warm, config):
    (config.parent / "failing.py").write_text(FAILING)
    edited(config, generate={"generator": "failing:OnlyOne", "batch_size": 1})
    words = ["build", config, *allow(config)]
    both = warm.run(2, words, path=[config.parent])
    said = "".join(one.stderr for one in both)
    check_said_once(said, "the second process can't draw")
    assert "Traceback" not in said, "a process ended in a traceback"
    assert [one.returncode for one in both] == [2, 2], said[-2000:]
