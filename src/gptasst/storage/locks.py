"""Locks between processes, which end with a killed process.

A lock is SQLite's lock on an empty file, which works on every system.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gptasst.storage.atomic_files import private_directory

_TRY = 0.1  # short, so that Ctrl-C is noticed


@contextlib.contextmanager
def alone(lock: Path, seconds: float, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Keep other processes out, as far as that is possible.

    If locks are not possible, or another process has it for too long, it continues without the
    lock.

    Args:
        lock: the file, created when it is first needed.
        seconds: how long to wait.
        on_wait: called from time to time while waiting.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(sqlite3.Error, OSError):
            connection = _opened(lock)
            held.callback(connection.close)
            _take(connection, time.monotonic() + seconds, on_wait)
        yield


@contextlib.contextmanager
def under_way(lock: Path) -> Iterator[None]:
    """Show others that something is under way; any number of processes may do so at once."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(sqlite3.Error, OSError):
            private_directory(lock.parent)
            connection = _opened(lock)
            held.callback(connection.close)
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield


def is_under_way(lock: Path) -> bool:
    """Whether a process is in `under_way` with that lock."""
    if not lock.exists():
        return False
    try:
        with contextlib.closing(_opened(lock)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    except OSError:
        pass
    return False


def _opened(lock: Path) -> sqlite3.Connection:
    os.close(os.open(lock, os.O_CREAT | os.O_RDWR, 0o600))
    uri = lock.absolute().as_uri()
    return sqlite3.connect(uri, timeout=_TRY, isolation_level=None, uri=True)


def _take(connection: sqlite3.Connection, end: float, on_wait: Callable[[], None]) -> None:
    while True:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            on_wait()
        else:
            return
