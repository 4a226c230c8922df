"""What the Spaces say of tables and answers that are none."""

import importlib
import importlib.util
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "model_cards" / "mini" / "predictions.parquet"
KEY = b"imagenet_ao"


def _app(path, monkeypatch):
    pytest.importorskip("gradio", minversion="5")
    # the Space has the metric's file beside it, under this name
    metric = importlib.import_module("compositional_ood.compositional_ood")
    monkeypatch.setitem(sys.modules, "compositional_ood", metric)
    spec = importlib.util.spec_from_file_location(
        f"app_of_{path.parent.name}", path
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 10_000,
        b"[]",
        b"{",
        b"{}",
        b'{"tasks": []}',
        b'{"tasks": {"object": []}}',
        b'{"tasks": {"object": {"splits": {"ood": {"attributes": [0], "objects": []}}}}}',
        b'{"candidates": []}',
        b'{"candidates": {"ood": 3}}',
        b'{"candidates": {"ood": {"attributes": [0], "objects": []}}}',
        b'{"candidates": {"ood": {"attributes": ["red"], "objects": [0]}}}',
        b'{"candidates": {"ood": {"attributes": [true], "objects": [0]}}}',
    ],
)
def test_a_table_whose_metadata_is_damaged_is_told_in_the_app(
    raw, tmp_path, monkeypatch
):
    app = _app(ROOT / "metrics/compositional_ood/app.py", monkeypatch)
    path = tmp_path / "predictions.parquet"
    pq.write_table(
        pq.read_table(BUNDLED).replace_schema_metadata({KEY: raw}), path
    )
    assert (
        app.score_table(str(path))[0]
        == "Not scored: its metadata is damaged; evaluate the model anew"
    )


@pytest.mark.parametrize("provenance", [None, [], {"model": "m", "dataset": 3}])
def test_a_table_that_does_not_say_its_model_is_scored(
    provenance, tmp_path, monkeypatch
):
    app = _app(ROOT / "metrics/compositional_ood/app.py", monkeypatch)
    table = pq.read_table(BUNDLED)
    facts = json.loads(table.schema.metadata[KEY]) | {"provenance": provenance}
    path = tmp_path / "predictions.parquet"
    pq.write_table(
        table.replace_schema_metadata({KEY: json.dumps(facts).encode()}), path
    )
    assert app.score_table(str(path))[0].startswith(
        "unnamed model: 8,580 images"
    )


@pytest.mark.parametrize(
    "error", [ConnectionError("x"), ValueError("a page"), "httpx"]
)
def test_a_leaderboard_that_cannot_be_had_is_a_line(error, monkeypatch):
    app = _app(ROOT / "spaces/leaderboard/app.py", monkeypatch)

    def fail(*_, **__):
        raise (
            app.CONNECTION("Server disconnected") if error == "httpx" else error
        )

    monkeypatch.setattr(app.HfApi, "get_dataset_leaderboard", fail)
    shown = app.read("org/data")
    assert shown.page is None
    assert shown.status.startswith("The Hub gave no leaderboard of org/data (")
    assert len(shown.apart) == 0
