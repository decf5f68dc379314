"""What is known of one project on a server, in the tables of the file cache."""

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
    """Ids of uploads, assistants and models of one project, as they were last seen.

    Args:
        tables: of the cache.
        scope: endpoint and project.
    """

    def __init__(self, tables: CacheTables, scope: str) -> None:
        self._tables = tables
        self.scope = scope

    # Uploads

    def uploads(self, contents: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
        """Ids of files on the server by their content, which is a sha256 and a purpose.

        Those that stay come first, then the newest; those that have expired are left out.
        Knowledge (`assistants`) must stay, so for that purpose those that do not last are left
        out (`LASTING`). What is known of a content may be its mark: see `upload_marks`.
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
        """All files on the server whose content is known, newest first."""
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
        """Keep what was uploaded; of those that were begun, these have ended."""
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
        """Note what is about to be uploaded, so that it is found should this process die."""
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
        """Forget what was noted by `begin_uploads`."""
        self._execute_many(_END_UPLOAD, [begun_key(upload) for upload in begun])

    # Knowledge

    def remember_knowledge(self, store: str, sha256s: Mapping[str, str]) -> None:
        """Keep what an assistant knows, path by path, in place of what it knew."""
        rows = [storable((self.scope, store, path, sha256)) for path, sha256 in sha256s.items()]

        def work(connection: sqlite3.Connection) -> None:
            old = "DELETE FROM knowledge WHERE scope = ? AND store = ?"
            connection.execute(old, (self.scope, store))
            connection.executemany("INSERT INTO knowledge VALUES (?, ?, ?, ?)", rows)

        self._tables.write(work)

    def knowledge(self, store: str) -> dict[str, str]:
        """What an assistant knew when it was last seen: the sha256 by path."""
        query = "SELECT path, sha256 FROM knowledge WHERE scope = ? AND store = ?"
        return dict(self._rows(query, store))

    def store_files(self) -> dict[str, tuple[str, dict[str, str]]]:
        """By vector store: the state in which it was seen, and the sha256 of its files by id."""
        rows = self._rows("SELECT store, state, files FROM store_files WHERE scope = ?")
        try:
            return {store: (state, dict(json.loads(files))) for store, state, files in rows}
        except (ValueError, TypeError):  # damaged
            return {}

    def remember_store_files(self, seen: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
        """Keep what vector stores held, in place of all that was kept."""
        rows = [
            storable((self.scope, store, state, json.dumps(dict(files))))
            for store, (state, files) in seen.items()
        ]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM store_files WHERE scope = ?", (self.scope,))
            connection.executemany("INSERT INTO store_files VALUES (?, ?, ?, ?)", rows)

        self._tables.write(work)

    def remember_former_knowledge(self, store: str, file_ids: Iterable[str]) -> None:
        """Note uploads that an assistant knew once, so that they can go when it does."""
        rows = [(store, file_id) for file_id in file_ids]
        self._execute_many("INSERT OR IGNORE INTO former_knowledge VALUES (?, ?, ?)", rows)

    def former_knowledge(self, store: str) -> list[str]:
        query = "SELECT file_id FROM former_knowledge WHERE scope = ? AND store = ?"
        return [file_id for (file_id,) in self._rows(query, store)]

    def begin_removal(self, store: str, file_ids: Iterable[str]) -> None:
        """Note uploads that are to be deleted once an assistant does not know them any more."""
        rows = [(store, file_id) for file_id in file_ids]
        self._execute_many("INSERT OR IGNORE INTO leaving_knowledge VALUES (?, ?, ?)", rows)

    def begun_removal(self, store: str) -> list[str]:
        """What was noted by `begin_removal` and not ended: its process may have been killed."""
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
        """Remember ids by name, in place of those there were."""
        known = dict(self._rows("SELECT name, id FROM assistants WHERE scope = ?"))
        if ids == known:
            return  # nobody has to wait for a lock
        rows = [storable((self.scope, name, assistant_id)) for name, assistant_id in ids.items()]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM assistants WHERE scope = ?", (self.scope,))
            connection.executemany("INSERT OR REPLACE INTO assistants VALUES (?, ?, ?)", rows)

        self._tables.write(work)

    def listing(self) -> str | None:
        """What was seen of the project's list of vector stores, as it was given."""
        rows = self._rows("SELECT seen FROM listings WHERE scope = ?")
        return str(rows[0][0]) if rows else None

    def remember_listing(self, seen: str) -> None:
        self._execute_many("INSERT OR REPLACE INTO listings VALUES (?, ?)", [(seen,)])

    def remember_models(self, models: Sequence[tuple[str, date | None]]) -> None:
        """Remember the models that a server has and when they end, in place of those it had."""
        rows = [(self.scope, name, end.isoformat() if end else None) for name, end in models]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM models WHERE scope = ?", (self.scope,))
            connection.executemany("INSERT OR IGNORE INTO models VALUES (?, ?, ?)", rows)

        self._tables.write(work)

    def remember_capabilities(self, found: Mapping[str, bool]) -> None:
        """Remember which parts of the API the server has, and which not."""
        now = time.time()
        rows = [(name, int(there), now) for name, there in found.items()]
        self._execute_many("INSERT OR REPLACE INTO capabilities VALUES (?, ?, ?, ?)", rows)

    def capabilities(self, seconds: float) -> dict[str, bool]:
        """What was learned of the server in so many seconds before now, by name."""
        now = time.time()
        rows = self._rows(
            "SELECT name, there FROM capabilities WHERE scope = ? AND learned_at BETWEEN ? AND ?",
            now - seconds,
            now,
        )
        return {name: bool(there) for name, there in rows}

    def models(self) -> list[str]:
        """The models that a server had when they were listed last."""
        rows = self._rows("SELECT name FROM models WHERE scope = ? ORDER BY name")
        return [str(name) for (name,) in rows]

    def end_of_model(self, name: str) -> date | None:
        """When a model ends, as its server said when its models were listed."""
        rows = self._rows("SELECT shutdown_date FROM models WHERE scope = ? AND name = ?", name)
        try:
            return date.fromisoformat(rows[0][0]) if rows and rows[0][0] else None
        except (TypeError, ValueError):  # damaged
            return None

    def definition(self, sha256: str) -> str | None:
        """A definition's text by its sha256; one that does not match it is not given."""
        import hashlib

        rows = self._tables.rows("SELECT text FROM definitions WHERE sha256 = ?", sha256)
        if not rows or hashlib.sha256(rows[0][0].encode()).hexdigest() != sha256:
            return None
        return str(rows[0][0])

    def remember_definition(self, sha256: str, text: str) -> None:
        row = (sha256, text)
        self._tables.execute_many("INSERT OR REPLACE INTO definitions VALUES (?, ?)", [row])

    def is_synced(self) -> bool:
        """Whether the project's uploads were read from the server since this cache was made."""
        return bool(self._rows("SELECT 1 FROM synced_scopes WHERE scope = ?"))

    def mark_synced(self) -> None:
        self._execute_many("INSERT OR REPLACE INTO synced_scopes VALUES (?)", [()])

    def _rows(self, statement: str, *values: object) -> list[Any]:
        """What a statement yields whose first parameter is the scope."""
        return self._tables.rows(statement, self.scope, *values)

    def _execute_many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Write rows with a statement whose first parameter is the scope."""
        self._tables.execute_many(statement, [(self.scope, *row) for row in rows])


# What is there for longer than any time that can be asked for (30 days) was to stay: OGX 1.5 gives
# every file a year.
LASTING = timedelta(days=31)


class Origin(enum.IntEnum):
    """Who sent an upload whose content is known: this machine, or another one of gptasst's."""

    HERE = 1
    ELSEWHERE = 2


@dataclass(frozen=True, slots=True)
class CachedUpload:
    """A file on the server whose content is known. `size` is in bytes.

    `sha256` may be no more than a mark, see `upload_marks`. `origin` is
    `ELSEWHERE` also where only the content is proven, and nothing that gptasst sent it.
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
    """An upload that was begun and never heard of again: its process was killed."""

    sha256: str
    purpose: str
    filename: str
    size: int
    begun_at: datetime


def begun_key(upload: UploadRequest | CachedUpload | BegunUpload) -> tuple[str, str, str]:
    """What tells uploads of one project apart that were begun."""
    return upload.sha256, upload.purpose, upload.filename


def upload_row(upload: CachedUpload) -> tuple[object, ...]:
    """The columns of an upload behind its scope."""
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
    """The upload that such columns hold."""
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
