"""The file of verdicts: opened, begun, and checked to be whole and of this image table.

What an open file does is `VerdictStore`.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
import time
from dataclasses import astuple
from pathlib import Path
from typing import TypeVar

from aobench.annotation.trials import check_settings
from aobench.annotation.verdict_store import (
    VerdictStore,
    other_pictures,
    utc_now,
)
from aobench.errors import UserError
from aobench.files import absolute_path
from aobench.image_table import ImageTable, rows_fingerprint

VERSION = 1

Store = TypeVar("Store", bound=VerdictStore)

#: "AOVD" in ASCII: how the file says whose it is.
APPLICATION_ID = 0x414F5644

#: Seconds that one process waits for another's transaction.
PATIENCE = 30.0


#: Of a file that begins without --seed and --catch-rate.
DEFAULT_SEED, DEFAULT_CATCH_RATE = 0, 0.05


def open_store(
    path: Path,
    images: ImageTable,
    seed: int | None = None,
    catch_rate: float | None = None,
    kind: type[Store] = VerdictStore,  # type: ignore[assignment]
) -> Store:
    """Open the verdicts on an image table, or begin a new file.

    A new file keeps the seed (default 0) and the catch rate (default 0.05) for good; None takes
    what the file has. ``kind``: the store that is opened. Raises UserError for a file that belongs
    to another table, seed, rate or program, and for one that can't be written.
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
    first_seed = DEFAULT_SEED if seed is None else seed
    first_rate = DEFAULT_CATCH_RATE if catch_rate is None else catch_rate
    if not os.path.lexists(path):
        check_settings(images.rows, first_rate)
    if path.is_file() and not path.stat().st_size:
        print(
            f"Note: {path} is empty: verdicts are begun anew", file=sys.stderr
        )
    store = kind(path, _connect(path, "rwc"))
    try:
        _begin(store, images, first_seed, first_rate)
        _check_whole(store)
        _refuse_other_images(store, images)
        _refuse_other_settings(store, seed, catch_rate)
    except BaseException:
        store.close()
        raise
    return store


def _refuse_other_images(store: VerdictStore, images: ImageTable) -> None:
    """UserError where the file holds verdicts on other images than those of the table."""
    known = store.settings()["images_sha256"]
    if known != images.fingerprint:
        raise UserError(
            f"{store.path} holds verdicts on another image table (hash {known[:12]}) than "
            f"{images.path} (hash {images.fingerprint[:12]}); give the table it began with, or "
            "another file for --verdicts"
        )
    others = other_pictures(store.pictures(), images.pictures)
    if others:
        raise UserError(
            f"{store.path} holds verdicts on other pictures than those of {images.path} under the "
            f"same ids (the first: {others[0]}); give another file for --verdicts"
        )


def _refuse_other_settings(
    store: VerdictStore, seed: int | None, catch_rate: float | None
) -> None:
    """UserError for a seed or rate that the file did not begin with."""
    settings = store.settings()
    same_seed = seed in (None, int(settings["seed"]))
    same_rate = catch_rate in (None, float(settings["catch_rate"]))
    for flag, key, same in (
        ("--seed", "seed", same_seed),
        ("--catch-rate", "catch_rate", same_rate),
    ):
        if not same:
            raise UserError(
                f"{store.path} began with {flag} {settings[key]}; leave {flag} out, or give "
                "another --verdicts"
            )


def existing_store(
    path: Path,
    kind: type[Store] = VerdictStore,  # type: ignore[assignment]
) -> Store:
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
    store = kind(path, connection)
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
#: Tables that files of earlier versions lack.
LATER_TABLES = {
    "practice": (
        "annotator",
        "example",
        "attribute_answer",
        "object_answer",
        "is_right",
        "answered_at",
    ),
    "choices": ("image_id", "place", "name"),
    "names": (
        "id",
        "annotator",
        "trial",
        "answer",
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


def _check_whole(store: VerdictStore) -> None:
    """UserError for a file that is damaged, lacks a table, a column or a setting, or doesn't
    hold together.
    """
    whole = f"{store.path} is no whole file of verdicts"
    mend = "give the --verdicts file as `imagenet-ao annotate` wrote it, or a copy of it"
    try:
        fault = _fault(store)
    except sqlite3.DatabaseError as error:
        raise UserError(f"{whole} ({error}); {mend}") from error
    if fault:
        raise UserError(f"{whole}: {fault}; {mend}")


def _fault(store: VerdictStore) -> str:
    ((sound,),) = store.query_rows("PRAGMA quick_check(1)")
    if sound != "ok":
        return str(sound).splitlines()[-1]
    later = {
        name: own for name, own in LATER_TABLES.items() if store.has_table(name)
    }
    for table, columns in {**TABLES, **later}.items():
        there = {
            row[1] for row in store.query_rows(f"PRAGMA table_info({table})")
        }
        missing = [name for name in columns if name not in there]
        if missing:
            return f"the table {table} lacks {', '.join(missing)}"
    settings = store.settings()
    for key, form in SETTINGS.items():
        if not re.fullmatch(form, str(settings.get(key, ""))):
            return f"its setting {key} is {str(settings.get(key))[:80]!r}"
    if rows_fingerprint(store.images()) != settings["images_sha256"]:
        return "its images are not those that it began with"
    if not _is_rate(settings["catch_rate"]):
        return f"its setting catch_rate is {settings['catch_rate']!r}"
    alone = "verdicts LEFT JOIN trials USING (annotator, trial) WHERE image_id IS NULL"
    nameless = (
        "names LEFT JOIN trials USING (annotator, trial) WHERE image_id IS NULL"
    )
    strange = "trials LEFT JOIN images USING (image_id) WHERE file IS NULL"
    named = [(nameless, "names belong to no trial")] if "names" in later else []
    for rows, what in (
        *named,
        (alone, "verdicts belong to no trial"),
        (strange, "trials are of images that it lacks"),
    ):
        ((count,),) = store.query_rows(f"SELECT COUNT(*) FROM {rows}")
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
    ((tables,),) = connection.execute(
        "SELECT COUNT(*) FROM sqlite_master"
    ).fetchall()
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
            ((mode,),) = connection.execute(
                "PRAGMA journal_mode = WAL"
            ).fetchall()
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


def _begin(
    store: VerdictStore, images: ImageTable, seed: int, catch_rate: float
) -> None:
    """Fill an empty file; a file that another process filled a moment ago is left as it is."""
    schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    try:
        with store.transaction() as connection:
            ours = _ours(store.path, connection)
            for statement in schema.split(";"):
                # a file of an earlier version gets the tables that it lacks
                if statement.strip() and (
                    not ours or "IF NOT EXISTS" in statement
                ):
                    connection.execute(statement)
            if ours:
                return
            facts = {
                "images_sha256": images.fingerprint,
                "seed": seed,
                "catch_rate": catch_rate,
                "created_at": utc_now(),
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
                "INSERT INTO pictures VALUES (?, ?)",
                sorted(images.pictures.items()),
            )
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
    except sqlite3.Error as error:
        raise UserError(
            f"{store.path} cannot be written ({error}); give another --verdicts file"
        ) from error
