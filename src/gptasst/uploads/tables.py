"""The tables of the file cache."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from gptasst.storage.database import Schema
from gptasst.storage.disposable_database import DisposableDatabase

ROWS_AT_ONCE = 500

# In `hashes`, `inode` identifies a file together with its size and time; see `_identity`.
# In `uploads`, `own` is 0 if version 3 guessed a content from name and size; see `Origin`.
SCHEMA = Schema(
    title="the cache",
    first=3,
    migrations=(
        """
CREATE TABLE hashes (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, hashed_ns INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX hashes_by_content ON hashes (sha256);
CREATE TABLE uploads (
    scope TEXT NOT NULL, file_id TEXT NOT NULL, sha256 TEXT NOT NULL, purpose TEXT NOT NULL,
    filename TEXT NOT NULL, size INTEGER NOT NULL, uploaded_at REAL NOT NULL, expires_at REAL,
    own INTEGER NOT NULL,
    PRIMARY KEY (scope, file_id)
) WITHOUT ROWID;
CREATE INDEX uploads_by_content ON uploads (scope, sha256, purpose);
CREATE TABLE begun_uploads (
    scope TEXT NOT NULL, sha256 TEXT NOT NULL, purpose TEXT NOT NULL, filename TEXT NOT NULL,
    size INTEGER NOT NULL, begun_at REAL NOT NULL, PRIMARY KEY (scope, sha256, purpose, filename)
) WITHOUT ROWID;
CREATE TABLE assistants (
    scope TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (scope, name)
) WITHOUT ROWID;
CREATE TABLE models (
    scope TEXT NOT NULL, name TEXT NOT NULL, shutdown_date TEXT, PRIMARY KEY (scope, name)
) WITHOUT ROWID;
CREATE TABLE definitions (sha256 TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE synced_scopes (scope TEXT PRIMARY KEY) WITHOUT ROWID
""",
        """
CREATE TABLE knowledge (
    scope TEXT NOT NULL, store TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (scope, store, path)
) WITHOUT ROWID;
CREATE TABLE former_knowledge (
    scope TEXT NOT NULL, store TEXT NOT NULL, file_id TEXT NOT NULL,
    PRIMARY KEY (scope, store, file_id)
) WITHOUT ROWID
""",
        "CREATE TABLE listings (scope TEXT PRIMARY KEY, seen TEXT NOT NULL) WITHOUT ROWID",
        """
CREATE TABLE leaving_knowledge (
    scope TEXT NOT NULL, store TEXT NOT NULL, file_id TEXT NOT NULL,
    PRIMARY KEY (scope, store, file_id)
) WITHOUT ROWID
""",
        """
CREATE TABLE capabilities (
    scope TEXT NOT NULL, name TEXT NOT NULL, there INTEGER NOT NULL, learned_at REAL NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID
""",
        """
CREATE TABLE store_files (
    scope TEXT NOT NULL, store TEXT NOT NULL, state TEXT NOT NULL, files TEXT NOT NULL,
    PRIMARY KEY (scope, store)
) WITHOUT ROWID
""",
    ),
)
TABLES = (
    "hashes", "uploads", "begun_uploads", "assistants", "models", "definitions", "synced_scopes",
    "knowledge", "former_knowledge", "listings", "leaving_knowledge",
    "capabilities", "store_files",
)  # fmt: skip


class CacheTables(DisposableDatabase):
    """The database of the cache, read and written by rows."""

    def select_in(
        self, table: str, key: str, values: Collection[bytes] | Collection[str]
    ) -> list[Any]:
        """The rows with one of `values` in `key`."""
        wanted = list(values)

        def work(connection: sqlite3.Connection) -> list[Any]:
            rows: list[Any] = []
            for start in range(0, len(wanted), ROWS_AT_ONCE):
                part = wanted[start : start + ROWS_AT_ONCE]
                marks = ",".join("?" * len(part))
                statement = f"SELECT * FROM {table} WHERE {key} IN ({marks})"  # noqa: S608
                rows += connection.execute(statement, part).fetchall()
            return rows

        return self.read(work) if wanted else []

    def rows(self, statement: str, *values: object) -> list[Any]:
        values = storable(values)
        return self.read(lambda connection: connection.execute(statement, values).fetchall())

    def execute_many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            values = [storable(row) for row in rows]
            self.write(lambda connection: connection.executemany(statement, values))


def storable(row: tuple[object, ...]) -> tuple[object, ...]:
    """Values in a form for SQLite, which refuses the surrogates of odd file names."""
    return tuple(
        value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
        for value in row
    )
