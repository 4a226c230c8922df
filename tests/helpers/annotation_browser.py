"""The annotation server in a process of its own, and Chromium with real key presses in front of
it.
"""

import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from helpers.annotation_tools import right
from helpers.browser import Browser, Page
from helpers.optional import need_library

ROOT = Path(__file__).parents[2]

# Runs the command and writes down every look-up of, or connection to, anything outside this
# machine.
WATCHED = """
import sys
def watch(event, values):
    if event == "socket.getaddrinfo":
        host = values[0]
    elif event == "socket.connect" and isinstance(values[1], tuple):
        host = values[1][0]
    else:
        return
    if host not in (None, "", "127.0.0.1", "::1", "localhost", "0.0.0.0"):
        print("OUTSIDE", event, host, file=sys.stderr, flush=True)
sys.addaudithook(watch)
import aobench.cli
sys.exit(aobench.cli.main(sys.argv[1:]))
"""


#: For `WarmProcesses`: what the server needs, and what Gradio reads when it is imported.
MODULES = (
    "gradio",
    "fastapi",
    "starlette.concurrency",
    "uvicorn",
    "aobench.annotation.app",
)
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}


class Server:
    """``imagenet-ao annotate`` on a port of its own; ``start`` again after ``kill`` takes the
    same port.

    Args:
        table: the images.
        verdicts: the file of verdicts.
        more: further words of the command.
        warm: processes of `MODULES` to start it from; None starts a Python of its own, in which Gradio
            has not been imported.
    """

    def __init__(
        self, table: Path, verdicts: Path, warm=None, more=("--no-practice",)
    ) -> None:
        need_library("gradio", "6")
        self.words = [
            "annotate",
            str(table),
            "--verdicts",
            str(verdicts),
            *more,
        ]
        self.log, self.port, self.warm = verdicts.with_suffix(".log"), 0, warm
        self.log.touch()
        self.start()

    def start(self):
        words = [*self.words, "--port", str(self.port)]
        line = (
            self._start_warm(words) if self.warm else self._start_alone(words)
        )
        assert " at http://127.0.0.1:" in line, line + self.log.read_text()
        self.port = int(line.partition("127.0.0.1:")[2].split()[0])
        self.url = f"http://127.0.0.1:{self.port}/"
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(self.url).close()
                return
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.1)

    def _start_alone(self, words):
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(ROOT), *filter(None, sys.path)]
        )
        # the command itself must see to that
        environment.pop("GRADIO_ANALYTICS_ENABLED", None)
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WATCHED, *words],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self.process.stdout.readline()

    def _start_warm(self, words):
        self.process = self.warm.start(words, code=WATCHED, err=self.log)
        deadline = time.monotonic() + 60
        while not (line := self.process.out.read_text()).endswith("\n"):
            over = (
                self.process.poll() is not None or time.monotonic() > deadline
            )
            assert not over, line + self.log.read_text()
            time.sleep(0.02)
        return line

    def kill(self):
        self.process.kill()
        self.process.wait()
        if not self.warm:
            self.process.stdout.close()

    def check_log(self):
        """It asked nothing of other machines, and complained of nothing."""
        assert self.log.read_text() == ""


#: The trial that can be answered, or the name of another screen.
READY = "document.getElementById('ao') && document.getElementById('ao').dataset.ready"
# What an annotator sees: the trial, the words of the claim, and the image by its red.
SEEN = """(() => {
  const ao = document.getElementById("ao");
  if (!ao || !ao.dataset.ready) return null;
  if (ao.dataset.ready === "done") return {done: true};
  const image = document.querySelector("#ao-figure img");
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  if (image) pen.drawImage(image, 0, 0);
  const text = id => document.getElementById(id).textContent;
  return {trial: ao.dataset.ready, progress: text("ao-progress"), attribute: text("ao-attribute"),
          object: text("ao-object"), index: pen.getImageData(5, 5, 1, 1).data[0] / 4, message: text("ao-message"),
          pressed: document.querySelectorAll("#ao [aria-pressed=true]").length};
})()"""

KEYS = {
    "attribute": {"yes": "a", "no": "s", "unsure": "d"},
    "object": {"yes": "j", "no": "k", "unsure": "l"},
}
SPECIAL = {"Backspace": 8, "Enter": 13, " ": 32}


#: A picture counts as seen at once, not after the quarter of a second in which keys slip.
AT_ONCE = """const later = setTimeout;
setTimeout = (act, time, ...more) => later(act, time === 250 ? 0 : time, ...more);"""


class Annotator(Page):
    """A window in which somebody judges images; ``slips``: with the time in which keys do nothing."""

    def __init__(
        self,
        browser: Browser,
        server: Server,
        name: str | None = None,
        slips: bool = False,
        **size,
    ) -> None:
        self.requests: list[str] = []
        super().__init__(browser)
        if not slips:
            self.send("Page.addScriptToEvaluateOnNewDocument", source=AT_ONCE)
        self.server = server
        self.open(server.url + (f"?annotator={name}" if name else ""), **size)

    def _note(self, message):
        super()._note(message)
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])

    def press(self, key, held=0):
        """A key press as from a keyboard; ``held``: so many repeats while it is down."""
        code = SPECIAL.get(key) or ord(key.upper())
        text = {"Enter": "\r", "Backspace": ""}.get(key, key)
        kind = {
            "key": key,
            "code": key if len(key) > 1 else f"Key{key.upper()}",
            "windowsVirtualKeyCode": code,
        }
        for number in range(1 + held):
            self.send(
                "Input.dispatchKeyEvent",
                type="keyDown",
                text=text,
                autoRepeat=number > 0,
                **kind,
            )
        self.send("Input.dispatchKeyEvent", type="keyUp", **kind)

    def wait(self, what, script=SEEN, seconds=30):
        """The first value of ``script`` that satisfies ``what``."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.run(script)
            if what(value):
                return value
            assert time.monotonic() < deadline, (
                f"it stayed {value!r}; {self.problems}"
            )
            time.sleep(0.02)

    def seen(self):
        return self.wait(lambda value: value is not None)

    def judge(self, now=None, press=None):
        """Answer what is on the screen rightly, and wait for the next screen."""
        now = now or self.seen()
        self.judge_without_waiting(now, press)
        return self.seen_after(now)

    def judge_without_waiting(self, now, press=None):
        """Answer what is on the screen rightly."""
        press = press or self.press
        first, second = right(now["index"], now["attribute"], now["object"])
        keys = [KEYS["attribute"][first], KEYS["object"][second]]
        for key in keys if now["index"] % 2 else reversed(keys):
            press(key)

    def seen_after(self, now):
        """What is seen once another trial than that of ``now`` is; to look at the image each time
        would take ten times the work.
        """
        self.wait(lambda ready: ready and ready != now["trial"], READY)
        return self.seen()

    def judge_all(self, limit=10**9):
        now = self.seen()
        while "done" not in now and limit:
            now, limit = self.judge(now), limit - 1
        return now

    def check(self, dead=False):
        """No complaints in the console (of a dead server where ``dead``), and no request to any
        other machine.
        """
        own = ("http://127.0.0.1:", "data:", "blob:", "about:")
        assert [r for r in self.requests if not r.startswith(own)] == []
        refused = (
            "ERR_CONNECTION",
            "ERR_EMPTY_RESPONSE",
            "ERR_INCOMPLETE_CHUNKED_ENCODING",
            "ERR_CONTENT_LENGTH_MISMATCH",
        )
        assert [
            p
            for p in self.problems
            if not (dead and any(r in p for r in refused))
        ] == []


def together(*tasks):
    """Run tasks at once, and raise what any of them raised."""
    errors = []

    def guarded(task):
        try:
            task()
        except BaseException as error:  # handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
