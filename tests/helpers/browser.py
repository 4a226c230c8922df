"""Headless Chromium over its debugging protocol: enough to open a page, run a script in it and
take a picture.
"""

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
]


class Browser:
    """Chromium in a process of its own; its pages know nothing of each other.

    Args:
        folder: its profile.
    """

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("websocket", reason="websocket-client is absent")
        binary = shutil.which("chromium") or shutil.which("google-chrome")
        if binary is None:
            pytest.skip("no Chromium on this machine")
        self.process = subprocess.Popen(
            [binary, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stderr=subprocess.DEVNULL,
        )
        self.host = f"127.0.0.1:{_port_in(folder / 'DevToolsActivePort')}"
        with urllib.request.urlopen(f"http://{self.host}/json/version") as said:
            address = json.load(said)["webSocketDebuggerUrl"]
        self.line = DebuggingLine(address)

    def open_window(self):
        """(number of a new window's profile, address of its debugging line)."""
        profile = self.line.send("Target.createBrowserContext")
        window = self.line.send(
            "Target.createTarget", url="about:blank", newWindow=True, **profile
        )
        address = f"ws://{self.host}/devtools/page/{window['targetId']}"
        return profile["browserContextId"], address

    def close_window(self, profile):
        """Close the windows of a profile, and forget it."""
        self.line.send("Target.disposeBrowserContext", browserContextId=profile)

    def kill(self):
        """End it at once, as ``kill -9`` does."""
        self.process.kill()
        self.process.wait()
        self.line.socket.shutdown()


def _port_in(file, seconds=60):
    """The port that Chromium writes when it listens."""
    deadline = time.monotonic() + seconds
    while not file.exists() or len(file.read_text().splitlines()) < 2:
        assert time.monotonic() < deadline, "Chromium did not start"
        time.sleep(0.02)
    return file.read_text().splitlines()[0]


class PageLeftError(AssertionError):
    """The page to which a question went has made room for another before it was answered."""


class DebuggingLine:
    """Questions to a browser or a page, and its answers."""

    def __init__(self, address: str) -> None:
        import websocket

        self.socket = websocket.create_connection(address, timeout=60)
        self.number = 0

    def send(self, method, **parameters):
        """What is answered; what is said meanwhile is noted."""
        self.number += 1
        self.socket.send(
            json.dumps(
                {"id": self.number, "method": method, "params": parameters}
            )
        )
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                if "navigated" in str(message.get("error")):
                    raise PageLeftError(message["error"])
                assert "error" not in message, message["error"]
                return message["result"]
            self._note(message)

    def _note(self, message):
        """Of no interest here."""


class Page(DebuggingLine):
    """A window of its own; ``problems`` holds what its console and its loads complained of."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.profile, address = browser.open_window()
        super().__init__(address)
        self.problems: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        # Several windows can't have the focus at once; each is told that it has.
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)

    def _note(self, message):
        kind, given = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown":
            self.problems.append(
                given["exceptionDetails"].get("text", "")
                + str(given["exceptionDetails"].get("exception"))
            )
        elif kind == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.problems.append(
                given["entry"]["text"] + " " + given["entry"].get("url", "")
            )
        elif kind == "Runtime.consoleAPICalled" and given["type"] == "error":
            self.problems.append(str(given["args"]))

    def scheme(self, name):
        """Prefer 'light' or 'dark', as the machine's owner would."""
        wanted = {"name": "prefers-color-scheme", "value": name}
        self.send("Emulation.setEmulatedMedia", features=[wanted])

    def open(self, url, width=1280, height=900, phone=False):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        self.send("Page.navigate", url=url)
        deadline = time.monotonic() + 60
        while (
            self.run("document.readyState") != "complete"
            or self.run("location.href") == "about:blank"
        ):
            assert time.monotonic() < deadline, f"{url} did not load"
            time.sleep(0.05)

    def run(self, script):
        """The value of an expression in the page; a promise is waited for."""
        done = self.send(
            "Runtime.evaluate",
            expression=script,
            returnByValue=True,
            awaitPromise=True,
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def follow(self, link, address):
        """Click the first ``link`` (a selector), and wait until a page stands whose address holds
        ``address``.
        """
        # not at once: the page would be gone before it answers
        self.run(
            f"setTimeout(() => document.querySelector({link!r}).click(), 0); 0"
        )
        arrived = f"location.href.includes({address!r}) && document.readyState"
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(PageLeftError):
                if self.run(arrived) == "complete":
                    return
            assert time.monotonic() < deadline, f"{link} led nowhere"
            time.sleep(0.02)

    def key(self, key, code=None):
        for kind in ("keyDown", "keyUp"):
            text = (
                {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            )
            number = {"Tab": 9, "Enter": 13}[key]
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=code or key,
                windowsVirtualKeyCode=number,
                **text,
            )

    def picture(self, path):
        size = self.run(
            "[document.documentElement.scrollWidth, Math.min(6000, "
            "document.documentElement.scrollHeight)]"
        )
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        data = self.send(
            "Page.captureScreenshot", clip=clip, captureBeyondViewport=True
        )["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        """Close the window; of a browser that was killed, what is left here."""
        if self.browser.process.poll() is None:
            self.socket.close()
            self.browser.close_window(self.profile)
        else:
            self.socket.shutdown()
