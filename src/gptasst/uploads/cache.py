"""What is known of files without asking the disk or the server again.

The cache answers from `cache.sqlite3`. It may know less than there is at any time, and no caller
fails because of it; see `storage.disposable_database`.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from gptasst.api.upload_marks import content_mark
from gptasst.storage.disposable_database import DisposableDatabase
from gptasst.uploads.cached_uploads import (
    LASTING,
    BegunUpload,
    CachedUpload,
    begun_key,
    upload_of,
    upload_row,
)
from gptasst.uploads.hashes import FileHash, file_key, here, read_file, still_stands
from gptasst.uploads.tables import SCHEMA, TABLES

if TYPE_CHECKING:
    from gptasst.api.types import UploadRequest

_ROWS_AT_ONCE = 500
_FILES_AT_ONCE = 500
_END_UPLOAD = (
    "DELETE FROM begun_uploads WHERE scope = ? AND sha256 = ? AND purpose = ? AND filename = ?"
)


class FileCache:
    """Hashes of local files, and per scope (endpoint and project) ids on the server.

    Any number of processes and threads may use one file at once.

    Args:
        path: the SQLite file, opened when first needed.
        note: told, in one line, that a damaged file was set aside or that none can be written.
        only_memory: the file is neither read nor written.
    """

    def __init__(
        self,
        path: Path,
        note: Callable[[str], None] = lambda _: None,
        *,
        only_memory: bool = False,
    ) -> None:
        self._database = DisposableDatabase(path, SCHEMA, note, only_memory=only_memory)

    @classmethod
    def copy_of(cls, path: Path) -> Self:
        """What the cache at a path knows, in memory: the file stays as it is, whatever is done.

        Raises:
            sqlite3.Error: the file is damaged. One that is not there knows nothing.
        """
        copy = cls(path, only_memory=True)
        try:
            if path.exists():
                copy._database.load()
        except BaseException:
            copy.close()
            raise
        return copy

    @property
    def path(self) -> Path:
        return self._database.path

    def close(self) -> None:
        self._database.close()

    # Local files

    def sha256(self, file: Path) -> FileHash:
        """The hash of one file; see `sha256_all`."""
        return self.sha256_all([file])[file]

    def sha256_all(self, files: Sequence[Path]) -> dict[Path, FileHash]:
        """The hashes of files. Those whose size, time and inode stand are not read.

        Raises:
            InvalidInput: one of them is not a file or can't be read.
        """
        directory = here()
        keys = {file: file_key(file, directory) for file in files}
        known = self._known_hashes(keys.values())
        hashes: dict[Path, FileHash] = {}
        unknown: dict[Path, bytes] = {}
        for file, key in keys.items():
            row = known.get(key)
            if row is not None and still_stands(key, row):
                hashes[file] = FileHash(row[1], row[5])
            else:  # one that is gone is reported by the attempt to read it
                unknown[file] = key
        pending = iter(unknown.items())
        while part := dict(itertools.islice(pending, _FILES_AT_ONCE)):
            hashes.update(self._read_and_remember(part))
        return hashes

    def _known_hashes(self, keys: Collection[bytes]) -> dict[bytes, Any]:
        """The rows of these files. Many are found in one pass over their part of the table."""
        if len(keys) < _ROWS_AT_ONCE:
            rows = self._select_in("hashes", "path", keys)
        else:
            between = "SELECT * FROM hashes WHERE path BETWEEN ? AND ?"
            rows = self._rows(between, min(keys), max(keys))
        return {row[0]: row for row in rows}

    def _read_and_remember(self, keys: Mapping[Path, bytes]) -> dict[Path, FileHash]:
        hashes: dict[Path, FileHash] = {}
        rows = []
        for file, key in keys.items():
            hashes[file], row = read_file(file)
            if row is not None:
                rows.append((key, *row))
        self._execute_many("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?)", rows)
        return hashes

    def hashed_files(self) -> dict[Path, FileHash]:
        """Every local file whose hash is kept, whether or not it still stands."""
        rows = self._rows("SELECT path, size, sha256 FROM hashes ORDER BY path")
        return {Path(os.fsdecode(path)): FileHash(size, sha256) for path, size, sha256 in rows}

    def forget_files(self, files: Sequence[Path]) -> None:
        directory = here()
        rows = [(file_key(file, directory),) for file in files]
        self._execute_many("DELETE FROM hashes WHERE path = ?", rows)

    def local_paths(self, sha256s: Collection[str]) -> dict[str, list[Path]]:
        """The files on this disk that have these contents, as far as they are known."""
        found: dict[str, list[Path]] = {}
        for row in self._select_in("hashes", "sha256", sha256s):
            if still_stands(row[0], row, freshly_changed=True):
                found.setdefault(row[5], []).append(Path(os.fsdecode(row[0])))
        return {sha256: sorted(paths) for sha256, paths in found.items()}

    # Uploads

    def uploads(
        self, scope: str, contents: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], list[str]]:
        """Ids of files on the server by their content, which is a sha256 and a purpose.

        Those that stay come first, then the newest; those that have expired are left out.
        Knowledge (`assistants`) must stay, so for that purpose those that do not last are left
        out (`LASTING`). What is known of a content may be its mark: see `upload_marks`.
        """
        now = time.time()
        (known_as,) = _storable((scope,))

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

        return self._database.read(
            lambda connection: {content: ids(connection, *content) for content in contents}
        )

    def all_uploads(self, scope: str) -> list[CachedUpload]:
        """All files on the server whose content is known, newest first."""
        return self._database.read(
            lambda connection: [
                upload_of(row)
                for row in connection.execute(
                    "SELECT file_id, sha256, purpose, filename, size, uploaded_at, expires_at,"
                    " own FROM uploads WHERE scope = ? AND own ORDER BY uploaded_at DESC, file_id",
                    (scope,),
                )
            ]
        )

    def remember_uploads(self, scope: str, uploads: Sequence[CachedUpload]) -> None:
        """Keep what was uploaded; of those that were begun, these have ended."""
        rows = [_storable((scope, *upload_row(upload))) for upload in uploads]
        ended = [_storable(begun_key(scope, upload)) for upload in uploads]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            connection.executemany(_END_UPLOAD, ended)

        if rows:
            self._database.write(work)

    def forget_uploads(self, scope: str, file_ids: Iterable[str]) -> None:
        rows = [(scope, file_id) for file_id in file_ids]
        self._execute_many("DELETE FROM uploads WHERE scope = ? AND file_id = ?", rows)
        self._execute_many("DELETE FROM former_knowledge WHERE scope = ? AND file_id = ?", rows)
        self._execute_many("DELETE FROM leaving_knowledge WHERE scope = ? AND file_id = ?", rows)

    def begin_uploads(self, scope: str, requests: Sequence[UploadRequest]) -> None:
        """Note what is about to be uploaded, so that it is found should this process die."""
        now = time.time()
        rows = [(*begun_key(scope, request), request.size, now) for request in requests]
        self._execute_many("INSERT OR REPLACE INTO begun_uploads VALUES (?, ?, ?, ?, ?, ?)", rows)

    def begun_uploads(self, scope: str) -> list[BegunUpload]:
        rows = self._rows(
            "SELECT sha256, purpose, filename, size, begun_at FROM begun_uploads WHERE scope = ?",
            scope,
        )
        return [
            BegunUpload(sha256, purpose, filename, size, datetime.fromtimestamp(begun_at, UTC))
            for sha256, purpose, filename, size, begun_at in rows
        ]

    def end_uploads(self, scope: str, begun: Sequence[BegunUpload]) -> None:
        """Forget what was noted by `begin_uploads`."""
        self._execute_many(_END_UPLOAD, [begun_key(scope, upload) for upload in begun])

    # Knowledge

    def remember_knowledge(self, scope: str, store: str, sha256s: Mapping[str, str]) -> None:
        """Keep what an assistant knows, path by path, in place of what it knew."""
        rows = [_storable((scope, store, path, sha256)) for path, sha256 in sha256s.items()]

        def work(connection: sqlite3.Connection) -> None:
            old = "DELETE FROM knowledge WHERE scope = ? AND store = ?"
            connection.execute(old, (scope, store))
            connection.executemany("INSERT INTO knowledge VALUES (?, ?, ?, ?)", rows)

        self._database.write(work)

    def knowledge(self, scope: str, store: str) -> dict[str, str]:
        """What an assistant knew when it was last seen: the sha256 by path."""
        query = "SELECT path, sha256 FROM knowledge WHERE scope = ? AND store = ?"
        return dict(self._rows(query, scope, store))

    def remember_former_knowledge(self, scope: str, store: str, file_ids: Iterable[str]) -> None:
        """Note uploads that an assistant knew once, so that they can go when it does."""
        rows = [(scope, store, file_id) for file_id in file_ids]
        self._execute_many("INSERT OR IGNORE INTO former_knowledge VALUES (?, ?, ?)", rows)

    def former_knowledge(self, scope: str, store: str) -> list[str]:
        query = "SELECT file_id FROM former_knowledge WHERE scope = ? AND store = ?"
        return [file_id for (file_id,) in self._rows(query, scope, store)]

    def begin_removal(self, scope: str, store: str, file_ids: Iterable[str]) -> None:
        """Note uploads that are to be deleted once an assistant does not know them any more."""
        rows = [(scope, store, file_id) for file_id in file_ids]
        self._execute_many("INSERT OR IGNORE INTO leaving_knowledge VALUES (?, ?, ?)", rows)

    def begun_removal(self, scope: str, store: str) -> list[str]:
        """What was noted by `begin_removal` and not ended: its process may have been killed."""
        query = "SELECT file_id FROM leaving_knowledge WHERE scope = ? AND store = ?"
        return [file_id for (file_id,) in self._rows(query, scope, store)]

    def end_removal(self, scope: str, file_ids: Iterable[str]) -> None:
        rows = [(scope, file_id) for file_id in file_ids]
        self._execute_many("DELETE FROM leaving_knowledge WHERE scope = ? AND file_id = ?", rows)

    # Assistants and definitions

    def assistant_id(self, scope: str, name: str) -> str | None:
        """The id that an assistant had when it was last seen."""
        rows = self._rows("SELECT id FROM assistants WHERE scope = ? AND name = ?", scope, name)
        return str(rows[0][0]) if rows else None

    def assistant_names(self, scope: str) -> list[str]:
        rows = self._rows("SELECT name FROM assistants WHERE scope = ?", scope)
        return sorted(name for (name,) in rows)

    def remember_assistants(
        self, scope: str, ids: Mapping[str, str], *, whole: bool = False
    ) -> None:
        """Remember ids by name. With `whole` there are no others."""
        known = dict(self._rows("SELECT name, id FROM assistants WHERE scope = ?", scope))
        if ids == known if whole else ids.items() <= known.items():
            return  # nobody has to wait for a lock
        rows = [(scope, name, assistant_id) for name, assistant_id in ids.items()]

        def work(connection: sqlite3.Connection) -> None:
            if whole:
                connection.execute("DELETE FROM assistants WHERE scope = ?", (scope,))
            connection.executemany("INSERT OR REPLACE INTO assistants VALUES (?, ?, ?)", rows)

        self._database.write(work)

    def forget_assistant(self, scope: str, name: str) -> None:
        self._execute_many("DELETE FROM assistants WHERE scope = ? AND name = ?", [(scope, name)])

    def remember_models(self, scope: str, models: Sequence[tuple[str, date | None]]) -> None:
        """Remember the models that a server has and when they end, in place of those it had."""
        rows = [(scope, name, end.isoformat() if end else None) for name, end in models]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM models WHERE scope = ?", (scope,))
            connection.executemany("INSERT OR IGNORE INTO models VALUES (?, ?, ?)", rows)

        self._database.write(work)

    def models(self, scope: str) -> list[str]:
        """The models that a server had when they were listed last."""
        rows = self._rows("SELECT name FROM models WHERE scope = ? ORDER BY name", scope)
        return [str(name) for (name,) in rows]

    def end_of_model(self, scope: str, name: str) -> date | None:
        """When a model ends, as its server said when its models were listed."""
        rows = self._rows(
            "SELECT shutdown_date FROM models WHERE scope = ? AND name = ?", scope, name
        )
        try:
            return date.fromisoformat(rows[0][0]) if rows and rows[0][0] else None
        except (TypeError, ValueError):  # damaged
            return None

    def definition(self, sha256: str) -> str | None:
        """A definition's text by its sha256; one that does not match it is not given."""
        import hashlib

        rows = self._rows("SELECT text FROM definitions WHERE sha256 = ?", sha256)
        if not rows or hashlib.sha256(rows[0][0].encode()).hexdigest() != sha256:
            return None
        return str(rows[0][0])

    def remember_definition(self, sha256: str, text: str) -> None:
        self._execute_many("INSERT OR REPLACE INTO definitions VALUES (?, ?)", [(sha256, text)])

    # The cache as a whole

    def is_synced(self, scope: str) -> bool:
        """Whether the uploads of a scope were read from the server since this cache was made."""
        return bool(self._rows("SELECT 1 FROM synced_scopes WHERE scope = ?", scope))

    def mark_synced(self, scope: str) -> None:
        self._execute_many("INSERT OR REPLACE INTO synced_scopes VALUES (?)", [(scope,)])

    def clear(self) -> None:
        """Forget everything."""

        def work(connection: sqlite3.Connection) -> None:
            for table in TABLES:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608  # one of ours

        self._database.write(work)

    def _select_in(
        self, table: str, key: str, values: Collection[bytes] | Collection[str]
    ) -> list[Any]:
        """The rows whose `key` is one of `values`."""
        wanted = list(values)

        def work(connection: sqlite3.Connection) -> list[Any]:
            rows: list[Any] = []
            for start in range(0, len(wanted), _ROWS_AT_ONCE):
                part = wanted[start : start + _ROWS_AT_ONCE]
                marks = ",".join("?" * len(part))
                statement = f"SELECT * FROM {table} WHERE {key} IN ({marks})"  # noqa: S608
                rows += connection.execute(statement, part).fetchall()
            return rows

        return self._database.read(work) if wanted else []

    def _rows(self, statement: str, *values: object) -> list[Any]:
        values = _storable(values)
        return self._database.read(
            lambda connection: connection.execute(statement, values).fetchall()
        )

    def _execute_many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            storable = [_storable(row) for row in rows]
            self._database.write(lambda connection: connection.executemany(statement, storable))


def _storable(row: tuple[object, ...]) -> tuple[object, ...]:
    """Values as SQLite takes them, which wants whole characters: odd file names have others."""
    return tuple(
        value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
        for value in row
    )
