"""Audits that are published, merged and compared."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from aobench.audit.api import audit
from aobench.audit.merging import compare_audits, merge_audits
from aobench.audit.publishing import publish_audit
from aobench.audit.result import load_audit
from aobench.audit.vocabulary import Vocabulary
from aobench.cli import main
from aobench.errors import UserError

NAMES = Vocabulary(("red", "wooden", "red brick"), ("bus", "bus stop", "cart"))
RULES = ("words", "modifies", "authors")
SHARDS = {
    "one.txt": ["a red bus", "a red bus", "wooden cart by a bus", "a tram"]
    * 30,
    "two.txt": ["a red bus", "a red brick cart", "the cart is wooden"] * 25
    + ["red 1 bus"],
}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for name, captions in SHARDS.items():
        numbered = [f"{text} {i % 7}" for i, text in enumerate(captions)]
        (folder / name).write_text("\n".join(numbered) + "\n")
    for name, files in (
        ("a", ["one.txt"]),
        ("b", ["two.txt"]),
        ("both", list(SHARDS)),
    ):
        paths = [folder / file for file in files]
        audit(paths, folder / name, vocabulary=NAMES, rules=RULES, sketch=5)
    return folder


def assert_same_counts(mine, theirs):
    for rule in RULES:
        assert np.array_equal(mine.matrix(rule), theirs.matrix(rule)), rule
        assert np.array_equal(mine.distinct[rule], theirs.distinct[rule]), rule
        assert np.array_equal(mine.exact[rule], theirs.exact[rule]), rule
        assert np.array_equal(mine.groups(rule), theirs.groups(rule)), rule
        assert mine.groups(rule).sum(0).tolist() == mine.matrix(rule).tolist()
    for kind in (0, 1):
        assert np.array_equal(mine.marginals[kind], theirs.marginals[kind])
    for key in ("totals", "named"):
        assert mine.manifest[key] == theirs.manifest[key]


def test_merged_shards_are_as_if_counted_together(shards, tmp_path):
    parts = [load_audit(shards / name) for name in "ab"]
    merged = merge_audits(parts, tmp_path / "merged")
    both = load_audit(shards / "both")
    assert_same_counts(merged, both)
    assert_same_counts(load_audit(tmp_path / "merged"), both)
    first = {pair: found[0] for pair, found in both.examples("words").items()}
    assert {p: e[0] for p, e in merged.examples("words").items()} == first


def test_published_shards_merge_too(shards, tmp_path, capsys):
    for name in "ab":
        arguments = ["--out", str(tmp_path / name), "--corpus", "shards"]
        assert main(["audits", "publish", str(shards / name), *arguments]) == 0
    merged = tmp_path / "merged"
    folders = [str(tmp_path / name) for name in "ab"]
    assert main(["audits", "merge", *folders, "--out", str(merged)]) == 0
    assert_same_counts(load_audit(merged), load_audit(shards / "both"))
    assert (
        main(
            [
                "diversity",
                *folders,
                "--out",
                str(tmp_path / "d"),
                "--draws",
                "5",
            ]
        )
        == 0
    )
    again = publish_audit(load_audit(merged), tmp_path / "again", "both")
    assert_same_counts(load_audit(again), load_audit(shards / "both"))
    capsys.readouterr()


def test_what_is_published_holds_no_caption_and_no_path(shards, tmp_path):
    folder = publish_audit(
        load_audit(shards / "both"), tmp_path / "out", "some shards"
    )
    for path in folder.iterdir():
        content = path.read_bytes()
        assert b"wooden cart by a bus" not in content, path.name
        assert str(shards).encode() not in content, path.name
    found = load_audit(folder)
    assert found.examples("words")["red", "bus"][0] == ("one.txt", 0, "")
    card = (folder / "README.md").read_text()
    assert "some shards" in card
    assert "over-counts on purpose" in card
    text = publish_audit(
        load_audit(shards / "a"), tmp_path / "t", "x", with_text=True
    )
    assert (
        load_audit(text).examples("words")["red", "bus"][0][2] == "a red bus 0"
    )


def test_load_dataset_reads_it(shards, tmp_path):
    from datasets import get_dataset_config_names, load_dataset

    folder = str(
        publish_audit(load_audit(shards / "both"), tmp_path / "out", "x")
    )
    assert "counts-modifies" in get_dataset_config_names(folder)
    cache = str(tmp_path / "cache")
    table = load_dataset(
        folder, "counts-modifies", split="train", cache_dir=cache
    )
    counts = {(row["attribute"], row["object"]): row["count"] for row in table}
    matrix = load_audit(shards / "both").matrix("modifies")
    assert counts["red", "bus"] == matrix[0, 0] > 0
    assert (
        len(load_dataset(folder, split="train", cache_dir=cache)) == matrix.size
    )


def test_the_command_publishes(shards, tmp_path, capsys):
    names = tmp_path / "names.txt"
    names.write_text("red\n")
    arguments = ["audit", str(shards / "one.txt"), "--out", str(tmp_path / "a")]
    arguments += ["--attributes", str(names), "--publish", str(tmp_path / "p")]
    assert main(arguments) == 2
    assert "--corpus NAME" in capsys.readouterr().err
    assert main([*arguments, "--corpus", "mine", "--licence", "mit"]) == 0
    assert 'license: "mit"' in (tmp_path / "p" / "README.md").read_text()


def test_what_became_seen(shards, tmp_path, capsys):
    before, after = load_audit(shards / "a"), load_audit(shards / "b")
    changes = compare_audits(before, after, "modifies")
    assert [(one.attribute, one.object) for one in changes] == [
        ("red", "cart"),
        ("red brick", "cart"),
    ]
    assert [(c.before, c.after) for c in changes] == [(0, 25), (0, 25)]
    assert [
        (c.before, c.after) for c in compare_audits(after, before, "modifies")
    ] == [
        (25, 0),
        (25, 0),
    ]
    out, folders = tmp_path / "x.csv", [str(shards / name) for name in "ab"]
    arguments = ["--rule", "modifies", "--out", str(out)]
    assert main(["audits", "compare", *folders, *arguments]) == 0
    assert "2 became seen, 0 are seen" in capsys.readouterr().out
    with out.open() as stream:
        assert len(list(csv.DictReader(stream))) == 2


def test_what_does_not_merge(shards, tmp_path, capsys):
    a, both = load_audit(shards / "a"), load_audit(shards / "both")
    with pytest.raises(UserError, match="would count twice"):
        merge_audits([a, both], tmp_path / "m")
    with pytest.raises(UserError, match="at least two"):
        merge_audits([a], tmp_path / "m")
    other = audit(
        shards / "two.txt",
        tmp_path / "other",
        rules=RULES,
        vocabulary=Vocabulary(("red",), ("bus",)),
    )
    with pytest.raises(UserError, match="looked for other names"):
        merge_audits([a, other], tmp_path / "m")
    fewer = audit(
        shards / "two.txt",
        tmp_path / "fewer",
        rules=RULES,
        vocabulary=NAMES,
        sketch=6,
    )
    with pytest.raises(UserError, match="differ in --sketch"):
        merge_audits([a, fewer], tmp_path / "m")
    older = replace(
        fewer,
        manifest={
            k: v
            for k, v in load_audit(shards / "b").manifest.items()
            if k != "hash_version"
        },
    )
    with pytest.raises(UserError, match=r"earlier version.*run that audit"):
        merge_audits([a, older], tmp_path / "m")
    ruled = audit(
        shards / "two.txt",
        tmp_path / "ruled",
        rules="words",
        vocabulary=NAMES,
        sketch=5,
    )
    with pytest.raises(UserError, match="other rules"):
        merge_audits([a, ruled], tmp_path / "m")
    for arguments, told in (
        (
            ["publish", str(shards / "a"), str(shards / "b"), "--corpus", "x"],
            "one audit",
        ),
        (["publish", str(shards / "a")], "--corpus NAME"),
        (["compare", str(shards / "a")], "takes two audits"),
        (
            ["publish", str(shards / "a"), "--corpus", "x\ny"],
            "names of one line",
        ),
    ):
        assert main(["audits", *arguments, "--out", str(tmp_path / "o")]) == 2
        assert told in capsys.readouterr().err


def test_a_changed_or_foreign_folder_is_refused(shards, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.doc").write_text("x")
    with pytest.raises(UserError, match=r"letter\.doc"):
        publish_audit(load_audit(shards / "a"), tmp_path / "mine", "x")
    folder = publish_audit(load_audit(shards / "a"), tmp_path / "out", "x")
    assert publish_audit(load_audit(shards / "a"), folder, "x") == folder
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["totals"]["counted"] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="not as the audit wrote it"):
        load_audit(folder)
