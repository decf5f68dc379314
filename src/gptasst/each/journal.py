"""The journal of finished runs: answers that exist already, found by content.

Runs are identified by their digests, so that an answer is found again after its files were moved.
Losing the journal harms no file: unknown runs are repeated. Old entries are deleted automatically.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gptasst.api.types import CompletionWindow, ModelAnswer, Usage
from gptasst.runs.types import Kept
from gptasst.storage.database import Schema
from gptasst.storage.disposable_database import DisposableDatabase
from gptasst.values import dataclass

if TYPE_CHECKING:
    import sqlite3

_SCHEMA = Schema(
    title="the journal of finished runs",
    first=1,
    migrations=(
        """
CREATE TABLE answers (
    run TEXT PRIMARY KEY,
    answer TEXT,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    model TEXT NOT NULL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    answered_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX answers_by_age ON answers (answered_at);
CREATE TABLE results (
    basis TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at REAL NOT NULL,
    PRIMARY KEY (basis, sha256)
) WITHOUT ROWID;
CREATE INDEX results_by_age ON results (applied_at);
""",
        """
CREATE TABLE kept_blocks (
    made TEXT PRIMARY KEY,
    blocks TEXT NOT NULL,
    made_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX kept_blocks_by_age ON kept_blocks (made_at);
""",
    ),
)
_KEPT_SECONDS = 180 * 86_400
_PIECES_SECONDS = 86_400
# Bytes of the newest answers whose text is kept; for older ones only the hash is.
_KEPT_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A complete answer. `answer` is `None` if only its sha256 (hex) is kept.

    The journal keeps input and output tokens of the usage, but not the `cost` in US dollars.
    """

    answer: str | None
    sha256: str
    model: str
    usage: Usage | None = None
    kept: tuple[Kept, ...] = ()
    cost: float | None = None


class RunJournal:
    """Answers and results in one SQLite file; any number of processes and threads may use it.

    No method fails because of the file: if it can't be used, nothing is known or remembered.

    Args:
        path: the database, created when it is first needed.
        note: called with one line if a damaged file was set aside.
    """

    def __init__(self, path: Path, note: Callable[[str], None] = lambda _: None) -> None:
        self._database = DisposableDatabase(path, _SCHEMA, note)

    def close(self) -> None:
        self._database.close()

    def find(self, run: str) -> FinishedRun | None:
        """The result of a run, if it is finished."""
        row = self._row(
            "SELECT answer, sha256, model, input_tokens, output_tokens FROM answers WHERE run = ?",
            run,
        )
        if row is None:
            return None
        usage = Usage(row[3], row[4]) if row[3] is not None else None
        return FinishedRun(row[0], row[1], row[2], usage, self._kept(run))

    def record(self, run: str, finished: FinishedRun) -> bool:
        """Save an answer; after `True` it survives any end of this process."""
        return self.record_all([(run, finished)])

    def record_all(self, finished: Iterable[tuple[str, FinishedRun]]) -> bool:
        """Save the answers of many runs in one step; see `record`."""
        finished = list(finished)
        rows = [_answer_row(run, answer) for run, answer in finished]
        kept = [_kept_row(run, answer.kept) for run, answer in finished if answer.kept]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            connection.executemany(_KEEP, kept)

        return self._database.write(write)

    def result(self, basis: str, sha256: str) -> tuple[Kept, ...] | None:
        """The kept blocks in a content that a run with that basis produced; `None` for others."""
        query = "SELECT 1 FROM results WHERE basis = ? AND sha256 = ?"
        row = self._row(query, basis, sha256)
        return None if row is None else self._kept(f"{basis} {sha256}")

    def record_result(self, basis: str, sha256: str, kept: Sequence[Kept] = ()) -> None:
        """Save the content that a run with that basis produces, and its kept blocks."""
        self._write("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", (basis, sha256, time.time()))
        if kept:
            self._write(_KEEP, _kept_row(f"{basis} {sha256}", kept))

    def piece(self, digest: str) -> str | None:
        """The answer to a part of an edit that failed within the last day."""
        query = "SELECT answer FROM answers WHERE run = ? AND answered_at > ?"
        row = self._row(query, digest, time.time() - _PIECES_SECONDS)
        return None if row is None else row[0]

    def keep_pieces(self, answers: Mapping[str, ModelAnswer]) -> bool:
        """Save answers to parts of an edit that failed; see `record`."""
        return self.record_all(
            (digest, FinishedRun(answer.text, "", answer.model, answer.usage))
            for digest, answer in answers.items()
        )

    def forget_pieces(self, digests: Collection[str]) -> None:
        """Delete the answers to parts of an edit that is finished."""
        for digest in digests:
            self._write("DELETE FROM answers WHERE run = ?", (digest,))

    def prune(self) -> None:
        """Delete entries older than half a year, and texts beyond 500 MB, oldest first."""
        oldest = time.time() - _KEPT_SECONDS
        self._write("DELETE FROM answers WHERE answered_at < ?", (oldest,))
        self._write(
            "DELETE FROM answers WHERE run GLOB 'piece:*' AND answered_at < ?",
            (time.time() - _PIECES_SECONDS,),
        )
        self._write("DELETE FROM results WHERE applied_at < ?", (oldest,))
        self._write("DELETE FROM kept_blocks WHERE made_at < ?", (oldest,))
        self._write(
            "UPDATE answers SET answer = NULL WHERE run IN (SELECT run FROM ("
            "SELECT run, SUM(size) OVER (ORDER BY answered_at DESC, run) AS total FROM answers"
            " WHERE answer IS NOT NULL) WHERE total > ?)",
            (_KEPT_BYTES,),
        )

    def _kept(self, made: str) -> tuple[Kept, ...]:
        """The kept blocks of an answer or result."""
        row = self._row("SELECT blocks FROM kept_blocks WHERE made = ?", made)
        return tuple(Kept(*map(str, each)) for each in json.loads(row[0])) if row else ()

    def _row(self, statement: str, *values: str | float) -> Any:
        return self._database.read(
            lambda connection: connection.execute(statement, values).fetchone()
        )

    def _write(self, statement: str, values: tuple[object, ...]) -> bool:
        return self._database.write(lambda connection: connection.execute(statement, values))


def _answer_row(run: str, finished: FinishedRun) -> tuple[object, ...]:
    assert finished.answer is not None
    usage = finished.usage
    return (
        run,
        finished.answer,
        len(finished.answer.encode("utf-8", "surrogatepass")),
        finished.sha256,
        finished.model,
        usage.input if usage else None,
        usage.output if usage else None,
        time.time(),
    )


_KEEP = "INSERT OR REPLACE INTO kept_blocks VALUES (?, ?, ?)"


def _kept_row(made: str, kept: Sequence[Kept]) -> tuple[object, ...]:
    blocks = [[each.path, each.lines, each.reason] for each in kept]
    return made, json.dumps(blocks, ensure_ascii=False), time.time()


_DEFERRED = Schema(
    title="the record of deferred runs",
    first=1,
    migrations=(
        """
CREATE TABLE deferred (
    scope TEXT NOT NULL,
    run TEXT NOT NULL,
    response TEXT NOT NULL,
    time_window TEXT NOT NULL,
    sent_at REAL NOT NULL,
    PRIMARY KEY (scope, run)
) WITHOUT ROWID;
""",
    ),
)
# The server keeps answers for 30 days.
_SERVER_KEEPS = 30 * 86_400


class DeferredRecords:
    """What was handed over, in one SQLite file; any number of processes may use it.

    Args:
        path: of the file, made when it is first needed.
        note: called with one line if a damaged file was set aside.
    """

    def __init__(self, path: Path, note: Callable[[str], None] = lambda _: None) -> None:
        self._database = DisposableDatabase(path, _DEFERRED, note)

    def close(self) -> None:
        self._database.close()

    def add(self, scope: str, run: str, response: str, window: CompletionWindow) -> None:
        """Remember a run, and forget those that the server has forgotten."""
        now = time.time()

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM deferred WHERE sent_at < ?", (now - _SERVER_KEEPS,))
            connection.execute(
                "INSERT OR REPLACE INTO deferred VALUES (?, ?, ?, ?, ?)",
                (scope, run, response, window, now),
            )

        self._database.write(write)

    def find(self, scope: str, run: str) -> tuple[str, CompletionWindow, float] | None:
        """The response's id, its window, and when it was handed over in Unix time."""
        query = "SELECT response, time_window, sent_at FROM deferred WHERE scope = ? AND run = ?"
        row = self._database.read(lambda c: c.execute(query, (scope, run)).fetchone())
        return (row[0], row[1], row[2]) if row and row[1] in ("2h", "8h") else None

    def remove(self, scope: str, run: str) -> None:
        statement = "DELETE FROM deferred WHERE scope = ? AND run = ?"
        self._database.write(lambda connection: connection.execute(statement, (scope, run)))
