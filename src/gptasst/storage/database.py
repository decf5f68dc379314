"""An SQLite file with a version: how it is opened, brought up to date and written to."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gptasst.errors import StateError
from gptasst.installation import upgrade_command
from gptasst.storage.private_files import private_directory

_BUSY_SECONDS = 30.0
_IN_USE = "another gptasst is writing to it: try again when that has ended"
_PAUSE = 0.01


@dataclass(frozen=True, slots=True)
class DatabaseForm:
    """What a database holds.

    `title` names it in messages and `advice` says what to do with a damaged one. `migrations`
    has one script a version of the format; an older file is brought up step by step.
    """

    title: str
    advice: str
    migrations: tuple[str, ...]


class Database:
    """One SQLite file, opened when first asked; only writing makes it.

    Threads take turns: each transaction is one thread's.

    Args:
        path: of the file. Any number of processes may use it at once.
        form: what is in it.
    """

    def __init__(self, path: Path, form: DatabaseForm) -> None:
        self._path = path
        self._form = form
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
                with contextlib.closing(_empty(self._form)) as connection:
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
                f"{self._form.title} `{self._path}` can't be used: {error}",
                hint=_IN_USE if _is_busy(error) else self._form.advice,
                code="bad_store",
            ) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self._path, self._form)
        return self._connection


def _connect(path: Path, form: DatabaseForm) -> sqlite3.Connection:
    try:
        private_directory(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StateError(f"{form.title} `{path}` can't be written: {error.strerror}") from error
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _write_ahead(connection)
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, str(path), form)
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
            if not _is_busy(error) or time.monotonic() > end:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # not of Python's own
    return code & 0xFF == sqlite3.SQLITE_BUSY


def _empty(form: DatabaseForm) -> sqlite3.Connection:
    """What a database holds that was never written to. Leaves no file behind."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _migrate(connection, "memory", form)
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection, source: str, form: DatabaseForm) -> None:
    if _version(connection) == len(form.migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been first
        if version > len(form.migrations):
            raise StateError(
                f"{form.title} `{source}` was written by a newer gptasst",
                hint=upgrade_command(),
                code="newer_store",
            )
        for number, script in enumerate(form.migrations[version:], start=version + 1):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _statements(script: str) -> Iterator[str]:
    pending = ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
