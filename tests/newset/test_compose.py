"""Compose: names of which one holds another, exclusions, caps, samples, and captions that
change.
"""

import json

import numpy as np
import pytest
from helpers.builds import compose_configuration, largest_choice

from aobench.cli import main
from aobench.newset.balance import balanced_choice
from aobench.newset.compose import TABLE
from aobench.newset.manifests import read_manifest, read_rows, step_folder


def composed(path):
    """The code of why each composition is left out, "" where it is kept."""
    assert main(["build", str(path), "--steps", "compose"]) == 0
    rows = read_rows(step_folder(path.parent / "out", "compose") / TABLE)
    return {
        (row["attribute"], row["object"]): row["reason_code"] for row in rows
    }


def refused(path, capsys):
    """The one line that compose is refused with."""
    capsys.readouterr()
    assert main(["build", str(path), "--steps", "compose"]) == 2
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    return err


@pytest.mark.parametrize(
    ("attributes", "objects", "fell"),
    [
        (
            ["red"],
            ["fox", "red fox"],
            {("red", "fox"): "shadowed", ("red", "red fox"): "same-word"},
        ),
        (
            ["Red"],
            ["red wolf", "Wolf"],
            {("Red", "Wolf"): "shadowed", ("Red", "red wolf"): "same-word"},
        ),
        (
            ["white"],
            ["shark", "great white shark"],
            {("white", "shark"): "shadowed"},
        ),
        (["hot"], ["dog", "hotdog"], {("hot", "dog"): "shadowed"}),
        (
            ["red", "red fox colored"],
            ["fox", "banana"],
            {("red", "fox"): "shadowed"},
        ),
    ],
)
def test_a_composition_that_is_another_name_is_untestable(
    tmp_path, attributes, objects, fell
):
    path = compose_configuration(
        tmp_path,
        ["nothing of it", "the sky"],
        attributes=attributes,
        objects=[*objects, "accordion"],
    )
    found = composed(path)
    for pair, reason in fell.items():
        assert found[pair] == reason, (
            f"{pair} can't be told from another name, and was taken: {found[pair]!r}"
        )
    assert found[attributes[0], "accordion"] == ""


def test_an_audit_of_longer_lists_does_not_hide_a_composition(tmp_path):
    (tmp_path / "objects.txt").write_text("fox\nred fox\nbanana\n")
    (tmp_path / "attributes.txt").write_text("red\nstriped\n")
    captions = ["a red fox", "the red fox sleeps", "a striped red fox"]
    path = compose_configuration(
        tmp_path,
        captions,
        attributes=["red", "striped"],
        objects=["fox", "banana"],
    )
    argv = [
        "audit",
        str(tmp_path / "captions.txt"),
        "--out",
        str(tmp_path / "audit"),
    ]
    names = [
        "--attributes",
        str(tmp_path / "attributes.txt"),
        "--objects",
        str(tmp_path / "objects.txt"),
    ]
    assert main([*argv, *names]) == 0
    content = json.loads(path.read_text())
    content["compose"]["corpora"] = [{"name": "mine", "audit": "audit"}]
    path.write_text(json.dumps(content))
    found = composed(path)
    why = (
        "captions that name it were counted for 'red fox', which the audit looked for and the "
        "set lacks"
    )
    assert found["red", "fox"] == "shadowed", why
    assert found["striped", "fox"].startswith("seen"), why
    assert (found["red", "banana"], found["striped", "banana"]) == ("", "")


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        (["hot dog", "hot_dog"], "would have the same file names"),
        (["caf\u00e9", "cafe\u0301"], "stands twice in the vocabulary"),
        (["x" * 300], "up to 200 printable characters"),
        (["a\nb"], "up to 200 printable characters"),
        (["a/b"], "can't be a file name"),
    ],
)
def test_names_that_clash_as_files_are_refused_before_any_work(
    tmp_path, capsys, objects, told
):
    assert told in refused(
        compose_configuration(tmp_path, ["the sky"], objects=objects), capsys
    )


def test_an_exclusion_list_is_read_as_people_write_it(tmp_path):
    (tmp_path / "out.csv").write_bytes(
        '\ufeffattribute,object,reason\nred, banana ,"they\nexist"\n'.encode()
    )
    path = compose_configuration(
        tmp_path, ["the sky"], objects=["banana", "airliner"], exclude="out.csv"
    )
    assert composed(path) == {
        ("red", "banana"): "excluded",
        ("red", "airliner"): "",
    }
    rows = read_rows(step_folder(path.parent / "out", "compose") / TABLE)
    assert [row["reason"] for row in rows] == ["listed: they exist", ""]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"attribute,object,reason\nredd,banana,x\n", "did you mean 'red'?"),
        (
            b"attribute,object,reason\nred\n",
            "line 2: 1 fields where the header has 3",
        ),
        (
            b"attribute,object,reason\nred,banana,caf\xe9\n",
            "is not UTF-8 at line 2",
        ),
        (b"attribute;object;reason\n", "lacks the column(s) attribute, object"),
        (b"", "is empty"),
    ],
)
def test_a_bad_exclusion_list_is_one_line(tmp_path, capsys, content, told):
    (tmp_path / "out.csv").write_bytes(content)
    assert told in refused(
        compose_configuration(tmp_path, ["the sky"], exclude="out.csv"), capsys
    )


def test_fewer_than_asked_is_said(tmp_path, capsys):
    path = compose_configuration(
        tmp_path, ["the sky"], objects=["banana", "airliner"], count=500
    )
    composed(path)
    assert "count asks for 500: there are no more" in capsys.readouterr().out
    facts = read_manifest(tmp_path / "out", "compose")["facts"]
    assert (facts["kept"], facts["asked"]) == (2, 500)


def test_a_sampled_audit_is_said(tmp_path, capsys):
    path = compose_configuration(tmp_path, ["the red sky"] * 200)
    argv = [
        "audit",
        str(tmp_path / "captions.txt"),
        "--out",
        str(tmp_path / "audit"),
        "--sample",
        "0.5",
    ]
    assert main(argv) == 0
    content = json.loads(path.read_text())
    content["compose"]["corpora"] = [{"name": "mine", "audit": "audit"}]
    path.write_text(json.dumps(content))
    composed(path)
    assert "mine was audited by a sample of 0.5" in capsys.readouterr().out
    facts = read_manifest(tmp_path / "out", "compose")["facts"]["corpora"][
        "mine"
    ]
    assert facts["sample"] == 0.5
    assert 0 < facts["unseen_share_at_most_95"] < 0.1


def test_no_choice_under_the_caps_holds_more():
    rng = np.random.default_rng(0)
    for seed in range(200):
        free = rng.random(
            (rng.integers(3, 8), rng.integers(3, 9))
        ) < rng.uniform(0.2, 0.6)
        caps = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        kept = balanced_choice(free, None, *caps, seed)
        assert not (kept & ~free).any()
        assert kept.sum(1).max() <= caps[0]
        assert kept.sum(0).max() <= caps[1]
        assert kept.sum() == largest_choice(free, *caps), (
            f"case {seed}: more compositions fit under the caps {caps}"
        )
        assert (kept == balanced_choice(free, None, *caps, seed)).all()


def test_a_change_in_the_middle_of_a_long_file_is_seen(tmp_path):
    lines = ["nothing here at all"] * 150_000
    path = compose_configuration(
        tmp_path, lines, objects=["banana", "airliner"]
    )
    assert composed(path) == {("red", "banana"): "", ("red", "airliner"): ""}
    lines[75_000] = "a red banana xxxxxx"
    (tmp_path / "captions.txt").write_text("\n".join(lines) + "\n")
    assert composed(path)["red", "banana"].startswith("seen"), (
        "the changed caption was not looked at"
    )


def test_captions_that_only_got_another_time_are_not_composed_again(tmp_path):
    path = compose_configuration(tmp_path, ["the sky"])
    composed(path)
    manifest = step_folder(tmp_path / "out", "compose") / "manifest.json"
    before = manifest.stat().st_mtime_ns
    (tmp_path / "captions.txt").touch()
    composed(path)
    assert manifest.stat().st_mtime_ns == before


def test_after_no_composition_is_left_nothing_is_generated(tmp_path, capsys):
    path = compose_configuration(tmp_path, ["the sky"])
    composed(path)
    first = path.read_text()
    path.write_text(
        first.replace(
            '"objects": ["banana"]',
            '"objects": ["banana"], "exclude": "all.csv"',
        )
    )
    (tmp_path / "all.csv").write_text("attribute,object\nred,\n")
    assert "no composition is left" in refused(path, capsys)
    path.write_text(first)
    assert main(["build", str(path), "--steps", "generate"]) == 2, (
        "an emptied table was taken for a finished step"
    )
    assert "run it again: --steps compose" in capsys.readouterr().err
