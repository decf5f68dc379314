"""What is known of files without asking the disk or the server again.

The cache answers from `cache.sqlite3`. It may know less than there is at any time, and no caller
fails because of it; see `cache_database`.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from gptasst.cache_database import CacheDatabase
from gptasst.errors import InvalidInput
from gptasst.models.files import UploadRequest

# A file can change twice within one tick of its clock, which is two seconds on FAT. What was
# hashed so soon after a change is read again next time, as git does with its index.
_TICK_NS = 2_000_000_000
_LARGEST_INTEGER = 2**63 - 1  # that SQLite takes
_ROWS_AT_ONCE = 500
_FILES_AT_ONCE = 500
_TABLES = ("hashes", "uploads", "begun_uploads", "assistants", "definitions", "synced_scopes")
_END_UPLOAD = (
    "DELETE FROM begun_uploads WHERE scope = ? AND sha256 = ? AND purpose = ? AND filename = ?"
)


class FileHash(NamedTuple):
    """The size of a file in bytes and the sha256 of its content, as hex digits."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CachedUpload:
    """A file on the server whose content is known. `size` is in bytes.

    `own` is false where it was found on the server and may be somebody else's upload.
    """

    file_id: str
    sha256: str
    purpose: str
    filename: str
    size: int
    uploaded_at: datetime
    expires_at: datetime | None = None
    own: bool = True


@dataclass(frozen=True, slots=True)
class BegunUpload:
    """An upload that was begun and never heard of again: its process was killed."""

    sha256: str
    purpose: str
    filename: str
    size: int
    begun_at: datetime


class FileCache:
    """Hashes of local files, and per scope (endpoint and project) ids on the server.

    Any number of processes and threads may use one file at once.

    Args:
        path: the SQLite file, opened when first needed.
        note: told, in one line, that a damaged file was set aside or that none can be written.
    """

    def __init__(self, path: Path, note: Callable[[str], None] = lambda _: None) -> None:
        self._database = CacheDatabase(path, note)

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
        here = _here()
        keys = {file: _key(file, here) for file in files}
        known = self._known_hashes(keys.values())
        hashes: dict[Path, FileHash] = {}
        unknown: dict[Path, bytes] = {}
        for file, key in keys.items():
            row = known.get(key)
            if row is not None and _still_stands(key, row):
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
            hashes[file], row = _read(file)
            if row is not None:
                rows.append((key, *row))
        self._execute_many("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?)", rows)
        return hashes

    def hashed_files(self) -> dict[Path, FileHash]:
        """Every local file whose hash is kept, whether or not it still stands."""
        rows = self._rows("SELECT path, size, sha256 FROM hashes ORDER BY path")
        return {Path(os.fsdecode(path)): FileHash(size, sha256) for path, size, sha256 in rows}

    def forget_files(self, files: Sequence[Path]) -> None:
        here = _here()
        rows = [(_key(file, here),) for file in files]
        self._execute_many("DELETE FROM hashes WHERE path = ?", rows)

    def local_paths(self, sha256s: Collection[str]) -> dict[str, list[Path]]:
        """The files on this disk that have these contents, as far as they are known."""
        found: dict[str, list[Path]] = {}
        for row in self._select_in("hashes", "sha256", sha256s):
            if _still_stands(row[0], row, freshly_changed=True):
                found.setdefault(row[5], []).append(Path(os.fsdecode(row[0])))
        return {sha256: sorted(paths) for sha256, paths in found.items()}

    # Uploads

    def uploads(self, scope: str, sha256: str, purpose: str) -> list[str]:
        """Ids of files with this content on the server, newest first.

        Those that have expired are left out. Knowledge (`assistants`) must stay, so for that
        purpose those that will ever expire are left out.
        """
        until = _LARGEST_INTEGER if purpose == "assistants" else time.time()
        rows = self._rows(
            "SELECT file_id FROM uploads WHERE scope = ? AND sha256 = ? AND purpose = ?"
            " AND (expires_at IS NULL OR expires_at > ?) ORDER BY uploaded_at DESC, file_id",
            scope, sha256, purpose, until,
        )  # fmt: skip
        return [file_id for (file_id,) in rows]

    def all_uploads(self, scope: str) -> list[CachedUpload]:
        """All files on the server whose content is known, newest first."""
        return self._database.read(
            lambda connection: [
                _upload(row)
                for row in connection.execute(
                    "SELECT file_id, sha256, purpose, filename, size, uploaded_at, expires_at,"
                    " own FROM uploads WHERE scope = ? ORDER BY uploaded_at DESC, file_id",
                    (scope,),
                )
            ]
        )

    def remember_uploads(self, scope: str, uploads: Sequence[CachedUpload]) -> None:
        """Keep what was uploaded; of those that were begun, these have ended."""
        rows = [(scope, *_upload_row(upload)) for upload in uploads]

        def work(connection: sqlite3.Connection) -> None:
            marks = ",".join("?" * 9)
            connection.executemany(f"INSERT OR REPLACE INTO uploads VALUES ({marks})", rows)  # noqa: S608
            connection.executemany(_END_UPLOAD, [_begun_key(scope, u) for u in uploads])

        if rows:
            self._database.write(work)

    def forget_uploads(self, scope: str, file_ids: Iterable[str]) -> None:
        rows = [(scope, file_id) for file_id in file_ids]
        self._execute_many("DELETE FROM uploads WHERE scope = ? AND file_id = ?", rows)

    def begin_uploads(self, scope: str, requests: Sequence[UploadRequest]) -> None:
        """Note what is about to be uploaded, so that it is found should this process die."""
        now = time.time()
        rows = [(*_begun_key(scope, request), request.size, now) for request in requests]
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
        self._execute_many(_END_UPLOAD, [_begun_key(scope, upload) for upload in begun])

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

    def definition(self, sha256: str) -> str | None:
        """A definition's text by its sha256; one that does not match it is not given."""
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
            for table in _TABLES:
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
        return self._database.read(
            lambda connection: connection.execute(statement, values).fetchall()
        )

    def _execute_many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            self._database.write(lambda connection: connection.executemany(statement, rows))


def _here() -> bytes:
    return os.fsencode(Path.cwd()) + os.fsencode(os.sep)


def _key(file: Path, here: bytes) -> bytes:
    """An absolute path as the system has it, links and `..` as they are."""
    name = os.fsencode(file)
    return name if file.is_absolute() else here + name


def _still_stands(file: bytes, row: Any, *, freshly_changed: bool = False) -> bool:
    """Whether a file is as it was when its row was written.

    `freshly_changed` takes one that may have changed again within the tick it was hashed in.
    """
    try:
        found = os.stat(file)  # noqa: PTH116  # 100,000 times
    except OSError:
        return False
    _, size, mtime_ns, inode, hashed_ns, _ = row
    return (
        found.st_mtime_ns == mtime_ns
        and found.st_size == size
        and found.st_ino & _LARGEST_INTEGER == inode
        and (freshly_changed or hashed_ns - mtime_ns >= _TICK_NS)
    )


def _read(file: Path) -> tuple[FileHash, tuple[int, int, int, int, str] | None]:
    """Hash a file; its row is `None` if it changed meanwhile."""
    started = time.time_ns()
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise InvalidInput(f"`{file}` is not a file")
        with file.open("rb") as stream:
            before = os.fstat(stream.fileno())
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
            after = os.fstat(stream.fileno())
    except OSError as error:
        raise InvalidInput(f"`{file}` can't be read: {error.strerror}") from None
    if (before.st_size, before.st_mtime_ns) != (size, after.st_mtime_ns):
        return FileHash(size, sha256), None
    inode = after.st_ino & _LARGEST_INTEGER
    return FileHash(size, sha256), (size, after.st_mtime_ns, inode, started, sha256)


def _begun_key(
    scope: str, upload: UploadRequest | CachedUpload | BegunUpload
) -> tuple[str, str, str, str]:
    return scope, upload.sha256, upload.purpose, _storable(upload.filename)


def _storable(filename: str) -> str:
    """A file name as SQLite takes it, which wants whole characters."""
    return filename.encode("utf-8", "replace").decode("utf-8")


def _upload_row(upload: CachedUpload) -> tuple[object, ...]:
    expires = upload.expires_at
    return (
        upload.file_id,
        upload.sha256,
        upload.purpose,
        _storable(upload.filename),
        upload.size,
        upload.uploaded_at.timestamp(),
        None if expires is None else expires.timestamp(),
        upload.own,
    )


def _upload(row: Iterable[Any]) -> CachedUpload:
    file_id, sha256, purpose, filename, size, uploaded_at, expires_at, own = row
    return CachedUpload(
        file_id=file_id,
        sha256=sha256,
        purpose=purpose,
        filename=filename,
        size=size,
        uploaded_at=datetime.fromtimestamp(uploaded_at, UTC),
        expires_at=None if expires_at is None else datetime.fromtimestamp(expires_at, UTC),
        own=bool(own),
    )
