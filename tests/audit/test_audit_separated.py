"""CSV, TSV, JSON lines and tars as people write them: read to the letter, or refused with the
line.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import tarfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aobench.audit.api import audit
from aobench.audit.files import find_caption_files
from aobench.audit.readers import (
    caption_format,
    json_lines,
    read_chunks,
    separated,
)
from aobench.audit.streams import BadFileError
from aobench.audit.vocabulary import Vocabulary
from aobench.errors import UserError

FOXES = Vocabulary(("red", "blue"), ("fox", "dog"))


def texts_of(path, **options):
    return [
        chunk.text(i)
        for chunk in read_chunks(str(path), **options)
        for i in range(len(chunk))
    ]


def texts_in(folder: Path, name: str, data: bytes | str, **options):
    (folder / name).write_bytes(
        data if isinstance(data, bytes) else data.encode()
    )
    return texts_of(folder / name, **options)


REFUSED = [
    (
        "c.csv",
        "id,caption\n1,a big, red fox\n",
        "line 2: 3 fields where the first row has 2",
    ),
    ("c.csv", "caption,id\na red fox,1\n\n\na dog\n", "line 5: 1 fields"),
    (
        "c.csv",
        'id,caption\n1,"two\nlines"\n2,a big, red fox\n',
        "line 4: 3 fields",
    ),
    ("c.tsv", "id\tcaption\n1\ta big\tred fox\n", "line 2: 3 fields"),
    ("c.tsv", "id\tcaption\r1\ta fox\r\r\n2\ta\tb\r", "line 4: 3 fields"),
    (
        "c.csv",
        'id,caption\n1,a 5" nail\n',
        "line 2: a double quote where none may stand",
    ),
    (
        "c.csv",
        'id,caption\n1,"a" nail\n',
        "line 2: a double quote where none may stand",
    ),
    (
        "c.csv",
        'id,caption\n1,"with \\" quote"\n',
        "line 2: a double quote where none may stand",
    ),
    (
        "c.csv",
        'id,caption\n1,fox\n2,"a nail\n3,dog\n',
        "line 3: a double quote opens here and never closes",
    ),
    (
        "c.csv",
        "caption,id,caption\na red fox,1,a dog\n",
        "'caption' and 'caption', 2 times the same",
    ),
    ("c.csv", "TEXT,text\na red fox,a dog\n", "name one with --column"),
    ("c.csv", "caption,id\na red fox,1\n".encode("utf-16"), "UTF-16"),
    ("c.tsv", "caption\tid\na red fox\t1\n".encode("utf-16-be"), "UTF-16"),
    ("c.txt", "a red fox\n".encode("utf-16-le"), "UTF-16"),
    ("c.jsonl", '{"caption": "a red fox"}\n'.encode("utf-16-le"), "UTF-16"),
    (
        "c.jsonl",
        '{"caption": "x"}\n' * 100 + '{"caption": {"en": "a fox"}}\n',
        "line 101: 'caption' holds a JSON object",
    ),
    (
        "c.jsonl",
        '{"caption": "x"}\n' * 100 + '{"caption": true}\n',
        "line 101: 'caption' holds true or false",
    ),
    ("c.jsonl", '{"caption": "a", "caption": "b"}\n', "line 1 .* stands twice"),
    (
        "c.jsonl",
        '{"caption": "x"}\n' * 200 + '{"caption": "a" "b": 1}\n',
        "line 201 is no JSON object",
    ),
    (
        "c.jsonl",
        '{"caption": "x"}\n' * 200 + '["a"]\n',
        "line 201 is no JSON object",
    ),
    (
        "c.jsonl",
        '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}\n",
        "line 1 is nested too deep",
    ),
]


@pytest.mark.parametrize(("name", "data", "why"), REFUSED)
def test_what_would_lose_captions_is_refused_with_the_line(
    tmp_path, name, data, why
):
    with pytest.raises((BadFileError, UserError), match=why):
        texts_in(tmp_path, name, data)


READ = [
    (
        "c.csv",
        'id,caption\r\n1,"a ""red""\r\nfox"\r\n2,dog\r\n',
        ['a "red"\r\nfox', "dog"],
    ),
    ("c.csv", '\ufeff"caption","id"\n"a red fox",1\n', ["a red fox"]),
    (
        "c.csv",
        "caption,id\ra red fox,1\rblue dog,2\r",
        ["a red fox", "blue dog"],
    ),
    ("c.csv", 'caption,id\n"",1\n,2\n"a, b",3', ["", "", "a, b"]),
    ("c.csv", "\n\nurl, caption\n\nx,fox", ["fox"]),
    ("c.csv", 'caption\n""""\n"a,b"\n"""x"""\n', ['"', "a,b", '"x"']),
    (
        "c.tsv",
        'caption\tid\ra "red fox\t1\rblue dog"\t2\r',
        ['a "red fox', 'blue dog"'],
    ),
    ("c.tsv", "\ufeffcaption\tid\n\t1\nfox\t", ["", "fox"]),
    (
        "c.txt",
        "\ufeffa red car\ra blue fox\r\n\ndog\n\rfox",
        ["a red car", "a blue fox", "", "dog", "", "fox"],
    ),
    (
        "c.jsonl",
        '\ufeff{"caption": "a"}\r\r\n{"caption": "b", "sim": NaN}',
        ["a", "b"],
    ),
    (
        "c.jsonl",
        '{"caption": NaN}\n{"caption": "b"}\n{"caption": 3}\n{"id": 1}\n',
        ["", "b", "3", ""],
    ),
    (
        "c.jsonl",
        '{"caption": "x"}\n' * 100
        + '{"caption": ["a", null, "b"]}\n{"caption": []}\n',
        ["x"] * 100 + ["a", "", "b", ""],
    ),
    (
        "c.jsonl",
        '{"caption": ["a"]}\n' + '{"caption": "x"}\n' * 100,
        ["a"] + ["x"] * 100,
    ),
]


@pytest.mark.parametrize(("name", "data", "expected"), READ)
@pytest.mark.parametrize("size", [None, 7])
def test_what_can_be_read_is_read_to_the_letter(
    tmp_path, monkeypatch, name, data, expected, size
):
    if size:  # records that go over the ends of blocks
        monkeypatch.setattr(separated, "BLOCK_BYTES", 60)
        monkeypatch.setattr(json_lines, "BLOCK_BYTES", 2000)
        monkeypatch.setattr(
            "aobench.audit.readers.text_lines.CHUNK_BYTES", size
        )
    assert texts_in(tmp_path, name, data) == expected


def test_random_tables_are_read_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setattr(separated, "BLOCK_BYTES", 300)
    draw = random.Random(5)
    for number in range(20):
        rows = [
            [
                "".join(draw.choices('a é,"\n\r\t', k=draw.randint(1, 12)))
                for _ in range(3)
            ]
            for _ in range(60)
        ]
        stream = io.StringIO(newline="")
        ending = draw.choice(["\n", "\r\n", "\r"])
        # Python's writer quotes a line end only if it is among its own.
        quoting = (
            csv.QUOTE_ALL
            if ending != "\r\n" or number % 2
            else csv.QUOTE_MINIMAL
        )
        table = csv.writer(stream, lineterminator=ending, quoting=quoting)
        table.writerows([["x", "caption", "y"], *rows])
        path = tmp_path / f"{number}.csv.gz"
        path.write_bytes(gzip.compress(stream.getvalue().encode()))
        assert texts_of(path) == [row[1] for row in rows], (
            f"table {number}, line ends {ending!r}"
        )


def beside(folder: Path, first: str, second: str) -> None:
    for name, text in ((first, "a blue dog"), (second, "a red fox")):
        kind = caption_format(name).name
        if kind == "parquet":
            pq.write_table(pa.table({"caption": [text]}), folder / name)
        elif kind == "tar":
            tar_of([("0.txt", text.encode())], folder / name)
        else:
            line = json.dumps({"caption": text})
            content = {
                "csv": f"caption\n{text}\n",
                "tsv": f"caption\tx\n{text}\t1\n",
                "jsonl": f"{line}\n",
            }
            data = content.get(kind, f"{text}\n").encode()
            (folder / name).write_bytes(
                gzip.compress(data) if name.endswith(".gz") else data
            )


@pytest.mark.parametrize(
    "ending", ["parquet", "csv", "csv.gz", "tsv", "jsonl", "txt", "tar"]
)
@pytest.mark.parametrize("pattern", ["p[1]", "p*", "p?", "{a,b}", "[!p]1"])
def test_a_name_that_looks_like_a_pattern_is_that_file(
    tmp_path, ending, pattern
):
    folder = tmp_path / "set [v2]*"
    folder.mkdir()
    beside(folder, f"{pattern}.{ending}", f"p1.{ending}")
    assert texts_of(folder / f"{pattern}.{ending}") == ["a blue dog"]
    files = find_caption_files(
        [str(folder / f"{pattern}.{ending}"), str(folder)]
    )
    assert sorted(Path(path).name for path in files.paths) == sorted(
        [f"{pattern}.{ending}", f"p1.{ending}"]
    )


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://example.org/resolve/main/x.parquet?download=true", "parquet"),
        ("https://example.org/x.jsonl.gz?sig=a/b.csv#top", "jsonl"),
        (
            "hf://datasets/org/name@refs%2Fconvert%2Fparquet/default/train/0.parquet",
            "parquet",
        ),
    ],
)
def test_a_url_is_known_by_its_path(url, kind):
    assert caption_format(url).name == kind
    assert find_caption_files([url]).paths == [url]


def test_columns_of_parquet_are_text_or_refused(tmp_path):
    path = tmp_path / "c.parquet"
    for array, expected in (
        (
            pa.array([b"a fox", None, b"caf\xe9"], pa.binary()),
            ["a fox", "", "caf\ufffd"],
        ),
        (
            pa.array([[b"a"], [], [b"b", b"c"]], pa.list_(pa.binary())),
            ["a", "", "b", "c"],
        ),
        (pa.array(["a", None]).dictionary_encode(), ["a", ""]),
    ):
        pq.write_table(pa.table({"caption": array}), path)
        assert texts_of(path) == expected, array.type
    pl.DataFrame({"TEXT": ["a"], "text": ["b"]}).write_parquet(path)
    with pytest.raises(
        UserError,
        match="'TEXT' and 'text', 2 times the same; name one with --column",
    ):
        texts_of(path)
    assert texts_of(path, column="text") == ["b"]


def tar_of(members, path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                info.type, info.linkname = content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


TARS = [
    (
        "lines are captions of their own",
        [("0.txt", b"a red car\na blue fox\r\n\n")],
        ["a red car", "a blue fox"],
    ),
    (
        "dots in keys",
        [
            ("i.1.jpg", b"x"),
            ("i.1.txt", b"a"),
            ("i.2.jpg", b"x"),
            ("i.2.txt", b"b"),
        ],
        ["a", "b"],
    ),
    (
        "dots and .json",
        [
            ("v.1.json", b'{"caption": "a"}'),
            ("v.2.json", b'{"caption": ["b", "c"]}'),
        ],
        ["a", "b", "c"],
    ),
    ("an ending of two parts", [("0.jpg", b"x"), ("0.blip.txt", b"a")], ["a"]),
    (
        "settings beside a text",
        [("0.meta.json", b'{"width": 3}'), ("0.txt", b"a")],
        ["a"],
    ),
    (
        "NaN",
        [("0.json", b'{"caption": NaN}'), ("1.json", b'{"caption": "b"}')],
        ["", "b"],
    ),
    ("another encoding", [("0.txt", b"caf\xe9")], ["caf\ufffd"]),
    (
        "a mark of byte order",
        [
            ("0.txt", b"\xef\xbb\xbffox"),
            ("1.json", b'\xef\xbb\xbf{"text": "b"}'),
        ],
        ["fox", "b"],
    ),
    (
        "a link that is no caption",
        [("0.txt", b"a"), ("0.jpg", (tarfile.SYMTYPE, "1.jpg"))],
        ["a"],
    ),
    ("no ending", [("readme", b"x"), ("0.txt", b"a")], ["", "a"]),
]


@pytest.mark.parametrize(
    ("what", "members", "expected"), TARS, ids=[case[0] for case in TARS]
)
def test_captions_of_a_tar(tmp_path, what, members, expected):
    assert texts_of(tar_of(members, tmp_path / "c.tar")) == expected, what


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([("0.txt", b"a"), ("0.txt", b"b")], "holds 0.txt twice"),
        ([("0.txt", b"a"), ("0.TXT", b"b")], "holds 0.TXT twice"),
        (
            [("0.txt", b"a"), ("1.txt", b"b"), ("./0.txt", b"c")],
            "holds ./0.txt twice",
        ),
        (
            [("0.txt", b"a"), ("1.txt", (tarfile.LNKTYPE, "0.txt"))],
            "1.txt is a link to 0.txt",
        ),
        (
            [("0.txt", b"a"), ("1.json", (tarfile.SYMTYPE, "0.json"))],
            "1.json is a link to 0.json",
        ),
        (
            [("0.meta.json", b'{"caption": "b"}'), ("0.txt", b"a")],
            "0.meta.json and 0.txt both hold captions",
        ),
        ([("0.txt", "a fox".encode("utf-16"))], "0.txt: it is UTF-16"),
        (
            [("0.json", b'{"caption": {"en": "a"}}')],
            "holds a JSON object, not text",
        ),
        ([("0.json", b"[" * 100_000)], "0.json is nested too deep"),
    ],
)
def test_a_tar_that_would_lose_captions_is_refused(tmp_path, members, why):
    with pytest.raises((BadFileError, UserError), match=why):
        texts_of(tar_of(members, tmp_path / "c.tar"))


def test_what_is_not_utf8_is_told(tmp_path, capsys):
    from aobench.cli import main

    (tmp_path / "c.txt").write_bytes(b"a red fox\ncaf\xe9\n")
    tar_of([("0.txt", b"caf\xe9")], tmp_path / "d.tar")
    names = tmp_path / "names"
    names.write_text("red\n")
    files = [str(tmp_path / "c.txt"), str(tmp_path / "d.tar")]
    assert (
        main(
            [
                "audit",
                *files,
                "--out",
                str(tmp_path / "out"),
                "--objects",
                str(names),
                "--attributes",
                str(names),
            ]
        )
        == 0
    )
    assert "2 captions hold bytes that are not UTF-8" in capsys.readouterr().out


def test_a_folder_that_links_lead_to_is_read_once(tmp_path):
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "far").mkdir()
    (tmp_path / "in" / "a" / "x.txt").write_text("a red fox\n")
    (tmp_path / "far" / "y.txt").write_text("a blue dog\n")
    for name, target in (
        ("b", tmp_path / "in" / "a"),
        ("far", tmp_path / "far"),
        ("back", tmp_path / "in"),
    ):
        (tmp_path / "in" / name).symlink_to(target)
    found = audit(tmp_path / "in", tmp_path / "out", vocabulary=FOXES)
    assert found.matrix().tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("kept", [b"b\0", b'"b\0"', b"\0\0\0\0"])
def test_a_row_with_nul_and_too_few_fields_names_file_and_line(kept, tmp_path):
    path = tmp_path / "c.csv"
    path.write_bytes(b"url,caption\n1,red\n" + kept + b"\n")
    with pytest.raises(BadFileError, match="line 3: 1 fields"):
        list(read_chunks(str(path)))
