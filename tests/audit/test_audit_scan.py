"""Files in, results out: every kind of file, resuming, broken files, the manifest, both engines,
the command.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.plots import bar_heights, coloured_share

from aobench.audit.api import audit
from aobench.audit.files import find_caption_files
from aobench.audit.readers import read_chunks
from aobench.audit.result import load_audit
from aobench.audit.rules import VERSIONS
from aobench.audit.statistics import rule_disagreements
from aobench.audit.streams import BadFileError
from aobench.audit.vocabulary import Vocabulary
from aobench.cli import main
from aobench.errors import UserError

NAMES = Vocabulary(("red", "wooden"), ("bus", "bench", "cart"))
CAPTIONS = [
    "A red bus.",
    "two wooden benches",
    None,
    "",
    'red é, "quoted" bench',
    "a covered cart",
    "a red bus!",
]
TEXTS = [c or "" for c in CAPTIONS]


def texts_of(path, **options):
    return [
        chunk.text(i)
        for chunk in read_chunks(str(path), **options)
        for i in range(len(chunk))
    ]


def write_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for i, caption in enumerate(CAPTIONS):
            members = {
                "jpg": b"\xff\xd8",
                "json": json.dumps({"caption": caption, "width": 3}).encode(),
            }
            if i % 2 == 0 and caption is not None:
                members["txt"] = caption.encode()
                members["json"] = b'{"caption": "not this one: red cart"}'
            for ending, content in members.items():
                info = tarfile.TarInfo(f"shard/{i:06d}.{ending}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def write_files(folder: Path) -> dict[str, Path]:
    frame = pl.DataFrame(
        {"url": ["http://x"] * len(CAPTIONS), "TEXT": CAPTIONS}
    )
    kinds = (
        "parquet",
        "csv",
        "csv.gz",
        "tsv",
        "jsonl",
        "jsonl.gz",
        "txt",
        "txt.gz",
        "tar",
    )
    paths = {kind: folder / f"c.{kind}" for kind in kinds} | {
        "tar": folder / "t.tar"
    }
    frame.write_parquet(paths["parquet"])
    frame.write_csv(paths["csv"])
    paths["csv.gz"].write_bytes(gzip.compress(paths["csv"].read_bytes()))
    paths["tsv"].write_text(
        "TEXT\turl\n" + "".join(f"{t}\thttp://x\n" for t in TEXTS),
        encoding="utf-8",
    )
    lines = [
        json.dumps({"id": i, "TEXT": c, "meta": {"a": [1]}})
        for i, c in enumerate(CAPTIONS)
    ]
    paths["jsonl"].write_text("\n".join(lines), encoding="utf-8")
    paths["jsonl.gz"].write_bytes(gzip.compress(paths["jsonl"].read_bytes()))
    paths["txt"].write_bytes("\r\n".join(TEXTS).encode())
    paths["txt.gz"].write_bytes(
        gzip.compress(("\n".join(TEXTS) + "\n").encode())
    )
    write_tar(paths["tar"])
    return paths


def test_every_kind_of_file_gives_the_same_captions_and_counts(tmp_path):
    for kind, path in write_files(tmp_path).items():
        assert texts_of(path) == TEXTS, kind
        found = audit(
            str(path),
            tmp_path / f"out-{kind}",
            vocabulary=NAMES,
            rules=tuple(VERSIONS),
        )
        assert found.matrix("words").tolist() == [[2, 1, 0], [0, 1, 0]], kind
        assert found.matrix("adjacent").tolist() == [[2, 0, 0], [0, 0, 0]], kind
        assert found.matrix("adjacent-forms").tolist() == [
            [2, 0, 0],
            [0, 1, 0],
        ], kind
        assert found.matrix("authors").tolist() == [[2, 1, 1], [0, 1, 0]], kind
        totals = found.manifest["totals"]
        assert (totals["rows"], totals["nulls"] + totals["empty"]) == (7, 2), (
            kind
        )
        assert totals["bytes"] == sum(len(t.encode()) for t in TEXTS), kind
        if kind.startswith(("parquet", "jsonl")):
            assert totals["nulls"] == 1, kind


def test_the_kernel_is_compiled_once_for_all_kinds_of_files(tmp_path):
    """Each further form of arrays takes ten seconds of a user's first audit."""
    from aobench.audit.kernel import _count_from
    from aobench.audit.substrings import count_authors

    for kind, path in write_files(tmp_path).items():
        out = tmp_path / f"out-{kind}"
        audit(str(path), out, vocabulary=NAMES, rules=("words", "authors"))
    odd = tmp_path / "odd.csv"
    odd.write_text("caption\na red cafe\u0301\n")
    audit(str(odd), tmp_path / "odd", vocabulary=NAMES, rules=("words",))
    assert len(_count_from.signatures) == 1
    assert len(count_authors.signatures) == 1


def test_long_text_files_are_cut_at_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("aobench.audit.readers.text_lines.CHUNK_BYTES", 7)
    path = tmp_path / "c.txt"
    path.write_bytes("\r\n".join(TEXTS).encode())
    chunks = list(read_chunks(str(path)))
    assert len(chunks) > 3
    assert [c.text(i) for c in chunks for i in range(len(c))] == TEXTS
    assert [c.first_row for c in chunks] == np.cumsum(
        [0, *(len(c) for c in chunks[:-1])]
    ).tolist()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            'http://a/b.jpg\ta "red bus\nhttp://a/c.jpg\tbench\n',
            ['a "red bus', "bench"],
        ),  # CC12M
        (
            "a red bus\thttp://a/b.jpg\nbench\thttp://a/c.jpg\n",
            ["a red bus", "bench"],
        ),  # CC3M
        (
            "\t".join(
                [
                    "1",
                    "u",
                    "n",
                    "d",
                    "e",
                    "c",
                    "red+bus",
                    "it%27s+up",
                    *["x"] * 15,
                ]
            )
            + "\n",
            ["red bus. it's up"],
        ),
        (
            "\t".join(
                [
                    "0",
                    "1",
                    "h",
                    "u",
                    "n",
                    "d",
                    "e",
                    "c",
                    "red+bus",
                    "",
                    *["x"] * 15,
                ]
            )
            + "\n",
            ["red bus"],
        ),
    ],
)
def test_corpora_without_a_header_are_known(tmp_path, content, expected):
    path = tmp_path / "c.tsv"
    path.write_text(content)
    assert texts_of(path) == expected


def test_a_column_is_found_or_asked_for(tmp_path):
    path = tmp_path / "c.parquet"
    pl.DataFrame({"uid": ["1"], "text": ["a"], "alt": ["b"]}).write_parquet(
        path
    )
    assert texts_of(path) == ["a"]
    assert texts_of(path, column="alt") == ["b"]
    assert texts_of(path, layout="datacomp") == ["a"]
    with pytest.raises(
        UserError, match="no column 'caption'; its columns are: uid, text, alt"
    ):
        texts_of(path, column="caption")
    with pytest.raises(UserError, match="unknown layout"):
        texts_of(path, layout="coyo")
    pl.DataFrame({"uid": ["1"]}).write_parquet(path)
    with pytest.raises(UserError, match="--column"):
        texts_of(path)


def test_paths_folders_and_globs(tmp_path):
    write_files(tmp_path)
    (tmp_path / "notes.md").write_text("x")
    files = find_caption_files([str(tmp_path)])
    assert (len(files.paths), files.left_out) == (
        9,
        [str(tmp_path / "notes.md")],
    )
    twice = find_caption_files(
        [str(tmp_path / "*.jsonl*"), str(tmp_path / "c.jsonl")]
    ).paths
    assert [Path(p).name for p in twice] == ["c.jsonl", "c.jsonl.gz"]
    with pytest.raises(UserError, match="names no caption file"):
        find_caption_files([str(tmp_path / "none-*.csv")])
    with pytest.raises(UserError, match="no known kind"):
        find_caption_files([str(tmp_path / "notes.md")])


def shards(folder: Path, n: int = 4) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"part-{i}.txt" for i in range(n)]
    for i, path in enumerate(paths):
        path.write_text(f"red bus {i}\na wooden bench\n")
    return paths


def test_a_killed_scan_goes_on_and_counts_the_same(tmp_path, monkeypatch):
    paths = shards(tmp_path / "in")
    from aobench.audit import scan as module

    whole = audit(str(tmp_path / "in"), tmp_path / "whole", vocabulary=NAMES)
    real, seen = module.scan_file, []

    def dies_at_the_third(path, *rest):
        seen.append(Path(path).name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(path, *rest)

    monkeypatch.setattr(module, "scan_file", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        audit(str(tmp_path / "in"), tmp_path / "out", vocabulary=NAMES)
    found = audit(str(tmp_path / "in"), tmp_path / "out", vocabulary=NAMES)
    assert seen == [
        "part-0.txt",
        "part-1.txt",
        "part-2.txt",
        "part-2.txt",
        "part-3.txt",
    ]
    assert [f["resumed"] for f in found.manifest["files"]] == [
        True,
        True,
        False,
        False,
    ]
    assert (found.matrix() == whole.matrix()).all()
    assert found.manifest["totals"] == whole.manifest["totals"]
    paths[0].write_text("a red cart\n")  # changed: read again
    found = audit(str(tmp_path / "in"), tmp_path / "out", vocabulary=NAMES)
    assert seen[5:] == ["part-0.txt"]
    assert found.matrix()[0].tolist() == [3, 0, 1]
    # another question
    found = audit(
        str(tmp_path / "in"),
        tmp_path / "out",
        vocabulary=NAMES,
        rules=("adjacent",),
    )
    assert len(seen) == 10
    assert found.matrix("adjacent").tolist() == [[3, 0, 1], [0, 3, 0]]


BROKEN = {
    "b.parquet": b"PAR1 not a parquet file",
    "b.jsonl": b'{"caption": "a red bus"}\n{"caption": \n',
    "b.txt.gz": gzip.compress(b"a red bus\n" * 9999)[:40],
    "b.tar": b"not a tar" * 100,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_stops_or_is_skipped_and_named(tmp_path, name):
    (tmp_path / "a.txt").write_text("red bus\n")
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(BadFileError):
        texts_of(tmp_path / name)
    with pytest.raises(
        UserError, match=f"{name} cannot be read: .*--on-bad-file skip"
    ):
        audit(str(tmp_path), tmp_path / "out", vocabulary=NAMES)
    found = audit(
        str(tmp_path), tmp_path / "out", vocabulary=NAMES, on_bad_file="skip"
    )
    assert [Path(p).name for p in found.manifest["skipped_files"]] == [name]
    assert found.matrix().tolist() == [[1, 0, 0], [0, 0, 0]], (
        "what was counted before the fault leaked into the result"
    )


def test_the_manifest_says_what_made_it(tmp_path):
    import hashlib

    paths = write_files(tmp_path)
    found = audit(
        str(paths["parquet"]),
        tmp_path / "out",
        vocabulary=NAMES,
        rules=("words", "authors"),
    )
    read = json.loads((tmp_path / "out" / "manifest.json").read_text())
    [file] = read["files"]
    assert (
        file["sha256"]
        == hashlib.sha256(paths["parquet"].read_bytes()).hexdigest()
    )
    assert file["size"] == paths["parquet"].stat().st_size
    assert (file["rows"], file["nulls"], file["empty"]) == (7, 1, 1)
    assert read["rules"]["words"]["version"] == VERSIONS["words"]
    assert read["vocabulary"]["hash"] == NAMES.hash
    again = load_audit(tmp_path / "out")
    for rule in ("words", "authors"):
        assert (again.matrix(rule) == found.matrix(rule)).all()
        assert (again.distinct[rule] == found.distinct[rule]).all()
    assert again.distinct["words"][0, 0] == 1, (
        "'A red bus.' and 'a red bus!' are the same words"
    )
    assert again.examples("words")["wooden", "bench"] == [
        (str(paths["parquet"]), 1, "two wooden benches")
    ]
    assert again.novel("words") == [
        ("red", "cart"),
        ("wooden", "bus"),
        ("wooden", "cart"),
    ]
    assert again.novel("words", threshold=1) == [
        p for p in again.novel("words", 9) if p != ("red", "bus")
    ]
    # captions naming each attribute and object: wooden bench, red bus twice, red bench, cart
    assert [m.tolist() for m in again.marginals] == [[3, 1], [2, 2, 1]]


def test_counts_fit_the_dataset(tmp_path):
    from imagenet_ao import read_counts

    (tmp_path / "c.txt").write_text("a red bakery\nred brick bakeries\n")
    audit(str(tmp_path / "c.txt"), tmp_path / "out")
    counts = read_counts(str(tmp_path / "out" / "counts-words.parquet"))
    assert len(counts) == 129_000
    assert (
        counts["red", "bakery"],
        counts["red brick", "bakery"],
        counts["iron", "bakery"],
    ) == (2, 1, 0)


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="the extra [ray] is not installed",
)
def test_ray_gives_the_same_result(tmp_path, request, monkeypatch):
    import ray

    # processes that wait for work which doesn't come import all of it nevertheless
    monkeypatch.setenv("RAY_prestart_worker_first_driver", "0")
    request.addfinalizer(
        ray.shutdown
    )  # its servers would take time from all later tests
    shards(tmp_path / "in")
    (tmp_path / "in" / "broken.parquet").write_bytes(b"x")
    options = {
        "vocabulary": NAMES,
        "rules": tuple(VERSIONS),
        "on_bad_file": "skip",
        "workers": 2,
    }
    one = audit(str(tmp_path / "in"), tmp_path / "one", **options)
    many = audit(
        str(tmp_path / "in"), tmp_path / "many", engine="ray", **options
    )
    assert one.manifest["totals"] == many.manifest["totals"]
    assert one.manifest["skipped_files"] == many.manifest["skipped_files"]
    for name in (
        "counts-words",
        "counts-authors",
        "examples-words",
        "examples-authors",
        "marginals",
    ):
        assert pl.read_parquet(tmp_path / "one" / f"{name}.parquet").equals(
            pl.read_parquet(tmp_path / "many" / f"{name}.parquet")
        ), name
    with pytest.raises(UserError, match="broken"):
        audit(
            str(tmp_path / "in"),
            tmp_path / "many",
            engine="ray",
            **{**options, "on_bad_file": "stop"},
        )


def test_the_command_prints_and_writes(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("a red bus\na covered cart\nred mice\n")
    (tmp_path / "attributes").write_text("red\n# no\nwooden\n")
    (tmp_path / "objects").write_text("bus\ncart\nmouse\n")
    out = tmp_path / "out"
    names = [
        "--attributes",
        str(tmp_path / "attributes"),
        "--objects",
        str(tmp_path / "objects"),
    ]
    rules = ["--rule", "words", "authors", "--figures", "--out", str(out)]
    assert main(["audit", str(tmp_path / "a.txt"), *rules, *names]) == 0
    said = capsys.readouterr().out
    assert "3 captions in 1 files" in said
    assert "words: 2 of 6 compositions seen, 4 novel" in said
    assert (out / "novel-words.csv").read_text().splitlines() == [
        "attribute,object",
        "red,cart",
        "wooden,bus",
        "wooden,cart",
        "wooden,mouse",
    ]
    rows = (out / "disagreements.csv").read_text().splitlines()[1:]
    assert [row.split(",")[:3] for row in rows] == [
        ["authors only", "red", "cart"],
        ["words only", "red", "mouse"],
    ]
    assert coloured_share(out / "matrix-words.png") > 0.05, (
        "no seen cell has a colour"
    )
    assert bar_heights(out / "nmi.png", "#0072B2") == [], "NMI is 0 here"
    assert coloured_share(out / "nmi.png") > 0, (
        "the legend names the captions' colour"
    )
    assert main(["audit", str(tmp_path / "none.txt"), "--out", str(out)]) == 2
    assert "names no caption file" in capsys.readouterr().err


def test_a_sample_prints_its_bound(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("a red bus\n" * 3000)
    assert (
        main(
            [
                "audit",
                str(tmp_path / "a.txt"),
                "--sample",
                "0.5",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    assert "A sample of 1," in capsys.readouterr().out
    with pytest.raises(UserError, match="above 0"):
        audit(str(tmp_path / "a.txt"), tmp_path / "out", sample=0)


@pytest.mark.skipif(
    "IMAGENET_AO_CAPTIONS" not in os.environ,
    reason="IMAGENET_AO_CAPTIONS names no folder of captions",
)
def test_real_captions(tmp_path):
    from helpers.audit_oracle import by_authors, by_words

    names = Vocabulary(("wooden", "red"), ("bench", "banana", "umbrella"))
    found = audit(
        os.environ["IMAGENET_AO_CAPTIONS"],
        tmp_path,
        vocabulary=names,
        rules=tuple(VERSIONS),
    )
    assert found.matrix("adjacent").tolist() == [[58, 0, 0], [21, 0, 70]]
    texts = [
        t
        for path in find_caption_files(
            [os.environ["IMAGENET_AO_CAPTIONS"]]
        ).paths
        for t in texts_of(path)
    ]
    expected = {**by_words(texts, names), "authors": by_authors(texts, names)}
    for rule, counts in expected.items():
        matrix = found.matrix(rule)
        assert {
            (a, o): n
            for a, row in enumerate(matrix.tolist())
            for o, n in enumerate(row)
            if n
        } == counts, rule
    assert rule_disagreements(found)["authors only"].shape[1] == 2
