"""SQLite files that may vanish: how they are shared, and how a damaged one is replaced."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gptasst.paths import private_directory

_BUSY_SECONDS = 10.0

Note = Callable[[str], None]


@dataclass(frozen=True)
class CacheSchema:
    """The tables of a file and what people call it.

    A file of another version, older or newer, is made anew: a cache can be found out again.
    """

    called: str
    version: int
    tables: str

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(re.findall(r"CREATE TABLE (\w+)", self.tables))


class CacheDatabase:
    """One SQLite file that may vanish or be damaged at any time without harm.

    Args:
        path: of the file; made when it is first needed, with its directory.
        schema: what is in it.
        note: told in one line if a damaged file was set aside.
    """

    def __init__(self, path: Path, schema: CacheSchema, note: Note) -> None:
        self.path = path
        self._schema = schema
        self._note = note
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection, or `None` where the file can't be used just now."""
        with self._guarded() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection | None]:
        """A transaction, or `None` where nothing can be written just now."""
        with self._guarded() as connection:
            if connection is None:
                yield None
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.commit()
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.rollback()
                raise

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection | None]:
        """Errors of SQLite end here: the caller's block is left, and its result is nothing."""
        with self._lock:
            try:
                yield self._open()
            except sqlite3.OperationalError as error:
                if _is_damage(error):
                    self._set_aside(str(error))
                self.close()
            except sqlite3.DatabaseError as error:
                self._set_aside(str(error))

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is not None and self._path_is_ours():
            return self._connection
        self.close()
        try:
            self._connection = self._connect()
        except (sqlite3.Error, OSError, _WrongSchemaError) as error:
            if not self._set_aside(str(error)):
                return None
            try:
                self._connection = self._connect()
            except (sqlite3.Error, OSError, _WrongSchemaError):
                return None
        return self._connection

    def _path_is_ours(self) -> bool:
        """Whether the file that is open is still the one at the path."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def _connect(self) -> sqlite3.Connection:
        private_directory(self.path.parent)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        self._inode = self.path.stat().st_ino
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, self._schema)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self, reason: str) -> bool:
        """Move a file that can't be used out of the way; `False` if even that fails."""
        self.close()
        if _is_locked(reason) or not os.path.lexists(self.path):
            return False
        target = self._free_name()
        try:
            self.path.replace(target)
        except OSError:
            return False
        for ending in ("-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(f"{self.path}{ending}").unlink()
        called = self._schema.called
        self._note(f"{called} was damaged ({reason}) and is made anew; the old one is `{target}`")
        return True

    def _free_name(self) -> Path:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        names = (
            f"{self.path}.damaged-{stamp}{tail}" for tail in ("", *map("-{}".format, range(99)))
        )
        return next(Path(name) for name in names if not os.path.lexists(name))


class _WrongSchemaError(Exception):
    """The file is a database, but not this one."""


def _prepare(connection: sqlite3.Connection, schema: CacheSchema) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if _is_current(connection, schema):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_current(connection, schema):  # another process may have been first
            if connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                raise _WrongSchemaError("it has other tables than this version")
            for statement in schema.tables.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {schema.version}")
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _is_current(connection: sqlite3.Connection, schema: CacheSchema) -> bool:
    if connection.execute("PRAGMA user_version").fetchone()[0] != schema.version:
        return False
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows} >= schema.names


def _is_damage(error: sqlite3.OperationalError) -> bool:
    message = str(error)
    return any(words in message for words in ("no such", "disk I/O", "unable to open", "malformed"))


def _is_locked(reason: str) -> bool:
    return "locked" in reason or "busy" in reason
