"""SQLite files: common functions, and databases that must not be lost.

A damaged `Database` is reported and never touched; data that may be lost is in a
`disposable_database.DisposableDatabase`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from gptasst.errors import StateError
from gptasst.hints import upgrade_command
from gptasst.storage.atomic_files import private_directory

_BUSY_SECONDS = 30.0
_IN_USE = "another gptasst is writing to it: try again when that has ended"
_NO_ROOM = "is the disk full? nothing that was kept is lost"
_NO_FAULT_OF_THE_FILE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM)
_PAUSE = 0.01
# SQLite's page cache in KiB. With its default of 2 MB, it would write the same pages again and
# again while knowledge is indexed.
_CACHE = 16_000


class Database:
    """An SQLite file, opened on first use; only writing creates it.

    Threads take turns: each transaction belongs to one thread.

    Args:
        path: the file. Any number of processes may use it at once.
        schema: its tables.
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
        """A transaction that sees a single state of the file."""
        with self._translated():
            if self._connection is None and not self._path.exists():
                with contextlib.closing(_empty(self._schema)) as connection:
                    yield connection
                return
            connection = self._open()
            connection.execute("BEGIN")
            try:
                self._refuse_newer(connection)
                yield connection
            finally:
                connection.rollback()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is committed completely, or rolled back after an exception."""
        with self._translated():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._refuse_newer(connection)
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def _refuse_newer(self, connection: sqlite3.Connection) -> None:
        """Raise if a newer version has changed the tables since the file was opened."""
        if version_of(connection) > self._schema.version:
            raise StateError(
                f"{self._schema.title} `{self._path}` was changed by a newer gptasst while this one"
                " was running",
                hint="start it again",
                code="newer_store",
            )

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
        connection.execute(f"PRAGMA page_size = {schema.page_size}")
        _write_ahead(connection)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        _bring_up(connection, path, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Set the journal mode. SQLite does not wait for others that do the same."""
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
    """An empty database in memory, for a file that does not exist."""
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


class NewerSchemaError(sqlite3.DatabaseError):
    """A newer version of gptasst has changed the tables."""


_Result = TypeVar("_Result")

_READ_BUSY_SECONDS = 5.0

_STEPS = 100_000  # instructions of SQLite's virtual machine between checks of the clock


@dataclass(frozen=True)
class Schema:
    """The tables of a file.

    Args:
        title: the name of the file in messages.
        migrations: a script per version; older files are migrated step by step.
        first: the version that the first script creates.
        advice: what to do with a damaged file.
        page_size: SQLite's page size of new files, in bytes.
    """

    title: str
    migrations: tuple[str, ...]
    first: int = 1
    advice: str = ""
    page_size: int = 4096

    @property
    def version(self) -> int:
        return self.first + len(self.migrations) - 1

    @cached_property
    def statements(self) -> tuple[str, ...]:
        """Every statement of every script, in SQLite's normal form."""
        return tuple(
            statement.strip().removesuffix(";").rstrip()
            for script in self.migrations
            for statement in _statements(script)
        )

    def bring_up(self, connection: sqlite3.Connection) -> None:
        """Create missing tables, in the current transaction."""
        done = max(0, version_of(connection) - self.first + 1)
        for script in self.migrations[done:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {self.version}")

    def migrate(self, connection: sqlite3.Connection) -> None:
        """Migrate a file of an earlier version; other files are unchanged."""
        if self.first <= version_of(connection) < self.version:
            in_transaction(connection, "BEGIN IMMEDIATE", self.bring_up)

    def check(self, connection: sqlite3.Connection) -> None:
        """Check that a file has exactly these tables, for files that can be replaced.

        Raises:
            sqlite3.DatabaseError: its tables differ.
        """
        version = version_of(connection)
        if version > self.version:
            raise NewerSchemaError("it was written by a newer gptasst")
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        if version != self.version or {sql for (sql,) in rows} != set(self.statements):
            raise sqlite3.DatabaseError("it has other tables than this version")


def connect(uri: str, busy_seconds: float) -> sqlite3.Connection:
    """A connection without automatic transactions, for any thread.

    Args:
        uri: the URI of the file, or `:memory:`.
        busy_seconds: how long to wait while another process writes.
    """
    return sqlite3.connect(
        uri, timeout=busy_seconds, isolation_level=None, check_same_thread=False, uri=True
    )


def in_transaction(
    connection: sqlite3.Connection, begin: str, work: Callable[[sqlite3.Connection], _Result]
) -> _Result:
    """Call `work` in a transaction, which is rolled back if it raises."""
    connection.execute(begin)
    try:
        result = work(connection)
        connection.commit()
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.rollback()
        raise
    return result


def is_busy(error: BaseException) -> bool:
    """Whether another process or connection holds the lock."""
    return primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def primary_code(error: BaseException, otherwise: int = sqlite3.SQLITE_ERROR) -> int:
    """SQLite's code of an error; Python's own errors have none."""
    return int(getattr(error, "sqlite_errorcode", otherwise)) & 0xFF


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def open_unchanged(path: Path) -> sqlite3.Connection:
    """A read-only connection, which changes neither the file nor others beside it.

    Raises:
        sqlite3.Error: the file can't be opened.
    """
    # Without writers, even the files that readers share are not created.
    in_use = os.path.lexists(f"{path}-wal")
    mode = "mode=ro" if in_use else "immutable=1"
    return connect(f"{path.absolute().as_uri()}?{mode}", _READ_BUSY_SECONDS)


def find_damage(connection: sqlite3.Connection, seconds: float) -> str | None:
    """The damage that SQLite finds in a database within a number of seconds.

    Raises:
        sqlite3.Error: it is too damaged to check.
    """
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        connection.set_progress_handler(None, 0)
    return None if found == "ok" else found


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, with triggers unsplit."""
    pending = ""
    for line in f"{script.rstrip().removesuffix(';')};".splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
