"""The file-ID cache: what local files hold, and which ids the server gave to those contents.

Everything in it can be found out again, so no method fails because of it: where the database
can't be used, nothing is known and nothing is remembered.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gptasst.cache_database import CacheDatabase, CacheSchema
from gptasst.models.files import UploadRequest

_SCHEMA = CacheSchema(
    "the cache",
    1,
    """
CREATE TABLE hashes (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX hashes_by_content ON hashes (sha256);
CREATE TABLE uploads (
    scope TEXT NOT NULL,
    file_id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    purpose TEXT NOT NULL,
    filename TEXT NOT NULL,
    size INTEGER NOT NULL,
    uploaded_at REAL NOT NULL,
    expires_at REAL,
    PRIMARY KEY (scope, file_id)
) WITHOUT ROWID;
CREATE INDEX uploads_by_content ON uploads (scope, sha256, purpose);
CREATE TABLE begun_uploads (
    scope TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    purpose TEXT NOT NULL,
    filename TEXT NOT NULL,
    size INTEGER NOT NULL,
    begun_at REAL NOT NULL,
    PRIMARY KEY (scope, sha256, purpose, filename)
) WITHOUT ROWID;
CREATE TABLE assistants (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;
CREATE TABLE definitions (sha256 TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE synced_scopes (scope TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
""",
)
_BLOCK = 1 << 20
# A file that changed so shortly before it was hashed may change again within one tick of its
# clock, so its hash is not kept (git's "racily clean" entries).
_RACY_NS = 2_000_000_000
_MAX_PARAMETERS = 900


@dataclass(frozen=True, slots=True)
class FileHash:
    """A local file's content: its size in bytes and its sha256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CachedUpload:
    """A file on the server whose content is known. `size` is in bytes."""

    file_id: str
    sha256: str
    purpose: str
    filename: str
    size: int
    uploaded_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BegunUpload:
    """An upload that was begun and never heard of again: its process was killed."""

    sha256: str
    purpose: str
    filename: str
    size: int
    begun_at: datetime


class FileCache:
    """The cache in one SQLite file; any number of processes and threads may use it at once.

    Args:
        path: of the file, made when it is first needed.
        note: told in one line if a damaged file was set aside.
    """

    def __init__(self, path: Path, note: Callable[[str], None] = lambda _: None) -> None:
        self._database = CacheDatabase(path, _SCHEMA, note)

    @property
    def path(self) -> Path:
        return self._database.path

    def close(self) -> None:
        self._database.close()

    # Contents of local files

    def sha256(self, file: Path) -> FileHash:
        """A file's hash, without reading it where size, time and inode are as they were.

        Raises:
            OSError: it can't be read.
        """
        return self.sha256_all([file])[file]

    def sha256_all(self, files: Sequence[Path]) -> dict[Path, FileHash]:
        """The hashes of many files.

        Raises:
            OSError: one of them can't be read.
        """
        keys = {file: _key(file) for file in files}
        known = self._known_hashes(list(keys.values()))
        found: dict[Path, FileHash] = {}
        fresh = []
        for file, key in keys.items():
            status = file.stat()
            row = known.get(key)
            if row and row[:3] == (status.st_size, status.st_mtime_ns, status.st_ino):
                found[file] = FileHash(status.st_size, row[3])
                continue
            started = time.time_ns()
            found[file], after = _hash(file)
            if 0 <= after.st_mtime_ns < started - _RACY_NS and _same(status, after):
                identity = (after.st_size, after.st_mtime_ns, after.st_ino)
                fresh.append((key, *identity, found[file].sha256))
        self._keep_hashes(fresh)
        return found

    def _known_hashes(self, keys: Sequence[str]) -> dict[str, tuple[int, int, int, str]]:
        known: dict[str, tuple[int, int, int, str]] = {}
        with self._database.reading() as connection:
            if connection is not None:
                for part in _parts(keys):
                    marks = ",".join("?" * len(part))
                    rows = connection.execute(
                        "SELECT path, size, mtime_ns, inode, sha256 FROM hashes"  # noqa: S608
                        f" WHERE path IN ({marks})",
                        part,
                    )
                    known.update((row[0], row[1:]) for row in rows)
        return known

    def _keep_hashes(self, rows: Sequence[tuple[str, int, int, int, str]]) -> None:
        if rows:
            self._write_many("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", rows)

    def hashed_files(self) -> dict[Path, FileHash]:
        """Every local file whose hash is kept, whether or not it still stands."""
        rows = self._rows("SELECT path, size, sha256 FROM hashes ORDER BY path")
        return {Path(path): FileHash(size, sha256) for path, size, sha256 in rows}

    def forget_files(self, files: Sequence[Path]) -> None:
        keys = [(_key(file),) for file in files]
        self._write_many("DELETE FROM hashes WHERE path = ?", keys)

    def local_paths(self, sha256s: Collection[str]) -> dict[str, list[Path]]:
        """Where contents lie on this disk, as far as is known."""
        found: dict[str, list[Path]] = {}
        for path, hashed in self.hashed_files().items():
            if hashed.sha256 in sha256s:
                found.setdefault(hashed.sha256, []).append(path)
        return found

    # Uploads

    def uploads(self, scope: str, sha256: str, purpose: str) -> list[str]:
        """The ids of a content on the server, newest first; those that expired are left out."""
        rows = self._rows(
            "SELECT file_id FROM uploads WHERE scope = ? AND sha256 = ? AND purpose = ?"
            " AND (expires_at IS NULL OR expires_at > ?) ORDER BY uploaded_at DESC, file_id",
            (scope, sha256, purpose, time.time()),
        )
        return [file_id for (file_id,) in rows]

    def all_uploads(self, scope: str) -> list[CachedUpload]:
        rows = self._rows(
            "SELECT file_id, sha256, purpose, filename, size, uploaded_at, expires_at"
            " FROM uploads WHERE scope = ? ORDER BY filename, file_id",
            (scope,),
        )
        return [_cached(row) for row in rows]

    def remember_uploads(self, scope: str, uploads: Sequence[CachedUpload]) -> None:
        rows = [
            (
                scope, u.file_id, u.sha256, u.purpose, u.filename, u.size,
                u.uploaded_at.timestamp(), u.expires_at.timestamp() if u.expires_at else None,
            )
            for u in uploads
        ]  # fmt: skip
        begun = [(scope, u.sha256, u.purpose, u.filename) for u in uploads]
        with self._database.writing() as connection:
            if connection is not None:
                connection.executemany(
                    "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
                )
                connection.executemany(
                    "DELETE FROM begun_uploads WHERE scope = ? AND sha256 = ? AND purpose = ?"
                    " AND filename = ?",
                    begun,
                )

    def forget_uploads(self, scope: str, file_ids: Iterable[str]) -> None:
        rows = [(scope, file_id) for file_id in file_ids]
        self._write_many("DELETE FROM uploads WHERE scope = ? AND file_id = ?", rows)

    def begin_uploads(self, scope: str, requests: Sequence[UploadRequest]) -> None:
        """Note what is about to be uploaded, so that it is found should this process die."""
        now = time.time()
        rows = [(scope, r.sha256, r.purpose, r.filename, r.size, now) for r in requests]
        self._write_many("INSERT OR REPLACE INTO begun_uploads VALUES (?, ?, ?, ?, ?, ?)", rows)

    def begun_uploads(self, scope: str) -> list[BegunUpload]:
        rows = self._rows(
            "SELECT sha256, purpose, filename, size, begun_at FROM begun_uploads WHERE scope = ?",
            (scope,),
        )
        return [BegunUpload(row[0], row[1], row[2], row[3], _moment(row[4])) for row in rows]

    def end_uploads(self, scope: str, begun: Sequence[BegunUpload]) -> None:
        """Forget what was noted by `begin_uploads`."""
        rows = [(scope, b.sha256, b.purpose, b.filename) for b in begun]
        self._write_many(
            "DELETE FROM begun_uploads WHERE scope = ? AND sha256 = ? AND purpose = ?"
            " AND filename = ?",
            rows,
        )

    # Assistants and definitions

    def assistant_id(self, scope: str, name: str) -> str | None:
        rows = self._rows("SELECT id FROM assistants WHERE scope = ? AND name = ?", (scope, name))
        return rows[0][0] if rows else None

    def assistant_names(self, scope: str) -> list[str]:
        rows = self._rows("SELECT name FROM assistants WHERE scope = ? ORDER BY name", (scope,))
        return [name for (name,) in rows]

    def remember_assistants(
        self, scope: str, ids: Mapping[str, str], *, whole: bool = False
    ) -> None:
        """Keep the ids of assistants; with `whole` these are all that there are."""
        if (
            whole
            and dict(self._rows("SELECT name, id FROM assistants WHERE scope = ?", (scope,))) == ids
        ):
            return
        with self._database.writing() as connection:
            if connection is not None:
                if whole:
                    connection.execute("DELETE FROM assistants WHERE scope = ?", (scope,))
                connection.executemany(
                    "INSERT OR REPLACE INTO assistants VALUES (?, ?, ?)",
                    [(scope, name, assistant_id) for name, assistant_id in ids.items()],
                )

    def forget_assistant(self, scope: str, name: str) -> None:
        self._write_many("DELETE FROM assistants WHERE scope = ? AND name = ?", [(scope, name)])

    def definition(self, sha256: str) -> str | None:
        """A definition's text by its sha256; one that does not match it is not given."""
        rows = self._rows("SELECT text FROM definitions WHERE sha256 = ?", (sha256,))
        if not rows or hashlib.sha256(rows[0][0].encode()).hexdigest() != sha256:
            return None
        return str(rows[0][0])

    def remember_definition(self, sha256: str, text: str) -> None:
        self._write_many("INSERT OR REPLACE INTO definitions VALUES (?, ?)", [(sha256, text)])

    # The cache as a whole

    def is_synced(self, scope: str) -> bool:
        """Whether the uploads of a scope were read from the server into this cache."""
        return bool(self._rows("SELECT 1 FROM synced_scopes WHERE scope = ?", (scope,)))

    def mark_synced(self, scope: str) -> None:
        self._write_many(
            "INSERT OR REPLACE INTO synced_scopes VALUES (?, ?)", [(scope, time.time())]
        )

    def clear(self) -> None:
        """Forget everything."""
        with self._database.writing() as connection:
            if connection is not None:
                for table in _CLEARED:
                    connection.execute(f"DELETE FROM {table}")  # noqa: S608  # our own names

    def forget_scope(self, scope: str) -> None:
        """Forget what is known of one endpoint and project."""
        with self._database.writing() as connection:
            if connection is not None:
                for table in _SCOPED:
                    statement = f"DELETE FROM {table} WHERE scope = ?"  # noqa: S608
                    connection.execute(statement, (scope,))

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        with self._database.reading() as connection:
            if connection is not None:
                found = connection.execute(statement, values).fetchall()
        return found

    def _write_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        if not rows:
            return
        with self._database.writing() as connection:
            if connection is not None:
                connection.executemany(statement, rows)


_SCOPED = ("uploads", "begun_uploads", "assistants", "synced_scopes")
_CLEARED = (*_SCOPED, "hashes", "definitions")


def _cached(row: Sequence[Any]) -> CachedUpload:
    file_id, sha256, purpose, filename, size, uploaded_at, expires_at = row
    expires = None if expires_at is None else _moment(expires_at)
    return CachedUpload(file_id, sha256, purpose, filename, size, _moment(uploaded_at), expires)


def _hash(file: Path) -> tuple[FileHash, os.stat_result]:
    digest = hashlib.sha256()
    size = 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
        status = os.fstat(stream.fileno())
    return FileHash(size, digest.hexdigest()), status


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ino) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    )


def _key(file: Path) -> str:
    """A file's path as SQLite takes it: bytes of a name that are not UTF-8 are written out."""
    path = os.path.abspath(file)  # noqa: PTH100  # a link is a file of its own here
    return path.encode("utf-8", "backslashreplace").decode()


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _MAX_PARAMETERS):
        yield values[start : start + _MAX_PARAMETERS]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
