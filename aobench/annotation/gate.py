"""What reaches the annotation page: the routes that it uses, asked for by its own page. Everything
else ends here.

Gradio brings a server of its own, with endpoints that take files from anyone and serve them on the
same origin, run functions, read logs and edit the app. The page needs none of them: it is Gradio's
markup, scripts and styles, and our own messages beside them. So what may be asked is listed, not
what may not.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

#: Under this path are our messages and pictures; the page finds it beside its own address.
PREFIX = "/annotation"

#: Messages of the page to the server, each a method of `aobench.annotation.service`.
MESSAGES = (
    "guide",
    "start",
    "practice",
    "verdict",
    "verdicts",
    "name",
    "grid",
    "undo",
)

#: Method and path of everything that the page asks for. Those of Gradio are files that it ships.
ROUTES: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (("POST",), re.compile(rf"{PREFIX}/({'|'.join(MESSAGES)})")),
    (("GET", "HEAD"), re.compile(rf"{PREFIX}/picture/[0-9a-f]{{16}}")),
    (("GET", "HEAD"), re.compile(rf"{PREFIX}/example/[0-9]{{1,6}}")),
    (
        ("GET", "HEAD"),
        re.compile(r"/|/theme\.css|/favicon\.ico|/manifest\.json"),
    ),
    (
        ("GET", "HEAD"),
        re.compile(r"/(assets|static)(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+"),
    ),
)

#: Sent with every answer: no guessing of kinds, no foreign frames, no use by foreign pages.
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


def is_local(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(header: str) -> str:
    """The name in a Host header, without its port: ``[::1]:7860`` is ``::1``; nothing where it
    is no such header.
    """
    match = re.fullmatch(
        r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+))(?::[0-9]{1,5})?", header
    )
    return (match[1] or match[2]).lower() if match else ""


class RequestGate:
    """An ASGI application before another: lets through what the page asks for.

    Args: app: the application behind it. host: the address that is listened on. Where that is
        this machine only, requests must name it: a foreign page
            that has its own name point here gets no answer.
    """

    def __init__(self, app: Any, host: str) -> None:
        self.app = app
        self.hosts = (
            {"localhost", "127.0.0.1", "::1", host.lower()}
            if is_local(host)
            else None
        )

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        """Pass the request on, or say in one line why not."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in HEADERS}
                theirs = [
                    pair
                    for pair in message.get("headers", [])
                    if pair[0].lower() not in ours
                ]
                message = {**message, "headers": [*theirs, *HEADERS]}
            await send(message)

        refused = self.refusal(scope["method"], scope["path"], scope["headers"])
        if refused is None:
            await self.app(scope, receive, with_headers)
            return
        from starlette.responses import JSONResponse

        status, why = refused
        await JSONResponse({"message": why}, status)(
            scope, receive, with_headers
        )

    def refusal(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> tuple[int, str] | None:
        """Status and reason for what is not let through; None for what is."""
        values_of: dict[str, list[str]] = {}
        for key, value in headers:
            values_of.setdefault(key.decode("latin-1").lower(), []).append(
                value.decode("latin-1")
            )
        hosts = values_of.get("host", [])
        name = host_name(hosts[0]) if len(hosts) == 1 else ""
        if not name or (self.hosts is not None and name not in self.hosts):
            return (
                400,
                "this is not the address of the page; use the one that imagenet-ao annotate "
                "printed",
            )
        methods = {
            one
            for every, pattern in ROUTES
            if pattern.fullmatch(path)
            for one in every
        }
        if not methods or ".." in path:
            return 404, "there is nothing here"
        if method not in methods:
            return 405, f"this takes {' or '.join(sorted(methods))}"
        if method == "POST" and not _own_page(values_of, hosts[0]):
            return (
                403,
                "messages come from the page itself, not from another site's",
            )
        return None


def _own_page(headers: dict[str, list[str]], host: str) -> bool:
    """Whether no browser says that another site's page asks. Programs, which say nothing, pass."""
    sites = headers.get("sec-fetch-site", [])
    if any(site not in ("same-origin", "none") for site in sites):
        return False
    return all(
        urlsplit(origin).netloc.lower() == host.lower()
        for origin in headers.get("origin", [])
    )
