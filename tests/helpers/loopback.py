"""What the servers of tests have in common: one on 127.0.0.1 that says nothing in the terminal."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Quiet(BaseHTTPRequestHandler):
    """``owner``: the `Loopback` that it answers for."""

    protocol_version = "HTTP/1.1"
    owner: Any

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        """An answer with its length, which headers may overrule; a HEAD has no body. ``_`` in a
        header means ``-``.
        """
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Loopback:
    """A server with a handler of its own, at ``url``, until it is closed; port 0 is any free."""

    def __init__(self, handler: type[Quiet], port: int = 0) -> None:
        bound = type(handler.__name__, (handler,), {"owner": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", port), bound)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
