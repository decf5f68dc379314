"""Earlier answers to cases, found by content: definition, input, model and settings.

Losing them is harmless: unknown ones are requested again. Old ones are deleted automatically.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gptasst.api.types import Usage
from gptasst.storage.database import Schema
from gptasst.storage.disposable_database import DisposableDatabase
from gptasst.values import dataclass

_SCHEMA = Schema(
    title="the answers to cases",
    first=1,
    migrations=(
        """
CREATE TABLE answers (
    run TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    size INTEGER NOT NULL,
    answered_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX answers_by_age ON answers (answered_at);
""",
    ),
)
_KEPT_SECONDS = 180 * 86_400
_KEPT_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """An earlier answer: `seconds` is from request to end, `cost` in US dollars."""

    answer: str
    model: str
    seconds: float
    usage: Usage | None = None
    cost: float | None = None
    sources: tuple[str, ...] = ()


class KnownAnswers:
    """Answers in one SQLite file; any number of processes and threads may use it.

    Args:
        path: the file, created when it is first needed.
        note: called with one line if a damaged file was set aside.
    """

    def __init__(self, path: Path, note: Callable[[str], None] = lambda _: None) -> None:
        self._database = DisposableDatabase(path, _SCHEMA, note)

    def close(self) -> None:
        self._database.close()

    def find(self, run: str) -> KnownAnswer | None:
        """The earlier answer to a run, if there is one."""
        row = self._database.read(
            lambda connection: connection.execute(
                "SELECT content FROM answers WHERE run = ?", (run,)
            ).fetchone()
        )
        return None if row is None else _read(row[0])

    def record(self, run: str, answer: KnownAnswer) -> None:
        """Save an answer, unless the file can't be used."""
        content = _written(answer)
        row = (run, content, len(content), time.time())
        self._database.write(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row
            )
        )

    def prune(self) -> None:
        """Delete answers older than half a year, and the oldest beyond 200 MB."""
        oldest = time.time() - _KEPT_SECONDS

        def forget(connection: Any) -> None:
            connection.execute("DELETE FROM answers WHERE answered_at < ?", (oldest,))
            connection.execute(
                "DELETE FROM answers WHERE run IN (SELECT run FROM (SELECT run,"
                " SUM(size) OVER (ORDER BY answered_at DESC, run) AS total FROM answers)"
                " WHERE total > ?)",
                (_KEPT_BYTES,),
            )

        self._database.write(forget)


def _written(answer: KnownAnswer) -> str:
    usage = answer.usage
    return json.dumps(
        {
            "answer": answer.answer,
            "model": answer.model,
            "seconds": answer.seconds,
            "usage": usage
            and [usage.input, usage.output, usage.cached, usage.reasoning, usage.written],
            "cost": answer.cost,
            "sources": answer.sources,
        }
    )


def _read(content: str) -> KnownAnswer | None:
    """A saved answer; `None` if this version can't read it."""
    try:
        told = json.loads(content)
        usage = Usage(*told["usage"]) if told["usage"] else None
        return KnownAnswer(
            told["answer"],
            told["model"],
            float(told["seconds"]),
            usage,
            told["cost"],
            tuple(told["sources"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
