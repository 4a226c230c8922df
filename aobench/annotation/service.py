"""What the page asks the server over HTTP, apart from Gradio: start, verdicts, undo, practice, the
guideline, and the pictures.

Every message names the annotator; a verdict names its trial and its turn too. So the server keeps
nothing in memory that a restart could lose, and a message that comes late or twice changes nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aobench.annotation.decisions import disputed_images
from aobench.annotation.gate import MESSAGES, PREFIX
from aobench.annotation.naming import NamingStore
from aobench.annotation.practice import Example, practice_left
from aobench.annotation.trials import QUESTIONS, Trial, normal_name
from aobench.annotation.verdict_store import (
    ADJUDICATOR,
    ANSWERS,
    AnnotatorProgress,
    StaleTrialError,
    VerdictStore,
    adjudicator_name,
)
from aobench.errors import UserError
from aobench.image_table import ImageTable
from aobench.strict_json import parse_json

#: Bytes of a message at most; the longest that the page sends has some 300.
LONGEST = 16_384
#: Seconds that an answer took at most: four months.
MOST_SECONDS = 10_000_000

#: Sent with every picture.
PICTURE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class PageOptions:
    """What the page is for.

    ``adjudicate``: disputed images, by people who see the votes; ``minimum`` judgments make a
    dispute. ``names``: what each image may be called is asked, not whether a claim fits.
    """

    guideline: str = ""
    examples: tuple[Example, ...] = ()
    practice: bool = False
    adjudicate: bool = False
    minimum: int = 2
    pictures: Mapping[str, tuple[str, bytes]] | None = None


#: Pictures of a grid at most.
MOST_OF_GRID = 24


class AnnotationService:
    """Answers to the page's messages: an HTTP status and a JSON object."""

    def __init__(
        self,
        store: VerdictStore,
        images: ImageTable,
        options: PageOptions | None = None,
    ) -> None:
        self.store = store
        self.options = options or PageOptions()
        self.folder = images.folder
        self.files = {row.image_id: row.file for row in images.rows}
        self.examples = {one.example: one for one in self.options.examples}

    def guide(self, body: dict[str, Any]) -> Answer:
        """The guideline, its examples with their answers, and how everyone gets on: {}."""
        shown = [
            {
                "id": one.example,
                "claim": f"{one.attribute} {one.object}",
                "attribute": one.attribute_answer,
                "object": one.object_answer,
                "why": one.why,
            }
            for one in self.options.examples
        ]
        people = [
            {
                "annotator": _shown_name(one.annotator),
                "done": one.done,
                "total": one.total,
            }
            for one in self.store.progress()
            if one.annotator.startswith(ADJUDICATOR) == self.options.adjudicate
        ]
        content = {
            "guideline": self.options.guideline,
            "examples": shown,
            "people": people,
            "adjudicate": self.options.adjudicate,
            "naming": isinstance(self.store, NamingStore),
        }
        return 200, content

    def start(self, body: dict[str, Any]) -> Answer:
        """Begin, or go on: {"annotator"}."""
        name = self._name(body)
        if not self.options.adjudicate:
            return 200, self._said(self.store.enrol(name))
        rows, verdicts = self.store.images(), self.store.verdicts()
        disputed = disputed_images(rows, verdicts, self.options.minimum)
        ids = [one.image_id for one in disputed]
        if not ids and name not in (
            one.annotator for one in self.store.progress()
        ):
            raise UserError(
                "nothing is disputed: no image that several people judged is undecided"
            )
        return 200, self._said(self.store.enrol_adjudicator(name, ids))

    def practice(self, body: dict[str, Any]) -> Answer:
        """An answer to an example: {"annotator", "example", "attribute", "object"}."""
        name, example = (
            self._name(body),
            self.examples.get(_text(body, "example")),
        )
        if example is None:
            raise UserError("there is no such example; reload the page")
        answers = (_text(body, "attribute"), _text(body, "object"))
        wanted = (example.attribute_answer, example.object_answer)
        saved = self.store.record_practice(
            name, example.example, answers, answers == wanted
        )
        feedback = {
            "yours": [saved.attribute_answer, saved.object_answer],
            "right": list(wanted),
            "why": example.why,
        }
        return 200, self._said(self.store.standing(name)) | {
            "feedback": feedback
        }

    def verdict(self, body: dict[str, Any]) -> Answer:
        """{"annotator", "trial", "turn", "attribute", "object", "seconds"}: 200, or 409 if
        another trial is due.
        """
        turn, seconds = _turn(body), _seconds(body)
        answers = tuple(
            _text(body, key) for key in ("trial", "attribute", "object")
        )
        return self._record(self._name(body), turn, [answers], seconds)

    def verdicts(self, body: dict[str, Any]) -> Answer:
        """Those of a grid: {"annotator", "turn", "seconds", "answers"}, each answer with its
        trial, attribute and object; all are written, or none.
        """
        turn, seconds, answers = (
            _turn(body),
            _seconds(body),
            body.get("answers"),
        )
        if (
            not isinstance(answers, list)
            or not 0 < len(answers) <= MOST_OF_GRID
        ):
            raise UserError(
                f"the message needs 1 to {MOST_OF_GRID} answers; reload the page"
            )
        if not all(isinstance(one, dict) for one in answers):
            raise UserError("an answer is an object; reload the page")
        keys = ("trial", "attribute", "object")
        pairs = [tuple(_text(one, key) for key in keys) for one in answers]
        return self._record(self._name(body), turn, pairs, seconds)

    def name(self, body: dict[str, Any]) -> Answer:
        """What an image is called: {"annotator", "trial", "turn", "answer", "seconds"}."""
        turn, seconds, name = _turn(body), _seconds(body), self._name(body)
        trial, answer = _text(body, "trial"), _text(body, "answer")
        if not isinstance(self.store, NamingStore):
            raise UserError("no names are asked here; reload the page")
        self.store.check_name(self.store.trial(name, trial), answer)
        return self._record(name, turn, [(trial, answer)], seconds)

    def _record(
        self,
        name: str,
        turn: int,
        answers: Sequence[tuple[str, ...]],
        seconds: float,
    ) -> Answer:
        try:
            return 200, self._said(
                self.store.record_all(name, turn, answers, seconds)
            )
        except StaleTrialError as error:
            return 409, self._said(self.store.standing(name), str(error))

    def grid(self, body: dict[str, Any]) -> Answer:
        """The next trials, several at once: {"annotator", "count"}."""
        name, count = self._name(body), body.get("count")
        if type(count) is not int or not 1 <= count <= MOST_OF_GRID:
            raise UserError(
                f"the message needs count, from 1 to {MOST_OF_GRID}; reload the page"
            )
        with self.store.snapshot():
            now, trials = (
                self.store.standing(name),
                self.store.awaiting(name, count),
            )
        return 200, self._said(now) | {"grid": [_claim(one) for one in trials]}

    def undo(self, body: dict[str, Any]) -> Answer:
        """{"annotator", "turn"} and how many, "count": 200, or 409 if something happened
        meanwhile.
        """
        name, turn, count = self._name(body), _turn(body), body.get("count", 1)
        if type(count) is not int or not 1 <= count <= MOST_OF_GRID:
            raise UserError(f"undo takes 1 to {MOST_OF_GRID}; reload the page")
        try:
            return 200, self._said(self.store.undo(name, turn, count))
        except StaleTrialError as error:
            return 409, self._said(self.store.standing(name), str(error))

    def _name(self, body: dict[str, Any]) -> str:
        """The annotator as the file knows them; adjudicators have names of their own."""
        name = normal_name(_text(body, "annotator"))
        if self.options.adjudicate:
            return adjudicator_name(name)
        if name.startswith(ADJUDICATOR):
            raise UserError(
                f"a name does not begin with {ADJUDICATOR}; give another"
            )
        return name

    def _said(
        self, now: AnnotatorProgress, message: str = ""
    ) -> dict[str, Any]:
        """What the page may know: no word of which trials are catch trials."""
        trial = None if now.trial is None else self._shown(now.trial)
        following = now.following.trial if now.following else None
        return {
            "annotator": _shown_name(now.annotator),
            "trial": trial,
            "following": following,
            "done": now.done,
            "total": now.total,
            "turn": now.turn,
            "message": message,
            "practice": self._example(now.annotator),
        }

    def _shown(self, trial: Trial) -> dict[str, Any]:
        shown = _claim(trial)
        if isinstance(self.store, NamingStore):
            # the right name is the claim: it must not be sent
            return {
                "id": trial.trial,
                "choices": self.store.choices(trial.image_id),
            }
        if self.options.adjudicate:
            shown["votes"] = self._votes(trial.image_id)
        return shown

    def _votes(self, image_id: str) -> dict[str, dict[str, int]]:
        votes = {part: dict.fromkeys(ANSWERS, 0) for part in QUESTIONS}
        for verdict in self.store.verdicts():
            if verdict.trial.image_id == image_id:
                votes["attribute"][verdict.attribute_answer] += 1
                votes["object"][verdict.object_answer] += 1
        return votes

    def _example(self, name: str) -> dict[str, Any] | None:
        """The next example to practise on; None where there is none left."""
        if not self.options.practice:
            return None
        answered = {one.example for one in self.store.practice(name)}
        left = practice_left(self.options.examples, answered)
        if not left:
            return None
        count = len(self.options.examples)
        return {
            "id": left[0].example,
            "attribute": left[0].attribute,
            "object": left[0].object,
            "number": count - len(left) + 1,
            "of": count,
        }

    def picture(self, annotator: str, trial: str) -> Path | tuple[str, bytes]:
        """A trial's picture: its file, or its kind and bytes. Raises UserError."""
        name = self._name({"annotator": annotator})
        image = self.store.trial(name, trial).image_id
        if self.options.pictures is not None:
            return self.options.pictures[image]
        return self.folder / self.files[image]

    def safely(
        self, verb: Callable[[dict[str, Any]], Answer], raw: bytes
    ) -> Answer:
        """The verb's answer; 400 for a bad message, 503 where the database can't be written now."""
        try:
            return verb(parse_json(raw, "the message"))
        except UserError as error:
            return 400, {"message": str(error)}
        except sqlite3.Error as error:
            return 503, {"message": f"Nothing was saved ({error})."}


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if (
        not isinstance(value, str)
        or not value.isprintable()
        or len(value) > 200
    ):
        raise UserError(
            f"the message needs {key}, a short text; reload the page"
        )
    return value


def _turn(body: dict[str, Any]) -> int:
    turn = body.get("turn")
    if type(turn) is not int or not 0 <= turn < 1 << 31:
        raise UserError(
            "the message needs turn, a whole number; reload the page"
        )
    return turn


def _seconds(body: dict[str, Any]) -> float:
    seconds = body.get("seconds")
    # Compared before it becomes a float, which a whole number of 400 digits can't.
    if (
        not isinstance(seconds, int | float)
        or isinstance(seconds, bool)
        or not 0 <= seconds <= MOST_SECONDS
    ):
        raise UserError(
            f"a verdict needs its seconds, from 0 to {MOST_SECONDS:,}; reload the page"
        )
    return float(seconds)


def _claim(trial: Trial) -> dict[str, Any]:
    return {
        "id": trial.trial,
        "attribute": trial.attribute,
        "object": trial.object,
    }


def _shown_name(name: str) -> str:
    return name.removeprefix(ADJUDICATOR)


def add_routes(app: Any, service: AnnotationService) -> None:
    """Add the routes to a Starlette or FastAPI ``app``."""
    for name in MESSAGES:
        answer = _message_route(service, getattr(service, name))
        app.add_route(f"{PREFIX}/{name}", answer, methods=["POST"])
    picture = _picture_route(service)
    app.add_route(f"{PREFIX}/picture/{{trial}}", picture, methods=["GET"])
    example = _example_route(service)
    app.add_route(f"{PREFIX}/example/{{example}}", example, methods=["GET"])


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

    async def picture(request: Request) -> Response:
        annotator = request.query_params.get("annotator", "")
        number = request.path_params["trial"]
        try:
            picture = await run_in_threadpool(
                service.picture, annotator, number
            )
        except UserError as error:
            return JSONResponse({"message": str(error)}, 404)
        except sqlite3.Error as error:
            message = f"The file of verdicts can't be read ({error})."
            return JSONResponse({"message": message}, 503)
        if not isinstance(picture, Path):
            return Response(
                picture[1], media_type=picture[0], headers=PICTURE_HEADERS
            )
        if not picture.is_file() or not os.access(picture, os.R_OK):
            return JSONResponse({"message": f"{picture.name} is gone"}, 404)
        return FileResponse(picture, headers=PICTURE_HEADERS)

    return picture


def _example_route(service: AnnotationService) -> Callable[[Any], Any]:
    """Pictures of the guideline's examples."""
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response

    async def example(request: Request) -> Response:
        example = service.examples.get(request.path_params["example"])
        if example is None:
            return JSONResponse({"message": "there is no such example"}, 404)
        return Response(
            example.picture, media_type=example.kind, headers=PICTURE_HEADERS
        )

    return example
