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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from aobench.annotation.trials import Trial, normal_name, plan_trials
from aobench.errors import UserError
from aobench.image_table import ImageRow

ANSWERS = ("yes", "no", "unsure")

#: Before the name of someone who settles what others dispute; see `adjudicator_name`.
ADJUDICATOR = "adjudicator/"

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


@dataclass(frozen=True)
class PracticeAnswer:
    """What an annotator answered to an example before the first image; the first answer stands."""

    annotator: str
    example: str
    attribute_answer: str
    object_answer: str
    right: bool
    answered_at: str


class VerdictStore:
    """An open database of verdicts. Make it with ``open_store`` or ``existing_store``."""

    #: The table of answers, and its columns that hold one.
    TABLE: ClassVar[str] = "verdicts"
    COLUMNS: ClassVar[tuple[str, ...]] = ("attribute_answer", "object_answer")

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = (
            threading.RLock()
        )  # one connection, many threads of a server

    def __enter__(self) -> Self:
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
            for cells in self.query_rows(
                "SELECT * FROM images ORDER BY image_id"
            )
        ]

    def pictures(self) -> dict[str, str]:
        """The SHA-256 of each picture by its image's id; empty where the image table didn't say,
        and in old files.
        """
        if not self.has_table("pictures"):
            return {}
        return dict(self.query_rows("SELECT image_id, sha256 FROM pictures"))

    def annotators(self) -> list[str]:
        """Everyone who gave at least one answer that stands, by name, without adjudicators."""
        return [
            name
            for (name,) in self.query_rows(
                f"SELECT DISTINCT annotator FROM {self.TABLE} WHERE withdrawn_at IS NULL "
                "ORDER BY annotator"
            )
            if not name.startswith(ADJUDICATOR)
        ]

    def progress(self) -> list[AnnotatorProgress]:
        """Where everyone who has begun stands, by name."""
        with self.snapshot():
            names = self.query_rows(
                "SELECT DISTINCT annotator FROM trials ORDER BY annotator"
            )
            return [self.standing(name) for (name,) in names]

    def practice(self, annotator: str | None = None) -> list[PracticeAnswer]:
        """Answers to examples, of one annotator or of all; none in files of earlier versions."""
        if not self.has_table("practice"):
            return []
        query = (
            "SELECT annotator, example, attribute_answer, object_answer, is_right, "
            "answered_at FROM practice"
        )
        if annotator is None:
            rows = self.query_rows(f"{query} ORDER BY id")
        else:
            name = normal_name(annotator)
            rows = self.query_rows(
                f"{query} WHERE annotator = ? ORDER BY id", name
            )
        return [
            PracticeAnswer(r[0], r[1], r[2], r[3], bool(r[4]), r[5])
            for r in rows
        ]

    def record_practice(
        self,
        annotator: str,
        example: str,
        answers: tuple[str, str],
        right: bool,
    ) -> PracticeAnswer:
        """Write an answer to an example; one that was answered keeps its first answer."""
        _check_answers(answers)
        name = normal_name(annotator)
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO practice (annotator, example, attribute_answer, "
                "object_answer, is_right, answered_at) VALUES (?, ?, ?, ?, ?, ?)",
                (name, example, *answers, right, utc_now()),
            )
        return next(
            one for one in self.practice(name) if one.example == example
        )

    def has_table(self, name: str) -> bool:
        """Whether the file has a table, which those of earlier versions may lack."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return bool(self.query_rows(query, name))

    def verdicts(
        self,
        *,
        catch: bool = False,
        withdrawn: bool = False,
        adjudicators: bool = False,
    ) -> list[Verdict]:
        """Verdicts on images (or on catch trials) that stand (or that were undone), in the order
        they were given; those of annotators, or those of adjudicators.
        """
        rows = self.query_rows(
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
            for r in rows
            if r[0].startswith(ADJUDICATOR) == adjudicators
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

    def enrol_adjudicator(
        self, name: str, image_ids: Sequence[str]
    ) -> AnnotatorProgress:
        """Give an adjudicator the images that are disputed now, after those of earlier times;
        where the adjudicator stands. ``name``: as `adjudicator_name` makes it.
        """
        wanted = set(image_ids)
        rows = [row for row in self.images() if row.image_id in wanted]
        seed = int(self.settings()["seed"])
        with self.transaction() as connection:
            query = "SELECT image_id FROM trials WHERE annotator = ?"
            known = {image for (image,) in connection.execute(query, (name,))}
            new = [row for row in rows if row.image_id not in known]
            for trial in plan_trials(new, name, seed, 0.0) if new else []:
                moved = replace(trial, position=trial.position + len(known))
                connection.execute(
                    "INSERT INTO trials (annotator, trial, position, image_id, attribute, "
                    "object, wrong) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (name, *astuple(moved)),
                )
        return self.standing(name)

    def awaiting(self, annotator: str, count: int) -> list[Trial]:
        """The next trials that await an answer, at most ``count``."""
        rows = self.query_rows(
            f"SELECT {TRIAL} FROM trials t LEFT JOIN {self.TABLE} v"
            " ON v.annotator = t.annotator AND v.trial = t.trial AND v.withdrawn_at IS NULL"
            " WHERE t.annotator = ? AND v.id IS NULL ORDER BY t.position LIMIT ?",
            normal_name(annotator),
            count,
        )
        return [Trial(*cells) for cells in rows]

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
            answered, withdrawn = connection.execute(
                f"SELECT COUNT(*), COUNT(withdrawn_at) FROM {self.TABLE} WHERE annotator = ?",
                (name,),
            ).fetchone()
            ahead = self.awaiting(name, 2)
        first, second = [*ahead, None, None][:2]
        return AnnotatorProgress(
            name,
            first,
            second,
            answered - withdrawn,
            total,
            answered + withdrawn,
        )

    def trial(self, annotator: str, trial: str) -> Trial:
        """A trial by its id. Raises UserError where the annotator has none of that id."""
        query = f"SELECT {TRIAL} FROM trials t WHERE t.annotator = ? AND t.trial = ?"
        rows = self.query_rows(query, normal_name(annotator), trial)
        if not rows:
            raise UserError(
                f"{annotator!r} has no trial {trial!r}; reload the page"
            )
        return Trial(*rows[0])

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
        answers = (attribute_answer, object_answer)
        return self.record_all(annotator, turn, [(trial, *answers)], seconds)

    def record_all(
        self,
        annotator: str,
        turn: int,
        answers: Sequence[tuple[str, ...]],
        seconds: float,
    ) -> AnnotatorProgress:
        """Write the answers to the trials that await one next, all or none, as `record` does one.

        Args:
            annotator: whose.
            turn: the turn that the annotator saw.
            answers: of each trial its id and its answers, in the order of the trials.
            seconds: that all took together; each is written with its share.
        """
        for _, *pair in answers:
            self.check_answers(tuple(pair))
        if not (math.isfinite(seconds) and seconds >= 0):
            raise UserError(f"{seconds!r} is no time in seconds")
        if not answers:
            raise UserError("there is no answer to write; reload the page")
        with self.transaction() as connection:
            now = self.standing(annotator)
            due = [one.trial for one in self.awaiting(annotator, len(answers))]
            if now.turn != turn or due != [trial for trial, *_ in answers]:
                again = self._last(now.annotator, len(answers)) == [*answers]
                if now.turn == turn + len(answers) and again:
                    return now
                raise StaleTrialError(
                    "this image was answered already; here is the one that awaits an answer"
                )
            names = ", ".join(self.COLUMNS)
            marks = ", ".join("?" * (len(self.COLUMNS) + 4))
            share, at = float(seconds) / len(answers), utc_now()
            connection.executemany(
                f"INSERT INTO {self.TABLE} (annotator, trial, {names}, seconds, answered_at)"
                f" VALUES ({marks})",
                [(now.annotator, *one, share, at) for one in answers],
            )
            return self.standing(annotator)

    def check_answers(self, answers: tuple[str, ...]) -> None:
        """Raise UserError for other answers than the store takes."""
        _check_answers(answers)

    def _last_undone(self, annotator: str) -> int:
        """How many answers the annotator's last message withdrew; 0 where it was an answer."""
        ((answered, withdrawn),) = self.query_rows(
            f"SELECT MAX(answered_at), MAX(withdrawn_at) FROM {self.TABLE} WHERE annotator = ?",
            annotator,
        )
        if withdrawn is None or withdrawn < answered:
            return 0
        query = f"SELECT COUNT(*) FROM {self.TABLE} WHERE annotator = ? AND withdrawn_at = ?"
        ((count,),) = self.query_rows(query, annotator, withdrawn)
        return int(count)

    def _last(self, annotator: str, count: int) -> list[tuple[str, ...]]:
        """The last answers that stand, with their trials, the last one last."""
        rows = self.query_rows(
            f"SELECT trial, {', '.join(self.COLUMNS)} FROM {self.TABLE}"
            " WHERE annotator = ? AND withdrawn_at IS NULL ORDER BY id DESC LIMIT ?",
            annotator,
            count,
        )
        return rows[::-1]

    def undo(
        self, annotator: str, turn: int, count: int = 1
    ) -> AnnotatorProgress:
        """Withdraw the annotator's last ``count`` answers that stand; the file keeps them, marked.
        Gives the next standing.

        The same message again (its reply was lost) changes nothing and is no error. Raises
        StaleTrialError where ``turn`` is past; UserError where nothing is left to undo.
        """
        with self.transaction() as connection:
            now = self.standing(annotator)
            if (
                now.turn == turn + count
                and self._last_undone(now.annotator) == count
            ):
                return now
            if now.turn != turn:
                raise StaleTrialError(
                    "something was answered or undone meanwhile; here is where you stand"
                )
            if not now.done:
                raise UserError("nothing to undo: this is the first image")
            connection.execute(
                f"UPDATE {self.TABLE} SET withdrawn_at = ? WHERE id IN (SELECT id FROM "
                f"{self.TABLE} WHERE annotator = ? AND withdrawn_at IS NULL "
                "ORDER BY id DESC LIMIT ?)",
                (utc_now(), now.annotator, count),
            )
            return self.standing(annotator)


def adjudicator_name(name: str) -> str:
    """How the file knows somebody who settles disputes.

    Example:
        >>> adjudicator_name("Ann ")
        'adjudicator/ann'
    """
    return normal_name(
        ADJUDICATOR + normal_name(name).removeprefix(ADJUDICATOR)
    )


def _check_answers(answers: tuple[str, ...]) -> None:
    if len(answers) != 2 or any(one not in ANSWERS for one in answers):
        quoted = ", ".join(repr(one)[:40] for one in answers)
        raise UserError(f"{quoted}: answers are {', '.join(ANSWERS)}")


def other_pictures(
    known: Mapping[str, str], now: Mapping[str, str]
) -> list[str]:
    """Ids, sorted, under which there is another picture now than the one known; ids that one
    side lacks don't count.
    """
    return sorted(
        image for image, mark in known.items() if now.get(image, mark) != mark
    )


def utc_now() -> str:
    """The time as the file of verdicts has it: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
