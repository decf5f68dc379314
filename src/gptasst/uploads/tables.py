"""The tables of the file cache, and how those of earlier versions become them."""

from __future__ import annotations

import sqlite3

from gptasst.storage.cache_schema import CacheSchema
from gptasst.uploads.cached_uploads import HERE


def _from_version_3(connection: sqlite3.Connection) -> None:
    """Keep what was uploaded from here; contents that version 3 had guessed are forgotten."""
    rows = connection.execute("SELECT * FROM uploads WHERE own").fetchall()
    connection.execute("DROP TABLE uploads")
    for statement in SCHEMA.statements:
        if any(f" {name} " in statement for name in ("uploads", "knowledge", "former_knowledge")):
            connection.execute(statement)
    kept = [(*row[:-1], HERE) for row in rows]
    connection.executemany("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)


SCHEMA = CacheSchema(
    "the cache",
    4,
    """
CREATE TABLE hashes (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, hashed_ns INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX hashes_by_content ON hashes (sha256);
CREATE TABLE uploads (
    scope TEXT NOT NULL, file_id TEXT NOT NULL, sha256 TEXT NOT NULL, purpose TEXT NOT NULL,
    filename TEXT NOT NULL, size INTEGER NOT NULL, uploaded_at REAL NOT NULL, expires_at REAL,
    made_by TEXT NOT NULL,
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
CREATE TABLE synced_scopes (scope TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE knowledge (
    scope TEXT NOT NULL, store TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (scope, store, path)
) WITHOUT ROWID;
CREATE TABLE former_knowledge (
    scope TEXT NOT NULL, store TEXT NOT NULL, file_id TEXT NOT NULL,
    PRIMARY KEY (scope, store, file_id)
) WITHOUT ROWID
""",
    {3: _from_version_3},
)
TABLES = (
    "hashes", "uploads", "begun_uploads", "assistants", "models", "definitions", "synced_scopes",
    "knowledge", "former_knowledge",
)  # fmt: skip
