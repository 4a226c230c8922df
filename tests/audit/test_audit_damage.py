"""What lies on disk is not believed: parts, tables and manifests; sizes, seeds and places out of
reason.
"""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from aobench.audit.api import audit
from aobench.audit.files import find_caption_files
from aobench.audit.result import load_audit
from aobench.audit.vocabulary import Vocabulary, published_vocabulary
from aobench.cli import main
from aobench.errors import UserError

NAMES = Vocabulary(("red", "wooden"), ("bus", "bench"))


@pytest.fixture
def captions(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a red bus\n" * 3)
    (tmp_path / "in" / "b.txt").write_text(
        "a wooden bench\n" * 2 + "a covered bus\n"
    )
    return tmp_path / "in"


def flip(path, at=-60):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def parts_in(folder):
    return sorted(folder.glob("*.safetensors"))


def swap(folder):
    first, second = parts_in(folder)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def change_part(folder, change):
    """A part with the seal of before, whose arrays and notes ``change`` altered."""
    path = parts_in(folder)[0]
    with safe_open(path, framework="numpy") as content:
        sealed = json.loads(content.metadata()["sealed"])
        names = list(content.keys())
        arrays = {name: content.get_tensor(name) for name in names}
    change(arrays, sealed["notes"])
    path.write_bytes(save(arrays, metadata={"sealed": json.dumps(sealed)}))


def other_counts(parts):
    change_part(parts, lambda arrays, _: arrays["counts"].fill(99))


def other_examples(parts):
    def change(arrays, _):
        arrays["texts"] = arrays["texts"][::-1].copy()

    change_part(parts, change)


def other_totals(parts):
    def change(_, notes):
        notes["totals"]["rows"] += 1

    change_part(parts, change)


def other_record(parts):
    def change(_, notes):
        notes["record"]["rows"] += 1

    change_part(parts, change)


def fewer_arrays(parts):
    change_part(parts, lambda arrays, _: arrays.pop("groups"))


def nested_deep(parts):
    sealed = {"sealed": '{"notes":' + "[" * 100_000}
    path = parts_in(parts)[0]
    path.write_bytes(save({"cells": np.zeros(1)}, metadata=sealed))


DAMAGES = {
    "a bit at the start": lambda parts: flip(parts_in(parts)[0], 20),
    "a bit at the end": lambda parts: flip(parts_in(parts)[0], -3),
    "zeros": lambda parts: [
        p.write_bytes(bytes(p.stat().st_size)) for p in parts_in(parts)
    ],
    "cut short": lambda parts: parts_in(parts)[0].write_bytes(
        parts_in(parts)[0].read_bytes()[:-40]
    ),
    "other counts": other_counts,
    "other examples": other_examples,
    "other totals": other_totals,
    "another record": other_record,
    "fewer arrays": fewer_arrays,
    "swapped": swap,
    "nested deep": nested_deep,
    "empty": lambda parts: parts_in(parts)[0].write_text(""),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_counted_again_and_said(
    tmp_path, captions, capsys, damage
):
    out = tmp_path / "out"
    names = [tmp_path / "attributes", tmp_path / "objects"]
    names[0].write_text("red\nwooden\n")
    names[1].write_text("bus\nbench\n")
    command = [
        "audit",
        str(captions),
        "--out",
        str(out),
        "--attributes",
        str(names[0]),
        "--objects",
        str(names[1]),
    ]
    assert main(command) == 0
    whole = load_audit(out).matrix()
    DAMAGES[damage](out / "parts")
    capsys.readouterr()
    assert main(command) == 0
    said = capsys.readouterr().out
    assert (load_audit(out).matrix() == whole).all(), (
        "damaged counts came into the result"
    )
    assert "counted again, since their counts on disk were damaged" in said
    assert main(command) == 0
    assert "2 files were counted before" in capsys.readouterr().out


def change_manifest(out, **entries):
    path = out / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


RESULTS = {
    "a count": lambda out: flip(out / "counts-words.parquet", 30),
    "marginals gone": lambda out: (out / "marginals.parquet").unlink(),
    "another rule's table": lambda out: shutil.copy(
        out / "counts-authors.parquet", out / "counts-words.parquet"
    ),
    "a table that is a folder": lambda out: (
        (out / "marginals.parquet").unlink(),
        (out / "marginals.parquet").mkdir(),
    ),
    "a manifest's total": lambda out: change_manifest(
        out, totals={"counted": 7}
    ),
    "no manifest": lambda out: (out / "manifest.json").unlink(),
    "a list": lambda out: (out / "manifest.json").write_text("[1]"),
    "no rules": lambda out: change_manifest(out, rules=[]),
    "NaN": lambda out: (out / "manifest.json").write_text('{"rules": NaN}'),
    "nested deep": lambda out: (out / "manifest.json").write_text(
        '{"a":' * 100_000
    ),
    "binary": lambda out: (out / "manifest.json").write_bytes(b"\xff\xfe\x00"),
    "a link to itself": lambda out: (
        (out / "manifest.json").unlink(),
        (out / "manifest.json").symlink_to("manifest.json"),
    ),
}


@pytest.mark.parametrize("damage", RESULTS)
def test_a_damaged_audit_is_one_line(tmp_path, captions, capsys, damage):
    out = tmp_path / "out"
    audit(captions, out, vocabulary=NAMES, rules=("words", "authors"))
    RESULTS[damage](out)
    assert (
        main(["diversity", str(out), "--out", str(tmp_path / "diversity")]) == 2
    )
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert str(out) in said


def test_an_audit_without_digests_is_checked_by_its_shape(tmp_path, captions):
    out = tmp_path / "out"
    audit(captions, out, vocabulary=NAMES)
    content = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(
        json.dumps(
            {k: v for k, v in content.items() if k not in ("sha256", "tables")}
        )
    )
    assert load_audit(out).matrix().tolist() == [[3, 0], [0, 2]]
    table = pq.read_table(out / "counts-words.parquet")
    for other in (
        table.slice(0, 3),
        table.take([1, 0, 2, 3]),
        table.set_column(2, "count", pa.array([3.0, 0.5, 0.0, 2.0])),
        table.set_column(2, "count", pa.array([3, None, 0, 2])),
        table.set_column(2, "count", pa.array([3, -1, 0, 2])),
        table.drop_columns(["count"]),
    ):
        pq.write_table(other, out / "counts-words.parquet")
        with pytest.raises(
            UserError,
            match=r"counts-words.parquet is not as the audit wrote it",
        ):
            load_audit(out)


@pytest.mark.parametrize(
    "options",
    [
        {"examples": 10**9},
        {"examples": -1},
        {"examples": 2.5},
        {"sketch": 10**9},
        {"workers": 10**9},
        {"workers": 0},
        {"workers": True},
        {"sample": float("nan")},
        {"sample": "all"},
        {"on_bad_file": "ignore"},
    ],
)
def test_sizes_out_of_reason_are_one_line(tmp_path, captions, options):
    with pytest.raises(UserError, match=next(iter(options))):
        audit(captions, tmp_path / "out", vocabulary=NAMES, **options)


def test_tallies_that_no_machine_holds_are_refused_before_they_are_made(
    tmp_path, captions
):
    with pytest.raises(UserError, match="GB of memory"):
        audit(
            captions,
            tmp_path / "out",
            vocabulary=published_vocabulary(),
            examples=1000,
            sketch=1 << 16,
            workers=4096,
        )


@pytest.mark.parametrize(
    "options",
    [
        ["--draws", "1000000000"],
        ["--at", "0"],
        ["--at", "-3"],
        ["--seed", "-1"],
    ],
)
def test_draws_out_of_reason_are_one_line(tmp_path, captions, capsys, options):
    audit(captions, tmp_path / "out", vocabulary=NAMES)
    assert (
        main(
            [
                "diversity",
                str(tmp_path / "out"),
                *options,
                "--out",
                str(tmp_path / "d"),
            ]
        )
        == 2
    )
    assert capsys.readouterr().err.count("\n") == 1


def test_thresholds_out_of_reason_are_one_line(tmp_path, captions, capsys):
    for value in ("-1", str(10**30)):
        assert (
            main(
                [
                    "audit",
                    str(captions),
                    "--out",
                    str(tmp_path / "out"),
                    "--threshold",
                    value,
                ]
            )
            == 2
        )
        assert "--threshold takes" in capsys.readouterr().err


def test_links_that_lead_back_and_names_that_no_file_has_are_one_line(
    tmp_path, captions
):
    (tmp_path / "in" / "loop.txt").symlink_to("loop.txt")
    with pytest.raises(
        UserError, match=r"loop.txt cannot be read: Too many levels"
    ):
        audit(captions, tmp_path / "out", vocabulary=NAMES)
    found = audit(
        captions, tmp_path / "out", vocabulary=NAMES, on_bad_file="skip"
    )
    assert found.matrix().tolist() == [[3, 0], [0, 2]]
    (tmp_path / "x").symlink_to(tmp_path / "y")
    (tmp_path / "y").symlink_to(tmp_path / "x")
    for pattern in ("a\0b.txt", "a\ud800.txt", str(tmp_path / "x" / "*.txt")):
        with pytest.raises(UserError, match="names no caption file"):
            find_caption_files([pattern])
    for out in ("a\0b", "a\ud800", str(tmp_path / "x")):
        with pytest.raises(UserError, match="--out"):
            audit(captions, out, vocabulary=NAMES, on_bad_file="skip")


def test_synonyms_count_and_their_names_have_a_hash(tmp_path, capsys):
    (tmp_path / "c.txt").write_text("a yellow taxi\n")
    names = [tmp_path / "attributes", tmp_path / "objects"]
    names[0].write_text("yellow\n")
    names[1].write_text("cab\ngreat white shark\n")
    command = [
        "audit",
        str(tmp_path / "c.txt"),
        "--attributes",
        str(names[0]),
        "--objects",
        str(names[1]),
    ]
    assert main([*command, "--synonyms", "--out", str(tmp_path / "out")]) == 0
    found = load_audit(tmp_path / "out")
    assert found.matrix().tolist() == [[1, 0]]
    assert main([*command, "--out", str(tmp_path / "plain")]) == 0
    assert load_audit(tmp_path / "plain").matrix().tolist() == [[0, 0]]
    assert (
        found.manifest["vocabulary"]["hash"]
        != load_audit(tmp_path / "plain").manifest["vocabulary"]["hash"]
    )
    assert (
        published_vocabulary(synonyms=True).hash != published_vocabulary().hash
    )


def test_a_manifest_names_files_whose_names_are_no_text(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(path, "w") as stream:
        stream.write("a red bus\n")
    found = audit(
        tmp_path, tmp_path / "out", vocabulary=NAMES, on_bad_file="skip"
    )
    assert np.array_equal(load_audit(tmp_path / "out").matrix(), found.matrix())
