"""The SQLite file of the local store: its tables, and how it is opened."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from gptasst.errors import StateError
from gptasst.paths import private_directory

# One entry a version of the format; a file of an older version is brought up step by step.
_MIGRATIONS = (
    """
    CREATE TABLE assistants (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        revision INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    );
    CREATE TABLE revisions (
        assistant_id TEXT NOT NULL REFERENCES assistants ON DELETE CASCADE,
        number INTEGER NOT NULL,
        definition TEXT NOT NULL,
        created_at TEXT NOT NULL,
        PRIMARY KEY (assistant_id, number)
    );
    CREATE TABLE knowledge (
        id TEXT PRIMARY KEY,
        assistant_id TEXT NOT NULL REFERENCES assistants ON DELETE CASCADE,
        path TEXT NOT NULL,
        size INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        added_at TEXT NOT NULL,
        UNIQUE (assistant_id, path)
    );
    CREATE TABLE passages (
        id INTEGER PRIMARY KEY,
        file_id TEXT NOT NULL REFERENCES knowledge ON DELETE CASCADE,
        place TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE INDEX passages_by_file ON passages (file_id);
    CREATE VIRTUAL TABLE passage_index USING fts5 (
        text, content='passages', content_rowid='id',
        tokenize='porter unicode61 remove_diacritics 2'
    );
    CREATE TRIGGER passage_added AFTER INSERT ON passages BEGIN
        INSERT INTO passage_index (rowid, text) VALUES (new.id, new.text);
    END;
    CREATE TRIGGER passage_removed AFTER DELETE ON passages BEGIN
        INSERT INTO passage_index (passage_index, rowid, text)
        VALUES ('delete', old.id, old.text);
    END;
    """,
)
_BUSY_SECONDS = 30.0


class Database:
    """One SQLite file, opened when first asked; only writing makes it.

    Threads take turns: each transaction is one thread's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
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
                with contextlib.closing(_empty()) as connection:
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
                f"the local store `{self._path}` can't be used: {error}",
                hint="if it is damaged, move it away; `gptasst assistant import` reads exports",
                code="bad_store",
            ) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self._path)
        return self._connection


def _connect(path: Path) -> sqlite3.Connection:
    try:
        private_directory(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StateError(f"the local store `{path}` can't be written: {error.strerror}") from error
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _empty() -> sqlite3.Connection:
    """What a store holds that was never written to. Leaves no file behind."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _migrate(connection, "memory")
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection, source: str) -> None:
    if _version(connection) == len(_MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been first
        if version > len(_MIGRATIONS):
            raise StateError(
                f"the local store `{source}` was written by a newer gptasst",
                hint="pip install -U gptasst",
                code="newer_store",
            )
        for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
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
