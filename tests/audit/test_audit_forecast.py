"""What an audit would take, from a look into its files."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aobench.audit import forecast as module
from aobench.audit.counter import CountingPlan
from aobench.audit.forecast import (
    AuditForecast,
    SampledFile,
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
