"""An SQLite file that must not be lost: a damaged one is left alone and reported."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from gptasst.errors import StateError
from gptasst.hints import upgrade_command
from gptasst.storage.atomic_files import private_directory
from gptasst.storage.sqlite import (
    Schema,
    connect,
    in_transaction,
    is_busy,
    primary_code,
    version_of,
)

_BUSY_SECONDS = 30.0
_IN_USE = "another gptasst is writing to it: try again when that has ended"
_NO_ROOM = "is the disk full? nothing that was kept is lost"
_NO_FAULT_OF_THE_FILE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM)
_PAUSE = 0.01
# So much of what is written is held before it goes to the disk, in KiB. SQLite's own 2 MB make it
# write the same pages again and again while knowledge is indexed.
_CACHE = 16_000


class Database:
    """One SQLite file, opened when first asked; only writing makes it.

    Threads take turns: each transaction is one thread's.

    Args:
        path: of the file. Any number of processes may use it at once.
        schema: what is in it.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self._path = path
        self._schema = schema
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one state of the file throughout."""
        with self._translated():
            if self._connection is None and not self._path.exists():
                with contextlib.closing(_empty(self._schema)) as connection:
                    yield connection
                return
            connection = self._open()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept whole, or not at all if anything is raised."""
        with self._translated():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.DatabaseError as error:
            raise StateError(
                f"{self._schema.title} `{self._path}` can't be used: {error}",
                hint=self._hint(error),
                code="bad_store",
            ) from error

    def _hint(self, error: sqlite3.Error) -> str | None:
        if is_busy(error):
            return _IN_USE
        full = primary_code(error) in _NO_FAULT_OF_THE_FILE
        return _NO_ROOM if full else self._schema.advice

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self._path, self._schema)
        return self._connection


def _connect(path: Path, schema: Schema) -> sqlite3.Connection:
    try:
        private_directory(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StateError(f"{schema.title} `{path}` can't be written: {error.strerror}") from error
    connection = connect(path.absolute().as_uri(), _BUSY_SECONDS)
    try:
        _write_ahead(connection)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        _bring_up(connection, path, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Choose the kind of journal. SQLite does not wait for others that do so just now."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > end:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _empty(schema: Schema) -> sqlite3.Connection:
    """What a database holds that was never written to. Leaves no file behind."""
    connection = connect(":memory:", _BUSY_SECONDS)
    in_transaction(connection, "BEGIN", schema.bring_up)
    return connection


def _bring_up(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    if version_of(connection) == schema.version:
        return

    def bring_up(connection: sqlite3.Connection) -> None:
        if version_of(connection) > schema.version:
            raise StateError(
                f"{schema.title} `{path}` was written by a newer gptasst",
                hint=upgrade_command(),
                code="newer_store",
            )
        schema.bring_up(connection)

    in_transaction(connection, "BEGIN IMMEDIATE", bring_up)
