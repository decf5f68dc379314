"""The local records of batches: their inputs, and where the answers go.

The manifests on the server have the same, except the directory in which a batch was submitted. If
the database can't be used, nothing is known and nothing is remembered.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from gptasst.batches.types import BatchItem, BatchManifest
from gptasst.errors import ServiceError
from gptasst.storage.database import Schema
from gptasst.storage.disposable_database import DisposableDatabase
from gptasst.values import dataclass

_SCHEMA = Schema(
    title="the record of batches",
    first=1,
    migrations=(
        """
CREATE TABLE batches (
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    basis TEXT NOT NULL,
    manifest BLOB NOT NULL,
    directory BLOB,
    is_over INTEGER NOT NULL DEFAULT 0,
    recorded_at REAL NOT NULL,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;
CREATE TABLE items (
    scope TEXT NOT NULL,
    batch TEXT NOT NULL,
    input BLOB NOT NULL,
    output BLOB NOT NULL,
    run TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (scope, batch, input, output)
) WITHOUT ROWID;
""",
    ),
)
# The server deletes the files of batches after 30 days; older records are useless.
_KEPT_SECONDS = 40 * 86_400
_INSERT_ITEM = "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """A batch as it was submitted. `directory` is where (`None`: on another machine)."""

    manifest: BatchManifest
    directory: Path | None
    items: tuple[BatchItem, ...]


class BatchRecords:
    """Batches in one SQLite file; any number of processes and threads may use it.

    Args:
        path: the database, created when it is first needed.
        note: called with one line if a damaged file was set aside.
    """

    def __init__(self, path: Path, note: Callable[[str], None] = lambda _: None) -> None:
        self._database = DisposableDatabase(path, _SCHEMA, note)

    def close(self) -> None:
        self._database.close()

    def add(
        self,
        scope: str,
        batch_id: str,
        manifest: BatchManifest,
        items: Iterable[BatchItem],
        directory: Path | None,
    ) -> None:
        """Record a batch, and delete records of batches whose files are gone."""
        place = None if directory is None else os.fsencode(directory)
        batch = (scope, batch_id, manifest.basis, manifest_line(manifest), place, time.time())
        rows = _rows(scope, batch_id, items)

        def write(connection: sqlite3.Connection) -> None:
            _forget_old(connection)
            connection.execute(
                "INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?, 0, ?)",
                batch,
            )
            connection.executemany(_INSERT_ITEM, rows)

        self._database.write(write)

    def add_items(self, scope: str, batch_id: str, items: Iterable[BatchItem]) -> None:
        """Record further inputs that a batch answers."""
        rows = _rows(scope, batch_id, items)
        self._database.write(lambda connection: connection.executemany(_INSERT_ITEM, rows))

    def known(self, scope: str) -> set[str]:
        """The ids of all recorded batches."""
        return {
            batch_id for (batch_id,) in self._all("SELECT id FROM batches WHERE scope = ?", scope)
        }

    def find(self, scope: str, batch_id: str) -> RecordedBatch | None:
        """A batch with its inputs, if it is recorded."""
        batches = "SELECT manifest, directory FROM batches WHERE scope = ? AND id = ?"
        items = (
            "SELECT run, content, input, output FROM items"
            " WHERE scope = ? AND batch = ? ORDER BY input, output"
        )
        for line, place in self._all(batches, scope, batch_id):
            manifest, _ = read_manifest(iter([line]))
            return RecordedBatch(
                manifest,
                None if place is None else Path(os.fsdecode(place)),
                tuple(
                    BatchItem(run, content, os.fsdecode(given), os.fsdecode(output))
                    for run, content, given, output in self._all(items, scope, batch_id)
                ),
            )
        return None

    def running(self, scope: str, basis: str) -> list[str]:
        """The ids of batches with that basis that had not ended when last checked."""
        query = "SELECT id FROM batches WHERE scope = ? AND basis = ? AND NOT is_over"
        return [batch_id for (batch_id,) in self._all(query, scope, basis)]

    def runs(self, scope: str, batch_id: str) -> set[str]:
        """The digests of the runs in a batch."""
        query = "SELECT DISTINCT run FROM items WHERE scope = ? AND batch = ?"
        return {run for (run,) in self._all(query, scope, batch_id)}

    def mark_over(self, scope: str, batch_id: str) -> None:
        """Record that all results of an ended batch have been read."""
        query = "UPDATE batches SET is_over = 1 WHERE scope = ? AND id = ?"
        self._database.write(lambda connection: connection.execute(query, (scope, batch_id)))

    def _all(self, query: str, *values: str) -> list[Any]:
        return self._database.read(lambda connection: connection.execute(query, values).fetchall())


def _rows(scope: str, batch_id: str, items: Iterable[BatchItem]) -> list[tuple[str | bytes, ...]]:
    """Rows of items; paths are bytes, because file names need not be text."""
    return [
        (scope, batch_id, os.fsencode(i.input), os.fsencode(i.output), i.run, i.content)
        for i in items
    ]


def _forget_old(connection: sqlite3.Connection) -> None:
    oldest = time.time() - _KEPT_SECONDS
    connection.execute(
        "DELETE FROM items WHERE (scope, batch) IN"
        " (SELECT scope, id FROM batches WHERE recorded_at < ?)",
        (oldest,),
    )
    connection.execute("DELETE FROM batches WHERE recorded_at < ?", (oldest,))


_FORMAT = 1


def manifest_line(manifest: BatchManifest) -> bytes:
    """The first line."""
    return _line({"gptasst": _FORMAT, **dataclasses.asdict(manifest)})


def item_line(item: BatchItem) -> bytes:
    """The line of one input."""
    return _line(dataclasses.asdict(item))


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def read_manifest(lines: Iterator[bytes]) -> tuple[BatchManifest, Iterator[BatchItem]]:
    """Read a manifest from its lines; inputs are read lazily.

    Raises:
        ServiceError: it is damaged, or another version wrote it.
    """
    first = _object(next(lines, b""))
    if first.pop("gptasst", None) != _FORMAT:
        raise ServiceError(
            "the batch was submitted by another version of gptasst",
            hint="fetch it with that version",
            code="unknown_manifest",
        )
    return _made(BatchManifest, first), (_made(BatchItem, _object(line)) for line in lines)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _damaged()
    return value


def _made(kind: Any, fields: dict[str, Any]) -> Any:
    known = {field.name: field for field in dataclasses.fields(kind)}
    given = {name: value for name, value in fields.items() if name in known}
    if not all(isinstance(v, str) for name, v in given.items() if known[name].type == "str"):
        raise _damaged()
    try:
        return kind(**given)
    except TypeError:
        raise _damaged() from None


def _damaged() -> ServiceError:
    return ServiceError(
        "the manifest of the batch is damaged",
        hint="run the command that submitted it again",
        code="unknown_manifest",
    )
