"""Matched controls: as often each attribute and object as among the novel compositions, chosen by
the seed, made and judged like them, packaged as split ``id``.
"""

import collections
import csv
import json
from pathlib import Path

import datasets
import numpy as np
import pytest
import yaml
from helpers.builds import compose_configuration, digests_of, largest_choice

import imagenet_ao
from aobench.cli import main
from aobench.newset.balance import matched_choice
from aobench.newset.compose import TABLE
from aobench.newset.manifests import read_manifest, read_rows, step_folder
from aobench.newset.package.matching import unequal_share

ATTRIBUTES = ["striped", "turquoise", "red", "wooden"]
OBJECTS = ["accordion", "banana", "airliner", "corn"]
#: Every second cell of the table of attributes and objects: two of each name.
SEEN = [
    (a, o)
    for i, a in enumerate(ATTRIBUTES)
    for j, o in enumerate(OBJECTS)
    if (i + j) % 2
]


def captions_of(pairs, times=3):
    return [f"a {a} {o}" for a, o in pairs] * times + ["nothing"]


def configuration(where, captions=None, controls=None, **compose):
    """A build of drawings; ``controls``: their options, or None for a set without."""
    lists = {"attributes": ATTRIBUTES, "objects": OBJECTS}
    given = {} if controls is None else {"controls": controls}
    lines = captions_of(SEEN) if captions is None else captions
    where.mkdir(exist_ok=True)
    path = compose_configuration(where, lines, **{**lists, **given, **compose})
    content = json.loads(path.read_text())
    content["generate"]["images"] = 1
    path.write_text(json.dumps(content))
    return path


def build(path, *steps):
    return main(["build", str(path), *(["--steps", *steps] if steps else [])])


def composed(path):
    assert build(path, "compose") == 0
    return read_rows(step_folder(path.parent / "out", "compose") / TABLE)


def pairs_of(rows, split):
    return {
        (r["attribute"], r["object"]) for r in rows if r.get("split") == split
    }


def refused(path, capsys, *steps):
    capsys.readouterr()
    assert build(path, *steps) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1, error
    return error


def altered(out, other):
    """Files of a build that another one lacks or has otherwise. What the other one's steps left
    from before it had controls, such as answers of judges, doesn't count.
    """
    first, second = digests_of(out), digests_of(other)
    return [name for name in first if first[name] != second.get(name)]


# The choice


def test_the_choice_is_a_maximum_flow_of_the_seed():
    rng = np.random.default_rng(0)
    whole = 0
    for seed in range(150):
        shape = rng.integers(2, 9), rng.integers(2, 9)
        novel = rng.random(shape) < 0.3
        fit = ~novel & (rng.random(shape) < rng.uniform(0.2, 0.95))
        wanted = novel.sum(1), novel.sum(0)
        chosen = matched_choice(fit, *wanted, seed)
        assert not (chosen & ~fit).any()
        assert (chosen.sum(1) <= wanted[0]).all()
        assert (chosen.sum(0) <= wanted[1]).all()
        assert chosen.sum() == largest_choice(fit, *wanted), (
            f"case {seed}: more fit"
        )
        assert (chosen == matched_choice(fit, *wanted, seed)).all()
        if chosen.sum() == novel.sum():
            whole += 1
            assert (chosen.sum(1) == wanted[0]).all()
            assert (chosen.sum(0) == wanted[1]).all()
    assert 0 < whole < 150, "only one of the two cases was tried"


def test_another_seed_chooses_other_controls():
    fit, two = np.ones((6, 6), bool), np.full(6, 2)
    choices = {
        matched_choice(fit, two, two, seed).tobytes() for seed in range(5)
    }
    assert len(choices) == 5


# Compose


def test_attributes_and_objects_are_as_often_among_controls(tmp_path, capsys):
    path = configuration(tmp_path, controls={"least_captions": 3})
    rows = composed(path)
    novel, controls = pairs_of(rows, "ood"), pairs_of(rows, "id")
    assert len(novel) == len(controls) == 8
    assert controls <= set(SEEN)
    for place in (0, 1):
        sides = [
            collections.Counter(p[place] for p in s) for s in (novel, controls)
        ]
        assert sides[0] == sides[1]
    assert all(row["kept"] == bool(row["split"]) for row in rows)
    assert not any(row["reason"] for row in rows if row["split"])
    facts = read_manifest(tmp_path / "out", "compose")["facts"]
    assert (facts["kept"], facts["controls"]["kept"]) == (8, 8)
    assert facts["compositions"] == 16 + sum(facts["removed"].values())
    assert facts["controls"]["attributes_lacking"] == {}
    out = capsys.readouterr().out
    assert (
        "controls: 8 of 8 seen compositions, each attribute and object as"
        in out
    )
    again = configuration(tmp_path / "again", controls={"least_captions": 3})
    assert composed(again) == rows


def test_what_lacks_controls_is_said(tmp_path, capsys):
    seen = [pair for pair in SEEN if pair[0] != "red"]
    rows = composed(
        configuration(tmp_path, captions_of(seen), {"least_captions": 3})
    )
    novel, controls = pairs_of(rows, "ood"), pairs_of(rows, "id")
    assert not any(attribute == "red" for attribute, _ in controls)
    facts = read_manifest(tmp_path / "out", "compose")["facts"]["controls"]
    assert facts["attributes_lacking"]["red"] == 4
    for part, place in (("attributes", 0), ("objects", 1)):
        missing = collections.Counter(p[place] for p in novel)
        missing.subtract(p[place] for p in controls)
        assert facts[f"{part}_lacking"] == {
            n: c for n, c in missing.items() if c
        }
    assert facts["asked"] - facts["kept"] == sum(
        facts["objects_lacking"].values()
    )
    out = capsys.readouterr().out
    assert (
        f"controls: {len(controls)} of {len(novel)} seen compositions; no other"
        in out
    )
    assert "lacking: attributes red (4)" in out


def test_what_is_ruled_out_as_novel_is_no_control(tmp_path):
    (tmp_path / "out.csv").write_text("attribute,object,reason\nred,corn,x\n")
    objects = [*OBJECTS, "red fox", "fox"]
    seen = [*SEEN, ("red", "fox"), ("red", "corn")]
    rows = composed(
        configuration(
            tmp_path,
            captions_of(seen),
            {"least_captions": 1},
            objects=objects,
            exclude="out.csv",
        )
    )
    controls = pairs_of(rows, "id")
    assert controls
    assert not controls & {("red", "corn"), ("red", "fox"), ("red", "red fox")}


def test_seen_too_rarely_is_neither(tmp_path):
    often, rarely = SEEN[:7], SEEN[7:]
    lines = [*captions_of(often, 5), *captions_of(rarely, 4)]
    rows = composed(configuration(tmp_path, lines, {"least_captions": 5}))
    assert pairs_of(rows, "id") <= set(often)
    codes = {(r["attribute"], r["object"]): r["reason_code"] for r in rows}
    assert {codes[pair] for pair in rarely} == {"seen"}


@pytest.mark.parametrize(("seen_in", "controls"), [("each", 1), ("any", 2)])
def test_seen_in_each_corpus_or_in_any(tmp_path, seen_in, controls):
    """Both corpora show the striped corn, one the red banana; the other cells are novel."""
    (tmp_path / "more.txt").write_text("a striped corn\n")
    corpora = [
        {"name": "mine", "captions": ["captions.txt"]},
        {"name": "more", "captions": ["more.txt"]},
    ]
    rows = composed(
        configuration(
            tmp_path,
            ["a striped corn", "a red banana"],
            {"least_captions": 1, "seen_in": seen_in},
            attributes=["striped", "red"],
            objects=["corn", "banana"],
            corpora=corpora,
        )
    )
    assert len(pairs_of(rows, "id")) == controls


@pytest.mark.parametrize("named", ["captions", "audit"])
def test_controls_are_counted_by_their_own_rule(tmp_path, capsys, named):
    """Words anywhere make a composition not novel; side by side they make it a control."""
    lines = ["a striped corn", "a red thing beside a banana"]
    names = {"attributes": ["striped", "red"], "objects": ["corn", "banana"]}
    controls = {"least_captions": 1, "rule": "adjacent-forms"}
    path = configuration(tmp_path, lines, controls, **names)
    if named == "audit":
        content = json.loads(path.read_text())
        content["compose"]["corpora"] = [{"name": "mine", "audit": "audit"}]
        path.write_text(json.dumps(content))
        words = ["audit", str(tmp_path / "captions.txt"), "--out"]
        for key, every in names.items():
            (tmp_path / f"{key}.txt").write_text("\n".join(every) + "\n")
        lists = [
            w
            for key in names
            for w in (f"--{key}", str(tmp_path / f"{key}.txt"))
        ]
        where = str(tmp_path / "audit")
        assert main([*words, where, *lists, "--rules", "words"]) == 0
        assert "counts-adjacent-forms.parquet is missing" in refused(
            path, capsys
        )
        (tmp_path / "audit").rename(tmp_path / "first")
        assert (
            main([*words, where, *lists, "--rules", "words", "adjacent-forms"])
            == 0
        )
    rows = composed(path)
    assert pairs_of(rows, "id") == {("striped", "corn")}
    assert pairs_of(rows, "ood") == {("striped", "banana"), ("red", "corn")}
    counts = {(r["attribute"], r["object"]): r for r in rows}
    red_banana = counts["red", "banana"]
    assert red_banana["reason_code"] == "seen"
    assert red_banana["captions_mine"] == 1
    assert red_banana["control_captions_mine"] == 0


def test_without_controls_nothing_is_new(tmp_path):
    path = configuration(tmp_path)
    rows = composed(path)
    assert "split" not in rows[0]
    manifest = read_manifest(tmp_path / "out", "compose")
    assert "controls" not in manifest["made_from"]["options"]
    assert "controls" not in manifest["facts"]
    content = json.loads(path.read_text())
    content["compose"]["controls"] = None
    path.write_text(json.dumps(content))
    where = step_folder(tmp_path / "out", "compose") / "manifest.json"
    before = where.stat().st_mtime_ns
    composed(path)
    assert where.stat().st_mtime_ns == before, "null is not the same as nothing"


# Bad options


@pytest.mark.parametrize(
    ("controls", "compose", "told"),
    [
        ({"least": 3}, {}, "unknown key 'least'; the keys are: least_captions"),
        (
            {"least_captions": 0},
            {},
            "least_captions is 0; a control is seen in at",
        ),
        ({"least_captions": 2.5}, {}, "least_captions is 2.5; it takes int"),
        ({"seen_in": "all"}, {}, "seen_in is 'all'; it takes each or any"),
        ({"rule": "word"}, {}, "no rule 'word'; there are words, adjacent"),
        (True, {}, "controls must be a mapping of keys to values, not bool"),
        (
            {"least_captions": 4},
            {
                "corpora": [
                    {
                        "name": "mine",
                        "captions": ["captions.txt"],
                        "threshold": 4,
                    }
                ]
            },
            "'mine' a composition is novel up to 4 captions; give at least 5",
        ),
        ({"least_captions": 4}, {}, "no composition can be a control"),
    ],
)
def test_a_bad_option_is_one_line(tmp_path, capsys, controls, compose, told):
    path = configuration(tmp_path, controls=controls, **compose)
    assert told in refused(path, capsys, "compose")


# The whole way


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A build that got its controls after it was finished without them."""
    path = configuration(tmp_path_factory.mktemp("built"))
    assert build(path) == 0
    out = path.parent / "out"
    images = step_folder(out, "generate") / "images"
    first = {p: p.stat().st_mtime_ns for p in images.rglob("*.png")}
    configuration(path.parent, controls={"least_captions": 3})
    assert build(path) == 0
    assert {p: p.stat().st_mtime_ns for p in first} == first, (
        "drawn a second time"
    )
    return out


def test_a_late_control_gives_the_bytes_of_an_early_one(built, tmp_path):
    path = configuration(tmp_path, controls={"least_captions": 3})
    assert build(path) == 0
    assert altered(tmp_path / "out", built) == []


def test_the_package_has_both_splits(built, tmp_path):
    package = step_folder(built, "package") / "drawn"
    sets = datasets.load_dataset(str(package), "drawn", cache_dir=str(tmp_path))
    assert list(sets) == ["id", "ood"]
    assert sets["id"].features == sets["ood"].features
    assert {
        row["caption_count"] for row in sets["id"].remove_columns("image")
    } == {3}
    assert {
        row["caption_count"] for row in sets["ood"].remove_columns("image")
    } == {0}
    facts = json.loads((package / "fingerprints.json").read_text())["drawn"]
    for split, rows in sets.items():
        wanted = {"fingerprint": imagenet_ao.fingerprint(rows), "n": len(rows)}
        assert facts[split] == wanted
    tasks = yaml.safe_load((package / "eval.yaml").read_text())["tasks"]
    assert {task["id"] for task in tasks} == set(imagenet_ao.TASKS)
    manifest = read_manifest(built, "package")["facts"]
    assert {s: one["images"] for s, one in manifest["splits"].items()} == {
        split: len(rows) for split, rows in sets.items()
    }


def test_the_card_says_how_they_were_matched(built):
    package = step_folder(built, "package") / "drawn"
    text = (package / "README.md").read_text()
    n = {s: one["images"] for s, one in _splits(built).items()}
    assert (
        f"`ood`, {n['ood']} images of novel compositions, and `id`, {n['id']}"
        in text
    )
    assert (
        "8 compositions fit; 8 of the 8 wanted were chosen: attributes and"
        in text
    )
    assert "in at least 3 captions of each corpus, by the rule above" in text
    assert f"| generate | 8 | {n['ood']} | 8 | {n['id']} |" in text
    assert "novel images 100.0 % [" in text
    lines = (package / "controls.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines))
    assert [r["name"] for r in rows] == [*sorted(ATTRIBUTES), *sorted(OBJECTS)]
    for row in rows:
        assert row["novel_compositions"] == row["control_compositions"] == "2"
    assert "| red | 2 | 2 |" in text


def _splits(out):
    return read_manifest(out, "package")["facts"]["splits"]


def test_images_that_are_left_out_unbalance_the_rest():
    assert unequal_share([{"id": 2, "ood": 4}, {"id": 1, "ood": 2}]) == 0
    assert unequal_share([{"id": 1, "ood": 0}, {"id": 0, "ood": 1}]) == 1


def test_a_set_without_controls_asks_no_task_of_two_splits(tmp_path):
    path = configuration(tmp_path, objects=OBJECTS[:2])
    assert build(path) == 0
    package = step_folder(tmp_path / "out", "package") / "drawn"
    tasks = yaml.safe_load((package / "eval.yaml").read_text())["tasks"]
    assert {task["id"] for task in tasks} == {
        f"{part}_top1"
        for part in ("composition", "attribute", "object", "choice")
    }
    assert not (package / "controls.csv").exists()
    assert "Controls" not in (package / "README.md").read_text()


def test_a_model_is_asked_on_one_list_of_both(built, tmp_path):
    import aobench

    package = step_folder(built, "package") / "drawn"
    options = {"tasks": ["composition"], "templates": ["{}"]}
    result = aobench.evaluate("mini", package, **options, cpu=True)[0]
    scores = result.scores["composition"]
    assert {one["n_candidates"] for one in scores["splits"].values()} == {16}
    assert scores["curve"]["n_seen_candidates"] == 8
    assert -1 <= scores["gap_low"] <= scores["gap"] <= scores["gap_high"] <= 1


class Killed(BaseException):
    """Ends a build as a signal would: nothing of the library catches it."""


@pytest.mark.parametrize("file", [TABLE, "controls.csv"])
def test_killed_and_run_again_gives_the_same_bytes(
    built, tmp_path, monkeypatch, file
):
    path = configuration(tmp_path / "set", controls={"least_captions": 3})
    replace = Path.replace

    def killing(self, target):
        if Path(target).name == file:
            raise Killed
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killing)
    with pytest.raises(Killed):
        build(path)
    monkeypatch.undo()
    assert build(path) == 0
    assert altered(path.parent / "out", built) == []
