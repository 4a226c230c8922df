"""What an audit would take, from a look into its files."""

from __future__ import annotations

import gzip
import random

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
    assert (found.files, len(found.sampled)) == (7, 3)
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
    assert len(found.sampled) == 3 + 1 + 3
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
    told = forecast_audit([str(tmp_path)], PLAN).captions
    counted = audit(tmp_path, tmp_path / "out", vocabulary=PLAN.vocabulary)
    assert told == pytest.approx(counted.manifest["totals"]["rows"], rel=0.1)


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
