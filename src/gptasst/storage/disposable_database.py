"""SQLite files that may be lost: opened when asked, and replaced when they can't be used.

Nothing fails because of them. A damaged file is set aside; where none can be written, a cache
lives in memory for as long as the process does.
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
    Schema,
    connect,
    in_transaction,
    is_busy,
    open_unchanged,
    primary_code,
)
from gptasst.storage.locks import alone

_Result = TypeVar("_Result")
_Identity = tuple[int, int]

_SIDECARS = ("-wal", "-shm", "-journal")
_BUSY_SECONDS = 5.0
# Once the lock was waited for in vain, a process does not wait so long again.
_BUSY_SECONDS_AFTERWARDS = 0.1
_TRIES = 3

# Signs of trouble around the file: nothing says that the file itself is bad.
# On a full disk SQLite reports an I/O error where it has no room for the memory that it shares.
_NO_FAULT_OF_THE_FILE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
)


class DisposableDatabase:
    """One SQLite file for any number of processes and threads.

    Args:
        path: the file. It and its directory can be read by their owner only.
        schema: what is in it.
        note: told, in one line, that a damaged file was set aside or that none can be written.
        only_memory: nothing is written to the file, whatever is done.
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
        """Take what the file holds into memory; only for `only_memory`.

        Raises:
            sqlite3.Error: the file can't be read, is damaged, or has other tables.
        """
        with contextlib.closing(open_unchanged(self.path)) as file:
            self._memory = connect(":memory:", self._patience)
            file.backup(self._memory)
        self._schema.migrate(self._memory)
        self._schema.check(self._memory)

    def close(self) -> None:
        """Write what still waits for a lock, and close the file."""
        with self._lock:
            if self._pending:
                self.write(lambda _: None)
            self._pending.clear()
            self._disconnect()
            if self._memory is not None:
                self._memory.close()
                self._memory = None

    def read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """What `work` reads in one transaction. It may be called more than once."""
        with self._lock:
            try:
                return self._in_file(lambda connection: in_transaction(connection, "BEGIN", work))
            except _Unusable:
                return work(self._in_memory())

    def write(self, work: Callable[[sqlite3.Connection], object]) -> bool:
        """Let `work` write, whole or not at all. It may be called more than once.

        If another process holds the lock for too long, it is written with the next `write`.
        Gives whether it is in the file now, where it outlives this process.
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
        """Work on the file; if it is damaged, move it away and start with an empty one.

        Raises:
            _Unusable: there is no such file to be had, or not now.
        """
        for _ in range(_TRIES):
            if self._only_memory:
                break
            try:
                return work(self._connected())
            except (UnicodeEncodeError, sqlite3.ProgrammingError, sqlite3.IntegrityError):
                raise  # it is what the caller stores or asks for, and not the file
            except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
                self._recover(error)
            except OSError as error:
                self._give_up(error.strerror or str(error))
        self._only_memory = True
        raise _Unusable

    def _recover(self, error: Exception) -> None:
        """Make the next try possible.

        Raises:
            _Locked: somebody else uses the file for longer than is waited for.
        """
        if is_busy(error):
            self._patience = _BUSY_SECONDS_AFTERWARDS
            if self._connection is not None:
                self._connection.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")
            raise _Locked
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
            self._disconnect()  # it was deleted or set aside by another process
        if self._connection is None:
            self._identity = _identity(self.path)
            if self._identity is None:
                self._create()
                self._identity = _identity(self.path)
            # A name without a file would be made an empty file: `mode` keeps it from that.
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
        """Make the file so that it appears with all its tables: an empty one is a damaged one."""
        import tempfile

        private_directory(self.path.parent)
        with alone(_lock(self.path), _BUSY_SECONDS):
            if _identity(self.path) is not None:
                return
            for sidecar in _sidecars(self.path):
                sidecar.unlink()  # of a file that is no more: it would be read into the new one
            for left in self.path.parent.glob(f"{self.path.name}.new-*"):
                left.unlink()  # by a process that was killed
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
        """Move the damaged file out of the way, unless another process did so meanwhile."""
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
    """What is locked where the file itself is made or moved."""
    return path.with_name(f"{path.name}.lock")
