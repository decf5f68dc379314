"""The cache of one project on a server, in the tables of the file cache."""

from __future__ import annotations

import enum
import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gptasst.api.upload_marks import content_mark
from gptasst.uploads.tables import CacheTables, storable
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.api.types import UploadRequest


_END_UPLOAD = (
    "DELETE FROM begun_uploads WHERE scope = ? AND sha256 = ? AND purpose = ? AND filename = ?"
)


class ProjectCache:
    """Ids of uploads, assistants and models of one project, as last seen.

    Args:
        tables: the tables of the cache.
        scope: the endpoint and project.
    """

    def __init__(self, tables: CacheTables, scope: str) -> None:
        self._tables = tables
        self.scope = scope

    # Uploads

    def uploads(self, contents: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
        """Ids of files on the server by content, which is a sha256 and a purpose.

        Files that never expire come first, then the newest; expired ones are omitted. Knowledge
        (`assistants`) must not expire, so for that purpose expiring files are omitted (`LASTING`).
        A content may be known only by its mark, see `upload_marks`.
        """
        now = time.time()
        (known_as,) = storable((self.scope,))

        def ids(connection: sqlite3.Connection, sha256: str, purpose: str) -> list[str]:
            until = now + (LASTING.total_seconds() if purpose == "assistants" else 0)
            rows = connection.execute(
                "SELECT file_id FROM uploads WHERE scope = ? AND sha256 IN (?, ?) AND purpose = ?"
                " AND own"
                " AND (expires_at IS NULL OR expires_at > ?)"
                " ORDER BY expires_at IS NOT NULL, uploaded_at DESC, file_id",
                (known_as, sha256, content_mark(sha256), purpose, until),
            )
            return [file_id for (file_id,) in rows]

        return self._tables.read(
            lambda connection: {content: ids(connection, *content) for content in contents}
        )

    def all_uploads(self) -> list[CachedUpload]:
        """All files on the server with known content, newest first."""
        return self._tables.read(
            lambda connection: [
                upload_of(row)
                for row in connection.execute(
                    "SELECT file_id, sha256, purpose, filename, size, uploaded_at, expires_at,"
                    " own FROM uploads WHERE scope = ? AND own ORDER BY uploaded_at DESC, file_id",
                    (self.scope,),
                )
            ]
        )

    def remember_uploads(self, uploads: Sequence[CachedUpload]) -> None:
        """Store finished uploads, and remove them from the begun ones."""
        rows = [storable((self.scope, *upload_row(upload))) for upload in uploads]
        ended = [storable((self.scope, *begun_key(upload))) for upload in uploads]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            connection.executemany(_END_UPLOAD, ended)

        if rows:
            self._tables.write(work)

    def forget_uploads(self, file_ids: Iterable[str]) -> None:
        rows = [(file_id,) for file_id in file_ids]
        self._execute_many("DELETE FROM uploads WHERE scope = ? AND file_id = ?", rows)
        self._execute_many("DELETE FROM former_knowledge WHERE scope = ? AND file_id = ?", rows)
        self._execute_many("DELETE FROM leaving_knowledge WHERE scope = ? AND file_id = ?", rows)

    def begin_uploads(self, requests: Sequence[UploadRequest]) -> None:
        """Store uploads that are about to start, to find them if this process is killed."""
        now = time.time()
        rows = [(*begun_key(request), request.size, now) for request in requests]
        self._execute_many("INSERT OR REPLACE INTO begun_uploads VALUES (?, ?, ?, ?, ?, ?)", rows)

    def begun_uploads(self) -> list[BegunUpload]:
        rows = self._rows(
            "SELECT sha256, purpose, filename, size, begun_at FROM begun_uploads WHERE scope = ?",
        )
        return [
            BegunUpload(sha256, purpose, filename, size, datetime.fromtimestamp(begun_at, UTC))
            for sha256, purpose, filename, size, begun_at in rows
        ]

    def end_uploads(self, begun: Sequence[BegunUpload]) -> None:
        """Remove uploads of `begin_uploads`."""
        self._execute_many(_END_UPLOAD, [begun_key(upload) for upload in begun])

    # Knowledge

    def remember_knowledge(self, store: str, sha256s: Mapping[str, str]) -> None:
        """Store an assistant's knowledge, by path, replacing earlier entries."""
        rows = [storable((self.scope, store, path, sha256)) for path, sha256 in sha256s.items()]

        def work(connection: sqlite3.Connection) -> None:
            old = "DELETE FROM knowledge WHERE scope = ? AND store = ?"
            connection.execute(old, (self.scope, store))
            connection.executemany("INSERT INTO knowledge VALUES (?, ?, ?, ?)", rows)

        self._tables.write(work)

    def knowledge(self, store: str) -> dict[str, str]:
        """An assistant's knowledge as last seen: the sha256 by path."""
        query = "SELECT path, sha256 FROM knowledge WHERE scope = ? AND store = ?"
        return dict(self._rows(query, store))

    def store_files(self) -> dict[str, tuple[str, dict[str, str]]]:
        """By vector store: its state as last seen, and the sha256 of its files by id."""
        rows = self._rows("SELECT store, state, files FROM store_files WHERE scope = ?")
        try:
            return {store: (state, dict(json.loads(files))) for store, state, files in rows}
        except (ValueError, TypeError):  # damaged
            return {}

    def remember_store_files(self, seen: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
        """Store the files of vector stores."""
        rows = [
            storable((store, state, json.dumps(dict(files))))
            for store, (state, files) in seen.items()
        ]
        self._execute_many("INSERT OR REPLACE INTO store_files VALUES (?, ?, ?, ?)", rows)

    def forget_store_files(self, stores: Iterable[str]) -> None:
        rows = [(store,) for store in stores]
        self._execute_many("DELETE FROM store_files WHERE scope = ? AND store = ?", rows)

    def remember_former_knowledge(self, store: str, file_ids: Iterable[str]) -> None:
        """Store former uploads of an assistant, to be deleted together with it."""
        rows = [(store, file_id) for file_id in file_ids]
        self._execute_many("INSERT OR IGNORE INTO former_knowledge VALUES (?, ?, ?)", rows)

    def former_knowledge(self, store: str) -> list[str]:
        query = "SELECT file_id FROM former_knowledge WHERE scope = ? AND store = ?"
        return [file_id for (file_id,) in self._rows(query, store)]

    def begin_removal(self, store: str, file_ids: Iterable[str]) -> None:
        """Store uploads to be deleted once they are detached from an assistant."""
        rows = [(store, file_id) for file_id in file_ids]
        self._execute_many("INSERT OR IGNORE INTO leaving_knowledge VALUES (?, ?, ?)", rows)

    def begun_removal(self, store: str) -> list[str]:
        """Uploads of `begin_removal` without an end, whose process may have been killed."""
        query = "SELECT file_id FROM leaving_knowledge WHERE scope = ? AND store = ?"
        return [file_id for (file_id,) in self._rows(query, store)]

    def end_removal(self, file_ids: Iterable[str]) -> None:
        rows = [(file_id,) for file_id in file_ids]
        self._execute_many("DELETE FROM leaving_knowledge WHERE scope = ? AND file_id = ?", rows)

    # Assistants and definitions

    def assistant_names(self) -> list[str]:
        rows = self._rows("SELECT name FROM assistants WHERE scope = ?")
        return sorted(name for (name,) in rows)

    def remember_assistants(self, ids: Mapping[str, str]) -> None:
        """Store ids by name, replacing all earlier entries."""
        known = dict(self._rows("SELECT name, id FROM assistants WHERE scope = ?"))
        if ids == known:
            return  # avoids waiting for a lock
        rows = [storable((self.scope, name, assistant_id)) for name, assistant_id in ids.items()]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM assistants WHERE scope = ?", (self.scope,))
            connection.executemany("INSERT OR REPLACE INTO assistants VALUES (?, ?, ?)", rows)

        self._tables.write(work)

    def listing(self) -> str | None:
        """The stored state of the project's list of vector stores, unchanged."""
        rows = self._rows("SELECT seen FROM listings WHERE scope = ?")
        return str(rows[0][0]) if rows else None

    def remember_listing(self, seen: str) -> None:
        self._execute_many("INSERT OR REPLACE INTO listings VALUES (?, ?)", [(seen,)])

    def remember_models(self, models: Sequence[tuple[str, date | None]]) -> None:
        """Store a server's models and their shutdown dates, replacing earlier entries."""
        rows = [(self.scope, name, end.isoformat() if end else None) for name, end in models]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM models WHERE scope = ?", (self.scope,))
            connection.executemany("INSERT OR IGNORE INTO models VALUES (?, ?, ?)", rows)

        self._tables.write(work)

    def remember_capabilities(self, found: Mapping[str, bool]) -> None:
        """Store which parts of the API the server has or lacks."""
        now = time.time()
        rows = [(name, int(there), now) for name, there in found.items()]
        self._execute_many("INSERT OR REPLACE INTO capabilities VALUES (?, ?, ?, ?)", rows)

    def capabilities(self, seconds: float) -> dict[str, bool]:
        """The capabilities stored within the last number of seconds, by name."""
        now = time.time()
        rows = self._rows(
            "SELECT name, there FROM capabilities WHERE scope = ? AND learned_at BETWEEN ? AND ?",
            now - seconds,
            now,
        )
        return {name: bool(there) for name, there in rows}

    def models(self) -> list[str]:
        """The models that the server last listed."""
        rows = self._rows("SELECT name FROM models WHERE scope = ? ORDER BY name")
        return [str(name) for (name,) in rows]

    def end_of_model(self, name: str) -> date | None:
        """The shutdown date of a model, from the server's list."""
        rows = self._rows("SELECT shutdown_date FROM models WHERE scope = ? AND name = ?", name)
        try:
            return date.fromisoformat(rows[0][0]) if rows and rows[0][0] else None
        except (TypeError, ValueError):  # damaged
            return None

    def definition(self, sha256: str) -> str | None:
        """A definition's text by its sha256, which is verified."""
        import hashlib

        rows = self._tables.rows("SELECT text FROM definitions WHERE sha256 = ?", sha256)
        if not rows or hashlib.sha256(rows[0][0].encode()).hexdigest() != sha256:
            return None
        return str(rows[0][0])

    def remember_definition(self, sha256: str, text: str) -> None:
        row = (sha256, text)
        self._tables.execute_many("INSERT OR REPLACE INTO definitions VALUES (?, ?)", [row])

    def is_synced(self) -> bool:
        """Whether the project's uploads were read from the server since this cache was created."""
        return bool(self._rows("SELECT 1 FROM synced_scopes WHERE scope = ?"))

    def mark_synced(self) -> None:
        self._execute_many("INSERT OR REPLACE INTO synced_scopes VALUES (?)", [()])

    def _rows(self, statement: str, *values: object) -> list[Any]:
        """The rows of a statement whose first parameter is the scope."""
        return self._tables.rows(statement, self.scope, *values)

    def _execute_many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Write rows with a statement whose first parameter is the scope."""
        self._tables.execute_many(statement, [(self.scope, *row) for row in rows])


# A file with a longer life than can be requested (30 days) was meant to stay: OGX 1.5 keeps every
# file for a year.
LASTING = timedelta(days=31)


class Origin(enum.IntEnum):
    """The origin of an upload with known content: this machine, or another one with gptasst."""

    HERE = 1
    ELSEWHERE = 2


@dataclass(frozen=True, slots=True)
class CachedUpload:
    """A file on the server with known content. `size` is in bytes.

    `sha256` may be only a mark, see `upload_marks`. `origin` is `ELSEWHERE` also if the content is
    proven, but not that gptasst sent it.
    """

    file_id: str
    sha256: str
    purpose: str
    filename: str
    size: int
    uploaded_at: datetime
    expires_at: datetime | None = None
    origin: Origin = Origin.HERE


@dataclass(frozen=True, slots=True)
class BegunUpload:
    """An upload that was started but not finished, because its process was killed."""

    sha256: str
    purpose: str
    filename: str
    size: int
    begun_at: datetime


def begun_key(upload: UploadRequest | CachedUpload | BegunUpload) -> tuple[str, str, str]:
    """The key of a started upload within a project."""
    return upload.sha256, upload.purpose, upload.filename


def upload_row(upload: CachedUpload) -> tuple[object, ...]:
    """The columns of an upload after its scope."""
    expires = upload.expires_at
    return (
        upload.file_id,
        upload.sha256,
        upload.purpose,
        upload.filename,
        upload.size,
        upload.uploaded_at.timestamp(),
        None if expires is None else expires.timestamp(),
        int(upload.origin),
    )


def upload_of(row: Iterable[Any]) -> CachedUpload:
    """The upload in such columns."""
    file_id, sha256, purpose, filename, size, uploaded_at, expires_at, own = row
    return CachedUpload(
        file_id=file_id,
        sha256=sha256,
        purpose=purpose,
        filename=filename,
        size=size,
        uploaded_at=datetime.fromtimestamp(uploaded_at, UTC),
        expires_at=None if expires_at is None else datetime.fromtimestamp(expires_at, UTC),
        origin=Origin(own),
    )
