"""SQLite files that may be lost: opened on first use, and replaced if they can't be used.

Nothing fails because of them. A damaged file is set aside; if no file can be written, or a newer
version wrote it, the data is in memory until the process ends.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from gptasst.storage.atomic_files import private_directory
from gptasst.storage.database import (
    NewerSchemaError,
    Schema,
    connect,
    in_transaction,
    is_busy,
    open_unchanged,
    primary_code,
    version_of,
)
from gptasst.storage.locks import alone

_Result = TypeVar("_Result")
_Identity = tuple[int, int]

_SIDECARS = ("-wal", "-shm", "-journal")
_BUSY_SECONDS = 5.0
# After one wait for the lock that failed, a process does not wait this long again.
_BUSY_SECONDS_AFTERWARDS = 0.1
_TRIES = 3

# Errors about the surroundings, which don't mean that the file itself is damaged.
# On a full disk SQLite reports an I/O error if it has no room for its shared memory.
_NO_FAULT_OF_THE_FILE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
)


class DisposableDatabase:
    """An SQLite file for any number of processes and threads.

    Args:
        path: the file. It and its directory are readable only by their owner.
        schema: its tables.
        note: called with one line if a damaged file was set aside or none can be written.
        only_memory: never write to the file.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        note: Callable[[str], None],
        *,
        only_memory: bool = False,
    ) -> None:
        self.path = path
        self._schema = schema
        self._note = note
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: _Identity | None = None
        self._memory: sqlite3.Connection | None = None
        self._only_memory = only_memory
        self._patience = _BUSY_SECONDS
        self._pending: list[Callable[[sqlite3.Connection], object]] = []

    def load(self) -> None:
        """Load the file into memory; only for `only_memory`.

        Raises:
            sqlite3.Error: the file can't be read, is damaged, or has other tables.
        """
        with contextlib.closing(open_unchanged(self.path)) as file:
            self._memory = connect(":memory:", self._patience)
            file.backup(self._memory)
        self._schema.migrate(self._memory)
        self._schema.check(self._memory)

    def close(self) -> None:
        """Write data that still waits for a lock, and close the file."""
        with self._lock:
            if self._pending:
                self.write(lambda _: None)
            self._pending.clear()
            self._disconnect()
            if self._memory is not None:
                self._memory.close()
                self._memory = None

    def read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Call `work`, which reads, in one transaction. It may be called more than once."""
        with self._lock:
            try:
                return self._in_file(lambda connection: in_transaction(connection, "BEGIN", work))
            except _Unusable:
                return work(self._in_memory())

    def write(self, work: Callable[[sqlite3.Connection], object]) -> bool:
        """Call `work`, which writes, in one transaction. It may be called more than once.

        If another process holds the lock for too long, the data is written with the next `write`.
        Returns whether it is in the file now, so that it survives this process.
        """
        with self._lock:

            def all_work(connection: sqlite3.Connection) -> None:
                for one in (*self._pending, work):
                    one(connection)

            try:
                self._in_file(lambda c: in_transaction(c, "BEGIN IMMEDIATE", all_work))
            except _Locked:
                self._pending.append(work)
                return False
            except _Unusable:
                in_transaction(self._in_memory(), "BEGIN", work)
                return False
            self._pending.clear()
            return True

    def _in_file(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Work on the file; if it is damaged, set it aside and start with an empty one.

        Raises:
            _Unusable: no file can be used, or not now.
        """
        for _ in range(_TRIES):
            if self._only_memory:
                break
            try:
                return work(self._connected())
            except (UnicodeEncodeError, sqlite3.ProgrammingError, sqlite3.IntegrityError):
                raise  # the caller's data is wrong, not the file
            except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
                self._recover(error)
            except OSError as error:
                self._give_up(error.strerror or str(error))
        self._only_memory = True
        raise _Unusable

    def _recover(self, error: Exception) -> None:
        """Prepare the next attempt.

        Raises:
            _Locked: another process uses the file for too long.
        """
        if is_busy(error):
            self._patience = _BUSY_SECONDS_AFTERWARDS
            if self._connection is not None:
                self._connection.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")
            raise _Locked
        if isinstance(error, NewerSchemaError) or self._became_newer():
            self._give_up("it was written by a newer gptasst")
            return
        self._disconnect()
        code = primary_code(error, sqlite3.SQLITE_CORRUPT)
        blameless = code in _NO_FAULT_OF_THE_FILE
        if blameless or (code == sqlite3.SQLITE_CANTOPEN and _looks_usable(self.path)):
            self._give_up(str(error))
            return
        try:
            self._set_aside(str(error))
        except OSError as failure:
            self._give_up(failure.strerror or str(failure))

    def _became_newer(self) -> bool:
        """Whether a newer version has changed the tables since the file was opened."""
        if self._connection is None:
            return False
        try:
            return version_of(self._connection) > self._schema.version
        except sqlite3.Error:
            return False

    def _give_up(self, reason: str) -> None:
        self._only_memory = True
        self._note(f"{self._schema.title} `{self.path}` can't be used and is not used: {reason}")

    def _in_memory(self) -> sqlite3.Connection:
        if self._memory is None:
            self._memory = connect(":memory:", self._patience)
            self._schema.bring_up(self._memory)
        return self._memory

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and _identity(self.path) != self._identity:
            self._disconnect()  # another process deleted it or set it aside
        if self._connection is None:
            self._identity = _identity(self.path)
            if self._identity is None:
                self._create()
                self._identity = _identity(self.path)
            # `mode` keeps SQLite from creating an empty file.
            connection = connect(f"{self.path.absolute().as_uri()}?mode=rw", self._patience)
            try:
                connection.execute("PRAGMA synchronous = NORMAL")
                self._schema.migrate(connection)
                self._schema.check(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _create(self) -> None:
        """Create the file together with all its tables: an empty file counts as damaged."""
        import tempfile

        private_directory(self.path.parent)
        with alone(_lock(self.path), _BUSY_SECONDS):
            if _identity(self.path) is not None:
                return
            for sidecar in _sidecars(self.path):
                sidecar.unlink()  # from a deleted file: SQLite would read it into the new one
            for left in self.path.parent.glob(f"{self.path.name}.new-*"):
                left.unlink()  # left by a killed process
            handle, name = tempfile.mkstemp(prefix=f"{self.path.name}.new-", dir=self.path.parent)
            os.close(handle)
            try:
                with contextlib.closing(connect(Path(name).as_uri(), self._patience)) as made:
                    made.execute("PRAGMA journal_mode = WAL")
                    self._schema.bring_up(made)
                Path(name).rename(self.path)
            except BaseException:
                for made_here in (Path(name), *_sidecars(Path(name))):
                    made_here.unlink(missing_ok=True)
                raise

    def _set_aside(self, reason: str) -> None:
        """Set the damaged file aside, unless another process did so already."""
        with alone(_lock(self.path), _BUSY_SECONDS):
            if self._identity is None or _identity(self.path) != self._identity:
                return
            aside = _free_name(self.path)
            self.path.rename(aside)
            for sidecar in _sidecars(self.path):
                sidecar.rename(aside.with_name(aside.name + sidecar.name[len(self.path.name) :]))
        called = self._schema.title
        self._note(f"{called} is damaged ({reason}): moved to `{aside}` and replaced")


class _Unusable(Exception):
    """The file can't be used."""


class _Locked(_Unusable):
    """The file can't be used at the moment."""


def _identity(path: Path) -> _Identity | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _looks_usable(path: Path) -> bool:
    usable = path.is_file() and os.access(path, os.R_OK | os.W_OK)
    return usable and all(sidecar.is_file() for sidecar in _sidecars(path))


def _sidecars(path: Path) -> list[Path]:
    every = (path.with_name(path.name + suffix) for suffix in _SIDECARS)
    return [sidecar for sidecar in every if os.path.lexists(sidecar)]


def _free_name(path: Path) -> Path:
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    wanted = path.with_name(f"{path.name}.damaged-{stamp}")
    free, number = wanted, 1
    while os.path.lexists(free):
        number += 1
        free = wanted.with_name(f"{wanted.name}-{number}")
    return free


def _lock(path: Path) -> Path:
    """The lock for creating or moving the file."""
    return path.with_name(f"{path.name}.lock")
