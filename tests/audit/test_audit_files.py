"""What users' folders really hold: packed, damaged and doubled files, lists of captions, object
stores, bad places.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import tarfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.loopback_s3 import S3

import imagenet_ao
from aobench.audit.api import audit
from aobench.audit.files import find_caption_files
from aobench.audit.readers import read_chunks
from aobench.audit.streams import BadFileError
from aobench.audit.vocabulary import Vocabulary
from aobench.cli import main
from aobench.errors import UserError
from aobench.files import alone_in

NAMES = Vocabulary(("red", "wooden"), ("bus", "bench"))


def texts_of(path, **options):
    return [
        chunk.text(i)
        for chunk in read_chunks(str(path), **options)
        for i in range(len(chunk))
    ]


def tar_of(samples: dict[str, bytes], path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in samples.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "name", ["c.txt", "c.csv", "c.tsv", "c.jsonl", "c.tar"]
)
def test_zstandard_is_unpacked(tmp_path, name):
    plain = tmp_path / name
    if name == "c.tar":
        tar_of({"0.txt": b"a red bus", "1.txt": b"wooden benches"}, plain)
    else:
        lines = {
            "txt": "a red bus\nwooden benches\n",
            "jsonl": '{"text": "a red bus"}\n{"text": "wooden benches"}\n',
        }
        plain.write_text(
            lines.get(name[2:], "text\na red bus\nwooden benches\n")
        )
    packed = tmp_path / f"{name}.zst"
    packed.write_bytes(pa.compress(plain.read_bytes(), "zstd", asbytes=True))
    assert (
        texts_of(packed) == texts_of(plain) == ["a red bus", "wooden benches"]
    )
    assert find_caption_files([str(tmp_path)]).paths == [
        str(plain),
        str(packed),
    ]


def damaged(path: Path, how: str) -> Path:
    """A tar of 300 captions: overwritten in a header, zeroed in the middle, or cut off between
    two members.
    """
    tar_of({f"{i:05d}.txt": b"a red bus" for i in range(300)}, path)
    content = bytearray(path.read_bytes())
    at = 100 * 1024
    if how == "cut":
        content = content[:at]
    else:
        content[at : at + (512 if how == "header" else 20_480)] = (
            b"x" if how == "header" else b"\0"
        ) * (512 if how == "header" else 20_480)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("how", ["header", "zeros", "cut"])
def test_a_damaged_tar_does_not_pass_for_a_short_one(tmp_path, how):
    with pytest.raises(BadFileError, match="archive"):
        texts_of(damaged(tmp_path / "d.tar", how))


def test_a_downloaders_folder_is_not_counted_twice(tmp_path):
    tar_of({"0.txt": b"a red bus"}, tmp_path / "00000.tar")
    pl.DataFrame({"caption": ["a red bus"]}).write_parquet(
        tmp_path / "00000.parquet"
    )
    (tmp_path / "00000_stats.json").write_text("{}")
    (tmp_path / "._00000.parquet").write_bytes(b"of another system")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "x.txt").write_text("a red bus\n")
    with pytest.raises(
        UserError, match=r"00000.tar and .*00000.parquet stand side by side"
    ):
        find_caption_files([str(tmp_path)])
    files = find_caption_files([f"{tmp_path}/*.parquet"])
    assert files.paths == [str(tmp_path / "00000.parquet")]
    (tmp_path / "00000.tar").unlink()
    files = find_caption_files([f"{tmp_path}/*"])
    assert files.paths == [str(tmp_path / "00000.parquet")]
    assert files.left_out == [str(tmp_path / "00000_stats.json")]


def test_a_tar_and_its_table_are_refused_however_they_are_named(tmp_path):
    tar_of({"0.txt": b"a red bus"}, tmp_path / "00000.tar")
    pl.DataFrame({"caption": ["a red bus"]}).write_parquet(
        tmp_path / "00000.parquet"
    )
    with pytest.raises(UserError, match="stand side by side"):
        find_caption_files(
            [str(tmp_path / "00000.tar"), str(tmp_path / "00000.parquet")]
        )


def test_a_link_to_nothing_is_a_missing_file(tmp_path):
    (tmp_path / "a.txt").write_text("a red bus\n")
    (tmp_path / "b.txt").symlink_to(tmp_path / "gone" / "b.txt")
    with pytest.raises(UserError, match=r"b.txt cannot be read: No such file"):
        audit(str(tmp_path), tmp_path / "out", vocabulary=NAMES)
    found = audit(
        str(tmp_path), tmp_path / "out", vocabulary=NAMES, on_bad_file="skip"
    )
    assert [Path(p).name for p in found.manifest["skipped_files"]] == ["b.txt"]


def test_a_pipe_and_the_folder_of_results_are_no_captions(tmp_path):
    os.mkfifo(tmp_path / "p.txt")
    with pytest.raises(UserError, match="no regular file"):
        find_caption_files([str(tmp_path / "p.txt")])
    with pytest.raises(UserError, match="is the folder that is read"):
        find_caption_files([str(tmp_path)], tmp_path / "x" / "..")


def test_a_file_without_line_ends_is_refused_and_long_captions_are_cut_as_examples(
    tmp_path,
):
    (tmp_path / "one.txt").write_text("a red bus " * 200_000)
    with pytest.raises(BadFileError, match="line 1 is over 1 MiB"):
        texts_of(tmp_path / "one.txt")
    (tmp_path / "late.txt").write_text(
        "a bus\n" + "a red bus " * 1_500_000 + "\n"
    )
    with pytest.raises(BadFileError, match="line 2 is over 1 MiB"):
        texts_of(tmp_path / "late.txt")
    (tmp_path / "long.txt").write_text("a red bus " * 1000 + "\n")
    found = audit(
        str(tmp_path / "long.txt"), tmp_path / "out", vocabulary=NAMES
    )
    [(_, _, text)] = found.examples()["red", "bus"]
    assert len(text) == 1003
    assert text.endswith("...")


def test_a_file_counts_once_whatever_it_is_called(tmp_path, monkeypatch):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.txt").write_text("a red bus\n")
    (folder / "b.txt").symlink_to(folder / "a.txt")
    (tmp_path / "e").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    assert find_caption_files(
        ["d", "d/a.txt", str(folder / "a.txt"), "./d/a.txt", "e/a.txt"]
    ).paths == ["d/a.txt"]


def test_an_earlier_audit_is_no_caption_file(tmp_path):
    (tmp_path / "a.txt").write_text("a red bus\n")
    audit(str(tmp_path), tmp_path / "first", vocabulary=NAMES)
    found = audit(str(tmp_path), tmp_path / "second", vocabulary=NAMES)
    assert [Path(f["path"]).name for f in found.manifest["files"]] == ["a.txt"]


def test_lists_of_captions_are_so_many_captions(tmp_path):
    rows = [["a red bus", "two wooden benches"], [], None, ["a bus"]]
    expected = ["a red bus", "two wooden benches", "", "", "a bus"]
    pq.write_table(pa.table({"captions": rows}), tmp_path / "l.parquet")
    (tmp_path / "l.jsonl").write_text(
        "".join(json.dumps({"captions": row}) + "\n" for row in rows)
    )
    tar_of(
        {
            f"{i}.json": json.dumps({"captions": row}).encode()
            for i, row in enumerate(rows)
        },
        tmp_path / "l.tar",
    )
    for name in ("l.parquet", "l.jsonl", "l.tar"):
        assert texts_of(tmp_path / name) == expected, name
    found = audit(
        str(tmp_path / "l.parquet"), tmp_path / "out", vocabulary=NAMES
    )
    assert found.matrix().tolist() == [[1, 0], [0, 1]], (
        "words of different captions met"
    )
    with_null = pa.array(
        [["a red bus", None, "a bus"], [None]], pa.list_(pa.string())
    )
    pq.write_table(pa.table({"caption": with_null}), tmp_path / "n.parquet")
    totals = audit(
        str(tmp_path / "n.parquet"), tmp_path / "out", vocabulary=NAMES
    ).manifest["totals"]
    assert (totals["rows"], totals["nulls"], totals["empty"]) == (4, 2, 0)


def test_what_is_no_text_is_refused(tmp_path):
    pq.write_table(
        pa.table({"caption": [{"en": "a red bus"}]}), tmp_path / "s.parquet"
    )
    (tmp_path / "s.jsonl").write_text('{"caption": {"en": "a red bus"}}\n')
    pq.write_table(pa.table({"caption": [1, 2]}), tmp_path / "i.parquet")
    for name in ("s.parquet", "s.jsonl", "i.parquet"):
        with pytest.raises(UserError, match="not text; name another"):
            texts_of(tmp_path / name)
    tar_of({"0.json": b'{"caption": {"en": "a red bus"}}'}, tmp_path / "s.tar")
    with pytest.raises(UserError, match="not text; name another"):
        texts_of(tmp_path / "s.tar")


def test_samples_without_a_caption_are_null_and_a_text_needs_no_json(tmp_path):
    path = tar_of(
        {
            "0.json": b'{"width": 3}',
            "1.txt": b"a red bus",
            "1.json": b"{broken",
            "2.TXT": b"a bus",
        },
        tmp_path / "t.tar",
    )
    assert texts_of(path) == ["", "a red bus", "a bus"]


def test_a_caption_field_may_come_late_in_json_lines(tmp_path):
    (tmp_path / "l.jsonl").write_text(
        '\n{"id": 1}\n{"id": 2, "caption": "a red bus", "text": "a bench"}\n'
    )
    assert texts_of(tmp_path / "l.jsonl")[-1] == "a red bus"
    assert texts_of(tmp_path / "l.jsonl", layout="datacomp")[-1] == "a bench"


def test_marks_of_byte_order(tmp_path):
    (tmp_path / "u8.txt").write_bytes(b"\xef\xbb\xbfred bus\n")
    assert texts_of(tmp_path / "u8.txt") == ["red bus"]
    (tmp_path / "u16.txt").write_bytes("a red bus\n".encode("utf-16"))
    with pytest.raises(BadFileError, match="UTF-16"):
        texts_of(tmp_path / "u16.txt")
    (tmp_path / "u8.jsonl").write_bytes(b'\xef\xbb\xbf{"caption": "red bus"}\n')
    assert texts_of(tmp_path / "u8.jsonl") == ["red bus"]


def test_spaces_in_a_header_do_not_hide_the_column(tmp_path):
    (tmp_path / "c.csv").write_text("url, caption\nx,a red bus\n")
    assert texts_of(tmp_path / "c.csv") == ["a red bus"]


def test_nothing_counted_is_no_result(tmp_path, capsys):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "faces.txt").write_text("\U0001f600\n")
    assert main(["audit", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "no caption was counted: 3 files" in capsys.readouterr().err
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_file_without_the_column_can_be_skipped(tmp_path):
    (tmp_path / "a.csv").write_text("caption\na red bus\n")
    (tmp_path / "b.csv").write_text("url,size\nx,3\n")
    with pytest.raises(
        UserError,
        match="has no caption column that is known; name one with --column",
    ):
        audit(str(tmp_path), tmp_path / "out", vocabulary=NAMES)
    found = audit(
        str(tmp_path), tmp_path / "out", vocabulary=NAMES, on_bad_file="skip"
    )
    assert [Path(p).name for p in found.manifest["skipped_files"]] == ["b.csv"]
    assert found.matrix().sum() == 1


def test_results_of_another_audit_go(tmp_path):
    (tmp_path / "a.txt").write_text("a red bus\n")
    out = tmp_path / "out"
    arguments = ["audit", str(tmp_path / "a.txt"), "--out", str(out)]
    assert main([*arguments, "--rule", "words", "authors"]) == 0
    assert main([*arguments, "--rule", "adjacent"]) == 0
    assert sorted(p.name for p in out.iterdir() if p.is_file()) == [
        "counts-adjacent.parquet",
        "examples-adjacent.parquet",
        "groups-adjacent.parquet",
        "manifest.json",
        "marginals.parquet",
        "novel-adjacent.csv",
        "sketches-adjacent.parquet",
    ]


def test_the_same_captions_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(
            f"a red bus {name}\ntwo wooden benches\n" * 20
        )
    for out in ("first", "second"):
        audit(
            [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")],
            tmp_path / out,
            vocabulary=NAMES,
            workers=2,
        )
    for name in ("counts-words", "examples-words", "marginals"):
        first, second = (
            (tmp_path / out / f"{name}.parquet").read_bytes()
            for out in ("first", "second")
        )
        assert first == second, name


def test_two_audits_do_not_share_a_folder(tmp_path):
    (tmp_path / "a.txt").write_text("a red bus\n")
    with (
        alone_in(tmp_path / "out", "audit"),
        pytest.raises(UserError, match="another audit is writing to"),
    ):
        audit(str(tmp_path / "a.txt"), tmp_path / "out", vocabulary=NAMES)
    assert (
        audit(str(tmp_path / "a.txt"), tmp_path / "out", vocabulary=NAMES)
        .matrix()
        .sum()
        == 1
    )


def test_a_sample_says_so_where_its_counts_go(tmp_path):
    (tmp_path / "a.txt").write_text("a red bus\n" * 2000)
    audit(
        str(tmp_path / "a.txt"), tmp_path / "out", vocabulary=NAMES, sample=0.1
    )
    told = json.loads(
        pq.read_schema(tmp_path / "out" / "counts-words.parquet").metadata[
            b"imagenet_ao_audit"
        ]
    )
    assert (told["captions"], told["sample"]) == (2000, 0.1)
    assert 100 < told["counted"] < 300
    with pytest.warns(UserWarning, match="counts a sample of"):
        imagenet_ao.read_counts(str(tmp_path / "out" / "counts-words.parquet"))


@pytest.mark.parametrize("damage", ["gone", "empty"])
def test_a_part_that_lost_its_counts_is_counted_again(tmp_path, damage):
    (tmp_path / "a.txt").write_text("a red bus\n")
    (tmp_path / "b.txt").write_text("a wooden bench\n")
    captions = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    whole = audit(captions, tmp_path / "out", vocabulary=NAMES)
    part = sorted((tmp_path / "out" / "parts").glob("*.safetensors"))[0]
    part.unlink() if damage == "gone" else part.write_bytes(b"")
    (tmp_path / "out" / "parts" / ".left.safetensors.123.part").write_bytes(
        b"of a scan that was killed"
    )
    again = audit(captions, tmp_path / "out", vocabulary=NAMES)
    assert (again.matrix() == whole.matrix()).all()
    assert sorted(f["resumed"] for f in again.manifest["files"]) == [
        False,
        True,
    ]
    assert not list((tmp_path / "out" / "parts").glob(".*.part"))


def test_places_that_cannot_be_written_are_one_line(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("a red bus\n")
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert main(["audit", str(tmp_path / "a.txt"), "--out", str(out)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as stopped:
        main(["audit", str(tmp_path / "a.txt"), "--rule", "wrods"])
    said = capsys.readouterr().err
    assert (stopped.value.code, said.count("\n")) == (2, 1)
    assert "wrods" in said


def test_names_that_differ_only_in_case_are_one(tmp_path):
    with pytest.raises(UserError, match="stands twice"):
        Vocabulary(("Red", "red"), ("bus",))


@pytest.fixture
def store():
    running = S3()
    yield running
    running.close()


@pytest.fixture
def remote(warm, tmp_path, store):
    """`imagenet-ao audit` in a process of its own, whose AWS libraries look to the loopback
    server.
    """
    warm.import_modules("polars", "helpers.warm_kernels")
    (tmp_path / "attributes").write_text("red\nwooden\n")
    (tmp_path / "objects").write_text("bus\nbench\n")
    environment = {
        "AWS_ENDPOINT_URL": store.url,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HF_HUB_OFFLINE": "1",
    }
    names = [
        "--attributes",
        tmp_path / "attributes",
        "--objects",
        tmp_path / "objects",
    ]

    def run(*captions):
        words = ["audit", *captions, *names, "--out", tmp_path / "out"]
        return warm.run(1, words, **environment)[0]

    return run


def test_an_object_store_is_listed_read_and_read_again_where_it_changed(
    remote, store
):
    stream = io.BytesIO()
    pl.DataFrame({"TEXT": ["a red bus", "wooden benches"]}).write_parquet(
        stream
    )
    store.objects = {
        "d/p-0.parquet": stream.getvalue(),
        "d/p-1.txt.gz": gzip.compress(b"a red bench\n"),
        "d/p-2.csv": b"caption\na wooden bus\n",
        "d/p-3.jsonl": b'{"caption": "red bus"}\n',
        "d/stats.json": b"{}",
    }
    done = remote("s3://captions/d/*", "s3://captions/d/p-0.parquet")
    assert done.returncode == 0, done.stderr
    assert "5 captions in 4 files" in done.stdout, (
        "a file was counted twice, or not at all"
    )
    assert (
        "1 files were left out as no caption files, such as s3://captions/d/stats.json"
        in done.stdout
    )
    assert "4 of 4 compositions seen" in done.stdout
    store.objects["d/p-1.txt.gz"] = gzip.compress(b"a red bench\na red bench\n")
    done = remote("s3://captions/d/*")
    assert "6 captions in 4 files" in done.stdout
    assert "3 files were counted before" in done.stdout
    for url, told in (
        ("s3://captions/d/none.parquet", "cannot be reached"),
        ("s3://captions/no-*", "no caption file"),
    ):
        done = remote(url)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert told in done.stderr


def test_the_hub_offline_is_one_line(remote):
    done = remote("hf://datasets/foo/bar/data/*.parquet")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "cannot be reached" in done.stderr


@pytest.mark.parametrize("several", ["", "/*", "/**"])
@pytest.mark.parametrize("name", ["b.parquet", "b.txt", "b.tar.gz"])
@pytest.mark.parametrize("kind", ["pipe", "empty folder", "socket"])
def test_what_only_bears_the_name_of_a_caption_file_is_left_out_and_said_to_be(
    kind, name, several, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("set").mkdir()
    Path("set/a.txt").write_text("a red fox\n")
    if kind == "pipe":
        os.mkfifo(f"set/{name}")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"set/{name}")
    else:
        Path(f"set/{name}").mkdir()
    files = find_caption_files([f"set{several}"])
    assert files.paths == ["set/a.txt"]
    assert files.left_out == [f"set/{name}"]


def test_a_folder_of_part_files_is_read_whatever_its_name(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("set/all.parquet").mkdir(parents=True)
    Path("set/all.parquet/part-0.txt").write_text("a red fox\n")
    files = find_caption_files(["set"])
    assert files.paths == ["set/all.parquet/part-0.txt"]
    assert files.left_out == []
