"""The leaderboard's Space reads the Hub's own rows; here from a Hub on the loopback."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import yaml
from helpers.optional import need_library

ROOT = Path(__file__).parents[2]
DATASET = "org/imagenet-ao"
BUNDLED = ROOT / "model_cards" / "efficientnet-lite0"


def _entry(value, notes):
    row = {
        "dataset": {"id": DATASET, "task_id": "composition_top1"},
        "value": value,
        "notes": notes,
    }
    return {".eval_results/imagenet_ao.yaml": yaml.safe_dump([row]).encode()}


def test_checked_results_and_rows_that_stand_apart_in_a_browser(
    hub, page, tmp_path
):
    need_library("gradio", "5")
    hub.folder("datasets", DATASET).mkdir(parents=True)
    settings = "80 prompts (a); composition of 9 candidates (b); float32"
    for name, value in (("a/one", 31.5), ("a/two", 44.0), ("a/three", 50.0)):
        notes = f"{settings}; imagenet-ao 0.1.0"
        hub.pull_requests.append({"repo": name, "files": _entry(value, notes)})
    evidence = hub.folder("models", "a/one") / "imagenet_ao"
    shutil.copytree(BUNDLED, evidence)
    # a result whose numbers are not those of its table
    false = hub.folder("models", "a/two") / "imagenet_ao"
    shutil.copytree(BUNDLED, false)
    text = (false / "results.json").read_text()
    found = json.loads(text)
    found["scores"]["object"]["splits"]["ood"]["object_top1"] = 0.99
    (false / "results.json").write_text(json.dumps(found))
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("HF_")
    }
    environment |= {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "DATASET": DATASET,
    }
    environment |= {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_SERVER_PORT": "7894",
    }
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT / "spaces/leaderboard",
            env=environment,
            stderr=log,
        )
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
        page.open("http://127.0.0.1:7894")
        text = ""
        while "a/three" not in text:
            text = page.run("document.body.innerText")
            assert time.monotonic() < deadline, text
            time.sleep(0.2)
        assert (
            "3 rows of org/imagenet-ao, 1 with a result that was checked."
            in text
        )
        assert text.index("a/three") < text.index("a/two"), "the best first"
        assert "are not those of its predictions.parquet" in text
        assert settings in text
        board = "document.getElementById('board').contentDocument"
        while not page.run(f"{board}?.querySelector('tbody a') !== null"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert (
            page.run(f"{board}.querySelector('tbody th').textContent") == "one"
        )
        page.run(f"{board}.querySelector('tbody a').click()")
        while (
            page.run(f"{board}.querySelector('h1')?.textContent")
            != "a/one on mini"
        ):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        running.terminate()
        running.wait()
