"""Reading an SQLite file so that neither it nor what lies beside it changes."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

_BUSY_SECONDS = 5.0
_STEPS = 100_000  # of SQLite's machine, between two looks at the clock


def open_unchanged(path: Path) -> sqlite3.Connection:
    """A connection that only reads.

    Raises:
        sqlite3.Error: the file can't be opened.
    """
    # Where nobody writes, even the files that readers share are not made.
    in_use = os.path.lexists(f"{path}-wal")
    mode = "mode=ro" if in_use else "immutable=1"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


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
