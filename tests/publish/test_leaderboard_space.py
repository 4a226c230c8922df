"""The leaderboard's Space reads the Hub's own rows; here from a Hub on the loopback."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml
from helpers.browser import Page

ROOT = Path(__file__).parents[2]
DATASET = "org/imagenet-ao"


def _entry(value, notes):
    row = {
        "dataset": {"id": DATASET, "task_id": "composition_top1"},
        "value": value,
        "notes": notes,
    }
    return {".eval_results/imagenet_ao.yaml": yaml.safe_dump([row]).encode()}


def test_rows_with_other_settings_stand_apart_in_a_browser(hub, tmp_path):
    pytest.importorskip("gradio", minversion="5")
    hub.folder("datasets", DATASET).mkdir(parents=True)
    same, other = (
        "80 prompts (a); composition of 9 candidates (b); float32",
        "1 prompt (c); composition of 9 candidates (b); float32",
    )
    hub.pull_requests += [
        {"repo": "a/one", "files": _entry(31.5, f"{same}; imagenet-ao 0.1.0")},
        {"repo": "a/two", "files": _entry(44.0, f"{same}; imagenet-ao 0.2.0")},
        {"repo": "a/three", "files": _entry(50.0, f"{other}; imagenet-ao 0.2.0")},
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "DATASET": DATASET,
    }
    environment |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SERVER_PORT": "7894"}
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT / "spaces/leaderboard",
            env=environment,
            stderr=log,
        )
    page = None
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen("http://127.0.0.1:7894").close()
                break
            except OSError:
                assert running.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.5)
        page = Page(tmp_path / "profile")
        page.open("http://127.0.0.1:7894")
        text = ""
        while "a/three" not in text:
            text = page.run("document.body.innerText")
            assert time.monotonic() < deadline, text
        assert "3 rows of org/imagenet-ao in 2 settings." in text
        assert text.index("a/two") < text.index("a/one") < text.index("a/three")
        assert re.search(
            r"80 prompts \(a\); composition of 9 candidates \(b\); float32", text
        )
    finally:
        if page:
            page.close()
        running.terminate()
        running.wait()
