"""Verdicts in SQLite: written before anyone sees the next image, never twice, never lost, never
overwritten.

Safe with several threads and several processes on one file: every change is one IMMEDIATE
transaction that first checks what the annotator is being asked, and a partial unique index allows
one current verdict a trial.
"""

from __future__ import annotations

import math
import os
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from aobench.annotation.images import Images, Row, fingerprint
from aobench.annotation.trials import Trial, check_settings, normal_name, plan
from aobench.errors import UserError
from aobench.files import absolute_path

ANSWERS = ("yes", "no", "unsure")
VERSION = 1

#: "AOVD" in ASCII: how the file says whose it is.
APPLICATION_ID = 0x414F5644

#: Seconds that one process waits for another's transaction.
PATIENCE = 30.0

TRIAL = "t.trial, t.position, t.image_id, t.attribute, t.object, t.wrong"


class StaleTrialError(Exception):
    """An answer to a trial that isn't awaiting one: it was given already, or undone, from
    another tab.
    """


@dataclass(frozen=True)
class Standing:
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


class Store:
    """An open database of verdicts. Make it with ``open_store`` or ``existing_store``."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()  # one connection, many threads of a server

    def __enter__(self) -> Store:
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
    def _writing(self) -> Iterator[sqlite3.Connection]:
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

    def _rows(self, query: str, *values: object) -> list[tuple]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    # What the file holds

    def settings(self) -> dict[str, str]:
        """images_sha256, seed, catch_rate, created_at."""
        return dict(self._rows("SELECT key, value FROM settings"))

    def images(self) -> list[Row]:
        """The image table that the file is bound to, by id."""
        return [
            Row(*cells)
            for cells in self._rows("SELECT * FROM images ORDER BY image_id")
        ]

    def pictures(self) -> dict[str, str]:
        """The SHA-256 of each picture by its image's id; empty where the image table didn't say,
        and in old files.
        """
        if not self._rows("SELECT 1 FROM sqlite_master WHERE name = 'pictures'"):
            return {}
        return dict(self._rows("SELECT image_id, sha256 FROM pictures"))

    def annotators(self) -> list[str]:
        """Everyone who gave at least one verdict that stands, by name."""
        return [
            name
            for (name,) in self._rows(
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
        found = self._rows(
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

    def enrol(self, annotator: str) -> Standing:
        """Draw the trials of an annotator who comes for the first time; where the annotator
        stands.
        """
        name = normal_name(annotator)
        if not self._rows("SELECT 1 FROM trials WHERE annotator = ? LIMIT 1", name):
            settings = self.settings()
            drawn = plan(
                self.images(),
                name,
                int(settings["seed"]),
                float(settings["catch_rate"]),
            )
            with (
                self._writing() as connection
            ):  # drawn twice at once, the same rows come twice
                connection.executemany(
                    "INSERT OR IGNORE INTO trials (annotator, trial, position, image_id, "
                    "attribute, object, wrong)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [(name, *astuple(trial)) for trial in drawn],
                )
        return self.standing(name)

    def standing(self, annotator: str) -> Standing:
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
        return Standing(
            name, first, second, given - withdrawn, total, given + withdrawn
        )

    def trial(self, annotator: str, trial: str) -> Trial:
        """A trial by its id. Raises UserError where the annotator has none of that id."""
        query = f"SELECT {TRIAL} FROM trials t WHERE t.annotator = ? AND t.trial = ?"
        found = self._rows(query, normal_name(annotator), trial)
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
    ) -> Standing:
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
        with self._writing() as connection:
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
                    _now(),
                ),
            )
            return self.standing(annotator)

    def undo(self, annotator: str, turn: int) -> Standing:
        """Withdraw the annotator's last verdict that stands; the file keeps it, marked. Gives the
        next standing.

        Raises StaleTrialError where ``turn`` is past; UserError where nothing is left to undo.
        """
        with self._writing() as connection:
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
                (_now(), now.annotator),
            )
            return self.standing(annotator)


def open_store(
    path: Path, images: Images, seed: int | None = None, catch_rate: float | None = None
) -> Store:
    """Open the verdicts on an image table, or begin a new file.

    A new file keeps the seed (default 0) and the catch rate (default 0.05) for good; None takes
    what the file has. Raises UserError for a file that belongs to another table, seed, rate or
    program, and for one that can't be written.
    """
    if seed is not None and not 0 <= seed < 1 << 63:
        raise UserError(
            f"--seed takes a whole number from 0, below 2^63, not {str(seed)[:40]}"
        )
    if catch_rate is not None and not 0 <= catch_rate <= 0.5:
        raise UserError(
            f"--catch-rate {catch_rate:g} is not between 0 and 0.5; 0.05 is one catch trial for 20 "
            "images"
        )
    if not os.path.lexists(path):
        check_settings(images.rows, 0.05 if catch_rate is None else catch_rate)
    if path.is_file() and not path.stat().st_size:
        print(f"Note: {path} is empty: verdicts are begun anew", file=sys.stderr)
    store = Store(path, _connect(path, "rwc"))
    try:
        _begin(
            store,
            images,
            0 if seed is None else seed,
            0.05 if catch_rate is None else catch_rate,
        )
        _check_whole(store)
        kept = store.settings()
        if kept["images_sha256"] != images.fingerprint:
            raise UserError(
                f"{path} holds verdicts on another image table (hash {kept['images_sha256'][:12]}) "
                f"than {images.path} "
                f"(hash {images.fingerprint[:12]}); give the table it began with, or another file "
                "for --verdicts"
            )
        others = other_pictures(store.pictures(), images.pictures)
        if others:
            raise UserError(
                f"{path} holds verdicts on other pictures than those of {images.path} under the "
                "same ids (the first: "
                f"{others[0]}); give another file for --verdicts"
            )
        same_seed = seed in (None, int(kept["seed"]))
        same_rate = catch_rate in (None, float(kept["catch_rate"]))
        for flag, key, same in (
            ("--seed", "seed", same_seed),
            ("--catch-rate", "catch_rate", same_rate),
        ):
            if not same:
                raise UserError(
                    f"{path} began with {flag} {kept[key]}; leave {flag} out, or give another "
                    "--verdicts"
                )
    except BaseException:
        store.close()
        raise
    return store


def other_pictures(known: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Ids, sorted, under which there is another picture now than the one known; ids that one
    side lacks don't count.
    """
    return sorted(
        image for image, mark in known.items() if now.get(image, mark) != mark
    )


def existing_store(path: Path) -> Store:
    """Open verdicts to read them. Raises UserError where there are none."""
    if not _is_file(path):
        raise UserError(
            f"{path} is no file; give the --verdicts file of `imagenet-ao annotate`"
        )
    connection = _connect(path, "rw")
    if not _ours(path, connection):
        raise UserError(
            f"{path} is empty; give the --verdicts file of `imagenet-ao annotate`"
        )
    store = Store(path, connection)
    try:
        _check_whole(store)
    except BaseException:
        store.close()
        raise
    return store


#: What the file of verdicts holds, without the table ``pictures``, which old files lack.
TABLES = {
    "settings": ("key", "value"),
    "images": ("image_id", "attribute", "object", "file"),
    "trials": (
        "annotator",
        "trial",
        "position",
        "image_id",
        "attribute",
        "object",
        "wrong",
    ),
    "verdicts": (
        "id",
        "annotator",
        "trial",
        "attribute_answer",
        "object_answer",
        "seconds",
        "answered_at",
        "withdrawn_at",
    ),
}
SETTINGS = {
    "images_sha256": r"[0-9a-f]{64}",
    "seed": r"-?[0-9]{1,4000}",
    "catch_rate": r"[0-9.e-]{1,30}",
    "created_at": r".+",
}


def _check_whole(store: Store) -> None:
    """UserError for a file that is damaged, lacks a table, a column or a setting, or doesn't
    hold together.
    """
    whole = f"{store.path} is no whole file of verdicts"
    mend = (
        "give the --verdicts file as `imagenet-ao annotate` wrote it, or a copy of it"
    )
    try:
        fault = _fault(store)
    except sqlite3.DatabaseError as error:
        raise UserError(f"{whole} ({error}); {mend}") from error
    if fault:
        raise UserError(f"{whole}: {fault}; {mend}")


def _fault(store: Store) -> str:
    ((sound,),) = store._rows("PRAGMA quick_check(1)")
    if sound != "ok":
        return str(sound).splitlines()[-1]
    for table, columns in TABLES.items():
        there = {row[1] for row in store._rows(f"PRAGMA table_info({table})")}
        missing = [name for name in columns if name not in there]
        if missing:
            return f"the table {table} lacks {', '.join(missing)}"
    kept = store.settings()
    for key, form in SETTINGS.items():
        if not re.fullmatch(form, str(kept.get(key, ""))):
            return f"its setting {key} is {str(kept.get(key))[:80]!r}"
    if fingerprint(store.images()) != kept["images_sha256"]:
        return "its images are not those that it began with"
    if not _is_rate(kept["catch_rate"]):
        return f"its setting catch_rate is {kept['catch_rate']!r}"
    alone = "verdicts LEFT JOIN trials USING (annotator, trial) WHERE image_id IS NULL"
    strange = "trials LEFT JOIN images USING (image_id) WHERE file IS NULL"
    for rows, what in (
        (alone, "verdicts belong to no trial"),
        (strange, "trials are of images that it lacks"),
    ):
        ((count,),) = store._rows(f"SELECT COUNT(*) FROM {rows}")
        if count:
            return f"{count:,} {what}"
    return ""


def _is_rate(text: str) -> bool:
    try:
        return 0 <= float(text) <= 0.5
    except ValueError:
        return False


def _is_file(path: Path) -> bool:
    return "\0" not in str(path) and path.is_file()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if "\0" in str(path) or (os.path.lexists(path) and not path.is_file()):
        raise UserError(
            f"{str(path)!r} is no file of verdicts; give another --verdicts"
        )
    try:
        connection = sqlite3.connect(
            f"{absolute_path(path).as_uri()}?mode={mode}",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        _ours(
            path, connection
        )  # before anything is changed in a file of another program
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _write_ahead(path, connection)
    except sqlite3.Error as error:
        raise UserError(
            f"{path} cannot be opened as a database of verdicts ({error}); give a --verdicts file "
            "in a folder on a "
            "local disk that you can write to"
        ) from error
    return connection


def _ours(path: Path, connection: sqlite3.Connection) -> bool:
    """Whether the file holds verdicts (False: it is empty). Raises UserError for anything else."""
    ((owner,),) = connection.execute("PRAGMA application_id").fetchall()
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    ((tables,),) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
    if not tables and not owner:
        return False
    if owner != APPLICATION_ID:
        raise UserError(
            f"{path} is the database of another program; give another --verdicts file"
        )
    if version != VERSION:
        raise UserError(
            f"{path} has version {version} of the schema, this program knows {VERSION}; update "
            "imagenet-ao"
        )
    return True


def _write_ahead(path: Path, connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. SQLite does not wait by itself where two processes do this
    at once.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    if mode != "wal":
        raise UserError(
            f"{path}: this file system has no write-ahead log for SQLite; put the file on a local "
            "disk"
        )


def _begin(store: Store, images: Images, seed: int, catch_rate: float) -> None:
    """Fill an empty file; a file that another process filled a moment ago is left as it is."""
    schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    try:
        with store._writing() as connection:
            if _ours(store.path, connection):
                return
            for statement in schema.split(";"):
                if statement.strip():
                    connection.execute(statement)
            facts = {
                "images_sha256": images.fingerprint,
                "seed": seed,
                "catch_rate": catch_rate,
                "created_at": _now(),
            }
            connection.executemany(
                "INSERT INTO settings VALUES (?, ?)",
                [(k, str(v)) for k, v in facts.items()],
            )
            connection.executemany(
                "INSERT INTO images VALUES (?, ?, ?, ?)",
                [astuple(row) for row in images.rows],
            )
            connection.executemany(
                "INSERT INTO pictures VALUES (?, ?)", sorted(images.pictures.items())
            )
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
    except sqlite3.Error as error:
        raise UserError(
            f"{store.path} cannot be written ({error}); give another --verdicts file"
        ) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
