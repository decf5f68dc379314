"""The usage of this machine: a journal of counts and names, and its totals.

It has no content, only the day, the name, the model, the profile, and numbers. A row has all runs
of one kind on one day, so that it stays small; days older than 400 are deleted. Losing it is
harmless.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gptasst.api.types import Usage
from gptasst.models.prices import rounded
from gptasst.values import dataclass

if TYPE_CHECKING:
    import sqlite3

    from gptasst.storage.disposable_database import DisposableDatabase

_TABLES = """
CREATE TABLE usage (
    day TEXT NOT NULL,
    name TEXT NOT NULL,
    model TEXT NOT NULL,
    profile TEXT NOT NULL,
    kind TEXT NOT NULL,
    runs INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    written INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    cost REAL NOT NULL,
    unpriced INTEGER NOT NULL,
    PRIMARY KEY (day, name, model, profile, kind)
) WITHOUT ROWID;
CREATE TABLE batches (
    batch TEXT PRIMARY KEY,
    day TEXT NOT NULL
) WITHOUT ROWID;
"""
_KEPT_DAYS = 400
_ADD = """
INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, name, model, profile, kind) DO UPDATE SET
    runs = runs + excluded.runs, requests = requests + excluded.requests,
    input = input + excluded.input, cached = cached + excluded.cached,
    written = written + excluded.written, output = output + excluded.output,
    reasoning = reasoning + excluded.reasoning, cost = cost + excluded.cost,
    unpriced = unpriced + excluded.unpriced
"""
# Many runs are written together, so that none waits for the disk.
_AT_ONCE = 100
_SECONDS = 5.0

# The origin of a run: a command or the library.
Kind = Literal["run", "each", "batch", "deferred", "chat", "test", "client"]
Grouping = Literal["assistant", "model", "day"]
_COLUMNS = {"assistant": "name", "model": "model", "day": "day"}


@dataclass(frozen=True, slots=True)
class UsedNow:
    """The usage of one run. `cost` is in US dollars, `None` if a price is unknown."""

    name: str
    model: str
    profile: str
    kind: Kind
    requests: int
    usage: Usage
    cost: float | None


@dataclass(frozen=True, slots=True)
class UsageLine:
    """The totals of one assistant, model or day.

    `cost` is the sum of known costs in US dollars; `unpriced` is the number of runs without one.
    """

    key: str
    runs: int
    requests: int
    input_tokens: int
    cached_tokens: int
    written_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: float
    unpriced: int


class UsageJournal:
    """The journal in one SQLite file; any number of processes and threads may use it.

    Nothing fails because of it. Records are written together, or when it is closed.

    Args:
        path: the file, created by the first write.
        note: called with one line if a damaged file was set aside.
    """

    def __init__(self, path: Path, note: Callable[[str], None] = lambda _: None) -> None:
        self._path = path
        self._note = note
        self._file: DisposableDatabase | None = None
        self._lock = threading.Lock()
        self._waiting: list[UsedNow] = []
        self._since = 0.0

    def record(self, used: UsedNow) -> None:
        """Count a run."""
        with self._lock:
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting.append(used)
            late = time.monotonic() - self._since > _SECONDS
            full = late or len(self._waiting) >= _AT_ONCE
        if full:
            self.write()

    def record_batch(self, batch: str, used: UsedNow) -> None:
        """Count the answers of a batch, only once."""
        day = _today().isoformat()

        def write(connection: sqlite3.Connection) -> None:
            new = connection.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (batch, day))
            if new.rowcount:
                connection.execute(_ADD, _row(day, used, used.requests))

        self._database().write(write)

    def write(self) -> None:
        """Write the records since the last time."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        day = _today()
        rows = [_row(day.isoformat(), used, 1) for used in waiting]
        oldest = (day - timedelta(days=_KEPT_DAYS)).isoformat()

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_ADD, rows)
            connection.execute("DELETE FROM usage WHERE day < ?", (oldest,))
            connection.execute("DELETE FROM batches WHERE day < ?", (oldest,))

        self._database().write(write)

    def close(self) -> None:
        self.write()
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            file.close()

    def sums(self, by: Grouping, since: date | None = None) -> Sequence[UsageLine]:
        """Totals by assistant, model or day: the most expensive first, days in order."""
        self.write()
        if not self._path.exists():
            return ()
        column = _COLUMNS[by]
        order = "1" if by == "day" else "9 DESC, 4 + 7 DESC, 1"
        query = (
            f"SELECT {column}, SUM(runs), SUM(requests), SUM(input), SUM(cached), SUM(written),"  # noqa: S608
            " SUM(output), SUM(reasoning), SUM(cost), SUM(unpriced) FROM usage WHERE day >= ?"
            f" GROUP BY {column} ORDER BY {order}"
        )
        first = since.isoformat() if since else ""
        rows = self._database().read(lambda c: c.execute(query, (first,)).fetchall())
        return tuple(replace(UsageLine(*row), cost=rounded(row[8])) for row in rows)

    def typical(self, name: str, model: str) -> tuple[int, int, int] | None:
        """Requests, input and output tokens of all earlier runs of a name with a model."""
        if not self._path.exists():
            return None
        query = "SELECT SUM(requests), SUM(input), SUM(output) FROM usage WHERE name=? AND model=?"
        row = self._database().read(lambda c: c.execute(query, (name, model)).fetchone())
        return (row[0], row[1], row[2]) if row and row[0] and row[1] else None

    def _database(self) -> DisposableDatabase:
        with self._lock:
            if self._file is None:
                from gptasst.storage.database import Schema
                from gptasst.storage.disposable_database import DisposableDatabase

                schema = Schema(title="the journal of usage", first=1, migrations=(_TABLES,))
                self._file = DisposableDatabase(self._path, schema, self._note)
            return self._file


def _today() -> date:
    """The day in the user's time zone."""
    return datetime.now().astimezone().date()


def _row(day: str, used: UsedNow, runs: int) -> tuple[object, ...]:
    usage = used.usage
    return (
        day,
        used.name,
        used.model,
        used.profile,
        used.kind,
        runs,
        used.requests,
        usage.input,
        usage.cached,
        usage.written,
        usage.output,
        usage.reasoning,
        used.cost or 0.0,
        runs if used.cost is None else 0,
    )


Recorder = Callable[[UsedNow], None]
