"""Verdicts in SQLite: written before anyone sees the next image, never twice, never lost, never
overwritten.

Safe with several threads and several processes on one file: every change is one IMMEDIATE
transaction that first checks what the annotator is being asked, and a partial unique index allows
one current verdict a trial.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from aobench.annotation.trials import Trial, normal_name, plan_trials
from aobench.errors import UserError
from aobench.image_table import ImageRow

ANSWERS = ("yes", "no", "unsure")

TRIAL = "t.trial, t.position, t.image_id, t.attribute, t.object, t.wrong"


class StaleTrialError(Exception):
    """An answer to a trial that isn't awaiting one: it was given already, or undone, from
    another tab.
    """


@dataclass(frozen=True)
class AnnotatorProgress:
    """Where an annotator stands: the trial that awaits an answer (None at the end) and the one
    after it.

    ``done`` of ``total`` trials are answered. ``turn`` counts every answer and every undo so far:
    whoever changes something names the turn that was seen, so that a late or repeated message
    changes nothing.
    """

    annotator: str
    trial: Trial | None
    following: Trial | None
    done: int
    total: int
    turn: int


@dataclass(frozen=True)
class Verdict:
    """One answer to one trial. ``withdrawn_at`` is empty unless it was undone; times are UTC,
    ISO 8601.
    """

    annotator: str
    trial: Trial
    attribute_answer: str
    object_answer: str
    seconds: float
    answered_at: str
    withdrawn_at: str


class VerdictStore:
    """An open database of verdicts. Make it with ``open_store`` or ``existing_store``."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()  # one connection, many threads of a server

    def __enter__(self) -> VerdictStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read in this block is of one moment, whatever others write meanwhile."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction; what it wrote is on disk when the block is left without an exception."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def query_rows(self, query: str, *values: object) -> list[tuple]:
        """The rows that a query of the file gives."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    # What the file holds

    def settings(self) -> dict[str, str]:
        """images_sha256, seed, catch_rate, created_at."""
        return dict(self.query_rows("SELECT key, value FROM settings"))

    def images(self) -> list[ImageRow]:
        """The image table that the file is bound to, by id."""
        return [
            ImageRow(*cells)
            for cells in self.query_rows("SELECT * FROM images ORDER BY image_id")
        ]

    def pictures(self) -> dict[str, str]:
        """The SHA-256 of each picture by its image's id; empty where the image table didn't say,
        and in old files.
        """
        if not self.query_rows("SELECT 1 FROM sqlite_master WHERE name = 'pictures'"):
            return {}
        return dict(self.query_rows("SELECT image_id, sha256 FROM pictures"))

    def annotators(self) -> list[str]:
        """Everyone who gave at least one verdict that stands, by name."""
        return [
            name
            for (name,) in self.query_rows(
                "SELECT DISTINCT annotator FROM verdicts WHERE withdrawn_at IS NULL ORDER BY "
                "annotator"
            )
        ]

    def verdicts(
        self, *, catch: bool = False, withdrawn: bool = False
    ) -> list[Verdict]:
        """Verdicts on images (or on catch trials) that stand (or that were undone), in the order
        they were given.
        """
        found = self.query_rows(
            "SELECT v.annotator, v.attribute_answer, v.object_answer, v.seconds, v.answered_at, "
            "v.withdrawn_at,"
            f" {TRIAL}"
            " FROM verdicts v JOIN trials t USING (annotator, trial)"
            " WHERE (t.wrong <> '') = ? AND (v.withdrawn_at IS NOT NULL) = ? ORDER BY v.id",
            catch,
            withdrawn,
        )
        return [
            Verdict(r[0], Trial(*r[6:]), r[1], r[2], r[3], r[4], r[5] or "")
            for r in found
        ]

    # One annotator's way through the trials

    def enrol(self, annotator: str) -> AnnotatorProgress:
        """Draw the trials of an annotator who comes for the first time; where the annotator
        stands.
        """
        name = normal_name(annotator)
        if not self.query_rows(
            "SELECT 1 FROM trials WHERE annotator = ? LIMIT 1", name
        ):
            settings = self.settings()
            drawn = plan_trials(
                self.images(),
                name,
                int(settings["seed"]),
                float(settings["catch_rate"]),
            )
            with (
                self.transaction() as connection
            ):  # drawn twice at once, the same rows come twice
                connection.executemany(
                    "INSERT OR IGNORE INTO trials (annotator, trial, position, image_id, "
                    "attribute, object, wrong)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [(name, *astuple(trial)) for trial in drawn],
                )
        return self.standing(name)

    def standing(self, annotator: str) -> AnnotatorProgress:
        """Where an annotator stands. Raises UserError for one who never started."""
        name = normal_name(annotator)
        with self.snapshot():
            connection = self._connection
            (total,) = connection.execute(
                "SELECT COUNT(*) FROM trials WHERE annotator = ?", (name,)
            ).fetchone()
            if not total:
                raise UserError(
                    f"{name!r} has not started yet; type the name on the first screen"
                )
            given, withdrawn = connection.execute(
                "SELECT COUNT(*), COUNT(withdrawn_at) FROM verdicts WHERE annotator = ?",
                (name,),
            ).fetchone()
            ahead = connection.execute(
                f"SELECT {TRIAL} FROM trials t LEFT JOIN verdicts v"
                " ON v.annotator = t.annotator AND v.trial = t.trial AND v.withdrawn_at IS NULL"
                " WHERE t.annotator = ? AND v.id IS NULL ORDER BY t.position LIMIT 2",
                (name,),
            ).fetchall()
        first, second = ([Trial(*cells) for cells in ahead] + [None, None])[:2]
        return AnnotatorProgress(
            name, first, second, given - withdrawn, total, given + withdrawn
        )

    def trial(self, annotator: str, trial: str) -> Trial:
        """A trial by its id. Raises UserError where the annotator has none of that id."""
        query = f"SELECT {TRIAL} FROM trials t WHERE t.annotator = ? AND t.trial = ?"
        found = self.query_rows(query, normal_name(annotator), trial)
        if not found:
            raise UserError(f"{annotator!r} has no trial {trial!r}; reload the page")
        return Trial(*found[0])

    def record(
        self,
        annotator: str,
        trial: str,
        turn: int,
        attribute_answer: str,
        object_answer: str,
        seconds: float,
    ) -> AnnotatorProgress:
        """Write a verdict on the trial that awaits one; when this returns, it is on disk. Gives the
        next standing.

        The same message again (its reply was lost) changes nothing and is no error. Raises
        StaleTrialError where another trial awaits an answer or ``turn`` is past; UserError for
        other answers than yes, no, unsure, and for a time that is negative or no number.
        """
        if attribute_answer not in ANSWERS or object_answer not in ANSWERS:
            raise UserError(
                f"{attribute_answer!r}, {object_answer!r}: answers are {', '.join(ANSWERS)}"
            )
        if not (math.isfinite(seconds) and seconds >= 0):
            raise UserError(f"{seconds!r} is no time in seconds")
        with self.transaction() as connection:
            now = self.standing(annotator)
            if now.trial is None or now.trial.trial != trial or now.turn != turn:
                last = connection.execute(
                    "SELECT trial, attribute_answer, object_answer FROM verdicts"
                    " WHERE annotator = ? AND withdrawn_at IS NULL ORDER BY id DESC LIMIT 1",
                    (now.annotator,),
                ).fetchone()
                if now.turn == turn + 1 and last == (
                    trial,
                    attribute_answer,
                    object_answer,
                ):
                    return now
                raise StaleTrialError(
                    "this image was answered already; here is the one that awaits an answer"
                )
            connection.execute(
                "INSERT INTO verdicts (annotator, trial, attribute_answer, object_answer, seconds, "
                "answered_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    now.annotator,
                    trial,
                    attribute_answer,
                    object_answer,
                    float(seconds),
                    utc_now(),
                ),
            )
            return self.standing(annotator)

    def undo(self, annotator: str, turn: int) -> AnnotatorProgress:
        """Withdraw the annotator's last verdict that stands; the file keeps it, marked. Gives the
        next standing.

        Raises StaleTrialError where ``turn`` is past; UserError where nothing is left to undo.
        """
        with self.transaction() as connection:
            now = self.standing(annotator)
            if now.turn != turn:
                raise StaleTrialError(
                    "something was answered or undone meanwhile; here is where you stand"
                )
            if not now.done:
                raise UserError("nothing to undo: this is the first image")
            connection.execute(
                "UPDATE verdicts SET withdrawn_at = ? WHERE id ="
                " (SELECT MAX(id) FROM verdicts WHERE annotator = ? AND withdrawn_at IS NULL)",
                (utc_now(), now.annotator),
            )
            return self.standing(annotator)


def other_pictures(known: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Ids, sorted, under which there is another picture now than the one known; ids that one
    side lacks don't count.
    """
    return sorted(
        image for image, mark in known.items() if now.get(image, mark) != mark
    )


def utc_now() -> str:
    """The time as the file of verdicts has it: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
