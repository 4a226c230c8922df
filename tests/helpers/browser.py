"""Headless Chromium over its debugging protocol: enough to open a page, run a script in it and
take a picture.
"""

import base64
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
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
]


class Page:
    """One tab; ``problems`` holds what its console and its loads complained of."""

    def __init__(self, folder: Path) -> None:
        websocket = pytest.importorskip(
            "websocket", reason="websocket-client is absent"
        )
        binary = shutil.which("chromium") or shutil.which("google-chrome")
        if binary is None:
            pytest.skip("no Chromium on this machine")
        self.process = subprocess.Popen(
            [binary, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stderr=subprocess.DEVNULL,
        )
        port_file, deadline = (
            folder / "DevToolsActivePort",
            time.monotonic() + 60,
        )
        while (
            not port_file.exists()
            or len(port_file.read_text().splitlines()) < 2
        ):
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.1)
        port = port_file.read_text().splitlines()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            target = next(t for t in json.load(answer) if t["type"] == "page")
        self.socket = websocket.create_connection(
            target["webSocketDebuggerUrl"], timeout=60
        )
        self.number, self.problems = 0, []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        self.number += 1
        self.socket.send(
            json.dumps(
                {"id": self.number, "method": method, "params": parameters}
            )
        )
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._note(message)

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
        self.socket.close()
        self.process.kill()
        self.process.wait()
