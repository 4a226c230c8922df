"""What an audit would take, from a look into its files."""

from __future__ import annotations

import gzip
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aobench.audit import forecast as module
from aobench.audit.api import audit
from aobench.audit.counter import CountingPlan
from aobench.audit.forecast import (
    AuditForecast,
    SampledFile,
    file_kind,
    forecast_audit,
    forecast_lines,
)
from aobench.audit.vocabulary import Vocabulary
from aobench.cli import main

PLAN = CountingPlan(Vocabulary(("red",), ("bus",)))


def write_files(folder, rows, n):
    for number in range(n):
        table = pa.table(
            {"caption": [f"a red bus {number} {i}" for i in range(rows)]}
        )
        pq.write_table(table, folder / f"{number}.parquet", compression=None)


def test_captions_of_all_files_are_reckoned_from_a_few(tmp_path, monkeypatch):
    write_files(tmp_path, 400, 7)
    found = forecast_audit([str(tmp_path)], PLAN)
    assert (found.files, len(found.sampled)) == (7, 5)
    assert found.captions == pytest.approx(2_800, rel=0.01)
    monkeypatch.setattr(module, "SAMPLE_ROWS", 1)
    cut = forecast_audit([str(tmp_path)], PLAN)
    assert cut.captions == pytest.approx(2_800, rel=0.01), (
        "Parquet tells its rows"
    )


def test_a_text_that_is_not_read_to_its_end_is_rough(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("a red bus\n" * 5_000_0)
    monkeypatch.setattr(module, "SAMPLE_ROWS", 1)
    found = forecast_audit([str(tmp_path / "a.txt")], PLAN)
    assert found.captions == pytest.approx(50_000, rel=0.01)
    assert not found.sampled[0].exact or found.sampled[0].read == 50_000


def test_each_kind_of_file_is_reckoned_by_itself(tmp_path):
    line = "a red bus stands by a bench\n"
    for number in range(4):
        data = gzip.compress((line * 3_000).encode())
        (tmp_path / f"{number}.txt.gz").write_bytes(data)
    (tmp_path / "a.txt").write_text(line * 2_000)
    write_files(tmp_path, 500, 5)
    found = forecast_audit([str(tmp_path)], PLAN)
    assert found.captions == pytest.approx(
        4 * 3_000 + 2_000 + 5 * 500, rel=0.02
    )
    assert len(found.sampled) == 4 + 1 + 5
    assert dict(found.sizes).keys() == {".txt.gz", ".txt", ".parquet"}
    assert sum(dict(found.sizes).values()) == found.size
    assert found.core_seconds > 0


def test_a_forecast_is_near_what_is_counted(tmp_path):
    """Files in the layout of LAION, of unequal sizes, against the audit of them."""
    draw = random.Random(4)
    for number in range(6):
        rows = draw.randint(500, 2_500)
        captions = [
            f"a {draw.choice('rgb')} bus {draw.random()}" for _ in range(rows)
        ]
        columns = {
            "URL": ["https://example.org/1.jpg"] * rows,
            "TEXT": captions,
        }
        columns |= {
            "WIDTH": list(range(rows)),
            "punsafe": [draw.random() for _ in captions],
        }
        pq.write_table(
            pa.table(columns), tmp_path / f"part-{number:05}.parquet"
        )
    told = forecast_audit([str(tmp_path)], PLAN)
    counted = audit(tmp_path, tmp_path / "out", vocabulary=PLAN.vocabulary)
    rows = counted.manifest["totals"]["rows"]
    assert told.captions == rows
    assert told.captions_interval == (rows, rows)
    assert "captions, told by the files; times from " in forecast_lines(told)[0]
    # texts tell none
    for path in sorted(tmp_path.glob("*.parquet")):
        texts = pq.read_table(path)["TEXT"].to_pylist()
        path.with_suffix(".txt").write_text("\n".join(texts) + "\n")
    both = forecast_audit([f"{tmp_path}/*.parquet", f"{tmp_path}/*.txt"], PLAN)
    low, high = both.captions_interval
    assert rows < low < both.captions < high < 2.1 * rows
    assert both.captions == pytest.approx(2 * rows, rel=0.01)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.string()), pa.large_list(pa.large_string())]
)
def test_rows_of_several_captions_tell_none(tmp_path, kind):
    """As Flickr30k has them; lists of numbers, such as embeddings, are no matter."""
    for number in range(7):
        rows = [["a red bus", "a bus"]] * (50 + number)
        table = pa.table({"caption": pa.array(rows, kind)})
        pq.write_table(table, tmp_path / f"{number}.parquet")
    found = forecast_audit([str(tmp_path)], PLAN)
    assert found.told == ()
    assert found.captions == pytest.approx(742, rel=0.1)
    numbers = pa.array([[0.5, 1.0]] * 4)
    other = pa.table({"caption": ["a bus"] * 4, "embedding": numbers})
    pq.write_table(other, tmp_path / "x.parquet")
    alone = forecast_audit([str(tmp_path / "x.parquet")], PLAN)
    assert alone.told == ((".parquet", 4),)


def test_files_that_are_missing_empty_or_broken(tmp_path, capsys):
    write_files(tmp_path, 50, 2)
    good, bad = str(tmp_path / "0.parquet"), tmp_path / "bad.parquet"
    assert main(["audit", good, str(bad), "--dry-run"]) == 2
    assert "names no caption file" in capsys.readouterr().err
    bad.write_bytes((tmp_path / "1.parquet").read_bytes()[:-9])
    assert main(["audit", good, str(bad), "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert "bad.parquet cannot be read" in error
    assert error.count("\n") == 1
    skip = ["--dry-run", "--on-bad-file", "skip"]
    assert main(["audit", good, str(bad), *skip]) == 0
    said = capsys.readouterr().out
    assert "2 files" in said
    assert ", 50 captions" in said
    assert (
        f"1 of the files looked into can't be read and are not in these figures: {bad}"
        in said
    )
    assert main(["audit", str(bad), *skip]) == 2, (
        "nothing is left to reckon with"
    )
    (tmp_path / "none.txt").write_text("")
    assert main(["audit", good, str(tmp_path / "none.txt"), "--dry-run"]) == 0
    assert "tell no size" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a/b.c/part.0.parquet", ".parquet"),
        ("https://example.org/x.TXT.gz?download=true", ".txt.gz"),
        ("no_ending", ""),
        ("a.gz", ".gz"),
    ],
)
def test_the_kind_of_a_file(path, kind):
    assert file_kind(path) == kind


def test_minutes_and_cost_by_hand():
    one = SampledFile("a", 100, 1_000.0, True, 500, 0.5, 1.5)
    found = AuditForecast(4, 360_000, 1, (one,))
    # 10 captions a byte; 2 s for 500 of them
    assert found.captions == 3_600_000
    assert found.core_seconds == 14_400
    text = "\n".join(
        forecast_lines(found, workers=8, price=0.5, bandwidth=1e-3)
    )
    for part in (
        "3,600,000 captions",
        "4 core hours",
        "30 minutes on 8 cores",
        "2 at 0.5",
    ):
        assert part in text, part
    assert "6 minutes to read them all" in text
    assert "1 files tell no size" in text


def test_the_interval_holds_the_captions_as_often_as_it_says():
    """Of files of unlike sizes, whose captions have unlike lengths."""
    draw = np.random.default_rng(7)
    held, widths, draws = 0, [], 400
    for _ in range(draws):
        sizes = draw.integers(10_000, 60_000, 40)
        rows = sizes * draw.normal(0.02, 0.002, 40)
        chosen = draw.choice(40, 3, replace=False)
        some = tuple(
            SampledFile(f"{i}.txt", int(sizes[i]), rows[i], True, 9, 0.1, 0.1)
            for i in chosen
        )
        forecast = AuditForecast(40, int(sizes.sum()), 0, some)
        low, high = forecast.captions_interval
        held += low <= rows.sum() <= high
        widths.append((high - low) / rows.sum())
    # within three standard errors of so many draws
    assert held / draws == pytest.approx(0.95, abs=0.033)
    assert 0.1 < np.median(widths) < 0.5


def test_the_interval_is_of_the_files_that_were_not_looked_into():
    def file(name, rows):
        return SampledFile(name, 100, rows, True, 9, 0.1, 0.1)

    both = file("a.txt", 10.0), file("b.txt", 14.0)
    assert AuditForecast(2, 200, 0, both).captions_interval == (24, 24)
    assert "[" not in forecast_lines(AuditForecast(2, 200, 0, both))[0]
    # by hand: 0.5 unseen, residuals -2 and 2, t of one degree of freedom
    low, high = AuditForecast(4, 400, 0, both).captions_interval
    away = 12.7062 * (0.5 * 8 / 2 * 4**2) ** 0.5
    assert (low, high) == (24, pytest.approx(48 + away, abs=0.01))
    assert (
        "48 captions [24, 120] (95 %"
        in forecast_lines(AuditForecast(4, 400, 0, both))[0]
    )
    # of the Parquet files one alone was looked into, the only one or not
    three = (*both, file("c.parquet", 50.0))
    sizes = ((".txt", 400), (".parquet", 100))
    known = AuditForecast(5, 500, 0, three, sizes)
    assert known.captions_interval == pytest.approx((74, high + 50), abs=0.01)
    sizes = ((".txt", 400), (".parquet", 200))
    unknown = AuditForecast(6, 600, 0, three, sizes)
    assert unknown.captions_interval is None
    assert "no interval: of one kind" in forecast_lines(unknown)[-1]


def test_the_command_counts_nothing(tmp_path, capsys):
    write_files(tmp_path, 20, 2)
    arguments = [
        "audit",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
        "--dry-run",
    ]
    assert main(arguments) == 0
    assert "40 captions" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--core-price", "-1"]) == 2
    assert "--core-price" in capsys.readouterr().err
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    assert main(["audit", str(tmp_path / "bad.parquet"), "--dry-run"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
