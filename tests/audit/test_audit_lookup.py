"""Other people's texts against an audit: ``lookup``, ``bindings``, and the sets of the
compositional zero-shot field.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aobench.audit.api import audit
from aobench.audit.lookup import audited_vocabulary
from aobench.audit.result import load_audit
from aobench.audit.vocabulary import Vocabulary
from aobench.bindings.benchmarks import read_benchmark, vocabulary_of_texts
from aobench.bindings.statuses import binding_status
from aobench.cli import main

NAMES = Vocabulary(("red", "wooden", "striped"), ("bus", "bench", "cart"))
CAPTIONS = [
    "a red bus",
    "red and wooden carts by a bus",
    "a bench, wooden cart",
    "nothing",
]


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lookup")
    (folder / "captions.txt").write_text("\n".join(CAPTIONS) + "\n")
    audit(folder / "captions.txt", folder / "audit", vocabulary=NAMES)
    return folder


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_pairs_and_texts_are_looked_up(counted, tmp_path, capsys):
    texts = [
        "Red | buses",
        "a wooden cart and a red cart",
        "a tram",
        "striped | bench",
    ]
    assert main(["lookup", texts[1], "--audit", str(counted / "audit")]) == 0
    capsys.readouterr()
    out = tmp_path / "found.json"
    arguments = [
        "--audit",
        str(counted / "audit"),
        "--json",
        str(out),
        "--examples",
    ]
    assert main(["lookup", "red | bus", *texts[1:], *arguments]) == 0
    said = capsys.readouterr().out
    assert "(no pair)" in said
    assert "row 0: a red bus" in said
    found = json.loads(out.read_text())
    assert [len(one["pairs"]) for one in found] == [1, 2, 0, 1]
    red_bus = found[0]["pairs"][0]
    assert red_bus["counts"] == {"words": 2, "modifies": 1}
    assert (red_bus["attribute_captions"], red_bus["object_captions"]) == (2, 2)
    # 2 captions of 4 show it; 2 name red and 2 name a bus: log2(2 * 4 / (2 * 2))
    assert red_bus["pmi"] == {
        "words": pytest.approx(1),
        "modifies": pytest.approx(0),
    }
    assert found[3]["pairs"][0]["pmi"] == {"words": None, "modifies": None}


def test_captions_are_counted_for_the_names_asked(counted, capsys):
    captions = ["--captions", str(counted / "captions.txt")]
    assert main(["lookup", "red | bus", "wooden | cart", *captions]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[-8:-6] == ["2", "1"], lines


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["green | bus"], "no attribute 'green'"),
        (["red | bsu"], "did you mean 'bus'"),
        ([], "nothing to look up"),
        (["x", "--attributes", "a.txt"], "is counted already"),
    ],
)
def test_wrong_look_ups(counted, capsys, arguments, told):
    assert main(["lookup", *arguments, "--audit", str(counted / "audit")]) == 2
    assert told in capsys.readouterr().err


ITEMS = {
    "aro.json": [
        {
            "image_id": "5",
            "true_caption": "the red bus and the wooden cart",
            "false_caption": "the wooden bus and the red cart",
        },
        {
            "image_id": "6",
            "true_caption": "a tram",
            "false_caption": "a striped bus",
        },
    ],
    "sugarcrepe.json": {
        "0": {
            "filename": "a",
            "caption": "a red bus",
            "negative_caption": "striped bench",
        },
        "9": {
            "filename": "b",
            "caption": "a tram",
            "negative_caption": "a wooden cart",
        },
    },
    "winoground.jsonl": [
        {
            "id": 3,
            "caption_0": "a red bus, striped bench",
            "caption_1": "striped bus",
        }
    ],
    "bivlc.parquet": [
        {"caption": "wooden cart", "negative_caption": "red cart"}
    ],
    "vismin.csv": [
        {"id": "v1", "text_0": "a red bus", "text_1": "a striped cart"}
    ],
}


def write_items(path, items):
    if path.suffix == ".json":
        path.write_text(json.dumps(items))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(one) + "\n" for one in items))
    elif path.suffix == ".parquet":
        image = pa.array([{"bytes": b"x", "path": "a.png"}] * len(items))
        pq.write_table(
            pa.Table.from_pylist(items).append_column("image", image), path
        )
    else:
        lines = [list(items[0]), *(one.values() for one in items)]
        path.write_text("".join(",".join(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "aro.json",
            [
                ("5", "true_caption", "1", "all seen"),
                ("5", "false_caption", "0", "some seen"),
                ("6", "true_caption", "1", "no binding"),
                ("6", "false_caption", "0", "none seen"),
            ],
        ),
        (
            "sugarcrepe.json",
            [
                ("0", "caption", "1", "all seen"),
                ("0", "negative_caption", "0", "none seen"),
                ("9", "caption", "1", "no binding"),
                ("9", "negative_caption", "0", "all seen"),
            ],
        ),
        (
            "winoground.jsonl",
            [
                ("3", "caption_0", "1", "some seen"),
                ("3", "caption_1", "1", "none seen"),
            ],
        ),
        (
            "bivlc.parquet",
            [
                ("0", "caption", "1", "all seen"),
                ("0", "negative_caption", "0", "all seen"),
            ],
        ),
        (
            "vismin.csv",
            [
                ("v1", "text_0", "1", "all seen"),
                ("v1", "text_1", "1", "none seen"),
            ],
        ),
    ],
)
def test_a_benchmark_is_sorted(counted, tmp_path, capsys, name, expected):
    path = write_items(tmp_path / name, ITEMS[name])
    out = tmp_path / "out"
    arguments = ["--audit", str(counted / "audit"), "--out", str(out)]
    assert main(["bindings", str(path), *arguments]) == 0
    rows = rows_of(out / "texts.csv")
    keys = ("item", "column", "right", "status_modifies")
    assert [tuple(row[key] for key in keys) for row in rows] == expected
    assert "Rule modifies" in capsys.readouterr().out


def test_bindings_by_pair(counted, tmp_path):
    path = write_items(tmp_path / "aro.json", ITEMS["aro.json"])
    out = tmp_path / "out"
    arguments = ["--audit", str(counted / "audit"), "--out", str(out)]
    assert main(["bindings", str(path), *arguments]) == 0
    rows = {
        (r["attribute"], r["object"]): r for r in rows_of(out / "bindings.csv")
    }
    assert len(rows) == 5
    shown = {
        pair: (int(r["words"]), int(r["modifies"])) for pair, r in rows.items()
    }
    assert shown["red", "bus"] == (2, 1)
    assert shown["wooden", "bus"] == (1, 0)
    right = [(r["right_texts"], r["wrong_texts"]) for r in rows.values()]
    assert sorted(right) == [("0", "1")] * 3 + [("1", "0")] * 2


def test_a_benchmark_with_names_of_its_own(counted, tmp_path, capsys):
    items = [
        {"good": "a furry platform and blue trams", "bad": "a blue platform"}
    ]
    path = write_items(tmp_path / "mine.json", items)
    out, columns = tmp_path / "out", ["--right", "good", "--wrong", "bad"]
    arguments = ["--audit", str(counted / "audit"), "--out", str(out)]
    assert main(["bindings", str(path), *columns, *arguments]) == 2
    assert "--captions FILES in place of --audit" in capsys.readouterr().err
    (tmp_path / "more.txt").write_text("a blue tram\na tram that is blue\n")
    captions = ["--captions", str(tmp_path / "more.txt"), "--out", str(out)]
    assert main(["bindings", str(path), *columns, *captions]) == 0
    rows = {
        (r["attribute"], r["object"]): r["modifies"]
        for r in rows_of(out / "bindings.csv")
    }
    assert rows["blue", "tram"] == "2"
    assert load_audit(out / "audit").manifest["totals"]["rows"] == 2


def test_names_that_texts_tell():
    texts = [
        "A big red tank top, and two furry dogs",
        "the dog is red",
        "furry dog in red",
    ]
    found = vocabulary_of_texts(texts)
    assert found.objects == ("dog", "tank top")
    assert set(found.attributes) >= {"big", "red"}


@pytest.mark.parametrize(
    ("content", "arguments", "told"),
    [
        ("[]", [], "holds no item"),
        ("[1]", [], "is no record"),
        ('[{"a": "x"}]', [], "as none of the layouts"),
        ('[{"a": "x"}]', ["--layout", "aro"], "has no column 'true_caption'"),
        ('[{"a": "x"}]', ["--layout", "xyz"], "unknown layout"),
        ('[{"a": 5}]', ["--right", "a"], "has no text in a"),
        ("{", [], "the benchmark"),
        ('"x"', [], "neither a list"),
        ('[{"a": "x"}]', ["--right", "a", "--threshold", "-1"], "--threshold"),
    ],
)
def test_wrong_benchmarks(counted, tmp_path, capsys, content, arguments, told):
    (tmp_path / "b.json").write_text(content)
    audited = ["--audit", str(counted / "audit"), "--out", str(tmp_path / "o")]
    assert (
        main(["bindings", str(tmp_path / "b.json"), *arguments, *audited]) == 2
    )
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_statuses():
    assert [binding_status(n) for n in ([], [0], [0, 2], [1, 2])] == [
        "no binding",
        "none seen",
        "some seen",
        "all seen",
    ]
    assert binding_status([1, 2], threshold=1) == "some seen"


def write_split(root, train, test, plus=False):
    lists = root / "compositional-split-natural"
    lists.mkdir(parents=True)
    for part, pairs in (("train", train), ("val", test[:1]), ("test", test)):
        between = "+" if plus else " "
        text = "".join(f"{a}{between}{o}\n" for a, o in pairs)
        (lists / f"{part}_pairs.txt").write_text(text)
    return root


@pytest.mark.parametrize(
    ("kind", "train", "test", "plus"),
    [
        (
            "mit-states",
            [("red", "bus")],
            [("wooden", "cart"), ("ripe", "bench")],
            False,
        ),
        ("ut-zappos", [("Red", "Cart.Big")], [("Wooden", "Cart.Big")], False),
        (
            "vaw-czsl",
            [("red", "bus")],
            [("wooden", "cart"), ("red", "bench")],
            True,
        ),
    ],
)
def test_unseen_pairs_of_a_set(
    counted, tmp_path, capsys, kind, train, test, plus
):
    root = write_split(tmp_path / "set", train, test, plus)
    out = tmp_path / "out"
    (tmp_path / "c.txt").write_text(
        "a red bus\na wooden cart\nwooden big cart\n"
    )
    captions = ["--captions", str(tmp_path / "c.txt"), "--out", str(out)]
    assert main(["bindings", str(root), *captions]) == 0
    said = capsys.readouterr().out
    assert kind in said
    rows = {
        (r["attribute"], r["object"]): r for r in rows_of(out / "pairs.csv")
    }
    assert {pair: r["trained"] for pair, r in rows.items()} == {
        **dict.fromkeys(train, "1"),
        **dict.fromkeys(test, "0"),
    }
    assert rows[test[0]]["modifies"] == ("1" if kind == "ut-zappos" else "2")


def test_a_set_against_an_audit_of_other_names(counted, tmp_path, capsys):
    root = write_split(
        tmp_path / "set", [("ripe", "fig")], [("Red", "bus"), ("red", "fig")]
    )
    audited = [
        "--audit",
        str(counted / "audit"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(["bindings", str(root), *audited]) == 0
    rows = {
        (r["attribute"], r["object"]): r
        for r in rows_of(tmp_path / "out" / "pairs.csv")
    }
    assert rows["Red", "bus"]["words"] == "2"
    assert rows["red", "fig"]["words"] == "", (
        "a name that wasn't looked for has no count"
    )
    capsys.readouterr()
    other = write_split(tmp_path / "other", [("ripe", "fig")], [("old", "fig")])
    assert main(["bindings", str(other), *audited]) == 2
    assert "looked for none of the set's pairs" in capsys.readouterr().err


def test_the_names_of_an_audit_come_back(tmp_path):
    names = Vocabulary(("red",), ("Cart.Big", "bus"), (("big cart",), ()))
    (tmp_path / "c.txt").write_text("a red big cart\n")
    audit(tmp_path / "c.txt", tmp_path / "out", vocabulary=names)
    assert audited_vocabulary(load_audit(tmp_path / "out")) == names


def test_layouts_are_told_apart_by_columns(tmp_path):
    path = write_items(tmp_path / "x.json", ITEMS["aro.json"])
    assert [one.right for one in read_benchmark(path)] == [
        True,
        False,
        True,
        False,
    ]


def test_items_that_share_a_picture_are_told_apart(tmp_path):
    items = [{"image_id": "5", "true_caption": "a", "false_caption": "b"}] * 2
    path = write_items(tmp_path / "x.json", items)
    assert [one.item for one in read_benchmark(path)] == ["0", "0", "1", "1"]


PAIR = {"true_caption": "a red bus", "false_caption": "a striped bus"}
TABLE = b"true_caption,false_caption\na red bus,a striped bus\n"
LINES = (json.dumps(PAIR) + "\n").encode() * 2


@pytest.mark.parametrize(
    ("name", "content", "items"),
    [
        ("list.jsonl", json.dumps([PAIR, PAIR]).encode(), 2),
        ("lines.json", LINES, 2),
        ("lines.jsonl", b"\n" + LINES + b"\n", 2),
        ("one.jsonl", json.dumps(PAIR).encode(), 1),
        ("object.json", json.dumps({"x": PAIR}, indent=1).encode(), 1),
        (
            "list.json.gz",
            gzip.compress(json.dumps([PAIR]).encode(), mtime=0),
            1,
        ),
        ("lines.jsonl.gz", gzip.compress(LINES, mtime=0), 2),
        ("table.csv.gz", gzip.compress(TABLE, mtime=0), 1),
        ("table.csv.zst", bytes(pa.compress(TABLE, "zstd")), 1),
        (
            "odd.jsonl",
            '{"true_caption": "a red\u2028bus\u0085", "false_caption": ""}\n'.encode(),
            1,
        ),
    ],
)
def test_any_shape_and_packing_of_records(tmp_path, name, content, items):
    (tmp_path / name).write_bytes(content)
    texts = read_benchmark(tmp_path / name)
    assert len(texts) == 2 * items
    assert {one.file for one in texts} == {name}
    assert "red" in texts[0].text


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json.gz", b"x", "can't be unpacked"),
        (
            "a.json.gz",
            gzip.compress(LINES * 50, mtime=0)[:60],
            "can't be unpacked",
        ),
        ("a.json.zst", b"x" * 40, "can't be unpacked"),
        ("a.json", b" \n", "holds no item"),
        ("a.jsonl", LINES + b"{\n", "line 3 is not readable JSON"),
        ("a.json", json.dumps(PAIR).encode(), "is no record of columns; write"),
        ("a.json", b'{"data": [1]}', "item data is no record of columns"),
    ],
)
def test_records_that_cannot_be_read(
    counted, tmp_path, capsys, name, content, told
):
    (tmp_path / name).write_bytes(content)
    arguments = [
        "--audit",
        str(counted / "audit"),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(["bindings", str(tmp_path / name), *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_unknown_columns_are_listed_with_the_options(counted, tmp_path, capsys):
    path = write_items(tmp_path / "b.json", [{f"c{i}": "x" for i in range(50)}])
    arguments = [
        "--audit",
        str(counted / "audit"),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(["bindings", str(path), *arguments]) == 2
    error = capsys.readouterr().err
    assert "c0, c1, " in error
    assert "c39, ..., as none" in error
    assert "--right and --wrong" in error


def test_a_folder_of_files_is_read_and_its_items_told_apart(
    counted, tmp_path, capsys
):
    folder = tmp_path / "sugarcrepe"
    (folder / "data").mkdir(parents=True)
    (folder / ".cache").mkdir()
    items = ITEMS["sugarcrepe.json"]
    (folder / "data" / "swap.json").write_text(json.dumps(items))
    (folder / "add.csv").write_text(
        "caption,negative_caption\nred bus,red cart\n"
    )
    (folder / ".cache" / "no.json").write_text("[]")
    (folder / "README.md").write_text("#")
    out = tmp_path / "out"
    arguments = ["--audit", str(counted / "audit"), "--out", str(out)]
    assert main(["bindings", str(folder), *arguments]) == 0
    rows = rows_of(out / "texts.csv")
    assert [(r["file"], r["item"]) for r in rows[::2]] == [
        ("add.csv", "0"),
        ("data/swap.json", "0"),
        ("data/swap.json", "9"),
    ]
    (tmp_path / "empty").mkdir()
    capsys.readouterr()
    assert main(["bindings", str(tmp_path / "empty"), *arguments]) == 2
    assert "without a file in .json, .jsonl" in capsys.readouterr().err


def test_counts_stand_beside_each_binding(counted, tmp_path):
    text = "the red bus and the wooden cart and a striped bench"
    path = write_items(tmp_path / "a.json", [{"good": text}])
    out = tmp_path / "out"
    arguments = ["--audit", str(counted / "audit"), "--out", str(out)]
    assert main(["bindings", str(path), "--right", "good", *arguments]) == 0
    [row] = rows_of(out / "texts.csv")
    assert row["bindings"] == "red bus; wooden cart; striped bench"
    # two carts are wooden; in "red and wooden carts by a bus" red and bus stand, too
    assert row["counts_words"] == "2; 2; 0"
    assert row["counts_modifies"] == "1; 2; 0"
    assert (row["status_words"], row["lowest_words"]) == ("some seen", "0")


def test_what_an_item_lacks_or_says_twice_is_told(counted, tmp_path, capsys):
    items = [
        PAIR,
        {"true_caption": "a red bus"},
        {"true_caption": " ", "false_caption": "a red bus"},
        {"true_caption": "A red bus", "false_caption": "a red bus"},
    ]
    path, out = write_items(tmp_path / "a.json", items), tmp_path / "out"
    arguments = ["--audit", str(counted / "audit"), "--out", str(out)]
    assert main(["bindings", str(path), *arguments]) == 0
    said = capsys.readouterr().out
    assert "no binding: 1 in false_caption, 1 in true_caption." in said
    assert "1 captions stand as right and as wrong" in said
    assert len(rows_of(out / "texts.csv")) == 8, (
        "a row is there to join each caption"
    )


def test_sugarcrepe_plus_plus_has_two_right_captions(tmp_path):
    items = [
        {"caption": "a", "caption2": "b", "negative_caption": "c", "id": 4}
    ]
    texts = read_benchmark(write_items(tmp_path / "a.json", items))
    assert [(one.text, one.right) for one in texts] == [
        ("a", True),
        ("b", True),
        ("c", False),
    ]


@pytest.mark.parametrize(
    "place",
    [
        "",
        "compositional-split-natural",
        "compositional-split-natural/test_pairs.txt",
    ],
)
def test_a_set_is_known_by_its_folder_or_by_one_of_its_lists(
    counted, tmp_path, place
):
    root = write_split(
        tmp_path / "set", [("red", "bus")], [("wooden", "cart"), ("red", "bus")]
    )
    out = tmp_path / "out"
    arguments = ["--audit", str(counted / "audit"), "--out", str(out)]
    assert main(["bindings", str(root / place), *arguments]) == 0
    rows = [
        (r["attribute"], r["trained"], r["lists"])
        for r in rows_of(out / "pairs.csv")
    ]
    assert rows == [("red", "1", "train test"), ("wooden", "0", "val test")]


def test_the_documents_lines_give_accuracy_by_novelty(
    counted, tmp_path, capsys, monkeypatch
):
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(
        encoding="utf-8"
    )
    [lines] = [
        code
        for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        if "answers" in code
    ]
    right = (
        ["a red bus"] * 6 + ["a striped bench and red bus"] * 4 + ["a tram"] * 2
    )
    items = [
        {"true_caption": text, "false_caption": "a striped bus"}
        for text in right
    ]
    path = write_items(tmp_path / "a.json", items)
    monkeypatch.chdir(tmp_path)
    arguments = ["--audit", str(counted / "audit"), "--out", "bindings"]
    assert main(["bindings", str(path), *arguments]) == 0
    correct = [1] * 5 + [0] + [1, 0, 0, 0] + [1, 1]
    rows = [f"{item},{answer}\n" for item, answer in enumerate(correct)]
    (tmp_path / "answers.csv").write_text("item,correct\n" + "".join(rows))
    capsys.readouterr()
    exec(lines, {})
    said = capsys.readouterr().out.splitlines()
    # Wilson (1927) for 1 of 4 and 5 of 6
    assert said == [
        "novel: 25.0% [4.6%, 69.9%] of 4 items; chance 50 %",
        "seen: 83.3% [43.6%, 97.0%] of 6 items; chance 50 %",
        "no binding: 100.0% [34.2%, 100.0%] of 2 items; chance 50 %",
    ]
