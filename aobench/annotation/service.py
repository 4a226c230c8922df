"""What the page asks the server over HTTP, apart from Gradio: start, verdict, undo, and the
pictures.

Every message names the annotator; a verdict names its trial and its turn too. So the server keeps
nothing in memory that a restart could lose, and a message that comes late or twice changes nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Any

from aobench.annotation.gate import PREFIX
from aobench.annotation.verdict_store import (
    AnnotatorProgress,
    StaleTrialError,
    VerdictStore,
)
from aobench.errors import UserError
from aobench.image_table import ImageTable
from aobench.strict_json import parse_json

#: Bytes of a message at most; the longest that the page sends has some 300.
LONGEST = 16_384
#: Seconds that an answer took at most: four months.
MOST_SECONDS = 10_000_000

Answer = tuple[int, dict[str, Any]]


class AnnotationService:
    """Answers to the page's messages: an HTTP status and a JSON object."""

    def __init__(self, store: VerdictStore, images: ImageTable) -> None:
        self.store = store
        self.folder = images.folder
        self.files = {row.image_id: row.file for row in images.rows}

    def start(self, body: dict[str, Any]) -> Answer:
        """Begin, or go on: {"annotator"}."""
        return 200, _said(self.store.enrol(_text(body, "annotator")))

    def verdict(self, body: dict[str, Any]) -> Answer:
        """{"annotator", "trial", "turn", "attribute", "object", "seconds"}: 200, or 409 if
        another trial is due.
        """
        turn, seconds = _turn(body), body.get("seconds")
        # Compared before it becomes a float, which a whole number of 400 digits can't.
        if (
            not isinstance(seconds, int | float)
            or isinstance(seconds, bool)
            or not 0 <= seconds <= MOST_SECONDS
        ):
            raise UserError(
                f"a verdict needs its seconds, from 0 to {MOST_SECONDS:,}; reload the page"
            )
        given = [
            _text(body, key) for key in ("annotator", "trial", "attribute", "object")
        ]
        try:
            return 200, _said(
                self.store.record(
                    given[0], given[1], turn, given[2], given[3], float(seconds)
                )
            )
        except StaleTrialError as error:
            return 409, _said(self.store.standing(given[0]), str(error))

    def undo(self, body: dict[str, Any]) -> Answer:
        """{"annotator", "turn"}: 200, or 409 if something happened meanwhile."""
        annotator, turn = _text(body, "annotator"), _turn(body)
        try:
            return 200, _said(self.store.undo(annotator, turn))
        except StaleTrialError as error:
            return 409, _said(self.store.standing(annotator), str(error))

    def safely(self, verb: Callable[[dict[str, Any]], Answer], raw: bytes) -> Answer:
        """The verb's answer; 400 for a bad message, 503 where the database can't be written now."""
        try:
            return verb(parse_json(raw, "the message"))
        except UserError as error:
            return 400, {"message": str(error)}
        except sqlite3.Error as error:
            return 503, {"message": f"Nothing was saved ({error})."}


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value.isprintable() or len(value) > 200:
        raise UserError(f"the message needs {key}, a short text; reload the page")
    return value


def _turn(body: dict[str, Any]) -> int:
    turn = body.get("turn")
    if type(turn) is not int or not 0 <= turn < 1 << 31:
        raise UserError("the message needs turn, a whole number; reload the page")
    return turn


def _said(now: AnnotatorProgress, message: str = "") -> dict[str, Any]:
    """What the page may know: no word of which trials are catch trials."""
    trial = now.trial and {
        "id": now.trial.trial,
        "attribute": now.trial.attribute,
        "object": now.trial.object,
    }
    following = now.following.trial if now.following else None
    return {
        "annotator": now.annotator,
        "trial": trial,
        "following": following,
        "done": now.done,
        "total": now.total,
        "turn": now.turn,
        "message": message,
    }


def add_routes(app: Any, service: AnnotationService) -> None:
    """Add the routes to a Starlette or FastAPI ``app``."""
    for name in ("start", "verdict", "undo"):
        answer = _message_route(service, getattr(service, name))
        app.add_route(f"{PREFIX}/{name}", answer, methods=["POST"])
    picture = _picture_route(service)
    app.add_route(f"{PREFIX}/picture/{{trial}}", picture, methods=["GET"])


def _is_json(request: Any) -> bool:
    """Other sites' pages can send forms and plain text here without asking, but no JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == "application/json"


async def _body(request: Any) -> bytes | None:
    """The message; None where it is too long."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > LONGEST:
            return None
    return raw


def _message_route(
    service: AnnotationService, verb: Callable[[dict[str, Any]], Answer]
) -> Callable[[Any], Any]:
    """Answers to messages of one verb."""
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response

    async def answer(request: Request) -> Response:
        if not _is_json(request):
            return JSONResponse({"message": "messages are JSON"}, 415)
        raw = await _body(request)
        if raw is None:
            message = f"a message has at most {LONGEST:,} bytes"
            return JSONResponse({"message": message}, 413)
        status, content = await run_in_threadpool(service.safely, verb, raw)
        return JSONResponse(content, status, {"Cache-Control": "no-store"})

    return answer


def _picture_route(service: AnnotationService) -> Callable[[Any], Any]:
    """Pictures of trials, of the annotator whose they are."""
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, Response

    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

    async def picture(request: Request) -> Response:
        annotator = request.query_params.get("annotator", "")
        number = request.path_params["trial"]
        try:
            trial = await run_in_threadpool(service.store.trial, annotator, number)
        except UserError as error:
            return JSONResponse({"message": str(error)}, 404)
        except sqlite3.Error as error:
            message = f"The file of verdicts can't be read ({error})."
            return JSONResponse({"message": message}, 503)
        path = service.folder / service.files[trial.image_id]
        if not path.is_file() or not os.access(path, os.R_OK):
            return JSONResponse({"message": f"{path.name} is gone"}, 404)
        return FileResponse(path, headers=headers)

    return picture
