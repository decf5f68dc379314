"""The file-ID cache: what is known of files without reading the disk or asking the server.

The cache reads `cache.sqlite3`. It may be incomplete at any time, and no caller fails because of
it; see `storage.disposable_database`.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from gptasst.errors import InvalidInput
from gptasst.uploads.project_cache import ProjectCache
from gptasst.uploads.tables import ROWS_AT_ONCE, SCHEMA, TABLES, CacheTables

_FILES_AT_ONCE = 500


class FileCache:
    """Hashes of local files, and the cache of each project on a server.

    Any number of processes and threads may use one file at once.

    Args:
        path: the SQLite file, opened on first use.
        note: called with one line if a damaged file was set aside or none can be written.
        only_memory: neither read nor write the file.
    """

    def __init__(
        self,
        path: Path,
        note: Callable[[str], None] = lambda _: None,
        *,
        only_memory: bool = False,
    ) -> None:
        self._tables = CacheTables(path, SCHEMA, note, only_memory=only_memory)

    @classmethod
    def copy_of(cls, path: Path) -> Self:
        """A copy of the cache in memory, which never changes the file.

        Raises:
            sqlite3.Error: the file is damaged. A missing file is an empty cache.
        """
        copy = cls(path, only_memory=True)
        try:
            if path.exists():
                copy._tables.load()
        except BaseException:
            copy.close()
            raise
        return copy

    @property
    def path(self) -> Path:
        return self._tables.path

    def close(self) -> None:
        self._tables.close()

    def of(self, scope: str) -> ProjectCache:
        """The cache of one project; `scope` is the project and its endpoint."""
        return ProjectCache(self._tables, scope)

    # Local files

    def sha256(self, file: Path) -> FileHash:
        """The hash of one file; see `sha256_all`."""
        return self.sha256_all([file])[file]

    def sha256_all(self, files: Sequence[Path]) -> dict[Path, FileHash]:
        """The hashes of files. Files with unchanged size, time and inode are not read.

        Raises:
            InvalidInput: one is not a file or can't be read.
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
            else:  # reading a missing file reports it
                unknown[file] = key
        pending = iter(unknown.items())
        while part := dict(itertools.islice(pending, _FILES_AT_ONCE)):
            hashes.update(self._read_and_remember(part))
        return hashes

    def _known_hashes(self, keys: Collection[bytes]) -> dict[bytes, Any]:
        """The rows of these files. For many files, it reads their range of the table at once."""
        if len(keys) < ROWS_AT_ONCE:
            rows = self._tables.select_in("hashes", "path", keys)
        else:
            between = "SELECT * FROM hashes WHERE path BETWEEN ? AND ?"
            rows = self._tables.rows(between, min(keys), max(keys))
        return {row[0]: row for row in rows}

    def _read_and_remember(self, keys: Mapping[Path, bytes]) -> dict[Path, FileHash]:
        hashes: dict[Path, FileHash] = {}
        rows = []
        for file, key in keys.items():
            hashes[file], row = read_file(file)
            if row is not None:
                rows.append((key, *row))
        self._tables.execute_many("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?)", rows)
        return hashes

    def hashed_files(self) -> dict[Path, FileHash]:
        """Every local file with a stored hash, which may be outdated."""
        rows = self._tables.rows("SELECT path, size, sha256 FROM hashes ORDER BY path")
        return {Path(os.fsdecode(path)): FileHash(size, sha256) for path, size, sha256 in rows}

    def forget_files(self, files: Sequence[Path]) -> None:
        directory = here()
        rows = [(file_key(file, directory),) for file in files]
        self._tables.execute_many("DELETE FROM hashes WHERE path = ?", rows)

    def local_paths(self, sha256s: Collection[str]) -> dict[str, list[Path]]:
        """The known local files with these contents."""
        found: dict[str, list[Path]] = {}
        for row in self._tables.select_in("hashes", "sha256", sha256s):
            if still_stands(row[0], row, freshly_changed=True):
                found.setdefault(row[5], []).append(Path(os.fsdecode(row[0])))
        return {sha256: sorted(paths) for sha256, paths in found.items()}

    # The cache as a whole

    def clear(self) -> None:
        """Clear the cache."""

        def work(connection: sqlite3.Connection) -> None:
            for table in TABLES:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608  # one of ours

        self._tables.write(work)


# A file can change twice within one tick of the file system's clock, which is two seconds on FAT.
# Files hashed that soon after a change are read again next time, like in git's index.
_TICK_NS = 2_000_000_000

_LARGEST_INTEGER = 2**63 - 1  # the largest integer of SQLite


class FileHash(NamedTuple):
    """The size of a file in bytes and the sha256 of its content, as hex digits."""

    size: int
    sha256: str


def here() -> bytes:
    """The working directory, with a trailing separator."""
    return os.fsencode(Path.cwd()) + os.fsencode(os.sep)


def file_key(file: Path, directory: bytes) -> bytes:
    """An absolute path, without resolving links and `..`.

    `directory` is the result of `here`, which is called once for many files.
    """
    name = os.fsencode(file)
    return name if file.is_absolute() else directory + name


def still_stands(file: bytes, row: Any, *, freshly_changed: bool = False) -> bool:
    """Whether a file is unchanged since its row was written.

    `freshly_changed` accepts a file that may have changed again in the same tick of the clock.
    """
    try:
        found = os.stat(file)  # noqa: PTH116  # 100,000 times
    except OSError:
        return False
    _, size, mtime_ns, identity, hashed_ns, _ = row
    return (
        found.st_mtime_ns == mtime_ns
        and found.st_size == size
        and _identity(found) == identity
        and (freshly_changed or hashed_ns - mtime_ns >= _TICK_NS)
    )


def read_file(file: Path) -> tuple[FileHash, tuple[int, int, int, int, str] | None]:
    """Hash a file; its row is `None` if it changed while it was read."""
    import hashlib

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
    return FileHash(size, sha256), (size, after.st_mtime_ns, _identity(after), started, sha256)


def _identity(found: os.stat_result) -> int:
    """The inode and the ctime of a file, combined in one number.

    The ctime can't be set, so it reveals other content with the same size and mtime, as made by
    `cp -p`, image layers and the Nix store.
    """
    return (found.st_ino ^ found.st_ctime_ns << 1) & _LARGEST_INTEGER
