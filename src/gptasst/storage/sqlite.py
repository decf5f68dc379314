"""What every SQLite file of gptasst has in common: its tables, how it is opened and looked at.

There are two kinds. What must not be lost is a `database.Database`; what may be lost is a
`disposable_database.DisposableDatabase`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

_Result = TypeVar("_Result")

_READ_BUSY_SECONDS = 5.0
_STEPS = 100_000  # of SQLite's machine, between two looks at the clock


@dataclass(frozen=True)
class Schema:
    """The tables of a file.

    Args:
        title: what people call the file, in messages.
        migrations: a script per version; an older file is brought up step by step.
        first: the version that the first script makes.
        advice: what to do with a damaged file.
    """

    title: str
    migrations: tuple[str, ...]
    first: int = 1
    advice: str = ""

    @property
    def version(self) -> int:
        return self.first + len(self.migrations) - 1

    @cached_property
    def statements(self) -> tuple[str, ...]:
        """Every statement of every script, as SQLite keeps it."""
        return tuple(
            statement.strip().removesuffix(";").rstrip()
            for script in self.migrations
            for statement in _statements(script)
        )

    def bring_up(self, connection: sqlite3.Connection) -> None:
        """Make the tables that a file still lacks, in the transaction that is under way."""
        done = max(0, version_of(connection) - self.first + 1)
        for script in self.migrations[done:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {self.version}")

    def migrate(self, connection: sqlite3.Connection) -> None:
        """Bring up a file of an earlier version; one that is no such file stays as it is."""
        if self.first <= version_of(connection) < self.version:
            in_transaction(connection, "BEGIN IMMEDIATE", self.bring_up)

    def check(self, connection: sqlite3.Connection) -> None:
        """See that a file has exactly these tables, for files that a new one can replace.

        Raises:
            sqlite3.DatabaseError: it has others.
        """
        version = version_of(connection)
        if version > self.version:
            raise sqlite3.DatabaseError("it was written by a newer gptasst")
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        if version != self.version or {sql for (sql,) in rows} != set(self.statements):
            raise sqlite3.DatabaseError("it has other tables than this version")


def connect(uri: str, busy_seconds: float) -> sqlite3.Connection:
    """A connection without transactions of its own, for any thread.

    Args:
        uri: of the file, or `:memory:`.
        busy_seconds: how long to wait while another process writes.
    """
    return sqlite3.connect(
        uri, timeout=busy_seconds, isolation_level=None, check_same_thread=False, uri=True
    )


def in_transaction(
    connection: sqlite3.Connection, begin: str, work: Callable[[sqlite3.Connection], _Result]
) -> _Result:
    """What `work` returns; all that it writes is kept, or nothing if it raises."""
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
    """SQLite's own code of an error; Python's own errors have none."""
    return int(getattr(error, "sqlite_errorcode", otherwise)) & 0xFF


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def open_unchanged(path: Path) -> sqlite3.Connection:
    """A connection that only reads: neither the file nor what lies beside it changes.

    Raises:
        sqlite3.Error: the file can't be opened.
    """
    # Where nobody writes, even the files that readers share are not made.
    in_use = os.path.lexists(f"{path}-wal")
    mode = "mode=ro" if in_use else "immutable=1"
    return connect(f"{path.absolute().as_uri()}?{mode}", _READ_BUSY_SECONDS)


def find_damage(connection: sqlite3.Connection, seconds: float) -> str | None:
    """What SQLite finds wrong with a database, as far as it comes in so many seconds.

    Raises:
        sqlite3.Error: it is so damaged that it can't be looked at.
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
    """The statements of a script, triggers whole."""
    pending = ""
    for line in f"{script.rstrip().removesuffix(';')};".splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
