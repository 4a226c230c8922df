"""The metric's Space in a real browser: a good table, a broken one, and rows typed in."""

import os
import re
import shutil
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = ROOT / "model_cards" / "mini" / "predictions.parquet"


#: The Space's program; what it says is written at once.
APP = """
import runpy, sys
sys.stdout.reconfigure(line_buffering=True)
runpy.run_path("app.py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory, warm_gradio):
    """The Space's folder as the Hub has it, served on the loopback."""
    space = tmp_path_factory.mktemp("space") / "compositional_ood"
    shutil.copytree(
        ROOT / "metrics" / "compositional_ood",
        space,
        ignore=shutil.ignore_patterns("__pycache__", "__init__*"),
    )
    running = warm_gradio.start(
        [], code=APP, folder=space, path=[space], NO_PROXY="*"
    )
    deadline = time.monotonic() + 120
    while not (url := re.search(r"http://[\d.:]+", running.out.read_text())):
        assert running.poll() is None, running.err.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield url[0]
    running.kill()


def _wait(page, script, words):
    deadline = time.monotonic() + 60
    while not re.search(words, str(page.run(script))):
        assert time.monotonic() < deadline, (
            f"{script} stayed {page.run(script)!r}"
        )
        time.sleep(0.1)


def _upload(page, path):
    _wait(
        page,
        "document.querySelectorAll('#upload input[type=file]').length",
        "[1-9]",
    )
    root = page.send("DOM.getDocument")["root"]["nodeId"]
    node = page.send(
        "DOM.querySelector", nodeId=root, selector="#upload input[type=file]"
    )["nodeId"]
    page.send("DOM.setFileInputFiles", files=[str(path)], nodeId=node)


STATUS = "document.querySelector('#status') ? document.querySelector('#status').innerText : ''"


def _own(problems):
    """Complaints that are not about hosts outside (fonts, analytics), which an offline machine
    can't reach.
    """
    return [
        p
        for p in problems
        if not re.search(
            r"https?://(?!127\.0\.0\.1)|manifest|ERR_(NAME|INTERNET)", p
        )
    ]


def test_a_good_table_is_scored(app, page):
    page.open(app)
    _wait(page, STATUS, "Upload")
    _upload(page, GOOD)
    _wait(page, STATUS, "mini: 8,580 images")
    _wait(page, "document.querySelector('#figures').innerText", r"91\.6")
    if shots := os.environ.get("IMAGENET_AO_SHOTS"):
        page.picture(Path(shots) / "app.png")
    assert _own(page.problems) == []


def test_a_broken_table_says_what_is_wrong(app, page, tmp_path):
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(GOOD.read_bytes()[:1000])
    page.open(app)
    _wait(page, STATUS, "Upload")
    _upload(page, broken)
    _wait(page, STATUS, "Not scored: this is no readable Parquet file")
    assert _own(page.problems) == []


def test_rows_typed_in_are_scored(app, page):
    page.open(app, width=390, height=800, phone=True)
    _wait(page, "document.querySelectorAll('button[role=tab]').length", "2")
    page.run(
        "Array.from(document.querySelectorAll('button[role=tab]')).find(b => /few "
        "rows/.test(b.innerText)).click()"
    )
    _wait(page, "document.querySelector('#score') ? 'there' : ''", "there")
    page.run("document.querySelector('#score').click()")
    _wait(
        page,
        "document.querySelector('#said') ? document.querySelector('#said').innerText : ''",
        "4 images, 4 candidates",
    )
    assert page.run("document.documentElement.scrollWidth") <= 390
